"""The global random generators: seeded for a while, saved and restored."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


@contextmanager
def global_seed(seed: int) -> Iterator[None]:
    """Seeds the generators that torch and SB3 draw from, and leaves them as they were found."""
    before = random_state()
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 (SB3 draws from this generator)
    torch.manual_seed(seed)
    try:
        yield
    finally:
        set_random_state(before)


def random_state() -> dict[str, Any]:
    """State of the generators of Python, NumPy and torch, in plain values and tensors."""
    name, keys, *rest = np.random.get_state()  # noqa: NPY002
    python = random.getstate()
    return {
        "numpy": [str(name), torch.as_tensor(np.asarray(keys, dtype=np.int64)), *rest],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "python": [python[0], list(python[1]), python[2]],
    }


def set_random_state(state: dict[str, Any]) -> None:
    """The inverse of `random_state`."""
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, keys.cpu().numpy().astype(np.uint32), *rest))  # noqa: NPY002
    torch.set_rng_state(state["torch"].cpu())
    if torch.cuda.is_available() and state["cuda"]:
        torch.cuda.set_rng_state_all([generator.cpu() for generator in state["cuda"]])
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
