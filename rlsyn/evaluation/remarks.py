"""What a reader must know of the tables before any score, in sentences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from rlsyn.evaluation.disclosure import MIN_PEOPLE, is_few
from rlsyn.evaluation.evaluation import Details
from rlsyn.evaluation.evenness import is_too_even
from rlsyn.evaluation.features import category_positions, column_numbers, count_people, row_groups
from rlsyn.evaluation.measure import Tables
from rlsyn.evaluation.privacy import HowAlike
from rlsyn.names import listed
from rlsyn.schema import Column
from rlsyn.values.numbers import count_decimals

FEW_PEOPLE = 50
TOLD_APART = 0.6
"""A detection AUC of training and test rows beyond which they are hardly of the same kind of people."""


def remarks_on_tables(tables: Tables, alike: HowAlike, details: Details) -> tuple[str, ...]:
    """What the tables by themselves tell, whatever they score.

    Args:
        tables: Where the synthetic table still has all its columns.
        alike: How often test rows equal a training row.
        details: Of the measures of foreign columns and of traces of people.
    """
    of_traces = details["traces"].get("synthetic", {})
    return (
        *_on_test_rows(tables, alike),
        *_on_foreign_columns(details["foreign columns"]),
        *_on_decimals(tables),
        *_on_values_of_one_person(of_traces.get("values", {})),
        *_on_row_order(of_traces.get("is_in_order", False)),
        *_on_evenness(tables),
        *_on_rare_categories(tables),
        *_on_further_columns(tables),
    )


def _on_test_rows(tables: Tables, alike: HowAlike) -> list[str]:
    remarks = []
    n_people = count_people(tables.test, tables.schema)
    if n_people < FEW_PEOPLE:
        remarks.append(f"The test rows are of {n_people} people only: read every score with its interval.")
    if not alike.is_chance:
        remarks.append(
            f"More test rows than by chance equal a training row, {alike.n_equal:,} of {len(tables.test):,}; of "
            f"{len(tables.train):,} training rows {alike.n_others:,} equal one of another person, which copies are judged "
            "beside. If they are of the same people, remove them from the test rows: every attack looks weaker beside them."
        )
    return remarks


def _on_foreign_columns(found: dict[str, dict[str, Any]]) -> list[str]:
    remarks = []
    for role, name in (("test", "real"), ("synthetic", "synthetic")):
        foreign: list[Column] = found.get(name, {}).get("columns", [])
        remarks += [
            f"No value of {column.name!r} in the {role} table is one that train has: is it coded otherwise?"
            for column in foreign
            if column.is_discrete
        ]
        if numbers := [repr(column.name) for column in foreign if not column.is_discrete]:
            remarks.append(
                f"Most values in the {role} table lie outside the range of train: {listed(numbers, 10)}. Are they in other "
                "units, or on another scale? Then distances, and with them the attacks on privacy, cannot tell whose these "
                "rows are: give values as train has them."
            )
    return remarks


def _on_decimals(tables: Tables) -> list[str]:
    finer = [
        column.name
        for column in tables.schema.columns
        if _has_more_decimals(tables.synthetic[column.name], column)
        and not _has_more_decimals(tables.train[column.name], column)
    ]
    if not finer:
        return []
    remark = (
        "Values of the synthetic table have more decimals than those of train, by which alone they are told apart: "
        f"{listed(finer, 10)}. Round them."
    )
    return [remark]


def _on_values_of_one_person(values: dict[str, tuple[float, float]]) -> list[str]:
    found = [
        f"{name!r} ({drawn:.0%} of its rows, {of_test:.0%} of the test rows)"
        for name, (drawn, of_test) in values.items()
    ]
    if not found:
        return []
    remark = (
        f"Unrounded values of the synthetic table are, to the last digit, those of single training people: {listed(found, 10)}. "
        "Copies are looked for in whole rows, but one such value tells who was in train: round these columns before they leave."
    )
    return [remark]


def _on_row_order(is_in_order: bool) -> list[str]:
    if not is_in_order:
        return []
    remark = (
        "The rows of the synthetic table stand in the order of the training rows: row by row they are more alike than by "
        "chance, so that the place of a row tells whose it is. No attack looks at it; shuffle the rows before they leave."
    )
    return [remark]


def _on_evenness(tables: Tables) -> list[str]:
    if not is_too_even(tables.train, tables.synthetic, tables.schema, tables.seed):
        return []
    remark = (
        "Numbers of the synthetic table have the shares of train, nearer than independent draws come: were its rows drawn in "
        "balance, chosen or weighted to fit train, or made of train's own rows or columns? Then detection, which learns from "
        "some rows and is tried on the others, finds less than in rows drawn independently from the same model: judge such."
    )
    return [remark]


def _on_rare_categories(tables: Tables) -> list[str]:
    persons = row_groups(tables.train, tables.schema)
    found = []
    for column in tables.schema.columns:
        if column.is_discrete:
            known, drawn = (category_positions(rows[column.name], column) for rows in (tables.train, tables.synthetic))
            rare = [position for position in np.unique(drawn[drawn >= 0]) if is_few(persons[known == position])]
            n_rows = int(np.isin(drawn, rare).sum())
            found += [f"{column.name!r} ({n_rows:,} row{'s' if n_rows > 1 else ''})"] if n_rows else []
    if not found:
        return []
    # Neither the categories nor how many people have them: the remark may be read by more people than train.
    remark = (
        f"Rows of the synthetic table have categories that fewer than {MIN_PEOPLE} people of train have, in {listed(found, 10)}. "
        "Such a category points at a person, whatever the rest of the row says: merge it with others before training, or "
        "remove these rows before they leave."
    )
    return [remark]


def _on_further_columns(tables: Tables) -> list[str]:
    remarks, group = [], tables.schema.group
    if group in tables.synthetic:
        remarks.append(
            f"The synthetic table has the column {str(group)!r}, which names people in train. It was left out of "
            "account; remove it before the rows leave."
        )
    known = {*tables.schema.names, group}
    if further := [repr(name) for name in tables.synthetic if name not in known]:
        remarks.append(
            f"The synthetic table has columns that are not among those compared: {listed(further, 10)}. They were not "
            "judged, whatever they hold; remove them before the rows leave."
        )
    return remarks


def remarks_on_kinds_of_people(scores: pd.DataFrame, tables: Tables) -> tuple[str, ...]:
    """That the test rows are of other kinds of people than the training rows, where a classifier tells them apart."""
    of_real = scores.loc[scores["metric"] == "detection AUC (LightGBM)", "real"].max()
    # Three standard deviations of the AUC of as many people on either side, in whom nothing differs (Mann and Whitney).
    n_people = min(count_people(rows, tables.schema) for rows in (tables.train, tables.test))
    chance = 3 * (6 * n_people) ** -0.5
    if not of_real > max(TOLD_APART, 0.5 + chance):
        return ()
    remark = (
        f"The test rows are told from the training rows, at an AUC of {of_real:.2f}: they are of other kinds of people, as "
        "those of another time, place or choice are. Attacks then find these kinds and not the training people, and "
        "synthetic rows look unlike. Better take test rows by chance from the same table."
    )
    return (remark,)


def _has_more_decimals(values: pd.Series, column: Column) -> bool:
    if column.is_discrete or column.most_decimals is None:
        return False
    numbers = column_numbers(values)
    decimals = count_decimals(numbers[~np.isnan(numbers)])
    return decimals is None or decimals > column.most_decimals
