"""The privacy term: what a record pays for lying closer to a training row than real people lie to each other."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from rlsyn.encoding import Encoding

RARE = 20.0
"""No difference in one column counts more than this many typical ones, so that a rare code does not hide a copy."""
MAX_PEOPLE_ROWS = 2_000
"""Training rows whose distances to other people's rows give the scale."""
CHUNK = 4_096
"""Training rows that are compared at once."""


class PrivacyReward:
    """Minus the share by which a record falls short of the distance that real people keep: -max(0, 1 - d / q).

    d is the distance to the nearest training row; q is a quantile of the distances of training rows to the nearest row
    of another person, which is what rows of new people would show. A copy earns -1, a record no closer than
    real people are earns 0. Where real rows of different people are often equal (q = 0) nothing is too close.

    Distances are Euclidean among the vectors that the discriminator sees (levels, not values). Each column's part is
    divided by the mean squared difference of two training rows in it, so that a column counts the same however many
    entries it has; the squares are averaged over the columns. So two rows drawn at random have a root mean square
    distance of about 1. A part of a column counts at most `RARE` such means.

    The training rows are kept for comparison, in memory only: they enter no saved model and no checkpoint.

    Args:
        encoding: Of the training table.
        records: Training records `(n, n_attributes)`, of two people at least.
        people: The person each record belongs to.
        quantile: Which quantile of the distances among people is q, from 0 to 1.
        device: A torch device.
    """

    def __init__(
        self,
        encoding: Encoding,
        records: np.ndarray,
        people: np.ndarray,
        quantile: float = 0.5,
        device: str | torch.device = "cpu",
    ) -> None:
        self._attribute, table = encoding.inputs()
        # The squares of centred numbers are small, and so are their rounding errors.
        center = encoding.vectors(records).mean(0)
        self._table = (table - center[:, None]) * np.sqrt(column_weights(encoding))[self._attribute][:, None]
        self._device = torch.device(device)
        self._rows = self._vectors(records)
        self._people = torch.as_tensor(np.unique(people, return_inverse=True)[1], device=self._device)
        # Evenly spread, as tables may be sorted.
        chosen = np.linspace(0, len(records) - 1, min(len(records), MAX_PEOPLE_ROWS)).astype(np.int64)
        among_people = self._nearest(self._rows[chosen], self._people[chosen])
        self.scale = float(torch.quantile(among_people, quantile))

    def __call__(self, records: np.ndarray) -> np.ndarray:
        """Rewards `(n,)` float32, from -1 to 0, of records `(n, n_attributes)`."""
        if self.scale == 0:
            return np.zeros(len(records), dtype=np.float32)
        distances = self._nearest(self._vectors(records))
        rewards: np.ndarray = -(1 - distances / self.scale).clamp(min=0).cpu().numpy()
        return rewards

    def _vectors(self, records: np.ndarray) -> Tensor:
        vectors = self._table[np.arange(len(self._attribute)), records[:, self._attribute]]
        return torch.as_tensor(vectors, dtype=torch.float32, device=self._device)

    def _nearest(self, vectors: Tensor, people: Tensor | None = None) -> Tensor:
        """Distances `(n,)` to the nearest training row, of another person where `people` are given."""
        nearest = torch.full((len(vectors),), torch.inf, device=self._device)
        row = torch.zeros(len(vectors), dtype=torch.int64, device=self._device)
        for start in range(0, len(self._rows), CHUNK):
            rows, persons = self._rows[start : start + CHUNK], self._people[start : start + CHUNK]
            # The same for all rows but for the square of the vector itself.
            squared = rows.square().sum(1) - 2 * vectors @ rows.T
            if people is not None:
                squared.masked_fill_(people[:, None] == persons, torch.inf)
            value, index = squared.min(1)
            row = torch.where(value < nearest, start + index, row)
            nearest = torch.minimum(nearest, value)
        # The product tells which row is the nearest; near 0, only the difference tells how near.
        return (vectors - self._rows[row]).norm(dim=1)


def column_weights(encoding: Encoding) -> np.ndarray:
    """What the squared difference of two records' vectors in each attribute is multiplied with, `(n_attributes,)`.

    Weighted so, the squared difference of two training rows is 1 / n_attributes on average in every attribute, but less
    in those with a difference of more than `RARE` such averages. An attribute of one level has weight 0.
    """
    attribute, table = encoding.inputs()
    weights = np.zeros(len(encoding.levels))
    for i, shares in enumerate(encoding.marginals()):
        features = table[attribute == i, : len(shares)].T.astype(np.float64)
        squares = np.square(features).sum(1)
        differences = np.maximum(squares[:, None] + squares - 2 * features @ features.T, 0)
        typical = max(shares @ differences @ shares, differences.max(initial=0) / RARE)
        weights[i] = 1 / typical if typical > 0 else 0.0
    return weights / len(weights)
