"""Nearest rows of another table: a quick search, then exact distances."""

from __future__ import annotations

import numpy as np

from rlsyn.evaluation.features import NotComputableError

POINT_BLOCK, TARGET_BLOCK = 1_024, 4_096
"""Rows that are compared at once; a block of their distances stays in the processor's cache."""
SHORTLIST = 4
"""Targets that each block proposes for a point."""
FINALISTS = 8
"""Proposals whose distance is computed exactly."""


def nearest_neighbours(
    points: np.ndarray,
    targets: np.ndarray,
    n_neighbours: int = 1,
    persons: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Euclidean distances and row numbers of the nearest targets of each point, nearest first.

    The search ranks the targets by |b|^2 - 2 a.b in single precision about the median target, which is one matrix
    product. This rounds: differences of large squares cancel, come out below 0 for copies, and are NaN after the root
    (the fault that hid up to 13 % of the copies in the reference implementation of arXiv:2512.21395). So the search
    only proposes, and the distances of its finalists are taken from the differences a - b themselves in double
    precision: exactly 0 for a copy, never NaN. Targets that the search cannot tell apart and that are not finalists
    differ from those returned by about 1e-7 of the squared distance from the median target. Of targets at the same
    distance the first finalist wins.

    Args:
        points: Features `(n_points, width)`.
        targets: Features `(n_targets, width)`.
        n_neighbours: How many, at most 4.
        persons: A number for each point and for each target: those of the same person are passed over, and at an
            infinite distance where there are no others.

    Returns:
        Two arrays `(n_points, n_neighbours)`; memory beyond them and two copies in single precision is a few blocks.

    Raises:
        NotComputableError: Fewer targets than neighbours.
    """
    if not 1 <= n_neighbours <= SHORTLIST:
        raise ValueError(f"n_neighbours must be 1 to {SHORTLIST}, got {n_neighbours}.")
    if len(targets) < n_neighbours:
        raise NotComputableError(f"{n_neighbours} nearest of {len(targets)} rows do not exist")
    centre = np.median(targets, axis=0)
    quick_targets = (targets - centre).astype(np.float32)
    squares = np.einsum("ij,ij->i", quick_targets, quick_targets)
    distances = np.empty((len(points), n_neighbours))
    numbers = np.empty((len(points), n_neighbours), dtype=np.int64)
    for start in range(0, len(points), POINT_BLOCK):
        rows = points[start : start + POINT_BLOCK]
        of_rows = None if persons is None else (persons[0][start : start + POINT_BLOCK], persons[1])
        finalists = _finalists((rows - centre).astype(np.float32), quick_targets, squares, of_rows)
        exact = np.column_stack([np.linalg.norm(rows - targets[column], axis=1) for column in finalists.T])
        if of_rows is not None:
            exact[of_rows[1][finalists] == of_rows[0][:, None]] = np.inf
        order = exact.argsort(axis=1, kind="stable")[:, :n_neighbours]
        distances[start : start + POINT_BLOCK] = np.take_along_axis(exact, order, axis=1)
        numbers[start : start + POINT_BLOCK] = np.take_along_axis(finalists, order, axis=1)
    return distances, numbers


def nearest_of_two_people(points: np.ndarray, targets: np.ndarray, persons: np.ndarray) -> np.ndarray:
    """Distances `(n_points, 2)` of each point to its nearest target and, never less, to the nearest of another person.

    Args:
        points: Features `(n_points, width)`.
        targets: Features `(n_targets, width)`.
        persons: A number for each target, the same for those of one person.

    Raises:
        NotComputableError: The targets are of fewer than two people.
    """
    if len(np.unique(persons)) < 2:
        raise NotComputableError("the nearest rows of two people do not exist among rows of one")
    distances, numbers = nearest_neighbours(points, targets, 2)
    nearest, second = persons[numbers].T
    of_others = distances[:, 1].copy()
    if (is_same := nearest == second).any():
        searched = nearest_neighbours(points[is_same], targets, persons=(nearest[is_same], persons))
        # Each search rounds by itself: the second may find a target a hair nearer.
        of_others[is_same] = np.maximum(searched[0][:, 0], distances[is_same, 0])
    return np.column_stack([distances[:, 0], of_others])


def nearest_distances(points: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The Euclidean distance of each point to its nearest target; exactly 0 for a copy, never NaN."""
    return nearest_neighbours(points, targets)[0][:, 0]


def _finalists(
    points: np.ndarray, targets: np.ndarray, squares: np.ndarray, persons: tuple[np.ndarray, np.ndarray] | None
) -> np.ndarray:
    # Row numbers of the targets that may be nearest, in ascending order.
    found, values = [], []
    for start in range(0, len(targets), TARGET_BLOCK):
        ranks = points @ targets[start : start + TARGET_BLOCK].T
        ranks *= -2
        ranks += squares[start : start + TARGET_BLOCK]
        if persons is not None:
            ranks[persons[0][:, None] == persons[1][start : start + TARGET_BLOCK]] = np.inf
        every = np.arange(len(points))
        for _ in range(min(SHORTLIST, ranks.shape[1])):
            best = ranks.argmin(axis=1)
            found.append(start + best)
            values.append(ranks[every, best])
            ranks[every, best] = np.inf
    numbers, proposals = np.column_stack(found), np.column_stack(values)
    if numbers.shape[1] > FINALISTS:
        chosen = proposals.argpartition(FINALISTS - 1, axis=1)[:, :FINALISTS]
        numbers = np.take_along_axis(numbers, chosen, axis=1)
    return np.sort(numbers, axis=1)
