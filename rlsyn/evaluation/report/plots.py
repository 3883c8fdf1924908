"""Figures that compare synthetic with real tables: marginals, association matrices, principal components, prevalence.

None shows a real row: shares are of bins and categories of at least three people, areas as well.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter

from rlsyn.evaluation.disclosure import MIN_PEOPLE, hidden_columns, hides_values
from rlsyn.evaluation.features import row_groups
from rlsyn.evaluation.fidelity.association import association_matrix
from rlsyn.evaluation.report.shares import bars, histogram, missing_share
from rlsyn.schema import Column, Schema

# Blue and vermillion of Okabe and Ito: told apart with any colour vision.
REAL_COLOUR = "#0072B2"
SYNTHETIC_COLOUR = "#D55E00"
MAX_NAMED_COLUMNS = 30
MAX_CELLS = 200
"""Matrices of more columns are drawn in blocks."""
N_CONTOUR_CELLS = 60
SMALL = (4.0, 3.5)
"""Inches of a figure that stays readable on a phone."""


def worst_first(distances: pd.Series, train: pd.DataFrame, schema: Schema) -> pd.Series:
    """The distances by column, the largest first; NaN, and last, where they would tell of too few people.

    In its place among the others a column would tell between which values its distance lies.
    """
    shown = distances.mask(hidden_columns(train, schema)["values"].reindex(distances.index))
    return shown.sort_values(ascending=False, kind="stable", na_position="last")


def marginals_figure(
    train: pd.DataFrame,
    synthetic: pd.DataFrame,
    distances: pd.Series,
    schema: Schema,
    n_columns: int = 12,
    title: str = "",
) -> Figure:
    """A figure of the `n_columns` columns whose distributions differ most, the worst first.

    Histograms of numbers, bars of the commonest categories; shares are of the present values. Above each stands its
    Kolmogorov-Smirnov statistic (KS) or total variation (TV), and the shares of missing values where there are any;
    not where these would tell of too few people.

    Args:
        train: Real rows.
        synthetic: Synthetic rows.
        distances: KS or TV by column.
        schema: The columns.
        n_columns: How many to draw.
        title: Of the data.
    """
    distances = worst_first(distances, train, schema)
    names = list(distances.index[:n_columns])
    persons = row_groups(train, schema)
    n_across = min(4, max(1, int(np.ceil(np.sqrt(len(names))))))
    figure = Figure(figsize=(12, 9), dpi=100, layout="constrained")
    panels = figure.subplots(-(-len(names) // n_across), n_across, squeeze=False).ravel()
    for panel, name in zip(panels, names, strict=False):
        column = schema[name]
        draw = _draw_bars if column.is_discrete else _draw_histograms
        draw(panel, train[name], synthetic[name], column, persons)
        panel.set_title(_panel_title(train[name], synthetic[name], column, float(distances[name]), persons), fontsize=9)
        panel.tick_params(labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    for panel in panels[len(names) :]:
        panel.set_axis_off()
    heading = f"Columns that differ most ({len(names)} of {len(schema.columns)})"
    figure.suptitle(f"{shorten(title, 60)}: {heading}" if title else heading, fontsize=13)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=11, frameon=False)
    figure.supylabel("share of rows", fontsize=10)
    return figure


def association_figure(real: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema, title: str = "") -> Figure:
    """A figure of the association matrices of real and synthetic rows, from -1 to 1, and of their difference.

    The difference (synthetic - real) has its own scale, symmetric about 0 and as wide as its largest entry.
    """
    matrices = [association_matrix(table, schema) for table in (real, synthetic)]
    difference = matrices[1] - matrices[0]
    pairs = np.abs(difference.to_numpy()[np.triu_indices(len(difference), k=1)])
    figure = Figure(figsize=(15, 6.3), dpi=100, layout="constrained")
    panels = figure.subplots(1, 3)
    for panel, matrix in zip(panels, matrices, strict=False):
        _draw_matrix(panel, matrix, 1.0, "RdBu_r", with_names="both" if panel is panels[0] else "below")
    _draw_matrix(panels[2], difference, _widest(difference), "PuOr_r", with_names="below")
    for panel, name in zip(panels, ("real", "synthetic", "difference (synthetic - real)"), strict=True):
        panel.set_title(name, fontsize=11)
    figure.colorbar(panels[1].images[0], ax=list(panels[:2]), shrink=0.8, label="association")
    figure.colorbar(panels[2].images[0], ax=panels[2], shrink=0.8, label="difference")
    heading = "Association of columns"
    if len(pairs):
        heading += f", mean |difference| {pairs.mean():.3f}"
    figure.suptitle(f"{shorten(title, 60)}: {heading}" if title else heading, fontsize=13)
    return figure


def matrix_figure(matrix: pd.DataFrame, is_difference: bool = False) -> Figure:
    """A figure of one association matrix; of a difference of two with a scale as wide as its largest entry."""
    has_names = len(matrix) <= MAX_NAMED_COLUMNS
    figure = Figure(figsize=(5.4, 5.0) if has_names else SMALL, dpi=160, layout="constrained")
    panel = figure.subplots()
    limit, colours = (_widest(matrix), "PuOr_r") if is_difference else (1.0, "RdBu_r")
    _draw_matrix(panel, matrix, limit, colours, with_names="both")
    figure.colorbar(panel.images[0], ax=panel, shrink=0.85).ax.tick_params(labelsize=8)
    return figure


def overlay_figure(real: np.ndarray, synthetic: np.ndarray, persons: np.ndarray, explained: np.ndarray) -> Figure:
    """A figure of real rows as a density and synthetic rows as its contours, in the plane of two components.

    Cells of fewer than `MIN_PEOPLE` real people stay blank; contours hold 25, 50, 75 and 95 % of the synthetic rows.
    The axes span the inner 98 % of both sides and some room.

    Args:
        real: Coordinates of the real rows, `(n_rows, 2)`.
        synthetic: Those of the synthetic rows.
        persons: The person that each real row belongs to, as a number.
        explained: Shares of the variance of the real rows that the components explain.
    """
    figure, panel = small_figure(
        f"component 1 ({explained[0]:.0%} of variance)", f"component 2 ({explained[1]:.0%} of variance)"
    )
    n_cells = int(np.clip(np.sqrt(len(real) / 6), 10, 45))
    both = [np.quantile(side, [0.01, 0.99], axis=0) for side in (real, synthetic)]
    low, high = np.min([side[0] for side in both], axis=0), np.max([side[1] for side in both], axis=0)
    reach = 0.15 * np.maximum(high - low, 1e-9)
    edges = [np.linspace(low[i] - reach[i], high[i] + reach[i], n_cells + 1) for i in (0, 1)]
    shares = _cell_shares(real, persons, edges)
    image = panel.pcolormesh(edges[0], edges[1], shares.T, cmap="Blues", norm=PowerNorm(0.5, vmin=0), rasterized=True)
    if np.isfinite(shares).any():
        bar = figure.colorbar(image, ax=panel, shrink=0.85)
        bar.set_label("share of real rows", fontsize=8)
        bar.ax.tick_params(labelsize=8)
    finer = [np.linspace(side[0], side[-1], N_CONTOUR_CELLS + 1) for side in edges]
    density = gaussian_filter(np.histogram2d(synthetic[:, 0], synthetic[:, 1], finer)[0], N_CONTOUR_CELLS / n_cells)
    levels = _mass_levels(density)
    if len(levels):
        centres = [(side[1:] + side[:-1]) / 2 for side in finer]
        panel.contour(centres[0], centres[1], density.T, levels, colors=SYNTHETIC_COLOUR, linewidths=1.3)
    panel.plot([], [], color=SYNTHETIC_COLOUR, label="synthetic (25, 50, 75, 95 %)")
    panel.legend(fontsize=8, edgecolor="none", framealpha=0.8, loc="upper right")
    return figure


def prevalence_figure(real: np.ndarray, synthetic: np.ndarray) -> Figure:
    """A figure of the shares of the second category of binary columns, synthetic against real, a point a column."""
    figure, panel = small_figure("share of real rows", "share of synthetic rows")
    panel.plot([0, 1], [0, 1], color="#666666", linewidth=1, linestyle="--", label="equal shares")
    size = 14 if len(real) < 400 else 5
    panel.scatter(real, synthetic, s=size, color=SYNTHETIC_COLOUR, alpha=0.6, linewidths=0, label="a binary column")
    panel.legend(fontsize=8, frameon=False, loc="upper left")
    return figure


def small_figure(across: str, up: str) -> tuple[Figure, Axes]:
    """A figure of one panel with named axes, readable on a phone."""
    figure = Figure(figsize=SMALL, dpi=160, layout="constrained")
    panel = figure.subplots()
    panel.set_xlabel(across, fontsize=9)
    panel.set_ylabel(up, fontsize=9)
    panel.tick_params(labelsize=8)
    panel.spines[["top", "right"]].set_visible(False)
    return figure, panel


def distance_text(train: pd.Series, column: Column, distance: float, persons: np.ndarray) -> str:
    """Name and value of the distance of a column; beside the synthetic share it would give away a hidden real one."""
    kind = "TV" if column.is_discrete else "KS"
    if hides_values(train, column, persons):
        return f"{kind} not shown"
    return f"{kind} of nothing" if np.isnan(distance) else f"{kind} {distance:.3f}"


def heights(shares: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Shares per width of the narrowest bin: merged bins must not look fuller than they are."""
    widths = np.diff(edges)
    return shares * widths.min() / widths


