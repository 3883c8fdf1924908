import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy.stats import chi2_contingency, ks_2samp

from rlsyn.evaluation import evaluate
from rlsyn.evaluation.features import FeatureEncoder, NotComputableError, category_positions
from rlsyn.evaluation.fidelity import (
    association_difference,
    association_matrix,
    detection_auc,
    ks_statistics,
    missing_rate_difference,
    total_variation,
)
from rlsyn.evaluation.plots import association_figure, marginals_figure
from rlsyn.evaluation.privacy import exact_copies, membership_auc, near_copy_share, nearest_distances
from rlsyn.evaluation.utility import utility_note, utility_score
from rlsyn.schema import Column, Schema

SITES = ("north", "south", "west")
COLUMNS = (
    Column("age", "integer"),
    Column("bmi", "numeric", decimals=1, missing=True),
    Column("pressure", "numeric"),
    Column("smoker", "binary", (0, 1), missing=True),
    Column("diabetes", "binary", (0, 1)),
    Column("site", "categorical", SITES, missing=True),
    Column("stage", "categorical", ("I", "II", "III")),
    Column("constant", "numeric"),
    Column("empty", "numeric", missing=True),
)
SCHEMA = Schema(COLUMNS, label="diabetes", group="person")
CLASSIFIER_METRICS = ("S2R AUC", "S2R AUC (svc)", "S2R AUC (random_forest)", "S2R AUC (logistic_regression)", "R2S AUC")
FIDELITY_METRICS = (
    *("KS mean", "KS max", "TV mean", "missing rate difference"),
    *("association difference", "detection AUC"),
)
PRIVACY_METRICS = ("membership AUC", "near copies", "exact copies")


def make_patients(n_rows, seed, rows_per_person=3):
    rng = np.random.default_rng(seed)
    age = rng.normal(60, 12, n_rows).round()
    bmi = (22 + 0.1 * age + rng.normal(0, 2, n_rows)).round(1)
    diabetes = (bmi + rng.normal(0, 1.5, n_rows) > 29).astype(int)
    table = pd.DataFrame(
        {
            "age": age.astype(int),
            "bmi": np.where(rng.random(n_rows) < 0.15, np.nan, bmi),
            "pressure": 100 + 0.5 * age + rng.normal(0, 8, n_rows),
            "smoker": np.where(rng.random(n_rows) < 0.1, np.nan, rng.random(n_rows) < 0.3),
            "diabetes": diabetes,
            "site": rng.choice(np.array([*SITES, None], dtype=object), n_rows, p=[0.5, 0.3, 0.1, 0.1]),
            "stage": np.array(["I", "II", "III"])[np.digitize(bmi + rng.normal(0, 1, n_rows), [27, 30])],
            "constant": 3.5,
            "empty": np.nan,
            "person": np.arange(n_rows) // rows_per_person,
        }
    )
    return table


@pytest.fixture(scope="module")
def train():
    return make_patients(450, 0)


@pytest.fixture(scope="module")
def test():
    return make_patients(210, 1).assign(person=lambda table: table["person"] + 1_000)


@pytest.fixture(scope="module")
def synthetic():
    return make_patients(450, 2).drop(columns="person")


@pytest.fixture(scope="module")
def scores(train, test, synthetic):
    return evaluate(train, test, synthetic, SCHEMA).set_index("metric")


