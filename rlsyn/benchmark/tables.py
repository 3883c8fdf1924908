"""Tables of a benchmark: means over seeds with intervals, the paper's layout, and what makes them citable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t

from rlsyn.benchmark.paper_protocol import COLUMNS as PAPER_COLUMNS
from rlsyn.benchmark.paper_protocol import ORDER, PUBLISHED, Published

UTILITY = ("S2R AUC", "S2R R2")
"""Of a class and of a quantity as label."""
COLUMNS = {
    "S2R": UTILITY,
    "R2S": ("R2S AUC", "R2S R2"),
    "KS": ("KS mean",),
    "TV": ("TV mean",),
    "association": ("association difference",),
    "limits": ("beyond limits",),
    "unseen pairs": ("unseen pairs",),
    "detection": ("detection AUC (LightGBM)",),
    "membership": ("membership AUC",),
    "DOMIAS": ("DOMIAS AUC",),
    "inference": ("attribute inference advantage",),
    "near copies": ("near copies",),
    "exact copies": ("exact copies",),
    "fit (s)": ("fit (s)",),
}
"""Columns of the printed table, and the metrics that stand in them: the first that a table of scores has."""
MIN_SEEDS = 3
"""Seeds from which on an interval is shown."""
HEADLINES = ("S2R", "association", "detection", "membership")
"""What a method is to be good at all at once: S2R high, the others low."""
ATTACKS = ("detection", "membership")
"""AUCs below one half are no better than one half: they are compared as far as they are above it."""


def summarise(
    results: pd.DataFrame, n_seeds: int | None = None, columns: Mapping[str, Sequence[str]] = COLUMNS
) -> pd.DataFrame:
    """Means over seeds with 95 % intervals as text: a row for each table and method, and `real` beside them.

    Args:
        results: As `rlsyn.benchmark.results.collect` gives them.
        n_seeds: Of the benchmark; a cell whose mean is of fewer says so. By default those that have results.
        columns: Of the table, and the metrics that may stand in each.
    """
    n_seeds = n_seeds or results["seed"].nunique()
    rows = []
    for table, of_table in results.groupby("table", sort=False):
        rows.append(_real_row(str(table), of_table, n_seeds, columns))
        for method, of_method in of_table.groupby("method", sort=False):
            rows.append(_row(str(table), str(method), of_method, "value", n_seeds, columns))
    return pd.DataFrame(rows, columns=["table", "method", *columns])


def paper_table(results: pd.DataFrame, n_seeds: int | None = None) -> pd.DataFrame:
    """The table of arXiv:2512.21395: real rows, the paper's methods in its order, then the others.

    Under each stands the published row, where there is one, which is of the real cohort; variants stand under the
    method that they are one of. Arguments as for `summarise`.
    """
    n_seeds = n_seeds or results["seed"].nunique()
    rows = []
    for table, of_table in results.groupby("table", sort=False):
        env = str(of_table["env"].iloc[0])
        published = PUBLISHED.get(env, {})
        rows.append(_real_row(str(table), of_table, n_seeds, PAPER_COLUMNS))
        rows += _published_row(env, published, "real")
        others = [base for base in of_table["base"].unique() if base not in ORDER]
        for base in (*ORDER, *others):
            for method, of_method in of_table[of_table["base"] == base].groupby("method", sort=False):
                rows.append(_row(str(table), str(method), of_method, "value", n_seeds, PAPER_COLUMNS))
            rows += _published_row(env, published, base)
    return pd.DataFrame(rows, columns=["table", "method", *PAPER_COLUMNS])


def wide(results: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """A column for each name of `COLUMNS`, or of a metric, and a row for each table, method and seed (the index)."""
    values = results.pivot_table("value", ["table", "method", "seed"], "metric", sort=False)
    columns = {name: values.reindex(columns=COLUMNS.get(name, (name,))).bfill(axis=1).iloc[:, 0] for name in names}
    return pd.DataFrame(columns, index=values.index)


def pareto_table(results: pd.DataFrame) -> pd.DataFrame:
    """Who is at least as good as whom in all of `HEADLINES` at once, by means over seeds, as text.

    Returns:
        A row for each table and method: the methods that it is at least as good as, and those that are at least as good
        as it. A method that lacks a value under a seed for which another has all is left out.
    """
    rows = []
    for table, of_table in wide(results, HEADLINES).dropna().groupby("table", sort=False):
        by_method = of_table.groupby("method", sort=False)
        n_seeds = by_method.size()
        means = by_method.mean()[n_seeds == n_seeds.max()]
        means[list(ATTACKS)] = means[list(ATTACKS)].clip(lower=0.5)
        losses = means.assign(S2R=-means["S2R"])
        for method, own in losses.iterrows():
            others = losses.drop(index=method)
            matched, matching = others.index[(others >= own).all(axis=1)], others.index[(others <= own).all(axis=1)]
            names = (", ".join(found) or "-" for found in (matched, matching))
            rows.append([str(table), str(method), *names])
    return pd.DataFrame(rows, columns=["table", "method", "at least as good as", "at least as good as it"])


def to_markdown(summary: pd.DataFrame) -> str:
    """The summary as a Markdown table."""
    lines = ["| " + " | ".join(summary.columns) + " |", "|" + "---|" * len(summary.columns)]
    lines += ["| " + " | ".join(row) + " |" for row in summary.astype(str).to_numpy().tolist()]
    return "\n".join(lines) + "\n"


def mean_interval(values: np.ndarray) -> str:
    """The mean with the half-width of its 95 % interval (Student's t) from three values on; a dash for none.

    Example:
        >>> mean_interval(np.array([0.50, 0.52, 0.54]))
        '0.520 ± 0.050'
    """
    if len(values) == 0:
        return "-"
    mean = f"{values.mean():.3f}"
    return mean if len(values) < MIN_SEEDS else f"{mean} ± {half_width(values):.3f}"


def fewer_seeds(n_values: int, n_seeds: int) -> str:
    """What stands behind a mean of fewer values than there are seeds; nothing where it is of all, or there is none."""
    return f" ({n_values} of {n_seeds} seeds)" if 0 < n_values < n_seeds else ""


def half_width(values: np.ndarray) -> float:
    """The half-width of the 95 % interval of a mean (Student's t); 0 for fewer than three values."""
    if len(values) < MIN_SEEDS:
        return 0.0
    return float(t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))


def _real_row(table: str, of_table: pd.DataFrame, n_seeds: int, columns: Mapping[str, Sequence[str]]) -> dict[str, str]:
    # The same for all methods, but for metrics that some methods lack.
    once = of_table.sort_values("real", kind="stable", na_position="last").drop_duplicates(["seed", "metric"])
    return _row(table, "real rows", once, "real", n_seeds, columns)


def _row(
    table: str, method: str, scores: pd.DataFrame, source: str, n_seeds: int, columns: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    row = {"table": table, "method": method}
    for name, metrics in columns.items():
        metric = next((one for one in metrics if (scores["metric"] == one).any()), metrics[0])
        values = scores.loc[scores["metric"] == metric, source].dropna().to_numpy(dtype=float)
        row[name] = mean_interval(values) + fewer_seeds(len(values), n_seeds)
    return row


def _published_row(env: str, published: Mapping[str, Published], base: str) -> list[dict[str, str]]:
    if base not in published:
        return []
    name, values = published[base]
    texts = [" ± ".join(f"{number:.3f}" for number in value) or "-" for value in values]
    return [{"table": env, "method": f"{name} (published)", **dict(zip(PAPER_COLUMNS, texts, strict=True))}]


def provenance(
    command: str,
    seeds: Sequence[int],
    shapes: Mapping[str, str],
    searches: Mapping[str, Any],
    origins: Sequence[str],
    *,
    costs: str = "",
    failures: Sequence[str] = (),
    deviations: Sequence[str] = (),
) -> str:
    """The lines under a table that make it citable, as Markdown.

    Args:
        command: That made it.
        seeds: Of splits and trainings.
        shapes: By table what it is.
        searches: By table what was spent on finding hyper-parameters: `trials` of every method, their `seconds` by
            method, and the `seed` of the split that was searched on.
        origins: The commit of the project, and the versions of what it stands on, in words.
        costs: How seconds were measured.
        failures: Cells that have no results, in words.
        deviations: What differs from the protocol of arXiv:2512.21395, where it is followed.
    """
    lines = [f"Command: `{command}`", f"Seeds: {', '.join(map(str, seeds))}."]
    if len(seeds) >= MIN_SEEDS:
        lines.append("Means over seeds ± half-width of the 95 % interval (Student's t over seeds).")
    elif len(seeds) > 1:
        lines.append("Means over two seeds: too few for an interval.")
    if len(seeds) > 1:
        lines.append(
            'A cell with "(2 of 3 seeds)" is the mean of those: in the others the method failed or collapsed, or, for '
            "DWD, another one failed. In the figure of ranks a method without a value is last."
        )
    lines += [f"Failed: {failure}" for failure in failures]
    lines += [f"{table}: {shape}." for table, shape in shapes.items()]
    lines += [_budget(table, searches) for table in shapes]
    lines += [costs] if costs else []
    lines += origins
    if deviations:
        lines.append("Rows marked (published) are those of arXiv:2512.21395, of its real tables and its own procedure.")
        lines += [f"Deviation. {deviation}" for deviation in deviations]
    return "".join(f"- {line}\n" for line in lines)


def _budget(table: str, searches: Mapping[str, Any]) -> str:
    if table not in searches:
        return f"Hyper-parameters on {table}: not searched there; defaults, and those of experiments/configs if any."
    search = searches[table]
    seconds, seed = search["seconds"], search["seed"]
    return (
        f"Hyper-parameters on {table}: searched with {search['trials']} trials each for {', '.join(seconds)} "
        f"({sum(seconds.values()):,.0f} s in all); every other method has its defaults, or what is written for it. The "
        f"search saw the training people of seed {seed}, some of whom are test people under other seeds."
    )
