"""Files of a run or a saved model: written whole or not at all, found again, and values as YAML takes them."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that no half-written one is ever seen under its name."""
    # Processes that share a folder may write the same file at once.
    part = path.with_name(f"{path.name}.{platform.node()}.{os.getpid()}.part")
    part.write_bytes(text.encode("utf-8"))  # the very bytes, on every system
    os.replace(part, path)


class FileStamp(NamedTuple):
    """Which file it was: its name, and the SHA-256 of its bytes, as `sha256sum` prints it."""

    name: str
    sha256: str


def file_stamp(path: str | Path, content: bytes | None = None) -> FileStamp:
    """The stamp of a file, or of one that is going to hold the content."""
    path = Path(path)
    return FileStamp(path.name, hashlib.sha256(path.read_bytes() if content is None else content).hexdigest())


@contextmanager
def rows_kept(path: Path, column: str, last: float) -> Iterator[None]:
    """Within it the CSV file may be written anew; at the end rows that it had before stand above the new ones.

    Args:
        path: The file.
        column: What rows are counted by.
        last: Rows beyond it are not kept: they will be made again.
    """
    before = path.with_name(f"{path.stem}.before{path.suffix}")
    _stack(before, path)  # a process that was killed may have left both
    if path.exists() and path.stat().st_size:
        rows = pd.read_csv(path).drop_duplicates(column, keep="last")
        if len(kept := rows[rows[column] <= last]):
            write_whole(before, kept.to_csv(index=False))
        path.unlink()
    try:
        yield
    finally:
        _stack(before, path)


def _stack(before: Path, path: Path) -> None:
    if not before.exists():
        return
    tables = [pd.read_csv(part) for part in (before, path) if part.exists() and part.stat().st_size]
    write_whole(path, pd.concat(tables).to_csv(index=False))
    before.unlink()


def plain(value: Any) -> Any:
    """A value as YAML writes it: mappings as dicts, sequences as lists, paths as text, NumPy's numbers as Python's."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, np.generic):
        return value.item()
    return [plain(item) for item in value] if isinstance(value, Sequence) and not isinstance(value, str) else value


def latest_checkpoint(folder: Path) -> Path | None:
    """The newest training state in a run directory or saved model; `None` if there is none."""
    found = sorted((folder / "checkpoints").glob("state_*.pt"))
    return found[-1] if found else None
