"""A cheap density of records: the best tree of dependences between attributes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree


class TreeDensity:
    """The likeliest distribution in which every attribute but one depends on one other.

    The log-likelihood of a record x is log p(x_root) + sum over the others of log p(x_child | x_parent); the tree is
    the maximum spanning tree of the mutual informations. A conditional share is that of the training records, drawn
    towards the marginal one as if `smoothing` records more had been seen.

    References:
        Chow and Liu: Approximating discrete probability distributions with dependence trees, 1968, IEEE Transactions on
        Information Theory 14(3), eqs. 5 and 12 (there without smoothing).

    Args:
        records: Training records `(n, n_attributes)` of levels.
        n_levels: Number of levels of each attribute.
        smoothing: Above 0, so that no record is impossible.

    Attributes:
        parents: By attribute the one that it depends on; -1 for the root.
    """

    def __init__(self, records: np.ndarray, n_levels: Sequence[int] | np.ndarray, smoothing: float = 5.0) -> None:
        self.n_levels = np.asarray(n_levels)
        counts = [np.bincount(records[:, a], minlength=n) for a, n in enumerate(self.n_levels)]
        marginals = [(count + smoothing / len(count)) / (len(records) + smoothing) for count in counts]
        self.parents = _parents(_mutual_information(records, self.n_levels))
        self._log_shares = []
        for child, parent in enumerate(self.parents):
            if parent < 0:
                self._log_shares.append(np.log(marginals[child])[None, :])
                continue
            joint = _contingency(records, self.n_levels, int(parent), child)
            shares = (joint + smoothing * marginals[child]) / (joint.sum(1, keepdims=True) + smoothing)
            self._log_shares.append(np.log(shares))

    def __call__(self, records: np.ndarray) -> np.ndarray:
        """Log-likelihood per attribute, in nats, `(n,)` float32 of records `(n, n_attributes)`."""
        total = np.zeros(len(records))
        for child, (parent, log_shares) in enumerate(zip(self.parents, self._log_shares, strict=True)):
            given = records[:, parent] if parent >= 0 else np.zeros(len(records), dtype=np.int64)
            total += log_shares[given, records[:, child]]
        return (total / len(self.n_levels)).astype(np.float32)


def _contingency(records: np.ndarray, n_levels: np.ndarray, first: int, second: int) -> np.ndarray:
    cells = records[:, first] * n_levels[second] + records[:, second]
    counts = np.bincount(cells, minlength=n_levels[first] * n_levels[second])
    return counts.reshape(n_levels[first], n_levels[second]).astype(float)


def _mutual_information(records: np.ndarray, n_levels: np.ndarray) -> np.ndarray:
    """Of all pairs of attributes `(n_attributes, n_attributes)`, above the diagonal, in nats."""
    n = len(n_levels)
    information = np.zeros((n, n))
    for first in range(n):
        for second in range(first + 1, n):
            joint = _contingency(records, n_levels, first, second) / len(records)
            independent = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
            is_seen = joint > 0
            information[first, second] = (joint[is_seen] * np.log(joint[is_seen] / independent[is_seen])).sum()
    return information


def _parents(information: np.ndarray) -> np.ndarray:
    if len(information) == 1:
        return np.array([-1])
    # A sparse graph has no edge of weight 0: independent attributes hang on by a hair.
    weights = np.triu(-(information + 1e-9), 1)
    tree = minimum_spanning_tree(csr_matrix(weights))
    _, parents = breadth_first_order(tree, 0, directed=False)
    return np.where(parents < 0, -1, parents)
