"""What happens between PPO's updates: the discriminator learns, the monitor looks, the run is saved."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from stable_baselines3.common.callbacks import BaseCallback, ConvertCallback
from stable_baselines3.common.logger import Figure
from stable_baselines3.common.type_aliases import MaybeCallback

from rlsyn.discriminator import DiscriminatorTrainer
from rlsyn.encoding import Encoding
from rlsyn.evaluation.fidelity import association_difference, ks_statistics, total_variation
from rlsyn.evaluation.report.plots import association_figure, marginals_figure
from rlsyn.policy import AutoregressivePolicy
from rlsyn.rewards.total import TotalReward


class RecordCallback(BaseCallback):
    """Collects the records that a rollout finishes, whatever the algorithm and its buffer."""

    def __init__(self) -> None:
        super().__init__()
        self._finished: list[np.ndarray] = []

    @property
    def records(self) -> np.ndarray:
        """Finished records `(n, n_attributes)` int64 of this rollout."""
        return np.stack(self._finished)

    def _on_rollout_start(self) -> None:
        self._finished.clear()

    def _on_step(self) -> bool:
        if self.locals["dones"].any():
            self._finished += [info["record"] for info in self.locals["infos"] if "record" in info]
        return True


class DiscriminatorCallback(RecordCallback):
    """Trains the discriminator on the records of the rollouts just finished; the next rollout meets the updated one.

    SB3 computes advantages before it calls `on_rollout_end`, so a rollout is always scored by the discriminator that
    had not yet seen it.

    Args:
        trainer: Of the discriminator.
        n_steps: Discriminator steps after each rollout.
        n_rollouts: Rollouts that the synthetic rows are drawn from: the older ones keep it from forgetting.
    """

    def __init__(self, trainer: DiscriminatorTrainer, n_steps: int = 10, n_rollouts: int = 2) -> None:
        super().__init__()
        self.trainer, self.n_steps = trainer, n_steps
        self.pool: deque[np.ndarray] = deque(maxlen=n_rollouts)

    def _on_rollout_end(self) -> None:
        records = self.records
        self.pool.append(records.astype(np.int16))
        for name, value in self.trainer.train(np.concatenate(self.pool).astype(np.int64), self.n_steps).items():
            self.logger.record(f"discriminator/{name}", value)


class RewardCallback(RecordCallback):
    """Logs what every reward term paid: `reward/<name>`, its mean over a rollout's records before it is weighted.

    What the discriminator paid is `discriminator/reward_mean` as well, beside its loss. Terms that learn then take the
    rollout in: it was rewarded by what they were before.

    Args:
        reward: The reward function of the environment.
    """

    def __init__(self, reward: TotalReward) -> None:
        super().__init__()
        self.reward = reward
        self._means: list[dict[str, float]] = []

    def _on_rollout_start(self) -> None:
        super()._on_rollout_start()
        self._means.clear()

    def _on_step(self) -> bool:
        if self.locals["dones"].any():
            self._means.append(dict(self.reward.means))
        return super()._on_step()

    def _on_rollout_end(self) -> None:
        for name in self.reward.means:
            mean = float(np.mean([means[name] for means in self._means]))
            self.logger.record(f"reward/{name}", mean)
            if name == "realism":
                self.logger.record("discriminator/reward_mean", mean)
        self.reward.learn(self.records)


class MonitorCallback(RecordCallback):
    """Writes to TensorBoard what a person wants to see of the records: curves and pictures.

    `policy/entropy` is the entropy of a record, `policy/kl_to_reference` the relative entropy of a record to the warm
    start, both in nats; `policy/entropy_weight` is what the entropy is paid with where it has a target; `fidelity/*`
    compare the rollout's records with the training table.

    Args:
        encoding: Decodes records.
        train: Training table.
        every: Rollouts between two looks at fidelity.
        title: What the pictures are titled with.
        seed: Seed of the draws inside levels.
    """

    n_rows = 2_000

    def __init__(
        self, encoding: Encoding, train: pd.DataFrame, every: int = 25, title: str = "", seed: int = 0
    ) -> None:
        super().__init__()
        self.encoding, self.train, self.every, self.title = encoding, train, every, title
        self._rng, self._n_seen = np.random.default_rng(seed), 0

    def _on_rollout_end(self) -> None:
        self._record_policy()
        if self._n_seen % self.every == 0:
            self._record_fidelity()
        self._n_seen += 1

    def _record_policy(self) -> None:
        policy, buffer = self.model.policy, getattr(self.model, "rollout_buffer", None)
        if buffer is not None:
            self.logger.record("policy/entropy", float(-buffer.log_probs.sum() / len(self.records)))
        if not isinstance(policy, AutoregressivePolicy):
            return
        records = torch.as_tensor(self.records[:256], device=policy.device)
        self.logger.record("policy/kl_to_reference", float(policy.divergence(records).sum() / len(records)))
        if policy.entropy_target is not None:
            self.logger.record("policy/entropy_weight", float(policy.entropy_target.log_weight.exp()))

    def _record_fidelity(self) -> None:
        schema = self.encoding.schema
        synthetic = self.encoding.decode(self.records[-self.n_rows :], self._rng)
        tables = self.train, synthetic
        ks, variation = ks_statistics(*tables, schema), total_variation(*tables, schema)
        self.logger.record("fidelity/ks_mean", float(ks.mean()) if len(ks) else 0.0)
        self.logger.record("fidelity/total_variation_mean", float(variation.mean()) if len(variation) else 0.0)
        if len(schema.columns) > 1:
            self.logger.record("fidelity/association_difference", association_difference(*tables, schema))
        for name, figure in (
            ("fidelity/marginals", marginals_figure(*tables, pd.concat([ks, variation]), schema, title=self.title)),
            ("fidelity/association", association_figure(*tables, schema, title=self.title)),
        ):
            self.logger.record(name, Figure(figure, close=True), exclude=("stdout", "log", "json", "csv"))


class CheckpointCallback(BaseCallback):
    """Saves the whole training state every few rollouts.

    Args:
        save_fn: Saves; called with the number of steps done.
        every: Rollouts between two checkpoints.
    """

    def __init__(self, save_fn: Callable[[int], None], every: int = 25) -> None:
        super().__init__()
        self.save_fn, self.every, self._n_started = save_fn, every, 0

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        # At the start of a rollout the update of the one before is complete.
        if self._n_started and self._n_started % self.every == 0:
            self.save_fn(self.num_timesteps)
        self._n_started += 1


def own_callbacks(given: MaybeCallback) -> list[BaseCallback]:
    """The callbacks that somebody gives: one, a list, or a function of SB3's locals and globals; none by default.

    Raises:
        TypeError: Something else is among them.
    """
    listed = given if isinstance(given, list) else [] if given is None else [given]
    for one in listed:
        if not isinstance(one, BaseCallback) and (isinstance(one, type) or not callable(one)):
            raise TypeError(f"callback must be an SB3 callback, a function or a list of them, got {one!r}. Give one.")
    return [one if isinstance(one, BaseCallback) else ConvertCallback(one) for one in listed]
