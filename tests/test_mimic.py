"""MIMIC-IV is read from its release: an invented one whose table can be told by hand, larger ones, and the open demo."""

import gzip
import logging
import os
import sys
import traceback
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mimic_release import write_release
from scipy import sparse

from rlsyn.datasets import load
from rlsyn.datasets.mimic import MimicOptions, read_mimic, simulated_mimic
from rlsyn.datasets.mimic.diagnoses import Diagnoses, IcdCode
from rlsyn.datasets.mimic.people import races
from rlsyn.datasets.mimic.phecodes import PhecodeMap, coverage, read_phecode_map
from rlsyn.datasets.mimic.release import Release
from rlsyn.datasets.reader_options import resolve
from rlsyn.encoding import Encoding

SHARED = Path(__file__).parents[2] / "shared" / "data"
DEMO, PHECODES = SHARED / "mimic-iv-demo", SHARED / "phecode"
needs_demo = pytest.mark.skipif(not DEMO.is_dir(), reason="the open demo of MIMIC-IV does not come with the project")
needs_map = pytest.mark.skipif(not PHECODES.is_dir(), reason="the phecode map does not come with the project")

# Columns that nobody reads stand among the others, and rows in no order.
PATIENTS = """\
subject_id,gender,anchor_age,anchor_year,anchor_year_group,dod
17,M,33,2160,2011 - 2013,
11,F,60,2150,2011 - 2013,
12,M,91,2140,2011 - 2013,2141-05-01
13,F,30,2150,2011 - 2013,2150-02-03
14,M,40,2150,2011 - 2013,
15,M,50,2150,2011 - 2013,
16,F,25,2150,2011 - 2013,2151-01-01
"""
ADMISSIONS = """\
subject_id,hadm_id,admittime,dischtime,deathtime,admission_type,race
11,3,2152-01-01 10:00:00,2152-01-03 10:00:00,,URGENT,WHITE - RUSSIAN
11,1,2150-01-01 10:00:00,2150-01-03 10:00:00,,URGENT,UNKNOWN
12,2,2141-01-01 10:00:00,2141-01-09 10:00:00,,URGENT,BLACK/AFRICAN AMERICAN
13,4,2150-01-01 10:00:00,2150-01-03 10:00:00,,URGENT,ASIAN
13,5,2150-02-01 10:00:00,2150-02-03 10:00:00,2150-02-03 10:00:00,URGENT,ASIAN
15,6,2150-12-30 10:00:00,2151-01-02 10:00:00,,URGENT,PORTUGUESE
16,7,2150-03-01 10:00:00,2150-03-02 10:00:00,,URGENT,PATIENT DECLINED TO ANSWER
17,8,2160-03-01 10:00:00,2160-03-02 10:00:00,,URGENT,HISPANIC OR LATINO
"""
DIAGNOSES = """\
subject_id,hadm_id,seq_num,icd_code,icd_version
11,1,1,4019,9
11,3,1,A419,10
11,3,2,4019,9
12,2,1,I10,10
12,2,2,25000,9
12,2,3,6000,9
13,4,1,4019,9
15,6,1,0080,9
15,6,2,N4001,10
16,7,1,A047,10
16,7,2,650,9
17,8,1,ZZZZ,10
17,8,2,07044,9
"""
OMR = """\
subject_id,chartdate,seq_num,result_name,result_value
11,2150-01-02,1,BMI (kg/m2),30.04
11,2151-01-02,1,BMI (kg/m2),31.5
11,2151-01-02,2,BMI (kg/m2),31.62
11,2149-01-02,1,Blood Pressure,150/90
11,2150-01-02,1,Blood Pressure,120/70
11,2151-01-02,1,Blood Pressure Sitting,99/50
11,2151-01-02,1,Weight (Lbs),150
12,2141-01-02,1,BMI (kg/m2),4649.4
12,2141-01-02,1,Blood Pressure,80/120
13,2141-01-02,1,BMI (kg/m2),20
15,2150-01-02,1,BMI (kg/m2),64.5
15,2150-01-02,1,Blood Pressure,140/25
16,2150-01-02,1,Blood Pressure,no cuff
"""
MAP_9 = """\
ICD9,ICD9 String,PheCode,Phenotype,Rollup,Leaf,sex
001,Cholera,008,Intestinal infection,1.0,0.0,Both
008.0,Escherichia,008.5,Bacterial enteritis,1.0,1.0,Both
070.44,Hepatitis C,070.4,Chronic hepatitis,0.0,1.0,Both
250.0,Diabetes,250.2,Type 2 diabetes,1.0,1.0,
401.9,Hypertension,401.1,Essential hypertension,1.0,1.0,Both
600.0,Prostate,600,Hyperplasia of prostate,1.0,1.0,Male
650,Delivery,650,Normal delivery,1.0,1.0,Female
"""
MAP_10 = """\
ICD10,ICD10 String,PheCode,Phenotype,sex
A04.7,Colitis,008.5,Bacterial enteritis,Both
A41.9,Sepsis,994.2,Sepsis,Both
A41.9,Sepsis,038,Septicemia,Both
I10,Hypertension,401.1,Essential hypertension,Both
N40,Prostate,600,Hyperplasia of prostate,Male
Z99,Dependence,,,
"""


