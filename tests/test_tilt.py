"""A tilt is a softmax regression with an offset: it agrees with the known special case, and leaves noise alone."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from rlsyn import tilt
from rlsyn.tilt import fit_tilt

FUNCTIONS = np.stack([np.linspace(-1.5, 1.5, 9), np.arange(9) >= 6], axis=1)


def draw(n, weights, biases, seed=0, width=3):
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(n, width)) + 2
    logits = np.tile(np.log(np.arange(1, 10)), (n, 1))
    shares = softmax(logits + (inputs @ np.transpose(weights) + biases) @ FUNCTIONS.T, axis=1)
    return inputs, logits, (shares.cumsum(1) < rng.random((n, 1))).sum(1)


def fit(train, validation, is_known=False):
    (inputs, logits, levels), others = train, validation
    known = np.full((2, inputs.shape[1]), False) | is_known
    return fit_tilt(FUNCTIONS, (logits, others[1]), (inputs, others[0]), (levels, others[2]), known)


def test_weights_and_biases_that_rows_were_drawn_with_are_found(monkeypatch):
    monkeypatch.setattr(tilt, "MOST_ROWS", 20_000)
    weights, biases = np.array([[0.5, 0.0, -0.5], [0.0, 2.0, 0.0]]), np.array([0.3, -4.0])
    found = fit(draw(20_000, weights, biases), draw(5_000, weights, biases, seed=1))
    assert found.weights == pytest.approx(weights, abs=0.1)
    assert found.biases == pytest.approx(biases, abs=0.3)


def test_noise_is_tilted_next_to_nowhere():
    nothing = np.zeros((2, 20)), np.zeros(2)
    found = fit(draw(150, *nothing, width=20), draw(150, *nothing, seed=1, width=20))
    assert np.abs(found.weights).max() < 0.1


def test_two_levels_are_a_logistic_regression(monkeypatch):
    monkeypatch.setattr(tilt, "PENALTIES", (2.0,))
    monkeypatch.setattr(tilt, "MAX_ITERATIONS", 1_000)
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(300, 4))
    levels = (inputs[:, 0] + rng.normal(size=300) > 0.5).astype(int)
    functions, logits = np.array([[0.0], [1.0]]), np.zeros((300, 2))
    found = fit_tilt(functions, (logits, logits), (inputs, inputs), (levels, levels), np.zeros((1, 4), dtype=bool))
    model = LogisticRegression(C=1 / 2.0, tol=1e-8).fit(inputs, levels)
    assert found.weights == pytest.approx(model.coef_, abs=1e-3)
    assert found.biases == pytest.approx(model.intercept_, abs=1e-3)


def test_logits_that_validation_rows_like_better_stay():
    weights, biases = np.array([[0.5, 0.0, -0.5], [0.0, 2.0, 0.0]]), np.array([0.3, -4.0])
    found = fit(draw(2_000, weights, biases), draw(2_000, -weights, -biases, seed=1))
    assert not found.weights.any() and not found.biases.any()


def test_what_is_known_to_matter_is_hardly_penalised_beside_noise():
    weights, biases = np.zeros((2, 40)), np.array([0.0, -9.0])
    weights[1, 0] = 4.0
    train, validation = draw(150, weights, biases, width=40), draw(100, weights, biases, seed=1, width=40)
    is_known = weights > 0
    plain, known = fit(train, validation), fit(train, validation, is_known)
    assert plain.weights[1, 0] < 2 and known.weights[1, 0] == pytest.approx(4, abs=1)
    assert np.abs(known.weights[~is_known]).max() < 0.5


def test_an_exception_among_validation_rows_counts_as_one_of_all():
    # Of 300 with the input none of training rows is at the upper levels, and two of validation rows are.
    def rows(n, n_exceptions):
        inputs = np.column_stack([np.arange(n) % 2, np.random.default_rng(n).normal(size=n)]).astype(float)
        levels = np.where(inputs[:, 0] == 1, np.arange(n) // 2 % 6, np.arange(n) // 2 % 9)
        levels[1 : 2 * n_exceptions : 2] = 8
        return inputs, np.zeros((n, 9)), levels

    known = np.array([[False, False], [True, False]])
    train, validation = rows(400, 0), rows(200, 2)
    found = fit(train, validation, known)
    inputs = np.concatenate([train[0], validation[0]])
    shares = softmax((inputs @ found.weights.T + found.biases) @ FUNCTIONS.T, axis=1)[inputs[:, 0] == 1]
    assert shares[:, 6:].sum(1).mean() == pytest.approx(2 / 300, rel=0.35)


def test_what_is_known_and_says_nothing_hides_no_relation_that_says_something():
    # Its own fit to all rows would look better to validation rows than any that knows the training rows alone.
    weights = np.zeros((2, 31))
    weights[0, 0] = 0.5
    is_known = np.zeros((2, 31), dtype=bool)
    is_known[1, 1:] = True
    slopes = []
    for seed in range(8):
        train, validation = (draw(n, weights, np.zeros(2), seed=2 * seed + n, width=31) for n in (200, 40))
        slopes.append(fit(train, validation, is_known).weights[0, 0])
    assert np.median(slopes) > 0.2


def test_of_very_many_rows_some_are_enough():
    weights, biases = np.array([[0.5, 0.0, -0.5], [0.0, 2.0, 0.0]]), np.array([0.3, -4.0])
    train, validation = draw(30_000, weights, biases), draw(500, weights, biases, seed=1)
    train[2][:26_000] = train[2][:26_000][::-1].copy()  # their order would be noise, were all looked at
    found = fit(train, validation)
    assert found.weights[0, 0] < 0.4  # of rows drawn by chance, not the first
    sure = fit([part[26_000:] for part in train], validation)
    assert sure.weights == pytest.approx(weights, abs=0.3)
