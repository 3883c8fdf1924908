"""Where a condition over the columns of a table is true, false or unknown.

It agrees with `pandas.DataFrame.eval` but for this: True counts 1 in sums, whole numbers never overflow, `min` and
`max` of two values exist, and missing values are unknown instead of unequal to everything. A condition is unknown where
a missing value could make it true as well as false (Kleene's logic, as in a CHECK constraint of SQL); `isna` and
`notna` are always known. Numbers are equal within rounding: 0.1 + 0.2 is 0.3. What arithmetic leaves undefined is not
unknown: 1 / 0 is infinite, and log(-1) is no number, which compares as false (with `!=` as true).
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from rlsyn.constraints.expressions import FUNCTIONS, Parsed, column_names, parse
from rlsyn.names import unknown_name

_OPERATIONS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.FloorDiv: np.floor_divide,
    ast.Mod: np.mod,
    ast.Pow: np.power,
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    name: {"min": np.minimum, "max": np.maximum}.get(name) or getattr(np, name) for name in FUNCTIONS
}


RELATIVE = ABSOLUTE = 1e-12
"""How far apart numbers are still equal; the second beside 0, where the difference of two equal sums ends."""
Table = pd.DataFrame | Mapping[str, np.ndarray]
"""Columns by name, all of one length; as arrays in the form of `as_array`."""


@dataclass(frozen=True)
class Clause:
    """A part of a condition that stands for itself.

    Args:
        parsed: The condition.
        node: The part of its tree.
    """

    parsed: Parsed
    node: ast.expr

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns in it, in the order of their first use."""
        return tuple(dict.fromkeys(self.parsed.column(name) for name in names_in(self.node)))

    def is_false(self, table: Table) -> np.ndarray:
        """For each row whether it is false: neither true nor, for the lack of a value, unknown."""
        truth: _Truth = self._evaluate(table)
        return np.broadcast_to(truth.is_false, _n_rows(table, self.columns))

    def numbers(self, table: Table) -> np.ndarray:
        """For each row its value, where it is a number; NaN where values lack."""
        values: _Values = self._evaluate(table)
        numbers = np.where(values.is_missing, np.nan, values.data)
        return np.broadcast_to(numbers, _n_rows(table, self.columns))

    def _evaluate(self, table: Table) -> Any:
        columns = {name: _values(table[name]) for name in self.columns}
        with np.errstate(all="ignore"):
            return _Evaluator(self.parsed, columns).visit(self.node)


def clauses(expression: str) -> tuple[Clause, ...]:
    """The parts of a condition that are joined by `and`, chained comparisons divided: it is false where one of them is.

    Raises:
        ExpressionError: It is no condition.
    """
    column_names(expression)
    parsed = parse(expression)
    parts = tuple(Clause(parsed, node) for node in _split(parsed.tree))
    for part in parts:
        if not part.columns:
            raise parsed.error(part.node, "this part names no column, so it says nothing of a record.")
    return parts


def is_false(expression: str, table: pd.DataFrame) -> np.ndarray:
    """For each row whether the condition is false: neither true nor, for the lack of a value, unknown.

    Values are compared as they are: 1 is not "1".

    Raises:
        ExpressionError: It is no condition, or reckons with a column of text.
        ValueError: The table lacks one of its columns.
    """
    for name in column_names(expression):
        if name not in table:
            raise ValueError(unknown_name("column", name, list(table.columns)))
    parsed = parse(expression)
    return Clause(parsed, parsed.tree).is_false(table)


def names_in(node: ast.expr) -> list[ast.Name]:
    """The names of columns in a part of a condition, from left to right; those of functions are none."""
    if isinstance(node, ast.Name):
        return [node]
    parts = node.args if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ast.iter_child_nodes(node)
    return [name for part in parts if isinstance(part, ast.expr) for name in names_in(part)]


