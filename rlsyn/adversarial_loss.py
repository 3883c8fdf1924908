"""The loss of a discriminator, cross-entropy and R1, with its derivatives written out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

SLOPE = 0.2
"""Of LeakyReLU below 0."""
Affine = tuple[Tensor, Tensor]
"""Weight and bias, as `torch.nn.Linear` has them."""


class Judged(NamedTuple):
    """What a discriminator says of a batch, and how its loss changes with its parameters.

    Attributes:
        logits: Of real and then of synthetic vectors, `(n_real + n_synthetic,)`; high = real.
        slope: Of the logit by each real vector `(n_real, width)`.
        gradients: Of the loss, by weight and bias of each layer in turn.
        r1_gamma: Weight gamma of the penalty.
    """

    logits: Tensor
    slope: Tensor
    gradients: list[Tensor]
    r1_gamma: float

    def loss(self) -> Tensor:
        """Cross-entropy plus gamma / 2 * E |slope|^2."""
        real, synthetic = self.logits.tensor_split([len(self.slope)])
        penalty = self.r1_gamma / 2 * self.slope.square().sum(1).mean()
        return F.softplus(-real).mean() + F.softplus(synthetic).mean() + penalty


@torch.no_grad()
def judge(real: Tensor, synthetic: Tensor, layers: Sequence[Affine], r1_gamma: float, dropout: float = 0.0) -> Judged:
    """Judge a batch by a perceptron of LeakyReLU, and differentiate the loss by its parameters.

    The loss is the cross-entropy of real against synthetic vectors plus R1, gamma / 2 * the mean over real vectors of
    the squared slope of the logit (Mescheder et al., 2018, arXiv:1801.04406). The network is piecewise linear, with
    dropout too, so that slope is a product of weights and of the slopes of hidden units, and its parts are those that
    backpropagation needs for the cross-entropy: with two hidden layers everything takes twelve products of matrices
    where differentiating twice takes about eighteen.

    Args:
        real: Vectors `(n_real, width)`.
        synthetic: Vectors `(n_synthetic, width)`.
        layers: The last has one output.
        r1_gamma: Weight gamma of the penalty.
        dropout: Share of hidden units dropped.
    """
    *hidden, (last_weight, last_bias) = layers
    values, slopes = [torch.cat([real, synthetic])], []
    for weight, bias in hidden:
        entering = F.linear(values[-1], weight, bias)
        slopes.append(_slopes(entering, dropout))
        values.append(entering.mul_(slopes[-1]))
    logits = F.linear(values[-1], last_weight, last_bias).squeeze(1)
    by_logit = _by_logit(logits, len(real))
    if not hidden:
        slope = last_weight.expand(len(real), -1)
        by_weight = by_logit @ values[0] + r1_gamma * slope.mean(0)
        return Judged(logits, slope, [by_weight[None], by_logit.sum()[None]], r1_gamma)
    # Downwards, of the logit by what enters each hidden layer: but for the topmost, where the last weights are left out
    # and multiplied with those of the layer, which are fewer numbers.
    by_entering, weights = list(slopes), [weight for weight, _ in hidden]
    weights[-1] = weights[-1] * last_weight.T
    for i in range(len(hidden) - 1, 0, -1):
        by_entering[i - 1] = (by_entering[i] @ weights[i]).mul_(slopes[i - 1])
    slope = by_entering[0][: len(real)] @ weights[0]
    # Upwards, of the loss by weights and biases: through the logit, and through the slope at real vectors.
    gradients, through_slope = [], slope * (r1_gamma / len(real))
    for i in range(len(hidden)):
        if i > 0:
            through_slope = F.linear(through_slope, hidden[i - 1][0]).mul_(slopes[i - 1][: len(real)])
        through_both = values[i].mul_(by_logit[:, None])
        through_both[: len(real)] += through_slope
        gradients += [by_entering[i].T @ through_both, by_logit @ by_entering[i]]
    product, sums = gradients[-2:]
    weight, bias = hidden[-1]
    by_last_weight = (product * weight).sum(1) + sums * bias
    gradients[-2:] = [product * last_weight.T, sums * last_weight[0]]
    return Judged(logits, slope, [*gradients, by_last_weight[None], by_logit.sum()[None]], r1_gamma)


def adversarial_loss(
    real: Tensor, synthetic: Tensor, layers: Sequence[Affine], r1_gamma: float, dropout: float = 0.0
) -> tuple[Tensor, Tensor]:
    """The loss, which can be differentiated once by the layers, and the logits, which cannot; arguments as of `judge`."""
    loss, logits = _Loss.apply(real, synthetic, r1_gamma, dropout, *(part for layer in layers for part in layer))
    return loss, logits


class _Loss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, real: Tensor, synthetic: Tensor, r1_gamma: float, dropout: float, *parameters: Tensor
    ) -> tuple[Tensor, Tensor]:
        layers = list(zip(parameters[::2], parameters[1::2], strict=True))
        judged = judge(real, synthetic, layers, r1_gamma, dropout)
        ctx.save_for_backward(*judged.gradients)
        ctx.mark_non_differentiable(judged.logits)
        return judged.loss(), judged.logits

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *by_outputs: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, None, None, *(by_outputs[0] * gradient for gradient in ctx.saved_tensors)


def _slopes(entering: Tensor, dropout: float) -> Tensor:
    slopes = entering.sign().clamp_min_(SLOPE)
    if dropout == 0:
        return slopes
    # Of uniform numbers: on a CPU torch's own dropout takes four times as long.
    return slopes.mul_(torch.rand_like(entering) >= dropout).div_(1 - dropout)


def _by_logit(logits: Tensor, n_real: int) -> Tensor:
    derivatives = logits.sigmoid()
    derivatives[:n_real].sub_(1).div_(n_real)
    derivatives[n_real:].div_(len(logits) - n_real)
    return derivatives
