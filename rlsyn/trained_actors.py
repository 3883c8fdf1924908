"""The actors that a training leaves to sample from: the selected one, PPO's last or its average, and the warm start."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from functools import partial
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from rlsyn.calibration import calibrate_marginals
from rlsyn.policy import Actor, AutoregressivePolicy
from rlsyn.sampling import DrawLevels
from rlsyn.selection import Criterion, Selected, SelectionCallback

ACTORS = ("trained", "last", "warm_start")
"""`trained` is the selected one where there was a selection, else the last; `last` is PPO's last, averaged where
averaging was asked for; `warm_start` is the policy before PPO."""


class TrainedActors:
    """The actors of a policy by name.

    Args:
        policy: PPO trains its own actor; the others are kept here.
        average_decay: Share of the average that stays when the actor of another rollout is averaged in; 0 for no
            average.

    Attributes:
        is_finished: Whether training came to its end, with the last actor scored and calibrated; true before it begins.
    """

    def __init__(self, policy: AutoregressivePolicy, average_decay: float = 0.0) -> None:
        self.policy, self.average_decay = policy, average_decay
        self.selected, self.is_finished = Selected(), True
        self._average: AveragedModel | None = None
        self._averaged_to = -1

    @property
    def last(self) -> Actor:
        """PPO's actor, or the average of all that it has been."""
        if self._average is None:
            return self.policy.actor
        actor = self._average.module
        assert isinstance(actor, Actor)
        return actor

    def named(self, name: str) -> Actor:
        """An actor of `ACTORS`.

        Raises:
            ValueError: Another name.
        """
        if name not in ACTORS:
            raise ValueError(f"policy must be one of {ACTORS}, got {name!r}.")
        if name == "warm_start":
            return self.policy.reference
        return (self.selected.actor if name == "trained" else None) or self.last

    def draw_fn(self, name: str, seed: int, temperature: float) -> DrawLevels:
        """Draws levels from the actor of that name: the same seed gives the same ones.

        Raises:
            ValueError: There is no such actor.
        """
        generator = torch.Generator(device=self.policy.device).manual_seed(seed)
        return partial(self.policy.sample, generator=generator, actor=self.named(name), temperature=temperature)

    def first_records(self, n: int) -> np.ndarray:
        """Records `(n, n_attributes)` of the policy as it is, drawn with the global generator."""
        return self.policy.sample(n).cpu().numpy()

    def average_in(self, n_steps: int) -> None:
        """Average the present actor in, once for every number of environment steps; the first is the warm start."""
        if self.average_decay == 0 or n_steps <= self._averaged_to:
            return
        if self._average is None:
            self._start_average()
        assert self._average is not None
        self._average.update_parameters(self.policy.actor)
        self._averaged_to = n_steps

    def callbacks(self, criterion: Criterion | None) -> list[BaseCallback]:
        """What averages and selects while PPO trains; there is no selection without a criterion."""
        found: list[BaseCallback] = [AverageCallback(self)] if self.average_decay else []
        if criterion is not None:
            found.append(SelectionCallback(criterion, self.selected, lambda: self.last))
        return found

    def calibrate(self, marginals: Sequence[np.ndarray]) -> None:
        """Calibrate the marginals of what PPO made; the warm start has been calibrated before."""
        made = [self.last]
        if self.selected.actor is not None and self.selected.n_steps > 0:
            made.append(self.selected.actor)
        calibrated = [deepcopy(actor) for actor in made]  # an interrupt leaves all as they were
        for actor in calibrated:
            # Common random numbers, as the selected policy may be the last one.
            generator = torch.Generator(device=self.policy.device).manual_seed(torch.initial_seed())
            calibrate_marginals(self.policy, marginals, generator=generator, actor=actor)
        for actor, new in zip(made, calibrated, strict=True):
            actor.load_state_dict(new.state_dict())

    def state_dict(self) -> dict[str, Any]:
        """All but what the policy's own state holds, as tensors and plain values."""
        average = None if self._average is None else self._average.state_dict()
        return {
            "selected": self.selected.state_dict(),
            "average": average,
            "averaged_to": self._averaged_to,
            "is_finished": self.is_finished,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.selected.load_state_dict(state["selected"], self.policy.actor)
        # The first states of this format do not tell.
        self.is_finished = state.get("is_finished", True)
        if state["average"] is not None:
            self._start_average()
            assert self._average is not None
            self._average.load_state_dict(state["average"])
            self._averaged_to = state["averaged_to"]

    def _start_average(self) -> None:
        self._average = AveragedModel(self.policy.actor, multi_avg_fn=get_ema_multi_avg_fn(self.average_decay))


class AverageCallback(BaseCallback):
    """Averages the weights of the actor over PPO's rollouts (Polyak), exponentially.

    References:
        Yaz, Foo, Winkler, Yap, Piliouras, Chandrasekhar: The unusual effectiveness of averaging in GAN training, 2019,
        arXiv:1806.04498.

    Args:
        actors: Holds the average.
    """

    def __init__(self, actors: TrainedActors) -> None:
        super().__init__()
        self.actors = actors

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        # At the start of a rollout the update of the one before is complete.
        self.actors.average_in(self.num_timesteps)

    def _on_training_end(self) -> None:
        self.actors.average_in(self.num_timesteps)
