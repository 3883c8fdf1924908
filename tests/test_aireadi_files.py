"""Folders and files of AI-READI that are not as they should be."""

import logging
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from aireadi_release import write_release

from rlsyn.datasets.aireadi import AireadiOptions, read_aireadi
from rlsyn.datasets.aireadi.measurements import read_measurements
from rlsyn.datasets.aireadi.release import open_release
from rlsyn.datasets.aireadi.sources import LABORATORY as LABORATORY_ITEMS
from rlsyn.datasets.aireadi.wearables import COLUMNS_OF

PLAIN = AireadiOptions(cache=False, n_readers=1)


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


def test_people_count_once(release_dir, caplog):
    people = release_dir / "participants.tsv"
    read_aireadi(release_dir, PLAIN)
    assert "left out" not in caplog.text
    people.write_text(people.read_text() + people.read_text().splitlines()[1] + "\n\tUW\n\tUW\n")
    assert open_release(release_dir).people.index.tolist() == [1001, 4002, 7003]
    read_aireadi(release_dir, PLAIN)
    assert "participants.tsv that have no number of a participant: 2, left out" in caplog.text
    assert "participants.tsv that name a participant once more: 1, left out" in caplog.text


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


def test_participants_may_be_named_and_not_described(release_dir):
    people = release_dir / "participants.tsv"
    people.write_text("\n".join(line.split("\t")[0] for line in people.read_text().splitlines()))
    assert len(read_aireadi(release_dir, PLAIN).table) == 3
    only_header(people)
    with pytest.raises(ValueError, match=r"participants\.tsv must name participants, got none"):
        read_aireadi(release_dir, PLAIN)


def test_a_split_that_the_release_does_not_recommend_is_refused(release_dir):
    options = replace(PLAIN, split="recommended")
    with pytest.raises(ValueError, match="leaves 3 rows to train on and 0 to test"):
        read_aireadi(release_dir, options)
    path = release_dir / "participants.tsv"
    path.write_text(path.read_text().replace("recommended_split", "other"))
    with pytest.raises(ValueError, match=r"participants\.tsv has no column recommended_split"):
        read_aireadi(release_dir, options)


def test_a_number_of_processes_is_one_or_all():
    for n_readers in (0, -2):
        with pytest.raises(ValueError, match="--n-readers must be a number of processes or -1"):
            AireadiOptions(n_readers=n_readers)
