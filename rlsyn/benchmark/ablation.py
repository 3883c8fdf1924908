"""What each change of RLSyn is worth: differences from its default, paired by table and seed, as Markdown."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rlsyn.benchmark.cells import Cell
from rlsyn.benchmark.results import collect, origins, read_cells
from rlsyn.benchmark.tables import (
    ATTACKS,
    MIN_SEEDS,
    UTILITY,
    fewer_seeds,
    half_width,
    mean_interval,
    to_markdown,
    wide,
)
from rlsyn.files import plain, write_whole
from rlsyn.methods import Variant
from rlsyn.runs import merge
from rlsyn.table_options import reader_words

SHOWN = (
    *UTILITY,
    "association",
    "limits",
    "unseen pairs",
    "KS",
    "TV",
    "detection",
    "membership",
    "near copies",
    "fit (s)",
)
"""Metrics of utility, and names of `rlsyn.benchmark.tables.COLUMNS`; what no table has is left out.

Those of utility are kept apart: differences of an AUC and of a share of variance are no two values of one quantity.
"""
FIRST, LAST = ("folder", "table", "method", "seed"), ("command", "versions")
"""What a row of scores is of, and what it was made with."""
MAXIMISED = UTILITY
BETTER, WORSE = "▲", "▼"
SAME = ("rows", "fast", "protocol")
"""What cells of one table and seed must have in common to be compared."""


def read_results(folder: Path, variants: Mapping[str, tuple[str, Variant]], baseline: str = "rlsyn") -> pd.DataFrame:
    """The scores that `experiments/benchmark.py` left in a folder, of RLSyn and its variants.

    Args:
        folder: What its `-o` named.
        variants: By name the file that a variant stands in, and the variant: rows come in this order, others after.
        baseline: What variants are compared with; it comes first.

    Returns:
        The columns `FIRST`, those of `SHOWN`, and `LAST`: a row for each table, method and seed.

    Raises:
        ValueError: The folder has no results, or none of the baseline, or some of one split that cannot be compared.
    """
    cells = [cell for cell in read_cells(folder) if (cell.base or cell.method) == "rlsyn"]
    _check_pairs(cells, folder)
    cells.sort(key=lambda cell: _place(cell.method, [baseline, *variants]))
    name = folder.resolve().name  # of "." as well
    scores = wide(collect(cells, folder), SHOWN).reset_index().assign(folder=name)
    by_method = commands(cells, variants, name, baseline)
    scores["command"] = scores["method"].map(by_method)
    scores["versions"] = "\n".join(origins(cells, folder))
    return _with_baseline(scores[[*FIRST, *SHOWN, *LAST]], folder, baseline)


def read_scores(file: Path, baseline: str = "rlsyn") -> pd.DataFrame:
    """What `read_results` returned, as `write_scores` left it beside a page.

    Raises:
        ValueError: It is another file, or has no scores of the baseline.
    """
    if not file.is_file():
        raise ValueError(f"Expected scores of a page of experiments/ablation.py, found none at {file}. Check the path.")
    try:
        texts = pd.read_csv(file, dtype=str, keep_default_na=False)[[*FIRST, *SHOWN, *LAST]]
        numbers = texts[list(SHOWN)].replace("", "nan").astype(float)
        scores = texts.assign(seed=texts["seed"].astype(int), **numbers)
    except (KeyError, ValueError) as error:
        raise ValueError(
            f"Expected the scores that experiments/ablation.py writes beside a page in {file}, a table with the columns "
            f"{', '.join([*FIRST, *SHOWN, *LAST])}: {error}. Name such a file, or a folder of benchmark.py."
        ) from None
    if scores.duplicated(list(FIRST)).any():
        raise ValueError(f"Expected one row for each {', '.join(FIRST)} in {file}, got several. Remove those too many.")
    return _with_baseline(scores, file, baseline)


def write_scores(scores: pd.DataFrame, file: Path) -> None:
    """Write what `read_scores` reads, at full precision.

    Raises:
        ValueError: The file is there and holds something else.
    """
    if file.is_file() and not file.read_text(encoding="utf-8", errors="replace").startswith(",".join(FIRST)):
        raise ValueError(f"{file} holds other things than scores of a page and would be replaced. Choose another -o.")
    write_whole(file, scores.to_csv(index=False))


def together(sources: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The scores of several folders or files, one below the other.

    Raises:
        ValueError: Two of them have a folder of one name.
    """
    names = [name for source in sources for name in source["folder"].unique()]
    if len(set(names)) < len(names):
        raise ValueError(f"Folders need names of their own, got {names}. Rename one.")
    return pd.concat(sources, ignore_index=True)


def _check_pairs(cells: Iterable[Cell], folder: Path) -> None:
    first: dict[tuple[str, int], tuple[Cell, dict[str, Any]]] = {}
    for cell in cells:
        config = cell.read_config(folder)
        other, before = first.setdefault((cell.table, cell.seed), (cell, config))
        if differs := [name for name in SAME if config.get(name) != before.get(name)]:
            raise ValueError(
                f"Expected cells of one table and seed to have the same {', '.join(SAME)}, {cell.folder(folder)} was run "
                f"with another {', '.join(differs)} than {other.folder(folder)}. Run one of them again in another folder."
            )


