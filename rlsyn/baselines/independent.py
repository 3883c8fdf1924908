"""Columns drawn by themselves: the floor that keeps every marginal and no association."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from rlsyn.baselines.baseline import Baseline


class Independent(Baseline):
    """Every value is that of a training row drawn for its column alone, with replacement."""

    def _learn(self, train: pd.DataFrame, run_dir: Path | None, progress_bar: bool) -> None:
        self._train = train[self.schema.names]

    def _draw(self, n: int, rng: np.random.Generator) -> pd.DataFrame:
        n_train = len(self._train)
        return pd.DataFrame({name: self._train[name].array[rng.integers(n_train, size=n)] for name in self._train})
