"""The realism term: the discriminator's verdict on a record."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from rlsyn.discriminator import Discriminator

RewardForm = Literal["logit", "sigmoid", "log_sigmoid"]


class RealismReward:
    """Reward of finished records by a discriminator; high = realistic.

    With D the probability that a record is real: `logit` is log D - log(1 - D), whose optimum under PPO minimises
    the reverse relative entropy; `sigmoid` is D, as in the paper (arXiv:2512.21395); `log_sigmoid` is log D.

    Args:
        discriminator: Scores records.
        form: One of the three.
        clip: Largest logit, of either sign: a discriminator that is sure must not outshout the rest.
    """

    def __init__(self, discriminator: Discriminator, form: RewardForm = "logit", clip: float = 10.0) -> None:
        if form not in get_args(RewardForm):
            raise ValueError(f"The reward form must be one of {get_args(RewardForm)}, got {form!r}.")
        self.discriminator, self.form, self.clip = discriminator, form, clip

    def __call__(self, records: np.ndarray) -> np.ndarray:
        """Rewards `(n,)` float32 of records `(n, n_attributes)`."""
        logits = np.clip(self.discriminator.score(records), -self.clip, self.clip)
        if self.form == "logit":
            return logits
        return 1 / (1 + np.exp(-logits)) if self.form == "sigmoid" else -np.logaddexp(0, -logits)
