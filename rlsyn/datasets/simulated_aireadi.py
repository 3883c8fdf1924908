"""A SIMULATED cohort in the shape of AI-READI: the columns of arXiv:2512.21395, one row per patient-day.

No AI-READI participant's data were used, only what is published: the names of the 108 attributes, how they are made
from the files (arXiv:2512.21395 and its repository), and a few means and standard deviations. Everything else is
textbook medicine. Results on this cohort show that the software works; they say nothing about real patients.

Each participant has latent factors (age, sex, metabolic syndrome, diabetes, kidney, ...), from which
`simulated_aireadi_tables` draws every measurement, so that the columns are correlated as illness correlates them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.special import expit, ndtri

from rlsyn.datasets.simulated_aireadi_columns import (
    ECG_FLAGS,
    FRIEDEWALD_LIMIT,
    GROUP,
    LABEL,
    aireadi_schema,
    bazett,
    friedewald,
)
from rlsyn.datasets.simulated_aireadi_tables import (
    ACTIVITY,
    CONDITIONS,
    DIABETES_LIABILITY,
    DIABETES_PREVALENCE,
    ECG,
    FACTORS,
    FEMALE_SHARE,
    LABORATORY,
    MOCA_HIDDEN_ITEMS,
    MOCA_ITEMS,
    MOCA_TIMES,
    MOCA_TRIALS,
    SLEEP,
    WEARABLE,
    Item,
    Loadings,
    Quantity,
)

__all__ = ["aireadi_schema", "simulate_aireadi"]

Values = dict[str, np.ndarray]

MAX_DAYS = 10
"""AI-READI's participants wear the devices for ten days."""

MAX_KCAL = 8000.0
"""Active kilocalories that no amateur exceeds in a day; a stage of the Tour de France takes about 6,000."""


def simulate_aireadi(n_participants: int = 900, seed: int = 0) -> pd.DataFrame:
    """A simulated cohort: `participant_id` and the columns of `aireadi_schema`, about five days per participant.

    Args:
        n_participants: Number of people; 900 give about 4,500 rows, as many as the published table has.
        seed: Seed of everything random; the same seed gives the same table.

    Raises:
        ValueError: Fewer than one participant.

    Example:
        >>> simulate_aireadi(n_participants=50, seed=1)["type_2_diabetes"].isin([0, 1]).all()
        np.True_
    """
    if n_participants < 1:
        raise ValueError(f"n_participants must be at least 1, got {n_participants}.")
    rng = np.random.default_rng(seed)
    factors = _draw_factors(n_participants, rng)
    person_values = (
        _draw_laboratory(factors, rng)
        | _draw_moca(factors, rng)
        | _draw_ecg(factors, rng)
        | _draw_conditions(factors, rng)
    )
    # Beta-distributed compliance: most accepted days are lost to gaps in one of the sensors.
    n_days = 1 + rng.binomial(MAX_DAYS - 1, rng.beta(1.6, 2.0, n_participants))
    person = np.repeat(np.arange(n_participants), n_days)
    values = {name: value[person] for name, value in person_values.items()}
    values |= _draw_days(factors, person, rng)
    schema = aireadi_schema()
    columns = {GROUP: 1001 + person}
    for column in schema.columns:
        is_whole = column.is_discrete or column.kind == "integer"
        columns[column.name] = values[column.name].astype(np.int64 if is_whole else np.float64)
    return pd.DataFrame(columns)


def _draw_factors(n: int, rng: np.random.Generator) -> Values:
    factors: Values = {"age": rng.standard_normal(n), "metabolic": rng.standard_normal(n)}
    factors["female"] = _standardise(rng.random(n) < FEMALE_SHARE, FEMALE_SHARE)
    # AI-READI recruits by diabetes status, so that its share is set and not left to chance.
    liability = _mix(DIABETES_LIABILITY, factors, rng)
    has_diabetes = liability > np.quantile(liability, 1 - DIABETES_PREVALENCE)
    factors["diabetes"] = _standardise(has_diabetes, DIABETES_PREVALENCE)
    for name, loadings in FACTORS.items():
        factors[name] = _mix(loadings, factors, rng)
    return factors


def _standardise(is_true: np.ndarray, share: float) -> np.ndarray:
    return np.asarray((is_true - share) / np.sqrt(share * (1 - share)))


def _mix(
    loadings: Loadings,
    factors: Mapping[str, np.ndarray],
    rng: np.random.Generator,
    day_share: float = 0.0,
    person: np.ndarray | None = None,
) -> np.ndarray:
    """Unit-variance mixture of the factors and of noise; some of the noise may be of the day, not of the person."""
    signal = np.zeros_like(factors["age"])
    for name, loading in loadings.items():
        signal = signal + loading * factors[name]
    person = np.arange(len(signal)) if person is None else person
    noise = np.sqrt(1 - day_share) * rng.standard_normal(person[-1] + 1)[person]
    if day_share:
        noise += np.sqrt(day_share) * rng.standard_normal(len(signal))
    return np.asarray(signal + np.sqrt(max(0.0, 1 - signal.var())) * noise)


