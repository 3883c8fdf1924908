"""Folders and files of AI-READI that are not as they should be, and the table that is kept for the next run."""

import json
import logging
import os
import shutil
import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from aireadi_release import write_release

from rlsyn.datasets import aireadi
from rlsyn.datasets.aireadi import AireadiOptions, read_aireadi
from rlsyn.datasets.aireadi.measurements import read_measurements
from rlsyn.datasets.aireadi.release import open_release
from rlsyn.datasets.aireadi.sources import LABORATORY as LABORATORY_ITEMS
from rlsyn.datasets.aireadi.streams import read_intervals, read_samples
from rlsyn.datasets.aireadi.wearables import COLUMNS_OF

PLAIN = AireadiOptions(cache=False, n_readers=1)
TIME = "2024-03-04T08:00:00Z"


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    return write_release(tmp_path_factory.mktemp("aireadi"), 3, n_participants=3, n_days=1)


@pytest.fixture
def release_dir(original, tmp_path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "release"))


def test_a_wrong_folder_says_what_was_looked_for_and_where_to_get_access(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(
        FileNotFoundError, match=r"participants\.tsv and clinical_data/.*lacks .* found notes\.txt.*fairhub"
    ):
        read_aireadi(tmp_path, PLAIN)
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*absent.*fairhub"):
        read_aireadi(tmp_path / "absent", PLAIN)


@pytest.mark.parametrize("given", ["..", "clinical_data", "cardiac_ecg/ecg_12lead"])
def test_a_folder_above_or_below_the_release_says_so(release_dir, given):
    with pytest.raises(FileNotFoundError, match=r"but .*release looks like one: give --data-dir .*release"):
        read_aireadi((release_dir / given).resolve(), PLAIN)


def test_the_version_is_read_or_told_from_the_layout(release_dir):
    assert open_release(release_dir).version == "3.0.0"
    (release_dir / "dataset_description.json").write_text("{}")
    assert open_release(release_dir).version == "3" and open_release(release_dir).is_v3
    people = release_dir / "participants.tsv"
    people.write_text(people.read_text().replace("person_id", "participant_id"))
    assert open_release(release_dir).version == "2"
    people.write_text(people.read_text().replace("participant_id", "who"))
    with pytest.raises(ValueError, match="must have a column person_id or participant_id, got"):
        open_release(release_dir)


def test_people_count_once(release_dir):
    people = release_dir / "participants.tsv"
    people.write_text(people.read_text() + people.read_text().splitlines()[1] + "\n\tUW\n")
    assert open_release(release_dir).people.index.tolist() == [1001, 4002, 7003]


def test_numbers_of_people_may_carry_a_prefix(release_dir):
    people = release_dir / "participants.tsv"
    people.write_text(people.read_text().replace("1001\t", "AIREADI-1001\t").replace("4002\t", "4002.0\t"))
    assert open_release(release_dir).people.index.tolist() == [1001, 4002, 7003]


ABSENT = {
    "wearable_blood_glucose": ("wearable_blood_glucose/continuous", COLUMNS_OF["glucose"]),
    "wearable_activity_monitor/heart_rate": ("heart_rate", COLUMNS_OF["heart_rate"]),
    "wearable_activity_monitor/stress": ("stress", COLUMNS_OF["stress"]),
    "wearable_activity_monitor/respiratory_rate": ("respiratory_rate", COLUMNS_OF["respiratory_rate"]),
    "wearable_activity_monitor/physical_activity": ("physical_activity", COLUMNS_OF["physical_activity"]),
    "wearable_activity_monitor/physical_activity_calorie": ("calorie", COLUMNS_OF["physical_activity_calorie"]),
    "wearable_activity_monitor/sleep": ("sleep", COLUMNS_OF["sleep"]),
    "cardiac_ecg": ("manifest.tsv is absent", ("ecg_rate", "ecg_normal")),
    "clinical_data/measurement.csv": ("measurement.csv is absent", ("alt", "moca_total_score", "moca_cube")),
}


@pytest.mark.parametrize("place", ABSENT)
def test_a_missing_modality_gives_missing_columns_and_a_warning_that_names_it(release_dir, place, caplog):
    named, columns = ABSENT[place]
    path = release_dir / place
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    cohort = read_aireadi(release_dir, PLAIN)
    assert len(cohort.table) == 3
    assert cohort.table[list(columns)].isna().all().all()
    assert all(cohort.schema[column].missing for column in columns)
    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len([warning for warning in warnings if named in warning]) == 1
    others = [name for name in ("heart_rate_mean", "stress_mean", "alt", "ecg_qt") if name not in columns]
    kept = cohort.table[others].notna().all()
    assert (
        kept[[name for name in others if not (place == "clinical_data/measurement.csv" and name == "alt")]].sum() >= 2
    )


def test_without_any_wearable_there_are_participants_and_no_days(release_dir):
    for name in ("wearable_activity_monitor", "wearable_blood_glucose"):
        shutil.rmtree(release_dir / name)
    with pytest.raises(ValueError, match=r"No participant has a complete day of wearables\. Use --unit participant"):
        read_aireadi(release_dir, PLAIN)
    cohort = read_aireadi(release_dir, replace(PLAIN, unit="participant"))
    assert len(cohort.table) == 3 and cohort.table["heart_rate_mean"].isna().all()


def test_without_conditions_nobody_has_a_label(release_dir):
    path = release_dir / "clinical_data" / "condition_occurrence.csv"
    text = path.read_text()
    path.write_text("\n".join(line for line in text.splitlines() if "mhterm_dm2" not in line))
    with pytest.raises(ValueError, match=r"condition_occurrence\.csv names nobody with type 2 diabetes"):
        read_aireadi(release_dir, PLAIN)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"condition_occurrence\.csv, which says who has type 2 diabetes"):
        read_aireadi(release_dir, PLAIN)


