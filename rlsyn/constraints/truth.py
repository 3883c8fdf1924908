"""Where a condition over the columns of a table is true, false or unknown.

It agrees with `pandas.DataFrame.eval` but for this: True counts 1 in sums, whole numbers never overflow, `min` and
`max` of two values exist, and missing values are unknown instead of unequal to everything. A condition is unknown where
a missing value could make it true as well as false (Kleene's logic, as in a CHECK constraint of SQL); `isna` and
`notna` are always known. What arithmetic leaves undefined is not unknown: 1 / 0 is infinite, and log(-1) is no number,
which compares as false (with `!=` as true).
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from functools import reduce
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


def is_false(expression: str, table: pd.DataFrame) -> np.ndarray:
    """For each row whether the condition is false: neither true nor, for the lack of a value, unknown.

    Values are compared as they are: 1 is not "1".

    Raises:
        ExpressionError: It is no condition, or reckons with a column of text.
        ValueError: The table lacks one of its columns.
    """
    names = column_names(expression)
    for name in names:
        if name not in table:
            raise ValueError(unknown_name("column", name, list(table.columns)))
    columns = {name: _column_values(table[name]) for name in names}
    parsed = parse(expression)
    with np.errstate(all="ignore"):
        truth: _Truth = _Evaluator(parsed, columns).visit(parsed.tree)
    return truth.is_false


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


def _column_values(column: pd.Series) -> _Values:
    is_missing = column.isna().to_numpy(dtype=bool)
    if not pd.api.types.is_numeric_dtype(column):
        values = column.astype(object).to_numpy(dtype=object, copy=True)
        values[is_missing] = None
        # A column of objects may hold numbers, or truths, some of which are missing.
        if not all(isinstance(value, bool | int | float | np.number | np.bool_) for value in values[~is_missing]):
            return _Values(values, is_missing)
        column = pd.Series(np.where(is_missing, 0.0, values).astype(float))
    return _Values(column.to_numpy(dtype=float, na_value=0.0), is_missing)


def _equal(left: _Values | _Truth, right: _Values | _Truth) -> _Truth:
    if isinstance(left, _Truth) and isinstance(right, _Truth):
        return _either(_both(left, right), _both(_negated(left), _negated(right)))
    assert isinstance(left, _Values) and isinstance(right, _Values)
    is_equal = np.asarray(left.data == right.data, dtype=bool)
    is_known = ~(left.is_missing | right.is_missing)
    return _Truth(is_equal & is_known, ~is_equal & is_known)


def _both(left: _Truth, right: _Truth) -> _Truth:
    return _Truth(left.is_true & right.is_true, left.is_false | right.is_false)


def _either(left: _Truth, right: _Truth) -> _Truth:
    return _Truth(left.is_true | right.is_true, left.is_false & right.is_false)


def _negated(truth: _Truth) -> _Truth:
    return _Truth(truth.is_false, truth.is_true)
