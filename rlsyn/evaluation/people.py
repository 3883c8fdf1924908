"""People as the unit of privacy: whole people are drawn, and intervals are over people."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from rlsyn.evaluation.features import NotComputableError, row_groups
from rlsyn.evaluation.measure import Estimate, Metric, Tables, margins, with_interval
from rlsyn.schema import Schema


def draw_people(persons: np.ndarray, max_rows: int, rng: np.random.Generator) -> np.ndarray:
    """The numbers of the rows of people in random order, as many people as have at most `max_rows` rows together.

    Args:
        persons: The number of the person that each row belongs to.
        max_rows: Rows to take at most; one person is taken in any case.
        rng: Source of chance.

    Returns:
        Row numbers in ascending order: all of them, and no draw, where there are no more than `max_rows`.
    """
    if len(persons) <= max_rows:
        return np.arange(len(persons))
    numbers, n_rows = np.unique(persons, return_counts=True)
    order = rng.permutation(len(numbers))
    n_people = max(1, int((np.cumsum(n_rows[order]) <= max_rows).sum()))
    return np.flatnonzero(np.isin(persons, numbers[order[:n_people]]))


def require_rows(**tables: pd.DataFrame) -> None:
    """Raise `NotComputableError` for a table without rows."""
    for name, table in tables.items():
        if len(table) == 0:
            raise NotComputableError(f"{name} has no rows")


def at_most(table: pd.DataFrame, schema: Schema, max_rows: int, seed: int) -> pd.DataFrame:
    """The table, or the rows of people drawn from it where it has more than `max_rows` rows."""
    rows = rows_at_most(table, schema, max_rows, seed)
    return table if len(rows) == len(table) else table.iloc[rows]


def rows_at_most(table: pd.DataFrame, schema: Schema, max_rows: int, seed: int) -> np.ndarray:
    """The numbers of the rows that `at_most` takes."""
    return draw_people(row_groups(table, schema), max_rows, np.random.default_rng(seed))


def drawn_note(max_rows: int, **tables: pd.DataFrame) -> str:
    """Which of the tables had more rows than were used; empty where none had."""
    long = [f"{len(table):,} {name}" for name, table in tables.items() if len(table) > max_rows]
    return f"at most {max_rows:,} rows drawn of the {' and the '.join(long)} rows" if long else ""


def estimate_attack(
    statistics: Callable[[np.ndarray, np.ndarray], np.ndarray],
    samples: tuple[np.ndarray, np.ndarray],
    persons: tuple[np.ndarray, np.ndarray],
    metrics: tuple[Metric, ...],
    tables: Tables,
) -> dict[str, Estimate]:
    """Statistics of what an attacker says of members and of others, with intervals over people where they are wanted.

    Args:
        statistics: Takes the values of members and of others; returns one number for each metric.
        samples: The values of members and of others, one for each row.
        persons: For both, the number of the person that each row belongs to.
        metrics: What the statistics are.
        tables: Tell the seed and whether intervals are wanted.
    """
    members, others = samples
    values = statistics(members, others).tolist()
    if not tables.with_intervals:
        return {metric.name: Estimate(value) for metric, value in zip(metrics, values, strict=True)}
    reaches = margins(lambda first, second: statistics(members[first], others[second]), persons, tables.seed)
    found = zip(values, reaches.tolist(), metrics, strict=True)
    return {metric.name: with_interval(value, reach, metric) for value, reach, metric in found}
