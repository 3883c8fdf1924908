"""Why columns are refused, and the options that leave them out."""

from __future__ import annotations

import re
from collections.abc import Mapping

from rlsyn.values.forms import value_form

INSTEAD_OF_DATES = "or turn them into numbers (an age, days since a visit) "


def refusal(name: str, what: str, example: str, instead: str = "") -> str:
    """That a column would identify people, for what it holds; the example is shown by its form only."""
    return (
        f"Column {name!r} {what}, of the form {value_form(example)!r}: such a column cannot be learned and would identify people. "
        f"Leave it out {instead}with --drop {in_shell(name)}."
    )


def in_shell(name: str) -> str:
    """The name of a column as a command line takes it.

    Example:
        >>> in_shell("age"), in_shell("RT dose (Gy)")
        ('age', "'RT dose (Gy)'")
    """
    return name if re.fullmatch(r"[\w.-]+", name) else f"'{name}'"


def refusal_of_all(refused: Mapping[str, str]) -> str:
    """The refusal of the first of some columns, and the one option that leaves out all of them.

    Args:
        refused: By name of a column why it is refused, in sentences.

    Example:
        >>> refusal_of_all({"name": "Column 'name' is no good.", "birth date": "Nor is this."})
        "Column 'name' is no good. Refused as well: 'birth date'. All of them are left out with --drop name 'birth date'."
    """
    first, *others = refused
    if not others:
        return refused[first]
    names = " ".join(map(in_shell, refused))
    as_well = ", ".join(map(repr, others))
    return f"{refused[first]} Refused as well: {as_well}. All of them are left out with --drop {names}."