def _draw_histograms(panel: Axes, train: pd.Series, synthetic: pd.Series, column: Column, persons: np.ndarray) -> None:
    shares = histogram(train, synthetic, column, persons)
    if not shares.synthetic.any() and (shares.real is None or not shares.real.any()):
        panel.text(0.5, 0.5, "no values", ha="center", va="center", transform=panel.transAxes)
    real = np.zeros(len(shares.synthetic)) if shares.real is None else shares.real
    panel.stairs(heights(real, shares.edges), shares.edges, fill=True, color=REAL_COLOUR, alpha=0.45, label="real")
    panel.stairs(
        heights(shares.synthetic, shares.edges), shares.edges, color=SYNTHETIC_COLOUR, linewidth=1.6, label="synthetic"
    )
    if column.unit:
        panel.set_xlabel(shorten(column.unit, 30), fontsize=8)


def _draw_bars(panel: Axes, train: pd.Series, synthetic: pd.Series, column: Column, persons: np.ndarray) -> None:
    shares = bars(train, synthetic, column, persons)
    names = [shorten(name, 12) for name in shares.names]
    places = np.arange(len(names))
    real = np.zeros(len(names)) if shares.real is None else shares.real
    panel.bar(places - 0.2, real, 0.4, color=REAL_COLOUR, alpha=0.6, label="real")
    panel.bar(places + 0.2, shares.synthetic, 0.4, color=SYNTHETIC_COLOUR, label="synthetic")
    is_long = len(names) > 3 or max((len(name) for name in names), default=0) > 8
    panel.set_xticks(places, names, rotation=35 if is_long else 0, ha="right" if is_long else "center")


