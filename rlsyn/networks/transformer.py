"""A small causal transformer over the attributes of a record."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rlsyn.networks.attribute_network import AttributeNetwork, Memory

N_LAYERS = 2
N_HEADS = 2
INITIAL_SCALE = 0.02
"""Standard deviation of learned embeddings at first, as in GPT-2."""


def check_width(n_hidden: int) -> None:
    """Check the width of a transformer's tokens.

    Raises:
        ValueError: It is no multiple of the number of heads.
    """
    if n_hidden % N_HEADS:
        raise ValueError(
            f"n_hidden of a transformer must be a multiple of its {N_HEADS} heads, got {n_hidden}. "
            f"Try {-(-n_hidden // N_HEADS) * N_HEADS}."
        )


class CausalTransformer(AttributeNetwork):
    """A pre-norm causal transformer: position t reads the values of attributes 0 .. t - 1 and gives outputs of t.

    The token at position t is the value of attribute t - 1, by a linear map of its own (attributes differ in what they
    are, where words do not), plus a learned embedding of attribute t, which is to be filled in. Each attribute has an
    output layer of its own, zero at first, beside the direct linear path of every network. `step` keeps keys and
    values, so a record attribute by attribute costs the multiplications of one forward pass. Its memory is
    2 x layers x attributes x n_hidden numbers for each record.

    Args:
        in_attribute: See `AttributeNetwork`.
        out_sizes: See `AttributeNetwork`.
        n_hidden: Width of a token, a multiple of `N_HEADS`; the layer inside a block is four times as wide.

    Raises:
        ValueError: The width is no multiple of the number of heads.

    References:
        Vaswani et al.: Attention is all you need, 2017, arXiv:1706.03762; pre-norm: Xiong et al.: On layer
        normalization in the transformer architecture, 2020, arXiv:2002.04745.
    """

    _in_index: Tensor
    _out_index: Tensor
    _out_places: Tensor

    def __init__(self, in_attribute: np.ndarray, out_sizes: Sequence[int], n_hidden: int) -> None:
        super().__init__(in_attribute, out_sizes)
        check_width(n_hidden)
        self.values = nn.Parameter(INITIAL_SCALE * torch.randn(len(in_attribute), n_hidden))
        self.attributes = nn.Parameter(INITIAL_SCALE * torch.randn(self.n_attributes, n_hidden))
        self.blocks = nn.ModuleList(_Block(n_hidden) for _ in range(N_LAYERS))
        self.norm = nn.LayerNorm(n_hidden)
        self.last = nn.Linear(n_hidden, len(self._owner_out))
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)
        self._add_direct_path()
        self.register_buffer("_in_index", _padded_index(self._n_inputs), persistent=False)
        out_index = _padded_index(self._n_outputs)
        self.register_buffer("_out_index", out_index, persistent=False)
        is_output = out_index < len(self._owner_out)
        self.register_buffer("_out_places", torch.nonzero(is_output.flatten()).flatten(), persistent=False)

    def forward(self, vectors: Tensor, dropout: float = 0.0) -> Tensor:
        """Outputs `(n, sum of out_sizes)` of vectors `(n, width)`; dropout, of what blocks add, where it is asked for."""
        tokens = self._tokens(vectors)
        for block in self.blocks:
            tokens = block(tokens, dropout)
        # Attributes of one padded size, as `(n_attributes, n, n_hidden) @ (n_attributes, n_hidden, size)`.
        weights = F.pad(self.last.weight, (0, 0, 0, 1))[self._out_index].transpose(1, 2)
        outputs = torch.bmm(self.norm(tokens).transpose(0, 1), weights).transpose(0, 1).flatten(1)
        return outputs[:, self._out_places] + self.last.bias + self._direct(vectors)

    def linear(self, vectors: Tensor) -> Tensor:
        """Outputs of the direct path alone: those of `forward` while the last layer is zero, as it is at first."""
        return self._direct(vectors) + self.last.bias

    def start(self, n: int) -> Memory:
        """Empty keys and values, each `(n_layers, n, n_heads, n_attributes, n_hidden / n_heads)`."""
        n_hidden = self.attributes.shape[1]
        shape = N_LAYERS, n, N_HEADS, self.n_attributes, n_hidden // N_HEADS
        return Memory((self.attributes.new_empty(shape), self.attributes.new_empty(shape)))

    def step(self, vectors: Tensor, memory: Memory, attribute: int) -> Tensor:
        """Outputs `(n, out_sizes[attribute])`; adds the keys and values of its position."""
        keys, values = memory.states
        token = self.attributes[attribute].expand(len(vectors), -1)
        if attribute > 0:
            entries = slice(self._n_inputs[attribute - 1], self._n_inputs[attribute])
            token = token + vectors[:, entries] @ self.values[entries]
        for layer, block in enumerate(self.blocks):
            assert isinstance(block, _Block)
            token = block.step(token, keys[layer], values[layer], attribute)
        rows = self._outputs(attribute)
        outputs = F.linear(self.norm(token), self.last.weight[rows], self.last.bias[rows])
        return outputs + self._direct_step(vectors, memory, attribute)

    def _tokens(self, vectors: Tensor) -> Tensor:
        """Tokens `(n, n_attributes, n_hidden)`."""
        inputs = F.pad(vectors, (0, 1))[:, self._in_index[:-1]].transpose(0, 1)
        weights = F.pad(self.values, (0, 0, 0, 1))[self._in_index[:-1]]
        before = torch.bmm(inputs, weights).transpose(0, 1)
        return F.pad(before, (0, 0, 1, 0)) + self.attributes


class _Block(nn.Module):
    """Attention and a layer of units, each added to what it reads."""

    def __init__(self, n_hidden: int) -> None:
        super().__init__()
        self.norm_attention, self.norm_units = nn.LayerNorm(n_hidden), nn.LayerNorm(n_hidden)
        self.queries = nn.Linear(n_hidden, 3 * n_hidden)
        self.mix = nn.Linear(n_hidden, n_hidden)
        self.units, self.back = nn.Linear(n_hidden, 4 * n_hidden), nn.Linear(4 * n_hidden, n_hidden)

    def forward(self, tokens: Tensor, dropout: float) -> Tensor:
        query, key, value = self._attention_inputs(tokens)
        read = F.scaled_dot_product_attention(query, key, value, is_causal=True).transpose(1, 2).flatten(2)
        tokens = tokens + F.dropout(self.mix(read), dropout, training=dropout > 0)
        return tokens + F.dropout(self._units(tokens), dropout, training=dropout > 0)

    def step(self, token: Tensor, keys: Tensor, values: Tensor, position: int) -> Tensor:
        """The token `(n, n_hidden)` after this block; its key and value are written at the position."""
        query, key, value = self._attention_inputs(token.unsqueeze(1))
        keys[:, :, position], values[:, :, position] = key[:, :, 0], value[:, :, 0]
        seen = slice(0, position + 1)
        read = F.scaled_dot_product_attention(query, keys[:, :, seen], values[:, :, seen])
        token = token + self.mix(read.transpose(1, 2).flatten(1))
        return token + self._units(token)

    def _attention_inputs(self, tokens: Tensor) -> tuple[Tensor, ...]:
        """Queries, keys and values, each `(n, n_heads, n_positions, n_hidden / n_heads)`."""
        parts = self.queries(self.norm_attention(tokens)).unflatten(-1, (3, N_HEADS, -1))
        return tuple(part.transpose(1, 2) for part in parts.unbind(2))

    def _units(self, tokens: Tensor) -> Tensor:
        result: Tensor = self.back(F.gelu(self.units(self.norm_units(tokens))))
        return result


def _padded_index(starts: Sequence[int]) -> Tensor:
    """Entries of each attribute `(n_attributes, most entries of one)`; what pads is the number of all entries."""
    sizes = np.diff(starts)
    places = np.arange(max(sizes.max(initial=0), 1))
    index = np.array(starts[:-1])[:, None] + places[None, :]
    return torch.as_tensor(np.where(places[None, :] < sizes[:, None], index, starts[-1]))
