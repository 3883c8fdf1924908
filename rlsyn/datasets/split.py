"""Division of a table into train and test rows that keeps each person's rows together."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rlsyn.arguments import check_seed
from rlsyn.schema import Schema


def split_rows(
    table: pd.DataFrame, schema: Schema, test_size: float = 0.3, seed: int = 0, stratified: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the train and of the test rows, both ascending.

    Whole groups (people) go to one side. Groups are drawn within strata of the label: of its classes, or of its
    quintiles where it is a quantity; a group counts by the largest of its labels, as in the paper (arXiv:2512.21395)
    for AI-READI. Without `stratified` they are drawn plainly, as in the paper for MIMIC-IV.

    Raises:
        ValueError: Fewer than two groups (rows, where the schema has no group), so that no side can be left non-empty;
            or no seed (see `rlsyn.arguments.check_seed`).
    """
    check_seed(seed)
    groups = table[schema.group].to_numpy() if schema.group else np.arange(len(table))
    members = pd.Series(np.arange(len(table))).groupby(groups, sort=True).agg(list)
    if len(members) < 2:
        needed = f"groups in column {schema.group!r}" if schema.group else "rows"
        raise ValueError(f"At least two {needed} are needed to part train from test, got {len(members)}.")
    codes = _strata(table, schema) if stratified else np.zeros(len(table), dtype=np.int64)
    strata = np.array([codes[rows].max() for rows in members])
    rng = np.random.default_rng(seed)
    is_test = np.zeros(len(members), dtype=bool)
    for stratum in np.unique(strata):
        candidates = np.flatnonzero(strata == stratum)
        # Rounding at random keeps the expected share right where strata are tiny.
        n_test = int(np.floor(test_size * len(candidates) + rng.random()))
        # Each class keeps someone to learn from.
        is_test[rng.permutation(candidates)[: min(n_test, len(candidates) - 1)]] = True
    if is_test.all() or not is_test.any():
        is_test[:] = False
        n_test = int(np.clip(round(test_size * len(members)), 1, len(members) - 1))
        is_test[rng.permutation(len(members))[:n_test]] = True
    test = np.sort(np.concatenate([np.asarray(rows) for rows, chosen in zip(members, is_test, strict=True) if chosen]))
    return np.setdiff1d(np.arange(len(table)), test), test


def _strata(table: pd.DataFrame, schema: Schema) -> np.ndarray:
    if schema.label is None:
        return np.zeros(len(table), dtype=np.int64)
    values = table[schema.label]
    if schema[schema.label].is_discrete or values.nunique() <= 10:
        return np.asarray(pd.factorize(values, sort=True)[0])
    return np.asarray(pd.qcut(values.rank(method="first"), 5, labels=False))