def _split(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
        return [part for value in node.values for part in _split(value)]  # noqa: PD011
    if isinstance(node, ast.Compare) and len(node.ops) > 1:
        sides = [node.left, *node.comparators]
        triples = zip(sides, node.ops, node.comparators, strict=False)
        return [ast.copy_location(ast.Compare(left, [op], [right]), left) for left, op, right in triples]
    return [node]


def _n_rows(table: Table, columns: tuple[str, ...]) -> int:
    return len(table) if isinstance(table, pd.DataFrame) else len(table[columns[0]])


class _Values(NamedTuple):
    """Floats or, as objects, texts."""

    data: np.ndarray
    is_missing: np.ndarray


class _Truth(NamedTuple):
    """Neither where it is unknown."""

    is_true: np.ndarray
    is_false: np.ndarray


class _Evaluator(ast.NodeVisitor):
    """Evaluates a condition that has passed the checks."""

    def __init__(self, parsed: Parsed, columns: dict[str, _Values]) -> None:
        self.parsed, self.columns = parsed, columns

    def visit_BoolOp(self, node: ast.BoolOp) -> _Truth:
        join = _both if isinstance(node.op, ast.And) else _either
        return reduce(join, (self.visit(value) for value in node.values))  # noqa: PD011

    def visit_UnaryOp(self, node: ast.UnaryOp) -> _Truth | _Values:
        value = self.visit(node.operand)
        if isinstance(node.op, ast.Not | ast.Invert):
            return _negated(value)
        return self._apply(np.negative if isinstance(node.op, ast.USub) else np.positive, (node.operand, value))

    def visit_BinOp(self, node: ast.BinOp) -> _Values:
        sides = (node.left, node.right)
        return self._apply(_OPERATIONS[type(node.op)], *((side, self.visit(side)) for side in sides))

    def visit_Call(self, node: ast.Call) -> _Truth | _Values:
        if isinstance(node.func, ast.Attribute):
            is_missing = self.visit(node.func.value).is_missing
            return _Truth(is_missing, ~is_missing) if node.func.attr == "isna" else _Truth(~is_missing, is_missing)
        assert isinstance(node.func, ast.Name)
        return self._apply(_FUNCTIONS[node.func.id], *((value, self.visit(value)) for value in node.args))

    def visit_Compare(self, node: ast.Compare) -> _Truth:
        sides = [(side, self.visit(side)) for side in (node.left, *node.comparators)]
        pairs = zip(node.ops, sides, sides[1:], strict=False)
        return reduce(_both, (self._compare(comparison, left, right) for comparison, left, right in pairs))

    def visit_Name(self, node: ast.Name) -> _Values:
        return self.columns[self.parsed.column(node)]

    def visit_Constant(self, node: ast.Constant) -> _Values:
        return _Values(np.array(node.value, dtype=object if isinstance(node.value, str) else float), np.array(False))

    def visit_List(self, node: ast.List) -> list[_Values]:
        return [self.visit(option) for option in node.elts]

    def visit_Tuple(self, node: ast.Tuple) -> list[_Values]:
        return [self.visit(option) for option in node.elts]

    def _compare(self, comparison: ast.cmpop, left: tuple[ast.expr, Any], right: tuple[ast.expr, Any]) -> _Truth:
        if type(comparison) in _OPERATIONS:
            holds, is_missing = self._apply(_OPERATIONS[type(comparison)], left, right)
            is_same = _equal(left[1], right[1]).is_true
            holds = holds | is_same if isinstance(comparison, ast.LtE | ast.GtE) else holds & ~is_same
            return _Truth(holds & ~is_missing, ~holds & ~is_missing)
        options = right[1] if isinstance(right[1], list) else [right[1]]
        is_equal = reduce(_either, (_equal(left[1], option) for option in options))
        return _negated(is_equal) if isinstance(comparison, ast.NotEq | ast.NotIn) else is_equal

    def _apply(self, function: Callable[..., Any], *parts: tuple[ast.expr, _Values]) -> _Values:
        for node, (data, _) in parts:
            if data.dtype == object:
                raise self.parsed.error(node, "this column holds text, which has no order and no arithmetic.")
        is_missing = reduce(operator.or_, (value.is_missing for _, value in parts))
        return _Values(np.asarray(function(*(value.data for _, value in parts))), is_missing)


def as_array(column: pd.Series) -> np.ndarray:
    """The values of a column as conditions see them: floats, NaN where missing, or texts, `None` where missing."""
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(dtype=float, na_value=np.nan)
    is_missing = column.isna().to_numpy(dtype=bool)
    values = column.astype(object).to_numpy(dtype=object, copy=True)
    values[is_missing] = None
    # A column of objects may hold numbers, or truths, some of which are missing.
    if all(isinstance(value, bool | int | float | np.number | np.bool_) for value in values[~is_missing]):
        return np.where(is_missing, np.nan, values).astype(float)
    return values


def _values(column: pd.Series | np.ndarray) -> _Values:
    data = as_array(column) if isinstance(column, pd.Series) else column
    return _Values(data, pd.isna(data) if data.dtype == object else np.isnan(data))


def _equal(left: _Values | _Truth, right: _Values | _Truth) -> _Truth:
    if isinstance(left, _Truth) and isinstance(right, _Truth):
        return _either(_both(left, right), _both(_negated(left), _negated(right)))
    assert isinstance(left, _Values) and isinstance(right, _Values)
    is_equal = np.asarray(left.data == right.data, dtype=bool)
    if left.data.dtype == right.data.dtype == float:
        # 0.1 + 0.2 is a 0.3.
        is_equal = is_equal | np.isclose(left.data, right.data, rtol=RELATIVE, atol=ABSOLUTE)
    is_known = ~(left.is_missing | right.is_missing)
    return _Truth(is_equal & is_known, ~is_equal & is_known)


def _both(left: _Truth, right: _Truth) -> _Truth:
    return _Truth(left.is_true & right.is_true, left.is_false | right.is_false)


def _either(left: _Truth, right: _Truth) -> _Truth:
    return _Truth(left.is_true | right.is_true, left.is_false & right.is_false)


def _negated(truth: _Truth) -> _Truth:
    return _Truth(truth.is_false, truth.is_true)
