"""The two networks of the paper's RLSyn, each with the gradients of its loss written out."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from rlsyn.adversarial_loss import SLOPE, Judged, judge
from rlsyn.baselines.table_vectors import TableVectors


class LogProb(NamedTuple):
    """Log probabilities of actions and their derivatives.

    Attributes:
        value: `(n,)`.
        by_output: Derivatives by means and logits `(n, width)`.
        by_log_sigma: Derivatives by log sigma `(n, n_numeric)`.
    """

    value: Tensor
    by_output: Tensor
    by_log_sigma: Tensor


class Layers(NamedTuple):
    """What the policy computes from states: enough for its gradient.

    Attributes:
        noise: States `(n, n_noise)`.
        first: First hidden layer `(n, n_hidden)`.
        second: Second hidden layer `(n, n_hidden)`.
        outputs: Means and logits by entry `(n, width)`.
    """

    noise: Tensor
    first: Tensor
    second: Tensor
    outputs: Tensor


def flatten(network: nn.Module) -> nn.Parameter:
    """One vector of which the network's parameters become parts: Adam moves one tensor instead of six to nine.

    Moving the network to another device parts the two.
    """
    vector = nn.Parameter(parameters_to_vector(network.parameters()).detach())
    vector_to_parameters(vector.data, network.parameters())
    return vector


class RecordPolicy(nn.Module):
    """pi(record | z) and the value v(z): two layers of ReLU, a linear head for each.

    Its vectors hold the entries of `TableVectors` in another order, numbers first (`order`). An action is such a row: u
    of a numeric entry, which stands for tanh(u) scaled to (0, 1), and 0 or 1 of the others. Its log probability leaves
    the Jacobian of tanh out, which knows no parameters and cancels in every ratio and gradient: the paper's code adds
    it, and goes back from tanh(u) to u by a clamped atanh.

    Args:
        vectors: How rows become vectors.
        real: Vectors of the training rows, in the order of `vectors`.
        n_noise: Length of z.
        n_hidden: Units per hidden layer.
    """

    _medians: Tensor
    _constants: Tensor

    def __init__(self, vectors: TableVectors, real: Tensor, n_noise: int, n_hidden: int) -> None:
        super().__init__()
        self.n_noise = n_noise
        blocks = [block for kind in ("numeric", "binary", "categorical") for block in vectors.of_kind(kind)]
        self.order = [entry for block in blocks for entry in range(block.start, block.stop)]
        place = {entry: place for place, entry in enumerate(self.order)}
        numeric, binary = vectors.of_kind("numeric"), vectors.of_kind("binary")
        self._n_numeric, self._n_single = len(numeric), len(numeric) + len(binary)
        self._groups = [slice(place[b.start], place[b.start] + b.stop - b.start) for b in blocks[self._n_single :]]
        flags = {block.column.name: place[block.start] for block in binary if block.is_missing_flag}
        self._flagged = [place[block.start] for block in numeric if block.column.name in flags]
        self._flags = [flags[block.column.name] for block in numeric if block.column.name in flags]
        arranged = self.arrange(real)
        # Where a number is missing, training rows hold the same value in its place.
        pairs = zip(self._flagged, self._flags, strict=True)
        self.register_buffer("_medians", torch.tensor([arranged[arranged[:, f] == 1, n][0] for n, f in pairs]))
        self._constant = torch.nonzero(arranged.amin(0) == arranged.amax(0)).flatten().tolist()
        self.register_buffer("_constants", arranged[0, self._constant])
        self.log_sigma = nn.Parameter(torch.zeros(self._n_numeric))
        self.first, self.second = nn.Linear(n_noise, n_hidden), nn.Linear(n_hidden, n_hidden)
        self.head, self.value_head = nn.Linear(n_hidden, vectors.width), nn.Linear(n_hidden, 1)

    def arrange(self, vectors: Tensor) -> Tensor:
        """Vectors of `TableVectors` in the order of the policy."""
        return vectors[:, self.order]

    def restore(self, arranged: Tensor) -> Tensor:
        """The inverse of `arrange`."""
        vectors = torch.empty_like(arranged)
        vectors[:, self.order] = arranged
        return vectors

    @torch.no_grad()
    def start_at_marginals(self, real: Tensor, least_sigma: float = 0.05) -> None:
        """Set biases and sigma to what the columns of the training rows, in the order of the policy, have alone."""
        bias = torch.log((real.mean(0) + 1e-3) / (1 - real.mean(0) + 1e-3))
        for group in self._groups:
            bias[group] = torch.log(real[:, group].mean(0) + 1e-3)
        unsquashed = torch.atanh((2 * real[:, : self._n_numeric] - 1).clamp(-0.99, 0.99))
        bias[: self._n_numeric] = unsquashed.mean(0)
        self.head.bias.copy_(bias)
        self.log_sigma.copy_(unsquashed.std(0).clamp_min(least_sigma).log())

    def forward(self, noise: Tensor) -> Tensor:
        """Means and logits by entry `(n, width)` of states `(n, n_noise)`."""
        return self.layers(noise).outputs

    def layers(self, noise: Tensor) -> Layers:
        """All layers at states `(n, n_noise)`."""
        first = self.first(noise).relu_()
        second = self.second(first).relu_()
        return Layers(noise, first, second, self.head(second))

    def value(self, layers: Layers) -> Tensor:
        """The value `(n,)`."""
        value: Tensor = self.value_head(layers.second).squeeze(1)
        return value

    @torch.no_grad()
    def gradient(self, layers: Layers, by_log_sigma: Tensor, by_output: Tensor, by_value: Tensor) -> Tensor:
        """Derivatives of a loss by all parameters, in their order, in one vector.

        Args:
            layers: What the loss was computed from.
            by_log_sigma: Derivatives of the loss by log sigma `(n_numeric,)`.
            by_output: By outputs `(n, width)`.
            by_value: By values `(n,)`.
        """
        noise, first, second, _ = layers
        by_second = (by_output @ self.head.weight).addr_(by_value, self.value_head.weight[0]).mul_(second.sign())
        by_first = (by_second @ self.second.weight).mul_(first.sign())
        below = (by_first, noise), (by_second, first), (by_output, second), (by_value[:, None], second)
        return _joined(by_log_sigma, *(part for by, layer in below for part in (by.T @ layer, by.sum(0))))

    @torch.no_grad()
    def draw(self, outputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Actions `(n, width)` drawn from outputs."""
        device = outputs.device
        means, logits = outputs[:, : self._n_numeric], outputs[:, self._n_numeric : self._n_single]
        normal = torch.randn(means.shape, generator=generator, device=device)
        uniform = torch.rand(logits.shape, generator=generator, device=device)
        actions = torch.empty_like(outputs)
        torch.addcmul(means, normal, self.log_sigma.exp(), out=actions[:, : self._n_numeric])
        torch.lt(uniform, logits.sigmoid(), out=actions[:, self._n_numeric : self._n_single])
        for group in self._groups:
            # The first of exponential waiting times: a draw from the softmax.
            waiting = torch.empty_like(outputs[:, group]).exponential_(generator=generator)
            chosen = (outputs[:, group] - waiting.log()).argmax(1, keepdim=True)
            actions[:, group] = torch.zeros_like(waiting).scatter_(1, chosen, 1.0)
        return actions

    @torch.no_grad()
    def log_prob(self, outputs: Tensor, actions: Tensor) -> LogProb:
        """Log probabilities of actions under outputs, with derivatives."""
        slopes = torch.empty_like(actions)
        precision = (-self.log_sigma).exp()
        error = (actions[:, : self._n_numeric] - outputs[:, : self._n_numeric]) * precision
        squared = error.square()
        value = squared.sum(1).mul_(-0.5).sub_(self.log_sigma.sum())
        torch.mul(error, precision, out=slopes[:, : self._n_numeric])
        single = slice(self._n_numeric, self._n_single)
        logits, ones = outputs[:, single], actions[:, single]
        value += (ones * logits - F.softplus(logits)).sum(1)
        torch.sub(ones, logits.sigmoid(), out=slopes[:, single])
        for group in self._groups:
            log_shares = F.log_softmax(outputs[:, group], 1)
            value += (actions[:, group] * log_shares).sum(1)
            slopes[:, group] = actions[:, group] - log_shares.exp()
        return LogProb(value, slopes, squared - 1)

    def records(self, actions: Tensor) -> Tensor:
        """Vectors of the records that actions stand for, in the order of the policy.

        Entries that never vary in the training rows are theirs, and a missing number stands where it does there.
        """
        vectors = actions.clone()
        vectors[:, : self._n_numeric] = torch.sigmoid(2 * actions[:, : self._n_numeric])  # (tanh(u) + 1) / 2
        if self._constant:
            vectors[:, self._constant] = self._constants
        if self._flagged:
            vectors[:, self._flagged] = torch.where(
                vectors[:, self._flags] == 1, self._medians, vectors[:, self._flagged]
            )
        return vectors


