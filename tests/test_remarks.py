"""Remarks by themselves: each at the limit from which it is told, and about nothing else."""

import numpy as np
import pandas as pd
import pytest
from evaluation_tables import SCHEMA, make_patients

from rlsyn.evaluation.measure import Tables
from rlsyn.evaluation.privacy import how_alike
from rlsyn.evaluation.remarks import remarks_on_kinds_of_people, remarks_on_tables


def told(train, test, synthetic):
    details = {"traces": {}, "foreign columns": {}}
    return remarks_on_tables(Tables(train, test, synthetic, SCHEMA), how_alike(train, test, SCHEMA), details)


def test_of_tables_without_a_fault_nothing_is_told(train, test, synthetic):
    assert told(train, test, synthetic) == ()


@pytest.mark.parametrize(("n_people", "is_told"), [(49, True), (50, False)])
def test_few_test_people_are_told_by_people_and_not_by_rows(train, test, synthetic, n_people, is_told):
    some = test[test["person"] < test["person"].min() + n_people]
    assert len(some) == 3 * n_people
    remarks = told(train, some, synthetic)
    assert len(remarks) == is_told and all("of 49 people only" in remark for remark in remarks)


@pytest.mark.parametrize("finer", [0.25, np.pi], ids=["a digit more", "unrounded"])
def test_more_decimals_than_train_has_are_told(train, test, synthetic, finer):
    (remark,) = told(train, test, synthetic.assign(bmi=synthetic["bmi"] + finer))
    assert remark.endswith("by which alone they are told apart: bmi. Round them.")
    alike = train.assign(bmi=train["bmi"] + finer)  # where the schema says less than train has
    assert told(alike, test, synthetic.assign(bmi=synthetic["bmi"] + finer)) == ()


@pytest.mark.parametrize(("n_people", "is_told"), [(1, True), (2, True), (3, False)])
@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_rare_category_is_told_whichever_it_is(train, test, synthetic, n_people, is_told, position):
    stage = SCHEMA["stage"].categories[position]
    another = SCHEMA["stage"].categories[position - 1]
    rare = train.assign(stage=train["stage"].replace(stage, another))
    rare.loc[rare["person"] < n_people, "stage"] = stage
    remarks = told(rare, test, synthetic)
    assert len(remarks) == is_told
    n_rows = (synthetic["stage"] == stage).sum()
    assert all(f"'stage' ({n_rows} rows)" in remark for remark in remarks)


def test_further_columns_are_told_and_the_person_once(train, test, synthetic):
    of_person, of_others = told(train, test, synthetic.assign(person=1, comment="x"))
    assert "has the column 'person', which names people" in of_person
    assert "not among those compared: 'comment'. They" in of_others


@pytest.mark.parametrize(("auc", "is_told"), [(0.59, False), (0.61, True)])
def test_test_rows_are_of_other_kinds_from_a_limit_on_however_many_people_there_are(auc, is_told):
    many = make_patients(6_000, 0, rows_per_person=1)
    scores = pd.DataFrame({"metric": ["detection AUC (LightGBM)"], "real": [auc]})
    remarks = remarks_on_kinds_of_people(scores, Tables(many, many, many, SCHEMA))
    assert len(remarks) == is_told
