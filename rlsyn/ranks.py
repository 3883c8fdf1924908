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
    scores: np.ndarray = ndtri(mid_ranks(counts))[inverse]
    return scores


def mid_ranks(counts: np.ndarray) -> np.ndarray:
    """The share of rows below the middle of each of some ascending values, by how many rows have each."""
    shares: np.ndarray = (np.cumsum(counts) - counts / 2) / max(counts.sum(), 1)
    return shares
