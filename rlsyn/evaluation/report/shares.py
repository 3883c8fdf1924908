"""Shares of rows in the bins and categories of a column, for drawing: no bin shows fewer than three real people."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from rlsyn.evaluation.features import MISSING, category_positions, column_numbers
from rlsyn.schema import Column

MIN_PEOPLE = 3
"""Bins and categories of fewer real people are merged with others, or the real side is not shown."""
MAX_BARS = 8
MAX_BINS = 28
TAIL, FAR = 0.005, 6.0
"""The outermost half per cent of the values, and those more than six times the distance of the quartiles beyond these,
go to the outer bins: drawn out, they would squeeze the rest into one bin."""


class Histogram(NamedTuple):
    """Shares of the present values of each side in bins; both outer bins take in everything beyond them."""

    edges: np.ndarray
    real: np.ndarray | None
    synthetic: np.ndarray


class Bars(NamedTuple):
    """Shares of the present values of each side in categories; the last may be "other"."""

    names: list[str]
    real: np.ndarray | None
    synthetic: np.ndarray


def histogram(real: pd.Series, synthetic: pd.Series, column: Column, persons: np.ndarray) -> Histogram:
    """Shares of the rows of a numeric or integer column in bins with round edges.

    No edge is a value of a real row, and every bin holds no real person or at least `MIN_PEOPLE` of them; `real` is
    `None` where so few people have any value at all.

    Args:
        real: Values of real rows.
        synthetic: Values of synthetic rows.
        column: Their column.
        persons: The person that each real row belongs to, as a number.
    """
    numbers, others = column_numbers(real), column_numbers(synthetic)
    return number_histogram(numbers, others, persons, is_whole=column.kind == "integer")


def number_histogram(
    numbers: np.ndarray,
    others: np.ndarray,
    persons: np.ndarray,
    is_whole: bool = False,
    other_persons: np.ndarray | None = None,
) -> Histogram:
    """As `histogram`, of plain numbers; missing ones are left out.

    Args:
        numbers: Of real rows.
        others: Of the rows to compare with.
        persons: The person that each number of a real row belongs to.
        is_whole: Whether bins are to hold equally many whole numbers; others would show steps that are not there.
        other_persons: Where the other side is real as well: the person that each of its numbers belongs to.
    """
    present = ~np.isnan(numbers)
    numbers, persons = numbers[present], persons[present]
    other_persons = None if other_persons is None else other_persons[~np.isnan(others)]
    others = others[~np.isnan(others)]
    is_hidden = 0 < _n_people(persons) < MIN_PEOPLE
    protected, owners = (np.zeros(0), np.zeros(0, dtype=np.int64)) if is_hidden else (numbers, persons)
    edges = _round_edges(_limits(protected, others, other_persons is not None), is_whole)
    edges = _merge_small_bins(edges, protected, owners)
    if other_persons is not None:
        edges = _merge_small_bins(edges, others, other_persons)
    real = None if is_hidden else _bin_shares(edges, numbers)
    return Histogram(edges, real, _bin_shares(edges, others))


def bars(real: pd.Series, synthetic: pd.Series, column: Column, persons: np.ndarray, max_bars: int = MAX_BARS) -> Bars:
    """Shares of the rows of a binary or categorical column, the categories in the schema's order.

    Categories of fewer than `MIN_PEOPLE` real people, those beyond the commonest `max_bars` and values outside the
    schema go to "other", along with the next rarest one if that would still be too few; where less than two categories
    are left, `real` is `None`. Arguments as for `histogram`.
    """
    n = len(column.categories)
    positions, others = (_positions(values, column) for values in (real, synthetic))
    is_present = positions != MISSING
    positions, persons, others = positions[is_present], persons[is_present], others[others != MISSING]
    people = np.array([_n_people(persons[positions == position]) for position in range(n + 1)])
    counts, other_counts = (np.bincount(side, minlength=n + 1) for side in (positions, others))
    shares, other_shares = (side / max(side.sum(), 1) for side in (counts, other_counts))
    kept = _kept_categories(people, positions, persons, np.maximum(shares, other_shares), max_bars)
    is_hidden = kept is None and len(persons) > 0
    if kept is None:  # the synthetic rows may be shown whatever the real ones hold
        common = np.argsort(-other_shares[:n], kind="stable")[: max_bars - 1]
        kept = np.sort(common[other_shares[common] > 0])
    names = [str(column.categories[position]) for position in kept]
    values = [np.append(side[kept], max(0.0, side.sum() - side[kept].sum())) for side in (shares, other_shares)]
    drawn = values[1:] if is_hidden else values
    if max(float(side[-1]) for side in drawn) > 1e-9:
        names.append("other")
    real_shares, synthetic_shares = (side[: len(names)] for side in values)
    return Bars(names, None if is_hidden else real_shares, synthetic_shares)


def missing_share(values: pd.Series, persons: np.ndarray) -> float | None:
    """Share of missing values; `None` where that would tell of one or two people who have, or lack, the value."""
    is_missing = values.isna().to_numpy()
    few = (0 < _n_people(persons[side]) < MIN_PEOPLE for side in (is_missing, ~is_missing))
    return None if any(few) else float(is_missing.mean())


def _n_people(persons: np.ndarray) -> int:
    return len(np.unique(persons))


def _positions(values: pd.Series, column: Column) -> np.ndarray:
    # A value outside the schema takes the place behind its categories.
    positions = category_positions(values, column)
    return np.where(positions < MISSING, len(column.categories), positions)


def _limits(numbers: np.ndarray, others: np.ndarray, others_are_real: bool) -> tuple[float, float]:
    sides = [_inner_range(side, is_real) for side, is_real in ((numbers, True), (others, others_are_real)) if len(side)]
    return (min(side[0] for side in sides), max(side[1] for side in sides)) if sides else (0.0, 1.0)


def _inner_range(numbers: np.ndarray, is_real: bool) -> tuple[float, float]:
    rank = max(int(TAIL * len(numbers)), MIN_PEOPLE - 1 if is_real else 0)
    rank = min(rank, (len(numbers) - 1) // 2)
    ordered = np.sort(numbers)
    low, high = float(ordered[rank]), float(ordered[-1 - rank])
    lower, upper = (float(quartile) for quartile in np.quantile(numbers, [0.25, 0.75]))
    if upper > lower:
        reach = FAR * (upper - lower)
        low, high = max(low, lower - reach), min(high, upper + reach)
    return low, high


def _round_edges(limits: tuple[float, float], is_whole: bool) -> np.ndarray:
    low, high = limits
    least = (high - low) / (MAX_BINS - 3) if high > low else abs(low) / 10
    step = _round_step(least) if least else 1.0
    step = max(step, 1e-9 * max(abs(low), abs(high)))  # floats can tell the edges apart
    step = max(step, 1.0) if is_whole else step
    first, last = np.floor(low / step), np.floor(high / step) + 1
    if high <= low:
        first, last = first - 1, last + 1
    edges = step * np.arange(first, last + 1)
    return edges - 0.5 if is_whole else edges


def _round_step(least: float) -> float:
    scale = 10.0 ** np.floor(np.log10(least))
    return float(next(factor * scale for factor in (1.0, 2.0, 5.0, 10.0) if factor * scale >= least * (1 - 1e-9)))


def _bin_numbers(edges: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    return np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, len(edges) - 2)


def _bin_shares(edges: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    return np.bincount(_bin_numbers(edges, numbers), minlength=len(edges) - 1) / max(len(numbers), 1)


def _merge_small_bins(edges: np.ndarray, numbers: np.ndarray, persons: np.ndarray) -> np.ndarray:
    # A bin of too few people joins its neighbour towards the middle of the distribution, where there are more.
    if len(numbers) == 0:
        return edges
    kept, middle, bins = list(edges), float(np.median(numbers)), _bin_numbers(edges, numbers)
    people = [np.unique(persons[bins == number]) for number in range(len(edges) - 1)]
    position = 0
    while position < len(people) and len(people) > 1:
        if not 0 < len(people[position]) < MIN_PEOPLE:
            position += 1
            continue
        is_left = kept[position + 1] <= middle
        if position == len(people) - 1 or (position > 0 and not is_left):
            position -= 1
        people[position : position + 2] = [np.union1d(people[position], people[position + 1])]
        del kept[position + 1]
    return np.array(kept)


def _kept_categories(
    people: np.ndarray, positions: np.ndarray, persons: np.ndarray, shares: np.ndarray, max_bars: int
) -> np.ndarray | None:
    # The categories to show by name; None where the real side cannot be shown.
    n = len(people) - 1
    if _n_people(persons) < MIN_PEOPLE:
        return None
    common = np.argsort(-shares[:n], kind="stable")
    kept = [int(p) for p in common if (people[p] >= MIN_PEOPLE or people[p] == 0) and shares[p] > 0]
    kept = kept if len(kept) == n <= max_bars else kept[: max_bars - 1]
    while kept and 0 < _n_people(persons[~np.isin(positions, kept)]) < MIN_PEOPLE:
        kept.remove(min((p for p in kept if people[p]), key=lambda p: people[p]))
    n_shown = len(kept) + bool((~np.isin(positions, kept)).any())
    return np.sort(kept) if n_shown >= min(2, int((people > 0).sum())) and kept else None
