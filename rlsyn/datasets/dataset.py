"""The shape in which every table reaches the rest of the project: train rows, test rows and their schema."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from rlsyn.schema import Schema


@dataclass(frozen=True)
class Cohort:
    """What the reader of a cohort returns: its rows before they are divided.

    Args:
        table: The rows, with the schema's columns and the group column, if there is one.
        schema: The columns.
        source: Where the rows come from, in a sentence for people.
        simulated: Whether the rows are simulated.
        licence: See `Dataset`.
        in_test: `(n,)` bool, the test rows where the release itself divides its people and that was asked for.
        test_size: Share of the people held out where the user names none.
        stratified: Whether they are drawn within strata of the label where the user does not say.
    """

    table: pd.DataFrame
    schema: Schema
    source: str
    simulated: bool = False
    licence: str = ""
    in_test: np.ndarray | None = None
    test_size: float = 0.3
    stratified: bool = True


@dataclass(frozen=True)
class Dataset:
    """A table divided into train and test rows.

    Args:
        name: The environment id, `AIREADI-v0` and the like.
        train: Rows the generator learns from, with the schema's columns and the group column, if there is one.
        test: Rows that only the evaluation sees.
        schema: The columns.
        source: Where the rows come from, in a sentence for people.
        simulated: Whether the rows are simulated rather than real; every place that shows the data set says so.
        licence: Terms that bind whoever uses the rows or what is derived from them, in sentences; empty for none.
        file: Name of the file of a table of one's own.
    """

    name: str
    train: pd.DataFrame
    test: pd.DataFrame
    schema: Schema
    source: str
    simulated: bool = False
    licence: str = ""
    file: str = ""

    @property
    def title(self) -> str:
        """The name, or that of the file, with SIMULATED in front where the rows are."""
        name = self.file or self.name
        return f"SIMULATED {name}" if self.simulated else name