def shuffle(table, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame({name: table[name].to_numpy()[rng.permutation(len(table))] for name in SCHEMA.names})


def numeric_schema(table, missing=False):
    return Schema(tuple(Column(name, "numeric", missing=missing) for name in table))


# Features


@pytest.mark.parametrize(
    "values",
    [[0, 1, 1], [0.0, 1.0, 1.0], [False, True, True], ["0", "1", "1"], ["0.0", "1.0", "1"], ["False", "True", "true"]],
    ids=str,
)
@pytest.mark.parametrize("categories", [(0, 1), (False, True), ("0", "1")], ids=str)
def test_a_category_is_the_same_in_every_dtype(values, categories):
    column = Column("smoker", "binary", categories)
    assert category_positions(pd.Series(values), column).tolist() == [0, 1, 1]
    assert category_positions(pd.Series(values, dtype=object), column).tolist() == [0, 1, 1]
    assert category_positions(pd.Series([*values, None], dtype="category"), column).tolist() == [0, 1, 1, -1]


def test_categories_that_differ_in_their_text_only_stay_apart():
    column = Column("code", "categorical", ("01", "1", "2"))
    assert category_positions(pd.Series(["1", "01", "2.0", "3"]), column).tolist() == [1, 0, 2, -2]


@pytest.mark.parametrize("dtype", ["Int64", "boolean", "Float64"])
def test_nullable_dtypes_have_missing_values(dtype):
    values = pd.Series([1, 0, None], dtype=dtype)
    assert category_positions(values, Column("smoker", "binary", (0, 1), missing=True)).tolist() == [1, 0, -1]
    schema = Schema((Column("count", "integer", missing=True),))
    table = pd.DataFrame({"count": values})
    features = FeatureEncoder(schema).fit(table).transform(table)
    assert features.tolist() == [[1, 0], [0, 0], [0.5, 1]]


def test_encoder_knows_only_the_fitted_table(train):
    encoder = FeatureEncoder(SCHEMA).fit(train)
    before = encoder.transform(train)
    other = train.assign(pressure=train["pressure"] * 10, site="elsewhere")
    features = encoder.transform(other)
    assert encoder.width == features.shape[1] == 17
    assert np.isfinite(features).all() and np.array_equal(before, encoder.transform(train))
    assert before.min() == 0 and before.max() == 1
    assert features[:, 3].max() > 5
    assert not features[:, 7:11].any()  # the three sites and their indicator of missing
    assert not before[:, 14].any() and not before[:, 15].any()  # the constant and the empty column


def test_encoder_stays_finite_for_values_far_away(train):
    far = train.assign(pressure=1e300, constant=-7.0, empty=1.0)
    assert np.isfinite(FeatureEncoder(SCHEMA).fit(train).transform(far)).all()


def test_encoder_refuses_infinity_and_text(train):
    encoder = FeatureEncoder(SCHEMA).fit(train)
    with pytest.raises(ValueError, match="finite"):
        encoder.transform(train.assign(pressure=np.inf))
    with pytest.raises(ValueError, match="pressure"):
        encoder.transform(train.assign(pressure="high"))
    with pytest.raises(RuntimeError, match="fit"):
        FeatureEncoder(SCHEMA).transform(train)


# Fidelity


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


# Utility


def test_utility_of_informative_rows_beats_that_of_shuffled_ones(train, test):
    real, shuffled = utility_score(train, test, SCHEMA), utility_score(shuffle(train), test, SCHEMA)
    assert list(real.index) == ["mean", "svc", "random_forest", "logistic_regression"]
    assert real["mean"] == pytest.approx(real.iloc[1:].mean())
    assert real["mean"] > 0.8
    assert shuffled["mean"] < 0.65
    assert utility_note(train, test, SCHEMA) == ""


def test_utility_does_not_see_the_label_or_the_person(train, test):
    columns = (Column("noise", "numeric"), Column("diabetes", "binary", (0, 1)))
    rng = np.random.default_rng(0)
    tables = [table.assign(noise=rng.normal(size=len(table)), person=table["diabetes"]) for table in (train, test)]
    assert utility_score(*tables, Schema(columns, "diabetes", "person"))["mean"] == pytest.approx(0.5, abs=0.15)


def test_utility_of_a_single_label_class_is_one_half_with_a_note(train, test):
    single = train.assign(diabetes=1)
    assert (utility_score(single, test, SCHEMA) == 0.5).all()
    assert "one label value only" in utility_note(single, test, SCHEMA)
    with pytest.raises(NotComputableError, match="does not vary"):
        utility_score(train, single, SCHEMA)


@pytest.mark.parametrize("label_dtype", [float, str, object])
def test_labels_may_come_in_any_dtype(train, test, label_dtype):
    other = train.assign(diabetes=train["diabetes"].astype(label_dtype))
    assert utility_score(other, test, SCHEMA).equals(utility_score(train, test, SCHEMA))


def test_multiclass_utility_is_macro_one_versus_rest(train, test):
    schema = Schema(COLUMNS, label="stage", group="person")
    full = utility_score(train, test, schema)
    assert full["mean"] > 0.75
    # A class that the fitted rows lack gets one half, a class that the scored rows lack is left out.
    lacking = train[train["stage"] != "II"]
    partial = utility_score(lacking, test, schema)
    assert partial.notna().all() and 0.5 < partial["mean"] < full["mean"]
    assert utility_note(lacking, test, schema) == "label II absent from the rows to fit on: AUC 0.5 for it"
    assert utility_score(train, test[test["stage"] != "II"], schema)["mean"] > full["mean"]


def test_regression_utility_is_r2(train, test):
    schema = Schema(COLUMNS, label="bmi", group="person")
    real, shuffled = utility_score(train, test, schema), utility_score(shuffle(train), test, schema)
    assert list(real.index) == ["mean", "ridge", "random_forest"]
    assert shuffled["mean"] < 0.3 < real["mean"] < 1
    assert f"{train['bmi'].isna().sum()} rows to fit on" in utility_note(train, test, schema)


# Privacy


def test_copies_of_train_are_told_from_test(train, test):
    copy = train.drop(columns="person").sample(frac=1, random_state=0)
    auc = membership_auc(train, test, copy, SCHEMA)
    assert 0.97 < auc <= 1
    assert near_copy_share(train, test, copy, SCHEMA) == 1
    assert exact_copies(train, copy, SCHEMA) == len(train)


def test_distances_to_copies_are_exactly_zero_and_never_nan():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(300, 40)) * 1e3
    assert not nearest_distances(points, points[rng.permutation(300)]).any()
    targets = rng.normal(size=(50, 40)) * 1e3
    expected = np.sqrt(((points[:, None] - targets) ** 2).sum(axis=2)).min(axis=1)
    assert np.allclose(nearest_distances(points, targets), expected, rtol=1e-12)


