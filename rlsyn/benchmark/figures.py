"""Figures of a benchmark: what is traded for what, ranks, and costs."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rlsyn.benchmark.tables import COLUMNS, UTILITY, half_width

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#888888")
"""Those of Okabe and Ito, told apart with any colour vision."""
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*", "<", ">", "h", "d", "p")
"""No two methods have the same; where colours begin anew, markers are hollow."""
GREY = "#666666"
Ranked = Mapping[str, tuple[tuple[str, ...], str]]
_MINIMISED = ("KS", "TV", "association", "detection", "membership", "DOMIAS", "inference", "near copies")
RANKED: Ranked = {"S2R": (UTILITY, "maximise"), **{name: (COLUMNS[name], "minimise") for name in _MINIMISED}}
"""Columns of the heat map of ranks: their metrics, and what is better."""
Style = tuple[str, str, bool]
"""Colour, marker, and whether the marker is hollow."""
Curves = Mapping[str, Mapping[str, float]]
"""By knob its methods, named by knob and value (but for one that all curves share), with their values."""
Limits = tuple[tuple[float, float], tuple[float, float]]
"""Of the scales across and up."""
ENDS = ("independent", "bootstrap")
"""Floor and ceiling: they lie so far away that the others would be one spot, so that they do not set the scales."""


class Point(NamedTuple):
    """A method in the trade-off: means with the half-widths of their intervals, and which method it is one of.

    `seeds` says of how many of the seeds they are, where some have no values.
    """

    x: tuple[float, float]
    y: tuple[float, float]
    base: str
    seeds: str


def trade_off_figure(results: pd.DataFrame, curves: Curves | None = None) -> Figure:
    """Utility (S2R) against membership: a panel for each table, a point for each method, 95 % intervals over seeds.

    Membership is shown as far as the attack is above chance: an AUC below one half is no better than one half. Methods
    beyond the scale stand at its end, hollow and pale, with their values. A point is the mean of the seeds that have
    both values; where some have not, it says of how many.

    Args:
        results: As `rlsyn.benchmark.results.collect` gives them.
        curves: Methods that one line goes through, each with its value written beside it.
    """
    curves = curves or {}
    tables = list(results["table"].unique())
    n_across = min(len(tables), 3)
    n_down = -(-len(tables) // n_across)
    figure = Figure(figsize=(4.6 * n_across, 4.0 * n_down + 0.9), dpi=200, layout="constrained")
    panels = figure.subplots(n_down, n_across, squeeze=False).ravel()
    styles = _styles(list(results["method"].unique()), curves)
    handles: dict[str, Artist] = {}
    for panel, table in zip(panels, tables, strict=False):
        _draw_trade_off(panel, results[results["table"] == table], styles, curves)
        panel.set_title(table, fontsize=10)
        found, labels = panel.get_legend_handles_labels()
        handles |= dict(zip(labels, found, strict=True))
    for panel in panels[len(tables) :]:
        panel.set_axis_off()
    figure.legend(
        list(handles.values()), list(handles), loc="outside lower center", ncols=2 + n_across, fontsize=8, frameon=False
    )
    return figure


def rank_figure(results: pd.DataFrame, ranked: Ranked = RANKED) -> Figure:
    """A heat map of the mean rank of each method over tables and seeds, by metric; 1 is best.

    Attacks and detection count as far as their AUC is above one half. Floor and ceiling (`ENDS`) stand last: what leaks
    everything is first in all that has nothing to do with privacy. Who has no value, where others have one, is last.
    """
    ranks, methods = {}, results["method"].unique()
    for name, (metrics, goal) in ranked.items():
        of_metrics = results[results["metric"].isin(metrics)]
        values = of_metrics.pivot_table("value", ["table", "seed"], "method").reindex(columns=methods)
        if len(values):
            values = _from_best(values, metrics, goal)
            ranks[name] = values.rank(axis=1, ascending=goal == "minimise", na_option="bottom").mean()
    table = pd.DataFrame(ranks)
    table.insert(0, "mean", table.mean(axis=1))
    is_end = table.index.isin(ENDS)
    table = table.iloc[np.lexsort((table["mean"], is_end))]
    longest = max(len(str(name)) for name in table.index)
    size = (2.0 + 0.08 * longest + 0.72 * table.shape[1], 1.7 + 0.34 * len(table))
    figure = Figure(figsize=size, dpi=200, layout="constrained")
    panel = figure.subplots()
    last = max(len(table), 2)
    image = panel.imshow(table.to_numpy(), cmap="cividis_r", aspect="auto", vmin=1, vmax=last)
    panel.set_xticks(range(table.shape[1]), list(table.columns), rotation=30, ha="right", fontsize=8)
    panel.set_yticks(range(len(table)), list(table.index), fontsize=8)
    panel.axvline(0.5, color="w", linewidth=3)
    if 0 < is_end.sum() < len(table):
        panel.axhline(len(table) - is_end.sum() - 0.5, color="w", linewidth=3)
    for (row, column), rank in np.ndenumerate(table.to_numpy()):
        colour = "w" if (rank - 1) / (last - 1) > 0.55 else "k"  # fields are dark where ranks are high
        panel.text(column, row, _rank_text(rank), ha="center", va="center", fontsize=8, color=colour)
    figure.colorbar(image, ax=panel, label="mean rank (1 is best)")
    panel.set_title(_over(results, width=int(11 * size[0])), fontsize=8, loc="left")
    return figure


def cost_figure(results: pd.DataFrame) -> Figure:
    """Bars of the seconds that methods take to fit, by table, on a logarithmic scale; 95 % intervals over seeds."""
    costs = results[results["metric"] == "fit (s)"]
    seconds = costs.pivot_table("value", "method", "table", sort=False).clip(lower=1e-3)
    halves = costs.pivot_table("value", "method", "table", aggfunc=lambda one: half_width(one.to_numpy()), sort=False)
    halves = halves.reindex_like(seconds)
    figure = Figure(figsize=(7, 1.4 + 0.15 * seconds.size + 0.12 * len(seconds)), dpi=200, layout="constrained")
    panel = figure.subplots()
    step = seconds.shape[1] + 0.8
    for i, table in enumerate(seconds):
        low = np.minimum(halves[table], 0.9 * seconds[table])  # a logarithmic scale has no room for 0
        panel.barh(
            np.arange(len(seconds)) * step + i,
            seconds[table],
            xerr=None if (halves[table].fillna(0) == 0).all() else (low, halves[table]),
            color=COLOURS[i % len(COLOURS)],
            hatch=None if i < len(COLOURS) else "///",
            error_kw={"elinewidth": 0.8, "capsize": 1.5, "ecolor": "k"},
            label=table,
        )
    panel.set_yticks(np.arange(len(seconds)) * step + (seconds.shape[1] - 1) / 2, list(seconds.index), fontsize=8)
    panel.set(xscale="log", xlabel="seconds to fit (logarithmic)")
    panel.grid(axis="x", linewidth=0.4, alpha=0.6)
    panel.set_axisbelow(True)
    panel.margins(y=0.01)
    panel.invert_yaxis()
    panel.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    return figure


def _draw_trade_off(panel: Axes, of_table: pd.DataFrame, styles: Mapping[str, Style], curves: Curves) -> None:
    metric = "S2R R2" if (of_table["metric"] == "S2R R2").any() else "S2R AUC"
    real = float(of_table.loc[of_table["metric"] == metric, "real"].mean())
    points = _points(of_table, metric)
    if not points:
        panel.text(0.5, 0.5, f"No method has both\n{metric} and membership.", ha="center", va="center", fontsize=8)
        panel.set_axis_off()
        return
    inner = [name for name, point in points.items() if point.base not in ENDS] or list(points)
    x_limits = _limits([points[name].x for name in inner], 0.0, ends=(0.0, 0.5))
    y_limits = _limits([points[name].y for name in inner], real, ends=(-np.inf, 1.0))
    panel.axhline(real, color=GREY, linestyle=":", linewidth=1, label="real rows (R2R)", zorder=0)
    panel.axvline(0, color=GREY, linestyle="--", linewidth=1, label="chance", zorder=0)
    on_curves, limits = _only_on(curves), (x_limits, y_limits)
    for label, of_curve in curves.items():
        of_panel = {name: value for name, value in of_curve.items() if name in points}
        colours = [styles[name][0] for name in of_panel if name in on_curves]
        at = np.array([_inside(points[name], limits) for name in of_panel])
        if colours:
            panel.plot(*at.T, color=colours[0], linewidth=1, alpha=0.7, label=label, zorder=1)
        for (name, value), place in zip(of_panel.items(), at, strict=True):
            if name in on_curves:
                panel.annotate(
                    f"{value:g}",
                    place,
                    xytext=(4, 3),
                    textcoords="offset points",
                    fontsize=6,
                    color=colours[0],
                )
    for name, point in points.items():
        _draw_point(panel, "_" + name if name in on_curves else name, point, styles[name], limits)
    panel.locator_params(axis="x", nbins=5)
    panel.set(xlim=x_limits, ylim=y_limits, xlabel="membership AUC above chance (0 is best)", ylabel=metric)
    panel.spines[["top", "right"]].set_visible(False)


def _draw_point(panel: Axes, name: str, point: Point, style: Style, limits: Limits) -> None:
    colour, marker, is_hollow = style
    (x, dx), (y, dy) = point.x, point.y
    at = _inside(point, limits)
    is_beyond = at != (x, y)
    if is_beyond:
        text = f"({x:.2f}, {y:.2f}) {point.seeds}".strip()
        _write_beyond(panel, at, text, limits, colour)
    elif point.seeds:
        panel.annotate(point.seeds, at, xytext=(6, 5), textcoords="offset points", fontsize=6, color=colour)
    if not is_beyond and (dx or dy):
        below_and_above = [[min(dx, x)], [dx]]
        panel.errorbar(
            x,
            y,
            xerr=below_and_above,
            yerr=dy,
            color=colour,
            linestyle="none",
            elinewidth=0.8,
            capsize=2,
            alpha=0.55,
        )
    panel.plot(
        *at,
        color=colour,
        marker=marker,
        markerfacecolor="w" if is_beyond or is_hollow else colour,
        alpha=0.6 if is_beyond else 1.0,
        linestyle="none",
        clip_on=False,
        label=name,
    )


def _write_beyond(
    panel: Axes,
    at: tuple[float, float],
    text: str,
    limits: Limits,
    colour: str,
) -> None:
    is_right, is_high = (at[i] > sum(limits[i]) / 2 for i in (0, 1))
    panel.annotate(
        text,
        at,
        xytext=(-6 if is_right else 6, -9 if is_high else 5),
        textcoords="offset points",
        ha="right" if is_right else "left",
        fontsize=6,
        color=colour,
        bbox={"facecolor": "w", "edgecolor": "none", "alpha": 0.7, "pad": 0.5},
    )


def _points(of_table: pd.DataFrame, metric: str) -> dict[str, Point]:
    points, n_seeds = {}, of_table["seed"].nunique()
    for name, of_method in of_table.groupby("method", sort=False):
        values = of_method.pivot_table("value", "seed", "metric")
        values = values.reindex(columns=[metric, "membership AUC"]).dropna()
        if len(values):
            seeds = f"{len(values)} of {n_seeds} seeds" if len(values) < n_seeds else ""
            x, y = (values["membership AUC"].clip(lower=0.5) - 0.5).to_numpy(), values[metric].to_numpy()
            x_and_y = [(float(one.mean()), half_width(one)) for one in (x, y)]
            points[str(name)] = Point(x_and_y[0], x_and_y[1], str(of_method["base"].iloc[0]), seeds)
    return points


def _limits(points: list[tuple[float, float]], reference: float, ends: tuple[float, float]) -> tuple[float, float]:
    means = [reference, *(mean for mean, _ in points)]
    low, high = float(np.nanmin(means)), float(np.nanmax(means))
    span = max(high - low, 0.02)
    # Intervals of few seeds are wider than everything else: no more than the span of the means beyond its ends.
    reach = [min(half, span) for _, half in points]
    low = min(low, *(mean - half for (mean, _), half in zip(points, reach, strict=True)))
    high = max(high, *(mean + half for (mean, _), half in zip(points, reach, strict=True)))
    return max(low, ends[0]) - 0.08 * span, min(high, ends[1]) + 0.08 * span


def _inside(point: Point, limits: Limits) -> tuple[float, float]:
    return float(np.clip(point.x[0], *limits[0])), float(np.clip(point.y[0], *limits[1]))


def _only_on(curves: Curves) -> dict[str, int]:
    """By method the number of its curve, but for the one that all curves go through."""
    return {name: i for i, (knob, one) in enumerate(curves.items()) for name in one if name.startswith(f"{knob}_")}


def _styles(methods: Sequence[str], curves: Curves) -> dict[str, Style]:
    on_curves = _only_on(curves)
    others = [name for name in methods if name not in on_curves]
    styles = {name: (COLOURS[i % len(COLOURS)], ".", False) for name, i in on_curves.items()}
    for i, name in enumerate(others, start=len(curves)):
        styles[name] = COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)], i >= len(COLOURS)
    return styles


def _from_best(values: pd.DataFrame, metrics: tuple[str, ...], goal: str) -> pd.DataFrame:
    # An attack or a detector below chance is no better than chance.
    if goal != "minimise":
        return values
    return values.clip(lower=0.5) if "AUC" in metrics[0] else values.clip(lower=0.0)


def _rank_text(rank: float) -> str:
    return "-" if np.isnan(rank) else f"{rank:.1f}"


def _over(results: pd.DataFrame, width: int) -> str:
    n_seeds, tables = results["seed"].nunique(), ", ".join(results["table"].unique())
    return textwrap.fill(f"Over {n_seeds} seed{'s' if n_seeds > 1 else ''} of {tables}", width)
