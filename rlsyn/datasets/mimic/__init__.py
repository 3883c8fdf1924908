"""MIMIC-IV: the reader of the release as it lies on disk, and the simulated cohort in its place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rlsyn.datasets.dataset import Cohort
from rlsyn.datasets.simulated_mimic import mimic_schema, simulate_mimic


@dataclass(frozen=True)
class MimicOptions:
    """What a user may ask of the reader."""


def simulated_mimic() -> Cohort:
    """SIMULATED: patients with vitals, demographics, one-year death and phecodes."""
    source = "SIMULATED, no real patient: modelled on the MIMIC-IV table of arXiv:2512.21395."
    return Cohort(simulate_mimic(), mimic_schema(), source, simulated=True)


def read_mimic(data_dir: Path, options: MimicOptions, progress_bar: bool = False) -> Cohort:
    """The rows of a release.

    Raises:
        NotImplementedError: This version has no reader of the release yet.
    """
    raise NotImplementedError(
        f"This version cannot read a release of MIMIC-IV yet (got --data-dir {data_dir}). Leave --data-dir out for the "
        "simulated cohort, or give an assembled table with --csv FILE --label COLUMN. "
        "Access to the data: https://physionet.org/content/mimiciv/"
    )
