"""Records drawn by stepping an algorithm through the rules of the environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.noise import ActionNoise, VectorizedActionNoise

from envs.record_env import RecordEngine
from rlsyn.algorithms.table import Algorithm
from rlsyn.encoding import Encoding


class Predictor(Protocol):
    """An algorithm, or a policy."""

    def predict(
        self,
        observation: np.ndarray,
        state: Any = None,
        episode_start: np.ndarray | None = None,
        deterministic: bool = False,
    ) -> tuple[np.ndarray, Any]:
        """Actions for observations, and the state of a recurrent policy."""


def engine_arguments(encoding: Encoding, how: Algorithm) -> dict[str, Any]:
    """Arguments of the record environment for an algorithm with a stock policy.

    Policies that know no masks may choose a level that the attribute lacks, or that a rule forbids: it wraps around to
    one that is allowed, as action modulo their number. No reward has to teach what is a rule of the game.
    """
    return {
        "n_levels": encoding.n_levels,
        "action_space": how.action_space,
        "marginals": encoding.marginals(),
        "invalid_level": "wrap",
        "allowed": encoding.repair.allowed_levels(),
    }


def draw_records(
    predictor: Predictor,
    engine: RecordEngine,
    given: Mapping[int, int] | None = None,
    noise: ActionNoise | None = None,
) -> np.ndarray:
    """Records `(n, n_attributes)` int64, as many as the engine holds, drawn with the global generators.

    Args:
        predictor: Chooses actions, not deterministically.
        engine: Fills them in.
        given: Levels of attributes that are set rather than chosen.
        noise: Added to each action in [-1, 1], independently.
    """
    engine.clear()
    state, starts = None, np.ones(len(engine.filled), dtype=bool)
    for attribute in range(len(engine.n_levels)):
        actions, state = predictor.predict(engine.filled, state=state, episode_start=starts, deterministic=False)
        if noise is not None:
            actions = np.clip(actions + np.stack([noise() for _ in actions]), -1, 1)
        engine.fill(actions)
        if given is not None and attribute in given:
            engine.filled[:, attribute] = given[attribute] + 1
        starts = np.zeros_like(starts)
    return engine.records()


def single_noise(model: BaseAlgorithm) -> ActionNoise | None:
    """The noise that training adds to the actions of one record, if any."""
    noise = getattr(model, "action_noise", None)
    return noise.base_noise if isinstance(noise, VectorizedActionNoise) else noise
