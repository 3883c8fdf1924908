"""What a family of metrics declares (`Metric`, `Measure`) and returns (`Measurement`), and its 95 % intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import binomtest, t

from rlsyn.schema import Schema

Family = Literal["fidelity", "utility", "privacy", "constraints", "cost"]
Goal = Literal["minimise", "maximise", "0.5", "0", "none"]
"""`0.5` and `0` are values to come near to; a metric whose goal is `none` only describes."""

N_GROUPS = 20
"""Groups of people that the jackknife leaves out, one at a time."""


@dataclass(frozen=True)
class Metric:
    """A metric as a reader needs it to understand its value.

    Args:
        name: As in the table of scores.
        family: What it judges.
        goal: What a good generator does with it.
        low: Least possible value.
        high: Largest possible value.
        meaning: One sentence for people who do not know it.
    """

    name: str
    family: Family
    goal: Goal
    low: float
    high: float
    meaning: str


class Estimate(NamedTuple):
    """A value and its 95 % interval; NaN where there is none."""

    value: float
    low: float = float("nan")
    high: float = float("nan")


@dataclass(frozen=True)
class Measurement:
    """What a measure found.

    Args:
        estimates: By metric; NaN where a metric has no value.
        notes: By metric: why it has no value, or what the reader has to know of it.
        details: What figures and tables of the report are drawn from: arrays and frames by name.
    """

    estimates: dict[str, Estimate]
    notes: dict[str, str] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Tables:
    """The three tables and how to measure them.

    Args:
        train: Rows that the generator learned from; may hold the group column.
        test: Real rows that it never saw; may hold the group column.
        synthetic: The rows to judge, or real ones in their place; may then hold the group column.
        schema: The columns.
        seed: Of everything random.
        fast: Whether to spend seconds where minutes would give a finer answer.
        with_intervals: Whether intervals are wanted.
    """

    train: pd.DataFrame
    test: pd.DataFrame
    synthetic: pd.DataFrame
    schema: Schema
    seed: int = 0
    fast: bool = False
    with_intervals: bool = True


@dataclass(frozen=True)
class Measure:
    """A computation that gives one or more metrics.

    Args:
        name: Under which its details are found.
        metrics: Those that it gives, in the order of the table of scores.
        compute: The computation; it raises `NotComputableError` when these tables have none of the metrics.
        real: What the reference `real` puts in the place of the synthetic rows: the `test` rows; the `train` rows (for
            measures that compare with the test rows); or one of two `halves` of the test rows, while the other half
            stays the test rows (for attacks that must not know those whom they attack). Or a computation of its own.
    """

    name: str
    metrics: tuple[Metric, ...]
    compute: Callable[[Tables], Measurement]
    real: Literal["test", "train", "halves"] | Callable[[Tables], Measurement] = "test"


def margins(
    statistics: Callable[..., np.ndarray], persons: Sequence[np.ndarray], seed: int, n_groups: int = N_GROUPS
) -> np.ndarray:
    """How far 95 % intervals reach to either side of statistics of one or more samples, by the jackknife over people.

    The people of each sample are dealt at random to `n_groups` groups; each group is left out of all samples at once,
    and se^2 = (g - 1) / g * sum (statistic without the group - their mean)^2; the margin is that times the 97.5 %
    quantile of Student's t with g - 1 degrees of freedom. Leaving out instead of drawing with replacement makes no
    duplicate rows, which would push distances between samples and distances to neighbours.

    Args:
        statistics: Takes the numbers of the rows to keep, an array for each sample, and returns an array of values.
        persons: For each sample, the number of the person that each row belongs to.
        seed: Of the groups.
        n_groups: How many; fewer where a sample has fewer people.

    Returns:
        An array as `statistics` returns them; NaN where a sample has fewer than two people.

    References:
        Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 11; Kott, The delete-a-group jackknife,
        Journal of Official Statistics 17, 2001.
    """
    n_people = [len(np.unique(numbers)) for numbers in persons]
    n_groups = min(n_groups, *n_people)
    if n_groups < 2:
        return np.full(np.shape(statistics(*[np.arange(len(numbers)) for numbers in persons])), np.nan)
    rng = np.random.default_rng(seed)
    group_of_row = [
        (rng.permutation(n) % n_groups)[np.unique(numbers, return_inverse=True)[1]]
        for n, numbers in zip(n_people, persons, strict=True)
    ]
    without = np.array(
        [statistics(*[np.flatnonzero(groups != group) for groups in group_of_row]) for group in range(n_groups)]
    )
    return float(t.ppf(0.975, n_groups - 1)) * np.sqrt((n_groups - 1) * without.var(axis=0))


def with_interval(value: float, margin: float, metric: Metric) -> Estimate:
    """The value with the interval that reaches so far to either side, cut off at the ends of the metric's range."""
    low, high = np.clip([value - margin, value + margin], metric.low, metric.high)
    return Estimate(value, float(low), float(high))


def share_estimate(hits: np.ndarray, n_people: int | None = None) -> Estimate:
    """The share of rows that are hits, with Wilson's 95 % interval, which stays honest where there is no hit.

    Args:
        hits: For each row whether it is one.
        n_people: How many people the rows are of, if fewer: rows of one person are alike, and the interval is that of
            the same share of so many people.

    Example:
        >>> estimate = share_estimate(np.zeros(300, dtype=bool))
        >>> round(estimate.value, 3), round(estimate.low, 3), round(estimate.high, 3)
        (0.0, 0.0, 0.013)
    """
    return interval_of_share(float(hits.mean()), n_people or len(hits))


def interval_of_share(share: float, n_people: int) -> Estimate:
    """A share of so many people with Wilson's 95 % interval."""
    interval = binomtest(round(share * n_people), n_people).proportion_ci(method="wilson")
    return Estimate(share, float(interval.low), float(interval.high))


def share_beside(hits: np.ndarray, others: np.ndarray, n_people: int) -> Estimate:
    """The share of rows that are hits; its interval is that of these and other rows together, stretched to the share.

    Args:
        hits: For each row whether it is one.
        others: The same of other rows, of people of the same kind.
        n_people: How many people all of them are of.
    """
    return stretched(share_estimate(np.concatenate([others, hits]), n_people), float(hits.mean()))


def stretched(of_all: Estimate, value: float) -> Estimate:
    """A value with the interval of an estimate that is of more people, stretched to the value where it is outside."""
    return Estimate(value, min(of_all.low, value), max(of_all.high, value))
