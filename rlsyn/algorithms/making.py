"""How an algorithm of the table is made: unmodified, with the policy, buffer and environment that records ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.noise import NormalActionNoise

from envs.record_env import RewardFn
from envs.record_vec_env import RecordVecEnv
from rlsyn.algorithms.drawing import engine_arguments
from rlsyn.algorithms.one_hot import OneHotExtractor
from rlsyn.algorithms.options import candidate_records
from rlsyn.algorithms.table import Algorithm, Family, load_object
from rlsyn.encoding import Encoding
from rlsyn.schedule import scheduled

KEPT_ROLLOUTS = 10
"""Rollouts that a replay buffer holds, unless `buffer_size` says otherwise: all their records are scored again after
each rollout."""


@dataclass(frozen=True)
class Making:
    """What an algorithm is made with; arguments as of `rlsyn.synthesizer.RLSyn`, `algo_kwargs` with their defaults."""

    encoding: Encoding
    reward_fn: RewardFn
    n_records: int
    batch_records: int
    kl_coef: float
    policy_kwargs: Mapping[str, Any]
    buffer_kwargs: Mapping[str, Any]
    algo_kwargs: Mapping[str, Any]
    device: torch.device

    @property
    def n_attributes(self) -> int:
        """Steps of an episode."""
        return len(self.encoding.levels)

    @property
    def batch_size(self) -> int:
        """Steps of a minibatch of whole records."""
        return min(self.batch_records, self.n_records) * self.n_attributes


def make_algorithm(how: Algorithm, making: Making) -> BaseAlgorithm:
    """The algorithm; a rollout is `n_records` whole records, whatever it is.

    Raises:
        ValueError: The records of a rollout cannot be shared out among ARS's candidates.
    """
    model = how.load_class()(
        policy=how.load_policy(),
        env=_environment(how, making),
        device=making.device,
        **_ARGUMENTS[how.family](how, making),
    )
    # Curves of a rollout are to be of all its records, as those of the reward terms are, not of SB3's last hundred. The
    # argument of that name is one that DDPG lacks.
    model._stats_window_size = making.n_records
    return model


def _environment(how: Algorithm, making: Making) -> RecordVecEnv:
    n_records = candidate_records(how, making.n_records, making.algo_kwargs)
    if how.is_fast:
        n_levels, allowed = making.encoding.n_levels, making.encoding.repair.allowed_levels()
        return RecordVecEnv(n_levels, n_records, making.reward_fn, copy_observations=False, allowed=allowed)
    return RecordVecEnv(num_envs=n_records, reward_fn=making.reward_fn, **engine_arguments(making.encoding, how))


def _on_policy(how: Algorithm, making: Making) -> dict[str, Any]:
    own = {"encoding": making.encoding} if how.is_fast else {"features_extractor_class": OneHotExtractor}
    arguments = {"n_steps": making.n_attributes, "gamma": 1.0, "policy_kwargs": {**own, **making.policy_kwargs}}
    if "batch_records" not in how.without_effect:
        arguments["batch_size"] = making.batch_size
    if how.has_temperature:
        arguments["ent_coef"] = making.kl_coef
    if how.buffer_name:
        arguments["rollout_buffer_class"] = load_object(how.buffer_name)
        arguments["rollout_buffer_kwargs"] = dict(making.buffer_kwargs)
    if "learning_rate" in making.algo_kwargs:
        return {**arguments, **making.algo_kwargs, "learning_rate": scheduled(making.algo_kwargs["learning_rate"])}
    return {**arguments, **making.algo_kwargs}


def _value(how: Algorithm, making: Making) -> dict[str, Any]:
    own = {"shares": level_shares(making.encoding), "temperature": max(making.kl_coef, 1e-6)}
    arguments = {
        # Between rollouts, as often as the networks themselves change.
        "target_update_interval": making.n_records * making.n_attributes,
        # Draws are by the policy. SB3's epsilon makes the whole batch random at once, or none of it.
        "exploration_initial_eps": 0.0,
        "exploration_final_eps": 0.0,
    }
    return {**arguments, **_replaying(how, making, own)}


def _actor_critic(how: Algorithm, making: Making) -> dict[str, Any]:
    arguments = _replaying(how, making, {})
    if (deviation := arguments.get("action_noise")) is not None:
        arguments["action_noise"] = NormalActionNoise(np.zeros(1), np.full(1, float(deviation)))
    return {**arguments, **({"ent_coef": making.kl_coef} if how.has_temperature else {})}


def _replaying(how: Algorithm, making: Making, policy_kwargs: Mapping[str, Any]) -> dict[str, Any]:
    arguments = dict(making.algo_kwargs)
    return {
        "train_freq": making.n_attributes,
        "learning_starts": 0,
        "gamma": 1.0,
        "buffer_size": KEPT_ROLLOUTS * making.n_records * making.n_attributes,
        "replay_buffer_class": load_object(how.buffer_name),
        "replay_buffer_kwargs": {"n_steps": arguments.pop("n_steps", 1)},
        "policy_kwargs": {"features_extractor_class": OneHotExtractor, **policy_kwargs, **making.policy_kwargs},
        **arguments,
    }


def _evolution(how: Algorithm, making: Making) -> dict[str, Any]:
    return {"policy_kwargs": {"shares": level_shares(making.encoding), **making.policy_kwargs}, **making.algo_kwargs}


_ARGUMENTS: dict[Family, Callable[[Algorithm, Making], dict[str, Any]]] = {
    "on_policy": _on_policy,
    "value": _value,
    "actor_critic": _actor_critic,
    "evolution": _evolution,
}


def level_shares(encoding: Encoding) -> np.ndarray:
    """Shares `(n_attributes, n_actions)` of the levels among the training records, 0 for what may not be chosen.

    A level that may be chosen has a share, even if no training row has it.
    """
    shares = np.zeros((len(encoding.levels), int(encoding.n_levels.max())))
    of_attributes = zip(encoding.marginals(), encoding.repair.allowed_levels(), strict=True)
    for attribute, (marginal, allowed) in enumerate(of_attributes):
        kept = np.where(allowed, np.maximum(marginal, 1e-6), 0)
        shares[attribute, : len(kept)] = kept / kept.sum()
    return shares
