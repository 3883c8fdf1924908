"""Body mass index and blood pressure of MIMIC-IV, from the online medical record (`omr`)."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np
import pandas as pd

from rlsyn.datasets.mimic.release import Release

logger = logging.getLogger(__name__)

VITALS = ("BMI", "DIASTOLIC", "SYSTOLIC")
BODY_MASS, PRESSURE = "BMI (kg/m2)", "Blood Pressure"
"""Names of results in the file; pressures that were taken sitting, lying or standing are other, rare ones."""
PAPER_LIMITS = {"BMI": (10.0, 60.0), "DIASTOLIC": (30.0, np.inf)}
"""Of arXiv:2512.21395, whose code leaves out people beyond them."""
LIMITS = {"BMI": (10.0, 100.0), "DIASTOLIC": (20.0, 200.0), "SYSTOLIC": (40.0, 300.0)}
"""What is beyond them is taken for a typing error, such as the BMI of 4649.4 in the demo; people above 60 kg/m2 exist."""
IMPUTATION_SEED = 4
"""The seed of the paper's code, of another generator: its draws cannot be had again."""


def read_vitals(release: Release, people: pd.Index) -> pd.DataFrame:
    """`BMI`, `DIASTOLIC` and `SYSTOLIC` (float64, NaN where unknown) of people at the latest day they were measured.

    Of several on that day it is the last (`seq_num`). Pressures that are not above 0 are unknown, as in the paper.

    Args:
        release: The files.
        people: Their `subject_id`, ascending.
    """
    vitals = pd.DataFrame(np.nan, index=people, columns=list(VITALS))
    if release.path("omr") is None:
        logger.warning(
            "There is no hosp/omr.csv.gz, which came with release 2.0: body mass index and blood pressure are missing "
            "in everybody."
        )
        return vitals
    latest = _latest(pd.concat(_latest_of_chunks(release, people), ignore_index=True))
    texts = {str(name): part.set_index("subject_id")["result_value"] for name, part in latest.groupby("result_name")}
    if BODY_MASS in texts:
        vitals["BMI"] = pd.to_numeric(texts[BODY_MASS], errors="coerce").round(1)
    if PRESSURE in texts:
        parts = texts[PRESSURE].str.extract(r"^\s*(?P<SYSTOLIC>\d+(?:\.\d+)?)\s*/\s*(?P<DIASTOLIC>\d+(?:\.\d+)?)\s*$")
        for name in ("DIASTOLIC", "SYSTOLIC"):
            numbers = pd.to_numeric(parts[name]).astype(float).round()
            vitals[name] = numbers.where(numbers > 0)
    logger.info(
        "Body mass index is known of %s people, blood pressure of %s.",
        *(f"{vitals[name].notna().sum():,}" for name in ("BMI", "SYSTOLIC")),
    )
    return vitals.astype(float)


def implausible(vitals: pd.DataFrame, limits: dict[str, tuple[float, float]], pressure_check: bool) -> pd.DataFrame:
    """Which of the values cannot be true; missing ones can.

    Args:
        vitals: As `read_vitals` returns.
        limits: Lowest and highest plausible value by column.
        pressure_check: Whether both pressures are implausible where the systolic is not above the diastolic.
    """
    wrong = pd.DataFrame(False, index=vitals.index, columns=vitals.columns)
    for name, (low, high) in limits.items():
        wrong[name] = (vitals[name] < low) | (vitals[name] > high)
    if pressure_check:
        is_inverted = vitals["SYSTOLIC"] <= vitals["DIASTOLIC"]
        wrong["SYSTOLIC"] |= is_inverted
        wrong["DIASTOLIC"] |= is_inverted
    return wrong


def imputed(vitals: pd.DataFrame) -> pd.DataFrame:
    """The table with each missing value drawn, by itself, from the known ones of its column, as the paper's code does."""
    rng = np.random.default_rng(IMPUTATION_SEED)
    filled = vitals.copy()
    for name in vitals:
        known = vitals[name].dropna().to_numpy()
        is_missing = vitals[name].isna().to_numpy()
        if len(known):
            filled.loc[is_missing, name] = rng.choice(known, int(is_missing.sum()))
    return filled


def _latest_of_chunks(release: Release, people: pd.Index) -> Iterator[pd.DataFrame]:
    dtypes = {"subject_id": "int64", "chartdate": str, "seq_num": "int64", "result_name": "category"}
    for chunk in release.chunks("omr", {**dtypes, "result_value": str}):
        is_used = chunk["result_name"].isin([BODY_MASS, PRESSURE]) & chunk["subject_id"].isin(people)
        used = chunk[is_used]
        yield _latest(used.assign(result_name=used["result_name"].astype(str)))


def _latest(results: pd.DataFrame) -> pd.DataFrame:
    # Dates are written year first: as texts they sort as dates.
    ordered = results.sort_values(["subject_id", "result_name", "chartdate", "seq_num"])
    return ordered.drop_duplicates(["subject_id", "result_name"], keep="last")
