"""The learning rate of PPO over training."""

from __future__ import annotations

from collections.abc import Callable

WARM_UP_SHARE = 0.1
"""Share of PPO over which its learning rate rises (Adam's first steps are full-size noise); then it falls to nothing."""

FINAL_SHARE = 0.05
"""Share of the learning rate that the last update has; what remains is negative once a rollout overshoots."""


def scheduled(learning_rate: float | Callable[[float], float]) -> float | Callable[[float], float]:
    """The learning rate as a function of the share of training that remains: it rises, then falls."""
    if callable(learning_rate):
        return learning_rate
    return lambda remaining: (
        learning_rate * max(min((1 - remaining) / WARM_UP_SHARE + 0.01, remaining / (1 - WARM_UP_SHARE)), FINAL_SHARE)
    )
