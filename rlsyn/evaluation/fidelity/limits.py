"""Limits that the training people keep: a quantity beyond which hardly anybody has a category, such as a diagnosis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pandas as pd

from rlsyn.evaluation.disclosure import MIN_PEOPLE, fewest, n_people
from rlsyn.evaluation.features import NotComputableError, category_positions, column_numbers, row_groups
from rlsyn.evaluation.measure import Estimate, Measure, Measurement, Metric, Tables, interval_of_share, stretched
from rlsyn.schema import Category, Column, Schema
from rlsyn.thresholds import find_limits, n_between, row_of_some
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
"""Of those with the category, and of those with another, the share whose side may change when a limit is rounded."""
N_DIGITS = 18
"""Of a number of 64 bits, with one to spare."""
N_ADDED = 20
"""Records with train's share beyond that are added to each limit's: one record of one is no limit broken."""
MAX_POWER = 300
"""Of ten; a number of 64 bits holds hardly more."""
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
        has, has_another = _have(table, schema[self.column], self.category)
        return (has if self.is_of_category else has_another) & ~np.isnan(column_numbers(table[self.quantity]))

    def is_beyond(self, table: pd.DataFrame) -> np.ndarray:
        """Whether the value of each row `(n,)` is on the other side; of a missing one it is not."""
        return self.breaks(column_numbers(table[self.quantity]))

    def breaks(self, values: np.ndarray) -> np.ndarray:
        """The same of plain numbers."""
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


def _have(table: pd.DataFrame, column: Column, category: Category) -> tuple[np.ndarray, np.ndarray]:
    """Which rows have a category, and which another of its column; of those without any neither."""
    positions, own = category_positions(table[column.name], column), _position(category, column)
    has_any = positions >= 0
    return has_any & (positions == own), has_any & (positions != own)


def _position(category: Category, column: Column) -> int:
    return int(category_positions(pd.Series([category], dtype=object), column)[0])


def kept_limits(train: pd.DataFrame, schema: Schema) -> list[KeptLimit]:
    """The limits of `find_limits`, rounded, that at least 95 % of those keep who have the category, or have another.

    Of all people, whatever their category, five times as large a share is beyond, and at least 5 %. A row of each
    person is looked at. A limit that both keep, as where a diagnosis is nothing but the limit, is two.
    """
    persons = row_groups(train, schema)
    people = train.iloc[row_of_some(persons)]
    found: dict[str, KeptLimit] = {}
    for limit in sorted(find_limits(train, schema, persons), key=lambda one: one.gain, reverse=True):
        values = column_numbers(people[limit.quantity])
        has, has_another = _have(people, schema[limit.column], limit.category)
        members, others = (values[rows & ~np.isnan(values)] for rows in (has, has_another))
        bound = _round_bound(limit.threshold, (members, others))
        for is_of, is_above in product((True, False), (True, False)):
            kept = KeptLimit(limit.quantity, bound, is_above, limit.column, limit.category, is_of)
            if _is_kept(kept, members, others) if is_of else _is_kept(kept, others, members):
                found.setdefault(kept.text(schema), kept)
    return list(found.values())


def _is_kept(limit: KeptLimit, own: np.ndarray, others: np.ndarray) -> bool:
    """Whether those whom a limit is of keep it, by their values of the quantity and by those of all others."""
    if len(own) == 0:
        return False
    broken, of_all = limit.breaks(own).mean(), limit.breaks(np.concatenate([own, others])).mean()
    return bool(broken <= MAX_BROKEN and of_all >= MIN_BEYOND and of_all >= MIN_LIFT * broken)


def _round_bound(threshold: float, groups: Sequence[np.ndarray]) -> float:
    """The number of fewest digits near a threshold: few of any group are between, and it is not a value of one or two.

    Args:
        threshold: The number.
        groups: Values of those with the category, and of those with another.
    """
    first = -math.floor(math.log10(abs(threshold) or 1.0)) - 1
    for digits in range(first, min(first + N_DIGITS, MAX_POWER)):
        scaled = threshold * 10.0**digits
        near = (round(number / 10.0**digits, max(0, digits)) for number in (math.floor(scaled), math.ceil(scaled)))
        for bound in sorted(near, key=lambda one: abs(one - threshold)):
            is_crossed = any(n_between(values, bound, threshold) > MAX_CROSSED * len(values) for values in groups)
            if not is_crossed and not 0 < sum((values == bound).sum() for values in groups) < MIN_PEOPLE:
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

    def estimates(self, train: _Side, is_real: bool) -> dict[int, Estimate]:
        """The share beyond each limit, with train's added; of limits that are of no row only where the rows are real.

        Intervals of real rows are those of these and of train's together.
        """
        found = {}
        for limit, of_train in enumerate(train.shares().tolist()):
            applies = self.applies[:, limit]
            n_rows, n_persons = int(applies.sum()), n_people(self.persons[applies])
            share = (self.beyond[:, limit].sum() + N_ADDED * of_train) / (n_rows + N_ADDED)
            if is_real:
                n_known = n_people(train.persons[train.applies[:, limit]])
                n_both = n_persons + n_known
                both = interval_of_share((n_persons * share + n_known * of_train) / n_both, n_both)
                found[limit] = stretched(both, share)
            elif n_rows:
                found[limit] = interval_of_share(share, n_persons + N_ADDED)
        return found

    def people(self) -> list[int]:
        """Of each limit the people on that side of it that has fewer, if anybody: so few a share tells of."""
        return [
            fewest(n_people(self.persons[rows]) for rows in sides)
            for sides in zip(self.beyond.T, (self.applies & ~self.beyond).T, strict=True)
        ]


def measure_limits(tables: Tables) -> Measurement:
    """The share of records beyond a limit among those that it is of: of each quantity the worst, their mean.

    To the records of each limit 20 are added, with train's share beyond, lest one record decide. The ends are the means
    of those of Wilson's 95 % intervals, as if all limits were broken by the same chance. In the details `by_limit`, a
    frame by the limit's text, has the shares of the `train`, `test` and `synthetic` rows, NaN where a limit is of none;
    `people_by_limit` the fewest people of `train` and `test` on one side of each, if there are any, and `people` the
    fewest of all.

    Raises:
        NotComputableError: Train has no limit, or no synthetic record is of a category that one is of.
    """
    return _measure(tables)


def limits_of_real(tables: Tables) -> Measurement:
    """What `measure_limits` finds of the test rows in the place of the synthetic ones.

    How often people are beyond is told by all of them: the intervals are those of train and test people together,
    stretched to the test rows' shares. A limit that is of no test row has train's share.
    """
    return _measure(replace(tables, synthetic=tables.test), is_real=True)


def _measure(tables: Tables, is_real: bool = False) -> Measurement:
    schema = tables.schema
    limits = kept_limits(tables.train, schema)
    if not limits:
        raise NotComputableError(NO_LIMITS)
    sides = {name: _Side.of(getattr(tables, name), limits, schema) for name in ("train", "test", "synthetic")}
    estimates = sides["synthetic"].estimates(sides["train"], is_real)
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
            "people": {name: fewest(counts) for name, counts in people.items()},
        },
    )


def _note(shares: pd.Series) -> str:
    n_looked_at = int(shares.notna().sum())
    count = f"{len(shares)} limit{'s' if len(shares) > 1 else ''}"
    if n_looked_at < len(shares):
        count = f"{n_looked_at} of {count}, of the others there is no record"
    return f"{count}; worst: {shares.idxmax()} ({shares.max():.3f})" if shares.max() > 0 else count


MEASURE = Measure("limits", (BEYOND,), measure_limits, real=limits_of_real)
