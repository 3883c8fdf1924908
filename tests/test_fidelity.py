import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from evaluation_tables import COLUMNS, SCHEMA, SITES, make_patients, numeric_schema, shuffle
from scipy.stats import chi2_contingency, ks_2samp, wasserstein_distance

from rlsyn.evaluation.features import NotComputableError
from rlsyn.evaluation.fidelity import (
    association_difference,
    association_matrix,
    column_wise_correlation,
    concept_abundance,
    dimension_wise_distance,
    ks_statistics,
    measures,
    missing_rate_difference,
    normalised_wasserstein,
    prevalences,
    total_variation,
)
from rlsyn.evaluation.fidelity.marginals import UNNAMED
from rlsyn.evaluation.measure import Tables
from rlsyn.schema import Column, Schema

CODES = Schema(tuple(Column(f"code {number}", "binary", (0, 1)) for number in range(12)))


def draw_codes(n_rows, seed, rate=0.3):
    draws = np.random.default_rng(seed).random((n_rows, 12)) < rate
    return pd.DataFrame(draws.astype(int), columns=CODES.names)


def measurement(name, *tables, schema=SCHEMA, **options):
    compute = {measure.name: measure.compute for measure in measures(schema)}[name]
    return compute(Tables(*tables, schema, **options))


def test_a_table_is_ideal_against_itself(train):
    assert ks_statistics(train, train, SCHEMA).max() == 0
    assert total_variation(train, train, SCHEMA).max() == 0
    assert missing_rate_difference(train, train, SCHEMA).max() == 0
    assert dimension_wise_distance(train, train, SCHEMA) == 0
    assert association_difference(train, train, SCHEMA) == 0
    assert column_wise_correlation(train, train, SCHEMA) == 0


def test_shuffled_columns_keep_the_marginals_and_lose_the_association(train, test):
    shuffled = shuffle(train)
    assert ks_statistics(train, shuffled, SCHEMA).max() == 0
    assert total_variation(train, shuffled, SCHEMA).max() == 0
    assert dimension_wise_distance(train, shuffled, SCHEMA) == pytest.approx(0, abs=1e-12)
    assert association_difference(train, shuffled, SCHEMA) > 1.5 * association_difference(train, test, SCHEMA)
    assert column_wise_correlation(train, shuffled, SCHEMA) > 1.5 * column_wise_correlation(train, test, SCHEMA)


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


def test_the_association_difference_is_the_mean_over_the_pairs():
    real = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": [1.0, 2.0, 3.0, 4.0], "c": [1.0, -1.0, -1.0, 1.0]})
    synthetic = real.assign(b=[4.0, 3.0, 2.0, 1.0])
    # From 1 to -1 in one of three pairs; c goes with neither.
    assert association_difference(real, synthetic, numeric_schema(real)) == pytest.approx(2 / 3)


def test_two_rows_make_no_association():
    table = pd.DataFrame({"a": [1.0, 2.0, 3.0, np.nan], "b": [5.0, 6.0, np.nan, 1.0], "c": [2.0, 4.0, 6.0, np.nan]})
    matrix = association_matrix(table, numeric_schema(table, missing=True))
    assert matrix.loc["a", "b"] == matrix.loc["b", "a"] == 0 and matrix.loc["a", "c"] == pytest.approx(1)


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


@pytest.mark.parametrize(
    "pair", [("site", "stage"), ("stage", "diabetes"), ("smoker", "site"), ("ward", "stage"), ("stage", "ward")]
)
def test_cramers_v_is_bergsmas(train, pair):
    """Also of columns of six and three categories, in either order, and where another category does not occur."""
    train = train.assign(ward=train["site"] + " " + train["diabetes"].astype(str))
    ward = Column(
        "ward", "categorical", tuple(f"{site} {n}" for site in (*SITES, "moon") for n in (0, 1)), missing=True
    )
    schema = Schema(tuple(ward if name == "ward" else SCHEMA[name] for name in pair))
    counts = pd.crosstab(train[pair[0]], train[pair[1]]).to_numpy()
    n_rows, (n_first, n_second) = counts.sum(), counts.shape
    phi_squared = chi2_contingency(counts, correction=False).statistic / n_rows
    corrected = max(0, phi_squared - (n_first - 1) * (n_second - 1) / (n_rows - 1))
    levels = min(n - (n - 1) ** 2 / (n_rows - 1) for n in counts.shape)
    expected = np.sqrt(corrected / (levels - 1))
    assert association_matrix(train, schema).loc[pair] == pytest.approx(expected, abs=1e-12)


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


