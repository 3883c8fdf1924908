"""The 108 attributes of AI-READI in arXiv:2512.21395, and the arithmetic that holds between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import pandas as pd

from rlsyn.constraints import Constraint, one_hot, sums_to
from rlsyn.datasets.simulated_aireadi_tables import (
    ACTIVITY,
    CONDITIONS,
    ECG,
    LABORATORY,
    MOCA_HIDDEN_ITEMS,
    MOCA_ITEMS,
    MOCA_TIMES,
    MOCA_TRIALS,
    SLEEP,
    WEARABLE,
)
from rlsyn.schema import Column, Schema

Numbers = TypeVar("Numbers", np.ndarray, pd.Series)

LABEL = "type_2_diabetes"
GROUP = "participant_id"

FRIEDEWALD_LIMIT = 400.0
"""Triglycerides (mg/dL) above which Friedewald's formula fails; a fifth of this is the most that is subtracted."""

SLEEP_HOURS = ("sleep_light_hours", "sleep_deep_hours", "sleep_rem_hours", "sleep_awake_hours")
ACTIVITY_HOURS = (
    *("activity_generic_hours", "activity_running_hours", "activity_walking_hours", "activity_sedentary_hours"),
)

WEARABLE_NAMES = (
    *("heart_rate_mean", "blood_glucose_mean", "resp_rate_mean", "stress_mean", "blood_glucose_std"),
    *("total_steps", "resting_heart_rate", "total_kcal"),
    *SLEEP_HOURS,
    *ACTIVITY_HOURS,
)
"""The columns that change from day to day; all others belong to the participant."""

LABORATORY_NAMES = (
    *("ag_ratio", "alt", "ast", "albumin", "alkaline_phosphatase", "bun", "bun_creatinine_ratio", "total_bilirubin"),
    *("c_peptide", "hs_crp", "calcium", "total_co2", "chloride", "creatinine", "globulin", "glucose", "hdl", "insulin"),
    *("ldl", "potassium", "total_protein", "sodium", "total_cholesterol", "triglycerides"),
    *("urine_albumin", "urine_creatinine"),
)

MOCA_SCORE_NAMES = (
    *("moca_total_score", "moca_mis", "moca_memory_trial_1", "moca_memory_trial_2", "moca_abstraction"),
    *("moca_orientation", "moca_naming", "moca_repetition", "moca_subtraction"),
)

ECG_NAMES = ("ecg_rate", "ecg_pr", "ecg_qrsd", "ecg_qt", "ecg_qtc", "ecg_p_axis", "ecg_qrs_axis", "ecg_t_axis")

ECG_FLAGS = ("ecg_abnormal", "ecg_borderline", "ecg_normal", "ecg_otherwise_normal")

BINARY_NAMES = (
    *sorted([*(condition.name for condition in CONDITIONS), LABEL]),
    *ECG_FLAGS,
    *("moca_cube", "moca_fluency", "moca_letter_a", "moca_trails"),
)

DERIVED: dict[str, tuple[str, int]] = {
    "ag_ratio": ("", 1),
    "bun_creatinine_ratio": ("", 0),
    "total_protein": ("g/dL", 1),
    "total_cholesterol": ("mg/dL", 0),
    "urine_albumin": ("mg/dL", 1),
    "total_steps": ("steps", 0),
    "resting_heart_rate": ("bpm", 2),
    "total_kcal": ("kcal", 2),
    "activity_sedentary_hours": ("h", 2),
    "ecg_qt": ("ms", 0),
} | dict.fromkeys(MOCA_SCORE_NAMES, ("points", 0))
"""Unit and decimals of the quantities that follow from others and have no line of their own in the tables."""


def aireadi_schema() -> Schema:
    """The 108 attributes of arXiv:2512.21395 with units and rules: 72 quantities, then 36 binary; label diabetes."""
    tables = (*LABORATORY, *ECG, *MOCA_TIMES, *WEARABLE, *ACTIVITY, *SLEEP)
    reported = {quantity.name: (quantity.unit, quantity.decimals) for quantity in tables} | DERIVED
    times = [quantity.name for quantity in MOCA_TIMES]
    columns = []
    for name in (*WEARABLE_NAMES, *LABORATORY_NAMES, *times, *MOCA_SCORE_NAMES, *ECG_NAMES):
        unit, decimals = reported[name]
        if decimals:
            columns.append(Column(name, "numeric", decimals=decimals, unit=unit))
        else:
            columns.append(Column(name, "integer", unit=unit))
    columns += [Column(name, "binary", (0, 1)) for name in BINARY_NAMES]
    return Schema(tuple(columns), LABEL, GROUP, _rules())


