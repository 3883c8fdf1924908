import numpy as np
import pandas as pd
import pytest
from evaluation_tables import SCHEMA

from rlsyn.evaluation import evaluate
from rlsyn.evaluation.evaluation import Evaluation
from rlsyn.evaluation.measure import Tables
from rlsyn.evaluation.privacy import parts
from rlsyn.evaluation.privacy.copies import compute_copies
from rlsyn.evaluation.privacy.parts import compute_parts, compute_real_parts, shared_bits
from rlsyn.evaluation.verdicts import evaluation_verdicts
from rlsyn.schema import Column, Schema

IN_PART = "copies in part"


def share(train, test, synthetic, schema=SCHEMA):
    return compute_parts(Tables(train, test, synthetic, schema, with_intervals=False)).estimates[IN_PART].value


def with_another(rows, name, seed=0):
    """The rows with another category of one column in each."""
    rng, kinds = np.random.default_rng(seed), list(SCHEMA[name].categories)
    return rows.assign(**{name: [rng.choice([kind for kind in kinds if kind != value]) for value in rows[name]]})


@pytest.fixture
def changed(train):
    return with_another(train[SCHEMA.names], "stage").sample(frac=1, random_state=0)


def test_bits_are_those_of_the_values_that_two_rows_have_in_common(monkeypatch):
    schema = Schema((Column("sex", "binary", ("f", "m")), Column("weight", "numeric", decimals=1, missing=True)))
    train = pd.DataFrame({"sex": ["f", "f", "m", "m"], "weight": [50.1, 60.2, np.nan, 60.2]})
    rows = pd.DataFrame({"sex": ["f", "m", "f", "m"], "weight": [50.1, 50.1, np.nan, 99.9]})
    assert shared_bits(train, rows, schema).tolist() == [3, 2, 2, 1]
    monkeypatch.setattr(parts, "MAX_PAIRS", 1)
    assert shared_bits(train, rows, schema).tolist() == [3, 2, 2, 1]
    monkeypatch.setattr(parts, "FREQUENT", 2)
    assert shared_bits(train, rows, schema).tolist() == [3, 2, 2, 1]


def test_copies_of_which_one_category_was_changed_are_a_leak(train, test, changed):
    near = compute_copies(Tables(train, test, changed, SCHEMA)).estimates["near copies"]
    assert near.value < 0.1  # another category is further than other people are
    assert share(train, test, changed) > 0.95
    privacy = evaluation_verdicts(evaluate(train, test, changed, SCHEMA, fast=True))[0]
    assert privacy.level == "poor" and IN_PART in privacy.wording


def test_fresh_rows_are_hardly_any(train, test, synthetic):
    assert share(train, test, synthetic) < 0.04
    assert 0 < compute_real_parts(Tables(train, test, synthetic, SCHEMA)).estimates[IN_PART].value < 0.02


def test_test_rows_of_training_people_set_no_limit(train, test, changed):
    known = pd.concat([test, train.iloc[::10].assign(person=np.arange(2_000, 2_045))], ignore_index=True)
    assert share(train, known, changed) > 0.95
    assert compute_real_parts(Tables(train, known, changed, SCHEMA)).estimates[IN_PART].value < 0.02


def test_rows_that_are_alike_by_chance_are_none():
    def answers(seed):
        return pd.DataFrame(np.random.default_rng(seed).integers(0, 2, (300, 6)), columns=list("abcdef"))

    schema = Schema(tuple(Column(name, "binary", (0, 1)) for name in "abcdef"))
    assert share(answers(0), answers(1), answers(2), schema) < 0.04


def test_the_rows_are_named_beside_other_copies(train, test, synthetic, changed):
    planted = synthetic.copy()
    planted.iloc[[0, 7]] = [changed.iloc[3], train.iloc[4][SCHEMA.names]]
    measured = {
        name: {"synthetic": compute(Tables(train, test, planted.infer_objects(), SCHEMA)).details}
        for name, compute in (("copies", compute_copies), ("parts", compute_parts))
    }
    rows = Evaluation(pd.DataFrame(), measured, train, test, planted, SCHEMA).copied_rows.set_index("row")
    assert rows.loc[1, IN_PART] == 1 and rows.loc[1, "exact copies"] == 0
    assert rows.loc[8, IN_PART] == 1 and rows.loc[8, "exact copies"] == 1
    assert rows.index.is_monotonic_increasing and rows.any(axis=1).all()
