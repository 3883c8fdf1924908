"""Calibration of a policy's marginals to those of the training records."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from rlsyn.policy import Actor, AutoregressivePolicy

PRIOR_RECORDS = 500
"""Records with the training marginals that are added to the sample, so that chance does not move rare levels."""


def calibrate_marginals(
    policy: AutoregressivePolicy,
    marginals: Sequence[np.ndarray],
    n_records: int = 16_384,
    n_rounds: int = 3,
    generator: torch.Generator | None = None,
    actor: Actor | None = None,
) -> float:
    """Shift the biases of a policy until its records have the training marginals; returns the last largest gap.

    Each round draws records and adds log(training share / drawn share) to the bias of every level. Early attributes
    change what follows from them, hence the rounds. Dependence is left alone: only the biases move, no new fact about
    a training record but the marginals enters. The gap is the largest difference of two shares before the last round.
    Where a rule forbids levels, the others have their shares among themselves.

    References:
        Deming and Stephan: On a least squares adjustment of a sampled frequency table when the expected marginal
        totals are known, 1940 (raking).

    Args:
        policy: Changed in place.
        marginals: Training share of each level, by attribute.
        n_records: Records drawn per round.
        n_rounds: Rounds.
        generator: Source of randomness.
        actor: Another actor of the policy's encoding that is changed instead of its own.
    """
    gap, actor = 0.0, actor or policy.actor
    # A level that is never drawn would be raised in every round, at the cost of those beside it.
    marginals = policy.masks.of_shares(marginals)
    for _ in range(n_rounds):
        drawn = policy.sample(n_records, generator=generator, actor=actor).cpu().numpy()
        gap, shifts = 0.0, []
        for attribute, wanted in enumerate(marginals):
            counts = np.bincount(drawn[:, attribute], minlength=len(wanted))
            gap = max(gap, float(np.abs(counts / n_records - wanted).max()))
            found = (counts + PRIOR_RECORDS * wanted) / (n_records + PRIOR_RECORDS)
            shift = np.log(np.maximum(wanted, 1e-6)) - np.log(np.maximum(found, 1e-6))
            if actor.heads.missing_apart[attribute]:
                # Its logit is that of a choice between missing and present.
                shift[-1] -= np.log(max(1 - wanted[-1], 1e-6)) - np.log(max(1 - found[-1], 1e-6))
            shifts.append(shift)
        actor.heads.shift_biases(shifts)
    return gap
