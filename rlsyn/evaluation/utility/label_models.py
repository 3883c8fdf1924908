"""Models of the label that are fitted on one table and applied to others: what utility is measured with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import SVC

from rlsyn.evaluation.features import FeatureEncoder, NotComputableError, category_positions, column_numbers
from rlsyn.names import unknown_name
from rlsyn.schema import Column, Schema

CLASSIFIERS = ("logistic_regression", "random_forest", "lightgbm", "svc", "lightgbm_paper")
"""The models of classes, those of arXiv:2512.21395 for AI-READI (`svc`) and for MIMIC-IV (`lightgbm_paper`) included.

Their score is the plain mean over all of them: boosted trees count twice in it.
"""
REGRESSORS = ("ridge", "random_forest", "lightgbm")
MAX_ROWS = {
    "logistic_regression": 50_000,
    "ridge": 100_000,
    "random_forest": 50_000,
    "lightgbm": 100_000,
    "svc": 6_000,  # the time of a kernel machine grows with the square of its rows
    "lightgbm_paper": 100_000,
}
"""More rows than these are not fitted: a random sample of them stands for all."""
LARGEST_LABEL = 1e30
"""Quantities end here, upwards and downwards, so that a generator gone astray has a wretched R^2 but a finite one.

The squares of larger ones overflow, and LightGBM cannot hold them as single-precision numbers.
"""
CHUNK = 20_000
"""So many rows are encoded at once for prediction: wide tables would not fit into memory."""

_QUIET_AND_REPEATABLE: dict[str, Any] = {"deterministic": True, "force_row_wise": True, "n_jobs": 1, "verbose": -1}
_LIGHTGBM: dict[str, Any] = {
    "n_estimators": 100,
    "learning_rate": 0.05,
    "num_leaves": 15,
    "colsample_bytree": 0.5,
    **_QUIET_AND_REPEATABLE,
}
_LIGHTGBM_PAPER: dict[str, Any] = {
    "n_estimators": 500,
    "learning_rate": 0.01,
    "num_leaves": 50,
    "max_depth": 15,
    "colsample_bytree": 0.9,
    "subsample": 0.9,
    "subsample_freq": 40,
    "reg_alpha": 1.3,
    "min_split_gain": 0.3,
    **_QUIET_AND_REPEATABLE,
}
_CLASSIFIERS: dict[str, Callable[[int], Any]] = {
    "logistic_regression": lambda seed: LogisticRegression(max_iter=5_000),
    "random_forest": lambda seed: RandomForestClassifier(n_estimators=200, n_jobs=1, random_state=seed),
    "lightgbm": lambda seed: LGBMClassifier(random_state=seed, **_LIGHTGBM),
    "svc": lambda seed: SVC(C=1.0, kernel="rbf", gamma="scale"),
    "lightgbm_paper": lambda seed: LGBMClassifier(random_state=seed, **_LIGHTGBM_PAPER),
}
_REGRESSORS: dict[str, Callable[[int], Any]] = {
    "ridge": lambda seed: Ridge(alpha=1.0),
    "random_forest": lambda seed: RandomForestRegressor(200, max_features=1 / 3, n_jobs=1, random_state=seed),
    "lightgbm": lambda seed: LGBMRegressor(random_state=seed, **_LIGHTGBM),
}


def make_model(model: str, is_regression: bool, seed: int) -> Any:
    """An unfitted scikit-learn estimator by its name.

    - `logistic_regression`: L2 penalty, C = 1.
    - `ridge`: penalty 1.
    - `random_forest`: 200 trees; for regression a third of the features at each split.
    - `lightgbm`: 100 trees of 15 leaves, learning rate 0.05, half of the features for each tree: modest, so that its
      probabilities stay honest from 200 rows on.
    - `svc`: RBF kernel, C = 1, gamma "scale", as for AI-READI in arXiv:2512.21395.
    - `lightgbm_paper`: the setting for MIMIC-IV of arXiv:2512.21395: 500 trees of 50 leaves. Its authors declare the
      0/1 columns categorical; here they are numbers, which offers the same splits.

    Raises:
        ValueError: No such model for this kind of label.
    """
    known = _REGRESSORS if is_regression else _CLASSIFIERS
    if model not in known:
        raise ValueError(unknown_name("regression model" if is_regression else "classifier", model, list(known)))
    return known[model](seed)


def fit_and_predict(
    model: str, fitted: pd.DataFrame, scored: Sequence[pd.DataFrame], schema: Schema, seed: int
) -> list[np.ndarray]:
    """What a model of the label that was fitted on one table says about each row of others.

    The features, their scaling included, are learned from `fitted` only. Rows of `fitted` without a valid label are
    left out, quantities end at `LARGEST_LABEL`, and of more rows than `MAX_ROWS` a random sample is taken.

    Args:
        model: As in `make_model`.
        fitted: The table to fit on.
        scored: Those to predict; all of their rows, with or without a label.
        schema: The columns.
        seed: Of the sample of rows and of the model.

    Returns:
        For each scored table its predictions. Binary and categorical labels: scores `(n_rows, n_categories)`,
        probabilities for all models but `svc`, which gives its decision function; a class that is absent from `fitted`
        has 0 in every row, and so every row has the same scores where `fitted` has one class only. Numeric and integer
        labels: values `(n_rows,)`.

    Raises:
        NotComputableError: No label, no other column, no labelled rows to fit on, or no rows to predict.
        ValueError: No such model for this kind of label.
    """
    label = label_column(schema)
    encoder = FeatureEncoder(schema, without=label.name)
    if not encoder.columns:
        raise NotComputableError("there is no column besides the label")
    is_known, labels = known_labels(fitted, label)
    if len(labels) == 0:
        raise NotComputableError("no row has a label that train knows in the table to fit on")
    rows = fitted[is_known]
    encoder.fit(rows)
    sample = _sample(len(labels), MAX_ROWS.get(model, len(labels)), seed)
    estimator = make_model(model, not label.is_discrete, seed)
    fit = _fit_classifier if label.is_discrete else _fit_regressor
    predict = fit(estimator, encoder.transform(rows.iloc[sample]), labels[sample], len(label.categories))
    return [_predict_in_chunks(predict, encoder, table) for table in scored]


def label_column(schema: Schema) -> Column:
    """The column that is to be predicted.

    Raises:
        NotComputableError: The schema names none.
    """
    if schema.label is None:
        raise NotComputableError("the schema names no label")
    return schema[schema.label]


def known_labels(table: pd.DataFrame, label: Column) -> tuple[np.ndarray, np.ndarray]:
    """Which rows have a valid label, and these labels: positions of categories, or numbers up to `LARGEST_LABEL`."""
    if label.is_discrete:
        labels = category_positions(table[label.name], label)
        is_known = labels >= 0
    else:
        labels = np.clip(column_numbers(table[label.name]), -LARGEST_LABEL, LARGEST_LABEL)
        is_known = ~np.isnan(labels)
    return is_known, labels[is_known]


def _sample(n_rows: int, max_rows: int, seed: int) -> np.ndarray:
    if n_rows <= max_rows:
        return np.arange(n_rows)
    return np.sort(np.random.default_rng(seed).permutation(n_rows)[:max_rows])


def _fit_classifier(
    estimator: Any, features: np.ndarray, labels: np.ndarray, n_classes: int
) -> Callable[[np.ndarray], np.ndarray]:
    present = np.unique(labels)
    has_probabilities = hasattr(estimator, "predict_proba")
    if len(present) > 1:
        estimator.fit(features, labels)

    def predict(features: np.ndarray) -> np.ndarray:
        scores = np.zeros((len(features), n_classes))
        if len(present) == 1:  # the only class is certain; a decision function has nothing to tell apart
            scores[:, present] = float(has_probabilities)
        elif has_probabilities:
            scores[:, present] = estimator.predict_proba(features)
        else:
            decisions = estimator.decision_function(features)
            scores[:, present] = np.column_stack([-decisions, decisions]) if decisions.ndim == 1 else decisions
        return scores

    return predict


def _fit_regressor(
    estimator: Any, features: np.ndarray, labels: np.ndarray, n_classes: int
) -> Callable[[np.ndarray], np.ndarray]:
    estimator.fit(features, labels)
    return lambda features: np.asarray(estimator.predict(features), dtype=float)


def _predict_in_chunks(
    predict: Callable[[np.ndarray], np.ndarray], encoder: FeatureEncoder, table: pd.DataFrame
) -> np.ndarray:
    if table.empty:
        raise NotComputableError("there are no rows to score on")
    starts = range(0, len(table), CHUNK)
    return np.concatenate([predict(encoder.transform(table.iloc[start : start + CHUNK])) for start in starts])
