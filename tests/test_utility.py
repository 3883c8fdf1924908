import numpy as np
import pytest
from evaluation_tables import COLUMNS, SCHEMA, shuffle

from rlsyn.evaluation.features import NotComputableError
from rlsyn.evaluation.utility import utility_note, utility_score
from rlsyn.schema import Column, Schema


def test_utility_of_informative_rows_beats_that_of_shuffled_ones(train, test):
    real, shuffled = utility_score(train, test, SCHEMA), utility_score(shuffle(train), test, SCHEMA)
    assert list(real.index) == ["mean", "logistic_regression", "random_forest", "lightgbm", "svc"]
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
    assert list(real.index) == ["mean", "ridge", "random_forest", "lightgbm"]
    assert shuffled["mean"] < 0.3 < real["mean"] < 1
    assert f"{train['bmi'].isna().sum()} rows to fit on" in utility_note(train, test, schema)
