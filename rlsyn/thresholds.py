"""The values of a quantity at which a category sets in: the limits by which diagnoses are made."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import xlogy
from scipy.stats import fisher_exact

from rlsyn.ranks import normal_scores
from rlsyn.schema import Category, Column, Schema
from rlsyn.values.categories import category_text
from rlsyn.values.numbers import as_written

MIN_PEOPLE = 10
"""On either side of a threshold, between two, and with and without a category: fewer people make no limit."""
MIN_GAIN = 12.0
"""Log-likelihood, beyond the logarithm of the number of pairs of columns looked at, that a threshold has to gain."""
N_NEAREST = 20
"""People on either side of a threshold among whom the share of a category must differ."""
MAX_CHANCE = 1e-4
"""Of such a difference, by Fisher's exact test."""
MAX_CHANCE_BESIDE = 1e-2
"""The same at a threshold that was found for another category: one place is looked at instead of all."""
MAX_PEOPLE = 5_000
"""People looked at: among so many a limit shows."""
MAX_CATEGORIES = 20
"""Columns of more categories are codes, of which each is rare."""
PENALTY = 0.01
"""Of the squares of a tilt's weights, so that sure relations have one, too."""
MAX_NEWTON = 25


class Limit(NamedTuple):
    """A threshold of a quantity, and the category that sets in there or ends.

    Args:
        gain: Log-likelihood that a step there gains.
        threshold: Half way between the values on either side.
        quantity: Column of numbers.
        column: Column of the category.
        category: One of its categories.
    """

    gain: float
    threshold: float
    quantity: str
    column: str
    category: Category


def find_thresholds(
    train: pd.DataFrame, schema: Schema, people: np.ndarray, n_thresholds: int
) -> dict[str, dict[float, list[tuple[str, Category]]]]:
    """The thresholds of quantities, those of `find_limits`, and the columns and categories that each is of.

    Args:
        train: Training rows.
        schema: Their columns.
        people: The person each row is of `(n,)`.
        n_thresholds: Thresholds of a quantity at most: those that gain most.

    Returns:
        By quantity, columns and categories by threshold, ascending; only quantities that have one. A threshold with
        hardly anybody between it and one that gains more is taken for that.
    """
    found: dict[str, dict[float, list[tuple[str, Category]]]] = {}
    limits = find_limits(train, schema, people) if n_thresholds else []
    table = train.iloc[row_of_some(people)]
    for limit in sorted(limits, key=lambda one: (one.gain, one.threshold), reverse=True):
        chosen = found.setdefault(limit.quantity, {})
        values = table[limit.quantity].to_numpy(dtype=float, na_value=np.nan)
        between = {one: n_between(values, one, limit.threshold) for one in chosen}
        if between and min(between.values()) < MIN_PEOPLE:
            chosen[min(between, key=between.__getitem__)].append((limit.column, limit.category))
        elif len(chosen) < n_thresholds:
            chosen[limit.threshold] = [(limit.column, limit.category)]
    return {name: dict(sorted(chosen.items())) for name, chosen in found.items()}


def n_between(values: np.ndarray, first: float, second: float) -> int:
    """How many values are below one of two numbers and not below the other."""
    return abs(int((values < first).sum()) - int((values < second).sum()))


