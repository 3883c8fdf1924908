"""The replay buffer of record episodes: whole records, whose rewards can be computed anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from stable_baselines3.common.vec_env import VecNormalize


class RecordReplayBuffer(ReplayBuffer):
    """An SB3 `ReplayBuffer` for lockstep episodes of one length.

    It keeps records, actions and the terminal rewards, and makes observations from the records when it is sampled:
    memory grows with the steps, not with steps x attributes.

    The reward of a stored record is what the reward function gave when the record was finished. Where that function
    learns, as a discriminator does, `relabel` replaces it by what the present one gives.

    Args:
        buffer_size: Steps of all environments together, rounded down to whole rollouts, one at least.
        observation_space: That of the record environment.
        action_space: That of the record environment.
        device: Where samples are put.
        n_envs: Records filled in at once.
        n_steps: Steps over which a return is summed before the value of an observation stands for the rest
            (uncorrected, as SB3's `NStepReplayBuffer` does); at least the number of attributes for the whole record.
            Algorithms that pay for entropy (SAC, TQC, CrossQ) see that of the present step and of every n-th one to
            come; that of the steps between drops out, as no probabilities are stored (so it is in SB3's, too).
        kwargs: Further arguments of SB3's `ReplayBuffer`, which record episodes have no use for.
    """

    def __init__(
        self,
        buffer_size: int,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        device: torch.device | str = "auto",
        n_envs: int = 1,
        n_steps: int = 1,
        **kwargs: Any,
    ) -> None:
        if not isinstance(observation_space, spaces.MultiDiscrete):
            raise TypeError(f"Expected the observation space of the record environment, got {observation_space}.")
        self.n_attributes, self.n_steps = len(observation_space.nvec), n_steps
        self.n_rollouts = max(buffer_size // (n_envs * self.n_attributes), 1)
        # The parent's arrays of observations are what is done without.
        super().__init__(n_envs, observation_space, action_space, device, n_envs=n_envs, **kwargs)
        self.buffer_size = self.n_rollouts * self.n_attributes
        shape = (self.n_rollouts, n_envs, self.n_attributes)
        self.observations = np.zeros((0, n_envs, self.n_attributes), dtype=np.int16)
        self.next_observations = self.observations
        self.records = np.full(shape, -1, dtype=np.int16)
        self.actions = np.zeros(shape, dtype=np.float32 if isinstance(action_space, spaces.Box) else np.int64)
        self.rewards = np.zeros(shape[:2], dtype=np.float32)
        self.dones = self.timeouts = np.zeros((0, n_envs), dtype=np.float32)

    @property
    def n_finished(self) -> int:
        """Rollouts of finished records that it holds."""
        return self.n_rollouts if self.full else self.pos // self.n_attributes

    def add(
        self,
        obs: np.ndarray,
        next_obs: np.ndarray,
        action: np.ndarray,
        reward: np.ndarray,
        done: np.ndarray,
        infos: list[dict[str, Any]],
    ) -> None:
        """Store one step of all records; the last one brings the finished records and their rewards."""
        rollout, step = divmod(self.pos, self.n_attributes)
        self.actions[rollout, :, step] = action.reshape(self.n_envs)
        if step == self.n_attributes - 1:
            self.records[rollout], self.rewards[rollout] = next_obs - 1, reward
        self.pos += 1
        if self.pos == self.buffer_size:
            self.full, self.pos = True, 0

    def relabel(self, reward_fn: Callable[[np.ndarray], np.ndarray]) -> None:
        """Give all finished records the rewards that the function gives them now, in one call."""
        finished = self.records[: self.n_finished].reshape(-1, self.n_attributes).astype(np.int64)
        if len(finished):
            self.rewards[: self.n_finished] = reward_fn(finished).reshape(-1, self.n_envs)

    def sample(self, batch_size: int, env: VecNormalize | None = None) -> ReplayBufferSamples:
        """Steps of finished records, drawn with SB3's generator.

        Raises:
            RuntimeError: No record is finished.
        """
        if not self.n_finished:
            raise RuntimeError("The replay buffer holds no finished record yet. Collect a rollout first.")
        chosen = (
            np.random.randint(0, high, size=batch_size)  # noqa: NPY002 (SB3 seeds this generator)
            for high in (self.n_finished, self.n_envs, self.n_attributes)
        )
        return self._steps(*chosen)

    def _steps(self, rollouts: np.ndarray, rows: np.ndarray, steps: np.ndarray) -> ReplayBufferSamples:
        filled, attributes = self.records[rollouts, rows] + 1, np.arange(self.n_attributes)
        ends = np.minimum(steps + self.n_steps, self.n_attributes)
        is_end = ends == self.n_attributes
        fields = (
            np.where(attributes < steps[:, None], filled, 0),
            self.actions[rollouts, rows, steps][:, None],
            np.where(attributes < ends[:, None], filled, 0),
            is_end[:, None].astype(np.float32),
            np.where(is_end, self.rewards[rollouts, rows], 0)[:, None].astype(np.float32),
        )
        return ReplayBufferSamples(*(self.to_torch(field) for field in fields))

    def state_dict(self) -> dict[str, Any]:
        """The finished records, as tensors and plain values."""
        arrays = {name: getattr(self, name)[: self.n_finished] for name in ("records", "actions", "rewards")}
        tensors = {name: torch.as_tensor(np.array(array)) for name, array in arrays.items()}
        return {**tensors, "pos": self.pos - self.pos % self.n_attributes, "full": self.full}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        for name in ("records", "actions", "rewards"):
            array = state[name].cpu().numpy()
            getattr(self, name)[: len(array)] = array
        self.pos, self.full = state["pos"], state["full"]
