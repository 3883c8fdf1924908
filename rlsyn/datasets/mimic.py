"""MIMIC-IV: the simulated default; the room of the reader of the real release."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from rlsyn.datasets.simulated_mimic import mimic_schema, simulate_mimic
from rlsyn.schema import Schema


def load_mimic(data_dir: str | Path | None = None) -> tuple[pd.DataFrame, Schema]:
    """Patients with vitals, demographics, one-year death and phecodes; SIMULATED unless `data_dir` names a release.

    Raises:
        NotImplementedError: `data_dir` is given; this version has no reader of the release yet.
    """
    if data_dir is not None:
        raise NotImplementedError(
            f"This version cannot read a MIMIC-IV release yet (got --data-dir {data_dir}). Leave --data-dir out for the "
            "simulated cohort, or give an assembled table with --csv FILE --label COLUMN. "
            "Access to the data: https://physionet.org/content/mimiciv/"
        )
    return simulate_mimic(), mimic_schema()
