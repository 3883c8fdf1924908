import pickle

import lightgbm
import numpy as np
import pandas as pd
import pytest
from evaluation_tables import COLUMNS, SCHEMA, make_patients, shuffle
from sklearn.calibration import calibration_curve
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import auc, brier_score_loss, r2_score, roc_auc_score
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import SVC

from rlsyn.evaluation import utility
from rlsyn.evaluation.features import NotComputableError
from rlsyn.evaluation.utility import fit_and_predict, label_models, utility_score
from rlsyn.schema import Column, Schema

pytestmark = pytest.mark.filterwarnings("error::UserWarning", "error::RuntimeWarning", "error::FutureWarning")

STAGES = Schema(COLUMNS, label="stage", group="person")
QUANTITY = Schema(COLUMNS, label="bmi", group="person")
PLAIN = Schema(
    (Column("age", "integer"), Column("pressure", "numeric"), Column("diabetes", "binary", (0, 1))), "diabetes"
)
LIGHTGBM = {"n_estimators": 100, "learning_rate": 0.05, "num_leaves": 15, "colsample_bytree": 0.5}
BY_HAND = {
    "logistic_regression": LogisticRegression(max_iter=5_000),
    "random_forest": RandomForestClassifier(200, random_state=3),
    "lightgbm": lightgbm.LGBMClassifier(**LIGHTGBM, random_state=3, n_jobs=1, verbose=-1),
    "svc": SVC(),
    "lightgbm_paper": lightgbm.LGBMClassifier(
        n_estimators=500,
        learning_rate=0.01,
        num_leaves=50,
        max_depth=15,
        colsample_bytree=0.9,
        subsample=0.9,
        subsample_freq=40,
        reg_alpha=1.3,
        min_split_gain=0.3,
        random_state=3,
        n_jobs=1,
        verbose=-1,
    ),
}
REGRESSORS_BY_HAND = {
    "ridge": Ridge(),
    "random_forest": RandomForestRegressor(200, max_features=1 / 3, random_state=3),
    "lightgbm": lightgbm.LGBMRegressor(**LIGHTGBM, random_state=3, n_jobs=1, verbose=-1),
}


def predict(fitted, scored, schema=SCHEMA, model="logistic_regression", seed=0):
    return fit_and_predict(model, fitted, [scored], schema, seed)[0]


def logistic(tables, schema=SCHEMA):
    return {"logistic_regression": predict(*tables, schema)}


# What the score means


def test_utility_of_informative_rows_beats_that_of_shuffled_ones(train, test):
    real, shuffled = utility_score(train, test, SCHEMA), utility_score(shuffle(train), test, SCHEMA)
    assert list(real.index) == ["mean", *label_models.CLASSIFIERS]
    assert real["mean"] == pytest.approx(real.iloc[1:].mean())
    assert (real > 0.8).all()
    assert shuffled["mean"] == pytest.approx(0.5, abs=0.15)


def test_utility_does_not_see_the_label_or_the_person(train, test):
    columns = (Column("noise", "numeric"), Column("diabetes", "binary", (0, 1)))
    rng = np.random.default_rng(0)
    tables = [table.assign(noise=rng.normal(size=len(table)), person=table["diabetes"]) for table in (train, test)]
    assert utility_score(*tables, Schema(columns, "diabetes", "person"))["mean"] == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize("model", label_models.CLASSIFIERS)
def test_classifiers_are_those_of_scikit_learn_and_lightgbm(train, test, model):
    scaler = MinMaxScaler().fit(train[["age", "pressure"]])
    features, test_features = (scaler.transform(table[["age", "pressure"]]) for table in (train, test))
    by_hand = BY_HAND[model].fit(features, train["diabetes"])
    scores = by_hand.decision_function(test_features) if model == "svc" else by_hand.predict_proba(test_features)[:, 1]
    [predictions] = fit_and_predict(model, train, [test], PLAIN, 3)
    assert np.allclose(predictions[:, 1], scores, atol=1e-6)
    assert utility.score(predictions, test, PLAIN) == pytest.approx(roc_auc_score(test["diabetes"], scores))


