"""What keeps decoded records to the declared rules: levels that no rule allows, formulas, and further draws."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np
import pandas as pd

from rlsyn.constraints import Constraint
from rlsyn.constraints.formulas import Formula, formulas_among, widest_tolerance
from rlsyn.constraints.truth import Clause, as_array
from rlsyn.levels import CategoryLevels, Levels

N_TRIALS = 256
"""Values drawn of each level to find out whether it can obey a rule: one that hardly ever can is as good as impossible."""
N_DRAWS = (1, 3, 12)
"""How many draws of the values inside the levels of a record are tried in turn before it is left to break a rule."""
N_DRAWS_ALONE = (*N_DRAWS, 64, 1024)
"""The same where all rules are about one column: a level of which a part is allowed is drawn from that part."""
OFTEN = 0.05
"""A rule that a larger share of the training rows breaks is doubted."""

Columns = dict[str, np.ndarray]
"""Columns by name, all of one length, in the form of `as_array`."""
Draw = Callable[[str, np.ndarray], pd.Series]
"""Values of a column at some rows, drawn anew inside their levels."""


@dataclass(frozen=True)
class Repair:
    """The rules of a table, and what they say about its levels and the values inside them.

    Rules are taken apart into clauses, and the clauses into groups that share columns: values are drawn independently
    inside their levels, so each group can be drawn again by itself until it obeys, which is exact rejection sampling
    of the values given the levels.

    Args:
        rules: The rules.
        levels: The levels of each attribute.
    """

    rules: Sequence[Constraint]
    levels: Sequence[Levels]

    @cached_property
    def _by_name(self) -> dict[str, Levels]:
        return {levels.column.name: levels for levels in self.levels}

    def allowed_levels(self) -> list[np.ndarray]:
        """For each attribute which of its levels can obey the rules about that column alone, `(n_levels,)` bool.

        Raises:
            ValueError: A column has no such level.
        """
        return [self.allowed(levels) for levels in self.levels]

    def allowed(self, levels: Levels) -> np.ndarray:
        """Which levels of one attribute can obey the rules about its column alone, as `allowed_levels` says of all."""
        name = levels.column.name
        allowed = np.ones(levels.n_levels, dtype=bool)
        alone = [(rule, clause) for rule, clause in self._clauses if clause.columns == (name,)]
        if not alone:
            return allowed
        trials = np.repeat(np.arange(levels.n_levels), N_TRIALS)
        values = {name: as_array(levels.decode(trials, np.random.default_rng(0)))}
        is_broken = np.zeros(len(trials), dtype=bool)
        for rule, clause in alone:
            is_broken = is_broken | clause.is_false(values)
            allowed = ~is_broken.reshape(-1, N_TRIALS).all(axis=1)
            if not allowed.any():
                raise ValueError(
                    f"No value of column {name!r} in the training rows obeys the rule {rule!r}, so no record could. "
                    "Correct the rule or the unit of the column."
                )
        return allowed

    def doubts(self, train: pd.DataFrame) -> list[str]:
        """In words the rules that so many training rows break that they can hardly be meant as they stand."""
        table = {
            name: levels.decode(levels.encode(train[name]), np.random.default_rng(0))
            if isinstance(levels, CategoryLevels)  # as the schema spells them; nothing is drawn
            else train[name]
            for name, levels in self._by_name.items()
        }
        shares = {name: float(is_broken.mean()) for name, is_broken in self.broken(table).items()}
        return [
            f"{share:.0%} of the training rows break the rule {name!r}; no synthetic record will. Correct the rule or the "
            "rows if that is not what you mean."
            for name, share in shares.items()
            if share > OFTEN
        ]

    def apply(self, table: dict[str, pd.Series], draw: Draw, given: Collection[str] = ()) -> None:
        """Change decoded columns, in place, so that fewer records break a rule; those that break none stay as they are.

        Where a formula is broken its column is computed, rounded as the column is, if the result is inside the range
        of training; otherwise values are drawn again inside their levels. Some records may still break a rule.

        Args:
            table: The columns by name, all of one length.
            draw: Draws values again.
            given: Columns that must stay as they are.
        """
        for group in self._groups if not given else self._grouped(given):
            columns = {name: as_array(table[name]).copy() for name in group.columns}
            self._apply_group(group, columns, draw)
            for name in group.changing:
                changed = pd.Series(columns[name], name=name)
                table[name] = changed.astype(table[name].dtype)

    def is_broken(self, table: pd.DataFrame) -> np.ndarray:
        """For each record of a decoded table whether it breaks a rule, `(n,)` bool."""
        return reduce(np.logical_or, self.broken(table).values(), np.zeros(len(table), dtype=bool))

    def broken(self, table: pd.DataFrame | Mapping[str, pd.Series]) -> dict[str, np.ndarray]:
        """For each rule by name, and each record of a decoded table, whether the record breaks it, `(n,)` bool."""
        names = dict.fromkeys(name for _, clause in self._clauses for name in clause.columns)
        columns = {name: as_array(table[name]) for name in names}
        result: dict[str, np.ndarray] = {}
        for name, clause in self._clauses:
            is_false = clause.is_false(columns)
            result[name] = result[name] | is_false if name in result else is_false
        return result

    def broken_by(self, given: Mapping[str, pd.Series]) -> str | None:
        """The name of a rule that the given values, one of each column, break whatever the other columns hold, if any."""
        columns = {name: as_array(values) for name, values in given.items()}
        decided = ((rule, clause) for rule, clause in self._clauses if set(clause.columns) <= set(columns))
        return next((rule for rule, clause in decided if clause.is_false(columns).any()), None)

    def _apply_group(self, group: _Group, columns: Columns, draw: Draw) -> None:
        rows = np.flatnonzero(_is_broken(group.clauses, columns))
        for n_draws in (0, *group.n_draws):
            if not len(rows):
                return
            drawn_rows = np.repeat(rows, max(n_draws, 1))
            part = {name: columns[name][drawn_rows] for name in group.columns}
            if n_draws:
                part |= {name: as_array(draw(name, drawn_rows)) for name in group.drawn}
            for formula in group.formulas:
                part[formula.column] = self._computed(formula, part)
            is_broken = _is_broken(group.clauses, part).reshape(len(rows), -1)
            # The first draw that obeys; if none does, the first.
            chosen = np.arange(len(rows)) * is_broken.shape[1] + is_broken.argmin(axis=1)
            for name in group.changing:
                columns[name][rows] = part[name][chosen]
            rows = rows[is_broken.all(axis=1)]

    def _computed(self, formula: Formula, columns: Columns) -> np.ndarray:
        """The formula's column, computed where the formula is broken and its value is possible."""
        values = _on_grid(self._by_name[formula.column], formula.values(columns))
        is_better = formula.clause.is_false(columns) & ~np.isnan(values)
        return np.where(is_better, values, columns[formula.column])

    @cached_property
    def _clauses(self) -> tuple[tuple[str, Clause], ...]:
        return tuple((rule.name, clause) for rule in self.rules for clause in rule.clauses)

    @cached_property
    def _groups(self) -> tuple[_Group, ...]:
        return self._grouped(())

    def _grouped(self, given: Collection[str]) -> tuple[_Group, ...]:
        """The clauses by groups that share no column."""
        groups: list[tuple[set[str], list[Clause]]] = []
        for _, clause in self._clauses:
            names, members = set(clause.columns), [clause]
            for group in [group for group in groups if group[0] & names]:
                groups.remove(group)
                names, members = names | group[0], group[1] + members
            groups.append((names, members))
        return tuple(self._group(names, members, given) for names, members in groups)

    def _group(self, names: Iterable[str], clauses: list[Clause], given: Collection[str]) -> _Group:
        columns = tuple(name for name in self._by_name if name in set(names))
        tolerances = {name: _tolerance(self._by_name[name]) for name in columns if _is_number(self._by_name[name])}
        formulas = formulas_among(clauses, tolerances, given)
        drawn = tuple(name for name in columns if name not in given and _varies(self._by_name[name]))
        return _Group(columns, tuple(clauses), formulas, drawn)


