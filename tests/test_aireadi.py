"""The reader of AI-READI gives the table that the invented release is made of, number by number."""

import functools
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from aireadi_release import has_condition, write_release
from aireadi_sources import COGNITION, CONDITIONS, LABORATORY, TRAPS, cognition_value, laboratory_value, number
from aireadi_streams import glucose_level

from rlsyn.datasets import load
from rlsyn.datasets.aireadi import AireadiOptions, read_aireadi, simulated_aireadi
from rlsyn.datasets.reader_options import resolve
from rlsyn.encoding import Encoding

N, N_DAYS = 30, 3
VERSIONS = (2, 3)

VERDICTS = ("ecg_normal", "ecg_otherwise_normal", "ecg_borderline", "ecg_abnormal")
ECG = ("ecg_rate", "ecg_pr", "ecg_qrsd", "ecg_qt", "ecg_qtc", "ecg_p_axis", "ecg_qrs_axis", "ecg_t_axis")


@pytest.fixture(scope="module")
def release_dirs(tmp_path_factory) -> dict[int, Path]:
    return {version: write_release(tmp_path_factory.mktemp(f"v{version}"), version, N, N_DAYS) for version in VERSIONS}


@functools.cache
def read_and_told(folder: Path, **options):
    """The cohort, and what the log says meanwhile."""
    told = []
    log, handler = logging.getLogger("rlsyn.datasets.aireadi"), logging.Handler(logging.INFO)
    handler.emit = lambda record: told.append(record.getMessage())
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        return read_aireadi(folder, AireadiOptions(cache=False, n_readers=1, **options)), "\n".join(told)
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


def read(folder: Path, **options):
    return read_and_told(folder, **options)[0]


@pytest.fixture(scope="module")
def cohorts(release_dirs):
    return {version: read(release_dirs[version]) for version in VERSIONS}


def expected_person(i: int, version: int) -> dict[str, float]:
    person = {column: laboratory_value(i, column) for column, *_ in LABORATORY}
    person |= {column: cognition_value(i, column) for column, *_ in COGNITION}
    person |= dict(zip(ECG, (50 + i, 150 + i, 90 + i, 400, 420 + i, 40 + i, -10 + i, 30 + i), strict=True))
    person["ecg_p_axis"] = np.nan if i % 5 == 4 else person["ecg_p_axis"]
    person |= {flag: float(k == i % 4) for k, flag in enumerate(VERDICTS)}
    listed = [name for name, _ in CONDITIONS]
    listed += ["type_2_diabetes", "marijuana_use", "retinal_vascular_occlusion"]
    person |= {name: float(has_condition(i, name)) for name in listed}
    return person | PERSON_TRAPS.get(i, lambda version: {})(version)


PERSON_TRAPS = {
    TRAPS["refused MoCA total"]: lambda version: (
        {"moca_total_score": np.nan} | ({"marijuana_use": np.nan} if version == 3 else {})
    ),
    TRAPS["true value of a refusal code"]: lambda version: {"triglycerides": 555},
    TRAPS["empty MoCA naming"]: lambda version: {"moca_naming": np.nan},
    TRAPS["below the limit of the assay"]: lambda version: {"insulin": 0.1},
    TRAPS["three ECGs"]: lambda version: {flag: float(flag == "ecg_otherwise_normal") for flag in VERDICTS},
    TRAPS["no ECG"]: lambda version: dict.fromkeys((*ECG, *VERDICTS), np.nan),
    TRAPS["no header file"]: lambda version: dict.fromkeys(VERDICTS, np.nan),
}


