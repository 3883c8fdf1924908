"""Writes an invented release of AI-READI: the layout of releases 2 and 3, people and values made up by formulas.

    python tests/aireadi_release.py DIR --version 3 --participants 30

Participant `i` (0, 1, ...) has values that follow from `i` by the functions below, so that each number of the table that
a reader makes is known. Some participants carry a trap each; `aireadi_sources.TRAPS` names them. No real row was used.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from aireadi_sources import (
    COGNITION,
    CONDITIONS,
    CUT,
    IN_MICROGRAMS,
    LABORATORY,
    PERIOD,
    TRAPS,
    cognition_value,
    laboratory_value,
    number,
)
from aireadi_streams import write_wearables


def has_condition(i: int, name: str) -> bool:
    """Every third person has diabetes, every seventh each other condition, in turn; nobody where nobody reports any."""
    if i == TRAPS["no condition"] or name == "retinal_vascular_occlusion":
        return False
    if name == "type_2_diabetes":
        return i % 3 == 0
    if name == "marijuana_use":
        return i % 4 == 1
    return (i + [condition for condition, _ in CONDITIONS].index(name)) % 7 == 0


def write_release(root: Path, version: int = 3, n_participants: int = 30, n_days: int = 3, every: int = 300) -> Path:
    """Write a release and return its folder.

    Args:
        root: The folder; it is made.
        version: 2 or 3.
        n_participants: People.
        n_days: Whole days of wearables of each.
        every: Seconds between two samples of heart rate, stress and respiration.
    """
    root.mkdir(parents=True, exist_ok=True)
    _write_description(root, version, n_participants)
    _write_conditions(root, version, n_participants)
    _write_measurements(root, version, n_participants)
    _write_ecgs(root, version, n_participants)
    for i in range(n_participants):
        if i != TRAPS["no wearables"]:
            write_wearables(root, version, i, n_days, every)
    return root


def _write(path: Path, rows: Iterable[Iterable[Any]], delimiter: str = ",") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(rows)


def _write_description(root: Path, version: int, n: int) -> None:
    (root / "dataset_description.json").write_text(json.dumps({"title": "invented", "version": f"{version}.0.0"}))
    (root / "README.md").write_text("An invented release, no real participant.\n")
    flags = ["cardiac_ecg", "clinical_data", "wearable_activity_monitor", "wearable_blood_glucose"]
    id_column = "person_id" if version == 3 else "participant_id"
    header = [id_column, "clinical_site", "study_group", "age", "study_visit_date", "recommended_split", *flags]
    groups = ("healthy", "pre_diabetes_lifestyle_controlled", "insulin_dependent")
    rows = [
        [
            *(number(i), ("UW", "UCSD", "UAB")[i % 3], groups[i % 3], 40 + i % PERIOD, "2024-03-01"),
            *("test" if i % 10 >= 8 else "val" if i % 10 == 7 else "train", *["TRUE"] * len(flags)),
        ]
        for i in range(n)
    ]
    _write(root / "participants.tsv", [header, *rows], "\t")


def _write_conditions(root: Path, version: int, n: int) -> None:
    header = ["condition_occurrence_id", "person_id", "condition_concept_id", "condition_source_value"]
    listed = [*CONDITIONS, ("type_2_diabetes", "mhterm_dm2, Type II Diabetes")]
    if version == 2:
        listed.append(("marijuana_use", "invented_code, Do you use marijuana now?"))
    rows = [[10 * i, number(i), 0, text[:CUT]] for i in range(n) for name, text in listed if has_condition(i, name)] + [
        [10 * i + 1, number(i), 0, "mh_a1c, Elevated A1C levels (elevated blood sugar)"]
        for i in range(0, n, 3)
        if i != 9
    ]
    _write(root / "clinical_data" / "condition_occurrence.csv", [header, *rows])
    # Two index columns, as some exports have them.
    header = ["", "X", "observation_id", "person_id", "observation_source_value", "value_as_number"]
    answers = []
    for i in range(n):
        answers.append([number(i), 'mhoccur_rvo, Retinal vascular occlusion ("stroke" of the eye)'[:CUT], 0])
        if version == 3:
            said = 777 if i == TRAPS["refused MoCA total"] else int(has_condition(i, "marijuana_use"))
            answers.append([number(i), "invented_code, Do you use marijuana now?", said])
    rows = [[k, k, 500 + k, *answer] for k, answer in enumerate(answers)]
    _write(root / "clinical_data" / "observation.csv", [header, *rows])


def _measured(i: int, version: int) -> Iterator[tuple[str, str, float | str, str, str]]:
    """Source value, unit, value, date, operator of everything measured of a participant."""
    day, earlier, later = "2024-03-01", "2024-02-01", "2024-03-15"
    for column, name_2, unit_2, name_3, unit_3, *_ in LABORATORY:
        name, unit = (name_2, unit_2) if version == 2 else (name_3[:CUT], unit_3)
        value = laboratory_value(i, column)
        value = round(value * 10, 2) if version == 3 and column in IN_MICROGRAMS else value
        if column == "triglycerides" and i == TRAPS["true value of a refusal code"]:
            value = 555
        if column == "insulin" and i == TRAPS["below the limit of the assay"]:
            yield name, unit, 0.1, day, "4171756"
        elif column == "alt" and i == TRAPS["first value empty"]:
            yield name, unit, "", earlier, "0"
            yield name, unit, value, day, "0"
        elif column == "alt" and i == TRAPS["two values, the earlier one last"]:
            yield name, unit, 99, later, "0"
            yield name, unit, value, day, "0"
        else:
            yield name, unit, value, day, "4172703"
    for column, name, *_ in COGNITION:
        value = cognition_value(i, column)
        if column == "moca_total_score" and i == TRAPS["refused MoCA total"]:
            value = 777
        yield name, "", "" if column == "moca_naming" and i == TRAPS["empty MoCA naming"] else value, day, "0"
    hba1c = (
        ("HbA1c (%)", "%") if version == 2 else ("import_hba1c, Hemoglobin A1c/Hemoglobin.total in Blood"[:CUT], "%")
    )
    yield *hba1c, round(5.0 + i % PERIOD / 10, 1), day, "0"
    yield "lbscat_a1c, Hemoglobin - g/dL", "", 13.5, day, "0"
    yield "bmi_vsorres, BMI", "", 999 if i == 0 else 20 + i % PERIOD / 2, day, "0"
    for reading in (1, 2):
        yield f"bp{reading}_sysbp_vsorres, Systolic (mmHg)", "", 118 + i % PERIOD + reading, day, "0"
        yield f"bp{reading}_diabp_vsorres, Diastolic (mmHg)", "", 68 + i % PERIOD + reading, day, "0"


def _write_measurements(root: Path, version: int, n: int) -> None:
    header = ["", "measurement_id", "person_id", "measurement_date", "operator_concept_id", "value_as_number"]
    header += ["measurement_source_value", "unit_source_value", "value_source_value"]
    rows = []
    for i in range(n):
        for name, unit, value, date, operator in _measured(i, version):
            # Release 2 has laboratory and cognition as text only, and vital signs as numbers only.
            is_text = version == 2 and "vsorres" not in name
            values = ("", name, unit, value) if is_text else (value, name, unit, "")
            rows.append([len(rows), len(rows), number(i), date, operator, *values])
    _write(root / "clinical_data" / "measurement.csv", [header, *rows])


def _write_ecgs(root: Path, version: int, n: int) -> None:
    verdicts = ("- NORMAL ECG -", "- OTHERWISE NORMAL ECG -", "- BORDERLINE ECG -", "- ABNORMAL ECG -")
    id_column = "person_id" if version == 3 else "participant_id"
    numbers = ["Rate", "PR", "QRSD", "QT", "QTc", "P", "QRS", "T"]
    header = [id_column, "wfdb_hea_filepath", "wfdb_dat_filepath", "participant_position", *numbers]
    rows = []
    for i in range(n):
        step = i % PERIOD
        good = [50 + step, 150 + step, 90 + step, 400, 420 + step, 40 + step, -10 + step, 30 + step]
        ecgs = [("0 degrees", good, verdicts[i % 4], "2024-03-01")]
        if i == TRAPS["three ECGs"]:
            ecgs = [
                ("30 degrees", [70, *good[1:]], verdicts[0], "2024-01-01"),
                ("0 degrees", [71, *good[1:5], "", *good[6:]], verdicts[3], "2024-03-02"),
                ("0 degrees", good, verdicts[1], "2024-03-01"),
            ]
        if i == TRAPS["broken ECG"]:
            ecgs = [("0 degrees", [*good[:4], 0, *good[5:]], verdicts[0], "2024-03-01"), ("60 degrees", *ecgs[0][1:])]
        for k, (position, values, verdict, date) in enumerate([] if i == TRAPS["no ECG"] else ecgs):
            stem = f"cardiac_ecg/ecg_12lead/philips_tc30/{number(i)}/{number(i)}_ecg_{k:08x}"
            blank = ["" if name == "P" and i % 5 == 4 else value for name, value in zip(numbers, values, strict=True)]
            rows.append([number(i), f"/{stem}.hea", f"/{stem}.dat", position, *blank])
            if i != TRAPS["no header file"]:
                lines = [f"{number(i)}_ecg 12 500 5500", f"{number(i)}_ecg.dat 16 200/mV 16 0 0 0 0 I"]
                lines += [f"# participant_position: {position}", f"# interpretation_comment_2: {verdict}"]
                lines += [f"# validation_date: {date}", "# comment_1_key: no colon here", "# a line without one"]
                (root / stem).parent.mkdir(parents=True, exist_ok=True)
                (root / f"{stem}.hea").write_text("\n".join(lines) + "\n")
    _write(root / "cardiac_ecg" / "manifest.tsv", [header, *rows], "\t")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--version", type=int, choices=(2, 3), default=3)
    parser.add_argument("--participants", type=int, default=30)
    parser.add_argument("--days", type=int, default=3)
    parser.add_argument("--every", type=int, default=300, help="seconds between two samples of the watch")
    arguments = parser.parse_args()
    write_release(arguments.directory, arguments.version, arguments.participants, arguments.days, arguments.every)
    print(arguments.directory)
