"""Rules that every record must obey, such as `systolic > diastolic`; `expressions` beside tells how to write one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rlsyn.constraints.expressions import check_columns, column_names, in_backticks
from rlsyn.constraints.truth import Clause, clauses, is_false
from rlsyn.yaml_fields import read_yaml, short, with_numbers

FORMS = (
    "'systolic > diastolic', {name: ..., expression: ...}, {one_hot: [a, b]}, {range: {column: a, low: 0, high: 9}} "
    "or {sum: {columns: [a, b], total: c, tolerance: 0.1}}"
)

_QUOTES = "Put rules that begin with a backtick, a quote or a bracket, or that hold a colon, in double quotes."


@dataclass(frozen=True)
class Constraint:
    """A rule that every record must obey.

    Args:
        name: What people call it.
        expression: A condition over the columns, in the syntax of `pandas.DataFrame.eval` (see `expressions`).

    Raises:
        ValueError: The expression is no condition; the message says where and why, in a line.

    Example:
        >>> rule = Constraint("pulse pressure", "systolic > diastolic")
        >>> rule.is_broken_by(pd.DataFrame({"systolic": [120, 70, np.nan], "diastolic": [80, 80, 80]})).tolist()
        [False, True, False]
    """

    name: str
    expression: str

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not isinstance(self.expression, str) or not self.name.strip():
            raise ValueError(f"A rule has a name and an expression, both text, got {self.name!r}, {self.expression!r}.")
        object.__setattr__(self, "expression", self.expression.strip())
        with _named(self.name):
            clauses(self.expression)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that the rule is about, in the order of their first use."""
        return column_names(self.expression)

    @property
    def clauses(self) -> tuple[Clause, ...]:
        """The conditions that the rule joins by `and`: a row breaks it where one of them is false."""
        return clauses(self.expression)

    def check(self, categories: Mapping[str, tuple[Any, ...]]) -> None:
        """Check the rule against the columns of a table.

        Args:
            categories: By column its categories; none for quantities.

        Raises:
            ValueError: It names another column, a category that the column does not have, or reckons with text.
        """
        with _named(self.name):
            check_columns(self.expression, categories)

    def is_broken_by(self, table: pd.DataFrame) -> np.ndarray:
        """For each row whether it breaks the rule.

        A row breaks it where the expression is false whatever the missing values would be; so those break no rule,
        unless it asks for them by `isna` or `notna`. Values are compared as they are: 1 is not "1".

        Raises:
            ValueError: The table lacks a column of the rule, or holds text where the rule reckons with numbers.
        """
        with _named(self.name):
            return is_false(self.expression, table)


def one_hot(columns: Sequence[str], name: str | None = None) -> Constraint:
    """The rule that one of the columns is 1 and the others are 0."""
    texts = [in_backticks(column) for column in _listed("one_hot", columns)]
    if len(set(texts)) < len(texts):
        raise ValueError(f"The rule 'one_hot' needs columns that differ, got {short(columns)}.")
    each = " and ".join(f"{text} in [0, 1]" for text in texts)
    expression = f"{each} and {' + '.join(texts)} == 1"
    return Constraint(f"exactly one of {', '.join(columns)}" if name is None else name, expression)


def in_range(column: str, low: float | None = None, high: float | None = None, name: str | None = None) -> Constraint:
    """The rule that a column is not below `low` and not above `high`, where given."""
    left = "" if low is None else f"{_number('low', low)} <= "
    right = "" if high is None else f" <= {_number('high', high)}"
    ends = [end for end in (low, high) if end is not None]
    if not ends or ends[0] > ends[-1]:
        raise ValueError(f"The range of {column!r} needs low <= high, or one of the two, got {low!r} and {high!r}.")
    expression = f"{left}{in_backticks(column)}{right}"
    return Constraint(expression if name is None else name, expression)


def sums_to(columns: Sequence[str], total: str | float, tolerance: float = 1e-6, name: str | None = None) -> Constraint:
    """The rule that the columns add up to the total, a number or another column, give or take the tolerance."""
    parts = " + ".join(in_backticks(column) for column in _listed("sum", columns))
    whole = in_backticks(total) if isinstance(total, str) else _number("total", total)
    expression = f"abs({parts} - {whole}) <= {_number('tolerance', tolerance)}"
    if tolerance < 0:
        raise ValueError(f"tolerance of a rule must not be below 0, got {tolerance!r}: every record would break it.")
    return Constraint(f"{parts} = {whole}" if name is None else name, expression)


