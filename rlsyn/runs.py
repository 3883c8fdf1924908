"""The run directory: made, described, found again; and the merging of configurations."""

from __future__ import annotations

import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from rlsyn.algorithms.options import with_effect
from rlsyn.algorithms.table import algorithm
from rlsyn.constraints import read_constraints
from rlsyn.datasets import COHORTS, DATASETS, Dataset, from_table, load, read_table
from rlsyn.files import latest_checkpoint, plain, write_whole
from rlsyn.names import unknown_name
from rlsyn.schema import Schema
from rlsyn.yaml_fields import parse_yaml, read_yaml, with_numbers

VERSIONED = (
    *("rlsyn", "torch", "lightning", "stable-baselines3", "gymnasium"),
    *("numpy", "pandas", "scipy", "scikit-learn", "lightgbm"),
)

LICENCE = "data_licence.txt"
"""File of a run directory that says what binds whoever uses what is in it."""

MOVABLE = ("csv", "test_csv", "constraints", "data_dir")
"""What a run may find elsewhere when it goes on, or is judged again."""


def new_run_dir(log_dir: str | Path, method: str, env: str) -> Path:
    """A fresh folder `log_dir/method/env_n`, n the next free number.

    Raises:
        PermissionError: The place cannot be written to.
    """
    parent = Path(log_dir) / method
    make_folder(parent)
    numbers = [
        int(found[1]) for path in parent.iterdir() if (found := re.fullmatch(rf"{re.escape(env)}_(\d+)", path.name))
    ]
    number = max(numbers, default=0) + 1
    while True:
        try:
            (parent / f"{env}_{number}").mkdir()
        except FileExistsError:  # another process was faster
            number += 1
        else:
            return parent / f"{env}_{number}"


def named_run_dir(path: str | Path) -> Path:
    """The folder of that name, made if need be.

    Raises:
        ValueError: It holds something already.
        PermissionError: It cannot be written to.
    """
    folder = Path(path)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(
            f"--run-dir must be new or empty, {folder} is not. Choose another, or go on with --resume {folder}."
        )
    make_folder(folder)
    return folder