class RecordDiscriminator(nn.Module):
    """Two layers of LeakyReLU; its output is a logit, high = real.

    Args:
        width: Entries of a vector.
        n_hidden: Units per hidden layer.
    """

    def __init__(self, width: int, n_hidden: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(width, n_hidden), nn.Linear(n_hidden, n_hidden)
        self.last = nn.Linear(n_hidden, 1)

    def forward(self, vectors: Tensor) -> Tensor:
        """Logits `(n,)` of vectors `(n, width)`."""
        first = F.leaky_relu_(self.first(vectors), SLOPE)
        logits: Tensor = self.last(F.leaky_relu_(self.second(first), SLOPE)).squeeze(1)
        return logits

    def judge(self, real: Tensor, synthetic: Tensor, r1_gamma: float) -> Judged:
        """What it says of vectors `(n, width)`; see `rlsyn.adversarial_loss.judge`."""
        layers = [(layer.weight, layer.bias) for layer in (self.first, self.second, self.last)]
        return judge(real, synthetic, layers, r1_gamma)

    def gradient(self, real: Tensor, synthetic: Tensor, r1_gamma: float) -> Tensor:
        """Derivatives of its loss by all parameters, in their order, in one vector."""
        return _joined(*self.judge(real, synthetic, r1_gamma).gradients)


def _joined(*parts: Tensor) -> Tensor:
    return torch.cat([part.flatten() for part in parts])
