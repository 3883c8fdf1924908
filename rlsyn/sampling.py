"""Drawing synthetic tables: conditions and declared rules hold, exactly where that is possible, by rejection elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch

from rlsyn.arguments import check_n_records, is_whole
from rlsyn.encoding import Encoding
from rlsyn.levels import CategoryLevels, Levels

Rules = Literal["obey", "keep"]
"""Whether records obey the declared rules, or stay as the policy fills them in."""

DrawLevels = Callable[[int, dict[int, int]], torch.Tensor]
"""Records `(n, n_attributes)`; levels that are given are set, not drawn."""

BATCH = 16_384
"""Records drawn at most at once."""
CONDITIONED_BATCH = 4_096
"""Records drawn at once where some will miss the conditions."""
HOPELESS = 20_000
"""Where so many records met the conditions and none obeys the rules, no more are drawn."""


class TooFewRecords(ValueError):
    """Too few of the drawn records met the conditions or obeyed the rules; the message says which and what to do."""


@dataclass
class Draws:
    """Records that were drawn, kept and thrown away.

    Args:
        n_drawn: Records drawn.
        n_fitting: Those of them that met the conditions.
        n_kept: Those of these that obey the rules.
        n_breaking: By rule the records that met the conditions and broke it.
        tables: What was kept.
    """

    n_drawn: int = 0
    n_fitting: int = 0
    n_kept: int = 0
    n_breaking: dict[str, int] = field(default_factory=dict)
    tables: list[pd.DataFrame] = field(default_factory=list)

    @property
    def acceptance_rate(self) -> float:
        """Share of the drawn records that met the conditions."""
        return self.n_fitting / self.n_drawn

    @property
    def rule_acceptance(self) -> float:
        """Share of the records that met the conditions which obey the rules."""
        return self.n_kept / self.n_fitting if self.n_fitting else 0.0

    def table(self, n: int) -> pd.DataFrame:
        """The first `n` records that were kept."""
        whole = pd.concat(self.tables) if len(self.tables) > 1 else self.tables[0]
        return whole.iloc[:n].reset_index(drop=True)


def draw_table(
    draw: DrawLevels,
    encoding: Encoding,
    n: int,
    rng: np.random.Generator,
    where: Mapping[str, Any] | None = None,
    rules: Rules = "obey",
    max_draws: int | None = None,
) -> Draws:
    """`n` records or a few more that meet the conditions and obey the rules of the schema.

    Conditions on the first attributes are given to `draw`; records that miss others, or break a rule once they are
    decoded and repaired (`Encoding.decode`), are thrown away and others drawn.

    Args:
        draw: Draws levels.
        encoding: Decodes them.
        n: Number of records.
        rng: Draws values inside levels.
        where: Values that columns must have.
        rules: `"obey"`; or `"keep"`: nothing is repaired and nothing thrown away for the rules' sake.
        max_draws: Records drawn at most, by default 1,000 for each wanted, a million (or 20 for each) at most, but
            never fewer than `CONDITIONED_BATCH`.

    Raises:
        ValueError: `n` or `max_draws` is no whole number of at least 1, an unknown column, category or option, or conditions that a
            rule forbids.
        TypeError: Conditions that are no mapping.
        TooFewRecords: Too few records met the conditions or obeyed the rules.
    """
    if rules not in ("obey", "keep"):
        raise ValueError(f"rules must be 'obey' or 'keep', got {rules!r}.")
    check_n_records(n)
    if max_draws is not None and (not is_whole(max_draws) or max_draws < 1):
        raise ValueError(f"max_draws must be a whole number of at least 1, got {max_draws!r}.")
    if not isinstance(where := {} if where is None else where, Mapping):
        raise TypeError(f"Conditions must be a mapping of columns to values, got {where!r}.")
    conditions = to_levels(where, encoding)
    n_first = next(i for i in range(len(encoding.levels) + 1) if i not in conditions)
    given = {i: level for i, level in conditions.items() if i < n_first}
    others = {i: level for i, level in conditions.items() if i >= n_first}
    if where and encoding.schema.constraints:
        _check_allowed(where, conditions, others, encoding, rules)
    most = max(CONDITIONED_BATCH, min(1_000 * n, max(20 * n, 1_000_000)))
    limit = most if max_draws is None else max_draws
    draws = Draws()
    while draws.n_kept < n:
        if draws.n_drawn >= limit or (draws.n_fitting >= HOPELESS and draws.n_kept == 0):
            raise TooFewRecords(_too_few(draws, n))
        n_next = min(CONDITIONED_BATCH if others else _n_next(draws, n), limit - draws.n_drawn)
        records = draw(n_next, given).cpu().numpy()
        draws.n_drawn += len(records)
        for attribute, level in others.items():
            records = records[records[:, attribute] == level]
        _keep(draws, encoding.decode(records, rng, where, repair=rules == "obey"), encoding, rules)
    return draws


def _check_allowed(
    where: Mapping[str, Any], conditions: Mapping[int, int], others: Mapping[int, int], encoding: Encoding, rules: Rules
) -> None:
    """Refuse conditions that no draw can meet: a million of them would only say that they are rare."""
    record = np.zeros((1, len(encoding.levels)), dtype=np.int64)
    for position, level in conditions.items():
        record[0, position] = level
    table = encoding.decode(record, np.random.default_rng(0), where, repair=False)
    broken = encoding.repair.broken_by({name: table[name] for name in where})
    if broken and rules == "obey":
        raise ValueError(
            f"The conditions break the declared rule {broken!r}, so no record can meet both. Change the conditions."
        )
    for position, level in others.items():
        if not encoding.repair.allowed(encoding.levels[position])[level]:
            name = encoding.names[position]
            raise ValueError(
                f"The declared rules leave column {name!r} no value near {where[name]!r}, and the policy draws none. "
                f"Put the column first when training (-params order:{name}), or change the condition."
            )


def _n_next(draws: Draws, n: int) -> int:
    """As many as will probably do, judging by the share that was kept so far."""
    share = max(draws.n_kept / draws.n_drawn, 0.01) if draws.n_drawn else 1.0
    return min(int(np.ceil(1.05 * (n - draws.n_kept) / share)) + 16 if share < 1 else n - draws.n_kept, BATCH)


def _keep(draws: Draws, table: pd.DataFrame, encoding: Encoding, rules: Rules) -> None:
    draws.n_fitting += len(table)
    if rules == "obey" and encoding.schema.constraints and len(table):
        broken = encoding.repair.broken(table)
        for name, is_broken in broken.items():
            draws.n_breaking[name] = draws.n_breaking.get(name, 0) + int(is_broken.sum())
        table = table[~reduce(np.logical_or, broken.values())]
    draws.n_kept += len(table)
    # Without a row there is nothing that its kinds could follow from.
    if len(table):
        draws.tables.append(table)


def _too_few(draws: Draws, n: int) -> str:
    if draws.n_breaking and draws.n_fitting >= min(n, HOPELESS):
        worst = max(draws.n_breaking, key=draws.n_breaking.__getitem__)
        share = draws.n_breaking[worst] / draws.n_fitting
        return (
            f"Only {draws.n_kept} of {draws.n_fitting} drawn records obeyed the declared rules, {n} were wanted. "
            f"Broken most often: {worst!r}, by {share:.1%} of them. Check that rule, give the reward of the rules more "
            "weight in training, or take the records as they are (rules='keep')."
        )
    return (
        f"Only {draws.n_fitting} of {draws.n_drawn} drawn records met the conditions, {n} were wanted. Put those columns "
        "first when training (-params order:COLUMN), or ask for fewer records."
    )


def to_levels(where: Mapping[str, Any], encoding: Encoding) -> dict[int, int]:
    """Conditions on columns as conditions on levels, by attribute.

    Raises:
        ValueError: An unknown column, several values, a category or missing value that no training row has, or text for
            a number.
    """
    conditions = {}
    for name, value in where.items():
        encoding.schema[name]
        if not pd.api.types.is_scalar(value):
            raise ValueError(f"Column {name!r} can have one value, got {value!r}.")
        position = encoding.names.index(name)
        conditions[position] = _to_level(value, encoding.levels[position])
    return conditions


def _to_level(value: Any, levels: Levels) -> int:
    name = levels.column.name
    value = None if pd.isna(value) else value  # a column of floats takes no pandas.NA
    if isinstance(levels, CategoryLevels) or value is None:
        dtype = object if levels.column.is_discrete else float
        return int(levels.encode(pd.Series([value], name=name, dtype=dtype))[0])
    if not isinstance(value, (int, float, np.integer, np.floating)) or not levels.bins:
        raise ValueError(f"Column {name!r} must be a number that occurs in training, got {value!r}.")
    decimals = levels.column.most_decimals
    if decimals is not None and round(value, decimals) != value:
        raise ValueError(f"Column {name!r} has values of {decimals} decimals, got {value!r}.")
    level = int(levels.encode(pd.Series([value], name=name, dtype=float))[0])
    interval = levels.bins[level]
    is_inside = interval.lower <= value < interval.upper
    if not is_inside or (len(interval.knots) == 0 and value not in interval.atoms):
        known = ", ".join(levels.labels()[:40])
        raise ValueError(f"Column {name!r} has no value {value!r} in training. Its levels are: {known}.")
    return level
