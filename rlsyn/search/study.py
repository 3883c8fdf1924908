"""Hyper-parameters by the same search for every method: the same trials, people and criterion; finished ones are kept.

An Optuna study for each method and table, in a journal file that several processes may share, also those of several
machines where they share the folder. Its first trial is the method's defaults. A trial learns from three quarters of
the training people and is scored on the other quarter: the test rows have no part in it.

Minimised is one sum, which is what comparisons rest on, or several of its terms side by side, which leaves a front of
trade-offs. Both by the tree-structured Parzen estimator: a search here has tens of trials, of which a genetic sampler
(NSGA-II) would spend all on its first, random generation of 50.

Pruned is what is worse, a third of the way through, than the median of the trials before were there: in every part of
selection's criterion where several objectives are minimised, so that a trial that leads in one may still come to stand
on the front, else in their sum. A tie counts as worse unless all are ties, as a share of 0 is common.
This is the rule of Optuna's MedianPruner, which knows one objective only, but for two things: the median is of all
trials that came so far, as one of the completed alone would rise with every trial that is pruned; and it is that of the
trial's beginning, so that no process waits for another. A pruned trial has spent its place in the budget.

References:
    Ozaki, Tanigaki, Watanabe, Nomura, Onishi: Multiobjective tree-structured Parzen estimator, 2022, Journal of
    Artificial Intelligence Research 73 (the sampler).
    Golovin, Solnik, Moitra, Kochanski, Karro, Sculley: Google Vizier, 2017, KDD, section 3.2.2 (the median rule).
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from optuna import Study, Trial, create_study
from optuna.exceptions import UpdateFinishedTrialError
from optuna.samplers import TPESampler
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection, get_all_study_summaries
from optuna.trial import FrozenTrial, TrialState
from tqdm.auto import tqdm

from rlsyn.run_summary import write_outcome
from rlsyn.runs import fingerprint
from rlsyn.search.spaces import OBJECTIVES, SPACES, default_parameters
from rlsyn.search.trials import Outcome, Task, run_trial

CRITERION = "utility loss + association difference + detection AUC above 0.5 + membership AUC above 0.5"
"""What is minimised; the utility loss is 1 - S2R AUC, of a quantity as label 1 - max(0, S2R R2).

