"""Policies of DQN and QR-DQN that draw levels; SB3's take the best one always, which fills in one and the same record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sb3_contrib.qrdqn.policies import QRDQNPolicy, QuantileNetwork
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import PyTorchObs
from stable_baselines3.dqn.policies import DQNPolicy, QNetwork
from torch import Tensor, nn

from rlsyn.networks.autoregressive import IMPOSSIBLE
from rlsyn.policy import draw_levels


class LevelPrior(nn.Module):
    """How the training records' levels are distributed, attribute by attribute; what is impossible has no share.

    Args:
        shares: Share of each level `(n_attributes, n_actions)`; 0 where there is no such level, or a rule forbids it.
    """

    log_shares: Tensor
    is_possible: Tensor

    def __init__(self, shares: np.ndarray) -> None:
        super().__init__()
        # A finished record has no next attribute: whatever stands there is multiplied by 0.
        padded = np.vstack([shares, np.ones_like(shares[:1])])
        log_shares = np.log(np.maximum(padded, 1e-30)).astype(np.float32)
        self.register_buffer("log_shares", torch.as_tensor(log_shares), persistent=False)
        self.register_buffer("is_possible", torch.as_tensor(padded > 0), persistent=False)

    def draw(self, scores: Tensor, observations: Tensor) -> Tensor:
        """Levels `(n,)` drawn in proportion to share x exp(score)."""
        position = positions(observations)
        logits = (scores + self.log_shares[position]).masked_fill(~self.is_possible[position], -torch.inf)
        return draw_levels(logits)

    def possible(self, observations: Tensor) -> Tensor:
        """Which actions `(n, n_actions)` bool are levels of the attribute at hand."""
        return self.is_possible[positions(observations)]


def positions(observations: Tensor) -> Tensor:
    """How many attributes `(n,)` int64 are filled in."""
    return (observations > 0).sum(1)


class _DrawingNetwork(nn.Module):
    """What the networks of both policies have beside those of the libraries: a prior, and draws in the place of bests."""

    def __init__(self, shares: np.ndarray, temperature: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.prior, self.temperature = LevelPrior(shares), temperature

    def _choose(self, values: Tensor, observation: PyTorchObs, deterministic: bool) -> Tensor:
        assert isinstance(observation, Tensor)
        return values.argmax(1) if deterministic else self.prior.draw(values / self.temperature, observation)


class _DrawingQNetwork(_DrawingNetwork, QNetwork):
    def forward(self, obs: PyTorchObs) -> Tensor:
        assert isinstance(obs, Tensor)
        values: Tensor = super().forward(obs)
        # Never the best one, and finite, as 0 times it must be 0.
        return values.masked_fill(~self.prior.possible(obs), IMPOSSIBLE)

    def _predict(self, observation: PyTorchObs, deterministic: bool = True) -> Tensor:
        return self._choose(self(observation), observation, deterministic)


class _DrawingQuantileNetwork(_DrawingNetwork, QuantileNetwork):
    def forward(self, obs: PyTorchObs) -> Tensor:
        assert isinstance(obs, Tensor)
        quantiles: Tensor = super().forward(obs)
        return quantiles.masked_fill(~self.prior.possible(obs).unsqueeze(1), IMPOSSIBLE)

    def _predict(self, observation: PyTorchObs, deterministic: bool = True) -> Tensor:
        return self._choose(self(observation).mean(1), observation, deterministic)


class _DrawingPolicy(BasePolicy):
    """What both policies have beside those of the libraries: networks that know the levels of each attribute.

    Args:
        args: Of the library's policy: spaces and schedule.
        shares: See `LevelPrior`.
        temperature: Of the draws.
        kwargs: Further arguments of the library's policy.
    """

    net_args: dict[str, Any]

    def __init__(self, *args: Any, shares: np.ndarray, temperature: float, **kwargs: Any) -> None:
        self._own: dict[str, Any] = {"shares": shares, "temperature": temperature}
        super().__init__(*args, **kwargs)

    def _network(self, made: Callable[..., _DrawingNetwork]) -> Any:
        arguments = self._update_features_extractor(self.net_args, features_extractor=None)
        return made(**self._own, **arguments).to(self.device)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return super()._get_constructor_parameters() | self._own


class DrawingDQNPolicy(_DrawingPolicy, DQNPolicy):
    """SB3's policy of DQN, but for its draws: a level has the probability share x exp(value / temperature).

    The share is that among the training records, so a network that knows nothing draws independent attributes. Levels
    that the attribute lacks, or a rule forbids, are never drawn, nor taken for the best in DQN's target. The target is
    DQN's own, of the best level and not of the drawn one.

    References:
        Haarnoja, Tang, Abbeel, Levine: Reinforcement learning with deep energy-based policies, 2017, arXiv:1702.08165,
        eq. 5 (draws in proportion to exp(value / temperature), there with soft values as targets).
    """

    def make_q_net(self) -> QNetwork:
        """The network of values, which knows the levels of each attribute."""
        network: QNetwork = self._network(_DrawingQNetwork)
        return network


class DrawingQRDQNPolicy(_DrawingPolicy, QRDQNPolicy):
    """sb3-contrib's policy of QR-DQN, drawing as `DrawingDQNPolicy` does, by the means of the quantiles."""

    def make_quantile_net(self) -> QuantileNetwork:
        """The network of quantiles, which knows the levels of each attribute."""
        network: QuantileNetwork = self._network(_DrawingQuantileNetwork)
        return network
