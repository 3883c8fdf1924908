"""What a user may ask of the reader of MIMIC-IV."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from rlsyn.datasets.reader_options import option, resolve


@dataclass(frozen=True)
class MimicOptions:
    """What a user may ask of the reader; each value of the paper is what the code of arXiv:2512.21395 does.

    Nothing is scaled here, and levels are fitted on training rows only: that the paper scales all rows before it divides
    them has no option.
    """

    codes: Literal["phecode", "icd3"] = option(
        "phecode", "diagnoses as phecodes 1.2, or as three-character ICD categories, which need no map"
    )
    phecode_map: Path | None = option(
        None, "folder with the ICD-9 and the ICD-10 file of the phecode map; without it that of pyPheWAS, if installed"
    )
    phecode_level: Literal["leaf", "parent", "mixed"] = option(
        "leaf",
        "phecodes as the map has them (401.1), rolled up to whole numbers (401), or by mistake the parent for ICD-9 and "
        "the leaf for ICD-10, which parts one disease in two columns",
        paper="mixed",
    )
    several_phecodes: Literal["all", "last"] = option(
        "all", "an ICD-10 code that the map lists under several phecodes stands for all, or for the last", paper="last"
    )
    leading_zeros: Literal["kept", "lost"] = option(
        "kept",
        "whether ICD-9 gives phecode 8 where ICD-10 gives 008, by mistake: one disease in two columns",
        paper="lost",
    )
    min_people: int = option(10, "a diagnosis of fewer people than this gets no column", paper=0)
    min_share: float = option(0.0, "nor does one of a smaller share of the people", paper=5e-5)
    outliers: Literal["missing", "drop", "keep"] = option(
        "missing",
        "an implausible body mass index or blood pressure is made missing, its person is left out, or it stays",
        paper="drop",
    )
    pressure_check: bool = option(
        True, "whether a systolic pressure that is not above the diastolic is implausible", paper=False
    )
    impute: bool = option(
        False,
        "whether missing values are drawn from those of other people, which undoes what hangs on them",
        paper=True,
    )
    race_columns: Literal["one", "six"] = option("one", "race as one column of six categories or as six", paper="six")
    declined_race: Literal["UN", "OTHER"] = option(
        "UN", "people who declined to tell their race count as unknown or as other", paper="OTHER"
    )
    declare_rules: bool = option(
        True,
        "whether sex-specific diagnoses, blood pressure, age and body mass index are rules for records",
        paper=False,
    )
    stratified_split: bool = option(True, "whether test people are drawn within strata of death", paper=False)

    def __post_init__(self) -> None:
        if self.min_people < 0:
            raise ValueError(f"--min-people must be 0 or more, got {self.min_people}.")
        if not 0 <= self.min_share < 1:
            raise ValueError(f"--min-share must be a share from 0 to below 1, got {self.min_share}.")
        if self.codes == "icd3" and self.phecode_map is not None:
            raise ValueError("--codes icd3 takes no phecode map: leave out --phecode-map, or --codes.")

    def changed(self) -> list[str]:
        """What to put on a command line to have these options, folders left out; nothing for the defaults."""
        named = [field for field in fields(self) if field.name != "phecode_map"]
        of_paper = resolve(MimicOptions, {"protocol": "paper"})
        if all(getattr(self, field.name) == getattr(of_paper, field.name) for field in named):
            return ["--protocol paper"]
        values = {field.name: getattr(self, field.name) for field in named}
        return [_flag(field.name, values[field.name]) for field in named if values[field.name] != field.default]


def _flag(name: str, value: str | bool | float) -> str:
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{flag}" if value else f"--no-{flag}"
    return f"--{flag} {value}"