def _draw(
    quantity: Quantity, factors: Mapping[str, np.ndarray], rng: np.random.Generator, person: np.ndarray | None = None
) -> np.ndarray:
    z = _mix(quantity.loadings, factors, rng, quantity.day_share, person)
    if quantity.shape == "lognormal":
        values = quantity.median * np.exp(quantity.spread * z)
    else:
        values = quantity.median + quantity.spread * z
    return np.asarray(np.round(np.clip(values, quantity.low, quantity.high), quantity.decimals))


def _draw_laboratory(factors: Values, rng: np.random.Generator) -> Values:
    lab = {quantity.name: _draw(quantity, factors, rng) for quantity in LABORATORY}
    lab["total_protein"] = np.round(lab["albumin"] + lab["globulin"], 1)
    lab["ag_ratio"] = np.round(lab["albumin"] / lab["globulin"], 1)
    lab["bun_creatinine_ratio"] = np.round(lab["bun"] / lab["creatinine"])
    very_low = np.minimum(lab["triglycerides"], FRIEDEWALD_LIMIT) / 5
    lab["total_cholesterol"] = np.round(lab["ldl"] + lab["hdl"] + very_low)
    lab["ldl"] = np.round(friedewald(lab["total_cholesterol"], lab["hdl"], lab["triglycerides"]))
    lab["urine_albumin"] = _draw_urine_albumin(factors, rng)
    return lab


def _draw_urine_albumin(factors: Values, rng: np.random.Generator) -> np.ndarray:
    """Urine albumin in mg/dL; published are 3.2 (24.1) and a largest value of 581.

    Healthy urine holds about 1 mg/dL. Such a large spread is that of the few with nephropathy (KDIGO 2012, category
    A3: more than 300 mg per g of creatinine, about 30 mg/dL), who are therefore drawn apart.
    """
    background = 0.75 * np.exp(0.65 * _mix({"kidney": 0.25, "diabetes": 0.15, "hydration": 0.25}, factors, rng))
    liability = _mix({"kidney": 0.55, "diabetes": 0.25}, factors, rng)
    has_nephropathy = liability > np.quantile(liability, 0.97)
    # Evenly spaced quantiles: with random ones of so few people, their mean would be a different one in each cohort.
    n_ill = int(has_nephropathy.sum())
    values = background.copy()
    values[has_nephropathy] = rng.permutation(38 * np.exp(1.3 * ndtri((np.arange(n_ill) + 0.5) / n_ill)))
    return np.asarray(np.round(np.clip(values, 0.3, 581.0), 1))


def _draw_moca(factors: Values, rng: np.random.Generator) -> Values:
    """Montreal Cognitive Assessment (Nasreddine et al., 2005): times, items, the total of 30 and the memory index.

    The total is the sum of all items; clock, digit span and delayed recall have no column. The point for twelve years
    of education or fewer is left out.
    """
    moca = {quantity.name: _draw(quantity, factors, rng) for quantity in MOCA_TIMES}
    moca |= {item.name: _draw_points(item, factors, rng) for item in (*MOCA_ITEMS, *MOCA_TRIALS)}
    hidden = {item.name: _draw_points(item, factors, rng) for item in MOCA_HIDDEN_ITEMS}
    recalled = hidden["delayed_recall"]
    with_category_cue = rng.binomial(5 - recalled, expit(0.3 + 0.6 * factors["cognition"]))
    with_choice = rng.binomial(5 - recalled - with_category_cue, expit(1.2 + 0.6 * factors["cognition"]))
    # Memory index score, 0-15 (Julayanont et al., 2014): 3, 2 and 1 points for a word.
    moca["moca_mis"] = 3 * recalled + 2 * with_category_cue + with_choice
    moca["moca_total_score"] = np.sum([moca[item.name] for item in MOCA_ITEMS] + list(hidden.values()), axis=0)
    return moca


def _draw_points(item: Item, factors: Values, rng: np.random.Generator) -> np.ndarray:
    chance = expit(item.log_odds + item.slope * factors["cognition"])
    return np.asarray(item.low + rng.binomial(item.high - item.low, chance))


