"""The schema of a table that was read: that of arXiv:2512.21395, with the decimals, gaps and rules of the data at hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd

from rlsyn.constraints import Constraint
from rlsyn.datasets.aireadi.release import Note, information
from rlsyn.datasets.simulated_aireadi_columns import GROUP, aireadi_schema
from rlsyn.schema import Column, Schema
from rlsyn.values.numbers import count_decimals

MAX_READ_DECIMALS = 4
"""More digits than this are those of a computation, not of a laboratory."""

PULSE_PRESSURE = Constraint("systolic > diastolic blood pressure", "systolic_bp > diastolic_bp")


def fitted_schema(table: pd.DataFrame, extra: Iterable[Column], by_day: bool) -> tuple[Schema, list[Note]]:
    """The schema of a table, and what a user must know about it, in sentences.

    Names, units, label and group are those of the simulated cohort. A column carries as many decimals as its values do,
    at least those of the simulated cohort. Of the rules those are declared that no row breaks: laboratories calculate
    with more digits than they report, and by other formulas (LDL, QTc) than the simulated cohort.

    Args:
        table: The rows.
        extra: Columns beyond those of the simulated cohort.
        by_day: Whether a participant may have several rows.
    """
    base, extra = aireadi_schema(), tuple(extra)
    columns = tuple(_fitted(column, table[column.name]) for column in (*base.columns, *extra))
    rules = (*base.constraints, *([PULSE_PRESSURE] if "systolic_bp" in table else []))
    broken = {rule.name: int(rule.is_broken_by(table).sum()) for rule in rules}
    kept = tuple(rule for rule in rules if not broken[rule.name])
    dropped = "; ".join(f"{name} ({count:,} rows)" for name, count in broken.items() if count)
    notes = [information(f"Rules that hold in the simulated cohort and not here, so not declared: {dropped}.")]
    return Schema(columns, base.label, GROUP if by_day else None, kept), notes if dropped else []


def typed(table: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """The table with whole numbers as integers where none is missing, and binary columns that hold 0, 1 or nothing."""
    columns = {} if schema.group is None else {schema.group: table[schema.group]}
    for column in schema.columns:
        values = table[column.name]
        if column.kind == "binary":
            values = values.where(values.isin((0, 1)))
        is_whole = column.is_discrete or column.kind == "integer"
        columns[column.name] = values.astype("int64") if is_whole and values.notna().all() else values.astype(float)
    return pd.DataFrame(columns)


def _fitted(column: Column, values: pd.Series) -> Column:
    if column.is_discrete:
        return replace(column, missing=not bool(values.isin((0, 1)).all()))
    present = values.dropna().to_numpy(dtype=float)
    counted = count_decimals(present) if len(present) else 0
    read = MAX_READ_DECIMALS if counted is None else min(counted, MAX_READ_DECIMALS)
    decimals = max(column.decimals or 0, read)
    missing = bool(np.isnan(values.to_numpy(dtype=float)).any())
    if not decimals:
        return replace(column, missing=missing)
    return replace(column, kind="numeric", decimals=decimals, missing=missing)
