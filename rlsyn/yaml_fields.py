"""YAML that people write: a file is read and its fields are checked; what is wrong with it is told in a line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from rlsyn.names import unknown_name


class _RepeatedKeyError(ValueError):
    """A mapping has a key twice."""


class _Loader(yaml.SafeLoader):
    """Refuses a key that a mapping has twice: the last one would win in silence."""

    # Where nodes are made: those of a mapping that is merged into another (`<<`) are replaced before it is constructed.
    def compose_mapping_node(self, anchor: dict[Any, yaml.Node]) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: set[tuple[str, str]] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if (key.tag, key.value) in seen:
                raise _RepeatedKeyError(
                    f"Expected each name once in a group, got {key.value!r} again in line {key.start_mark.line + 1}. "
                    "Rename or remove one."
                )
            seen.add((key.tag, key.value))
        return node


_IN_WORDS = {str: "text", int: "a whole number", bool: "true or false", list: "a list"}


def read_yaml(path: Path, what: str, hint: str) -> Any:
    """What a YAML file holds.

    Args:
        path: The file.
        what: What it should hold, such as "a schema".
        hint: What to do about a file that is no YAML.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no YAML, or a mapping in it has a key twice.
    """
    if not path.is_file():
        raise FileNotFoundError(f"Expected a YAML file with {what}, found none at {path}. Check the path.")
    try:
        return parse_yaml(path.read_text(encoding="utf-8"))
    except _RepeatedKeyError as error:
        raise ValueError(f"{path}: {error}") from None
    # A date such as 2024-13-01 is a ValueError without a place; brackets by the thousand are a RecursionError.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" near line {mark.line + 1}" if mark else ""
        raise ValueError(f"Expected a YAML file with {what}, {path} cannot be read{where}. {hint}") from None


def parse_yaml(text: str) -> Any:
    """What a YAML text holds.

    Raises:
        yaml.YAMLError: It is no YAML.
        ValueError: A mapping in it has a key twice, or it holds a date that is none.
    """
    return yaml.load(text, Loader=_Loader)


def with_numbers(value: Any) -> Any:
    """The value with `1e-4`, which YAML 1.1 reads as text, read as a number.

    Example:
        >>> with_numbers({"learning_rate": "1e-4", "order": ["age", "1E5"]})
        {'learning_rate': 0.0001, 'order': ['age', 100000.0]}
    """
    if isinstance(value, dict):
        return {key: with_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [with_numbers(item) for item in value]
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+", value):
        return float(value)
    return value


def check_fields(
    fields: Any, types: Mapping[str, type], required: tuple[str, ...], what: str, example: str
) -> dict[str, Any]:
    """The fields of a mapping, but for those that were left empty.

    Args:
        fields: Something read from a file.
        types: The type of every field that may be.
        required: Those that must be.
        what: Whose fields they are, such as "Column 3", at the start of the message.
        example: How they are written.

    Raises:
        ValueError: It is no mapping, or one with an unknown or absent field or a value of another type.
    """
    if not isinstance(fields, Mapping):
        raise ValueError(f"{what} must be written like {example}, got {short(fields)}.")  # noqa: TRY004
    given = {name: value for name, value in fields.items() if value is not None}
    for name in fields:
        if name not in types:
            message = unknown_name("field", name, list(types))
            raise ValueError(f"{what} must be written like {example}, got {short(fields)}. {message}")
    for name in required:
        if name not in given:
            raise ValueError(f"{what} must be written like {example}, got no {name!r} in {short(fields)}.")
    for name, value in given.items():
        if type(value) is not types[name]:  # a bool is no whole number here
            raise ValueError(f"{what}: {name!r} must be {_IN_WORDS[types[name]]}, got {short(value)}.")
    return given


def short(value: Any) -> str:
    """The value as Python writes it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."
