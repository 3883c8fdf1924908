"""Privacy: what the synthetic records give away about the people in the training rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from rlsyn.evaluation.features import FeatureEncoder, NotComputableError, category_positions, column_numbers
from rlsyn.schema import Column, Schema

BLOCK_BYTES = 64_000_000
"""Memory for one block of the matrix of distances."""
NEAR_QUANTILE = 0.01


def membership_auc(train: pd.DataFrame, test: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema) -> float:
    """The AUC of an attacker who takes the real rows nearest to a synthetic row for training rows.

    The score of a real row is minus the Euclidean distance, among features fitted on train, to its nearest synthetic
    row. The AUC of train against test rows is the rank statistic P(score of a train row > score of a test row) + 1/2
    P(equal), without thresholds. Range 0 to 1, goal 0.5; below 0.5 means no more than 0.5.

    References:
        The attack of arXiv:2512.21395, with its AUC free of the threshold grid.

    Raises:
        NotComputableError: A table without rows.
    """
    _check_rows(train=train, test=test, synthetic=synthetic)
    encoder = FeatureEncoder(schema).fit(train)
    targets = encoder.transform(synthetic)
    distances = [nearest_distances(encoder.transform(rows), targets) for rows in (train, test)]
    is_train = np.repeat([1, 0], [len(train), len(test)])
    return float(roc_auc_score(is_train, -np.concatenate(distances)))


def near_copy_share(train: pd.DataFrame, test: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema) -> float:
    """The share of synthetic rows closer to train than all but one per cent of the test rows are.

    Distances are those of the nearest train row, Euclidean among features fitted on train; the limit is the 1 %
    quantile of the test rows' distances. A copy (distance 0) always counts: where more than one per cent of the test
    rows equal a train row the limit is 0, and nothing is closer than that. Range 0 to 1, goal minimise.

    Raises:
        NotComputableError: A table without rows.
    """
    _check_rows(train=train, test=test, synthetic=synthetic)
    encoder = FeatureEncoder(schema).fit(train)
    targets = encoder.transform(train)
    limit = np.quantile(nearest_distances(encoder.transform(test), targets), NEAR_QUANTILE)
    distances = nearest_distances(encoder.transform(synthetic), targets)
    return float(((distances < limit) | (distances == 0)).mean())


def exact_copies(train: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema) -> int:
    """The number of synthetic rows that equal a train row in every column; goal minimise.

    Missing equals missing; categories are compared by their meaning, numbers in the precision of the coarser of the
    two tables.
    """
    sides = [_value_codes(train[column.name], synthetic[column.name], column) for column in schema.columns]
    rows = _row_numbers(sides)
    return int(np.isin(rows[len(train) :], rows[: len(train)]).sum())


def nearest_distances(points: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The Euclidean distance of each point to its nearest target; exactly 0 for a copy, never NaN.

    The nearest target is found by |a - b|^2 = |a|^2 - 2 a.b + |b|^2, which rounds (to below 0 even, a NaN after the
    root); its distance is then taken from the difference a - b itself.
    """
    block = max(1, BLOCK_BYTES // (8 * len(targets)))
    target_squares = (targets**2).sum(axis=1)
    distances = np.empty(len(points))
    for start in range(0, len(points), block):
        rows = points[start : start + block]
        nearest = (target_squares - 2 * rows @ targets.T).argmin(axis=1)
        distances[start : start + block] = np.sqrt(((rows - targets[nearest]) ** 2).sum(axis=1))
    return distances


def _value_codes(train: pd.Series, synthetic: pd.Series, column: Column) -> np.ndarray:
    # Equal numbers for equal values, train rows first.
    if column.is_discrete:
        return np.concatenate([category_positions(values, column) for values in (train, synthetic)])
    numbers = np.concatenate([column_numbers(train), column_numbers(synthetic)])
    if any(values.dtype in (np.float16, np.float32, "Float32") for values in (train, synthetic)):
        numbers = numbers.astype(np.float32)
    return pd.factorize(numbers)[0].astype(np.int64)


def _row_numbers(codes: list[np.ndarray]) -> np.ndarray:
    # Equal numbers for equal rows. Numbering anew after each column keeps the products within 64 bits.
    rows = np.zeros(len(codes[0]), dtype=np.int64)
    for column in codes:
        values = np.unique(column, return_inverse=True)[1]
        rows = np.unique(rows * (values.max(initial=0) + 1) + values, return_inverse=True)[1]
    return rows


def _check_rows(**tables: pd.DataFrame) -> None:
    for name, table in tables.items():
        if len(table) == 0:
            raise NotComputableError(f"{name} has no rows")