def make_folder(folder: Path) -> None:
    """Make a folder to write to, with those above it.

    Raises:
        PermissionError: It cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise PermissionError(
            f"The folder {folder} cannot be written to ({error.strerror}). Choose another one."
        ) from error


def write_config(
    run_dir: Path, dataset: Dataset, method: str, arguments: Mapping[str, Any], before: Mapping[str, Any] | None = None
) -> None:
    """Write `config.yaml` and `schema.yaml`, all that it takes to run again, and the licence of the data, if any.

    Args:
        run_dir: The run directory.
        dataset: Described by its name, source and the fingerprints of its rows.
        method: The method's key.
        arguments: What the run was asked for, after merging; `parameters` are the method's constructor arguments.
        before: The configuration of the run that is resumed: how it began is kept, how it went on is added.
    """
    now = {
        "command": shlex.join(sys.argv),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "git_commit": git_commit(),
    }
    config = {
        "method": method,
        "env": dataset.name,
        "simulated": dataset.simulated,
        "source": dataset.source,
        **arguments,
        "n_train": len(dataset.train),
        "n_test": len(dataset.test),
        "train_fingerprint": fingerprint(dataset.train),
        "test_fingerprint": fingerprint(dataset.test),
        **({name: before[name] for name in now if name in before} if before else now),
        **({"resumed": [*before.get("resumed", []), now]} if before else {}),
    }
    if dataset.licence:
        write_whole(run_dir / LICENCE, f"{dataset.licence}\n")
    write_whole(run_dir / "config.yaml", yaml.safe_dump(plain(config), sort_keys=False, allow_unicode=True, width=120))
    dataset.schema.write(run_dir / "schema.yaml")


def read_config(run_dir: str | Path) -> dict[str, Any]:
    """The `config.yaml` of a run.

    Raises:
        FileNotFoundError: The folder is no run directory.
    """
    path = Path(run_dir) / "config.yaml"
    if not path.is_file():
        raise FileNotFoundError(
            f"Expected a run directory with a config.yaml, found none in {run_dir}. Check the path."
        )
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError:
        config = None
    if not isinstance(config, dict) or "parameters" not in config:
        raise ValueError(f"Expected the config.yaml of a run, {path} is something else.")
    return config


def load_dataset(options: Mapping[str, Any], progress_bar: bool = False) -> Dataset:
    """The data set that a run was asked to learn: train and test rows as they were divided then.

    Args:
        options: The run's `config.yaml`: `env`, or `csv` with `label`, `group`, `test_csv`, `drop` and `constraints`;
            `data_dir` and `reader_options`; `parameters`, whose seed divides the rows; and, where they are not the
            usual ones, the `test_size` and whether the split is `stratified`.
        progress_bar: Whether readers that take long show how far they are.

    Raises:
        FileNotFoundError: The table is not where it was.
        ValueError: It cannot be learned from.
    """
    split = {name: options[name] for name in ("test_size", "stratified") if name in options}
    split["seed"] = options["parameters"].get("seed", 0)
    if options["csv"] is None:
        reader_options = options.get("reader_options")
        return load(
            options["env"], options["data_dir"], reader_options=reader_options, progress_bar=progress_bar, **split
        )
    table = read_table(options["csv"], options["drop"])
    test = read_table(options["test_csv"], options["drop"]) if options["test_csv"] else None
    constraints = read_constraints(options["constraints"]) if options.get("constraints") else ()
    source = f"Your table {options['csv']}."
    dataset = from_table(table, options["label"], options["group"], test, source, constraints=constraints, **split)
    return replace(dataset, file=Path(options["csv"]).name)


def moved(config: Mapping[str, Any], places: Mapping[str, Any]) -> dict[str, Any]:
    """The `config.yaml` of a run whose data, `MOVABLE`, lie elsewhere now: at the places given, if any.

    Raises:
        ValueError: The run had no such data.
        FileNotFoundError: They are neither where they were nor at a place given.
    """
    given = {name: str(Path(places[name]).absolute()) for name in MOVABLE if places.get(name)}
    found = {**config, **given}
    for name in MOVABLE:
        option = f"--{name.replace('_', '-')}"
        if name in given and config.get(name) is None:
            raise ValueError(
                f"{option} says where data of a run lie now, and this one was begun without. Leave it out."
            )
        if found.get(name) is not None and not Path(found[name]).exists():
            raise FileNotFoundError(f"Expected data of the run at {found[name]}, found none. Say with {option} where.")
    return found


def licence_of(options: Mapping[str, Any]) -> str:
    """What binds whoever uses the release that options of `load_dataset` name, told without reading it; else empty.

    Raises:
        FileNotFoundError: The folder is not that of a release.
    """
    if options.get("data_dir") is None or options["env"] not in COHORTS:
        return ""
    return COHORTS[options["env"]].licence(Path(options["data_dir"]))


def leave_licences(folder: Path, tables: Iterable[Mapping[str, Any]]) -> str:
    """The licences of all releases that tables are read from, also left in the folder; empty if there are none.

    Raises:
        FileNotFoundError: A folder is not that of a release.
    """
    licences = "\n".join(dict.fromkeys(filter(None, map(licence_of, tables))))
    if licences:
        make_folder(folder)
        write_whole(folder / LICENCE, f"{licences}\n")
    return licences


def is_finished(run_dir: str | Path) -> bool:
    """Whether the run came to its end: `synthetic.csv` is written last."""
    return (Path(run_dir) / "synthetic.csv").is_file()


def check_same_table(run_dir: Path, config: Mapping[str, Any], dataset: Dataset) -> None:
    """Check that a run may be resumed, or judged, with this data set.

    Raises:
        ValueError: The columns or the rows are not those that the run began with.
    """
    before, now = Schema.read(run_dir / "schema.yaml"), dataset.schema
    if before != now:
        first = next((a.name for a, b in zip(before.columns, now.columns, strict=False) if a != b), before.label)
        raise ValueError(
            f"{run_dir} was begun with another schema ({len(before.columns)} columns, label {before.label!r}; now "
            f"{len(now.columns)}, label {now.label!r}; first difference near {first!r}). Start a new run instead."
        )
    marks = {"training": config.get("train_fingerprint")}
    if "test_fingerprint" in config:  # a former version left none
        marks["test"] = config["test_fingerprint"]
    for kind, rows in (("training", dataset.train), ("test", dataset.test)):
        if kind in marks and marks[kind] != fingerprint(rows):
            raise ValueError(
                f"{run_dir} was begun with other {kind} rows of the same schema. Give those, or start a new run."
            )


def check_checkpoint(run_dir: Path) -> None:
    """Check that the newest checkpoint of a run, if there is one, can be read.

    Raises:
        ValueError: It is damaged.
    """
    from rlsyn.checkpoints import read_checkpoint  # torch takes seconds to import

    checkpoint = latest_checkpoint(run_dir)
    if checkpoint is not None:
        read_checkpoint(checkpoint, "cpu")


def fingerprint(table: pd.DataFrame) -> str:
    """A number that changes with any value of a table and tells nothing of it."""
    hashes = pd.util.hash_pandas_object(table, index=False).to_numpy()
    return f"{int(np.bitwise_xor.reduce(hashes * np.arange(1, len(hashes) + 1, dtype=np.uint64))):016x}"


def checkpoint_steps(run_dir: str | Path) -> int:
    """Steps of the newest checkpoint of a run; 0 if there is none."""
    checkpoint = latest_checkpoint(Path(run_dir))
    return int(checkpoint.stem.split("_")[1]) if checkpoint else 0


def read_parameters(path: str | Path, env: str, must_say: bool = False) -> dict[str, Any]:
    """Parameters for an environment in a YAML file: its `default` block, overridden by the block of that id.

    Args:
        path: The file.
        env: Id of the environment.
        must_say: Whether blocks of other environments alone are a mistake, as in a file that is named for this one.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no mapping of blocks, has a name twice, or says nothing where it must.
    """
    path = Path(path)
    blocks = read_yaml(path, "parameters", f"Write blocks of them ('default:', '{env}:').") or {}
    if isinstance(blocks, dict) and (known := [name for name in blocks if not isinstance(blocks[name], dict | None)]):
        raise ValueError(
            f"Expected blocks ('default:', '{env}:') of parameters in {path}, got {known[0]!r} outside of one."
        )
    if not isinstance(blocks, dict):
        raise ValueError(  # noqa: TRY004 (what is wrong is the file)
            f"Expected blocks ('default:', '{env}:') of parameters in {path}, got {type(blocks).__name__}."
        )
    for name in blocks:
        if name not in ("default", *DATASETS):
            raise ValueError(f"{path}: {unknown_name('block', str(name), ['default', *DATASETS])}")
    if must_say and blocks and not {"default", env} & set(blocks):
        raise ValueError(
            f"{path} has no parameters for {env}, only those of {', '.join(blocks)}. Name the block {env} or default."
        )
    return merge(*(with_numbers(blocks.get(name) or {}) for name in ("default", env)))


def configured_parameters(configs: Path, method: str, env: str, algo: str | None = None) -> dict[str, Any]:
    """Parameters that a folder of YAML files has for a method on an environment: `<method>.yaml`, over it `algos/`.

    Args:
        configs: The folder; a file that it lacks says nothing.
        method: The method's key.
        env: Id of the environment.
        algo: RLSyn's algorithm; what the method's file says of PPO's own arguments, or of options that this one has
            no ear for, is not for it. The second is logged.
    """
    found: dict[str, Any] = {}
    for path in (configs / f"{method}.yaml", *([configs / "algos" / f"{algo}.yaml"] if algo else [])):
        found = merge(found, read_parameters(path, env) if path.is_file() else {})
        if path.stem == method and algo not in (None, "ppo"):
            found = {name: value for name, value in found.items() if name not in ("algo_kwargs", "ppo_kwargs")}
        if path.stem == method and algo is not None:
            found = with_effect(algorithm(algo), found, path.name)
    return found


def parse_parameters(pairs: Iterable[str]) -> dict[str, Any]:
    """Parameters from `name:value` or `group.name:value` texts; values are read as YAML.

    Raises:
        ValueError: A text without a colon or a name, or a group with a name twice.

    Example:
        >>> parse_parameters(["kl_coef:0.1", "algo_kwargs.learning_rate:1e-4"])
        {'kl_coef': 0.1, 'algo_kwargs': {'learning_rate': 0.0001}}
    """
    parameters: dict[str, Any] = {}
    for pair in pairs:
        path, colon, text = pair.partition(":")
        if not colon or not path:
            raise ValueError(f"A parameter must be written name:value, got {pair!r}.")
        try:
            value = with_numbers(parse_yaml(text))
        except yaml.YAMLError:
            value = text
        for name in reversed(path.split(".")):
            value = {name: value}
        parameters = merge(parameters, value)
    return parameters


def merge(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Both mappings, the second over the first, groups merged in turn."""
    merged = dict(first)
    for name, value in second.items():
        old = merged.get(name)
        merged[name] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that results depend on."""
    found = {"python": platform.python_version()}
    for name in VERSIONED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def git_commit() -> str:
    """The commit of the project's folder, with `-dirty` where files differ from it; "unknown" outside of a repository."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent, check=False)
    except OSError:
        return "unknown"
    return result.stdout.strip() or "unknown"
