"""The intervals that are the levels of a numeric column, and how values are drawn inside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Bin:
    """One level of a numeric column: an interval, and how values are drawn in it.

    Values that several people share are `atoms`: they are reproduced with their training frequency. The rest are
    never reproduced as such; a draw runs along `knots`, quantiles of the values that only one or two people have.
    """

    lower: float
    upper: float
    atoms: np.ndarray
    atom_shares: np.ndarray
    knots: np.ndarray


class BinSampler:
    """Draws values inside intervals, for many records at once.

    Everything lies on one axis: interval k has its atoms from k to k + 1 and its knots from 2 k to 2 k + 1, so that a
    single search answers for all records.

    Args:
        bins: The intervals.
    """

    def __init__(self, bins: Sequence[Bin]) -> None:
        ends = [k + np.cumsum(interval.atom_shares) for k, interval in enumerate(bins)]
        places = [2 * k + np.linspace(0, 1, len(interval.knots)) for k, interval in enumerate(bins)]
        self.atom_ends, self.atoms = np.concatenate(ends), np.concatenate([interval.atoms for interval in bins])
        self.places, self.knots = np.concatenate(places), np.concatenate([interval.knots for interval in bins])
        self.last_atom = np.cumsum([len(interval.atoms) for interval in bins]) - 1
        self.atom_share = np.array([interval.atom_shares.sum() for interval in bins])
        self.has_knots = np.array([len(interval.knots) > 0 for interval in bins])

    def draw(self, levels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """A value for each level, and whether it is an atom (and so needs no rounding)."""
        uniform, share = rng.random(len(levels)), self.atom_share[levels]
        is_atom = (uniform < share) | ~self.has_knots[levels]
        values = np.empty(len(levels))
        found = np.searchsorted(self.atom_ends, (levels + uniform)[is_atom], side="right")
        values[is_atom] = self.atoms[np.minimum(found, self.last_atom[levels[is_atom]])]
        if not is_atom.all():
            position = ((uniform - share) / np.maximum(1 - share, 1e-12))[~is_atom]
            values[~is_atom] = np.interp(2 * levels[~is_atom] + position, self.places, self.knots)
        return values, is_atom
