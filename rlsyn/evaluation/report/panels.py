"""Small pictures of the marginal distribution of every column, as the geometry that the report's template draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from rlsyn.evaluation.features import row_groups
from rlsyn.evaluation.report.plots import distance_text, heights
from rlsyn.evaluation.report.shares import Bars, Histogram, bars, histogram, missing_share
from rlsyn.schema import Column, Schema

WIDTH, HEIGHT = 200, 96
"""Of the drawing area, in units of the picture."""
NAME_WIDTH, NUMBER_WIDTH = 58, 46
"""Of it, what the names of categories and the numbers behind the bars take."""
MAX_NUMBERED = 4
"""The bars of more categories have no numbers behind them: there is no room."""


@dataclass(frozen=True)
class Bar:
    """A category: where it stands, how long its two bars are, and their shares in words."""

    name: str
    top: float
    thickness: float
    real: float
    synthetic: float
    real_share: str
    synthetic_share: str


@dataclass(frozen=True)
class Panel:
    """The picture of one column.

    Args:
        name: Of the column.
        unit: Of its values.
        distance: Name and value of its distance, as text.
        missing: Shares of missing values as text; empty where nothing is missing.
        hides_real: Whether the real side is left out because it would tell of too few people.
        area: Path of the real histogram.
        line: Path of the synthetic histogram.
        ticks: Places and texts of the horizontal axis.
        bars: Of the categories, in place of the histogram.
    """

    name: str
    unit: str
    distance: str
    missing: str
    hides_real: bool
    area: str = ""
    line: str = ""
    ticks: tuple[tuple[float, str], ...] = ()
    bars: tuple[Bar, ...] = ()


def column_panels(train: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema, distances: pd.Series) -> list[Panel]:
    """A panel for each of the columns, in the order of their distances.

    Args:
        train: Real rows; may hold the group column.
        synthetic: Synthetic rows.
        schema: The columns.
        distances: Kolmogorov-Smirnov statistic or total variation by column name.
    """
    persons = row_groups(train, schema)
    columns = {column.name: column for column in schema.columns}
    return [
        _panel(train[name], synthetic[name], columns[str(name)], float(distance), persons)
        for name, distance in distances.items()
    ]


def _panel(real: pd.Series, synthetic: pd.Series, column: Column, distance: float, persons: np.ndarray) -> Panel:
    shares = (bars if column.is_discrete else histogram)(real, synthetic, column, persons)
    is_hidden = shares.real is None
    text = distance_text(real, column, distance, persons)
    drawn = _bars(shares) if isinstance(shares, Bars) else _curves(shares, is_whole=column.kind == "integer")
    return Panel(column.name, column.unit, text, _missing_text(real, synthetic, persons), is_hidden, **drawn)


def _missing_text(real: pd.Series, synthetic: pd.Series, persons: np.ndarray) -> str:
    shares = missing_share(real, persons), float(synthetic.isna().mean())
    if shares == (0.0, 0.0):
        return ""
    return f"missing {'few' if shares[0] is None else _percent(shares[0])} → {_percent(shares[1])}"


def _curves(shares: Histogram, is_whole: bool) -> dict[str, Any]:
    edges = shares.edges
    across = WIDTH * (edges - edges[0]) / (edges[-1] - edges[0])
    sides = [None if side is None else heights(side, edges) for side in (shares.real, shares.synthetic)]
    highest = max((float(side.max()) for side in sides if side is not None), default=0.0)
    if highest == 0:
        return {}
    real, synthetic = ("" if side is None or not side.any() else _steps(across, side / highest) for side in sides)
    return {"area": real, "line": synthetic, "ticks": _ticks(edges, is_whole)}


def _ticks(edges: np.ndarray, is_whole: bool) -> tuple[tuple[float, str], ...]:
    # Both ends of the axis and the edge next to its middle, unless that stands too near to an end.
    step, shift = float(np.diff(edges).min()), 0.5 * is_whole
    decimals = max(0, int(np.ceil(-np.log10(step) - 1e-9)))
    values = edges.copy()
    if is_whole and step < 1.5:
        # Bins of single whole numbers: these stand in the middle of their bins, not at the edges.
        values, shift = np.arange(edges[0] + 0.5, edges[-1]), 0.0
    places = WIDTH * (values - edges[0]) / (edges[-1] - edges[0])
    middle = int(np.abs(places - (places[0] + places[-1]) / 2).argmin())
    chosen = [0, middle, len(values) - 1] if 0.25 * WIDTH < places[middle] < 0.75 * WIDTH else [0, len(values) - 1]
    chosen = list(dict.fromkeys(chosen))
    return tuple((round(float(places[i]), 1), _number(float(values[i] + shift), decimals)) for i in chosen)


def _steps(across: np.ndarray, up: np.ndarray) -> str:
    # A path that rises from the axis at the left, goes through the tops of the bins and falls at the right.
    tops = (f"V{HEIGHT * (1 - height):.1f}H{right:.1f}" for right, height in zip(across[1:], up, strict=True))
    return f"M{across[0]:.1f},{HEIGHT}{''.join(tops)}V{HEIGHT}"


def _bars(shares: Bars) -> dict[str, Any]:
    n = max(len(shares.names), 1)
    room = min(HEIGHT / n, 46.0)
    real = np.zeros(len(shares.names)) if shares.real is None else shares.real
    longest = max(float(real.max(initial=0)), float(shares.synthetic.max(initial=0)), 1e-9)
    scale = (WIDTH - NAME_WIDTH - NUMBER_WIDTH * (n <= MAX_NUMBERED)) / longest
    drawn = [
        Bar(
            name,
            top=round(place * room, 1),
            thickness=round(0.42 * room, 1),
            real=round(float(real[place]) * scale, 1),
            synthetic=round(float(shares.synthetic[place]) * scale, 1),
            real_share="" if shares.real is None else _percent(real[place]),
            synthetic_share=_percent(shares.synthetic[place]),
        )
        for place, name in enumerate(shares.names)
    ]
    return {"bars": tuple(drawn)}


def _percent(share: float) -> str:
    # Rare and nearly universal shares need a decimal; neither nobody nor everybody is what rounding makes of some.
    if 0 < share < 0.001 or 0.999 < share < 1:
        return "<0.1\u00a0%" if share < 0.5 else ">99.9\u00a0%"
    return f"{100 * share:.1f}\u00a0%" if 0 < share < 0.0995 or 0.99 < share < 1 else f"{100 * share:.0f}\u00a0%"


def _number(value: float, decimals: int) -> str:
    if abs(value) >= 1e7 or decimals > 4:
        return f"{value:.2g}"
    if abs(value) >= 1e5:
        return f"{value / 1000:,.0f}k".replace(",", " ")
    return f"{round(value, decimals) + 0.0:,.{decimals}f}".replace(",", " ")
