"""Where cloning begins: one penalised regression for each attribute on those before it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from scipy.special import log_softmax
from scipy.stats import hypergeom
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from rlsyn.levels import CategoryLevels, QuantileLevels
from rlsyn.networks.mixture_heads import N_COMPONENTS, MixtureHeads, log_mixture
from rlsyn.policy import AutoregressivePolicy
from rlsyn.ridge import ridge
from rlsyn.schema import Category
from rlsyn.thresholds import row_of_each
from rlsyn.tilt import KNOWN_PENALTY, Tilt, fit_tilt

INVERSE_PENALTIES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Of logistic regression, the strongest first."""
PATIENCE = 3
"""Penalties in turn that validation rows like less than a stronger one, before no weaker one is tried."""
FEW_ROWS = 500
"""More than inputs, of two classes: there Newton's steps take half the time of quasi-Newton ones."""
MAX_CHANCE = 1e-5
"""Of an input and a class that would be as they are if they had nothing to do with each other; there are many pairs."""
MAX_EXCEPTIONS = 0.05
"""Of those that chance would make: as many as a limit has that people keep."""
MOST_ENTRIES = 100_000_000
"""Rows x inputs of all logistic regressions, and of all ridge regressions: where there are more, seconds become minutes,
and rows are so many that descent learns without."""


@dataclass(frozen=True)
class Choice:
    """A logistic regression: logits `intercepts + inputs @ weights.T` of every class but the first, whose logit is 0.

    `log_likelihood` is the mean over validation rows.
    """

    weights: np.ndarray
    intercepts: np.ndarray
    log_likelihood: float


@threadpool_limits.wrap(limits=1)  # many small problems: threads would only wait for each other
def start_at_regressions(
    policy: AutoregressivePolicy, train: np.ndarray, validation: np.ndarray, people: tuple[np.ndarray, np.ndarray]
) -> None:
    """Set the linear path of a new policy to a regression of each attribute on the inputs of those before it.

    A finely valued attribute has a Gaussian conditional: its normal score z is regressed by ridge. With mean m(x) and
    variance v of the regression, and mean m0 and variance v0 of the marginal, what multiplies the marginal is
    N(z; m(x), v) / N(z; m0, v0): a logit with z times a linear function of x, and z and z^2 times constants, so weights
    of the first output function (`QuantileLevels.basis`) and biases. Were the table a Gaussian copula, this would be
    its conditional distribution. Whether it is missing, and the level of an attribute of few levels, is a logistic
    regression. Gradient descent reaches sure relations (a radius given an area, two results missing together) only
    after hundreds of epochs, when weaker ones have long been overfitted.

    Where a quantity has thresholds (`rlsyn.thresholds`), steps there are weighted beside the Gaussian conditional, and
    its own weights with them, by penalised maximum likelihood (`fit_tilt`), or beside the marginal where validation rows
    like that better. That a step and the category which sets in there matter to each other is known: their weight is
    hardly penalised.

    What is sure is shrunk less than noise. In the regression of a category an input of two values that excludes it is
    hardly penalised, nor are others that tell of it for sure (`relations`) if validation rows like that better; in that of
    a quantity an input is penalised the less, the more it tells (`ridge`). One penalty for all was a compromise: 5 % of
    the records of kidney disease had a finding together with a label that no person has both of. Now 0.5 % do, and test
    people have a log-likelihood per attribute of -1.490 instead of -1.507, of heart failure -1.918 instead of -1.924, of
    BreastCancer-v0 -2.253 instead of -2.260 (warm starts, means of six to eight splits). Rows of one person are no
    evidence for each other, nor do they judge each other's regressions: that alone raises it on AIREADI-v0, of five days
    for each person, from -1.949 to -1.901.

    Inputs are penalised as they are: numbers of about unit variance, flags of 0 and 1 (a value is missing, a category
    is that one), and 1 or -1. Brought to the same variance, what few people have would be blown up and its weight rest
    on them alone: held-out people of kidney disease have a log-likelihood per attribute of -1.515 instead of -1.529, of
    heart failure -1.921 instead of -1.926 (means of six splits).

    Of very many rows and attributes (`MOST_ENTRIES`) little or nothing is regressed. The direct path is part of every
    network, so each may begin here. For a mixture of logistics the index of the level is regressed: it begins as about
    one logistic distribution with the regression as its mean, times what makes its mean over training rows the marginal.

    Args:
        policy: Changed in place.
        train: Real records `(n, n_attributes)`.
        validation: Others, which choose penalties; steps that are known to matter are fitted to both.
        people: The person each training and each validation row is of.
    """
    is_smooth = [isinstance(levels, QuantileLevels) and levels.is_smooth for levels in policy.encoding.levels]
    n_entries = len(train) * policy.actor.network.direct.in_features / 2
    regresses, chooses = n_entries * sum(is_smooth) <= MOST_ENTRIES, n_entries * len(is_smooth) <= MOST_ENTRIES
    if not (regresses or chooses):
        return
    vectors = [
        policy.vectors(torch.as_tensor(rows, device=policy.device)).cpu().double().numpy()
        for rows in (train, validation)
    ]
    shifts = [np.zeros(levels.n_levels) for levels in policy.encoding.levels]
    choices = _Choices(policy, row_of_each(np.concatenate(people)))
    for attribute, levels in enumerate(policy.encoding.levels):
        n_inputs = policy.actor.network.n_inputs(attribute)
        inputs = vectors[0][:, :n_inputs], vectors[1][:, :n_inputs]
        codes = train[:, attribute], validation[:, attribute]
        if n_inputs == 0 or levels.n_levels == 1:
            continue
        if isinstance(levels, QuantileLevels) and levels.is_smooth:
            if regresses:
                has_value = codes[0] < len(levels.bins), codes[1] < len(levels.bins)
                known = inputs[0][has_value[0]], inputs[1][has_value[1]]
                chosen = codes[0][has_value[0]], codes[1][has_value[1]]
                known_people = people[0][has_value[0]]
                _Quantity(policy, attribute, levels, known, chosen, known_people, shifts[attribute]).start()
            if levels.missing and chooses:
                last = policy.actor.heads.out_sizes[attribute] - 1
                missing = tuple((part == len(levels.bins)).astype(int) for part in codes)
                choices.start(attribute, inputs, missing, last, shifts[attribute][-1:])
        elif chooses:
            choices.start(attribute, inputs, codes, 0, shifts[attribute][1:])
    policy.actor.heads.shift_biases(shifts)


