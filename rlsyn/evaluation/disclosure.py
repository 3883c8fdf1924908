"""What must not be shown of a real table since too few people stand behind it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from rlsyn.evaluation.features import MISSING, category_positions, column_numbers, row_groups
from rlsyn.schema import Column, Schema

MIN_PEOPLE = 3
"""A figure, a share or a name that fewer real people stand behind is not shown."""


def n_people(persons: np.ndarray) -> int:
    """How many people some rows belong to.

    Args:
        persons: The number of the person that each row belongs to.
    """
    return len(np.unique(persons))


def fewest(counts: Iterable[int]) -> int:
    """The smallest of some numbers of people, but for nobody; 0 where there is none but these.

    A sum tells of a part that is not told, if the other parts are.
    """
    return min((int(count) for count in counts if count), default=0)


def is_few(persons: np.ndarray) -> bool:
    """Whether rows belong to somebody, but to fewer than `MIN_PEOPLE` people."""
    # Mostly the first rows settle it, and whole tables are asked about.
    return len(persons) > 0 and n_people(persons[:100]) < MIN_PEOPLE and n_people(persons) < MIN_PEOPLE


def hidden_columns(train: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Which figures of each column would tell of too few people; a frame by column name.

    `values` is for whatever depends on the values: distances, shares, associations; `missing` for the share of missing
    values. Beside the synthetic rows, which everybody may see, each of them would give the real ones away.
    """
    persons = row_groups(train, schema)
    return pd.DataFrame(
        {
            "values": [hides_values(train[column.name], column, persons) for column in schema.columns],
            "missing": [hides_missing(train[column.name], persons) for column in schema.columns],
        },
        index=schema.names,
        dtype=bool,
    )


def hides_values(values: pd.Series, column: Column, persons: np.ndarray) -> bool:
    """Whether the distribution of a column would tell of one or two people who have a value, or another than all."""
    if not column.is_discrete:
        return hides_numbers(column_numbers(values), persons)
    positions = category_positions(values, column)
    is_present = positions != MISSING
    positions, persons = positions[is_present], persons[is_present]
    known = [position for position in np.unique(positions) if position >= 0]
    common = [position for position in known if not is_few(persons[positions == position])]
    if len(positions) == 0:
        return False
    if column.kind == "binary" and len(common) < len(known):
        return True
    # Rare categories are shown together, with the rarest of the common ones where they are too few even then.
    return len(common) < 1 + is_few(persons[~np.isin(positions, common)])


def hides_numbers(numbers: np.ndarray, persons: np.ndarray) -> bool:
    """As `hides_values`, of plain numbers; NaN is missing."""
    is_present = ~np.isnan(numbers)
    numbers, persons = numbers[is_present], persons[is_present]
    if len(numbers) == 0 or is_few(persons):
        return len(numbers) > 0
    distinct, n_rows = np.unique(numbers, return_counts=True)
    return is_few(persons[numbers != distinct[n_rows.argmax()]])


def hides_missing(values: pd.Series, persons: np.ndarray) -> bool:
    """Whether the share of missing values would tell of one or two people who have, or lack, the value."""
    is_missing = values.isna().to_numpy()
    return is_few(persons[is_missing]) or is_few(persons[~is_missing])
