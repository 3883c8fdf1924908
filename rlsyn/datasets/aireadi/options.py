"""What a user may ask of the reader of AI-READI."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rlsyn.datasets.reader_options import option

Unit = Literal["day", "participant"]
Split = Literal["random", "paper", "recommended"]
CgmLimits = Literal["censored", "dropped"]
EcgChoice = Literal["earliest", "abnormal"]
Calories = Literal["added", "averaged"]
Missing = Literal["kept", "dropped"]


@dataclass(frozen=True)
class AireadiOptions:
    """What a user may ask of the reader; each field is a flag of the command line (see `reader_options`)."""

    unit: Unit = option("day", "what a row is: a complete day of a participant, or a participant (means over days)")
    split: Split = option(
        "random",
        "who is held out: 30% of the participants, 10% as in the paper, or those whom the release recommends",
        paper="paper",
    )
    missing: Missing = option("kept", "whether rows with a missing value are kept", paper="dropped")
    keep_without_conditions: bool = option(
        True, "keep people who report no condition at all; they have none of them", paper=False
    )
    cgm_limits: CgmLimits = option(
        "censored", "glucose readings 'Low' and 'High': 39 and 401 mg/dL, or left out", paper="dropped"
    )
    ecg_choice: EcgChoice = option(
        "earliest", "which of several ECGs: the earliest lying one, or the most abnormal lying one", paper="abnormal"
    )
    calories: Calories = option(
        "added", "whether calories that fall into the same five minutes are added or averaged", paper="averaged"
    )
    with_age: bool = option(False, "add the column age")
    with_bmi: bool = option(False, "add the column bmi")
    with_blood_pressure: bool = option(False, "add the columns systolic_bp and diastolic_bp, means of two readings")
    with_hba1c: bool = option(False, "add the column hba1c; it defines the label, so models that use it look too good")
    cache: bool = option(True, "keep the assembled table in a Parquet file, so that the next run starts at once")
    cache_dir: Path | None = option(None, "where that file is kept; the default is .rlsyn_cache in the release")
    n_readers: int = option(-1, "processes that read; -1 for one per core")

    def __post_init__(self) -> None:
        if self.n_readers == 0 or self.n_readers < -1:
            raise ValueError(f"--n-readers must be a number of processes or -1 (one per core), got {self.n_readers}.")
