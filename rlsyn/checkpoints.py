"""Training states on disk: tensors and plain values, never pickled objects."""

from __future__ import annotations

import os
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

FORMAT = 2
"""Counts up when weights change their meaning: 2 since quantities have normal scores among their output functions."""


def write_checkpoint(folder: Path, state: dict[str, Any], n_steps: int, keep: int = 2) -> None:
    """Write a training state into a run directory or saved model, whole or not at all; the newest `keep` stay."""
    checkpoints = folder / "checkpoints"
    path = checkpoints / f"state_{n_steps:012d}.pt"
    torch.save({"format": FORMAT, **state}, path.with_suffix(".part"))
    os.replace(path.with_suffix(".part"), path)
    others = sorted(set(checkpoints.glob("state_*.pt")) - {path})
    # States of more steps are of another training; the newest name must be this one.
    for old in [*others[: max(len(others) + 1 - keep, 0)], *(other for other in others if other > path)]:
        old.unlink(missing_ok=True)


def read_checkpoint(path: Path, device: torch.device | str) -> dict[str, Any]:
    """The training state in a file that `write_checkpoint` wrote, on the device.

    Raises:
        ValueError: The file is damaged, or another version of the project wrote it.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except (RuntimeError, EOFError, UnpicklingError, OSError) as error:
        raise ValueError(f"The checkpoint {path} is damaged. Remove it to go on from the one before.") from error
    if state.pop("format", 1) != FORMAT:
        raise ValueError(
            f"The checkpoint {path} was written by another version, whose weights mean other things. Train anew."
        )
    return state