@pytest.fixture
def release(tmp_path) -> Path:
    """Seven invented patients: 13 died in hospital, 14 was never admitted."""
    root = tmp_path / "release"
    write_texts(root / "hosp", patients=PATIENTS, admissions=ADMISSIONS, diagnoses_icd=DIAGNOSES, omr=OMR)
    write_texts(root / "map", phecode_map_v1_2_icd9=MAP_9, phecode_map_v1_2_icd10_beta=MAP_10)
    return root


def write_texts(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)


def read(root: Path, **given):
    """The cohort of the seven, with every diagnosis."""
    return read_mimic(root, resolve(MimicOptions, {"phecode_map": root / "map", "min_people": 0, **given}))


def phecodes(table: pd.DataFrame) -> dict[str, list[int]]:
    return {name.removeprefix("phecode_"): table[name].tolist() for name in table if name.startswith("phecode_")}


def test_cohort_is_people_who_left_hospital_alive_after_their_last_admission(release, caplog):
    caplog.set_level(logging.INFO)
    cohort = read(release)
    assert cohort.table["AGE"].tolist() == [62, 91, 51, 25, 33]
    assert cohort.table["GENDER"].tolist() == [1, 0, 0, 1, 0]
    assert cohort.table["RACE"].tolist() == ["WHITE", "BLACK", "OTHER", "UN", "HISPANIC"]
    assert cohort.table["DIE_1y"].tolist() == [0, 1, 0, 1, 0]
    assert "7 people, 6 with an admission, 5 left hospital alive" in caplog.text
    # Too few people have ZZZZ for a log to name it.
    assert (
        "91 % of the ICD codes of people have a phecode; commonest without: none of ten people or more." in caplog.text
    )


def test_commonest_codes_without_a_phecode_are_named_where_ten_people_have_them():
    codes = [IcdCode(10, text) for text in ("A000", "Z998", "Z999")]
    presence = sparse.csr_matrix(np.repeat([[1, 0, 0], [1, 1, 0], [1, 1, 1]], [1, 10, 9], axis=0))
    diagnoses = Diagnoses(presence, codes)
    share, without = coverage(diagnoses, PhecodeMap({codes[0]: ("008",)}, {}, {}, frozenset()))
    assert share == pytest.approx(20 / 48)
    assert without == [codes[1]]  # nine people have the other


def test_vitals_are_the_latest_and_the_implausible_ones_missing(release):
    table = read(release).table
    nan = np.nan
    np.testing.assert_array_equal(table["BMI"], [31.6, nan, 64.5, nan, nan])
    np.testing.assert_array_equal(table["SYSTOLIC"].astype(float), [120, nan, 140, nan, nan])
    np.testing.assert_array_equal(table["DIASTOLIC"].astype(float), [70, nan, 25, nan, nan])


def test_diagnoses_are_phecodes_of_all_admissions(release):
    assert phecodes(read(release).table) == {
        "008.5": [0, 0, 1, 1, 0],
        "038": [1, 0, 0, 0, 0],
        "070.4": [0, 0, 0, 0, 1],
        "250.2": [0, 1, 0, 0, 0],
        "401.1": [1, 1, 0, 0, 0],
        "600": [0, 1, 1, 0, 0],
        "650": [0, 0, 0, 1, 0],
        "994.2": [1, 0, 0, 0, 0],
    }


