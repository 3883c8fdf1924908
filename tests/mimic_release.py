"""Writes an invented release of MIMIC-IV in the original layout, with its own books about what a reader must find.

Nobody's data are in it: numbers, dates and diagnoses are drawn at random. It comes with an invented phecode map in the
format of pyPheWAS. As a script, for benchmarks:

    python tests/mimic_release.py DIR --patients 180000
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

ROWS_PER_ADMISSION = 11
RACES = {
    "WHITE": "WHITE",
    "WHITE - RUSSIAN": "WHITE",
    "BLACK/AFRICAN AMERICAN": "BLACK",
    "ASIAN - CHINESE": "ASIAN",
    "HISPANIC/LATINO - CUBAN": "HISPANIC",
    "UNKNOWN": "UN",
    "UNABLE TO OBTAIN": "UN",
    "PATIENT DECLINED TO ANSWER": "UN",
    "PORTUGUESE": "OTHER",
    "OTHER": "OTHER",
}
UNMAPPED = ((9, "9999"), (10, "Z9999"))
MALE, FEMALE = "600", "649"
TWICE = 50
"""The ICD-10 code of every so-manieth phecode stands for the next one too."""


@dataclass(frozen=True)
class Books:
    """What a reader must find, by the default options but for the diagnoses of few people, which are all there."""

    n_people: int
    """With an admission, the last of which they left alive."""
    n_deaths: int
    n_women: int
    races: dict[str, int]
    n_body_mass: int
    n_pressure: int
    ages: np.ndarray
    """Sum over people by whole number; index is the age."""
    phecodes: dict[str, int]
    """People by phecode, of those that somebody has."""
    mapped_share: float


def invented_phecodes(n: int) -> list[str]:
    """So many numbers in the form of phecodes: 008, 008.1, 008.2, 009, ..."""
    numbers = [f"{number:03d}{tail}" for number in range(8, 1000) for tail in ("", ".1", ".2")]
    rest = [number for number in numbers if number not in (MALE, FEMALE)]
    return sorted([MALE, FEMALE, *(rest[place] for place in np.linspace(0, len(rest) - 1, n - 2).astype(int))])


def icd_codes(place: int) -> dict[int, str]:
    """The ICD-9 and the ICD-10 code, with point, that stand for the phecode at a place of the list."""
    return {9: f"{place // 10:03d}.{place % 10}", 10: f"{chr(65 + place // 1000)}{place // 10 % 100:02d}.{place % 10}"}


def write_map(folder: Path, phecodes: list[str]) -> None:
    """Write the map of the invented phecodes in the format of pyPheWAS."""
    folder.mkdir(parents=True, exist_ok=True)
    sexes = {MALE: "Male", FEMALE: "Female"}
    table = pd.DataFrame({"PheCode": phecodes, "Phenotype": [f"Disease {code}" for code in phecodes]})
    table["sex"] = [sexes.get(code, "Both") for code in phecodes]
    rest = {"pregnancy_related": 0, "category": 1, "category_string": "invented"}
    nine = table.assign(ICD9=[icd_codes(place)[9] for place in range(len(phecodes))], Rollup=1.0, Leaf=1.0, **rest)
    ten = table.assign(ICD10=[icd_codes(place)[10] for place in range(len(phecodes))], **rest)
    second = ten.iloc[1::TWICE].assign(ICD10=ten["ICD10"].iloc[::TWICE][: len(ten.iloc[1::TWICE])].to_numpy())
    none = ten.head(1).assign(ICD10="Y99.9", PheCode="", Phenotype="")
    nine.to_csv(folder / "phecode_map_v1_2_icd9.csv", index=False)
    pd.concat([ten, second, none]).to_csv(folder / "phecode_map_v1_2_icd10_beta.csv.gz", index=False)


def write_release(
    folder: Path, n_patients: int = 300, n_phecodes: int = 60, seed: int = 0, suffix: str = ".csv.gz", v1: bool = False
) -> Books:
    """Write `hosp/` and, beside, `phecode_map/` into a folder.

    Args:
        folder: Made if it is not there.
        n_patients: People with an admission; half as many never had one.
        n_phecodes: Different diagnoses.
        seed: Of all that is drawn.
        suffix: Of the files.
        v1: Whether in the layout before 2.0: `core/`, `ethnicity`, no `omr`.
    """
    rng = np.random.default_rng(seed)
    phecodes = invented_phecodes(n_phecodes)
    write_map(folder / "phecode_map", phecodes)
    core, hosp = folder / ("core" if v1 else "hosp"), folder / "hosp"
    for place in (core, hosp):
        place.mkdir(parents=True, exist_ok=True)
    patients = _patients(n_patients, rng)
    admissions = _admissions(patients, n_patients, rng)
    last = admissions.groupby("person").tail(1).set_index("person")
    survivors = last.index[last["deathtime"] == ""].to_numpy()
    patients["dod"] = _deaths(patients, last, survivors, rng)
    diagnoses, presence, share = _diagnoses(patients, admissions, survivors, phecodes, rng)
    records, known = _records(patients, n_patients, rng)
    _write(patients.drop(columns="first"), core / f"patients{suffix}", rng)
    shown = admissions.drop(columns="person").rename(columns={"race": "ethnicity"} if v1 else {})
    _write(shown, core / f"admissions{suffix}", rng)
    _write(diagnoses, hosp / f"diagnoses_icd{suffix}")
    if not v1:
        _write(records, hosp / f"omr{suffix}")
    people = patients.loc[survivors]
    year = last.loc[survivors, "dischtime"].str[:4].astype(int).to_numpy()
    ages = np.minimum(people["anchor_age"].to_numpy() + year - people["anchor_year"].to_numpy(), 91)
    return Books(
        n_people=len(survivors),
        n_deaths=int((people["dod"] != "").sum()),
        n_women=int((people["gender"] == "F").sum()),
        races=last.loc[survivors, "race"].map(RACES).value_counts().to_dict(),
        n_body_mass=0 if v1 else int(known["BMI (kg/m2)"][survivors].sum()),
        n_pressure=0 if v1 else int(known["Blood Pressure"][survivors].sum()),
        ages=np.bincount(ages),
        phecodes={code: int(n) for code, n in zip(phecodes, presence.sum(axis=0), strict=True) if n},
        mapped_share=share,
    )


def _patients(n_patients: int, rng: np.random.Generator) -> pd.DataFrame:
    # The first n_patients have admissions, the others have none.
    n = n_patients + n_patients // 2
    subject = 10_000_000 + rng.permutation(np.cumsum(rng.integers(1, 20, n)))
    age = rng.integers(18, 95, n)
    first = rng.integers(2110, 2200, n)
    return pd.DataFrame(
        {
            "subject_id": subject,
            "gender": rng.choice(["F", "M"], n),
            "anchor_age": np.where(age >= 89, 91, age),
            "anchor_year": first,
            "anchor_year_group": "2011 - 2013",
            "first": first,
        }
    )


def _admissions(patients: pd.DataFrame, n_patients: int, rng: np.random.Generator) -> pd.DataFrame:
    # In the order of people and time; `person` is the row of the patient.
    person = np.repeat(np.arange(n_patients), rng.geometric(0.42, n_patients).clip(max=60))
    number = pd.Series(person).groupby(person).cumcount().to_numpy()
    start = pd.to_datetime(patients["first"].to_numpy()[person].astype(str), format="%Y")
    hours = rng.integers(0, 24 * 60, len(person)) + 24 * 70 * number
    admitted = start + pd.to_timedelta(hours, unit="h")
    left = admitted + pd.to_timedelta(rng.integers(2, 24 * 9, len(person)), unit="h")
    texts = [times.strftime("%Y-%m-%d %H:%M:%S") for times in (admitted, left)]
    is_last = np.append(person[1:] != person[:-1], True)
    died = is_last & (rng.random(len(person)) < 0.05)
    race = rng.choice(list(RACES), n_patients)[person]
    return pd.DataFrame(
        {
            "person": person,
            "subject_id": patients["subject_id"].to_numpy()[person],
            "hadm_id": 20_000_000 + rng.permutation(len(person)),
            "admittime": texts[0],
            "dischtime": texts[1],
            "deathtime": np.where(died, texts[1], ""),
            "admission_type": "URGENT",
            "admit_provider_id": "P00000",
            "insurance": "Other",
            "race": race,
            "hospital_expire_flag": died.astype(int),
        }
    )


def _deaths(patients: pd.DataFrame, last: pd.DataFrame, survivors: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    dod = np.full(len(patients), "", dtype=object)
    in_hospital = last.index[last["deathtime"] != ""].to_numpy()
    dod[in_hospital] = last.loc[in_hospital, "deathtime"].str[:10]
    later = survivors[rng.random(len(survivors)) < 0.113]
    dates = pd.to_datetime(last.loc[later, "dischtime"]) + pd.to_timedelta(rng.integers(1, 365, len(later)), unit="D")
    dod[later] = dates.dt.strftime("%Y-%m-%d")
    return dod


def _diagnoses(
    patients: pd.DataFrame,
    admissions: pd.DataFrame,
    survivors: np.ndarray,
    phecodes: list[str],
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, np.ndarray, float]:
    """Rows of the file, the `(n_survivors, n_phecodes)` presence they stand for, and the share of codes with a phecode."""
    n_rows = rng.poisson(ROWS_PER_ADMISSION, len(admissions))
    row = np.repeat(np.arange(len(admissions)), n_rows)
    person = admissions["person"].to_numpy()[row]
    weight = 1 / (5 + rng.permutation(len(phecodes)))
    code = rng.choice(len(phecodes), len(row), p=weight / weight.sum())
    is_male = (patients["gender"] == "M").to_numpy()[person]
    # Nobody has the other sex's diseases: the neighbours in the list are had instead.
    code[(code == phecodes.index(FEMALE)) & is_male] += 1
    code[(code == phecodes.index(MALE)) & ~is_male] += 1
    version = np.where(rng.random(len(admissions)) < 0.5, 9, 10)[row]
    # Exact, or longer than the map's by characters that the reader has to drop; some are unknown to the map.
    tail = rng.integers(0, 3, len(row))
    is_unmapped = rng.random(len(row)) < 0.1
    tails = {9: ("", "1", "23"), 10: ("", "A", "X1D")}
    number = np.where(is_unmapped, len(phecodes), code) * 6 + 3 * (version == 10) + tail
    texts = [
        icd_codes(place)[v].replace(".", "") + end
        for place in range(len(phecodes))
        for v in (9, 10)
        for end in tails[v]
    ] + [text for _, text in UNMAPPED for _ in range(3)]
    places, distinct = pd.factorize(np.array(texts, dtype=object))
    text = places[number]
    frame = pd.DataFrame(
        {
            "subject_id": admissions["subject_id"].to_numpy()[row],
            "hadm_id": admissions["hadm_id"].to_numpy()[row],
            "seq_num": np.arange(len(row)) - np.repeat(np.cumsum(n_rows) - n_rows, n_rows) + 1,
            "icd_code": pd.Categorical.from_codes(text, distinct),
            "icd_version": version,
        }
    )
    place = np.full(len(patients), -1)
    place[survivors] = np.arange(len(survivors))
    stays, is_known = place[person] >= 0, ~is_unmapped
    presence = np.zeros((len(survivors), len(phecodes)), dtype=bool)
    presence[place[person[stays & is_known]], code[stays & is_known]] = True
    is_twice = stays & is_known & (version == 10) & (code % TWICE == 0) & (code + 1 < len(phecodes))
    presence[place[person[is_twice]], code[is_twice] + 1] = True
    had = pd.DataFrame({"person": person[stays], "text": text[stays], "known": is_known[stays]}).drop_duplicates()
    return frame, presence, float(had["known"].mean())


def _records(
    patients: pd.DataFrame, n_patients: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Rows of `omr`, and by result who of the patients has a plausible one."""
    has = rng.random(len(patients)) < np.where(np.arange(len(patients)) < n_patients, 0.7, 0.3)
    parts, known = [], {}
    for name in ("Weight (Lbs)", "Blood Pressure", "BMI (kg/m2)", "Height (Inches)"):
        mine = has & (rng.random(len(patients)) < 0.95)
        person = np.repeat(np.flatnonzero(mine), rng.poisson(12, int(mine.sum())) + 1)
        systolic, diastolic = rng.integers(100, 180, len(person)), rng.integers(50, 95, len(person))
        values = rng.integers(150, 450, len(person)) / 10
        text = pd.Series(values).astype(str)
        if name == "Blood Pressure":
            text = pd.Series(systolic).astype(str) + "/" + pd.Series(diastolic).astype(str)
        year, day = (
            patients["first"].to_numpy()[person] + rng.integers(0, 5, len(person)),
            rng.integers(1, 29, len(person)),
        )
        date = pd.Series(year).astype(str) + "-" + pd.Series(rng.integers(10, 13, len(person))).astype(str)
        date += "-" + pd.Series(day).astype(str).str.zfill(2)
        subject = patients["subject_id"].to_numpy()[person]
        seq = pd.Series(person).groupby(person).cumcount() + 1
        rows = {"subject_id": subject, "chartdate": date, "seq_num": seq, "result_name": name, "result_value": text}
        parts.append(pd.DataFrame(rows))
        known[name] = mine
    return pd.concat(parts, ignore_index=True), known


def _write(table: pd.DataFrame, path: Path, rng: np.random.Generator | None = None) -> None:
    if rng is not None:
        table = table.iloc[rng.permutation(len(table))]
    compression = {"method": "gzip", "compresslevel": 1} if path.suffix == ".gz" else None
    table.to_csv(path, index=False, compression=compression)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write an invented release of MIMIC-IV in the original layout.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--patients", type=int, default=180_000)
    parser.add_argument("--phecodes", type=int, default=1_600)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    books = write_release(arguments.folder, arguments.patients, arguments.phecodes, arguments.seed)
    print(f"{books.n_people:,} people in the cohort, {books.n_deaths:,} deaths, {len(books.phecodes):,} phecodes.")


if __name__ == "__main__":
    main()
