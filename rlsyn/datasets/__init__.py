"""Data sets by name: `load("BreastCancer-v0")` gives train rows, test rows and schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from rlsyn.constraints import Constraint
from rlsyn.datasets.aireadi import AireadiOptions, aireadi_licence, read_aireadi, simulated_aireadi
from rlsyn.datasets.bundled import breast_cancer, diabetes
from rlsyn.datasets.dataset import Cohort, Dataset
from rlsyn.datasets.mimic import MimicOptions, mimic_licence, read_mimic, simulated_mimic
from rlsyn.datasets.reader_options import resolve
from rlsyn.datasets.split import split_rows
from rlsyn.datasets.table import read_table
from rlsyn.names import unknown_name
from rlsyn.schema import Column, Schema, infer_schema
from rlsyn.values.categories import category_text
from rlsyn.values.identifiers import check_nobody_in_both, n_people_in_both

__all__ = [
    "COHORTS",
    "DATASETS",
    "Cohort",
    "Dataset",
    "from_table",
    "load",
    "n_people_in_both",
    "read_table",
    "split_rows",
]

DATASETS = ("AIREADI-v0", "MIMICIV-v0", "BreastCancer-v0", "Diabetes-v0", "Table-v0")
"""Ids of the environments; `Table-v0` is a table of one's own."""


class Reader(NamedTuple):
    """How a cohort is had."""

    options: type[Any]
    """Dataclass of what may be asked of `read` (see `rlsyn.datasets.reader_options`)."""
    read: Callable[[Path, Any, bool], Cohort]
    """From the folder of the release, the options, and whether progress is shown."""
    licence: Callable[[Path], str]
    """From the folder of the release, what binds whoever uses it."""
    simulated: Callable[[], Cohort]
    """Without a folder."""


COHORTS = {
    "AIREADI-v0": Reader(AireadiOptions, read_aireadi, aireadi_licence, simulated_aireadi),
    "MIMICIV-v0": Reader(MimicOptions, read_mimic, mimic_licence, simulated_mimic),
}
"""Environments whose rows come from a release on disk."""

_BUNDLED: dict[str, tuple[Callable[[], tuple[pd.DataFrame, Schema]], str]] = {
    "BreastCancer-v0": (
        breast_cancer,
        "Breast Cancer Wisconsin (Diagnostic), UCI 17, as in scikit-learn; real patients.",
    ),
    "Diabetes-v0": (diabetes, "Diabetes progression (Efron et al., 2004), as in scikit-learn; real patients."),
}


def load(
    name: str,
    data_dir: str | Path | None = None,
    seed: int = 0,
    test_size: float | None = None,
    stratified: bool | None = None,
    reader_options: Mapping[str, Any] | None = None,
    progress_bar: bool = False,
) -> Dataset:
    """The data set of that id, split by person with the seed.

    Args:
        name: One of `DATASETS` but `Table-v0`.
        data_dir: Folder of the real release, for the cohorts; without it their rows are SIMULATED.
        seed: Seed of the split; the simulated rows themselves do not change with it.
        test_size: Share of the people held out; .3 unless the cohort's protocol has its own.
        stratified: Whether they are drawn within strata of the label (see `split_rows`); yes unless the cohort's
            protocol does otherwise.
        reader_options: With `data_dir`: options of the reader by name, and `protocol`.
        progress_bar: Whether readers that take long show how far they are.

    Raises:
        FileNotFoundError: The folder is not that of a release.
        ValueError: An unknown id or option, `Table-v0` without a file, or a folder or options for a data set that has
            none.
    """
    given = {option: value for option, value in (reader_options or {}).items() if value is not None}
    if given and data_dir is None:
        raise ValueError(f"--{next(iter(given)).replace('_', '-')} goes with --data-dir DIR, the folder of a release.")
    if name in COHORTS:
        reader = COHORTS[name]
        # Options are wrong before a folder is searched.
        options = resolve(reader.options, given)
        cohort = reader.simulated() if data_dir is None else reader.read(Path(data_dir), options, progress_bar)
        return _split(name, cohort, seed, test_size, stratified)
    if name == "Table-v0":
        raise ValueError(
            "Table-v0 is a table of your own: give it with --csv FILE [--label COLUMN], in Python to from_table, or "
            "to gymnasium.make('Table-v0', csv=FILE, label=COLUMN)."
        )
    if name not in _BUNDLED:
        raise ValueError(unknown_name("environment", name, DATASETS))
    if data_dir is not None:
        raise ValueError(f"{name} comes with the project and has no folder, got --data-dir {data_dir}. Leave it out.")
    make, source = _BUNDLED[name]
    return _split(name, Cohort(*make(), source), seed, test_size, stratified)


def from_table(
    table: pd.DataFrame,
    label: str | None = None,
    group: str | None = None,
    test: pd.DataFrame | None = None,
    source: str = "A table of your own.",
    seed: int = 0,
    test_size: float | None = None,
    constraints: tuple[Constraint, ...] = (),
    stratified: bool | None = None,
) -> Dataset:
    """A data set from rows of one's own; without test rows a share of the people (.3) is held out.

    The constraints go into the schema; rows that break them are kept.

    Raises:
        ValueError: The rows cannot be learned from (see `infer_schema`), the test rows do not fit them, or a constraint
            does not fit the columns.
    """
    schema = replace(infer_schema(table, label, group), constraints=constraints)
    if test is None:
        return _split("Table-v0", Cohort(table, schema, source), seed, test_size, stratified)
    columns = schema.names + ([group] if group else [])
    absent = [name for name in columns if name not in test]
    if absent:
        raise ValueError(f"The test table must have the columns of the training table, it lacks {absent[:10]}.")
    test = test.assign(**{column.name: _as_in_training(test[column.name], column) for column in schema.columns})
    # Test rows may miss values that are complete in training, but not hold what no classifier can read.
    lenient = tuple(replace(column, missing=column.missing or column.name != label) for column in schema.columns)
    try:
        Schema(lenient, label, group).validate(test)
    except ValueError as error:
        raise ValueError(f"The test table does not fit the training table. {error}") from None
    check_nobody_in_both(table, test, group)
    return Dataset("Table-v0", table[columns], test[columns], schema, source)


def _as_in_training(values: pd.Series, column: Column) -> pd.Series:
    """Test values in the form of training: one file may write a column in codes with leading zeros, the other not."""
    if not column.is_discrete:
        numbers = pd.to_numeric(values, errors="coerce")
        return numbers if numbers.notna().equals(values.notna()) else values
    known = {int(code): code for code in column.categories if isinstance(code, str) and code.isdecimal()}
    if not known or len(known) < sum(str(code).isdecimal() for code in column.categories):
        return values
    texts = {value: category_text(value) for value in values.dropna().unique()}
    return values.replace({value: known.get(int(text), text) for value, text in texts.items() if text.isdecimal()})


def _split(name: str, cohort: Cohort, seed: int, test_size: float | None, stratified: bool | None) -> Dataset:
    test_size = cohort.test_size if test_size is None else test_size
    stratified = cohort.stratified if stratified is None else stratified
    if cohort.in_test is None:
        sides = split_rows(cohort.table, cohort.schema, test_size, seed, stratified)
    else:
        sides = np.flatnonzero(~cohort.in_test), np.flatnonzero(cohort.in_test)
    train, test = (cohort.table.iloc[rows].reset_index(drop=True) for rows in sides)
    return Dataset(name, train, test, cohort.schema, cohort.source, cohort.simulated, cohort.licence)
