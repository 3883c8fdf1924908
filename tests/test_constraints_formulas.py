"""Rules taken apart: clauses that stand for themselves, and the column that a formula determines."""

import numpy as np
import pandas as pd
import pytest

from rlsyn.constraints import Constraint, one_hot, sums_to
from rlsyn.constraints.formulas import formulas_among


def formulas(*expressions, given=(), tolerance=1.0):
    rules = [Constraint(text, text) for text in expressions]
    names = {name for rule in rules for name in rule.columns}
    clauses = [clause for rule in rules for clause in rule.clauses]
    return formulas_among(clauses, dict.fromkeys(names, tolerance), given)


def determined(*expressions, **kwargs):
    return [formula.column for formula in formulas(*expressions, **kwargs)]


@pytest.mark.parametrize(
    "expression",
    [
        "a > 1 and b == 2 and (a > b or a.isna())",
        "0 <= a < b <= 9",
        "not (a > 1 and b > 1)",
        "a in [1, 2] and 0 <= a - b <= 3",
        "(a > 1 and b > 1) and a != b",
    ],
)
def test_a_row_breaks_a_rule_where_a_clause_is_false(expression):
    values = [0.0, 1.0, 2.0, 3.0, 9.5, np.nan]
    table = pd.DataFrame([(a, b) for a in values for b in values], columns=["a", "b"])
    rule = Constraint("r", expression)
    clauses = [clause.is_false(table) for clause in rule.clauses]
    np.testing.assert_array_equal(np.logical_or.reduce(clauses), rule.is_broken_by(table))


def test_clauses_know_their_columns():
    rule = Constraint("r", "0 <= `a b` <= max(c, 3) and (c > 1 or abs(d) < 2) and µ == 1")
    assert [clause.columns for clause in rule.clauses] == [("a b",), ("a b", "c"), ("c", "d"), ("µ",)]


@pytest.mark.parametrize(
    ("expression", "column"),
    [
        ("abs(ratio - a / b) <= 0.05", "ratio"),
        ("abs(a / b - ratio) < 0.05", "ratio"),
        ("0.5 >= abs(qtc - qt * sqrt(rate / 60))", "qtc"),
        ("abs(ldl - max(total - hdl - min(tri, 400) / 5, 0)) <= 0.5", "ldl"),
        ("abs(a + b - total) <= 0.049", "total"),
        ("total == a + b", "total"),
        ("a + b == total", "total"),
        ("-total == -a - b", "total"),
        ("a + b == 10", "b"),
        ("a + b + c == 1", "c"),
        ("left == right", "left"),
        ("total == 2 * total + a", "a"),
    ],
)
def test_the_column_that_a_rule_is_about_is_determined(expression, column):
    assert determined(expression) == [column]


@pytest.mark.parametrize(
    "expression",
    [
        "a < b",
        "abs(a - b) >= 0.1",
        "abs(a - b) <= 30",
        "abs(a - b) <= c",
        "a * b == c * d",
        "a == 3",
        "a > 1 or a == b",
        "not a == b",
        "abs(a) == b and a != b and b < 1 and abs(a - b) <= -1",
    ],
    ids=str,
)
def test_other_rules_determine_no_column(expression):
    found = determined(expression)
    assert found == (["b"] if expression.startswith("abs(a) == b") else [])


def test_short_forms_determine_the_total_and_the_last_flag():
    clauses = [*sums_to(["a", "b"], "c", 0.1).clauses, *one_hot(["x", "y", "z"]).clauses]
    found = formulas_among(clauses, dict.fromkeys("abcxyz", 0.5))
    assert sorted(formula.column for formula in found) == ["c", "z"]


def test_texts_are_not_computed():
    (clause,) = Constraint("r", "a == b").clauses
    assert formulas_among([clause], {}) == ()


def test_chains_come_in_an_order_that_works():
    assert determined("d == c + 1", "c == a + b", "b == 2 * a") == ["b", "c", "d"]


def test_a_determined_or_given_column_leaves_the_next_one():
    assert determined("total == a + b", "total == c + d") == ["total", "d"]
    assert determined("total == a + b", given=["total"]) == ["b"]
    assert determined("total == a + b", given=["total", "a", "b"]) == []


def test_circles_are_left_to_others():
    assert determined("a == 2 * b", "b == 3 * a") == ["a"]


def test_values_solve_the_equation_and_lack_where_an_input_lacks():
    table = {"a": np.array([1.0, 2.0, np.nan]), "b": np.array([4.0, 5.0, 6.0]), "total": np.array([0.0, 0.0, 0.0])}
    for expression in ("total == a + b", "abs(a + b - total) <= 0.1", "-(a + b) == -total"):
        (formula,) = formulas(expression)
        assert formula.inputs == ("a", "b")
        np.testing.assert_array_equal(formula.values(table), [5, 7, np.nan])
    (formula,) = formulas("total - a - b == 0", given=["total", "b"])
    np.testing.assert_array_equal(formula.values(table), [-4, -5, -6])
