"""The parameters of RLSyn: PPO's defaults here, and what values a parameter may have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any, get_args

from stable_baselines3 import PPO

from rlsyn.arguments import check_arguments
from rlsyn.discriminator import Discriminator
from rlsyn.policy import AutoregressivePolicy
from rlsyn.rewards.own import name_terms
from rlsyn.rewards.realism import RewardForm
from rlsyn.rewards.weights import merge_weights
from rlsyn.rollout import Baseline, RecordRolloutBuffer
from rlsyn.warm_start import behaviour_clone

PPO_DEFAULTS: dict[str, Any] = {
    "learning_rate": 3e-4,
    "n_epochs": 2,
    "gae_lambda": 1.0,
    "clip_range": 0.2,
    "vf_coef": 0.5,
    "max_grad_norm": 0.5,
}
"""Where the project departs from SB3's defaults, or wants them in sight."""
_PPO_RESERVED = (
    *("policy", "env", "n_steps", "batch_size", "gamma", "ent_coef", "policy_kwargs", "seed", "device", "verbose"),
    *("rollout_buffer_class", "rollout_buffer_kwargs", "tensorboard_log", "_init_setup_model"),
)
"""Arguments of PPO that follow from the environment or from RLSyn's own."""

_LEAST = {"n_levels": 2, "total_timesteps": 0, "n_records": 2, "batch_records": 1, "kl_coef": 0, "seed": 0}
_LEAST |= {"n_discriminator_steps": 0, "n_discriminator_warm_up": 0, "discriminator_batch_size": 1}
_MAY_BE_ZERO = {
    "r1_gamma",
    "dropout",
    "vf_coef",
    "n_epochs",
    "n_linear_epochs",
    "gae_lambda",
    "weight_decay",
    "average_decay",
}
_BELOW_ONE = {"dropout", "validation_size", "average_decay"}
_POLICY_RESERVED = ("observation_space", "action_space", "lr_schedule", "encoding", "kwargs")
_BUFFER_RESERVED = ("buffer_size", "observation_space", "action_space", "kwargs")
_CLONING_RESERVED = ("policy", "records", "people", "seed")


def check_parameters(constructor: Callable[..., Any], parameters: Mapping[str, Any]) -> None:
    """Check the arguments of RLSyn's constructor and of the parts that it hands groups of arguments to.

    Raises:
        ValueError: An unknown name (the closest known one is proposed), the wrong kind of value, or one out of range.
    """
    check_arguments(constructor, parameters)
    groups: tuple[tuple[str, Callable[..., Any], tuple[str, ...]], ...] = (
        ("policy_kwargs", AutoregressivePolicy, _POLICY_RESERVED),
        ("discriminator_kwargs", Discriminator, ("encoding",)),
        ("warm_start_kwargs", behaviour_clone, _CLONING_RESERVED),
        ("ppo_kwargs", PPO, _PPO_RESERVED),
        ("rollout_buffer_kwargs", RecordRolloutBuffer, _BUFFER_RESERVED),
    )
    for group, function, reserved in groups:
        arguments = parameters[group] or {}
        check_arguments(function, arguments, f"{group}.", reserved)
        for name, value in arguments.items():
            _check_bounds(f"{group}.{name}", name, value)
    for name, least in _LEAST.items():
        if parameters[name] is not None and parameters[name] < least:
            raise ValueError(f"Parameter {name!r} must be at least {least}, got {parameters[name]}.")
    for name in ("temperature", "average_decay"):
        _check_bounds(name, name, parameters[name])
    baseline = (parameters["rollout_buffer_kwargs"] or {}).get("baseline", "critic")
    if baseline not in get_args(Baseline):
        raise ValueError(
            f"Parameter 'rollout_buffer_kwargs.baseline' must be one of {get_args(Baseline)}, got {baseline!r}."
        )
    merge_weights(parameters["reward_weights"], name_terms(parameters["rewards"] or ()))
    if parameters["seed"] >= 2**32:
        raise ValueError(f"Parameter 'seed' must be below 2**32, got {parameters['seed']}.")
    if parameters["reward"] not in get_args(RewardForm):
        raise ValueError(f"Parameter 'reward' must be one of {get_args(RewardForm)}, got {parameters['reward']!r}.")


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


def _check_bounds(path: str, name: str, value: Any) -> None:
    """What constructors further down would take in silence, or refuse in words of their own."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return
    is_low = value < 0 or (value == 0 and (name not in _MAY_BE_ZERO or path == "ppo_kwargs.n_epochs"))
    if is_low or (name in _BELOW_ONE and value >= 1):
        raise ValueError(
            f"Parameter {path!r} must be {'at least' if name in _MAY_BE_ZERO else 'above'} 0"
            f"{' and below 1' if name in _BELOW_ONE else ''}, got {value}."
        )