def read_constraints(path: str | Path) -> tuple[Constraint, ...]:
    """The rules in a YAML file that holds a list of them, in the forms of `constraints_from`.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no YAML list, or a rule in it is none.
    """
    path = Path(path)
    entries = read_yaml(path, "a list of rules", _QUOTES)
    if not isinstance(entries, list):
        raise ValueError(f"Expected a YAML list of rules (lines that begin with '- '), {path} holds {short(entries)}.")  # noqa: TRY004
    try:
        return constraints_from(entries)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def constraints_from(entries: Iterable[Any]) -> tuple[Constraint, ...]:
    """Rules from their short forms.

    Args:
        entries: Each a text (the expression, which is its own name), or a mapping of `name` and `expression`, of
            `one_hot` to columns, of `range` to `column`, `low`, `high`, or of `sum` to `columns`, `total`, `tolerance`;
            the last three may have a `name` beside. Rules themselves pass.

    Raises:
        ValueError: An entry is none of these, or two have the same name.
    """
    if isinstance(entries, str | Mapping) or not isinstance(entries, Iterable):
        raise ValueError(f"Expected a list of rules such as {FORMS}; got {short(entries)}.")  # noqa: TRY004
    rules = tuple(_rule(entry) for entry in entries)
    check_unique(rules)
    return rules


def check_unique(rules: Sequence[Constraint]) -> None:
    """Check that no two rules share a name.

    Raises:
        ValueError: Two do.
    """
    names = [rule.name for rule in rules]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"Rules must have names of their own, got {twice[:5]} more than once. Rename or remove them.")


def _rule(entry: Any) -> Constraint:
    if isinstance(entry, Constraint):
        return entry
    if isinstance(entry, str):
        return Constraint(entry.strip(), entry)
    if isinstance(entry, Mapping):
        if set(entry) == {"name", "expression"}:
            return Constraint(entry["name"], entry["expression"])
        forms = set(entry) - {"name"}
        if len(forms) == 1 and (form := forms.pop()) in _FORMS:
            return _of_form(form, entry[form], entry.get("name"))
    raise ValueError(f"Expected a rule such as {FORMS}; got {short(entry)}.")


def _of_form(form: str, fields: Any, name: Any) -> Constraint:
    make, required, optional = _FORMS[form]
    if form == "one_hot":
        fields = {"columns": fields}
    is_whole = isinstance(fields, Mapping) and required <= set(fields) <= required | optional
    if not is_whole:
        known = f"{', '.join(sorted(required))} (and {', '.join(sorted(optional))})"
        raise ValueError(f"The rule {form!r} needs {known}, got {short(fields)}.")
    if "column" in fields and not isinstance(fields["column"], str):
        raise ValueError(f"The column of {form!r} must be text, got {short(fields['column'])}.")
    numbers = {key: with_numbers(fields[key]) for key in ("low", "high", "total", "tolerance") if key in fields}
    return make(**{**fields, **numbers}, name=name)


_FORMS: dict[str, tuple[Callable[..., Constraint], set[str], set[str]]] = {
    "one_hot": (one_hot, {"columns"}, set()),
    "range": (in_range, {"column"}, {"low", "high"}),
    "sum": (sums_to, {"columns", "total"}, {"tolerance"}),
}


def _listed(form: str, columns: Any) -> list[str]:
    is_list = isinstance(columns, Sequence) and not isinstance(columns, str)
    if not is_list or len(columns) < 2 or not all(isinstance(column, str) for column in columns):
        raise ValueError(f"The rule {form!r} needs a list of two or more column names, got {short(columns)}.")
    return list(columns)


def _number(what: str, value: Any) -> str:
    plain = value.item() if isinstance(value, np.generic) else value
    is_number = isinstance(plain, int | float) and not isinstance(plain, bool)
    if not is_number or not abs(plain) <= sys.float_info.max:  # whole numbers may be longer than any float
        raise ValueError(f"{what} of a rule must be a number, got {short(value)}.")
    return repr(plain)


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Puts the name of the rule in front of what is wrong with it."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"Rule {short(name)}: {error}") from None
