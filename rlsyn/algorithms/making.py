"""How an algorithm of the table is made: unmodified, with the policy, buffer and environment that records ask for."""

from __future__ import annotations

from collections.abc import Mapping
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
from rlsyn.algorithms.replay import RecordReplayBuffer
from rlsyn.algorithms.table import Algorithm, load_object
from rlsyn.encoding import Encoding
from rlsyn.policy import AutoregressivePolicy
from rlsyn.rollout import RecordRolloutBuffer
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
    made = how.load_class()
    if how.is_fast:
        return made(**_fast(how, making))
    if how.is_off_policy:
        return made(**_off_policy(how, making))
    return made(**(_recurrent(how, making) if how.family == "on_policy" else _evolution(how, making)))


def _fast(how: Algorithm, making: Making) -> dict[str, Any]:
    policy: type[AutoregressivePolicy] = AutoregressivePolicy
    buffer: type[RecordRolloutBuffer] = RecordRolloutBuffer
    if how.name == "trpo":
        policy = load_object("rlsyn.algorithms.fast_policies.WholeRecordPolicy")
    if how.name == "maskable_ppo":
        policy = load_object("rlsyn.algorithms.fast_policies.MaskedPolicy")
        buffer = load_object("rlsyn.algorithms.fast_policies.MaskedRolloutBuffer")
    n_levels, allowed = making.encoding.n_levels, making.encoding.repair.allowed_levels()
    return {
        "policy": policy,
        "env": RecordVecEnv(n_levels, making.n_records, making.reward_fn, copy_observations=False, allowed=allowed),
        "n_steps": making.n_attributes,
        **({} if how.name == "a2c" else {"batch_size": making.batch_size}),
        "gamma": 1.0,
        **({"ent_coef": making.kl_coef} if how.has_temperature else {}),
        "rollout_buffer_class": buffer,
        "rollout_buffer_kwargs": dict(making.buffer_kwargs),
        "policy_kwargs": {"encoding": making.encoding, **making.policy_kwargs},
        "device": making.device,
        **_with_schedule(making.algo_kwargs),
    }


def _recurrent(how: Algorithm, making: Making) -> dict[str, Any]:
    return {
        **_stock(how, making, making.n_records),
        "n_steps": making.n_attributes,
        "batch_size": making.batch_size,
        "gamma": 1.0,
        "ent_coef": making.kl_coef,
        **_with_schedule(making.algo_kwargs),
    }


def _off_policy(how: Algorithm, making: Making) -> dict[str, Any]:
    arguments = dict(making.algo_kwargs)
    rollout = making.n_records * making.n_attributes
    if isinstance(arguments.get("action_noise"), (int, float)):
        arguments["action_noise"] = NormalActionNoise(np.zeros(1), np.full(1, float(arguments["action_noise"])))
    if how.family == "value":
        # Between rollouts, as often as the networks themselves change.
        arguments.setdefault("target_update_interval", rollout)
        # Draws are by the policy. SB3's epsilon makes the whole batch random at once, or none of it.
        arguments |= {"exploration_initial_eps": 0.0, "exploration_final_eps": 0.0}
    elif how.has_temperature:
        arguments["ent_coef"] = making.kl_coef
    n_steps = arguments.pop("n_steps", 1)
    return {
        **_stock(how, making, making.n_records),
        "train_freq": making.n_attributes,
        "learning_starts": 0,
        "gamma": 1.0,
        "buffer_size": KEPT_ROLLOUTS * rollout,
        "replay_buffer_class": RecordReplayBuffer,
        "replay_buffer_kwargs": {"n_steps": n_steps},
        **arguments,
    }


def _evolution(how: Algorithm, making: Making) -> dict[str, Any]:
    n_candidates = 2 * int(making.algo_kwargs["n_delta"])
    if making.n_records % n_candidates:
        raise ValueError(
            f"n_records must be a multiple of {how.name}'s {n_candidates} candidates (twice n_delta), each of which "
            f"fills in its share of a rollout, got {making.n_records}."
        )
    return {**_stock(how, making, making.n_records // n_candidates), **making.algo_kwargs}


def _stock(how: Algorithm, making: Making, n_envs: int) -> dict[str, Any]:
    own: dict[str, Any] = {}
    if how.family in ("value", "evolution"):
        own["shares"] = level_shares(making.encoding)
    if how.family == "value":
        own["temperature"] = max(making.kl_coef, 1e-6)
    if how.family != "evolution":
        own["features_extractor_class"] = OneHotExtractor
    is_own = "." in how.policy_name
    return {
        "policy": load_object(how.policy_name) if is_own else how.policy_name,
        "env": RecordVecEnv(num_envs=n_envs, reward_fn=making.reward_fn, **engine_arguments(making.encoding, how)),
        "policy_kwargs": {**own, **making.policy_kwargs},
        "device": making.device,
    }


def _with_schedule(arguments: Mapping[str, Any]) -> dict[str, Any]:
    if "learning_rate" not in arguments:
        return dict(arguments)
    return {**arguments, "learning_rate": scheduled(arguments["learning_rate"])}


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
