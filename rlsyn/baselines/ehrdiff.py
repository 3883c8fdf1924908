"""EHRDiff: a diffusion model that turns noise into whole records, one noise level after another."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from lightning import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from rlsyn.baselines.baseline import Baseline, check_counts, check_positive
from rlsyn.baselines.table_vectors import Scaling, TableVectors, check_scaling
from rlsyn.baselines.training import train as train_network
from rlsyn.device import torch_device
from rlsyn.randomness import global_seed

SIGMA_MAX, RHO = 80.0, 7.0
P_MEAN, P_STD = -1.2, 1.2
EMA_DECAY = 0.999
DEVIATION, LEAST_DEVIATION = 0.5, 0.1
"""Standard deviation that entries are stretched to, and the least that they are taken to have: else noise would be
stretched in findings rarer than one in a hundred."""
ROWS_AT_ONCE = 8_192


class EHRDiff(Baseline):
    """EHRDiff with the preconditioning, the training noise and the sampler of EDM.

    Vectors of records in [0, 1] are noised; a network learns to take the noise away; from pure noise it makes new
    records in 32 deterministic steps. Numbers end at their training range, binary entries are cut at 0.5, of one-hot
    entries the largest wins. Network, noise, sampler, optimiser and averaged weights are EHRDiff's. Deviations:

    - Numbers are normal scores, and every entry has the standard deviation 0.5 for which EDM's noise levels are made
      (entries that hardly vary: `LEAST_DEVIATION`). In [0, 1] the lowest level of the reference, 0.02, blurs numbers.
    - The weights are averaged over few steps at first, as EDM does: at 0.999 all along, the first weights are a fifth
      of the average after 1,500 steps, and records a blur. And the last layer starts at 0.
    - Warming up takes a share of the steps. The setting published for AI-READI warms up for 20,000 of about 27,500
      steps, so that the learning rate is high for a few of them only; and its file lost the exponent of the rate.
    - Fewer steps, of fewer rows, at a higher rate. Tables of more than 3,200 rows were not measured.

    Simulated AIREADI-v0 (split 7, one fit, R2R AUC 0.90; in brackets numbers by their range, sigma_data 0.0645, 6,000
    steps): S2R AUC 0.92 (0.86), KS mean 0.043 (0.144), detection AUC 0.84 (0.995), membership AUC 0.61 (0.66).

    Args:
        seed: The same seed learns and draws the same.
        n_steps: Steps of training; by default 100 epochs, at least 1,000 and at most 6,000 steps.
        n_epochs: Epochs of training instead.
        batch_size: Rows per step.
        learning_rate: Highest rate of AdamW; it rises linearly, then falls as a cosine to 0.
        warm_up: Share of the steps in which it rises.
        hidden_size: Units of the first and the last hidden layer.
        time_size: Units of the three hidden layers between them, and of the embedding of the noise level.
        sigma_data: Standard deviation of the vectors for the preconditioning: less than entries have by themselves, as
            columns go together and the part of the noisy vector that skips the network knows nothing of that. Of 0.15,
            0.3 and 0.5, detection AUC was 0.95, 0.84 and 0.90 on simulated AIREADI-v0, membership AUC 0.66, 0.61 and
            0.50, S2R AUC 0.91, 0.92 and 0.89; detection 0.76, 0.85 and 0.95 on BreastCancer-v0 (split 7, one fit each,
            1,200 to 2,400 steps).
        sigma_min: Lowest noise level of sampling.
        n_sampling_steps: Noise levels of sampling.
        scaling: Of numbers, see `rlsyn.baselines.table_vectors.TableVectors`.
        standardise: Whether entries are stretched to the standard deviation 0.5.

    Raises:
        ValueError: An argument is out of range, or there is no such scaling.

    References:
        Yuan, Zhou, Yu: EHRDiff: Exploring realistic EHR synthesis with diffusion models, 2023, arXiv:2303.05656.
        Karras, Aittala, Aila, Laine: Elucidating the design space of diffusion-based generative models, 2022,
        arXiv:2206.00364 (EDM): table 1, algorithm 1, appendix B.6.
        Espinosa-Dice et al., 2025, arXiv:2512.21395: the setting for AI-READI, `ehrdiff_published` in
        `experiments/variants/published.yaml`; what else deviates above stays.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        n_steps: int | None = None,
        n_epochs: int | None = None,
        batch_size: int = 128,
        learning_rate: float = 1e-3,
        warm_up: float = 0.05,
        hidden_size: int = 384,
        time_size: int = 128,
        sigma_data: float = 0.3,
        sigma_min: float = 0.002,
        n_sampling_steps: int = 32,
        scaling: Scaling = "normal",
        standardise: bool = True,
    ) -> None:
        super().__init__(seed)
        if n_steps is not None and n_epochs is not None:
            raise ValueError(f"Give either n_steps or n_epochs, got {n_steps} and {n_epochs}.")
        check_counts(n_steps=n_steps, n_epochs=n_epochs, batch_size=batch_size, hidden_size=hidden_size)
        check_counts(2, time_size=time_size, n_sampling_steps=n_sampling_steps)
        check_positive(learning_rate=learning_rate, sigma_data=sigma_data)
        check_scaling(scaling)
        if time_size % 2:
            raise ValueError(f"time_size must be even, got {time_size}: half of it is sines.")
        if not 0 <= warm_up < 1:
            raise ValueError(f"warm_up must be a share of the steps, 0 to below 1, got {warm_up}.")
        if not 0 < sigma_min < SIGMA_MAX:
            raise ValueError(f"sigma_min must be above 0 and below {SIGMA_MAX:g}, got {sigma_min}.")
        self.n_steps, self.n_epochs, self.batch_size = n_steps, n_epochs, batch_size
        self.learning_rate, self.warm_up = learning_rate, warm_up
        self.hidden_size, self.time_size, self.n_sampling_steps = hidden_size, time_size, n_sampling_steps
        self.sigma_data, self.sigma_min, self.scaling, self.standardise = sigma_data, sigma_min, scaling, standardise

    def _learn(self, train: pd.DataFrame, run_dir: Path | None, progress_bar: bool) -> None:
        self._vectors = TableVectors(train, self.schema, self.scaling)
        vectors = torch.as_tensor(self._vectors.transform(train, np.random.default_rng(self.seed)))
        self._centres, self._widths = torch.zeros(self._vectors.width), torch.ones(self._vectors.width)
        if self.standardise:
            self._centres = vectors.mean(0)
            self._widths = vectors.std(0, correction=0).clamp(min=LEAST_DEVIATION) / DEVIATION
        batches = _Batches((vectors - self._centres) / self._widths, self.batch_size, self._count_steps(len(train)))
        with global_seed(self.seed):
            denoiser = Denoiser(self._vectors.width, self.hidden_size, self.time_size, self.sigma_data)
            training = _Training(denoiser, len(batches), self.learning_rate, self.warm_up)
            train_network(training, batches, run_dir, progress_bar)
        self._denoiser = training.average.module.requires_grad_(False).eval().to(torch_device("auto"))

    def _draw(self, n: int, rng: np.random.Generator) -> pd.DataFrame:
        levels = noise_levels(self.n_sampling_steps, self.sigma_min)
        drawn = []
        for start in range(0, n, ROWS_AT_ONCE):
            shape = (min(ROWS_AT_ONCE, n - start), self._vectors.width)
            noise = torch.as_tensor(rng.standard_normal(shape, dtype=np.float32))
            drawn.append(denoise(self._denoiser, noise.to(torch_device("auto")), levels).cpu())
        vectors = torch.cat(drawn) * self._widths + self._centres
        return self._vectors.inverse(vectors.clamp(0, 1).numpy())

    def _count_steps(self, n_rows: int) -> int:
        per_epoch = max(1, n_rows // self.batch_size)
        if self.n_epochs is not None:
            return self.n_epochs * per_epoch
        return self.n_steps or min(max(100 * per_epoch, 1_000), 6_000)


class Denoiser(nn.Module):
    """EHRDiff's network within EDM's preconditioning: clean vectors of noisy ones.

    Args:
        width: Entries of a vector.
        hidden_size: Units of the first and the last hidden layer.
        time_size: Units of the three hidden layers between them, and of the embedding of the noise level.
        sigma_data: Standard deviation of the clean vectors.
    """

    def __init__(self, width: int, hidden_size: int, time_size: int, sigma_data: float) -> None:
        super().__init__()
        self.sigma_data, self.time_size = sigma_data, time_size
        sizes = (hidden_size, time_size, time_size, time_size, hidden_size)
        self.first = nn.Linear(width, hidden_size)
        self.time = nn.Sequential(nn.Linear(time_size, time_size), nn.SiLU(), nn.Linear(time_size, time_size))
        self.shifts = nn.ModuleList(nn.Linear(time_size, size) for size in sizes)
        self.layers = nn.ModuleList(nn.Linear(before, after) for before, after in pairwise((*sizes, width)))
        for weights in self.layers[-1].parameters():
            nn.init.zeros_(weights)

    def forward(self, noisy: Tensor, sigma: Tensor) -> Tensor:
        """Clean vectors `(n, width)` of noisy ones and their noise levels `(n, 1)` (EDM, equation 7 and table 1)."""
        total = (sigma.square() + self.sigma_data**2).sqrt()
        correction = self.correction(noisy / total, sigma.log() / 4)
        return (self.sigma_data / total).square() * noisy + sigma * self.sigma_data / total * correction

    def correction(self, scaled: Tensor, level: Tensor) -> Tensor:
        """The network proper, F of the equation."""
        frequencies = torch.logspace(0, -4, self.time_size // 2, device=scaled.device)
        time = self.time(torch.cat([(level * frequencies).cos(), (level * frequencies).sin()], dim=1))
        hidden: Tensor = self.first(scaled)
        for shift, layer in zip(self.shifts, self.layers, strict=True):
            hidden = layer((hidden + shift(time)).relu())
        return hidden

    def loss(self, clean: Tensor) -> Tensor:
        """Squared error of denoising, weighted so that all noise levels count the same (EDM, table 1)."""
        sigma = (torch.randn(len(clean), 1, device=clean.device) * P_STD + P_MEAN).exp()
        error = self(clean + sigma * torch.randn_like(clean), sigma) - clean
        weight = (sigma.square() + self.sigma_data**2) / (sigma * self.sigma_data).square()
        return (weight * error.square()).mean()


def noise_levels(n_levels: int, lowest: float) -> Tensor:
    """Noise levels of sampling, from the highest to the lowest, then 0 (EDM, equation 5)."""
    roots = torch.linspace(SIGMA_MAX ** (1 / RHO), lowest ** (1 / RHO), n_levels, dtype=torch.float64)
    return torch.cat([roots**RHO, torch.zeros(1, dtype=torch.float64)]).float()


@torch.no_grad()
def denoise(denoiser: nn.Module, noise: Tensor, levels: Tensor) -> Tensor:
    """Clean vectors of standard normal noise by Heun's method, deterministic (EDM, algorithm 1)."""
    vectors = noise * levels[0]
    for now, after in pairwise(levels.to(noise.device)):
        slope = _slope(denoiser, vectors, now)
        guess = vectors + (after - now) * slope
        vectors = guess if after == 0 else vectors + (after - now) * (slope + _slope(denoiser, guess, after)) / 2
    return vectors


def _slope(denoiser: nn.Module, vectors: Tensor, sigma: Tensor) -> Tensor:
    clean: Tensor = denoiser(vectors, sigma.expand(len(vectors), 1))
    return (vectors - clean) / sigma


def learning_rate_share(step: int, n_steps: int, warm_up: float) -> float:
    """Share of the highest learning rate at a step: linear up in the warm-up, then a cosine to 0."""
    n_warm_up = round(warm_up * n_steps)
    if step < n_warm_up:
        return (step + 1) / n_warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - n_warm_up) / max(1, n_steps - n_warm_up)))