@dataclass(frozen=True)
class _Quantity:
    """A finely valued attribute, and the rows that have a value of it.

    Args:
        policy: Changed in place.
        attribute: Its index.
        levels: Its levels.
        inputs: What it is regressed on `(n, width)`; this and the next of training and of validation rows.
        codes: Its levels `(n,)`.
        people: The person each training row is of `(n,)`.
        shift: What is added to the logit of each level `(n_levels,)`, changed in place.
    """

    policy: AutoregressivePolicy
    attribute: int
    levels: QuantileLevels
    inputs: tuple[np.ndarray, np.ndarray]
    codes: tuple[np.ndarray, np.ndarray]
    people: np.ndarray
    shift: np.ndarray

    def start(self) -> None:
        """Begin at a regression, as the heads have it."""
        if isinstance(self.policy.actor.heads, MixtureHeads):
            self._start_mixture(self.policy.actor.heads)
        else:
            self._start_gaussian()

    def _start_gaussian(self) -> None:
        levels, scores = self.levels, self.levels.normal_scores()[self.codes[0]]
        if len(scores) < 2 or scores.var() == 0:
            return
        regression, mean, variance = (
            ridge(self.inputs[0], scores, self.people),
            float(scores.mean()),
            float(scores.var()),
        )
        # A column and its copy: levels are no narrower than their distance, and logits must stay finite.
        width = float(np.median(np.diff(np.sort(levels.normal_scores()[: len(levels.bins)]))))
        left = min(max(regression.variance, width**2 / 12), variance)
        z, half_square = levels.basis()[:, :2].T
        slopes = regression.weights / left
        shift = (regression.intercept / left - mean / variance) * z + (1 / variance - 1 / left) * half_square
        if levels.thresholds and len(self.codes[1]):
            self._start_steps(slopes, shift)
        else:
            self._set_weights([0], z[: len(levels.bins), None], slopes[None])
            self.shift[:] += shift

    def _start_steps(self, slopes: np.ndarray, shift: np.ndarray) -> None:
        """Steps at thresholds beside the Gaussian conditional, whose own weights change with them, or beside the marginal."""
        n_levels, basis = len(self.levels.bins), self.levels.basis()
        first = basis.shape[1] - len(self.levels.flags()) - len(self.levels.thresholds)
        places = [0, 1, *range(first, first + len(self.levels.thresholds))]
        functions = basis[:n_levels, places]
        is_known = np.zeros((len(places), self.inputs[0].shape[1]), dtype=bool)
        for step, pairs in enumerate(self.levels.deciding):
            is_known[2 + step, _inputs_of(self.policy, pairs, is_known.shape[1])] = True
        bases = (slopes, shift[:n_levels]), (0 * slopes, 0 * shift[:n_levels])
        tilts = [self._tilt(functions, is_known, *base) for base in bases]
        tilt, (slopes, shift) = max(zip(tilts, bases, strict=True), key=lambda pair: pair[0].log_likelihood)
        weights = tilt.weights + np.outer(np.arange(len(places)) == 0, slopes)
        self._set_weights(places, functions, weights)
        self.shift[:n_levels] += shift + functions @ tilt.biases

    def _tilt(self, functions: np.ndarray, is_known: np.ndarray, slopes: np.ndarray, shift: np.ndarray) -> Tilt:
        """The tilt of the marginal that was already shifted and weighted."""
        counts = self.levels.counts[: len(functions)]
        base = np.log(np.maximum(counts / counts.sum(), 1e-6)) + shift
        of_train, of_validation = (base + np.outer(inputs @ slopes, functions[:, 0]) for inputs in self.inputs)
        return fit_tilt(functions, (of_train, of_validation), self.inputs, self.codes, is_known)

    def _start_mixture(self, heads: MixtureHeads) -> None:
        (inputs, _), (codes, _), n_levels = self.inputs, self.codes, len(self.levels.bins)
        places = (2 * codes + 1) / n_levels - 1
        if len(places) < 2 or places.var() == 0:
            return
        regression, known = ridge(inputs, places, self.people), torch.as_tensor(inputs, dtype=torch.float32)
        deviation = np.sqrt(max(regression.variance, 1 / (3 * n_levels**2)))
        heads.set_logistic(self.attribute, regression.intercept, deviation)
        weights = torch.as_tensor(regression.weights, dtype=torch.float32).expand(N_COMPONENTS, -1)
        self.policy.actor.network.set_linear(self.attribute, N_COMPONENTS, weights)
        outputs = heads.offsets[self.attribute].detach().cpu().repeat(len(known), 1)
        outputs[:, N_COMPONENTS : 2 * N_COMPONENTS] += known @ weights.T
        mean = log_mixture(outputs, torch.tensor(n_levels), n_levels).double().exp().mean(0).numpy()
        shares = np.bincount(codes, minlength=n_levels) / len(places)
        bias = heads.level_biases(self.attribute)[:n_levels]
        self.shift[:n_levels] += np.log(np.maximum(shares, 1e-6) / np.maximum(mean, 1e-6)) - bias

    def _set_weights(self, places: Sequence[int], functions: np.ndarray, weights: np.ndarray) -> None:
        """Set the weights of output functions that stand at these places; their values are `(n_levels, n_functions)`."""
        if self.policy.head == "free":
            # Each present level but the first has what its functions are above the first one's.
            places, weights = range(len(functions) - 1), (functions[1:] - functions[0]) @ weights
        for place, row in zip(places, weights, strict=True):
            self.policy.actor.network.set_linear(self.attribute, place, torch.as_tensor(row[None]))


