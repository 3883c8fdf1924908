"""Limits that the training people keep: a quantity beyond which hardly anybody has a category, such as a diagnosis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pandas as pd

from rlsyn.evaluation.disclosure import n_people
from rlsyn.evaluation.features import NotComputableError, category_positions, column_numbers, row_groups
from rlsyn.evaluation.measure import Estimate, Measure, Measurement, Metric, Tables, share_beside, share_estimate
from rlsyn.schema import Category, Column, Schema
from rlsyn.thresholds import find_limits, first_rows, n_between
from rlsyn.values.categories import category_text

BEYOND = Metric(
    *("beyond limits", "fidelity", "minimise", 0, 1),
    "Of records that a limit of train is of, such as patients with a disease that begins at a laboratory value, the share "
    "that has the disease and not the value; mean over the quantities that have limits, of each its worst.",
)
MAX_BROKEN = 0.05
"""Share of the training people of a limit who are beyond it; one that more of them are beyond is none that people keep."""
MIN_LIFT = 5.0
"""So many times as large a share of all people is beyond, or the limit is none of theirs: they hardly reach it anyhow."""
MIN_BEYOND = 0.05
"""Of all people, whatever their category: who is beyond a limit that nearly all keep by chance tells nothing."""
MAX_CROSSED = 0.01
"""Share of people whose side of a limit may change when it is told as a round number, so that it is nobody's own value."""
N_DIGITS = 18
"""Of a number of 64 bits, with one to spare."""
NO_LIMITS = "does not apply: train has no limit of a quantity that people of a category keep"


@dataclass(frozen=True)
class KeptLimit:
    """A limit, those who keep it, and their side of it.

    Args:
        quantity: Column of numbers.
        bound: The limit as a round number.
        is_above: Whether those who keep it are at the bound and above; or below.
        column: Column of the category.
        category: The category.
        is_of_category: Whether those who have the category keep it; or those who have another.
    """

    quantity: str
    bound: float
    is_above: bool
    column: str
    category: Category
    is_of_category: bool

    def applies(self, table: pd.DataFrame, schema: Schema) -> np.ndarray:
        """Whether the limit is of each row `(n,)`, which has its category, or another, and a value of the quantity."""
        column = schema[self.column]
        positions = category_positions(table[self.column], column)
        has_it = positions == _position(self.category, column)
        return (positions >= 0) & (has_it == self.is_of_category) & ~np.isnan(column_numbers(table[self.quantity]))

    def is_beyond(self, table: pd.DataFrame) -> np.ndarray:
        """Whether the value of each row `(n,)` is on the other side; of a missing one it is not."""
        values = column_numbers(table[self.quantity])
        return values < self.bound if self.is_above else values >= self.bound

    def text(self, schema: Schema) -> str:
        """Such as `TSH >= 6 where Class is primary`."""
        column = schema[self.column]
        position = _position(self.category, column)
        is_other = not self.is_of_category and len(column.categories) == 2
        category = column.categories[1 - position if is_other else position]
        verb = "is" if self.is_of_category or is_other else "is not"
        sign = ">=" if self.is_above else "<"
        return (
            f"{self.quantity} {sign} {category_text(self.bound)} where {self.column} {verb} {category_text(category)}"
        )


def _position(category: Category, column: Column) -> int:
    return int(category_positions(pd.Series([category], dtype=object), column)[0])


def kept_limits(train: pd.DataFrame, schema: Schema) -> list[KeptLimit]:
    """The limits of `find_limits`, rounded, that at least 95 % of those keep who have the category, or have another.

    Of all people, whatever their category, five times as large a share is beyond, and at least 5 %. The first row of each
    person is looked at. A limit that both keep, as where a diagnosis is nothing but the limit, is two.
    """
    persons = row_groups(train, schema)
    people = train.iloc[first_rows(persons)]
    found: dict[str, KeptLimit] = {}
    for limit in sorted(find_limits(train, schema, persons), reverse=True):
        bound = _round_bound(limit.threshold, column_numbers(people[limit.quantity]))
        for is_of, is_above in product((True, False), (True, False)):
            kept = KeptLimit(limit.quantity, bound, is_above, limit.column, limit.category, is_of)
            if _is_kept(kept, people, schema):
                found.setdefault(kept.text(schema), kept)
    return list(found.values())


def _is_kept(limit: KeptLimit, people: pd.DataFrame, schema: Schema) -> bool:
    applies, is_beyond = limit.applies(people, schema), limit.is_beyond(people)
    broken, of_all = is_beyond[applies].mean(), is_beyond.mean()
    return bool(broken <= MAX_BROKEN and of_all >= MIN_BEYOND and of_all >= MIN_LIFT * broken)


def _round_bound(threshold: float, values: np.ndarray) -> float:
    """The number of fewest digits that hardly any value lies between and the threshold."""
    allowed = MAX_CROSSED * np.isfinite(values).sum()
    first = -math.floor(math.log10(abs(threshold) or 1.0)) - 1
    for digits in range(first, first + N_DIGITS):
        scaled = threshold * 10.0**digits
        near = [round(number / 10.0**digits, max(0, digits)) for number in (math.floor(scaled), math.ceil(scaled))]
        crossed = {bound: n_between(values, bound, threshold) for bound in near}
        bound = min(near, key=lambda one: (crossed[one], abs(one - threshold)))
        if crossed[bound] <= allowed:
            return bound
    return threshold


