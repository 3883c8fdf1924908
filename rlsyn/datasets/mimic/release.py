"""A release of MIMIC-IV on disk: where its files lie, which version and licence it has, and the rows of its files."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from glob import iglob
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from rlsyn.names import listed

FOLDERS = ("hosp", "core", ".")
"""Where a file may lie: `core` had patients and admissions before 2.0; some people keep all files in one folder."""
SUFFIXES = (".csv.gz", ".csv")
REQUIRED = ("patients", "admissions", "diagnoses_icd")
CHUNK_ROWS = 1_000_000
MAX_SEARCHED = 2_000
"""Folders that are looked into for a release where none is."""
ACCESS = (
    "Credentialed access: https://physionet.org/content/mimiciv/. Open demo of 100 patients: "
    "https://physionet.org/content/mimic-iv-demo/."
)

OPEN_LICENCE = (
    "The MIMIC-IV demo is under the Open Database License 1.0 (ODbL): name the source (MIMIC-IV Clinical Database Demo, "
    "https://physionet.org/content/mimic-iv-demo/), publish what is derived from it, synthetic tables included, under the "
    "same licence, and make no attempt to identify anyone."
)
CREDENTIALED_LICENCE = (
    "MIMIC-IV is under the PhysioNet Credentialed Health Data License and its data use agreement: work with it only as a "
    "credentialed user, share no row with others (services of third parties included), make no attempt to identify "
    "anyone, and cite it. Synthetic records are derived from it: ask PhysioNet before you share them."
)


@dataclass(frozen=True)
class Release:
    """The files of a release.

    Args:
        root: The folder of the release.
        progress_bar: Whether reading shows how far it is.
    """

    root: Path
    progress_bar: bool = False

    def __post_init__(self) -> None:
        if absent := [table for table in REQUIRED if self.path(table) is None]:
            raise FileNotFoundError(_not_here(self.root, absent))

    def path(self, table: str) -> Path | None:
        """The file of a table, None if the release has none."""
        return _path(self.root, table)

    @cached_property
    def version(self) -> str:
        """Which release it is, as far as its folder and its columns tell."""
        if number := _number_of(self.root.resolve()):
            return f"{number} (as its folder is named)"
        if "race" not in self.columns("admissions"):
            return "before 2.0"
        return "2.2 or later" if "admit_provider_id" in self.columns("admissions") else "2.0 or 2.1"

    @cached_property
    def is_demo(self) -> bool:
        """Whether it is the open demo, whose licence file is that of open data."""
        # The folder of the files may have been given in place of that above, where the licence lies.
        folder = self.root.resolve()
        licence = (folder.parent if folder.name in FOLDERS else folder) / "LICENSE.txt"
        return licence.is_file() and "Open Database License" in licence.read_text(encoding="utf-8", errors="replace")

    @property
    def licence(self) -> str:
        """What binds whoever uses the rows; without the demo's licence file the stricter one."""
        return OPEN_LICENCE if self.is_demo else CREDENTIALED_LICENCE

    def columns(self, table: str) -> list[str]:
        """The header of a file."""
        path = self._existing(table)
        with _told(path, []):
            return list(pd.read_csv(path, nrows=0).columns)

    def chunks(self, table: str, dtypes: Mapping[str, Any]) -> Iterator[pd.DataFrame]:
        """Rows of a file, `CHUNK_ROWS` at a time.

        Args:
            table: Name of the file without its ending.
            dtypes: The columns to read, and as what; empty fields are missing.

        Raises:
            ValueError: The file lacks a column, is empty or damaged, or holds text for a number.
        """
        path = self._existing(table)
        if absent := [name for name in dtypes if name not in self.columns(table)]:
            raise ValueError(f"Expected the columns {list(dtypes)} in {path}, it lacks {absent}. Download it again.")
        numbers = [name for name, dtype in dtypes.items() if dtype == "int64"]
        progress = tqdm(desc=table, unit=" rows", unit_scale=True, disable=not self.progress_bar)
        with _told(path, numbers), progress:
            reader = pd.read_csv(
                path,
                usecols=list(dtypes),
                dtype=dict(dtypes),
                chunksize=CHUNK_ROWS,
                keep_default_na=False,
                na_values=[""],
            )
            with reader:
                for chunk in reader:
                    if len(chunk) == 0:
                        raise pd.errors.EmptyDataError
                    progress.update(len(chunk))
                    yield chunk

    def read(self, table: str, dtypes: Mapping[str, Any]) -> pd.DataFrame:
        """All rows of a file, as `chunks` reads them."""
        return pd.concat(self.chunks(table, dtypes), ignore_index=True)

    def _existing(self, table: str) -> Path:
        path = self.path(table)
        if path is None:
            raise FileNotFoundError(_not_here(self.root, [table]))
        return path


