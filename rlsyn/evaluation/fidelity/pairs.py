"""Categories that no training row has together, though by chance many would: a finding of the sick in the healthy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.stats import hypergeom

from rlsyn.evaluation.disclosure import fewest, n_people
from rlsyn.evaluation.features import (
    MISSING,
    NotComputableError,
    category_positions,
    column_numbers,
    count_people,
    row_groups,
)
from rlsyn.evaluation.measure import Measure, Measurement, Metric, Tables, share_estimate
from rlsyn.schema import Column, Schema
from rlsyn.thresholds import MAX_CATEGORIES, MIN_PEOPLE, row_of_some
from rlsyn.values.categories import category_text

UNSEEN = Metric(
    *("unseen pairs", "fidelity", "minimise", 0, 1),
    "Share of records with two categories, or one and a value that is missing or there, that no training row has "
    "together, though by chance many would.",
)
MAX_CHANCE = 0.01
"""That any pair of a table would be unseen if its categories had nothing to do with each other."""
MOST_PAIRS = 1_000
"""Pairs that are told of, those that most records have: of panels that are missing together there are millions."""
PRESENT = -2
"""Position of a value that is there, whichever it is."""
NO_PAIRS = "does not apply: no two categories of train exclude each other for sure"


@dataclass(frozen=True)
class Trait:
    """What a row may have: a category of a column, by its position in the schema, any value (`PRESENT`), none (`MISSING`)."""

    column: str
    position: int

    def text(self, schema: Schema) -> str:
        """Such as `smoker is yes`, or `smoker has no value`."""
        if self.position == MISSING:
            return f"{self.column} has no value"  # "missing" may be a category
        if self.position == PRESENT:
            return f"{self.column} has a value"
        return f"{self.column} is {category_text(schema[self.column].categories[self.position])}"


@dataclass(frozen=True)
class UnseenPairs:
    """Pairs of traits that no training row has.

    Args:
        schema: Of the table.
        traits: Those that are in a pair.
        pairs: Places of two of them each `(n_pairs, 2)`.
    """

    schema: Schema
    traits: tuple[Trait, ...]
    pairs: np.ndarray

    def texts(self) -> list[str]:
        """Each pair in words, such as `smoker is yes where age_group is child`."""
        words = [trait.text(self.schema) for trait in self.traits]
        return [f"{words[first]} where {words[second]}" for first, second in self.pairs]


@dataclass(frozen=True)
class _Side:
    """A table beside the pairs.

    Args:
        have: Which rows have which traits, 1 or 0 `(n, n_traits)`.
        persons: The person each row is of `(n,)`.
        pairs: Places of two traits each `(n_pairs, 2)`.
    """

    have: np.ndarray
    persons: np.ndarray
    pairs: np.ndarray

    @classmethod
    def of(cls, table: pd.DataFrame, found: UnseenPairs) -> _Side:
        """That of a table."""
        return cls(_have(table, found.schema, found.traits), row_groups(table, found.schema), found.pairs)

    def rows(self) -> np.ndarray:
        """Which rows `(n,)` have both of any pair."""
        n_traits = self.have.shape[1]
        excluded = np.zeros((n_traits, n_traits), dtype=np.float32)
        excluded[tuple(self.pairs.T)] = 1
        has_any: np.ndarray = np.asarray((self.have * (self.have @ excluded)).any(axis=1))
        return has_any

    def shares(self) -> np.ndarray:
        """Of all rows, those that have both of each pair `(n_pairs,)`."""
        shares: np.ndarray = (self.have.T @ self.have)[tuple(self.pairs.T)].astype(float) / len(self.have)
        return shares

    def people(self, places: np.ndarray) -> list[int]:
        """How many people have both of each of the pairs at some places."""
        have = self.have > 0
        together = (have[:, first] & have[:, second] for first, second in self.pairs[places])
        return [n_people(self.persons[rows]) for rows in together]


def unseen_pairs(train: pd.DataFrame, schema: Schema) -> UnseenPairs:
    """The pairs of categories of two columns, and of values that are missing or there, that no training row has.

    By chance, with as many people of each, somebody would have both but once in a hundred tables (Fisher's exact test of
    each pair, Bonferroni's correction for their number). What fewer than `MIN_PEOPLE` people have is in no pair: it would
    tell of these what they have not. Columns of more than `MAX_CATEGORIES` are codes, of which only is looked at whether
    there is one. In each pair the rarer one comes first.
    """
    traits, rows = _traits(train, schema), row_of_some(row_groups(train, schema))
    have = _have(train, schema, traits)
    counts = have[rows].sum(0).astype(int)
    is_common = counts >= MIN_PEOPLE
    traits, have, counts = [traits[place] for place in np.flatnonzero(is_common)], have[:, is_common], counts[is_common]
    columns = pd.factorize(np.array([trait.column for trait in traits], dtype=object))[0]
    are_two = np.triu(columns[:, None] != columns)
    first, second = np.nonzero(are_two & (have.T @ have == 0))
    log_chance = hypergeom.logpmf(0, len(rows), counts[first], counts[second])
    is_sure = log_chance < math.log(MAX_CHANCE / max(1, are_two.sum()))
    pairs = np.stack([first, second], axis=1)[is_sure]
    rarest_first = np.take_along_axis(pairs, np.argsort(counts[pairs], axis=1, kind="stable"), axis=1)
    used, places = np.unique(rarest_first, return_inverse=True)
    return UnseenPairs(schema, tuple(traits[place] for place in used), places.reshape(-1, 2))


def _traits(train: pd.DataFrame, schema: Schema) -> list[Trait]:
    found = []
    for column in schema.columns:
        if train[column.name].isna().any():
            found.append(Trait(column.name, MISSING))
            if not column.is_discrete or not _are_common(train[column.name], column):
                found.append(Trait(column.name, PRESENT))
        if column.is_discrete and len(column.categories) <= MAX_CATEGORIES:
            found += [Trait(column.name, position) for position in range(len(column.categories))]
    return found


def _are_common(values: pd.Series, column: Column) -> bool:
    """Whether each category of a column is looked at, so that whether there is one need not be."""
    counts = np.bincount(category_positions(values, column) + 2, minlength=len(column.categories) + 2)[2:]
    return len(counts) <= MAX_CATEGORIES and bool((counts >= MIN_PEOPLE).all())


def _have(table: pd.DataFrame, schema: Schema, traits: Sequence[Trait]) -> np.ndarray:
    """Which rows have which traits, 1 or 0 `(n, n_traits)` float32, as products of matrices are fast."""
    columns = {trait.column: schema[trait.column] for trait in traits}
    positions = {
        name: category_positions(table[name], column)
        if column.is_discrete
        else np.where(np.isnan(column_numbers(table[name])), MISSING, PRESENT)
        for name, column in columns.items()
    }
    found = [
        positions[column] != MISSING if position == PRESENT else positions[column] == position
        for column, position in ((trait.column, trait.position) for trait in traits)
    ]
    return np.array(found, dtype=np.float32).reshape(len(traits), len(table)).T


def measure_pairs(tables: Tables) -> Measurement:
    """The share of records that have both of any pair, with Wilson's 95 % interval, as wide as that of so many people.

    The details, of `MOST_PAIRS` at most, are `by_pair`, a frame by the pair's text with the shares of the `train`, `test`
    and `synthetic` rows; `people_by_pair`, how many people of `train` and `test` these rows belong to; and `people`, the
    fewest of any pair or of all.

    Raises:
        NotComputableError: No two categories of train exclude each other for sure.
    """
    found = unseen_pairs(tables.train, tables.schema)
    if len(found.pairs) == 0:
        raise NotComputableError(NO_PAIRS)
    test, synthetic = (_Side.of(table, found) for table in (tables.test, tables.synthetic))
    shares = synthetic.shares()
    told = np.sort(np.argsort(-shares, kind="stable")[:MOST_PAIRS])
    index = pd.Index(replace(found, pairs=found.pairs[told]).texts(), name="pair")
    people = test.people(told)
    by_pair = pd.DataFrame({"train": 0.0, "test": test.shares()[told], "synthetic": shares[told]}, index)
    return Measurement(
        {UNSEEN.name: share_estimate(synthetic.rows(), count_people(tables.synthetic, tables.schema))},
        {UNSEEN.name: _note(len(found.pairs), by_pair["synthetic"])},
        {
            "by_pair": by_pair,
            "people_by_pair": pd.DataFrame({"train": 0, "test": people}, index),
            "people": {"train": 0, "test": fewest([*people, n_people(test.persons[test.rows()])])},
        },
    )


def pairs_of_real(tables: Tables) -> Measurement:
    """What `measure_pairs` finds of the test rows in the place of the synthetic ones; that train has none is no evidence."""
    return measure_pairs(replace(tables, synthetic=tables.test))


def _note(n_pairs: int, shares: pd.Series) -> str:
    count = f"{n_pairs:,} pair{'s' if n_pairs > 1 else ''}"
    return f"{count}; worst: {shares.idxmax()} ({shares.max():.3f})" if shares.max() > 0 else count


MEASURE = Measure("unseen pairs", (UNSEEN,), measure_pairs, real=pairs_of_real)
