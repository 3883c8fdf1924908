"""Figures of a benchmark: what is traded for what, ranks, and costs."""

from __future__ import annotations

from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#888888")
"""Those of Okabe and Ito, told apart with any colour vision; markers differ as well."""
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*", "<", ">")
RANKED = {
    "association difference": "minimise",
    "detection AUC (LightGBM)": "minimise",
    "S2R AUC": "maximise",
    "S2R R2": "maximise",
    "membership AUC": "minimise",
    "DOMIAS AUC": "minimise",
    "near copies": "minimise",
}
"""Metrics in the heat map of ranks, and what is better."""


def trade_off_figure(results: pd.DataFrame) -> Figure:
    """Utility (S2R) against membership AUC: a panel for each table, a point for each method, bars over seeds."""
    tables = list(results["table"].unique())
    figure = Figure(figsize=(5 * len(tables), 4.6), dpi=120, layout="constrained")
    panels = figure.subplots(1, len(tables), squeeze=False)[0]
    styles = dict(zip(results["method"].unique(), zip(cycle(COLOURS), cycle(MARKERS)), strict=False))
    for panel, table in zip(panels, tables, strict=True):
        of_table = results[results["table"] == table]
        utility = "S2R R2" if (of_table["metric"] == "S2R R2").any() else "S2R AUC"
        for method, (colour, marker) in styles.items():
            pairs = of_table[of_table["method"] == method].pivot_table("value", "seed", "metric")
            if {utility, "membership AUC"} <= set(pairs):
                x, y = pairs["membership AUC"], pairs[utility]
                panel.errorbar(
                    x.mean(),
                    y.mean(),
                    xerr=_half(x),
                    yerr=_half(y),
                    color=colour,
                    marker=marker,
                    capsize=2,
                    label=method,
                )
        real = of_table.loc[of_table["metric"] == utility, "real"].mean()
        panel.axhline(real, color="#666666", linestyle=":", linewidth=1, label="real rows (R2R)")
        panel.axvline(0.5, color="#666666", linestyle="--", linewidth=1, label="chance")
        panel.set(title=table, xlabel="membership AUC (0.5 is best)", ylabel=utility)
        panel.spines[["top", "right"]].set_visible(False)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=6, fontsize=8, frameon=False)
    return figure


def rank_figure(results: pd.DataFrame) -> Figure:
    """A heat map of the mean rank of each method over tables and seeds, by metric; 1 is best."""
    ranks = {}
    for metric, goal in RANKED.items():
        values = results[results["metric"] == metric].pivot_table("value", ["table", "seed"], "method")
        if len(values):
            far = values if goal == "maximise" else -_from_best(values, metric)
            ranks[metric] = far.rank(axis=1, ascending=False).mean()
    table = pd.DataFrame(ranks)
    table = table.loc[table.mean(axis=1).sort_values().index]
    figure = Figure(figsize=(1.4 + 1.1 * table.shape[1], 1.8 + 0.42 * len(table)), dpi=120, layout="constrained")
    panel = figure.subplots()
    image = panel.imshow(table.to_numpy(), cmap="cividis_r", aspect="auto", vmin=1)
    panel.set_xticks(range(table.shape[1]), list(table.columns), rotation=30, ha="right", fontsize=8)
    panel.set_yticks(range(len(table)), list(table.index), fontsize=9)
    middle = np.nanmean(table.to_numpy())
    for (row, column), rank in np.ndenumerate(table.to_numpy()):
        panel.text(
            column, row, f"{rank:.1f}", ha="center", va="center", fontsize=8, color="k" if rank < middle else "w"
        )
    figure.colorbar(image, ax=panel, label="mean rank (1 is best)")
    return figure


def cost_figure(results: pd.DataFrame) -> Figure:
    """Bars of the seconds that methods take to fit, by table, on a logarithmic scale."""
    seconds = results[results["metric"] == "fit (s)"].pivot_table("value", "method", "table", sort=False)
    figure = Figure(figsize=(7, 1.5 + 0.35 * seconds.size), dpi=120, layout="constrained")
    panel = figure.subplots()
    for i, table in enumerate(seconds):
        places = np.arange(len(seconds)) * (seconds.shape[1] + 1) + i
        panel.barh(places, seconds[table].clip(lower=1e-3), color=COLOURS[i % len(COLOURS)], label=table)
    panel.set_yticks(np.arange(len(seconds)) * (seconds.shape[1] + 1) + (seconds.shape[1] - 1) / 2, list(seconds.index))
    panel.set(xscale="log", xlabel="seconds to fit")
    panel.invert_yaxis()
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(fontsize=8, frameon=False)
    return figure


def _half(values: pd.Series) -> float:
    return float((values.max() - values.min()) / 2) if len(values) > 1 else 0.0


def _from_best(values: pd.DataFrame, metric: str) -> pd.DataFrame:
    # An AUC of an attack or a detector below one half is no better than one half.
    return values.clip(lower=0.5) if "AUC" in metric else values