def test_points_blanks_and_case_of_codes_do_not_matter(release):
    before = read(release).table
    (release / "hosp" / "diagnoses_icd.csv").write_text(DIAGNOSES.replace("4019", "401.9 ").replace("A047", "a04.7"))
    pd.testing.assert_frame_equal(before, read(release).table)


def test_pressure_of_nothing_is_missing_and_no_outlier(release):
    (release / "hosp" / "omr.csv").write_text(OMR.replace("80/120", "0/0"))
    assert read(release, outliers="keep", pressure_check=False).table["SYSTOLIC"].isna().tolist()[1]


def test_several_phecodes_of_a_code_may_be_the_last_only(release):
    codes = phecodes(read(release, several_phecodes="last").table)
    assert "994.2" not in codes and codes["038"] == [1, 0, 0, 0, 0]


def test_mixed_levels_part_one_disease_by_version(release):
    codes = phecodes(read(release, phecode_level="mixed").table)
    assert codes["401"] == [1, 0, 0, 0, 0] and codes["401.1"] == [0, 1, 0, 0, 0]
    assert codes["008"] == [0, 0, 1, 0, 0] and codes["008.5"] == [0, 0, 0, 1, 0]
    assert codes["070.4"] == [0, 0, 0, 0, 1]  # the map rolls it up to nothing


def test_parents_are_the_same_for_both_versions(release):
    codes = phecodes(read(release, phecode_level="parent").table)
    assert codes["401"] == [1, 1, 0, 0, 0] and codes["008"] == [0, 0, 1, 1, 0] and "401.1" not in codes


def test_lost_zeros_part_one_disease_by_version(release):
    codes = phecodes(read(release, leading_zeros="lost").table)
    assert codes["8.5"] == [0, 0, 1, 0, 0] and codes["008.5"] == [0, 0, 0, 1, 0]


def test_pressure_is_not_checked_and_outliers_stay_where_that_is_asked_for(release):
    table = read(release, pressure_check=False).table
    assert table["SYSTOLIC"].tolist()[:2] == [120, 80] and table["DIASTOLIC"].tolist()[:2] == [70, 120]
    assert read(release, outliers="keep").table["BMI"].tolist()[:3] == [31.6, 4649.4, 64.5]


def test_outliers_may_be_left_out_with_the_limits_of_the_paper(release):
    # 12 has a BMI of 4649, 15 one of 64.5.
    assert read(release, outliers="drop").table["AGE"].tolist() == [62, 25, 33]


def test_imputed_values_are_those_of_other_people(release):
    table = read(release, impute=True).table
    assert table.notna().all(axis=None)
    assert set(table["BMI"]) == {31.6, 64.5} and set(table["DIASTOLIC"]) == {25, 70}
    assert table["BMI"].tolist()[:3:2] == [31.6, 64.5]
    pd.testing.assert_frame_equal(table, read(release, impute=True).table)


def test_race_may_be_six_columns_and_declining_another_race(release):
    table = read(release, race_columns="six", declined_race="OTHER").table
    races_of = table[["ASIAN", "BLACK", "HISPANIC", "OTHER", "UN", "WHITE"]]
    assert races_of.idxmax(axis=1).tolist() == ["WHITE", "BLACK", "OTHER", "OTHER", "HISPANIC"]
    assert (races_of.sum(axis=1) == 1).all() and "RACE" not in table


def test_race_is_told_by_how_the_text_begins():
    texts = ["white", "HISPANIC/LATINO - CUBAN", "UNABLE TO OBTAIN", "MULTIPLE RACE/ETHNICITY", "ASIAN - KOREAN", None]
    assert races(pd.Series(texts)).tolist() == ["WHITE", "HISPANIC", "UN", "OTHER", "ASIAN", "UN"]


def test_diagnoses_of_few_people_get_no_column(release):
    assert list(phecodes(read(release, min_people=2).table)) == ["008.5", "401.1", "600"]
    assert list(phecodes(read(release, min_share=0.4).table)) == ["008.5", "401.1", "600"]
    assert phecodes(read(release, min_people=3).table) == {}


def test_icd_categories_need_no_map(release):
    (release / "hosp" / "diagnoses_icd.csv").write_text(DIAGNOSES + "17,8,3,E8501,9\n17,8,4,V5861,9\n")
    table = read(release, codes="icd3", phecode_map=None).table
    assert table["icd9_401"].tolist() == [1, 0, 0, 0, 0] and table["icd10_I10"].tolist() == [0, 1, 0, 0, 0]
    assert {"icd9_E850", "icd9_V58", "icd9_008", "icd10_A41"} <= set(table) and "icd9_E85" not in table


