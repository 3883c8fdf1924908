"""The reward of a fit, put together of the terms whose weights are above 0."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import numpy as np

from rlsyn.encoding import Encoding
from rlsyn.rewards.constraints import ConstraintReward
from rlsyn.rewards.own import OwnReward, OwnTerm, terms_at_hand
from rlsyn.rewards.privacy import PrivacyReward
from rlsyn.rewards.realism import RealismReward
from rlsyn.rewards.total import Term, TotalReward
from rlsyn.rewards.trees import TreesReward
from rlsyn.rewards.weights import DEFAULT_WEIGHTS

_log = logging.getLogger(__name__)

N_TRIED = 64
"""Training records that the terms are tried on before training."""


def no_reward(records: np.ndarray) -> np.ndarray:
    """The reward function of a model before a fit: what was saved holds no training rows, which terms need.

    Raises:
        RuntimeError: Always.
    """
    raise RuntimeError(
        "A loaded model only samples, its reward is not saved with it. Train on with fit(..., run_dir=..., resume=True)."
    )


def assemble_reward(
    realism: RealismReward,
    trees: TreesReward,
    encoding: Encoding,
    weights: Mapping[str, float],
    own: Mapping[str, OwnTerm | None],
    records: np.ndarray,
    people: np.ndarray,
) -> TotalReward:
    """The reward function of the environment, tried on a few training records.

    What fails in a term of the user's own is to fail before training, not after.

    Args:
        realism: The realism term.
        trees: The trees term; its decoder is that of all terms that look at values.
        encoding: Of the training table; its schema declares the rules, and without any there is no constraints term.
        weights: By name of the term.
        own: The user's own terms by name.
        records: Training records `(n, n_attributes)`, which the privacy term keeps.
        people: The person each record belongs to.

    Raises:
        ValueError: A term of the user's own is only a name, or does not return a finite number for each record.
    """
    decode = trees.decode
    rules = encoding.schema.constraints
    terms: dict[str, Term] = {"realism": realism, "trees": trees}
    if rules:
        terms["constraints"] = ConstraintReward(rules, decode)
    # It costs time and memory before its first call.
    if weights["privacy"]:
        terms["privacy"] = PrivacyReward(encoding, records, people, device=realism.discriminator.device)
    terms |= {name: OwnReward(name, function, decode) for name, function in terms_at_hand(own).items()}
    reward = TotalReward(terms, weights)
    if not rules and weights["constraints"] not in (0, DEFAULT_WEIGHTS["constraints"]):
        _log.warning(
            "reward_weights.constraints %s has no say: the table declares no rules. Declare them (--constraints), or "
            "leave it out.",
            weights["constraints"],
        )
    if not reward.terms:
        _log.warning("No reward term has a weight: all records are paid 0. Raise one of reward_weights.")
    reward(records[:N_TRIED])
    return reward
