"""The table of algorithms: class, action space, policy, and defaults that record episodes ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from rlsyn.names import unknown_name

if TYPE_CHECKING:  # torch takes seconds to import
    from stable_baselines3.common.base_class import BaseAlgorithm

Family = Literal["on_policy", "value", "actor_critic", "evolution"]
"""`on_policy` learns from its last rollout; `value` (of actions) and `actor_critic` from a replay buffer; `evolution`
from the mean rewards of perturbed policies."""


@dataclass(frozen=True)
class Algorithm:
    """One of Stable-Baselines3's or sb3-contrib's algorithms on record episodes.

    Args:
        name: As `RLSyn(algo=...)` takes it.
        class_name: Where it is, `module.Class`.
        family: How it learns.
        policy_name: `"fast"`: an `AutoregressivePolicy` over a `RecordRolloutBuffer`, which can clone real records
            first; else where its policy is: a name that the algorithm knows, or `module.Class` of the project's own
            form of that policy, where the one of the library would fill in the same record always.
        defaults: Arguments of the class where the project departs from the library's defaults, or wants them in sight.
        reserved: Further arguments of the class that follow from records or from RLSyn's own.
        has_temperature: Whether `kl_coef` has a say in it.
    """

    name: str
    class_name: str
    family: Family
    policy_name: str
    defaults: Mapping[str, Any] = field(default_factory=dict)
    reserved: tuple[str, ...] = ()
    has_temperature: bool = True

    @property
    def is_fast(self) -> bool:
        """Whether it takes the project's policy and rollout buffer, and so can start warm."""
        return self.policy_name == "fast"

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
    if name not in ALGORITHMS:
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

_SB3, _CONTRIB, _OWN = "stable_baselines3", "sb3_contrib", "rlsyn.algorithms"

ALGORITHMS: dict[str, Algorithm] = {
    one.name: one
    for one in (
        Algorithm("ppo", f"{_SB3}.PPO", "on_policy", "fast", _PPO),
        # RMSprop's first steps would undo the warm start.
        Algorithm(
            "a2c",
            f"{_SB3}.A2C",
            "on_policy",
            "fast",
            {"learning_rate": 3e-4, "use_rms_prop": False, "normalize_advantage": True},
        ),
        # It would pair every k-th record with every k-th step.
        Algorithm(
            "trpo",
            f"{_CONTRIB}.TRPO",
            "on_policy",
            "fast",
            {"gae_lambda": 1.0, "target_kl": 0.001, "cg_max_steps": 10, "n_critic_updates": 2},
            ("sub_sampling_factor",),
            has_temperature=False,
        ),
        Algorithm("recurrent_ppo", f"{_CONTRIB}.RecurrentPPO", "on_policy", "MlpLstmPolicy", _PPO),
        Algorithm("maskable_ppo", f"{_CONTRIB}.MaskablePPO", "on_policy", "fast", _PPO),
        Algorithm("dqn", f"{_SB3}.DQN", "value", f"{_OWN}.value_policies.DrawingDQNPolicy", _VALUE),
        Algorithm("qrdqn", f"{_CONTRIB}.QRDQN", "value", f"{_OWN}.value_policies.DrawingQRDQNPolicy", _VALUE),
        Algorithm(
            "ars",
            f"{_CONTRIB}.ARS",
            "evolution",
            f"{_OWN}.linear_policy.DrawingLinearPolicy",
            {"n_delta": 8, "learning_rate": 0.02, "delta_std": 0.05},
            has_temperature=False,
        ),
        Algorithm("sac", f"{_SB3}.SAC", "actor_critic", "MlpPolicy", _REPLAY),
        Algorithm(
            "td3", f"{_SB3}.TD3", "actor_critic", "MlpPolicy", _REPLAY | {"action_noise": 0.5}, has_temperature=False
        ),
        Algorithm(
            "ddpg", f"{_SB3}.DDPG", "actor_critic", "MlpPolicy", _REPLAY | {"action_noise": 0.5}, has_temperature=False
        ),
        Algorithm("tqc", f"{_CONTRIB}.TQC", "actor_critic", "MlpPolicy", _REPLAY),
        Algorithm("crossq", f"{_CONTRIB}.CrossQ", "actor_critic", "MlpPolicy", _REPLAY),
    )
}
"""All that there are, by name."""
