"""A SIMULATED cohort in the shape of MIMIC-IV: demographics, blood pressure, phecodes and death within a year.

No MIMIC-IV patient's data were used, only what is published about the table of arXiv:2512.21395: its columns and their
ranges, the shares of the races and of death. The common phecodes are real ones with comorbidities as textbooks describe
them; those after them are invented numbers in the right chapter. Results on this cohort show that the software works;
they say nothing about real patients.

Every diagnosis has a liability made of latent causes (cardiac, renal, oncologic, ...), age and chance, and is present
where that exceeds the threshold of its prevalence (Falconer, 1965). Death hangs on the causes and the diagnoses.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
from scipy.special import betainc, betaincinv, ndtr, ndtri

from rlsyn.constraints import Constraint, in_range
from rlsyn.constraints.expressions import in_backticks
from rlsyn.datasets.simulated_mimic_tables import (
    CHAPTERS,
    FACTORS,
    FEMALE_PHECODES,
    LEADING,
    MALE_PHECODES,
    PREGNANCY_PHECODES,
    Loadings,
)
from rlsyn.schema import Column, Schema

LABEL = "DIE_1y"

MAX_CODES = 1473
"""Published number of phecode columns."""

DEATH_SHARE = 0.113
"""Published: 20,493 of 181,294."""
FEMALE_SHARE = 0.53

RACE_COUNTS = {"ASIAN": 7_654, "BLACK": 23_889, "HISPANIC": 10_035, "OTHER": 10_049, "UN": 7_516, "WHITE": 121_603}
"""Published number of patients by the first letters of the race; UN is unknown or unable to answer."""

MIN_AGE, MAX_AGE = 18, 91
AGE_SHAPE = (1.30, 1.05)
"""Beta distribution of age between 18 and 91: mean 58, standard deviation 20 years."""
CHILDBEARING_AGES = (18, 45)
MIN_BMI, MAX_BMI = 10.1, 60.0
"""Published range, kg/m2."""

SEX_SPECIFIC = {("men", 0): ("185", "600", "605"), ("women", 1): ("646", "649", "655")}
"""The phecodes of which arXiv:2512.21395 counts clinical violations, by the people who may have them and their GENDER."""

DEATH_LOADINGS: Loadings = {
    "age": 1.00,
    "burden": 0.35,
    "oncologic": 0.70,
    "cardiac": 0.35,
    "renal": 0.25,
    "respiratory": 0.35,
    "infection": 0.40,
    "digestive": 0.15,
    "neurologic": 0.25,
}
"""Age, and how advanced the diseases are: diagnoses show that in part, and those that kill add to it of themselves."""
DEATH_NOISE = 2.60
"""Chance, fitted so that classifiers of death reach an area of about .91 with 400 phecodes."""


def simulate_mimic(n_patients: int = 4000, n_codes: int = 400, seed: int = 0) -> pd.DataFrame:
    """A simulated cohort with the columns of `mimic_schema`, one row per patient.

    Args:
        n_patients: Number of people.
        n_codes: Number of phecodes, the most frequent first.
        seed: Seed of everything random; the same seed gives the same table.

    Raises:
        ValueError: Fewer than one patient, or more phecodes than the published table has.

    Example:
        >>> simulate_mimic(n_patients=100, n_codes=5).columns[-1]
        'phecode_296.2'
    """
    if n_patients < 1:
        raise ValueError(f"n_patients must be at least 1, got {n_patients}.")
    codes = _phecodes(n_codes)
    rng = np.random.default_rng(seed)
    is_female = rng.random(n_patients) < FEMALE_SHARE
    factors = rng.standard_normal((len(FACTORS), n_patients))
    death_noise = rng.standard_normal(n_patients)
    age = _age(factors[FACTORS.index("age")])
    columns = {"AGE": age} | _draw_body(factors, rng)
    races = np.array(list(RACE_COUNTS))
    columns["GENDER"] = is_female.astype(np.int64)
    columns["RACE"] = races[rng.choice(len(races), n_patients, p=_shares())].astype(object)
    diagnoses = _draw_diagnoses(codes, factors, is_female, age, rng)
    columns[LABEL] = _draw_death(codes, factors, diagnoses, death_noise)
    columns |= {f"phecode_{code}": present for code, present in zip(codes, diagnoses, strict=True)}
    return pd.DataFrame(columns)


def mimic_schema(n_codes: int = 400) -> Schema:
    """The columns of `simulate_mimic` with units and rules; label death within a year of discharge.

    Raises:
        ValueError: More phecodes than the published table has.
    """
    columns = [
        Column("AGE", "integer", unit="years"),
        Column("BMI", "numeric", decimals=1, unit="kg/m2"),
        Column("DIASTOLIC", "integer", unit="mmHg"),
        Column("SYSTOLIC", "integer", unit="mmHg"),
        Column("GENDER", "binary", (0, 1)),
        Column("RACE", "categorical", tuple(RACE_COUNTS)),
        Column(LABEL, "binary", (0, 1)),
    ]
    codes = _phecodes(n_codes)
    columns += [Column(f"phecode_{code}", "binary", (0, 1)) for code in codes]
    return Schema(tuple(columns), label=LABEL, constraints=_rules(codes))


def _rules(codes: tuple[str, ...]) -> tuple[Constraint, ...]:
    rules = [
        Constraint("systolic > diastolic pressure", "SYSTOLIC > DIASTOLIC"),
        in_range("AGE", MIN_AGE, MAX_AGE, name=f"age from {MIN_AGE} to {MAX_AGE} years"),
        in_range("BMI", MIN_BMI, MAX_BMI, name=f"body mass index from {MIN_BMI} to {MAX_BMI} kg/m2"),
    ]
    names = {line.code: line.name for line in LEADING}
    for (who, gender), categories in SEX_SPECIFIC.items():
        for category in categories:
            # Sub-codes such as 600.1 are of the category too.
            columns = [in_backticks(f"phecode_{code}") for code in codes if code.split(".")[0] == category]
            if columns:
                absent = " and ".join(f"{column} == 0" for column in columns)
                rules.append(
                    Constraint(f"{names[category]} ({category}) only in {who}", f"GENDER == {gender} or {absent}")
                )
    return tuple(rules)


def _shares() -> np.ndarray:
    counts = np.array(list(RACE_COUNTS.values()), dtype=float)
    return np.asarray(counts / counts.sum())


def _age(z: np.ndarray) -> np.ndarray:
    share = betaincinv(*AGE_SHAPE, ndtr(z))
    return np.asarray(np.round(MIN_AGE + (MAX_AGE - MIN_AGE) * share), dtype=np.int64)


def _draw_body(factors: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Body mass index and blood pressure in the published ranges."""
    latent = dict(zip(FACTORS, factors, strict=True))
    noise = rng.standard_normal((3, factors.shape[1]))
    z_mass = 0.5 * latent["metabolic"] - 0.1 * latent["oncologic"] - 0.05 * latent["age"] + 0.85 * noise[0]
    mass = np.round(np.clip(27.8 * np.exp(0.22 * z_mass), MIN_BMI, MAX_BMI), 1)
    z_pressure = 0.2 * latent["metabolic"] - 0.2 * latent["age"] - 0.15 * latent["infection"] + 0.94 * noise[1]
    diastolic = np.round(np.clip(74 + 11 * z_pressure, 30, 168))
    # Arteries stiffen with age: the pulse pressure widens (Franklin et al., 1997, Circulation 96).
    z_pulse = 0.4 * latent["age"] + 0.2 * z_pressure + 0.15 * latent["cardiac"] + 0.88 * noise[2]
    pulse_pressure = np.clip(np.round(51 * np.exp(0.27 * z_pulse)), 10, 110)
    systolic = np.clip(diastolic + pulse_pressure, 63, 243)
    return {"BMI": mass, "DIASTOLIC": diastolic.astype(np.int64), "SYSTOLIC": systolic.astype(np.int64)}


