"""What the cells of a benchmark came to: scores, failures, and what the tables were."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from rlsyn.benchmark import paper_protocol
from rlsyn.benchmark.cells import Cell
from rlsyn.yaml_fields import read_yaml

Origin = tuple[tuple[str, str], ...]
"""What results were made with: names and versions."""


def read_cells(output_dir: Path) -> list[Cell]:
    """The finished cells that a benchmark left in its folder, by the name of table and method, then by seed.

    Raises:
        ValueError: There are none.
    """
    folders = [path.parent for path in output_dir.glob("cells/*/*/seed_*/metrics.csv")]
    if not folders:
        raise ValueError(f"Expected a folder that experiments/benchmark.py wrote, found no results in {output_dir}.")
    cells = [_read_cell(folder) for folder in folders]
    return sorted(cells, key=lambda cell: (cell.table, cell.method, cell.seed))


def _read_cell(folder: Path) -> Cell:
    config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    parameters = dict(config["parameters"])
    seed = parameters.pop("seed")
    about = ("method", "protocol", "fast", "parameters", "rows", "simulated", "by_person", "commit", "versions")
    options = {name: value for name, value in config.items() if name not in about and not name.startswith("n_")}
    method, table = folder.parent.name, folder.parent.parent.name
    return Cell(table, options, method, seed, config["method"], parameters, config["fast"], config["protocol"])


def collect(cells: Sequence[Cell], output_dir: Path) -> pd.DataFrame:
    """The scores of all finished cells, a metric a row.

    Returns:
        First the columns `table` (with SIMULATED in front where its rows are), `env`, `method`, `base` and `seed`; then
        those of the scores. `DWD (paper)` is computed here, since it depends on all methods of a split; it is missing
        where one failed that has records of another split of the table: its unit would not be theirs.
    """
    finished = [cell for cell in cells if cell.is_finished(output_dir)]
    first = ["table", "env", "method", "base", "seed"]
    if not finished:
        return pd.DataFrame(columns=[*first, "family", "metric", "value"])
    found, dwd = [], _relative_dwd(finished, output_dir)
    for cell in finished:
        config = cell.read_config(output_dir)
        about = {"table": f"SIMULATED {cell.table}" if config["simulated"] else cell.table, "env": cell.options["env"]}
        about |= {"method": cell.method, "base": cell.base or cell.method, "seed": cell.seed}
        scores = pd.read_csv(cell.folder(output_dir) / "metrics.csv")
        found.append(pd.concat([scores, dwd[cell.folder(output_dir)]]).assign(**about))
    results = pd.concat(found, ignore_index=True)
    return results[first + [name for name in results if name not in first]]


def shapes(cells: Sequence[Cell], output_dir: Path) -> dict[str, str]:
    """By table in words what it is: real, simulated or one's own; its rows and columns, and rows on either side."""
    found = {}
    for cell in cells:
        if cell.table not in found and cell.is_finished(output_dir):
            config = cell.read_config(output_dir)
            train, test = config["n_train"], config["n_test"]
            kind = "a table of your own" if cell.options["csv"] else "real"
            kind = "SIMULATED, no real patient" if config["simulated"] else kind
            found[cell.table] = (
                f"{kind}; {train + test:,} rows x {config['n_columns']} columns, {train:,} to train and {test:,} to "
                f"test (seed {cell.seed}){' by person' if config['by_person'] else ''}"
            )
    return found


def origins(cells: Sequence[Cell], output_dir: Path) -> list[str]:
    """In words the commit and the versions of packages that finished cells were run with.

    Returns:
        One line where all share them. Otherwise the first is that of all cells but those that the others name, with
        what of theirs differs from the first.
    """
    cells_of: dict[Origin, list[Cell]] = {}
    for cell in cells:
        if cell.is_finished(output_dir):
            config = cell.read_config(output_dir)
            origin: Origin = (("commit", str(config["commit"])), *config["versions"].items())
            cells_of.setdefault(origin, []).append(cell)
    if not cells_of:
        return []
    found = sorted(cells_of, key=lambda origin: -len(cells_of[origin]))
    most = found[0]
    lines = [f"Versions{' of all cells but those below' if len(found) > 1 else ''}: {_listed(most)}."]
    for other in found[1:]:
        absent = [(name, "unknown") for name, _ in most if name not in dict(other)]
        differs = [item for item in other if item not in most] + absent
        lines.append(f"Versions of {_named(cells_of[other])}: {_listed(differs)}, else the same.")
    return lines


def _listed(versions: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions)


def _named(cells: Sequence[Cell]) -> str:
    seeds: dict[str, list[int]] = {}
    for cell in cells:
        seeds.setdefault(f"{cell.table}, {cell.method}", []).append(cell.seed)
    return "; ".join(f"{name}, {_of_seeds(found)}" for name, found in seeds.items())


def _of_seeds(seeds: Sequence[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"


def budgets(cells: Sequence[Cell], configs: Path) -> dict[str, Any]:
    """By table what was spent on finding hyper-parameters, as `search.yaml` in the folder of configurations has it."""
    path = configs / "search.yaml"
    searches = read_yaml(path, "budgets of the search", "") if path.is_file() else {}
    # A file of one's own may bear the name of another that was searched on.
    of_envs = {cell.table for cell in cells if cell.table == cell.options["env"]}
    return {table: search for table, search in searches.items() if table in of_envs}


def failures(cells: Sequence[Cell], output_dir: Path) -> list[str]:
    """In words the cells that failed, each with the last line of its error."""
    errors = [(cell, cell.folder(output_dir) / "error.txt") for cell in cells]
    return [
        f"{cell.table}, {cell.method}, seed {cell.seed}: {path.read_text().strip().splitlines()[-1]}"
        for cell, path in errors
        if path.is_file()
    ]


def _relative_dwd(finished: Sequence[Cell], output_dir: Path) -> dict[Path, pd.DataFrame]:
    splits: dict[tuple[str, int], dict[str, Path]] = {}
    methods: dict[str, set[str]] = {}
    for cell in finished:
        splits.setdefault((cell.table, cell.seed), {})[cell.method] = cell.folder(output_dir)
        methods.setdefault(cell.table, set()).add(cell.method)
    found = {}
    for (table, _), folders in splits.items():
        values, note = dict.fromkeys(folders, np.nan), "not computed: another method has no records of this split"
        if set(folders) == methods[table]:
            distances = {method: pd.read_csv(folder / "columns.csv") for method, folder in folders.items()}
            values, note = paper_protocol.relative_dwd(distances), ""
        for method, value in values.items():
            row = {"family": "fidelity", "metric": "DWD (paper)", "value": value, "goal": "minimise", "note": note}
            found[folders[method]] = pd.DataFrame([row])
    return found
