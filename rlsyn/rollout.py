"""The rollout buffer of record episodes: no observations, whole records as minibatches."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Literal, get_args

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.type_aliases import RolloutBufferSamples

Baseline = Literal["critic", "mean"]


def check_whole_returns(gae_lambda: float) -> None:
    """Check that returns are whole, as the baseline `"mean"` compares them.

    Raises:
        ValueError: They hold values of the critic.
    """
    if gae_lambda != 1:
        raise ValueError(
            "The baseline 'mean' compares whole returns, so gae_lambda must be 1 (below, returns hold the critic's "
            f"values), got {gae_lambda}."
        )


class RecordRolloutBuffer(RolloutBuffer):
    """An SB3 `RolloutBuffer` for lockstep episodes of one length.

    An observation of a record episode is its actions so far. So the observations are not stored (memory grows with
    the steps, not with steps x attributes), and `get` yields whole records: `observations` `(b, n_attributes)` are the
    finished observations, all other fields are flat over `(b, n_attributes)`. The `batch_size` of PPO still counts
    steps. Use with `AutoregressivePolicy`, which evaluates all steps of a record at once.

    Args:
        buffer_size: Steps of each environment: whole records.
        observation_space: That of the record environment.
        action_space: That of the record environment.
        baseline: What a return is compared with: `"critic"`, the value of the record so far, or `"mean"`, the mean
            return of the rollout's records at that attribute. Then the critic has no say; with `vf_coef` 0 it does not
            learn either.
        per_attribute: Whether advantages have mean 0 and deviation 1 at every attribute, rather than only over all
            steps (`normalize_advantage` of PPO). Attributes whose returns the critic foresees badly are then not louder
            than others.
        kwargs: Further arguments of SB3's `RolloutBuffer`.

    Raises:
        TypeError: The observation space is not that of the record environment.
        ValueError: `n_steps` is no multiple of the number of attributes, so that records would be cut, there is no such
            baseline, or it is `"mean"` with a `gae_lambda` below 1.
    """

    def __init__(
        self,
        buffer_size: int,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        baseline: Baseline = "critic",
        per_attribute: bool = False,
        **kwargs: Any,
    ) -> None:
        if baseline not in get_args(Baseline):
            raise ValueError(f"The baseline must be one of {get_args(Baseline)}, got {baseline!r}.")
        if not isinstance(observation_space, spaces.MultiDiscrete):
            raise TypeError(f"Expected the observation space of the record environment, got {observation_space}.")
        self.n_attributes = len(observation_space.nvec)
        if buffer_size % self.n_attributes:
            raise ValueError(
                f"n_steps must be a multiple of the {self.n_attributes} attributes of a record, got {buffer_size}."
            )
        self.baseline, self.per_attribute = baseline, per_attribute
        super().__init__(buffer_size, observation_space, action_space, **kwargs)
        if baseline == "mean":
            check_whole_returns(self.gae_lambda)

    def reset(self) -> None:
        """Forget the rollout."""
        shape = (self.buffer_size, self.n_envs)
        self.observations = np.zeros((0, self.n_envs, self.n_attributes), dtype=np.int16)
        self.actions = np.zeros(shape, dtype=np.int16)
        self.rewards, self.returns = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)
        self.episode_starts = np.zeros(shape, dtype=np.float32)
        self.values, self.log_probs = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)
        self.advantages = np.zeros(shape, dtype=np.float32)
        self.pos, self.full, self.generator_ready = 0, False, False

    def add(
        self,
        obs: np.ndarray,
        action: np.ndarray,
        reward: np.ndarray,
        episode_start: np.ndarray,
        value: torch.Tensor,
        log_prob: torch.Tensor,
    ) -> None:
        """Store one step of all records; the observation is the actions so far and needs no room."""
        self.actions[self.pos] = action.reshape(self.n_envs)
        self.rewards[self.pos] = reward
        self.episode_starts[self.pos] = episode_start
        self.values[self.pos] = value.detach().cpu().numpy().reshape(self.n_envs)
        self.log_probs[self.pos] = log_prob.detach().cpu().numpy().reshape(self.n_envs)
        self.pos += 1
        self.full = self.pos == self.buffer_size

    def compute_returns_and_advantage(self, last_values: torch.Tensor, dones: np.ndarray) -> None:
        """SB3's returns and advantages, compared and scaled as the arguments of the buffer say."""
        super().compute_returns_and_advantage(last_values, dones)
        if self.baseline == "critic" and not self.per_attribute:
            return
        by_attribute = self._by_record(self.returns if self.baseline == "mean" else self.advantages)
        by_attribute = by_attribute - by_attribute.mean(0)
        if self.per_attribute:
            by_attribute = by_attribute / (by_attribute.std(0) + 1e-8)
        episodes = by_attribute.reshape(-1, self.n_envs, self.n_attributes)
        self.advantages = episodes.transpose(0, 2, 1).reshape(self.buffer_size, self.n_envs)

    def records(self) -> np.ndarray:
        """The finished records `(n, n_attributes)` int64 of the rollout."""
        return self._by_record(self.actions).astype(np.int64)

    def get(self, batch_size: int | None = None) -> Generator[RolloutBufferSamples, None, None]:
        """Minibatches of whole records, in random order, on the device.

        Args:
            batch_size: Steps per minibatch, rounded down to whole records; all by default.
        """
        fields = (self.values, self.log_probs, self.advantages, self.returns)
        actions = torch.as_tensor(self.records(), device=self.device)
        values, log_probs, advantages, returns = (
            torch.as_tensor(self._by_record(field), device=self.device) for field in fields
        )
        n = len(actions)
        n_batch = n if batch_size is None else max(1, batch_size // self.n_attributes)
        order = torch.as_tensor(np.random.permutation(n), device=self.device)  # noqa: NPY002 (SB3 seeds this generator)
        for rows in order.split(n_batch):
            yield RolloutBufferSamples(
                observations=actions[rows] + 1,
                actions=actions[rows].flatten(),
                old_values=values[rows].flatten(),
                old_log_prob=log_probs[rows].flatten(),
                advantages=advantages[rows].flatten(),
                returns=returns[rows].flatten(),
            )

    def _by_record(self, field: np.ndarray) -> np.ndarray:
        """Steps `(n_steps, n_envs)` as records `(n_records, n_attributes)`."""
        episodes = field.reshape(-1, self.n_attributes, self.n_envs)
        return np.ascontiguousarray(episodes.transpose(0, 2, 1)).reshape(-1, self.n_attributes)
