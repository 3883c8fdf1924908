"""Selection: of all policies of a training, the one that validation people speak best of; test rows are never seen."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import TensorBoardOutputFormat

from rlsyn.calibration import calibrate_marginals
from rlsyn.encoding import Encoding
from rlsyn.evaluation.features import NotComputableError
from rlsyn.evaluation.fidelity import association_difference
from rlsyn.evaluation.fidelity.detection import unseen_detection_auc
from rlsyn.evaluation.privacy.membership import membership_auc
from rlsyn.policy import Actor, AutoregressivePolicy
from rlsyn.sampling import DrawLevels, TooFewRecords, draw_table

PARTS = ("association", "detection", "membership")
"""What the criterion sums."""
N_DRAWS = 4
"""Synthetic tables of the size of the training table that a policy is scored on: one alone is half chance."""
MAX_ROWS = 2_000
"""Rows of each side at most. With 500 the classifier of the detection part learns too little: what it found between a
warm start and what PPO made of it was chance on 14,000 rows, and nothing on 2,600, where with 2,000 it saw six times of
six what test rows showed."""
MAX_DRAWS = 5
"""Records drawn at most for each that is scored: rules that fewer than a fifth obey would cost more than they tell."""
LEAST_PEOPLE = 100
"""Validation people below whom the criterion is chance: with 31 it kept the warm start under three seeds of three."""


def suffices(people: np.ndarray) -> bool:
    """Whether rows of these people `(n,)` are enough to select a policy by."""
    return len(pd.unique(pd.Series(people))) >= LEAST_PEOPLE


class Criterion:
    """How far a policy's records are from validation people, and how much nearer to the people learned from.

    The sum of three shares, 0 at best: the association difference, the detection AUC above 0.5 (of LightGBM, which
    learns from the other people and is tried on these), and the membership AUC above 0.5. A policy that drifts pays by
    the first two; one that memorises gains little by them on people whom it has not seen, and pays by the third. They
    need no weights: all are shares, and between a poor and a good policy each moves by some hundredths.

    All policies are scored with the same random numbers and rows, and as those records are that are sampled in the end:
    with marginals calibrated, at the temperature, obeying the declared rules (unless so few records do that `MAX_DRAWS`
    for each wanted do not give enough: then as they come). What is left of chance is mostly common to them. A part that
    cannot be computed (the association of one column) is 0 for all of them.

    Args:
        encoding: Decodes records.
        train: Rows of the people that are learned from.
        validation: Rows of the people that are not.
        seed: Of draws, rows and classifiers.
        calibrates: Whether marginals are calibrated before scoring.
        temperature: Of sampling.
    """

    def __init__(
        self,
        encoding: Encoding,
        train: pd.DataFrame,
        validation: pd.DataFrame,
        seed: int = 0,
        calibrates: bool = True,
        temperature: float = 1.0,
    ) -> None:
        self.encoding, self.seed, self.calibrates, self.temperature = encoding, seed, calibrates, temperature
        self.train = train.sample(min(len(train), MAX_ROWS), random_state=seed)
        self.validation = validation.sample(min(len(validation), MAX_ROWS), random_state=seed)

    def __call__(self, policy: AutoregressivePolicy, actor: Actor) -> dict[str, float]:
        """The parts (`PARTS`) of an actor of the policy; the actor is left as it is."""
        generator, rng = torch.Generator(policy.device).manual_seed(self.seed), np.random.default_rng(self.seed)
        actor = deepcopy(actor)
        if self.calibrates:
            calibrate_marginals(policy, self.encoding.marginals(), 4_096, 2, generator, actor)
        n = len(self.train)
        draw = partial(policy.sample, generator=generator, actor=actor, temperature=self.temperature)
        pool = self._pool(draw, N_DRAWS * n, rng)
        draws = [pool.iloc[start : start + n] for start in range(0, len(pool), n)]
        schema, validation = self.encoding.schema, self.validation
        return {
            "association": _part(lambda: association_difference(validation, pool, schema)),
            "detection": _part(
                lambda: unseen_detection_auc(self.train, validation, draws, schema, seed=self.seed), chance=0.5
            ),
            "membership": _part(
                lambda: float(np.mean([membership_auc(self.train, validation, draw, schema) for draw in draws])),
                chance=0.5,
            ),
        }

    def _pool(self, draw: DrawLevels, n: int, rng: np.random.Generator) -> pd.DataFrame:
        try:
            return draw_table(draw, self.encoding, n, rng, max_draws=MAX_DRAWS * n).table(n)
        except TooFewRecords:
            return draw_table(draw, self.encoding, n, rng, rules="keep").table(n)


def _part(compute: Callable[[], float], chance: float = 0.0) -> float:
    try:
        return max(0.0, compute() - chance)
    except NotComputableError:
        return 0.0


@dataclass
class Selected:
    """The best policy so far, and what all that were scored came to.

    Args:
        actor: The best one; `None` before any was scored.
        scores: By number of environment steps the parts (`PARTS`) of the policy at that time.
    """

    actor: Actor | None = None
    scores: dict[int, dict[str, float]] = field(default_factory=dict)

    @property
    def n_steps(self) -> int:
        """Environment steps after which the best policy was scored: 0 for the warm start.

        Raises:
            ValueError: None has been scored.
        """
        if not self.scores:
            raise ValueError("No policy has been scored. Fit with select=True and at least one rollout.")
        return min(self.scores, key=lambda n_steps: sum(self.scores[n_steps].values()))

    def table(self) -> pd.DataFrame:
        """A scored policy a row: `n_steps`, the parts, their sum `criterion`, and whether it `is_selected`."""
        rows = [{"n_steps": n, **parts, "criterion": sum(parts.values())} for n, parts in self.scores.items()]
        table = pd.DataFrame(rows, columns=["n_steps", *PARTS, "criterion"])
        return table.assign(is_selected=table["n_steps"] == (self.n_steps if rows else None))

    def add(self, n_steps: int, parts: dict[str, float], actor: Actor) -> None:
        """Count a policy in; a copy of it is kept if it is the best so far, the earlier one of two alike."""
        self.scores[n_steps] = parts
        if self.n_steps == n_steps:
            self.actor = deepcopy(actor)

    def state_dict(self) -> dict[str, Any]:
        """All of it, as tensors and plain values."""
        return {"actor": None if self.actor is None else self.actor.state_dict(), "scores": self.scores}

    def load_state_dict(self, state: dict[str, Any], like: Actor) -> None:
        """The inverse of `state_dict`; `like` is an actor of the same shape."""
        self.scores, self.actor = dict(state["scores"]), None
        if state["actor"] is not None:
            self.actor = deepcopy(like)
            self.actor.load_state_dict(state["actor"])


class SelectionCallback(BaseCallback):
    """Scores the policy before PPO, every few rollouts and at the end; TensorBoard gets `selection/<part>`.

    Args:
        criterion: Scores an actor of the policy.
        selected: Where the best is kept.
        candidate_fn: Gives the actor that is scored: the policy's own, or its average.
        every: Rollouts between two scores.
    """

    def __init__(
        self,
        criterion: Criterion,
        selected: Selected,
        candidate_fn: Callable[[], Actor],
        every: int = 25,
    ) -> None:
        super().__init__()
        self.criterion, self.selected, self.candidate_fn, self.every = criterion, selected, candidate_fn, every

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        # At the start of a rollout the update of the one before is complete.
        model = self.model
        rollout = model.n_steps * model.n_envs  # type: ignore[attr-defined]  # on-policy only
        if self.num_timesteps // rollout % self.every == 0:
            self._score()

    def _on_training_end(self) -> None:
        self._score()

    def _score(self) -> None:
        if self.num_timesteps in self.selected.scores:
            return  # a resumed run has it from before
        policy, actor = self.model.policy, self.candidate_fn()
        assert isinstance(policy, AutoregressivePolicy)
        parts = self.criterion(policy, actor)
        self.selected.add(self.num_timesteps, parts, actor)
        values = {f"selection/{name}": value for name, value in {**parts, "criterion": sum(parts.values())}.items()}
        # Written at once: at SB3's next line of logs the steps would be those of the rollout after.
        for output in self.logger.output_formats:
            if isinstance(output, TensorBoardOutputFormat):
                output.write(values, dict.fromkeys(values, ()), self.num_timesteps)
