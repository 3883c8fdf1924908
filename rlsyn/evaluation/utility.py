"""Utility: how well a model of the label that was fitted on one table does on another."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.svm import SVC

from rlsyn.evaluation.features import FeatureEncoder, NotComputableError, category_positions, column_numbers
from rlsyn.schema import Column, Schema

CLASSIFIERS = ("svc", "random_forest", "logistic_regression")
REGRESSORS = ("ridge", "random_forest")
MAX_SVC_ROWS = 6_000
"""The time of a kernel machine grows with the square of its rows: it is fitted on a sample of this size."""


def utility_score(train: pd.DataFrame, test: pd.DataFrame, schema: Schema, seed: int = 0) -> pd.Series:
    """The score on `test` of each model of the label that was fitted on `train`, and their `mean`.

    Binary and categorical labels: the AUC of `svc` (RBF, C = 1, gamma "scale", by its decision function),
    `random_forest` (200 trees) and `logistic_regression`; for more than two categories the mean over the classes
    present in test of the AUC of one class against the rest. A class that is absent from train has the same score in
    every row, hence AUC 0.5; where train holds one class only that holds for all of them. Range 0 to 1, goal maximise.

    Numeric and integer labels: R^2 of `ridge` (penalty 1) and `random_forest` (200 trees, a third of the features at
    each split). At most 1, goal maximise.

    The features are fitted on `train`, whichever table that is: S2R is `utility_score(synthetic, test)`, R2R
    `utility_score(train, test)`, R2S `utility_score(train, synthetic)`. Rows without a valid label are left out.

    References:
        Esteban et al., Real-valued (medical) time series generation with recurrent conditional GANs, 2017,
        arXiv:1706.02633 (train on synthetic, test on real); the SVC of arXiv:2512.21395.

    Raises:
        NotComputableError: No label, no other column, no labelled rows, or a label that does not vary in test.
    """
    label = _label_column(schema)
    encoder = FeatureEncoder(schema, without=label.name)
    if not encoder.columns:
        raise NotComputableError("there is no column besides the label")
    train_rows, train_labels = _labelled(train, label)
    test_rows, test_labels = _labelled(test, label)
    if not (len(train_labels) and len(test_labels)):
        raise NotComputableError(
            "no row has a label in the table to " + ("score on" if len(train_labels) else "fit on")
        )
    if len(np.unique(test_labels)) < 2:
        raise NotComputableError("the label does not vary in the table to score on")
    features = encoder.fit(train_rows).transform(train_rows)
    test_features = encoder.transform(test_rows)
    if label.is_discrete:
        scores = _classify(features, train_labels, test_features, test_labels, len(label.categories), seed)
    else:
        scores = _regress(features, train_labels, test_features, test_labels, seed)
    return pd.Series({"mean": float(np.mean(list(scores.values()))), **scores})


def utility_note(train: pd.DataFrame, test: pd.DataFrame, schema: Schema) -> str:
    """What a reader of `utility_score(train, test, schema)` has to know about the labels; empty if nothing."""
    label = _label_column(schema)
    labels, test_labels = _labelled(train, label)[1], _labelled(test, label)[1]
    notes = []
    for role, table, known in (("to fit on", train, labels), ("to score on", test, test_labels)):
        if len(known) < len(table):
            notes.append(f"{len(table) - len(known)} rows {role} without a valid label left out")
    if len(labels) and len(np.unique(labels)) < 2:
        consequence = "every AUC is 0.5" if label.is_discrete else "the label cannot be learned"
        notes.append(f"one label value only in the rows to fit on: {consequence}")
    elif label.is_discrete:
        absent = [str(label.categories[position]) for position in np.setdiff1d(test_labels, labels).astype(int)]
        if absent:
            notes.append(f"label {', '.join(absent)} absent from the rows to fit on: AUC 0.5 for it")
    if label.is_discrete and len(labels) > MAX_SVC_ROWS:
        notes.append(f"svc fitted on {MAX_SVC_ROWS:,} of {len(labels):,} rows")
    return "; ".join(notes)


def _label_column(schema: Schema) -> Column:
    if schema.label is None:
        raise NotComputableError("the schema names no label")
    return schema[schema.label]


def _labelled(table: pd.DataFrame, label: Column) -> tuple[pd.DataFrame, np.ndarray]:
    if label.is_discrete:
        labels = category_positions(table[label.name], label)
        is_known = labels >= 0
    else:
        labels = column_numbers(table[label.name])
        is_known = ~np.isnan(labels)
    return table[is_known], labels[is_known]


def _classify(
    features: np.ndarray,
    labels: np.ndarray,
    test_features: np.ndarray,
    test_labels: np.ndarray,
    n_categories: int,
    seed: int,
) -> dict[str, float]:
    models = {
        "svc": SVC(C=1.0, kernel="rbf", gamma="scale"),
        "random_forest": RandomForestClassifier(n_estimators=200, random_state=seed),
        "logistic_regression": LogisticRegression(max_iter=2000),
    }
    scores = {}
    for name in CLASSIFIERS:
        rows = np.arange(len(labels))
        if name == "svc" and len(rows) > MAX_SVC_ROWS:
            rows = np.sort(np.random.default_rng(seed).permutation(rows)[:MAX_SVC_ROWS])
        class_scores = np.zeros((len(test_labels), n_categories))
        if len(np.unique(labels[rows])) > 1:
            model = models[name].fit(features[rows], labels[rows])
            class_scores[:, model.classes_] = _scores_by_class(model, test_features)
        scores[name] = _one_versus_rest_auc(test_labels, class_scores)
    return scores


def _scores_by_class(model: SVC | RandomForestClassifier | LogisticRegression, features: np.ndarray) -> np.ndarray:
    if hasattr(model, "predict_proba"):
        return np.asarray(model.predict_proba(features))
    decisions = np.asarray(model.decision_function(features))
    return np.column_stack([-decisions, decisions]) if decisions.ndim == 1 else decisions


def _one_versus_rest_auc(labels: np.ndarray, class_scores: np.ndarray) -> float:
    # scikit-learn's own macro average refuses classes that are absent from the labels.
    classes = np.unique(labels) if class_scores.shape[1] > 2 else np.array([1])
    return float(np.mean([roc_auc_score(labels == one, class_scores[:, one]) for one in classes]))


def _regress(
    features: np.ndarray, labels: np.ndarray, test_features: np.ndarray, test_labels: np.ndarray, seed: int
) -> dict[str, float]:
    models = {
        "ridge": Ridge(alpha=1.0),
        "random_forest": RandomForestRegressor(n_estimators=200, max_features=1 / 3, random_state=seed),
    }
    scores = {}
    for name in REGRESSORS:
        predictions = models[name].fit(features, labels).predict(test_features)
        scores[name] = float(r2_score(test_labels, predictions))
    return scores
