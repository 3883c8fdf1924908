"""Options of RLSyn that an algorithm would take in silence: refused where they are asked for, left out of shared files."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from inspect import signature
from typing import Any

from rlsyn.algorithms.table import Algorithm, Family, fast_names

_log = logging.getLogger(__name__)
_NEAREST: dict[Family, str] = {
    "on_policy": "ppo",
    "value": "maskable_ppo",
    "actor_critic": "ppo",
    "evolution": "trpo",
}
"""The algorithm with the fast policy that is most like a family without."""
_SAYS = {"ent_coef": "kl_coef", "n_steps": "n_records", "batch_size": "batch_records"}
_SAYS |= {name: name for name in ("seed", "device", "policy_kwargs", "rollout_buffer_kwargs")}
"""What RLSyn calls arguments of an algorithm's class that are not for `algo_kwargs`; of all others nobody has a say."""


def refuse_without_effect(how: Algorithm, parameters: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Refuse options that the algorithm has no ear for, and numbers of records that it cannot share out.

    What switches an option off (None, False, 0, nothing) is what happens without it, and may be said. So may a default
    of the constructor, which cannot be told from an option that nobody set.

    Args:
        how: The algorithm.
        parameters: Arguments of `rlsyn.synthesizer.RLSyn`.
        defaults: Those of its constructor.

    Raises:
        ValueError: There is such an option; the reason is told, and what has a say in its place.
    """
    for path, value in _without_effect(how, parameters, defaults).items():
        raise ValueError(_complaint(how, path, value))
    candidate_records(how, parameters["n_records"], parameters["algo_kwargs"] or {})


def refuse_reserved(how: Algorithm, arguments: Mapping[str, Any], group: str) -> None:
    """Refuse arguments that the algorithm's class has, but RLSyn fills in.

    Args:
        how: The algorithm.
        arguments: Of its class.
        group: What they are called in messages.

    Raises:
        ValueError: There is such an argument; what has a say in its place is told, if anything has.
    """
    own = signature(how.load_class()).parameters
    for name, value in arguments.items():
        if name in how.reserved_names and name in own:
            raise ValueError(
                f"{group}.{name} is what RLSyn's {_SAYS[name]} says, got {value!r}. Give that in its place."
                if name in _SAYS
                else f"{group}.{name} follows from what records are and how RLSyn trains, got {value!r}. Leave it out."
            )


def with_effect(
    how: Algorithm, parameters: Mapping[str, Any], source: str, defaults: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The parameters but for those that the algorithm has no ear for; one line of logs tells of each.

    For files that many algorithms share: what they say of one is not meant for all. And for those of saved models.

    Args:
        how: The algorithm.
        parameters: Arguments of `rlsyn.synthesizer.RLSyn`, some of them.
        source: Where they stand.
        defaults: What goes without saying.

    Example:
        >>> from rlsyn.algorithms.table import algorithm
        >>> with_effect(algorithm("ppo"), {"kl_coef": 0.3}, "rlsyn.yaml")
        {'kl_coef': 0.3}
    """
    kept = dict(parameters)
    for path, value in _without_effect(how, parameters, defaults or {}).items():
        _log.warning("%s: %s is ignored: %s", source, path, _complaint(how, path, value))
        group, _, name = path.rpartition(".")
        if group:
            kept[group] = {other: given for other, given in kept[group].items() if other != name}
        else:
            del kept[name]
    return kept


def tell_start_from_scratch(how: Algorithm, warm_start_kwargs: Mapping[str, Any]) -> None:
    """Log why a training has no warm start, where nobody asked for none, and what has no say without one."""
    if not how.is_fast:
        _log.info("%s starts from scratch: a warm start needs %s.", how.name, fast_names())
    # Selection is by the people that cloning would stop by.
    if silent := sorted(set(warm_start_kwargs) - {"validation_size"}):
        _log.warning(
            "Without a warm start there is no cloning: warm_start_kwargs.%s has no say. Leave it out.", silent[0]
        )


def candidate_records(how: Algorithm, n_records: int, algo_kwargs: Mapping[str, Any]) -> int:
    """Records of a rollout that one policy fills in: all, or the share of each of a population's candidates.

    Args:
        how: The algorithm.
        n_records: Records of a rollout.
        algo_kwargs: Arguments of its class, over the defaults of its entry.

    Raises:
        ValueError: They cannot be shared out evenly.
    """
    if how.family != "evolution":
        return n_records
    n_candidates = 2 * int({**how.defaults, **algo_kwargs}["n_delta"])
    if n_records % n_candidates:
        raise ValueError(
            f"n_records must be a multiple of {how.name}'s {n_candidates} candidates (twice n_delta), each of which "
            f"fills in its share of a rollout, got {n_records}."
        )
    return n_records // n_candidates


def _without_effect(how: Algorithm, parameters: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The options, by `name` or `group.name`, that are switched on in vain and are no defaults."""
    found = {}
    for path in how.without_effect:
        group, _, name = path.rpartition(".")
        value = ((parameters.get(group) or {}) if group else parameters).get(name)
        if value and value != defaults.get(path):
            found[path] = value
    return found


def _complaint(how: Algorithm, path: str, value: Any) -> str:
    reason, instead = how.without_effect[path]
    # Of the algorithms that have the option.
    others = "Take ppo" if how.is_fast else f"Take one of {fast_names()}; the nearest is {_NEAREST[how.family]}"
    return f"{how.name} {reason}, got {path} {value!r}. {instead or others}."
