"""What a simulated AI-READI participant is drawn from: latent factors, and one line per measurement and condition.

Medians and spreads without another source are textbook values for a US cohort of adults over 40: reference intervals
of clinical laboratories (Tietz, Clinical Guide to Laboratory Tests, 4th ed.) widened to the share of ill participants,
and population means as NHANES reports them. Where arXiv:2512.21395 published a moment, the line is fitted to it, which
is marked "published".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Loadings = dict[str, float]


@dataclass(frozen=True)
class Quantity:
    """How one measurement is drawn: `median + spread * z` or `median * exp(spread * z)`, with a standard normal z.

    Args:
        name: Column name.
        unit: Unit of measurement.
        decimals: Digits after the point that laboratories and devices report.
        median: Median of the cohort.
        spread: Standard deviation, of the logarithm where the shape is lognormal.
        loadings: Correlation of z with each latent factor; the rest of z is the measurement's own.
        shape: Symmetric (`normal`) or with a long right tail (`lognormal`).
        low: Smallest value that the assay or device reports.
        high: Largest plausible value.
        day_share: Share of the measurement's own variance that changes from day to day; 0 is constant for a person.
    """

    name: str
    unit: str
    decimals: int
    median: float
    spread: float
    loadings: Loadings
    shape: Literal["normal", "lognormal"] = "normal"
    low: float = 0.0
    high: float = math.inf
    day_share: float = 0.0


@dataclass(frozen=True)
class Condition:
    """A self-reported condition: share of the participants who have it, and what it goes with."""

    name: str
    prevalence: float
    loadings: Loadings


@dataclass(frozen=True)
class Item:
    """A MoCA item: points from `low` to `high`, and the log odds of a point at average and per unit of cognition."""

    name: str
    low: int
    high: int
    log_odds: float
    slope: float


DIABETES_PREVALENCE = 0.377
"""Published share of the patient-days."""
FEMALE_SHARE = 0.58

DIABETES_LIABILITY: Loadings = {"metabolic": 0.62, "age": 0.19}
"""Insulin resistance and age before all; the rest, genes before all, is not measured here.

