"""PPO on records: how it is made, how it runs with its logs, and its whole state."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback, CallbackList
from stable_baselines3.common.logger import configure

from envs.record_vec_env import RecordVecEnv
from rlsyn.discriminator import DiscriminatorTrainer
from rlsyn.encoding import Encoding
from rlsyn.files import rows_kept
from rlsyn.policy import AutoregressivePolicy
from rlsyn.randomness import random_state, set_random_state
from rlsyn.rewards.trees import TreesReward
from rlsyn.rollout import RecordRolloutBuffer
from rlsyn.schedule import scheduled
from rlsyn.trained_actors import TrainedActors
from rlsyn.warm_start import WarmStartResult


def make_ppo(
    encoding: Encoding,
    reward_fn: Callable[[np.ndarray], np.ndarray],
    *,
    n_records: int,
    batch_records: int,
    kl_coef: float,
    policy_kwargs: Mapping[str, Any],
    buffer_kwargs: Mapping[str, Any],
    ppo_kwargs: Mapping[str, Any],
    device: torch.device,
) -> PPO:
    """An unmodified PPO whose rollouts are whole records; arguments as of `rlsyn.synthesizer.RLSyn`."""
    n_attributes = len(encoding.levels)
    return PPO(
        AutoregressivePolicy,
        RecordVecEnv(encoding.n_levels, n_records, reward_fn, copy_observations=False),
        n_steps=n_attributes,
        batch_size=min(batch_records, n_records) * n_attributes,
        gamma=1.0,
        ent_coef=kl_coef,
        rollout_buffer_class=RecordRolloutBuffer,
        rollout_buffer_kwargs=dict(buffer_kwargs),
        policy_kwargs={"encoding": encoding, **policy_kwargs},
        device=device,
        **{**ppo_kwargs, "learning_rate": scheduled(ppo_kwargs["learning_rate"])},
    )


def learn(
    model: PPO,
    total_timesteps: int,
    callbacks: Sequence[BaseCallback],
    run_dir: str | Path | None = None,
    progress_bar: bool = False,
) -> None:
    """Train up to `total_timesteps` in whole rollouts, with events and `progress.csv` in `run_dir`.

    Where no rollout is left, callbacks are told of the end all the same: an interrupt may have come before it.
    """
    rollout = model.n_steps * model.n_envs
    # Whole rollouts: SB3 would run over the end, where a schedule has nothing to say.
    left = max(0, -(-(total_timesteps - model.num_timesteps) // rollout) * rollout)
    with rows_kept(Path(run_dir) / "progress.csv") if run_dir else nullcontext():
        logger = configure(str(run_dir) if run_dir else None, ["csv", "tensorboard"] if run_dir else [])
        model.set_logger(logger)
        try:
            model.learn(left, CallbackList(list(callbacks)), reset_num_timesteps=False, progress_bar=progress_bar)
        finally:
            logger.close()


def training_state(
    model: PPO,
    trainer: DiscriminatorTrainer,
    pool: deque[np.ndarray],
    trees: TreesReward,
    actors: TrainedActors,
    warm_start: WarmStartResult | None,
    n_steps: int,
) -> dict[str, Any]:
    """All that training, and sampling, need to go on after `n_steps`, as tensors and plain values."""
    return {
        "policy": model.policy.state_dict(),
        "optimizer": model.policy.optimizer.state_dict(),
        "discriminator": trainer.state_dict(),
        "pool": [torch.as_tensor(records) for records in pool],
        "trees": trees.state_dict(),
        "actors": actors.state_dict(),
        "num_timesteps": n_steps,
        "n_updates": model._n_updates,
        "warm_start": None if warm_start is None else list(vars(warm_start).values()),
        "random": random_state(),
    }


def restore_training(
    state: dict[str, Any],
    model: PPO,
    trainer: DiscriminatorTrainer,
    pool: deque[np.ndarray],
    trees: TreesReward,
    actors: TrainedActors,
) -> WarmStartResult | None:
    """The inverse of `training_state`; returns what the warm start came to."""
    model.policy.load_state_dict(state["policy"])
    model.policy.optimizer.load_state_dict(state["optimizer"])
    trainer.load_state_dict(state["discriminator"])
    pool.extend(records.cpu().numpy() for records in state["pool"])
    trees.load_state_dict(state["trees"])
    actors.load_state_dict(state["actors"])
    model.num_timesteps, model._n_updates = state["num_timesteps"], state["n_updates"]
    set_random_state(state["random"])
    return None if state["warm_start"] is None else WarmStartResult(*state["warm_start"])
