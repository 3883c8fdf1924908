"""The intervals that are the levels of a numeric column, and how values are drawn inside them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

COARSEST_DECIMALS = -3


@dataclass(frozen=True)
class Bin:
    """One level of a numeric column: an interval, and how values are drawn in it.

    Values that several people share are `atoms`: they are reproduced with their training frequency. The rest are
    never reproduced as such; a draw runs along `knots`, quantiles of the values that only one or two people have.
    """

    lower: float
    upper: float
    atoms: np.ndarray
    atom_shares: np.ndarray
    knots: np.ndarray


class BinSampler:
    """Draws values inside intervals, for many records at once.

    Everything lies on one axis: interval k has its atoms from k to k + 1 and its knots from 2 k to 2 k + 1, so that a
    single search answers for all records.

    Args:
        bins: The intervals.
    """

    def __init__(self, bins: Sequence[Bin]) -> None:
        ends = [k + np.cumsum(interval.atom_shares) for k, interval in enumerate(bins)]
        places = [2 * k + np.linspace(0, 1, len(interval.knots)) for k, interval in enumerate(bins)]
        self.atom_ends, self.atoms = np.concatenate(ends), np.concatenate([interval.atoms for interval in bins])
        self.places, self.knots = np.concatenate(places), np.concatenate([interval.knots for interval in bins])
        self.last_atom = np.cumsum([len(interval.atoms) for interval in bins]) - 1
        self.atom_share = np.array([interval.atom_shares.sum() for interval in bins])
        self.has_knots = np.array([len(interval.knots) > 0 for interval in bins])

    def draw(self, levels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """A value for each level, and whether it is an atom (and so needs no rounding)."""
        uniform, share = rng.random(len(levels)), self.atom_share[levels]
        is_atom = (uniform < share) | ~self.has_knots[levels]
        values = np.empty(len(levels))
        found = np.searchsorted(self.atom_ends, (levels + uniform)[is_atom], side="right")
        values[is_atom] = self.atoms[np.minimum(found, self.last_atom[levels[is_atom]])]
        if not is_atom.all():
            position = ((uniform - share) / np.maximum(1 - share, 1e-12))[~is_atom]
            values[~is_atom] = np.interp(2 * levels[~is_atom] + position, self.places, self.knots)
        return values, is_atom


def n_people(inverse: np.ndarray, people: np.ndarray, n_values: int) -> np.ndarray:
    """How many people have each distinct value `(n_values,)`, of values by their index and the people they are of."""
    pairs = np.unique(np.stack([inverse, pd.factorize(people)[0]], axis=1), axis=0)
    return np.bincount(pairs[:, 0], minlength=n_values)


def bin_starts(counts: np.ndarray, shared: np.ndarray, n_levels: int, above: Sequence[int] = ()) -> list[int]:
    """Where bins begin among the sorted distinct values.

    Where few values are distinct each stands alone, but lone neighbours stand together. Elsewhere bins have about
    equal mass, and frequent values stand alone. No bin lies on both sides of a threshold.

    Args:
        counts: Rows of each distinct value.
        shared: Whether enough people have it.
        n_levels: Bins to aim at.
        above: The first distinct value above each threshold, ascending.
    """
    if len(counts) <= n_levels:
        return [i for i in range(len(counts)) if i == 0 or shared[i] or shared[i - 1] or i in above]
    heavy = counts >= 0.75 * counts.sum() / n_levels
    light_mass = counts[~heavy].sum() / max(1, n_levels - int(heavy.sum()))
    starts, mass = [0], 0.0
    for i in range(1, len(counts)):
        mass += counts[i - 1] if not heavy[i - 1] else 0.0
        last = starts[-1]
        if i in above and mass < light_mass / 2 and last > 0 and not (heavy[last] or heavy[last - 1] or last in above):
            starts.pop()  # what is left below a threshold belongs to the bin below it
        if i in above or heavy[i] or heavy[i - 1] or mass + counts[i] / 2 > light_mass:
            starts.append(i)
            mass = 0.0
    return starts


def without_thin(counts: np.ndarray, shared: np.ndarray, starts: list[int], above: list[int], least: int) -> list[int]:
    """Those thresholds beside which no bin is of lone values of fewer than `least` rows; arguments as of `bin_starts`."""
    ends = [*starts[1:], len(counts)]
    thin = [not shared[a:b].any() and counts[a:b].sum() < least for a, b in zip(starts, ends, strict=True)]
    places = [starts.index(first) for first in above]
    return [first for first, place in zip(above, places, strict=True) if not (thin[place - 1] or thin[place])]


def bin_edges(distinct: np.ndarray, shared: np.ndarray, starts: list[int], decimals: int | None) -> np.ndarray:
    """Edges of the bins: midway between values.

    The outer edges are a quarter step inside an extreme that only one or two people have, as far as the unit of the
    last decimal allows: nobody's own extreme is kept.
    """

    def on_grid(value: float, towards: Callable[[float], float]) -> float:
        # 0.6 / 0.1 is below 6, and 3 * 0.1 above 0.3, of which no value of one decimal would be left.
        return (
            value if decimals is None else round(towards(round(value * 10.0**decimals, 6)) / 10.0**decimals, decimals)
        )

    inner = [(distinct[i - 1] + distinct[i]) / 2 for i in starts[1:]]
    lowest, highest = distinct[0], distinct[-1]
    if len(distinct) > 1 and not shared[0]:
        lowest += (distinct[1] - distinct[0]) / 4
        lowest = on_grid(lowest, math.floor)
    if len(distinct) > 1 and not shared[-1]:
        highest -= (distinct[-1] - distinct[-2]) / 4
        highest = on_grid(highest, math.ceil)
    return np.array([lowest, *inner, np.nextafter(highest, np.inf)])


def make_bin(values: np.ndarray, counts: np.ndarray, shared: np.ndarray, lower: float, upper: float) -> Bin:
    """The bin of some distinct values; the mass of a lone value is spread over the cell around it."""
    knots, lone = np.zeros(0), values[~shared]
    if len(lone):
        ranks = np.cumsum(counts[~shared]) / counts[~shared].sum()
        cells = np.clip((lone[:-1] + lone[1:]) / 2, lower, upper)
        shares = np.linspace(0, 1, int(np.clip(len(lone) // 2, 2, 17)))
        knots = np.interp(shares, [0.0, *ranks], [lower, *cells, upper])
    return Bin(float(lower), float(upper), values[shared], counts[shared] / counts.sum(), knots)


def decimal_grid(values: np.ndarray, decimals: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Digits after the point that values use, and the share of values drawn with each.

    A value drawn with d digits happens to need only k < d of them with probability 10^(k-d); solving for that leaves
    the shares of the grids themselves (an age is whole, a few are thirds; platelets come in thousands, a few do not).
    """
    if decimals is None:
        return np.zeros(1, dtype=np.int64), np.ones(1)
    grid = np.arange(COARSEST_DECIMALS, decimals + 1)
    if len(values) == 0:
        return grid[-1:], np.ones(1)
    needs_at_most = [np.isclose(values, np.round(values, int(d)), rtol=1e-12, atol=1e-12).mean() for d in grid]
    chance = np.where(grid[:, None] >= grid[None, :], 1.0, 10.0 ** (grid[:, None] - grid[None, :]).astype(float))
    shares = np.clip(np.linalg.solve(chance, np.array(needs_at_most)), 0, None)
    shares[shares < 2 / max(len(values), 2)] = 0.0
    if shares.sum() == 0:
        shares[-1] = 1.0
    used = shares > 0
    used[-1] = True
    return grid[used].astype(np.int64), shares[used] / shares.sum()
