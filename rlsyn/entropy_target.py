"""An entropy bonus whose weight adapts, so that a policy stays about as uncertain as it was."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

RATE = 0.5
"""What the logarithm of the weight moves by at a minibatch, for each share of the reference's entropy that is lacking."""
LEAST, MOST = 1e-3, 100.0
"""Of the weight: without a floor it would sink for as long as entropy is plenty, and be late when it is not."""


class EntropyTarget(nn.Module):
    """Pays for entropy by a weight that rises while the mean entropy is below a share of the reference's, and falls above.

    Gradient steps on the logarithm of the temperature of soft actor-critic, one for each minibatch in training mode, as
    batch normalisation keeps its statistics; the weight is a buffer, so a checkpoint has it. Other than in soft
    actor-critic the entropy is that of all levels of an attribute, not of the one chosen; the target is a share of what
    another policy has after the same levels, not a constant; and it is plain gradient descent, not Adam.

    Args:
        share: Of the reference's mean entropy per attribute.

    References:
        Haarnoja et al.: Soft actor-critic algorithms and applications, 2018, arXiv:1812.05905, equation 17.
    """

    log_weight: Tensor

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self.register_buffer("log_weight", torch.tensor(math.log(LEAST)))

    def forward(self, entropy: Tensor, reference: Tensor) -> Tensor:
        """The bonus, shaped as the entropies of the policy and of the reference at the same steps, in nats."""
        bonus: Tensor = self.log_weight.exp() * entropy
        if self.training and torch.is_grad_enabled():
            lacking = self.share - float(entropy.detach().mean() / reference.mean().clamp(min=1e-6))
            self.log_weight.add_(RATE * lacking).clamp_(math.log(LEAST), math.log(MOST))
        return bonus
