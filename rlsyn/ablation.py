"""What each change of RLSyn is worth: differences from its default, paired by table and seed, as Markdown."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rlsyn.benchmark import Cell
from rlsyn.benchmark_results import collect, read_cells
from rlsyn.benchmark_tables import ATTACKS, MIN_SEEDS, half_width, mean_interval, to_markdown, wide
from rlsyn.files import plain
from rlsyn.methods import Variant
from rlsyn.runs import merge

UTILITY = ("S2R AUC", "S2R R2")
"""Kept apart: differences of an AUC and of a share of variance are no two values of one quantity."""
SHOWN = (*UTILITY, "association", "KS", "TV", "detection", "membership", "near copies", "fit (s)")
"""Metrics of utility, and names of `rlsyn.benchmark_tables.COLUMNS`; what no table has is left out."""
MAXIMISED = UTILITY
BETTER, WORSE = "▲", "▼"


def read_results(
    folders: Sequence[Path], baseline: str = "rlsyn", order: Sequence[str] = ()
) -> tuple[pd.DataFrame, list[tuple[str, Cell]]]:
    """The scores that `experiments/benchmark.py` left in folders, and the cells that they are of.

    Args:
        folders: What its `-o` named.
        baseline: What variants are compared with; it comes first.
        order: Names of variants in the order in which they shall come; others come after them.

    Returns:
        A column of `SHOWN` for each table, method and seed, with the name of the folder; and all finished cells of
        RLSyn with theirs.

    Raises:
        ValueError: A folder has no results, or none of the baseline, or two have one name.
    """
    if len({folder.name for folder in folders}) < len(folders):
        raise ValueError(f"Folders need names of their own, got {[str(folder) for folder in folders]}. Rename one.")
    found: list[pd.DataFrame] = []
    cells: list[tuple[str, Cell]] = []
    for folder in folders:
        of_folder = [cell for cell in read_cells(folder) if (cell.base or cell.method) == "rlsyn"]
        of_folder.sort(key=lambda cell: _place(cell.method, [baseline, *order]))
        names = {cell.method for cell in of_folder}
        if baseline not in names:
            raise ValueError(
                f"Expected results of {baseline!r} in {folder}, found those of {sorted(names)}. Run benchmark.py with "
                f"--methods {baseline} as well, or name another with --baseline."
            )
        found.append(wide(collect(of_folder, folder), SHOWN).reset_index().assign(folder=folder.name))
        cells += [(folder.name, cell) for cell in of_folder]
    return pd.concat(found, ignore_index=True), cells


def _place(name: str, order: Sequence[str]) -> int:
    return order.index(name) if name in order else len(order)


def _known(results: pd.DataFrame) -> list[str]:
    return [name for name in SHOWN if results[name].notna().any()]


def differences(results: pd.DataFrame, baseline: str = "rlsyn") -> pd.DataFrame:
    """What each value is above the baseline's of the same folder, table and seed; rows of the baseline are left out."""
    keys = ["folder", "table", "seed"]
    values = results.copy()
    values[list(ATTACKS)] = values[list(ATTACKS)].clip(lower=0.5)
    others, own = values[values["method"] != baseline], values[values["method"] == baseline]
    pairs = others.merge(own.drop(columns="method"), on=keys, suffixes=("", " of baseline"))
    for name in SHOWN:
        pairs[name] = pairs[name] - pairs[f"{name} of baseline"]
    return pairs[[*keys, "method", *SHOWN]]


def table_of(results: pd.DataFrame, table: str, baseline: str = "rlsyn") -> pd.DataFrame:
    """Means of one table with intervals over seeds, each with its paired difference from the baseline, as text."""
    of_table = results[results["table"] == table]
    against = differences(of_table, baseline)
    rows = []
    for (folder, method), of_method in of_table.groupby(["folder", "method"], sort=False):
        pairs = against[(against["folder"] == folder) & (against["method"] == method)]
        row = {"variant": str(method), "seeds": str(len(of_method))}
        row["variant"] += f" ({folder})" if len(set(results["folder"])) > 1 else ""
        for name in _known(of_table):
            row[name] = mean_interval(of_method[name].dropna().to_numpy())
            if method != baseline:
                row[name] += f" ({difference_text(pairs[name].dropna().to_numpy(), name)})"
        rows.append(row)
    return pd.DataFrame(rows)


def overview(results: pd.DataFrame, baseline: str = "rlsyn") -> pd.DataFrame:
    """The mean difference from the baseline over tables, and on how many of them it is beyond its interval, as text.

    The mean is that of the tables' own means. Its interval is that over seeds: for each of them the differences of all
    tables make one mean; where a table lacks a seed that another has there is none.
    """
    against, shown = differences(results, baseline), _known(results)
    rows = []
    for (folder, method), of_method in against.groupby(["folder", "method"], sort=False):
        row = {"variant": str(method), "tables": str(of_method["table"].nunique())}
        row["variant"] += f" ({folder})" if len(set(results["folder"])) > 1 else ""
        for name in shown:
            by_table = of_method.pivot_table(name, "seed", "table")
            row[name] = _mean_over_tables(by_table, name)
            marks = [_mark(of_table.dropna().to_numpy(), name) for _, of_table in by_table.items()]
            if counts := ", ".join(f"{marks.count(mark)}{mark}" for mark in (BETTER, WORSE) if mark in marks):
                row[name] += f" ({counts})"
        rows.append(row)
    return pd.DataFrame(rows, columns=["variant", "tables", *shown])


