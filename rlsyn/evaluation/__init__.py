"""Evaluation of synthetic records against the real train and test rows: fidelity, utility and privacy in one table."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from rlsyn.evaluation import fidelity, privacy, utility
from rlsyn.evaluation.features import NotComputableError, row_groups
from rlsyn.schema import Schema, unknown_name

__all__ = ["NotComputableError", "evaluate"]

LEFT_OUT = "not computed: slow=False"


class Score(NamedTuple):
    """One row of the table of scores."""

    family: str
    metric: str
    value: float
    goal: str
    reference: float
    note: str


def evaluate(
    train: pd.DataFrame,
    test: pd.DataFrame,
    synthetic: pd.DataFrame,
    schema: Schema,
    seed: int = 0,
    slow: bool = True,
) -> pd.DataFrame:
    """The scores of the synthetic rows: family, metric, value, goal, reference and note, one metric a row.

    `goal` is `minimise`, `maximise`, or the value to come near to, as text (`0.5`). `reference` is what real data get:

    - fidelity, near copies and exact copies: the same metric with the test rows in place of the synthetic ones;
    - utility, S2R as well as R2S: R2R, fitted on train and scored on test;
    - membership AUC: the test rows are halved at random, person by person; the first half takes the place of the
      synthetic rows and train is told from the second half. Neither was drawn from train, so nothing leaks.

    Where classifiers need it, rows of one person stay together. A metric without a value for these tables is NaN, and
    its note says why.

    Args:
        train: The rows the generator learned from; may hold the schema's group column.
        test: Real rows that the generator never saw; may hold the group column.
        synthetic: The generated rows, as many as there are.
        schema: The columns.
        seed: Of folds, subsamples, halves and classifiers.
        slow: Whether to compute the metrics that fit classifiers.

    Raises:
        ValueError: A table without rows or without a column of the schema, text or infinity where a number belongs.
    """
    for name, table in (("train", train), ("test", test), ("synthetic", synthetic)):
        _check(name, table, schema)
    scores = [
        *_fidelity_scores(train, test, synthetic, schema, seed, slow),
        *_utility_scores(train, test, synthetic, schema, seed, slow),
        *_privacy_scores(train, test, synthetic, schema, seed),
    ]
    return pd.DataFrame(scores, columns=list(Score._fields))


def _fidelity_scores(
    train: pd.DataFrame, test: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema, seed: int, slow: bool
) -> list[Score]:
    scores = []
    families = (
        ("KS", fidelity.ks_statistics, ("mean", "max"), "no numeric or integer column with values"),
        ("TV", fidelity.total_variation, ("mean",), "no binary or categorical column with values"),
        ("missing rate difference", fidelity.missing_rate_difference, ("",), "no column"),
    )
    for name, by_column, summaries, nothing in families:
        distances, references = by_column(train, synthetic, schema), by_column(train, test, schema)
        for summary in summaries:
            value, reason = _attempt(_summarise, distances, summary, nothing)
            reference, reference_reason = _attempt(_summarise, references, summary, nothing)
            note = _join(reason or _worst_column(distances), _about_reference(reference_reason, reason))
            scores.append(Score("fidelity", f"{name} {summary}".strip(), value, "minimise", reference, note))

    def difference(table: pd.DataFrame) -> float:
        return fidelity.association_difference(train, table, schema)

    def detection(table: pd.DataFrame) -> float:
        return fidelity.detection_auc(train, table, schema, seed=seed)

    scores.append(_compare("fidelity", "association difference", "minimise", difference, synthetic, test))
    if slow:
        scores.append(_compare("fidelity", "detection AUC", "0.5", detection, synthetic, test))
    else:
        scores.append(Score("fidelity", "detection AUC", float("nan"), "0.5", float("nan"), LEFT_OUT))
    return scores


def _utility_scores(
    train: pd.DataFrame, test: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema, seed: int, slow: bool
) -> list[Score]:
    is_regression = schema.label is not None and not schema[schema.label].is_discrete
    models = utility.REGRESSORS if is_regression else utility.CLASSIFIERS
    unit = "R2" if is_regression else "AUC"

    def score(fitted: pd.DataFrame, scored: pd.DataFrame) -> tuple[pd.Series, str]:
        nothing = pd.Series(np.nan, index=["mean", *models])
        if not slow:
            return nothing, LEFT_OUT
        try:
            return utility.utility_score(fitted, scored, schema, seed), utility.utility_note(fitted, scored, schema)
        except NotComputableError as reason:
            return nothing, f"not computed: {reason}"

    real_to_real, reference_note = score(train, test)
    scores = []
    for name, fitted, scored in (("S2R", synthetic, test), ("R2S", train, synthetic)):
        values, note = score(fitted, scored)
        note = _join(note, _about_reference(reference_note, note))
        for model in values.index if name == "S2R" else ["mean"]:
            metric = f"{name} {unit}" + ("" if model == "mean" else f" ({model})")
            scores.append(Score("utility", metric, values[model], "maximise", real_to_real[model], note))
    return scores


def _privacy_scores(
    train: pd.DataFrame, test: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema, seed: int
) -> list[Score]:
    def halves_auc() -> float:
        first, second = _halves(test, schema, seed)
        return privacy.membership_auc(train, second, first, schema)

    def near_copies(table: pd.DataFrame) -> float:
        return privacy.near_copy_share(train, test, table, schema)

    def copies(table: pd.DataFrame) -> float:
        return privacy.exact_copies(train, table, schema)

    value, reason = _attempt(privacy.membership_auc, train, test, synthetic, schema)
    reference, reference_reason = _attempt(halves_auc)
    note = _join(reason, _about_reference(reference_reason, reason))
    exact = _compare("privacy", "exact copies", "minimise", copies, synthetic, test)
    return [
        Score("privacy", "membership AUC", value, "0.5", reference, note),
        _compare("privacy", "near copies", "minimise", near_copies, synthetic, test),
        exact._replace(note=f"among {len(synthetic):,} synthetic rows; reference: among {len(test):,} test rows"),
    ]


def _compare(
    family: str,
    metric: str,
    goal: str,
    compute: Callable[[pd.DataFrame], float],
    synthetic: pd.DataFrame,
    test: pd.DataFrame,
) -> Score:
    value, reason = _attempt(compute, synthetic)
    reference, reference_reason = _attempt(compute, test)
    return Score(family, metric, value, goal, reference, _join(reason, _about_reference(reference_reason, reason)))


def _attempt(compute: Callable[..., float], *arguments: object) -> tuple[float, str]:
    try:
        return float(compute(*arguments)), ""
    except NotComputableError as reason:
        return float("nan"), f"not computed: {reason}"


def _summarise(distances: pd.Series, summary: str, nothing: str) -> float:
    if not distances.notna().any():
        raise NotComputableError(nothing)
    return float(distances.max() if summary == "max" else distances.mean())


def _worst_column(distances: pd.Series) -> str:
    n_empty = int(distances.isna().sum())
    worst = f"largest: {distances.idxmax()} {distances.max():.3f}" if distances.max() > 0 else ""
    return _join(worst, f"{n_empty} empty columns left out" if n_empty else "")


def _halves(test: pd.DataFrame, schema: Schema, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    groups = row_groups(test, schema)
    persons = np.random.default_rng(seed).permutation(np.unique(groups))
    if len(persons) < 2:
        raise NotComputableError("the test rows are of one person")
    is_first = np.isin(groups, persons[: len(persons) // 2])
    return test[is_first], test[~is_first]


def _about_reference(reason: str, said_already: str) -> str:
    return f"reference: {reason}" if reason and reason != said_already else ""


def _join(*notes: str) -> str:
    return "; ".join(note for note in notes if note)


def _check(name: str, table: pd.DataFrame, schema: Schema) -> None:
    if len(table) == 0:
        raise ValueError(f"The {name} table has no rows; nothing can be evaluated.")
    absent = [column for column in schema.names if column not in table]
    if absent:
        hint = unknown_name("column", absent[0], [str(column) for column in table.columns])
        raise ValueError(f"The {name} table lacks {len(absent)} of {len(schema.names)} columns. {hint}")
