"""Association of every pair of columns of a mixed table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import sparse

from rlsyn.evaluation.features import category_positions, column_numbers
from rlsyn.schema import Column, Schema

ROUNDING = 1e-12
"""A variance below this share of the mean square is rounding error of a column that is constant in the rows at hand."""


def association_matrix(table: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """The association of each pair of columns, on the rows where both are present.

    - Numeric, integer and binary among themselves: Pearson's coefficient, from -1 to 1. A binary column counts as 0/1
      by the order of its categories, so that binary-binary is phi with its sign.
    - Numeric or integer with categorical: the correlation ratio eta = sqrt(SS_between / SS_total), from 0 to 1.
    - Categorical with categorical or binary: Cramér's V with Bergsma's correction for bias, from 0 to 1; only
      categories that occur in the rows at hand are counted.

    A pair in which one column is constant, or without common rows, has association 0; the diagonal is 1. A value
    outside the categories counts as missing.

    References:
        Bergsma, A bias-correction for Cramér's V and Tschuprow's T, Journal of the Korean Statistical Society 42, 2013.
    """
    matrix = np.eye(len(schema.columns))
    kinds = np.array([column.kind for column in schema.columns])
    codes = {
        position: category_positions(table[column.name], column)
        for position, column in enumerate(schema.columns)
        if column.is_discrete
    }
    categorical = np.flatnonzero(kinds == "categorical").tolist()
    ordered = np.flatnonzero(kinds != "categorical")
    if len(ordered):
        values, present = _centred(table, [schema.columns[i] for i in ordered])
        matrix[np.ix_(ordered, ordered)] = _pearson(values, present)
        is_quantity = kinds[ordered] != "binary"
        quantities, values, present = ordered[is_quantity], values[:, is_quantity], present[:, is_quantity]
        for position in categorical if len(quantities) else ():
            ratios = _correlation_ratios(codes[position], values, present)
            matrix[position, quantities] = matrix[quantities, position] = ratios
    discrete = list(codes)
    indicators = [_indicators(codes[position], len(schema.columns[position].categories)) for position in discrete]
    everything = sparse.hstack(indicators, format="csr") if categorical else None
    widths = np.array([indicator.shape[1] for indicator in indicators])
    for position in categorical:
        own = indicators[discrete.index(position)]
        matrix[position, discrete] = matrix[discrete, position] = _cramers_v(own, everything, widths)
    np.fill_diagonal(matrix, 1.0)
    return pd.DataFrame(matrix, index=schema.names, columns=schema.names)


def _centred(table: pd.DataFrame, columns: Sequence[Column]) -> tuple[np.ndarray, np.ndarray]:
    # Columns with mean 0 and largest absolute value 1 (for accuracy only), 0 where missing; and a mask of the others.
    values = np.empty((len(table), len(columns)))
    for i, column in enumerate(columns):
        if column.is_discrete:
            positions = category_positions(table[column.name], column)
            values[:, i] = np.where(positions >= 0, positions, np.nan)
        else:
            values[:, i] = column_numbers(table[column.name])
    present = ~np.isnan(values)
    for i in range(len(columns)):
        numbers = values[present[:, i], i]
        if len(numbers) == 0 or numbers.min() == numbers.max():
            values[:, i] = 0
            continue
        centred = numbers - numbers.mean()
        values[present[:, i], i] = centred / np.abs(centred).max()
    return np.where(present, values, 0.0), present.astype(float)


def _pearson(values: np.ndarray, present: np.ndarray) -> np.ndarray:
    # Entry (i, j) of each sum runs over the rows in which both i and j are present: a product with the mask of j.
    products = values.T @ values
    if present.all():
        n_rows: np.ndarray | float = float(len(values))
        sums = np.zeros_like(products)
        squares = np.broadcast_to(np.diag(products)[:, None], products.shape)
    else:
        n_rows, sums, squares = present.T @ present, values.T @ present, (values**2).T @ present
    variances = n_rows * squares - sums**2
    varies = variances > ROUNDING * n_rows * squares
    scales = np.sqrt(np.where(varies & varies.T, variances * variances.T, 1.0))
    coefficients = np.where(varies & varies.T, (n_rows * products - sums * sums.T) / scales, 0.0)
    return np.clip(coefficients, -1.0, 1.0)


def _correlation_ratios(codes: np.ndarray, values: np.ndarray, present: np.ndarray) -> np.ndarray:
    # Of one categorical column with every quantity.
    indicators = _indicators(codes, int(codes.max(initial=0)) + 1).T.tocsr()
    counts, sums, squares = indicators @ present, indicators @ values, (indicators @ values**2).sum(axis=0)
    n_rows = np.maximum(counts.sum(axis=0), 1.0)
    offsets = sums.sum(axis=0) ** 2 / n_rows
    between = (sums**2 / np.maximum(counts, 1.0)).sum(axis=0) - offsets
    total = squares - offsets
    varies = total > ROUNDING * squares
    shares = np.where(varies, between / np.where(varies, total, 1.0), 0.0)
    return np.sqrt(np.clip(shares, 0.0, 1.0))


def _indicators(codes: np.ndarray, n_categories: int) -> sparse.csr_array:
    rows = np.flatnonzero(codes >= 0)
    return sparse.csr_array((np.ones(len(rows)), (rows, codes[rows])), shape=(len(codes), n_categories))


def _cramers_v(indicators: sparse.csr_array, others: sparse.csr_array, widths: np.ndarray) -> np.ndarray:
    # Of one column with each of the others: their contingency tables lie side by side in `counts`.
    starts = np.cumsum(widths) - widths
    counts = (indicators.T.tocsr() @ others).toarray()
    own_margins, other_margins = np.add.reduceat(counts, starts, axis=1), counts.sum(axis=0)
    n_rows = own_margins.sum(axis=0)
    products = np.repeat(own_margins, widths, axis=1) * other_margins
    shares = counts**2 / np.where(products > 0, products, 1.0)
    # chi^2 / n = sum O^2 / (row margin x column margin) - 1
    phi_squared = np.add.reduceat(shares.sum(axis=0), starts) - 1
    n_own = (own_margins > 0).sum(axis=0).astype(float)
    n_other = np.add.reduceat((other_margins > 0).astype(float), starts)
    spare = np.maximum(n_rows - 1, 1.0)
    corrected = np.maximum(0.0, phi_squared - (n_own - 1) * (n_other - 1) / spare)
    own_levels = n_own - 1 - (n_own - 1) ** 2 / spare
    other_levels = n_other - 1 - (n_other - 1) ** 2 / spare
    largest = np.minimum(own_levels, other_levels)
    is_defined = (n_rows > 1) & (largest > ROUNDING)
    return np.sqrt(np.clip(np.where(is_defined, corrected / np.where(is_defined, largest, 1.0), 0.0), 0.0, 1.0))
