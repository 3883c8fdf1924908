"""Preparation of mixed tables for the metrics: numbers, positions of categories, groups, a fitted feature encoder."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rlsyn.schema import Column, Schema
from rlsyn.values.categories import category_meaning
from rlsyn.values.forms import first_text
from rlsyn.values.numbers import as_written

MISSING = -1
"""Position of a missing value."""
UNKNOWN = -2
"""Position of a value that is none of the column's categories."""
FARTHEST = 1e6
"""Scaled values end here, so that a generator gone astray is far away but never infinitely far."""


class NotComputableError(ValueError):
    """A metric that has no value for these tables; the message is the reason."""


def column_numbers(values: pd.Series) -> np.ndarray:
    """The values of a numeric or integer column as floats, missing ones as NaN.

    Raises:
        ValueError: A text that is no number, or an infinite value.
    """
    values = as_written(values)
    if isinstance(values.dtype, pd.CategoricalDtype) or values.dtype == object:
        values = values.astype(object).where(values.notna(), None)  # pd.NA among objects is no number to pandas
    try:
        numbers = pd.to_numeric(values).to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError):
        raise ValueError(f"Column {values.name!r} must hold numbers, got {first_text(values)}.") from None
    if np.isinf(numbers).any():
        raise ValueError(
            f"Column {values.name!r} must hold finite numbers, got {int(np.isinf(numbers).sum())} infinite."
        )
    return numbers


def category_positions(values: pd.Series, column: Column, unknown: int = UNKNOWN) -> np.ndarray:
    """The position of each value among the column's categories; `MISSING` or `unknown` where it has none.

    Values are compared by their text. Where no text agrees, numbers, booleans and their texts are compared by what they
    mean (1, 1.0, "1", True and "True" are one category), unless the categories themselves tell these apart.

    Example:
        >>> column = Column("smoker", "binary", (0, 1))
        >>> category_positions(pd.Series([1.0, "0", True, None, "often"]), column).tolist()
        [1, 0, 1, -1, -2]
    """
    texts = {str(category): position for position, category in enumerate(column.categories)}
    meanings: dict[str, int] = {}
    for position, category in enumerate(column.categories):
        # Two categories with one meaning ("1" and "01" may be two codes) are only told apart by their texts.
        meaning = category_meaning(category)
        meanings[meaning] = unknown if meaning in meanings else position
    codes, distinct = pd.factorize(as_written(values))
    found = [texts.get(str(value), meanings.get(category_meaning(value), unknown)) for value in distinct]
    return np.array([*found, MISSING], dtype=np.int64)[codes]


def row_groups(table: pd.DataFrame, schema: Schema) -> np.ndarray:
    """A number from 0 on for each row that tells which rows belong to one person.

    Rows without the group column, or with a missing value in it, are persons of their own.
    """
    if schema.group is None or schema.group not in table:
        return np.arange(len(table))
    codes = pd.factorize(table[schema.group])[0].astype(np.int64)
    alone = codes < 0
    codes[alone] = codes.max(initial=-1) + 1 + np.arange(alone.sum())
    return codes


def count_people(table: pd.DataFrame, schema: Schema) -> int:
    """How many people the rows are of, by `row_groups`."""
    return len(np.unique(row_groups(table, schema)))


class FeatureEncoder:
    """Float matrix of a mixed table; everything it knows comes from the table it was fitted on.

    A numeric or integer column is scaled so that the fitted rows span 0 to 1 (other rows may fall outside; a column
    that was constant or empty becomes 0), with the median for missing values. A binary column is one 0/1 column, with
    the more frequent category for missing values and 0 for unknown ones. A categorical column is one 0/1 column per
    category; missing and unknown values are 0 in all of them. Columns that the schema allows to be missing are followed
    by one that is 1 where they are.

    Args:
        schema: The columns; the group column is never a feature.
        without: A column to leave out, such as the label that is to be predicted.
    """

    def __init__(self, schema: Schema, without: str | None = None) -> None:
        self.columns = [column for column in schema.columns if column.name != without]
        self.width = sum(_width(column) for column in self.columns)
        self._scales: dict[str, tuple[float, float, float]] | None = None

    def fit(self, table: pd.DataFrame) -> FeatureEncoder:
        """Learn ranges and medians; returns the encoder itself."""
        self._scales = {column.name: _scale(table[column.name], column) for column in self.columns}
        return self

    def transform(self, table: pd.DataFrame) -> np.ndarray:
        """The features of each row, `(n_rows, width)`, without any NaN.

        Raises:
            RuntimeError: The encoder was not fitted.
        """
        if self._scales is None:
            raise RuntimeError("The encoder knows no ranges yet. Call fit() first.")
        features = np.zeros((len(table), self.width))
        start = 0
        for column in self.columns:
            stop = start + _width(column)
            _fill(features[:, start:stop], table[column.name], column, self._scales[column.name])
            start = stop
        return features


def _width(column: Column) -> int:
    return (len(column.categories) if column.kind == "categorical" else 1) + column.missing


def _scale(values: pd.Series, column: Column) -> tuple[float, float, float]:
    # Lowest value, range, and the scaled value that stands for a missing one.
    if column.kind == "categorical":
        return 0.0, 1.0, 0.0
    if column.kind == "binary":
        positions = category_positions(values, column)
        return 0.0, 1.0, float((positions == 1).sum() > (positions == 0).sum())
    numbers = column_numbers(values)
    numbers = numbers[~np.isnan(numbers)]
    if len(numbers) == 0 or numbers.min() == numbers.max():
        return 0.0, 0.0, 0.0
    lowest, span = float(numbers.min()), float(np.ptp(numbers))
    return lowest, span, float((np.median(numbers) - lowest) / span)


def _fill(block: np.ndarray, values: pd.Series, column: Column, scale: tuple[float, float, float]) -> None:
    lowest, span, stand_in = scale
    if column.is_discrete:
        positions = category_positions(values, column)
        is_missing = positions == MISSING
        if column.kind == "binary":
            block[:, 0] = np.where(is_missing, stand_in, positions == 1)
        else:
            known = np.flatnonzero(positions >= 0)
            block[known, positions[known]] = 1
    else:
        numbers = column_numbers(values)
        is_missing = np.isnan(numbers)
        if span > 0:
            scaled = np.clip((numbers - lowest) / span, -FARTHEST, FARTHEST)
            block[:, 0] = np.where(is_missing, stand_in, scaled)
    if column.missing:
        block[:, -1] = is_missing
