"""Rules that every row of a table obeys though nobody has declared them: sums, scores, thresholds, orders."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice, pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd

from rlsyn.constraints import Constraint
from rlsyn.constraints.expressions import in_backticks
from rlsyn.constraints.formulas import formulas_among, widest_tolerance
from rlsyn.constraints.truth import Clause, as_array
from rlsyn.implied_orders import MAX_PAIRS, MIN_ROWS, implied_orders
from rlsyn.schema import Category, Column, Schema
from rlsyn.values.categories import category_text
from rlsyn.values.numbers import as_written

MIN_EACH = 10
"""Rows on either side of a threshold, and with another than the most frequent value beside one for each column."""
N_ROWS = 1000
"""Rows, or up to twice as many, in which a formula is looked for; it is told if all rows obey it."""
MAX_INPUTS = 200
"""Columns that a formula is looked for in, the most correlated ones; of wide tables fewer, for the time it takes."""
MAX_INPUTS_OF_WIDE = 50
MAX_COEFFICIENT = 100
"""Of a formula whose coefficients are whole numbers, times its denominator."""
DENOMINATORS = (*range(1, 13), 100, 1_000, 10_000)
"""Of means and scores, and of decimals, as those of units."""
OF_ROUNDED = (1, 2, 3, 4, 5, 10)
"""Of one coefficient that rounding leaves unsure: of more denominators one would fit by chance, as 5 / 11 does 0.4536."""
SURE = 0.2
"""Of the step between two coefficients, how much their error may be, so that hardly one is met by chance."""
MAX_BANDS = 12
"""Categories of a column that each are an interval of a quantity."""


@dataclass(frozen=True)
class Numbers:
    """The columns of a table that one can reckon with and that vary.

    Args:
        columns: Binary ones first, so that a count of flags is found from its flags.
        data: Their values, `(n_rows, n_columns)`, NaN where missing.
    """

    columns: Sequence[Column]
    data: np.ndarray

    def without(self, names: set[str]) -> Numbers:
        """All columns but these."""
        kept = [index for index, column in enumerate(self.columns) if column.name not in names]
        return Numbers([self.columns[index] for index in kept], self.data[:, kept])


@dataclass(frozen=True)
class Relation:
    """Columns that, times whole numbers, add up to a constant, give or take rounding.

    Args:
        members: Indices of the columns.
        factors: Their whole numbers.
    """

    members: tuple[int, ...]
    factors: tuple[int, ...]


def implied_rules(table: pd.DataFrame, schema: Schema) -> list[str]:
    """Conditions that hold in every row of a table and follow from no declared rule, as `--constraints` takes them.

    A formula gives a quantity as a sum of others times simple numbers, exactly or rounded to its decimals. Each column
    is compared with those before it that no formula gives, so columns that follow from one another are told once. A
    threshold gives a binary column by a quantity, bands give each category of another. An order, one quantity at most another, is told beside no formula that
    both are in. Rows count in which no column of the rule is missing.

    It takes at most some seconds: a formula is looked for among the 200 columns that are most correlated with its
    result, or 50 in tables of more than 200, and only among so many that there are two complete rows for each;
    thresholds are left out where pairs of a column of categories and a quantity are more than 20,000.
    """
    numbers = _numbers(table, schema)
    clauses = [clause for rule in schema.constraints for clause in rule.clauses]
    formulas = formulas_among(clauses, _tolerances(numbers))
    declared = {formula.column for formula in formulas}
    # A bound on the same columns says less than an equation.
    named = [set(clause.columns) for clause in clauses if _is_equation(clause)]
    named += [set(formula.clause.columns) for formula in formulas]
    found = list(_formulas(table, numbers.without(declared)))
    ordered = [set(clause.columns) for clause in clauses] + [set(rule.columns) for rule in found]
    orders = [rule for rule in _orders(table, numbers) if not any(set(rule.columns) <= names for names in ordered)]
    found += [*_thresholds(table, numbers, schema), *orders]
    return [rule.expression for rule in found if not any(set(rule.columns) <= names for names in named)]


def _tolerances(numbers: Numbers) -> dict[str, float]:
    ranges = np.nanmax(numbers.data, axis=0, initial=-np.inf) - np.nanmin(numbers.data, axis=0, initial=np.inf)
    return {
        column.name: widest_tolerance(column.most_decimals, float(width))
        for column, width in zip(numbers.columns, ranges, strict=True)
    }


def _is_equation(clause: Clause) -> bool:
    return isinstance(clause.node, ast.Compare) and isinstance(clause.node.ops[0], ast.Eq)


def _numbers(table: pd.DataFrame, schema: Schema) -> Numbers:
    columns, values = [], []
    for column in sorted(schema.columns, key=lambda column: not column.is_discrete):
        if column.kind == "categorical" or "`" in column.name:
            continue
        numbers = as_array(as_written(table[column.name]))
        if numbers.dtype == float and len(np.unique(numbers[~np.isnan(numbers)])) > 1:
            columns.append(column)
            values.append(numbers)
    return Numbers(columns, np.stack(values).T if values else np.empty((len(table), 0)))


def _formulas(table: pd.DataFrame, numbers: Numbers) -> Iterator[Constraint]:
    """The rules that give a quantity by a formula."""
    is_given = np.zeros(len(numbers.columns), dtype=bool)
    correlations = _correlations(numbers.data)
    for target, column in enumerate(numbers.columns):
        if column.is_discrete:
            continue
        inputs = np.flatnonzero(~is_given[:target])
        relation = _relation(numbers, target, _most_correlated(correlations[target], inputs))
        if relation is not None and (rule := _told(table, numbers, relation)) is not None:
            is_given[rule[0]] = True
            yield rule[1]


def _some(rows: np.ndarray, n: int) -> np.ndarray:
    """Evenly spread over the rows, `n` to twice as many where there are more."""
    return rows[:: max(1, len(rows) // n)]


def _correlations(values: np.ndarray) -> np.ndarray:
    """Correlations of columns in some of the rows, missing values as their mean: they only tell where to look first."""
    some = _some(values, N_ROWS)
    is_missing = np.isnan(some)
    means = np.where(is_missing, 0.0, some).sum(axis=0) / np.maximum(1, (~is_missing).sum(axis=0))
    centred = np.where(is_missing, 0.0, some - means)
    standard = centred / np.maximum(np.linalg.norm(centred, axis=0), 1e-300)
    return standard.T @ standard


def _most_correlated(correlations: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    n_most = MAX_INPUTS if len(correlations) <= MAX_INPUTS else MAX_INPUTS_OF_WIDE
    return inputs[np.argsort(-np.abs(correlations[inputs]), kind="stable")[:n_most]]


def _relation(numbers: Numbers, target: int, inputs: np.ndarray) -> Relation | None:
    """How a column follows from others by least squares, if it does; inputs come with the likeliest first."""
    rows = _some(np.flatnonzero(~np.isnan(numbers.data[:, target])), N_ROWS)
    is_present = ~np.isnan(numbers.data[np.ix_(rows, inputs)])
    shares = is_present.mean(axis=0) if len(rows) else np.zeros(len(inputs))
    tried = 0
    for least in (1.0, 0.9, 0.5):  # one column that is often missing may leave no complete row
        often = np.flatnonzero(shares >= least)
        if len(often) > tried:
            n_complete = np.logical_and.accumulate(is_present[:, often], axis=1).sum(axis=0)
            enough = n_complete >= np.maximum(MIN_ROWS, 2 * np.arange(2, len(often) + 2) + MIN_EACH)
            often = often[: len(often) if enough.all() else int(np.argmin(enough))]
            complete = rows[is_present[:, often].all(axis=1)]
            if len(often) and (relation := _fitted(numbers, target, inputs[np.sort(often)], complete)) is not None:
                return relation
        tried = len(often)
    return None


def _fitted(numbers: Numbers, target: int, inputs: np.ndarray, rows: np.ndarray) -> Relation | None:
    """The relation of a column to inputs that are complete in these rows."""
    some = _some(rows, 4 * len(inputs) + 100)
    y, x = numbers.data[some, target], numbers.data[np.ix_(some, inputs)]
    y = y - y.mean()
    x = x - x.mean(axis=0)
    error = _allowed_error(numbers.columns[target], y)
    fit = _least_squares(x, y)
    while fit is not None:
        coefficients, deviations, kept = fit
        residual = math.sqrt(np.square(y - x[:, kept] @ coefficients).mean())
        if residual > error:
            return None
        inputs, x = inputs[kept], x[:, kept]
        sizes = np.abs(coefficients)
        matters = (sizes > 4 * deviations) & (sizes * x.std(axis=0) > 1e-7 * y.std())
        if matters.all():
            return _simple(target, inputs, coefficients, np.maximum(4 * deviations, 1e-7 * sizes))
        inputs, x = inputs[matters], x[:, matters]
        fit = _least_squares(x, y)
    return None


def _allowed_error(column: Column, y: np.ndarray) -> float:
    """How far a formula may be from a column: half its last digit where it varies by much more; else rounding noise."""
    half = 0.0 if column.most_decimals is None else 0.5 * 10.0**-column.most_decimals
    return half if 0 < 5 * half < y.std() else 1e-9 * float(y.std())


def _least_squares(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Coefficients, their standard deviations, and the columns that they are of: those that no earlier ones give."""
    scales = np.linalg.norm(x, axis=0)
    kept = np.flatnonzero(scales > 0)
    if not len(kept):
        return None
    q, r = np.linalg.qr(x[:, kept] / scales[kept])
    is_new = np.abs(np.diag(r)) > 1e-7
    if not is_new.all():
        kept = kept[: len(is_new)][is_new]
        q, r = np.linalg.qr(x[:, kept] / scales[kept])
    inverse = np.linalg.inv(r)
    coefficients = inverse @ (q.T @ y)
    residual = y - q @ (q.T @ y)
    variance = float(residual @ residual) / max(1, len(y) - len(kept) - 1)
    deviations = np.sqrt(variance * np.square(inverse).sum(axis=1))
    return coefficients / scales[kept], deviations / scales[kept], kept


