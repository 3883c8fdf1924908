"""Distances between the distributions of single columns of two tables, and of the number of findings per record."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rlsyn.evaluation.disclosure import hidden_columns
from rlsyn.evaluation.features import NotComputableError, category_positions, row_groups
from rlsyn.evaluation.fidelity.column_distances import Categories, Distances, Quantities, column_pairs
from rlsyn.evaluation.measure import Measure, Measurement, Metric, Tables, margins, with_interval
from rlsyn.schema import Column, Schema

UNNAMED = "a column that is not named (too few people)"
MIN_CONCEPTS = 10
"""Fewer columns of 0 and 1 than this are no list of findings to count."""

METRICS = (
    Metric(
        *("KS mean", "fidelity", "minimise", 0.0, 1.0),
        "Largest gap between the cumulative distributions of real and synthetic values, mean of the numeric columns.",
    ),
    Metric(
        *("KS max", "fidelity", "minimise", 0.0, 1.0),
        "Largest gap between the cumulative distributions in the worst numeric column.",
    ),
    Metric(
        *("TV mean", "fidelity", "minimise", 0.0, 1.0),
        "Share of synthetic records that would have to change category, mean of the columns of categories.",
    ),
    Metric(
        *("missing rate difference", "fidelity", "minimise", 0.0, 1.0),
        "Difference of the shares of missing values, mean of all columns.",
    ),
    Metric(
        *("DWD", "fidelity", "minimise", 0.0, float("inf")),
        "Distances of all columns added up; a numeric column drawn evenly from its range adds 1.",
    ),
)
ABUNDANCE = Metric(
    *("concept abundance", "fidelity", "minimise", 0.0, 1.0),
    "Share of synthetic records that would have to change their number of findings (columns of 0 and 1 that are 1).",
)


def ks_statistics(real: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema) -> pd.Series:
    """The two-sample Kolmogorov-Smirnov statistic of each numeric or integer column.

    max_x |F_real(x) - F_synthetic(x)| over the present values, F the empirical distribution functions. Range 0 to 1,
    goal minimise. A column without values in both tables is NaN (nothing to compare), in one of them 1 (nothing in
    common).

    References:
        Hodges, The significance probability of the Smirnov two-sample test, Arkiv för Matematik 3, 1958.
    """
    return pd.Series(
        {
            column.name: Quantities.of(real[column.name], synthetic[column.name], column).distances().distance
            for column in schema.columns
            if not column.is_discrete
        },
        dtype=float,
    )


def total_variation(real: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema) -> pd.Series:
    """The total variation distance of each binary or categorical column.

    1/2 sum_k |p_real(k) - p_synthetic(k)| over the shares of the categories among the present values; values outside
    the schema's categories count as one more category. Range 0 to 1, goal minimise. A column without values in both
    tables is NaN (nothing to compare), in one of them 1 (nothing in common).
    """
    return pd.Series(
        {
            column.name: Categories.of(real[column.name], synthetic[column.name], column).distances().distance
            for column in schema.columns
            if column.is_discrete
        },
        dtype=float,
    )


def missing_rate_difference(real: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema) -> pd.Series:
    """The absolute difference of the shares of missing values of each column; range 0 to 1, goal minimise."""
    return (real[schema.names].isna().mean() - synthetic[schema.names].isna().mean()).abs()


def normalised_wasserstein(real: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema) -> pd.Series:
    """Wasserstein's distance of each numeric or integer column, in units of an even draw from its range.

    W1(synthetic, real) / max(W1(uniform, real), 0.05 range), the uniform distribution over the range of the real
    values: 0 is the distribution of the real values, 1 as far from it as values drawn evenly from the range. It ends at
    a million of these; goal minimise. The floor keeps the unit of a column that is itself spread evenly from vanishing.

    A column that is constant in `real` has no range: there it is the share of the synthetic values that differ. A
    column without values in both tables is NaN (nothing to compare), in one of them 1.

    References:
        DWD of arXiv:2512.21395 divides by the worst of the generators that are compared, so that its unit changes with
        the company; the generator that draws evenly stands for them here.
    """
    return pd.Series(
        {
            column.name: Quantities.of(real[column.name], synthetic[column.name], column).distances().wasserstein
            for column in schema.columns
            if not column.is_discrete
        },
        dtype=float,
    )


def dimension_wise_distance(real: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema) -> float:
    """DWD: the `normalised_wasserstein` of the quantities and the `total_variation` of the others, added up.

    The total variation of a binary column is |p_real - p_synthetic|. From 0 without upper end, goal minimise; it grows
    with the number of columns. Columns without values in both tables add nothing.
    """
    parts = normalised_wasserstein(real, synthetic, schema), total_variation(real, synthetic, schema)
    return float(sum(part.sum() for part in parts))


def prevalences(table: pd.DataFrame, schema: Schema) -> pd.Series:
    """The share of the second category among the known values of each binary column; NaN where none is known."""
    shares = {}
    for column in schema.columns:
        if column.kind == "binary":
            positions = category_positions(table[column.name], column)
            n_known = int((positions >= 0).sum())
            shares[column.name] = (positions == 1).sum() / n_known if n_known else np.nan
    return pd.Series(shares, dtype=float)


def concept_counts(table: pd.DataFrame, schema: Schema) -> np.ndarray:
    """How many of the columns of 0 and 1 (or "0" and "1", or False and True) are 1 in each row; missing is not 1.

    Raises:
        NotComputableError: Fewer than `MIN_CONCEPTS` such columns.
    """
    concepts = [column for column in schema.columns if _is_concept(column)]
    if len(concepts) < MIN_CONCEPTS:
        raise NotComputableError(f"it needs at least {MIN_CONCEPTS} columns of 0 and 1, the schema has {len(concepts)}")
    counts = np.zeros(len(table), dtype=np.int64)
    for column in concepts:
        counts += category_positions(table[column.name], column) == 1
    return counts


def concept_abundance(real: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema) -> float:
    """The total variation distance of the number of findings (codes, diagnoses) per record.

    1/2 sum_k |p_real(k) - p_synthetic(k)|, p(k) the share of the records in which k of the columns of 0 and 1 are 1.
    Both sides are shares, so that tables of different sizes compare. Range 0 to 1, goal minimise.

    Raises:
        NotComputableError: Fewer than `MIN_CONCEPTS` such columns.

    References:
        Medical concept abundance of Yan et al., A multifaceted benchmarking of synthetic electronic health record
        generation models, Nature Communications 13, 2022.
    """
    return Categories(concept_counts(real, schema), concept_counts(synthetic, schema)).distances().distance


def measure_marginals(tables: Tables) -> Measurement:
    """KS, TV, missing rates and DWD of the synthetic against the train rows; intervals over people of both."""
    pairs = column_pairs(tables.train, tables.synthetic, tables.schema)
    by_column = pd.DataFrame({name: pair.distances() for name, pair in pairs.items()}, index=Distances._fields).T
    by_column.insert(0, "kind", [column.kind for column in tables.schema.columns])
    is_discrete = np.array([column.is_discrete for column in tables.schema.columns])
    values = _summary(by_column[list(Distances._fields)].to_numpy(dtype=float), is_discrete)
    reaches = np.full(len(values), np.nan)
    if tables.with_intervals:

        def statistics(train_rows: np.ndarray, synthetic_rows: np.ndarray) -> np.ndarray:
            kept = np.zeros(len(tables.train)), np.zeros(len(tables.synthetic))
            kept[0][train_rows] = kept[1][synthetic_rows] = 1
            return _summary(np.array([pair.distances(kept) for pair in pairs.values()]), is_discrete)

        persons = [row_groups(table, tables.schema) for table in (tables.train, tables.synthetic)]
        reaches = margins(statistics, persons, tables.seed)
    estimates = {m.name: with_interval(float(v), r, m) for m, v, r in zip(METRICS, values, reaches, strict=True)}
    notes = _notes(by_column, is_discrete, hidden_columns(tables.train, tables.schema))
    return Measurement(estimates, notes, {"by_column": by_column})


def measure_abundance(tables: Tables) -> Measurement:
    """Concept abundance of the synthetic against the train rows; interval over people of both."""
    counts = [concept_counts(table, tables.schema) for table in (tables.train, tables.synthetic)]
    value, reach = Categories(*counts).distances().distance, np.nan
    if tables.with_intervals:

        def statistics(*rows: np.ndarray) -> np.ndarray:
            sides = [side[kept] for side, kept in zip(counts, rows, strict=True)]
            return np.array([Categories(*sides).distances().distance])

        persons = [row_groups(table, tables.schema) for table in (tables.train, tables.synthetic)]
        reach = float(margins(statistics, persons, tables.seed)[0])
    note = f"{sum(_is_concept(column) for column in tables.schema.columns)} columns of 0 and 1"
    return Measurement({ABUNDANCE.name: with_interval(value, reach, ABUNDANCE)}, {ABUNDANCE.name: note})


MEASURE = Measure("marginals", METRICS, measure_marginals)
ABUNDANCE_MEASURE = Measure("abundance", (ABUNDANCE,), measure_abundance)


def _is_concept(column: Column) -> bool:
    return column.kind == "binary" and category_positions(pd.Series([0, 1]), column).tolist() == [0, 1]


def _summary(distances: np.ndarray, is_discrete: np.ndarray) -> np.ndarray:
    # The metrics in their order from one row of `Distances` per column. Columns without values are left out.
    ks, variation = distances[~is_discrete, 0], distances[is_discrete, 0]
    ks, variation = ks[~np.isnan(ks)], variation[~np.isnan(variation)]
    return np.array(
        [
            ks.mean() if len(ks) else np.nan,
            ks.max() if len(ks) else np.nan,
            variation.mean() if len(variation) else np.nan,
            distances[:, 2].mean(),
            np.nansum(distances[~is_discrete, 1]) + variation.sum(),
        ]
    )


def _notes(by_column: pd.DataFrame, is_discrete: np.ndarray, hidden: pd.DataFrame) -> dict[str, str]:
    notes: dict[str, str] = {}
    for names, chosen, what in (
        (("KS mean", "KS max"), by_column[~is_discrete], "numeric"),
        (("TV mean",), by_column[is_discrete], "binary or categorical"),
    ):
        compared = chosen["distance"].dropna().astype(float)
        n_empty = len(chosen) - len(compared)
        left_out = [f"{n_empty} empty column{'s' if n_empty > 1 else ''} left out"] if n_empty else []
        if len(compared) == 0:
            reason = "every such column is empty" if n_empty else "the schema has none"
            notes |= dict.fromkeys(names, f"no {what} column to compare: {reason}")
        else:
            worst = f"worst: {_largest(compared, hidden['values'])}"
            notes |= dict.fromkeys(names, "; ".join([worst, *left_out]))
    missing = by_column["missing_rate_difference"].astype(float)
    if missing.max() > 0:
        notes["missing rate difference"] = f"worst: {_largest(missing, hidden['missing'])}"
    parts = by_column["wasserstein"].where(~is_discrete, by_column["distance"]).astype(float)
    if parts.notna().any():
        notes["DWD"] = f"{len(parts)} columns; most from {_largest(parts, hidden['values'])}"
    return notes


def _largest(distances: pd.Series, is_hidden: pd.Series) -> str:
    name = str(distances.idxmax())
    return UNNAMED if is_hidden[name] else f"{name!r} ({distances.max():.3f})"
