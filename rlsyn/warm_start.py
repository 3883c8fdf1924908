"""Behaviour cloning: the real records are demonstrations of the policy."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch

from rlsyn.policy import AutoregressivePolicy


@dataclass(frozen=True)
class WarmStartResult:
    """What behaviour cloning came to.

    Args:
        n_epochs: Epochs of the policy that was kept.
        log_likelihood: Mean log-likelihood of an attribute of a validation record, in nats.
        log_likelihood_marginals: The same of independent attributes: where it began.
    """

    n_epochs: int
    log_likelihood: float
    log_likelihood_marginals: float


def behaviour_clone(
    policy: AutoregressivePolicy,
    records: np.ndarray,
    people: np.ndarray | None = None,
    n_epochs: int = 300,
    patience: int = 15,
    batch_size: int = 128,
    learning_rate: float = 1e-3,
    dropout: float = 0.2,
    weight_decay: float = 1e-2,
    validation_size: float = 0.15,
    seed: int = 0,
    progress: Callable[[int, float], None] | None = None,
) -> WarmStartResult:
    """Maximise the likelihood of real records; stops early and keeps the best epoch by validation records.

    Args:
        policy: Trained in place.
        records: Real records `(n, n_attributes)`.
        people: The person each record belongs to: a person's records are either trained on or validated on.
        n_epochs: Epochs at most.
        patience: Epochs without a better validation likelihood before it stops.
        batch_size: Records per step.
        learning_rate: Of AdamW.
        dropout: Share of hidden units dropped.
        weight_decay: Of AdamW.
        validation_size: Share of the people that are validated on.
        seed: Seed of the validation split and of the order of records.
        progress: Called after each epoch with its number and the validation log-likelihood.

    Returns:
        The result; without any people to spare (`validation_size` 0) all epochs are run.
    """
    rng = np.random.default_rng(seed)
    is_validation = _choose_people(people if people is not None else np.arange(len(records)), validation_size, rng)
    train = torch.as_tensor(records[~is_validation], device=policy.device)
    validation = torch.as_tensor(records[is_validation if is_validation.any() else ~is_validation], device=policy.device)
    optimizer = torch.optim.AdamW(policy.actor.parameters(), lr=learning_rate, weight_decay=weight_decay)
    start = best = _log_likelihood(policy, validation)
    best_state, best_epoch = deepcopy(policy.actor.state_dict()), 0
    for epoch in range(1, n_epochs + 1):
        order = torch.as_tensor(rng.permutation(len(train)), device=policy.device)
        for rows in order.split(batch_size):
            loss = -policy.log_probabilities(train[rows], dropout).mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]  # torch types it so
            torch.nn.utils.clip_grad_norm_(policy.actor.parameters(), 1.0)
            optimizer.step()
        reached = _log_likelihood(policy, validation)
        if progress is not None:
            progress(epoch, reached)
        if reached > best:
            best, best_epoch, best_state = reached, epoch, deepcopy(policy.actor.state_dict())
        elif epoch - best_epoch >= patience and is_validation.any():
            break
    policy.actor.load_state_dict(best_state)
    return WarmStartResult(best_epoch, best, start)


@torch.no_grad()
def _log_likelihood(policy: AutoregressivePolicy, records: torch.Tensor) -> float:
    parts = [policy.log_probabilities(part).mean(1) for part in records.split(4096)]
    return float(torch.cat(parts).mean())


def _choose_people(people: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    distinct, person = np.unique(people, return_inverse=True)
    n_chosen = round(share * len(distinct))
    return np.isin(person, rng.permutation(len(distinct))[:n_chosen])