def test_wasserstein_is_that_of_scipy_in_units_of_an_even_draw(train, synthetic):
    ours = normalised_wasserstein(train, synthetic, SCHEMA)
    for name in ("age", "bmi", "pressure"):
        real, other = train[name].dropna(), synthetic[name].dropna()
        even = np.linspace(real.min(), real.max(), 200_001)
        unit = wasserstein_distance(real, even)
        assert ours[name] == pytest.approx(wasserstein_distance(real, other) / unit, abs=1e-4)
        assert normalised_wasserstein(train, pd.DataFrame({**train, name: even[: len(train)]}), SCHEMA)[name] > 1


def test_an_even_draw_from_the_range_adds_one_to_dwd():
    table = pd.DataFrame({"dose": np.random.default_rng(0).exponential(size=20_000)})
    even = pd.DataFrame({"dose": np.linspace(table["dose"].min(), table["dose"].max(), 20_000)})
    assert dimension_wise_distance(table, even, numeric_schema(table)) == pytest.approx(1, abs=1e-3)


def test_the_unit_of_a_column_spread_evenly_does_not_vanish():
    table = pd.DataFrame({"day": np.linspace(0, 1, 1_000)})
    shifted = table + 0.01
    assert dimension_wise_distance(table, shifted, numeric_schema(table)) == pytest.approx(0.01 / 0.05, rel=1e-3)


def test_dwd_of_a_binary_column_is_the_difference_of_the_shares(train, synthetic):
    schema = Schema((SCHEMA["diabetes"],))
    difference = abs(train["diabetes"].mean() - synthetic["diabetes"].mean())
    assert dimension_wise_distance(train, synthetic, schema) == pytest.approx(difference)


def test_dwd_of_a_constant_column_is_the_share_that_differs(train):
    schema = Schema((SCHEMA["constant"],))
    half = train.assign(constant=np.where(np.arange(len(train)) % 2, 3.5, 1e9))
    assert dimension_wise_distance(train, half, schema) == pytest.approx(0.5, abs=0.01)
    assert dimension_wise_distance(train, half[:100], schema) == 0.5  # of the synthetic rows, however many they are


def test_fault_dwd_changed_its_unit_with_the_company(train, synthetic):
    # The reference divides by the worst compared generator: here nothing but the two tables at hand can matter.
    alone = dimension_wise_distance(train, synthetic, SCHEMA)
    dimension_wise_distance(train, synthetic.assign(age=1_000, pressure=-1e6), SCHEMA)
    assert dimension_wise_distance(train, synthetic, SCHEMA) == alone
    far = dimension_wise_distance(train, synthetic.assign(age=1_000), SCHEMA)
    farther = dimension_wise_distance(train, synthetic.assign(age=2_000), SCHEMA)
    assert farther - far == pytest.approx(far - alone, rel=0.1)


def test_values_gone_astray_leave_dwd_finite(train, test, synthetic):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = measurement("marginals", train, test, synthetic.assign(pressure=1e300))
    assert np.isfinite(found.estimates["DWD"]).all()


def test_prevalences_are_shares_of_the_known_values(train):
    shares = prevalences(train, SCHEMA)
    assert list(shares.index) == ["smoker", "diabetes"]
    assert shares["smoker"] == pytest.approx(train["smoker"].mean()) and 0 < shares["smoker"] < 1
    assert np.isnan(prevalences(train.assign(smoker=np.nan), SCHEMA)["smoker"])


def test_abundance_is_the_total_variation_of_the_numbers_of_findings():
    real, synthetic = pd.DataFrame(0, range(4), CODES.names), pd.DataFrame(0, range(2), CODES.names)
    real.iloc[0, :3] = 1
    synthetic.iloc[0, 3:6] = 1
    assert concept_abundance(real, synthetic, CODES) == pytest.approx(0.25)


def test_fault_abundance_was_a_constant_of_the_table_sizes():
    real = draw_codes(4_000, 0)
    assert concept_abundance(real, draw_codes(400, 1), CODES) < 0.1
    assert concept_abundance(real, draw_codes(4_000, 1), CODES) < 0.05
    assert concept_abundance(real, draw_codes(400, 1, rate=0.6), CODES) > 0.5


def test_abundance_of_texts_and_booleans_is_that_of_numbers():
    columns = [Column(f"code {i}", "binary", (("0", "1"), (False, True))[i % 2], missing=True) for i in range(12)]
    real, synthetic = draw_codes(300, 0), draw_codes(300, 1, rate=0.4)
    expected = concept_abundance(real, synthetic, CODES)
    assert concept_abundance(real.astype(float), synthetic.astype(str), Schema(tuple(columns))) == expected


