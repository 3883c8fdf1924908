"""Training states on disk: tensors and plain values, never pickled objects."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch


def write_checkpoint(folder: Path, state: dict[str, Any], n_steps: int, keep: int = 2) -> None:
    """Write a training state into a run directory or saved model, whole or not at all; the newest `keep` stay."""
    checkpoints = folder / "checkpoints"
    checkpoints.mkdir(exist_ok=True)
    path = checkpoints / f"state_{n_steps:012d}.pt"
    torch.save(state, path.with_suffix(".part"))
    os.replace(path.with_suffix(".part"), path)
    for old in sorted(checkpoints.glob("state_*.pt"))[:-keep]:
        old.unlink()


def read_checkpoint(path: Path, device: torch.device) -> dict[str, Any]:
    """The training state in a file that `write_checkpoint` wrote, on the device."""
    state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    return state
