"""Mixed tables as vectors in [0, 1] and back: what the copula and the networks of the baselines see of a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from rlsyn.schema import Category, Column, Schema

BlockKind = Literal["numeric", "binary", "categorical"]


@dataclass(frozen=True)
class Block:
    """Neighbouring entries of a vector that stand for one column, or for whether it is missing.

    Args:
        column: The column.
        kind: `numeric` (one entry, 0 and 1 at the ends of the training range), `binary` (one entry, 0 or 1) or
            `categorical` (one-hot).
        start: Its first entry.
        categories: Values by entry, a missing value as None; of a binary block those of 0 and 1; empty for numbers and
            for the binary block that tells where a number is missing.
    """

    column: Column
    kind: BlockKind
    start: int
    categories: tuple[Category | None, ...] = ()

    @property
    def stop(self) -> int:
        """The entry after its last."""
        return self.start + (len(self.categories) if self.kind == "categorical" else 1)

    @property
    def is_missing_flag(self) -> bool:
        """Whether it tells where the number of its column is missing."""
        return self.kind == "binary" and not self.categories


class TableVectors:
    """Vectors of a table's rows; everything it knows comes from the training rows.

    Numbers are scaled so that the training rows span 0 to 1 (missing ones stand at the median, with a binary block
    beside them); two categories are one entry, more are one-hot, missing being a category of its own.

    Args:
        train: Training rows.
        schema: The columns.
    """

    def __init__(self, train: pd.DataFrame, schema: Schema) -> None:
        self.schema = schema
        self.blocks: list[Block] = []
        self._scales: dict[str, tuple[float, float, float]] = {}
        for column in schema.columns:
            if column.is_discrete:
                seen = [category for category in column.categories if _equals(train[column.name], category).any()]
                values = (*seen, *([None] if train[column.name].isna().any() else []))
                self._add(column, "binary" if len(values) == 2 else "categorical", values)
            elif train[column.name].isna().all():
                self._add(column, "categorical", (None,))  # missing is its only value
            else:
                self._scales[column.name] = _scale(train[column.name])
                self._add(column, "numeric")
                if train[column.name].isna().any():
                    self._add(column, "binary")

    @property
    def width(self) -> int:
        """Entries of a vector."""
        return self.blocks[-1].stop

    def of_kind(self, kind: BlockKind) -> list[Block]:
        """The blocks of a kind."""
        return [block for block in self.blocks if block.kind == kind]

    def transform(self, table: pd.DataFrame) -> np.ndarray:
        """Vectors `(n_rows, width)` float32 of rows like the training rows."""
        vectors = np.zeros((len(table), self.width), dtype=np.float32)
        for block in self.blocks:
            values = table[block.column.name]
            if block.kind == "numeric":
                low, span, middle = self._scales[block.column.name]
                numbers = pd.to_numeric(values).to_numpy(dtype=float, na_value=np.nan)
                vectors[:, block.start] = np.where(np.isnan(numbers), middle, (numbers - low) / span)
            elif block.is_missing_flag:
                vectors[:, block.start] = values.isna()
            elif block.kind == "binary":
                vectors[:, block.start] = _equals(values, block.categories[1])
            else:
                for entry, value in enumerate(block.categories):
                    vectors[:, block.start + entry] = _equals(values, value)
        return vectors

    def inverse(self, vectors: np.ndarray) -> pd.DataFrame:
        """Rows of vectors: numbers rounded as in training, binary entries cut at 0.5, the largest of one-hot entries."""
        columns: dict[str, pd.Series] = {}
        for block in self.blocks:
            entries, name = vectors[:, block.start : block.stop], block.column.name
            if block.kind == "numeric":
                low, span, _ = self._scales[name]
                columns[name] = _rounded(entries[:, 0].astype(float) * span + low, block.column)
            elif block.is_missing_flag:
                missing = entries[:, 0] >= 0.5
                columns[name] = columns[name].astype("Int64" if block.column.kind == "integer" else float).mask(missing)
            else:
                codes = (entries[:, 0] >= 0.5).astype(int) if block.kind == "binary" else entries.argmax(axis=1)
                columns[name] = _categories(codes, block)
        return pd.DataFrame({name: columns[name] for name in self.schema.names})

    def _add(self, column: Column, kind: BlockKind, values: tuple[Category | None, ...] = ()) -> None:
        self.blocks.append(Block(column, kind, self.blocks[-1].stop if self.blocks else 0, values))


def _scale(values: pd.Series) -> tuple[float, float, float]:
    # Lowest value, range (1 where there is none), and the scaled median.
    numbers = pd.to_numeric(values).to_numpy(dtype=float, na_value=np.nan)
    numbers = numbers[~np.isnan(numbers)]
    low, span = float(numbers.min()), float(np.ptp(numbers)) or 1.0
    return low, span, float((np.median(numbers) - low) / span)


def _equals(values: pd.Series, category: Category | None) -> np.ndarray:
    if category is None:
        return values.isna().to_numpy()
    found = (values == category).fillna(False) | (values.astype(str) == str(category))
    return found.to_numpy(dtype=bool) & values.notna().to_numpy()


def _rounded(numbers: np.ndarray, column: Column) -> pd.Series:
    if column.kind == "integer":
        return pd.Series(np.round(numbers).astype("int64"))
    return pd.Series(numbers if column.decimals is None else np.round(numbers, column.decimals))


def _categories(codes: np.ndarray, block: Block) -> pd.Series:
    if not block.column.is_discrete:
        return pd.Series(np.full(len(codes), np.nan))
    values = np.array([*block.categories], dtype=object)[codes]
    series = pd.Series(values, dtype=object)
    is_text = any(isinstance(value, str) for value in block.categories)
    return series.convert_dtypes() if None in block.categories and not is_text else series.infer_objects()
