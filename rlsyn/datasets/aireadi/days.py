"""Complete days of one participant, and what the wearables say of each.

A day lasts from 08:00 to 08:00 UTC (midnight or one o'clock to the same in the Pacific zone, two hours later in the
Central zone) and has 288 buckets of five minutes. It is accepted, as in the code of arXiv:2512.21395, if it lies within
the span of every stream but calories, heart rate, respiration, stress and glucose have no gap of more than three hours, and every
bucket has an activity and steps. Sleep and calories may lack.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rlsyn.datasets.aireadi.grid import (
    BUCKET,
    added_calories,
    averaged_calories,
    filled_calories,
    interpolated,
    majority,
    spread,
)
from rlsyn.datasets.aireadi.options import Calories
from rlsyn.datasets.aireadi.streams import ACTIVITIES, STAGES, Intervals, Name, Samples
from rlsyn.datasets.simulated_aireadi_columns import ACTIVITY_HOURS, SLEEP_HOURS

DAY = 24 * 3600
START = 8 * 3600
"""Seconds after midnight UTC."""
N_BUCKETS = DAY // BUCKET

SAMPLED: dict[Name, str] = {
    "heart_rate": "heart_rate_mean",
    "respiratory_rate": "resp_rate_mean",
    "stress": "stress_mean",
    "glucose": "blood_glucose_mean",
}
"""Streams of samples that an accepted day needs, and the column of their mean."""
NEEDED: tuple[Name, ...] = (*SAMPLED, "physical_activity")
"""Streams without which there is no day, where the release has them at all."""

SEDENTARY = ACTIVITIES.index("sedentary")

Streams = Mapping[Name, Samples | Intervals]


@dataclass
class Days:
    """The accepted days of a participant.

    Args:
        rows: For each its columns by name; what is missing is NaN.
        n_seen: Days that lie within all streams.
        lacking: By stream how many days it spoiled; a stream that the participant lacks altogether counts one day.
    """

    rows: list[dict[str, float]] = field(default_factory=list)
    n_seen: int = 0
    lacking: Counter[str] = field(default_factory=Counter)


def complete_days(streams: Streams, needed: Collection[Name], calories: Calories) -> Days:
    """The accepted days of a participant.

    Args:
        streams: By name the streams that the participant has.
        needed: Those of `NEEDED` that the release has.
        calories: How calories within one bucket are joined, see `AireadiOptions`.
    """
    days = Days()
    absent = [name for name in needed if name not in streams or streams[name].span is None]
    # Calories are counted now and then: a day may begin before their first sample and end after their last.
    lasting = (stream for name, stream in streams.items() if name != "physical_activity_calorie")
    spans = [stream.span for stream in lasting if stream.span is not None]
    if absent or not spans:
        days.lacking.update(absent)
        return days
    begin, end = max(span[0] for span in spans), min(span[1] for span in spans)
    first = -(-(begin - START) // DAY) * DAY + START
    starts = range(first, end - DAY + 1, DAY)
    if not starts:
        return days
    buckets = range(first // BUCKET, (starts[-1] + DAY) // BUCKET)
    activity = _bucketed(streams, "physical_activity", len(ACTIVITIES), buckets)
    stages = _bucketed(streams, "sleep", len(STAGES), buckets)
    steps = _steps(streams, buckets)
    kcal = _kcal_per_minute(streams, activity, calories, buckets)
    for number, start in enumerate(starts):
        days.n_seen += 1
        of_day = slice(number * N_BUCKETS, (number + 1) * N_BUCKETS)
        sampled = {name: _sampled(streams, name, start) for name in SAMPLED if name in needed}
        lacking = [name for name, values in sampled.items() if np.isnan(values).any()]
        if activity is not None and ((activity[of_day] < 0).any() or np.isnan(steps[of_day]).any()):
            lacking.append("physical_activity")
        if lacking:
            days.lacking.update(lacking)
            continue
        row = _of_samples(sampled) | _of_activity(sampled, activity, steps, of_day)
        row |= _hours(stages, STAGES, SLEEP_HOURS, of_day)
        row["total_kcal"] = _total(kcal, of_day) * (BUCKET / 60)
        days.rows.append({name: round(float(value), 2) for name, value in row.items()})
    return days


def _sampled(streams: Streams, name: Name, start: int) -> np.ndarray:
    stream: Any = streams[name]
    return interpolated(stream.times, stream.values, start + BUCKET * np.arange(N_BUCKETS))


def _bucketed(streams: Streams, name: Name, n_labels: int, buckets: range) -> np.ndarray | None:
    stream = streams.get(name)
    if not isinstance(stream, Intervals) or stream.span is None:
        return None
    return majority(stream.starts, stream.ends, stream.labels, n_labels, buckets)


def _steps(streams: Streams, buckets: range) -> np.ndarray:
    stream = streams.get("physical_activity")
    if not isinstance(stream, Intervals):
        return np.full(len(buckets), np.nan)
    return spread(stream.starts, stream.ends, stream.amounts, buckets)


def _kcal_per_minute(
    streams: Streams, activity: np.ndarray | None, calories: Calories, buckets: range
) -> np.ndarray | None:
    """Active kilocalories per minute in each bucket, none while sedentary; None without the streams for it."""
    samples, intervals = streams.get("physical_activity_calorie"), streams.get("physical_activity")
    if activity is None or not isinstance(samples, Samples) or not isinstance(intervals, Intervals):
        return None
    if samples.span is None:
        return None
    rates = np.where(activity == SEDENTARY, 0.0, np.nan)
    bucket = samples.times // BUCKET - buckets.start
    is_in = (bucket >= 0) & (bucket < len(buckets))
    times, values, bucket = samples.times[is_in], samples.values[is_in], bucket[is_in]
    for label in range(len(ACTIVITIES)):
        if label == SEDENTARY or not (chosen := activity[bucket] == label).any():
            continue
        arguments = (times[chosen], values[chosen], activity, label, buckets.start)
        if calories == "added":
            of_label = added_calories(*arguments)
        else:
            of_label = averaged_calories(*arguments, start=_interval_start(intervals, times[chosen][0]))
        rates = np.where(activity == label, filled_calories(of_label, activity == label), rates)
    return rates


def _interval_start(intervals: Intervals, time: int) -> int:
    around = (intervals.starts <= time) & (intervals.ends > time)
    return int(intervals.starts[around][0]) if around.any() else int(time)


def _of_samples(sampled: Mapping[Name, np.ndarray]) -> dict[str, float]:
    row = {column: sampled[name].mean() if name in sampled else np.nan for name, column in SAMPLED.items()}
    # The standard deviation of the readings at hand, as numpy has it by default.
    row["blood_glucose_std"] = sampled["glucose"].std() if "glucose" in sampled else np.nan
    return row


def _of_activity(
    sampled: Mapping[Name, np.ndarray], activity: np.ndarray | None, steps: np.ndarray, of_day: slice
) -> dict[str, float]:
    row = _hours(activity, ACTIVITIES, ACTIVITY_HOURS, of_day)
    row["total_steps"] = np.nan if activity is None else np.round(steps[of_day].sum())
    row["resting_heart_rate"] = np.nan
    if activity is not None:
        # So that the rounded hours of a day are 24 together.
        rest = [hours for name, hours in row.items() if name in ACTIVITY_HOURS and name != ACTIVITY_HOURS[SEDENTARY]]
        row[ACTIVITY_HOURS[SEDENTARY]] = 24 - sum(rest)
        is_resting = activity[of_day] == SEDENTARY
        if "heart_rate" in sampled and is_resting.any():
            row["resting_heart_rate"] = sampled["heart_rate"][is_resting].mean()
    return row


def _hours(
    labels: np.ndarray | None, known: tuple[str, ...], columns: tuple[str, ...], of_day: slice
) -> dict[str, float]:
    if labels is None:
        return dict.fromkeys(columns, np.nan)
    counts = np.bincount(labels[of_day] + 1, minlength=len(known) + 1)[1:]
    return {column: round(count * BUCKET / 3600, 2) for column, count in zip(columns, counts.tolist(), strict=True)}


def _total(rates: np.ndarray | None, of_day: slice) -> float:
    """Sum of what is known, and missing where nothing is."""
    if rates is None or np.isnan(rates[of_day]).all():
        return np.nan
    return float(np.nansum(rates[of_day]))