def test_abundance_needs_ten_columns_of_findings(train, synthetic):
    with pytest.raises(NotComputableError, match="at least 10 columns of 0 and 1, the schema has 2"):
        concept_abundance(train, synthetic, SCHEMA)
    sexes = Schema(tuple(Column(f"sex {number}", "binary", ("f", "m")) for number in range(12)))
    with pytest.raises(NotComputableError, match="the schema has 0"):
        concept_abundance(*[pd.DataFrame("m", range(9), sexes.names)] * 2, sexes)


def test_cwc_is_numpys(train, synthetic):
    names = ["age", "pressure", "diabetes"]
    schema = Schema(tuple(SCHEMA[name] for name in names))
    difference = np.corrcoef(train[names].T) - np.corrcoef(synthetic[names].T)
    expected = np.linalg.norm(difference) / 9 * 1e6
    assert column_wise_correlation(train, synthetic, schema) == pytest.approx(expected, rel=1e-9)


def test_fault_cwc_was_nan_where_a_column_is_constant(train, synthetic):
    flat = synthetic.assign(pressure=1.0, bmi=np.nan, site="north")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value = column_wise_correlation(train, flat, SCHEMA)
    assert np.isfinite(value) and value > column_wise_correlation(train, synthetic, SCHEMA)


def test_one_column_has_no_pairs(train, synthetic):
    for pairs in (association_difference, column_wise_correlation):
        with pytest.raises(NotComputableError, match="no pairs"):
            pairs(train, synthetic, Schema((SCHEMA["age"],)))


def test_measures_are_declared_in_order_and_can_be_sent_to_processes():
    declared = measures(SCHEMA)
    names = ["marginals", "association", "limits", "unseen pairs", "detection", "clusters", "abundance"]
    assert [m.name for m in declared] == names
    metrics = [metric for measure in declared for metric in measure.metrics]
    assert len({metric.name for metric in metrics}) == len(metrics) == 15
    assert all(metric.family == "fidelity" and metric.meaning.endswith(".") for metric in metrics)
    assert pickle.loads(pickle.dumps(declared)) == declared


def test_every_declared_metric_is_measured_or_explained(train, test):
    odd = make_patients(450, 2).assign(site="moon", bmi=np.nan, stage=["I"] * 449 + ["IV"], pressure=7.0)
    for measure in measures(SCHEMA)[:-1]:
        if measure.name in ("limits", "unseen pairs"):  # these tables have none
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = measure.compute(Tables(train, test, odd, SCHEMA, fast=True))
        for metric in measure.metrics:
            value, low, high = found.estimates[metric.name]
            assert metric.low <= low <= value <= high <= metric.high, metric.name


@pytest.mark.parametrize("name", ["marginals", "association"])
def test_measures_agree_with_the_plain_functions(train, test, synthetic, name):
    found = measurement(name, train, test, synthetic)
    ks = ks_statistics(train, synthetic, SCHEMA)
    expected = {
        "KS mean": ks.mean(),
        "KS max": ks.max(),
        "TV mean": total_variation(train, synthetic, SCHEMA).mean(),
        "missing rate difference": missing_rate_difference(train, synthetic, SCHEMA).mean(),
        "DWD": dimension_wise_distance(train, synthetic, SCHEMA),
        "association difference": association_difference(train, synthetic, SCHEMA),
        "CWC": column_wise_correlation(train, synthetic, SCHEMA),
    }
    for metric, (value, low, high) in found.estimates.items():
        assert value == pytest.approx(expected[metric], rel=1e-9) and low < value < high
    without = measurement(name, train, test, synthetic, with_intervals=False)
    assert {metric: e.value for metric, e in without.estimates.items()} == {
        m: e.value for m, e in found.estimates.items()
    }
    assert all(np.isnan([e.low, e.high]).all() for e in without.estimates.values())


def test_marginals_show_the_worst_column_and_leave_out_empty_ones(train, test, synthetic):
    found = measurement("marginals", train, test, synthetic.assign(age=0))
    assert found.notes["KS max"] == "worst: 'age' (1.000); 1 empty column left out"
    by_column = found.details["by_column"]
    assert list(by_column.columns) == ["kind", "distance", "wasserstein", "missing_rate_difference"]
    assert list(by_column.index) == SCHEMA.names and by_column.loc["age", "distance"] == 1
    assert by_column["wasserstein"].isna().tolist() == [c.is_discrete or c.name == "empty" for c in COLUMNS]
    only_texts = measurement("marginals", train, test, synthetic, schema=Schema((SCHEMA["site"],)))
    assert np.isnan(only_texts.estimates["KS mean"].value)
    assert only_texts.notes["KS mean"] == "no numeric column to compare: the schema has none"


