"""A distribution over levels, tilted by functions of the level with weights that are linear in inputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax

PENALTIES = (300.0, 100.0, 30.0, 10.0, 3.0, 1.0, 0.3)
"""Ridge penalties that are tried, the strongest first."""
MAX_ITERATIONS = 100
"""Of each penalty; a start need not be exact."""


@dataclass(frozen=True)
class Tilt:
    """Logits `(inputs @ weights.T + biases) @ functions.T`, to be added to others.

    Args:
        weights: Of each function `(n_functions, width)`.
        biases: Of each function `(n_functions,)`.
    """

    weights: np.ndarray
    biases: np.ndarray


def fit_tilt(
    functions: np.ndarray,
    logits: tuple[np.ndarray, np.ndarray],
    inputs: tuple[np.ndarray, np.ndarray],
    levels: tuple[np.ndarray, np.ndarray],
) -> Tilt | None:
    """The tilt that makes the levels of training rows likeliest, less a ridge penalty on its weights.

    The objective is convex: a softmax regression with an offset, whose classes share the weights of functions.

    Args:
        functions: Of the level `(n_levels, n_functions)`.
        logits: What is tilted `(n, n_levels)`; this and what follows of training and of validation rows.
        inputs: `(n, width)`.
        levels: `(n,)`.

    Returns:
        That with the penalty that validation rows like best; none if they like the logits themselves better.
    """
    means = inputs[0].mean(0)
    rows = inputs[0] - means, inputs[1] - means
    shape = functions.shape[1], rows[0].shape[1] + 1

    def log_likelihoods(part: int, parameters: np.ndarray) -> np.ndarray:
        weights = parameters.reshape(shape)
        tilted = logits[part] + (rows[part] @ weights[:, :-1].T + weights[:, -1]) @ functions.T
        result: np.ndarray = log_softmax(tilted, axis=1)
        return result

    def of_own(part: int, values: np.ndarray) -> np.ndarray:
        return values[np.arange(len(values)), levels[part]]

    def loss(parameters: np.ndarray, penalty: float) -> tuple[float, np.ndarray]:
        values = log_likelihoods(0, parameters)
        left = np.exp(values)
        left[np.arange(len(left)), levels[0]] -= 1
        by_output, weights = left @ functions, parameters.reshape(shape)[:, :-1]
        slope = np.c_[by_output.T @ rows[0] + penalty * weights, by_output.sum(0)]
        return float(penalty / 2 * (weights**2).sum() - of_own(0, values).sum()), slope.ravel()

    parameters, chosen = np.zeros(shape[0] * shape[1]), None
    best = of_own(1, log_likelihoods(1, parameters)).mean()
    for penalty in PENALTIES:
        options = {"maxiter": MAX_ITERATIONS}
        parameters = minimize(loss, parameters, (penalty,), "L-BFGS-B", jac=True, options=options).x
        if (reached := of_own(1, log_likelihoods(1, parameters)).mean()) > best:
            best, chosen = reached, parameters.reshape(shape)
    if chosen is None:
        return None
    return Tilt(chosen[:, :-1], chosen[:, -1] - chosen[:, :-1] @ means)
