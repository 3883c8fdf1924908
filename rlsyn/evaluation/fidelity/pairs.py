"""Categories that no training person has together, though by chance many would: a finding of the sick in the healthy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.special import gammaln

from rlsyn.evaluation.disclosure import n_people
from rlsyn.evaluation.features import MISSING, NotComputableError, category_positions, count_people, row_groups
from rlsyn.evaluation.measure import Measure, Measurement, Metric, Tables, share_beside, share_estimate
from rlsyn.schema import Schema
from rlsyn.thresholds import MAX_CATEGORIES, first_rows
from rlsyn.values.categories import category_text

UNSEEN = Metric(
    *("unseen pairs", "fidelity", "minimise", 0, 1),
    "Share of records with two categories, or a missing value and one, that no training person has together, though by "
    "chance many would.",
)
MAX_CHANCE = 0.01
"""That any pair of a table would be unseen if its categories had nothing to do with each other."""
NO_PAIRS = "does not apply: no two categories of train exclude each other for sure"


@dataclass(frozen=True)
class Trait:
    """What a row may have: a category of a column, by its position in the schema, or no value of it (`MISSING`)."""

    column: str
    position: int

    def text(self, schema: Schema) -> str:
        """Such as `smoker is yes`, or `smoker is missing`."""
        if self.position == MISSING:
            return f"{self.column} is missing"
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

    def rows(self, table: pd.DataFrame) -> np.ndarray:
        """Which rows `(n,)` of a table have both of any pair."""
        have = _have(table, self.schema, self.traits)
        excluded = np.zeros((len(self.traits), len(self.traits)), dtype=np.float32)
        excluded[tuple(self.pairs.T)] = 1
        has_any: np.ndarray = np.asarray((have * (have @ excluded)).any(axis=1))
        return has_any

    def shares(self, table: pd.DataFrame) -> np.ndarray:
        """Of all rows of a table, those that have both of each pair `(n_pairs,)`."""
        have = _have(table, self.schema, self.traits)
        shares: np.ndarray = (have.T @ have)[tuple(self.pairs.T)] / len(table)
        return shares

    def people(self, table: pd.DataFrame) -> list[int]:
        """How many people of a table have both of each pair."""
        have, persons = _have(table, self.schema, self.traits) > 0, row_groups(table, self.schema)
        together = (have[:, first] & have[:, second] for first, second in self.pairs)
        return [n_people(persons[rows]) if rows.any() else 0 for rows in together]


def unseen_pairs(train: pd.DataFrame, schema: Schema) -> UnseenPairs:
    """The pairs of categories of two columns, and of missing values, that no training row has and chance would.

    By chance, with as many people of each, somebody would have both but once in a hundred tables (Fisher's exact test of
    each pair, Bonferroni's correction for their number). Columns of more than `MAX_CATEGORIES` are codes, of which only
    the missing value is looked at. In each pair the rarer one comes first.
    """
    traits = _traits(train, schema)
    have = _have(train, schema, traits)
    firsts = have[first_rows(row_groups(train, schema))]
    n, counts = len(firsts), firsts.sum(0)
    columns = pd.factorize(np.array([trait.column for trait in traits], dtype=object))[0]
    first, second = np.nonzero(np.triu(columns[:, None] != columns) & (have.T @ have == 0))
    n_pairs = max(1, np.triu(columns[:, None] != columns).sum())
    is_sure = _log_chance_of_none(n, counts[first], counts[second]) < math.log(MAX_CHANCE / n_pairs)
    pairs = np.stack([first, second], axis=1)[is_sure]
    rarest_first = np.take_along_axis(pairs, np.argsort(counts[pairs], axis=1, kind="stable"), axis=1)
    used, places = np.unique(rarest_first, return_inverse=True)
    return UnseenPairs(schema, tuple(traits[place] for place in used), places.reshape(-1, 2))


def _traits(train: pd.DataFrame, schema: Schema) -> list[Trait]:
    found = []
    for column in schema.columns:
        if train[column.name].isna().any():
            found.append(Trait(column.name, MISSING))
        if column.is_discrete and len(column.categories) <= MAX_CATEGORIES:
            found += [Trait(column.name, position) for position in range(len(column.categories))]
    return found


def _have(table: pd.DataFrame, schema: Schema, traits: Sequence[Trait]) -> np.ndarray:
    """Which rows have which traits, 1 or 0 `(n, n_traits)` float32, as products of matrices are fast."""
    columns = {trait.column: schema[trait.column] for trait in traits}
    positions = {
        name: category_positions(table[name], column)
        if column.is_discrete
        else np.where(table[name].isna(), MISSING, MISSING + 1)
        for name, column in columns.items()
    }
    found = [positions[trait.column] == trait.position for trait in traits]
    return np.array(found, dtype=np.float32).reshape(len(traits), len(table)).T


def _log_chance_of_none(n: int, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Logarithm of the chance that of `n` people, so many with one trait and so many with another, none has both."""
    left = n - first.astype(float) - second
    with np.errstate(invalid="ignore"):
        chance = gammaln(n - first + 1.0) + gammaln(n - second + 1.0) - gammaln(left + 1) - gammaln(n + 1.0)
    found: np.ndarray = np.where(
        left < 0, 0.0, chance
    )  # of more than there are: of those not looked at nobody has both
    return found


def measure_pairs(tables: Tables) -> Measurement:
    """The share of records that have both of any pair, with Wilson's 95 % interval, as wide as that of so many people.

    The details are `by_pair`, a frame by the pair's text with the shares of the `train`, `test` and `synthetic` rows;
    `people_by_pair`, how many people of `train` and `test` these rows belong to; and `people`, how many those of any pair.

    Raises:
        NotComputableError: No two categories of train exclude each other for sure.
    """
    found = _pairs_of(tables)
    by_pair = pd.DataFrame(
        {name: found.shares(getattr(tables, name)) for name in ("train", "test", "synthetic")},
        index=pd.Index(found.texts(), name="pair"),
    )
    people_by_pair = pd.DataFrame(
        {name: found.people(getattr(tables, name)) for name in ("train", "test")}, index=by_pair.index
    )
    of_test = n_people(row_groups(tables.test, tables.schema)[found.rows(tables.test)])
    hits = found.rows(tables.synthetic)
    return Measurement(
        {UNSEEN.name: share_estimate(hits, count_people(tables.synthetic, tables.schema))},
        {UNSEEN.name: _note(by_pair["synthetic"])},
        {"by_pair": by_pair, "people_by_pair": people_by_pair, "people": {"train": 0, "test": of_test}},
    )


def pairs_of_real(tables: Tables) -> Measurement:
    """What `measure_pairs` finds of the test rows in the place of the synthetic ones.

    How often people have both is told by all of them: the interval is that of train and test rows together, stretched to
    the test rows' share.
    """
    found, of_test = _pairs_of(tables), measure_pairs(replace(tables, synthetic=tables.test))
    n_persons = count_people(tables.train, tables.schema) + count_people(tables.test, tables.schema)
    of_test.estimates[UNSEEN.name] = share_beside(found.rows(tables.test), found.rows(tables.train), n_persons)
    return of_test


def _pairs_of(tables: Tables) -> UnseenPairs:
    found = unseen_pairs(tables.train, tables.schema)
    if len(found.pairs) == 0:
        raise NotComputableError(NO_PAIRS)
    return found


def _note(shares: pd.Series) -> str:
    count = f"{len(shares)} pair{'s' if len(shares) > 1 else ''}"
    return f"{count}; worst: {shares.idxmax()} ({shares.max():.3f})" if shares.max() > 0 else count


MEASURE = Measure("unseen pairs", (UNSEEN,), measure_pairs, real=pairs_of_real)
