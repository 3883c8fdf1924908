"""Whether records could be real: the rules that the schema declares, and the values that the train rows know."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from rlsyn.evaluation.disclosure import fewest, n_people
from rlsyn.evaluation.features import MISSING, category_positions, column_numbers, count_people, row_groups
from rlsyn.evaluation.measure import Estimate, Measure, Measurement, Metric, Tables, share_beside, share_estimate
from rlsyn.schema import Column, Schema

BROKEN = Metric(
    "broken rules",
    "constraints",
    "minimise",
    0,
    1,
    "Share of records that break at least one of the declared rules; missing values break none.",
)
OUT_OF_RANGE = Metric(
    "out of range",
    "constraints",
    "minimise",
    0,
    1,
    "Share of records with a value below the lowest or above the highest of the train rows, or in a category of none.",
)
NO_RULES = "does not apply: the schema declares no rules"


def measures(schema: Schema) -> list[Measure]:
    """Rules that records break, and values that the train rows do not know."""
    return [Measure("constraints", (BROKEN, OUT_OF_RANGE), constraints, real=constraints_of_real)]


def constraints(tables: Tables) -> Measurement:
    """Both metrics with Wilson's 95 % intervals, as wide as those of so many people.

    The details are `by_rule`, a frame by name of the rule with its `expression`, the shares of the `train`, `test` and
    `synthetic` rows that break it, and the number of synthetic ones, `n_synthetic`; `people_by_rule`, how many people
    of `train` and `test` these rows belong to, and `people`, the fewest of any rule or of all; and `out_of_range`,
    the share of synthetic rows by column.
    """
    schema, synthetic = tables.schema, tables.synthetic
    broken = broken_rows(synthetic, schema)
    real = {name: broken_rows(table, schema) for name, table in (("train", tables.train), ("test", tables.test))}
    persons = {"train": row_groups(tables.train, schema), "test": row_groups(tables.test, schema)}
    outside = rows_out_of_range(tables.train, synthetic, schema)
    by_rule = pd.DataFrame(
        {
            "expression": pd.Series({rule.name: rule.expression for rule in schema.constraints}, dtype=object),
            "train": real["train"].mean(),
            "test": real["test"].mean(),
            "synthetic": broken.mean(),
            "n_synthetic": broken.sum().astype("int64"),
        },
        index=pd.Index(broken.columns, name="rule"),
    )
    people_by_rule = pd.DataFrame(
        {
            name: [n_people(persons[name][rows[rule].to_numpy()]) for rule in by_rule.index]
            for name, rows in real.items()
        },
        index=by_rule.index,
    )
    people = {
        name: fewest([n_people(persons[name][rows.any(axis=1).to_numpy()]), *people_by_rule[name]])
        for name, rows in real.items()
    }
    estimates = {
        metric.name: share_estimate(rows.any(axis=1).to_numpy(), count_people(synthetic, schema))
        for metric, rows in ((BROKEN, broken), (OUT_OF_RANGE, outside))
    }
    if not schema.constraints:
        estimates[BROKEN.name] = Estimate(float("nan"))
    return Measurement(
        estimates=estimates,
        notes={} if schema.constraints else {BROKEN.name: NO_RULES},
        details={
            "by_rule": by_rule,
            "people_by_rule": people_by_rule,
            "people": people,
            "out_of_range": outside.mean(),
        },
    )


def constraints_of_real(tables: Tables) -> Measurement:
    """What `constraints` finds of the test rows in the place of the synthetic ones.

    How often people break rules is told by all of them: the interval of broken rules is that of train and test rows
    together, stretched to the test rows' share.
    """
    found, schema = constraints(replace(tables, synthetic=tables.test)), tables.schema
    if schema.constraints:
        train, test = (broken_rows(table, schema).any(axis=1).to_numpy() for table in (tables.train, tables.test))
        n_persons = count_people(tables.train, schema) + count_people(tables.test, schema)
        found.estimates[BROKEN.name] = share_beside(test, train, n_persons)
    return found


def broken_share(table: pd.DataFrame, schema: Schema) -> pd.Series:
    """The share of the rows that break each rule of the schema, by its name; range 0 to 1, goal minimise.

    Raises:
        ValueError: The table lacks a column of a rule, or holds text where a number belongs.
    """
    return broken_rows(table, schema).mean()


def broken_rows(table: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """For each row and rule whether the row breaks the rule; see `Constraint.is_broken_by`.

    Values are taken for the categories of the schema that they mean (1, "1" and True alike). Others stay what they are,
    save for text in a column whose categories are numbers: it counts as missing here, and as out of range.

    Raises:
        ValueError: The table lacks a column of a rule, or holds text where a number belongs.
    """
    used = dict.fromkeys(name for rule in schema.constraints for name in rule.columns)
    alike = pd.DataFrame({name: _conform(table[name], schema[name]) for name in used if name in table})
    broken = {rule.name: rule.is_broken_by(alike) for rule in schema.constraints}
    return pd.DataFrame(broken, index=table.index, columns=[rule.name for rule in schema.constraints], dtype=bool)


def rows_out_of_range(train: pd.DataFrame, table: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """For each row and column whether the value is outside the range, or in none of the categories, of the train rows.

    A missing value is never outside. Where train has no value at all, every value is.
    """
    outside = {}
    for column in schema.columns:
        known, values = (
            category_positions(rows[column.name], column) if column.is_discrete else column_numbers(rows[column.name])
            for rows in (train, table)
        )
        if column.is_discrete:
            outside[column.name] = (values != MISSING) & ~np.isin(values, known[known >= 0])
        else:
            known = known[~np.isnan(known)]
            is_inside = (values >= known.min(initial=np.inf)) & (values <= known.max(initial=-np.inf))
            outside[column.name] = ~is_inside & ~np.isnan(values)
    return pd.DataFrame(outside, index=table.index)


def _conform(values: pd.Series, column: Column) -> np.ndarray:
    if not column.is_discrete:
        return column_numbers(values)
    is_text = any(isinstance(category, str) for category in column.categories)
    if is_text:
        others = values.astype(object).map(str, na_action="ignore").to_numpy(dtype=object)
    else:
        others = pd.to_numeric(values.astype(object), errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    positions = category_positions(values, column)
    categories = np.array(column.categories, dtype=object if is_text else float)
    return np.where(positions >= 0, categories[positions.clip(0)], others)
