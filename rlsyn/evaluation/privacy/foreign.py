"""Columns in other units or codes than those of train, which hide whose the rows are from every attack by distances."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import betabinom

from rlsyn.evaluation.features import MISSING, UNKNOWN, category_positions, column_numbers, count_people, row_groups
from rlsyn.evaluation.measure import Estimate, Measure, Measurement, Metric, Tables
from rlsyn.schema import Column, Schema

CHANCE = 1e-6
"""Values of fresh people are foreign with less probability than this, in each column."""

METRICS = (
    Metric(
        "foreign columns",
        "privacy",
        "minimise",
        0,
        1,
        "Share of columns with values that train hardly has, as in other units or codes; distances, and so the attacks, "
        "cannot tell then whose rows these are.",
    ),
)


def foreign_columns(train: pd.DataFrame, table: pd.DataFrame, schema: Schema) -> list[Column]:
    """The columns with no category that train has, or with most of their numbers outside its range, but not by chance."""
    persons, n_people = row_groups(train, schema), count_people(table, schema)
    return [
        column
        for column in schema.columns
        if (_has_other_categories if column.is_discrete else _has_other_numbers)(
            train[column.name], table[column.name], column, persons, n_people
        )
    ]


def _has_other_categories(
    known: pd.Series, values: pd.Series, column: Column, persons: np.ndarray, n_people: int
) -> bool:
    positions, of_train = category_positions(values, column), category_positions(known, column)
    present = positions[positions != MISSING]
    if len(present) == 0 or (present != UNKNOWN).any():
        return False
    # Another person's category is new about as often as one of train is one person's alone (Good, Biometrika 40, 1953).
    of_people = np.unique(np.column_stack([of_train, persons])[of_train >= 0], axis=0)[:, 0]
    n_alone = int((np.bincount(of_people, minlength=1) == 1).sum())
    return bool((n_alone / max(len(of_people), 1)) ** min(len(present), n_people) < CHANCE)


def _has_other_numbers(known: pd.Series, values: pd.Series, _: Column, persons: np.ndarray, n_people: int) -> bool:
    numbers, of_train = column_numbers(values), column_numbers(known)
    numbers, is_known = numbers[~np.isnan(numbers)], ~np.isnan(of_train)
    if len(numbers) == 0 or np.unique(of_train[is_known]).size < 2:  # a constant column is part of no distance
        return False
    lowest, highest = of_train[is_known].min(), of_train[is_known].max()
    share = float(((numbers < lowest) | (numbers > highest)).mean())
    if share <= 0.5:
        return False
    # How many of m values leave the range of n others by chance: one of their n + 1 gaps is as likely as another.
    m, n = min(len(numbers), n_people), len(np.unique(persons[is_known]))
    return n > 1 and bool(betabinom.sf(np.ceil(share * m) - 1, m, 2, n - 1) < CHANCE)


def compute_foreign(tables: Tables) -> Measurement:
    """The share of foreign columns, which is counted and has no interval; in the details `columns` are these."""
    foreign, columns = foreign_columns(tables.train, tables.synthetic, tables.schema), tables.schema.columns
    metric = METRICS[0].name
    return Measurement(
        estimates={metric: Estimate(len(foreign) / len(columns))},
        notes={metric: f"{len(foreign)} of {len(columns)} columns"} if foreign else {},
        details={"columns": foreign},
    )


FOREIGN = Measure("foreign columns", METRICS, compute_foreign)
