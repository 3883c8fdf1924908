"""Drawing records under conditions: exactly where they come first in fill order, by rejection elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch

from rlsyn.encoding import Encoding
from rlsyn.levels import CategoryLevels, Levels


def to_levels(where: Mapping[str, Any], encoding: Encoding) -> dict[int, int]:
    """Conditions on columns as conditions on levels, by attribute.

    Raises:
        ValueError: An unknown column, a category or missing value that no training row has, or text for a number.
    """
    conditions = {}
    for name, value in where.items():
        encoding.schema[name]
        position = encoding.names.index(name)
        conditions[position] = _to_level(value, encoding.levels[position])
    return conditions


def _to_level(value: Any, levels: Levels) -> int:
    name = levels.column.name
    if isinstance(levels, CategoryLevels) or value is None or pd.isna(value):
        dtype = object if levels.column.is_discrete else float
        return int(levels.encode(pd.Series([value], name=name, dtype=dtype))[0])
    if isinstance(value, str) or not levels.bins:
        raise ValueError(f"Column {name!r} must be a number that occurs in training, got {value!r}.")
    decimals = 0 if levels.column.kind == "integer" else levels.column.decimals
    if decimals is not None and round(value, decimals) != value:
        raise ValueError(f"Column {name!r} has values of {decimals} decimals, got {value!r}.")
    level = int(levels.encode(pd.Series([value], name=name, dtype=float))[0])
    interval = levels.bins[level]
    is_inside = interval.lower <= value < interval.upper
    if not is_inside or (len(interval.knots) == 0 and value not in interval.atoms):
        known = ", ".join(levels.labels()[:40])
        raise ValueError(f"Column {name!r} has no value {value!r} in training. Its levels are: {known}.")
    return level


def draw_until(
    draw: Callable[[int, dict[int, int]], torch.Tensor],
    n: int,
    conditions: dict[int, int],
    n_attributes: int,
    max_draws: int,
) -> tuple[np.ndarray, float]:
    """`n` records with the levels of `conditions`, and the share of the drawn records that had them.

    Conditions on the first attributes are given to `draw`; records that miss others are thrown away.
    """
    n_first = next(i for i in range(n_attributes + 1) if i not in conditions)
    given = {i: level for i, level in conditions.items() if i < n_first}
    others = {i: level for i, level in conditions.items() if i >= n_first}
    kept: list[np.ndarray] = []
    n_drawn = n_kept = 0
    while n_kept < n:
        if n_drawn >= max_draws:
            raise ValueError(
                f"Only {n_kept} of {n_drawn} drawn records met the conditions, {n} were wanted. Put those columns "
                "first when training (-params order:COLUMN), or ask for fewer records."
            )
        records = draw(4_096 if others else min(n - n_kept, 16_384), given).cpu().numpy()
        fits = np.ones(len(records), dtype=bool)
        for attribute, level in others.items():
            fits &= records[:, attribute] == level
        kept.append(records[fits])
        n_drawn, n_kept = n_drawn + len(records), n_kept + int(fits.sum())
    return np.concatenate(kept)[:n], n_kept / n_drawn
