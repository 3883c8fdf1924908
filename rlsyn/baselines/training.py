"""Training of the baselines that are networks: one way for all of them."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import TensorBoardLogger
from torch import nn


def train(module: LightningModule, batches: Iterable[Any], run_dir: Path | None, progress_bar: bool) -> None:
    """Train for one pass over `batches` by `lightning.Trainer`, on a GPU where there is one.

    Args:
        module: What is trained; what it logs goes to TensorBoard.
        batches: One a training step, all steps of the training.
        run_dir: Folder of TensorBoard events and of `checkpoints/last.ckpt`; nothing is written without one.
        progress_bar: Whether to show one.

    Raises:
        KeyboardInterrupt: Ctrl-C.
    """
    callbacks: list[Callback] = [ModelCheckpoint(run_dir / "checkpoints", save_last=True)] if run_dir else []
    if progress_bar:
        callbacks.append(TQDMProgressBar(refresh_rate=20))
    with quiet_lightning():
        trainer = Trainer(
            accelerator="auto",
            devices=1,
            max_epochs=1,
            logger=TensorBoardLogger(run_dir, name="", version="") if run_dir else False,
            callbacks=callbacks,
            enable_checkpointing=run_dir is not None,
            enable_model_summary=False,
            enable_progress_bar=progress_bar,
        )
        try:
            trainer.fit(module, batches)
        except SystemExit as end:
            # Lightning's answer to Ctrl-C, which would end whatever called this.
            if isinstance(end.__context__, KeyboardInterrupt):
                raise KeyboardInterrupt from None
            raise


def falling_in_second_half(step: int, n_steps: int) -> float:
    """Share of the first learning rate at a step: 1 in the first half, then along a line to a twentieth."""
    return 1 - 0.95 * max(0.0, 2 * step / n_steps - 1)


@torch.no_grad()
def move_average(average: nn.Module, latest: nn.Module, step: int) -> None:
    """Move an exponential average of a network's weights and buffers towards those after a step (numbered from 0).

    It spans the latest steps at first, the last thousand in the end: in a short run the first weights, which have
    learned nothing, must not stay in it.
    """
    weight = max(0.001, 9 / (10 + step))
    for averaged, now in zip(average.state_dict().values(), latest.state_dict().values(), strict=True):
        if averaged.is_floating_point():
            averaged.lerp_(now, weight)


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Within it Lightning tells nothing of devices, worker processes, tips and the end of its own parts."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
