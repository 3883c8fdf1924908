"""Options of the cohort readers: a frozen dataclass each, whose fields are the flags of the command line.

A reader follows one of two protocols. `default` is what we hold to be right; `paper` is what the code of
arXiv:2512.21395 does, faults included, where that differs. Options given by name go before those of the protocol.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from rlsyn.names import unknown_name

PROTOCOL = "protocol"
"""Name of the option that all readers have beside their own."""
PROTOCOLS = ("default", "paper")

Options = TypeVar("Options")


def option(default: Any, help: str, *, paper: Any = dataclasses.MISSING) -> Any:
    """A field of a dataclass of reader options.

    Args:
        default: Its value under the protocol `default`.
        help: What it does, for `--help`.
        paper: Its value under the protocol `paper`; without one, the default.
    """
    return dataclasses.field(default=default, metadata={"help": help, "paper": paper})


def resolve(options: type[Options], given: Mapping[str, Any]) -> Options:
    """Options of a reader: those given by name, and for the rest those of the protocol.

    Args:
        options: The dataclass.
        given: Values by name of the field, and `protocol`; None stands for "not given".

    Raises:
        ValueError: An unknown name, or a value that the field does not take.

    Example:
        >>> @dataclasses.dataclass(frozen=True)
        ... class Example:
        ...     unit: Literal["day", "participant"] = option("day", "what a row is")
        ...     has_faults: bool = option(False, "whether the faults are kept", paper=True)
        >>> resolve(Example, {"protocol": "paper", "unit": "participant"})
        Example(unit='participant', has_faults=True)
    """
    fields = _fields(options)
    values = {name: value for name, value in given.items() if value is not None}
    protocol = values.pop(PROTOCOL, PROTOCOLS[0])
    if protocol not in PROTOCOLS:
        raise ValueError(unknown_name("protocol", str(protocol), PROTOCOLS))
    for name, value in values.items():
        if name not in fields:
            raise ValueError(unknown_name("option of this data set", name, list(fields)))
        _check(name, value, _kind(options, name))
    if protocol == "paper":
        of_paper = {name: field.metadata["paper"] for name, field in fields.items()}
        values = {name: value for name, value in of_paper.items() if value is not dataclasses.MISSING} | values
    return options(**values)


def add_options(parser: argparse.ArgumentParser, options_of: Mapping[str, type[Any]]) -> None:
    """Add a flag for each field of the options of the readers; what is not given is None.

    Args:
        parser: The command line.
        options_of: By environment the options of its reader. A field that two readers have must be of one kind.
    """
    group = parser.add_argument_group("how a release is read")
    for name in option_names(options_of):
        readers = {env: options for env, options in options_of.items() if name in _fields(options)}
        kinds = [_kind(options, name) for options in readers.values()]
        words = "; ".join(f"{env}: {_help(_fields(options)[name])}" for env, options in readers.items())
        flag, words = f"--{name.replace('_', '-')}", words.replace("%", "%%")
        if kinds[0] is bool:
            group.add_argument(flag, action=argparse.BooleanOptionalAction, default=None, help=words)
        elif choices := [choice for kind in kinds for choice in _choices(kind)]:
            group.add_argument(flag, choices=tuple(dict.fromkeys(choices)), help=words)
        else:
            group.add_argument(flag, type=kinds[0], metavar=_METAVARS[kinds[0]], help=words)


def add_protocol(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add the flag `--protocol`."""
    words = "how a release is read and divided: as we hold to be right, or as the paper's code does (default: default)"
    parser.add_argument(f"--{PROTOCOL}", choices=PROTOCOLS, help=words)


def option_names(options_of: Mapping[str, type[Any]]) -> tuple[str, ...]:
    """Names of all fields, each once."""
    return tuple(dict.fromkeys(name for options in options_of.values() for name in _fields(options)))


def option_words(options: type[Any], given: Mapping[str, Any], folder: str | None = None) -> list[str]:
    """The flags of `add_options` that ask for these values; `protocol` is no option of a single reader.

    Args:
        options: The dataclass.
        given: Values by name of the field.
        folder: What stands for folders, whose places are others on every machine; by default they themselves.

    Example:
        >>> @dataclasses.dataclass(frozen=True)
        ... class Example:
        ...     unit: str = option("day", "what a row is")
        ...     with_age: bool = option(False, "whether age is a column")
        >>> option_words(Example, {"protocol": "default", "unit": "participant", "with_age": False})
        ['--unit', 'participant', '--no-with-age']
    """
    words = []
    for name, value in given.items():
        flag, kind = name.replace("_", "-"), None if name == PROTOCOL else _kind(options, name)
        if kind is bool:
            words.append(f"--{flag}" if value else f"--no-{flag}")
        elif kind is not None:
            words += [f"--{flag}", folder if folder and kind is Path else str(value)]
    return words


def _help(field: dataclasses.Field[Any]) -> str:
    default, paper = field.default, field.metadata["paper"]
    of_paper = "" if paper is dataclasses.MISSING else f"; as in the paper: {paper}"
    return f"{field.metadata['help']} (default: {default}{of_paper})"


_METAVARS: dict[Any, str] = {str: "TEXT", int: "N", float: "X", Path: "DIR"}
_WORDS = {str: "text", int: "a whole number", float: "a number", Path: "a folder", bool: "true or false"}


def _fields(options: type[Any]) -> dict[str, dataclasses.Field[Any]]:
    return {field.name: field for field in dataclasses.fields(options)}


def _kind(options: type[Any], name: str) -> Any:
    """The type of a field, None left out."""
    hint = get_type_hints(options)[name]
    kinds = [kind for kind in get_args(hint) if kind is not type(None)]
    return kinds[0] if isinstance(hint, UnionType) else hint


def _choices(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) is Literal else ()


def _check(name: str, value: Any, kind: Any) -> None:
    if choices := _choices(kind):
        if value not in choices:
            raise ValueError(f"--{name.replace('_', '-')} must be one of {', '.join(choices)}, got {value!r}.")
        return
    fits = {
        str: isinstance(value, str),
        Path: isinstance(value, (str, Path)),
        bool: isinstance(value, bool),
        int: isinstance(value, int) and not isinstance(value, bool),
        float: isinstance(value, (int, float)) and not isinstance(value, bool),
    }
    if not fits[kind]:
        raise ValueError(f"--{name.replace('_', '-')} must be {_WORDS[kind]}, got {value!r}.")
