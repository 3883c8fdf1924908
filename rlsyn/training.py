"""A training: the algorithm and all that learns beside it, how it runs with its logs, and its whole state."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger, configure

from rlsyn.algorithms.making import Making, make_algorithm
from rlsyn.algorithms.running import RelabelCallback, run_algorithm
from rlsyn.algorithms.state import algorithm_state, load_algorithm_state
from rlsyn.algorithms.stock_actors import StockActors
from rlsyn.algorithms.table import Algorithm
from rlsyn.callbacks import DiscriminatorCallback, RewardCallback
from rlsyn.discriminator import DiscriminatorTrainer
from rlsyn.files import rows_kept
from rlsyn.policy import AutoregressivePolicy
from rlsyn.randomness import random_state, set_random_state
from rlsyn.rewards.total import TotalReward
from rlsyn.rewards.trees import TreesReward
from rlsyn.trained_actors import TrainedActors
from rlsyn.training_folder import drop_curves_beyond
from rlsyn.warm_start import WarmStartResult


@dataclass
class Training:
    """All that learns in a fit.

    Args:
        how: The algorithm's entry in the table.
        making: What the algorithm is made with.
        trainer: Of the discriminator.
        discriminator: Trains it between rollouts, and holds the records that it is trained on.
        trees: The other term that learns.
        average_decay: See `TrainedActors`.

    Attributes:
        model: The algorithm.
        actors: What is left to sample from.
    """

    how: Algorithm
    making: Making
    trainer: DiscriminatorTrainer
    discriminator: DiscriminatorCallback
    trees: TreesReward
    average_decay: float = 0.0

    def __post_init__(self) -> None:
        self.model: BaseAlgorithm = make_algorithm(self.how, self.making)
        self.actors: TrainedActors | StockActors = (
            TrainedActors(self.policy, self.average_decay)
            if self.how.is_fast
            else StockActors(self.model, self.how, self.making.encoding)
        )

    @property
    def policy(self) -> AutoregressivePolicy:
        """The fast policy.

        Raises:
            TypeError: The algorithm has a stock policy.
        """
        if not isinstance(self.model.policy, AutoregressivePolicy):
            raise TypeError(f"{self.how.name} has no AutoregressivePolicy but a {type(self.model.policy).__name__}.")
        return self.model.policy

    @property
    def rollout(self) -> int:
        """Environment steps of a rollout."""
        return self.making.n_records * self.making.n_attributes

    def warm_up(self, n_steps: int) -> None:
        """Train the discriminator first: a reward that knows nothing would undo the warm start."""
        records = self.actors.first_records(2 * self.making.n_records)
        self.discriminator.pool.append(records.astype(np.int16))
        self.trainer.train(records, n_steps)

    def callbacks(self, reward: TotalReward) -> list[BaseCallback]:
        """What learns between rollouts, in its order."""
        learning: list[BaseCallback] = [RewardCallback(reward), self.discriminator]
        return learning + ([RelabelCallback(reward)] if self.how.is_off_policy else [])

    def run(
        self,
        total_timesteps: int,
        callbacks: Sequence[BaseCallback],
        run_dir: str | Path | None = None,
        deadline: float | None = None,
        progress_bar: bool = False,
    ) -> None:
        """Train up to `total_timesteps` in whole rollouts, with events and `progress.csv` in `run_dir`.

        Where no rollout is left, callbacks are told of the end all the same: an interrupt may have come before it. Rows
        that `progress.csv` has beyond where the training goes on from, as those of a process that was killed, go, and so
        do points of the curves.

        Args:
            total_timesteps: Environment steps in all, those of a run that is resumed included.
            callbacks: In this order.
            run_dir: Nothing is written by default.
            deadline: Of `time.monotonic`; from then on no rollout begins.
            progress_bar: Whether to show one.
        """
        # Whole rollouts: SB3 would run over the end, where a schedule has nothing to say.
        left = max(0, -(-(total_timesteps - self.model.num_timesteps) // self.rollout) * self.rollout)
        encoding, begun = self.making.encoding, ("time/total_timesteps", self.model.num_timesteps)
        with rows_kept(Path(run_dir) / "progress.csv", *begun) if run_dir else nullcontext():
            # SB3's `configure` would make a folder where nothing is to be written.
            logger = configure(str(run_dir), ["csv", "tensorboard"]) if run_dir else Logger(None, [])
            if run_dir:
                drop_curves_beyond(logger, run_dir, self.model.num_timesteps)
            self.model.set_logger(logger)
            try:
                # A run that can be resumed is to end where it would have ended.
                can_resume = run_dir is not None
                run_algorithm(self.model, self.how, encoding, left, list(callbacks), deadline, progress_bar, can_resume)
            finally:
                logger.close()

    def state(self, warm_start: WarmStartResult | None, n_steps: int) -> dict[str, Any]:
        """All that training, and sampling, need to go on after `n_steps`, as tensors and plain values."""
        return {
            **algorithm_state(self.model),
            "discriminator": self.trainer.state_dict(),
            "pool": [torch.as_tensor(records) for records in self.discriminator.pool],
            "trees": self.trees.state_dict(),
            "actors": self.actors.state_dict(),
            "num_timesteps": n_steps,
            "warm_start": None if warm_start is None else list(vars(warm_start).values()),
            "random": random_state(),
        }

    def restore(self, state: dict[str, Any]) -> WarmStartResult | None:
        """The inverse of `state`; returns what the warm start came to."""
        load_algorithm_state(self.model, state)
        self.trainer.load_state_dict(state["discriminator"])
        self.discriminator.pool.extend(records.cpu().numpy() for records in state["pool"])
        self.trees.load_state_dict(state["trees"])
        self.actors.load_state_dict(state["actors"])
        self.model.num_timesteps = state["num_timesteps"]
        set_random_state(state["random"])
        return None if state["warm_start"] is None else WarmStartResult(*state["warm_start"])
