"""Whether row i of a synthetic table is of training person i: no attack by distances looks at the order of rows."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rlsyn.evaluation.features import category_positions, column_numbers
from rlsyn.schema import Schema

MIN_ROWS, MAX_ROWS = 20, 3_000
"""Rows of both tables below which order tells nothing, and the first ones that are compared at most."""
N_SHIFTS = 200
FAR = 6.0
"""Standard deviations beyond which rows are not alike by chance."""
FEW_CELLS = 5
"""As many equal cells more are chance even where the others are all alike, as rare diagnoses of 20 people are."""


def has_order_of(train: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema, seed: int = 0) -> bool:
    """Whether row i of one table is nearer to row i of the other than what both tables are sorted by explains.

    Likeness is the number of equal categories, less the differences in rank of numbers (at most 1 each), which are the
    same in other units. It is compared with that beside training rows that are shifted in a circle: shifts leave what both
    tables are sorted by, and the visits of one person beside each other.

    Args:
        train: Rows in the order that the generator saw.
        synthetic: Rows in the order in which they are to leave.
        schema: The columns.
        seed: Of the shifts, where more than `N_SHIFTS` are possible.
    """
    n = min(len(train), len(synthetic), MAX_ROWS)
    if n < MIN_ROWS:
        return False
    (codes, ranks), (other_codes, other_ranks) = (_codes_and_ranks(table[:n], schema) for table in (train, synthetic))

    def likeness(shift: int) -> float:
        nearby = np.abs(np.roll(ranks, shift, axis=0) - other_ranks)
        return float((np.roll(codes, shift, axis=0) == other_codes).sum() - nearby.sum())

    shifts = 1 + np.random.default_rng(seed).permutation(n - 1)[:N_SHIFTS]
    in_place, by_chance = likeness(0), np.array([likeness(shift) for shift in shifts])
    excess = in_place - by_chance.mean()
    return bool(in_place > by_chance.max() and excess > max(FEW_CELLS, FAR * by_chance.std()))


def _codes_and_ranks(rows: pd.DataFrame, schema: Schema) -> tuple[np.ndarray, np.ndarray]:
    codes = [category_positions(rows[column.name], column) for column in schema.columns if column.is_discrete]
    numbers = [pd.Series(column_numbers(rows[column.name])) for column in schema.columns if not column.is_discrete]
    ranks = [of_column.rank(pct=True).fillna(0) for of_column in numbers]
    # Tables that have no column of a kind have an array of that many rows all the same.
    of_rows = [np.array(values).reshape(len(values), len(rows)).T for values in (codes, ranks)]
    return np.ascontiguousarray(of_rows[0], dtype=np.int32), np.ascontiguousarray(of_rows[1], dtype=np.float32)
