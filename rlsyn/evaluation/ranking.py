"""How well scores rank rows of one kind above rows of another."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata


def auc(positive: np.ndarray, negative: np.ndarray) -> float:
    """The area under the ROC curve of scores `(n,)` and `(m,)`: the share of pairs whose positive row has the higher one.

    Ties count one half; NaN where there is no pair. The value is that of scikit-learn's `roc_auc_score`, which checks
    its arguments for a hundred times as long: intervals and references ask for hundreds of them.

    References:
        Hanley and McNeil: The meaning and use of the area under a receiver operating characteristic (ROC) curve, 1982.
    """
    n, m = len(positive), len(negative)
    if n == 0 or m == 0:
        return float("nan")
    ranks = rankdata(np.concatenate([positive, negative]))[:n]
    return float((ranks.sum() - n * (n + 1) / 2) / (n * m))
