"""The people of MIMIC-IV: who is in the cohort, and their age, sex, race and death within a year."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd

from rlsyn.datasets.mimic.release import Release
from rlsyn.datasets.simulated_mimic import LABEL, MAX_AGE, RACE_COUNTS

logger = logging.getLogger(__name__)

RACES = tuple(RACE_COUNTS)
UNKNOWN, OTHER = "UN", "OTHER"
DECLINED = "PATIENT DECLINED"


def read_people(release: Release, declined_race: str = UNKNOWN) -> pd.DataFrame:
    """People who left hospital alive after their last admission: `AGE`, `GENDER`, `RACE` and `DIE_1y` by `subject_id`.

    The last admission is that of the latest `dischtime`. `DIE_1y` is 1 where `dod` is there: MIMIC-IV holds no death
    later than a year after the last discharge. `AGE` is that at the last discharge, at most 91, which stands for all
    from 89 on. `GENDER` is 1 for women. As in the cohort of arXiv:2512.21395.

    Args:
        release: The files.
        declined_race: The race of those who declined to tell it.

    Raises:
        ValueError: A file is malformed or names a person twice, nobody is left, or all or none of them died.
    """
    patients = release.read(
        "patients", {"subject_id": "int64", "gender": str, "anchor_age": "int64", "anchor_year": "int64", "dod": str}
    ).set_index("subject_id")
    if n_twice := int(patients.index.duplicated().sum()):
        raise ValueError(
            f"Expected one row per person in {release.path('patients')}, got {n_twice:,} more of people who are there "
            "already. Download it again."
        )
    last = _last_admissions(release)
    is_alive = last["deathtime"].isna()
    cohort = last[is_alive].join(patients, how="inner").sort_index()
    logger.info(
        "%s people, %s with an admission, %s left hospital alive after the last one.",
        *(f"{n:,}" for n in (len(patients), len(last), len(cohort))),
    )
    age = cohort["anchor_age"] + cohort["dischtime"].dt.year - cohort["anchor_year"]
    people = pd.DataFrame(
        {
            "AGE": age.clip(upper=MAX_AGE).astype("int64"),
            "GENDER": _is_female(cohort["gender"], release),
            "RACE": races(cohort["race"], declined_race),
            LABEL: cohort["dod"].notna().astype("int8"),
        }
    )
    if people[LABEL].nunique() < 2:
        raise ValueError(
            f"Expected some of the {len(people):,} people who left hospital alive to have a date of death (dod) in "
            f"{release.path('patients')}, got {int(people[LABEL].sum())}. Deaths outside hospital came with release 2.0: "
            "take that or a later one."
        )
    return people


def races(texts: pd.Series, declined: str = UNKNOWN) -> pd.Series:
    """The texts as one of `RACES` by how they begin; other texts are OTHER, missing ones UN.

    Example:
        >>> races(pd.Series(["WHITE - RUSSIAN", "UNABLE TO OBTAIN", "PORTUGUESE", None])).tolist()
        ['WHITE', 'UN', 'OTHER', 'UN']
    """
    of_text = {text: _race(str(text).upper(), declined) for text in texts.dropna().unique()}
    return texts.map(of_text).fillna(UNKNOWN).astype(object)


def _race(text: str, declined: str) -> str:
    if text.startswith(DECLINED):
        return declined
    return next((race for race in RACES if text.startswith(race)), OTHER)


def _last_admissions(release: Release) -> pd.DataFrame:
    # Until 2.0 race was called ethnicity.
    race = "race" if "race" in release.columns("admissions") else "ethnicity"
    dtypes = {"subject_id": "int64", "hadm_id": "int64", "dischtime": str, "deathtime": str, race: str}
    admissions = release.read("admissions", dtypes).rename(columns={race: "race"}).dropna(subset="dischtime")
    times = pd.to_datetime(admissions["dischtime"], format="ISO8601", errors="coerce")
    if times.isna().any():
        raise ValueError(
            f"Expected times such as 2180-05-06 22:23:00 as dischtime in {release.path('admissions')}, got something "
            f"else in {times.isna().sum():,} rows. Download it again."
        )
    admissions["dischtime"] = times
    ordered = admissions.sort_values(["subject_id", "dischtime", "hadm_id"])
    return ordered.drop_duplicates("subject_id", keep="last").set_index("subject_id")


def _is_female(gender: pd.Series, release: Release) -> np.ndarray:
    n_unknown = int((~gender.isin(["F", "M"])).sum())
    if n_unknown:
        raise ValueError(
            f"Expected F or M as gender in {release.path('patients')}, got something else in {n_unknown:,} rows. "
            "Download it again."
        )
    return np.asarray((gender == "F").astype("int8"))
