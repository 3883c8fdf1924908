"""Ridge regression: what it shrinks, and how honestly it tells what it leaves."""

import numpy as np
import pytest

from rlsyn.ridge import PENALTIES, _errors, _left_one_out, _path, _ridge, _told, ridge


def test_ridge_leaves_a_row_out_as_refitting_without_it_does():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(40, 5))
    targets = inputs @ rng.normal(size=5) + rng.normal(size=40)
    left_out = []
    for i in range(40):
        others = np.arange(40) != i
        design = np.column_stack([np.ones(39), inputs[others]])
        weights = np.linalg.lstsq(design, targets[others], rcond=None)[0]
        left_out.append((targets[i] - weights[0] - inputs[i] @ weights[1:]) ** 2)
    assert _ridge(inputs, targets, [])[0].variance == pytest.approx(np.mean(left_out), rel=0.05)


def test_ridge_expects_nothing_of_noise():
    rng = np.random.default_rng(0)
    regression = ridge(rng.normal(size=(50, 40)), rng.normal(size=50), np.arange(50))
    assert np.abs(regression.weights).max() < 0.05
    assert regression.variance == pytest.approx(1, abs=0.4)


@pytest.mark.parametrize("n_telling", [0, 2])
def test_ridge_shrinks_what_is_sure_less_and_says_honestly_how_much_it_leaves(n_telling):
    plain, chosen = np.zeros(2), np.zeros(2)  # of each what it says, and what other rows say
    for seed in range(30):
        rng = np.random.default_rng(seed)
        inputs = rng.normal(size=(1_080, 40))
        targets = inputs[:, :n_telling].sum(1) + rng.normal(size=1_080)
        for sums, regression in (
            (plain, _ridge(inputs[:80], targets[:80], [])[0]),
            (chosen, ridge(inputs[:80], targets[:80], np.arange(80))),
        ):
            left = targets[80:] - regression.intercept - inputs[80:] @ regression.weights
            sums += np.array([regression.variance, (left**2).mean()]) / 30
    assert chosen[0] == pytest.approx(chosen[1], rel=0.1)
    if n_telling:
        assert chosen[1] < 0.85 * plain[1]
    else:
        assert chosen[1] < 1.03 * plain[1]


def test_both_forms_of_ridge_regression_are_the_normal_equations():
    rng = np.random.default_rng(0)
    inputs, targets = rng.normal(2, 1, size=(30, 12)), rng.normal(5, 1, size=30)
    centred = inputs - inputs.mean(0)
    for place in (0, 10, 28):
        gram = centred.T @ centred + PENALTIES[place] * np.eye(12)
        weights = np.linalg.solve(gram, centred.T @ (targets - targets.mean()))
        np.testing.assert_allclose(_path(inputs, targets)[:, place], weights)
        np.testing.assert_allclose(_path(np.c_[inputs, np.zeros((30, 40))], targets)[:12, place], weights)


@pytest.mark.parametrize("n", [2, 3, 7])
def test_of_very_few_rows_something_finite_is_told(n):
    rng = np.random.default_rng(n)
    regression = ridge(rng.normal(size=(n, 4)), rng.normal(size=n), np.arange(n))
    assert np.isfinite([*regression.weights, regression.intercept, regression.variance]).all()


def test_rows_of_one_person_do_not_confirm_each_other():
    # Every person's rows are one row repeated: leaving one of them out, the others know it by heart.
    people = np.repeat(np.arange(60), 5)
    left, by_row = [], []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        inputs, targets = rng.normal(size=(60, 40))[people], rng.normal(size=60)[people]
        regression = ridge(inputs, targets, people)
        by_row.append(_left_one_out(inputs, targets).min())
        left.append((regression.variance, np.abs(regression.weights).max()))
    assert np.mean(by_row) < 0.7, "rows confirm each other"
    assert np.mean(left, axis=0) == pytest.approx([1.0, 0.0], abs=0.12)


def test_with_more_inputs_than_rows_no_regression_knows_its_rows_by_heart():
    told, true = [], []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        inputs = rng.normal(size=(2_060, 200))
        targets = inputs[:, :3].sum(1) + rng.normal(size=2_060)
        regression = ridge(inputs[:60], targets[:60], np.arange(60))
        left = targets[60:] - regression.intercept - inputs[60:] @ regression.weights
        told.append(regression.variance)
        true.append((left**2).mean())
    assert np.mean(told) == pytest.approx(np.mean(true), rel=0.2)


def test_of_one_person_nothing_is_known_of_others():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(40, 3))
    targets = inputs[:, 0] + 5
    found = ridge(inputs, targets, np.zeros(40))
    assert not found.weights.any()
    assert (found.intercept, found.variance) == (pytest.approx(targets.mean()), pytest.approx(targets.var()))


def test_people_left_out_are_judged_by_the_others_alone():
    inputs, targets = np.arange(6.0)[:, None], np.array([0.0, 0, 0, 0, 9, 9])
    rows, others = np.array([4, 5]), np.arange(4)
    assert _errors(inputs, targets, np.array([[0.0, 2.0]]), rows, others) == pytest.approx([162, 4**2 + 2**2])


def test_how_much_an_input_tells_is_a_deviation_of_what_it_says_whatever_its_unit():
    inputs = np.random.default_rng(0).normal(size=(50, 2))
    inputs /= inputs.std(0)
    np.testing.assert_allclose(_told(inputs, np.array([-4.0, 1.0])), [1, 0.5])
    np.testing.assert_allclose(_told(inputs * [1, 10], np.array([-4.0, 0.1])), [1, 0.5])
