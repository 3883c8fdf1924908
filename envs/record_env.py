"""Generating a record as a Gymnasium episode: one attribute per step, the reward on the last step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import gymnasium as gym
import numpy as np
from gymnasium import spaces

RewardFn = Callable[[np.ndarray], np.ndarray]
"""Rewards `(n,)` of finished records `(n, n_attributes)`, both numpy arrays; high = realistic."""
ActionSpace = Literal["discrete", "box"]
InvalidLevel = Literal["raise", "wrap"]


class LevelSpace(spaces.Discrete):
    """The levels of the widest attribute; `sample` draws among the `valid` ones, those of the attribute at hand."""

    def __init__(self, n: int) -> None:
        super().__init__(n)
        self.valid = np.arange(n)

    def sample(self, mask: Any | None = None, probability: Any | None = None) -> np.int64:
        """A valid level, unless a mask or probabilities say otherwise."""
        if mask is None and probability is None:
            return np.int64(self.valid[self.np_random.integers(len(self.valid))])
        return super().sample(mask, probability)


class RecordEngine:
    """The rules of filling in `n` records in lockstep; both environments are windows on it.

    Args:
        n_levels: Number of levels of each attribute, in fill order.
        n: Records filled in at once.
        reward_fn: Scores finished records; `None` scores 0.
        action_space: `"discrete"` (an action is a level) or `"box"` (an action u in [-1, 1] stands for the level at
            the cumulative share (u + 1) / 2 of the attribute's marginal distribution).
        marginals: For `"box"`: share of each level, by attribute; uniform by default.
        invalid_level: What a level beyond the valid ones of the attribute does: `"raise"`, or `"wrap"` around (modulo),
            which algorithms without action masks need.
        allowed: By attribute which levels are valid, `(n_levels,)` bool each; all by default.

    Raises:
        ValueError: No attribute, an attribute without levels, no record, an unknown option, or marginals that do not
            fit the levels.
        TypeError: `reward_fn` is no function.
    """

    def __init__(
        self,
        n_levels: Sequence[int] | np.ndarray,
        n: int = 1,
        reward_fn: RewardFn | None = None,
        action_space: ActionSpace = "discrete",
        marginals: Sequence[np.ndarray] | None = None,
        invalid_level: InvalidLevel = "raise",
        allowed: Sequence[np.ndarray] | None = None,
    ) -> None:
        self.n_levels = np.asarray(n_levels, dtype=np.int64)
        if self.n_levels.ndim != 1 or len(self.n_levels) == 0 or self.n_levels.min() < 1 or n < 1:
            raise ValueError(f"Expected at least one attribute with a level and one record, got {n_levels!r}, n={n}.")
        if action_space not in ("discrete", "box"):
            raise ValueError(f"action_space must be 'discrete' or 'box', got {action_space!r}.")
        if invalid_level not in ("raise", "wrap"):
            raise ValueError(f"invalid_level must be 'raise' or 'wrap', got {invalid_level!r}.")
        if reward_fn is not None and not callable(reward_fn):
            raise TypeError(f"reward_fn must be a function of finished records or None, got {reward_fn!r}.")
        self.reward_fn, self.invalid_level = reward_fn, invalid_level
        shares = marginals if marginals is not None else [np.full(levels, 1 / levels) for levels in self.n_levels]
        if [len(share) for share in shares] != self.n_levels.tolist():
            raise ValueError("marginals must give one share for each level of each attribute.")
        every = [np.ones(levels, dtype=bool) for levels in self.n_levels]
        self._valid = [np.flatnonzero(levels) for levels in (every if allowed is None else allowed)]
        if allowed is not None and [len(levels) for levels in allowed] != self.n_levels.tolist():
            raise ValueError("allowed must say of each level of each attribute whether it is valid.")
        if not all(len(valid) for valid in self._valid):
            raise ValueError("allowed must leave each attribute a level.")
        valid_shares = [np.asarray(share)[valid] for share, valid in zip(shares, self._valid, strict=True)]
        self._upper_edges = [np.cumsum(share)[:-1] / max(share.sum(), 1e-12) for share in valid_shares]
        self.observation_space = spaces.MultiDiscrete(self.n_levels + 1, dtype=np.int16)
        # Libraries add these up (the width of one-hot levels), which int16 does not hold for a wide table.
        self.observation_space.nvec = self.observation_space.nvec.astype(np.int64)
        self.action_space: spaces.Space[Any] = (
            LevelSpace(int(self.n_levels.max()))
            if action_space == "discrete"
            else spaces.Box(-1.0, 1.0, (1,), dtype=np.float32)
        )
        self.filled = np.zeros((n, len(self.n_levels)), dtype=np.int16)
        self.position = 0
        self.clear()

    @property
    def is_finished(self) -> bool:
        """Whether the records are complete."""
        return self.position == len(self.n_levels)

    def clear(self) -> None:
        """Start with empty records."""
        self.filled[:] = 0
        self.position = 0
        self._narrow_space()

    def fill(self, actions: np.ndarray) -> np.ndarray:
        """Fill in the attribute at hand of every record; rewards `(n,)` float32, 0 until the records are complete.

        Raises:
            RuntimeError: The records are complete.
            ValueError: An action that is no valid level, or `reward_fn` did not give a finite number for each record.
        """
        if self.is_finished:
            raise RuntimeError("The record is complete. Call reset() first.")
        self.filled[:, self.position] = self._to_levels(actions) + 1
        self.position += 1
        if not self.is_finished:
            self._narrow_space()
            return np.zeros(len(self.filled), dtype=np.float32)
        if self.reward_fn is None:
            return np.zeros(len(self.filled), dtype=np.float32)
        return _as_rewards(self.reward_fn(self.records()), len(self.filled))

    def records(self) -> np.ndarray:
        """The records `(n, n_attributes)` int64; -1 where an attribute is still empty."""
        return self.filled.astype(np.int64) - 1

    def masks(self) -> np.ndarray:
        """Valid levels `(n_actions,)` bool of the attribute at hand; all of them when the record is complete."""
        valid = self._valid[min(self.position, len(self.n_levels) - 1)]
        return np.isin(np.arange(int(self.n_levels.max())), valid)

    def _to_levels(self, actions: np.ndarray) -> np.ndarray:
        actions = np.asarray(actions).reshape(len(self.filled))
        if isinstance(self.action_space, spaces.Box):
            if np.isnan(actions).any():
                raise ValueError(f"Actions must be numbers from -1 to 1, got {int(np.isnan(actions).sum())} NaN.")
            shares = (np.clip(actions.astype(np.float64), -1, 1) + 1) / 2
            return self._valid[self.position][np.searchsorted(self._upper_edges[self.position], shares, side="right")]
        is_broken = np.round(actions) != actions
        if is_broken.any():
            raise ValueError(f"Actions must be whole numbers of levels, got {actions[is_broken][0]}.")
        levels = actions.astype(np.int64)
        valid = self._valid[self.position]
        is_invalid = self._is_invalid(levels)
        if is_invalid.any():
            if self.invalid_level == "wrap":
                return np.where(is_invalid, valid[levels % len(valid)], levels)
            forbidden = sorted(set(range(int(self.n_levels[self.position]))) - set(valid.tolist()))
            raise ValueError(
                f"Attribute {self.position} has levels 0 to {self.n_levels[self.position] - 1}"
                f"{f' but for {forbidden}' if forbidden else ''}, got {levels[is_invalid][0]}. "
                "Use action_masks(), or make the environment with invalid_level='wrap'."
            )
        return levels

    def _is_invalid(self, levels: np.ndarray) -> np.ndarray:
        valid, n_levels = self._valid[self.position], int(self.n_levels[self.position])
        is_invalid = (levels < 0) | (levels >= n_levels)
        return is_invalid if len(valid) == n_levels else is_invalid | ~np.isin(levels, valid)

    def _narrow_space(self) -> None:
        if isinstance(self.action_space, LevelSpace):
            self.action_space.valid = self._valid[self.position]


def _as_rewards(values: Any, n: int) -> np.ndarray:
    rewards = np.asarray(values, dtype=np.float32)
    if rewards.size != n or not np.isfinite(rewards).all():
        came = (
            f"{rewards.size} of them" if rewards.size != n else f"{int((~np.isfinite(rewards)).sum())} NaN or infinite"
        )
        raise ValueError(f"reward_fn must return one finite number for each record, here {n}, got {came}.")
    return rewards.reshape(n)


class RecordEnv(gym.Env[np.ndarray, Any]):
    """One record is filled in attribute by attribute; the finished record is scored.

    ## Description
    A record is a row of a patient table; each attribute takes one of a few levels (a category, a quantile interval of
    a measurement, or "missing"). The agent chooses the level of one attribute per step, in a fixed order, seeing what
    it chose before. A reward function, usually a discriminator, scores the finished record.

    ## Action Space
    `action_space="discrete"`: `Discrete(largest number of levels)`; at most the first `n_levels[t]` actions are valid at
    step t, less those that a rule about the attribute alone forbids; `action_masks()` tells which. `action_space="box"`: `Box(-1, 1, (1,))`; u stands for the level at which the
    cumulative marginal share reaches (u + 1) / 2, so that uniform actions give the training marginals.

    ## Observation Space
    `MultiDiscrete(n_levels + 1)`, one entry per attribute: 0 = still empty, k + 1 = level k.

    ## Starting State
    The empty record, all zeros. There is no randomness in the environment.

    ## Rewards
    0 until the last step; there `reward_fn(records)` of the one finished record. Without a `reward_fn` always 0: assign
    `env.unwrapped.reward_fn` or let training attach the discriminator.

    ## Episode End
    Termination after exactly as many steps as there are attributes; never truncated.

    ## Information
    `info["attribute"]`: name of the attribute to be filled next; at the end `info["record"]`: the record, int64 levels.

    ## Arguments
    `n_levels`, `reward_fn`, `action_space`, `marginals`, `invalid_level`, `allowed`: see `RecordEngine`. `names`: attributes in
    words. `labels`: levels in words, by attribute. `render_mode`: `"ansi"` gives the record being filled in as text;
    any other raises TypeError.

    ## Version History
    * v0: first version
    """

    metadata: dict[str, Any] = {"render_modes": ["ansi"], "render_fps": 4}  # noqa: RUF012 (Gymnasium's own form)

    def __init__(
        self,
        n_levels: Sequence[int] | np.ndarray,
        reward_fn: RewardFn | None = None,
        action_space: ActionSpace = "discrete",
        marginals: Sequence[np.ndarray] | None = None,
        invalid_level: InvalidLevel = "raise",
        names: Sequence[str] | None = None,
        labels: Sequence[Sequence[str]] | None = None,
        render_mode: str | None = None,
        allowed: Sequence[np.ndarray] | None = None,
    ) -> None:
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            # SB3 asks for "rgb_array" first and takes nothing but a TypeError for a no.
            raise TypeError(f"render_mode must be None or one of {self.metadata['render_modes']}, got {render_mode!r}.")
        self._engine = RecordEngine(n_levels, 1, reward_fn, action_space, marginals, invalid_level, allowed)
        self.observation_space, self.action_space = self._engine.observation_space, self._engine.action_space
        self.names = list(names) if names is not None else [f"attribute {i}" for i in range(len(n_levels))]
        self.labels = labels
        self.render_mode = render_mode

    @property
    def reward_fn(self) -> RewardFn | None:
        """What scores the finished record."""
        return self._engine.reward_fn

    @reward_fn.setter
    def reward_fn(self, reward_fn: RewardFn | None) -> None:
        self._engine.reward_fn = reward_fn

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """The empty record."""
        super().reset(seed=seed)
        if seed is not None:
            self.action_space.seed(seed)
        self._engine.clear()
        return self._observation(), self._info()

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Fill in the next attribute.

        Raises:
            ValueError: The action is no valid level of the attribute.
            RuntimeError: The record is complete.
        """
        reward = self._engine.fill(np.asarray(action).reshape(1))
        return self._observation(), float(reward[0]), self._engine.is_finished, False, self._info()

    def action_masks(self) -> np.ndarray:
        """Valid actions `(n_actions,)` bool, for MaskablePPO."""
        return self._engine.masks()

    def render(self) -> str | None:
        """The record being filled in, one attribute per line."""
        if self.render_mode is None:
            return None
        record = self._engine.records()[0]
        width = max(len(name) for name in self.names)
        return "\n".join(
            f"{name:<{width}}  {self._word(i, level)}"
            for i, (name, level) in enumerate(zip(self.names, record, strict=True))
        )

    def _word(self, attribute: int, level: int) -> str:
        if level < 0:
            return "<" if attribute == self._engine.position else "."
        return self.labels[attribute][level] if self.labels is not None else str(level)

    def _observation(self) -> np.ndarray:
        return self._engine.filled[0].copy()

    def _info(self) -> dict[str, Any]:
        if self._engine.is_finished:
            return {"record": self._engine.records()[0]}
        return {"attribute": self.names[self._engine.position]}
