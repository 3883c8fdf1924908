import numpy as np
import pandas as pd
import pytest
from evaluation_tables import COLUMNS, SCHEMA, SITES, numeric_schema, shuffle
from scipy.stats import chi2_contingency, ks_2samp

from rlsyn.evaluation.features import NotComputableError
from rlsyn.evaluation.fidelity import (
    association_difference,
    association_matrix,
    detection_auc,
    ks_statistics,
    missing_rate_difference,
    total_variation,
)
from rlsyn.schema import Column, Schema


def test_a_table_is_ideal_against_itself(train):
    assert ks_statistics(train, train, SCHEMA).max() == 0
    assert total_variation(train, train, SCHEMA).max() == 0
    assert missing_rate_difference(train, train, SCHEMA).max() == 0
    assert association_difference(train, train, SCHEMA) == 0


def test_shuffled_columns_keep_the_marginals_and_lose_the_association(train, test):
    shuffled = shuffle(train)
    assert ks_statistics(train, shuffled, SCHEMA).max() == 0
    assert total_variation(train, shuffled, SCHEMA).max() == 0
    assert association_difference(train, shuffled, SCHEMA) > 1.5 * association_difference(train, test, SCHEMA)
    assert detection_auc(train, shuffled, SCHEMA) > 0.7


def test_ks_is_that_of_scipy(train, synthetic):
    ours = ks_statistics(train, synthetic, SCHEMA)
    assert list(ours.index) == ["age", "bmi", "pressure", "constant", "empty"]
    for name in ("age", "bmi", "pressure", "constant"):
        theirs = ks_2samp(train[name].dropna(), synthetic[name].dropna()).statistic
        assert ours[name] == pytest.approx(theirs, abs=1e-12)


def test_total_variation_counts_unknown_categories():
    schema = Schema((Column("site", "categorical", SITES, missing=True),))
    real = pd.DataFrame({"site": ["north", "north", "south", None]})
    synthetic = pd.DataFrame({"site": ["north", "east", None, None]})
    # |2/3 - 1/2| + |1/3 - 0| + |0 - 1/2|, halved
    assert total_variation(real, synthetic, schema)["site"] == pytest.approx(0.5)


def test_a_column_emptied_by_the_generator_has_nothing_in_common(train, synthetic):
    emptied = synthetic.assign(bmi=np.nan, site=None)
    assert ks_statistics(train, emptied, SCHEMA)["bmi"] == 1
    assert total_variation(train, emptied, SCHEMA)["site"] == 1
    assert np.isnan(ks_statistics(train, emptied, SCHEMA)["empty"])
    assert missing_rate_difference(train, emptied, SCHEMA)["bmi"] == pytest.approx(1 - train["bmi"].isna().mean())


@pytest.mark.parametrize("offset", [0, 1e6])
def test_association_of_complete_numbers_is_numpys(offset):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(200, 6)) @ rng.normal(size=(6, 6)) + offset, columns=list("abcdef"))
    ours = association_matrix(table, numeric_schema(table)).to_numpy()
    assert np.allclose(ours, np.corrcoef(table.to_numpy().T), rtol=0, atol=1e-12 if offset == 0 else 1e-9)


def test_association_with_missing_numbers_is_that_of_pandas():
    rng = np.random.default_rng(1)
    numbers = rng.normal(size=(200, 6)) @ rng.normal(size=(6, 6))
    numbers[rng.random(numbers.shape) < 0.3] = np.nan
    table = pd.DataFrame(numbers, columns=list("abcdef"))
    ours = association_matrix(table, numeric_schema(table, missing=True))
    assert np.allclose(ours, table.corr(), rtol=0, atol=1e-12)


def test_association_of_columns_that_are_constant_together_is_zero():
    table = pd.DataFrame({"a": [1.0, 1.0, 1.0, 2.0], "b": [3.0, 4.0, 5.0, np.nan], "c": [np.nan] * 3 + [1.0]})
    matrix = association_matrix(table, numeric_schema(table, missing=True))
    assert np.array_equal(matrix, np.eye(3))


