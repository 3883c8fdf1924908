"""A distribution over levels, tilted by functions of the level with weights that are linear in inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax

PENALTIES = (300.0, 100.0, 30.0, 10.0, 3.0, 1.0, 0.3)
"""Ridge penalties that are tried, the strongest first."""
KNOWN_PENALTY = 0.1
"""At most, of a weight that is known to matter: of a hundred who keep a limit, it leaves some one in three hundred beyond."""
MAX_ITERATIONS = 100
"""Of each penalty; a start need not be exact."""
MOST_ROWS = 4_000
"""Rows that a tilt is fitted to, drawn by chance where there are more: what they tell of a start, more tell hardly better."""


@dataclass(frozen=True)
class Tilt:
    """Logits `(inputs @ weights.T + biases) @ functions.T`, to be added to others.

    Args:
        weights: Of each function `(n_functions, width)`.
        biases: Of each function `(n_functions,)`.
        log_likelihood: Mean over validation rows, of the tilt as it is fitted to training rows alone.
    """

    weights: np.ndarray
    biases: np.ndarray
    log_likelihood: float


def fit_tilt(
    functions: np.ndarray,
    logits: tuple[np.ndarray, np.ndarray],
    inputs: tuple[np.ndarray, np.ndarray],
    levels: tuple[np.ndarray, np.ndarray],
    is_known: np.ndarray,
) -> Tilt:
    """The tilt that makes the levels of training rows likeliest, less a ridge penalty on its weights.

    The objective is convex: a softmax regression with an offset, whose classes share the weights of functions. Weights
    that matter for sure are few, and hardly penalised. When the others are chosen they are fitted again, with the biases
    and to all rows: a validation person who is an exception to a limit counts as one among all people then, and neither
    forbids the limit nor is forgotten.

    Args:
        functions: Of the level `(n_levels, n_functions)`.
        logits: What is tilted `(n, n_levels)`; this and what follows of training and of validation rows.
        inputs: `(n, width)`.
        levels: `(n,)`.
        is_known: Which weights `(n_functions, width)` matter for sure.

    Returns:
        That with the penalty that validation rows like best, or with the known weights alone; one of zeros if there are
        none of these and validation rows like the logits themselves better.
    """
    means = inputs[0].mean(0)
    train, validation = (
        _Rows(functions, *part).at_most(MOST_ROWS)
        for part in zip(logits, [rows - means for rows in inputs], levels, strict=True)
    )
    chosen = parameters = np.zeros((functions.shape[1], len(means) + 1))
    known_alone = np.where(is_known, KNOWN_PENALTY, np.inf)
    if is_known.any():
        chosen = parameters = train.fit(parameters, known_alone)
    best = validation.log_likelihood(parameters)
    for penalty in PENALTIES:
        parameters = train.fit(parameters, np.where(is_known, min(penalty, KNOWN_PENALTY), penalty))
        if (reached := validation.log_likelihood(parameters)) > best:
            best, chosen = reached, parameters
    if is_known.any():
        both = _Rows(functions, *(np.concatenate(parts) for parts in zip(train[1:], validation[1:], strict=True)))
        chosen = both.fit(chosen, known_alone)
    return Tilt(chosen[:, :-1], chosen[:, -1] - chosen[:, :-1] @ means, best)


class _Rows(NamedTuple):
    """Rows to fit a tilt to or to judge one by; `inputs` are centred, `parameters` are weights and biases side by side."""

    functions: np.ndarray
    logits: np.ndarray
    inputs: np.ndarray
    levels: np.ndarray

    def at_most(self, n: int) -> _Rows:
        """So many of the rows by chance, or all."""
        if len(self.levels) <= n:
            return self
        some = np.random.default_rng(0).choice(len(self.levels), n, replace=False)
        return _Rows(self.functions, self.logits[some], self.inputs[some], self.levels[some])

    def log_likelihood(self, parameters: np.ndarray) -> float:
        """Mean of a row."""
        return float(self._own(self._log_shares(parameters)).mean())

    def fit(self, start: np.ndarray, penalties: np.ndarray) -> np.ndarray:
        """The parameters that are likeliest less the penalties on weights; one of infinity leaves its weight alone."""
        is_free = np.isfinite(penalties)
        finite = np.where(is_free, penalties, 0.0)

        def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
            parameters = flat.reshape(start.shape)
            values, weights = self._log_shares(parameters), parameters[:, :-1]
            left = np.exp(values)
            left[np.arange(len(left)), self.levels] -= 1
            by_output = left @ self.functions
            slope = np.c_[(by_output.T @ self.inputs + finite * weights) * is_free, by_output.sum(0)]
            return float((finite * weights**2).sum() / 2 - self._own(values).sum()), slope.ravel()

        options = {"maxiter": MAX_ITERATIONS}
        found: np.ndarray = minimize(loss, start.ravel(), method="L-BFGS-B", jac=True, options=options).x
        return found.reshape(start.shape)

    def _log_shares(self, parameters: np.ndarray) -> np.ndarray:
        weights, biases = parameters[:, :-1], parameters[:, -1]
        tilted = self.logits + (self.inputs @ weights.T + biases) @ self.functions.T
        result: np.ndarray = log_softmax(tilted, axis=1)
        return result

    def _own(self, values: np.ndarray) -> np.ndarray:
        return values[np.arange(len(values)), self.levels]