def test_protocol_of_the_paper_sets_every_fault(release):
    cohort = read(release, protocol="paper")
    assert cohort.schema.constraints == () and not cohort.stratified
    assert list(cohort.table)[:7] == ["AGE", "BMI", "DIASTOLIC", "SYSTOLIC", "GENDER", "ASIAN", "BLACK"]
    # 12 and 15 are left out for their BMI, and nothing is missing.
    assert len(cohort.table) == 3 and cohort.table.notna().all(axis=None)
    assert {"401", "038", "008.5", "70.4"} == set(phecodes(cohort.table)) - {"650"}
    full = read_mimic(release, resolve(MimicOptions, {"phecode_map": release / "map", "protocol": "paper"}))
    assert "Not at their defaults: --protocol paper." in full.source


def test_source_names_options_that_differ(release):
    source = read(release, outliers="drop", pressure_check=False).source
    assert "--min-people 0, --outliers drop, --no-pressure-check" in source and "phecode-map" not in source
    assert "FAR TOO FEW" in source


def test_rules_are_of_sex_pressure_and_ranges(release):
    cohort = read(release)
    rules = {rule.name: rule for rule in cohort.schema.constraints}
    assert list(rules) == [
        "systolic > diastolic pressure",
        "age from 18 to 91 years",
        "body mass index from 10 to 100 kg/m2",
        "Hyperplasia of prostate (600) only in men",
        "Normal delivery (650) only in women",
    ]
    assert not any(rule.is_broken_by(cohort.table).any() for rule in rules.values())
    other = cohort.table.assign(GENDER=1 - cohort.table["GENDER"])
    broken = rules["Hyperplasia of prostate (600) only in men"].is_broken_by(other)
    assert broken.tolist() == (cohort.table["phecode_600"] == 1).tolist()
    assert read(release, declare_rules=False).schema.constraints == ()


def test_a_diagnosis_that_the_other_sex_has_too_is_no_rule(release, caplog):
    caplog.set_level(logging.INFO)
    (release / "hosp" / "diagnoses_icd.csv").write_text(DIAGNOSES + "17,8,3,650,9\n")
    assert not [rule for rule in read(release).schema.constraints if "650" in rule.name]
    assert "650 Normal delivery" in caplog.text


def test_order_of_rows_and_pieces_of_files_change_nothing(release, monkeypatch):
    before = read(release).table
    for path in (release / "hosp").iterdir():
        head, *rows = path.read_text().splitlines()
        path.write_text("\n".join([head, *reversed(rows)]) + "\n")
    monkeypatch.setattr("rlsyn.datasets.mimic.release.CHUNK_ROWS", 2)
    pd.testing.assert_frame_equal(before, read(release).table)


LAYOUTS = {"2.2": {}, "2.2 unpacked": {"suffix": ".csv"}, "1.0": {"v1": True}}


def check_books(table: pd.DataFrame, books) -> None:
    assert len(table) == books.n_people and table["DIE_1y"].sum() == books.n_deaths
    assert table["GENDER"].sum() == books.n_women
    assert table["RACE"].value_counts().to_dict() == books.races
    np.testing.assert_array_equal(np.bincount(table["AGE"]), books.ages)
    assert table["BMI"].notna().sum() == books.n_body_mass
    assert table["SYSTOLIC"].notna().sum() == table["DIASTOLIC"].notna().sum() == books.n_pressure
    found = {name.removeprefix("phecode_"): int(table[name].sum()) for name in table if name.startswith("phecode_")}
    assert found == books.phecodes


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_every_layout_gives_what_the_writer_has_in_its_books(tmp_path, layout, caplog):
    caplog.set_level(logging.INFO)
    books = write_release(tmp_path, **layout)
    cohort = read_mimic(tmp_path, MimicOptions(phecode_map=tmp_path / "phecode_map", min_people=0))
    check_books(cohort.table, books)
    cohort.schema.validate(cohort.table)
    assert f"{100 * books.mapped_share:.0f} % of the ICD codes" in caplog.text
    assert ("body mass index and blood pressure are missing in everybody" in caplog.text) == ("v1" in layout)


