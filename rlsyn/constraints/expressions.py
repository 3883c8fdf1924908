"""Conditions over the columns of a table, written as for `pandas.DataFrame.eval`; read here, and never run as Python.

A condition such as `0 <= age <= 120 and (sex == 'f' or pregnant == 0)` may hold:

- columns by name, in backticks where the name is no word (`` `phecode_401.1` ``); numbers, texts, True and False;
- `+ - * / // % **` (an exponent is a number of at most 10) and the functions of `FUNCTIONS`;
- `== != < <= > >=`, chained or not, `in [...]`, `not in [...]`, `column.isna()`, `column.notna()`;
- `and or not`. As in pandas, `&` and `|` are `and` and `or`, and bind as loosely as those; `~` binds as in Python.
"""

from __future__ import annotations

import ast
import keyword
import math
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from rlsyn.names import unknown_name

MAX_LENGTH = 10_000
"""Characters."""
MAX_DEPTH = 150
"""Operations within operations; a sum of so many columns is just allowed."""
MAX_EXPONENT = 10

FUNCTIONS = {"abs": 1, "ceil": 1, "exp": 1, "floor": 1, "log": 1, "log10": 1, "max": 2, "min": 2, "sqrt": 1}
"""The functions of a condition, and how many numbers they take."""

Kind = Literal["truth", "number", "text", "list", "unknown"]
"""What a part of a condition is; a column is unknown as long as its categories are."""

_ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)
_ORDER = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)


class ExpressionError(ValueError):
    """A condition that cannot be read, or does not fit the columns; one line."""


@dataclass(frozen=True)
class Parsed:
    """A condition in Python's grammar.

    Args:
        text: As it was written.
        tree: Its syntax tree, which nobody may change.
        stand_ins: Columns whose names are none in Python, by the names that stand for them.
        origins: For each byte that Python parsed, its position in the text.
    """

    text: str
    tree: ast.expr
    stand_ins: Mapping[str, str]
    origins: tuple[int, ...]

    def column(self, node: ast.Name) -> str:
        """The column that a name in the tree means."""
        return self.stand_ins.get(node.id, node.id)

    def error(self, node: ast.expr, message: str) -> ExpressionError:
        """The error that tells where in the text the node is."""
        return _error(self.text, self.origins[min(node.col_offset, len(self.origins) - 1)], message)


# Cached: a rule is read once and evaluated for several tables.
@lru_cache(maxsize=4096)
def parse(expression: str) -> Parsed:
    """The syntax tree of a condition, not yet checked.

    Raises:
        ExpressionError: It is too long, too deep, or no expression.
    """
    if len(expression) > MAX_LENGTH:
        raise ExpressionError(f"a rule has at most {MAX_LENGTH} characters, got {len(expression)}. Make it several.")
    source, stand_ins, origins = _to_python(expression)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd escapes in texts
            tree = ast.parse(source, mode="eval").body
    except SyntaxError as error:
        position = origins[min(max((error.offset or 1) - 1, 0), len(origins) - 1)]
        raise _error(expression, position, f"this is no condition ({error.msg}). {_TICKS}") from None
    except (ValueError, RecursionError, MemoryError):
        raise _error(expression, 0, "this cannot be read: it is nested too deeply, or holds odd characters.") from None
    if _depth(tree) > MAX_DEPTH:
        raise _error(expression, 0, f"operations are nested more than {MAX_DEPTH} deep. Make it several rules.")
    return Parsed(expression, tree, stand_ins, origins)


@lru_cache(maxsize=4096)
def column_names(expression: str) -> tuple[str, ...]:
    """The columns that a condition names, in the order of their first use.

    Raises:
        ExpressionError: It is no condition.
    """
    parsed = parse(expression)
    checker = _Checker(parsed, None)
    if checker.visit(parsed.tree) != "truth":
        raise parsed.error(parsed.tree, "a rule must be true or false. Compare this with something, such as ... <= 1.")
    if not checker.found:
        raise parsed.error(parsed.tree, "a rule must name at least one column.")
    return tuple(checker.found)


def check_columns(expression: str, categories: Mapping[str, tuple[Any, ...]]) -> None:
    """Check a condition against the columns of a table.

    Args:
        expression: The condition.
        categories: By column its categories; none for quantities.

    Raises:
        ExpressionError: It names another column, a category that a column does not have, or reckons with text.
    """
    parsed = parse(expression)
    _Checker(parsed, categories).visit(parsed.tree)


def in_backticks(name: str) -> str:
    """A column name as a condition writes it: in backticks unless it is a plain word.

    Raises:
        ExpressionError: The name holds a backtick itself.
    """
    if "`" in name:
        raise ExpressionError(f"a column name with a backtick cannot stand in a rule, got {name!r}. Rename the column.")
    return name if name.isidentifier() and not keyword.iskeyword(name) else f"`{name}`"