def test_binary_association_is_phi_with_its_sign(train):
    both = train[["smoker", "diabetes"]].dropna()
    matrix = association_matrix(train, SCHEMA)
    assert matrix.loc["smoker", "diabetes"] == pytest.approx(both["smoker"].corr(both["diabetes"]), abs=1e-12)
    opposite = association_matrix(train.assign(smoker=1 - train["smoker"]), SCHEMA)
    assert opposite.loc["smoker", "diabetes"] == pytest.approx(-matrix.loc["smoker", "diabetes"], abs=1e-12)


def test_correlation_ratio_is_the_share_of_variance_between_categories(train):
    both = train[["bmi", "site"]].dropna()
    between = both.groupby("site")["bmi"].transform("mean").var(ddof=0)
    expected = np.sqrt(between / both["bmi"].var(ddof=0))
    assert association_matrix(train, SCHEMA).loc["bmi", "site"] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("pair", [("site", "stage"), ("stage", "diabetes"), ("smoker", "site")])
def test_cramers_v_is_bergsmas(train, pair):
    counts = pd.crosstab(train[pair[0]], train[pair[1]]).to_numpy()
    n_rows, (n_first, n_second) = counts.sum(), counts.shape
    phi_squared = chi2_contingency(counts, correction=False).statistic / n_rows
    corrected = max(0, phi_squared - (n_first - 1) * (n_second - 1) / (n_rows - 1))
    levels = min(n - (n - 1) ** 2 / (n_rows - 1) for n in counts.shape)
    expected = np.sqrt(corrected / (levels - 1))
    assert association_matrix(train, SCHEMA).loc[pair] == pytest.approx(expected, abs=1e-12)


def test_cramers_v_of_a_renamed_column_is_one():
    site = np.array(SITES)[np.arange(60) % 3]
    columns = (Column("site", "categorical", SITES), Column("region", "categorical", ("E", "S", "W", "N")))
    table = pd.DataFrame({"site": site, "region": [name[0].upper() for name in site]})
    assert association_matrix(table, Schema(columns)).iloc[0, 1] == pytest.approx(1)


def test_association_matrix_is_symmetric_and_in_range(train):
    matrix = association_matrix(train, SCHEMA)
    assert np.array_equal(matrix, matrix.T) and np.array_equal(np.diag(matrix), np.ones(len(COLUMNS)))
    assert matrix.abs().to_numpy().max() <= 1 and not matrix.isna().to_numpy().any()
    assert not matrix.loc[["constant", "empty"], ["age", "bmi", "pressure", "smoker", "site"]].to_numpy().any()


def test_detection_keeps_the_rows_of_a_person_in_one_fold():
    # Each person repeats one row: who sees persons in both parts recognises them, who does not cannot tell the sides.
    rng = np.random.default_rng(0)
    tables = [pd.DataFrame(np.repeat(rng.normal(size=(30, 4)), 10, axis=0), columns=list("abcd")) for _ in range(2)]
    schema = Schema(tuple(Column(name, "numeric") for name in "abcd"), group="person")
    train, test = (table.assign(person=np.arange(300) // 10) for table in tables)
    rows_apart = detection_auc(train.drop(columns="person"), test.drop(columns="person"), schema)
    assert rows_apart > 0.95
    assert detection_auc(train, test, schema) < 0.8
    assert detection_auc(tables[0], test, schema, groups=train["person"]) < 0.8


def test_detection_needs_five_persons(train, synthetic):
    with pytest.raises(NotComputableError, match="persons"):
        detection_auc(train.assign(person=0), synthetic, SCHEMA)


def test_detection_is_size_matched_and_reproducible(train, synthetic):
    first = detection_auc(train, synthetic.iloc[:100], SCHEMA, seed=3)
    assert first == detection_auc(train, synthetic.iloc[:100], SCHEMA, seed=3)
    assert 0.3 < first < 0.7
    garbage = synthetic.assign(age=0)
    assert detection_auc(train, garbage, SCHEMA) > 0.99