def test_a_table_without_vitals_can_be_learned(tmp_path):
    write_release(tmp_path, v1=True)
    cohort = read_mimic(tmp_path, MimicOptions(phecode_map=tmp_path / "phecode_map"))
    encoding = Encoding.fit(cohort.table, cohort.schema)
    assert encoding.decode(encoding.encode(cohort.table), np.random.default_rng(0))["SYSTOLIC"].isna().all()


def test_table_survives_encoding_as_the_same_with_wider_numbers(tmp_path):
    write_release(tmp_path)
    cohort = read_mimic(tmp_path, MimicOptions(phecode_map=tmp_path / "phecode_map"))
    assert set(cohort.table.filter(like="phecode_").dtypes) == {np.dtype("int8")}
    wide = cohort.table.astype(dict.fromkeys(cohort.table.select_dtypes("int8"), "int64"))
    encodings = [Encoding.fit(table, cohort.schema) for table in (cohort.table, wide)]
    records = [encoding.encode(table) for encoding, table in zip(encodings, (cohort.table, wide), strict=True)]
    np.testing.assert_array_equal(*records)
    decoded = encodings[0].decode(records[0], np.random.default_rng(0))
    cohort.schema.validate(decoded)
    assert not any(rule.is_broken_by(decoded).any() for rule in cohort.schema.constraints)


def test_columns_are_those_of_the_simulated_cohort(tmp_path):
    write_release(tmp_path)
    real = read_mimic(tmp_path, MimicOptions(phecode_map=tmp_path / "phecode_map")).schema
    simulated = simulated_mimic().schema
    assert (real.label, real.group) == (simulated.label, simulated.group)
    assert real.names[:7] == simulated.names[:7]
    for name in real.names[:7]:
        one, other = real[name], simulated[name]
        assert (one.kind, one.categories, one.decimals, one.unit) == (
            *(other.kind, other.categories),
            *(other.decimals, other.unit),
        )
    codes = {(column.name[:8], column.kind, column.categories) for column in real.columns[7:]}
    assert codes == {(column.name[:8], column.kind, column.categories) for column in simulated.columns[7:]}


def test_load_divides_the_rows_as_the_protocol_says(tmp_path):
    write_release(tmp_path, n_patients=1000)
    options = {"phecode_map": tmp_path / "phecode_map"}
    shares = {}
    for protocol in ("default", "paper"):
        datasets = [
            load("MIMICIV-v0", tmp_path, seed, reader_options={**options, "protocol": protocol}) for seed in (0, 1)
        ]
        shares[protocol] = {
            round(dataset.test["DIE_1y"].mean() - dataset.train["DIE_1y"].mean(), 2) for dataset in datasets
        }
        assert len(datasets[0].test) / sum(len(s) for s in (datasets[0].train, datasets[0].test)) == pytest.approx(
            0.3, abs=0.01
        )
        assert "PhysioNet Credentialed" in datasets[0].licence and not datasets[0].simulated
    assert shares["default"] == {0.0} and shares["paper"] != {0.0}


def test_version_is_told_by_folder_or_columns(tmp_path):
    for name, layout, version in (
        ("mimic-iv-3.1", {}, "3.1 (as its folder is named)"),
        ("mimiciv/3.1", {}, "3.1 (as its folder is named)"),
        ("MIMIC-IV-2.2/files", {}, "2.2 (as its folder is named)"),
        ("project-1.2/mimic", {}, "2.2 or later"),
        ("mimic/project-1.2", {}, "2.2 or later"),
        ("study/0.4", {}, "2.2 or later"),
        ("release", {}, "2.2 or later"),
        ("old", {"v1": True}, "before 2.0"),
    ):
        write_release(tmp_path / name, n_patients=30, **layout)
        assert Release(tmp_path / name).version == version


def test_demo_is_known_by_its_licence(release):
    assert not Release(release).is_demo and "Credentialed" in read(release).licence
    (release / "LICENSE.txt").write_text("## ODC Open Database License (ODbL)\n")
    assert Release(release).is_demo and "Open Database License" in read(release).licence
    assert "open demo" in read(release).source and Release(release / "hosp").is_demo