def friedewald(total_cholesterol: Numbers, hdl: Numbers, triglycerides: Numbers) -> Numbers:
    """LDL cholesterol = total - HDL - triglycerides / 5 in mg/dL (Friedewald et al., 1972), never below 0.

    Laboratories give no value above 400 mg/dL of triglycerides; here the term stays at 80 mg/dL, so that none lacks.
    """
    very_low_density = triglycerides.clip(None, FRIEDEWALD_LIMIT) / 5
    return (total_cholesterol - hdl - very_low_density).clip(0, None)


def bazett(qt: Numbers, rate: Numbers) -> Numbers:
    """QTc = QT / sqrt(RR), with RR = 60 / rate in seconds (Bazett, 1920)."""
    return qt * np.sqrt(rate / 60)


def _rules() -> tuple[Constraint, ...]:
    """What holds between the columns; a value may differ from its formula by half of the last digit that it carries."""
    very_low_density = f"min(triglycerides, {FRIEDEWALD_LIMIT:.0f}) / 5"
    return (
        _rounded("A/G ratio = albumin / globulin", "ag_ratio", "albumin / globulin", 1),
        # Both parts carry one decimal, and so does their sum.
        sums_to(["albumin", "globulin"], "total_protein", 0.049, name="total protein = albumin + globulin"),
        _rounded("BUN/creatinine ratio = BUN / creatinine", "bun_creatinine_ratio", "bun / creatinine", 0),
        _rounded("LDL by Friedewald", "ldl", f"max(total_cholesterol - hdl - {very_low_density}, 0)", 0),
        _rounded("QTc by Bazett", "ecg_qtc", "ecg_qt * sqrt(ecg_rate / 60)", 0),
        one_hot(ECG_FLAGS, name="one ECG verdict"),
        Constraint("diabetic retinopathy only with type 2 diabetes", f"diabetic_retinopathy == 0 or {LABEL} == 1"),
        Constraint("resting heart rate < mean heart rate", "resting_heart_rate < heart_rate_mean"),
        Constraint("walking takes steps", "total_steps > 0 or activity_walking_hours == 0"),
        # An accepted day has an activity in each of its intervals.
        Constraint(
            "activity hours of a day = 24",
            f"{_none_negative(ACTIVITY_HOURS)} and abs({_sum(ACTIVITY_HOURS)} - 24) <= 0.006",
        ),
        # Each stage and each activity is rounded to a hundredth of an hour.
        Constraint(
            "sleep is sedentary time",
            f"{_none_negative(SLEEP_HOURS)} and {_sum(SLEEP_HOURS)} <= activity_sedentary_hours + 0.025",
        ),
        *_moca_rules(),
    )


def _moca_rules() -> tuple[Constraint, ...]:
    hidden = f"(moca_total_score - ({_sum([item.name for item in MOCA_ITEMS])}))"
    highest = {item.name: item.high for item in MOCA_HIDDEN_ITEMS}
    most_hidden = sum(highest.values())
    recall = highest["delayed_recall"]
    points = " and ".join(f"{item.low} <= {item.name} <= {item.high}" for item in (*MOCA_ITEMS, *MOCA_TRIALS))
    return (
        Constraint("MoCA items within their points", points),
        Constraint("MoCA total fits its items", f"0 <= {hidden} <= {most_hidden} and moca_total_score <= 30"),
        # A word recalled freely gives three points of the memory index, one recalled with a cue at most two: so the
        # index bounds the words recalled freely, which are the delayed recall in the total score, on both sides.
        Constraint(
            "MoCA memory index fits the total",
            f"0 <= moca_mis <= 15 and moca_mis - {2 * recall} <= {hidden} <= {most_hidden - recall} + moca_mis // 3",
        ),
    )


def _rounded(name: str, column: str, formula: str, decimals: int) -> Constraint:
    return Constraint(name, f"abs({column} - {formula}) <= {0.5 * 10.0**-decimals + 1e-6:.6f}")


def _sum(columns: Sequence[str]) -> str:
    return " + ".join(columns)


def _none_negative(columns: Sequence[str]) -> str:
    return " and ".join(f"{column} >= 0" for column in columns)
