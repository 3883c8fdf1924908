"""Many record episodes in lockstep, as one Stable-Baselines3 vectorised environment."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from envs.record_env import ActionSpace, InvalidLevel, RecordEngine, RewardFn


class RecordVecEnv(VecEnv):
    """`num_envs` records filled in at once: `RecordEnv`'s rules, spaces and rewards, without its Python per record.

    All episodes have the same length, so all records finish together and are scored in one call of the reward
    function. As with every SB3 `VecEnv`, a finished episode resets by itself: the last observation is in
    `infos[i]["terminal_observation"]`, the record in `infos[i]["record"]`.

    Args:
        n_levels: Number of levels of each attribute, in fill order.
        num_envs: Records at once.
        reward_fn: Scores finished records, `(n, n_attributes)` int64 to `(n,)`.
        action_space: See `RecordEngine`.
        marginals: See `RecordEngine`.
        invalid_level: See `RecordEngine`.
        copy_observations: Whether each step returns an array of its own. A buffer that stores no observations (the
            `RecordRolloutBuffer`) can do without, which spares O(steps x attributes) of copying.
        allowed: See `RecordEngine`.
    """

    def __init__(
        self,
        n_levels: Sequence[int] | np.ndarray,
        num_envs: int,
        reward_fn: RewardFn | None = None,
        action_space: ActionSpace = "discrete",
        marginals: Sequence[np.ndarray] | None = None,
        invalid_level: InvalidLevel = "raise",
        copy_observations: bool = True,
        allowed: Sequence[np.ndarray] | None = None,
    ) -> None:
        self._engine = RecordEngine(n_levels, num_envs, reward_fn, action_space, marginals, invalid_level, allowed)
        self.render_mode = None
        super().__init__(num_envs, self._engine.observation_space, self._engine.action_space)
        self.copy_observations = copy_observations
        self._actions = np.zeros(num_envs)
        self._start = time.time()
        self._no_infos: list[dict[str, Any]] = [{} for _ in range(num_envs)]

    @property
    def reward_fn(self) -> RewardFn | None:
        """What scores the finished records."""
        return self._engine.reward_fn

    @reward_fn.setter
    def reward_fn(self, reward_fn: RewardFn | None) -> None:
        self._engine.reward_fn = reward_fn

    def reset(self) -> np.ndarray:
        """Empty records."""
        self._engine.clear()
        self._reset_seeds()
        self._reset_options()
        return self._observations()

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Seed the action space; the environment itself draws nothing."""
        self.action_space.seed(seed)
        return super().seed(seed)

    def step_async(self, actions: np.ndarray) -> None:
        """Take the actions."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Fill in the next attribute of every record; resets when that was the last."""
        rewards = self._engine.fill(self._actions)
        if not self._engine.is_finished:
            return self._observations(), rewards, np.zeros(self.num_envs, dtype=bool), self._no_infos
        infos = self._terminal_infos(rewards)
        self._engine.clear()
        return self._observations(), rewards, np.ones(self.num_envs, dtype=bool), infos

    def action_masks(self) -> np.ndarray:
        """Valid actions `(num_envs, n_actions)` bool, for MaskablePPO."""
        return np.tile(self._engine.masks(), (self.num_envs, 1))

    def _observations(self) -> np.ndarray:
        return self._engine.filled.copy() if self.copy_observations else self._engine.filled

    def _terminal_infos(self, rewards: np.ndarray) -> list[dict[str, Any]]:
        records, observations = self._engine.records(), self._engine.filled.copy()
        length, elapsed = records.shape[1], round(time.time() - self._start, 6)
        return [
            {
                "terminal_observation": observations[i],
                "record": records[i],
                "episode": {"r": float(rewards[i]), "l": length, "t": elapsed},
            }
            for i in range(self.num_envs)
        ]

    def close(self) -> None:
        """Nothing to release."""

    def get_attr(self, attr_name: str, indices: int | Iterable[int] | None = None) -> list[Any]:
        """The attribute, once per chosen record; all share one engine."""
        return [getattr(self, attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: int | Iterable[int] | None = None) -> None:
        """Set an attribute for all records."""
        setattr(self, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: int | Iterable[int] | None = None, **method_kwargs: Any
    ) -> list[Any]:
        """Results of a method, one per chosen record; a method of the whole batch is called once and divided."""
        result = getattr(self, method_name)(*method_args, **method_kwargs)
        return [result[i] if isinstance(result, np.ndarray) else result for i in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: type, indices: int | Iterable[int] | None = None) -> list[bool]:
        """No record is wrapped; episodes report their own returns, so a Monitor is not needed."""
        return [False for _ in self._get_indices(indices)]
