"""The assembled table in a Parquet file, so that a release of many gigabytes is read once.

The file lies in the release itself, under the same access rules, unless told otherwise, and only its owner may read it. Its
name is a digest of all that its content depends on; it is written beside and then renamed, so that it is never half a file.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from rlsyn.datasets.aireadi.options import AireadiOptions
from rlsyn.datasets.aireadi.release import CLINICAL, PEOPLE, Note, Release
from rlsyn.datasets.aireadi.streams import Name

FORMAT = 2
"""To be raised when the same release and options give another table."""
FOLDER = ".rlsyn_cache"

_NOTES = "rlsyn_notes"
_BESIDE = ("cache", "cache_dir", "n_readers", "split")
"""Options on which the table does not depend."""

_log = logging.getLogger(__name__)


def cache_path(release: Release, options: AireadiOptions, devices: Mapping[Name, tuple[Path, ...]]) -> Path:
    """Where the table of that release with those options is kept.

    The release counts by the sizes and times of change of all files that the table is read from: tables, manifests,
    headers of ECGs, and the participants' files of each stream.
    """
    content = {
        "format": FORMAT,
        "version": release.version,
        "options": {name: value for name, value in asdict(options).items() if name not in _BESIDE},
        "tables": _states(release.root, _tables(release.root)),
        "headers": _states(release.root, release.root.glob("cardiac_ecg/*/*/*/*.hea")),
        "streams": {
            name: [_states(release.root, folder.glob("*/*.json")) for folder in folders]
            for name, folders in devices.items()
        },
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]
    return Path(options.cache_dir or release.root / FOLDER) / f"aireadi_{options.unit}_{digest}.parquet"


def read_cache(path: Path) -> tuple[pd.DataFrame, list[Note]] | None:
    """The table and the notes kept there; None where there are none, or none that can be read."""
    try:
        table = pd.read_parquet(path) if path.is_file() else None
    except (ImportError, OSError, ValueError):
        return None
    if table is None or _NOTES not in table.attrs:
        return None
    return table, [Note(*note) for note in table.attrs.pop(_NOTES)]


def write_cache(path: Path, table: pd.DataFrame, notes: list[Note]) -> None:
    """Keep a table; where that is not possible, say so and go on."""
    kept = table.copy()
    kept.attrs[_NOTES] = notes
    beside = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside.unlink(missing_ok=True)
        # Made before it is written: rows of patients are at no time open to others.
        beside.touch(mode=0o600, exist_ok=False)
        kept.to_parquet(beside, index=False)
        beside.replace(path)
    except ImportError:
        _log.info("The table is not kept for the next run, which needs pyarrow (pip install 'rlsyn[parquet]').")
    except OSError as error:
        _log.info("The table is not kept for the next run: %s. Name a folder with --cache-dir DIR.", error)
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def _tables(root: Path) -> list[Path]:
    tables = [root / PEOPLE, *sorted((root / CLINICAL).glob("*.csv")), *sorted(root.glob("*/manifest.tsv"))]
    return [path for path in tables if path.is_file()]


def _states(root: Path, paths: Iterable[Path]) -> list[tuple[Any, ...]]:
    return [_state(root, path) for path in sorted(paths)]


def _state(root: Path, path: Path) -> tuple[Any, ...]:
    name = str(path.relative_to(root))
    try:
        status = path.stat()
    except OSError:  # a link to what was not downloaded
        return (name,)
    return name, status.st_size, status.st_mtime_ns
