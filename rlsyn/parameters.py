"""The parameters of RLSyn: what values they may have, which go together, and what follows from the algorithm."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any, get_args

import torch

from rlsyn.algorithms.options import refuse_reserved, refuse_without_effect
from rlsyn.algorithms.table import Algorithm, algorithm
from rlsyn.arguments import check_arguments
from rlsyn.discriminator import Discriminator
from rlsyn.levels import Head
from rlsyn.names import unknown_name
from rlsyn.networks.architectures import Network
from rlsyn.networks.transformer import check_width
from rlsyn.policy import AutoregressivePolicy
from rlsyn.rewards.own import name_terms
from rlsyn.rewards.realism import RewardForm
from rlsyn.rewards.weights import merge_weights
from rlsyn.rollout import Baseline, RecordRolloutBuffer, check_whole_returns
from rlsyn.warm_start import behaviour_clone, fold_size, most_clones

_LEAST: dict[str, float] = {
    "n_levels": 2,
    "n_thresholds": 0,
    "total_timesteps": 0,
    "n_records": 2,
    "batch_records": 2,
    "kl_coef": 0,
    "seed": 0,
}
_LEAST |= {"max_seconds": 0, "n_discriminator_steps": 0, "n_discriminator_warm_up": 0, "discriminator_batch_size": 1}
_MAY_BE_ZERO = {
    "r1_gamma",
    "dropout",
    "vf_coef",
    "n_epochs",
    "n_linear_epochs",
    "gae_lambda",
    "weight_decay",
    "average_decay",
    *("action_noise", "target_policy_noise", "target_noise_clip", "top_quantiles_to_drop_per_net", "cg_damping"),
}
_BELOW_ONE = {"dropout", "validation_size", "average_decay"}
_AT_MOST_ONE = {"gae_lambda", "tau"}
_POLICY_RESERVED = ("observation_space", "action_space", "lr_schedule", "encoding", "use_sde", "kwargs")
_BUFFER_RESERVED = ("buffer_size", "observation_space", "action_space", "kwargs")
_CLONING_RESERVED = ("policy", "records", "people", "seed")


def check_parameters(constructor: Callable[..., Any], parameters: Mapping[str, Any]) -> None:
    """Check the arguments of RLSyn's constructor and of the parts that it hands groups of arguments to.

    Raises:
        ValueError: An unknown name (the closest known one is proposed), the wrong kind of value, or one out of range.
    """
    check_arguments(constructor, parameters)
    how = algorithm(parameters["algo"])
    _check_algorithm(how, parameters)
    groups: tuple[tuple[str, Callable[..., Any], tuple[str, ...]], ...] = (
        ("discriminator_kwargs", Discriminator, ("encoding",)),
        ("warm_start_kwargs", behaviour_clone, _CLONING_RESERVED),
        ("algo_kwargs", how.load_class(), how.reserved_names),
        ("ppo_kwargs", how.load_class(), how.reserved_names),
        ("rollout_buffer_kwargs", RecordRolloutBuffer, _BUFFER_RESERVED),
    )
    policy = AutoregressivePolicy if how.is_fast else how.load_stock_policy()
    groups += (("policy_kwargs", policy, _POLICY_RESERVED),)
    for group, function, reserved in groups:
        arguments = parameters[group] or {}
        if group in ("algo_kwargs", "ppo_kwargs"):
            refuse_reserved(how, arguments, group)
        check_arguments(function, arguments, f"{group}.", reserved)
        for name, value in arguments.items():
            _check_bounds(f"{group}.{name}", name, value)
    _check_optimizer(parameters["policy_kwargs"] or {})
    defaults = {name: parameter.default for name, parameter in signature(constructor).parameters.items()}
    refuse_without_effect(how, parameters, defaults)
    for name, least in _LEAST.items():
        if parameters[name] is not None and parameters[name] < least:
            raise ValueError(f"Parameter {name!r} must be at least {least}, got {parameters[name]}.")
    for name in ("temperature", "average_decay"):
        _check_bounds(name, name, parameters[name])
    _check_choices(parameters)
    _check_together(how, parameters)
    merge_weights(parameters["reward_weights"], name_terms(parameters["rewards"] or ()))
    if parameters["seed"] >= 2**32:
        raise ValueError(f"Parameter 'seed' must be below 2**32, got {parameters['seed']}.")


def _check_optimizer(policy_kwargs: Mapping[str, Any]) -> None:
    """Refuse arguments of the policy's optimizer, which is made only when training begins."""
    optimizer_class = policy_kwargs.get("optimizer_class", torch.optim.Adam)
    arguments, group = policy_kwargs.get("optimizer_kwargs") or {}, "policy_kwargs.optimizer_kwargs"
    if "lr" in arguments:
        raise ValueError(
            f"{group}.lr is what algo_kwargs.learning_rate says, got {arguments['lr']!r}. Give that alone."
        )
    check_arguments(optimizer_class, arguments, f"{group}.", ("params", "lr"))
    try:
        optimizer_class([torch.zeros(1)], lr=1.0, **arguments)
    except (TypeError, ValueError, LookupError, RuntimeError) as error:
        raise ValueError(f"{group} must be arguments of the optimizer, got {arguments}: {error}.") from error


