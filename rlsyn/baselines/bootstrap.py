"""Training rows drawn again: the ceiling of fidelity and utility, and the leak that attacks must find."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from rlsyn.baselines.baseline import Baseline


class Bootstrap(Baseline):
    """Every record is a training row, drawn with replacement. Its records must never leave the hospital."""

    def _learn(self, train: pd.DataFrame, run_dir: Path | None, progress_bar: bool) -> None:
        self._train = train[self.schema.names]

    def _draw(self, n: int, rng: np.random.Generator) -> pd.DataFrame:
        return self._train.iloc[rng.integers(len(self._train), size=n)]