@dataclass(frozen=True)
class _Side:
    """A table beside the limits.

    Args:
        applies: Which limits are of which rows `(n, n_limits)`.
        beyond: And which of these rows are beyond them.
        persons: The person each row is of `(n,)`.
    """

    applies: np.ndarray
    beyond: np.ndarray
    persons: np.ndarray

    @classmethod
    def of(cls, table: pd.DataFrame, limits: Sequence[KeptLimit], schema: Schema) -> _Side:
        """That of a table."""
        applies = np.stack([one.applies(table, schema) for one in limits], axis=1)
        beyond = applies & np.stack([one.is_beyond(table) for one in limits], axis=1)
        return cls(applies, beyond, row_groups(table, schema))

    def shares(self) -> np.ndarray:
        """Of the rows that each limit is of, the share beyond it; NaN of none."""
        with np.errstate(invalid="ignore"):
            shares: np.ndarray = self.beyond.sum(0) / self.applies.sum(0)
        return shares

    def estimates(self, others: _Side | None = None) -> dict[int, Estimate]:
        """The share of each limit that is of any row, with intervals: of these rows, or of others' and these together."""
        found = {}
        for limit in np.flatnonzero(self.applies.any(axis=0)).tolist():
            hits, persons = self._of(limit)
            if others is None:
                found[limit] = share_estimate(hits, n_people(persons))
            else:
                beside, further = others._of(limit)
                found[limit] = share_beside(hits, beside, n_people(persons) + n_people(further))
        return found

    def _of(self, limit: int) -> tuple[np.ndarray, np.ndarray]:
        # Of the rows that a limit is of, which are beyond, and the persons.
        return self.beyond[self.applies[:, limit], limit], self.persons[self.applies[:, limit]]

    def people(self) -> list[int]:
        """Of each limit the people on that side of it that has fewer, if anybody: so few a share tells of."""
        return [
            min((n for n in (n_people(self.persons[rows]) for rows in sides) if n), default=0)
            for sides in zip(self.beyond.T, (self.applies & ~self.beyond).T, strict=True)
        ]


def measure_limits(tables: Tables) -> Measurement:
    """The share of records beyond a limit among those that it is of: of each quantity the worst, their mean.

    Its ends are the means of those of Wilson's 95 % intervals, as if all limits were broken by the same chance. In the
    details `by_limit`, a frame by the limit's text, has the shares of the `train`, `test` and `synthetic` rows, NaN
    where a limit is of none; `people_by_limit` the fewest people of `train` and `test` on one side of each, if there
    are any, and `people` the fewest of all.

    Raises:
        NotComputableError: Train has no limit, or no synthetic record is of a category that one is of.
    """
    return _measure(tables)


def limits_of_real(tables: Tables) -> Measurement:
    """What `measure_limits` finds of the test rows in the place of the synthetic ones.

    How often people are beyond is told by all of them: the intervals are those of train and test rows together,
    stretched to the test rows' shares.
    """
    return _measure(replace(tables, synthetic=tables.test), with_train=True)


def _measure(tables: Tables, with_train: bool = False) -> Measurement:
    schema = tables.schema
    limits = kept_limits(tables.train, schema)
    if not limits:
        raise NotComputableError(NO_LIMITS)
    sides = {name: _Side.of(getattr(tables, name), limits, schema) for name in ("train", "test", "synthetic")}
    estimates = sides["synthetic"].estimates(sides["train"] if with_train else None)
    if not estimates:
        raise NotComputableError("no record is of a category that a limit of train is of")
    index = pd.Index([one.text(schema) for one in limits], name="limit")
    by_limit = pd.DataFrame({name: side.shares() for name, side in sides.items()}, index)
    quantities = {limits[place].quantity for place in estimates}
    worst = [
        max(one for place, one in estimates.items() if limits[place].quantity == name) for name in sorted(quantities)
    ]
    value, low, high = np.mean(worst, axis=0).tolist()
    people = pd.DataFrame({name: sides[name].people() for name in ("train", "test")}, index)
    return Measurement(
        {BEYOND.name: Estimate(value, low, high) if tables.with_intervals else Estimate(value)},
        {BEYOND.name: _note(by_limit["synthetic"])},
        {
            "by_limit": by_limit,
            "people_by_limit": people,
            "people": {
                name: int(counts[counts > 0].min()) if (counts > 0).any() else 0 for name, counts in people.items()
            },
        },
    )


def _note(shares: pd.Series) -> str:
    n_looked_at = int(shares.notna().sum())
    count = f"{len(shares)} limit{'s' if len(shares) > 1 else ''}"
    if n_looked_at < len(shares):
        count = f"{n_looked_at} of {count}, of the others there is no record"
    return f"{count}; worst: {shares.idxmax()} ({shares.max():.3f})" if shares.max() > 0 else count


MEASURE = Measure("limits", (BEYOND,), measure_limits, real=limits_of_real)
