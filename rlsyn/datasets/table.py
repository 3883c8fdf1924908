"""A table of one's own: CSV or Parquet, compressed or not."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from pandas.errors import EmptyDataError, ParserError

from rlsyn.schema import unknown_name


def read_table(path: str | Path, drop: Sequence[str] = ()) -> pd.DataFrame:
    """The rows of a CSV (`.csv`, `.csv.gz`, `.tsv`) or Parquet (`.parquet`) file.

    Args:
        path: The file.
        drop: Columns to leave out.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is empty, cannot be parsed, repeats a column name, or lacks a column of `drop`.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Expected a CSV or Parquet file, found none at {path}. Check the path.")
    table = _read_parquet(path) if path.suffix == ".parquet" else _read_csv(path)
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
    separator = "\t" if ".tsv" in path.suffixes else ","
    try:
        header = _read_header(path, separator)
        duplicates = sorted({name for name in header if header.count(name) > 1})
        if duplicates:
            # pandas would rename the second to "name.1" in silence.
            raise ValueError(
                f"Column names must be unique, {path} has {duplicates} more than once. Rename them in the file."
            )
        # In pieces, pandas would take "1" for a number in one and for text in another.
        return pd.read_csv(path, sep=separator, low_memory=False)
    except EmptyDataError as error:
        raise ValueError(f"Expected a table with a header and rows, {path} is empty.") from error
    except (ParserError, UnicodeDecodeError, OSError, EOFError) as error:
        raise ValueError(
            f"Expected a comma-separated text file, {path} cannot be read: {str(error).splitlines()[0]}"
        ) from error


def _read_header(path: Path, separator: str) -> list[str]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", newline="", encoding="utf-8-sig") as file:
        return next(csv.reader(file, delimiter=separator), [])
