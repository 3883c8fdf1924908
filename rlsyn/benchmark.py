"""Methods side by side: the same splits, the same number of records, the same evaluation; finished cells are kept."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import pandas as pd
import yaml
from joblib import Parallel, delayed, parallel_config
from scipy.stats import t
from tqdm.auto import tqdm

from rlsyn.baselines import METHODS as BASELINES
from rlsyn.baselines import baseline_class
from rlsyn.evaluation import evaluate
from rlsyn.files import plain, write_whole
from rlsyn.names import unknown_name
from rlsyn.runs import load_dataset, read_parameters, versions
from rlsyn.schema import Schema

METHODS = ("rlsyn", *BASELINES)
COLUMNS = {
    "S2R": ("S2R AUC", "S2R R2"),
    "R2S": ("R2S AUC", "R2S R2"),
    "KS": ("KS mean",),
    "TV": ("TV mean",),
    "association": ("association difference",),
    "detection": ("detection AUC (LightGBM)",),
    "membership": ("membership AUC",),
    "DOMIAS": ("DOMIAS AUC",),
    "inference": ("attribute inference advantage",),
    "near copies": ("near copies",),
    "exact copies": ("exact copies",),
    "fit (s)": ("fit (s)",),
}
"""Columns of the printed table, and the metrics that stand in them: the first that a table of scores has."""


class Generator(Protocol):
    """What is compared."""

    def fit(self, train: pd.DataFrame, *, schema: Schema, progress_bar: bool = False) -> Self:
        """Learn the training rows."""

    def sample(self, n: int) -> pd.DataFrame:
        """`n` records."""


@dataclass(frozen=True)
class Cell:
    """One method on one split of one table.

    Args:
        table: Name of the table, also of its folder.
        options: What `rlsyn.runs.load_dataset` takes, but for the seed.
        method: One of `METHODS`.
        seed: Of split, training and evaluation.
    """

    table: str
    options: Mapping[str, Any]
    method: str
    seed: int

    def folder(self, output_dir: Path) -> Path:
        """Where its results lie."""
        return output_dir / "cells" / self.table / self.method / f"seed_{self.seed}"

    def is_finished(self, output_dir: Path) -> bool:
        """Whether it was run to its end: `metrics.csv` is written last."""
        return (self.folder(output_dir) / "metrics.csv").is_file()


def make_method(name: str, parameters: Mapping[str, Any]) -> Generator:
    """A method by its name.

    Raises:
        ValueError: There is none of that name, or a parameter is wrong.
    """
    if name not in METHODS:
        raise ValueError(unknown_name("method", name, METHODS))
    if name == "rlsyn":
        from rlsyn.synthesizer import RLSyn  # torch takes seconds to import

        return RLSyn(**parameters)
    return baseline_class(name)(**parameters)


def run_cells(
    cells: Sequence[Cell],
    output_dir: Path,
    *,
    fast: bool = False,
    n_jobs: int = 1,
    ray: str | None = None,
    configs: Path | None = None,
    progress_bar: bool = False,
) -> None:
    """Run the cells that are not finished; one that fails leaves `error.txt` and does not stop the others.

    Args:
        cells: All that are wanted.
        output_dir: Where results lie.
        fast: Whether the evaluation leaves out what takes long.
        n_jobs: Processes.
        ray: Address of a Ray cluster that runs the cells instead of processes of this machine.
        configs: Folder with a YAML file of parameters for some of the methods.
        progress_bar: Whether to show one.

    Raises:
        ValueError: A finished cell was run otherwise, or a Ray cluster is asked for, but Ray is not installed.
    """
    for cell in cells:
        _check_finished(cell, output_dir, fast)
    left = [cell for cell in cells if not cell.is_finished(output_dir)]
    with _engine(n_jobs, ray):
        tasks = (delayed(run_cell)(cell, output_dir, fast, configs) for cell in left)
        results = Parallel(n_jobs=n_jobs, return_as="generator_unordered")(tasks)
        for _ in tqdm(results, total=len(left), desc="Cells", unit="cell", disable=not progress_bar):
            pass


def run_cell(cell: Cell, output_dir: Path, fast: bool = False, configs: Path | None = None) -> None:
    """Fit, sample and evaluate one cell; writes `synthetic.csv`, `config.yaml` and, last, `metrics.csv`."""
    folder = cell.folder(output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "error.txt").unlink(missing_ok=True)
    try:
        scores, synthetic, config = _score(cell, fast, configs)
    except Exception:  # noqa: BLE001 (whatever one method does, the others go on; what it was is kept and shown)
        write_whole(folder / "error.txt", traceback.format_exc())
        return
    write_whole(folder / "synthetic.csv", synthetic.to_csv(index=False))
    write_whole(folder / "config.yaml", yaml.safe_dump(plain(config), sort_keys=False, allow_unicode=True, width=120))
    write_whole(folder / "metrics.csv", scores.to_csv(index=False))


def collect(cells: Sequence[Cell], output_dir: Path) -> pd.DataFrame:
    """The scores of all finished cells, a metric a row, after the columns `table`, `method` and `seed`."""
    found = []
    for cell in cells:
        if cell.is_finished(output_dir):
            scores = pd.read_csv(cell.folder(output_dir) / "metrics.csv")
            found.append(scores.assign(table=cell.table, method=cell.method, seed=cell.seed))
    if not found:
        return pd.DataFrame(columns=["table", "method", "seed", "family", "metric", "value"])
    results = pd.concat(found, ignore_index=True)
    first = ["table", "method", "seed"]
    return results[first + [name for name in results if name not in first]]


def failures(cells: Sequence[Cell], output_dir: Path) -> list[tuple[Cell, str]]:
    """The cells that failed, and the last line of the error of each."""
    errors = [(cell, cell.folder(output_dir) / "error.txt") for cell in cells]
    return [(cell, path.read_text().strip().splitlines()[-1]) for cell, path in errors if path.is_file()]


def summarise(results: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds with 95 % intervals as text: a row for each table and method, and `real` beside them.

    The interval is that of Student's t over seeds, shown from two seeds on.
    """
    rows = []
    for table, of_table in results.groupby("table", sort=False):
        one = next(iter(of_table["method"]))
        rows.append(_summary_row(str(table), "real rows", of_table[of_table["method"] == one], "real"))
        for method, of_method in of_table.groupby("method", sort=False):
            rows.append(_summary_row(str(table), str(method), of_method, "value"))
    return pd.DataFrame(rows, columns=["table", "method", *COLUMNS])


