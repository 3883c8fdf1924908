"""What every baseline has in common with RLSyn: `fit` and `sample`."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from numbers import Integral, Real
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from rlsyn.arguments import check_n_records, check_seed
from rlsyn.schema import Schema, given_or_inferred


class Baseline(ABC):
    """A generator of records with the contract of `rlsyn.RLSyn`; constructor arguments are its configuration.

    Args:
        seed: The same seed learns and draws the same.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self._schema: Schema | None = None

    @property
    def schema(self) -> Schema:
        """The schema of the training table; raises RuntimeError before `fit`."""
        if self._schema is None:
            raise RuntimeError("The model has not been fitted. Call fit() first.")
        return self._schema

    def fit(
        self,
        train: pd.DataFrame,
        label: str | None = None,
        group: str | None = None,
        *,
        schema: Schema | None = None,
        run_dir: str | Path | None = None,
        progress_bar: bool = False,
    ) -> Self:
        """Learn a table.

        Args:
            train: Training rows.
            label: The outcome column, if there is one.
            group: The column that identifies the person a row belongs to.
            schema: The columns; inferred from the rows by default.
            run_dir: Folder for TensorBoard events and checkpoints of networks; nothing is written by default.
            progress_bar: Whether to show one.

        Returns:
            The fitted model itself.

        Raises:
            ValueError: The table cannot be learned from (see `rlsyn.schema.infer_schema`), or both a schema and label
                or group are given.
        """
        schema = given_or_inferred(train, label, group, schema)
        schema.validate(train)
        self._schema = schema
        self._learn(train, Path(run_dir) if run_dir is not None else None, progress_bar)
        return self

    def sample(self, n: int, seed: int | None = None) -> pd.DataFrame:
        """Draw synthetic records, with the columns, kinds, categories and decimals of the training table.

        Args:
            n: Number of records.
            seed: Seed of the draws; that of the model by default. The same seed gives the same records.

        Raises:
            ValueError: `n` is no whole number of at least 1, or the seed no seed.
            RuntimeError: Before `fit`.
        """
        check_n_records(n)
        names = self.schema.names
        seed = self.seed if seed is None else seed
        check_seed(seed)
        drawn = self._draw(n, np.random.default_rng([seed, 1]))
        return drawn[names].reset_index(drop=True)

    @abstractmethod
    def _learn(self, train: pd.DataFrame, run_dir: Path | None, progress_bar: bool) -> None:
        """Learn the training rows; may hold the group column."""

    @abstractmethod
    def _draw(self, n: int, rng: np.random.Generator) -> pd.DataFrame:
        """`n` records."""


def check_counts(least: int = 1, **counts: int | None) -> None:
    """Check that arguments are whole numbers of at least `least`; None, a count left to the method, is one too.

    Raises:
        ValueError: One is not; it is named.
    """
    for name, count in counts.items():
        if count is not None and not (isinstance(count, Integral) and count >= least):
            raise ValueError(f"{name} must be a whole number of at least {least}, got {count!r}.")


def check_at_least(least: float, **arguments: float) -> None:
    """Check that arguments are finite numbers of at least `least`; raises ValueError that names one that is not."""
    for name, value in arguments.items():
        if not (isinstance(value, Real) and least <= value < math.inf):
            raise ValueError(f"{name} must be at least {least:g}, got {value!r}.")


def check_positive(**arguments: float) -> None:
    """Check that arguments are finite numbers above 0; raises ValueError that names one that is not."""
    for name, value in arguments.items():
        if not (isinstance(value, Real) and 0 < value < math.inf):
            raise ValueError(f"{name} must be above 0, got {value!r}.")