def test_conditions_are_found_by_their_label_where_the_code_is_another(release_dir):
    path = release_dir / "clinical_data" / "condition_occurrence.csv"
    before = read_aireadi(release_dir, PLAIN).table
    path.write_text(path.read_text().replace("mhterm_dm2, Type II", "other_code, Type 2").replace("mhoccur_", "mh_"))
    pd.testing.assert_frame_equal(read_aireadi(release_dir, PLAIN).table, before)


def test_a_condition_that_is_found_nowhere_is_missing_and_named(release_dir, caplog):
    (release_dir / "clinical_data" / "observation.csv").unlink()
    cohort = read_aireadi(release_dir, PLAIN)
    assert cohort.table["retinal_vascular_occlusion"].isna().all()
    (warning,) = (record.message for record in caplog.records if "names nobody with" in record.message)
    assert "retinal_vascular_occlusion" in warning and "missing values" in warning


def test_rows_that_cannot_be_complete_are_no_table(release_dir):
    shutil.rmtree(release_dir / "cardiac_ecg")
    with pytest.raises(ValueError, match=r"No row is complete: .*ecg_rate.* has no value at all.*--missing kept"):
        read_aireadi(release_dir, replace(PLAIN, missing="dropped"))


BAD_TABLES = {
    "column absent": (
        "clinical_data/measurement.csv",
        "measurement_source_value",
        r"measurement\.csv lacks the columns",
    ),
    "id absent": (
        "clinical_data/condition_occurrence.csv",
        "person_id",
        r"condition_occurrence\.csv lacks the columns",
    ),
    "ECG column absent": ("cardiac_ecg/manifest.tsv", "QTc", r"manifest\.tsv lacks the columns \['QTc'\]"),
    "ECG id absent": ("cardiac_ecg/manifest.tsv", "person_id", r"manifest\.tsv must have a column person_id"),
}


@pytest.mark.parametrize(("file", "column", "message"), BAD_TABLES.values(), ids=BAD_TABLES)
def test_a_table_that_lacks_a_column_is_refused_in_a_line(release_dir, file, column, message):
    path = release_dir / file
    header, rest = path.read_text().split("\n", 1)
    path.write_text(header.replace(column, "other") + "\n" + rest)
    with pytest.raises(ValueError, match=message) as error:
        read_aireadi(release_dir, PLAIN)
    assert "\n" not in str(error.value)


def test_an_empty_table_is_refused_in_a_line(release_dir):
    path = release_dir / "clinical_data" / "measurement.csv"
    path.write_text("")
    with pytest.raises(ValueError, match=r"measurement\.csv cannot be read as a table"):
        read_aireadi(release_dir, PLAIN)


