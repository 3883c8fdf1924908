"""AI-READI: the reader of the release as it lies on disk, and the simulated cohort in its place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rlsyn.datasets.dataset import Cohort
from rlsyn.datasets.simulated_aireadi import aireadi_schema, simulate_aireadi


@dataclass(frozen=True)
class AireadiOptions:
    """What a user may ask of the reader."""


def simulated_aireadi() -> Cohort:
    """SIMULATED: the 108-column table of patient-days."""
    source = "SIMULATED, no real patient: modelled on the AI-READI table of arXiv:2512.21395."
    return Cohort(simulate_aireadi(), aireadi_schema(), source, simulated=True)


def read_aireadi(data_dir: Path, options: AireadiOptions, progress_bar: bool = False) -> Cohort:
    """The rows of a release.

    Raises:
        NotImplementedError: This version has no reader of the release yet.
    """
    raise NotImplementedError(
        f"This version cannot read a release of AI-READI yet (got --data-dir {data_dir}). Leave --data-dir out for the "
        "simulated cohort, or give an assembled table with --csv FILE --label COLUMN. "
        "Access to the data: https://fairhub.io/datasets/2"
    )