@dataclass(frozen=True)
class _Group:
    """Clauses that share columns with each other and with no other clause, and how to make records obey them."""

    columns: tuple[str, ...]
    clauses: tuple[Clause, ...]
    formulas: tuple[Formula, ...]
    drawn: tuple[str, ...]

    @property
    def n_draws(self) -> tuple[int, ...]:
        if not self.drawn:
            return ()
        return N_DRAWS_ALONE if len(self.columns) == 1 else N_DRAWS

    @cached_property
    def changing(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self.drawn, *(formula.column for formula in self.formulas)]))


def _is_broken(clauses: Iterable[Clause], columns: Columns) -> np.ndarray:
    return np.logical_or.reduce([clause.is_false(columns) for clause in clauses])


def _is_number(levels: Levels) -> bool:
    if isinstance(levels, CategoryLevels):
        return bool(levels.categories) and not any(isinstance(category, str) for category in levels.categories)
    return bool(levels.bins)


def _tolerance(levels: Levels) -> float:
    """How far from a formula a column may be and still be determined by it."""
    if isinstance(levels, CategoryLevels):
        return 0.5
    return widest_tolerance(levels.column.most_decimals, levels.bins[-1].upper - levels.bins[0].lower)


def _varies(levels: Levels) -> bool:
    """Whether values are drawn inside some level, rather than being the level."""
    if isinstance(levels, CategoryLevels):
        return False
    return any(len(interval.knots) > 0 or len(interval.atoms) > 1 for interval in levels.bins)


def _on_grid(levels: Levels, values: np.ndarray) -> np.ndarray:
    """Computed values as the column writes them; NaN for what no training row is near."""
    if isinstance(levels, CategoryLevels):
        categories = np.array(levels.categories, dtype=float)
        nearest = categories[np.abs(values[:, None] - categories).argmin(axis=1)]
        return np.where(np.abs(nearest - values) <= _tolerance(levels), nearest, np.nan)
    decimals = levels.column.most_decimals
    rounded = values if decimals is None else np.round(values, decimals)
    is_inside = (rounded >= levels.bins[0].lower) & (rounded < levels.bins[-1].upper)
    return np.where(is_inside, rounded, np.nan)
