"""The discriminator, a LightningModule that tells real from synthetic records, and the loop that trains it."""

from __future__ import annotations

import warnings
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from lightning import Fabric, LightningModule
from torch import Tensor, nn

from rlsyn.adversarial_loss import SLOPE, Affine, adversarial_loss
from rlsyn.encoding import Encoding


class Discriminator(LightningModule):
    """Multilayer perceptrons on record vectors; the output is the mean of their logits, high = real.

    Loss: binary cross-entropy of real against synthetic rows plus R1 = gamma / 2 * mean over real rows of the squared
    gradient of the logit by the vector.

    Args:
        encoding: How records become vectors.
        n_hidden: Units per hidden layer.
        n_layers: Hidden layers.
        dropout: Share of hidden units dropped in training; off when scoring.
        r1_gamma: Weight gamma of the R1 penalty.
        learning_rate: Of Adam.
        n_networks: Networks, each with a loss of its own; what one of them has memorised the others do not say.
        n_packed: Records that a network judges at a time, so that it sees when too many are alike. A record's logit is
            the mean over the packs that it is in. (Minibatch statistics would say the same of all records of a
            rollout, which a policy cannot learn from.)

    References:
        Lin, Khetan, Fanti, Oh: PacGAN, 2018, arXiv:1712.04086. Durugkar, Gemp, Mahadevan: Generative multi-adversarial
        networks, 2017, arXiv:1611.01673.
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
        n_networks: int = 1,
        n_packed: int = 1,
    ) -> None:
        super().__init__()
        self.r1_gamma, self.learning_rate, self.n_packed, self.dropout = r1_gamma, learning_rate, n_packed, dropout
        attribute, table = encoding.inputs()
        self.register_buffer("_attribute", torch.as_tensor(attribute), persistent=False)
        self.register_buffer("_table", torch.as_tensor(table), persistent=False)
        widths = [n_packed * len(attribute), *[n_hidden] * n_layers]
        self.network = _perceptron(widths, dropout)
        self.further = nn.ModuleList(_perceptron(widths, dropout) for _ in range(n_networks - 1))

    def forward(self, vectors: Tensor) -> Tensor:
        """Logits `(n,)` of vectors `(n, width)`; high = real."""
        logits = self._logits(self._packs(vectors)).mean(0)
        # Pack i holds records i, i + 1, ...: so record i is in packs i, i - 1, ...
        return torch.stack([logits.roll(i) for i in range(self.n_packed)]).mean(0)

    def vectors(self, records: Tensor) -> Tensor:
        """Vectors `(n, width)` of records `(n, n_attributes)`."""
        return self._table.gather(1, records[:, self._attribute].T).T

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int = 0) -> dict[str, Tensor]:
        """Loss and both accuracies of a batch of real and of synthetic records, means over networks."""
        real, synthetic = (self._packs(self.vectors(records)) for records in batch)
        dropout = self.dropout if self.training else 0.0
        judged = [
            adversarial_loss(real, synthetic, _affine(network), self.r1_gamma, dropout)
            for network in (self.network, *self.further)
        ]
        losses, logits = (torch.stack(parts) for parts in zip(*judged, strict=True))
        of_real, of_synthetic = logits.tensor_split([len(real)], dim=1)
        return {
            "loss": losses.mean(),
            "accuracy_real": (of_real > 0).float().mean(),
            "accuracy_synthetic": (of_synthetic < 0).float().mean(),
        }

    def _packs(self, vectors: Tensor) -> Tensor:
        """Packs `(n, n_packed * width)`: each record with those that follow it, around the end."""
        if self.n_packed == 1:
            return vectors
        return torch.cat([vectors.roll(-i, 0) for i in range(self.n_packed)], dim=1)

    def _logits(self, packs: Tensor) -> Tensor:
        """Logits `(n_networks, n)` of packs."""
        return torch.stack([network(packs).squeeze(-1) for network in (self.network, *self.further)])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam."""
        return torch.optim.Adam(self.parameters(), lr=self.learning_rate, fused=True)

    @torch.no_grad()
    def score(self, records: np.ndarray) -> np.ndarray:
        """Logits `(n,)` float32 of records `(n, n_attributes)`, without dropout; high = real."""
        was_training = self.training
        self.eval()
        parts = [self(self.vectors(part)) for part in torch.as_tensor(records, device=self.device).split(16_384)]
        self.train(was_training)
        return torch.cat(parts).cpu().numpy()


def _perceptron(widths: list[int], dropout: float) -> nn.Sequential:
    layers: list[nn.Module] = []
    # `adversarial_loss` drops units itself; Dropout keeps the numbers of the layers in checkpoints.
    for n_in, n_out in pairwise(widths):
        layers += [nn.Linear(n_in, n_out), nn.LeakyReLU(SLOPE), nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Linear(widths[-1], 1))


def _affine(perceptron: nn.Sequential) -> list[Affine]:
    return [(part.weight, part.bias) for part in perceptron if isinstance(part, nn.Linear)]


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
