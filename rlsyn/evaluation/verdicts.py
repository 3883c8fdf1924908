"""A verdict per family of metrics, from thresholds that are declared here and named wherever a verdict is shown."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

import pandas as pd

from rlsyn.evaluation.evaluation import COPIES_FILE, Evaluation
from rlsyn.evaluation.features import count_people
from rlsyn.evaluation.measure import Family

Level = Literal["good", "fair", "poor", "unknown"]
Cause = Literal["", "beyond", "others", "chance", "few"]
"""Why a criterion is fair: it is not good for sure; the attack finds the test people; its value is not good, but may be so by
chance; or its value is good, but too few people are there to be sure."""

ORDER: tuple[Level, ...] = ("good", "fair", "poor")


@dataclass(frozen=True)
class Threshold:
    """How a metric is judged.

    Args:
        family: What it judges.
        metric: As in the table of scores.
        good: The largest figure that is good.
        fair: The largest figure that is fair.
        figure: What is compared: the `value`; how far it lies `above real`, the score of real rows; or how many `times
            copy` it is, the score of training people drawn with replacement, which is what chance alone makes of a
            table of this size.
        least_copy: `times copy` takes no reference smaller than this, so that a lucky draw sets no unfair bar.
        control: The reference that a metric able to judge this table cannot find good (`copy` for attacks,
            `independent` for what associations make). Where it does, the metric is not judged: an attack that does not
            even find copies says nothing, and where shuffled columns predict the label as well as real rows do, there
            is no utility to lose.
        is_fact: Whether the value is counted in the very rows that are judged, so that a good one leaves no doubt.
        with_note: Whether its text tells the note of the score, which says more than the share.
        chance: The value of an attack that finds nobody, where one as far below it as a leak is above it finds the test
            rows instead: the tables may be in each other's place, and nothing is known of the training rows.
    """

    family: Family
    metric: str
    good: float
    fair: float
    figure: Literal["value", "above real", "times copy"] = "value"
    least_copy: float = 0.0
    control: Literal["", "copy", "independent"] = ""
    is_fact: bool = False
    with_note: bool = False
    chance: float | None = None


THRESHOLDS = (
    Threshold("privacy", "membership AUC", 0.55, 0.60, control="copy", chance=0.5),
    Threshold("privacy", "membership AUC per person", 0.55, 0.60, control="copy", chance=0.5),
    Threshold("privacy", "membership TPR at 1 % FPR", 0.03, 0.10, control="copy"),
    Threshold("privacy", "DOMIAS AUC", 0.55, 0.60, control="copy"),
    Threshold("privacy", "attribute inference advantage", 0.03, 0.10, control="copy"),
    Threshold("privacy", "near copies", 0.01, 0.04, "above real", control="copy"),
    Threshold("privacy", "near copies of one person", 0.01, 0.04, "above real", control="copy"),
    Threshold("privacy", "copies in part", 0.01, 0.04, "above real", control="copy"),
    Threshold("privacy", "exact copies", 0.0, 0.001, "above real", is_fact=True, with_note=True),
    Threshold("privacy", "copies of unique rows", 0.0, 0.001, "above real", is_fact=True, with_note=True),
    Threshold("privacy", "foreign columns", 0.0, 1.0, is_fact=True, with_note=True),
    Threshold("privacy", "traces of people", 0.0, 2.0, is_fact=True, with_note=True),
    Threshold("utility", "S2R AUC loss", 0.03, 0.08, control="independent"),
    Threshold("utility", "S2R R2 loss", 0.05, 0.15, control="independent"),
    Threshold("fidelity", "KS mean", 2.0, 4.0, "times copy", least_copy=0.015),
    Threshold("fidelity", "TV mean", 2.0, 4.0, "times copy", least_copy=0.015),
    Threshold("fidelity", "missing rate difference", 2.0, 4.0, "times copy", least_copy=0.01),
    Threshold("fidelity", "association difference", 2.0, 4.0, "times copy", least_copy=0.01, control="independent"),
    Threshold("fidelity", "beyond limits", 0.03, 0.10, "above real", control="independent", with_note=True),
    Threshold("fidelity", "unseen pairs", 0.03, 0.10, "above real", control="independent", with_note=True),
    Threshold("fidelity", "detection AUC (LightGBM)", 0.65, 0.80, control="independent"),
    Threshold("fidelity", "detection AUC (logistic)", 0.65, 0.80),
    Threshold("constraints", "broken rules", 0.01, 0.05, "above real", is_fact=True),
    Threshold("constraints", "out of range", 0.01, 0.05, "above real", is_fact=True),
)
"""Privacy near chance, utility near R2R, fidelity near what chance makes of the training people, rules as well kept as by
real rows.

