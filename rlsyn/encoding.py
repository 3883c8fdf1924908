"""Table to levels and back: what the environment, the policy and the discriminator see of a table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rlsyn.attribute_order import information_order
from rlsyn.files import write_whole
from rlsyn.levels import CategoryLevels, Levels, QuantileLevels
from rlsyn.names import unknown_name
from rlsyn.repair import Repair
from rlsyn.schema import Schema
from rlsyn.thresholds import find_thresholds

LEARNED_ORDERS = ("information", "random")
"""Orders that need more than the schema."""
ORDERS = ("table", "label_first", "label_last", *LEARNED_ORDERS)


@dataclass(frozen=True)
class Encoding:
    """Columns as attributes with levels, in the order in which an episode fills them; fitted on training rows only.

    Args:
        schema: The columns in table order.
        levels: The levels of each attribute, in fill order.
    """

    schema: Schema
    levels: tuple[Levels, ...]

    @classmethod
    def fit(
        cls,
        train: pd.DataFrame,
        schema: Schema,
        n_levels: int = 32,
        order: str | Sequence[str] = "label_first",
        seed: int = 0,
        n_thresholds: int = 8,
    ) -> Encoding:
        """The encoding of a training table.

        Args:
            train: Training rows with the schema's columns, and its group column if it has one.
            schema: The columns.
            n_levels: Levels of a finely valued column, missing not counted.
            order: `"table"`, `"label_first"`, `"label_last"`, `"information"` (from the label on, each next column
                tells most about one before it), `"random"`, or names of columns that come first.
            seed: Of the random order.
            n_thresholds: Thresholds of a column at most (`find_thresholds`).

        Raises:
            ValueError: `n_levels` below 2 or not whole, an unknown order or column, or a table that does not fit the schema.
        """
        if isinstance(n_levels, bool) or not isinstance(n_levels, Integral) or n_levels < 2:
            raise ValueError(f"n_levels must be a whole number of at least 2, got {n_levels!r}.")
        schema.validate(train)
        people = train[schema.group].to_numpy() if schema.group else np.arange(len(train))
        thresholds = find_thresholds(train, schema, people, n_thresholds)
        levels: list[Levels] = []
        for name in fill_order(schema, order):
            column = schema[name]
            if column.is_discrete:
                levels.append(CategoryLevels.fit(column, train[name]))
            else:
                cuts = thresholds.get(name, {})
                levels.append(QuantileLevels.fit(column, train[name], people, n_levels, thresholds=cuts))
        if order in LEARNED_ORDERS:
            levels = _reordered(levels, train, schema, str(order), seed)
        return cls(schema, tuple(levels))

    @property
    def names(self) -> list[str]:
        """Names of the attributes in fill order."""
        return [levels.column.name for levels in self.levels]

    @property
    def n_levels(self) -> np.ndarray:
        """Number of levels of each attribute, `(n_attributes,)` int64."""
        return np.array([levels.n_levels for levels in self.levels], dtype=np.int64)

    def encode(self, table: pd.DataFrame) -> np.ndarray:
        """Records `(n, n_attributes)` int64 of a table.

        Raises:
            ValueError: A category or a missing value that no training row has.
        """
        return np.stack([levels.encode(table[levels.column.name]) for levels in self.levels], axis=1)

    def decode(
        self, records: np.ndarray, rng: np.random.Generator, given: Mapping[str, Any] | None = None, repair: bool = True
    ) -> pd.DataFrame:
        """Table of records, in the schema's order, with values drawn inside numeric levels.

        Args:
            records: Levels `(n, n_attributes)`.
            rng: Draws the values.
            given: Values that columns have in every record, as their levels say; numbers take the place of a draw.
            repair: Whether values follow from each other where a rule of the schema says so, and are drawn again where
                they break one (see `Repair`); some records may break rules still.
        """
        position = {name: i for i, name in enumerate(self.names)}
        columns = {name: self.levels[i].decode(records[:, i], rng) for name, i in position.items()}
        for name, value in (given or {}).items():
            if self.schema[name].is_discrete or pd.isna(value):
                continue
            dtype = "int64" if self.schema[name].kind == "integer" else "float64"
            columns[name] = pd.Series(np.full(len(records), value, dtype=dtype), name=name)
        if repair and self.schema.constraints:

            def draw(name: str, rows: np.ndarray) -> pd.Series:
                return self.levels[position[name]].decode(records[rows, position[name]], rng)

            self.repair.apply(columns, draw, given or ())
        return pd.DataFrame({name: columns[name] for name in self.schema.names})

    @cached_property
    def repair(self) -> Repair:
        """What keeps decoded records to the rules of the schema."""
        return Repair(self.schema.constraints, self.levels)

    def marginals(self) -> list[np.ndarray]:
        """Share of the training rows at each level, by attribute."""
        return [levels.counts / levels.counts.sum() for levels in self.levels]

    def inputs(self) -> tuple[np.ndarray, np.ndarray]:
        """How records become vectors: `(attribute, table)`.

        Entry `w` of a vector is `table[w, level of attribute[w]]`; `attribute` is `(width,)` int64, ascending, and
        `table` is `(width, largest number of levels)` float32.
        """
        return self._inputs

    @cached_property
    def _inputs(self) -> tuple[np.ndarray, np.ndarray]:
        features = [levels.features() for levels in self.levels]
        attribute = np.repeat(np.arange(len(features)), [block.shape[1] for block in features])
        table = np.zeros((len(attribute), int(self.n_levels.max())), dtype=np.float32)
        row = 0
        for block in features:
            table[row : row + block.shape[1], : block.shape[0]] = block.T
            row += block.shape[1]
        return attribute.astype(np.int64), table

    def vectors(self, records: np.ndarray) -> np.ndarray:
        """Vectors `(n, width)` float32 of records: what networks take in."""
        attribute, table = self.inputs()
        return table[np.arange(len(attribute)), records[:, attribute]]

    def write(self, path: Path) -> None:
        """Write the encoding as JSON, whole or not at all."""
        levels = [{"name": levels.column.name} | levels.to_dict() for levels in self.levels]
        write_whole(path, json.dumps({"schema": self.schema.to_dict(), "levels": levels}))

    @classmethod
    def read(cls, path: Path) -> Encoding:
        """The encoding in a JSON file that `write` wrote."""
        fields = json.loads(path.read_text(encoding="utf-8"))
        schema = Schema.from_dict(fields["schema"])
        levels: list[Levels] = []
        for entry in fields["levels"]:
            column = schema[entry["name"]]
            kind = CategoryLevels if column.is_discrete else QuantileLevels
            levels.append(kind.from_dict(column, entry))
        return cls(schema, tuple(levels))


def fill_order(schema: Schema, order: str | Sequence[str]) -> list[str]:
    """Names of the columns in the order in which an episode fills them, that of the table for `LEARNED_ORDERS`.

    Raises:
        ValueError: An order or column that does not exist.
    """
    names, label = schema.names, schema.label
    if isinstance(order, str) and order in ORDERS:
        others = [name for name in names if name != label]
        if order == "table" or order in LEARNED_ORDERS or label is None:
            return names
        return [label, *others] if order == "label_first" else [*others, label]
    first = [name.strip() for name in order.split(",")] if isinstance(order, str) else list(order)
    for name in first:
        if name not in names:
            raise ValueError(unknown_name("order or column", name, [*ORDERS, *names]))
    return list(dict.fromkeys([*first, *names]))


def _reordered(levels: list[Levels], train: pd.DataFrame, schema: Schema, order: str, seed: int) -> list[Levels]:
    if order == "random":
        return [levels[i] for i in np.random.default_rng(seed).permutation(len(levels))]
    records = np.stack([one.encode(train[one.column.name]) for one in levels], axis=1)
    first = None if schema.label is None else schema.names.index(schema.label)
    is_ordered = [not one.column.is_discrete for one in levels]
    return [levels[i] for i in information_order(records, is_ordered, first)]
