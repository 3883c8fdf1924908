"""Streams on a grid of five minutes: arithmetic on arrays, after the code of arXiv:2512.21395.

A bucket is five minutes, numbered from 1970: bucket b lasts from 300 b to 300 (b + 1) seconds.
"""

from __future__ import annotations

import numpy as np

BUCKET = 300
"""Seconds."""
MAX_GAP = 3 * 3600
"""Seconds between two values beyond which nothing is filled in between."""
MAX_KCAL_PER_MINUTE = 20.0
"""Active kilocalories per minute that a counter cannot really have gained."""


def interpolated(times: np.ndarray, values: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Values at the times of the grid, linear between neighbours that are at most three hours apart.

    The first point of the grid may copy the next value where no value is within three hours before it; everything else
    needs a neighbour on either side, and is missing (NaN) without.

    Args:
        times: `(n,)` seconds, ascending, each once.
        values: `(n,)`.
        grid: `(m,)` seconds, ascending.

    Returns:
        `(m,)`.

    Example:
        >>> interpolated(np.array([0, 600]), np.array([60.0, 80.0]), np.array([0, 300, 900])).tolist()
        [60.0, 70.0, nan]
    """
    found = np.full(len(grid), np.nan)
    if not len(times):
        return found
    after = np.searchsorted(times, grid)
    before = np.searchsorted(times, grid, side="right") - 1
    is_inside = (before >= 0) & (after < len(times))
    left, right = times[before.clip(0)], times[after.clip(None, len(times) - 1)]
    is_filled = is_inside & (right - left <= MAX_GAP)
    found[is_filled] = np.interp(grid[is_filled], times, values)
    has_none_before = before[0] < 0 or grid[0] - left[0] > MAX_GAP
    if has_none_before and after[0] < len(times) and right[0] - grid[0] <= MAX_GAP:
        found[0] = values[after[0]]
    return found


def pieces(starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Intervals cut at the borders of buckets.

    Args:
        starts: `(n,)` seconds.
        ends: `(n,)` seconds; an interval that does not last has no piece.

    Returns:
        For each piece its interval (position in `starts`), its bucket, and how many seconds it lasts.
    """
    first = starts // BUCKET
    counts = np.where(ends > starts, (ends - 1) // BUCKET - first + 1, 0)
    interval = np.repeat(np.arange(len(starts)), counts)
    bucket = first[interval] + np.arange(len(interval)) - np.repeat(np.cumsum(counts) - counts, counts)
    seconds = np.minimum(ends[interval], (bucket + 1) * BUCKET) - np.maximum(starts[interval], bucket * BUCKET)
    return interval, bucket, seconds


def spread(starts: np.ndarray, ends: np.ndarray, amounts: np.ndarray, buckets: range) -> np.ndarray:
    """Amount in each of the buckets, that of an interval being spread evenly over it.

    Returns:
        `(len(buckets),)`; missing in buckets that no interval with an amount touches.
    """
    is_known = np.isfinite(amounts)
    interval, bucket, seconds = pieces(starts[is_known], ends[is_known])
    shares = (amounts[is_known] / np.maximum(ends - starts, 1)[is_known])[interval] * seconds
    total, n_touching = np.zeros(len(buckets)), np.zeros(len(buckets))
    is_in = (bucket >= buckets.start) & (bucket < buckets.stop)
    np.add.at(total, bucket[is_in] - buckets.start, shares[is_in])
    np.add.at(n_touching, bucket[is_in] - buckets.start, 1)
    return np.where(n_touching > 0, total, np.nan)


def majority(starts: np.ndarray, ends: np.ndarray, labels: np.ndarray, n_labels: int, buckets: range) -> np.ndarray:
    """Label that lasts longest in each of the buckets; of two that last as long, the one that comes first.

    Returns:
        `(len(buckets),)` int64; -1 where there is none.
    """
    is_label = labels >= 0
    interval, bucket, seconds = pieces(starts[is_label], ends[is_label])
    is_in = (bucket >= buckets.start) & (bucket < buckets.stop)
    at = (bucket[is_in] - buckets.start, labels[is_label][interval[is_in]])
    lasted = np.zeros((len(buckets), n_labels))
    np.add.at(lasted, at, seconds[is_in])
    came = np.full((len(buckets), n_labels), len(labels) + 1)
    np.minimum.at(came, at, interval[is_in])
    is_longest = (lasted == lasted.max(axis=1, keepdims=True)) & (lasted > 0)
    longest = np.argmin(np.where(is_longest, came, len(labels) + 2), axis=1)
    return np.where(is_longest.any(axis=1), longest, -1)


def added_calories(times: np.ndarray, counter: np.ndarray, labels: np.ndarray, label: int, first: int) -> np.ndarray:
    """Kilocalories per minute in the buckets of one activity, from the counter of that activity.

    The counter adds up while the activity goes on, stands still between, and starts again from 0. What it gains between
    two samples is spread evenly over the time of the activity between them, so that nothing is lost or counted twice. A
    smaller value is a new start, and what it shows was gained since; but where nobody could gain so fast what the next
    sample shows, the smaller value is an error of the device and left out. What the first sample shows was gained at
    unknown times.

    Args:
        times: `(n,)` seconds of the samples that fall into buckets of the activity, ascending.
        counter: `(n,)` kilocalories.
        labels: `(m,)` activity of each bucket.
        label: The activity.
        first: Number of the first bucket.

    Returns:
        `(m,)`; missing outside the activity, and before its first and after its last sample.
    """
    rates = np.full(len(labels), np.nan)
    times, counter = _one_per_time(times, counter)
    is_error = np.zeros(len(counter), dtype=bool)
    is_too_fast = np.diff(counter) > np.diff(times) / 60 * MAX_KCAL_PER_MINUTE
    is_error[1:-1] = (counter[1:-1] < counter[:-2]) & is_too_fast[1:]
    times, counter = times[~is_error], counter[~is_error]
    if len(times) < 2:
        return rates
    gains = np.diff(counter)
    total = np.concatenate([[0.0], np.cumsum(np.where(gains < 0, counter[1:], gains))])
    of_label = labels == label
    elapsed = np.concatenate([[0], np.cumsum(of_label * BUCKET)])
    edges = (first + np.arange(len(labels) + 1)) * BUCKET
    at_samples = np.interp(times, edges, elapsed)
    gained = np.diff(np.interp(elapsed, at_samples, total))
    is_known = of_label & (edges[1:] > times[0]) & (edges[:-1] < times[-1])
    rates[is_known] = gained[is_known] / (BUCKET / 60)
    return rates


def averaged_calories(
    times: np.ndarray, counter: np.ndarray, labels: np.ndarray, label: int, first: int, start: int
) -> np.ndarray:
    """As `added_calories`, by the rules of the code of arXiv:2512.21395.

    These lose most of what is counted: the parts of a bucket are averaged, not added; what falls outside the activity
    is lost; after a new start two samples are. The first sample counts from `start`, the start of its interval.
    """
    rates = np.full(len(labels), np.nan)
    times, counter = _one_per_time(times, counter)
    last_value, last_time = 0.0, start
    for i, (time, value) in enumerate(zip(times.tolist(), counter.tolist(), strict=True)):
        before = counter[i - 1] if i else value
        if value < before:
            if (counter[i + 1 : i + 3] <= before).all():
                continue
            last_value, last_time = 0.0, time
            continue
        gain, seconds = value - last_value, time - last_time
        if gain >= 0 and seconds > 0:
            _, buckets, parts = pieces(np.array([last_time]), np.array([time]))
            is_in = (buckets >= first) & (buckets < first + len(labels))
            at, parts = buckets[is_in] - first, parts[is_in]
            at, parts = at[labels[at] == label], parts[labels[at] == label]
            new = gain / seconds * parts / (BUCKET / 60)
            rates[at] = np.where(np.isnan(rates[at]), new, (rates[at] + new) / 2)
        last_value, last_time = value, time
    return rates


def filled_calories(rates: np.ndarray, is_activity: np.ndarray) -> np.ndarray:
    """Rates of one activity, impossible ones replaced and gaps of up to three hours filled between its buckets."""
    rates = np.where(rates > MAX_KCAL_PER_MINUTE, np.nan, rates)
    at = np.arange(len(rates)) * BUCKET
    is_known = np.isfinite(rates) & is_activity
    filled = interpolated(at[is_known], rates[is_known], at)
    # Only what lies between two known buckets: the copy at the first point is not wanted here.
    is_between = is_activity & np.isnan(rates) & (at > at[is_known].min(initial=at[-1] + 1))
    return np.where(is_between, filled, rates)


def _one_per_time(times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    distinct, inverse, counts = np.unique(times, return_inverse=True, return_counts=True)
    return distinct, np.bincount(inverse, weights=values, minlength=len(distinct)) / counts
