"""Behaviour cloning: the real records are demonstrations of the policy."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rlsyn.linear_start import start_at_regressions
from rlsyn.policy import AutoregressivePolicy

LADDER = (1.0, 3.0, 10.0)
"""Learning rates of gradient descent, as multiples of the first: attributes that follow from others climb on."""
MAX_GRAD_NORM = 100.0
"""Only a step gone astray is cut."""
MOST_STEPS = 128
"""Of an epoch: of more rows each epoch takes others. What has to be learned, and so the time, does not grow with rows."""
MOST_VALIDATION = 8_192
"""Validation records at most: more would not see a likelihood any better, and cost as much as the steps between."""
N_CLONES = 5
"""Of a small table: three gain two thirds of the log-likelihood that five do."""
FEW_PEOPLE = 75
"""Of validation people: what fewer like best is in part chance. With 45 of them five clones gain a log-likelihood per
attribute of .003, with 42 of another table .008, with 105 .001, with 225 .0003."""
MOST_CLONED = 2_000_000
"""Records x attributes x inputs of a small table: of more, five clones take half a minute or longer."""


@dataclass(frozen=True)
class WarmStartResult:
    """What behaviour cloning came to.

    Args:
        n_epochs: Epochs of fine-tuning that were kept, of several clones their mean.
        log_likelihood: Mean log-likelihood of an attribute of a validation record, in nats; of several clones that of
            their mean, of records of those who validate all.
        log_likelihood_marginals: The same of independent attributes: where it began.
    """

    n_epochs: int
    log_likelihood: float
    log_likelihood_marginals: float


def behaviour_clone(
    policy: AutoregressivePolicy,
    records: np.ndarray,
    people: np.ndarray | None = None,
    n_clones: int | None = None,
    n_linear_epochs: int = 50,
    n_epochs: int = 300,
    patience: int = 10,
    batch_size: int = 128,
    learning_rate: float = 3e-3,
    fine_tuning_rate: float = 1e-3,
    dropout: float = 0.5,
    weight_decay: float = 0.0,
    validation_size: float = 0.15,
    seed: int = 0,
) -> WarmStartResult:
    """Maximise the likelihood of real records, attribute by attribute and as a whole.

    It begins at regressions (`start_at_regressions`) of the attributes for which validation people confirm them. From
    there two ways lead on, and the one that validation people like better is kept.

    One is Adam on the whole network with dropout, stopped early, which bends relations where the rows are many. On the
    other the direct, linear path learns by plain gradient descent before Adam. Its steps are as large as the evidence,
    where Adam's move noise and signal at one speed, and each attribute stops by itself when validation people say so:
    one that nothing predicts after an epoch, a ratio of two others after a hundred. That is ridge regression with a
    penalty of its own for every attribute; on few rows, or many attributes, it gains more than Adam does.

    Of very many rows an epoch is `MOST_STEPS` batches of them, so the time is bounded whatever their number.

    Validation people of a small table are few, and the penalties and epochs that they like best are in part chance.
    There several clones all begin at the same weights; each is validated on people of its own beside those who validate
    all and train none (but for steps at limits, see `start_at_regressions`), and the mean of the clones' weights is kept
    (Wortsman et al., Model soups, 2022, arXiv:2203.05482, eq. 1). On the linear path that is exactly the ensemble that
    multiplies their probabilities.

    Args:
        policy: A new policy, trained in place.
        records: Real records `(n, n_attributes)`.
        people: The person each record belongs to: a person's records are either trained on or validated on.
        n_clones: Clones whose weights are averaged; each takes as long as one. By default `N_CLONES` of small tables
            (`FEW_PEOPLE`, `MOST_CLONED`), of others one.
        n_linear_epochs: Epochs at most on each of the three learning rates of the linear path.
        n_epochs: Epochs at most of fine-tuning.
        patience: Epochs without a better validation likelihood before an attribute, or fine-tuning, stops.
        batch_size: Records per step.
        learning_rate: First rate of gradient descent, for the log-likelihood of a whole record.
        fine_tuning_rate: Of Adam.
        dropout: Share of hidden units dropped in fine-tuning.
        weight_decay: Of the network's weights in fine-tuning, decoupled from the gradient (Loshchilov and Hutter,
            2019, arXiv:1711.05101); the biases of levels, which hold the marginals, do not decay.
        validation_size: Share of the people that every clone is validated on, and, of several, that each is validated on
            beside them.
        seed: Seed of the validation split and of the order of records.

    Raises:
        ValueError: Nobody is left to train on, or there are too few people for each clone to be validated on others.
    """
    rng = np.random.default_rng(seed)
    people = people if people is not None else np.arange(len(records))
    n_people = len(np.unique(people))
    if n_clones is None:
        is_small = records.size * policy.actor.network.direct.in_features <= MOST_CLONED
        n_clones = default_clones(n_people, validation_size) if is_small else 1
    n_validation = fold_size(n_people, validation_size)
    if not (0 < n_validation < n_people and 1 <= n_clones <= most_clones(n_people, n_validation)):
        raise ValueError(
            "Early stopping needs people to train on and, for each clone, others to validate on, got "
            f"validation_size={validation_size} of {n_people} people and n_clones={n_clones}."
        )
    of_all, *of_one = people_folds(people, validation_size, n_clones + 1 if n_clones > 1 else 1, rng)
    judging = torch.as_tensor(records[judges := _some(of_all, rng)], device=policy.device)
    start, marginals = deepcopy(policy.actor.state_dict()), _log_likelihood(policy, judging)
    n_kept, clones = [], []
    for part in of_one or [np.zeros_like(of_all)]:
        policy.actor.load_state_dict(start)
        rows = np.flatnonzero(~(of_all | part)), np.union1d(judges, _some(part, rng))
        train, validation = (torch.as_tensor(records[some], device=policy.device) for some in rows)
        both = people[rows[0]], people[rows[1]]
        cloning = _Cloning(policy, train, validation, both, batch_size, patience, weight_decay, rng)
        n_kept.append(cloning.learn(n_linear_epochs, n_epochs, learning_rate, fine_tuning_rate, dropout))
        clones.append(deepcopy(policy.actor.state_dict()))
    policy.actor.load_state_dict(_mean(clones))
    return WarmStartResult(round(float(np.mean(n_kept))), _log_likelihood(policy, judging), marginals)


def _some(is_validation: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Which records validate, `MOST_VALIDATION` at most."""
    rows = np.flatnonzero(is_validation)
    return rows if len(rows) <= MOST_VALIDATION else rows[rng.permutation(len(rows))[:MOST_VALIDATION]]


