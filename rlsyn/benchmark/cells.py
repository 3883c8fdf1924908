"""Methods side by side: the same splits, the same number of records, the same evaluation; finished cells are kept."""

from __future__ import annotations

import shutil
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import yaml
from joblib import Parallel, delayed, parallel_config
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from rlsyn.benchmark import paper_protocol
from rlsyn.datasets import Dataset
from rlsyn.evaluation import evaluate
from rlsyn.files import plain, write_whole
from rlsyn.methods import Variant, make_method
from rlsyn.runs import fingerprint, git_commit, load_dataset, make_folder, versions

Protocol = Literal["default", "paper"]


@dataclass(frozen=True)
class Cell:
    """One method on one split of one table.

    Args:
        table: Name of the table, also of its folder.
        options: What `rlsyn.runs.load_dataset` takes, but for the seed.
        method: The name of the method, or of a variant.
        seed: Of split, training and evaluation.
        base: Which of `rlsyn.methods.METHODS` it is; by default the one of its name.
        parameters: Arguments of the method's constructor, but for the seed.
        fast: Whether the evaluation leaves out what takes long.
        protocol: `"default"`: `records` for each training row and the whole evaluation; `"paper"`: as
            `rlsyn.benchmark.paper_protocol` says.
        records: Synthetic records for each training row, at least one in all.
    """

    table: str
    options: Mapping[str, Any]
    method: str
    seed: int
    base: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    fast: bool = False
    protocol: Protocol = "default"
    records: float = 1.0

    def folder(self, output_dir: Path) -> Path:
        """Where its results lie."""
        return output_dir / "cells" / self.table / self.method / f"seed_{self.seed}"

    def is_finished(self, output_dir: Path) -> bool:
        """Whether it was run to its end: `metrics.csv` is written last."""
        return (self.folder(output_dir) / "metrics.csv").is_file()

    def read_config(self, output_dir: Path) -> dict[str, Any]:
        """What `config.yaml` of the finished cell holds: `config` and what was found on the way."""
        return dict(yaml.safe_load((self.folder(output_dir) / "config.yaml").read_text(encoding="utf-8")))

    def config(self) -> dict[str, Any]:
        """All that its results follow from, as YAML takes it."""
        parameters = {**self.parameters, "seed": self.seed}
        about: dict[str, Any] = {"method": self.base or self.method, "protocol": self.protocol, "fast": self.fast}
        about |= {"records": self.records} if self.records != 1 else {}
        return dict(plain({**self.options, **about, "parameters": parameters}))


def plan(
    tables: Mapping[str, Mapping[str, Any]],
    variants: Sequence[Variant],
    seeds: Sequence[int],
    *,
    configs: Path | None = None,
    fast: bool = False,
    protocol: Protocol = "default",
) -> list[Cell]:
    """The cells of a benchmark: every method on every split of every table.

    Args:
        tables: By name what `rlsyn.runs.load_dataset` takes, but for the seed.
        variants: What is compared.
        seeds: Of the splits.
        configs: Folder with a YAML file of parameters for some of the methods.
        fast: Whether the evaluation leaves out what takes long.
        protocol: See `Cell`.

    Raises:
        ValueError: A name that two variants have, or a parameter that a constructor does not take.
    """
    names = [variant.name for variant in variants]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"Methods and variants need names of their own, got {twice} twice. Rename or leave out one.")
    cells = []
    for table, options in tables.items():
        if protocol == "paper" and options["data_dir"] is None:  # a reader knows it, and what goes before it
            paper = paper_protocol.setting(options["env"])
            options = {**options, "test_size": paper.test_size, "stratified": paper.stratified}
        parameters = {variant.name: variant.parameters_for(options["env"], configs) for variant in variants}
        cells += [
            Cell(table, options, one.name, seed, one.method, parameters[one.name], fast, protocol, one.records)
            for seed in seeds
            for one in variants
        ]
    return cells


