"""Figures that compare synthetic with real records: marginal distributions and association matrices."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rlsyn.evaluation.association import association_matrix
from rlsyn.evaluation.features import category_positions, column_numbers
from rlsyn.evaluation.marginals import ks_statistics, total_variation
from rlsyn.schema import Column, Schema

# Blue and vermillion of Okabe and Ito: told apart with any colour vision.
REAL_COLOUR = "#0072B2"
SYNTHETIC_COLOUR = "#D55E00"
MAX_BARS = 8
MAX_NAMED_COLUMNS = 30


def marginals_figure(
    train: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema, n_columns: int = 12, title: str = ""
) -> Figure:
    """A figure of the `n_columns` columns whose distributions differ most, the worst first.

    Histograms of numbers, bars of the commonest categories; shares are of the present values. Above each stands its
    Kolmogorov-Smirnov statistic (KS) or total variation (TV), and the shares of missing values where there are any.
    """
    distances = pd.concat([ks_statistics(train, synthetic, schema), total_variation(train, synthetic, schema)])
    distances = distances.sort_values(ascending=False, kind="stable", na_position="last")
    names = list(distances.index[:n_columns])
    n_across = min(4, max(1, int(np.ceil(np.sqrt(len(names))))))
    figure = Figure(figsize=(12, 9), dpi=100, layout="constrained")
    panels = figure.subplots(-(-len(names) // n_across), n_across, squeeze=False).ravel()
    for panel, name in zip(panels, names, strict=False):
        column = schema[name]
        draw = _draw_bars if column.is_discrete else _draw_histograms
        draw(panel, train[name], synthetic[name], column)
        panel.set_title(_panel_title(train[name], synthetic[name], column, float(distances[name])), fontsize=9)
        panel.tick_params(labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    for panel in panels[len(names) :]:
        panel.set_axis_off()
    heading = f"Columns that differ most ({len(names)} of {len(schema.columns)})"
    figure.suptitle(f"{title}: {heading}" if title else heading, fontsize=13)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=11, frameon=False)
    figure.supylabel("share of rows", fontsize=10)
    return figure


def association_figure(real: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema, title: str = "") -> Figure:
    """A figure of the association matrices of real and synthetic rows, from -1 to 1, and of their difference.

    The difference (synthetic - real) has its own scale, symmetric about 0 and as wide as its largest entry.
    """
    matrices = [association_matrix(table, schema).to_numpy() for table in (real, synthetic)]
    difference = matrices[1] - matrices[0]
    widest = float(max(np.abs(difference).max(), 0.01))
    pairs = np.abs(difference[np.triu_indices(len(difference), k=1)])
    figure = Figure(figsize=(15, 6.3), dpi=100, layout="constrained")
    panels = figure.subplots(1, 3)
    images = []
    for panel, matrix, name, limit, colours in zip(
        panels,
        [*matrices, difference],
        ("real", "synthetic", "difference (synthetic - real)"),
        (1.0, 1.0, widest),
        ("RdBu_r", "RdBu_r", "PuOr_r"),
        strict=True,
    ):
        images.append(panel.imshow(matrix, vmin=-limit, vmax=limit, cmap=colours, interpolation="nearest"))
        panel.set_title(name, fontsize=11)
        _name_axes(panel, schema.names, with_rows=name == "real")
    figure.colorbar(images[1], ax=list(panels[:2]), shrink=0.8, label="association")
    figure.colorbar(images[2], ax=panels[2], shrink=0.8, label="difference")
    heading = "Association of columns"
    if len(pairs):
        heading += f", mean |difference| {pairs.mean():.3f}"
    figure.suptitle(f"{title}: {heading}" if title else heading, fontsize=13)
    return figure


def _draw_histograms(panel: Axes, train: pd.Series, synthetic: pd.Series, column: Column) -> None:
    sides = [numbers[~np.isnan(numbers)] for numbers in (column_numbers(train), column_numbers(synthetic))]
    both = np.concatenate(sides)
    if len(both) == 0:
        panel.text(0.5, 0.5, "no values", ha="center", va="center", transform=panel.transAxes)
        both = np.zeros(1)
    # Single values far out would squeeze the rest into one bin: the outer bins take them in.
    lowest, highest = np.quantile(both, [0.005, 0.995])
    if column.kind == "integer" and highest > lowest:
        # Bins that hold equally many whole numbers: others would show steps that are not there.
        step = max(1, int(np.ceil((highest - lowest) / 40)))
        edges = np.arange(np.floor(lowest), np.ceil(highest) + step + 0.5, step) - 0.5
    else:
        edges = np.linspace(lowest, highest, 31) if highest > lowest else np.linspace(lowest - 0.5, lowest + 0.5, 4)
    shares = []
    for numbers in sides:
        counts = np.histogram(np.clip(numbers, edges[0], edges[-1]), edges)[0]
        shares.append(counts / max(len(numbers), 1))
    panel.stairs(shares[0], edges, fill=True, color=REAL_COLOUR, alpha=0.45, label="real")
    panel.stairs(shares[1], edges, color=SYNTHETIC_COLOUR, linewidth=1.6, label="synthetic")
    if column.unit:
        panel.set_xlabel(_shorten(column.unit, 30), fontsize=8)


def _draw_bars(panel: Axes, train: pd.Series, synthetic: pd.Series, column: Column) -> None:
    n_categories = len(column.categories)
    shares = []
    for values in (train, synthetic):
        positions = category_positions(values, column)
        positions = positions[positions != -1]
        counts = np.bincount(np.where(positions < 0, n_categories, positions), minlength=n_categories + 1)
        shares.append(counts / max(len(positions), 1))
    shown = np.arange(n_categories)
    names = [_shorten(str(category), 12) for category in column.categories]
    if n_categories > MAX_BARS:
        shown = np.argsort(-np.maximum(*shares)[:n_categories], kind="stable")[: MAX_BARS - 1]
    names = [names[position] for position in shown]
    bars = [np.append(side[shown], 1 - side[shown].sum() if side.any() else 0) for side in shares]
    # The last bar, of the categories not shown and of values outside the schema, is drawn where it is not empty.
    if n_categories > MAX_BARS or max(side[-1] for side in bars) > 1e-9:
        names.append("other")
    places = np.arange(len(names))
    panel.bar(places - 0.2, bars[0][: len(names)], 0.4, color=REAL_COLOUR, alpha=0.6, label="real")
    panel.bar(places + 0.2, bars[1][: len(names)], 0.4, color=SYNTHETIC_COLOUR, label="synthetic")
    is_long = len(names) > 3 or max(len(name) for name in names) > 8
    panel.set_xticks(places, names, rotation=35 if is_long else 0, ha="right" if is_long else "center")


def _panel_title(train: pd.Series, synthetic: pd.Series, column: Column, distance: float) -> str:
    text = f"{_shorten(column.name, 26)}  {'TV' if column.is_discrete else 'KS'} {distance:.3f}"
    missing = train.isna().mean(), synthetic.isna().mean()
    if max(missing) > 0:
        text += f"\nmissing {missing[0]:.1%} / {missing[1]:.1%}"
    return text


def _name_axes(panel: Axes, names: list[str], with_rows: bool) -> None:
    if len(names) > MAX_NAMED_COLUMNS:
        panel.set_xlabel(f"{len(names)} columns", fontsize=9)
        panel.set_yticks([])
        panel.set_xticks([])
        return
    short = [_shorten(name, 18) for name in names]
    panel.set_xticks(range(len(names)), short, rotation=90, fontsize=8)
    panel.set_yticks(range(len(names)), short if with_rows else [""] * len(names), fontsize=8)


def _shorten(text: str, length: int) -> str:
    # A dollar sign would start a formula.
    text = text.replace("$", r"\$")
    return text if len(text) <= length else text[: length - 1] + "…"
