"""Laboratory values, cognition and vital signs: `clinical_data/measurement.csv`, one row per value."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from rlsyn.datasets.aireadi.release import CLINICAL, Note, Release, information, numbers_of_people, read_columns
from rlsyn.datasets.aireadi.sources import Item, before_comma

REFUSALS = (555, 777, 888, 999)
"""Codes of answers that were refused or not known."""
FEWEST_SUMMARISED = 10
"""Values from which on a note tells their median; that of fewer may be a person's own."""

_REQUIRED = ("person_id", "measurement_source_value")
_OPTIONAL = ("value_as_number", "value_source_value", "unit_source_value", "measurement_date")


def read_measurements(release: Release, items: Mapping[str, Item]) -> tuple[pd.DataFrame, list[Note]]:
    """Values by participant, and what a user must know about them, in sentences.

    A value is `value_as_number`, or where that is empty the number in `value_source_value` (release 2). Codes of
    refusals are missing where no true value is so large. A value below the limit of its assay is that limit, as in the
    file. Of several values the earliest that is a number counts, as in the code of arXiv:2512.21395.

    Returns:
        The table is indexed by participant, with one column per item; missing where there is no value.

    Raises:
        ValueError: The file is no table, or lacks a column.
    """
    path = release.root / CLINICAL / "measurement.csv"
    rows = read_columns(path, _REQUIRED, _OPTIONAL) if path.is_file() else None
    if rows is None or rows.empty:
        empty = pd.DataFrame(np.nan, release.people.index, list(items))
        note = f"{path} {'is absent' if rows is None else 'holds no rows'}: the {len(items)} columns of laboratory and cognition are missing values."
        return empty, [Note(note)]
    rows = rows.reindex(columns=[*_REQUIRED, *_OPTIONAL])
    rows["item"] = _items_of(rows["measurement_source_value"], items)
    rows = rows[rows["item"].notna()]
    rows["person"] = numbers_of_people(rows["person_id"], path.name)
    rows["value"] = _numbers(rows).mask(_is_refusal(rows, items))
    rows = rows[rows["value"].notna() & rows["person"].isin(release.people.index)]
    converted, notes = _in_our_units(rows, items)
    earliest = converted.sort_values("measurement_date", kind="stable", na_position="last")
    table = earliest.pivot_table(index="person", columns="item", values="value", aggfunc="first")
    table = table.reindex(index=release.people.index, columns=list(items)).astype(float)
    absent = [name for name in items if table[name].isna().all()]
    if absent:
        notes.append(Note(f"{path.name} holds no value of {', '.join(absent)}: these columns are missing values."))
    return table, notes


def _items_of(source_values: pd.Series, items: Mapping[str, Item]) -> pd.Series:
    """Column of each row; missing for what is not asked for."""
    column_of = {name.lower(): column for column, item in items.items() for name in item.names}
    found = {}
    for text in source_values.dropna().unique():
        found[text] = column_of.get(text.strip().lower(), column_of.get(before_comma(text)))
    return source_values.map(found)


def _numbers(rows: pd.DataFrame) -> pd.Series:
    numbers = pd.to_numeric(rows["value_as_number"], errors="coerce")
    numbers = numbers.fillna(pd.to_numeric(rows["value_source_value"], errors="coerce"))
    return numbers.where(np.isfinite(numbers))


def _is_refusal(rows: pd.DataFrame, items: Mapping[str, Item]) -> pd.Series:
    may_reach = [name for name, item in items.items() if item.reaches_refusals]
    return pd.to_numeric(_numbers(rows)).isin(REFUSALS) & ~rows["item"].isin(may_reach)


def _in_our_units(rows: pd.DataFrame, items: Mapping[str, Item]) -> tuple[pd.DataFrame, list[Note]]:
    """The rows with values in the units of the columns.

    Release 3 states units that its values are not always in (C-peptide in ng/L, calcium in mEq/L). Values with another
    unit than ours are therefore converted only if that brings their median nearer to what is typical.
    """
    rows = rows.copy()
    units = rows["unit_source_value"].fillna("").str.strip()
    converted, taken = [], []
    for name, item in items.items():
        for unit, factor in item.units:
            chosen = (rows["item"] == name) & (units.str.lower() == unit)
            values = rows.loc[chosen, "value"]
            positive = values[values > 0]
            median = float(positive.median())
            if not median > 0:
                continue
            size = f", median {median:g}" if len(positive) >= FEWEST_SUMMARISED else ""
            told = f"{name} ({units[chosen].iloc[0]}{size})"
            if abs(np.log(median * factor / item.typical)) < abs(np.log(median / item.typical)):
                rows.loc[chosen, "value"] = (values * factor).round(6)
                converted.append(f"{told} times {factor:g}")
            else:
                taken.append(told)
    notes = []
    if converted:
        notes.append(information(f"Converted from the unit that the release states: {', '.join(converted)}."))
    if taken:
        told = f"Taken as they are, since their size belies the unit that the release states: {', '.join(taken)}."
        notes.append(information(told))
    return rows, notes
