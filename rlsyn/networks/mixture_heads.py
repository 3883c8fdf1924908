"""Discretised mixtures of logistic distributions: an alternative to output functions that are smooth in the rank."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rlsyn.networks.autoregressive import LevelHeads

N_COMPONENTS = 5
LOG_SCALE_BOUND = 7.0
"""Of the logarithm of a component's scale, up and down; PixelCNN++ has the lower one."""


class MixtureHeads(LevelHeads):
    """Level heads whose ordered levels have a discretised mixture of logistics (`log_mixture`) of the level's index.

    An attribute with ordered levels has 3 outputs per component (logit of its weight, shift of its mean, shift of the
    logarithm of its scale), to which constants are added, and then those of its own output functions, flags of missing
    and of spikes.

    Two things differ from PixelCNN++: there is a bias for every level beside the mixture, which holds what the marginal
    has more than the mixture of zero outputs, so that zero outputs give the marginal and calibration can shift it; and
    the index is of quantile bins, in which a marginal is about uniform.

    Args:
        bases: See `LevelHeads`; for ordered levels the output functions beside the mixture.
        marginals: See `LevelHeads`.
        missing_apart: See `LevelHeads`.
        n_ordered: By attribute how many of its first levels are ordered; 0 for attributes without a mixture.

    References:
        Salimans, Karpathy, Chen, Kingma: PixelCNN++, 2017, arXiv:1701.05517, equation 2.
    """

    def __init__(
        self,
        bases: Sequence[np.ndarray],
        marginals: Sequence[np.ndarray],
        missing_apart: Sequence[bool] | None,
        n_ordered: Sequence[int],
    ) -> None:
        own = [np.zeros((len(basis), 3 * N_COMPONENTS if n else 0)) for basis, n in zip(bases, n_ordered, strict=True)]
        super().__init__([np.hstack(pair) for pair in zip(own, bases, strict=True)], marginals, missing_apart)
        self.n_ordered = [int(n) for n in n_ordered]
        self.offsets = nn.Parameter(torch.zeros(len(bases), 3 * N_COMPONENTS))
        for i in range(self.n_buckets):
            self._add_counts(i, np.array(n_ordered)[self._bucket(i).attributes.numpy()])
        with torch.no_grad():
            for i, bias in enumerate(self.biases):
                bias -= self._mixture(i, torch.zeros(len(bias), 1, 3 * N_COMPONENTS)).squeeze(1)

    def parameters_by_attribute(self) -> list[tuple[Tensor, Tensor]]:
        """The parameters, each with the attribute that its rows belong to."""
        return [*super().parameters_by_attribute(), (self.offsets, torch.arange(len(self.offsets)))]

    @torch.no_grad()
    def set_logistic(self, attribute: int, mean: float, deviation: float) -> None:
        """Make the mixture of zero outputs about one logistic distribution, on the line of `log_mixture`.

        The components stay apart by a part of its deviation: alike they would learn alike.
        """
        scale = deviation * np.sqrt(3) / np.pi
        self.offsets[attribute, N_COMPONENTS : 2 * N_COMPONENTS] = mean - (1 - scale) * component_means()
        self.offsets[attribute, 2 * N_COMPONENTS :] = np.log(scale * N_COMPONENTS)

    def _add_counts(self, i: int, counts: np.ndarray) -> None:
        rows = np.flatnonzero(counts)
        self.register_buffer(f"_rows_{i}", torch.as_tensor(rows), persistent=False)
        self.register_buffer(f"_counts_{i}", torch.as_tensor(counts), persistent=False)

    def _bucket_logits(self, i: int, weights: Tensor) -> Tensor:
        logits = super()._bucket_logits(i, weights)
        return logits + self._mixture(i, weights) if len(getattr(self, f"_rows_{i}")) else logits

    def _attribute_logits(self, attribute: int, outputs: Tensor) -> Tensor:
        logits = super()._attribute_logits(attribute, outputs)
        count = self.n_ordered[attribute]
        if count == 0:
            return logits
        outputs = outputs[:, : 3 * N_COMPONENTS] + self.offsets[attribute]
        mixture = log_mixture(outputs, torch.tensor(count, device=outputs.device), count)
        return logits + F.pad(mixture, (0, logits.shape[1] - count))

    def _mixture(self, i: int, weights: Tensor) -> Tensor:
        """What a mixture adds to logits `(n_attributes of the bucket, n, n_levels)`; 0 for levels without an order."""
        rows, counts = getattr(self, f"_rows_{i}"), getattr(self, f"_counts_{i}")
        result = weights.new_zeros(*weights.shape[:2], self.biases[i].shape[1])
        if len(rows) == 0:
            return result
        n_levels = result.shape[-1]
        offsets = self.offsets[self._bucket(i).attributes[rows], None]
        mixture = log_mixture(weights[rows, :, : 3 * N_COMPONENTS] + offsets, counts[rows, None], n_levels)
        is_ordered = torch.arange(n_levels, device=rows.device) < counts[rows, None, None]
        return result.index_add(0, rows, mixture * is_ordered)


def component_means() -> Tensor:
    """The means `(N_COMPONENTS,)` of a mixture of zero outputs, evenly between -1 and 1."""
    return (2 * torch.arange(N_COMPONENTS) + 1) / N_COMPONENTS - 1


def log_mixture(outputs: Tensor, counts: Tensor, n_levels: int) -> Tensor:
    """Log-probabilities `(..., n_levels)` of levels under mixtures of logistic distributions, equation 2 of PixelCNN++.

    Levels 0 .. c - 1 share the line: level l has what lies between 2 l / c - 1 and 2 (l + 1) / c - 1, the outermost
    ones what lies beyond, too. Without an output the components stand evenly between -1 and 1. With s the logistic
    function and a > b the edges in units of a component, log(s(a) - s(b)) = log s(a) + log s(-b) + log(1 - exp(b - a)):
    exact and finite however far away a component is, where PixelCNN++ falls back on the density in the middle.

    Args:
        outputs: `(..., 3 * N_COMPONENTS)`: logits of weights, shifts of means, shifts of logarithms of scales.
        counts: Number of levels c, broadcast against the leading dimensions of the outputs.
        n_levels: Levels that are returned; those from c on, which pad a bucket, mean nothing, but are finite.
    """
    logits, shifts, widths = outputs.unflatten(-1, (3, -1)).unsqueeze(-1).unbind(-3)
    means = shifts + component_means().to(outputs).unsqueeze(-1)
    log_scales = (widths - np.log(N_COMPONENTS)).clamp(-LOG_SCALE_BOUND, LOG_SCALE_BOUND)
    level, counts = torch.arange(n_levels, device=outputs.device), counts[..., None, None]
    edges = ((2 * level[1:] / counts - 1) - means) * torch.exp(-log_scales)
    below = F.logsigmoid(edges)
    is_outermost, is_last = (level == 0) | (level == counts - 1), level == counts - 1
    inside = torch.log(-torch.expm1(-2 / counts * torch.exp(-log_scales)))
    masses = (
        F.pad(below, (0, 1)).masked_fill(is_last, 0)
        + F.pad(below - edges, (1, 0))
        + torch.where(is_outermost, 0, inside)
    )
    return torch.logsumexp(masses + torch.log_softmax(logits, dim=-2), dim=-2)
