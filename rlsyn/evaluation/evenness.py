"""Whether numbers are shared out more evenly than independent draws would be, which hides faults from detection."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse

from rlsyn.evaluation.features import column_numbers
from rlsyn.schema import Schema

N_BINS = 16
LEAST_BINS = 8
"""Of fewer the same shares come up by chance."""
LEAST_EXPECTED = 5
"""Values in a bin, as for any chi-squared statistic."""
N_DRAWN = 100
"""Tables drawn from train."""
ONCE_IN_A_THOUSAND = 3.09
"""Standard deviations of a normal variable."""


def is_too_even(train: pd.DataFrame, table: pd.DataFrame, schema: Schema, seed: int = 0) -> bool:
    """Whether numbers have the shares of train nearer than independent draws come, but for one in a thousand tables.

    Rows that know of each other can be so: drawn in balance or in strata, chosen or weighted to fit train, or made of its
    own rows or columns. What some of them have too much of the others have too little of, and a classifier that learned
    from some and is tried on the others is misled. Balance in means and covariances alone, or around shares that a model
    has smoothed, is not found.

    Measured by the median over columns of chi^2 by its degrees of freedom, in bins of about a sixteenth of train, beside
    those of `N_DRAWN` tables of rows drawn from train. Faults of a model make it larger. (So do, in independent rows,
    columns that say far more of each other than in train.) False where columns have too few different numbers, or rows are
    too few.

    References:
        Fisher: Has Mendel's work been rediscovered?, Annals of Science 1, 1936 (a fit that is too good). Wilson and Hilferty:
        The distribution of chi-square, PNAS 17, 1931 (its cube root is about normal).
    """
    weights = np.random.default_rng(seed).multinomial(len(table), np.full(len(train), 1 / len(train)), size=N_DRAWN).T
    columns = [column.name for column in schema.columns if not column.is_discrete]
    found = [_dispersions(column_numbers(train[name]), column_numbers(table[name]), weights) for name in columns]
    by_column = [dispersions for dispersions in found if dispersions is not None]
    if not by_column:
        return False
    of_table, *by_chance = np.cbrt(np.median(by_column, axis=0))
    return bool(of_table < np.mean(by_chance) - ONCE_IN_A_THOUSAND * np.std(by_chance))


def _dispersions(known: np.ndarray, drawn: np.ndarray, weights: np.ndarray) -> np.ndarray | None:
    """Chi-squared by its degrees of freedom of drawn values, and of the known ones with each column of weights.

    None where bins are too few.
    """
    of_known, of_drawn = np.flatnonzero(~np.isnan(known)), drawn[~np.isnan(drawn)]
    if len(of_known) == 0 or len(of_drawn) == 0:
        return None
    edges = _edges(known[of_known], len(of_drawn))
    if len(edges) + 1 < LEAST_BINS:
        return None
    bins, of_table = (np.searchsorted(edges, values, side="right") for values in (known[of_known], of_drawn))
    members = sparse.csr_array((np.ones(len(bins)), (bins, of_known)), shape=(len(edges) + 1, len(known)))
    counts = np.column_stack([np.bincount(of_table, minlength=len(edges) + 1), members @ weights])
    expected = np.bincount(bins)[:, None] / len(bins) * counts.sum(0)
    dispersions: np.ndarray = ((counts - expected) ** 2 / np.maximum(expected, 1e-12)).sum(0) / len(edges)
    return dispersions


def _edges(known: np.ndarray, n_drawn: int) -> np.ndarray:
    """Where bins begin but the first, each with a sixteenth of the known values at least, and `LEAST_EXPECTED` drawn."""
    values, counts = np.unique(known, return_counts=True)
    least = len(known) * max(1 / N_BINS, LEAST_EXPECTED / n_drawn)
    before = np.cumsum(counts) - counts
    starts = np.flatnonzero(np.diff(before // least, prepend=-1))
    edges, mass = [], 0
    for start, more in zip(starts, np.add.reduceat(counts, starts), strict=True):
        if mass >= least:
            edges.append(values[start])
            mass = 0
        mass += more
    return np.array(edges[:-1] if mass < least else edges)
