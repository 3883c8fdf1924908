"""A release of AI-READI on disk: its folder, its version, its people, and its tables.

Layout: AI-READI documentation (https://docs.aireadi.org, CC BY 4.0) and the code that writes the release
(AI-READI/fairhub-pipeline). Releases 1 and 2 call the person `participant_id` outside the clinical tables, release 3
calls it `person_id` everywhere.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd

ACCESS = (
    "Access: sign in at https://fairhub.io (dataset 2 is release 2, dataset 3 is release 3), accept the AI-READI data "
    "licence, and download the release to a system that your institution manages."
)
PEOPLE = "participants.tsv"
CLINICAL = "clinical_data"
ID_COLUMNS = ("person_id", "participant_id")


class Note(NamedTuple):
    """What a user must know about the data, in a sentence."""

    text: str
    level: int = logging.WARNING


def information(text: str) -> Note:
    """A note about what is as it should be."""
    return Note(text, logging.INFO)


@dataclass(frozen=True)
class Release:
    """A release of AI-READI.

    Args:
        root: The folder that holds `participants.tsv`.
        version: Its number as the release states it, such as "3.0.0"; "2" or "3" where only the layout tells.
        people: Indexed by the number of the participant: `age` (years) and `recommended_split`, as far as stated.
        notes: On rows of `participants.tsv` that are nobody's.
    """

    root: Path
    version: str
    people: pd.DataFrame
    notes: tuple[Note, ...] = ()

    @property
    def is_v3(self) -> bool:
        """Whether the release has the layout of release 3."""
        return int(self.version.split(".")[0]) >= 3


def open_release(folder: Path) -> Release:
    """The release in a folder.

    Raises:
        FileNotFoundError: The folder is not the root of a release; the message says what was looked for, what is there,
            where the release may be instead, and where to get access.
        ValueError: `participants.tsv` cannot be read or names nobody.
    """
    if not _is_release(folder):
        raise FileNotFoundError(_not_a_release(folder))
    table = read_columns(folder / PEOPLE, (), ("age", "recommended_split", *ID_COLUMNS), sep="\t")
    column = next((name for name in ID_COLUMNS if name in table), None)
    if column is None:
        raise ValueError(f"{folder / PEOPLE} must have a column person_id or participant_id, got {list(table)}.")
    numbers = numbers_of_people(table[column], PEOPLE)
    is_nobody = numbers.isna()
    is_again = numbers.duplicated() & ~is_nobody
    people = table.drop(columns=set(ID_COLUMNS) & set(table)).set_index(numbers)[(~is_nobody & ~is_again).to_numpy()]
    people = people.set_index(people.index.astype("int64")).sort_index().rename_axis("participant_id")
    if not len(people):  # a table of identifiers only is empty to pandas
        raise ValueError(f"{folder / PEOPLE} must name participants, got none. Is the download complete?")
    counts = {"have no number of a participant": is_nobody.sum(), "name a participant once more": is_again.sum()}
    notes = tuple(Note(f"Rows of {PEOPLE} that {why}: {count:,}, left out.") for why, count in counts.items() if count)
    return Release(folder, _stated_version(folder) or ("3" if column == "person_id" else "2"), people, notes)


def read_columns(path: Path, required: Sequence[str], optional: Sequence[str] = (), sep: str = ",") -> pd.DataFrame:
    """Columns of a table of the release by name, as text; whatever index columns the file carries are left alone.

    Raises:
        ValueError: The file cannot be read as a table, or lacks a required column.
    """
    wanted = {*required, *optional}
    try:
        table = pd.read_csv(
            path,
            sep=sep,
            usecols=lambda name: name in wanted,
            dtype=str,
            encoding="utf-8-sig",
            encoding_errors="replace",
        )
    except (ValueError, EOFError, OSError) as error:
        detail = " ".join(str(error).split())[:160]
        raise ValueError(f"{path} cannot be read as a table ({detail}). Download it again.") from None
    absent = [name for name in required if name not in table]
    if absent:
        raise ValueError(f"{path} lacks the columns {absent}. Is it the file of the release, unchanged?")
    return table


def numbers_of_people(texts: pd.Series, file: str) -> pd.Series:
    """Participants as numbers: "1023", "1023.0" and "AIREADI-1023" are 1023; missing where there is none.

    Raises:
        ValueError: No text holds a number.
    """
    numbers = pd.to_numeric(texts.str.extract(r"^\s*(?:AIREADI-)?(\d+)(?:\.0+)?\s*$")[0], errors="coerce")
    if len(texts) and numbers.isna().all():
        # The text itself may be anybody's name.
        raise ValueError(
            f"{file} must name participants by numbers such as 1023, got {len(texts):,} texts without one."
        )
    return numbers


def _is_release(folder: Path) -> bool:
    try:
        return (folder / PEOPLE).is_file() and (folder / CLINICAL).is_dir()
    except OSError:  # a neighbour that may not be entered
        return False


def _not_a_release(folder: Path) -> str:
    expected = f"Expected the root of an AI-READI release, which holds {PEOPLE} and {CLINICAL}/"
    if not folder.is_dir():
        return f"{expected}; there is no folder {folder}. {ACCESS}"
    children = sorted(child for child in folder.iterdir() if child.is_dir())
    for near in (folder.parent, folder.parent.parent, *children):
        if _is_release(near):
            return f"{expected}. {folder} is not, but {near} looks like one: give --data-dir {near}."
    found = ", ".join(sorted(child.name for child in folder.iterdir())[:8]) or "nothing"
    absent = " and ".join(name for name in (PEOPLE, CLINICAL) if not (folder / name).exists())
    return f"{expected}; {folder} lacks {absent or 'a folder ' + CLINICAL}, found {found}. {ACCESS}"


def _stated_version(folder: Path) -> str | None:
    """The version in the release's own description."""
    for name in ("dataset_description.json", "CHANGELOG.md", "README.md"):
        path = folder / name
        if not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        if path.suffix == ".json":
            text = _version_field(text)
        found = re.search(r"\bv?([1-9]\.\d+\.\d+)\b", text)
        if found:
            return found.group(1)
    return None


def _version_field(text: str) -> str:
    try:
        fields = json.loads(text)
    except ValueError:
        return ""
    return str(fields.get("version", "")) if isinstance(fields, dict) else ""
