"""Figures of what models and attacks found: ROC curves, calibration, utility by model, distances, coverage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from rlsyn.evaluation.disclosure import MIN_PEOPLE
from rlsyn.evaluation.ranking import auc
from rlsyn.evaluation.report.plots import REAL_COLOUR, SYNTHETIC_COLOUR, heights, small_figure
from rlsyn.evaluation.report.shares import number_histogram

REAL_LINE: dict[str, Any] = {"color": REAL_COLOUR, "linestyle": "--", "linewidth": 1.8}
SYNTHETIC_LINE: dict[str, Any] = {"color": SYNTHETIC_COLOUR, "linestyle": "-", "linewidth": 1.8}
GRID_STEPS = (20, 100)
"""Least and most of them along a ROC curve."""
CHANCE: dict[str, Any] = {"color": "#666666", "linestyle": ":", "linewidth": 1.2}


def roc_figure(synthetic: pd.DataFrame | None, real: pd.DataFrame | None) -> Figure:
    """A figure of ROC curves on test: a model trained on synthetic rows (S2R) and one trained on real rows (R2R)."""
    figure, panel = small_figure("false positive rate", "true positive rate")
    for curve, name, style in _sides(synthetic, real):
        points = _on_grid(curve["false_positive_rate"].to_numpy(), curve["true_positive_rate"].to_numpy())
        panel.plot(*points, label=name, **style)
    _from_chance(panel, "chance")
    return figure


def calibration_figure(synthetic: pd.DataFrame | None, real: pd.DataFrame | None) -> Figure:
    """A figure of what was observed against what was predicted on test, in bins of people (S2R and R2R).

    Shares of a category against probabilities, or means of a quantity.
    """
    sides = _sides(synthetic, real)
    values = np.concatenate([curve[["predicted", "observed"]].to_numpy().ravel() for curve, _, _ in sides])
    is_share = bool((values >= 0).all() and (values <= 1).all())
    names = ("predicted probability", "observed share") if is_share else ("mean prediction", "observed mean")
    figure, panel = small_figure(*names)
    for curve, name, style in sides:
        panel.plot(curve["predicted"], curve["observed"], marker="o", markersize=4, label=name, **style)
    if is_share:
        _from_chance(panel, "perfectly calibrated")
    else:
        panel.axline((values.min(), values.min()), slope=1, label="perfectly calibrated", **CHANCE)
        panel.legend(fontsize=8, frameon=False)
    return figure


def models_figure(scores: pd.DataFrame) -> Figure:
    """A figure of utility by model: S2R with its interval, and R2R.

    Args:
        scores: By model: `value`, `low`, `high` and `real`.
    """
    figure, panel = small_figure(str(scores.index.name or "score"), "")
    places = np.arange(len(scores))[::-1]
    reach = np.abs(np.nan_to_num(np.stack([scores["value"] - scores["low"], scores["high"] - scores["value"]])))
    panel.errorbar(
        scores["value"],
        places,
        xerr=reach,
        fmt="o",
        color=SYNTHETIC_COLOUR,
        capsize=3,
        label="S2R: trained on synthetic",
    )
    panel.plot(scores["real"], places, "D", color=REAL_COLOUR, fillstyle="none", label="R2R: trained on real")
    panel.set_yticks(places, [str(name).replace("_", "\n") for name in scores.index])
    panel.set_ylim(-0.6, len(scores) - 0.4)
    panel.grid(axis="x", color="#dddddd", linewidth=0.6)
    panel.legend(fontsize=8, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=1)
    return figure


def distances_figure(train: np.ndarray, test: np.ndarray, persons: np.ndarray, test_persons: np.ndarray) -> Figure:
    """A figure of the distances of train and of test rows to the nearest synthetic row, in bins of three people."""
    shares = number_histogram(train, test, persons, other_persons=test_persons)
    figure, panel = small_figure("distance to the nearest synthetic row", "share of rows")
    real = np.zeros(len(shares.synthetic)) if shares.real is None else shares.real
    panel.stairs(heights(real, shares.edges), shares.edges, fill=True, color=REAL_COLOUR, alpha=0.45, label="train")
    panel.stairs(heights(shares.synthetic, shares.edges), shares.edges, color="#222222", linewidth=1.5, label="test")
    panel.legend(fontsize=8, frameon=False)
    return figure


def attack_figure(train: np.ndarray, test: np.ndarray) -> Figure:
    """A figure of the ROC curve of the attacker who takes the rows nearest to a synthetic row for members."""
    is_member = np.repeat([1, 0], [len(train), len(test)])
    closeness = -np.concatenate([train, test])
    false_positives, true_positives, _ = roc_curve(is_member, closeness)
    figure, panel = small_figure("share of test rows taken for members", "share of train rows found")
    label = f"attack, AUC {auc(-train, -test):.3f}"
    panel.plot(*_on_grid(false_positives, true_positives), label=label, **SYNTHETIC_LINE)
    _from_chance(panel, "chance: nothing leaks")
    return figure


def detection_figure(scores: pd.DataFrame, persons: np.ndarray) -> Figure:
    """A figure of how synthetic a detector finds the real and the synthetic rows that it was not fitted on.

    Args:
        scores: Of each row: `is_synthetic` and `score`.
        persons: The person that each of the real rows belongs to, in their order.
    """
    is_synthetic = scores["is_synthetic"].to_numpy(dtype=bool)
    values = scores["score"].to_numpy(dtype=float)
    real, synthetic = values[~is_synthetic], values[is_synthetic]
    shares = number_histogram(real, synthetic, persons)
    figure, panel = small_figure("score of the detector (1: synthetic)", "share of rows")
    side = np.zeros(len(shares.synthetic)) if shares.real is None else shares.real
    panel.stairs(heights(side, shares.edges), shares.edges, fill=True, color=REAL_COLOUR, alpha=0.45, label="real")
    drawn = heights(shares.synthetic, shares.edges)
    panel.stairs(drawn, shares.edges, color=SYNTHETIC_COLOUR, linewidth=1.6, label="synthetic")
    panel.legend(fontsize=8, frameon=False)
    return figure


def coverage_figure(curve: pd.DataFrame) -> Figure:
    """A figure of alpha-precision and beta-recall: shares within the level set of the other side, by level."""
    figure, panel = small_figure("level (share of rows in the set)", "share of rows inside")
    panel.plot(curve["level"], curve["precision"], label="precision: synthetic rows among real", **SYNTHETIC_LINE)
    panel.plot(curve["level"], curve["recall"], label="recall: real rows among synthetic", **REAL_LINE)
    _from_chance(panel, "ideal")
    return figure


def _sides(
    synthetic: pd.DataFrame | None, real: pd.DataFrame | None
) -> Sequence[tuple[pd.DataFrame, str, dict[str, Any]]]:
    sides = ((real, "trained on real (R2R)", REAL_LINE), (synthetic, "trained on synthetic (S2R)", SYNTHETIC_LINE))
    return [(curve, name, style) for curve, name, style in sides if curve is not None and len(curve)]


def _on_grid(false_positives: np.ndarray, true_positives: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # An ROC curve at evenly spaced rates, several steps apart where there are few: single steps are single people.
    n_steps = len(np.unique(false_positives)) - 1
    grid = np.linspace(0, 1, int(np.clip(n_steps // MIN_PEOPLE, *GRID_STEPS)) + 1)
    return np.append(0.0, grid), np.append(0.0, np.interp(grid, false_positives, true_positives))


def _from_chance(panel: Axes, name: str) -> None:
    panel.plot([0, 1], [0, 1], label=name, **CHANCE)
    panel.set_xlim(-0.01, 1.01)
    panel.set_ylim(-0.01, 1.02)
    panel.legend(fontsize=8, frameon=False)