@pytest.mark.parametrize("model", label_models.REGRESSORS)
def test_regressors_are_those_of_scikit_learn_and_lightgbm(train, test, model):
    schema = Schema(
        (Column("age", "integer"), Column("diabetes", "binary", (0, 1)), Column("pressure", "numeric")), "pressure"
    )
    scaler = MinMaxScaler().fit(train[["age", "diabetes"]])
    by_hand = REGRESSORS_BY_HAND[model].fit(scaler.transform(train[["age", "diabetes"]]), train["pressure"])
    expected = by_hand.predict(scaler.transform(test[["age", "diabetes"]]))
    [predictions] = fit_and_predict(model, train, [test], schema, 3)
    assert np.allclose(predictions, expected)
    assert utility.score(predictions, test, schema) == pytest.approx(r2_score(test["pressure"], expected))


def test_multiclass_score_is_macro_one_versus_rest(train, test):
    predictions = predict(train, test, STAGES)
    expected = roc_auc_score(test["stage"], predictions, multi_class="ovr", average="macro")
    assert utility.score(predictions, test, STAGES) == pytest.approx(expected) and expected > 0.75
    # A class that the fitted rows lack gets one half, a class that the scored rows lack is left out.
    lacking = train[train["stage"] != "II"]
    partial = utility_score(lacking, test, STAGES, fast=True)
    assert partial.notna().all() and 0.5 < partial["mean"] < expected
    assert utility.note(lacking, test, STAGES) == "label II absent from the rows to fit on: AUC 0.5 for it"
    assert utility.score(predictions[test["stage"] != "II"], test[test["stage"] != "II"], STAGES) > expected


@pytest.mark.parametrize(("n_people", "has_a_say"), [(1, False), (4, False), (5, True)])
def test_a_class_of_few_people_has_no_say(train, test, n_people, has_a_say):
    rare = test.replace({"stage": {"II": "I"}})
    is_rare = rare["person"].isin(rare["person"].unique()[:n_people])  # three rows each
    rare.loc[is_rare, "stage"] = "II"
    predictions = predict(train, rare, STAGES)
    score = utility.score(predictions, rare, STAGES)
    codes = rare["stage"].map({name: i for i, name in enumerate(STAGES["stage"].categories)}).to_numpy()
    by_hand = {one: roc_auc_score(codes == one, predictions[:, one]) for one in np.unique(codes)}
    ii = STAGES["stage"].categories.index("II")
    assert score == pytest.approx(np.mean([auc for one, auc in by_hand.items() if has_a_say or one != ii]))
    left_out = "a label of fewer than 5 people to score on left out of the mean"
    assert (utility.note(train, rare, STAGES) == left_out) is not has_a_say
    lacking = train.replace({"stage": {"II": "I"}})
    absent = "label II absent from the rows to fit on: AUC 0.5 for it"
    assert utility.note(lacking, rare, STAGES) == (absent if has_a_say else left_out)
    assert utility.note(train, rare.assign(diabetes=is_rare.astype(int)), SCHEMA) == ""  # of two classes both count


def test_classes_that_are_all_rare_are_all_scored(train, test):
    few = test[test["person"].isin([test.loc[test["stage"] == stage, "person"].iloc[0] for stage in ("I", "II")])]
    assert few["stage"].nunique() >= 2
    assert 0 <= utility.score(predict(train, few, STAGES), few, STAGES) <= 1


def test_a_note_names_no_label_of_one_or_two_people(train, test):
    few, lacking = test.head(6).assign(stage=["I"] * 3 + ["II"] * 3), train[train["stage"] != "II"]
    assert utility.note(lacking, few, STAGES).startswith("a rare label absent from the rows to fit on: AUC 0.5 for it")


@pytest.mark.parametrize(("n_people", "named"), [(1, False), (2, False), (3, True)])
def test_a_note_tells_no_number_of_rows_of_one_or_two_people(train, test, n_people, named):
    rare = test.replace({"stage": {"II": "I"}})
    rare.loc[rare["person"].isin(rare["person"].unique()[:n_people]), "stage"] = "II"  # three rows each
    unlabelled = test.assign(stage=test["stage"].mask(rare["stage"] == "II"))
    n_rows = 3 * n_people if named else "a few"
    assert f"{n_rows} rows to score on without a valid label" in utility.note(train, unlabelled, STAGES)


