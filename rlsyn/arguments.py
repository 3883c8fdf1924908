"""Arguments that come from outside: the command line, and keyword arguments checked against a signature."""

from __future__ import annotations

import argparse
import inspect
import math
import re
from collections.abc import Callable, Collection, Mapping
from numbers import Integral
from typing import Any, NoReturn

from rlsyn.names import unknown_name


def check_n_jobs(n_jobs: int) -> None:
    """Check a number of processes.

    Raises:
        ValueError: It is below 1.
    """
    if n_jobs < 1:
        raise ValueError(f"The number of processes must be at least 1, got --n-jobs {n_jobs}.")


def check_arguments(
    function: Callable[..., Any], arguments: Mapping[str, Any], prefix: str = "", reserved: Collection[str] = ()
) -> None:
    """Check that arguments are ones that a function or class takes, of the kind that its signature tells.

    One with `**options` hands what it does not know to a library, which is not asked here.

    Args:
        function: Its signature is the configuration.
        arguments: By name.
        prefix: What stands before the name in messages (`"discriminator_kwargs."`).
        reserved: Names that the caller fills itself.

    Raises:
        ValueError: An unknown name (the closest known one is proposed), or a number, text or switch where another
            kind is expected.
    """
    parameters = inspect.signature(function).parameters
    is_open = "options" in parameters and parameters["options"].kind is inspect.Parameter.VAR_KEYWORD
    known = {
        name: parameter
        for name, parameter in parameters.items()
        if name not in ("self", *reserved)
        and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }
    for name, value in arguments.items():
        if name in known:
            _check_kind(prefix + name, value, known[name])
        elif name in reserved or not is_open:
            raise ValueError(unknown_name("parameter", f"{prefix}{name}", [prefix + other for other in known]))


def _check_kind(name: str, value: Any, parameter: inspect.Parameter) -> None:
    default = None if parameter.default is parameter.empty else parameter.default
    kinds = _kinds(parameter.annotation) | {type(default).__name__}
    expected = [words for kind, (words, _) in _KINDS.items() if kind in kinds]
    if not expected or (value is None and kinds & {"None", "NoneType"}):
        return
    if not any(fits(value) for kind, (_, fits) in _KINDS.items() if kind in kinds):
        raise ValueError(f"Parameter {name!r} must be {' or '.join(expected)} (default {default!r}), got {value!r}.")


def _kinds(annotation: Any) -> set[str]:
    """Names of the types that an annotation allows; those of items and arguments are not among them."""
    text, depth, outer = inspect.formatannotation(annotation), 0, ""
    for letter in text:
        depth += (letter == "[") - (letter == "]")
        outer += letter if depth == 0 else " "
    return set(re.findall(r"\w+", outer))


def _is_number(value: Any) -> bool:
    # SB3 takes schedules (functions) where it takes numbers.
    if callable(value):
        return True
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def is_whole(value: object) -> bool:
    """Whether a value is of a kind of whole numbers, of Python or NumPy."""
    return isinstance(value, Integral) and not isinstance(value, bool)


_KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "bool": ("true or false", lambda value: isinstance(value, bool)),
    "int": ("a whole number", lambda value: isinstance(value, int) and not isinstance(value, bool)),
    "float": ("a number", _is_number),
    "str": ("a name", lambda value: isinstance(value, str)),
    "Sequence": ("a list", lambda value: isinstance(value, (list, tuple))),
    "list": ("a list", lambda value: isinstance(value, (list, tuple))),
    "Mapping": ("a group of parameters", lambda value: isinstance(value, Mapping)),
    "dict": ("a group of parameters", lambda value: isinstance(value, Mapping)),
}


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` that says what is wrong in one line, and does not guess at abbreviated names."""

    def __init__(self, description: str) -> None:
        super().__init__(description=description, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Exit with code 2 and one line on standard error."""
        self.exit(2, f"{self.prog}: error: {message} (see --help)\n")


def at_least_one(text: str) -> int:
    """The whole number that a text of the command line says, as `type` of an argument.

    Raises:
        ArgumentTypeError: It says none, or one below 1.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text!r}")
    return int(text)


def check_seed(seed: object) -> None:
    """Check a seed; raises ValueError unless it is whole, at least 0 and below 2**32, as generators take it."""
    if not is_whole(seed) or not 0 <= int(seed) < 2**32:  # type: ignore[call-overload]
        raise ValueError(f"A seed must be a whole number from 0 to below 2**32, got {seed!r}.")


def check_n_records(n: object) -> None:
    """Check the number of records to draw; raises ValueError unless it is whole and at least 1."""
    if not is_whole(n) or n < 1:  # type: ignore[operator]
        raise ValueError(f"The number of records must be a whole number of at least 1, got {n!r}.")