def expected_day(i: int, day: int) -> dict[str, float]:
    """See the functions of `aireadi_streams`: an hour of walking and half a day of higher glucose, the rest constant."""
    low = np.full(144, glucose_level(i, day), dtype=float)
    high = low + 20
    if day == 0 and i == TRAPS["half a day of Low glucose"]:
        low[:] = 39
    if day == 0 and i == TRAPS["an hour of High glucose"]:
        high[:12] = 401
    # Before the first sample of a counter nothing is known; after a day, 5 of 15 minutes are of the evening before.
    kcal = {0: 180 + 40 / 3 + 50 + 10, 1: 220 + 80, 2: 180 + 80 / 3 + 50 + 20}[day]
    return {
        "heart_rate_mean": 60 + i + 24 * 12 / 288,
        "blood_glucose_mean": np.mean([low, high]),
        "resp_rate_mean": 12 + i / 10,
        "stress_mean": (30 + i) * 264 / 288,
        "blood_glucose_std": np.std([low, high]),
        "total_steps": 4 * 1500 + 3000 + 60 + i + day // 2,
        "resting_heart_rate": 60 + i,
        "total_kcal": np.nan if i == TRAPS["no calories file"] else kcal,
        **dict.fromkeys(("sleep_deep_hours", "activity_walking_hours"), 1.0),
        **dict.fromkeys(("sleep_rem_hours", "sleep_awake_hours"), 0.5),
        "sleep_light_hours": 4.0,
        "activity_generic_hours": 0.08,
        "activity_running_hours": 0.42,
        "activity_sedentary_hours": 22.5,
        **(dict.fromkeys(SLEEP, np.nan) if i == TRAPS["no sleep file"] else {}),
    }


SLEEP = ("sleep_light_hours", "sleep_deep_hours", "sleep_rem_hours", "sleep_awake_hours")
WITHOUT_DAYS = {TRAPS[name] for name in ("no glucose file", "heart rate is no JSON", "no wearables")}


def days_of(i: int) -> list[int]:
    if i in WITHOUT_DAYS:
        return []
    return [0, 2] if i == TRAPS["four hours without glucose"] else [0, 1, 2]


def expected_table(version: int, unit: str) -> pd.DataFrame:
    rows = []
    for i in sorted(range(N), key=number):
        person = expected_person(i, version)
        days = [expected_day(i, day) for day in days_of(i)]
        if unit == "day":
            rows += [{"participant_id": number(i)} | day | person for day in days]
        elif days:
            means = pd.DataFrame(days).round(2).mean()
            rows.append(means.to_dict() | {"total_steps": round(means["total_steps"])} | person)
        else:
            rows.append(person)
    return pd.DataFrame(rows)


@pytest.mark.parametrize("unit", ["day", "participant"])
@pytest.mark.parametrize("version", VERSIONS)
def test_every_number_of_the_table_is_as_the_release_was_made(release_dirs, version, unit):
    cohort = read(release_dirs[version], unit=unit)
    expected = expected_table(version, unit)
    assert cohort.schema.names == [name for name in cohort.table if name != "participant_id"]
    assert ("participant_id" in cohort.table) == (unit == "day")
    pd.testing.assert_frame_equal(
        cohort.table[list(expected)].astype(float), expected.astype(float), atol=0.0051, rtol=0
    )
    assert set(expected) == set(cohort.table)


def cell(cohort, i: int, column: str, day: int = 0) -> float:
    return float(cohort.table.loc[cohort.table["participant_id"] == number(i), column].iloc[day])