def _mean_over_tables(by_table: pd.DataFrame, name: str) -> str:
    if by_table.empty:
        return "-"
    has_all_seeds = by_table.notna().all(axis=None)
    return (
        difference_text(by_table.mean(axis=1).to_numpy(), name) if has_all_seeds else f"{by_table.mean().mean():+.3f}"
    )


def difference_text(values: np.ndarray, name: str) -> str:
    """A mean difference with its interval from three pairs on, marked where it is beyond it.

    Example:
        >>> difference_text(np.array([0.010, 0.012, 0.011]), "S2R AUC")
        '+0.011 ± 0.002 ▲'
    """
    if len(values) == 0:
        return "-"
    if len(values) < MIN_SEEDS:
        return f"{values.mean():+.3f}"
    return f"{values.mean():+.3f} ± {half_width(values):.3f} {_mark(values, name)}".rstrip()


def _mark(values: np.ndarray, name: str) -> str:
    if len(values) < MIN_SEEDS or abs(values.mean()) <= half_width(values):
        return ""
    return BETTER if (values.mean() > 0) == (name in MAXIMISED) else WORSE


def commands(
    cells: Iterable[tuple[str, Cell]], variants: Mapping[str, tuple[str, Variant]], baseline: str = "rlsyn"
) -> dict[tuple[str, str], str]:
    """By folder and method the command that ran it beside the baseline; where no file of variants has it, its change.

    Args:
        cells: Finished cells with their folders.
        variants: By name the file that a variant stands in, and the variant; one that has changed since a cell was run
            is another.
        baseline: What it is compared with.
    """
    by_row: dict[tuple[str, str], list[Cell]] = {}
    for folder, cell in cells:
        by_row.setdefault((folder, cell.method), []).append(cell)
    found = {}
    for (folder, method), of_row in by_row.items():
        names = [name for name in dict.fromkeys([baseline, method]) if name in variants]
        is_known = method == baseline or method in variants
        if not is_known or (method in variants and not _is_of(variants[method][1], of_row[0])):
            found[folder, method] = f"in no file of variants; parameters: {parameters_text(of_row[0].parameters)}"
            continue
        envs = dict.fromkeys(_env_text(cell.options) for cell in of_row if not cell.options.get("csv"))
        tables = dict.fromkeys(_csv_text(cell.options) for cell in of_row if cell.options.get("csv"))
        words = ["python", "experiments/benchmark.py", *(["--env", *envs] if envs else [])]
        words += ["--csv", *tables] if tables else []
        words += ["--methods", "none" if baseline in variants else baseline]
        words += ["--variants", *dict.fromkeys(variants[name][0] for name in names), "--only", *names] if names else []
        words += ["--fast"] if of_row[0].fast else []
        words += ["--protocol", of_row[0].protocol] if of_row[0].protocol != "default" else []
        words += ["--seeds", *map(str, sorted({cell.seed for cell in of_row})), "-o", folder]
        found[folder, method] = f"`{shlex.join(words)}`"
    return found


def _is_of(variant: Variant, cell: Cell) -> bool:
    """Whether the cell's parameters are those of the variant, over others that a configuration may have had."""
    return plain(merge(cell.parameters, variant.parameters)) == plain(cell.parameters)


def parameters_text(parameters: Mapping[str, Any], prefix: str = "") -> str:
    """Parameters as a command line takes them after `-params`."""
    words = []
    for name, value in parameters.items():
        inner = isinstance(value, Mapping)
        words.append(parameters_text(value, f"{prefix}{name}.") if inner else f"{prefix}{name}:{value}")
    return " ".join(words)


def _env_text(options: Mapping[str, Any]) -> str:
    return f"{options['env']}:DIR" if options.get("data_dir") else str(options["env"])


def _csv_text(options: Mapping[str, Any]) -> str:
    # The file's place is another on every machine.
    columns = [column for column in (options.get("label"), options.get("group")) if column]
    return ":".join([Path(options["csv"]).name, *columns])


def report(
    results: pd.DataFrame, row_commands: Mapping[tuple[str, str], str], notes: Sequence[str], baseline: str = "rlsyn"
) -> str:
    """The page: what it shows, the overview, a table for each data set, and the command of each row."""
    lines = ["# Ablation of RLSyn", "", *_reading(baseline), ""]
    lines += ["## Over all tables", "", to_markdown(overview(results, baseline))]
    for table in results["table"].unique():
        lines += [f"## {table}", "", to_markdown(table_of(results, table, baseline))]
    lines += ["## Commands", ""]
    lines += [f"- {method} ({folder}): {command}" for (folder, method), command in row_commands.items()]
    lines += ["", *(f"- {note}" for note in notes), ""]
    return "\n".join(lines)


def _reading(baseline: str) -> list[str]:
    return [
        f"Every row is `{baseline}` with one change, on the same splits and seeds. A cell is the mean over seeds with",
        "the half-width of its 95 % interval (Student's t, from three seeds on), and in brackets its difference from",
        f"`{baseline}`, paired by seed, with the interval of the difference. {BETTER} and {WORSE}: better, or worse, by",
        "more than that interval. AUCs of detection and membership are compared as far as they are above one half.",
        "Intervals are of one comparison each: of 20 rows without any effect one will be marked. Scores are those of",
        "test rows; what was chosen by them must be judged on other splits. Over all tables a value is the mean of theirs,",
        "with the interval over seeds where all tables have the same seeds; in brackets stands on how many tables the",
        "difference is beyond its own interval.",
    ]
