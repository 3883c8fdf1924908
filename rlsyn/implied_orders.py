"""Pairs of quantities of which one is never above the other, though records drawn alike would often break that."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from scipy.special import ndtr

from rlsyn.ranks import normal_scores

MIN_ROWS = 30
"""Complete rows that a rule must hold in."""
MIN_BROKEN = 5.0
"""Rows, beyond the logarithm of the number of pairs, that would break it if only the correlation held them together."""
MIN_SHARE = 0.005
"""Of rows that would: what would hardly ever be broken needs no rule."""
MAX_PAIRS = 20_000
"""Pairs of columns that are looked at; where there are more it would take too long."""
N_DRAWS = 4_000


def implied_orders(data: np.ndarray) -> Iterator[tuple[int, int]]:
    """Pairs of columns `(lower, upper)` of which the first is at most the second in every row; `data` has NaN for missing.

    A pair is told where it matters and is no chance: of rows with the marginals and the rank correlation of the two, as
    a Gaussian copula draws them, more would break it than could stay away by chance. Of three columns in order only the
    two pairs of neighbours are told. It takes about a second for a hundred columns.
    """
    n_columns = data.shape[1]
    if n_columns * (n_columns - 1) > MAX_PAIRS:
        return
    lows, highs = np.nanmin(data, axis=0, initial=np.inf), np.nanmax(data, axis=0, initial=-np.inf)
    is_told, draws = np.zeros((n_columns, n_columns), dtype=bool), np.random.default_rng(0).normal(size=(2, N_DRAWS))
    for lower in range(n_columns):
        both = ~np.isnan(data[:, [lower]]) & ~np.isnan(data)
        is_broken = (data[:, [lower]] > data) & both
        # Where all values of one are below all of the other nothing could break it.
        may = ~is_broken.any(axis=0) & (both.sum(axis=0) >= MIN_ROWS) & (highs[lower] > lows)
        may[lower] = False
        for upper in np.flatnonzero(may):
            rows = data[both[:, upper]]
            is_told[lower, upper] = _would_break(rows[:, lower], rows[:, upper], draws, n_columns * (n_columns - 1))
    through_another = (is_told.astype(int) @ is_told.astype(int)) > 0
    yield from zip(*(places.tolist() for places in np.nonzero(is_told & ~through_another)), strict=True)


def _would_break(lower: np.ndarray, upper: np.ndarray, draws: np.ndarray, n_pairs: int) -> bool:
    if lower.min() == lower.max() or upper.min() == upper.max() or (lower == upper).all():
        return False
    correlation = float(np.corrcoef(normal_scores(lower), normal_scores(upper))[0, 1])
    other = correlation * draws[0] + math.sqrt(max(0.0, 1 - correlation**2)) * draws[1]
    share = float((np.quantile(lower, ndtr(draws[0])) > np.quantile(upper, ndtr(other))).mean())
    return share >= MIN_SHARE and share * len(lower) >= MIN_BROKEN + math.log(n_pairs)
