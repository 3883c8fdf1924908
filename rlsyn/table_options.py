"""Tables and splits as a command line names them: an id, or a file with columns of label and person; and seeds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rlsyn.datasets import DATASETS
from rlsyn.names import unknown_name

ENVIRONMENTS = DATASETS[:-1]
"""Ids that bring their own rows."""
OWN_TABLE = DATASETS[-1]
"""The id of all others."""


def check_seeds(seeds: Sequence[int]) -> None:
    """Check seeds of splits.

    Raises:
        ValueError: One below 0 or from 2**32 on, which generators do not take, or one given twice.
    """
    if wrong := [seed for seed in seeds if not 0 <= seed < 2**32]:
        raise ValueError(f"A seed must be from 0 to below 2**32, got {wrong[0]}.")
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"Seeds must be different, each given once, got {list(seeds)}.")


def named_tables(envs: Sequence[str], csvs: Sequence[str]) -> dict[str, dict[str, Any]]:
    """By name of a table its options, environments first (see `options_of_env` and `options_of_csv`).

    Raises:
        ValueError: There are none, or two of one name, or one that cannot be.
        FileNotFoundError: A file does not exist.
    """
    tables = [options_of_env(name) for name in envs] + [options_of_csv(text) for text in csvs]
    if not tables:
        raise ValueError(f"Expected --env ID ... or --csv FILE:LABEL ... The ids are: {', '.join(ENVIRONMENTS)}.")
    if len(dict(tables)) < len(tables):
        raise ValueError(f"Tables need names of their own, got {[name for name, _ in tables]}. Rename a file.")
    return dict(tables)


def options_of_env(name: str) -> tuple[str, dict[str, Any]]:
    """The name of an environment's table, and what `rlsyn.runs.load_dataset` takes for it but for the seed.

    Raises:
        ValueError: There is none of that id.
    """
    if name not in ENVIRONMENTS:
        raise ValueError(unknown_name("environment", name, ENVIRONMENTS))
    return name, {"env": name, "csv": None, "data_dir": None}


def options_of_csv(text: str) -> tuple[str, dict[str, Any]]:
    """The name of a table of one's own, written FILE:LABEL or FILE:LABEL:GROUP, and its options as above.

    Raises:
        ValueError: The text is written otherwise.
        FileNotFoundError: There is no such file.
    """
    path, *columns = text.split(":")
    if len(columns) not in (1, 2):
        raise ValueError(f"A table must be written FILE:LABEL or FILE:LABEL:GROUP, got {text!r}.")
    if not Path(path).is_file():
        raise FileNotFoundError(f"Expected a CSV or Parquet file, found none at {path}. Check the path.")
    label, group = columns[0], columns[1] if len(columns) == 2 else None
    options: dict[str, Any] = {"label": label, "group": group, "test_csv": None, "drop": [], "data_dir": None}
    return Path(path).stem, {"env": OWN_TABLE, "csv": str(Path(path).absolute()), **options}