@dataclass(frozen=True)
class _Choices:
    """Attributes of few levels, and whether a finely valued one is missing.

    Args:
        policy: Changed in place.
        one_each: A row of each person, training rows before validation rows: those of one are no evidence for each other.
    """

    policy: AutoregressivePolicy
    one_each: np.ndarray

    def start(
        self,
        attribute: int,
        inputs: tuple[np.ndarray, np.ndarray],
        classes: tuple[np.ndarray, ...],
        first: int,
        shift: np.ndarray,
    ) -> None:
        """Begin at a regression, if validation rows like one.

        Args:
            attribute: The index of the attribute.
            inputs: What the class is regressed on, of training and of validation rows.
            classes: Likewise.
            first: Place of the output function of the second class; the others follow.
            shift: What is added to the logits of all classes but the first, changed in place.
        """
        n_classes, rows = len(shift) + 1, self.one_each
        tells, excludes = relations(np.concatenate(inputs)[rows], np.concatenate(classes)[rows])
        # What is related may be so by one cause, which many weights that are hardly penalised would blow up.
        tries = [excludes, tells] if (tells & ~excludes).any() else [excludes]
        found = [logistic(inputs, classes, n_classes, is_known) for is_known in tries]
        choice = max((one for one in found if one), key=lambda one: one.log_likelihood, default=None)
        if choice is None:
            return
        shares = np.bincount(classes[0], minlength=n_classes) / len(classes[0])
        self.policy.actor.network.set_linear(attribute, first, torch.as_tensor(choice.weights))
        # The bias holds the marginal already.
        shift += choice.intercepts - np.log(shares[1:] / shares[0])


def _inputs_of(policy: AutoregressivePolicy, pairs: Sequence[tuple[str, Category]], n_inputs: int) -> list[int]:
    """Which of the first inputs tell of these columns and categories."""
    attributes, found = policy.encoding.inputs()[0][:n_inputs], []
    for name, category in pairs:
        attribute = policy.encoding.names.index(name)
        levels, first = policy.encoding.levels[attribute], int(np.searchsorted(attributes, attribute))
        if first < n_inputs and isinstance(levels, CategoryLevels):
            found.append(first + (int(levels.encode(pd.Series([category]))[0]) if levels.n_levels > 2 else 0))
    return found


