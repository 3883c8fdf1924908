"""The reward of a finished record: the weighted sum of its terms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

import numpy as np

Term = Callable[[np.ndarray], np.ndarray]
"""Rewards `(n,)` float32 of finished records `(n, n_attributes)` int64; high = good."""


@runtime_checkable
class Learner(Protocol):
    """A term that learns from rollouts. Scoring must leave it as it is: records are scored for trial, too."""

    def learn(self, records: np.ndarray) -> None:
        """Take in the finished records `(n, n_attributes)` of a rollout, after they were scored."""


class TotalReward:
    """The weighted sum of reward terms, which is itself a reward function of the record environment.

    Args:
        terms: By name.
        weights: By name, one for each term at least. A term of weight 0 is never called.

    Attributes:
        means: Mean of each term, before its weight, over the records of the last call.

    Raises:
        ValueError: A term has no weight.
    """

    def __init__(self, terms: Mapping[str, Term], weights: Mapping[str, float]) -> None:
        if absent := sorted(set(terms) - set(weights)):
            raise ValueError(f"Expected a weight for every reward term, got none for {absent}.")
        self.terms = {name: (term, weights[name]) for name, term in terms.items() if weights[name]}
        self.means: dict[str, float] = {}

    def __call__(self, records: np.ndarray) -> np.ndarray:
        """Rewards `(n,)` float32 of records `(n, n_attributes)`."""
        total = np.zeros(len(records), dtype=np.float32)
        for name, (term, weight) in self.terms.items():
            values = term(records)
            self.means[name] = float(values.mean())
            total += np.float32(weight) * values
        return total

    def learn(self, records: np.ndarray) -> None:
        """Let the terms that learn take in the records `(n, n_attributes)` of a rollout; once, after it was scored."""
        for term, _ in self.terms.values():
            if isinstance(term, Learner):
                term.learn(records)
