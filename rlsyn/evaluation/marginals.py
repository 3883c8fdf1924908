"""Distances between the distributions of single columns of two tables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rlsyn.evaluation.features import MISSING, category_positions, column_numbers
from rlsyn.schema import Column, Schema


def ks_statistics(real: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema) -> pd.Series:
    """The two-sample Kolmogorov-Smirnov statistic of each numeric or integer column.

    max_x |F_real(x) - F_synthetic(x)| over the present values, F the empirical distribution functions. Range 0 to 1,
    goal minimise. A column without values in both tables is NaN (nothing to compare), in one of them 1 (nothing in
    common).

    References:
        Hodges, The significance probability of the Smirnov two-sample test, Arkiv för Matematik 3, 1958.
    """
    statistics = {
        column.name: _ks_statistic(column_numbers(real[column.name]), column_numbers(synthetic[column.name]))
        for column in schema.columns
        if not column.is_discrete
    }
    return pd.Series(statistics, dtype=float)


def total_variation(real: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema) -> pd.Series:
    """The total variation distance of each binary or categorical column.

    1/2 sum_k |p_real(k) - p_synthetic(k)| over the shares of the categories among the present values; values outside
    the schema's categories count as one more category. Range 0 to 1, goal minimise. A column without values in both
    tables is NaN (nothing to compare), in one of them 1 (nothing in common).
    """
    distances = {
        column.name: _total_variation(real[column.name], synthetic[column.name], column)
        for column in schema.columns
        if column.is_discrete
    }
    return pd.Series(distances, dtype=float)


def missing_rate_difference(real: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema) -> pd.Series:
    """The absolute difference of the shares of missing values of each column; range 0 to 1, goal minimise."""
    return (real[schema.names].isna().mean() - synthetic[schema.names].isna().mean()).abs()


def _ks_statistic(real: np.ndarray, synthetic: np.ndarray) -> float:
    real, synthetic = np.sort(real[~np.isnan(real)]), np.sort(synthetic[~np.isnan(synthetic)])
    if not (len(real) and len(synthetic)):
        return 1.0 if len(real) or len(synthetic) else float("nan")
    points = np.concatenate([real, synthetic])
    share_real = np.searchsorted(real, points, side="right") / len(real)
    share_synthetic = np.searchsorted(synthetic, points, side="right") / len(synthetic)
    return float(np.abs(share_real - share_synthetic).max())


def _total_variation(real: pd.Series, synthetic: pd.Series, column: Column) -> float:
    counts = []
    for values in (real, synthetic):
        positions = category_positions(values, column)
        positions = positions[positions != MISSING]
        # Position UNKNOWN becomes the last bin.
        bins = np.where(positions < 0, len(column.categories), positions)
        counts.append(np.bincount(bins, minlength=len(column.categories) + 1))
    n_real, n_synthetic = counts[0].sum(), counts[1].sum()
    if not (n_real and n_synthetic):
        return 1.0 if n_real or n_synthetic else float("nan")
    return float(0.5 * np.abs(counts[0] / n_real - counts[1] / n_synthetic).sum())
