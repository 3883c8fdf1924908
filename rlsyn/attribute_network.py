"""What every network of a policy is: outputs for an attribute depend on the attributes before it only."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

Memory = tuple[Tensor, Tensor]
"""What a network has computed of records being filled in, of its own making; `AttributeNetwork.step` writes into it."""


class AttributeNetwork(nn.Module, ABC):
    """A network that fills in records: all attributes of a record in one pass, or one after the other.

    `forward` is for training, `start` and `step` are for sampling, and both must give the same outputs. Every network
    has a direct linear path beside its hidden layers, and these are silent at first: so a regression of each attribute
    on those before it (`rlsyn.linear_start`) can be where any of them begins.

    A subclass builds its hidden layers and then calls `_add_direct_path`. Its forward pass adds `_direct(vectors)`, its
    steps `_direct_step(vectors, attribute)`.

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

    def _linear(self, name: str, values: Tensor) -> Tensor:
        linear: nn.Linear = getattr(self, name)
        return F.linear(values, linear.weight * getattr(self, f"_{name}_mask"), linear.bias)

    def _direct(self, vectors: Tensor) -> Tensor:
        return self._linear("direct", vectors)

    def _direct_step(self, vectors: Tensor, attribute: int) -> Tensor:
        n_inputs = self._n_inputs[attribute]
        return F.linear(vectors[:, :n_inputs], self.direct.weight[self._outputs(attribute), :n_inputs])

    def _outputs(self, attribute: int) -> slice:
        return slice(self._n_outputs[attribute], self._n_outputs[attribute + 1])
