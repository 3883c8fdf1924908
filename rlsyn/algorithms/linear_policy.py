"""The policy of ARS: linear scores of levels, drawn from; sb3-contrib's own takes the best one always."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from sb3_contrib.ars.policies import ARSLinearPolicy
from stable_baselines3.common.type_aliases import PyTorchObs
from torch import Tensor

from rlsyn.algorithms.one_hot import OneHotExtractor
from rlsyn.algorithms.value_policies import LevelPrior


class DrawingLinearPolicy(ARSLinearPolicy):
    """sb3-contrib's linear policy, but for its draws: a level has the probability share x exp(score).

    The share is that among the training records, so the zero policy that ARS begins with draws independent attributes.
    Levels that the attribute lacks, or a rule forbids, are never drawn.

    Args:
        observation_space: That of the record environment.
        action_space: That of the discrete record environment.
        shares: See `LevelPrior`.
        with_bias: Whether scores have a bias for each level.
    """

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        shares: np.ndarray,
        with_bias: bool = False,
    ) -> None:
        super().__init__(observation_space, action_space, with_bias)
        self._shares, self.prior = shares, LevelPrior(shares)

    def make_features_extractor(self) -> OneHotExtractor:
        """Levels as one-hot vectors."""
        return OneHotExtractor(self.observation_space)

    def forward(self, obs: PyTorchObs) -> Tensor:
        """Levels `(n,)` drawn for the next attribute."""
        assert isinstance(obs, Tensor)
        return self.prior.draw(self.action_net(self.extract_features(obs, self.features_extractor)), obs)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        own = {"shares": self._shares, "with_bias": self.action_net[0].bias is not None}
        return {"observation_space": self.observation_space, "action_space": self.action_space, **own}
