"""Orders of attributes that follow from the records: what is learned best after what."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

N_GROUPS = 6
"""Levels are joined to about so many groups: of finer ones few rows do not tell the dependence."""


def information_order(records: np.ndarray, is_ordered: Sequence[bool], first: int | None = None) -> list[int]:
    """Attributes in the order of a mutual-information tree: each next one tells most about one already placed.

    Args:
        records: Levels `(n, n_attributes)`.
        is_ordered: By attribute whether its levels ascend, as those of a numeric one do.
        first: The attribute that comes first; by default the one with the most information about all others.

    Returns:
        The positions of the attributes, each once.

    References:
        Chow and Liu: Approximating discrete probability distributions with dependence trees, 1968. Their tree, walked
        by Prim's algorithm from its root. Deviation: information is that of groups of levels, less the bias of few
        rows (Miller and Madow, 1955).
    """
    information = mutual_information(records, is_ordered)
    n_attributes = len(information)
    order = [int(information.sum(0).argmax()) if first is None else first]
    while len(order) < n_attributes:
        nearest = information[order].max(0)
        nearest[order] = -np.inf
        order.append(int(nearest.argmax()))
    return order


def mutual_information(records: np.ndarray, is_ordered: Sequence[bool]) -> np.ndarray:
    """Mutual information `(n_attributes, n_attributes)` in nats of every two attributes; 0 on the diagonal.

    Many levels are joined before: neighbours to groups of equal size where levels are ordered, else the rarest to one.
    """
    groups = [
        _neighbours(column) if ordered else _frequent(column)
        for column, ordered in zip(records.T, is_ordered, strict=True)
    ]
    grouped = np.stack(groups, axis=1)
    sizes = grouped.max(0) + 1
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    is_group = np.zeros((len(records), int(sizes.sum())))
    np.put_along_axis(is_group, grouped + starts, 1.0, axis=1)
    joint = is_group.T @ is_group / len(records)
    shares = np.diag(joint)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(joint > 0, joint * np.log(joint / np.outer(shares, shares)), 0.0)
    information = np.add.reduceat(np.add.reduceat(parts, starts, axis=0), starts, axis=1)
    information -= np.outer(sizes - 1, sizes - 1) / (2 * len(records))
    np.fill_diagonal(information, 0.0)
    return information


def _frequent(levels: np.ndarray) -> np.ndarray:
    """The most frequent levels each alone and the rarest joined, numbered from 0 on."""
    _, position, counts = np.unique(levels, return_inverse=True, return_counts=True)
    rank = np.empty_like(counts)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return np.asarray(np.minimum(rank, N_GROUPS - 1)[position])


def _neighbours(levels: np.ndarray) -> np.ndarray:
    """Neighbouring levels joined where they are many, numbered from 0 on without gaps."""
    present, position, counts = np.unique(levels, return_inverse=True, return_counts=True)
    if len(present) <= N_GROUPS:
        return position
    middle = (np.cumsum(counts) - counts / 2) / len(levels)
    _, group = np.unique((middle * N_GROUPS).astype(np.int64), return_inverse=True)
    return np.asarray(group[position])
