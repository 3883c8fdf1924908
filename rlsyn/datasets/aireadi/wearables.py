"""The wearables of all participants: streams to days, one participant at a time, several at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from joblib import Parallel, delayed
from tqdm import tqdm

from rlsyn.datasets.aireadi.days import NEEDED, Days, complete_days
from rlsyn.datasets.aireadi.options import Calories, CgmLimits
from rlsyn.datasets.aireadi.release import Note, information
from rlsyn.datasets.aireadi.streams import FOLDERS, SUFFIXES, Intervals, Name, Samples, read_intervals, read_samples
from rlsyn.datasets.simulated_aireadi_columns import ACTIVITY_HOURS, GROUP, SLEEP_HOURS, WEARABLE_NAMES

COLUMNS_OF: dict[Name, tuple[str, ...]] = {
    "glucose": ("blood_glucose_mean", "blood_glucose_std"),
    "heart_rate": ("heart_rate_mean", "resting_heart_rate"),
    "respiratory_rate": ("resp_rate_mean",),
    "stress": ("stress_mean",),
    "physical_activity": (*ACTIVITY_HOURS, "total_steps", "resting_heart_rate", "total_kcal"),
    "physical_activity_calorie": ("total_kcal",),
    "sleep": SLEEP_HOURS,
}
"""Columns that are missing without a stream."""

Devices = Mapping[Name, tuple[Path, ...]]


class _Participant(NamedTuple):
    days: Days
    bad_files: list[tuple[Name, str]]
    n_skipped: int


@dataclass(frozen=True)
class _Reading:
    """What reading one participant needs; picklable, since it travels to other processes."""

    devices: Devices
    needed: tuple[Name, ...]
    cgm_limits: CgmLimits
    calories: Calories

    def __call__(self, person: int) -> _Participant:
        """The days of that participant; a file that cannot be read counts as absent."""
        streams: dict[Name, Samples | Intervals] = {}
        bad_files: list[tuple[Name, str]] = []
        n_skipped = 0
        for name, folders in self.devices.items():
            paths = (folder / str(person) / f"{person}_{SUFFIXES[name]}.json" for folder in folders)
            path = next((path for path in paths if path.is_file()), None)
            if path is None:
                continue
            is_interval = name in ("physical_activity", "sleep")
            try:
                streams[name] = read_intervals(path, name) if is_interval else read_samples(path, name, self.cgm_limits)
            except ValueError as error:
                bad_files.append((name, str(error)))
                continue
            n_skipped += streams[name].n_skipped
        return _Participant(complete_days(streams, self.needed, self.calories), bad_files, n_skipped)


def devices_of(root: Path) -> Devices:
    """By stream the folders of its devices; none where the release lacks the stream."""
    found = {}
    for name, places in FOLDERS.items():
        folders = [child for place in places if (root / place).is_dir() for child in sorted((root / place).iterdir())]
        if devices := tuple(folder for folder in folders if folder.is_dir()):
            found[name] = devices
    return found


def read_days(
    root: Path,
    people: Sequence[int],
    cgm_limits: CgmLimits,
    calories: Calories,
    n_jobs: int = 1,
    progress_bar: bool = False,
) -> tuple[pd.DataFrame, list[Note]]:
    """The accepted days of all participants, and what a user must know about them, in sentences.

    Args:
        root: Folder of the release.
        people: Participants.
        cgm_limits: See `AireadiOptions`.
        calories: See `AireadiOptions`.
        n_jobs: Processes; -1 for one per core. The table does not depend on it.
        progress_bar: Whether to show one.

    Returns:
        `participant_id` and the 16 wearable columns, a row per accepted day in the order of participants and time.
    """
    devices = devices_of(root)
    absent = [name for name in FOLDERS if name not in devices]
    notes = [Note(_absent_note(absent))] if absent else []
    needed = tuple(name for name in NEEDED if name in devices)
    read = _Reading(devices, needed, cgm_limits, calories)
    # Without any of the streams that a day needs nobody has one.
    readable = people if needed else ()
    results = Parallel(n_jobs=n_jobs, return_as="generator")(delayed(read)(person) for person in readable)
    shown = tqdm(results, total=len(readable), desc="Wearables", unit="participant", disable=not progress_bar)
    read_people = list(shown)
    rows = [
        {GROUP: person} | row for person, result in zip(readable, read_people, strict=True) for row in result.days.rows
    ]
    table = pd.DataFrame(rows, columns=[GROUP, *WEARABLE_NAMES])
    types = {GROUP: "int64"} | dict.fromkeys(WEARABLE_NAMES, "float64")
    return table.astype(types), notes + _notes(read_people, table)


def _absent_note(absent: Sequence[Name]) -> str:
    columns = list(dict.fromkeys(column for name in absent for column in COLUMNS_OF[name]))
    folders = ", ".join(FOLDERS[name][0] for name in absent)
    return f"The release lacks {folders}: the columns {', '.join(columns)} are missing values."


def _notes(results: Sequence[_Participant], table: pd.DataFrame) -> list[Note]:
    notes: list[Note] = []
    if bad := [file for result in results for file in result.bad_files]:
        # No path: those of participants hold their numbers, and a log travels further than the data.
        counts = ", ".join(_counted(Counter(name for name, _ in bad)))
        told = f"Files of wearables that cannot be read and are left out: {len(bad):,} ({counts})."
        notes.append(Note(f"{told} The first: {bad[0][1]}."))
    if n_skipped := sum(result.n_skipped for result in results):
        notes.append(Note(f"Records of wearables that lack a time or a value and are left out: {n_skipped:,}."))
    if results:
        lacking = sum((result.days.lacking for result in results), Counter[str]())
        reasons = ", ".join(_counted(lacking))
        n_seen = sum(result.days.n_seen for result in results)
        told = (
            f"{len(table):,} of {n_seen:,} days are complete, of {table[GROUP].nunique():,} of {len(results):,} "
            f"participants.{f' What lacks most often, in days or participants: {reasons}.' if reasons else ''}"
        )
        notes.append(information(told))
    return notes


def _counted(counts: Counter[Any]) -> list[str]:
    return [f"{name.replace('_', ' ')} {count:,}" for name, count in counts.most_common()]
