"""Evenness: independent draws are never too even, rows that know of each other are, and these hide faults from detection."""

import numpy as np
import pandas as pd
import pytest

from rlsyn.evaluation import evaluate, verdicts
from rlsyn.evaluation.features import NotComputableError
from rlsyn.evaluation.fidelity import detection_auc
from rlsyn.evaluation.fidelity.evenness import evenness
from rlsyn.schema import infer_schema


def people(n, seed, n_columns=6, related=0.9, missing=0.1):
    """Numbers that depend on each other, one of them of few values, and a category."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(n, 1))
    table = pd.DataFrame(related * common + (1 - related**2) ** 0.5 * rng.normal(size=(n, n_columns)))
    table.columns = [f"lab_{i}" for i in range(n_columns)]
    table["lab_0"] = table["lab_0"].mask(rng.random(n) < missing)
    return table.round(3).assign(score=rng.integers(0, 4, n), sex=rng.choice(["f", "m"], n))


def numbers(n, seed, balanced=False, n_columns=20):
    """Numbers that do not depend on each other, independent rows or such that have the same number in every stretch."""
    rng = np.random.default_rng(seed)
    drawn = rng.random((n, n_columns))
    if balanced:
        drawn = (rng.permuted(np.tile(np.arange(n)[:, None], n_columns), axis=0) + drawn) / n
    return pd.DataFrame(drawn.round(4), columns=[f"lab_{i}" for i in range(n_columns)])


@pytest.mark.parametrize("related", [0.0, 0.9, 1.0])
def test_independent_draws_are_not_too_even(related):
    train = people(300, 0, related=related)
    schema = infer_schema(train)
    drawn = [evenness(train, train.sample(300, replace=True, random_state=seed), schema) for seed in range(300)]
    assert np.mean(np.array(drawn) > 1) <= 0.01
    assert max(evenness(train, people(300, seed, related=related), schema) for seed in range(1, 50)) < 1


def test_fewer_rows_or_other_ones_are_not_too_even():
    train = people(400, 0)
    schema = infer_schema(train)
    assert evenness(train, people(120, 1), schema) < 1
    assert evenness(train, people(400, 2).assign(lab_1=0.0), schema) == 0
    assert evenness(train, people(400, 3).assign(lab_1=np.nan, lab_2=np.nan), schema) < 1


@pytest.mark.parametrize("n", [100, 300, 2_000])
def test_rows_that_know_of_each_other_are_too_even(n):
    train = people(n, 0)
    schema, rng = infer_schema(train), np.random.default_rng(1)
    shuffled = pd.DataFrame({name: rng.permutation(train[name]) for name in train})
    assert evenness(train, shuffled, schema) > 1
    assert evenness(train, train, schema) > 1


def test_too_even_rows_hide_from_detection_and_the_verdict_says_so():
    train, test = numbers(300, 0, balanced=True), numbers(150, 1)  # every sixteenth of train has its share
    schema, found = infer_schema(train), {}
    for balanced in (True, False):
        seen = [
            detection_auc(numbers(150, seed), numbers(150, 100 + seed, balanced), schema, "logistic")
            for seed in range(12)
        ]
        evaluation = evaluate(train, test, numbers(300, 2, balanced), schema, fast=True, references=("real",), n_jobs=1)
        (fidelity,) = (one for one in verdicts(evaluation.scores) if one.family == "fidelity")
        (criterion,) = (one for one in fidelity.criteria if one.metric == "evenness")
        is_told = any("drawn in balance" in remark for remark in evaluation.remarks)
        found[balanced] = np.mean(seen), criterion.level, is_told
    assert found[True][0] < 0.46 < found[False][0]
    assert (found[True][1:], found[False][1:]) == (("fair", True), ("good", False))


def test_columns_of_few_values_cannot_tell():
    table = people(300, 0)[["score", "sex"]]
    with pytest.raises(NotComputableError, match="does not apply"):
        evenness(table, table, infer_schema(table))
    evaluation = evaluate(
        table[:200], table[200:], people(200, 1)[["score", "sex"]], infer_schema(table), fast=True, n_jobs=1
    )
    assert all("evenness" not in verdict.wording for verdict in verdicts(evaluation.scores))
