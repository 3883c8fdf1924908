"""The folder of a training: its parameters as text, whether it is that of the fit at hand, and where its curves go on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from stable_baselines3.common.logger import Logger, TensorBoardOutputFormat
from torch.utils.tensorboard import SummaryWriter

from rlsyn.encoding import Encoding
from rlsyn.files import latest_checkpoint, plain, write_whole
from rlsyn.schema import Schema

MAY_CHANGE = ("total_timesteps", "max_seconds", "device")
"""Parameters that do not make it another training."""


def config_text(method: str, parameters: Mapping[str, Any]) -> str:
    """The `config.yaml` of a training.

    Raises:
        ValueError: Something else than numbers, names, and lists and groups of them among the parameters.
    """
    try:
        return str(yaml.safe_dump({"method": method, "parameters": plain(parameters)}, sort_keys=False))
    except yaml.representer.RepresenterError as error:
        raise ValueError(
            "Parameters must be numbers, names, and lists and groups of them to be written to a file, those of "
            f"{', '.join(name for name, value in parameters.items() if not _is_plain(value))} are not. Give such, or fit "
            "without run_dir and sample, which need no file."
        ) from error


def _is_plain(value: Any) -> bool:
    try:
        yaml.safe_dump(plain(value))
    except yaml.representer.RepresenterError:
        return False
    return True


def write_config(folder: Path, config: str, schema: Schema) -> None:
    """Write `config.yaml` and `schema.yaml` into a folder.

    Raises:
        ValueError: Its `config.yaml` says more than that of a training, as that of a run does, or something else.
    """
    if not _is_of_training(folder / "config.yaml"):
        raise ValueError(
            f"Expected an empty folder or one of a saved model, {folder} has the config.yaml of a run or of something "
            "else, which would be lost. Choose another."
        )
    write_whole(folder / "config.yaml", config)
    schema.write(folder / "schema.yaml")


def _is_of_training(path: Path) -> bool:
    """Whether there is no such file, or one that `config_text` made."""
    try:
        there = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (yaml.YAMLError, ValueError):
        return False
    return isinstance(there, dict) and set(there) <= {"method", "parameters"}


def drop_curves_beyond(logger: Logger, run_dir: str | Path, last: int) -> None:
    """Tell TensorBoard that a run goes on from a step: what a process that was killed wrote of later ones is void.

    It is told at the head of the file that the logger then writes: files of the same second are not read in the order in
    which they were begun. Nothing is written where there are no events of before.

    Args:
        logger: Of the run directory, with nothing logged yet.
        run_dir: The run directory.
        last: The last environment step whose points stay; 0 where a training begins anew. Texts stay: they have none.
    """
    curves = [path for path in Path(run_dir).glob("events.out.tfevents.*") if path.suffix != ".texts"]
    if len(curves) > 1:  # one is the logger's own
        for output in logger.output_formats:
            if isinstance(output, TensorBoardOutputFormat):
                output.writer.close()
                output.writer = SummaryWriter(str(run_dir), purge_step=last + 1)


def checkpoint_of(folder: Path, config: str, encoding: Encoding, resume: bool) -> Path | None:
    """The training state in a folder that a fit goes on from: the newest one, if it resumes and there is any.

    Args:
        folder: A run directory.
        config: What `config_text` says of the fit.
        encoding: That of its rows.
        resume: Whether it goes on with what is there.

    Raises:
        FileNotFoundError: The encoding beside the state is gone.
        ValueError: The folder has a training of other parameters (`MAY_CHANGE` apart), or of other rows to go on from.
    """
    if other := _other_parameters(folder / "config.yaml", config):
        raise ValueError(
            f"{folder} holds a training with another {', '.join(other)}. Give an empty run_dir, or the same."
        )
    if not resume or (found := latest_checkpoint(folder)) is None:
        return None
    if not _is_same(read_encoding(found), encoding):
        raise ValueError(
            f"{folder} holds a training on other rows, or by another version that made other levels of them. Resume it "
            "with its own, or give an empty run_dir."
        )
    return found


def read_encoding(checkpoint: Path) -> Encoding:
    """The encoding that lies beside a training state.

    Raises:
        FileNotFoundError: There is none.
        ValueError: It is damaged, or another version of the project wrote it.
    """
    path = checkpoint.parent / "encoding.json"
    if not path.is_file():
        raise FileNotFoundError(
            f"Expected encoding.json beside {checkpoint}, found none: nobody knows its levels. Copy the whole folder, "
            "or train anew."
        )
    try:
        return Encoding.read(path)
    except (ValueError, LookupError, TypeError) as error:
        raise ValueError(
            f"{path} is damaged, or another version wrote it. Copy the whole folder again, or train anew."
        ) from error


def _is_same(first: Encoding, second: Encoding) -> bool:
    """Whether two encodings have the same levels; their rules may differ, as those of a run that goes on may."""
    levels = [[one.to_dict() for one in encoding.levels] for encoding in (first, second)]
    return first.names == second.names and first.schema == second.schema and levels[0] == levels[1]


def _other_parameters(path: Path, config: str) -> list[str]:
    if not path.is_file():
        return []
    own, there = (yaml.safe_load(text) for text in (config, path.read_text(encoding="utf-8")))
    if not isinstance(there, dict) or not isinstance(there.get("parameters"), dict):
        return ["kind"]
    own, there = own["parameters"], there["parameters"]
    # A former version may have had fewer.
    return [name for name in own if name not in MAY_CHANGE and own[name] != there.get(name, own[name])]
