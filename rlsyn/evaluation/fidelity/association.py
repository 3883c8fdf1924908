"""Association of every pair of columns of a mixed table, and how far that of two tables differs."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse

from rlsyn.evaluation.features import NotComputableError, category_positions, column_numbers, row_groups
from rlsyn.evaluation.measure import Measure, Measurement, Metric, Tables, margins, with_interval
from rlsyn.schema import Schema

ROUNDING = 1e-12
"""A variance below this share of the mean square is rounding error of a column that is constant in the rows at hand."""
MIN_ROWS = 3
"""Rows in which both columns of a pair have a value; with fewer Pearson's coefficient is 0."""
MAX_PRODUCTS = 5e9
"""With more products of cells than this (rows x columns^2) the intervals would take minutes and are left out."""
CWC_SCALE = 1e6

METRICS = (
    Metric(
        *("association difference", "fidelity", "minimise", 0.0, 2.0),
        "Mean absolute difference of the association (such as a correlation) of two columns, over all pairs.",
    ),
    Metric(
        *("CWC", "fidelity", "minimise", 0.0, float("inf")),
        "Difference of the correlation matrices, scaled by the number of columns: compare it within one data set only.",
    ),
)


def association_difference(real: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema) -> float:
    """The mean absolute difference of the two association matrices over all pairs of different columns.

    Range 0 to 2 (associations have a sign), goal minimise.

    Raises:
        NotComputableError: Fewer than two columns.
    """
    _check_pairs(schema)
    return _mean_difference(*(association_matrix(table, schema).to_numpy() for table in (real, synthetic)))


def column_wise_correlation(real: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema) -> float:
    """CWC: the Frobenius norm of the difference of the two Pearson matrices / n^2 x 10^6, n the number of columns.

    Discrete columns count as the positions of their categories in the schema, which is the paper's 0 and 1 for a binary
    column; `association_difference` treats the others as they deserve. Each coefficient is of the rows where both
    columns are present; that of a column that is constant in them is 0, never NaN. From 0 without upper end, goal
    minimise. At one error per pair it falls with 1 / n: values of tables of different width do not compare.

    Raises:
        NotComputableError: Fewer than two columns.

    References:
        CWC of arXiv:2512.21395.
    """
    _check_pairs(schema)
    return _scaled_norm(*(_Table(table, schema).pearson() for table in (real, synthetic)))


