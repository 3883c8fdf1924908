"""The whole evaluation: every metric of every family, for the synthetic rows and for the references beside them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed, parallel_config
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from rlsyn.evaluation import constraints, fidelity, privacy, utility
from rlsyn.evaluation.evaluation import REFERENCES, Evaluation
from rlsyn.evaluation.features import NotComputableError, column_numbers, row_groups
from rlsyn.evaluation.measure import Measure, Measurement, Tables
from rlsyn.evaluation.remarks import remarks_on_kinds_of_people, remarks_on_tables
from rlsyn.evaluation.score_rows import Key, attempt, cost_rows, measure_rows, scores_table, utility_rows
from rlsyn.files import FileStamp
from rlsyn.names import listed
from rlsyn.schema import Column, Schema
from rlsyn.values.identifiers import check_nobody_in_both
from rlsyn.values.numbers import are_rounded, as_written

MANY_COPIES = 0.5
MIN_CELLS = 200_000
"""Tables with fewer cells than this are measured sooner than other processes would have started."""


def evaluate(
    train: pd.DataFrame,
    test: pd.DataFrame,
    synthetic: pd.DataFrame,
    schema: Schema,
    *,
    seed: int = 0,
    fast: bool = False,
    others: Mapping[str, pd.DataFrame] | None = None,
    costs: Mapping[str, float] | None = None,
    references: Collection[str] = REFERENCES,
    n_jobs: int | None = None,
    progress_bar: bool = False,
    title: str = "",
    source: str = "",
    simulated: bool = False,
    licence: str = "",
    file: FileStamp | None = None,
) -> Evaluation:
    """Judge synthetic rows by fidelity, utility, privacy and the schema's constraints.

    Every metric stands beside three references from the same split, which give its value a meaning:

    - `real`: what real rows score in the place of the synthetic ones. Mostly the test rows; the training rows where
      the test rows are what is compared with (detection, and R2R for S2R as well as R2S); for attacks one half of the
      test rows, told from train by means of the other half.
    - `copy`: training people drawn with replacement, with their rows, which leak everything. Of fidelity it has as
      many rows as the synthetic table at most, so that its distances to train are those that chance alone gives to one
      of this size.
    - `independent`: training rows with every column shuffled by itself, which keep the marginals and nothing else.

    Intervals (95 %) are those of the delete-a-group jackknife over people, or Wilson's for shares; they tell
    how far another sample of people of this size would move the value, not what another training run would give.

    Args:
        train: The rows the generator learned from; may hold the schema's group column.
        test: Real rows that the generator never saw; may hold the group column.
        synthetic: The generated rows, from any generator, as many as there are.
        schema: The columns, and the rules that they obey.
        seed: Of folds, subsamples, references and classifiers.
        fast: Whether to leave out what takes long; what is left out is listed.
        others: Further tables to measure like the synthetic one, by name: a column of scores each.
        costs: Values of the metrics in `COSTS`, by their names.
        references: Those that are computed, `real` at least; the columns of the others stay empty.
        n_jobs: Processes to share the work; by default one, or for large tables as many as there are cores (at most 8).
        progress_bar: Whether to show one.
        title: Name of the data set, for the report.
        source: Where it comes from, for the report.
        simulated: Whether its rows are simulated, for the report.
        licence: Terms that bind whoever uses its rows or what is derived from them, for the report.
        file: The file that the synthetic rows are, as `file_stamp` of `rlsyn.files` gives it, to bind the report to it.

    Raises:
        ValueError: Unknown references or none, a table without rows or without a column of the schema, text or infinity
            where a number belongs, or test rows that are training rows or of training people.
    """
    start = time.perf_counter()
    others = dict(others or {})
    if taken := set(others) & {"synthetic", "value", *REFERENCES}:
        raise ValueError(f"Further tables need names of their own, got {sorted(taken)}. Rename them.")
    if "real" not in references or not set(references) <= set(REFERENCES):
        raise ValueError(f"References must be 'real' and others of {REFERENCES}, got {tuple(references)}.")
    for name, table in {"train": train, "test": test, "synthetic": synthetic, **others}.items():
        _check(name, table, schema)
    train, test, synthetic = (_as_written(table, schema) for table in (train, test, synthetic))
    others = {name: _as_written(table, schema) for name, table in others.items()}
    alike = check_held_out(train, test, schema)
    given = Tables(train, test, synthetic, schema, seed, fast)
    # What a generator says of persons is none of train's: rows of a table without people are of one each.
    synthetic = synthetic.drop(columns=schema.group or [], errors="ignore")
    others = {name: table.drop(columns=schema.group or [], errors="ignore") for name, table in others.items()}
    of_costs = cost_rows(costs or {})
    tables = replace(given, synthetic=synthetic)
    beside = {name: table for name, table in _references(tables).items() if name in references}
    in_place = {"synthetic": synthetic, **beside, **others}
    measures = [*fidelity.measures(schema), *privacy.measures(schema), *constraints.measures(schema)]
    tasks = {**_model_tasks(tables, in_place), **_measure_tasks(measures, tables, in_place)}
    found = _run(tasks, n_jobs or _n_jobs(tables), progress_bar)
    rows, details = measure_rows(measures, found, list(in_place))
    of_utility, curves = utility_rows(tables, found, in_place)
    scores = scores_table([*rows, *of_utility, *of_costs], list(others))
    remarks = remarks_on_tables(given, alike, details) + remarks_on_kinds_of_people(scores, tables)
    details |= curves
    seconds = time.perf_counter() - start
    return Evaluation(
        *(scores, details, train, test, synthetic, schema, title, source, simulated, licence, seed, fast, seconds),
        *(remarks, file),
    )


def _as_written(table: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    # Before tables are put together: 64 bits would keep what 32 have too much. Unrounded numbers stay as they are: copies
    # among them are found in the coarser of two precisions.
    written = [column for column in schema.columns if column.is_discrete or column.most_decimals is not None]
    return table.assign(**{column.name: _without_noise(as_written(table[column.name]), column) for column in written})


def _without_noise(values: pd.Series, column: Column) -> pd.Series:
    # 3 * 0.1 is 0.30000000000000004, beyond a highest dose of 0.3 and another step of every distribution; what has more
    # decimals indeed keeps them.
    if column.most_decimals is None or pd.api.types.is_integer_dtype(values):
        return values
    numbers = column_numbers(values)
    is_rounded = are_rounded(numbers, column.most_decimals)
    return pd.Series(np.where(is_rounded, np.round(numbers, column.most_decimals), numbers), values.index)


def _references(tables: Tables) -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng([tables.seed, 2])
    rows = tables.train[tables.schema.names]  # without the group column: no row of a generator belongs to anybody
    persons = row_groups(tables.train, tables.schema)
    of_person = pd.Series(np.arange(len(rows))).groupby(persons).apply(np.asarray)
    copy = rows.iloc[np.concatenate(list(of_person.sample(frac=1, replace=True, random_state=rng)))]
    copy = copy.reset_index(drop=True)
    independent = pd.DataFrame({name: rows[name].array[rng.permutation(len(rows))] for name in rows})
    return {"real": tables.train, "copy": copy, "independent": independent}


def _measure_tasks(
    measures: list[Measure], tables: Tables, in_place: Mapping[str, pd.DataFrame]
) -> dict[Key, Callable[[], Any]]:
    tasks = {}
    for measure in measures:
        for name, table in in_place.items():
            if name == "real":
                tasks[measure.name, name] = delayed(attempt)(_measure_real, measure, tables)
            else:
                n_rows = len(tables.synthetic)
                if name == "copy" and measure.metrics[0].family == "fidelity" and n_rows < len(table):
                    # Rows, not people: those of a generator are of one person each.
                    table = table.sample(n_rows, random_state=tables.seed)
                judged = replace(tables, synthetic=table, with_intervals=name == "synthetic")
                tasks[measure.name, name] = delayed(attempt)(measure.compute, judged)
    return tasks


def _measure_real(measure: Measure, tables: Tables) -> Measurement:
    if callable(measure.real):
        return measure.real(tables)
    if measure.real == "halves":
        first, second = _halves(tables.test, tables.schema, tables.seed)
        return measure.compute(replace(tables, synthetic=first, test=second))
    return measure.compute(replace(tables, synthetic=tables.test if measure.real == "test" else tables.train))


def _model_tasks(tables: Tables, in_place: Mapping[str, pd.DataFrame]) -> dict[Key, Callable[[], Any]]:
    # Models fitted on train score every table (R2S); the others are fitted to be scored on test (S2R).
    if tables.schema.label is None:
        return {}
    tasks = {}
    for model in utility.models(tables.schema, tables.fast):
        for name, table in in_place.items():
            scored = [tables.test]
            if name == "real":
                scored += [other for role, other in in_place.items() if role != "real"]
            tasks[model, name] = delayed(attempt)(
                utility.fit_and_predict, model, table, scored, tables.schema, tables.seed
            )
    return tasks


def _run(tasks: Mapping[Key, Any], n_jobs: int, progress_bar: bool) -> dict[Key, Any]:
    # One thread in each process: more would wait for each other, and their number would show in the last digits.
    parallel = {"backend": "loky", "inner_max_num_threads": 1} if n_jobs > 1 else {"backend": "sequential"}
    with parallel_config(**parallel), threadpool_limits(1):
        results: Iterator[Any] = Parallel(n_jobs=n_jobs, return_as="generator")(tasks.values())
        shown = tqdm(results, total=len(tasks), desc="Scoring", unit="task", disable=not progress_bar, leave=False)
        return dict(zip(tasks, shown, strict=True))


def _n_jobs(tables: Tables) -> int:
    is_small = len(tables.train) * len(tables.schema.columns) < MIN_CELLS
    return 1 if is_small else min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)


def _halves(test: pd.DataFrame, schema: Schema, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    groups = row_groups(test, schema)
    persons = np.random.default_rng(seed).permutation(np.unique(groups))
    if len(persons) < 2:
        raise NotComputableError("the test rows are of one person")
    is_first = np.isin(groups, persons[: len(persons) // 2])
    return test[is_first], test[~is_first]


def check_held_out(train: pd.DataFrame, test: pd.DataFrame, schema: Schema) -> privacy.HowAlike:
    """Check that test rows are not training rows; returns how often they equal one, and these each other.

    Raises:
        ValueError: They are of training people, by the group column, or so many of them equal one that it cannot be chance.
    """
    check_nobody_in_both(train, test, schema.group)
    # Where rows have few values the same row comes up again by chance, as often within train as between the two; test rows of
    # another time or place may be alike more often.
    alike = privacy.how_alike(train, test, schema)
    share = alike.n_equal / len(test)
    if share > MANY_COPIES and share > 2 * alike.n_others / len(train):
        raise ValueError(
            f"Test rows must be rows that the generator never saw, but {alike.n_equal:,} of {len(test):,} equal a training "
            f"row (of {len(train):,} training rows {alike.n_others:,} equal one of another person). Give other test rows."
        )
    return alike


def _check(name: str, table: pd.DataFrame, schema: Schema) -> None:
    if len(table) == 0:
        raise ValueError(f"The {name} table has no rows; nothing can be evaluated.")
    if not table.columns.is_unique:
        twice = sorted({str(column) for column in table.columns[table.columns.duplicated()]})
        raise ValueError(f"Column names must be unique, the {name} table has {twice[:5]} more than once. Rename them.")
    absent = [column for column in schema.names if column not in table]
    if absent:
        others = [repr(column) for column in table.columns if column not in schema.names]
        instead = f" It has {', '.join(others[:5])} instead." if others else ""
        raise ValueError(
            f"The {name} table lacks {len(absent)} of the {len(schema.names)} columns of train: "
            f"{listed(map(repr, absent), 5)}.{instead} Give a file that has them, or leave them out of train and test, too "
            "(--drop of evaluate.py)."
        )
    for column in schema.columns:
        if not column.is_discrete:
            try:
                column_numbers(table[column.name])
            except ValueError as error:
                raise ValueError(f"The {name} table does not fit the schema. {error}") from None
