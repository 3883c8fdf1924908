"""The table of algorithms: class, action space, policy, and defaults that record episodes ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from rlsyn.names import unknown_name

if TYPE_CHECKING:  # torch takes seconds to import
    from stable_baselines3.common.base_class import BaseAlgorithm

Family = Literal["on_policy", "value", "actor_critic", "evolution"]
"""`on_policy` learns from its last rollout; `value` (of actions) and `actor_critic` from a replay buffer; `evolution`
from the mean rewards of perturbed policies."""


class NoEffect(NamedTuple):
    """Why an option of RLSyn has no say in an algorithm."""

    reason: str
    """What follows the algorithm's name."""
    instead: str = ""
    """What has a say; empty where only another algorithm helps."""


@dataclass(frozen=True)
class Algorithm:
    """One of Stable-Baselines3's or sb3-contrib's algorithms on record episodes.

    Args:
        name: As `RLSyn(algo=...)` takes it.
        class_name: Where it is, `module.Class`.
        family: How it learns.
        policy_name: A name that the algorithm knows, or `module.Class` of the project's own policy: an
            `AutoregressivePolicy`, or the library's policy where that would fill in the same record always.
        buffer_name: `module.Class` of the project's buffer that takes the place of the library's, if any.
        defaults: Arguments of the class where the project departs from the library's defaults, or wants them in sight.
        reserved: Further arguments of the class that follow from records or from RLSyn's own.
        without_effect: Options that it would take in silence, `name` or `group.name` as RLSyn has them; see
            `rlsyn.algorithms.options`.
    """

    name: str
    class_name: str
    family: Family
    policy_name: str
    buffer_name: str = ""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    reserved: tuple[str, ...] = ()
    without_effect: Mapping[str, NoEffect] = field(default_factory=dict)

    @property
    def is_fast(self) -> bool:
        """Whether it takes the project's policy and rollout buffer, and so can start warm."""
        return self.family == "on_policy" and bool(self.buffer_name)

    @property
    def has_temperature(self) -> bool:
        """Whether `kl_coef` has a say in it."""
        return "kl_coef" not in self.without_effect

    @property
    def is_off_policy(self) -> bool:
        """Whether it learns from a replay buffer."""
        return self.family in ("value", "actor_critic")

    @property
    def action_space(self) -> Literal["discrete", "box"]:
        """Of the record environment: actor-critics with a replay buffer know no discrete actions."""
        return "box" if self.family == "actor_critic" else "discrete"

    @property
    def reserved_names(self) -> tuple[str, ...]:
        """Arguments of the class that are not for `algo_kwargs`."""
        return (*_RESERVED, *_RESERVED_OF[self.family], *self.reserved)

    def load_class(self) -> Callable[..., BaseAlgorithm]:
        """The class, imported now."""
        return load_object(self.class_name)

    def load_policy(self) -> Any:
        """What its class takes for `policy`."""
        return load_object(self.policy_name) if "." in self.policy_name else self.policy_name

    def load_stock_policy(self) -> Callable[..., Any]:
        """The library's policy, whose arguments `policy_kwargs` are where the policy is not the fast one."""
        aliases = load_object(self.class_name).policy_aliases
        usual = "LinearPolicy" if self.family == "evolution" else "MlpPolicy"
        return aliases[self.policy_name if self.policy_name in aliases else usual]


def load_object(path: str) -> Any:
    """What `module.Name` names, imported now."""
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


def algorithm(name: str) -> Algorithm:
    """The algorithm of that name.

    Raises:
        ValueError: There is none; the closest is proposed.
    """
    if name not in tuple(ALGORITHMS):  # a list, from YAML, cannot be looked up
        raise ValueError(unknown_name("algorithm", name, list(ALGORITHMS)))
    return ALGORITHMS[name]


def fast_names() -> str:
    """The algorithms with the fast policy, in words."""
    return ", ".join(one.name for one in ALGORITHMS.values() if one.is_fast)


_RESERVED: tuple[str, ...] = ("policy", "env", "gamma", "policy_kwargs", "seed", "device", "verbose", "tensorboard_log")
_RESERVED += ("_init_setup_model", "stats_window_size")
# Exploration that changes once in a rollout gives batches of one record when it is drawn from in other numbers.
_RESERVED += ("use_sde", "sde_sample_freq", "use_sde_at_warmup")
# Sampling goes on with it, over the levels of one attribute, and checkpoints do not hold it.
_EPSILON = ("exploration_fraction", "exploration_initial_eps", "exploration_final_eps")
_OFF_POLICY: tuple[str, ...] = ("train_freq", "replay_buffer_class", "replay_buffer_kwargs", "optimize_memory_usage")
# SB3 begins by drawing evenly over the levels, from a generator that no seed reaches.
_OFF_POLICY += ("learning_starts",)
_RESERVED_OF: dict[Family, tuple[str, ...]] = {
    "on_policy": ("n_steps", "batch_size", "ent_coef", "rollout_buffer_class", "rollout_buffer_kwargs"),
    "value": (*_OFF_POLICY, *_EPSILON),
    "actor_critic": (*_OFF_POLICY, "ent_coef"),
    "evolution": ("n_eval_episodes", "alive_bonus_offset"),
}

_PPO: dict[str, Any] = {
    "learning_rate": 3e-4,
    "n_epochs": 2,
    "gae_lambda": 1.0,
    "clip_range": 0.2,
    "vf_coef": 0.5,
    "max_grad_norm": 0.5,
}
# A rollout of whole records before each update; the reward comes with the last attribute only, so the first ones would
# hear of it after as many updates as there are attributes, were it not for returns over several steps.
_REPLAY: dict[str, Any] = {"gradient_steps": 100, "batch_size": 512, "n_steps": 8}
_VALUE = _REPLAY | {"learning_rate": 3e-4}
_NOISE = _REPLAY | {"action_noise": 0.5}


