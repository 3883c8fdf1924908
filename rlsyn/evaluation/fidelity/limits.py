"""Limits that the training people keep: a quantity beyond which hardly anybody has a category, such as a diagnosis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from rlsyn.evaluation.disclosure import n_people
from rlsyn.evaluation.features import NotComputableError, category_positions, column_numbers, row_groups
from rlsyn.evaluation.measure import Estimate, Measure, Measurement, Metric, Tables, share_beside, share_estimate
from rlsyn.schema import Schema
from rlsyn.thresholds import Limit, find_limits
from rlsyn.values.categories import category_text

BEYOND = Metric(
    *("beyond limits", "fidelity", "minimise", 0, 1),
    "Of records that a limit of train is of, such as patients with a disease that begins at a laboratory value, the share "
    "that has the disease and not the value; mean over the limits.",
)
MAX_BROKEN = 0.05
"""Share of training people beyond a limit; one that more of them are beyond is none that people keep."""
NO_LIMITS = "does not apply: train has no limit of a quantity that people of a category keep"


@dataclass(frozen=True)
class KeptLimit:
    """A limit, the people who keep it, and their side of it.

    Args:
        limit: The limit.
        is_of_category: Whether people with the category keep it; or those without.
        is_above: Whether they are at the limit and above; or below.
    """

    limit: Limit
    is_of_category: bool
    is_above: bool

    def applies(self, table: pd.DataFrame, schema: Schema) -> np.ndarray:
        """Whether the limit is of each row `(n,)`: of its category, with a value of the quantity."""
        column = schema[self.limit.column]
        position = category_positions(pd.Series([self.limit.category]), column)[0]
        has = category_positions(table[column.name], column) == position
        return (has == self.is_of_category) & ~np.isnan(column_numbers(table[self.limit.quantity]))

    def is_beyond(self, table: pd.DataFrame) -> np.ndarray:
        """Whether the value of each row `(n,)` is on the other side."""
        values = column_numbers(table[self.limit.quantity])
        return values < self.limit.roundest if self.is_above else values >= self.limit.roundest

    def text(self, schema: Schema) -> str:
        """Such as `TSH >= 6.1 where Class is primary`."""
        column, category = schema[self.limit.column], self.limit.category
        others = [one for one in column.categories if one != category]
        of = "is" if self.is_of_category else "is not"
        if not self.is_of_category and len(others) == 1 and not column.missing:
            of, category = "is", others[0]
        sign = ">=" if self.is_above else "<"
        value = category_text(self.limit.roundest)
        return f"{self.limit.quantity} {sign} {value} where {column.name} {of} {category_text(category)}"


def kept_limits(train: pd.DataFrame, schema: Schema) -> list[KeptLimit]:
    """The limits of `find_limits` that at least 95 % of those keep who have the category, or of those who have not.

    Of both, people who keep it better are told; limits in the order of what they gain, the surest first.
    """
    limits = sorted(find_limits(train, schema, row_groups(train, schema)), key=lambda limit: -limit.gain)
    return [kept for limit in limits if (kept := _kept(limit, train, schema)) is not None]


def _kept(limit: Limit, train: pd.DataFrame, schema: Schema) -> KeptLimit | None:
    broken = {
        one: one.is_beyond(train)[one.applies(train, schema)].mean()
        for one in (KeptLimit(limit, is_of, is_above) for is_of in (True, False) for is_above in (True, False))
    }
    best = min(broken, key=broken.__getitem__)
    return best if broken[best] <= MAX_BROKEN else None


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

    def estimates(self, others: _Side | None = None) -> list[Estimate]:
        """The shares with intervals, those of others' rows and these together, without limits that are of no row."""
        found = []
        for limit in np.flatnonzero(self.applies.any(axis=0)).tolist():
            hits, persons = self._of(limit)
            if others is None:
                found.append(share_estimate(hits, n_people(persons)))
            else:
                beside, further = others._of(limit)
                found.append(share_beside(hits, beside, n_people(persons) + n_people(further)))
        return found

    def _of(self, limit: int) -> tuple[np.ndarray, np.ndarray]:
        # Of the rows that a limit is of, which are beyond, and the persons.
        return self.beyond[self.applies[:, limit], limit], self.persons[self.applies[:, limit]]

    def people(self) -> list[int]:
        """People beyond each limit."""
        return [n_people(self.persons[rows]) for rows in self.beyond.T]


def measure_limits(tables: Tables) -> Measurement:
    """The mean over the limits of the share of synthetic records beyond, among those that each limit is of.

    Its ends are the means of those of Wilson's 95 % intervals, as if all limits were broken by the same chance. In the
    details `by_limit`, a frame by the limit's text, has the shares of the `train`, `test` and `synthetic` rows, NaN
    where a limit is of none; `people_by_limit` of how many people of `train` and `test` those beyond it are, and
    `people` of how many those beyond any are.

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
    value, low, high = np.mean(estimates, axis=0).tolist()
    del sides["synthetic"]
    return Measurement(
        {BEYOND.name: Estimate(value, low, high) if tables.with_intervals else Estimate(value)},
        {BEYOND.name: _note(by_limit["synthetic"])},
        {
            "by_limit": by_limit,
            "people_by_limit": pd.DataFrame({name: side.people() for name, side in sides.items()}, index),
            "people": {name: n_people(side.persons[np.any(side.beyond, axis=1)]) for name, side in sides.items()},
        },
    )


def _note(shares: pd.Series) -> str:
    worst = f"; worst: {shares.idxmax()} ({shares.max():.3f})" if shares.max() > 0 else ""
    return f"{len(shares)} limit{'s' if len(shares) > 1 else ''}{worst}"


MEASURE = Measure("limits", (BEYOND,), measure_limits, real=limits_of_real)
