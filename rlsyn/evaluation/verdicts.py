"""A verdict per family of metrics, from thresholds that are declared here and named wherever a verdict is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from rlsyn.evaluation.measure import Family

Level = Literal["good", "fair", "poor", "unknown"]

ORDER: tuple[Level, ...] = ("good", "fair", "poor")


@dataclass(frozen=True)
class Threshold:
    """How a metric is judged.

    Args:
        family: What it judges.
        metric: As in the table of scores.
        good: The largest figure that is good.
        fair: The largest figure that is fair; more is poor.
        figure: What is compared: the `value`; how far it lies `above real`, the score of real rows; how far `below
            real`; or how many `times real` it is.
        least_real: `times real` takes no reference smaller than this, so that a lucky split sets no unfair bar.
        control: The reference that a metric able to judge this table cannot find good (`copy` for attacks,
            `independent` for what associations make). Where it does, the metric is not judged: an attack that does not
            even find copies says nothing, and where shuffled columns predict the label as well as real rows do, there
            is no utility to lose.
    """

    family: Family
    metric: str
    good: float
    fair: float
    figure: Literal["value", "above real", "below real", "times real"] = "value"
    least_real: float = 0.0
    control: Literal["", "copy", "independent"] = ""


THRESHOLDS = (
    Threshold("privacy", "membership AUC", 0.55, 0.60, control="copy"),
    Threshold("privacy", "membership AUC per person", 0.55, 0.60, control="copy"),
    Threshold("privacy", "membership TPR at 1 % FPR", 0.03, 0.10, control="copy"),
    Threshold("privacy", "DOMIAS AUC", 0.55, 0.60, control="copy"),
    Threshold("privacy", "attribute inference advantage", 0.03, 0.10, control="copy"),
    Threshold("privacy", "near copies", 0.02, 0.05, control="copy"),
    Threshold("privacy", "exact copies", 0.0, 0.001, "above real"),
    Threshold("utility", "S2R AUC", 0.03, 0.08, "below real", control="independent"),
    Threshold("utility", "S2R R2", 0.05, 0.15, "below real", control="independent"),
    Threshold("fidelity", "KS mean", 1.3, 2.5, "times real", least_real=0.03),
    Threshold("fidelity", "TV mean", 1.3, 2.5, "times real", least_real=0.03),
    Threshold("fidelity", "missing rate difference", 0.02, 0.05),
    Threshold("fidelity", "association difference", 1.3, 2.5, "times real", least_real=0.02, control="independent"),
    Threshold("fidelity", "detection AUC (LightGBM)", 0.65, 0.80),
    Threshold("fidelity", "detection AUC (logistic)", 0.65, 0.80),
    Threshold("constraints", "broken rules", 0.01, 0.05, "above real"),
    Threshold("constraints", "out of range", 0.01, 0.05, "above real"),
)
"""Privacy near chance, utility near R2R, fidelity near the sampling noise of real rows, rules as well kept as by these.