def find_limits(train: pd.DataFrame, schema: Schema, people: np.ndarray) -> list[Limit]:
    """Where quantities have thresholds: below and above, a category of another column is not as frequent by a jump.

    A diagnosis is often a limit: hypothyroid from a TSH of 6 on, bradycardia below 60 beats a minute. Functions that
    are smooth in a quantity's rank blur it, and patients appear who have a disease by their label and not by their
    laboratory. The ranks of those with a category, and of those without, are tilted by functions of the normal score and
    its square, as a head begins; a threshold is where a step beside these makes them far likelier, more than by chance
    among all steps of all pairs of columns, and where the share of the category is another among the nearest people
    above than among those below. What is strong but smooth has none. A row of each person is looked at. Where one category
    sets in, another needs less evidence that it does, too.

    Args:
        train: Training rows.
        schema: Their columns.
        people: The person each row is of `(n,)`.

    Returns:
        One at most for each quantity and category, in the order of the columns.
    """
    table = train.iloc[row_of_some(people)]
    quantities = [column.name for column in schema.columns if not column.is_discrete]
    categories = [
        one for column in schema.columns if column.is_discrete for one in _categories(table[column.name], column)
    ]
    min_gain = math.log(max(1, len(quantities) * len(categories))) + MIN_GAIN
    return [
        limit
        for name in quantities
        for limit in _limits(table[name].to_numpy(dtype=float, na_value=np.nan), name, categories, min_gain)
    ]


def row_of_some(people: np.ndarray) -> np.ndarray:
    """The number of a row of each person, of very many people of some, ascending."""
    rows = row_of_each(people)
    if len(rows) > MAX_PEOPLE:
        # By chance: of a table of cases and controls in turn every other row would be of one kind.
        rows = np.sort(np.random.default_rng(0).choice(rows, MAX_PEOPLE, replace=False))
    return rows


def row_of_each(people: np.ndarray) -> np.ndarray:
    """The number of a row of each person, ascending; which one is chance, as the first is of a time before all else."""
    order = np.random.default_rng(0).permutation(len(people))
    # Names may be of several kinds, which have no order.
    return np.sort(order[~pd.Series(people[order]).duplicated()])


class _Members(NamedTuple):
    """Whether each row `(n,)` has a category of a column."""

    are: np.ndarray
    column: str
    category: Category


def _categories(values: pd.Series, column: Column) -> list[_Members]:
    """The members of each category of a column; none of one that has too many."""
    codes, distinct = pd.factorize(as_written(values).astype(object))
    texts = pd.Series([category_text(value) for value in distinct])
    if texts.nunique() > MAX_CATEGORIES:
        return []
    known = {category_text(category): category for category in column.categories}
    members = [
        _Members(np.isin(codes, np.flatnonzero(texts == text)), column.name, known.get(text, text))
        for text in texts.unique()  # 1 and "1" are one category
    ]
    # Of two, one says it all.
    return members[:1] if len(members) == 2 and (codes >= 0).all() else members


class _Tilt(NamedTuple):
    """Shares `(n,)` of rows proportional to exp(functions @ weights), and the log-likelihood of members beside 1 / n."""

    shares: np.ndarray
    gain: float


class _Step(NamedTuple):
    """A category beside a quantity in ascending order: the smooth tilts of its members and of the others."""

    smooth: np.ndarray
    groups: tuple[np.ndarray, np.ndarray]
    tilts: tuple[_Tilt, _Tilt]

    def gain(self, end: int) -> float:
        """Log-likelihood that a step at `end` gains beside the smooth tilts."""
        functions = np.c_[self.smooth, np.arange(len(self.smooth)) >= end]
        return float(sum(_tilt(functions, group).gain for group in self.groups) - sum(one.gain for one in self.tilts))

    def jumps(self, end: int, max_chance: float) -> bool:
        """Whether the share of members is another just above than just below: what is smooth bends there."""
        sides = self.groups[0][max(0, end - N_NEAREST) : end], self.groups[0][end : end + N_NEAREST]
        return bool(fisher_exact([[side.sum(), (~side).sum()] for side in sides]).pvalue < max_chance)