TRAP_CELLS = {
    # Whom, column, value in either release.
    "a refused answer is missing": ("refused MoCA total", "moca_total_score", np.nan),
    "a laboratory value may be 555": ("true value of a refusal code", "triglycerides", 555),
    "an empty value is missing": ("empty MoCA naming", "moca_naming", np.nan),
    "an empty first value does not hide the second": ("first value empty", "alt", 21),
    "the earliest of two values counts, wherever it stands": ("two values, the earlier one last", "alt", 22),
    "a value below the limit is the limit": ("below the limit of the assay", "insulin", 0.1),
    "who reports nothing is kept and has nothing": ("no condition", "high_blood_pressure", 0),
    "who reports nothing has no diabetes": ("no condition", "type_2_diabetes", 0),
    "of several ECGs the flattest, then the earliest": ("three ECGs", "ecg_rate", 60),
    "a broken ECG gives way to one that is not": ("broken ECG", "ecg_qtc", 431),
    "no ECG": ("no ECG", "ecg_rate", np.nan),
    "no header file": ("no header file", "ecg_normal", np.nan),
    "Low is 39 mg/dL": ("half a day of Low glucose", "blood_glucose_mean", (39 + 148) / 2),
    "High is 401 mg/dL": ("an hour of High glucose", "blood_glucose_mean", (144 * 130 + 132 * 150 + 12 * 401) / 288),
    "a gap of two hours is filled": ("two hours without heart rate", "heart_rate_mean", 82),
    "no sleep file": ("no sleep file", "sleep_light_hours", np.nan),
    "no calories file": ("no calories file", "total_kcal", np.nan),
    "one record without a value costs one record": ("a record without a value", "heart_rate_mean", 84),
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("trap", TRAP_CELLS)
def test_trap(cohorts, version, trap):
    who, column, expected = TRAP_CELLS[trap]
    np.testing.assert_allclose(cell(cohorts[version], TRAPS[who], column), expected, atol=0.0051)


def test_labels_with_commas_and_cut_labels_are_found(cohorts):
    for version in VERSIONS:
        for column in ("total_bilirubin", "total_co2", "globulin", "total_protein"):
            assert cell(cohorts[version], 1, column) == pytest.approx(laboratory_value(1, column))


def test_urine_in_micrograms_is_converted_and_mislabelled_units_are_not(release_dirs):
    cohort, told = read_and_told(release_dirs[3])
    assert cell(cohort, 0, "urine_creatinine") == 50 and cell(cohort, 0, "calcium") == 8.8
    assert "urine_albumin (_g/mL, median 19.5) times 0.1" in told
    assert "belies the unit that the release states: c_peptide (ng/L, median 2.95)" in told


def test_real_and_simulated_table_are_interchangeable(cohorts):
    simulated = simulated_aireadi()
    for cohort in cohorts.values():
        assert cohort.schema.names == simulated.schema.names
        assert [c.kind for c in cohort.schema.columns] == [c.kind for c in simulated.schema.columns]
        assert [c.unit for c in cohort.schema.columns] == [c.unit for c in simulated.schema.columns]
        assert (cohort.schema.label, cohort.schema.group) == (simulated.schema.label, simulated.schema.group)
        assert list(cohort.table) == list(simulated.table)
        cohort.schema.validate(cohort.table)
        assert not cohort.schema["type_2_diabetes"].missing
        encoding = Encoding.fit(cohort.table, cohort.schema)
        decoded = encoding.decode(encoding.encode(cohort.table), np.random.default_rng(0))
        pd.testing.assert_frame_equal(decoded.isna(), cohort.table[cohort.schema.names].isna())


def test_no_row_breaks_a_declared_rule_and_those_that_rows_break_are_named(release_dirs):
    cohort, told = read_and_told(release_dirs[3])
    names = {rule.name for rule in cohort.schema.constraints}
    assert {"activity hours of a day = 24", "one ECG verdict", "sleep is sedentary time"} <= names
    assert "LDL by Friedewald" not in names and "LDL by Friedewald (80 rows)" in told
    assert not any(rule.is_broken_by(cohort.table).any() for rule in cohort.schema.constraints)


FAULTS = {"cgm_limits": "dropped", "ecg_choice": "abnormal", "calories": "averaged"}
"""Options of the paper that concern different columns, so that one reading tests all."""


def test_files_and_records_that_are_none_are_counted_and_named(release_dirs):
    _, told = read_and_told(release_dirs[3])
    (files,) = (line for line in told.splitlines() if "Files of wearables" in line)
    assert "left out: 1 (heart rate 1). The first: heart rate: not as expected (" in files
    assert str(number(TRAPS["heart rate is no JSON"])) not in told
    assert "Records of wearables that lack a time or a value and are left out: 1." in told
    assert "80 of 81 days are complete, of 27 of 30 participants." in told


def test_low_and_high_glucose_can_be_left_out(release_dirs):
    dropped = read(release_dirs[2], **FAULTS)
    low, high = (TRAPS[name] for name in ("half a day of Low glucose", "an hour of High glucose"))
    # A gap of twelve hours spoils the day; one of an hour is filled.
    assert (dropped.table["participant_id"] == number(low)).sum() == N_DAYS - 1
    assert cell(dropped, high, "blood_glucose_mean") == glucose_level(high, 0) + 10


def test_the_paper_prefers_abnormal_ecgs(release_dirs):
    cohort = read(release_dirs[2], **FAULTS)
    assert cell(cohort, TRAPS["three ECGs"], "ecg_rate") == 71
    assert cell(cohort, TRAPS["three ECGs"], "ecg_abnormal") == 1
    # Though another is more complete.
    assert np.isnan(cell(cohort, TRAPS["three ECGs"], "ecg_p_axis"))


def test_the_paper_loses_calories(release_dirs):
    """A drop of the counter costs it two samples: of 220 and 80 kcal a day are left 120 and none."""
    cohort = read(release_dirs[2], **FAULTS)
    assert [cell(cohort, 0, "total_kcal", day) for day in range(N_DAYS)] == [300, 120, 120]


def test_people_without_a_condition_can_be_left_out(release_dirs):
    cohort, told = read_and_told(release_dirs[3], keep_without_conditions=False)
    assert number(TRAPS["no condition"]) not in set(cohort.table["participant_id"])
    assert "Participants who report no condition, and are left out: 1" in told


def test_rows_with_missing_values_can_be_left_out(release_dirs):
    cohort = read(release_dirs[3], missing="dropped")
    kept = read(release_dirs[3]).table.dropna().reset_index(drop=True)
    pd.testing.assert_frame_equal(cohort.table, kept, check_dtype=False)
    assert not any(column.missing for column in cohort.schema.columns)


def test_extra_columns(release_dirs):
    cohort, told = read_and_told(
        release_dirs[2], with_age=True, with_bmi=True, with_blood_pressure=True, with_hba1c=True
    )
    extra = {"age": 42, "bmi": 21, "systolic_bp": 121.5, "diastolic_bp": 71.5, "hba1c": 5.2}
    assert {name: cell(cohort, 2, name) for name in extra} == pytest.approx(extra)
    assert np.isnan(cell(cohort, 0, "bmi"))  # a refusal, 999
    assert cohort.schema.names[-5:] == list(extra)
    assert "hba1c defines diabetes" in told
    assert "systolic > diastolic blood pressure" in {rule.name for rule in cohort.schema.constraints}


def test_recommended_split_is_honoured(release_dirs):
    test_people = {number(i) for i in range(N) if i % 10 >= 8}
    cohort = read(release_dirs[3], split="recommended")
    assert set(cohort.table.loc[cohort.in_test, "participant_id"]) == test_people - {number(i) for i in WITHOUT_DAYS}
    assert set(cohort.table.loc[~cohort.in_test, "participant_id"]).isdisjoint(test_people)


def test_protocol_of_the_paper(release_dirs):
    options = resolve(AireadiOptions, {"protocol": "paper", "cache": False, "n_readers": 1})
    paper = AireadiOptions(
        "day", "paper", "dropped", False, "dropped", "abnormal", "averaged", cache=False, n_readers=1
    )
    assert options == paper
    cohort = read_aireadi(release_dirs[2], options)
    assert cohort.test_size == 0.1 and cohort.stratified and cohort.in_test is None
    assert not cohort.table.isna().any().any()
    assert "cgm_limits = dropped" in cohort.source


def test_the_licence_binds_and_the_source_tells(cohorts):
    assert "no attempt to re-identify" in cohorts[3].licence and "zenodo.17555036" in cohorts[3].licence
    assert "zenodo.10642459" in cohorts[2].licence
    assert cohorts[3].source == "AI-READI release 3.0.0: 80 days of 27 of its 30 participants."
    assert not cohorts[3].simulated


@pytest.mark.slow
def test_processes_do_not_change_the_table(release_dirs, cohorts):
    two = read_aireadi(release_dirs[3], AireadiOptions(cache=False, n_readers=2))
    pd.testing.assert_frame_equal(two.table, cohorts[3].table)


def test_load_takes_the_release(release_dirs):
    options = {"unit": "participant", "cache": False, "n_readers": 1}
    dataset = load("AIREADI-v0", release_dirs[3], reader_options=options)
    assert len(dataset.train) + len(dataset.test) == N and dataset.schema.group is None
    assert dataset.licence and not dataset.simulated