def _check_choices(parameters: Mapping[str, Any]) -> None:
    policy = parameters["policy_kwargs"] or {}
    chosen = {
        "reward": (parameters["reward"], get_args(RewardForm)),
        "rollout_buffer_kwargs.baseline": (
            (parameters["rollout_buffer_kwargs"] or {}).get("baseline", "critic"),
            get_args(Baseline),
        ),
        "policy_kwargs.network": (policy.get("network", "made"), get_args(Network)),
        "policy_kwargs.head": (policy.get("head", "ordinal"), get_args(Head)),
    }
    for name, (value, choices) in chosen.items():
        if value not in choices:
            raise ValueError(unknown_name(name.split(".")[-1], str(value), choices))
    if policy.get("entropy_target") is not None and parameters["kl_coef"] == 0:
        raise ValueError("policy_kwargs.entropy_target is paid in units of kl_coef, which must then be above 0, got 0.")


def _check_together(how: Algorithm, parameters: Mapping[str, Any]) -> None:
    """Refuse what fits no other parameter, as the parts would when training begins."""
    policy, buffer = parameters["policy_kwargs"] or {}, parameters["rollout_buffer_kwargs"] or {}
    if policy.get("network") == "transformer" and (n_hidden := policy.get("n_hidden")) is not None:
        check_width(n_hidden)
    arguments = {**how.defaults, **(parameters["algo_kwargs"] or parameters["ppo_kwargs"] or {})}
    if buffer.get("baseline") == "mean":
        check_whole_returns(arguments.get("gae_lambda", 1.0))


def _check_algorithm(how: Algorithm, parameters: Mapping[str, Any]) -> None:
    """Refuse what the class of an algorithm would refuse in words of its own."""
    if parameters["ppo_kwargs"] and (how.name != "ppo" or parameters["algo_kwargs"]):
        raise ValueError(
            f"ppo_kwargs is the former name of algo_kwargs, for PPO; got it with algo={how.name!r}"
            f"{' and algo_kwargs' if parameters['algo_kwargs'] else ''}. Give algo_kwargs alone."
        )
    if how.is_fast:
        return
    noise = (parameters["algo_kwargs"] or {}).get("action_noise", 0.0)
    if isinstance(noise, bool) or not isinstance(noise, (int, float)):
        raise ValueError(  # noqa: TRY004 (as for every parameter)
            f"algo_kwargs.action_noise must be a number, the deviation of the noise, got {noise!r}."
        )
    for name, value in (parameters["policy_kwargs"] or {}).items():
        if isinstance(value, str) or (name.endswith(("_class", "_fn")) and not callable(value)):
            raise ValueError(
                f"policy_kwargs.{name} takes no text or number, got {value!r}. Give it in Python, as a class."
            )


def resolved(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters with what follows from the algorithm: its defaults, and whether it starts warm."""
    how = algorithm(parameters["algo"])
    own = dict(parameters["algo_kwargs"] or parameters["ppo_kwargs"] or {})
    warm_start = how.is_fast if parameters["warm_start"] is None else parameters["warm_start"]
    result = {**parameters, "algo_kwargs": {**how.defaults, **own}, "warm_start": warm_start}
    del result["ppo_kwargs"]
    return result


def check_timesteps(total_timesteps: int | None, n_records: int, n_attributes: int) -> None:
    """Check that PPO has no steps or enough for a rollout.

    Raises:
        ValueError: They are fewer.
    """
    rollout = n_records * n_attributes
    if total_timesteps and total_timesteps < rollout:
        raise ValueError(
            f"total_timesteps must be at least one rollout, {n_records} records x {n_attributes} attributes = "
            f"{rollout:,}, got {total_timesteps:,}. Raise it (-n) or lower n_records."
        )


def validation_share(warm_start_kwargs: Mapping[str, Any]) -> float:
    """Share of the people that cloning stops early by, and selection is by."""
    default = signature(behaviour_clone).parameters["validation_size"].default
    return float(warm_start_kwargs.get("validation_size", default))


def check_folds(n_people: int, warm_start_kwargs: Mapping[str, Any]) -> None:
    """Check that people are enough to train each clone and to validate it on others.

    Raises:
        ValueError: They are not.
    """
    if n_people < 2:
        raise ValueError(f"At least two people are needed in the training rows, got {n_people}.")
    share = validation_share(warm_start_kwargs)
    n_validation = fold_size(n_people, share)
    if n_validation == n_people:
        raise ValueError(
            f"warm_start_kwargs.validation_size={share} of {n_people} people leaves none to learn from. Lower it."
        )
    n_clones = warm_start_kwargs.get("n_clones") or 1
    if n_validation and n_clones > (most := most_clones(n_people, n_validation)):
        raise ValueError(
            f"Each clone is validated on {n_validation} people of its own beside {n_validation} who validate all, so "
            f"{n_people} people are enough for {most}, got warm_start_kwargs.n_clones={n_clones}. Lower it, or "
            "warm_start_kwargs.validation_size."
        )


def _check_bounds(path: str, name: str, value: Any) -> None:
    """What constructors further down would take in silence, or refuse in words of their own."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return
    may_be_zero = name in _MAY_BE_ZERO and path not in ("ppo_kwargs.n_epochs", "algo_kwargs.n_epochs")
    is_high = (name in _BELOW_ONE and value >= 1) or (name in _AT_MOST_ONE and value > 1)
    if value < 0 or (value == 0 and not may_be_zero) or is_high:
        above = " and below 1" if name in _BELOW_ONE else " and at most 1" if name in _AT_MOST_ONE else ""
        raise ValueError(f"Parameter {path!r} must be {'at least' if may_be_zero else 'above'} 0{above}, got {value}.")