def test_wrong_folder_says_what_was_looked_for_and_where_access_is(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"hosp/patients\.csv\.gz.*no such folder.*physionet\.org/content/mimiciv"
    ):
        read_mimic(tmp_path / "nowhere", MimicOptions())
    with pytest.raises(FileNotFoundError, match="an empty folder"):
        read_mimic(tmp_path, MimicOptions())
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(FileNotFoundError, match=r"there: notes\.txt"):
        read_mimic(tmp_path, MimicOptions())


def test_folder_above_or_below_the_release_is_pointed_to(release, tmp_path):
    above = tmp_path / "physionet.org" / "files" / "mimiciv"
    above.mkdir(parents=True)
    release.rename(above / "3.1")
    with pytest.raises(FileNotFoundError, match=r"give --data-dir .*mimiciv/3\.1"):
        read_mimic(tmp_path, MimicOptions())
    (above / "3.1" / "icu").mkdir()
    with pytest.raises(FileNotFoundError, match=r"give --data-dir .*mimiciv/3\.1"):
        read_mimic(above / "3.1" / "icu", MimicOptions())


def test_folders_that_may_not_be_looked_into_are_passed_over(release, tmp_path, monkeypatch):
    real = os.stat

    def refusing(path, *args, **options):
        if "closed" in Path(path).parts[:-1]:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *args, **options)

    (tmp_path / "closed" / "hosp").mkdir(parents=True)
    monkeypatch.setattr(os, "stat", refusing)
    with pytest.raises(FileNotFoundError, match=r"hosp/patients\.csv\.gz.*give --data-dir .*release\."):
        read_mimic(tmp_path, MimicOptions(phecode_map=release / "map"))
    with pytest.raises(FileNotFoundError, match=r"hosp/patients\.csv\.gz"):
        read_mimic(tmp_path / "closed", MimicOptions(phecode_map=release / "map"))


def test_folder_without_the_right_to_read_it_is_named(release, monkeypatch):
    (release / "hosp" / "patients.csv").unlink()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "hosp")
    with pytest.raises(FileNotFoundError, match=r"with hosp/patients\.csv\.gz .*may not look into .*release/hosp: ask"):
        read(release)


