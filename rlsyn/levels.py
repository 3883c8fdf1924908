"""One column as levels: the integer codes between which the policy chooses, and what each stands for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.special import ndtri

from rlsyn.bins import Bin, BinSampler, bin_edges, bin_starts, decimal_grid, make_bin, n_people, without_thin
from rlsyn.ranks import mid_ranks
from rlsyn.schema import Category, Column
from rlsyn.values.categories import category_text
from rlsyn.values.numbers import as_written

COSINES = range(3, 7)
"""Waves over a numeric level's rank that its output head combines with the level's normal score and its square."""
Head = Literal["ordinal", "free", "mixture"]
"""How outputs of a network become a distribution over the levels of a finely valued column: weights of functions that are
smooth in the rank, a logit for every level, or a mixture of logistic distributions (`rlsyn.networks.mixture_heads`)."""
SMOOTHNESS = 1.5
"""The k-th cosine is scaled by k to this power downwards, so that learning bends a distribution gently before sharply."""
N_FREE_LEVELS = 8
"""Up to so many levels a numeric column's head is free instead of smooth."""
SPIKE_SHARE = 0.05
"""A value of a finely valued column that at least this share of the rows has gets an output of its own."""


@dataclass(frozen=True)
class CategoryLevels:
    """Levels of a binary or categorical column: one per category seen in training, and one for missing.

    Args:
        column: The column.
        categories: Categories by level.
        counts: Training rows by level, the missing level last if there is one.
        missing: Whether the last level means missing.
    """

    column: Column
    categories: tuple[Category, ...]
    counts: np.ndarray
    missing: bool

    @classmethod
    def fit(cls, column: Column, values: pd.Series) -> CategoryLevels:
        """The levels of the training values."""
        codes = _match_categories(column, values, column.categories)
        counts = np.bincount(codes[codes >= 0], minlength=len(column.categories))
        seen = np.flatnonzero(counts)
        n_missing = int((codes < 0).sum())
        categories = tuple(column.categories[i] for i in seen)
        return cls(
            column,
            categories,
            np.append(counts[seen], [n_missing] if n_missing else []).astype(np.int64),
            n_missing > 0,
        )

    @property
    def n_levels(self) -> int:
        """Number of levels, missing included."""
        return len(self.counts)

    @property
    def is_smooth(self) -> bool:
        """Categories have no order that functions could be smooth in."""
        return False

    def encode(self, values: pd.Series) -> np.ndarray:
        """Levels `(n,)` int64 of values.

        Raises:
            ValueError: A category or a missing value that no training row has.
        """
        codes = _match_categories(self.column, values, self.categories)
        return _fill_missing(self.column, codes, codes < 0, len(self.categories), self.missing)

    def decode(self, levels: np.ndarray, rng: np.random.Generator) -> pd.Series:
        """Values of levels; nothing is drawn."""
        return pd.Series(self._values.take(levels), name=self.column.name)

    @cached_property
    def _values(self) -> Any:
        """The value of each level, of one dtype whichever are drawn."""
        values = pd.Series([*self.categories, *[None] * self.missing], dtype=object)
        is_text = all(isinstance(category, str) for category in self.categories)
        return (values.convert_dtypes() if self.missing and not is_text else values.infer_objects()).array

    def features(self) -> np.ndarray:
        """Inputs `(n_levels, width)` that stand for a level: one-hot; one signed column where there are two levels."""
        if self.n_levels == 1:
            return np.zeros((1, 0))
        return np.array([[-1.0], [1.0]]) if self.n_levels == 2 else np.eye(self.n_levels)

    def basis(self, head: Head = "ordinal") -> np.ndarray:
        """Output functions `(n_levels, n_functions)`: every level is free, whatever the head."""
        return np.eye(self.n_levels)[:, 1:]

    def labels(self) -> list[str]:
        """Each level in words."""
        return [str(category) for category in self.categories] + ["missing"] * self.missing

    def to_dict(self) -> dict[str, Any]:
        """The levels as plain lists and numbers."""
        return {"categories": list(self.categories), "counts": self.counts.tolist(), "missing": self.missing}

    @classmethod
    def from_dict(cls, column: Column, fields: dict[str, Any]) -> CategoryLevels:
        """The inverse of `to_dict`."""
        return cls(column, tuple(fields["categories"]), np.array(fields["counts"], dtype=np.int64), fields["missing"])


