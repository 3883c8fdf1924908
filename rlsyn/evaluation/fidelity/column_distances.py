"""One column of two tables, prepared once, so that distances of many subsets of their rows cost little."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from rlsyn.evaluation.features import FARTHEST, MISSING, category_positions, column_numbers
from rlsyn.schema import Column, Schema

LEAST_UNIT = 0.05
"""The unit of a Wasserstein distance is at least this share of the column's range in the real rows."""

Kept = tuple[np.ndarray, np.ndarray]
"""For each row of the real and of the synthetic table 1 to keep it, 0 to leave it out."""


class Distances(NamedTuple):
    """Of one column: KS or total variation; Wasserstein in units of its range; difference of the missing rates."""

    distance: float
    wasserstein: float
    missing_rate_difference: float


@dataclass(frozen=True)
class Categories:
    """A binary or categorical column of two tables: positions, `MISSING` where there is none."""

    real: np.ndarray
    synthetic: np.ndarray

    @classmethod
    def of(cls, real: pd.Series, synthetic: pd.Series, column: Column) -> Categories:
        """Prepare the column."""
        # Whatever is no category of the schema is one more category.
        return cls(*[category_positions(values, column, len(column.categories)) for values in (real, synthetic)])

    def distances(self, kept: Kept | None = None) -> Distances:
        """Distances of the kept rows, without `kept` of all."""
        sides, weights = (self.real, self.synthetic), kept or (None, None)
        n_bins = 2 + max(int(side.max(initial=0)) for side in sides)
        counts = [np.bincount(side - MISSING, weight, n_bins) for side, weight in zip(sides, weights, strict=True)]
        n_present = [float(side[1:].sum()) for side in counts]
        missing = _rate_difference([float(side[0]) for side in counts], n_present)
        if not all(n_present):
            return Distances(_of_nothing(n_present), np.nan, missing)
        shares = [side[1:] / n for side, n in zip(counts, n_present, strict=True)]
        return Distances(float(0.5 * np.abs(shares[0] - shares[1]).sum()), np.nan, missing)


@dataclass(frozen=True)
class Quantities:
    """A numeric or integer column of two tables, sorted once: to leave rows out then takes two running sums.

    Args:
        points: The present values of both tables in ascending order.
        rows: The row of each point; synthetic rows are counted on from the real ones.
        last: The last of each run of equal points.
        n_rows: Of both tables.
        unit: Of Wasserstein's distance.
        constant: The one value that the real rows have; NaN where they vary.
    """

    points: np.ndarray
    rows: np.ndarray
    last: np.ndarray
    n_rows: tuple[int, int]
    unit: float
    constant: float

    @classmethod
    def of(cls, real: pd.Series, synthetic: pd.Series, column: Column) -> Quantities:
        """Prepare the column."""
        numbers = column_numbers(real)
        both = np.concatenate([numbers, column_numbers(synthetic)])
        rows = np.argsort(both, kind="stable")[: len(both) - np.isnan(both).sum()]  # NaN is sorted to the end
        points = both[rows]
        last = np.flatnonzero(np.append(points[1:] > points[:-1], len(points) > 0))
        present = np.sort(numbers[~np.isnan(numbers)])
        is_constant = len(present) > 0 and present[0] == present[-1]
        constant = float(present[0]) if is_constant else np.nan
        return cls(points, rows, last, (len(real), len(synthetic)), wasserstein_unit(present), constant)

    def distances(self, kept: Kept | None = None) -> Distances:
        """Distances of the kept rows, without `kept` of all."""
        sides = kept or (np.ones(self.n_rows[0]), np.ones(self.n_rows[1]))
        weights = [
            np.concatenate([sides[0], np.zeros(self.n_rows[1])])[self.rows],
            np.concatenate([np.zeros(self.n_rows[0]), sides[1]])[self.rows],
        ]
        n_present = [float(weight.sum()) for weight in weights]
        missing = _rate_difference([side.sum() - n for side, n in zip(sides, n_present, strict=True)], n_present)
        if not all(n_present):
            return Distances(_of_nothing(n_present), _of_nothing(n_present), missing)
        curves = [np.cumsum(weight)[self.last] / n for weight, n in zip(weights, n_present, strict=True)]
        gaps = np.abs(curves[0] - curves[1])
        if np.isnan(self.constant):
            # W1 = integral of |F_real - F_synthetic|
            wasserstein = min(float(gaps[:-1] @ np.diff(self.points[self.last])) / self.unit, FARTHEST)
        else:
            wasserstein = float(weights[1][self.points != self.constant].sum()) / n_present[1]
        return Distances(float(gaps.max()), wasserstein, missing)


def column_pairs(real: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema) -> dict[str, Categories | Quantities]:
    """Every column of the two tables, prepared, by name."""
    return {
        column.name: (Categories if column.is_discrete else Quantities).of(
            real[column.name], synthetic[column.name], column
        )
        for column in schema.columns
    }


def wasserstein_unit(present: np.ndarray) -> float:
    """Wasserstein's distance of sorted values from the uniform distribution over their range, exact.

    It is the mean distance of two quantile functions, a staircase and a line. At least `LEAST_UNIT` of the range, since
    that of values spread evenly is next to nothing; 0 for constant values and for none.
    """
    if len(present) == 0 or present[0] == present[-1]:
        return 0.0
    span = float(present[-1] - present[0])
    line, steps = np.linspace(0.0, 1.0, len(present) + 1), (present - present[0]) / span
    starts, ends = line[:-1] - steps, line[1:] - steps
    # |t| t / 2 is the integral of |t|: of the distance of the line from one step of the staircase.
    distance = float((np.abs(ends) * ends - np.abs(starts) * starts).sum() / 2)
    return max(distance, LEAST_UNIT) * span


def _of_nothing(n_present: Sequence[float]) -> float:
    # Nothing to compare where both sides are empty, nothing in common where one is.
    return 1.0 if any(n_present) else float("nan")


def _rate_difference(n_missing: Sequence[float], n_present: Sequence[float]) -> float:
    rates = [missing / (missing + present) for missing, present in zip(n_missing, n_present, strict=True)]
    return float(abs(rates[0] - rates[1]))