def _panel_title(train: pd.Series, synthetic: pd.Series, column: Column, distance: float, persons: np.ndarray) -> str:
    text = f"{shorten(column.name, 26)}  {distance_text(train, column, distance, persons)}"
    real, other = missing_share(train, persons), float(synthetic.isna().mean())
    if real is None or max(real, other) > 0:
        text += f"\nmissing {'in few' if real is None else f'{real:.1%}'} / {other:.1%}"
    return text


def _draw_matrix(panel: Axes, matrix: pd.DataFrame, limit: float, colours: str, with_names: str) -> None:
    n_columns = len(matrix)
    panel.imshow(_in_blocks(matrix.to_numpy()), vmin=-limit, vmax=limit, cmap=colours, interpolation="nearest")
    if n_columns > MAX_NAMED_COLUMNS:
        panel.set_xlabel(f"{n_columns} columns", fontsize=9)
        panel.set_yticks([])
        panel.set_xticks([])
        return
    short = [shorten(str(name), 18) for name in matrix.index]
    panel.set_xticks(range(n_columns), short, rotation=90, fontsize=8)
    panel.set_yticks(range(n_columns), short if with_names == "both" else [""] * n_columns, fontsize=8)


def _in_blocks(matrix: np.ndarray) -> np.ndarray:
    # Each cell of a large matrix shows the strongest of the pairs in its block, so that none is averaged away.
    size = -(-len(matrix) // MAX_CELLS)
    if size == 1:
        return matrix
    n_blocks = -(-len(matrix) // size)
    padded = np.zeros((n_blocks * size, n_blocks * size))
    padded[: len(matrix), : len(matrix)] = matrix
    blocks = padded.reshape(n_blocks, size, n_blocks, size).swapaxes(1, 2).reshape(n_blocks, n_blocks, -1)
    return np.take_along_axis(blocks, np.abs(blocks).argmax(axis=2)[..., None], axis=2)[..., 0]


def _widest(difference: pd.DataFrame) -> float:
    return float(max(np.abs(difference.to_numpy()).max(), 0.01))


def _cell_shares(points: np.ndarray, persons: np.ndarray, edges: list[np.ndarray]) -> np.ndarray:
    # Shares of the rows in the cells of a grid; NaN where fewer than MIN_PEOPLE people stand in a cell.
    counts = np.histogram2d(points[:, 0], points[:, 1], edges)[0]
    across, up = (np.digitize(points[:, axis], edges[axis]) for axis in (0, 1))
    once = pd.DataFrame({"person": persons, "across": across, "up": up}).drop_duplicates()
    people = np.histogram2d(once["across"], once["up"], [np.arange(0.5, len(side)) for side in edges])[0]
    return np.where(people < MIN_PEOPLE, np.nan, counts / len(points))


def _mass_levels(density: np.ndarray) -> list[float]:
    # Densities above which lie 95, 75, 50 and 25 % of the rows; contours need them to rise.
    ordered = np.sort(density.ravel())[::-1]
    if ordered[0] <= 0:
        return []
    mass = np.cumsum(ordered) / ordered.sum()
    places = np.minimum(np.searchsorted(mass, [0.95, 0.75, 0.5, 0.25]), len(ordered) - 1)
    levels = np.unique(ordered[places])
    return [float(level) for level in levels if 0 < level < ordered[0]]


def shorten(text: str, length: int) -> str:
    """The text cut to a length, safe for matplotlib, to which a dollar sign would start a formula."""
    text = text.replace("$", r"\$")
    return text if len(text) <= length else text[: length - 1] + "…"