@dataclass(frozen=True)
class QuantileLevels:
    """Levels of a numeric or integer column: quantile bins, values of their own where few or frequent, and missing.

    A value that at least three people share is kept exactly: each where few values are distinct, elsewhere those that
    fill a level alone (a 0 in steps) or weigh in their interval. Otherwise `decode` draws inside the level's interval,
    on the grid of decimals that the training values use; what one or two people have comes back only by such chance.
    The one value of a column that is missing in all other rows is left out, unless three people share it.

    Args:
        column: The column.
        bins: The intervals, ascending.
        counts: Training rows by level, the missing level last if there is one.
        grid: Digits after the point on which values are drawn; negative for tens, hundreds, thousands.
        grid_shares: Share of values by entry of `grid`.
        centers: Mean training value by bin, standardised.
        missing: Whether the last level means missing.
        thresholds: The first level above each threshold (`rlsyn.thresholds`), ascending.
        deciding: For each threshold the columns and their categories that set in there, or end; where learning begins
            asks for them alone, so they are not saved.
    """

    column: Column
    bins: tuple[Bin, ...]
    counts: np.ndarray
    grid: np.ndarray
    grid_shares: np.ndarray
    centers: np.ndarray
    missing: bool
    thresholds: tuple[int, ...] = ()
    deciding: tuple[tuple[tuple[str, Category], ...], ...] = ()

    @classmethod
    def fit(
        cls,
        column: Column,
        values: pd.Series,
        people: np.ndarray,
        n_levels: int,
        min_people: int = 3,
        thresholds: Mapping[float, Sequence[tuple[str, Category]]] = MappingProxyType({}),
    ) -> QuantileLevels:
        """The levels of the training values.

        Args:
            column: The column.
            values: Training values.
            people: For each row the person it belongs to: a value counts as shared by distinct people, not rows.
            n_levels: Levels to aim at, missing not counted.
            min_people: People who must share a value before it may be reproduced exactly.
            thresholds: Between levels, and learned as steps, each with the columns and categories that it is of; left
                out where a level of so few rows would be beside one.
        """
        numbers = values.to_numpy(dtype=float, na_value=np.nan)
        if column.decimals is not None:
            numbers = np.round(numbers, column.decimals)  # 0.1 + 0.2 is a 0.3
        present = ~np.isnan(numbers)
        n_missing = int((~present).sum())
        distinct, inverse, counts = np.unique(numbers[present], return_inverse=True, return_counts=True)
        shared = n_people(inverse, people[present], len(distinct)) >= min_people
        # Beside a lone value there is none that it could be blurred with: it stays out.
        is_lone = n_missing > 0 and len(distinct) == 1 and not shared[0]
        if not present.any() or is_lone:
            return cls(column, (), np.array([len(numbers)]), np.zeros(1, int), np.ones(1), np.zeros(0), True)
        deciding = {int(np.searchsorted(distinct, threshold)): pairs for threshold, pairs in thresholds.items()}
        above = sorted(first for first in deciding if 0 < first < len(distinct))
        above = without_thin(counts, shared, bin_starts(counts, shared, n_levels, above), above, min_people)
        starts = bin_starts(counts, shared, n_levels, above)
        decimals = column.most_decimals
        edges = bin_edges(distinct, shared, starts, decimals)
        parts = [slice(start, stop) for start, stop in zip(starts, [*starts[1:], len(distinct)], strict=True)]
        bins = tuple(
            make_bin(distinct[part], counts[part], shared[part], lower, upper)
            for part, lower, upper in zip(parts, edges[:-1], edges[1:], strict=True)
        )
        bin_counts = np.add.reduceat(counts, starts)
        means = np.add.reduceat(counts * distinct, starts) / bin_counts
        spread = numbers[present].std() or 1.0
        grid, grid_shares = decimal_grid(distinct[~shared], decimals)
        return cls(
            column,
            bins,
            np.append(bin_counts, [n_missing] if n_missing else []).astype(np.int64),
            grid,
            grid_shares,
            np.clip((means - numbers[present].mean()) / spread, -5, 5),
            n_missing > 0,
            tuple(starts.index(first) for first in above),
            tuple(tuple(deciding[first]) for first in above),
        )

    @cached_property
    def _sampler(self) -> BinSampler:
        return BinSampler(self.bins)

    @property
    def n_levels(self) -> int:
        """Number of levels, missing included."""
        return len(self.counts)

    def encode(self, values: pd.Series) -> np.ndarray:
        """Levels `(n,)` int64 of values; numbers outside the training range get the outermost level.

        Raises:
            ValueError: A missing value where no training row has one.
        """
        numbers = values.to_numpy(dtype=float, na_value=np.nan)
        codes = np.searchsorted([interval.lower for interval in self.bins[1:]], numbers, side="right")
        absent = np.isnan(numbers) | (len(self.bins) == 0)
        return _fill_missing(self.column, codes, absent, len(self.bins), self.missing)

    def decode(self, levels: np.ndarray, rng: np.random.Generator) -> pd.Series:
        """Values of levels, drawn inside each level; integers as integers."""
        values = np.full(len(levels), np.nan)
        rounded = np.ones(len(levels), dtype=bool)
        present = np.flatnonzero(levels < len(self.bins))
        if len(present):
            values[present], rounded[present] = self._sampler.draw(levels[present], rng)
        drawn = np.flatnonzero(~rounded)
        if len(drawn) and self.column.most_decimals is not None:
            values[drawn] = self._round(values[drawn], levels[drawn], rng)
        series = pd.Series(values, name=self.column.name)
        if self.column.kind == "integer":
            return series.round().astype("Int64" if self.missing else "int64")
        return series

    def _round(self, values: np.ndarray, levels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Values on their grid; where that would leave the level, on the next finer one."""
        lower = np.array([interval.lower for interval in self.bins])[levels]
        upper = np.array([interval.upper for interval in self.bins])[levels]
        wanted = rng.choice(len(self.grid), size=len(values), p=self.grid_shares)
        result = np.full(len(values), np.nan)
        for step, decimals in enumerate(self.grid):
            candidate = np.round(values, int(decimals))
            fits = np.isnan(result) & (wanted <= step) & (candidate >= lower) & (candidate < upper)
            result[fits] = candidate[fits]
        finest = int(self.grid[-1])
        is_below = np.round(values, finest) < lower
        unit = 10.0**-finest
        outside = np.where(is_below, np.floor(lower / unit), np.ceil(upper / unit))
        for steps in range(3):  # the quotient may be off by one: 1.1 / 0.1 > 11
            candidate = np.round((outside + np.where(is_below, steps, -steps)) * unit, finest)
            fits = np.isnan(result) & (candidate >= lower) & (candidate < upper)
            result[fits] = candidate[fits]
        return np.where(np.isnan(result), values, result)

    @property
    def is_smooth(self) -> bool:
        """Whether the levels are so many that the functions of `basis` are smooth in the rank."""
        return self.n_levels > N_FREE_LEVELS

    def normal_scores(self) -> np.ndarray:
        """The normal score `(n_levels,)` of each level's rank; 0 for missing."""
        return np.where(self._is_missing(), 0.0, ndtri(self._ranks()))

    def features(self) -> np.ndarray:
        """Inputs `(n_levels, width)`: normal score of the rank, standardised mean, steps, flags for missing and spikes."""
        if self.n_levels == 1:
            return np.zeros((1, 0))
        means = np.append(self.centers, [0.0] * self.missing)
        return np.stack([self.normal_scores(), means, *self.steps(), *self.flags()], axis=1)

    def basis(self, head: Head = "ordinal") -> np.ndarray:
        """Output functions `(n_levels, n_functions)`: z, (z^2 - 1) / 2, cosines of the rank, steps, flags.

        z is the normal score of the rank: the first two shift and narrow the marginal as a Gaussian copula would, the
        cosines bend it. Neighbouring levels share their weights, so that few rows suffice to learn how a distribution
        shifts. Steps are at thresholds, flags for missing and spikes. A mixture has functions of its own beside these;
        where the head is free, or levels are few, every level is free.
        """
        if head == "free" or not self.is_smooth:
            return np.eye(self.n_levels)[:, 1:]
        if head == "mixture":
            return np.array([*self.steps(), *self.flags()]).reshape(-1, self.n_levels).T
        is_present, scores = ~self._is_missing(), self.normal_scores()
        cosines = [np.cos(np.pi * k * self._ranks()) * is_present / k**SMOOTHNESS for k in COSINES]
        return np.stack([scores, (scores**2 - 1) / 2 * is_present, *cosines, *self.steps(), *self.flags()], axis=1)

    def steps(self) -> list[np.ndarray]:
        """For each threshold which levels `(n_levels,)` lie above it: 1 or 0, and 0 for missing."""
        is_present = ~self._is_missing()
        return [((np.arange(self.n_levels) >= first) & is_present).astype(float) for first in self.thresholds]

    def labels(self) -> list[str]:
        """Each level in words: its value, or its interval."""
        words = [
            f"{interval.atoms[0]:g}" if len(interval.atoms) == 1 and not len(interval.knots)
            else _words(interval.lower, interval.upper, self.column)
            for interval in self.bins
        ]  # fmt: skip
        return words + ["missing"] * self.missing

    def _is_missing(self) -> np.ndarray:
        return np.arange(self.n_levels) == (len(self.bins) if self.missing else self.n_levels)

    def _ranks(self) -> np.ndarray:
        return np.append(mid_ranks(self.counts[: len(self.bins)]), [0.5] * self.missing)

    def flags(self) -> list[np.ndarray]:
        """Which levels `(n_levels,)` are missing, or a spike that smooth functions would blur: 1 for one each."""
        is_spike = np.zeros(self.n_levels, dtype=bool)
        for level, interval in enumerate(self.bins):
            is_spike[level] = len(interval.knots) == 0 and self.counts[level] >= SPIKE_SHARE * self.counts.sum()
        flagged = np.flatnonzero(self._is_missing() | (is_spike & self.is_smooth))
        return [(np.arange(self.n_levels) == level).astype(float) for level in flagged]

    def to_dict(self) -> dict[str, Any]:
        """The levels as plain lists and numbers."""
        bins = [
            [
                interval.lower,
                interval.upper,
                interval.atoms.tolist(),
                interval.atom_shares.tolist(),
                interval.knots.tolist(),
            ]
            for interval in self.bins
        ]
        arrays = {name: getattr(self, name).tolist() for name in ("counts", "grid", "grid_shares", "centers")}
        return {"bins": bins, "missing": self.missing, "thresholds": list(self.thresholds)} | arrays

    @classmethod
    def from_dict(cls, column: Column, fields: dict[str, Any]) -> QuantileLevels:
        """The inverse of `to_dict`."""
        bins = tuple(
            Bin(low, high, *(np.array(part, dtype=float) for part in parts)) for low, high, *parts in fields["bins"]
        )
        return cls(
            column,
            bins,
            np.array(fields["counts"], dtype=np.int64),
            np.array(fields["grid"], dtype=np.int64),
            np.array(fields["grid_shares"]),
            np.array(fields["centers"]),
            fields["missing"],
            tuple(fields.get("thresholds", ())),  # models saved before there were any have none
        )


Levels = CategoryLevels | QuantileLevels


def _words(lower: float, upper: float, column: Column) -> str:
    """The values of an interval without its upper end."""
    if column.kind != "integer":
        return f"{lower:g} to {upper:g}"
    first, last = math.ceil(lower), math.ceil(upper) - 1
    return f"{first}" if first == last else f"{first} to {last}"


def _match_categories(column: Column, values: pd.Series, categories: tuple[Category, ...]) -> np.ndarray:
    """Index of each value among the categories, -1 for missing."""
    index = {category: i for i, category in enumerate(categories)}
    by_text = {category_text(category): i for category, i in index.items()}
    codes, distinct = pd.factorize(as_written(values).astype(object))
    matched = np.empty(len(distinct) + 1, dtype=np.int64)
    matched[-1] = -1
    for i, value in enumerate(distinct):
        found = index.get(value, by_text.get(category_text(value)))
        if found is None:
            raise ValueError(
                f"Column {column.name!r} must hold one of {list(categories)[:10]}, got {value!r}, "
                "which no training row has."
            )
        matched[i] = found
    return matched[codes]


def _fill_missing(column: Column, codes: np.ndarray, absent: np.ndarray, level: int, missing: bool) -> np.ndarray:
    if absent.any() and not missing:
        raise ValueError(f"Column {column.name!r} was complete in training, got {int(absent.sum())} missing values.")
    return np.where(absent, level, codes).astype(np.int64)