def run_cells(
    cells: Sequence[Cell],
    output_dir: Path,
    *,
    n_jobs: int = 1,
    ray: str | None = None,
    progress_bar: bool = False,
) -> None:
    """Run the cells that are not finished; one that fails leaves `error.txt` and does not stop the others.

    Each runs on one thread, so that their costs can be compared however many run at once.

    Args:
        cells: All that are wanted.
        output_dir: Where results lie; with Ray a folder that all its machines share.
        n_jobs: Processes of this machine.
        ray: Address of a Ray cluster that runs the cells instead, one on each core; `"local"` starts one here.
        progress_bar: Whether to show one.

    Raises:
        ValueError: A table cannot be learned from, a finished cell was run otherwise or on other rows, or a Ray cluster
            is asked for, but Ray is not installed. Nothing has been written then.
        OSError: A table is gone, or the folder cannot be written to.
    """
    output_dir = output_dir.absolute()
    for cell in cells:
        _check_finished(cell, output_dir)
    _check_rows(cells, output_dir)
    make_folder(output_dir)
    left = [cell for cell in cells if not cell.is_finished(output_dir)]
    results = _run_on_ray(left, output_dir, ray) if ray else _run_here(left, output_dir, n_jobs)
    for _ in tqdm(results, total=len(left), desc="Cells", unit="cell", disable=not progress_bar):
        pass


def run_cell(cell: Cell, output_dir: Path) -> None:
    """Fit, sample and evaluate one cell.

    Writes `training/` (events and checkpoints of networks), `synthetic.csv` (but for `bootstrap`, whose records are
    real people), `columns.csv` (the distance of each column, see `paper_protocol.column_distances`), `config.yaml`
    and, last, `metrics.csv`.
    """
    folder = cell.folder(output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "error.txt").unlink(missing_ok=True)
    shutil.rmtree(folder / "training", ignore_errors=True)  # of a run that was killed
    try:
        _run(cell, folder)
    except Exception:  # noqa: BLE001 (whatever one method does, the others go on; what it was is kept and shown)
        write_whole(folder / "error.txt", traceback.format_exc())


def _run(cell: Cell, folder: Path) -> None:
    dataset = load_dataset({**cell.options, "parameters": {"seed": cell.seed}})
    train, test, schema = dataset.train, dataset.test, dataset.schema
    base, n_records = cell.base or cell.method, max(1, round(cell.records * len(train)))
    if cell.protocol == "paper":
        n_records = paper_protocol.n_records(cell.options["env"], base, len(train), len(test))
    model = make_method(base, {**cell.parameters, "seed": cell.seed})
    with threadpool_limits(1):  # of torch as well, which the line above has imported where the method needs it
        start = time.perf_counter()
        model = model.fit(train, schema=schema, run_dir=folder / "training")
        fitted = time.perf_counter()
        synthetic = model.sample(n_records)
        costs = {"fit (s)": fitted - start, "sample (s)": time.perf_counter() - fitted}
        scores = _score(cell, dataset, synthetic, costs)
    distances = paper_protocol.column_distances(train, synthetic, schema)
    about: dict[str, Any] = {"rows": _rows(dataset)}
    about |= {"simulated": dataset.simulated, "n_train": len(train), "n_test": len(test), "n_records": n_records}
    about |= {"n_columns": len(schema.columns), "by_person": schema.group is not None}
    config = {**cell.config(), **about, "commit": git_commit(), "versions": versions()}
    if base != "bootstrap":
        write_whole(folder / "synthetic.csv", synthetic.to_csv(index=False))
    write_whole(folder / "columns.csv", distances.to_csv(index=False))
    write_whole(folder / "config.yaml", yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=120))
    write_whole(folder / "metrics.csv", scores.to_csv(index=False))