def _draw_ecg(factors: Values, rng: np.random.Generator) -> Values:
    ecg = {quantity.name: _draw(quantity, factors, rng) for quantity in ECG}
    ecg["ecg_qt"] = np.round(ecg["ecg_qtc"] * np.sqrt(60 / ecg["ecg_rate"]))
    ecg["ecg_qtc"] = np.round(bazett(ecg["ecg_qt"], ecg["ecg_rate"]))
    is_long = ecg["ecg_qtc"] > 450 + 20 * (factors["female"] > 0)
    is_wide = (ecg["ecg_qrsd"] >= 120) | (ecg["ecg_qrs_axis"] < -30) | (ecg["ecg_t_axis"] > 90)
    # What the intervals do not show, old infarction and hypertrophy before all.
    has_other_finding = _mix({"age": 0.25, "metabolic": 0.20}, factors, rng) > ndtri(1 - 0.25)
    is_abnormal = is_wide | has_other_finding | (ecg["ecg_qtc"] > 490)
    is_borderline = is_long | (ecg["ecg_pr"] > 210) | (rng.random(len(is_long)) < 0.05)
    # Sinus bradycardia or tachycardia alone is read as "otherwise normal".
    is_otherwise_normal = (ecg["ecg_rate"] < 60) | (ecg["ecg_rate"] > 100)
    reading = np.select([is_abnormal, is_borderline, is_otherwise_normal], [0, 1, 3], 2)
    return ecg | {flag: reading == index for index, flag in enumerate(ECG_FLAGS)}


def _draw_conditions(factors: Values, rng: np.random.Generator) -> Values:
    conditions = {
        condition.name: _mix(condition.loadings, factors, rng) > ndtri(1 - condition.prevalence)
        for condition in CONDITIONS
    }
    conditions[LABEL] = factors["diabetes"] > 0
    conditions["diabetic_retinopathy"] &= conditions[LABEL]
    return conditions


def _draw_days(factors: Values, person: np.ndarray, rng: np.random.Generator) -> Values:
    """The 16 wearable columns, one value per day with an effect of the person and one of the day."""
    daily = {name: value[person] for name, value in factors.items()}
    daily["active_day"] = rng.standard_normal(len(person))
    values = {quantity.name: _draw(quantity, daily, rng, person) for quantity in (*WEARABLE, *SLEEP)}
    values |= _draw_activity(daily, person, rng)
    # The resting rate is the mean over sedentary intervals: the fewer the active hours, the closer to the mean.
    active_share = 1 - values["activity_sedentary_hours"] / 24
    lift = np.clip(16 + 5 * rng.standard_normal(len(person)), 4, None)
    values["resting_heart_rate"] = np.round(values["heart_rate_mean"] - np.maximum(active_share * lift, 0.02), 2)
    return values | _draw_sleep(values, rng)


def _draw_activity(daily: Values, person: np.ndarray, rng: np.random.Generator) -> Values:
    hours = {quantity.name: _to_intervals(_draw(quantity, daily, rng, person)) for quantity in ACTIVITY}
    # A watch worn by someone ill in bed counts no step.
    is_idle = rng.random(len(person)) < 0.004
    hours = {name: np.where(is_idle, 0.0, value) for name, value in hours.items()}
    walking, running = hours["activity_walking_hours"], hours["activity_running_hours"]
    generic = hours["activity_generic_hours"] = np.maximum(hours["activity_generic_hours"], 0.08)
    # An accepted day has a label in each of its 288 intervals, so the four classes fill 24 hours.
    hours["activity_sedentary_hours"] = np.round(24 - walking - running - generic, 2)
    pace = np.exp(0.15 * rng.standard_normal(len(person)))
    steps = 60 * pace * (75 * walking + 140 * running + 22 * generic)
    # Published: 620 (780) kcal, with a spread that steps alone do not explain; heavier people spend more.
    burn = np.exp(0.12 * daily["metabolic"] + 0.78 * rng.standard_normal(person[-1] + 1)[person])
    kcal = burn * (190 * walking + 660 * running + 75 * generic)
    return hours | {
        "total_steps": np.round(np.where(is_idle, 0, np.maximum(steps, 1))),
        "total_kcal": np.round(np.minimum(kcal, MAX_KCAL), 2),
    }


def _draw_sleep(values: Values, rng: np.random.Generator) -> Values:
    stages = {quantity.name: _to_intervals(values[quantity.name]) for quantity in SLEEP}
    # A night without a sleep record still counts as a day: only sleep and calories may lack.
    has_record = rng.random(len(values["sleep_light_hours"])) >= 0.03
    others = stages["sleep_deep_hours"] + stages["sleep_rem_hours"] + stages["sleep_awake_hours"]
    # Sleep is sedentary time.
    room = _to_intervals(values["activity_sedentary_hours"] - others)
    stages["sleep_light_hours"] = np.minimum(stages["sleep_light_hours"], room)
    return {name: np.where(has_record, hours, 0.0) for name, hours in stages.items()}


def _to_intervals(hours: np.ndarray) -> np.ndarray:
    """Hours as a number of five-minute intervals, in two decimals."""
    return np.asarray(np.round(np.round(hours * 12) / 12, 2))
