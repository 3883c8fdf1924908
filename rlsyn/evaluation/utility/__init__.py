"""Utility: how well a model of the label that was fitted on one table does on another.

S2R is fitted on synthetic rows and scored on the real test rows, R2R on train and test, R2S on train and synthetic.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.metrics import r2_score, roc_curve

from rlsyn.evaluation.disclosure import is_few
from rlsyn.evaluation.features import NotComputableError, row_groups
from rlsyn.evaluation.measure import Estimate, Metric, margins
from rlsyn.evaluation.measure import with_interval as add_interval
from rlsyn.evaluation.ranking import auc
from rlsyn.evaluation.utility.label_models import (
    CLASSIFIERS,
    MAX_ROWS,
    REGRESSORS,
    fit_and_predict,
    known_labels,
    label_column,
)
from rlsyn.schema import Schema

FAST = ("logistic_regression", "ridge", "lightgbm")
"""Models that take a second."""
SLOW = tuple(name for name in dict.fromkeys((*CLASSIFIERS, *REGRESSORS)) if name not in FAST)
"""Models that a fast evaluation leaves out."""
MIN_PEOPLE = 5
"""Fewer people than these are not shown as a point of the calibration curve, and a class of a label with more than two
has no AUC of its own: that of one person is as good as drawn by lot, and would weigh as much as that of a thousand."""
PAPER_SETTING = "LightGBM in the setting of arXiv:2512.21395 for MIMIC-IV"
MAX_ROC_POINTS = 200


def models(schema: Schema, fast: bool) -> tuple[str, ...]:
    """The names of the models for the label of this schema; classifiers where it names none."""
    names = REGRESSORS if _is_regression(schema) else CLASSIFIERS
    return tuple(name for name in names if name in FAST) if fast else names


def metrics(schema: Schema, fast: bool) -> tuple[Metric, ...]:
    """The metrics of utility: S2R by the mean of the models, its loss against R2R, S2R by each model, Brier score, and R2S.

    What follows "S2R " or "R2S " in a name is the key under which `estimate` gives the value.
    """
    if _is_regression(schema):
        unit, low = "R2", float("-inf")
        scale = "1 is perfect, 0 no better than the mean, below 0 worse than that"
    else:
        unit, low, scale = "AUC", 0.0, "0.5 is guessing, 1 perfect"
    goal = f"{scale}; to be reached is the value of models fitted and scored on real rows."
    s2r = f"How well models fitted on synthetic rows predict the label of real test rows: {goal}"
    loss = (
        "How much worse models fitted on synthetic rows predict the label of real test rows than models fitted on train "
        f"do: R2R {unit} - S2R {unit}. 0: as well, below 0: better. The interval is that of the difference, on the same "
        "people."
    )
    found = [
        Metric(f"S2R {unit}", "utility", "maximise", low, 1.0, s2r),
        Metric(f"S2R {unit} loss", "utility", "minimise", low - 1.0, 1.0 - low, loss),
    ]
    for name in models(schema, fast):
        which = PAPER_SETTING if name == "lightgbm_paper" else name.replace("_", " ")
        meaning = f"{s2r} This one model: {which}."
        found.append(Metric(f"S2R {unit} ({name})", "utility", "maximise", low, 1.0, meaning))
    if not _is_regression(schema):
        meaning = (
            "How far the probabilities of models fitted on synthetic rows are from the labels of real test rows: their "
            "mean squared error, 0 where certain and right. It grows where synthetic rows get a label's frequency wrong."
        )
        found.append(Metric("S2R Brier", "utility", "minimise", 0.0, 1.0, meaning))
    r2s = f"How well models fitted on real train rows predict the label of synthetic rows: {goal}"
    found.append(Metric(f"R2S {unit}", "utility", "maximise", low, 1.0, r2s))
    return tuple(found)


def score(predictions: np.ndarray, table: pd.DataFrame, schema: Schema) -> float:
    """The AUC or R^2 of predictions for the rows of a table; rows without a valid label are left out.

    Binary labels: the AUC of the scores of the second category. Categorical labels: the mean over the classes that at
    least `MIN_PEOPLE` people of the table have (over all that it has, if none is so frequent) of the AUC of one class
    against the rest; a class with the same score in every row has AUC 0.5. Range 0 to 1, goal maximise. Numeric and
    integer labels: R^2, at most 1, goal maximise.

    Args:
        predictions: As `fit_and_predict` gives them, a row for each row of the table.
        table: The rows that were predicted.
        schema: The columns.

    Raises:
        NotComputableError: No label, no labelled rows, or a label that does not vary.
        ValueError: Predictions of another number of rows.
    """
    is_known, labels = _labels_to_score(table, schema, predictions)
    return _score(labels, predictions[is_known], _scored_classes(table[is_known], labels, schema))


def brier(predictions: np.ndarray, table: pd.DataFrame, schema: Schema) -> float:
    """The mean squared error of class probabilities; rows without a valid label are left out.

    1/2 sum_k (p_k - [label is k])^2, averaged over the rows: for two classes (p - label)^2. Range 0 to 1, goal
    minimise. It punishes poor ranking and probabilities that are too high or too low alike.

    References:
        Brier, Verification of forecasts expressed in terms of probability, Monthly Weather Review 78, 1950.

    Raises:
        NotComputableError: As `score`, or the label is a quantity, or the model gives scores that are no probabilities.
        ValueError: Predictions of another number of rows.
    """
    is_known, labels = _labels_to_score(table, schema, predictions)
    if not _are_probabilities(predictions):
        raise NotComputableError("the model gives no probabilities")
    return _brier(labels, predictions[is_known])


def estimate(
    predictions: dict[str, np.ndarray],
    table: pd.DataFrame,
    schema: Schema,
    seed: int,
    with_interval: bool,
    reference: dict[str, np.ndarray] | None = None,
) -> dict[str, Estimate]:
    """The score of each model on a table, their mean and the mean Brier score, with 95 % intervals.

    The interval is that of the scored people (the jackknife of `measure.margins`): how far the score would be
    for other people of the same kind. That the fitted rows could have been others is not in it.

    Args:
        predictions: By model, as `fit_and_predict` gives them for this table.
        table: The rows that were predicted.
        schema: The columns.
        seed: Of the groups that the jackknife leaves out.
        with_interval: Whether intervals are wanted.
        reference: Predictions for the same rows by the models fitted on real rows.

    Returns:
        By the end of the metric's name, "AUC" or "R2", "AUC (lightgbm)" and so on, and "Brier" where a model has
        probabilities; with a reference "AUC loss" or "R2 loss", its mean score minus theirs.

    Raises:
        NotComputableError: No label, no labelled rows, or a label that does not vary.
        ValueError: No model, or predictions of another number of rows.
    """
    if not predictions:
        raise ValueError("A score needs the predictions of at least one model, got none.")
    is_known, labels = _labels_to_score(table, schema, *predictions.values(), *(reference or {}).values())
    known, of_reference = (
        {model: values[is_known] for model, values in one.items()} for one in (predictions, reference or {})
    )
    classes = _scored_classes(table[is_known], labels, schema)

    def scores(rows: np.ndarray) -> dict[str, float]:
        found = _scores_by_key(labels[rows], {model: values[rows] for model, values in known.items()}, classes)
        if not of_reference:
            return found
        unit = next(iter(found))
        real = _scores_by_key(labels[rows], {model: values[rows] for model, values in of_reference.items()}, classes)
        return {**found, f"{unit} loss": real[unit] - found[unit]}

    values_by_key = scores(np.arange(len(labels)))
    if not with_interval:
        return {key: Estimate(value) for key, value in values_by_key.items()}
    persons = row_groups(table[is_known], schema)
    reaches = margins(lambda rows: np.array(list(scores(rows).values())), [persons], seed)
    declared = {metric.name.removeprefix("S2R "): metric for metric in metrics(schema, fast=False)}
    unit = next(iter(values_by_key))
    return {
        key: add_interval(value, float(reach), declared.get(key, declared[unit]))
        for (key, value), reach in zip(values_by_key.items(), reaches, strict=True)
    }


def note(fitted: pd.DataFrame, scored: pd.DataFrame, schema: Schema, fast: bool = False) -> str:
    """What a reader of the scores of models fitted and scored on these tables has to know; empty if nothing.

    Neither a class nor a number of rows that only one or two people stand for is named.
    """
    label, persons = label_column(schema), row_groups(scored, schema)
    (fitted_known, labels), (scored_known, scored_labels) = known_labels(fitted, label), known_labels(scored, label)
    notes = []
    for role, is_known, owners in (
        ("to fit on", fitted_known, row_groups(fitted, schema)),
        ("to score on", scored_known, persons),
    ):
        if not is_known.all():
            n_rows = "a few" if is_few(owners[~is_known]) else (~is_known).sum()
            notes.append(f"{n_rows} rows {role} without a valid label left out")
    if len(labels) and np.ptp(labels) == 0:
        consequence = "every AUC is 0.5" if label.is_discrete else "the label cannot be learned"
        notes.append(f"one label value only in the rows to fit on: {consequence}")
    elif label.is_discrete:
        absent = np.setdiff1d(_with_a_say(scored[scored_known], scored_labels, schema), labels)
        rare = [position for position in absent if is_few(persons[scored_known][scored_labels == position])]
        shown = [f"label {label.categories[position]}" for position in absent if position not in rare]
        shown += [f"{len(rare)} rare labels" if len(rare) > 1 else "a rare label"] if rare else []
        if shown:
            notes.append(f"{', '.join(shown)} absent from the rows to fit on: AUC 0.5 for it")
    if label.is_discrete:
        n_rare = len(np.setdiff1d(scored_labels, _with_a_say(scored[scored_known], scored_labels, schema)))
        which = "a label" if n_rare == 1 else f"{n_rare} labels"
        notes += [f"{which} of fewer than {MIN_PEOPLE} people to score on left out of the mean"] if n_rare else []
    for model in models(schema, fast):
        if len(labels) > MAX_ROWS[model]:
            notes.append(f"{model} fitted on {MAX_ROWS[model]:,} of {len(labels):,} rows")
    return "; ".join(notes)


def utility_score(
    train: pd.DataFrame, test: pd.DataFrame, schema: Schema, seed: int = 0, fast: bool = False
) -> pd.Series:
    """The score on `test` of each model of the label that was fitted on `train`, and their `mean`.

    S2R is `utility_score(synthetic, test)`, R2R `utility_score(train, test)`, R2S `utility_score(train, synthetic)`.
    The features are fitted on `train`, whichever table that is. For the models see `label_models.make_model`, for the
    scores `score`: AUC, range 0 to 1, or R^2, at most 1; goal maximise.

    References:
        Esteban et al., Real-valued (medical) time series generation with recurrent conditional GANs, 2017,
        arXiv:1706.02633 (train on synthetic, test on real); arXiv:2512.21395 (S2R, R2S).

    Raises:
        NotComputableError: No label, no other column, no labelled rows, or a label that does not vary in test.
    """
    scores = {}
    for model in models(schema, fast):
        [predictions] = fit_and_predict(model, train, [test], schema, seed)
        scores[model] = score(predictions, test, schema)
    return pd.Series({"mean": float(np.mean(list(scores.values()))), **scores})


def roc(predictions: np.ndarray, table: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """The ROC curve of one model for a binary label: `false_positive_rate`, `true_positive_rate`.

    From (0, 0) to (1, 1); of more than `MAX_ROC_POINTS` points evenly many are left out.

    Raises:
        NotComputableError: As `score`, or the label is not binary.
    """
    is_known, labels = _labels_to_score(table, schema, predictions)
    _check_binary(schema)
    false_positives, true_positives, _ = roc_curve(labels, predictions[is_known, 1])
    n_points = min(len(false_positives), MAX_ROC_POINTS)
    kept = np.linspace(0, len(false_positives) - 1, n_points).round().astype(int)
    return pd.DataFrame({"false_positive_rate": false_positives[kept], "true_positive_rate": true_positives[kept]})


def calibration(predictions: np.ndarray, table: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """The calibration curve of one model for a binary label or a quantity.

    Up to ten bins of equally many rows, in order of the prediction; as many as leave `MIN_PEOPLE` people in each.

    Returns:
        For each bin the mean `predicted` probability of the second category, or quantity, its `observed` share, or
        mean, and `n_people`.

    Raises:
        NotComputableError: As `score`, or the label has more than two categories, the model gives scores that are no
            probabilities, or there are fewer than `MIN_PEOPLE` people.
    """
    is_known, labels = _labels_to_score(table, schema, predictions)
    if not _is_regression(schema):
        _check_binary(schema)
        if not _are_probabilities(predictions):
            raise NotComputableError("the model gives no probabilities")
        predictions = predictions[:, 1]
    rows = pd.DataFrame({"predicted": predictions[is_known], "observed": labels})
    rows["person"] = row_groups(table[is_known], schema)
    if rows["person"].nunique() < MIN_PEOPLE:
        raise NotComputableError(f"fewer than {MIN_PEOPLE} people with a label")
    for n_bins in range(10, 0, -1):
        edges = np.unique(np.quantile(rows["predicted"], np.linspace(0, 1, n_bins + 1)))
        bins = np.searchsorted(edges[1:-1], rows["predicted"])
        n_people = rows.groupby(bins)["person"].nunique()
        if n_people.min() >= MIN_PEOPLE:
            break
    curve = rows.groupby(bins)[["predicted", "observed"]].mean()
    return curve.assign(n_people=n_people).reset_index(drop=True)


def _is_regression(schema: Schema) -> bool:
    return schema.label is not None and not schema[schema.label].is_discrete


def _check_binary(schema: Schema) -> None:
    if label_column(schema).kind != "binary":
        raise NotComputableError("the label is not binary")


def _labels_to_score(table: pd.DataFrame, schema: Schema, *predictions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    for values in predictions:
        if len(values) != len(table):
            raise ValueError(
                f"Predictions must have a row for each of the {len(table)} rows of the table, got {len(values)}. "
                "Predict all rows, those without a label too."
            )
    is_known, labels = known_labels(table, label_column(schema))
    if len(labels) == 0:
        raise NotComputableError("no row has a label that train knows in the table to score on")
    if np.ptp(labels) == 0:
        raise NotComputableError("the label does not vary in the table to score on")
    return is_known, labels


def _are_probabilities(predictions: np.ndarray) -> bool:
    return predictions.ndim == 2 and bool(np.allclose(predictions.sum(axis=1), 1) and predictions.min() >= 0)


def _scored_classes(table: pd.DataFrame, labels: np.ndarray, schema: Schema) -> np.ndarray | None:
    """Classes whose AUC counts; None for a quantity. `labels` are those of the rows of `table`."""
    if _is_regression(schema):
        return None
    return np.array([1]) if label_column(schema).kind == "binary" else _with_a_say(table, labels, schema)


def _with_a_say(table: pd.DataFrame, labels: np.ndarray, schema: Schema) -> np.ndarray:
    """Classes among `labels` that enough people have, or all; of two classes both."""
    present, persons = np.unique(labels), row_groups(table, schema)
    if len(label_column(schema).categories) <= 2:
        return present
    frequent = [one for one in present if len(np.unique(persons[labels == one])) >= MIN_PEOPLE]
    return np.array(frequent) if frequent else present


def _scores_by_key(
    labels: np.ndarray, predictions: dict[str, np.ndarray], classes: np.ndarray | None
) -> dict[str, float]:
    # NaN where the jackknife has left out all people of the other class.
    unit, varies = "R2" if classes is None else "AUC", len(labels) > 0 and np.ptp(labels) > 0
    by_model = {
        f"{unit} ({model})": _score(labels, values, classes) if varies else float("nan")
        for model, values in predictions.items()
    }
    found = {unit: float(np.mean(list(by_model.values()))), **by_model}
    briers = [_brier(labels, values) for values in predictions.values() if _are_probabilities(values)]
    return {**found, "Brier": float(np.mean(briers))} if briers else found


def _score(labels: np.ndarray, predictions: np.ndarray, classes: np.ndarray | None) -> float:
    if classes is None:
        return float(r2_score(labels, predictions))
    # scikit-learn's own macro average refuses classes that are absent from the labels.
    present = [one for one in classes if (labels == one).any()]
    return float(np.mean([auc(predictions[labels == one, one], predictions[labels != one, one]) for one in present]))


def _brier(labels: np.ndarray, probabilities: np.ndarray) -> float:
    truth = np.eye(probabilities.shape[1])[labels]
    return float(((probabilities - truth) ** 2).sum(axis=1).mean() / 2)