def to_markdown(summary: pd.DataFrame) -> str:
    """The summary as a Markdown table."""
    lines = ["| " + " | ".join(summary.columns) + " |", "|" + "---|" * len(summary.columns)]
    lines += ["| " + " | ".join(row) + " |" for row in summary.astype(str).to_numpy().tolist()]
    return "\n".join(lines) + "\n"


def _score(cell: Cell, fast: bool, configs: Path | None) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    dataset = load_dataset({**cell.options, "parameters": {"seed": cell.seed}})
    path = configs / f"{cell.method}.yaml" if configs else None
    parameters = read_parameters(path, cell.options["env"]) if path and path.is_file() else {}
    parameters["seed"] = cell.seed
    start = time.perf_counter()
    model = make_method(cell.method, parameters).fit(dataset.train, schema=dataset.schema)
    fitted = time.perf_counter()
    synthetic = model.sample(len(dataset.train))
    costs = {"fit (s)": fitted - start, "sample (s)": time.perf_counter() - fitted}
    evaluation = evaluate(
        dataset.train, dataset.test, synthetic, dataset.schema, seed=cell.seed, fast=fast, costs=costs, n_jobs=1
    )
    config = {**cell.options, "method": cell.method, "fast": fast, "parameters": parameters, "versions": versions()}
    return evaluation.scores, synthetic, config


def _check_finished(cell: Cell, output_dir: Path, fast: bool) -> None:
    # Scores of different depth, or of another table of that name, must not stand in one table.
    if not cell.is_finished(output_dir):
        return
    config = yaml.safe_load((cell.folder(output_dir) / "config.yaml").read_text(encoding="utf-8"))
    asked = plain({**cell.options, "fast": fast})
    if differs := [name for name, value in asked.items() if config.get(name) != value]:
        raise ValueError(
            f"{cell.folder(output_dir)} was run with another {', '.join(differs)}. Choose another folder with -o."
        )


@contextmanager
def _engine(n_jobs: int, ray: str | None) -> Iterator[None]:
    if ray is None:
        # One thread in each process: more would wait for each other.
        parallel = {"backend": "loky", "inner_max_num_threads": 1} if n_jobs > 1 else {"backend": "sequential"}
        with parallel_config(**parallel):
            yield
        return
    try:
        import ray as ray_library
        from ray.util.joblib import register_ray
    except ImportError as error:
        raise ValueError("--ray needs Ray. Install it with: pip install ray") from error
    ray_library.init(address=ray, ignore_reinit_error=True)
    register_ray()
    with parallel_config("ray"):
        yield


def _summary_row(table: str, method: str, scores: pd.DataFrame, source: str) -> dict[str, str]:
    row = {"table": table, "method": method}
    for name, metrics in COLUMNS.items():
        metric = next((one for one in metrics if (scores["metric"] == one).any()), metrics[0])
        values = scores.loc[scores["metric"] == metric, source].dropna().to_numpy(dtype=float)
        row[name] = mean_interval(values)
    return row


def mean_interval(values: np.ndarray) -> str:
    """The mean with the half-width of its 95 % interval (Student's t); a dash for no values.

    Example:
        >>> mean_interval(np.array([0.50, 0.52, 0.54]))
        '0.520 ± 0.050'
    """
    if len(values) == 0:
        return "-"
    if len(values) == 1:
        return f"{values[0]:.3f}"
    half = float(t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return f"{values.mean():.3f} ± {half:.3f}"