def only_header(path: Path) -> None:
    path.write_text(path.read_text().split("\n", 1)[0] + "\n")


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("clinical_data/measurement.csv", "columns of laboratory and cognition are missing values"),
        ("cardiac_ecg/manifest.tsv", "columns of the ECG are missing values"),
    ],
)
def test_a_table_without_rows_gives_missing_columns_and_a_warning(release_dir, caplog, file, told):
    only_header(release_dir / file)
    cohort = read_aireadi(release_dir, PLAIN)
    assert cohort.table["alt" if "measurement" in file else "ecg_rate"].isna().all()
    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    (warning,) = (warning for warning in warnings if f"{file} holds no rows" in warning)
    assert told in warning


def test_conditions_without_rows_are_refused_by_name(release_dir):
    only_header(release_dir / "clinical_data" / "condition_occurrence.csv")
    with pytest.raises(ValueError, match=r"condition_occurrence\.csv holds no rows, so that nobody's label is known"):
        read_aireadi(release_dir, PLAIN)


@pytest.mark.parametrize(("n_participants", "is_told"), [(9, False), (10, True)])
def test_a_median_of_fewer_than_ten_values_is_not_told(tmp_path, n_participants, is_told):
    release = open_release(write_release(tmp_path, 3, n_participants, n_days=0))
    _, notes = read_measurements(release, LABORATORY_ITEMS)
    told = "\n".join(note.text for note in notes)
    assert "urine_albumin (_g/mL" in told and "c_peptide (ng/L" in told
    assert ("median" in told) == is_told


def test_a_split_that_the_release_does_not_recommend_is_refused(release_dir):
    options = replace(PLAIN, split="recommended")
    with pytest.raises(ValueError, match="leaves 3 rows to train on and 0 to test"):
        read_aireadi(release_dir, options)
    path = release_dir / "participants.tsv"
    path.write_text(path.read_text().replace("recommended_split", "other"))
    with pytest.raises(ValueError, match=r"participants\.tsv has no column recommended_split"):
        read_aireadi(release_dir, options)


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


@pytest.mark.parametrize("unit", ["day", "participant"])
def test_files_that_are_none_are_counted_by_stream_without_a_participant(release_dir, caplog, unit):
    """Neither the log nor the table that is kept holds a number of a participant beside the rows."""
    caplog.set_level(logging.INFO)
    (release_dir / "wearable_blood_glucose/continuous_glucose_monitoring/dexcom_g6/1001/1001_DEX.json").write_text(
        '{"body": {"cgm": null}}'
    )
    for person in (1001, 4002):
        path = release_dir / f"wearable_activity_monitor/sleep/garmin_vivosmart5/{person}/{person}_sleep.json"
        path.write_text("")
    read_aireadi(release_dir, options_with_cache(unit=unit))
    told = "left out: 3 (sleep 2, glucose 1). The first: glucose: not as expected ('cgm' must be a list, got NoneType)."
    assert told in caplog.text
    (kept,) = (release_dir / ".rlsyn_cache").iterdir()
    for text in (caplog.text, str(pd.read_parquet(kept).attrs)):
        assert "glucose: not as expected" in text
        assert not any(person in text for person in ("1001", "4002", "7003"))


def options_with_cache(**changes) -> AireadiOptions:
    return AireadiOptions(n_readers=1, **changes)