def test_noise_gives_nobody_away(train, test):
    rng = np.random.default_rng(0)
    noise = shuffle(make_patients(450, 3)).assign(pressure=rng.uniform(0, 1_000, 450), age=rng.integers(0, 200, 450))
    assert membership_auc(train, test, noise, SCHEMA) == pytest.approx(0.5, abs=0.07)
    assert near_copy_share(train, test, noise, SCHEMA) < 0.01
    assert exact_copies(train, noise, SCHEMA) == 0


def test_fresh_rows_are_as_near_as_the_test_rows(train, test, synthetic):
    assert membership_auc(train, test, synthetic, SCHEMA) == pytest.approx(0.5, abs=0.07)
    assert near_copy_share(train, test, synthetic, SCHEMA) < 0.05
    assert near_copy_share(train, test, test, SCHEMA) <= 0.02


def test_a_planted_copy_is_counted(train, synthetic):
    assert exact_copies(train, synthetic, SCHEMA) == 0
    planted = pd.concat([synthetic, train.iloc[[7, 8]][SCHEMA.names]])
    assert exact_copies(train, planted, SCHEMA) == 2
    almost = train.iloc[[7]].assign(pressure=lambda table: table["pressure"] + 1e-9)
    assert exact_copies(train, almost, SCHEMA) == 0
    filled = train.iloc[[7]].assign(empty=0.0)
    assert exact_copies(train, filled, SCHEMA) == 0


def test_a_copy_is_a_copy_in_every_dtype(train, tmp_path):
    train.to_csv(tmp_path / "train.csv", index=False)
    assert exact_copies(train, pd.read_csv(tmp_path / "train.csv"), SCHEMA) == len(train)
    narrow = train.astype(
        {"pressure": "float32", "bmi": "Float32", "age": "float64", "diabetes": bool, "site": "category"}
    )
    assert exact_copies(train, narrow.assign(smoker=train["smoker"].astype("Int64")), SCHEMA) == len(train)


def test_copies_among_few_distinct_rows_are_near_copies():
    schema = Schema((Column("sex", "binary", ("f", "m")), Column("smoker", "binary", (0, 1))))
    rng = np.random.default_rng(0)
    train, test = (pd.DataFrame({"sex": rng.choice(["f", "m"], 100), "smoker": rng.integers(0, 2, 100)}) for _ in "ab")
    assert near_copy_share(train, test, train, schema) == 1
    assert membership_auc(train, test, train, schema) == 0.5


# All scores


def test_every_metric_is_a_row(scores):
    assert list(scores.columns) == ["family", "value", "goal", "reference", "note"]
    assert list(scores.index) == [*FIDELITY_METRICS, *CLASSIFIER_METRICS, *PRIVACY_METRICS]
    assert set(scores["goal"]) == {"minimise", "maximise", "0.5"}
    assert scores[["value", "reference"]].notna().all(axis=None)


def test_scores_are_in_range(scores):
    shares = scores.drop(index="exact copies")[["value", "reference"]]
    assert shares.ge(0).all(axis=None) and shares.le(1).all(axis=None)
    assert scores.loc["KS max", "value"] >= scores.loc["KS mean", "value"]
    assert scores.loc["S2R AUC", "value"] == pytest.approx(scores.loc[list(CLASSIFIER_METRICS[1:4]), "value"].mean())
    assert scores.loc["S2R AUC", "reference"] == scores.loc["R2S AUC", "reference"]


