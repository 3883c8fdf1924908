"""Whether numbers are shared out more evenly than independent draws would be, which hides faults from detection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from rlsyn.evaluation.features import MISSING, NotComputableError, column_numbers
from rlsyn.evaluation.measure import Estimate, Measure, Measurement, Metric, Tables
from rlsyn.schema import Schema

N_BINS = 16
LEAST_BINS = 8
"""Of fewer distinct values the same shares come up by chance."""
LEAST_EXPECTED = 5
"""Values in a bin, as for any chi-squared statistic."""
N_DRAWN = 100
"""Tables drawn from train."""
ONCE_IN_A_THOUSAND = 3.09
"""Standard deviations of a normal variable."""

METRICS = (
    Metric(
        *("evenness", "fidelity", "minimise", 0.0, float("inf")),
        "How much more evenly numbers are shared out than independent draws from train are; beyond 1 these come once in a "
        "thousand tables. Detection finds too little in rows that were drawn in balance.",
    ),
)


def evenness(train: pd.DataFrame, table: pd.DataFrame, schema: Schema, seed: int = 0) -> float:
    """How even the shares of numbers in sixteenths of train are; at least 0, goal at most 1.

    With D the chi^2 of these shares by its degrees of freedom, summed over columns, (1 - D) / (1 - d), but not below 0; d
    is what one in a thousand tables falls below whose rows are drawn independently from train (by the mean and standard
    deviation of D^(1/3) over `N_DRAWN` such tables). Whatever else differs from train adds to D. Below d are rows that know of
    each other: drawn in balance or in strata, chosen or weighted to fit train, or columns of train in another order. Then
    what some rows have too much of the others have too little of, and a classifier that learned from some and is tried
    on the others is misled: it sees less than there is.

    Raises:
        NotComputableError: No column has enough different numbers.

    References:
        Fisher: Has Mendel's work been rediscovered?, Annals of Science 1, 1936 (a fit that is too good). Wilson and Hilferty:
        The distribution of chi-square, PNAS 17, 1931 (its cube root is about normal).
    """
    columns = [_Column.of(train[one.name], table[one.name]) for one in schema.columns if not one.is_discrete]
    columns = [column for column in columns if column.can_tell]
    if not columns:
        raise NotComputableError("does not apply: no column has enough different numbers")
    rng, n_rows = np.random.default_rng(seed), len(table)
    found = _dispersion(columns, [column.drawn for column in columns])
    chance = []
    for _ in range(N_DRAWN):
        rows = rng.integers(len(train), size=n_rows)
        chance.append(_dispersion(columns, [column.known[rows] for column in columns]) ** (1 / 3))
    least = (np.mean(chance) - ONCE_IN_A_THOUSAND * np.std(chance)) ** 3
    return max(0.0, (1 - found) / (1 - float(least)))


@dataclass(frozen=True)
class _Column:
    """The bin of each value of train and of the table, `MISSING` where there is none, and the shares of train."""

    known: np.ndarray
    drawn: np.ndarray
    shares: np.ndarray

    @classmethod
    def of(cls, train: pd.Series, table: pd.Series) -> _Column:
        known, drawn = (column_numbers(values) for values in (train, table))
        present = known[~np.isnan(known)]
        edges = np.unique(np.quantile(present, np.arange(1, N_BINS) / N_BINS)) if len(present) else np.zeros(0)
        of_known, of_drawn = (
            np.where(np.isnan(side), MISSING, np.searchsorted(edges, side, side="right")) for side in (known, drawn)
        )
        counts = np.bincount(of_known - MISSING, minlength=len(edges) + 2)[1:]
        return cls(of_known, of_drawn, counts / max(len(present), 1))

    @property
    def can_tell(self) -> bool:
        """Whether its bins are many, and each is to be expected several times."""
        n_present = int((self.drawn != MISSING).sum())
        return len(self.shares) >= LEAST_BINS and float(self.shares.min()) * n_present >= LEAST_EXPECTED


def _dispersion(columns: list[_Column], drawn: list[np.ndarray]) -> float:
    """Chi-squared by its degrees of freedom, over all columns."""
    squares, freedom = 0.0, 0
    for column, bins in zip(columns, drawn, strict=True):
        counts = np.bincount(bins - MISSING, minlength=len(column.shares) + 1)[1:]
        expected = column.shares * max(counts.sum(), 1)
        squares, freedom = squares + float(((counts - expected) ** 2 / expected).sum()), freedom + len(expected) - 1
    return squares / freedom


def compute_evenness(tables: Tables) -> Measurement:
    """The evenness, which is counted and has no interval."""
    return Measurement(
        {METRICS[0].name: Estimate(evenness(tables.train, tables.synthetic, tables.schema, tables.seed))}
    )


MEASURE = Measure("evenness", METRICS, compute_evenness)
