"""What every network of a policy is: outputs for an attribute depend on the attributes before it only."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from rlsyn.networks.staircase import Steps, staircase_linear, steps_of

BLOCK = 64
"""Inputs that become known one after the other and are then multiplied at once."""


class KnownProducts:
    """Products of linear layers with inputs that become known from left to right.

    Of a wide record, thin products of all known inputs with the weights of one attribute leave a processor waiting for
    memory. So as soon as a block of inputs is known, it is multiplied with all weights that will ask for it, at once.
    Inputs that lie column by column (`column_major`) are multiplied fastest; so do the products.
    """

    def __init__(self) -> None:
        self._n_done: dict[nn.Linear, int] = {}
        self._totals: dict[nn.Linear, Tensor] = {}

    def __call__(self, layer: nn.Linear, known: Tensor, rows: slice) -> Tensor:
        """`known @ weight.T` `(n, len(rows))` of outputs that see the first inputs `known` `(n, k)`, without bias.

        From call to call the inputs grow, and the rows move on: no later row may see less than an earlier one.
        """
        n_done, n_known = self._n_done.get(layer, 0), known.shape[1]
        if n_known - n_done >= BLOCK:
            if n_done == 0:
                self._totals[layer] = known.new_zeros((layer.out_features, len(known)))
            self._totals[layer][rows.start :].addmm_(layer.weight[rows.start :, n_done:n_known], known[:, n_done:].T)
            self._n_done[layer] = n_done = n_known
        weight, new = layer.weight[rows, n_done:n_known], known[:, n_done:].T
        return (torch.addmm(self._totals[layer][rows], weight, new) if n_done > 0 else weight @ new).T


def column_major(like: Tensor, n_rows: int, n_columns: int) -> Tensor:
    """Zeros `(n_rows, n_columns)` on the device of another tensor, whose columns lie together in memory."""
    return like.new_zeros((n_columns, n_rows)).T


@dataclass(frozen=True)
class Memory:
    """What a network has computed of records being filled in; `AttributeNetwork.step` writes into it.

    Args:
        states: Of the network's own making.
        products: Of its linear layers.
    """

    states: tuple[Tensor, Tensor]
    products: KnownProducts = field(default_factory=KnownProducts)


class AttributeNetwork(nn.Module, ABC):
    """A network that fills in records: all attributes of a record in one pass, or one after the other.

    `forward` is for training, `start` and `step` are for sampling, and both must give the same outputs. Every network
    has a direct linear path beside its hidden layers, and these are silent at first: so a regression of each attribute
    on those before it (`rlsyn.linear_start`) can be where any of them begins.

    A subclass builds its hidden layers and then calls `_add_direct_path`. Its forward pass adds `_direct(vectors)`, its
    steps `_direct_step(vectors, memory, attribute)`.

    Args:
        in_attribute: The attribute that each entry of the input vector belongs to, ascending, `(width,)`.
        out_sizes: Number of outputs of each attribute.
    """

    out_attribute: Tensor
    direct: nn.Linear

    def __init__(self, in_attribute: np.ndarray, out_sizes: Sequence[int]) -> None:
        super().__init__()
        self.n_attributes = len(out_sizes)
        self._owner_in, self._owner_out = in_attribute, np.repeat(np.arange(self.n_attributes), out_sizes)
        self._steps: dict[str, Steps] = {}
        self._n_inputs = np.searchsorted(self._owner_in, np.arange(self.n_attributes + 1)).tolist()
        self._n_outputs = np.searchsorted(self._owner_out, np.arange(self.n_attributes + 1)).tolist()
        self.register_buffer("out_attribute", torch.as_tensor(self._owner_out), persistent=False)

    @abstractmethod
    def forward(self, vectors: Tensor, dropout: float = 0.0) -> Tensor:
        """Outputs `(n, sum of out_sizes)` of vectors `(n, width)`; dropout only where it is asked for."""

    @abstractmethod
    def linear(self, vectors: Tensor) -> Tensor:
        """Outputs of the direct path alone: those of `forward` while the hidden layers are silent, as at first."""

    @abstractmethod
    def start(self, n: int) -> Memory:
        """What `step` needs of `n` records of which nothing is filled in."""

    @abstractmethod
    def step(self, vectors: Tensor, memory: Memory, attribute: int) -> Tensor:
        """Outputs `(n, out_sizes[attribute])`; `vectors` must hold the inputs of all attributes before it.

        Writes what it computes into the memory, so it must be called for every attribute in turn.
        """

    def n_inputs(self, attribute: int) -> int:
        """Entries of the input vector that an attribute may see."""
        return int(self._n_inputs[attribute])

    @torch.no_grad()
    def set_linear(self, attribute: int, first: int, weights: Tensor) -> None:
        """Set the weights `(n, n_inputs(attribute))` of n outputs of an attribute, from `first` on, on the direct path."""
        start = self._n_outputs[attribute] + first
        self.direct.weight[start : start + len(weights), : weights.shape[1]] = weights.to(self.direct.weight)

    def _add_direct_path(self) -> None:
        self.direct = nn.Linear(len(self._owner_in), len(self._owner_out), bias=False)
        nn.init.zeros_(self.direct.weight)
        self._add_mask("direct", self._owner_out[:, None] > self._owner_in[None, :])

    def _add_mask(self, name: str, mask: np.ndarray) -> None:
        self.register_buffer(f"_{name}_mask", torch.as_tensor(mask, dtype=torch.float32), persistent=False)
        self._steps[name] = steps_of(mask)

    def _linear(self, name: str, values: Tensor) -> Tensor:
        linear: nn.Linear = getattr(self, name)
        weight = linear.weight * getattr(self, f"_{name}_mask")
        return staircase_linear(values, weight, linear.bias, self._steps[name])

    def _direct(self, vectors: Tensor) -> Tensor:
        return self._linear("direct", vectors)

    def _direct_step(self, vectors: Tensor, memory: Memory, attribute: int) -> Tensor:
        return memory.products(self.direct, vectors[:, : self._n_inputs[attribute]], self._outputs(attribute))

    def _outputs(self, attribute: int) -> slice:
        return slice(self._n_outputs[attribute], self._n_outputs[attribute + 1])
