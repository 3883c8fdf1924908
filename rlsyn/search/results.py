"""What a search found: all trials as a table, the best parameters or the front of them as YAML, and what they cost."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from optuna import Study, load_study
from optuna.storages import BaseStorage
from optuna.study import get_all_study_names
from optuna.trial import TrialState

from rlsyn.files import plain, write_whole
from rlsyn.search.spaces import OBJECTIVES, default_parameters
from rlsyn.search.study import CRITERION, counted_trials

PARTS = ("utility loss", "association", "detection", "membership")
COLUMNS = (
    *("table", "env", "method", "seed", "trial", "state", "is_best", "criterion", *PARTS, "seconds", "parameters"),
    "error",
)


def collect_trials(storage: BaseStorage) -> pd.DataFrame:
    """The finished trials of all studies, one a row, in the order of their places.

    Columns: `table`, `env`, `method`, `seed`, `trial` (0 is the method's defaults), `state` (`complete`, `pruned` or
    `fail`), `is_best` (of its method on its table: on the Pareto front, where several objectives were minimised),
    `criterion` and its terms (missing where the trial is not complete), `seconds`, `parameters` as JSON, `error`.
    """
    rows = [row for study in _studies(storage) for row in _rows(study)]
    trials = pd.DataFrame(rows, columns=list(COLUMNS)).astype({"criterion": float})
    return trials.sort_values(["table", "method", "trial"], kind="stable", ignore_index=True)


def summarise_trials(trials: pd.DataFrame) -> pd.DataFrame:
    """A row for each table and method.

    Columns: `trials`, of which `failed` and `pruned`, `seconds` in all, the criterion of the `default` and of the `best`, and the
    best's `parameters` as JSON.
    """
    rows = []
    for (table, method), of_method in trials.groupby(["table", "method"], sort=False):
        scored = of_method.dropna(subset="criterion")
        default = scored.loc[scored["trial"] == 0, "criterion"]
        best = scored.nsmallest(1, "criterion")
        rows.append(
            {
                "table": table,
                "method": method,
                "trials": len(of_method),
                "failed": int((of_method["state"] == "fail").sum()),
                "pruned": int((of_method["state"] == "pruned").sum()),
                "seconds": of_method["seconds"].sum(),
                "default": default.iloc[0] if len(default) else None,
                "best": best["criterion"].iloc[0] if len(best) else None,
                "parameters": best["parameters"].iloc[0] if len(best) else None,
            }
        )
    return pd.DataFrame(rows)


def pareto_table(trials: pd.DataFrame, objectives: Sequence[str]) -> pd.DataFrame:
    """The front of each table and method, from the best by the first objective on, and the defaults wherever they are.

    Columns: `table`, `method`, `trial` (marked where it is the defaults), the terms that were minimised (0 at best),
    `file` (that `write_pareto` writes; a dash where a trial is not on the front), `seconds`, `parameters` as JSON.
    """
    terms = [OBJECTIVES[name] for name in objectives]
    rows = []
    for _, of_method in trials[trials["state"] == "complete"].groupby(["table", "method"], sort=False):
        front = of_method[of_method["is_best"]].sort_values([*terms, "trial"])
        names = [f"pareto_{number}.yaml" for number in range(1, len(front) + 1)]
        dominated = of_method[(of_method["trial"] == 0) & ~of_method["is_best"]]
        rows.append(pd.concat([front.assign(file=names), dominated.assign(file="-")]))
    columns = ["table", "method", "trial", *terms, "file", "seconds", "parameters"]
    if not rows:
        return pd.DataFrame(columns=columns)
    table = pd.concat(rows, ignore_index=True)
    return table[columns].assign(trial=table["trial"].map(lambda trial: str(trial) if trial else "0 (defaults)"))


def write_pareto(trials: pd.DataFrame, objectives: Sequence[str], output_dir: Path) -> None:
    """Write `TABLE/METHOD/pareto_N.yaml`, which `run_ppo.py --config` takes, for each trial on a front.

    N counts from the best by the first objective. Files of an earlier, longer front go. The defaults are written out,
    as the block of an environment in experiments/configs would stand in for what a file leaves open.
    """
    env_of = dict(zip(trials["table"], trials["env"], strict=True))
    for (table, method), rows in pareto_table(trials, objectives).groupby(["table", "method"]):
        folder = output_dir / str(table) / str(method)
        folder.mkdir(parents=True, exist_ok=True)
        for earlier in folder.glob("pareto_*.yaml"):
            earlier.unlink(missing_ok=True)
        for row in rows[rows["file"] != "-"].to_dict("records"):
            reached = ", ".join(f"{name} {row[OBJECTIVES[name]]:.4f}" for name in objectives)
            heading = f"# Trial {row['trial']} by experiments/tune.py, on its Pareto front. Losses: {reached}.\n"
            block = json.loads(row["parameters"]) or default_parameters(str(method))
            write_whole(folder / row["file"], heading + _yaml({"default": {}, env_of[table]: block}))


def write_results(trials: pd.DataFrame, output_dir: Path, objectives: Sequence[str] = ()) -> None:
    """Write `trials.csv`, `search.yaml` with the budget, and the best parameters.

    These are `METHOD.yaml` by environment, or, where several objectives were minimised, the files of `write_pareto`.
    """
    write_whole(output_dir / "trials.csv", trials.to_csv(index=False))
    budgets = {str(table): _budget(of_table, objectives) for table, of_table in trials.groupby("table")}
    write_whole(output_dir / "search.yaml", _yaml(budgets))
    if objectives:
        write_pareto(trials, objectives, output_dir)
        return
    for method, of_method in trials.groupby("method"):
        blocks: dict[str, Any] = {"default": {}}
        for env, of_env in of_method.dropna(subset="criterion").groupby("env", sort=False):
            blocks[str(env)] = json.loads(of_env.nsmallest(1, "criterion")["parameters"].iloc[0])
        of_tables = of_method.groupby("table", sort=False).size().items()
        spent = " and of ".join(f"{n_trials} trials on {table}" for table, n_trials in of_tables)
        heading = f"# The best of {spent}, by experiments/tune.py; see search.yaml and trials.csv.\n"
        write_whole(output_dir / f"{method}.yaml", heading + _yaml(blocks))


def _budget(trials: pd.DataFrame, objectives: Sequence[str]) -> dict[str, Any]:
    by_method = trials.groupby("method")
    return {
        "trials": int(by_method.size().min()),  # what every method had, also where the search was stopped
        "seconds": {str(method): round(float(seconds), 1) for method, seconds in by_method["seconds"].sum().items()},
        "seed": int(trials["seed"].iloc[0]),
        **({"objectives": list(objectives)} if objectives else {"criterion": CRITERION}),
    }


def _studies(storage: BaseStorage) -> Iterator[Study]:
    for name in get_all_study_names(storage):
        study = load_study(study_name=name, storage=storage)
        if "task" in study.user_attrs:
            yield study


def _rows(study: Study) -> Iterator[dict[str, Any]]:
    best = {trial.number for trial in study.best_trials}
    about = {name: study.user_attrs["task"][name] for name in ("table", "env", "method", "seed")}
    for trial in counted_trials(study):
        if trial.state.is_finished():
            attributes = trial.user_attrs
            yield {
                **about,
                "trial": attributes["index"],
                "state": trial.state.name.lower(),
                "is_best": trial.number in best,
                "criterion": sum(attributes["parts"].values()) if trial.state == TrialState.COMPLETE else None,
                **attributes["parts"],
                "seconds": attributes["seconds"],
                "parameters": json.dumps(attributes["parameters"]),
                "error": attributes.get("error"),
            }


def _yaml(value: dict[str, Any]) -> str:
    return str(yaml.safe_dump(plain(value), sort_keys=False, allow_unicode=True, width=120))