@torch.no_grad()
def _log_likelihood(policy: AutoregressivePolicy, records: Tensor) -> float:
    """Mean log-likelihood of an attribute of a record."""
    return float(policy.log_probabilities(records).mean())


def _mean(states: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([state[name] for state in states]).mean(0) for name in states[0]}


@dataclass
class _Cloning:
    """The two ways of learning records; each leaves the policy at its best by the validation records."""

    policy: AutoregressivePolicy
    train: Tensor
    validation: Tensor
    people: tuple[np.ndarray, np.ndarray]
    batch_size: int
    patience: int
    weight_decay: float
    rng: np.random.Generator

    def learn(
        self, n_linear_epochs: int, n_epochs: int, learning_rate: float, fine_tuning_rate: float, dropout: float
    ) -> int:
        """Go both ways from the regressions, and keep the better one; returns its epochs of fine-tuning."""
        actor = self.policy.actor
        self.start_at_regressions()
        regressions = deepcopy(actor.state_dict())
        n_kept = self.fine_tune(fine_tuning_rate, n_epochs, dropout)
        reached, without_descent = self.log_likelihood(), deepcopy(actor.state_dict())
        actor.load_state_dict(regressions)
        for multiple in LADDER:
            self.fit_attributes(learning_rate * multiple, n_linear_epochs)
        n_kept_after = self.fine_tune(fine_tuning_rate, n_epochs, dropout)
        if self.log_likelihood() >= reached:
            return n_kept_after
        actor.load_state_dict(without_descent)
        return n_kept

    def log_likelihood(self) -> float:
        """Mean log-likelihood of an attribute of a validation record."""
        return _log_likelihood(self.policy, self.validation)

    def start_at_regressions(self) -> None:
        """Regressions of the attributes that they make likelier."""
        owned = self.policy.actor.linear_parameters()
        before, kept = self._attribute_likelihoods(), [value.detach().clone() for value, _ in owned]
        start_at_regressions(self.policy, self.train.cpu().numpy(), self.validation.cpu().numpy(), self.people)
        is_worse = ~(self._attribute_likelihoods() > before)
        with torch.no_grad():
            for (value, attribute), copy in zip(owned, kept, strict=True):
                rows = is_worse[attribute]
                value[rows] = copy[rows]

    def fit_attributes(self, learning_rate: float, n_epochs: int) -> None:
        """Gradient descent on the linear path; every attribute keeps its own best epoch."""
        owned = self.policy.actor.linear_parameters()
        optimizer = torch.optim.SGD([value for value, _ in owned], lr=learning_rate, momentum=0.9, nesterov=True)
        best, kept = self._attribute_likelihoods(), [value.detach().clone() for value, _ in owned]
        best_epoch = torch.zeros_like(best, dtype=torch.int64)
        is_active = torch.ones_like(best, dtype=torch.bool)
        for epoch in range(1, n_epochs + 1):
            for records in self._batches():
                self._step(optimizer, self._linear_log_probabilities(records) * is_active)
            reached = self._attribute_likelihoods()
            is_better = is_active & (reached > best)
            best, best_epoch[is_better] = torch.where(is_better, reached, best), epoch
            for (value, attribute), copy in zip(owned, kept, strict=True):
                rows = is_better[attribute]
                copy[rows] = value.detach()[rows]
            is_active = epoch - best_epoch < self.patience
            if not is_active.any():
                break
        with torch.no_grad():
            for (value, _), copy in zip(owned, kept, strict=True):
                value.copy_(copy)

    def fine_tune(self, learning_rate: float, n_epochs: int, dropout: float) -> int:
        """Adam on the whole network; returns the epoch that was kept."""
        actor = self.policy.actor
        decaying = {"params": actor.network.parameters(), "weight_decay": self.weight_decay}
        others = {"params": actor.heads.parameters(), "weight_decay": 0.0}
        optimizer = torch.optim.AdamW([others, decaying], learning_rate)
        best, best_epoch, kept = self.log_likelihood(), 0, deepcopy(actor.state_dict())
        for epoch in range(1, n_epochs + 1):
            for records in self._batches():
                self._step(optimizer, self.policy.log_probabilities(records, dropout))
            reached = self.log_likelihood()
            if reached > best:
                best, best_epoch, kept = reached, epoch, deepcopy(actor.state_dict())
            if epoch - best_epoch >= self.patience:
                break
        actor.load_state_dict(kept)
        return best_epoch

    def _batches(self) -> tuple[Tensor, ...]:
        order = torch.as_tensor(self.rng.permutation(len(self.train)), device=self.train.device)
        return self.train[order[: MOST_STEPS * self.batch_size]].split(self.batch_size)

    def _step(self, optimizer: torch.optim.Optimizer, log_probabilities: Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        (-log_probabilities.sum(1).mean()).backward()
        own = [value for group in optimizer.param_groups for value in group["params"]]
        torch.nn.utils.clip_grad_norm_(own, MAX_GRAD_NORM)
        optimizer.step()

    def _linear_log_probabilities(self, records: Tensor) -> Tensor:
        actor = self.policy.actor
        return actor.heads.chosen(actor.linear(self.policy.vectors(records)), records)

    @torch.no_grad()
    def _attribute_likelihoods(self) -> Tensor:
        return self._linear_log_probabilities(self.validation).mean(0)


def default_clones(n_people: int, validation_size: float) -> int:
    """How many clones are made of a table of few entries."""
    n_validation = fold_size(n_people, validation_size)
    is_made = 0 < n_validation < FEW_PEOPLE and most_clones(n_people, n_validation) >= N_CLONES
    return N_CLONES if is_made else 1


def most_clones(n_people: int, n_validation: int) -> int:
    """How many clones people suffice for: each of several is validated on so many of its own beside those of all."""
    return max(n_people // n_validation - 1, 1)


def choose_people(people: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Which records `(n,)` bool are of a random share of the people, at least one unless the share is 0."""
    return people_folds(people, share, 1, rng)[0]


def people_folds(people: np.ndarray, share: float, n_folds: int, rng: np.random.Generator) -> list[np.ndarray]:
    """As `choose_people`, several times with nobody twice; where people run out, the last are of nobody."""
    distinct, person = np.unique(people, return_inverse=True)
    n_chosen = fold_size(len(distinct), share)
    order = rng.permutation(len(distinct))
    return [np.isin(person, order[i * n_chosen : (i + 1) * n_chosen]) for i in range(n_folds)]


def fold_size(n_people: int, share: float) -> int:
    """How many people a share of them is: at least one unless the share is 0."""
    return max(round(share * n_people), 1 if share > 0 else 0)
