"""Checks of keyword arguments that come from outside: names and kinds of value, against a signature."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any

from rlsyn.schema import unknown_name


def check_arguments(
    function: Callable[..., Any], arguments: Mapping[str, Any], prefix: str = "", reserved: Collection[str] = ()
) -> None:
    """Check that arguments are ones that a function or class takes, of the kind of their defaults.

    Args:
        function: Its signature is the configuration.
        arguments: By name.
        prefix: What stands before the name in messages (`"discriminator_kwargs."`).
        reserved: Names that the caller fills itself.

    Raises:
        ValueError: An unknown name (the closest known one is proposed), or a number, text or switch where another
            kind is expected.
    """
    known = {
        name: parameter.default
        for name, parameter in inspect.signature(function).parameters.items()
        if name not in ("self", *reserved) and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }
    for name, value in arguments.items():
        if name not in known:
            raise ValueError(unknown_name("parameter", prefix + name, [prefix + other for other in known]))
        _check_kind(prefix + name, value, known[name])


def _check_kind(name: str, value: Any, default: Any) -> None:
    if default is None or default is inspect.Parameter.empty or value is None:
        return
    if isinstance(default, bool):
        fits, expected = isinstance(value, bool), "true or false"
    elif isinstance(default, int):
        fits, expected = isinstance(value, int) and not isinstance(value, bool), "a whole number"
    elif isinstance(default, float):
        # SB3 takes schedules (functions) where it takes numbers.
        fits = (isinstance(value, (int, float)) and not isinstance(value, bool)) or callable(value)
        expected = "a number"
    elif isinstance(default, str):
        fits, expected = isinstance(value, (str, list, tuple)), "a name"
    else:
        return
    if not fits:
        raise ValueError(f"Parameter {name!r} must be {expected} (default {default!r}), got {value!r}.")