They are conventions, not laws: .55 and .60 are where an attacker begins to do visibly better than a coin; .65 and .80
are what careful generators reach on small and on large clinical tables.
"""

WORDING: dict[Family, dict[Level, str]] = {
    "privacy": {
        "good": "No leak found: every attack that was tried stays near chance.",
        "fair": "Look closer: some attack does a little better than chance, or too few people were there to tell.",
        "poor": "Leak found: do not release these rows as they are.",
        "unknown": "Not judged.",
    },
    "utility": {
        "good": "Models trained on synthetic rows do about as well as models trained on real ones.",
        "fair": "Models trained on synthetic rows do visibly worse than models trained on real ones.",
        "poor": "Models trained on synthetic rows do far worse than models trained on real ones.",
        "unknown": "Not judged.",
    },
    "fidelity": {
        "good": "The synthetic rows are distributed about as real rows are.",
        "fair": "The synthetic rows differ visibly from real rows.",
        "poor": "The synthetic rows differ strongly from real rows.",
        "unknown": "Not judged.",
    },
    "constraints": {
        "good": "The synthetic rows keep the declared rules and ranges as well as real rows do.",
        "fair": "Some synthetic rows break declared rules or leave the ranges.",
        "poor": "Many synthetic rows break declared rules or leave the ranges.",
        "unknown": "Not judged.",
    },
}


@dataclass(frozen=True)
class Criterion:
    """One metric as it was judged; `text` names value and thresholds."""

    metric: str
    level: Level
    text: str


@dataclass(frozen=True)
class Verdict:
    """The verdict on a family: the worst level among its criteria, in words."""

    family: Family
    level: Level
    wording: str
    criteria: tuple[Criterion, ...]


def verdicts(scores: pd.DataFrame) -> list[Verdict]:
    """The verdicts on privacy, utility, fidelity and constraints of a table of scores, as `evaluate` gives it.

    A family is as good as its worst criterion. What could not be judged is named; it does not count as good.
    """
    rows = {row["metric"]: row for _, row in scores.iterrows()}
    found = []
    for family in WORDING:
        criteria = tuple(
            _judge(threshold, rows[threshold.metric])
            for threshold in THRESHOLDS
            if threshold.family == family and _applies(rows.get(threshold.metric))
        )
        judged = [criterion.level for criterion in criteria if criterion.level != "unknown"]
        level: Level = max(judged, key=ORDER.index) if judged else "unknown"
        found.append(Verdict(family, level, _wording(family, level, criteria), criteria))
    return found


def _applies(row: pd.Series | None) -> bool:
    return row is not None and not row["note"].startswith("not computed: does not apply")


def _wording(family: Family, level: Level, criteria: tuple[Criterion, ...]) -> str:
    words = [WORDING[family][level]]
    if level in ("fair", "poor"):
        culprits = [criterion.metric for criterion in criteria if criterion.level == level]
        words.append(f"Look at: {', '.join(culprits)}.")
    if unknown := [criterion.metric for criterion in criteria if criterion.level == "unknown"]:
        words.append(f"Could not be judged: {', '.join(unknown)}.")
    return " ".join(words)


def _judge(threshold: Threshold, row: pd.Series) -> Criterion:
    metric, value, real = threshold.metric, float(row["value"]), float(row["real"])
    if pd.isna(value) or (threshold.figure != "value" and pd.isna(real)):
        return Criterion(metric, "unknown", f"{metric}: {row['note'] or 'no value'}")
    if threshold.control and _level(threshold, float(row[threshold.control]), real) == "good":
        control = f"{_CONTROLS[threshold.control]} score {row[threshold.control]:.3f} and would pass too"
        return Criterion(metric, "unknown", f"{metric} {value:.3f}: it cannot judge this table, {control}")
    return Criterion(metric, _level(threshold, value, real), _text(threshold, row))


_CONTROLS = {"copy": "copies of the training rows", "independent": "columns shuffled apart"}
_FIGURES: dict[str, Callable[[float, float, float], float]] = {
    "value": lambda value, _real, _least: value,
    "above real": lambda value, real, _least: value - real,
    "below real": lambda value, real, _least: real - value,
    "times real": lambda value, real, least: value / max(real, least),
}


def _level(threshold: Threshold, value: float, real: float) -> Level:
    figure = _FIGURES[threshold.figure](value, real, threshold.least_real)
    return "good" if figure <= threshold.good else "fair" if figure <= threshold.fair else "poor"


def _text(threshold: Threshold, row: pd.Series) -> str:
    value, real = f"{threshold.metric} {row['value']:.3f}", float(row["real"])
    interval = "" if pd.isna(row["low"]) else f", 95 % interval {row['low']:.3f} to {row['high']:.3f}"
    good, fair = (_limit(threshold, figure, real) for figure in (threshold.good, threshold.fair))
    if threshold.figure == "below real":
        return f"{value}{interval} (good from {good} on, fair from {fair}; real rows {real:.3f})"
    beside = "" if threshold.figure == "value" else f"; real rows {real:.3f}"
    return f"{value}{interval} (good up to {good}, fair up to {fair}{beside})"


def _limit(threshold: Threshold, figure: float, real: float) -> str:
    limits = {
        "value": figure,
        "above real": real + figure,
        "below real": real - figure,
        "times real": figure * max(real, threshold.least_real),
    }
    return f"{limits[threshold.figure]:.3g}"