Detection and membership below 0.5 are chance, and count as 0.5.
"""
N_RANDOM = 4
"""Trials of a study before its sampler, or its pruning, leans on those before."""


def open_journal(output_dir: Path) -> BaseStorage:
    """The studies of a folder."""
    return JournalStorage(JournalFileBackend(str(output_dir / "journal.log")))


def search(
    task: Task,
    methods: Sequence[str],
    n_trials: int,
    storage: BaseStorage,
    *,
    objectives: Sequence[str] = (),
    prune: bool = False,
    log_dir: Path | None = None,
    n_jobs: int = 1,
    progress_bar: bool = False,
) -> None:
    """Bring the study of each method to `n_trials` trials; those that are there already count.

    Methods take turns, so that a search that is stopped has spent the same on all. A trial that fails counts, with its
    error; one that was stopped does not, and is run again the next time.

    Args:
        task: The table.
        methods: Keys of `SPACES`.
        n_trials: Trials of each method, its defaults included.
        storage: Of the studies.
        objectives: Keys of `OBJECTIVES` that are minimised side by side; none for the sum of all.
        prune: Whether trials of RLSyn that are worse than most a third of the way through are ended there.
        log_dir: Folder for TensorBoard, `TABLE/METHOD/trial_N` in it for each completed trial; nothing by default.
        n_jobs: Trials at once.
        progress_bar: Whether to show one.

    Raises:
        ValueError: The storage holds trials on other rows, with another seed or other objectives, or of another table
            of one's own.
    """
    _check_folder(task, objectives, storage)
    studies = {method: _open_study(task, method, storage, objectives) for method in methods}
    for study in studies.values():
        for begun in study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
            if not _is_alive(begun):
                _take_back(study, begun)
    running: dict[tuple[str, int], Trial] = {}
    proposals = _proposals(task, studies, n_trials, running, prune)
    # No more than run at once are proposed ahead: each is to know of those before.
    parallel = Parallel(n_jobs=n_jobs, return_as="generator_unordered", pre_dispatch=n_jobs)
    n_left = sum(max(0, n_trials - _n_finished(study)) for study in studies.values())
    with tqdm(total=n_left, desc="Trials", unit="trial", disable=not progress_bar) as bar:
        try:
            for method, number, outcome in parallel(proposals):
                trial = running.pop((method, number))
                _keep(studies[method], trial, outcome)
                if log_dir is not None and outcome.metrics:
                    _show(log_dir / task.table / method, method, trial.user_attrs, outcome)
                bar.update()
        finally:
            for (method, _), trial in running.items():
                _take_back(studies[method], trial)


def _proposals(
    task: Task, studies: Mapping[str, Study], n_trials: int, running: dict[tuple[str, int], Trial], prune: bool
) -> Iterator[Any]:
    left = dict(studies)
    while left:
        for method, study in list(left.items()):
            trial = _next_trial(study, n_trials)
            if trial is None:
                del left[method]
                continue
            running[method, trial.number] = trial
            parameters = _propose(trial, method, task.seed)
            yield delayed(_numbered_trial)(trial.number, task, method, parameters, _limits(study) if prune else None)


def _numbered_trial(
    number: int, task: Task, method: str, parameters: Mapping[str, Any], limits: Mapping[str, float] | None
) -> tuple[str, int, Outcome]:
    return method, number, run_trial(task, method, parameters, limits)


def _limits(study: Study) -> dict[str, float]:
    """Medians of what trials so far had come to when they were looked at, of each term or of their sum."""
    middles = [middle for trial in study.get_trials(deepcopy=False) if (middle := trial.user_attrs.get("middle"))]
    table = pd.DataFrame(middles if len(middles) >= N_RANDOM else [])
    if len(study.directions) == 1 and len(table):
        table = table.sum(axis=1).to_frame("criterion")
    return {str(name): float(median) for name, median in table.median().items()}


def _check_folder(task: Task, objectives: Sequence[str], storage: BaseStorage) -> None:
    others = [study.user_attrs["task"] for study in get_all_study_summaries(storage) if "task" in study.user_attrs]
    for other in others:
        # Configurations know tables by their environment: two of one's own would have the same block.
        if other["env"] == task.env and other["table"] != task.table:
            raise ValueError(
                f"The folder holds the search of another {task.env}, {other['table']}. Choose another folder with -o."
            )
        if (minimised := other.get("objectives", [])) != list(objectives):
            raise ValueError(
                f"The folder holds a search that minimises {_named(minimised)}, asked for is {_named(objectives)}. "
                "Choose another folder with -o."
            )


def _named(objectives: Sequence[str]) -> str:
    return " and ".join(objectives) or "the sum of all terms"


def _open_study(task: Task, method: str, storage: BaseStorage, objectives: Sequence[str] = ()) -> Study:
    directions = [StudyDirection.MINIMIZE] * max(1, len(objectives))
    name = f"{task.table}/{method}"
    study = create_study(storage=storage, study_name=name, directions=directions, load_if_exists=True)
    rows = [fingerprint(task.fit_rows), fingerprint(task.validation_rows)]
    asked = {"table": task.table, "env": task.env, "method": method, "seed": task.seed, "rows": rows}
    found = study.user_attrs.get("task")
    if found is None:
        study.set_user_attr("task", asked | {"objectives": list(objectives)})
    elif differs := [name for name, value in asked.items() if found[name] != value]:
        raise ValueError(
            f"The folder holds trials of {study.study_name} with another {' and '.join(differs)}. Choose another "
            "folder with -o."
        )
    return study


def _next_trial(study: Study, n_trials: int) -> Trial | None:
    """A trial to run, first one that was taken back; none when there are enough."""
    counted = counted_trials(study)
    if len(counted) >= n_trials and not any(trial.state == TrialState.WAITING for trial in counted):
        return None
    trial = study.ask()
    if "index" not in trial.user_attrs:
        trial.set_user_attr("index", sum(other.number < trial.number for other in counted_trials(study)))
    trial.set_user_attr("process", [platform.node(), os.getpid()])
    if trial.user_attrs["index"] >= n_trials:  # another process was faster
        study.tell(trial, state=TrialState.FAIL)
        return None
    return trial


def _propose(trial: Trial, method: str, seed: int) -> dict[str, Any]:
    # The draws of a trial follow from its place, whichever process makes them and however often the search stopped.
    index = trial.user_attrs["index"]
    draws = int(np.random.SeedSequence([seed, index]).generate_state(1)[0])
    trial.study.sampler = TPESampler(n_startup_trials=N_RANDOM, multivariate=False, seed=draws)
    parameters = SPACES[method](trial) if index > 0 else {}
    trial.set_user_attr("parameters", parameters)
    return parameters


def _keep(study: Study, trial: Trial, outcome: Outcome) -> None:
    trial.set_user_attr("seconds", outcome.seconds)
    trial.set_user_attr("parts", dict(outcome.parts))
    if outcome.middle:
        trial.set_user_attr("middle", dict(outcome.middle))
    if outcome.error:
        trial.set_user_attr("error", outcome.error)
        study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
    elif outcome.is_pruned:
        study.tell(trial, state=TrialState.PRUNED, skip_if_finished=True)
    else:
        terms = [OBJECTIVES[name] for name in study.user_attrs["task"].get("objectives", [])]
        values = [outcome.parts[term] for term in terms] or [sum(outcome.parts.values())]
        study.tell(trial, values, skip_if_finished=True)


def _show(folder: Path, method: str, attributes: Mapping[str, Any], outcome: Outcome) -> None:
    index, metrics = attributes["index"], outcome.metrics
    scores = pd.DataFrame({"metric": list(metrics), "value": list(metrics.values())})
    # The defaults are written out, else no line of theirs would be among the parallel coordinates. A trial is one
    # point; at its place, the curves are those of the search.
    parameters = attributes["parameters"] or default_parameters(method)
    write_outcome(folder / f"trial_{index}", parameters, scores, index)


def _take_back(study: Study, trial: Trial | FrozenTrial) -> None:
    """End a trial that nobody runs any more, and put it in the queue again."""
    try:
        study.tell(trial.number, state=TrialState.FAIL)
    except UpdateFinishedTrialError:
        return  # another process did
    if "index" in trial.user_attrs:  # else it was stopped before it had a place
        study.enqueue_trial(trial.params, user_attrs={"index": trial.user_attrs["index"]})


def counted_trials(study: Study) -> list[FrozenTrial]:
    """All trials but those that were taken back: a trial that failed by itself has an error."""
    trials = study.get_trials(deepcopy=False)
    return [trial for trial in trials if trial.state != TrialState.FAIL or "error" in trial.user_attrs]


def _n_finished(study: Study) -> int:
    return sum(trial.state.is_finished() for trial in counted_trials(study))


def _is_alive(trial: FrozenTrial) -> bool:
    """Whether a trial is still run, as far as that can be known from here."""
    if "process" not in trial.user_attrs:  # just begun, or stopped in that moment
        begun = trial.datetime_start
        return begun is not None and (datetime.now() - begun).total_seconds() < 60
    host, process = trial.user_attrs["process"]
    if host != platform.node() or os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's
    return True
