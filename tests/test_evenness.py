"""Evenness: independent draws are never too even, rows that know of each other are, and these hide from detection."""

import numpy as np
import pandas as pd
import pytest

from rlsyn.evaluation import evaluate
from rlsyn.evaluation.evenness import is_too_even
from rlsyn.evaluation.fidelity import detection_auc
from rlsyn.schema import infer_schema

FORMS = {
    "unrounded": lambda values: values,
    "decimal": lambda values: (values * 10).round() / 10,
    "heaped": lambda values: (values * 4).round() * 5,
    "many zeros": lambda values: np.where(values < -0.8, 0.0, np.exp(values).round(2)),
    "heavy tails": lambda values: np.sinh(3 * values),
}


def people(n, seed, form="unrounded", related=0.9, missing=0.1, n_columns=6):
    """Numbers that depend on each other, one with missing values, another of few, and a category."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(n, 1))
    values = FORMS[form](related * common + (1 - related**2) ** 0.5 * rng.normal(size=(n, n_columns)))
    table = pd.DataFrame(values, columns=[f"lab_{i}" for i in range(n_columns)])
    table["lab_0"] = table["lab_0"].mask(rng.random(n) < missing)
    return table.assign(score=rng.integers(0, 4, n), sex=rng.choice(["f", "m"], n))


def shuffled(table, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame({name: rng.permutation(table[name]) for name in table})


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("related", [0.0, 0.9, 1.0])
def test_independent_rows_are_not_too_even(form, related):
    train = people(300, 0, form, related)
    schema = infer_schema(train)
    for n in (60, 300):
        told = [is_too_even(train, train.sample(n, replace=True, random_state=seed), schema) for seed in range(30)]
        assert sum(told) <= 1
    assert not any(is_too_even(train, people(300, seed, form, related), schema) for seed in range(1, 10))


def test_visits_more_rows_and_other_rows_are_not_too_even():
    train = people(400, 0)
    schema = infer_schema(train)
    visits = train.loc[np.random.default_rng(0).integers(100, size=400)]
    assert not is_too_even(train, visits, schema)
    assert not is_too_even(train, train.sample(8_000, replace=True, random_state=0), schema)
    assert not is_too_even(train, people(400, 2).assign(lab_1=0.0, lab_2=np.nan), schema)
    one_in_balance = people(400, 2).assign(lab_1=np.random.default_rng(0).permutation(train["lab_1"]))
    assert not is_too_even(train, one_in_balance, schema)  # one even column among six hides nothing


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("n", [90, 300, 2_000])
def test_columns_of_train_in_another_order_are_too_even(form, n):
    train = people(n, 0, form)
    schema = infer_schema(train)
    assert is_too_even(train, shuffled(train), schema)
    assert is_too_even(train, shuffled(train).assign(lab_1=0.0), schema)  # one bad column does not hide the others
    assert is_too_even(train, train, schema)


@pytest.mark.parametrize("n", [20, 1])
def test_few_rows_and_columns_of_few_values_cannot_tell(n):
    train = people(300, 0)
    assert not is_too_even(train, train.head(n), infer_schema(train))
    few = train[["score", "sex"]]
    assert not is_too_even(few, few, infer_schema(few))
    nothing = train.assign(**{f"lab_{i}": np.nan for i in range(6)})
    assert not is_too_even(train, nothing, infer_schema(train))


def test_too_even_rows_hide_from_detection_and_are_told():
    found = {True: [], False: []}
    for seed in range(8):
        train, test = (people(150, [seed, side], related=0.0, n_columns=20) for side in (0, 1))
        schema = infer_schema(train)
        rows = {True: shuffled(train, seed), False: shuffled(train.sample(150, replace=True, random_state=seed), seed)}
        for is_even, table in rows.items():
            found[is_even].append(detection_auc(test, table, schema, "logistic"))
    assert np.mean(found[True]) < np.mean(found[False]) - 0.02
    for is_even, table in rows.items():
        remarks = evaluate(train, test, table, schema, fast=True, references=("real",), n_jobs=1).remarks
        assert any("have the shares of train" in remark for remark in remarks) is is_even
