"""JSON of the wearables of the invented release of AI-READI (see `aireadi_release`)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from aireadi_sources import FIRST_MORNING, PERIOD, TRAPS, number


def glucose_level(i: int, day: int) -> int:
    """mg/dL in the first half of the day; 20 more in the second."""
    return 100 + 2 * (i % PERIOD) + 10 * day


def _stamp(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _times(first: datetime, last: datetime, every: int) -> Iterator[datetime]:
    while first <= last:
        yield first
        first += timedelta(seconds=every)


def _interval(start: datetime, end: datetime) -> dict[str, Any]:
    return {"time_interval": {"start_date_time": _stamp(start), "end_date_time": _stamp(end)}}


def _is_within(time: datetime, start: float, end: float, day: int | None = None) -> bool:
    """Whether the time is that many hours after 08:00, of that day or of any."""
    of_day, seconds = divmod(int((time - FIRST_MORNING).total_seconds()), 24 * 3600)
    return start * 3600 <= seconds < end * 3600 and (day is None or of_day == day)


def write_wearables(root: Path, version: int, i: int, n_days: int, every: int) -> None:
    streams = {
        "wearable_blood_glucose/continuous_glucose_monitoring/dexcom_g6/DEX": ("cgm", _glucose(i, n_days)),
        "heart_rate/garmin_vivosmart5/heartrate": ("heart_rate", _heart_rates(i, n_days, every)),
        "respiratory_rate/garmin_vivosmart5/respiratoryrate": ("breathing", _respirations(i, n_days, every)),
        "stress/garmin_vivosmart5/stress": ("stress", _stresses(i, n_days, every)),
        "physical_activity/garmin_vivosmart5/activity": ("activity", _activities(i, n_days)),
        "physical_activity_calorie/garmin_vivosmart5/calorie": ("activity", _calories(n_days)),
        "sleep/garmin_vivosmart5/sleep": ("sleep", _sleep(version, n_days)),
    }
    absent = {TRAPS["no glucose file"]: "DEX", TRAPS["no sleep file"]: "sleep", TRAPS["no calories file"]: "calorie"}
    for place, (key, records) in streams.items():
        *folder, suffix = place.split("/")
        if absent.get(i) == suffix:
            continue
        base = root if len(folder) == 3 else root / "wearable_activity_monitor"
        path = base.joinpath(*folder, str(number(i)), f"{number(i)}_{suffix}.json")
        path.parent.mkdir(parents=True, exist_ok=True)
        id_key = "patient_id" if suffix == "DEX" else "user_id"
        document = {"header": {id_key: f"AIREADI-{number(i)}", "timezone": "pst"}, "body": {key: list(records)}}
        text = json.dumps(document)
        path.write_text(
            text[: len(text) // 2] if suffix == "heartrate" and i == TRAPS["heart rate is no JSON"] else text
        )


def _span(n_days: int) -> tuple[datetime, datetime]:
    return FIRST_MORNING - timedelta(hours=1), FIRST_MORNING + timedelta(days=n_days, hours=1)


def _glucose(i: int, n_days: int) -> Iterator[dict[str, Any]]:
    for time in _times(*_span(n_days), 300):
        day = (time - FIRST_MORNING) // timedelta(days=1)
        value: int | str = glucose_level(i, day) + (20 if _is_within(time, 12, 24) else 0)
        if i == TRAPS["half a day of Low glucose"] and _is_within(time, 0, 12, day=0):
            value = "Low"
        if i == TRAPS["an hour of High glucose"] and _is_within(time, 14, 15, day=0):
            value = "High"
        if i == TRAPS["four hours without glucose"] and _is_within(time, 2, 6, day=1):
            continue
        yield {"effective_time_frame": _interval(time, time), "blood_glucose": {"value": value, "unit": "mg/dL"}}
    # A reading that lasts is none.
    lasting = _interval(FIRST_MORNING + timedelta(seconds=450), FIRST_MORNING + timedelta(seconds=460))
    yield {"effective_time_frame": lasting, "blood_glucose": {"value": 350, "unit": "mg/dL"}}


def _heart_rates(i: int, n_days: int, every: int) -> Iterator[dict[str, Any]]:
    """60 + i while sitting, 24 more in the hour of walking."""
    for time in _times(*_span(n_days), every):
        if i == TRAPS["two hours without heart rate"] and _is_within(time, 2, 4):
            continue
        value = 60 + i % PERIOD + (24 if _is_within(time, 9, 10) else 0)
        yield {"effective_time_frame": {"date_time": _stamp(time)}, "heart_rate": {"value": value, "unit": "beats/min"}}
    for minutes, value in ((12, -1), (17, 0)):
        off_wrist = FIRST_MORNING + timedelta(minutes=minutes, seconds=30)
        yield {"effective_time_frame": {"date_time": _stamp(off_wrist)}, "heart_rate": {"value": value}}
    if i == TRAPS["a record without a value"]:
        yield {"effective_time_frame": {"date_time": _stamp(FIRST_MORNING)}, "heart_rate": {"unit": "beats/min"}}


def _respirations(i: int, n_days: int, every: int) -> Iterator[dict[str, Any]]:
    """12 + i / 10, with half an hour of NaN, -1 and -2."""
    for k, time in enumerate(_times(*_span(n_days), every)):
        invalid = (float("nan"), -1, -2, 0)[k % 4]
        value = invalid if _is_within(time, 5, 5.5) else 12 + i % PERIOD / 10
        yield {"effective_time_frame": {"date_time": _stamp(time)}, "respiratory_rate": {"value": value}}


def _stresses(i: int, n_days: int, every: int) -> Iterator[dict[str, Any]]:
    """30 + i, half an hour of -2; 0 is a value."""
    for time in _times(*_span(n_days), every):
        value = -2 if _is_within(time, 6, 6.5) else 0 if _is_within(time, 0, 2) else 30 + i % PERIOD
        yield {"effective_time_frame": {"date_time": _stamp(time)}, "stress": {"value": value, "unit": "stress level"}}


def _activities(i: int, n_days: int) -> Iterator[dict[str, Any]]:
    """Each day an hour of walking at 17:00 UTC, 25 minutes of running, five of something; sedentary else."""
    first, last = _span(n_days)
    parts: list[tuple[datetime, datetime, str, int | str]] = [(first, FIRST_MORNING, "sedentary", 0)]
    for day in range(n_days):
        morning = FIRST_MORNING + timedelta(days=day)
        hours = [0, 9, 9.25, 9.5, 9.75, 10, 10 + 25 / 60, 12, 12 + 5 / 60, 24]
        names = ["sedentary", *["walking"] * 4, "running", "sedentary", "generic", "sedentary"]
        steps = [0, 1500, "1500", 1500, "1500", "3000", 0, 60 + i % PERIOD + day // 2, 0]
        times = [morning + timedelta(hours=hour) for hour in hours]
        parts += zip(times[:-1], times[1:], names, steps, strict=True)
    parts += [(last - timedelta(hours=1), last, "sedentary", 0)]
    # No name, no steps.
    parts += [(FIRST_MORNING + timedelta(hours=1), FIRST_MORNING + timedelta(hours=2), "", "")]
    for start, end, name, value in parts:
        quantity = {"value": value, "unit": "steps"}
        yield {"effective_time_frame": _interval(start, end), "activity_name": name, "base_movement_quantity": quantity}


def _calories(n_days: int) -> Iterator[dict[str, Any]]:
    """Counters of walking (220 kcal a day) and of running (80), which start again each day."""
    samples = ((70, 40), (85, 100), (100, 160), (115, 220), (130, 30), (140, 80))
    for day in range(n_days):
        for minutes, value in samples:
            time = FIRST_MORNING + timedelta(days=day, hours=8, minutes=minutes)
            yield _calorie(time, value)
        # The counter of sedentary time says nothing.
        yield _calorie(FIRST_MORNING + timedelta(days=day, hours=14), 7 + day)


def _calorie(time: datetime, value: float) -> dict[str, Any]:
    quantity = {"value": value, "unit": "kcal"}
    frame = {"date_time": _stamp(time)}
    return {"effective_time_frame": frame, "activity_name": "kcal_burned", "calories_value": quantity}


def _sleep(version: int, n_days: int) -> Iterator[dict[str, Any]]:
    """Each day four hours of light sleep, one of deep sleep, half of dreams, half awake."""
    first, last = _span(n_days)
    parts = [(first, FIRST_MORNING, "light")]
    for day in range(n_days):
        morning = FIRST_MORNING + timedelta(days=day)
        for start, end, stage in (
            (0.5, 3.5, "light"),
            (3.5, 4.5, "deep"),
            (4.5, 5, "rem"),
            (5, 5.5, "awake"),
            (23, 24, "light"),
        ):
            parts.append((morning + timedelta(hours=start), morning + timedelta(hours=end), stage))
    parts.append((last - timedelta(hours=1), last, "light"))
    frame = "effective_time_frame" if version == 3 else "sleep_stage_time_frame"
    for start, end, stage in parts:
        yield {frame: _interval(start, end), "sleep_stage_state": stage}