def _with_baseline(scores: pd.DataFrame, source: Path, baseline: str) -> pd.DataFrame:
    names_of = {str(folder): sorted(set(names)) for folder, names in scores.groupby("folder")["method"]}
    for folder, names in (names_of or {source.name: []}).items():
        if baseline not in names:
            raise ValueError(
                f"Expected results of {baseline!r} in {source}, found of RLSyn those of {names} (folder {folder}). "
                f"Run benchmark.py with --methods {baseline} as well, or name another with --baseline."
            )
    return scores


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
            values, of_pairs = of_method[name].dropna().to_numpy(), pairs[name].dropna().to_numpy()
            row[name] = mean_interval(values) + fewer_seeds(len(values), len(of_method))
            if method != baseline:
                fewer = f" of {len(of_pairs)} pairs" if 0 < len(of_pairs) < len(values) else ""
                row[name] += f" ({difference_text(of_pairs, name)}{fewer})"
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
    cells: Iterable[Cell], variants: Mapping[str, tuple[str, Variant]], folder: str, baseline: str = "rlsyn"
) -> dict[str, str]:
    """By method the command that ran it beside the baseline; where no file of variants has it, its change.

    Args:
        cells: Finished cells of one folder.
        variants: By name the file that a variant stands in, and the variant; one that has changed since a cell was run
            is another.
        folder: What their folder is called.
        baseline: What it is compared with.
    """
    by_method: dict[str, list[Cell]] = {}
    for cell in cells:
        by_method.setdefault(cell.method, []).append(cell)
    found = {}
    of_rlsyn = {cell.table: cell for cell in by_method.get("rlsyn", [])}
    for method, of_row in by_method.items():
        can_run = [name for name in dict.fromkeys([baseline, method]) if name == "rlsyn" or name in variants]
        names = [name for name in can_run if name in variants]
        # What a configuration had is what RLSyn's own cell has. Where it was not run, another baseline tells nothing.
        unknown = of_row[0] if baseline == "rlsyn" else None
        configured = of_rlsyn.get(of_row[0].table, unknown)
        if method not in can_run or (method in variants and not _is_of(variants[method][1], of_row[0], configured)):
            found[method] = f"in no file of variants; parameters: {parameters_text(of_row[0].parameters)}"
            continue
        methods = ["--methods", "rlsyn" if "rlsyn" in can_run else "none"]
        files = dict.fromkeys(variants[name][0] for name in names)
        methods += ["--variants", *files, "--only", *names] if names else []
        # Tables and seeds may have been judged in different depth.
        ways: dict[tuple[bool, str], list[Cell]] = {}
        for cell in of_row:
            ways.setdefault((cell.fast, cell.protocol), []).append(cell)
        found[method] = " and ".join(f"`{shlex.join(_words(of_way, methods, folder))}`" for of_way in ways.values())
    return found


def _words(cells: Sequence[Cell], methods: Sequence[str], folder: str) -> list[str]:
    """The command that ran cells of one depth and protocol."""
    envs = dict.fromkeys(_env_text(cell.options) for cell in cells if not cell.options.get("csv"))
    tables = dict.fromkeys(_csv_text(cell.options) for cell in cells if cell.options.get("csv"))
    words = ["python", "experiments/benchmark.py", *(["--env", *envs] if envs else [])]
    words += [*(["--csv", *tables] if tables else []), *methods, *(["--fast"] if cells[0].fast else [])]
    readers = {cell.options["env"]: cell.options for cell in cells}
    words += [word for options in readers.values() for word in reader_words(options, "DIR")]
    words += ["--protocol", cells[0].protocol] if cells[0].protocol != "default" else []
    return [*words, "--seeds", *map(str, sorted({cell.seed for cell in cells})), "-o", folder]


def _is_of(variant: Variant, cell: Cell, configured: Cell | None) -> bool:
    """Whether the cell's parameters are those of the variant, over those of the configured cell if it is over any."""
    below = configured.parameters if variant.from_config and configured is not None else {}
    return bool(plain(merge(below, variant.parameters)) == plain(cell.parameters))


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


def report(scores: pd.DataFrame, command: str, baseline: str = "rlsyn") -> str:
    """The page: what it shows, the overview, a table for each data set, the command of each row, and its own."""
    lines = ["# Ablation of RLSyn", "", *_reading(baseline), ""]
    lines += ["## Over all tables", "", to_markdown(overview(scores, baseline))]
    for table in scores["table"].unique():
        lines += [f"## {table}", "", to_markdown(table_of(scores, table, baseline))]
    rows = scores.drop_duplicates(["folder", "method"])[["method", "folder", "command"]].to_numpy().tolist()
    lines += ["## Commands", "", *(f"- {method} ({folder}): {text}" for method, folder, text in rows)]
    by_folder = scores.drop_duplicates("folder")[["folder", "versions"]].to_numpy().tolist()
    lines += ["", f"- This page: `{command}`"]
    lines += [f"- {folder}: {line}" for folder, versions in by_folder for line in versions.splitlines()]
    return "\n".join([*lines, ""])


def _reading(baseline: str) -> list[str]:
    return [
        f"Every row is `{baseline}` with one change, on the same splits and seeds. A cell is the mean over seeds with",
        "the half-width of its 95 % interval (Student's t, from three seeds on), and in brackets its difference from",
        f"`{baseline}`, paired by seed, with the interval of the difference. {BETTER} and {WORSE}: better, or worse, by",
        "more than that interval. What is of fewer seeds than its row says so. AUCs of detection and membership are",
        "compared as far as they are above one half.",
        "",
        "Intervals are of one comparison each: of 20 rows without any effect one will be marked. Scores are those of",
        "test rows; what was chosen by them must be judged on other splits. Over all tables a value is the mean of theirs,",
        "with the interval over seeds where all tables have the same seeds; in brackets stands on how many tables the",
        "difference is beyond its own interval.",
    ]
