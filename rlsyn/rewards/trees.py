"""The trees term: the verdict of a boosted forest, which sees what a network of few steps does not."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from lightgbm import Booster, LGBMClassifier

from rlsyn.encoding import Encoding

EVERY = 5
"""Rollouts between two forests."""
N_ROLLOUTS = 4
"""Rollouts that a forest learns from: one alone says little, older ones are of another policy."""
MAX_REAL = 5_000
"""Training records that forests learn from, so that a forest takes about a second however long the table is."""
CLIP = 5.0
"""Largest logit, of either sign."""
FOREST: Mapping[str, Any] = {
    "n_estimators": 60,
    "num_leaves": 8,
    "learning_rate": 0.1,
    "min_child_samples": 20,
    "colsample_bytree": 0.5,
    "subsample": 0.7,
    "subsample_freq": 1,
    "class_weight": "balanced",
    "n_jobs": 1,
    "deterministic": True,
    "force_col_wise": True,
    "verbose": -1,
}
"""Shallow and few, as it has to rank records of the next rollouts, not to know these by heart."""


class TreesReward:
    """The logit of a boosted forest that tells real from synthetic records, clipped; high = real, 0 before the first.

    A second discriminator beside the network. The network learns a few gradient steps per rollout and is smooth; a
    forest is fitted anew every few rollouts, and finds thresholds and products of few columns at once.

    A rollout is only ever scored by a forest that was fitted before it: forests know the records that they learned from
    too well for their word on these to be worth anything. Scoring changes nothing; `learn` does, once per rollout.

    Like the network it sees levels and not values. The policy chooses levels and nothing else, records need no
    decoding, and the thresholds that a checkpoint keeps lie between levels: they tell of no person's value. The
    training records themselves stay in memory and enter no checkpoint.

    Args:
        encoding: Of the training table.
        real: Training records `(n, n_attributes)`; of more than `MAX_REAL` so many are chosen by chance.
        seed: Of that choice and of the forests.

    References:
        Ke et al.: LightGBM, a highly efficient gradient boosting decision tree, NeurIPS 2017.
    """

    def __init__(self, encoding: Encoding, real: np.ndarray, seed: int = 0) -> None:
        self.encoding, self.seed = encoding, seed
        if len(real) > MAX_REAL:
            real = real[np.random.default_rng(seed).choice(len(real), MAX_REAL, replace=False)]
        self.real = real
        self.pool: deque[np.ndarray] = deque(maxlen=N_ROLLOUTS)
        self.n_learned = 0
        self.forest: Booster | None = None

    def __call__(self, records: np.ndarray) -> np.ndarray:
        """Rewards `(n,)` float32, from -`CLIP` to `CLIP`, of records `(n, n_attributes)`."""
        if self.forest is None:
            return np.zeros(len(records), dtype=np.float32)
        logits = np.asarray(self.forest.predict(self.encoding.vectors(records), raw_score=True, num_threads=1))
        return np.clip(logits, -CLIP, CLIP).astype(np.float32)

    def learn(self, records: np.ndarray) -> None:
        """Take in the finished records `(n, n_attributes)` of a rollout, after it was scored; now and then a forest."""
        self.pool.append(records.astype(np.int16))
        if self.n_learned % EVERY == 0:
            self._fit()
        self.n_learned += 1

    def _fit(self) -> None:
        synthetic = np.concatenate(self.pool).astype(np.int64)
        vectors = self.encoding.vectors(np.concatenate([self.real, synthetic]))
        if vectors.shape[1] == 0:  # nothing varies in the training table
            return
        is_real = np.repeat([1, 0], [len(self.real), len(synthetic)])
        (seed,) = np.random.SeedSequence([self.seed, self.n_learned]).generate_state(1)
        self.forest = LGBMClassifier(**FOREST, random_state=int(seed >> 1)).fit(vectors, is_real).booster_

    def state_dict(self) -> dict[str, Any]:
        """What the term has learned, as tensors and plain values."""
        return {
            "pool": [torch.as_tensor(records) for records in self.pool],
            "n_learned": self.n_learned,
            "forest": None if self.forest is None else self.forest.model_to_string(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`; an empty state, of a run that had no such term, leaves the term as it is."""
        if not state:
            return
        self.pool.clear()
        self.pool.extend(records.cpu().numpy() for records in state["pool"])
        self.n_learned = int(state["n_learned"])
        text = state["forest"]
        self.forest = None if text is None else Booster(model_str=text)
