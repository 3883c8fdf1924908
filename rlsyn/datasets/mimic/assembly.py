"""The table of the MIMIC-IV cohort and its schema, from its people, their vitals and their diagnoses."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import sparse

from rlsyn.constraints import Constraint, in_range, one_hot
from rlsyn.constraints.expressions import in_backticks
from rlsyn.datasets.mimic.options import MimicOptions
from rlsyn.datasets.mimic.people import RACES
from rlsyn.datasets.mimic.vitals import LIMITS, PAPER_LIMITS, implausible, imputed
from rlsyn.datasets.simulated_mimic import LABEL, MAX_AGE, MIN_AGE
from rlsyn.phecode_chapters import PREFIX
from rlsyn.schema import Column, Schema

logger = logging.getLogger(__name__)

UNITS = {"AGE": "years", "BMI": "kg/m2", "DIASTOLIC": "mmHg", "SYSTOLIC": "mmHg"}
MAX_OTHER_SEX = 0.05
"""A diagnosis that the map gives to one sex, but of whose people a larger share than this is of the other, is no rule."""


def plausible_vitals(vitals: pd.DataFrame, options: MimicOptions) -> pd.DataFrame:
    """The vitals with implausible values missing, or without the people who have one, or as they are; then imputed.

    Args:
        vitals: `BMI`, `DIASTOLIC` and `SYSTOLIC`, indexed by person.
        options: `outliers`, `pressure_check` and `impute`.
    """
    if options.outliers != "keep":
        limits = PAPER_LIMITS if options.outliers == "drop" else LIMITS
        wrong = implausible(vitals, limits, options.pressure_check)
        if n_people := int(wrong.any(axis=1).sum()):
            done = "they are left out" if options.outliers == "drop" else "it is made missing"
            logger.info("%s people have an implausible body mass index or blood pressure: %s.", f"{n_people:,}", done)
        vitals = vitals[~wrong.any(axis=1)] if options.outliers == "drop" else vitals.mask(wrong)
    return imputed(vitals) if options.impute else vitals


def common(presence: sparse.csc_matrix, names: list[str], options: MimicOptions) -> tuple[sparse.csc_matrix, list[str]]:
    """The diagnoses that enough people have.

    The default of ten people is what the paper's share of 5e-5 is in a full release (9.06 people). In a smaller one a
    share would keep diagnoses of one person, who could be told by it, and of whom no generator can learn.

    Args:
        presence: `(n_people, n_diagnoses)`.
        names: Of the diagnoses.
        options: `min_people` and `min_share`.
    """
    n_people = np.asarray(presence.sum(axis=0)).ravel()
    bound = max(options.min_people, options.min_share * presence.shape[0], 1)
    kept = np.flatnonzero(n_people >= bound)
    logger.info("%s diagnoses, %s of them of at least %g people.", f"{len(names):,}", f"{len(kept):,}", np.ceil(bound))
    return presence[:, kept], [names[number] for number in kept]


def make_table(
    people: pd.DataFrame, vitals: pd.DataFrame, presence: sparse.csc_matrix, names: list[str], options: MimicOptions
) -> pd.DataFrame:
    """One row per person: age, body mass index, blood pressure, sex, race, death within a year, diagnoses.

    Whole numbers are int64, or Int64 where some are missing; binary columns int8, since there may be 1,500 of them.

    Args:
        people: As `read_people` returns.
        vitals: Of the same people.
        presence: `(n_people, n_diagnoses)`.
        names: Of the columns of diagnoses.
        options: `race_columns`.
    """
    pressures = {name: _whole(vitals[name]) for name in ("DIASTOLIC", "SYSTOLIC")}
    table = pd.DataFrame({"AGE": people["AGE"], "BMI": vitals["BMI"], **pressures, "GENDER": people["GENDER"]})
    if options.race_columns == "one":
        table["RACE"] = people["RACE"]
    else:
        for race in RACES:
            table[race] = (people["RACE"] == race).astype("int8")
    table[LABEL] = people[LABEL]
    # In memory a column is in one piece.
    dense = presence.astype(np.int8).toarray(order="F")
    return pd.concat([table, pd.DataFrame(dense, index=table.index, columns=names)], axis=1).reset_index(drop=True)


def make_schema(table: pd.DataFrame, rules: tuple[Constraint, ...]) -> Schema:
    """The columns of `make_table`, label death within a year."""
    columns = []
    for name in table:
        missing = bool(table[name].isna().any())
        if name == "BMI":
            columns.append(Column(name, "numeric", decimals=1, unit=UNITS[name], missing=missing))
        elif name in UNITS:
            columns.append(Column(str(name), "integer", unit=UNITS[str(name)], missing=missing))
        elif name == "RACE":
            columns.append(Column(name, "categorical", tuple(sorted(RACES))))
        else:
            columns.append(Column(str(name), "binary", (0, 1)))
    return Schema(tuple(columns), label=LABEL, constraints=rules)


def make_rules(
    table: pd.DataFrame, options: MimicOptions, genders: Mapping[str, int], names: Mapping[str, str]
) -> tuple[Constraint, ...]:
    """What holds of every person: blood pressure, ranges, and diagnoses of one sex, a rule for each whole number.

    Args:
        table: As `make_table` returns.
        options: `declare_rules`, and what was done about outliers.
        genders: By phecode of one sex the `GENDER` of who may have it.
        names: By phecode what it is.
    """
    if not options.declare_rules:
        return ()
    low, high = LIMITS["BMI"] if options.outliers == "missing" else PAPER_LIMITS["BMI"]
    rules = [in_range("AGE", MIN_AGE, MAX_AGE, name=f"age from {MIN_AGE} to {MAX_AGE} years")]
    if options.outliers != "keep":
        rules.append(in_range("BMI", low, high, name=f"body mass index from {low:g} to {high:g} kg/m2"))
        if options.pressure_check:
            rules.insert(0, Constraint("systolic > diastolic pressure", "SYSTOLIC > DIASTOLIC"))
    if options.race_columns == "six":
        rules.append(one_hot(RACES, name="one race"))
    return (*rules, *_sex_rules(table, genders, names))


def _sex_rules(table: pd.DataFrame, genders: Mapping[str, int], names: Mapping[str, str]) -> list[Constraint]:
    groups: dict[tuple[str, int], list[str]] = defaultdict(list)
    doubtful = []
    for phecode, gender in sorted(genders.items()):
        column = f"{PREFIX}{phecode}"
        if column not in table:
            continue
        has = table[column] == 1
        if (table.loc[has, "GENDER"] != gender).mean() > MAX_OTHER_SEX:
            doubtful.append(f"{phecode} {names.get(phecode, '')}".strip())
        else:
            groups[phecode.split(".")[0], gender].append(column)
    if doubtful:
        logger.info(
            "Not declared as rules, since people of the other sex have these sex-specific diagnoses too: %s.",
            "; ".join(doubtful[:5]) + (f" and {len(doubtful) - 5} more" if len(doubtful) > 5 else ""),
        )
    return [_sex_rule(number, gender, columns, names) for (number, gender), columns in groups.items()]


def _sex_rule(number: str, gender: int, columns: list[str], names: Mapping[str, str]) -> Constraint:
    absent = " and ".join(f"{in_backticks(column)} == 0" for column in columns)
    name = names.get(number) or names.get(columns[0].removeprefix(PREFIX), "Diagnoses")
    return Constraint(f"{name} ({number}) only in {('men', 'women')[gender]}", f"GENDER == {gender} or {absent}")


def _whole(values: pd.Series) -> pd.Series:
    return values.astype("Int64" if values.isna().any() else "int64")