@pytest.mark.parametrize("model", label_models.CLASSIFIERS)
def test_every_classifier_takes_many_classes_and_leaves_absent_ones_at_zero(train, test, model):
    predictions = predict(train[train["stage"] != "II"], test, STAGES, model)
    assert predictions.shape == (len(test), 3) and (predictions[:, 1] == 0).all()
    assert utility.score(predictions, test, STAGES) > 0.55


def test_regression_utility_is_r2(train, test):
    real, shuffled = utility_score(train, test, QUANTITY), utility_score(shuffle(train), test, QUANTITY)
    assert list(real.index) == ["mean", "ridge", "random_forest", "lightgbm"]
    assert shuffled["mean"] < 0.3 < real["mean"] < 1
    assert f"{train['bmi'].isna().sum()} rows to fit on" in utility.note(train, test, QUANTITY)


def test_auc_is_a_rank_statistic_without_a_threshold_grid(train, test):
    # The reference swept fixed thresholds and lost what lay beyond them.
    predictions = predict(train, test)
    assert utility.score(1e9 * predictions - 1e6, test, SCHEMA) == utility.score(predictions, test, SCHEMA)


def test_synthetic_rows_equal_to_train_reach_the_real_score_exactly(train, test):
    real, synthetic = (predict(fitted, test, model="random_forest") for fitted in (train, train[SCHEMA.names]))
    assert np.array_equal(real, synthetic)


def test_syntheval_agrees_up_to_its_grid(train, test, tmp_path, monkeypatch):
    # Both subtract the AUC of a logistic regression fitted on real rows from that of one fitted on synthetic rows.
    # syntheval reads the ROC curves off a grid of false positive rates, which moves each AUC by up to a grid step.
    monkeypatch.chdir(tmp_path)  # syntheval leaves a file where it runs
    auroc = pytest.importorskip("syntheval.metrics.utility.metric_auroc_difference")
    scaler = MinMaxScaler().fit(train[["age", "pressure"]])
    synthetic = shuffle(train.head(300))
    tables = [
        table[["age", "pressure", "diabetes"]].assign(
            **dict(zip(["age", "pressure"], scaler.transform(table[["age", "pressure"]]).T, strict=True))
        )
        for table in (train, synthetic, test)
    ]
    theirs = auroc.PredictionAUROCDifference(
        *tables,
        ["diabetes"],
        ["age", "pressure"],
        analysis_target="diabetes",
        do_preprocessing=False,
        verbose=False,
        plot_figures=False,
    ).evaluate()["auroc_diff"]
    ours = [utility.score(predict(fitted, test, PLAIN), test, PLAIN) for fitted in (synthetic, train)]
    assert ours[0] - ours[1] == pytest.approx(theirs, abs=0.02) and abs(theirs) > 0.05


# Robustness


@pytest.mark.parametrize("far", [1e29, 1e300, -1.7e308])
@pytest.mark.parametrize("model", label_models.REGRESSORS)
def test_quantities_far_away_have_a_finite_score_and_raise_no_warning(train, test, model, far, recwarn):
    astray = train.assign(bmi=train["bmi"].where(train.index != 7, far))
    s2r = utility.score(predict(astray, test, QUANTITY, model), test, QUANTITY)
    r2s = utility.estimate({model: predict(train, astray, QUANTITY, model)}, astray, QUANTITY, 0, True)["R2"]
    assert -np.inf < s2r < -1e6 and np.isfinite(r2s.value) and r2s.value < 0.01
    assert not recwarn.list


@pytest.mark.parametrize("model", label_models.REGRESSORS)
def test_quantities_of_any_common_unit_are_not_cut(train, test, model):
    # Some 1e23, as molecules are counted; by a power of two, which moves no digit and so no tie between splits.
    tables = [table.assign(bmi=table["bmi"] * 2.0**76) for table in (train, test)]
    expected = utility.score(predict(train, test, QUANTITY, model), test, QUANTITY)
    assert utility.score(predict(*tables, QUANTITY, model), tables[1], QUANTITY) == pytest.approx(expected, abs=1e-6)


