"""Shares of rows in the bins and categories of a column, for drawing: no bin shows fewer than three real people."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from rlsyn.evaluation.disclosure import MIN_PEOPLE, hides_missing, hides_numbers, hides_values, is_few, n_people
from rlsyn.evaluation.features import MISSING, category_positions, column_numbers
from rlsyn.schema import Column

MAX_BARS = 8
MAX_BINS = 28
TAIL, FAR = 0.005, 6.0
"""The outermost half per cent of the people, and values more than six times the distance of the quartiles beyond these,
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

    Edges are round numbers, not taken from rows, and every bin holds no real person or at least `MIN_PEOPLE` of them;
    `real` is `None` where `hides_values` says so.

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
    is_hidden = hides_numbers(numbers, persons)
    protected, owners = (np.zeros(0), np.zeros(0, dtype=np.int64)) if is_hidden else (numbers, persons)
    edges = _round_edges(_limits((protected, owners), (others, other_persons)), is_whole)
    edges = _merge_small_bins(edges, protected, owners)
    if other_persons is not None:
        edges = _merge_small_bins(edges, others, other_persons)
    real = None if is_hidden else _bin_shares(edges, numbers)
    return Histogram(edges, real, _bin_shares(edges, others))


def bars(real: pd.Series, synthetic: pd.Series, column: Column, persons: np.ndarray, max_bars: int = MAX_BARS) -> Bars:
    """Shares of the rows of a binary or categorical column, the categories in the schema's order.

    Categories of fewer than `MIN_PEOPLE` real people, those beyond the commonest `max_bars` and values outside the
    schema go to "other", along with the next rarest one if that would still be too few; `real` is `None` where
    `hides_values` says so. Arguments as for `histogram`.
    """
    n, is_hidden = len(column.categories), hides_values(real, column, persons)
    positions, others = (category_positions(values, column, n) for values in (real, synthetic))
    is_present = positions != MISSING
    positions, persons, others = positions[is_present], persons[is_present], others[others != MISSING]
    people = np.array([n_people(persons[positions == position]) for position in range(n + 1)])
    counts, other_counts = (np.bincount(side, minlength=n + 1) for side in (positions, others))
    shares, other_shares = (side / max(side.sum(), 1) for side in (counts, other_counts))
    if is_hidden:  # the synthetic rows may be shown whatever the real ones hold
        common = np.argsort(-other_shares[:n], kind="stable")[: max_bars - 1]
        kept = np.sort(common[other_shares[common] > 0])
    else:
        kept = _kept_categories(people, positions, persons, np.maximum(shares, other_shares), max_bars)
    names = [str(column.categories[position]) for position in kept]
    values = [np.append(side[kept], max(0.0, side.sum() - side[kept].sum())) for side in (shares, other_shares)]
    drawn = values[1:] if is_hidden else values
    if max(float(side[-1]) for side in drawn) > 1e-9:
        names.append("other")
    real_shares, synthetic_shares = (side[: len(names)] for side in values)
    return Bars(names, None if is_hidden else real_shares, synthetic_shares)


def missing_share(values: pd.Series, persons: np.ndarray) -> float | None:
    """Share of missing values; `None` where that would tell of one or two people who have, or lack, the value."""
    return None if hides_missing(values, persons) else float(values.isna().mean())


def _limits(*sides: tuple[np.ndarray, np.ndarray | None]) -> tuple[float, float]:
    # Of the axis; sides are numbers, and their persons where they are real.
    ranges = [_inner_range(numbers, persons) for numbers, persons in sides if len(numbers)]
    return (min(low for low, _ in ranges), max(high for _, high in ranges)) if ranges else (0.0, 1.0)


def _inner_range(numbers: np.ndarray, persons: np.ndarray | None) -> tuple[float, float]:
    # People are ranked by their lowest and by their highest value: many rows of one of them do not stretch the axis.
    by_person = pd.Series(numbers).groupby(np.arange(len(numbers)) if persons is None else persons)
    lowest, highest = by_person.min().to_numpy(), by_person.max().to_numpy()
    rank = max(int(TAIL * len(lowest)), 0 if persons is None else MIN_PEOPLE - 1)
    rank = min(rank, (len(lowest) - 1) // 2)
    low, high = float(np.sort(lowest)[rank]), float(np.sort(highest)[-1 - rank])
    lower, upper = (float(quartile) for quartile in np.quantile(numbers, [0.25, 0.75]))
    reach = upper - lower
    if reach == 0:  # most rows have one value: how far do people go who leave it?
        farthest = np.maximum(lower - lowest, highest - lower)
        reach = float(np.median(farthest[farthest > 0])) if farthest.any() else 0.0
    return max(low, lower - FAR * reach), min(high, upper + FAR * reach)


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
        if not is_few(people[position]):
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
) -> np.ndarray:
    # The categories to show by name.
    n = len(people) - 1
    common = np.argsort(-shares[:n], kind="stable")
    kept = [int(p) for p in common if (people[p] >= MIN_PEOPLE or people[p] == 0) and shares[p] > 0]
    kept = kept if len(kept) == n <= max_bars else kept[: max_bars - 1]
    while is_few(persons[~np.isin(positions, kept)]):
        kept.remove(min((p for p in kept if people[p]), key=lambda p: people[p]))
    return np.sort(kept).astype(np.int64)
