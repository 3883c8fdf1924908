"""Rules that determine a column: formulas such as `abs(qtc - qt * sqrt(rate / 60)) <= 0.5` or `total == a + b`."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter

import numpy as np

from rlsyn.constraints.expressions import literal
from rlsyn.constraints.truth import Clause, names_in

NARROW = 0.01
"""Share of a column's range; a formula with a wider tolerance than this, and than the last digit, is no formula."""


@dataclass(frozen=True)
class Formula:
    """How a column follows from others.

    Args:
        column: The column.
        clause: The condition that says so.
        difference: A sum that the condition wants to be 0, the column with the sign `sign` and other terms.
        sign: 1 or -1.
    """

    column: str
    clause: Clause
    difference: Clause
    sign: int

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """The columns that it is computed from."""
        return tuple(name for name in self.difference.columns if name != self.column)

    def values(self, table: Mapping[str, np.ndarray]) -> np.ndarray:
        """The column's values `(n,)` as the formula gives them, unrounded; NaN where an input is missing."""
        zeros = np.zeros(len(table[self.column]))
        others = self.difference.numbers({**{name: table[name] for name in self.inputs}, self.column: zeros})
        return -self.sign * others


def formulas_among(
    clauses: Iterable[Clause], tolerances: Mapping[str, float], given: Collection[str] = ()
) -> tuple[Formula, ...]:
    """The formulas among conditions, in an order in which each finds its inputs computed.

    A condition `abs(sum) <= tolerance` or `left == right` determines one of the columns that are terms of the sum and
    stand nowhere else in it: the one that is alone on its side of the equation if there is one (a total, a ratio, the
    column that the rule is about), else the last (the remainder of the other parts). If that is given, determined by
    an earlier condition, or would close a circle, the next is taken; a condition that none is left for gives no formula.

    Args:
        clauses: Conditions.
        tolerances: By column of numbers the largest tolerance that still determines it; a wider one says that two
            columns are near each other, not what one of them is.
        given: Columns that must stay as they are.
    """
    found: dict[str, Formula] = {}
    order: list[str] = []
    for clause in clauses:
        for formula, tolerance in _candidates(clause, tolerances.keys()):
            if formula.column in given or formula.column in found or tolerance > tolerances[formula.column]:
                continue
            inputs = {name: other.inputs for name, other in [*found.items(), (formula.column, formula)]}
            try:
                order = list(TopologicalSorter(inputs).static_order())
            except CycleError:
                continue
            found[formula.column] = formula
            break
    return tuple(found[name] for name in order if name in found)


def widest_tolerance(decimals: int | None, width: float) -> float:
    """How far from a formula a column of so many decimals and that range may be and still be determined by it."""
    return max(0.0 if decimals is None else 10.0**-decimals, NARROW * width)


def _candidates(clause: Clause, numbers: Collection[str]) -> list[tuple[Formula, float]]:
    """The formulas that a condition may be read as, the likeliest first, with its tolerance."""
    equation = _equation(clause.node)
    if equation is None:
        return []
    node, tolerance = equation
    difference = Clause(clause.parsed, node)
    if not set(difference.columns) <= set(numbers) or len(difference.columns) < 2:
        return []
    terms = _terms(node, 1)
    names = [clause.parsed.column(name) for name in names_in(node)]
    sides = [sign for _, sign in terms]
    alone: list[tuple[Formula, float]] = []
    others: list[tuple[Formula, float]] = []
    for term, sign in terms:
        if isinstance(term, ast.Name) and names.count(name := clause.parsed.column(term)) == 1:
            (alone if sides.count(sign) == 1 else others).append((Formula(name, clause, difference, sign), tolerance))
    return alone + others[::-1]


def _equation(node: ast.expr) -> tuple[ast.expr, float] | None:
    """What a condition wants to be 0, and up to which tolerance; `None` if it wants something else."""
    if not isinstance(node, ast.Compare):
        return None
    left, comparison, right = node.left, node.ops[0], node.comparators[0]
    if isinstance(comparison, ast.Eq):
        return ast.copy_location(ast.BinOp(left, ast.Sub(), right), left), 0.0
    if isinstance(comparison, ast.Gt | ast.GtE):
        left, right = right, left
    elif not isinstance(comparison, ast.Lt | ast.LtE):
        return None
    tolerance = literal(right)
    is_distance = isinstance(left, ast.Call) and isinstance(left.func, ast.Name) and left.func.id == "abs"
    if not is_distance or not isinstance(tolerance, int | float) or tolerance < 0:
        return None
    assert isinstance(left, ast.Call)
    return left.args[0], float(tolerance)


def _terms(node: ast.expr, sign: int) -> list[tuple[ast.expr, int]]:
    """The terms of a sum with their signs."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        right = sign if isinstance(node.op, ast.Add) else -sign
        return _terms(node.left, sign) + _terms(node.right, right)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        return _terms(node.operand, -sign if isinstance(node.op, ast.USub) else sign)
    return [(node, sign)]
