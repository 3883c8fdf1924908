"""The discriminator, a LightningModule that tells real from synthetic records, and the loop that trains it."""

from __future__ import annotations

import warnings
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from lightning import Fabric, LightningModule
from torch import Tensor, nn
from torch.nn import functional as F

from rlsyn.encoding import Encoding


class Discriminator(LightningModule):
    """A multilayer perceptron on record vectors; its output is a logit, high = real.

    Loss: binary cross-entropy of real against synthetic rows plus R1 = gamma / 2 * mean over real rows of the squared
    gradient of the logit by the vector.

    Args:
        encoding: How records become vectors.
        n_hidden: Units per hidden layer.
        n_layers: Hidden layers.
        dropout: Share of hidden units dropped in training; off when scoring.
        r1_gamma: Weight gamma of the R1 penalty.
        learning_rate: Of Adam.

    References:
        Mescheder, Geiger, Nowozin: Which training methods for GANs do actually converge?, 2018, arXiv:1801.04406.
        Espinosa-Dice et al., 2025, arXiv:2512.21395 (same loss, no dropout).
    """

    _attribute: Tensor
    _table: Tensor

    def __init__(
        self,
        encoding: Encoding,
        n_hidden: int = 256,
        n_layers: int = 2,
        dropout: float = 0.5,
        r1_gamma: float = 10.0,
        learning_rate: float = 3e-4,
    ) -> None:
        super().__init__()
        self.r1_gamma, self.learning_rate = r1_gamma, learning_rate
        attribute, table = encoding.inputs()
        self.register_buffer("_attribute", torch.as_tensor(attribute), persistent=False)
        self.register_buffer("_table", torch.as_tensor(table), persistent=False)
        widths = [len(attribute), *[n_hidden] * n_layers]
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise(widths):
            layers += [nn.Linear(n_in, n_out), nn.LeakyReLU(0.2), nn.Dropout(dropout)]
        self.network = nn.Sequential(*layers, nn.Linear(widths[-1], 1))

    def forward(self, vectors: Tensor) -> Tensor:
        """Logits `(n,)` of vectors `(n, width)`; high = real."""
        logits: Tensor = self.network(vectors)
        return logits.squeeze(-1)

    def vectors(self, records: Tensor) -> Tensor:
        """Vectors `(n, width)` of records `(n, n_attributes)`."""
        return self._table.gather(1, records[:, self._attribute].T).T

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int = 0) -> dict[str, Tensor]:
        """Loss and both accuracies of a batch of real and of synthetic records."""
        real = self.vectors(batch[0]).requires_grad_(self.r1_gamma > 0)
        logits_real, logits_synthetic = self(real), self(self.vectors(batch[1]))
        loss = F.softplus(-logits_real).mean() + F.softplus(logits_synthetic).mean()
        if self.r1_gamma > 0:
            (gradient,) = torch.autograd.grad(logits_real.sum(), real, create_graph=True)
            loss = loss + self.r1_gamma / 2 * gradient.square().sum(-1).mean()
        return {
            "loss": loss,
            "accuracy_real": (logits_real > 0).float().mean().detach(),
            "accuracy_synthetic": (logits_synthetic < 0).float().mean().detach(),
        }

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam."""
        return torch.optim.Adam(self.parameters(), lr=self.learning_rate)

    @torch.no_grad()
    def score(self, records: np.ndarray) -> np.ndarray:
        """Logits `(n,)` float32 of records `(n, n_attributes)`, without dropout; high = real."""
        was_training = self.training
        self.eval()
        parts = [self(self.vectors(part)) for part in torch.as_tensor(records, device=self.device).split(16_384)]
        self.train(was_training)
        return torch.cat(parts).cpu().numpy()


class DiscriminatorTrainer:
    """Trains a discriminator a few steps at a time and keeps its optimizer between calls.

    Lightning Fabric drives the module: `Trainer.fit` would forget Adam's moments at each of its calls.

    Args:
        discriminator: What is trained; moved to the device.
        real: Real records `(n, n_attributes)`.
        batch_size: Real and synthetic rows per step, each.
        device: A torch device.
        seed: Seed of the choice of rows.
    """

    def __init__(
        self,
        discriminator: Discriminator,
        real: np.ndarray,
        batch_size: int = 256,
        device: str | torch.device = "cpu",
        seed: int = 0,
    ) -> None:
        device = torch.device(device)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Lightning proposes launchers for machines of several processes
            self._fabric = Fabric(accelerator=device.type, devices=1 if device.index is None else [device.index])
        self.discriminator = discriminator
        optimizer = discriminator.configure_optimizers()
        self._module, self._optimizer = self._fabric.setup(discriminator, optimizer)
        self._real = torch.as_tensor(real, device=device)
        self.batch_size = batch_size
        self._generator = torch.Generator().manual_seed(seed)

    def train(self, synthetic: np.ndarray, n_steps: int) -> dict[str, float]:
        """Mean loss and accuracies over `n_steps` steps against synthetic records."""
        rows = torch.as_tensor(synthetic, device=self._real.device)
        totals: dict[str, Tensor] = {}
        self._module.train()
        for _ in range(n_steps):
            outputs = self._module.training_step((self._pick(self._real), self._pick(rows)))
            self._optimizer.zero_grad(set_to_none=True)
            self._fabric.backward(outputs["loss"])
            self._optimizer.step()
            for name, value in outputs.items():
                totals[name] = totals.get(name, torch.zeros(())) + value.detach().cpu() / n_steps
        self._module.eval()
        return {name: float(value) for name, value in totals.items()}

    def state_dict(self) -> dict[str, Any]:
        """All that training needs to go on."""
        return {
            "discriminator": self.discriminator.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "generator": self._generator.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.discriminator.load_state_dict(state["discriminator"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._generator.set_state(state["generator"].cpu())

    def _pick(self, rows: Tensor) -> Tensor:
        chosen = torch.randint(len(rows), (min(self.batch_size, len(rows)),), generator=self._generator)
        return rows[chosen.to(rows.device)]
