"""The weights of the reward terms: their defaults, and what a weight may be."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from rlsyn.names import unknown_name

DEFAULT_WEIGHTS: Mapping[str, float] = MappingProxyType(
    {"realism": 1.0, "trees": 1.0, "constraints": 1.0, "privacy": 0.0}
)
"""Of the terms that the project has. The unit is a logit of the discriminator, whose rewards spread by about 1 among
the records of a rollout: with weight 1 a broken rule costs as much as odds of being real that are e times worse. PPO
normalises advantages, so only the proportions of the weights matter."""


def merge_weights(given: Mapping[str, float] | None, own: Iterable[str] = ()) -> dict[str, float]:
    """The weight of every term by name: those given over the defaults, 1 for terms of the user's own.

    Args:
        given: Weights by name.
        own: Names of the user's own terms.

    Raises:
        ValueError: A name that no term has (the closest one is proposed), or a weight that is no number from 0 up.
    """
    weights = {**DEFAULT_WEIGHTS, **dict.fromkeys(own, 1.0)}
    for name, weight in (given or {}).items():
        if name not in weights:
            raise ValueError(unknown_name("reward term", name, list(weights)))
        is_number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not is_number or not math.isfinite(weight) or weight < 0:
            raise ValueError(
                f"Parameter 'reward_weights.{name}' must be a number of 0 or more, got {weight!r}. A term that charges "
                "for something returns negative numbers."
            )
        weights[name] = float(weight)
    return weights