def test_scaling_does_not_leak_from_the_scored_rows(train, test):
    # The reference scaled by the extremes of all rows, test rows included.
    extreme = pd.concat([test, test.head(1).assign(pressure=1e5, age=900)], ignore_index=True)
    for model in ("logistic_regression", "svc"):
        assert np.allclose(predict(train, extreme, model=model)[:-1], predict(train, test, model=model), atol=1e-12)


def test_one_fit_scores_many_tables_in_all_their_rows(train, test):
    unlabelled = test.assign(diabetes=np.nan)
    first, second, third = fit_and_predict("lightgbm", train, [test, train, unlabelled], SCHEMA, 0)
    assert len(first) == len(test) and len(second) == len(train)
    assert np.array_equal(first, third)


@pytest.mark.parametrize("schema", [SCHEMA, STAGES, QUANTITY], ids=["binary", "classes", "quantity"])
def test_every_model_takes_missing_and_unseen_values_and_unlabelled_rows(train, test, schema):
    holes = test.assign(
        site="mars", smoker=None, age=np.nan, bmi=np.where(np.arange(len(test)) < 9, np.nan, test["bmi"])
    )
    gaps = train.assign(pressure=np.nan, diabetes=train["diabetes"].where(np.arange(len(train)) > 9))
    for model in utility.models(schema, fast=False):
        predictions = predict(gaps, holes, schema, model)
        assert len(predictions) == len(holes) and np.isfinite(predictions).all()
        known = holes[schema.label].notna().to_numpy()
        assert utility.score(predictions, holes, schema) == utility.score(predictions[known], holes[known], schema)


@pytest.mark.parametrize("dtype", [float, str, object, bool, "Int64", "category"])
def test_labels_may_come_in_any_dtype(train, test, dtype):
    other, other_test = (table.assign(diabetes=table["diabetes"].astype(dtype)) for table in (train, test))
    assert utility_score(other, other_test, SCHEMA, fast=True).equals(utility_score(train, test, SCHEMA, fast=True))


def test_utility_of_a_single_label_class_is_one_half_with_a_note(train, test):
    single = train.assign(diabetes=1)
    assert (utility_score(single, test, SCHEMA) == 0.5).all()
    assert "one label value only" in utility.note(single, test, SCHEMA)
    assert (predict(single, test) == [0, 1]).all() and (predict(single, test, model="svc") == 0).all()
    assert utility.brier(predict(single, test), test, SCHEMA) == pytest.approx(1 - test["diabetes"].mean())


@pytest.mark.parametrize("model", ["logistic_regression", "svc", "lightgbm"])
def test_models_of_wide_separable_tables_converge_without_warnings(model):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.lognormal(0, 2, (120, 300)), columns=[f"x{i}" for i in range(300)])
    table["y"] = (table["x0"] > 1).astype(int)
    schema = Schema((*[Column(name, "numeric") for name in table.columns[:-1]], Column("y", "binary", (0, 1))), "y")
    assert utility.score(predict(table, table, schema, model), table, schema) > 0.95


