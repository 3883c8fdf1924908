import numpy as np
import pandas as pd
import pytest
from evaluation_tables import COLUMNS, SCHEMA

from rlsyn.evaluation import evaluate
from rlsyn.schema import Column, Schema

CLASSIFIER_METRICS = ("S2R AUC", "S2R AUC (svc)", "S2R AUC (random_forest)", "S2R AUC (logistic_regression)", "R2S AUC")
FIDELITY_METRICS = (
    *("KS mean", "KS max", "TV mean", "missing rate difference"),
    *("association difference", "detection AUC"),
)
PRIVACY_METRICS = ("membership AUC", "near copies", "exact copies")


@pytest.fixture(scope="module")
def scores(train, test, synthetic):
    return evaluate(train, test, synthetic, SCHEMA).set_index("metric")


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