def test_rows_of_the_same_source_score_like_the_reference(scores):
    assert (scores["value"] - scores["reference"]).abs().max() < 0.15
    assert "1 empty columns left out" in scores.loc["KS mean", "note"]


def test_scores_can_be_repeated(train, test, synthetic, scores):
    again = evaluate(train, test, synthetic, SCHEMA).set_index("metric")
    pd.testing.assert_frame_equal(scores, again)


def test_without_slow_the_classifiers_are_listed_as_left_out(train, test, synthetic, scores):
    quick = evaluate(train, test, synthetic, SCHEMA, slow=False).set_index("metric")
    assert list(quick.index) == list(scores.index)
    left_out = quick.index[quick["value"].isna()]
    assert list(left_out) == ["detection AUC", *CLASSIFIER_METRICS]
    assert quick.loc[left_out, "note"].str.contains("slow=False").all()


def test_without_label_the_utility_rows_say_so(train, test, synthetic):
    scores = evaluate(train, test, synthetic, Schema(COLUMNS, group="person")).set_index("metric")
    assert scores.loc[list(CLASSIFIER_METRICS), "value"].isna().all()
    assert (scores.loc[list(CLASSIFIER_METRICS), "note"] == "not computed: the schema names no label").all()


def test_regression_scores_are_r2(train, test, synthetic):
    scores = evaluate(train, test, synthetic, Schema(COLUMNS, "pressure", "person")).set_index("metric")
    assert {"S2R R2", "S2R R2 (ridge)", "S2R R2 (random_forest)", "R2S R2"} <= set(scores.index)
    assert scores["value"].notna().all()


def test_a_generator_that_knows_one_class_is_scored(train, test, synthetic):
    scores = evaluate(train, test, synthetic.assign(diabetes=0), SCHEMA).set_index("metric")
    assert scores.loc["S2R AUC", "value"] == 0.5
    assert "every AUC is 0.5" in scores.loc["S2R AUC", "note"]
    assert np.isnan(scores.loc["R2S AUC", "value"]) and "does not vary" in scores.loc["R2S AUC", "note"]
    assert scores.loc["R2S AUC", "reference"] > 0.8


def test_a_table_of_one_column_lists_what_has_no_value(train, test, synthetic):
    schema = Schema((Column("pressure", "numeric"),))
    scores = evaluate(train, test, synthetic, schema).set_index("metric")
    without_value = scores.index[scores["value"].isna()]
    assert list(without_value) == ["TV mean", "association difference", *CLASSIFIER_METRICS]
    assert (scores.loc[without_value, "note"].str.startswith("not computed: ")).all()


def test_test_rows_of_one_person_leave_references_open(train, test, synthetic):
    scores = evaluate(train, test.assign(person=1), synthetic, SCHEMA).set_index("metric")
    for metric in ("detection AUC", "membership AUC"):
        assert scores.loc[metric, "value"] > 0.3 and np.isnan(scores.loc[metric, "reference"])
        assert scores.loc[metric, "note"].startswith("reference: not computed: ")


def test_evaluate_names_an_absent_column(train, test, synthetic):
    with pytest.raises(ValueError, match=r"synthetic table lacks 1 of 9 columns.*'age'"):
        evaluate(train, test, synthetic.rename(columns={"age": "Age"}), SCHEMA)
    with pytest.raises(ValueError, match="synthetic table has no rows"):
        evaluate(train, test, synthetic.iloc[:0], SCHEMA)


# Figures


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n_columns", [1, 4, 12])
def test_marginals_figure_shows_the_worst_columns_first(train, synthetic, n_columns, tmp_path):
    worse = synthetic.assign(pressure=synthetic["pressure"] + 50)
    figure = marginals_figure(train, worse, SCHEMA, n_columns, title="SIMULATED cohort")
    assert isinstance(figure, Figure) and "SIMULATED cohort" in figure.get_suptitle()
    assert figure.axes[0].get_title().startswith("pressure  KS")
    assert sum(bool(panel.get_title()) for panel in figure.axes) == min(n_columns, len(COLUMNS))
    figure.savefig(tmp_path / "marginals.png")


@pytest.mark.filterwarnings("error")
def test_association_figure_has_a_common_and_an_own_scale(train, synthetic, tmp_path):
    figure = association_figure(train, synthetic, SCHEMA, title="SIMULATED cohort")
    limits = [panel.images[0].get_clim() for panel in figure.axes[:3]]
    assert limits[0] == limits[1] == (-1, 1)
    assert limits[2][0] == -limits[2][1] and 0 < limits[2][1] < 1
    assert "SIMULATED cohort" in figure.get_suptitle()
    figure.savefig(tmp_path / "association.png")