def test_the_same_seed_gives_the_same_predictions_and_touches_no_global_state(train, test):
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, other = (predict(train, test, model="random_forest", seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert np.array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_many_rows_are_sampled_with_a_note_and_predicted_in_chunks(train, test, monkeypatch):
    whole = predict(train, test, model="svc")
    monkeypatch.setattr(label_models, "CHUNK", 50)
    assert np.allclose(predict(train, test, model="svc"), whole)
    monkeypatch.setitem(label_models.MAX_ROWS, "svc", 100)
    sampled = predict(train, test, model="svc")
    assert not np.allclose(sampled, whole) and np.array_equal(sampled, predict(train, test, model="svc"))
    assert utility.note(train, test, SCHEMA) == "svc fitted on 100 of 450 rows"
    assert utility.note(train, test, SCHEMA, fast=True) == ""
    by_label = train.sort_values("diabetes", kind="stable")  # the first rows are no sample
    assert utility.score(predict(by_label, test, model="svc"), test, SCHEMA) > 0.7


@pytest.mark.parametrize(
    ("change", "schema", "reason"),
    [
        ({}, Schema(COLUMNS), "names no label"),
        ({}, Schema((Column("diabetes", "binary", (0, 1)),), "diabetes"), "no column besides the label"),
        ({"fitted": None}, SCHEMA, "no row has a label that train knows in the table to fit on"),
        ({"scored": None}, SCHEMA, "no row has a label that train knows in the table to score on"),
        ({"scored": 1}, SCHEMA, "does not vary in the table to score on"),
    ],
)
def test_tables_without_a_score_tell_the_reason(train, test, change, schema, reason):
    tables = {"fitted": train, "scored": test}
    tables |= {role: tables[role].assign(diabetes=value) for role, value in change.items()}
    with pytest.raises(NotComputableError, match=reason):
        utility_score(*tables.values(), schema)


def test_mistakes_of_the_caller_are_named(train, test):
    with pytest.raises(ValueError, match="Did you mean 'svc'"):
        predict(train, test, model="svm")
    with pytest.raises(ValueError, match="Unknown regression model 'svc'"):
        predict(train, test, QUANTITY, "svc")
    with pytest.raises(ValueError, match="each of the 210 rows of the table, got 10"):
        utility.score(predict(train, test)[:10], test, SCHEMA)
    with pytest.raises(ValueError, match="at least one model"):
        utility.estimate({}, test, SCHEMA, 0, False)


# Metrics and their intervals


@pytest.mark.parametrize("schema", [SCHEMA, STAGES, QUANTITY], ids=["binary", "classes", "quantity"])
@pytest.mark.parametrize("fast", [False, True])
def test_every_declared_metric_has_an_estimate_within_its_range(train, test, schema, fast):
    models = utility.models(schema, fast)
    predictions, worse = (
        {model: predict(rows, test, schema, model) for model in models} for rows in (train, train[:60])
    )
    estimates = utility.estimate(worse, test, schema, 0, True, predictions)
    declared = {metric.name: metric for metric in utility.metrics(schema, fast)}
    assert {name.split(" ", 1)[1] for name in declared} == set(estimates)
    for name, metric in declared.items():
        estimate = estimates[name.split(" ", 1)[1]]
        assert metric.low <= estimate.low < estimate.value < estimate.high <= metric.high
    of_reference, scores = (
        np.mean([utility.score(values, test, schema) for values in one.values()]) for one in (predictions, worse)
    )
    first = next(iter(estimates))
    assert estimates[first].value == pytest.approx(scores)
    assert estimates[f"{first} loss"].value == pytest.approx(of_reference - scores)
    without = utility.estimate(worse, test, schema, 0, False, predictions)
    assert {key: one.value for key, one in without.items()} == {key: one.value for key, one in estimates.items()}
    assert np.isnan([one.low for one in without.values()]).all()


def test_metrics_name_the_models_and_fast_leaves_out_the_slow_ones():
    assert [metric.name for metric in utility.metrics(SCHEMA, fast=True)] == [
        *("S2R AUC", "S2R AUC loss", "S2R AUC (logistic_regression)", "S2R AUC (lightgbm)", "S2R Brier", "R2S AUC"),
    ]
    assert utility.models(QUANTITY, fast=True) == ("ridge", "lightgbm")
    assert [metric.name for metric in utility.metrics(QUANTITY, fast=True)] == [
        *("S2R R2", "S2R R2 loss", "S2R R2 (ridge)", "S2R R2 (lightgbm)", "R2S R2"),
    ]
    assert utility.metrics(Schema(COLUMNS), fast=False) == utility.metrics(SCHEMA, fast=False)
    for part in (fit_and_predict, utility.estimate, utility.roc, utility.calibration, utility.metrics(SCHEMA, False)):
        assert pickle.loads(pickle.dumps(part)) == part


def test_interval_covers_what_the_model_reaches_on_everybody(train):
    everybody = make_patients(10_000, 5)
    truth = utility.score(predict(train, everybody), everybody, SCHEMA)
    inside = 0
    for seed in range(25):
        others = make_patients(200, 100 + seed, rows_per_person=1)
        estimate = utility.estimate(logistic((train, others)), others, SCHEMA, seed, True)["AUC"]
        inside += estimate.low <= truth <= estimate.high
    assert inside >= 21


def test_interval_of_the_loss_covers_what_is_lost_on_everybody_and_is_that_of_pairs(train):
    everybody = make_patients(10_000, 5)
    on_everybody = [utility.score(predict(rows, everybody), everybody, SCHEMA) for rows in (train, train[:60])]
    truth = on_everybody[0] - on_everybody[1]
    inside, widths = 0, []
    for seed in range(25):
        others = make_patients(200, 100 + seed, rows_per_person=1)
        real, worse = (logistic((rows, others)) for rows in (train, train[:60]))
        found = utility.estimate(worse, others, SCHEMA, seed, True, real)
        inside += found["AUC loss"].low <= truth <= found["AUC loss"].high
        widths.append([found[key].high - found[key].low for key in ("AUC loss", "AUC")])
    assert truth > 0.005 and inside >= 21
    of_loss, of_score = np.mean(widths, axis=0)
    assert of_loss < 0.8 * of_score


def test_nothing_is_lost_to_oneself_for_sure(train, test):
    own = logistic((train, test))
    assert utility.estimate(own, test, SCHEMA, 0, True, own)["AUC loss"] == (0, 0, 0)
    assert "AUC loss" not in utility.estimate(own, test, SCHEMA, 0, True)
    with pytest.raises(ValueError, match="each of the 210 rows of the table, got 10"):
        utility.estimate(own, test, SCHEMA, 0, True, {model: values[:10] for model, values in own.items()})


def test_interval_shrinks_with_more_rows_and_widens_when_rows_share_a_person(train):
    def width(table):
        estimate = utility.estimate(logistic((train, table)), table, SCHEMA, 0, True)["AUC"]
        return estimate.high - estimate.low

    few, many = make_patients(200, 7, rows_per_person=1), make_patients(3_200, 7, rows_per_person=1)
    repeated = pd.concat([few] * 16, ignore_index=True)
    assert width(many) < 0.5 * width(few)
    assert width(repeated) == pytest.approx(width(few), rel=0.2)


def test_interval_is_absent_where_one_person_has_all_rows_of_a_class(train, test):
    one = test.assign(person=np.where(test["diabetes"] == 1, -1, test["person"]))
    one = one[(one["diabetes"] == 0) | (np.arange(len(one)) < 50)]
    estimate = utility.estimate(logistic((train, one)), one, SCHEMA, 0, True)["AUC"]
    assert 0.5 < estimate.value < 1 and np.isnan([estimate.low, estimate.high]).all()


# Probabilities


@pytest.mark.parametrize("model", label_models.CLASSIFIERS)
def test_brier_score_is_that_of_scikit_learn_where_there_are_probabilities(train, test, model):
    predictions = predict(train, test, model=model)
    if model == "svc":
        with pytest.raises(NotComputableError, match="no probabilities"):
            utility.brier(predictions, test, SCHEMA)
    else:
        expected = brier_score_loss(test["diabetes"], predictions[:, 1])
        assert utility.brier(predictions, test, SCHEMA) == pytest.approx(expected)


def test_brier_score_of_classes_is_between_zero_and_one(test):
    truth = np.eye(3)[test["stage"].map({"I": 0, "II": 1, "III": 2})]
    assert utility.brier(truth, test, STAGES) == 0
    assert utility.brier(np.roll(truth, 1, axis=1), test, STAGES) == 1
    assert utility.brier(np.full_like(truth, 1 / 3), test, STAGES) == pytest.approx(1 / 3)


def test_mean_brier_leaves_out_models_without_probabilities(train, test):
    predictions = {model: predict(train, test, model=model) for model in ("logistic_regression", "svc")}
    estimates = utility.estimate(predictions, test, SCHEMA, 0, False)
    assert estimates["Brier"].value == utility.brier(predictions["logistic_regression"], test, SCHEMA)
    assert "Brier" not in utility.estimate({"svc": predictions["svc"]}, test, SCHEMA, 0, False)


def test_brier_score_sees_a_shift_of_the_label_that_the_auc_does_not(train, test):
    # Ranking is all that the AUC knows; a generator that doubles a disease gives models that cry wolf.
    common = pd.concat([train, *[train[train["diabetes"] == 1]] * 4])
    real, shifted = (utility.estimate(logistic((rows, test)), test, SCHEMA, 0, False) for rows in (train, common))
    assert shifted["AUC"].value == pytest.approx(real["AUC"].value, abs=0.02)
    assert shifted["Brier"].value > real["Brier"].value + 0.02


@pytest.mark.parametrize("model", ["random_forest", "svc"])
def test_roc_curve_encloses_the_auc(train, test, model):
    predictions = predict(train, test, model=model)
    curve = utility.roc(predictions, test, SCHEMA)
    assert curve.iloc[0].tolist() == [0, 0] and curve.iloc[-1].tolist() == [1, 1]
    area = auc(curve["false_positive_rate"], curve["true_positive_rate"])
    assert area == pytest.approx(utility.score(predictions, test, SCHEMA))


def test_roc_curve_of_many_rows_is_thinned(train):
    many = make_patients(3_000, 4)
    predictions = predict(train, many)
    curve = utility.roc(predictions, many, SCHEMA)
    area = auc(curve["false_positive_rate"], curve["true_positive_rate"])
    assert len(curve) == utility.MAX_ROC_POINTS
    assert area == pytest.approx(utility.score(predictions, many, SCHEMA), abs=0.005)


def test_calibration_curve_is_that_of_scikit_learn(train, test):
    alone = test.drop(columns="person")
    predictions = predict(train, alone)
    curve = utility.calibration(predictions, alone, SCHEMA)
    observed, predicted = calibration_curve(alone["diabetes"], predictions[:, 1], n_bins=10, strategy="quantile")
    assert np.allclose(curve["observed"], observed) and np.allclose(curve["predicted"], predicted)
    assert curve["n_people"].sum() == len(alone)


@pytest.mark.parametrize(("n_people", "n_points"), [(70, 8), (12, 2), (5, 1)])
def test_calibration_curve_shows_no_bin_of_fewer_than_five_people(train, test, n_people, n_points):
    some = test.assign(person=np.arange(len(test)) % n_people)
    curve = utility.calibration(predict(train, some), some, SCHEMA)
    assert curve["n_people"].min() >= 5 and len(curve) >= n_points
    few = some.assign(person=some["person"] % 4)
    assert few["person"].nunique() == 4
    with pytest.raises(NotComputableError, match="fewer than 5 people"):
        utility.calibration(predict(train, few), few, SCHEMA)


def test_calibration_curve_joins_bins_that_few_people_fill_with_their_rows(train, test):
    """Twelve people in order of their predictions: three bins would have four of them, two have six."""
    predictions = predict(train, test)
    rank = predictions[:, 1].argsort(kind="stable").argsort()
    curve = utility.calibration(predictions, test.assign(person=rank * 12 // len(test)), SCHEMA)
    assert len(curve) == 2 and curve["n_people"].between(6, 7).all()


def test_calibration_of_equal_probabilities_is_one_point(train, test):
    curve = utility.calibration(np.full((len(test), 2), 0.5), test, SCHEMA)
    assert curve[["predicted", "observed"]].to_numpy().tolist() == [[0.5, pytest.approx(test["diabetes"].mean())]]


def test_calibration_of_a_quantity_is_its_mean_by_bins_of_predictions(train, test):
    alone = test.drop(columns="person")
    curve = utility.calibration(predict(train, alone, QUANTITY, "ridge"), alone, QUANTITY)
    assert len(curve) == 10 and curve["predicted"].is_monotonic_increasing
    assert curve["observed"].corr(curve["predicted"]) > 0.7 and curve["n_people"].min() >= 5


def test_curves_need_a_binary_label_and_calibration_needs_probabilities(train, test):
    with pytest.raises(NotComputableError, match="not binary"):
        utility.roc(predict(train, test, STAGES), test, STAGES)
    with pytest.raises(NotComputableError, match="not binary"):
        utility.calibration(predict(train, test, STAGES), test, STAGES)
    with pytest.raises(NotComputableError, match="no probabilities"):
        utility.calibration(predict(train, test, model="svc"), test, SCHEMA)