def _error(text: str, position: int, message: str) -> ExpressionError:
    rest = text[position : position + 40]
    return ExpressionError(f"character {position + 1}, at {rest!r}: {message}" if rest else f"at its end: {message}")


_TOKEN = re.compile(
    r"""(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*") | (?P<column>`[^`]*`) | (?P<word>[^\W\d]\w*)
    | (?P<comparison>[<>=!]=) | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_STAND_IN = "_column_in_backticks_"
_TICKS = "Names of columns with blanks, points or signs stand in backticks."
_REFUSED = {
    "=": "write == for equality.",
    "`": "this backtick has no partner.",
    "#": "a rule has no comments.",
    "\n": "a rule stands on one line.",
    "\r": "a rule stands on one line.",
}
# As pandas does: comparisons joined by these need no brackets then.
_LOGIC = {"&": " and ", "|": " or "}


def _to_python(expression: str) -> tuple[str, dict[str, str], tuple[int, ...]]:
    """The expression in Python's grammar, the stand-ins in it, and the origin of each of its bytes."""
    parts: list[str] = []
    stand_ins: dict[str, str] = {}
    origins: list[int] = []
    for token in _TOKEN.finditer(expression):
        text, start = token.group(), token.start()
        part = text
        if token.lastgroup == "other":
            if text in _REFUSED:
                raise _error(expression, start, _REFUSED[text])
            part = _LOGIC.get(text, text)
        # Python would spell letters such as the micro sign in another way than the table does.
        is_odd_word = token.lastgroup == "word" and (not text.isascii() or text.startswith(_STAND_IN))
        if token.lastgroup == "column" or is_odd_word:
            part = f"{_STAND_IN}{len(stand_ins)}"
            stand_ins[part] = text if is_odd_word else text[1:-1]
        parts.append(part)
        width = len(part.encode("utf-8", "replace"))
        origins += [start if part != text else start + min(k, len(text) - 1) for k in range(width)]
    return "".join(parts), stand_ins, (*origins, len(expression))


def _depth(tree: ast.expr) -> int:
    # Without recursion, for trees too deep for it.
    deepest, nodes = 0, [(tree, 1)]
    while nodes:
        node, depth = nodes.pop()
        deepest = max(deepest, depth)
        nodes += [(child, depth + 1) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
    return deepest


def literal(node: ast.expr) -> Any:
    """The number or text that a node is; `None` if it is something else."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = literal(node.operand)
        if not isinstance(value, int | float):
            return None
        return -value if isinstance(node.op, ast.USub) else value
    return node.value if isinstance(node, ast.Constant) else None


class _Checker(ast.NodeVisitor):
    """Tells what each part of a condition is, and refuses all that is not listed here.

    Every part is visited once: twice would be 2^depth times for the innermost.
    """

    def __init__(self, parsed: Parsed, categories: Mapping[str, tuple[Any, ...]] | None) -> None:
        self.parsed, self.categories = parsed, categories
        self.found: dict[str, None] = {}

    def generic_visit(self, node: ast.AST) -> Kind:
        assert isinstance(node, ast.expr)
        what = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(node).__name__).lower()
        raise self.parsed.error(node, f"a rule cannot hold this ({what}), only comparisons and arithmetic of columns.")

    def visit_BoolOp(self, node: ast.BoolOp) -> Kind:
        for value in node.values:
            self._need_truth(value)
        return "truth"

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Kind:
        if isinstance(node.op, ast.Not | ast.Invert):
            self._need_truth(node.operand)
            return "truth"
        self._need_number(node.operand, self.visit(node.operand))
        return "number"

    def visit_BinOp(self, node: ast.BinOp) -> Kind:
        if not isinstance(node.op, _ARITHMETIC):
            raise self.parsed.error(node, "the operators between numbers are + - * / // % and **.")
        for side in (node.left, node.right):
            self._need_number(side, self.visit(side))
        if isinstance(node.op, ast.Pow):
            exponent = literal(node.right)
            if exponent is None or not abs(exponent) <= MAX_EXPONENT:
                raise self.parsed.error(node.right, f"an exponent must be a number of at most {MAX_EXPONENT}.")
        return "number"

    def visit_Compare(self, node: ast.Compare) -> Kind:
        sides = [node.left, *node.comparators]
        kinds: list[Kind] = [self.visit(side) for side in sides]
        for number, comparison in enumerate(node.ops):
            left, right = (sides[number], kinds[number]), (sides[number + 1], kinds[number + 1])
            if isinstance(comparison, ast.In | ast.NotIn):
                self._check_membership(*left, *right)
            elif isinstance(comparison, ast.Eq | ast.NotEq):
                self._check_equality(*left, *right)
            elif isinstance(comparison, _ORDER):
                self._need_number(*left)
                self._need_number(*right)
            else:
                raise self.parsed.error(node, "write == or != to compare, isna() or notna() to ask for missing values.")
        return "truth"

    def visit_Call(self, node: ast.Call) -> Kind:
        if isinstance(node.func, ast.Attribute):
            return self._check_method(node, node.func)
        if not isinstance(node.func, ast.Name):
            return self.generic_visit(node)
        name = node.func.id
        if name not in FUNCTIONS:
            raise self.parsed.error(node, unknown_name("function", self.parsed.column(node.func), list(FUNCTIONS)))
        if len(node.args) != FUNCTIONS[name] or node.keywords:
            raise self.parsed.error(node, f"the brackets of {name} hold {FUNCTIONS[name]} number(s) or column(s).")
        for value in node.args:
            self._need_number(value, self.visit(value))
        return "number"

    def visit_Attribute(self, node: ast.Attribute) -> Kind:
        raise self.parsed.error(node, f"only .isna() and .notna() follow a column. {_TICKS}")

    def visit_Name(self, node: ast.Name) -> Kind:
        name = self.parsed.column(node)
        self.found[name] = None
        if self.categories is None:
            return "unknown"
        if name not in self.categories:
            raise self.parsed.error(node, unknown_name("column", name, list(self.categories)))
        return "text" if any(isinstance(category, str) for category in self.categories[name]) else "number"

    def visit_Constant(self, node: ast.Constant) -> Kind:
        if isinstance(node.value, str):
            return "text"
        if isinstance(node.value, int | float) and abs(node.value) < 1e300 and not math.isnan(node.value):
            return "number"
        if node.value is None:
            raise self.parsed.error(node, "write column.isna() for a missing value.")
        return self.generic_visit(node)

    def visit_List(self, node: ast.List) -> Kind:
        return self._list(node, node.elts)

    def visit_Tuple(self, node: ast.Tuple) -> Kind:
        return self._list(node, node.elts)

    def _list(self, node: ast.expr, options: list[ast.expr]) -> Kind:
        if not options or any(literal(option) is None for option in options):
            raise self.parsed.error(node, "a list holds numbers or texts, such as [1, 2] or ['I', 'II'].")
        return "list"

    def _check_method(self, node: ast.Call, method: ast.Attribute) -> Kind:
        if method.attr not in ("isna", "notna") or not isinstance(method.value, ast.Name):
            return self.visit_Attribute(method)
        if node.args or node.keywords:
            raise self.parsed.error(node, f"the brackets of {method.attr} are empty.")
        self.visit(method.value)
        return "truth"

    def _check_equality(self, left: ast.expr, left_kind: Kind, right: ast.expr, right_kind: Kind) -> None:
        for side, kind in ((left, left_kind), (right, right_kind)):
            if kind == "list":
                raise self.parsed.error(side, "write `in` to compare with a list.")
        self._check_category(left, right)
        self._check_category(right, left)
        kinds: set[Kind] = {left_kind, right_kind}
        if len(kinds - {"unknown"}) > 1 or kinds == {"truth", "unknown"}:
            named = {"truth": "a condition", "unknown": "a column"}
            first, second = (named.get(kind, f"a {kind}") for kind in (left_kind, right_kind))
            raise self.parsed.error(left, f"{first} and {second} are never equal.")

    def _check_membership(self, value: ast.expr, kind: Kind, options: ast.expr, options_kind: Kind) -> None:
        if not isinstance(options, ast.List | ast.Tuple):
            raise self.parsed.error(options, "expected a list such as [1, 2] or ['I', 'II'] after `in`.")
        for option in options.elts:
            self._check_equality(value, kind, option, self.visit(option))

    def _check_category(self, column: ast.expr, value: ast.expr) -> None:
        named = literal(value)
        if self.categories is None or named is None or not isinstance(column, ast.Name):
            return
        name = self.parsed.column(column)
        known = self.categories[name]
        if known and named not in known:
            raise self.parsed.error(value, unknown_name(f"category of column {name!r}:", named, list(known)))

    def _need_truth(self, node: ast.expr) -> None:
        if self.visit(node) != "truth":
            raise self.parsed.error(
                node, "and, or, not join comparisons. Compare this with something, such as ... == 1."
            )

    def _need_number(self, node: ast.expr, kind: Kind) -> None:
        if kind == "text":
            raise self.parsed.error(node, "texts have no order and no arithmetic. Compare with == or in [...].")
        if kind == "truth":
            raise self.parsed.error(
                node, "a comparison is no number. Join comparisons with and, or; mind the brackets."
            )
        if kind == "list":
            raise self.parsed.error(node, "a list can only stand after `in`.")
