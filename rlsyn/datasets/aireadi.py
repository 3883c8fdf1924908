"""AI-READI: the simulated default; the room of the reader of the real release."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from rlsyn.datasets.simulated_aireadi import aireadi_schema, simulate_aireadi
from rlsyn.schema import Schema


def load_aireadi(data_dir: str | Path | None = None) -> tuple[pd.DataFrame, Schema]:
    """The 108-column table of patient-days; SIMULATED unless `data_dir` names a release.

    Raises:
        NotImplementedError: `data_dir` is given; this version has no reader of the release yet.
    """
    if data_dir is not None:
        raise NotImplementedError(
            f"This version cannot read an AI-READI release yet (got --data-dir {data_dir}). Leave --data-dir out for the "
            "simulated cohort, or give an assembled table with --csv FILE --label COLUMN. "
            "Access to the data: https://fairhub.io/datasets/2"
        )
    return simulate_aireadi(), aireadi_schema()