def association_matrix(table: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """The association of each pair of columns, on the rows where both are present.

    - Numeric, integer and binary among themselves: Pearson's coefficient, from -1 to 1. A binary column counts as 0/1
      by the order of its categories, so that binary-binary is phi with its sign.
    - Numeric or integer with categorical: the correlation ratio eta = sqrt(SS_between / SS_total), from 0 to 1.
    - Categorical with categorical or binary: Cramér's V with Bergsma's correction for bias, from 0 to 1; only
      categories that occur in the rows at hand are counted.

    A pair in which one column is constant, or without common rows (`MIN_ROWS` of them for Pearson's coefficient), has
    association 0; the diagonal is 1. A value outside the categories counts as missing.

    References:
        Bergsma, A bias-correction for Cramér's V and Tschuprow's T, Journal of the Korean Statistical Society 42, 2013.
    """
    return pd.DataFrame(_Table(table, schema).matrices()[0], index=schema.names, columns=schema.names)


def measure_association(tables: Tables) -> Measurement:
    """Association difference and CWC of the synthetic against the train rows; intervals over people of both."""
    schema = tables.schema
    _check_pairs(schema)
    sides = (tables.train, tables.synthetic)
    n_products = max(len(side) for side in sides) * len(schema.columns) ** 2
    with_intervals = tables.with_intervals and n_products <= MAX_PRODUCTS
    prepared, matrices = [], []
    for side in sides:
        table = _Table(side, schema)
        matrices.append(table.matrices())
        prepared += [table] if with_intervals else []
        del table  # a wide one's gigabyte is not kept while the next is prepared
    values, reaches = _differences(*matrices), np.full(len(METRICS), np.nan)
    if with_intervals:

        def statistics(*rows: np.ndarray) -> np.ndarray:
            return _differences(*(table.matrices(kept) for table, kept in zip(prepared, rows, strict=True)))

        reaches = margins(statistics, [row_groups(side, schema) for side in sides], tables.seed)
    notes = {"CWC": f"{len(schema.columns):,} columns, categories by their position"}
    if tables.with_intervals and not with_intervals:
        reason = (
            f"no interval: it would take minutes at {max(map(len, sides)):,} rows and {len(schema.columns):,} columns"
        )
        notes = {"association difference": reason, "CWC": f"{notes['CWC']}; {reason}"}
    frames = [pd.DataFrame(pair[0], index=schema.names, columns=schema.names) for pair in matrices]
    return Measurement(
        {m.name: with_interval(float(v), r, m) for m, v, r in zip(METRICS, values, reaches, strict=True)},
        notes,
        {"matrix": frames[1], "real_matrix": frames[0]},
    )


MEASURE = Measure("association", METRICS, measure_association)


class _Table:
    """A table as numbers, prepared once for the matrices of many subsets of its rows."""

    def __init__(self, table: pd.DataFrame, schema: Schema) -> None:
        self.kinds = np.array([column.kind for column in schema.columns])
        self.discrete = np.flatnonzero(np.isin(self.kinds, ("binary", "categorical")))
        codes = np.empty((len(table), len(self.discrete)), dtype=np.int32)
        self.values = np.empty((len(table), len(schema.columns)), order="F")
        for i, position in enumerate(self.discrete):
            column = schema.columns[position]
            codes[:, i] = category_positions(table[column.name], column)
            self.values[:, position] = np.where(codes[:, i] >= 0, codes[:, i], np.nan)
        for position in np.flatnonzero(~np.isin(self.kinds, ("binary", "categorical"))):
            self.values[:, position] = column_numbers(table[schema.columns[position].name])
        present = _centre(self.values)
        self.present = None if present.all() else present.astype(float)
        self.widths = np.array([len(schema.columns[position].categories) for position in self.discrete])
        self.indicators = _indicators(codes, self.widths) if "categorical" in self.kinds else None

    def pearson(self, rows: np.ndarray | None = None) -> np.ndarray:
        """Pearson's coefficients of the columns, categories by their position."""
        values, present = (self.values, self.present) if rows is None else self._of(rows)
        # Entry (i, j) of each sum is over the rows in which both i and j are present: a product with the mask of j.
        products = values.T @ values
        n_rows: float | np.ndarray
        if present is None:
            n_rows = float(len(values))
            sums, squares = values.sum(axis=0)[:, None], np.diag(products)[:, None]
        else:
            n_rows, sums, squares = present.T @ present, values.T @ present, np.square(values).T @ present
        variances = np.broadcast_to(n_rows * squares - sums**2, products.shape)
        varies = variances > ROUNDING * n_rows * squares
        # Two rows are always on a line.
        varies = varies & varies.T & (n_rows >= MIN_ROWS)
        scales = np.sqrt(np.where(varies, variances * variances.T, 1.0))
        coefficients = np.clip(np.where(varies, (n_rows * products - sums * sums.T) / scales, 0.0), -1.0, 1.0)
        np.fill_diagonal(coefficients, 1.0)
        return coefficients

    def association(self, pearson: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """The association of the columns: their Pearson coefficients but where a categorical column is in the pair."""
        if self.indicators is None:
            return pearson
        matrix = pearson.copy()
        values, present = (self.values, self.present) if rows is None else self._of(rows)
        indicators = self.indicators if rows is None else self.indicators[rows]
        quantities = np.flatnonzero(~np.isin(self.kinds, ("binary", "categorical")))
        values, present = values[:, quantities], None if present is None else present[:, quantities]
        stops = np.cumsum(self.widths)
        for position, start, stop in zip(self.discrete, stops - self.widths, stops, strict=True):
            if self.kinds[position] == "categorical":
                own = indicators[:, start:stop]
                associations = _cramers_v(own, indicators, self.widths)
                matrix[position, self.discrete] = matrix[self.discrete, position] = associations
                ratios = _correlation_ratios(own, values, present)
                matrix[position, quantities] = matrix[quantities, position] = ratios
        np.fill_diagonal(matrix, 1.0)
        return matrix

    def matrices(self, rows: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Association and Pearson matrix of the rows, without `rows` of all."""
        pearson = self.pearson(rows)
        return self.association(pearson, rows), pearson

    def _of(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        return self.values[rows], None if self.present is None else self.present[rows]


def _centre(values: np.ndarray) -> np.ndarray:
    # In place: mean 0 and largest absolute value 1 (for accuracy only), 0 where missing. Returns where values were.
    present = ~np.isnan(values)
    for i in range(values.shape[1]):
        numbers = values[present[:, i], i]
        values[~present[:, i], i] = 0
        if len(numbers) == 0 or numbers.min() == numbers.max():
            values[:, i] = 0
            continue
        numbers = numbers - numbers.mean()
        values[present[:, i], i] = numbers / np.abs(numbers).max()
    return present


def _indicators(codes: np.ndarray, widths: np.ndarray) -> sparse.csr_array:
    # A column of 0 and 1 per category of every discrete column, side by side.
    known = codes >= 0
    positions = (codes + (np.cumsum(widths) - widths).astype(np.int32))[known]
    ends = np.concatenate([[0], np.cumsum(known.sum(axis=1))])
    return sparse.csr_array(
        (np.ones(len(positions), dtype=np.float32), positions, ends), shape=(len(codes), widths.sum())
    )


def _correlation_ratios(indicators: sparse.csr_array, values: np.ndarray, present: np.ndarray | None) -> np.ndarray:
    # Of one categorical column with every quantity.
    own = indicators.T.tocsr().astype(float)
    counts = own.sum(axis=1)[:, None] if present is None else own @ present
    sums, squares = own @ values, (own @ np.square(values)).sum(axis=0)
    offsets = sums.sum(axis=0) ** 2 / np.maximum(counts.sum(axis=0), 1.0)
    between = (sums**2 / np.maximum(counts, 1.0)).sum(axis=0) - offsets
    total = squares - offsets
    varies = total > ROUNDING * squares
    shares = np.where(varies, between / np.where(varies, total, 1.0), 0.0)
    return np.sqrt(np.clip(shares, 0.0, 1.0))


def _cramers_v(indicators: sparse.csr_array, others: sparse.csr_array, widths: np.ndarray) -> np.ndarray:
    # Of one column with each of the others: their contingency tables lie side by side in `counts`.
    starts = np.cumsum(widths) - widths
    counts = (indicators.T.tocsr() @ others).toarray().astype(float)
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


def _check_pairs(schema: Schema) -> None:
    if len(schema.columns) < 2:
        raise NotComputableError("a table with one column has no pairs")


def _mean_difference(real: np.ndarray, synthetic: np.ndarray) -> float:
    # The diagonals are equal, so that they add nothing.
    n_columns = len(real)
    return float(np.abs(real - synthetic).sum() / (n_columns * (n_columns - 1)))


def _scaled_norm(real: np.ndarray, synthetic: np.ndarray) -> float:
    return float(np.linalg.norm(real - synthetic) / len(real) ** 2 * CWC_SCALE)


def _differences(real: tuple[np.ndarray, np.ndarray], synthetic: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    return np.array([_mean_difference(real[0], synthetic[0]), _scaled_norm(real[1], synthetic[1])])