def _path(root: Path, table: str) -> Path | None:
    places = (root / folder / f"{table}{suffix}" for folder in FOLDERS for suffix in SUFFIXES)
    return next((path for path in places if os.path.isfile(path)), None)


def _not_here(root: Path, absent: list[str]) -> str:
    wanted = ", ".join(f"hosp/{table}.csv.gz" for table in absent)
    message = f"Expected a release of MIMIC-IV in {root}, with {wanted} (or .csv; core/ before 2.0). "
    if not os.path.isdir(root):
        return f"{message}There is no such folder. {ACCESS}"
    folders = [root / folder for folder in FOLDERS if os.path.isdir(root / folder)]
    if closed := [str(folder) for folder in folders if not os.access(folder, os.R_OK | os.X_OK)]:
        return f"{message}You may not look into {', '.join(closed)}: ask its owner to let you read it."
    if near := _near(root):
        return f"{message}The release seems to be {near}: give --data-dir {near}."
    found = sorted(f"{path.name}/" if os.path.isdir(path) else path.name for path in root.iterdir())
    return f"{message}Found {f'there: {listed(found, 8)}' if found else 'an empty folder'}. {ACCESS}"


def _near(root: Path) -> Path | None:
    """The folder above, or one up to four below, that holds a release; such as physionet.org/files/mimiciv/3.1."""
    # Unlike pathlib, glob and os.path take what may not be looked into for what is not there.
    below = (root / path for depth in range(1, 5) for path in iglob("*/" * depth, root_dir=root))
    candidates = [root.resolve().parent, *islice(below, MAX_SEARCHED)]
    return next((path for path in candidates if all(_path(path, table) for table in REQUIRED)), None)


def _number_of(folder: Path) -> str | None:
    """The version in the name of a folder or of that above; other projects have numbers too, so MIMIC must be named."""
    name, above = folder.name.lower(), folder.parent.name.lower()
    # PhysioNet's own folder is mimiciv/3.1.
    is_of_mimic = "mimic" in name or ("mimic" in above and re.fullmatch(r"v?[\d.]+", name))
    for text in [name] * bool(is_of_mimic) + [above] * ("mimic" in above):
        if numbers := re.findall(r"(?<![\d.])([0-4]\.\d)(?![\d.])", text):
            return str(numbers[-1])
    return None


@contextmanager
def _told(path: Path, numbers: list[str]) -> Iterator[None]:
    """Makes a sentence with the file's name of whatever is wrong with it.

    What pandas says is left out, of the traceback too: it quotes cells, which are of patients.

    Args:
        path: The file that is read.
        numbers: Its columns that are read as whole numbers.
    """
    try:
        yield
    except (ValueError, OverflowError, EOFError, zlib.error, OSError) as error:
        raise ValueError(
            f"{path} cannot be read ({_cause(error, numbers)}). Download it again and compare it with SHA256SUMS.txt of "
            "the release."
        ) from None


def _cause(error: Exception, numbers: list[str]) -> str:
    if isinstance(error, pd.errors.EmptyDataError):
        return "it holds no rows"
    if isinstance(error, pd.errors.ParserError):
        return "its rows are not all of one length, or a quotation mark is left open"
    if isinstance(error, UnicodeError):
        return "it is not text in UTF-8"
    if isinstance(error, (ValueError, OverflowError)):
        return f"not every cell of {', '.join(numbers)} is a whole number" if numbers else "its header is malformed"
    # Of the errors of files only those of the operating system have this; it quotes nothing that a file holds.
    return getattr(error, "strerror", None) or "it is damaged or cut short"
