"""One file of a wearable of AI-READI: what it holds, what of it is left out, and what is refused."""

import json
from pathlib import Path

import pandas as pd
import pytest

from rlsyn.datasets.aireadi.streams import read_intervals, read_samples

TIME = "2024-03-04T08:00:00Z"


def stream(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "stream.json"
    path.write_text(text)
    return path


def heart_rate(value, time=TIME) -> dict:
    return {"effective_time_frame": {"date_time": time}, "heart_rate": {"value": value}}


def test_samples_are_sorted_and_those_that_are_none_left_out(tmp_path):
    records = [
        heart_rate(70, "2024-03-04T08:05:00Z"),
        heart_rate(60),
        heart_rate(61),
        heart_rate(-1, "2024-03-04T09:00:00Z"),
    ]
    records += [heart_rate("x"), {"heart_rate": {"value": 60}}, heart_rate(60, "yesterday"), heart_rate(float("nan"))]
    found = read_samples(stream(tmp_path, json.dumps({"body": {"heart_rate": records}})), "heart_rate")
    first = int(pd.Timestamp(TIME).timestamp())
    assert found.times.tolist() == [first, first + 300] and list(found.values) == [60, 70]
    # The span is that of all samples, valid or not.
    assert found.span == (first, first + 3600) and found.n_skipped == 3


def test_times_with_an_offset_are_times(tmp_path):
    path = stream(tmp_path, json.dumps({"body": {"heart_rate": [heart_rate(60, "2024-03-04T00:00:00-08:00")]}}))
    assert read_samples(path, "heart_rate").times.tolist() == [int(pd.Timestamp(TIME).timestamp())]


def test_release_1_has_the_readings_of_glucose_as_the_body(tmp_path):
    interval = {"time_interval": {"start_date_time": TIME, "end_date_time": TIME}}
    records = [{"effective_time_frame": interval, "blood_glucose": {"value": value}} for value in ("Low", 120)]
    path = stream(tmp_path, json.dumps({"body": records}))
    assert list(read_samples(path, "glucose").values) == [39]  # the first of two at one time
    assert list(read_samples(path, "glucose", "dropped").values) == [120]


def test_an_empty_stream_is_a_stream(tmp_path):
    assert read_samples(stream(tmp_path, '{"body": {"stress": []}}'), "stress").span is None
    assert read_intervals(stream(tmp_path, '{"body": {"sleep": []}}'), "sleep").span is None


NO_STREAMS = (
    *('{"body": {"stress": [', "[]", '{"body": {}}', '{"body": {"stress": [{}]}}', ""),
    *('{"body": null}', '{"body": {"stress": null}}', '{"body": {"stress": 3}}', '{"body": {"stress": {"a": 1}}}'),
)


@pytest.mark.parametrize("text", NO_STREAMS)
def test_a_file_of_another_form_is_refused_in_a_line_without_its_name(tmp_path, text):
    """The name of the file holds the number of the participant."""
    with pytest.raises(ValueError, match=r"^stress: not as expected") as error:
        read_samples(stream(tmp_path, text), "stress")
    assert "\n" not in str(error.value) and "stream.json" not in str(error.value)


def test_a_file_that_cannot_be_opened_is_refused_without_its_name(tmp_path):
    with pytest.raises(ValueError, match=r"^stress: not as expected \(No such file or directory\)$"):
        read_samples(tmp_path / "absent.json", "stress")


def lasting(start, end, **fields) -> dict:
    return {"effective_time_frame": {"time_interval": {"start_date_time": start, "end_date_time": end}}, **fields}


NO_TIMES = ((None, None), (None, TIME), (TIME, None), (3, 3))


def test_glucose_without_a_time_is_skipped_and_counted(tmp_path):
    value = {"blood_glucose": {"value": 120}}
    records = [lasting(TIME, TIME, **value), *(lasting(*times, **value) for times in NO_TIMES)]
    found = read_samples(stream(tmp_path, json.dumps({"body": {"cgm": records}})), "glucose")
    assert list(found.values) == [120] and found.n_skipped == len(NO_TIMES)


@pytest.mark.parametrize("name", ["physical_activity", "sleep"])
def test_an_interval_without_a_time_is_skipped_and_counted(tmp_path, name):
    fields = {"base_movement_quantity": {"value": 5}, "activity_name": "walking", "sleep_stage_state": "rem"}
    records = [lasting(TIME, TIME, **fields), *(lasting(*times, **fields) for times in NO_TIMES)]
    key = "activity" if name == "physical_activity" else name
    found = read_intervals(stream(tmp_path, json.dumps({"body": {key: records}})), name)
    assert len(found.starts) == 1 and found.n_skipped == len(NO_TIMES)