def test_notes_name_no_column_in_which_one_or_two_people_stand_out(train, test, synthetic):
    one, three = train.assign(smoker=0, age=np.arange(450.0)), train.assign(smoker=0, age=np.arange(450.0))
    one.loc[:2, "smoker"], three.loc[:8, "smoker"] = 1, 1  # three rows of one person, nine of three
    one.loc[:2, "age"], three.loc[:8, "age"] = np.nan, np.nan
    generated = synthetic.assign(smoker=1, age=np.nan)
    for table, is_named in ((one, False), (three, True)):
        notes = measurement("marginals", table, test, generated).notes
        assert ("'smoker'" in notes["TV mean"]) == ("'age'" in notes["missing rate difference"]) == is_named
        assert (UNNAMED in notes["TV mean"]) == (UNNAMED in notes["missing rate difference"]) != is_named


@pytest.mark.parametrize("name", ["marginals", "association", "abundance"])
def test_intervals_shrink_with_more_rows(name):
    def tables(n_rows, seed):
        return [make_patients(n_rows, seed + i, 1).join(draw_codes(n_rows, seed + i, 0.3 + 0.1 * i)) for i in range(3)]

    schema = Schema((*COLUMNS, *CODES.columns), group="person")
    small, large = (measurement(name, *tables(n_rows, 0), schema=schema) for n_rows in (200, 2_000))
    for metric in small.estimates:
        width = small.estimates[metric].high - small.estimates[metric].low
        assert large.estimates[metric].high - large.estimates[metric].low < width


def test_rows_of_one_person_widen_the_interval(train, test, synthetic):
    person = np.arange(450) // 15
    few = train.iloc[person * 15].reset_index(drop=True).assign(person=person)
    widths = []
    for table in (few, few.drop(columns="person")):
        low, high = measurement("marginals", table, test, synthetic).estimates["KS mean"][1:]
        widths.append(high - low)
    assert widths[0] > 1.5 * widths[1]


def test_wide_tables_go_without_an_interval_of_association(train, test, synthetic, monkeypatch):
    monkeypatch.setattr("rlsyn.evaluation.fidelity.association.MAX_PRODUCTS", 10)
    found = measurement("association", train, test, synthetic)
    assert np.isnan(found.estimates["CWC"].low) and "no interval" in found.notes["CWC"]
    matrix, real_matrix = found.details["matrix"], found.details["real_matrix"]
    pd.testing.assert_frame_equal(matrix, association_matrix(synthetic, SCHEMA))
    pd.testing.assert_frame_equal(real_matrix, association_matrix(train, SCHEMA))


def test_marginals_agree_with_syntheval(train, synthetic):
    # It rounds the total variation of a column to four digits, and counts missing values as a category of their own.
    ks_test = pytest.importorskip("syntheval.metrics.utility.metric_kolmogorov_smirnov")
    tables = [table[["age", "pressure", "diabetes", "stage"]] for table in (train, synthetic)]
    schema = Schema(tuple(SCHEMA[name] for name in tables[0]))
    for name in ("age", "pressure"):
        theirs = ks_test.ks_2samp(tables[0][name], tables[1][name]).statistic
        assert ks_statistics(*tables, schema)[name] == pytest.approx(theirs, abs=1e-6)
    for name in ("diabetes", "stage"):
        theirs = ks_test._total_variation_distance(tables[0][name], tables[1][name])
        assert total_variation(*tables, schema)[name] == pytest.approx(theirs, abs=0.5e-4 + 1e-9)


def test_association_agrees_with_syntheval(train):
    # It reports eta^2 where ours is eta, and V^2 with Yates' and without Bergsma's correction: those differ by design.
    mixed = pytest.importorskip("syntheval.metrics.utility.metric_mixed_correlation")
    theirs = mixed.mixed_correlation(train[["age", "pressure", "stage"]], ["age", "pressure"], ["stage"])
    ours = association_matrix(train, SCHEMA)
    assert ours.loc["age", "pressure"] == pytest.approx(theirs.loc["age", "pressure"], abs=1e-6)
    assert ours.loc["age", "stage"] ** 2 == pytest.approx(theirs.loc["stage", "age"], abs=1e-6)