def _limits(values: np.ndarray, quantity: str, categories: Sequence[_Members], min_gain: float) -> list[Limit]:
    """The best step of a quantity for each category that has one; first for itself, then where another has it."""
    order = np.argsort(values, kind="stable")[: int(np.isfinite(values).sum())]
    values = values[order]
    ends = np.flatnonzero(np.diff(values) > 0) + 1
    ends = ends[(ends >= MIN_PEOPLE) & (ends <= len(values) - MIN_PEOPLE)]
    if len(ends) == 0:
        return []
    scores = normal_scores(values)
    smooth = np.stack([scores, scores**2 / 2], axis=1)
    found: dict[int, tuple[float, int]] = {}
    steps: dict[int, _Step] = {}
    for place, category in enumerate(categories):
        groups = category.are[order], ~category.are[order]
        if min(group.sum() for group in groups) < MIN_PEOPLE:
            continue
        alone = np.sum([_gains_alone(group, ends) for group in groups], axis=0)
        if alone.max() < min_gain:
            continue
        steps[place] = step = _Step(smooth, groups, (_tilt(smooth, groups[0]), _tilt(smooth, groups[1])))
        promising = {
            alone.argmax(),
            *(_distances(one, group, ends).argmax() for one, group in zip(step.tilts, groups, strict=True)),
        }
        gain, end = max((step.gain(end), int(end)) for end in ends[[*promising]])
        if gain > min_gain and step.jumps(end, MAX_CHANCE):
            found[place] = gain, end
    known = {end for _, end in found.values()}
    for place in steps.keys() - found.keys():
        gain, end = max(((steps[place].gain(end), end) for end in known), default=(0.0, 0))
        if gain > min_gain and steps[place].jumps(end, MAX_CHANCE_BESIDE):
            found[place] = gain, end
    return [
        Limit(
            gain,
            float(values[end - 1 : end + 1].mean()),
            quantity,
            categories[place].column,
            categories[place].category,
        )
        for place, (gain, end) in sorted(found.items())
    ]


def _gains_alone(members: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Log-likelihood of the members' values that each step alone gains, by the number of rows below it."""
    below, n, n_members = np.cumsum(members)[ends - 1], len(members), members.sum()
    gains: np.ndarray = xlogy(below, below * n / (n_members * ends))
    return gains + xlogy(n_members - below, (n_members - below) * n / (n_members * (n - ends)))


def _distances(tilt: _Tilt, members: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """How far the share of members below each end is from what a tilt says, squared, in units of its variance."""
    expected = np.clip(np.cumsum(tilt.shares), 1e-9, 1 - 1e-9)
    found: np.ndarray = ((np.cumsum(members) / members.sum() - expected) ** 2 / (expected * (1 - expected)))[ends - 1]
    return found


def _tilt(functions: np.ndarray, members: np.ndarray) -> _Tilt:
    """The tilt that makes the rows of members likeliest, by Newton's method: the objective is concave."""
    n_members, sums = members.sum(), functions[members].sum(0)

    def objective(weights: np.ndarray) -> float:
        return float(sums @ weights - n_members * _log_sum(functions @ weights) - PENALTY / 2 * weights @ weights)

    weights, shares = np.zeros(functions.shape[1]), np.full(len(functions), 1 / len(functions))
    reached = objective(weights)
    for _ in range(MAX_NEWTON):
        means, weighted = shares @ functions, functions * shares[:, None]
        curvature = n_members * (functions.T @ weighted - np.outer(means, means)) + PENALTY * np.eye(len(weights))
        step = np.linalg.solve(curvature, sums - n_members * means - PENALTY * weights)
        while (value := objective(weights + step)) < reached and np.abs(step).max() > 1e-6:
            step /= 2
        gained, reached, weights = value - reached, value, weights + step
        logits = functions @ weights
        shares = np.exp(logits - _log_sum(logits))
        if gained < 1e-4:
            break
    return _Tilt(shares, reached + PENALTY / 2 * float(weights @ weights) + float(n_members * np.log(len(functions))))


def _log_sum(logits: np.ndarray) -> float:
    """Logarithm of the sum of exponentials; scipy's takes most of its time to look what kind of array it has."""
    largest = logits.max()
    return float(largest + np.log(np.exp(logits - largest).sum()))
