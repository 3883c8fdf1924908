"""A trial of a search: a method learns from some training people and is scored on the others; poor ones end early."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import pandas as pd
from optuna import TrialPruned
from stable_baselines3.common.callbacks import BaseCallback

from rlsyn.datasets import split_rows
from rlsyn.evaluation import evaluate
from rlsyn.methods import make_method
from rlsyn.policy import AutoregressivePolicy
from rlsyn.run_summary import HEADLINES
from rlsyn.schema import Schema
from rlsyn.selection import Criterion
from rlsyn.synthesizer import RLSyn

VALIDATION_SIZE = 0.25
"""Share of the training people that trials are scored on."""
LOOK = 1 / 3
"""Share of PPO's training after which a trial is looked at, and pruned where it is worse than most were then."""


@dataclass(frozen=True)
class Task:
    """What all trials on a table have before them; no test row is part of it.

    Args:
        table: Its name.
        env: The id of its environment, under which configurations name it.
        fit_rows: Rows of three quarters of the training people.
        validation_rows: Rows of the others.
        schema: The columns.
        seed: Of this division, of training and of evaluation.
    """

    table: str
    env: str
    fit_rows: pd.DataFrame
    validation_rows: pd.DataFrame
    schema: Schema
    seed: int


@dataclass(frozen=True)
class Outcome:
    """What came of a trial.

    Args:
        seconds: Fitting, sampling and scoring together.
        parts: The terms of the criterion by name; empty where the trial failed or was pruned.
        error: Why it failed.
        is_pruned: Whether it was ended early.
        middle: The parts of selection's criterion after `LOOK` of the training; empty where nobody looked.
        metrics: The metrics that runs are compared by, as far as they have values.
    """

    seconds: float
    parts: Mapping[str, float]
    error: str = ""
    is_pruned: bool = False
    middle: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)


def make_task(table: str, env: str, train: pd.DataFrame, schema: Schema, seed: int = 0) -> Task:
    """Divide training rows by person into those that trials learn and those that they are scored on.

    Raises:
        ValueError: There is no label, which the criterion needs, or it does not vary on either side; or only one person.
    """
    if schema.label is None:
        raise ValueError(f"The criterion needs a label, {table} has none. Name one.")
    fit, validation = split_rows(train, schema, VALIDATION_SIZE, seed)
    fit_rows, validation_rows = (train.iloc[rows].reset_index(drop=True) for rows in (fit, validation))
    for rows, use in ((fit_rows, "learn from"), (validation_rows, "are scored on")):
        if rows[schema.label].nunique() < 2:
            raise ValueError(
                f"The label {schema.label!r} must vary among the people that trials {use}, got one value in {len(rows):,} "
                "rows. Choose another --seed or label."
            )
    return Task(table, env, fit_rows, validation_rows, schema, seed)


def run_trial(
    task: Task, method: str, parameters: Mapping[str, Any], limits: Mapping[str, float] | None = None
) -> Outcome:
    """Fit a method with these parameters, sample as many records as it learned from, and score them.

    Args:
        task: The table.
        method: The method's key.
        parameters: Its constructor's arguments.
        limits: What the trial is held against after `LOOK` of its training, see `is_worse`: none where there is
            nothing to hold it against yet. By default nobody looks. Only RLSyn is looked at, the others run to the end.
    """
    start = time.perf_counter()
    look = _Look(task, limits or {})
    done: dict[str, Any] = {"parts": {}}
    try:
        model = make_method(method, {**parameters, "seed": task.seed})
        if limits is not None and isinstance(model, RLSyn):
            model.fit(task.fit_rows, schema=task.schema, callback=look.at(model))
        else:
            model.fit(task.fit_rows, schema=task.schema)
        rows = task.fit_rows, task.validation_rows, model.sample(len(task.fit_rows))
        scores = evaluate(*rows, task.schema, seed=task.seed, fast=True, references=["real"], n_jobs=1).scores
        done = {"parts": criterion_parts(scores), "metrics": _metrics(scores)}
    except TrialPruned:
        done["is_pruned"] = True
    except Exception as failure:  # noqa: BLE001 (whatever one trial does, the others go on; what it was is kept)
        done["error"] = f"{type(failure).__name__}: {' '.join(str(failure).split())}"
    return Outcome(time.perf_counter() - start, middle=look.middle, **done)


def criterion_parts(scores: pd.DataFrame) -> dict[str, float]:
    """The terms of the search's criterion, each 0 at best, from the scores of an evaluation.

    Raises:
        ValueError: A metric has no value.
    """
    values = {str(metric): float(value) for metric, value in zip(scores["metric"], scores["value"], strict=True)}
    s2r = "S2R AUC" if "S2R AUC" in values else "S2R R2"
    needed = (s2r, "association difference", "detection AUC (LightGBM)", "membership AUC")
    if absent := [name for name in needed if np.isnan(values.get(name, np.nan))]:
        raise ValueError(f"The criterion needs {', '.join(absent)}, which could not be computed.")
    return {
        "utility loss": 1 - (values[s2r] if s2r == "S2R AUC" else max(0.0, values[s2r])),
        "association": values["association difference"],
        "detection": max(0.0, values["detection AUC (LightGBM)"] - 0.5),
        "membership": max(0.0, values["membership AUC"] - 0.5),
    }


def is_worse(middle: Mapping[str, float], limits: Mapping[str, float]) -> bool:
    """Whether terms, and their sum `criterion`, are nowhere below the limits and somewhere above; without limits, no.

    Example:
        >>> is_worse({"association": 0.2, "membership": 0.0}, {"association": 0.1, "membership": 0.0})
        True
        >>> is_worse({"association": 0.2, "membership": 0.0}, {"association": 0.1, "membership": 0.02})
        False
    """
    values = {**middle, "criterion": sum(middle.values())}
    above = [values[name] - limit for name, limit in limits.items()]
    return min(above, default=0.0) >= 0 and max(above, default=0.0) > 0


class _Look(BaseCallback):
    """Scores the policy once, by selection's criterion on the people that trials are scored on, and may prune."""

    def __init__(self, task: Task, limits: Mapping[str, float]) -> None:
        super().__init__()
        self.task, self.limits = task, limits
        self.middle: dict[str, float] = {}

    def at(self, model: RLSyn) -> Self:
        """Itself, to look at this model."""
        self._rlsyn = model
        return self

    def _on_step(self) -> bool:
        return True

    def _on_training_start(self) -> None:
        self._n_steps = LOOK * self.locals["total_timesteps"]

    def _on_rollout_start(self) -> None:
        # At the start of a rollout the update of the one before is complete.
        if self.middle or self.num_timesteps < self._n_steps:
            return
        policy = self.model.policy
        assert isinstance(policy, AutoregressivePolicy)
        rows, encoding = (self.task.fit_rows, self.task.validation_rows), self._rlsyn.encoding
        criterion = Criterion(encoding, *rows, self.task.seed, temperature=self._rlsyn.temperature)
        self.middle = criterion(policy, policy.actor)
        if is_worse(self.middle, self.limits):
            raise TrialPruned


def _metrics(scores: pd.DataFrame) -> dict[str, float]:
    values = scores.set_index("metric")["value"].dropna()
    return {name: float(values[name]) for name in HEADLINES if name in values}