def test_missing_diagnoses_are_told(release):
    (release / "hosp" / "diagnoses_icd.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"with hosp/diagnoses_icd\.csv\.gz \(or"):
        read(release)


MALFORMED = {
    "lacks a column": ("patients", PATIENTS.replace("dod", "death"), r"patients\.csv, it lacks \['dod'\]"),
    "empty": ("admissions", "", r"admissions\.csv cannot be read"),
    "header only": ("diagnoses_icd", DIAGNOSES.splitlines()[0] + "\n", "it holds no rows"),
    "text for a number": ("patients", PATIENTS.replace("17,M,33", "17,M,old"), r"patients\.csv cannot be read"),
    "unknown sex": (
        "patients",
        PATIENTS.replace("17,M", "17,X"),
        r"Expected F or M as gender in .*patients\.csv, got something else in 1 rows",
    ),
    "dates in words": (
        "admissions",
        ADMISSIONS.replace("2160-03-02 10:00:00", "March"),
        r"Expected times such as .* as dischtime in .*admissions\.csv, got something else in 1 rows",
    ),
    "version 11": (
        "diagnoses_icd",
        DIAGNOSES.replace("650,9", "650,11"),
        "Expected 9 or 10 as icd_version in .*got something else in 1 rows",
    ),
    "a person twice": (
        "patients",
        PATIENTS + "11,F,60,2150,2011 - 2013,\n",
        r"Expected one row per person in .*patients\.csv, got 1 more",
    ),
    "nobody died": ("patients", PATIENTS.replace("2141-05-01", "").replace("2151-01-01", ""), "came with release 2.0"),
    "bytes": ("omr", None, r"omr\.csv cannot be read"),
}


@pytest.mark.parametrize(("table", "text", "message"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_file_is_refused_by_name(release, table, text, message):
    path = release / "hosp" / f"{table}.csv"
    path.write_bytes(bytes(range(128, 256)) if text is None else text.encode())
    with pytest.raises(ValueError, match=message) as caught:
        read(release)
    assert "\n" not in str(caught.value)


QUOTED = {
    "text for a number": (
        "patients",
        PATIENTS.replace("17,M,33", "17,M,x47"),
        "of subject_id, anchor_age, anchor_year",
    ),
    "text for a person": ("omr", OMR.replace("13,2141", "x47,2141"), "of subject_id, seq_num is a whole number"),
    "too large": ("diagnoses_icd", DIAGNOSES.replace("17,8,1", "47" * 15 + ",8,1"), "whole number"),
    "no number": ("diagnoses_icd", DIAGNOSES.replace("I10,10", "I10,"), "of subject_id, icd_version is a whole number"),
    "sex": ("patients", PATIENTS.replace("17,M", "17,x47"), "as gender in"),
    "time": ("admissions", ADMISSIONS.replace("2160-03-02 10:00:00", "x47"), "as dischtime in"),
    "open quotation": ("omr", OMR + '17,"x47\n', "a quotation mark is left open"),
}


@pytest.mark.parametrize(("table", "text", "message"), QUOTED.values(), ids=QUOTED)
def test_refusal_quotes_no_cell_of_a_patient(release, table, text, message):
    (release / "hosp" / f"{table}.csv").write_text(text)
    with pytest.raises(ValueError, match=rf"{table}\.csv") as caught:
        read(release)
    assert message in str(caught.value)
    error = traceback.TracebackException.from_exception(caught.value)
    while error is not None:  # the errors that a traceback shows, the last one first
        assert "47" not in str(error).replace(str(release), "")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def test_truncated_gzip_is_refused_by_name(release):
    packed = gzip.compress(("subject_id,hadm_id,seq_num,icd_code,icd_version\n" + "11,1,1,4019,9\n" * 9999).encode())
    (release / "hosp" / "diagnoses_icd.csv").unlink()
    (release / "hosp" / "diagnoses_icd.csv.gz").write_bytes(packed[:-50])
    with pytest.raises(ValueError, match=r"diagnoses_icd\.csv\.gz cannot be read .*SHA256SUMS"):
        read(release)


def test_without_a_map_both_ways_to_it_are_told(release, monkeypatch):
    monkeypatch.setattr("rlsyn.datasets.mimic.phecodes.find_spec", lambda name: None)
    message = r"pip install pyPheWAS.*--phecode-map DIR.*--codes icd3"
    with pytest.raises(FileNotFoundError, match=message):
        read(release, phecode_map=None)
    with pytest.raises(FileNotFoundError, match=message):
        read(release, phecode_map=release / "hosp")


def test_map_of_pyphewas_is_found_without_importing_it(release, tmp_path, monkeypatch):
    resources = tmp_path / "site" / "pyPheWAS" / "resources"
    resources.parent.mkdir(parents=True)
    (resources.parent / "__init__.py").write_text("raise RuntimeError('imported')")
    (release / "map").rename(resources)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert "401.1" in phecodes(read(release, phecode_map=None).table) and "pyPheWAS" not in sys.modules


def test_malformed_map_is_refused_by_name(release):
    path = release / "map" / "phecode_map_v1_2_icd9.csv"
    path.write_text(MAP_9.replace("Rollup", "Roll"))
    with pytest.raises(ValueError, match=r"Expected the columns .* in .*icd9\.csv"):
        read(release)


@pytest.mark.parametrize("rows", ["", "401.9,Hypertension,,,1.0,1.0,Both\n"], ids=["header only", "no phecode"])
def test_map_without_phecodes_is_refused_by_name(release, rows):
    (release / "map" / "phecode_map_v1_2_icd9.csv").write_text(MAP_9.splitlines()[0] + "\n" + rows)
    with pytest.raises(ValueError, match=r"Expected rows with ICD9 and PheCode in .*icd9\.csv, got none"):
        read(release)


@pytest.mark.parametrize(
    ("version", "text", "found"),
    [
        (9, "4019", ("401.1",)),
        (9, "401", ()),
        (9, "25000", ("250.2",)),
        (9, "250001", ("250.2",)),
        (9, "2500123", ()),
        (10, "A419XXX", ("994.2", "038")),
        (10, "A419XXXX", ()),
        (10, "N400", ()),
        (10, "N4001", ("600",)),
        (10, "4019", ()),
    ],
)
def test_codes_are_looked_up_whole_and_then_without_their_last_characters(release, version, text, found):
    assert read_phecode_map(release / "map").look_up(IcdCode(version, text)) == found


@pytest.mark.parametrize(("name", "value"), [("min_people", -1), ("min_share", 1.0), ("codes", "icd4")])
def test_options_out_of_range_are_refused(name, value):
    with pytest.raises(ValueError, match=f"--{name.replace('_', '-')} must be"):
        resolve(MimicOptions, {name: value})


def test_map_that_nobody_would_read_is_refused(tmp_path):
    with pytest.raises(ValueError, match="leave out --phecode-map"):
        resolve(MimicOptions, {"codes": "icd3", "phecode_map": tmp_path})


@needs_map
def test_faults_of_the_paper_give_the_16_twins_of_its_table():
    phecode_map = read_phecode_map(PHECODES)
    of_version = {
        version: {
            code if version == 10 else phecode_map.parent(code)
            for icd, codes in phecode_map.targets.items()
            if icd.version == version
            for code in codes
        }
        for version in (9, 10)
    }
    twins = {code for code in of_version[9] & of_version[10] if code.startswith("0")}
    assert len(twins) == 16 and {"008", "038", "070", "070.4"} <= twins


@needs_demo
@needs_map
def test_demo_has_the_counts_that_were_found_before(caplog):
    caplog.set_level(logging.INFO)
    options = {"phecode_map": PHECODES, "several_phecodes": "last", "min_people": 0}
    cohort = read_mimic(DEMO, resolve(MimicOptions, options))
    table, codes = cohort.table, cohort.table.filter(like="phecode_")
    assert len(table) == 85 and table["DIE_1y"].sum() == 16
    assert table["BMI"].notna().sum() == 50 and table["SYSTOLIC"].notna().sum() == 61
    assert table["AGE"].agg(["min", "max"]).tolist() == [21, 91]
    assert table["RACE"].value_counts().to_dict() == {"WHITE": 57, "UN": 10, "BLACK": 9, "HISPANIC": 5, "OTHER": 4}
    assert codes.shape[1] == 565 and codes.sum(axis=1).mean() == pytest.approx(21.4, abs=0.05)
    assert (codes.mean() >= 0.05).sum() == 96
    assert "84 % of the ICD codes" in caplog.text and "100 people, 100 with an admission" in caplog.text
    assert "Open Database License" in cohort.licence and "FAR TOO FEW" in cohort.source


@needs_demo
@needs_map
def test_demo_by_default_counts_every_phecode_of_a_code():
    cohort = read_mimic(DEMO, MimicOptions(phecode_map=PHECODES))
    assert cohort.table.shape == (85, 7 + 37) and cohort.table.filter(like="phecode_").sum().min() >= 10
    everything = read_mimic(DEMO, MimicOptions(phecode_map=PHECODES, min_people=0))
    assert everything.table.filter(like="phecode_").shape[1] == 571
    # A man of the demo has breast cancer, which the map gives to women.
    assert not [rule for rule in everything.schema.constraints if "174.11" in rule.expression]


@pytest.mark.slow
def test_a_tenth_of_a_full_release_gives_what_the_writer_has_in_its_books(tmp_path):
    books = write_release(tmp_path, n_patients=18_000, n_phecodes=1_600)
    cohort = read_mimic(tmp_path, MimicOptions(phecode_map=tmp_path / "phecode_map", min_people=0))
    check_books(cohort.table, books)
    kept = read_mimic(tmp_path, MimicOptions(phecode_map=tmp_path / "phecode_map")).schema.names[7:]
    assert kept == [f"phecode_{code}" for code, n in sorted(books.phecodes.items()) if n >= 10]


@pytest.mark.slow
def test_a_release_is_trained_on_sampled_and_reported_from_the_command_line(tmp_path, load_script, capsys):
    write_release(tmp_path / "release", n_patients=400, n_phecodes=20)
    run = tmp_path / "run"
    flags = ["--data-dir", str(tmp_path / "release"), "--phecode-map", str(tmp_path / "release" / "phecode_map")]
    assert load_script("run_ppo").main(["--env", "MIMICIV-v0", *flags, "-n", "60000", "--run-dir", str(run)]) == 0
    assert "LICENCE OF THE DATA: MIMIC-IV is under" in capsys.readouterr().out
    report = (run / "report.html").read_text(encoding="utf-8")
    assert "circulatory system" in report and "PhysioNet Credentialed" in report and "FAR TOO FEW" in report
    assert load_script("sample").main([str(run), "-n", "50", "-o", str(tmp_path / "more.csv")]) == 0
    assert list(pd.read_csv(tmp_path / "more.csv"))[:7] == simulated_mimic().schema.names[:7]
