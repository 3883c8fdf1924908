"""What the search tries of each method, around its defaults and the spaces of arXiv:2512.21395, at about their cost.

And what it tries it for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from typing import TYPE_CHECKING, Any

from rlsyn.methods import method_class

if TYPE_CHECKING:
    from optuna.trial import BaseTrial  # only the search itself needs Optuna

OBJECTIVES = {
    "s2r": "utility loss",
    "membership": "membership",
    "association": "association",
    "detection": "detection",
}
"""What may be minimised side by side instead of the sum of all, and the term of the criterion that each is."""
SCALINGS = ["range", "uniform", "normal"]


def _log(trial: BaseTrial, name: str, low: float, high: float) -> float:
    """A number drawn evenly by its logarithm, with the two digits that matter."""
    return float(f"{trial.suggest_float(name, low, high, log=True):.2g}")


def _rlsyn(trial: BaseTrial) -> dict[str, Any]:
    return {
        "n_levels": trial.suggest_categorical("n_levels", [24, 32, 48]),
        "kl_coef": _log(trial, "kl_coef", 0.03, 0.5),
        "algo_kwargs": {"learning_rate": _log(trial, "ppo_rate", 1e-4, 1e-3)},
        "warm_start_kwargs": {
            "dropout": round(trial.suggest_float("cloning_dropout", 0.2, 0.7), 2),
            "n_epochs": trial.suggest_int("cloning_epochs", 5, 300, log=True),
        },
        "discriminator_kwargs": {
            "r1_gamma": _log(trial, "r1_gamma", 1.0, 30.0),
            "learning_rate": _log(trial, "discriminator_rate", 1e-4, 1e-3),
        },
        # The knobs of privacy, as experiments/trade_off.py turns them.
        "reward_weights": {"privacy": trial.suggest_categorical("privacy", [0.0, 1.0, 3.0])},
        "temperature": round(trial.suggest_float("temperature", 0.8, 1.1), 2),
    }


def _one_step(trial: BaseTrial) -> dict[str, Any]:
    return {
        "scaling": trial.suggest_categorical("scaling", SCALINGS),
        "n_iterations": trial.suggest_categorical("n_iterations", [4_000, 6_000, 8_000]),
        "pace": _log(trial, "pace", 3.0, 15.0),  # at 20, training was seen to diverge
        "batch_size": trial.suggest_categorical("batch_size", [64, 128]),
        "r1_gamma": _log(trial, "r1_gamma", 1.0, 10.0),
        "value_weight": trial.suggest_categorical("value_weight", [0.0, 0.5]),
    }


def _emr_wgan(trial: BaseTrial) -> dict[str, Any]:
    units = trial.suggest_categorical("units", [128, 256])
    return {
        "scaling": trial.suggest_categorical("scaling", SCALINGS),
        "generator_rate": _log(trial, "generator_rate", 5e-5, 1e-3),
        "critic_rate": _log(trial, "critic_rate", 1e-4, 2e-3),
        "penalty": _log(trial, "penalty", 1.0, 20.0),
        "n_critic_steps": trial.suggest_int("n_critic_steps", 1, 3),
        "generator_size": [units, 3],
        "critic_size": [units, 3],
    }


def _ehrdiff(trial: BaseTrial) -> dict[str, Any]:
    return {
        "scaling": trial.suggest_categorical("scaling", SCALINGS),
        "learning_rate": _log(trial, "learning_rate", 1e-4, 3e-3),
        "sigma_data": _log(trial, "sigma_data", 0.06, 1.0),
        # By default the steps follow the rows; 1,000 is their least.
        "n_steps": trial.suggest_categorical("n_steps", [None, 1_500, 2_500]),
        "batch_size": trial.suggest_categorical("batch_size", [64, 128]),
        "time_size": trial.suggest_categorical("time_size", [64, 128, 192]),
    }


def _ctabgan_plus(trial: BaseTrial) -> dict[str, Any]:
    return {
        "batch_size": trial.suggest_categorical("batch_size", [100, 200, 300]),
        "learning_rate": _log(trial, "learning_rate", 1e-4, 1e-3),
        "penalty": _log(trial, "penalty", 1.0, 20.0),
        "n_noise": trial.suggest_categorical("n_noise", [64, 128]),
        "n_hidden": trial.suggest_categorical("n_hidden", [128, 256]),
        "n_modes": trial.suggest_categorical("n_modes", [5, 10]),
    }


def _sequential_trees(trial: BaseTrial) -> dict[str, Any]:
    return {
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 2, 30, log=True),
        "smoothing": trial.suggest_categorical("smoothing", [False, True]),
    }


SPACES: dict[str, Callable[[BaseTrial], dict[str, Any]]] = {
    "rlsyn": _rlsyn,
    "sequential_trees": _sequential_trees,
    "one_step": _one_step,
    "emr_wgan": _emr_wgan,
    "ctabgan_plus": _ctabgan_plus,
    "ehrdiff": _ehrdiff,
}
"""Constructor arguments of each method that has any to choose, by what an Optuna trial proposes."""


def default_parameters(method: str) -> dict[str, Any]:
    """What the method's defaults are of all that is searched, groups as groups.

    Example:
        >>> default_parameters("sequential_trees")
        {'min_samples_leaf': 5, 'smoothing': False}
    """
    searched = SPACES[method](_AnyTrial())  # type: ignore[arg-type]  # only its three methods are called
    groups = _groups() if method == "rlsyn" else {}
    return _defaults(searched, _of_constructor(method_class(method)) | groups)


def _defaults(searched: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _defaults(value, defaults[name]) if isinstance(value, Mapping) else defaults[name]
        for name, value in searched.items()
    }


def _groups() -> dict[str, Any]:
    """Defaults in the groups of arguments that RLSyn hands on."""
    from rlsyn.algorithms.table import algorithm
    from rlsyn.discriminator import Discriminator  # torch takes seconds to import
    from rlsyn.rewards.weights import DEFAULT_WEIGHTS
    from rlsyn.warm_start import behaviour_clone

    return {
        "algo_kwargs": algorithm("ppo").defaults,
        "discriminator_kwargs": _of_constructor(Discriminator),
        "warm_start_kwargs": _of_constructor(behaviour_clone),
        "reward_weights": DEFAULT_WEIGHTS,
    }


def _of_constructor(function: Callable[..., Any]) -> dict[str, Any]:
    return {name: parameter.default for name, parameter in signature(function).parameters.items()}


class _AnyTrial:
    """Proposes something, to see what a space asks for."""

    def suggest_float(self, name: str, low: float, high: float, **_: Any) -> float:
        return low

    def suggest_int(self, name: str, low: int, high: int, **_: Any) -> int:
        return low

    def suggest_categorical(self, name: str, choices: list[Any]) -> Any:
        return choices[0]
