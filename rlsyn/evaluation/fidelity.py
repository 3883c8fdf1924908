"""Fidelity: how far the distribution of the synthetic records is from that of the real ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from rlsyn.evaluation.association import association_difference, association_matrix
from rlsyn.evaluation.features import FeatureEncoder, NotComputableError, row_groups
from rlsyn.evaluation.marginals import ks_statistics, missing_rate_difference, total_variation
from rlsyn.schema import Schema

__all__ = [
    "association_difference",
    "association_matrix",
    "detection_auc",
    "ks_statistics",
    "missing_rate_difference",
    "total_variation",
]

N_FOLDS = 5


def detection_auc(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    schema: Schema,
    groups: np.ndarray | pd.Series | None = None,
    seed: int = 0,
) -> float:
    """The AUC with which a classifier tells synthetic rows from real ones, as the mean of five folds.

    The classifier is scikit-learn's HistGradientBoostingClassifier with 100 iterations; LightGBM joins with the full
    suite. Equal numbers of rows: the larger table is subsampled with the seed. All rows of a person are in one fold.
    Each synthetic row is a person of its own, unless `synthetic` holds the schema's group column, as real rows put in
    its place do.

    Range 0 to 1, goal 0.5. Well below 0.5 is no better: copies of real rows do that, since the copy of a row in another
    fold teaches the opposite of what is true of the row.

    Args:
        real: Real rows.
        synthetic: Synthetic rows.
        schema: The columns.
        groups: Which person each real row belongs to; taken from the schema's group column if not given.
        seed: Of subsample, folds and classifier.

    Raises:
        NotComputableError: Too few rows or persons for five folds.
    """
    real_groups = row_groups(real, schema) if groups is None else pd.factorize(np.asarray(groups))[0]
    n_rows = min(len(real), len(synthetic))
    rng = np.random.default_rng(seed)
    real_rows, synthetic_rows = (np.sort(rng.permutation(len(table))[:n_rows]) for table in (real, synthetic))
    persons = [real_groups[real_rows], row_groups(synthetic, schema)[synthetic_rows]]
    n_persons = min(len(np.unique(side)) for side in persons)
    if n_persons < N_FOLDS:
        raise NotComputableError(f"{N_FOLDS} folds need at least {N_FOLDS} persons on either side, got {n_persons}")
    encoder = FeatureEncoder(schema).fit(real)
    sides = (real.iloc[real_rows], synthetic.iloc[synthetic_rows])
    features = np.concatenate([encoder.transform(rows) for rows in sides])
    is_synthetic = np.repeat([0, 1], n_rows)
    person = np.concatenate([persons[0], persons[1] + real_groups.max() + 1])
    folds = StratifiedGroupKFold(N_FOLDS, shuffle=True, random_state=seed)
    aucs = []
    for fitted, held_out in folds.split(features, is_synthetic, person):
        if len(np.unique(is_synthetic[held_out])) < 2 or len(np.unique(is_synthetic[fitted])) < 2:
            raise NotComputableError("a fold has rows of one side only, because few persons hold most of the rows")
        # Early stopping would hold out rows at random, without regard to persons.
        classifier = HistGradientBoostingClassifier(max_iter=100, early_stopping=False, random_state=seed)
        classifier.fit(features[fitted], is_synthetic[fitted])
        aucs.append(roc_auc_score(is_synthetic[held_out], classifier.decision_function(features[held_out])))
    return float(np.mean(aucs))