class _Training(LightningModule):
    """Trains a denoiser and keeps the moving average of its weights, from which records are drawn."""

    def __init__(self, denoiser: Denoiser, n_steps: int, learning_rate: float, warm_up: float) -> None:
        super().__init__()
        self.denoiser, self.n_steps, self.learning_rate, self.warm_up = denoiser, n_steps, learning_rate, warm_up
        self.average = AveragedModel(denoiser, avg_fn=_average)

    def training_step(self, vectors: Tensor, batch_idx: int) -> Tensor:
        loss = self.denoiser.loss(vectors)
        self.log("loss", loss, prog_bar=True)
        return loss

    def on_train_batch_end(self, *_: object) -> None:
        self.average.update_parameters(self.denoiser)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimizer = torch.optim.AdamW(self.denoiser.parameters(), lr=self.learning_rate, weight_decay=0, fused=True)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: learning_rate_share(step, self.n_steps, self.warm_up)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def _average(average: Tensor, weights: Tensor, n_averaged: Tensor | int) -> Tensor:
    return average.lerp(weights, 1 - min(EMA_DECAY, (1 + float(n_averaged)) / (10 + float(n_averaged))))


class _Batches:
    """Shuffled batches of rows, epoch after epoch: whole slices, as collating row by row takes longer than a step."""

    def __init__(self, rows: Tensor, batch_size: int, n_batches: int) -> None:
        self.rows, self.batch_size, self.n_batches = rows, min(batch_size, len(rows)), n_batches

    def __len__(self) -> int:
        return self.n_batches

    def __iter__(self) -> Iterator[Tensor]:
        n_per_epoch = len(self.rows) // self.batch_size
        for number in range(self.n_batches):
            place = number % n_per_epoch
            if place == 0:
                batches = torch.randperm(len(self.rows)).split(self.batch_size)
            yield self.rows[batches[place]]