def _simple(target: int, inputs: np.ndarray, coefficients: np.ndarray, errors: np.ndarray) -> Relation | None:
    """The coefficients as whole numbers over the smallest denominator that they have in common, if they are."""
    is_unsure = len(coefficients) == 1 and errors[0] > 1e-6 * abs(coefficients[0])
    for denominator in OF_ROUNDED if is_unsure else DENOMINATORS:
        factors = np.rint(coefficients * denominator)
        is_near = (np.abs(factors / denominator - coefficients) <= errors) & (errors * denominator < SURE)
        if is_near.all() and (factors != 0).all():
            if np.abs(factors).max() > MAX_COEFFICIENT * denominator:
                return None
            whole = (-denominator, *map(int, factors))
            divisor = math.gcd(*whole)
            return Relation((target, *map(int, inputs)), tuple(factor // divisor for factor in whole))
    return None


def _told(table: pd.DataFrame, numbers: Numbers, relation: Relation) -> tuple[int, Constraint] | None:
    """The column that a relation gives, and the rule, if all rows obey it."""
    relation = _as_in(table, numbers, relation)
    values = numbers.data[:, relation.members]
    complete = values[~np.isnan(values).any(axis=1)]
    if len(complete) < max(MIN_ROWS, 2 * len(relation.members) + MIN_EACH):
        return None
    for index in _results(numbers, relation):
        _, counts = np.unique(complete[:, index], return_counts=True)
        if len(complete) - counts.max() < len(relation.members) + MIN_EACH:
            continue  # as good as constant: by chance
        for expression in _equations(numbers, relation, index, complete):
            rule = _rule(expression)
            if rule is not None and not rule.is_broken_by(table).any():
                return relation.members[index], rule
    return None


def _as_in(table: pd.DataFrame, numbers: Numbers, relation: Relation) -> Relation:
    """The relation with its columns in the order of the table."""
    names = list(table.columns)
    order = np.argsort([names.index(numbers.columns[member].name) for member in relation.members])
    return Relation(tuple(relation.members[i] for i in order), tuple(relation.factors[i] for i in order))


def _results(numbers: Numbers, relation: Relation) -> list[int]:
    """Which members of a relation may be its result, the likeliest first: a sum of many, else the last column."""
    signs = np.sign(relation.factors)
    n_minus = [int((signs == sign).sum()) - 1 if len(signs) > 3 else 0 for sign in signs]
    columns = [numbers.columns[member] for member in relation.members]
    quantities = [index for index, column in enumerate(columns) if not column.is_discrete]
    return sorted(quantities, key=lambda index: (n_minus[index], -index))


def _equations(numbers: Numbers, relation: Relation, index: int, complete: np.ndarray) -> Iterator[str]:
    """The relation as a condition with one member alone on the left: exactly, and within half its last digit."""
    sign = -1 if relation.factors[index] > 0 else 1
    denominator = abs(relation.factors[index])
    parts = [
        (in_backticks(numbers.columns[member].name), sign * factor, complete[:, place])
        for place, (member, factor) in enumerate(zip(relation.members, relation.factors, strict=True))
        if place != index
    ]
    result = numbers.columns[relation.members[index]]
    differences = complete[:, index] - sum(factor * values for _, factor, values in parts) / denominator
    name, low, high = in_backticks(result.name), differences.min(), differences.max()
    noise = 1e-9 * max(1.0, float(np.abs(complete).max()))
    formula = complete[:, index] - differences
    if high - low <= noise:
        constant = 0.0 if abs(low) <= noise else float(f"{(low + high) / 2:.9g}")
        yield f"{name} == {_sum_text(parts, denominator, constant)}"
    # What has no further digits needs no rounding: a row that is off by one would be taken for rounded.
    elif result.most_decimals is not None and (np.abs(formula - formula.round(result.most_decimals)) > noise).any():
        half = 0.5 * 10.0**-result.most_decimals
        if complete[:, index].std() > 5 * half and high - low <= 2 * half + noise:
            constant = _roundest(high - half - noise, low + half + noise)
            yield f"abs({name} - ({_sum_text(parts, denominator, constant)})) <= {category_text(half)}"


def _sum_text(parts: Sequence[tuple[str, int, np.ndarray]], denominator: int, constant: float) -> str:
    """Such as `4 * (a + b) / 3 - 10`."""
    ordered = sorted(parts, key=lambda part: part[1] < 0)  # a sum begins with no minus if it can
    common = math.gcd(*(factor for _, factor, _ in ordered))
    if all(factor < 0 for _, factor, _ in ordered):
        common = -common
    text = ""
    for name, factor, _ in ordered:
        times = abs(factor // common)
        sign = ("-" if factor // common < 0 else "+") if text else ""
        text += f" {sign} " if sign else ""
        text += name if times == 1 else f"{times} * {name}"
    if len(ordered) > 1 and (common != 1 or denominator != 1):
        text = f"({text})"
    text = text if common == 1 else f"-{text}" if common == -1 else f"{common} * {text}"
    text = text if denominator == 1 else f"{text} / {denominator}"
    if common < 0 < constant:
        return f"{category_text(constant)} - {text.removeprefix('-').lstrip()}"
    return text if constant == 0 else f"{text} {'+' if constant > 0 else '-'} {category_text(abs(constant))}"


def _roundest(low: float, high: float) -> float:
    """The number of fewest digits above `low` and not above `high`; 0 if it can be."""
    if low < 0 <= high:
        return 0.0
    return next(
        number
        for digits in count(-math.floor(math.log10(max(abs(low), abs(high)))) - 1)
        if low < (number := round(math.floor(high * 10.0**digits) / 10.0**digits, max(0, digits)))
    )


def _thresholds(table: pd.DataFrame, numbers: Numbers, schema: Schema) -> Iterator[Constraint]:
    """The rules that give a binary column, or each category of another, by a quantity; by one for each such column."""
    given = [column for column in schema.columns if column.is_discrete and "`" not in column.name]
    quantities = numbers.without({column.name for column in given})
    for column in given if len(given) * len(quantities.columns) <= MAX_PAIRS else ():
        if column.kind == "binary":
            yield from islice(_thresholds_of(column, table, quantities), 1)
        elif 2 < len(column.categories) <= MAX_BANDS:
            yield from next(_bands_of(column, table, quantities), ())


def _thresholds_of(column: Column, table: pd.DataFrame, quantities: Numbers) -> Iterator[Constraint]:
    is_known = table[column.name].notna().to_numpy(dtype=bool)
    for category in column.categories:
        is_it = _has(table[column.name], category)
        for place, bound in _bounds(quantities.data, is_known & ~is_it, is_it):
            name, quantity = in_backticks(column.name), in_backticks(quantities.columns[place].name)
            rule = _rule(f"({name} == {category!r}) == ({quantity} >= {category_text(bound)})")
            if rule is not None and not rule.is_broken_by(table).any():
                yield rule


def _has(values: pd.Series, category: Category) -> np.ndarray:
    """Which rows `(n,)` bool have a category; none whose value is missing."""
    return (values == category).fillna(False).to_numpy(dtype=bool)


def _bands_of(column: Column, table: pd.DataFrame, quantities: Numbers) -> Iterator[list[Constraint]]:
    """For each quantity of which every category has an interval of its own, the rules that say so."""
    extremes = [_extremes(quantities.data[_has(table[column.name], category)]) for category in column.categories]
    lows, highs, counts = (np.stack(parts) for parts in zip(*extremes, strict=True))
    for place, quantity in enumerate(quantities.columns):
        order = np.argsort(lows[:, place])
        low, high = lows[order, place], highs[order, place]
        if counts[:, place].min() < MIN_EACH or not (high[:-1] < low[1:]).all():
            continue
        bounds = [category_text(_roundest(*ends)) for ends in zip(high[:-1], low[1:], strict=True)]
        name, at = in_backticks(column.name), in_backticks(quantity.name)
        bands = [
            f"{at} < {bounds[0]}",
            *(f"{at} >= {a} and {at} < {b}" for a, b in pairwise(bounds)),
            f"{at} >= {bounds[-1]}",
        ]
        told = [
            _rule(f"({name} == {column.categories[i]!r}) == ({band})") for i, band in zip(order, bands, strict=True)
        ]
        rules = [rule for rule in told if rule is not None and not rule.is_broken_by(table).any()]
        if len(rules) == len(told):
            yield rules


def _orders(table: pd.DataFrame, numbers: Numbers) -> Iterator[Constraint]:
    """The rules that one quantity is at most another."""
    quantities = numbers.without({column.name for column in numbers.columns if column.is_discrete})
    for lower, upper in implied_orders(quantities.data):
        rule = _rule(" <= ".join(in_backticks(quantities.columns[place].name) for place in (lower, upper)))
        if rule is not None and not rule.is_broken_by(table).any():
            yield rule


def _bounds(data: np.ndarray, is_below: np.ndarray, is_above: np.ndarray) -> list[tuple[int, float]]:
    """The columns whose values in some rows are all less than in others, and a round number that parts them."""
    step = max(1, len(data) // N_ROWS)
    below, above = (_extremes(data[::step][rows[::step]]) for rows in (is_below, is_above))
    places = np.flatnonzero(below.highs < above.lows)  # few columns are left after a look at some rows
    below, above = (_extremes(data[np.ix_(rows, places)]) for rows in (is_below, is_above))
    is_parted = (below.highs < above.lows) & (np.minimum(below.counts, above.counts) >= MIN_EACH)
    is_parted &= below.counts + above.counts >= MIN_ROWS
    return [(int(places[i]), _roundest(below.highs[i], above.lows[i])) for i in np.flatnonzero(is_parted)]


class _Extremes(NamedTuple):
    """Of each column the smallest and the largest value, and how many there are."""

    lows: np.ndarray
    highs: np.ndarray
    counts: np.ndarray


def _extremes(values: np.ndarray) -> _Extremes:
    is_missing = np.isnan(values)
    lows = np.where(is_missing, np.inf, values).min(axis=0, initial=np.inf)
    highs = np.where(is_missing, -np.inf, values).max(axis=0, initial=-np.inf)
    return _Extremes(lows, highs, (~is_missing).sum(axis=0))


def _rule(expression: str) -> Constraint | None:
    """The rule, or none where it is longer than a rule may be."""
    try:
        return Constraint(expression, expression)
    except ValueError:
        return None
