"""Values as ranks on the scale of a normal distribution."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri


def normal_scores(values: np.ndarray) -> np.ndarray:
    """The normal score `(n,)` of the mid-rank of each value, equal ones alike; none may be missing.

    Example:
        >>> normal_scores(np.array([7.0, 1.0, 7.0, 9.0])).round(2).tolist()
        [0.0, -1.15, 0.0, 1.15]
    """
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    scores: np.ndarray = ndtri((np.cumsum(counts) - counts / 2) / len(values))[inverse]
    return scores
