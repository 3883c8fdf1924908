"""The masked network that fills in records, and the heads that turn outputs of networks into levels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rlsyn.networks.attribute_network import AttributeNetwork, Memory, column_major

IMPOSSIBLE = -1e4
"""Logit of levels that pad an attribute to the width of its bucket; finite, so that a relative entropy stays finite."""


class MaskedNetwork(AttributeNetwork):
    """A masked autoencoder (MADE): outputs of attribute t see the inputs of attributes 0 .. t - 1.

    Two hidden layers, the second residual, beside the direct linear path. Hidden units are sorted by degree (the last
    attribute that they may see), so that a unit is final as soon as its attribute is known: generating a record
    attribute by attribute with `step` costs the multiplications of one single forward pass.

    Args:
        in_attribute: See `AttributeNetwork`.
        out_sizes: See `AttributeNetwork`.
        n_hidden: Units per hidden layer.
        is_residual: Whether the second hidden layer adds to the first or takes its place.

    References:
        Germain, Gregor, Murray, Larochelle: MADE, 2015, arXiv:1502.03509.
    """

    def __init__(
        self, in_attribute: np.ndarray, out_sizes: Sequence[int], n_hidden: int, is_residual: bool = True
    ) -> None:
        super().__init__(in_attribute, out_sizes)
        self.is_residual = is_residual
        degree = np.sort(np.arange(n_hidden) * max(self.n_attributes - 1, 1) // n_hidden)
        self.first = nn.Linear(len(in_attribute), n_hidden)
        self.second = nn.Linear(n_hidden, n_hidden)
        self.last = nn.Linear(n_hidden, len(self._owner_out))
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)
        self._add_direct_path()
        self._add_mask("first", degree[:, None] >= in_attribute[None, :])
        self._add_mask("second", degree[:, None] >= degree[None, :])
        self._add_mask("last", self._owner_out[:, None] > degree[None, :])
        self._n_units = np.searchsorted(degree, np.arange(self.n_attributes + 1)).tolist()

    def forward(self, vectors: Tensor, dropout: float = 0.0) -> Tensor:
        """Outputs `(n, sum of out_sizes)` of vectors `(n, width)`; dropout only where it is asked for."""
        first = F.dropout(F.silu(self._linear("first", vectors)), dropout, training=dropout > 0)
        second = F.dropout(F.silu(self._linear("second", first)), dropout, training=dropout > 0)
        if self.is_residual:
            second = second + first
        return self._linear("last", second) + self._direct(vectors)

    def linear(self, vectors: Tensor) -> Tensor:
        """Outputs of the direct path alone: those of `forward` while the last layer is zero, as it is at first."""
        return self._direct(vectors) + self.last.bias

    def start(self, n: int) -> Memory:
        """Empty hidden layers, each `(n, n_hidden)`."""
        weight = self.first.weight
        return Memory((column_major(weight, n, len(weight)), column_major(weight, n, len(weight))))

    def step(self, vectors: Tensor, memory: Memory, attribute: int) -> Tensor:
        """Outputs `(n, out_sizes[attribute])`; fills in the hidden units that became final."""
        (first, second), product = memory.states, memory.products
        before, now = self._n_units[max(attribute - 1, 0)], self._n_units[attribute]
        if now > before:
            units = slice(before, now)
            known = vectors[:, : self._n_inputs[attribute]]
            first[:, units] = F.silu(product(self.first, known, units) + self.first.bias[units])
            update = F.silu(product(self.second, first[:, :now], units) + self.second.bias[units])
            second[:, units] = update + first[:, units] if self.is_residual else update
        rows = self._outputs(attribute)
        outputs = product(self.last, second[:, :now], rows) + self.last.bias[rows]
        return outputs + self._direct_step(vectors, memory, attribute)


@dataclass(frozen=True)
class _Bucket:
    """Attributes of similar numbers of levels, computed together."""

    attributes: Tensor
    basis: Tensor
    outputs: Tensor
    is_level: Tensor
    apart: Tensor
    has_apart: Tensor


class LevelHeads(nn.Module):
    """Outputs of a network to log-probabilities of the levels of each attribute.

    The logits of an attribute are its log marginals plus its output functions (`Levels.basis`) weighted by the
    network: free for categories, smooth in the rank for quantities unless they are asked to be free, too.

    Args:
        bases: Output functions by attribute, each `(n_levels, n_functions)`.
        marginals: Shares of the levels by attribute: the distribution that zero weights give.
        missing_apart: By attribute whether the last level, missing, is decided on before the others: else what shifts
            and narrows a quantity would change how often it is missing, too.
    """

    _position: Tensor

    def __init__(
        self, bases: Sequence[np.ndarray], marginals: Sequence[np.ndarray], missing_apart: Sequence[bool] | None = None
    ) -> None:
        super().__init__()
        self.missing_apart = list(missing_apart or [False] * len(bases))
        self.out_sizes = [basis.shape[1] for basis in bases]
        n_levels = np.array([len(basis) for basis in bases])
        starts = np.concatenate([[0], np.cumsum(self.out_sizes)])
        self._bases = [torch.as_tensor(basis, dtype=torch.float32) for basis in bases]
        # Attributes whose numbers of levels round up to the same power of two share one padded tensor.
        powers = np.ceil(np.log2(np.maximum(n_levels, 2))).astype(int)
        self.n_buckets = 0
        self.bucket_of: list[tuple[int, int]] = [(0, 0)] * len(bases)
        self.biases = nn.ParameterList()
        buckets = [np.flatnonzero(powers == power) for power in np.unique(powers)]
        for chosen in buckets:
            self._add_bucket(chosen, bases, marginals, starts)
        self._any_apart = [any(self.missing_apart[j] for j in chosen) for chosen in buckets]
        position = np.argsort(np.concatenate(buckets))
        self.register_buffer("_position", torch.as_tensor(position), persistent=False)

    def _add_bucket(
        self, chosen: np.ndarray, bases: Sequence[np.ndarray], marginals: Sequence[np.ndarray], starts: np.ndarray
    ) -> None:
        n_levels, n_functions = max(len(bases[j]) for j in chosen), max(max(bases[j].shape[1] for j in chosen), 1)
        basis = np.zeros((len(chosen), n_functions, n_levels), dtype=np.float32)
        outputs = np.full((len(chosen), n_functions), starts[-1])
        bias = np.full((len(chosen), n_levels), IMPOSSIBLE, dtype=np.float32)
        for row, j in enumerate(chosen):
            levels, functions = bases[j].shape
            basis[row, :functions, :levels] = bases[j].T
            outputs[row, :functions] = starts[j] + np.arange(functions)
            bias[row, :levels] = np.log(np.maximum(marginals[j], 1e-6))
            if self.missing_apart[j]:
                bias[row, levels - 1] -= np.log1p(-min(marginals[j][-1], 1 - 1e-6))
            self.bucket_of[j] = (self.n_buckets, row)
        for name, value in (
            ("attributes", torch.as_tensor(chosen)),
            ("basis", torch.as_tensor(basis)),
            ("outputs", torch.as_tensor(outputs)),
            ("is_level", torch.as_tensor(bias > IMPOSSIBLE / 2)),
            ("apart", torch.as_tensor([[len(bases[j]) - 1] for j in chosen])),
            ("has_apart", torch.as_tensor([[self.missing_apart[j]] for j in chosen])),
        ):
            self.register_buffer(f"_{name}_{self.n_buckets}", value, persistent=False)
        self.biases.append(nn.Parameter(torch.as_tensor(bias)))
        self.n_buckets += 1

    def _bucket(self, i: int) -> _Bucket:
        return _Bucket(*(getattr(self, f"_{name}_{i}") for name in _Bucket.__annotations__))

    def forward(self, outputs: Tensor) -> list[Tensor]:
        """Log-probabilities of all levels: one tensor `(n_attributes of the bucket, n, n_levels)` per bucket."""
        padded = F.pad(outputs, (0, 1))
        result = []
        for i in range(self.n_buckets):
            bucket = self._bucket(i)
            # Unlike with plain indices, the gradient of this is quick, too.
            weights = padded.index_select(1, bucket.outputs.flatten()).view(len(outputs), *bucket.outputs.shape)
            logits = self._bucket_logits(i, weights.transpose(0, 1))
            result.append(_log_softmax_apart(logits, bucket) if self._any_apart[i] else logits.log_softmax(-1))
        return result

    def _bucket_logits(self, i: int, weights: Tensor) -> Tensor:
        """Logits `(n_attributes of the bucket, n, n_levels)` of outputs `(n_attributes of the bucket, n, n_functions)`."""
        return torch.baddbmm(self._bias(i).unsqueeze(1), weights, self._bucket(i).basis)

    def _bias(self, i: int) -> Tensor:
        return torch.where(self._bucket(i).is_level, self.biases[i], IMPOSSIBLE)

    def chosen(self, log_probabilities: list[Tensor], records: Tensor) -> Tensor:
        """Log-probabilities `(n, n_attributes)` of the levels of records."""
        levels = [records[:, self._bucket(i).attributes].T.unsqueeze(-1) for i in range(self.n_buckets)]
        return self._in_order(
            [values.gather(-1, index).squeeze(-1) for values, index in zip(log_probabilities, levels, strict=True)]
        )

    def relative_entropy(self, log_probabilities: list[Tensor], reference: list[Tensor]) -> Tensor:
        """KL(policy || reference) `(n, n_attributes)` in nats, summed over the levels of each attribute."""
        pairs = zip(log_probabilities, reference, strict=True)
        # torch's exp takes up to nine times as long on a CPU, the more values underflow the longer.
        return self._in_order([((values / math.log(2)).exp2() * (values - others)).sum(-1) for values, others in pairs])

    def _in_order(self, by_bucket: list[Tensor]) -> Tensor:
        """A number for each attribute `(n, n_attributes)` of those `(n_attributes of the bucket, n)` by bucket."""
        return torch.cat(by_bucket).index_select(0, self._position).T

    def entropy(self, log_probabilities: list[Tensor]) -> Tensor:
        """Entropies `(n, n_attributes)` in nats."""
        return -self.relative_entropy(log_probabilities, [torch.zeros_like(values) for values in log_probabilities])

    def parameters_by_attribute(self) -> list[tuple[Tensor, Tensor]]:
        """The parameters, each with the attribute that its rows belong to."""
        return [(bias, self._bucket(i).attributes) for i, bias in enumerate(self.biases)]

    def level_biases(self, attribute: int) -> np.ndarray:
        """The biases `(n_levels,)` of the logits of an attribute."""
        i, row = self.bucket_of[attribute]
        biases: np.ndarray = self.biases[i][row, : len(self._bases[attribute])].detach().cpu().numpy()
        return biases

    @torch.no_grad()
    def shift_biases(self, shifts: Sequence[np.ndarray]) -> None:
        """Add to the logit of every level, by attribute."""
        for (i, row), shift in zip(self.bucket_of, shifts, strict=True):
            self.biases[i][row, : len(shift)] += torch.as_tensor(
                shift, dtype=torch.float32, device=self.biases[i].device
            )

    def step_logits(self, outputs: Tensor, attribute: int, temperature: float = 1.0) -> Tensor:
        """Logits `(n, n_levels)` of one attribute from its own outputs; a temperature leaves alone what is missing apart."""
        logits = self._attribute_logits(attribute, outputs)
        if not self.missing_apart[attribute]:
            return logits / temperature
        others, own = torch.log_softmax(logits[:, :-1] / temperature, dim=-1), logits[:, -1:]
        return torch.cat([others + F.logsigmoid(-own), F.logsigmoid(own)], dim=-1)

    def _attribute_logits(self, attribute: int, outputs: Tensor) -> Tensor:
        """Logits `(n, n_levels)` of one attribute from its own outputs `(n, n_functions)`."""
        i, row = self.bucket_of[attribute]
        n_levels, n_functions = self._bases[attribute].shape
        basis = self._bucket(i).basis[row, :n_functions, :n_levels]
        return torch.addmm(self.biases[i][row, :n_levels], outputs, basis)


def _log_softmax_apart(logits: Tensor, bucket: _Bucket) -> Tensor:
    """Log-probabilities of a bucket; a level that is apart has sigmoid(its logit), whatever the others'."""
    index, has_apart = bucket.apart[:, None].expand(*logits.shape[:2], 1), bucket.has_apart[:, None]
    own = logits.gather(-1, index)
    others = torch.log_softmax(logits.scatter(-1, index, torch.where(has_apart, IMPOSSIBLE, own)), dim=-1)
    value = torch.where(has_apart, F.logsigmoid(own), others.gather(-1, index))
    return (others + torch.where(has_apart, F.logsigmoid(-own), 0.0)).scatter(-1, index, value)
