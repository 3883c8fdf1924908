"""Algorithms of RLSyn side by side: once with the same environment steps, once in the time that one of them took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from rlsyn.algorithms.table import algorithm
from rlsyn.benchmark.cells import Cell
from rlsyn.benchmark.tables import COLUMNS, summarise
from rlsyn.methods import Variant
from rlsyn.runs import checkpoint_steps

N_ROLLOUTS = 150
N_RECORDS = 1024
"""By default as many steps as RLSyn's defaults take."""
_TABLE = {
    "steps (M)": ("environment steps (M)",),
    **{name: COLUMNS[name] for name in COLUMNS if name != "exact copies"},
}


def algorithm_variants(algos: Sequence[str]) -> list[Variant]:
    """RLSyn once for each algorithm, under the algorithm's name and with what `experiments/configs` says of it.

    Raises:
        ValueError: There is no such algorithm.
    """
    return [Variant(algorithm(name).name, "rlsyn", {"algo": name}, from_config=True) for name in algos]


def reference(algos: Sequence[str]) -> str:
    """The algorithm whose time the others get: PPO, or the first."""
    return "ppo" if "ppo" in algos else algos[0]


def with_steps(cells: Sequence[Cell], n_timesteps: int | None, n_attributes: dict[str, int]) -> list[Cell]:
    """The cells with so many environment steps each, by default 150 rollouts of 1,024 records.

    Args:
        cells: Of algorithms.
        n_timesteps: Environment steps.
        n_attributes: By table.

    Raises:
        ValueError: Fewer steps than a rollout has.
    """
    rollouts = {table: N_RECORDS * n for table, n in n_attributes.items()}
    if n_timesteps is not None and n_timesteps < (least := max(rollouts.values())):
        raise ValueError(
            f"-n must be at least a rollout of {N_RECORDS:,} records, {least:,} steps, got {n_timesteps:,}."
        )
    return [_with(cell, total_timesteps=n_timesteps or N_ROLLOUTS * rollouts[cell.table]) for cell in cells]


def equal_time_cells(cells: Sequence[Cell], output_dir: Path, algo: str) -> list[Cell]:
    """The cells again, each with the seconds that `algo` took to fit on the same split; its own are left out.

    The seconds are all of a fit, its warm start and the discriminator's included; a fit stops at the first rollout
    that would begin after them. So that schedules of learning rates end in time, each also gets the environment steps
    that it took in them before, by its own speed: an algorithm that is faster than `algo` trains for more steps.

    Args:
        cells: Of equal steps; only those whose own and whose reference's results are there are taken.
        output_dir: Where the results lie.
        algo: The reference.
    """
    seconds = {(cell.table, cell.method, cell.seed): _seconds(cell, output_dir) for cell in cells}
    found = []
    for cell in cells:
        own, wanted = seconds[cell.table, cell.method, cell.seed], seconds.get((cell.table, algo, cell.seed))
        if cell.method == algo or own is None or wanted is None:
            continue
        # What comes before training is the same however long it trains.
        training, rollout = _training_seconds(cell, output_dir), _rollout(cell, output_dir)
        share = max(wanted - (own - training), 0.0) / training
        n_steps = max(int(cell.parameters["total_timesteps"] * share), rollout)
        again = replace(cell, method=f"{cell.method}{_suffix(algo)}")
        found.append(_with(again, total_timesteps=n_steps, max_seconds=round(wanted, 1)))
    return found


def with_step_counts(results: pd.DataFrame, cells: Sequence[Cell], output_dir: Path) -> pd.DataFrame:
    """The results with a row for the environment steps, in millions, of each finished cell."""
    rows = []
    for cell in cells:
        if cell.is_finished(output_dir):
            of_cell = results[(results["method"] == cell.method) & (results["seed"] == cell.seed)]
            table = next(name for name in of_cell["table"] if name.removeprefix("SIMULATED ") == cell.table)
            about = {"table": table, "env": cell.options["env"], "method": cell.method, "base": cell.base}
            value = checkpoint_steps(cell.folder(output_dir) / "training") / 1e6
            cost = {"family": "cost", "metric": "environment steps (M)", "value": value}
            rows.append({**about, "seed": cell.seed, **cost})
    return pd.concat([results, pd.DataFrame(rows)], ignore_index=True)


def step_and_time_tables(results: pd.DataFrame, n_seeds: int, algo: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The table of equal steps and that of equal time, in which the reference stands with the same results."""
    is_timed = results["method"].str.endswith(_suffix(algo))
    timed = results[is_timed | (results["method"] == algo)]
    timed = timed.assign(method=timed["method"].str.removesuffix(_suffix(algo)))
    return summarise(results[~is_timed], n_seeds, _TABLE), summarise(timed, n_seeds, _TABLE)


def _suffix(algo: str) -> str:
    """What the name of a cell in the time of `algo` ends with: added later, PPO would be another reference."""
    return f"_equal_time_of_{algo}"


def _with(cell: Cell, **parameters: object) -> Cell:
    return replace(cell, parameters={**cell.parameters, **parameters})


def _seconds(cell: Cell, output_dir: Path) -> float | None:
    if not cell.is_finished(output_dir):
        return None
    scores = pd.read_csv(cell.folder(output_dir) / "metrics.csv")
    return float(scores.loc[scores["metric"] == "fit (s)", "value"].iloc[0])


def _training_seconds(cell: Cell, output_dir: Path) -> float:
    elapsed = pd.read_csv(cell.folder(output_dir) / "training" / "progress.csv")["time/time_elapsed"]
    return max(float(elapsed.iloc[-1]), 1.0)


def _rollout(cell: Cell, output_dir: Path) -> int:
    """Environment steps of a rollout, the least that it can train for."""
    steps = pd.read_csv(cell.folder(output_dir) / "training" / "progress.csv")["time/total_timesteps"]
    return int(steps.iloc[0])
