"""The streams of the wearables: one JSON file per participant and stream, read into arrays.

All times are UTC. A stream is a list of records below `body`; release 1 has the list of glucose readings as the body
itself. A record that lacks its time or its value, or has a text for a number, is left out and counted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from rlsyn.datasets.aireadi.options import CgmLimits

Name = Literal[
    "glucose", "heart_rate", "respiratory_rate", "stress", "physical_activity", "physical_activity_calorie", "sleep"
]

MONITOR = "wearable_activity_monitor"
FOLDERS: dict[Name, tuple[str, ...]] = {
    "glucose": ("wearable_blood_glucose/continuous_glucose_monitoring",),
    "heart_rate": (f"{MONITOR}/heart_rate",),
    "respiratory_rate": (f"{MONITOR}/respiratory_rate",),
    "stress": (f"{MONITOR}/stress",),
    "physical_activity": (f"{MONITOR}/physical_activity",),
    # The documentation shortens this name, the releases do not.
    "physical_activity_calorie": (f"{MONITOR}/physical_activity_calorie", f"{MONITOR}/physical_activity_cal"),
    "sleep": (f"{MONITOR}/sleep",),
}
"""Folders below the root; in them a folder per device (dexcom_g6, garmin_vivosmart5), in that one per participant."""

SUFFIXES: dict[Name, str] = {
    "glucose": "DEX",
    "heart_rate": "heartrate",
    "respiratory_rate": "respiratoryrate",
    "stress": "stress",
    "physical_activity": "activity",
    "physical_activity_calorie": "calorie",
    "sleep": "sleep",
}

MUST_EXCEED: dict[Name, float] = {
    # Garmin writes 0, -1 and -2 for "off the wrist" and "not measurable"; no stress is 0.
    "heart_rate": 0,
    "respiratory_rate": 0,
    "stress": -1,
    "glucose": 0,
    "physical_activity_calorie": -1,
}
"""What a valid sample is larger than."""

CENSORED = {"low": 39.0, "high": 401.0}
"""The glucose sensor measures from 40 to 400 mg/dL and says "Low" and "High" beyond."""

ACTIVITIES = ("generic", "running", "walking", "sedentary")
STAGES = ("light", "deep", "rem", "awake")


@dataclass(frozen=True)
class Samples:
    """Values at times: `times` in seconds since 1970 and `values`, both `(n,)`, in the order of time.

    Args:
        times: Of the values that are valid, each once.
        values: The values.
        span: First and last time of all samples, those that are not valid included; None without one.
        n_skipped: Records that could not be read.
    """

    times: np.ndarray
    values: np.ndarray
    span: tuple[int, int] | None
    n_skipped: int = 0


@dataclass(frozen=True)
class Intervals:
    """What lasts: `starts`, `ends` (seconds since 1970), `labels` and `amounts`, all `(n,)`.

    Args:
        starts: When each begins, ascending.
        ends: When each ends.
        labels: Position in `ACTIVITIES` or `STAGES`; -1 for none of them.
        amounts: Steps; missing where the file holds none.
        n_skipped: Records that could not be read.
    """

    starts: np.ndarray
    ends: np.ndarray
    labels: np.ndarray
    amounts: np.ndarray
    n_skipped: int = 0

    @property
    def span(self) -> tuple[int, int] | None:
        """From the first start to the last end; None without an interval."""
        return (int(self.starts.min()), int(self.ends.max())) if len(self.starts) else None


def read_samples(path: Path, name: Name, cgm_limits: CgmLimits = "censored") -> Samples:
    """The samples of a stream.

    Raises:
        ValueError: The file is no JSON, or not of the expected form; the message says how, in a line, and names the stream
            but not the file, whose name holds the number of a participant.
    """
    make = {
        "glucose": lambda record: _glucose(record, cgm_limits),
        "heart_rate": lambda record: (_moment(record), float(record["heart_rate"]["value"])),
        "respiratory_rate": lambda record: (_moment(record), float(record["respiratory_rate"]["value"])),
        "stress": lambda record: (_moment(record), float(record["stress"]["value"])),
        "physical_activity_calorie": lambda record: (_moment(record), float(record["calories_value"]["value"])),
    }[name]
    rows, n_skipped = _rows(path, name, make)
    times, is_time = _seconds([row[0] for row in rows])
    values = np.array([row[1] for row in rows], dtype=float)[is_time]
    n_skipped += int((~is_time).sum())
    if not len(times):
        return Samples(times, values, None, n_skipped)
    is_valid = np.isfinite(values) & (values > MUST_EXCEED[name])
    span = int(times.min()), int(times.max())
    if name == "physical_activity_calorie":
        order = np.argsort(times[is_valid], kind="stable")
        return Samples(times[is_valid][order], values[is_valid][order], span, n_skipped)
    # Of several values at one time the first of the file counts.
    kept, first = np.unique(times[is_valid], return_index=True)
    return Samples(kept, values[is_valid][first], span, n_skipped)


def read_intervals(path: Path, name: Name) -> Intervals:
    """The intervals of a stream, of activity or of sleep.

    Raises:
        ValueError: As `read_samples`.
    """
    rows, n_skipped = _rows(path, name, _activity if name == "physical_activity" else _sleep)
    starts, is_start = _seconds([row[0] for row in rows])
    ends, is_end = _seconds([row[1] for row in rows])
    both = is_start & is_end
    starts, ends = starts[both[is_start]], ends[both[is_end]]
    known = ACTIVITIES if name == "physical_activity" else STAGES
    labels = np.array([known.index(row[2]) if row[2] in known else -1 for row in rows], dtype=np.int64)[both]
    amounts = np.array([row[3] for row in rows], dtype=float)[both]
    order = np.argsort(starts, kind="stable")
    return Intervals(starts[order], ends[order], labels[order], amounts[order], n_skipped + int((~both).sum()))


_LISTS: dict[Name, str] = {
    "glucose": "cgm",
    "heart_rate": "heart_rate",
    "respiratory_rate": "breathing",
    "stress": "stress",
    "physical_activity": "activity",
    "physical_activity_calorie": "activity",
    "sleep": "sleep",
}

Record = Mapping[str, Any]


def _rows(
    path: Path, name: Name, make: Callable[[Record], tuple[Any, ...] | None]
) -> tuple[list[tuple[Any, ...]], int]:
    """What `make` makes of each record, and how many records it could not read; None stands for "left out"."""
    key, stream = _LISTS[name], name.replace("_", " ")
    try:
        records = _records(path, key)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{stream}: not as expected ({_reason(error)})") from None
    rows, n_skipped = [], 0
    for record in records:
        try:
            row = make(record)
        except (KeyError, TypeError, ValueError, AttributeError):
            n_skipped += 1
            continue
        if row is not None:
            rows.append(row)
    if records and n_skipped == len(records):
        raise ValueError(f"{stream}: not as expected (none of the records in {key!r} has the expected fields)")
    return rows, n_skipped


def _records(path: Path, key: str) -> list[Any]:
    # A bare NaN, which is no JSON, is a float here.
    body = json.loads(path.read_bytes())["body"]
    records = body if isinstance(body, list) else body[key]
    if not isinstance(records, list):
        raise TypeError(f"{key!r} must be a list, got {type(records).__name__}")
    return records


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):  # its own text names the file
        return error.strerror or type(error).__name__
    return f"lacks {error}" if isinstance(error, KeyError) else " ".join(str(error).split())[:120]


def _time(text: object) -> str:
    if not isinstance(text, str):
        raise TypeError("a time must be a text")
    return text


def _moment(record: Record) -> str:
    return _time(record["effective_time_frame"]["date_time"])


def _ends(interval: Record) -> tuple[str, str]:
    return _time(interval["start_date_time"]), _time(interval["end_date_time"])


def _glucose(record: Record, limits: CgmLimits) -> tuple[str, float] | None:
    interval = record["effective_time_frame"]["time_interval"]
    start = _time(interval["start_date_time"])
    if start != _time(interval.get("end_date_time", start)):
        return None  # as arXiv:2512.21395: a reading that lasts is none
    value = record["blood_glucose"]["value"]
    if isinstance(value, str) and value.strip().lower() in CENSORED:
        value = CENSORED[value.strip().lower()] if limits == "censored" else np.nan
    return start, float(value)


def _activity(record: Record) -> tuple[str, str, str, float]:
    interval = record["effective_time_frame"]["time_interval"]
    steps = record["base_movement_quantity"]["value"]
    amount = np.nan if steps in ("", None) else float(steps)
    return *_ends(interval), str(record["activity_name"]).lower(), amount


def _sleep(record: Record) -> tuple[str, str, str, float]:
    # Release 2 and release 3.
    frame = record.get("sleep_stage_time_frame") or record["effective_time_frame"]
    return *_ends(frame["time_interval"]), str(record["sleep_stage_state"]).lower(), np.nan


def _seconds(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Seconds since 1970 of those texts that are times, and which are."""
    if all(text.endswith("Z") and len(text) == 20 for text in texts):
        try:
            stamps = np.array([text[:-1] for text in texts], dtype="datetime64[s]").astype(np.int64)
        except ValueError:
            pass
        else:
            return stamps, np.ones(len(texts), dtype=bool)
    times = pd.to_datetime(pd.Series(texts, dtype=object), utc=True, errors="coerce", format="ISO8601")
    is_time = times.notna().to_numpy()
    seconds = (times[is_time] - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(seconds=1)
    return seconds.to_numpy(dtype=np.int64), is_time
