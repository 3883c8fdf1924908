"""Traces of people that no attack by distances looks at: the order of rows, and unrounded values of one person."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rlsyn.evaluation.features import category_positions, column_numbers, count_people, row_groups
from rlsyn.evaluation.measure import Estimate, Measure, Measurement, Metric, Tables, share_estimate
from rlsyn.schema import Schema

METRICS = (
    Metric(
        "traces of people",
        "privacy",
        "minimise",
        0,
        2,
        "How many of two: rows in the order of the training rows; unrounded values of single training people, wherever they "
        "stand. No attack by distances looks at them.",
    ),
)
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
    same in other units. It is compared with that beside training rows that are shifted in a circle: shifts leave the
    numbers that both tables are sorted by, and the visits of one person, beside each other; categories that both are
    sorted by do not count.

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
    # What both tables are sorted by, as by ward, is alike in place and beside no shift.
    is_mixed = ~(_are_in_blocks(codes) & _are_in_blocks(other_codes))
    codes, other_codes = codes[:, is_mixed], other_codes[:, is_mixed]

    def likeness(shift: int) -> float:
        nearby = np.abs(np.roll(ranks, shift, axis=0) - other_ranks)
        return float((np.roll(codes, shift, axis=0) == other_codes).sum() - nearby.sum())

    shifts = 1 + np.random.default_rng(seed).permutation(n - 1)[:N_SHIFTS]
    in_place, by_chance = likeness(0), np.array([likeness(shift) for shift in shifts])
    excess = in_place - by_chance.mean()
    return bool(in_place > by_chance.max() and excess > max(FEW_CELLS, FAR * by_chance.std()))


def _are_in_blocks(codes: np.ndarray) -> np.ndarray:
    n_runs = 1 + (codes[1:] != codes[:-1]).sum(axis=0)
    return np.array([runs == len(np.unique(column)) for runs, column in zip(n_runs, codes.T, strict=True)], dtype=bool)


def _codes_and_ranks(rows: pd.DataFrame, schema: Schema) -> tuple[np.ndarray, np.ndarray]:
    codes = [category_positions(rows[column.name], column) for column in schema.columns if column.is_discrete]
    numbers = [pd.Series(column_numbers(rows[column.name])) for column in schema.columns if not column.is_discrete]
    ranks = [of_column.rank(pct=True).fillna(0) for of_column in numbers]
    # Tables that have no column of a kind have an array of that many rows all the same.
    of_rows = [np.array(values).reshape(len(values), len(rows)).T for values in (codes, ranks)]
    return np.ascontiguousarray(of_rows[0], dtype=np.int32), np.ascontiguousarray(of_rows[1], dtype=np.float32)


def values_of_one_person(tables: Tables) -> dict[str, tuple[float, float]]:
    """The unrounded columns with values of single training people: their share of the synthetic and of the test rows.

    Of rounded columns people have the same values by chance. Here, too, test rows may: as many are no trace.
    """
    persons, found = row_groups(tables.train, tables.schema), {}
    for column in tables.schema.columns:
        if column.is_discrete or column.most_decimals is not None:
            continue
        owned = pd.DataFrame({"value": column_numbers(tables.train[column.name]), "person": persons}).drop_duplicates()
        n_owners = owned.groupby("value")["person"].size()
        own = n_owners.index[n_owners == 1]
        of_test, drawn = (
            share_estimate(np.isin(column_numbers(rows[column.name]), own), count_people(rows, tables.schema))
            for rows in (tables.test, tables.synthetic)
        )
        if drawn.low > of_test.high:
            found[column.name] = drawn.value, of_test.value
    return found


def compute_traces(tables: Tables) -> Measurement:
    """The number of traces, which is counted and has no interval; in the details `is_in_order` and `values` tell them."""
    is_in_order = has_order_of(tables.train, tables.synthetic, tables.schema, tables.seed)
    values = values_of_one_person(tables)
    return Measurement(
        estimates={METRICS[0].name: Estimate(float(is_in_order) + bool(values))},
        details={"is_in_order": is_in_order, "values": values},
    )


TRACES = Measure("traces", METRICS, compute_traces)