With "glycemia" below, fitted to the published area of .87 of a support vector classifier on all attributes.
"""

FACTORS: dict[str, Loadings] = {
    # In order: a factor may depend on those above it, on "female" and on "diabetes".
    "fitness": {"metabolic": -0.35, "age": -0.25},
    "inflammation": {"metabolic": 0.35, "female": 0.10},
    "glycemia": {"diabetes": 0.54, "metabolic": 0.15},
    "insulin_secretion": {"metabolic": 0.65, "diabetes": 0.10},
    "liver": {"metabolic": 0.40},
    "kidney": {"age": 0.35, "diabetes": 0.20, "metabolic": 0.10},
    "sleep": {"metabolic": -0.20, "age": -0.10},
    "cognition": {"age": -0.35, "fitness": 0.10},
    "autonomic": {"fitness": -0.35, "inflammation": 0.15, "diabetes": 0.15},
    "hydration": {},
}
"""Latent factors beyond age, sex, metabolic syndrome and diabetes, each with unit variance."""

LABORATORY: tuple[Quantity, ...] = (
    # Transaminases 7-55 and 8-48 IU/L; higher with fatty liver and in men.
    Quantity("alt", "IU/L", 0, 21, 0.45, {"liver": 0.70, "female": -0.25}, "lognormal", 5, 400),
    Quantity("ast", "IU/L", 0, 20.5, 0.32, {"liver": 0.72, "female": -0.12}, "lognormal", 7, 350),
    # Albumin is a negative, globulins are positive acute-phase proteins: 3.5-5.0 and 2.0-3.5 g/dL.
    Quantity(
        "albumin", "g/dL", 1, 4.4, 0.28, {"inflammation": -0.35, "age": -0.15, "hydration": 0.15}, low=2.5, high=5.5
    ),
    Quantity("globulin", "g/dL", 1, 2.7, 0.36, {"inflammation": 0.35, "hydration": 0.15}, low=1.4, high=5.5),
    Quantity("alkaline_phosphatase", "IU/L", 0, 72, 0.27, {"liver": 0.20, "inflammation": 0.20}, "lognormal", 25, 400),
    # Urea nitrogen 7-20 mg/dL; creatinine 0.6-1.1 (women), 0.7-1.3 mg/dL (men).
    Quantity("bun", "mg/dL", 0, 15.5, 0.30, {"kidney": 0.65, "age": 0.15, "hydration": 0.20}, "lognormal", 4, 100),
    Quantity("creatinine", "mg/dL", 2, 0.88, 0.24, {"kidney": 0.62, "female": -0.50}, "lognormal", 0.4, 9.0),
    Quantity("total_bilirubin", "mg/dL", 1, 0.5, 0.42, {"female": -0.25, "metabolic": -0.15}, "lognormal", 0.1, 4.0),
    # C-peptide 0.8-3.9 ng/mL fasting, cleared by the kidney; participants need not fast.
    Quantity("c_peptide", "ng/mL", 1, 2.7, 0.48, {"insulin_secretion": 0.80, "kidney": 0.25}, "lognormal", 0.1, 20.0),
    # Published: 3.8 (8.1) mg/L, largest 112.
    Quantity("hs_crp", "mg/L", 1, 1.50, 1.40, {"inflammation": 0.80}, "lognormal", 0.1, 112.0),
    Quantity("calcium", "mg/dL", 1, 9.5, 0.38, {"hydration": 0.30, "female": 0.10}, low=7.5, high=12.0),
    Quantity("total_co2", "mEq/L", 0, 25.5, 2.4, {"kidney": -0.20}, low=15, high=36),
    Quantity("chloride", "mEq/L", 0, 102.5, 2.6, {"hydration": 0.62}, low=88, high=115),
    Quantity("sodium", "mEq/L", 0, 139.5, 2.3, {"hydration": 0.65, "diabetes": -0.12}, low=125, high=150),
    Quantity("potassium", "mEq/L", 1, 4.4, 0.40, {"kidney": 0.30, "diabetes": 0.08}, low=3.0, high=6.5),
    # Serum glucose 70-99 mg/dL fasting; under treatment the groups overlap.
    Quantity("glucose", "mg/dL", 0, 103, 0.26, {"glycemia": 0.72}, "lognormal", 45, 500),
    Quantity("hdl", "mg/dL", 0, 54, 0.28, {"female": 0.40, "metabolic": -0.40, "fitness": 0.15}, "lognormal", 18, 130),
    # AI-READI writes insulin in ng/mL: 2.6-24.9 uIU/mL are 0.09-0.86 ng/mL.
    Quantity("insulin", "ng/mL", 2, 0.60, 0.75, {"insulin_secretion": 0.85}, "lognormal", 0.02, 15.0),
    # Published: 145 (99) mg/dL.
    Quantity("triglycerides", "mg/dL", 0, 120, 0.62, {"metabolic": 0.50, "female": -0.10}, "lognormal", 25, 1500),
    # The measured share of total cholesterol that Friedewald's formula gives back; statins lower it in diabetes.
    Quantity("ldl", "mg/dL", 0, 101, 33.0, {"diabetes": -0.22, "female": 0.12}, low=20, high=260),
    Quantity("urine_creatinine", "mg/dL", 1, 95, 0.60, {"female": -0.35, "hydration": 0.40}, "lognormal", 8.0, 450.0),
)

ECG: tuple[Quantity, ...] = (
    Quantity("ecg_rate", "bpm", 0, 67, 11, {"autonomic": 0.60}, low=38, high=130),
    Quantity("ecg_pr", "ms", 0, 166, 26, {"age": 0.25, "autonomic": -0.20}, low=90, high=330),
    Quantity("ecg_qrsd", "ms", 0, 92, 0.15, {"age": 0.15, "female": -0.30}, "lognormal", 60, 190),
    # Published: 429 (25) ms; longer in women (Rautaharju et al., 2009, AHA/ACCF/HRS recommendations).
    Quantity("ecg_qtc", "ms", 0, 429, 25, {"female": 0.25, "age": 0.15, "diabetes": 0.12}, low=340, high=570),
    Quantity("ecg_p_axis", "deg", 0, 48, 25, {}, low=-90, high=180),
    # The axis turns left with age and weight.
    Quantity("ecg_qrs_axis", "deg", 0, 14, 36, {"age": -0.25, "metabolic": -0.25}, low=-90, high=180),
    Quantity("ecg_t_axis", "deg", 0, 42, 30, {"age": 0.15}, low=-90, high=180),
)

MOCA_TIMES: tuple[Quantity, ...] = tuple(
    Quantity(f"moca_time_{name}", "s", 1, median, spread, {"cognition": -0.40, "age": 0.20}, "lognormal", 2.0, 600.0)
    for name, median, spread in (
        # Seconds on a tablet; the whole test takes about ten minutes (Nasreddine et al., 2005).
        ("clock", 42, 0.45),
        ("delayed_recall", 34, 0.50),
        ("digit_span", 30, 0.30),
        ("memory_trial_1", 26, 0.30),
        ("memory_trial_2", 23, 0.30),
        ("abstraction", 21, 0.45),
        ("orientation", 19, 0.40),
        ("naming", 11, 0.45),
        ("repetition", 31, 0.30),
        ("subtraction", 33, 0.50),
        ("cube", 36, 0.55),
        ("letter_a", 36, 0.15),
        ("trails", 27, 0.55),
    )
)

MOCA_ITEMS: tuple[Item, ...] = (
    # The easy items (naming, orientation) and the hard ones (delayed recall) as in Nasreddine et al., 2005, Table 2.
    Item("moca_abstraction", 0, 2, 2.1, 0.8),
    Item("moca_orientation", 3, 6, 3.6, 0.9),
    Item("moca_naming", 0, 3, 3.0, 0.7),
    Item("moca_repetition", 0, 2, 1.4, 0.8),
    Item("moca_subtraction", 0, 3, 2.2, 0.9),
    Item("moca_cube", 0, 1, 0.8, 0.8),
    Item("moca_fluency", 0, 1, 1.2, 0.9),
    Item("moca_letter_a", 0, 1, 2.9, 0.8),
    Item("moca_trails", 0, 1, 2.0, 1.0),
)

MOCA_HIDDEN_ITEMS: tuple[Item, ...] = (
    # Part of the total score without a column of their own.
    Item("clock", 0, 3, 2.1, 0.8),
    Item("digit_span", 0, 2, 2.1, 0.8),
    Item("delayed_recall", 0, 5, 0.65, 0.85),
)

MOCA_TRIALS: tuple[Item, ...] = (
    # Learning of the five words; not part of the total score.
    Item("moca_memory_trial_1", 0, 5, 1.6, 0.6),
    Item("moca_memory_trial_2", 2, 5, 2.6, 0.8),
)

CONDITIONS: tuple[Condition, ...] = (
    Condition("amd", 0.04, {"age": 0.45}),
    Condition("arthritis", 0.40, {"age": 0.40, "female": 0.15, "metabolic": 0.20, "inflammation": 0.20}),
    Condition("cancer", 0.15, {"age": 0.35}),
    Condition("cataracts", 0.28, {"age": 0.60, "diabetes": 0.10}),
    Condition("chronic_pulmonary", 0.14, {"inflammation": 0.20, "fitness": -0.20}),
    Condition("circulation", 0.12, {"age": 0.20, "diabetes": 0.12, "kidney": 0.10}),
    # Share of those with diabetes; nobody else can have it.
    Condition("diabetic_retinopathy", 0.15, {"kidney": 0.35}),
    Condition("digestive", 0.22, {"female": 0.10, "inflammation": 0.10}),
    Condition("marijuana_use", 0.12, {"age": -0.20, "female": -0.10}),
    Condition("dry_eye", 0.22, {"female": 0.30, "age": 0.15}),
    Condition("glaucoma", 0.10, {"age": 0.30}),
    Condition("hearing_impairment", 0.18, {"age": 0.45, "female": -0.15}),
    Condition("heart_attack", 0.05, {"age": 0.30, "metabolic": 0.25, "diabetes": 0.12, "female": -0.20}),
    Condition("high_cholesterol", 0.48, {"metabolic": 0.30, "age": 0.30, "diabetes": 0.15}),
    Condition("high_blood_pressure", 0.47, {"metabolic": 0.35, "age": 0.35, "diabetes": 0.15, "kidney": 0.10}),
    Condition("kidney_problems", 0.09, {"kidney": 0.65}),
    Condition("low_blood_pressure", 0.08, {"metabolic": -0.15, "female": 0.15}),
    Condition("mild_cognitive_impairment", 0.05, {"cognition": -0.45, "age": 0.15}),
    Condition("multiple_sclerosis", 0.012, {"female": 0.20, "fitness": -0.20}),
    Condition("obesity", 0.33, {"metabolic": 0.65, "age": -0.10, "fitness": -0.15}),
    Condition("osteoporosis", 0.13, {"age": 0.35, "female": 0.45}),
    Condition("other_heart", 0.15, {"age": 0.40, "metabolic": 0.10}),
    Condition("other_neurological", 0.12, {"age": 0.10}),
    Condition("parkinsons", 0.010, {"age": 0.30, "cognition": -0.20}),
    Condition("retinal_vascular_occlusion", 0.012, {"age": 0.25, "metabolic": 0.15}),
    Condition("stroke", 0.05, {"age": 0.35, "metabolic": 0.20, "cognition": -0.20}),
    Condition("urinary", 0.20, {"age": 0.30, "female": 0.10}),
)

WEARABLE: tuple[Quantity, ...] = (
    # Published: heart rate 76.1 (9.4) bpm, glucose of the continuous monitor 133.8 (30.7) mg/dL.
    Quantity(
        "heart_rate_mean", "bpm", 2, 76.1, 9.4, {"autonomic": 0.70, "active_day": 0.15}, low=42, high=125, day_share=0.4
    ),
    Quantity("blood_glucose_mean", "mg/dL", 2, 130.7, 0.225, {"glycemia": 0.80}, "lognormal", 65, 380, 0.2),
    Quantity("blood_glucose_std", "mg/dL", 2, 26, 0.38, {"glycemia": 0.62}, "lognormal", 5, 120, 0.45),
    Quantity(
        "resp_rate_mean",
        "breaths/min",
        2,
        14.6,
        1.8,
        {"inflammation": 0.15, "fitness": -0.20},
        low=8,
        high=24,
        day_share=0.2,
    ),
    # Garmin's stress index, 0-100, from the variability of the heart rate.
    Quantity(
        "stress_mean", "index 0-100", 2, 35, 11, {"autonomic": 0.55, "sleep": -0.25}, low=3, high=85, day_share=0.5
    ),
)

ACTIVITY: tuple[Quantity, ...] = (
    Quantity(
        "activity_generic_hours", "h", 2, 1.60, 0.78, {"fitness": 0.35, "active_day": 0.45}, "lognormal", 0.0, 8.0, 0.4
    ),
    Quantity(
        "activity_walking_hours", "h", 2, 1.15, 0.82, {"fitness": 0.40, "active_day": 0.45}, "lognormal", 0.0, 6.0, 0.4
    ),
    # Few run: the median is far below the five minutes that one interval takes.
    Quantity("activity_running_hours", "h", 2, 0.006, 1.8, {"fitness": 0.55, "age": -0.20}, "lognormal", 0.0, 2.0, 0.5),
)

SLEEP: tuple[Quantity, ...] = (
    Quantity("sleep_light_hours", "h", 2, 4.4, 1.3, {"sleep": 0.45}, low=0.5, high=9.0, day_share=0.6),
    Quantity("sleep_deep_hours", "h", 2, 0.9, 0.45, {"sleep": 0.40, "age": -0.15}, low=0.0, high=3.0, day_share=0.6),
    Quantity("sleep_rem_hours", "h", 2, 1.1, 0.60, {"sleep": 0.45}, low=0.0, high=3.5, day_share=0.6),
    Quantity("sleep_awake_hours", "h", 2, 0.25, 0.80, {"sleep": -0.35, "age": 0.15}, "lognormal", 0.0, 2.0, 0.6),
)
