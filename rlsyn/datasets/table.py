"""A table of one's own: CSV or Parquet, compressed or not."""

from __future__ import annotations

import contextlib
import csv
import gzip
import itertools
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO, cast

import numpy as np
import pandas as pd
from pandas.errors import EmptyDataError, ParserError

from rlsyn.names import unknown_name

_log = logging.getLogger(__name__)

MISSING = ["", "NA", "N/A", "#N/A", "NaN", "nan", "NULL", "null", "<NA>"]
"""Texts that stand for a missing value; "None" is not among them, it is a category of symptoms and diets."""


MIN_CODES = 3
"""Whole numbers with leading zeros that make codes of a column; fewer may be slips of the pen."""


def read_table(path: str | Path, drop: Sequence[str] = ()) -> pd.DataFrame:
    """The rows of a CSV (`.csv`, `.csv.gz`, `.tsv`) or Parquet (`.parquet`) file.

    Args:
        path: The file. In CSV, empty fields and `MISSING` are missing, columns without name and value and rows without
            value at the foot are left out, and whole numbers of which `MIN_CODES` have leading zeros are text.
        drop: Columns to leave out.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is empty, cannot be parsed, repeats a column name, or lacks a column of `drop`.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Expected a CSV or Parquet file, found none at {path}. Check the path.")
    if re.match(r"\.(xls|ods)", path.suffix.lower()):
        raise ValueError(
            f"Expected a CSV or Parquet file, {path} is a spreadsheet. Save it as CSV UTF-8 (comma delimited)."
        )
    table = _read_parquet(path) if path.suffix.lower() == ".parquet" else _read_csv(path)
    if table.empty:
        raise ValueError(
            f"Expected a table with rows, got {table.shape[0]} rows and {table.shape[1]} columns in {path}."
        )
    for name in drop:
        if name not in table:
            raise ValueError(unknown_name("column to drop", name, list(table.columns)))
    return table.drop(columns=list(drop))


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_parquet(path)
    except ImportError as error:
        raise ValueError(f"Reading {path} needs pyarrow. Install it with: pip install 'rlsyn[parquet]'") from error
    except Exception as error:  # pyarrow's own errors are not public names of pandas
        raise ValueError(f"Expected a Parquet file, {path} cannot be read: {str(error).splitlines()[0]}") from error
    table.columns = [str(name) for name in table.columns]
    return table


def _read_csv(path: Path) -> pd.DataFrame:
    separator = "\t" if ".tsv" in path.name.lower() else ","
    try:
        header = _read_header(path, separator)
        if other := _other_separator(path, separator):
            raise ValueError(
                f"Fields of {path} seem to be separated by {other!r}, not {separator!r}. Save it with commas between "
                "fields and points in numbers."
            )
        duplicates = sorted({name for name in header if name.strip() and header.count(name) > 1})
        if duplicates:
            # pandas would rename the second to "name.1" in silence.
            raise ValueError(
                f"Column names must be unique, {path} has {duplicates} more than once. Rename them in the file."
            )
        # In pieces, pandas would take "1" for a number in one and for text in another.
        how: dict[str, Any] = {"sep": separator, "keep_default_na": False, "na_values": MISSING, "low_memory": False}
        table = pd.read_csv(path, **how)
        has_row_names = not isinstance(table.index, pd.RangeIndex)
        if has_row_names:
            # pandas would take the first fields for row names and shift the rest by one column.
            raise ValueError(f"Rows of {path} have more fields than its {len(header)} columns. Remove trailing commas.")
        _tell_short_rows(table, path, separator, header)
        return _without_blank_rows(_with_codes(_without_blank_columns(table, header), path, how))
    except EmptyDataError as error:
        raise ValueError(f"Expected a table with a header and rows, {path} is empty.") from error
    except UnicodeError as error:
        raise ValueError(f"Expected text in UTF-8, {path} is coded otherwise. Save it as CSV UTF-8.") from error
    except (ParserError, csv.Error, OSError, EOFError) as error:
        raise ValueError(
            f"Expected a comma-separated text file, {path} cannot be read: {str(error).splitlines()[0]}"
        ) from error


def _other_separator(path: Path, separator: str) -> str | None:
    """What stands oftener than the separator in the header, and as often in the row below; names may hold such marks."""
    with _opened(path) as file:
        lines = [line for line in itertools.islice(file, 10) if line.strip()][:2]
    for mark in ";\t|":
        counts = [line.count(mark) for line in lines]
        if counts and lines[0].count(separator) < counts[0] <= counts[-1]:
            return mark
    return None


def _tell_short_rows(table: pd.DataFrame, path: Path, separator: str, header: list[str]) -> None:
    """Warn of rows that end before the last column with a name: pandas fills them up with missing values in silence."""
    last = max((position for position, name in enumerate(header) if name.strip()), default=-1)
    if last < 0 or not table.iloc[:, last].isna().any():
        return
    lines, start = [], 1
    with _opened(path) as file, contextlib.suppress(csv.Error):  # texts may be longer than it reads
        rows = csv.reader(file, delimiter=separator)
        for fields in rows:
            if len(fields) <= last and any(field.strip() for field in fields):
                lines.append(start)
            start = rows.line_num + 1
    if lines:
        _log.warning(
            "Rows of %s that end before its last column: %d, the first in line %d. What they lack was read as missing: did a "
            "spreadsheet leave out empty fields, or was a separator lost there, or the rest of the file?",
            *(path, len(lines), lines[0]),
        )


def _without_blank_columns(table: pd.DataFrame, header: list[str]) -> pd.DataFrame:
    """The table without columns that have neither name nor value: spreadsheets leave them at the right."""
    blank = [position for position, name in enumerate(header) if not name.strip()]
    return table.drop(columns=[name for name in table.columns[blank] if table[name].isna().all()])


def _without_blank_rows(table: pd.DataFrame) -> pd.DataFrame:
    """The table without the rows at its foot that have no value at all: spreadsheets leave them there."""
    has_value = table.notna().any(axis=1).to_numpy()
    n_rows = int(np.flatnonzero(has_value).max(initial=-1)) + 1
    if n_rows < len(table):
        _log.info("Left out: %d rows without any value at the foot of the table.", len(table) - n_rows)
    return table.iloc[:n_rows]


def _with_codes(table: pd.DataFrame, path: Path, how: dict[str, Any]) -> pd.DataFrame:
    """The table with whole numbers that have leading zeros (postcodes, ICD-9) as the text that they are."""
    numeric = [str(name) for name in table if pd.api.types.is_numeric_dtype(table[name])]
    whole = [name for name in numeric if (table[name].dropna() % 1 == 0).all() and table[name].notna().any()]
    if not whole or not _may_have_codes(path):
        return table
    texts = pd.read_csv(path, **how, usecols=whole, dtype=str).apply(lambda values: values.str.strip())
    codes = [name for name in whole if texts[name].str.fullmatch(r"0\d+").sum() >= MIN_CODES]
    if codes:
        _log.info("Read as codes, for their leading zeros: %s.", ", ".join(codes))
    # Wards may be called so, and viral loads written: only those who have the table know.
    if powers := [name for name in whole if texts[name].dropna().str.fullmatch(r"\d+[eE]\d+").all()]:
        _log.warning(
            "Read as numbers, 2E3 as 2000, since every value is written so: %s. If these are codes, put another letter in "
            "front of them in the file.",
            ", ".join(powers),
        )
    return table.assign(**{name: texts[name] for name in codes})


def _may_have_codes(path: Path) -> bool:
    """Whether some field may begin like `01` or `2E3`: a look that costs less than reading all columns as text."""
    with _opened(path) as file:
        return any(_LIKE_A_CODE.search(line) for line in file)


_LIKE_A_CODE = re.compile(r'(?:^|[,\t"])\s*(?:0\d|\d+[eE]\d)')


def _read_header(path: Path, separator: str) -> list[str]:
    with _opened(path) as file:
        return next((fields for fields in csv.reader(file, delimiter=separator) if fields), [])


def _opened(path: Path) -> TextIO:
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    return cast(TextIO, opener(path, "rt", newline="", encoding="utf-8-sig"))
