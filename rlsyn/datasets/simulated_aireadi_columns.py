"""The 108 attributes of AI-READI in arXiv:2512.21395, and the arithmetic that holds between them."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import pandas as pd

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

WEARABLE_NAMES = (
    *("heart_rate_mean", "blood_glucose_mean", "resp_rate_mean", "stress_mean", "blood_glucose_std"),
    *("total_steps", "resting_heart_rate", "total_kcal"),
    *("sleep_light_hours", "sleep_deep_hours", "sleep_rem_hours", "sleep_awake_hours"),
    *("activity_generic_hours", "activity_running_hours", "activity_walking_hours", "activity_sedentary_hours"),
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
    """The 108 attributes of arXiv:2512.21395 with units: 72 quantities, then 36 binary; label Type 2 diabetes."""
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
    return Schema(tuple(columns), label=LABEL, group=GROUP)


def aireadi_violations(table: pd.DataFrame) -> pd.Series:
    """How many rows break each rule that the simulated cohort obeys, by the name of the rule.

    Values may differ from a formula by half of the last digit that the column carries.

    Args:
        table: Rows with the columns of `aireadi_schema`.
    """
    obeyed = _laboratory_rules(table) | _wearable_rules(table) | _moca_rules(table)
    qtc = bazett(table["ecg_qt"], table["ecg_rate"])
    obeyed["qtc_bazett"] = _is_rounded(table["ecg_qtc"], qtc, 0)
    obeyed["one_ecg_flag"] = table[list(ECG_FLAGS)].sum(axis=1) == 1
    obeyed["diabetic_retinopathy"] = table["diabetic_retinopathy"] <= table[LABEL]
    obeyed["binary"] = table[list(BINARY_NAMES)].isin([0, 1]).all(axis=1)
    return pd.Series({rule: int((~rows).sum()) for rule, rows in obeyed.items()}, name="n_violations")


def friedewald(total_cholesterol: Numbers, hdl: Numbers, triglycerides: Numbers) -> Numbers:
    """LDL cholesterol = total - HDL - triglycerides / 5 in mg/dL (Friedewald et al., 1972), never below 0.

    Laboratories give no value above 400 mg/dL of triglycerides; here the term stays at 80 mg/dL, so that none lacks.
    """
    very_low_density = triglycerides.clip(None, FRIEDEWALD_LIMIT) / 5
    return (total_cholesterol - hdl - very_low_density).clip(0, None)


def bazett(qt: Numbers, rate: Numbers) -> Numbers:
    """QTc = QT / sqrt(RR), with RR = 60 / rate in seconds (Bazett, 1920)."""
    return qt * np.sqrt(rate / 60)


def _is_rounded(values: pd.Series, formula: pd.Series, decimals: int) -> pd.Series:
    return (values - formula).abs() <= 0.5 * 10.0**-decimals + 1e-6


def _laboratory_rules(t: pd.DataFrame) -> dict[str, pd.Series]:
    ldl = friedewald(t["total_cholesterol"], t["hdl"], t["triglycerides"])
    return {
        "ag_ratio": _is_rounded(t["ag_ratio"], t["albumin"] / t["globulin"], 1),
        # Both parts carry one decimal, and so does their sum.
        "total_protein": (t["total_protein"] - t["albumin"] - t["globulin"]).abs() < 0.05,
        "bun_creatinine_ratio": _is_rounded(t["bun_creatinine_ratio"], t["bun"] / t["creatinine"], 0),
        "ldl_friedewald": _is_rounded(t["ldl"], ldl, 0),
    }


def _wearable_rules(t: pd.DataFrame) -> dict[str, pd.Series]:
    activity = t[
        ["activity_generic_hours", "activity_running_hours", "activity_walking_hours", "activity_sedentary_hours"]
    ]
    sleep = t[["sleep_light_hours", "sleep_deep_hours", "sleep_rem_hours", "sleep_awake_hours"]]
    return {
        "activity_hours": (activity >= 0).all(axis=1) & (activity.sum(axis=1) <= 24 + 1e-6),
        # Each stage and each activity is rounded to a hundredth of an hour.
        "sleep_hours": (sleep >= 0).all(axis=1) & (sleep.sum(axis=1) <= t["activity_sedentary_hours"] + 0.025),
        "resting_heart_rate": t["resting_heart_rate"] < t["heart_rate_mean"],
        "walking_steps": (t["total_steps"] > 0) | (t["activity_walking_hours"] == 0),
    }


def _moca_rules(t: pd.DataFrame) -> dict[str, pd.Series]:
    total, memory_index = t["moca_total_score"], t["moca_mis"]
    hidden = total - t[[item.name for item in MOCA_ITEMS]].sum(axis=1)
    highest = {item.name: item.high for item in MOCA_HIDDEN_ITEMS}
    in_range = pd.Series(True, index=t.index)
    for item in (*MOCA_ITEMS, *MOCA_TRIALS):
        in_range &= t[item.name].between(item.low, item.high)
    # A word recalled freely gives three points of the memory index, one recalled with a cue at most two: so the index
    # bounds the words recalled freely, which are the delayed recall in the total score, on both sides.
    least_recalled = memory_index - 2 * highest["delayed_recall"]
    most_hidden = sum(highest.values()) - highest["delayed_recall"] + memory_index // 3
    return {
        "moca_items": in_range,
        "moca_total_score": (hidden >= 0) & (hidden <= sum(highest.values())) & (total <= 30),
        "moca_memory_index": memory_index.between(0, 15) & (hidden >= least_recalled) & (hidden <= most_hidden),
    }
