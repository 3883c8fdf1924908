"""Copies in part: synthetic rows that have more of one training row's values than chance gives, whatever the rest is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from rlsyn.evaluation.features import count_people
from rlsyn.evaluation.measure import Estimate, Measure, Measurement, Metric, Tables
from rlsyn.evaluation.people import at_most, drawn_note, require_rows, rows_at_most
from rlsyn.evaluation.privacy import copies
from rlsyn.schema import Schema

METRICS = (
    Metric(
        "copies in part",
        "privacy",
        "minimise",
        0,
        1,
        "Share of synthetic rows that have more values of one train row, the rarer the more, than 99 % of the test rows have; "
        "fresh people give about 0.01. It finds copies of which one category or some columns were changed, however much.",
    ),
)
FREQUENT = 1 / 32
"""Values that so large a share of the training rows has are compared by a product of dense matrices, others of sparse ones."""
MAX_PAIRS = 20_000_000
"""Pairs of rows that are held in memory at once."""


def shared_bits(train: pd.DataFrame, rows: pd.DataFrame, schema: Schema) -> np.ndarray:
    """For each row, how much its values have in common with those of the training row that it shares most with.

    Equal values count -log2 of their share among the training rows: a sex that half of them have 1 bit, a weight that one
    of 400 has 8.6. Values are equal as in `exact_copies`; missing equals missing.

    Args:
        train: Training rows.
        rows: Those that are compared with them.
        schema: The columns.
    """
    codes = [copies.value_codes(train[column.name], rows[column.name], column) for column in schema.columns]
    values = [np.unique(column, return_inverse=True)[1] for column in codes]
    ends = np.cumsum([0, *(column.max(initial=-1) + 1 for column in values)])
    numbers = np.stack(values, axis=1) + ends[:-1]
    counts = np.bincount(numbers[: len(train)].ravel(), minlength=ends[-1])
    is_known = counts > 0
    bits = np.log2(len(train) / np.maximum(counts, 1)) * is_known
    has = csr_matrix((np.ones(numbers.size), numbers.ravel(), np.arange(len(numbers) + 1) * numbers.shape[1]))
    of_train, of_rows = has[: len(train)], has[len(train) :].multiply(bits).tocsr()
    is_often = counts >= FREQUENT * len(train)
    often, seldom = np.flatnonzero(is_known & is_often), np.flatnonzero(is_known & ~is_often)
    dense, sparse = of_train[:, often].toarray().astype(np.float32).T, of_train[:, seldom].T.tocsr()
    step = max(1, MAX_PAIRS // len(train))
    found = []
    for start in range(0, len(rows), step):
        some = of_rows[start : start + step]
        shared = some[:, often].toarray().astype(np.float32) @ dense + (some[:, seldom] @ sparse).toarray()
        found.append(shared.max(axis=1))
    return np.concatenate(found) if found else np.zeros(0)


def compute_parts(tables: Tables) -> Measurement:
    """The share of copies in part; in the details `rows` tells of each row whether it is one, missing where not looked at.

    The limit is that of the test rows, without those that equal a training row where these are more than by chance: they may
    be of training people. As of near copies the interval also tells how well so many test people fix the limit.

    Raises:
        NotComputableError: A table has no rows, or no test row that may set the limit.
    """
    return _parts(tables, _unknown(tables))


def compute_real_parts(tables: Tables) -> Measurement:
    """The same of the test rows that set the limit, of which it is about 1 %."""
    others = _unknown(tables)
    return _parts(replace(tables, synthetic=others), others)


def _parts(tables: Tables, others: pd.DataFrame) -> Measurement:
    """The parts among the synthetic rows, by the limit of others."""
    schema, metric = tables.schema, METRICS[0].name
    max_rows = copies.MAX_ROWS_FAST if tables.fast else copies.MAX_ROWS
    drawn = rows_at_most(tables.synthetic, schema, max_rows, tables.seed)
    require_rows(train=tables.train, test=others, synthetic=tables.synthetic)
    of_others = shared_bits(tables.train, at_most(others, schema, max_rows, tables.seed), schema)
    limit = np.quantile(of_others, 1 - copies.NEAR_QUANTILE) + 1e-3  # 32 bits are not exact
    is_part = shared_bits(tables.train, tables.synthetic.iloc[drawn], schema) > limit
    estimate = copies.near_estimate(is_part, count_people(others, schema))
    rows = pd.Series(is_part, drawn, dtype="boolean", name=metric).reindex(range(len(tables.synthetic)))
    note = drawn_note(max_rows, synthetic=tables.synthetic, test=others)
    return Measurement(
        {metric: estimate if tables.with_intervals else Estimate(estimate.value)},
        {metric: note} if note else {},
        {"rows": rows},
    )


def _unknown(tables: Tables) -> pd.DataFrame:
    alike = copies.how_alike(tables.train, tables.test, tables.schema)
    return tables.test if alike.is_chance else tables.test[alike.equal == 0]


PARTS = Measure("parts", METRICS, compute_parts, real=compute_real_parts)
