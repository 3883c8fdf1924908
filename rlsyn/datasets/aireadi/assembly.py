"""The table of a release: clinical data, ECG and wearables joined by participant, one row per day or per participant."""

from __future__ import annotations

import pandas as pd

from rlsyn.datasets.aireadi.conditions import read_conditions
from rlsyn.datasets.aireadi.ecg import read_ecg
from rlsyn.datasets.aireadi.measurements import read_measurements
from rlsyn.datasets.aireadi.options import AireadiOptions
from rlsyn.datasets.aireadi.release import Note, Release, information
from rlsyn.datasets.aireadi.sources import BLOOD_PRESSURE, BMI, COGNITION, CONDITIONS, HBA1C, LABORATORY
from rlsyn.datasets.aireadi.wearables import read_days
from rlsyn.datasets.simulated_aireadi_columns import ACTIVITY_HOURS, GROUP, WEARABLE_NAMES, aireadi_schema
from rlsyn.schema import Column

EXTRA = {
    "with_age": (Column("age", "integer", unit="years"),),
    "with_bmi": (Column("bmi", "numeric", decimals=1, unit="kg/m2"),),
    "with_blood_pressure": (
        Column("systolic_bp", "numeric", decimals=1, unit="mmHg"),
        Column("diastolic_bp", "numeric", decimals=1, unit="mmHg"),
    ),
    "with_hba1c": (Column("hba1c", "numeric", decimals=1, unit="%"),),
}
"""Columns that an option adds."""


def extra_columns(options: AireadiOptions) -> tuple[Column, ...]:
    """Columns beyond those of arXiv:2512.21395 that are asked for."""
    return tuple(column for name, columns in EXTRA.items() if getattr(options, name) for column in columns)


def assemble(release: Release, options: AireadiOptions, progress_bar: bool) -> tuple[pd.DataFrame, list[Note]]:
    """All rows of a release, and what a user must know about them, in sentences.

    Returns:
        `participant_id` and the columns of the schema, sorted by participant and day.

    Raises:
        FileNotFoundError: The release has no table of conditions, so that nobody's label is known.
        ValueError: A table cannot be read, or no row is left.
    """
    people, notes = _read_people(release, options)
    days, of_days = read_days(
        release.root, people.index.tolist(), options.cgm_limits, options.calories, options.n_readers, progress_bar
    )
    notes += of_days
    if options.unit == "day":
        table = days.merge(people, left_on=GROUP, right_index=True)
    else:
        table = people.join(mean_days(days)).rename_axis(GROUP).reset_index()
    names = [*aireadi_schema().names, *(column.name for column in extra_columns(options))]
    table = table[[GROUP, *names]]
    if table.empty:
        raise ValueError(
            "No participant has a complete day of wearables. Use --unit participant, whose rows need none. "
            + " ".join(note.text for note in of_days)
        )
    return (_without_missing(table, notes) if options.missing == "dropped" else table), notes


def mean_days(days: pd.DataFrame) -> pd.DataFrame:
    """Means over the days of each participant, rounded as the days are."""
    means = days.groupby(GROUP)[list(WEARABLE_NAMES)].mean().round(2)
    means["total_steps"] = means["total_steps"].round()
    # As for the days: the rounded hours are 24 together.
    *active, sedentary = ACTIVITY_HOURS
    means[sedentary] = (24 - means[active].sum(axis=1, skipna=False)).round(2)
    return means


def _read_people(release: Release, options: AireadiOptions) -> tuple[pd.DataFrame, list[Note]]:
    """All but the wearables, by participant."""
    items = {**LABORATORY, **COGNITION}
    items |= BMI if options.with_bmi else {}
    items |= BLOOD_PRESSURE if options.with_blood_pressure else {}
    items |= HBA1C if options.with_hba1c else {}
    measurements, of_measurements = read_measurements(release, items)
    ecg, of_ecg = read_ecg(release, options.ecg_choice)
    conditions, of_conditions = read_conditions(release, CONDITIONS)
    if options.with_blood_pressure:
        for name in ("systolic_bp", "diastolic_bp"):
            measurements[name] = measurements[[f"{name}_1", f"{name}_2"]].mean(axis=1).round(1)
    if options.with_age:
        stated = release.people["age"] if "age" in release.people else pd.Series(index=release.people.index, dtype=str)
        measurements["age"] = pd.to_numeric(stated, errors="coerce")
    people = pd.concat([measurements, ecg, conditions], axis=1)
    notes = [*release.notes, *of_measurements, *of_ecg, *of_conditions]
    without = ~people["has_conditions"]
    if without.any() and not options.keep_without_conditions:
        notes.append(Note(f"Participants who report no condition, and are left out: {int(without.sum()):,}."))
        people = people[~without]
    return people, notes


def _without_missing(table: pd.DataFrame, notes: list[Note]) -> pd.DataFrame:
    complete = table.dropna()
    empty = [str(name) for name in table if table[name].isna().all()]
    worst = table.isna().mean().idxmax()
    if complete.empty:
        what = f"{', '.join(empty[:5])} has no value at all" if empty else f"{worst} lacks most often"
        raise ValueError(f"No row is complete: {what}. Keep missing values with --missing kept.")
    told = f"{len(complete):,} of {len(table):,} rows are complete; the others are left out ({worst} lacks most often)."
    notes.append(information(told))
    return complete.reset_index(drop=True)
