"""The shape in which every table reaches the rest of the project: train rows, test rows and their schema."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from rlsyn.schema import Schema


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
    """

    name: str
    train: pd.DataFrame
    test: pd.DataFrame
    schema: Schema
    source: str
    simulated: bool = False

    @property
    def title(self) -> str:
        """The name, with SIMULATED in front where the rows are."""
        return f"SIMULATED {self.name}" if self.simulated else self.name