def _score(cell: Cell, dataset: Dataset, synthetic: pd.DataFrame, costs: dict[str, float]) -> pd.DataFrame:
    tables = (dataset.train, dataset.test, synthetic, dataset.schema)
    if cell.protocol == "paper":
        classifier = paper_protocol.setting(cell.options["env"]).classifier
        of_costs = [{"family": "cost", "metric": name, "value": value} for name, value in costs.items()]
        scores = paper_protocol.score(*tables, classifier=classifier, seed=cell.seed)
        return pd.concat([scores, pd.DataFrame(of_costs)], ignore_index=True)
    # Copies and shuffled columns are methods of their own here.
    return evaluate(*tables, seed=cell.seed, fast=cell.fast, costs=costs, references=("real",), n_jobs=1).scores


def _check_finished(cell: Cell, output_dir: Path) -> None:
    # Scores of different depth, of other parameters or of another table of that name must not stand in one table.
    if not cell.is_finished(output_dir):
        return
    before, asked = cell.read_config(output_dir), cell.config()
    own, wanted = before.pop("parameters"), asked.pop("parameters")  # a parameter may be called as one of the others
    differs = [name for name in asked if before.get(name) != asked[name]]
    if differs := differs + [name for name in {**wanted, **own} if own.get(name) != wanted.get(name)]:
        raise ValueError(
            f"{cell.folder(output_dir)} was run with another {', '.join(differs)}. Choose another folder with -o."
        )


def _check_rows(cells: Sequence[Cell], output_dir: Path) -> None:
    # A table that cannot be learned from is told at once, not by every cell; and a file may have been edited since.
    loaded: dict[tuple[str, int], str] = {}
    seen: set[str] = set()
    for cell in cells:
        is_finished = cell.is_finished(output_dir)
        if (cell.table, cell.seed) not in loaded and (is_finished or cell.table not in seen):
            loaded[cell.table, cell.seed] = _rows(load_dataset({**cell.options, "parameters": {"seed": cell.seed}}))
            seen.add(cell.table)
        if is_finished and cell.read_config(output_dir).get("rows") != loaded[cell.table, cell.seed]:
            raise ValueError(
                f"{cell.folder(output_dir)} was run on other rows than {cell.table} has now. Choose another folder "
                "with -o."
            )


def _rows(dataset: Dataset) -> str:
    return f"{fingerprint(dataset.train)} {fingerprint(dataset.test)}"


def _run_here(cells: Sequence[Cell], output_dir: Path, n_jobs: int) -> Iterator[None]:
    # One thread in each process: more would wait for each other.
    parallel = {"backend": "loky", "inner_max_num_threads": 1} if n_jobs > 1 else {"backend": "sequential"}
    try:
        with parallel_config(**parallel):
            tasks = (delayed(run_cell)(cell, output_dir) for cell in cells)
            yield from Parallel(n_jobs=n_jobs, return_as="generator_unordered")(tasks)
    except BrokenProcessPool:
        _tell_killed(cells, output_dir)


def _tell_killed(cells: Sequence[Cell], output_dir: Path) -> None:
    # Which of those that had begun was too large cannot be known; the others of them died with it.
    for cell in cells:
        folder = cell.folder(output_dir)
        if not cell.is_finished(output_dir) and not (folder / "error.txt").is_file():
            folder.mkdir(parents=True, exist_ok=True)
            text = "A process was killed, probably for want of memory, before this cell was finished. "
            write_whole(folder / "error.txt", f"{text}Run the command again, with a smaller --n-jobs.")


def _run_on_ray(cells: Sequence[Cell], output_dir: Path, address: str) -> Iterator[None]:
    # Ray's own tasks: its backend for joblib cannot tell when a cell is done.
    try:
        import ray
    except ImportError as error:
        raise ValueError("--ray needs Ray. Install it with: pip install ray") from error
    is_ours = not ray.is_initialized()
    if is_ours:
        ray.init(address, log_to_driver=False, logging_level="ERROR")
    try:
        run = ray.remote(run_cell)
        waiting = [run.remote(cell, output_dir) for cell in cells]
        while waiting:
            done, waiting = ray.wait(waiting)
            yield from ray.get(done)
    finally:
        if is_ours:
            ray.shutdown()