They are conventions, not laws: .55 and .60 are where an attacker begins to do visibly better than a coin; .65 and .80
are what careful generators reach on small and on large clinical tables; fresh people of the same kind, as many as train
has, are about 1.4 times as far from train as people drawn from train with replacement.
"""

WORDING: dict[Family, dict[Level, str]] = {
    "privacy": {
        "good": "No leak found: every attack that was tried stays near chance.",
        "fair": "Look closer: some attack does a little better than chance or finds the wrong people, or some rows equal a "
        "patient's, lie near one, are in other units or codes, or carry another trace of people.",
        "poor": "Leak found: do not release these rows as they are.",
        "unknown": "Not judged.",
    },
    "utility": {
        "good": "Models trained on synthetic rows do about as well as models trained on real ones.",
        "fair": "Models trained on synthetic rows do somewhat worse than models trained on real ones.",
        "poor": "Models trained on synthetic rows do far worse than models trained on real ones.",
        "unknown": "Not judged.",
    },
    "fidelity": {
        "good": "The synthetic rows are distributed about as real rows are.",
        "fair": "The synthetic rows differ somewhat from real rows.",
        "poor": "The synthetic rows differ strongly from real rows.",
        "unknown": "Not judged.",
    },
    "constraints": {
        "good": "The synthetic rows keep ranges, and rules where any are declared, as well as real rows do.",
        "fair": "Some synthetic rows break declared rules or leave the ranges.",
        "poor": "Many synthetic rows break declared rules or leave the ranges.",
        "unknown": "Not judged.",
    },
}

UNSURE: dict[Family, str] = {
    "privacy": "No leak seen, but {people} are too few to exclude one.",
    "utility": "No loss beyond the limit seen, but {people} are too few to exclude one.",
    "fidelity": "No difference beyond the limit seen, but too few people or rows were there to exclude one.",
}
"""A fair family whose every value is good; that of constraints is counted and leaves no doubt."""

PERHAPS = "Look closer, though values beyond the limit may be chance among {people}."
"""The same where some values are not good."""

CULPRITS: dict[Cause, str] = {
    "beyond": "Beyond the limit: {metrics}.",
    "others": "Finds the test people instead: {metrics}.",
    "chance": "Beyond the limit, perhaps by chance: {metrics}.",
    "few": "Within the limit, but too few people to be sure: {metrics}.",
}


@dataclass(frozen=True)
class Criterion:
    """One metric as it was judged; `text` names value and thresholds, `cause` tells why it is fair."""

    metric: str
    level: Level
    text: str
    cause: Cause = ""


@dataclass(frozen=True)
class Verdict:
    """The verdict on a family: the worst level among its criteria, in words."""

    family: Family
    level: Level
    wording: str
    criteria: tuple[Criterion, ...]


def evaluation_verdicts(
    evaluation: Evaluation, untold: Mapping[str, Collection[str]] = MappingProxyType({})
) -> list[Verdict]:
    """The `verdicts` of an evaluation, which say how few people, or rows, it is of, and where copied rows are named."""
    sides = {"training": evaluation.train, "test": evaluation.test}
    counts = [(count_people(rows, evaluation.schema), f"{side} people") for side, rows in sides.items()]
    n_least, least = min(*counts, (len(evaluation.synthetic), "synthetic rows"), key=lambda pair: pair[0])
    found = verdicts(evaluation.scores, untold, f"{n_least:,} {least}")
    copied = evaluation.copied_rows.sum()
    return [_with_file(verdict) if _counts_copies(verdict, copied) else verdict for verdict in found]


def _counts_copies(verdict: Verdict, counts: pd.Series) -> bool:
    bad = [one for one in verdict.criteria if one.level == "poor" or one.cause in ("beyond", "chance")]
    return any(counts.get(one.metric, 0) > 0 for one in bad)


def _with_file(verdict: Verdict) -> Verdict:
    return replace(verdict, wording=f"{verdict.wording} See {COPIES_FILE} for the rows that are copies or near ones.")


def verdicts(
    scores: pd.DataFrame,
    untold: Mapping[str, Collection[str]] = MappingProxyType({}),
    people: str = "the people of these tables",
) -> list[Verdict]:
    """The verdicts on privacy, utility, fidelity and constraints of a table of scores, as `evaluate` gives it.

    A criterion is good where its figure is and the interval leaves no doubt that it is at least fair; poor where the
    figure is worse than fair and the interval leaves no doubt that it is not good; fair in between, and where too few
    people were there to tell, as where an attack has no interval at all.

    A family is as good as its worst criterion. What could not be judged is named; where that is every criterion with a
    control, the family is fair at best.

    Args:
        scores: The table.
        untold: By metric the references whose scores the texts must not tell, nor limits that they can be had from,
            since too few people stand behind them.
        people: Who are too few where that alone keeps a family from being good.
    """
    rows = {row["metric"]: row for _, row in scores.iterrows()}
    found = []
    for family in WORDING:
        thresholds = [one for one in THRESHOLDS if one.family == family and _applies(rows.get(one.metric))]
        criteria = {one: _judge(one, rows[one.metric], untold.get(one.metric, ())) for one in thresholds}
        found.append(_verdict(family, criteria, people))
    return found


def _applies(row: pd.Series | None) -> bool:
    return row is not None and not row["note"].startswith("not computed: does not apply")


def _verdict(family: Family, criteria: dict[Threshold, Criterion], people: str) -> Verdict:
    levels = [criterion.level for criterion in criteria.values() if criterion.level != "unknown"]
    level: Level = max(levels, key=ORDER.index) if levels else "unknown"
    controlled = [criterion.level for threshold, criterion in criteria.items() if threshold.control]
    culprits = [criterion for criterion in criteria.values() if criterion.level == level]
    if level == "good" and controlled and set(controlled) == {"unknown"}:
        level = "fair"
        words = [UNCONTROLLED[family]]
    elif level == "fair":
        words = _fair_words(family, culprits, people)
    else:
        words = [WORDING[family][level]]
    if level == "poor":
        words.append(f"Look at: {_metrics(culprits)}.")
    if unknown := [criterion for criterion in criteria.values() if criterion.level == "unknown"]:
        words.append(f"Could not be judged: {_metrics(unknown)}.")
    return Verdict(family, level, " ".join(words), tuple(criteria.values()))


def _fair_words(family: Family, culprits: list[Criterion], people: str) -> list[str]:
    by_cause = {cause: [one for one in culprits if one.cause == cause] for cause in CULPRITS}
    is_certain = by_cause["beyond"] or by_cause["others"]
    opening = WORDING[family]["fair"] if is_certain else PERHAPS if by_cause["chance"] else UNSURE[family]
    return [
        opening.format(people=people),
        *(CULPRITS[cause].format(metrics=_metrics(found)) for cause, found in by_cause.items() if found),
    ]


def _metrics(criteria: list[Criterion]) -> str:
    return ", ".join(criterion.metric for criterion in criteria)


UNCONTROLLED: dict[Family, str] = {
    "privacy": "No attack was able to find even copies of the training rows in this table.",
    "fidelity": "The columns by themselves are as in real rows; how they depend on one another could not be judged.",
}


def _judge(threshold: Threshold, row: pd.Series, untold: Collection[str]) -> Criterion:
    metric, value, text = threshold.metric, float(row["value"]), _text(threshold, row, "real" in untold)
    reference = _REFERENCE.get(threshold.figure)
    if pd.isna(value) or (reference and pd.isna(row[reference])):
        return Criterion(metric, "unknown", f"{metric}: {row['note'] or 'no value'}")
    if threshold.control:
        control = float(row[threshold.control])
        if _figure(threshold, control, row) <= threshold.good:
            score = "" if threshold.control in untold else f"score {control:.3f} and "
            reason = f"{_CONTROLS[threshold.control]} {score}would pass too"
            return Criterion(metric, "unknown", f"{metric} {value:.3f}: it cannot judge this table, {reason}")
    figure = _figure(threshold, value, row)
    low, high = _range(threshold, row)
    has_interval = not pd.isna(row["low"])
    if has_interval and threshold.chance is not None and _finds_others(threshold, threshold.chance, figure, high):
        return Criterion(metric, "fair", text + _OTHERS_FOUND, "others")
    by_value: Level = "good" if figure <= threshold.good else "fair" if figure <= threshold.fair else "poor"
    # Attacks and models on so few people that they have no interval tell nothing for sure: a label that one test person has.
    can_be_sure = threshold.is_fact or threshold.family not in ("privacy", "utility") or has_interval
    is_beyond = can_be_sure and low > threshold.good
    is_sure = is_beyond if by_value == "poor" else can_be_sure and (threshold.is_fact or high <= threshold.fair)
    level: Level = by_value if is_sure or by_value == "fair" else "fair"
    doubt = ": may be chance among so few people" if threshold.is_fact else ": too few people to tell"
    cause: Cause = "" if level != "fair" else "few" if by_value == "good" else "beyond" if is_beyond else "chance"
    return Criterion(metric, level, text + ("" if level == by_value else doubt), cause)


def _finds_others(threshold: Threshold, chance: float, figure: float, high: float) -> bool:
    """Whether the other side of chance, where the attacker takes test rows for training rows, would be poor for sure."""
    return 2 * chance - figure > threshold.fair and 2 * chance - high > threshold.good


_OTHERS_FOUND = (
    ": the test rows are nearer to the synthetic rows than the training rows are. Are train and test in each other's place, "
    "or is the test file the synthetic one, or did the generator learn from test rows, or are these other kinds of people?"
)
_CONTROLS = {"copy": "copies of the training rows", "independent": "columns shuffled apart"}
_REFERENCE = {"above real": "real", "times copy": "copy"}


def _figure(threshold: Threshold, value: float, row: pd.Series) -> float:
    figures: dict[str, Callable[[], float]] = {
        "value": lambda: value,
        "above real": lambda: value - row["real"],
        "times copy": lambda: value / max(row["copy"], threshold.least_copy),
    }
    return float(figures[threshold.figure]())


def _range(threshold: Threshold, row: pd.Series) -> tuple[float, float]:
    """The 95 % interval of the figure; the figure itself where there is none.

    That of a difference of two shares is put together from theirs (Zou and Donner, Construction of confidence limits
    about effect measures, Statistics in Medicine 27, 2008).
    """
    value, figure = row["value"], _figure(threshold, row["value"], row)
    if pd.isna(row["low"]):
        return figure, figure
    if threshold.figure == "above real":
        real_low, real_high = (row["real"] if pd.isna(row[end]) else row[end] for end in ("real_low", "real_high"))
        below = math.hypot(value - row["low"], real_high - row["real"])
        return figure - below, figure + math.hypot(row["high"] - value, row["real"] - real_low)
    return _figure(threshold, row["low"], row), _figure(threshold, row["high"], row)


def _text(threshold: Threshold, row: pd.Series, is_untold: bool) -> str:
    value = f"{threshold.metric} {row['value']:.3f}"
    if threshold.with_note and row["note"]:
        value += f" ({row['note']})"
    interval = "" if pd.isna(row["low"]) else f", 95 % interval {row['low']:.3f} to {row['high']:.3f}"
    if is_untold:
        above = f"good up to {threshold.good:.3g} and fair up to {threshold.fair:.3g} above real rows"
        return f"{value}{interval} ({above}; real rows not told: too few people)"
    good, fair = (_limit(threshold, figure, row) for figure in (threshold.good, threshold.fair))
    beside = {"above real": "; real rows {real:.3f}", "times copy": "; drawn again from train {copy:.3f}"}
    reference = beside.get(threshold.figure, "").format(real=row["real"], copy=row["copy"])
    return f"{value}{interval} (good up to {good}, fair up to {fair}{reference})"


def _limit(threshold: Threshold, figure: float, row: pd.Series) -> str:
    limits = {
        "value": figure,
        "above real": row["real"] + figure,
        "times copy": figure * max(row["copy"], threshold.least_copy),
    }
    return f"{limits[threshold.figure]:.3g}"