_CLONED = "real records are cloned by the project's own policy"
_STOCK = {
    "warm_start": NoEffect(f"cannot start warm: {_CLONED}"),
    "warm_start_kwargs": NoEffect(f"has no warm start: {_CLONED}"),
    "select": NoEffect("cannot select: only the project's own policy is scored on validation people"),
    "average_decay": NoEffect("cannot average its policy: only the project's own is"),
    "rollout_buffer_kwargs": NoEffect("has no RecordRolloutBuffer"),
    "temperature": NoEffect("samples at temperature 1"),
    "policy_kwargs.normalize_images": NoEffect("sees no images", "Leave it out"),
}
"""Of all algorithms without the fast policy."""
_STOCK |= {
    f"policy_kwargs.{name}": NoEffect("has no state-dependent exploration", "Leave it out")
    for name in ("log_std_init", "full_std", "use_expln", "clip_mean", "squash_output")
}
_REPLAYING = _STOCK | {
    "batch_records": NoEffect("draws its minibatches from a replay buffer", "Set algo_kwargs.batch_size, in steps"),
}
_SOFT = _REPLAYING | {
    "algo_kwargs.target_entropy": NoEffect("pays for entropy at a fixed rate", "Set kl_coef, which is that rate"),
}
_NOISY = _REPLAYING | {
    "kl_coef": NoEffect(
        "has neither a KL penalty nor an entropy bonus",
        "Set algo_kwargs.action_noise, which its records differ by, or take sac",
    ),
}
_EVOLVING = _STOCK | {
    "kl_coef": NoEffect(
        "has neither a KL penalty nor an entropy bonus", "Set algo_kwargs.learning_rate or delta_std, or take ppo"
    ),
    "batch_records": NoEffect("has no minibatches", "Set n_records, or algo_kwargs.n_delta"),
}
_TRUST_REGION = {
    "kl_coef": NoEffect("has a trust region in the place of the KL penalty", "Set algo_kwargs.target_kl, or take ppo"),
    "policy_kwargs.entropy_target": NoEffect("pays for no entropy"),
}
_WHOLE_ROLLOUT = {
    "batch_records": NoEffect("takes one step on a whole rollout, without minibatches", "Set n_records"),
}

_SB3, _CONTRIB, _OWN = "stable_baselines3", "sb3_contrib", "rlsyn.algorithms"
_POLICY, _ROLLOUT = "rlsyn.policy.AutoregressivePolicy", "rlsyn.rollout.RecordRolloutBuffer"
_REPLAYED = f"{_OWN}.replay.RecordReplayBuffer"

ALGORITHMS: dict[str, Algorithm] = {
    one.name: one
    for one in (
        Algorithm("ppo", f"{_SB3}.PPO", "on_policy", _POLICY, _ROLLOUT, _PPO),
        Algorithm(
            "a2c",
            f"{_SB3}.A2C",
            "on_policy",
            _POLICY,
            _ROLLOUT,
            # RMSprop's first steps would undo the warm start.
            {"learning_rate": 3e-4, "use_rms_prop": False, "normalize_advantage": True},
            without_effect=_WHOLE_ROLLOUT,
        ),
        Algorithm(
            "trpo",
            f"{_CONTRIB}.TRPO",
            "on_policy",
            f"{_OWN}.fast_policies.WholeRecordPolicy",
            _ROLLOUT,
            {"gae_lambda": 1.0, "target_kl": 0.001, "cg_max_steps": 10, "n_critic_updates": 2},
            # It would pair every k-th record with every k-th step.
            ("sub_sampling_factor",),
            _TRUST_REGION,
        ),
        Algorithm(
            "recurrent_ppo",
            f"{_CONTRIB}.RecurrentPPO",
            "on_policy",
            "MlpLstmPolicy",
            defaults=_PPO,
            without_effect=_STOCK,
        ),
        Algorithm(
            "maskable_ppo",
            f"{_CONTRIB}.MaskablePPO",
            "on_policy",
            f"{_OWN}.fast_policies.MaskedPolicy",
            f"{_OWN}.fast_policies.MaskedRolloutBuffer",
            _PPO,
        ),
        *(
            Algorithm(
                name,
                f"{package}.{name.upper()}",
                "value",
                f"{_OWN}.value_policies.Drawing{name.upper()}Policy",
                _REPLAYED,
                _VALUE,
                without_effect=_REPLAYING,
            )
            for name, package in (("dqn", _SB3), ("qrdqn", _CONTRIB))
        ),
        Algorithm(
            "ars",
            f"{_CONTRIB}.ARS",
            "evolution",
            f"{_OWN}.linear_policy.DrawingLinearPolicy",
            defaults={"n_delta": 8, "learning_rate": 0.02, "delta_std": 0.05},
            without_effect=_EVOLVING,
        ),
        *(
            Algorithm(
                name.lower(), f"{package}.{name}", "actor_critic", "MlpPolicy", _REPLAYED, defaults, (), without_effect
            )
            for name, package, defaults, without_effect in (
                ("SAC", _SB3, _REPLAY, _SOFT),
                ("TD3", _SB3, _NOISE, _NOISY),
                ("DDPG", _SB3, _NOISE, _NOISY),
                ("TQC", _CONTRIB, _REPLAY, _SOFT),
                ("CrossQ", _CONTRIB, _REPLAY, _SOFT),
            )
        ),
    )
}
"""All that there are, by name."""
