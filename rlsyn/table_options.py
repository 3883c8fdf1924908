"""Tables and splits as a command line names them: an id, or a file with columns of label and person; and seeds."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rlsyn.arguments import check_seed
from rlsyn.datasets import COHORTS, DATASETS
from rlsyn.datasets.reader_options import PROTOCOL, add_options, option_names, option_words
from rlsyn.names import unknown_name

ENVIRONMENTS = DATASETS[:-1]
"""Ids that bring their own rows."""
OWN_TABLE = DATASETS[-1]
"""The id of all others."""
READER_OPTIONS = {env: reader.options for env, reader in COHORTS.items()}
"""By cohort what may be asked of the reader of its release."""


def add_tables(parser: argparse.ArgumentParser) -> None:
    """Add the flags that name tables to compare on: `--env`, `--csv` and the options of the readers."""
    envs = f"environments: {', '.join(ENVIRONMENTS)}; with the folder of the release for a real cohort"
    parser.add_argument("--env", metavar="ID[:DIR]", nargs="+", default=[], help=envs)
    parser.add_argument("--csv", metavar="FILE:LABEL[:GROUP]", nargs="+", default=[], help="tables of your own")
    add_options(parser, READER_OPTIONS)


def given_reader_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the command line asks of the readers of releases, by name; folders as absolute paths."""
    given = {name: getattr(arguments, name, None) for name in (PROTOCOL, *option_names(READER_OPTIONS))}
    return {
        name: str(value.absolute()) if isinstance(value, Path) else value
        for name, value in given.items()
        if value is not None
    }


def check_seeds(seeds: Sequence[int]) -> None:
    """Check seeds of splits.

    Raises:
        ValueError: One that is not whole, below 0 or from 2**32 on, which generators do not take, or one given twice.
    """
    for seed in seeds:
        check_seed(seed)
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"Seeds must be different, each given once, got {list(seeds)}.")


def named_tables(
    envs: Sequence[str], csvs: Sequence[str], reader_options: Mapping[str, Any] | None = None
) -> dict[str, dict[str, Any]]:
    """By name of a table its options, environments first (see `options_of_env` and `options_of_csv`).

    Raises:
        ValueError: There are none, or two of one name, or one that cannot be; or options for readers without a release.
        FileNotFoundError: A file or folder does not exist.
    """
    tables = [options_of_env(text, reader_options) for text in envs] + [options_of_csv(text) for text in csvs]
    if not tables:
        raise ValueError(f"Expected --env ID ... or --csv FILE:LABEL ... The ids are: {', '.join(ENVIRONMENTS)}.")
    if len(dict(tables)) < len(tables):
        raise ValueError(f"Tables need names of their own, got {[name for name, _ in tables]}. Rename a file.")
    used = {name for _, options in tables for name in options.get("reader_options", {})}
    if unused := [name for name in reader_options or {} if name not in {PROTOCOL, *used}]:
        raise ValueError(f"--{unused[0].replace('_', '-')} goes with --env ID:DIR, the folder of a release.")
    return dict(tables)


def table_words(options: Mapping[str, Any]) -> list[str]:
    """The words that name a table of `named_tables` to `run_ppo.py`, with what was asked of its reader."""
    if options["csv"]:
        group = ["--group", options["group"]] if options["group"] else []
        return ["--csv", options["csv"], "--label", options["label"], *group]
    folder = ["--data-dir", options["data_dir"]] if options["data_dir"] else []
    return ["--env", options["env"], *folder, *reader_words(options)]


def reader_words(options: Mapping[str, Any], folder: str | None = None) -> list[str]:
    """The flags that ask the reader of a table for what was asked, if anything was (see `option_words`)."""
    given = options.get("reader_options")
    return option_words(READER_OPTIONS[options["env"]], given, folder) if given else []


def options_of_env(text: str, reader_options: Mapping[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
    """The name of an environment's table and its options, what `rlsyn.runs.load_dataset` takes for it but for the seed.

    Args:
        text: ID or ID:DIR.
        reader_options: Of all readers; those that this one takes are passed on, where there is a folder to read.

    Raises:
        ValueError: There is none of that id, or it has no release.
        FileNotFoundError: There is no such folder.
    """
    name, _, folder = text.partition(":")
    if name not in ENVIRONMENTS:
        raise ValueError(unknown_name("environment", name, ENVIRONMENTS))
    if not folder:
        return name, {"env": name, "csv": None, "data_dir": None}
    if name not in COHORTS:
        raise ValueError(f"{name} comes with the project and has no folder, got {text!r}. Leave it out.")
    if not Path(folder).is_dir():
        raise FileNotFoundError(f"Expected the folder of a release, found none at {folder}. Check the path.")
    known = (PROTOCOL, *option_names({name: READER_OPTIONS[name]}))
    taken = {option: value for option, value in (reader_options or {}).items() if option in known}
    return name, {"env": name, "csv": None, "data_dir": str(Path(folder).absolute()), "reader_options": taken}


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
