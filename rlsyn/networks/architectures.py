"""The networks and heads that a policy can be made of, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, get_args

import numpy as np

from rlsyn.levels import Head, Levels, QuantileLevels
from rlsyn.names import unknown_name
from rlsyn.networks.attribute_network import AttributeNetwork
from rlsyn.networks.autoregressive import LevelHeads, MaskedNetwork
from rlsyn.networks.mixture_heads import MixtureHeads
from rlsyn.networks.transformer import CausalTransformer

Network = Literal["made", "plain_made", "transformer"]
NETWORKS: dict[str, Callable[[np.ndarray, Sequence[int], int], AttributeNetwork]] = {
    "made": MaskedNetwork,
    "plain_made": partial(MaskedNetwork, is_residual=False),
    "transformer": CausalTransformer,
}
"""The residual MADE, the same without its residual connection, and a small causal transformer."""
TRANSFORMER_WIDTH = 32


def make_network(
    name: Network, in_attribute: np.ndarray, out_sizes: Sequence[int], n_hidden: int | None = None
) -> AttributeNetwork:
    """A new network of `NETWORKS`.

    Args:
        name: Of the network.
        in_attribute: See `AttributeNetwork`.
        out_sizes: See `AttributeNetwork`.
        n_hidden: Units per hidden layer, or the width of a transformer's tokens; by default three per attribute, within
            256 and 1,024, and `TRANSFORMER_WIDTH`.

    Raises:
        ValueError: There is no such network (the closest name is proposed), or it cannot be that wide.
    """
    if name not in NETWORKS:
        raise ValueError(unknown_name("network", name, list(NETWORKS)))
    default = TRANSFORMER_WIDTH if name == "transformer" else int(np.clip(3 * len(out_sizes), 256, 1024))
    return NETWORKS[name](in_attribute, out_sizes, n_hidden or default)


def make_heads(head: Head, levels: Sequence[Levels], marginals: Sequence[np.ndarray]) -> LevelHeads:
    """New heads for the levels of all attributes; zero outputs give the marginals.

    Raises:
        ValueError: There is no such head (the closest name is proposed).
    """
    if head not in get_args(Head):
        raise ValueError(unknown_name("head", head, list(get_args(Head))))
    bases = [one.basis(head) for one in levels]
    missing_apart = [one.missing and one.is_smooth for one in levels]
    if head != "mixture":
        return LevelHeads(bases, marginals, missing_apart)
    n_ordered = [len(one.bins) if isinstance(one, QuantileLevels) and one.is_smooth else 0 for one in levels]
    return MixtureHeads(bases, marginals, missing_apart, n_ordered)
