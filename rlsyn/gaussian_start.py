"""Where cloning begins: the conditionals of Gaussians that the normal scores would have, in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from rlsyn.levels import QuantileLevels
from rlsyn.policy import AutoregressivePolicy

PENALTIES = np.geomspace(1e-2, 1e5, 29)
"""Ridge penalties that are tried, for standardised inputs."""
MOST_LEVERAGE = 0.999
"""Of a row on its own fit: one that nothing else speaks for."""


@dataclass(frozen=True)
class Regression:
    """A linear regression `intercept + inputs @ weights` and the variance of what it leaves, of rows left out."""

    weights: np.ndarray
    intercept: float
    variance: float


def start_at_gaussian(policy: AutoregressivePolicy, records: np.ndarray) -> None:
    """Set the linear path of a new policy to Gaussian conditionals of the finely valued attributes.

    The normal score z of an attribute is regressed on the inputs of the attributes before it. With mean m(x) and
    variance v of the regression, and mean m0 and variance v0 of the marginal, what multiplies the marginal is
    N(z; m(x), v) / N(z; m0, v0): a logit with z times a linear function of x, and z and z^2 times constants, so weights
    of the first output function (`QuantileLevels.basis`) and biases. Were the table a Gaussian copula without missing
    values, this would be its conditional distribution; gradient descent reaches the narrow ones (a radius given an
    area) only after hundreds of epochs.

    Args:
        policy: Changed in place; attributes of few levels or categories keep their marginals.
        records: Real records `(n, n_attributes)`.
    """
    vectors = policy.vectors(torch.as_tensor(records, device=policy.device)).cpu().double().numpy()
    shifts = [np.zeros(levels.n_levels) for levels in policy.encoding.levels]
    for attribute, levels in enumerate(policy.encoding.levels):
        if not isinstance(levels, QuantileLevels) or not levels.is_smooth:
            continue
        present = records[:, attribute] < len(levels.bins)
        scores = levels.normal_scores()[records[present, attribute]]
        inputs = vectors[present][:, : policy.actor.network.n_inputs(attribute)]
        if inputs.shape[1] == 0 or scores.var() == 0:
            continue
        regression, mean, variance = ridge(inputs, scores), float(scores.mean()), float(scores.var())
        left = min(regression.variance, variance)
        policy.actor.network.set_linear(attribute, torch.as_tensor(regression.weights / left))
        z, half_square = levels.basis()[:, :2].T
        shifts[attribute] = (regression.intercept / left - mean / variance) * z + (
            1 / variance - 1 / left
        ) * half_square
    policy.actor.heads.shift_biases(shifts)


def ridge(inputs: np.ndarray, targets: np.ndarray) -> Regression:
    """Ridge regression of targets `(n,)` on inputs `(n, width)`, with the penalty that leaving one row out likes best.

    References:
        Hastie, Tibshirani, Friedman: The Elements of Statistical Learning, 2009, equation 7.64 (leave-one-out).
    """
    means, spread = inputs.mean(0), np.maximum(inputs.std(0), 1e-9)
    left, singular, right = np.linalg.svd((inputs - means) / spread, full_matrices=False)
    kept = singular > 1e-8 * singular.max()
    left, singular, right = left[:, kept], singular[kept], right[kept]
    centred = targets - targets.mean()
    projected = left.T @ centred
    best_variance, best_penalty = np.inf, PENALTIES[-1]
    for penalty in PENALTIES:
        shrinkage = singular**2 / (singular**2 + penalty)
        leverage = np.minimum(left**2 @ shrinkage + 1 / len(targets), MOST_LEVERAGE)
        variance = float(np.mean(((centred - left @ (shrinkage * projected)) / (1 - leverage)) ** 2))
        if variance < best_variance:
            best_variance, best_penalty = variance, penalty
    weights = right.T @ (singular / (singular**2 + best_penalty) * projected) / spread
    return Regression(weights, float(targets.mean() - means @ weights), best_variance)
