"""Where tensors live."""

from __future__ import annotations

import torch


def torch_device(name: str) -> torch.device:
    """The torch device of that name; `"auto"` is the GPU where there is one.

    Raises:
        ValueError: An unknown device, or a GPU where there is none.
    """
    if name not in ("auto", "cpu", "cuda") and not name.startswith("cuda:"):
        raise ValueError(f"device must be 'auto', 'cpu' or 'cuda', got {name!r}.")
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name != "cpu" and not torch.cuda.is_available():
        raise ValueError(f"device {name!r} was asked for, but torch finds no GPU. Use --device cpu or auto.")
    return torch.device(name)