def _draw_diagnoses(
    codes: tuple[str, ...], factors: np.ndarray, is_female: np.ndarray, age: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Presence of each phecode (rows) in each patient."""
    loadings = _loadings()[: len(codes)]
    liability = loadings @ factors
    liability += np.sqrt(1 - (loadings**2).sum(axis=1, keepdims=True)) * rng.standard_normal(liability.shape)
    prevalence = _prevalence(np.arange(1, len(codes) + 1))
    first, last = CHILDBEARING_AGES
    is_childbearing = is_female & (age >= first) & (age <= last)
    groups = [
        (MALE_PHECODES, ~is_female, 1 - FEMALE_SHARE),
        (FEMALE_PHECODES, is_female, FEMALE_SHARE),
        ((PREGNANCY_PHECODES,), is_childbearing, FEMALE_SHARE * _share_up_to(last)),
    ]
    eligible = np.ones_like(liability, dtype=bool)
    share = np.ones(len(codes))
    for ranges, people, people_share in groups:
        rows = np.array([_is_in(code, ranges) for code in codes], dtype=bool)
        eligible[rows], share[rows] = people, people_share
    threshold = ndtri(1 - np.minimum(prevalence / share, 0.6))
    return np.asarray((eligible & (liability > threshold[:, None])).astype(np.int64))


def _draw_death(codes: tuple[str, ...], factors: np.ndarray, diagnoses: np.ndarray, noise: np.ndarray) -> np.ndarray:
    weights = dict.fromkeys(codes, 0.0) | {line.code: line.death for line in LEADING if line.code in codes}
    of_causes = np.array([DEATH_LOADINGS.get(cause, 0.0) for cause in FACTORS])
    liability = of_causes @ factors + np.array(list(weights.values())) @ diagnoses + DEATH_NOISE * noise
    return np.asarray((liability > np.quantile(liability, 1 - DEATH_SHARE)).astype(np.int64))


def _prevalence(rank: np.ndarray) -> np.ndarray:
    """Share of patients with the phecode of a rank (Zipf-Mandelbrot): 45 % to 1 in 10,000, 16 of 1,473 on average."""
    return np.asarray(0.45 * (46 / (45 + rank)) ** 2.3)


def _share_up_to(age: int) -> float:
    # Ages are rounded.
    return float(betainc(*AGE_SHAPE, (age + 0.5 - MIN_AGE) / (MAX_AGE - MIN_AGE)))


def _is_in(code: str, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= int(code.split(".")[0]) <= last for first, last in ranges)


def _phecodes(n_codes: int) -> tuple[str, ...]:
    if not 1 <= n_codes <= MAX_CODES:
        raise ValueError(f"n_codes must be between 1 and {MAX_CODES}, the width of the published table, got {n_codes}.")
    return _all_phecodes()[:n_codes]


@cache
def _all_phecodes() -> tuple[str, ...]:
    """The leading phecodes, then invented ones in an order that is always the same."""
    leading = [line.code for line in LEADING]
    numbers = range(CHAPTERS[0].first, CHAPTERS[-1].last + 1)
    invented = [f"{number:03d}{tail}" for number in numbers for tail in ("", ".1", ".2")]
    invented = [code for code in invented if code not in leading]
    order = np.random.default_rng(MAX_CODES).permutation(len(invented))
    return tuple(leading + [invented[index] for index in order])[:MAX_CODES]


@cache
def _loadings() -> np.ndarray:
    """Loadings of all phecodes (rows) on the causes."""
    known = {line.code: line.loadings for line in LEADING}
    strength = np.random.default_rng(MAX_CODES).uniform(0.40, 0.65, MAX_CODES)
    loadings = np.zeros((MAX_CODES, len(FACTORS)))
    for row, code in enumerate(_all_phecodes()):
        chapter = next(chapter for chapter in CHAPTERS if chapter.first <= int(code.split(".")[0]) <= chapter.last)
        causes = known.get(code) or {chapter.cause: float(strength[row]), "age": chapter.age}
        burden = 0.10 if chapter.cause == "pregnancy" else 0.35
        for cause, loading in {"burden": burden, **causes}.items():
            loadings[row, FACTORS.index(cause)] = loading
    return loadings
