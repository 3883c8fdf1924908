"""Attribute inference: what synthetic rows tell about the other columns of a person of whom some are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from rlsyn.evaluation.features import FeatureEncoder, NotComputableError, category_positions, column_numbers, row_groups
from rlsyn.evaluation.measure import Measure, Measurement, Metric, Tables
from rlsyn.evaluation.people import at_most, drawn_note, estimate_attack, require_rows
from rlsyn.evaluation.privacy.distances import nearest_neighbours
from rlsyn.names import unknown_name
from rlsyn.schema import Column, Schema

N_DRAWS, N_DRAWS_FAST = 5, 2
MAX_ROWS, MAX_ROWS_FAST = 5_000, 1_000
"""Rows of train, and of test, that are attacked."""
MAX_SYNTHETIC = 30_000
TOLERANCE = 0.1
"""A guess at a number is right within this share of the distance from the 5 % to the 95 % quantile of train."""

METRIC = Metric(
    "attribute inference advantage",
    "privacy",
    "0",
    -1,
    1,
    "How much more often the nearest synthetic row, found by half of a person's columns, is right about the other "
    "columns for people in train than for other people: 0 tells nothing beyond what holds for everybody.",
)


def attribute_inference_advantage(
    train: pd.DataFrame,
    test: pd.DataFrame,
    synthetic: pd.DataFrame,
    schema: Schema,
    seed: int = 0,
    known: Sequence[str] | None = None,
    n_draws: int = N_DRAWS,
) -> float:
    """Share of right guesses on train rows minus that on test rows; range -1 to 1, goal 0.

    Arguments and errors are those of `infer_attributes`, where the attack is described.

    What the synthetic rows teach about everybody (smokers cough) helps with test rows as much and cancels out. The
    difference is what they give away about those whom the generator learned from.

    References:
        Numbers within 10 % and the nearest synthetic rows as in the tutorial of Yan et al. (2024), which
        arXiv:2512.21395 builds upon; the baseline of people outside of train as in Giomi et al., A unified framework
        for quantifying privacy risk in synthetic data, arXiv:2211.10459.
    """
    on_train, on_test = _by_row(infer_attributes(train, test, synthetic, schema, seed, known, n_draws))
    return float(on_train.mean() - on_test.mean())


def infer_attributes(
    train: pd.DataFrame,
    test: pd.DataFrame,
    synthetic: pd.DataFrame,
    schema: Schema,
    seed: int = 0,
    known: Sequence[str] | None = None,
    n_draws: int = N_DRAWS,
) -> tuple[np.ndarray, np.ndarray]:
    """How often the attacker is right about each column of each train and test row.

    The attacker knows some columns of a real row and takes the others from the synthetic row that is nearest in the
    known ones (Euclidean among features fitted on train). A guess at a category is right or wrong; missing counts as a
    value. A guess at a number is right within `TOLERANCE` of the distance between the 5 % and the 95 % quantile of
    train (the whole range would be set by a single outlier). Columns that are constant in train are never guessed at.

    syntheval's attribute disclosure trains random forests on all other columns and takes train and test rows together.

    Args:
        train: Rows that the generator learned from.
        test: Real rows that it never saw.
        synthetic: The rows to judge.
        schema: The columns.
        seed: Of the halves.
        known: Columns that the attacker knows; without them `n_draws` random halves of the columns.
        n_draws: How many halves.

    Returns:
        For train and test the share of right guesses, `(n_rows, n_columns)` in the schema's order; NaN in columns that
        were never guessed at.

    Raises:
        NotComputableError: A table without rows, or nothing to know or to guess.
        ValueError: A known column that the schema does not have.
    """
    require_rows(train=train, test=test, synthetic=synthetic)
    values = {name: _values(table, schema) for name, table in (("train", train), ("test", test), ("own", synthetic))}
    varies = np.array([len(np.unique(column)) > 1 for column in values["train"].T])
    reach = np.array(
        [_reach(column, numbers) for column, numbers in zip(schema.columns, values["train"].T, strict=True)]
    )
    draws = [d for d in _draws(schema, known, n_draws, seed) if d.any() and (~d & varies).any()]
    if not draws:
        raise NotComputableError("there must be a column to know, and another that varies in train to guess at")
    n_right = [np.zeros((len(table), len(varies))) for table in (train, test)]
    n_guessed = np.zeros(len(varies))
    for is_known in draws:
        columns = tuple(column for column, use in zip(schema.columns, is_known, strict=True) if use)
        encoder = FeatureEncoder(Schema(columns)).fit(train)
        targets = encoder.transform(synthetic)
        guessed = np.flatnonzero(~is_known & varies)
        n_guessed[guessed] += 1
        for total, name, table in zip(n_right, ("train", "test"), (train, test), strict=True):
            nearest = nearest_neighbours(encoder.transform(table), targets)[1][:, 0]
            guess, truth = values["own"][nearest][:, guessed], values[name][:, guessed]
            is_missing = np.isnan(guess) & np.isnan(truth)
            total[:, guessed] += is_missing | (np.abs(guess - truth) <= reach[guessed])
    with np.errstate(invalid="ignore"):
        return n_right[0] / n_guessed, n_right[1] / n_guessed


def compute_inference(tables: Tables) -> Measurement:
    """The advantage with its interval over people; details: the share of right guesses by column."""
    schema = tables.schema
    max_rows, n_draws = (MAX_ROWS_FAST, N_DRAWS_FAST) if tables.fast else (MAX_ROWS, N_DRAWS)
    train, test = (at_most(table, schema, max_rows, tables.seed) for table in (tables.train, tables.test))
    synthetic = at_most(tables.synthetic, schema, MAX_SYNTHETIC, tables.seed)
    is_right = infer_attributes(train, test, synthetic, schema, tables.seed, n_draws=n_draws)
    on_train, on_test = _by_row(is_right)
    estimates = estimate_attack(
        lambda first, second: np.array([first.mean() - second.mean()]),
        (on_train, on_test),
        (row_groups(train, schema), row_groups(test, schema)),
        (METRIC,),
        tables,
    )
    notes = [f"guesses right: {on_train.mean():.1%} on train, {on_test.mean():.1%} on test".replace("%", " %")]
    notes += [drawn_note(max_rows, train=tables.train, test=tables.test)]
    notes += [drawn_note(MAX_SYNTHETIC, synthetic=tables.synthetic)]
    by_column = pd.DataFrame(
        {"train": is_right[0].mean(axis=0), "test": is_right[1].mean(axis=0)},
        index=pd.Index(schema.names, name="column"),
    )
    details = {"columns": by_column.dropna().reset_index()}
    return Measurement(estimates, {METRIC.name: "; ".join(filter(None, notes))}, details)


INFERENCE = Measure("attribute inference", (METRIC,), compute_inference, real="halves")


def _by_row(is_right: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    on_train, on_test = is_right
    return np.nanmean(on_train, axis=1), np.nanmean(on_test, axis=1)


def _draws(schema: Schema, known: Sequence[str] | None, n_draws: int, seed: int) -> list[np.ndarray]:
    # For each draw, which columns the attacker knows.
    if known is not None:
        for name in known:
            if name not in schema.names:
                raise ValueError(unknown_name("column", name, schema.names))
        return [np.isin(schema.names, list(known))]
    rng = np.random.default_rng([seed, 4])
    n_columns = len(schema.names)
    return [rng.permutation(n_columns) < (n_columns + 1) // 2 for _ in range(n_draws)]


def _values(table: pd.DataFrame, schema: Schema) -> np.ndarray:
    # Numbers, and the positions of categories, as floats.
    return np.column_stack(
        [
            category_positions(table[column.name], column).astype(float)
            if column.is_discrete
            else column_numbers(table[column.name])
            for column in schema.columns
        ]
    )


def _reach(column: Column, values: np.ndarray) -> float:
    if column.is_discrete or np.isnan(values).all():
        return 0.0
    return TOLERANCE * float(np.ptp(np.nanquantile(values, [0.05, 0.95])))