def relations(inputs: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which inputs of two values tell of a class for sure, and which of these exclude one, `(width,)` each.

    The rows of a class have them more or less often than by chance (`MAX_CHANCE`, by Fisher's exact test, one-sided).
    Those that exclude one hardly any of its rows have, or hardly any lack (`MAX_EXCEPTIONS` of what chance would make): a
    disease that no healthy person has, a verdict that excludes another, a step at which a category sets in.

    Args:
        inputs: `(n, width)`.
        classes: `(n,)`.
    """
    low, high = inputs.min(0), inputs.max(0)
    is_high = inputs == high
    is_binary = (low < high) & (is_high | (inputs == low)).all(0)
    tells, excludes = np.zeros((2, inputs.shape[1]), dtype=bool)
    n_high = is_high[:, is_binary].sum(0)
    for own in np.unique(classes):
        members = classes == own
        n_members = int(members.sum())
        table = len(inputs), n_high, n_members
        both = is_high[np.ix_(members, is_binary)].sum(0)
        is_sure = np.minimum(hypergeom.cdf(both, *table), hypergeom.sf(both - 1, *table)) < MAX_CHANCE
        expected = n_members * n_high / len(inputs)
        hardly = np.minimum(both / expected, (n_members - both) / (n_members - expected)) <= MAX_EXCEPTIONS
        tells[is_binary] |= is_sure
        excludes[is_binary] |= is_sure & hardly
    return tells, excludes


def logistic(
    inputs: tuple[np.ndarray, np.ndarray], classes: tuple[np.ndarray, ...], n_classes: int, is_known: np.ndarray
) -> Choice | None:
    """Logistic regression of classes `(n,)` on inputs `(n, width)`, each of training and of validation rows.

    Args:
        inputs: Of training and of validation rows.
        classes: Likewise.
        n_classes: How many there are.
        is_known: Which inputs `(width,)` matter for sure: their weights are penalised no more than `KNOWN_PENALTY`.

    Returns:
        That with the penalty that validation rows like best; none if they like the shares of the classes better, or a
        class has no training row.
    """
    if (np.bincount(classes[0], minlength=n_classes) == 0).any():
        return None
    best, (weights, intercepts), n_worse = -np.inf, _marginal(inputs[0], classes[0]), 0
    for fit in _path(inputs[0], classes[0], is_known):
        likelihood = _judged(fit, inputs[1], classes[1])
        if likelihood > best:
            best, (weights, intercepts), n_worse = likelihood, fit, 0
        elif (n_worse := n_worse + 1) == PATIENCE:
            break
    return Choice(weights[1:] - weights[0], intercepts[1:] - intercepts[0], best) if weights.any() else None


def _marginal(inputs: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights and intercepts of the shares of the classes."""
    shares = np.bincount(classes) / len(classes)
    return np.zeros((len(shares), inputs.shape[1])), np.log(shares)


def _path(inputs: np.ndarray, classes: np.ndarray, is_known: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Weights `(n_classes, width)` and intercepts of the shares of the classes, then of regressions, ever less penalised."""
    yield _marginal(inputs, classes)
    n_classes, means = classes.max() + 1, inputs.mean(0)
    centred, scales = inputs - means, np.ones(len(means))
    is_small = n_classes == 2 and len(means) < len(inputs) <= FEW_ROWS
    solver = "newton-cholesky" if is_small else "lbfgs"
    model = LogisticRegression(warm_start=True, max_iter=200, solver=solver)
    for inverse_penalty in INVERSE_PENALTIES:
        model.set_params(C=inverse_penalty)
        before, scales = scales, np.where(is_known, max(1.0, (inverse_penalty * KNOWN_PENALTY) ** -0.5), 1.0)
        if hasattr(model, "coef_"):
            model.coef_ *= before / scales
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a start need not be exact
            model.fit(centred * scales, classes)
        weights, intercepts = model.coef_ * scales, model.intercept_
        if n_classes == 2:
            weights, intercepts = np.stack([0 * weights[0], weights[0]]), np.array([0.0, intercepts[0]])
        yield weights, intercepts - weights @ means


def _judged(fit: tuple[np.ndarray, np.ndarray], inputs: np.ndarray, classes: np.ndarray) -> float:
    """Mean log-likelihood of the classes."""
    logits = inputs @ fit[0].T + fit[1]
    return float(log_softmax(logits, axis=1)[np.arange(len(classes)), classes].mean())