def test_the_table_is_kept_and_read_again(release_dir, caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    first = read_aireadi(release_dir, options_with_cache())
    told = [record.message for record in caplog.records]
    (kept,) = (release_dir / ".rlsyn_cache").iterdir()
    caplog.clear()

    def read_anew(*args):
        raise AssertionError("The release is read again.")

    monkeypatch.setattr(aireadi, "assemble", read_anew)
    again = read_aireadi(release_dir, options_with_cache())
    pd.testing.assert_frame_equal(again.table, first.table)
    assert (again.schema, again.source, again.licence) == (first.schema, first.source, first.licence)
    assert again.schema.constraints == first.schema.constraints
    assert f"read from {kept}" in caplog.records[0].message
    assert [record.message for record in caplog.records[1:]] == told


CHANGES = {
    "another unit": lambda root: options_with_cache(unit="participant"),
    "another option": lambda root: options_with_cache(with_bmi=True),
    "another version": lambda root: described(root / "dataset_description.json"),
    "a table of the release": lambda root: touch(root / "clinical_data" / "measurement.csv"),
    "a manifest": lambda root: touch(root / "cardiac_ecg" / "manifest.tsv"),
    "a stream that is gone": lambda root: gone(root / "wearable_activity_monitor" / "sleep"),
    "a file that came": lambda root: made(root / "wearable_activity_monitor/stress/garmin_vivosmart5/1999"),
    "a header of an ECG": lambda root: touch(next((root / "cardiac_ecg").rglob("*.hea"))),
    "a stream rewritten in place": lambda root: touch(next((root / "wearable_blood_glucose").rglob("*_DEX.json"))),
    "a stream that grew at the same time": lambda root: grown(next(root.rglob("*_heartrate.json"))),
}


def touch(path: Path) -> AireadiOptions:
    os.utime(path, (1, 1))
    return options_with_cache()


def described(path: Path) -> AireadiOptions:
    path.write_text('{"version": "3.1.0"}')
    return options_with_cache()


def gone(path: Path) -> AireadiOptions:
    shutil.rmtree(path)
    return options_with_cache()


def made(path: Path) -> AireadiOptions:
    path.mkdir()
    (path / "1999_stress.json").write_text("")
    return options_with_cache()


def grown(path: Path) -> AireadiOptions:
    status = path.stat()
    path.write_text(path.read_text() + " ")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    return options_with_cache()


@pytest.mark.parametrize("change", CHANGES)
def test_another_release_or_option_is_read_anew(release_dir, change):
    read_aireadi(release_dir, options_with_cache())
    read_aireadi(release_dir, CHANGES[change](release_dir))
    assert len(list((release_dir / ".rlsyn_cache").iterdir())) == 2


def test_a_link_to_what_was_not_downloaded_is_no_error(release_dir):
    path = next((release_dir / "wearable_activity_monitor" / "sleep").rglob("*.json"))
    path.unlink()
    path.symlink_to(release_dir / "absent")
    assert len(read_aireadi(release_dir, options_with_cache()).table) == 3


@pytest.mark.skipif(os.name != "posix", reason="modes of files are those of POSIX")
def test_only_its_owner_may_read_the_kept_table(release_dir, monkeypatch):
    modes = []
    written = pd.DataFrame.to_parquet

    def to_parquet(table, path, **kwargs):
        modes.append(stat.S_IMODE(Path(path).stat().st_mode))
        return written(table, path, **kwargs)

    monkeypatch.setattr(pd.DataFrame, "to_parquet", to_parquet)
    before = os.umask(0)
    try:
        read_aireadi(release_dir, options_with_cache())
    finally:
        os.umask(before)
    folder = release_dir / ".rlsyn_cache"
    (kept,) = folder.iterdir()
    modes += [stat.S_IMODE(kept.stat().st_mode), stat.S_IMODE(folder.stat().st_mode)]
    assert [oct(mode) for mode in modes] == ["0o600", "0o600", "0o700"]


def test_a_kept_table_that_is_broken_is_read_anew(release_dir):
    first = read_aireadi(release_dir, options_with_cache())
    (kept,) = (release_dir / ".rlsyn_cache").iterdir()
    kept.write_bytes(b"PAR1")
    pd.testing.assert_frame_equal(read_aireadi(release_dir, options_with_cache()).table, first.table)
    assert pd.read_parquet(kept).shape == (3, 109)


def test_the_table_is_kept_elsewhere_or_nowhere(release_dir, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    read_aireadi(release_dir, options_with_cache(cache_dir=tmp_path / "kept"))
    assert len(list((tmp_path / "kept").iterdir())) == 1
    assert read_aireadi(release_dir, PLAIN).table.shape == (3, 109)
    (tmp_path / "file").write_text("no folder")
    cohort = read_aireadi(release_dir, options_with_cache(cache_dir=tmp_path / "file"))
    assert cohort.table.shape == (3, 109) and "The table is not kept for the next run" in caplog.text
    assert not (release_dir / ".rlsyn_cache").exists()


def test_without_pyarrow_the_table_is_not_kept(release_dir, monkeypatch, caplog):
    def absent(*args, **kwargs):
        raise ImportError("pyarrow")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", absent)
    caplog.set_level(logging.INFO)
    assert np.isfinite(read_aireadi(release_dir, options_with_cache()).table["heart_rate_mean"]).all()
    assert "needs pyarrow" in caplog.text


def test_a_number_of_processes_is_one_or_all():
    for n_readers in (0, -2):
        with pytest.raises(ValueError, match="--n-readers must be a number of processes or -1"):
            AireadiOptions(n_readers=n_readers)
