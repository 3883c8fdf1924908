"""Linear regression that shrinks what is sure less than what may be noise, judged by people whom it was not fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PENALTIES = np.geomspace(1e-2, 1e5, 29)
"""Ridge penalties that are tried."""
MOST_LEVERAGE = 1 - 1e-9
"""Of a row on its own fit, for the sake of rounding; of more inputs than rows many come near."""
N_FOLDS = 5
"""Parts of the people, each of which judges regressions of the others."""

_Folds = Sequence[tuple[np.ndarray, np.ndarray]]
"""Rows of some people and those of all others, as many times as there are parts."""


@dataclass(frozen=True)
class Regression:
    """A linear regression `intercept + inputs @ weights` and the variance of what it leaves, of rows left out."""

    weights: np.ndarray
    intercept: float
    variance: float


def ridge(inputs: np.ndarray, targets: np.ndarray, people: np.ndarray) -> Regression:
    """Ridge regression of targets `(n,)` on inputs `(n, width)`, with the penalty that people left out like best.

    Then once more, with the penalty on each weight divided by how much its input told at first: what is sure is shrunk
    less and what is noise more. Which of the two it is, people decide whom neither was fitted to, but for its penalty.

    Args:
        inputs: Of training rows.
        targets: Likewise.
        people: The person each row is of `(n,)`: rows of one are alike, and would confirm each other's noise.

    References:
        Hastie, Tibshirani, Friedman: The Elements of Statistical Learning, 2009, equation 7.64 (leave-one-out).
        Grandvalet: Least absolute shrinkage is equivalent to quadratic penalization, 1998 (adaptive ridge).
    """
    folds = _people_left_out(people)
    if not folds:  # of one person, whose rows are alike, nothing is known of others
        return Regression(np.zeros(inputs.shape[1]), float(targets.mean()), float(targets.var()))
    judging = folds if len(np.unique(people)) < len(people) else []
    plain, penalty = _ridge(inputs, targets, judging)
    scales = _told(inputs, plain.weights)
    adapted, adapted_penalty = _ridge(inputs * scales, targets, judging)
    errors = np.zeros(2)
    for rows, others in folds:
        first = _path(inputs[others], targets[others])[:, penalty]
        own = _told(inputs[others], first)
        second = own * _path(inputs[others] * own, targets[others])[:, adapted_penalty]
        errors += _errors(inputs, targets, np.stack([first, second], axis=1), rows, others)
    if errors[1] >= errors[0]:
        return plain
    return Regression(adapted.weights * scales, adapted.intercept, plain.variance * float(errors[1] / errors[0]))


def _people_left_out(people: np.ndarray) -> _Folds:
    """Rows of some people, and of all others, as many times as `N_FOLDS`; of fewer people each alone."""
    distinct, person = np.unique(people, return_inverse=True)
    parts = np.array_split(np.random.default_rng(0).permutation(len(distinct)), min(N_FOLDS, len(distinct)))
    inside = [np.isin(person, part) for part in parts]
    return [(np.flatnonzero(rows), np.flatnonzero(~rows)) for rows in inside if not rows.all()]


def _told(inputs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """How much each input tells of what a regression says, beside the one that tells most: a root, as of a variance."""
    told = np.abs(weights) * inputs.std(0)
    return np.sqrt(told / told.max()) if told.any() else np.ones(len(told))


def _errors(
    inputs: np.ndarray, targets: np.ndarray, weights: np.ndarray, rows: np.ndarray, others: np.ndarray
) -> np.ndarray:
    """Squared errors at some rows, summed, of weights `(width, n_regressions)` that were fitted to the others."""
    expected = targets[others].mean() + (inputs[rows] - inputs[others].mean(0)) @ weights
    errors: np.ndarray = ((targets[rows, None] - expected) ** 2).sum(0)
    return errors


def _path(inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Weights of ridge regression with each of the penalties `(width, n_penalties)`, in the smaller of its two forms."""
    inputs, targets = inputs - inputs.mean(0), targets - targets.mean()
    is_wide = inputs.shape[1] > len(inputs)
    squares, vectors = np.linalg.eigh(inputs @ inputs.T if is_wide else inputs.T @ inputs)
    along = vectors.T @ (targets if is_wide else inputs.T @ targets)
    found: np.ndarray = vectors @ (along[:, None] / (np.maximum(squares, 0)[:, None] + PENALTIES))
    return inputs.T @ found if is_wide else found


def _ridge(inputs: np.ndarray, targets: np.ndarray, folds: _Folds) -> tuple[Regression, int]:
    """With all weights penalised alike, and the place of the penalty; without folds each row is left out in turn."""
    if folds:
        parts = [_errors(inputs, targets, _path(inputs[rest], targets[rest]), rows, rest) for rows, rest in folds]
        variances = np.sum(parts, axis=0) / len(targets)
    else:
        variances = _left_one_out(inputs, targets)
    best = int(variances.argmin())
    weights = _path(inputs, targets)[:, best]
    return Regression(weights, float(targets.mean() - inputs.mean(0) @ weights), float(variances[best])), best


def _left_one_out(inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Mean square of what a row is off the regression of all others, with each of the penalties `(n_penalties,)`."""
    left, singular, _ = np.linalg.svd(inputs - inputs.mean(0), full_matrices=False)
    kept = singular > 1e-8 * singular.max()
    left, singular = left[:, kept], singular[kept]
    centred = targets - targets.mean()
    projected = left.T @ centred
    shrinkage = singular[:, None] ** 2 / (singular[:, None] ** 2 + PENALTIES)
    leverage = np.minimum(left**2 @ shrinkage + 1 / len(targets), MOST_LEVERAGE)
    errors = (centred[:, None] - left @ (shrinkage * projected[:, None])) / (1 - leverage)
    variances: np.ndarray = (errors**2).mean(0)
    return variances
