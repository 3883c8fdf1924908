"""Iterations per second of one-step RLSyn against a plain PyTorch loop of the same method, in turns in one process.

python experiments/one_step_throughput.py --threads 1

Both have the paper's AI-READI setting: batch, networks, inner epochs, steps of the discriminator. The plain loop pays
what each iteration of the paper's code pays: the column means of all training rows, a log file opened per inner
epoch, rows collated one by one by a DataLoader, records for the discriminator drawn with their graph, R1 by
differentiating twice, Adam parameter by parameter. It pays no more: its distributions do not check their arguments,
and its last batch of a pass is smaller. The floor is the matrix products and random numbers of one of our iterations
and nothing else. Seconds are those of the processor, which other work on the machine moves less; with more threads they
are summed.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.distributions import Bernoulli, Normal
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from rlsyn.arguments import Parser, at_least_one
from rlsyn.baselines.one_step import CLIP_RANGE, ENTROPY_WEIGHT, OneStep, OneStepTraining
from rlsyn.baselines.one_step_networks import RecordDiscriminator, RecordPolicy
from rlsyn.baselines.table_vectors import TableVectors
from rlsyn.baselines.training import train as train_network
from rlsyn.datasets import load
from rlsyn.methods import read_variants
from rlsyn.randomness import global_seed

MEAN_PENALTY, EPS = 0.2, 1e-6


def main(argv: list[str] | None = None) -> int:
    """Measure and print; returns the exit code."""
    arguments = _parser().parse_args(argv)
    torch.set_num_threads(arguments.threads)
    dataset = load("AIREADI-v0", seed=0)
    vectors = TableVectors(dataset.train, dataset.schema)
    rows = torch.as_tensor(vectors.transform(dataset.train))
    config = _published()
    with global_seed(0), tempfile.TemporaryDirectory() as folder:
        policy = RecordPolicy(vectors, rows, config.n_noise, config.n_hidden)
        real = policy.arrange(rows)
        ours = OneStepTraining(policy, RecordDiscriminator(vectors.width, config.n_discriminator_hidden), real, config)
        n_numeric = len(vectors.of_kind("numeric"))
        plain = PlainLoop(real, n_numeric, config, Path(folder) / "log.txt")
        plain.run(5)
        runs = (
            lambda: plain.run(arguments.n_iterations),
            lambda: train_network(ours, range(arguments.n_iterations), None, progress_bar=False),
            lambda: _floor(arguments.n_iterations, n_numeric, vectors.width, config),
        )
        seconds = [0.0] * len(runs)
        for _ in range(arguments.n_rounds):
            for place, run in enumerate(runs):
                seconds[place] += _seconds(run)
    default = _seconds(lambda: OneStep(n_iterations=arguments.n_default).fit(dataset.train, schema=dataset.schema))
    n_done = arguments.n_rounds * arguments.n_iterations
    _print([*(n_done / part for part in seconds), arguments.n_default / default], arguments.threads)
    return 0


def _published() -> OneStep:
    """The method at the paper's own setting for AI-READI."""
    variants = read_variants(Path(__file__).parent / "variants" / "published.yaml")
    return OneStep(**next(one.parameters for one in variants if one.name == "one_step_published"))


def _floor(n_iterations: int, n_numeric: int, width: int, config: OneStep) -> None:
    """Some iterations of nothing but matrix products and random numbers."""
    pairs = [(torch.rand(rows, inner), torch.rand(inner, columns)) for rows, inner, columns in _products(width, config)]
    for _ in range(n_iterations):
        for left, right in pairs:
            torch.mm(left, right)
        for n_rows in (config.batch_size, config.n_discriminator_steps * config.batch_size):
            torch.randn(n_rows, config.n_noise + n_numeric)
            torch.rand(n_rows, width - n_numeric)


def _products(width: int, config: OneStep) -> list[tuple[int, int, int]]:
    """Rows, inner length and columns of every product of matrices in an iteration of ours."""
    n, n_noise, hidden, judge = config.batch_size, config.n_noise, config.n_hidden, config.n_discriminator_hidden
    n_steps = config.n_discriminator_steps
    drawn, all_drawn = ([(m, n_noise, hidden), (m, hidden, hidden), (m, hidden, width)] for m in (n, n_steps * n))
    improved = [(width, n, hidden), (n, width, hidden), (hidden, n, hidden), (n, hidden, hidden), (hidden, n, n_noise)]
    scored = [(n, width, judge), (n, judge, judge)]
    judged = [(2 * n, width, judge), *2 * [(2 * n, judge, judge)], (n, judge, width), (n, width, judge)]
    judged += [(judge, 2 * n, width), (judge, 2 * n, judge)]
    return config.n_inner_epochs * (drawn + improved) + scored + all_drawn + n_steps * judged


def _seconds(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def _print(speeds: list[float], threads: int) -> None:
    table = Table(title=f"One-step RLSyn on AIREADI-v0, iterations per second of processor time ({threads} threads)")
    for name in ("training", "iterations/s", "ratio", "iterations", "minutes", "ratio of minutes"):
        table.add_column(name, justify="right")
    n_paper, n_default = _published().n_iterations, OneStep().n_iterations
    slowest = n_paper / speeds[0] / 60
    rows = (
        ("plain loop, paper's setting", n_paper),
        ("ours, paper's setting", n_paper),
        ("floor, paper's setting", n_paper),
        ("ours, our setting", n_default),
    )
    for (name, n_iterations), speed in zip(rows, speeds, strict=True):
        minutes = n_iterations / speed / 60
        ratios = f"{speed / speeds[0]:.2f} x", f"{n_iterations:,}", f"{minutes:.1f}", f"{slowest / minutes:.1f} x"
        table.add_row(name, f"{speed:.1f}", *ratios)
    Console(width=110).print(table)


class PlainPolicy(nn.Module):
    """Tanh-Gaussian numbers and Bernoulli entries by `torch.distributions`."""

    def __init__(self, n_noise: int, n_hidden: int, n_numeric: int, n_binary: int) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(n_noise, n_hidden), nn.ReLU(), nn.Linear(n_hidden, n_hidden), nn.ReLU())
        self.mean, self.logits = nn.Linear(n_hidden, n_numeric), nn.Linear(n_hidden, n_binary)
        self.value = nn.Linear(n_hidden, 1)
        self.log_sigma = nn.Parameter(torch.zeros(n_numeric))

    def forward(self, noise: Tensor) -> tuple[Normal, Bernoulli, Tensor]:
        """Distributions of the entries, and values."""
        hidden = self.trunk(noise)
        normal = Normal(self.mean(hidden), self.log_sigma.exp(), validate_args=False)
        return normal, Bernoulli(logits=self.logits(hidden), validate_args=False), self.value(hidden).squeeze(1)

    def draw(self, normal: Normal, bernoulli: Bernoulli) -> Tensor:
        """Records."""
        numbers = ((torch.tanh(normal.rsample()) + 1) / 2).clamp(EPS, 1 - EPS)
        return torch.cat([numbers, bernoulli.sample()], dim=1)

    def log_prob(self, normal: Normal, bernoulli: Bernoulli, records: Tensor) -> Tensor:
        """Log probabilities of records, back through tanh."""
        n_numeric = len(self.log_sigma)
        squashed = 2 * records[:, :n_numeric].clamp(EPS, 1 - EPS) - 1
        density = normal.log_prob(torch.atanh(squashed)) - torch.log(1 - squashed.square() + EPS)
        return density.sum(1) + bernoulli.log_prob(records[:, n_numeric:]).sum(1)


class PlainLoop:
    """The method written down as it is told, without a thought of speed.

    Args:
        real: Training rows, numbers first.
        n_numeric: How many.
        config: Hyper-parameters.
        log: File that every inner epoch writes to.
    """

    def __init__(self, real: Tensor, n_numeric: int, config: OneStep, log: Path) -> None:
        self.real, self.n_numeric, self.config, self.log = real, n_numeric, config, log
        width = real.shape[1]
        self.policy = PlainPolicy(config.n_noise, config.n_hidden, n_numeric, width - n_numeric)
        n_hidden = config.n_discriminator_hidden
        self.discriminator = nn.Sequential(
            *(nn.Linear(width, n_hidden), nn.LeakyReLU(0.2)),
            *(nn.Linear(n_hidden, n_hidden), nn.LeakyReLU(0.2)),
            nn.Linear(n_hidden, 1),
        )
        self.optimizer = torch.optim.Adam(self.policy.parameters(), config.learning_rate)
        self.judge_optimizer = torch.optim.Adam(self.discriminator.parameters(), config.discriminator_learning_rate)
        self.batches = self._batches(DataLoader(TensorDataset(real), config.batch_size, shuffle=True))

    def run(self, n_iterations: int) -> None:
        """Some iterations."""
        for _ in range(n_iterations):
            self._improve_policy()
            for _ in range(self.config.n_discriminator_steps):
                self._improve_discriminator()

    def _batches(self, loader: DataLoader[tuple[Tensor, ...]]) -> Iterator[Tensor]:
        for _ in repeat(None):
            for (batch,) in loader:
                yield batch

    def _improve_policy(self) -> None:
        noise = torch.randn(self.config.batch_size, self.config.n_noise)
        with torch.no_grad():
            normal, bernoulli, values = self.policy(noise)
            records = self.policy.draw(normal, bernoulli)
            before = self.policy.log_prob(normal, bernoulli, records)
            rewards = self.discriminator(records).squeeze(1).sigmoid()
            advantages = rewards - values
            advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
            shift = (records.mean(0) - self.real.mean(0))[: self.n_numeric]
        for _ in range(self.config.n_inner_epochs):
            normal, bernoulli, values = self.policy(noise)
            log_prob = self.policy.log_prob(normal, bernoulli, records)
            ratio = (log_prob - before).exp()
            clipped = ratio.clamp(1 - CLIP_RANGE, 1 + CLIP_RANGE)
            loss = -torch.min(ratio * advantages, clipped * advantages).mean()
            loss = loss + self.config.value_weight * F.mse_loss(values, rewards) + ENTROPY_WEIGHT * log_prob.mean()
            loss = loss + MEAN_PENALTY * shift.square().mean()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            with self.log.open("a", encoding="utf-8") as file:
                file.write(f"{loss.item():.6f}\n")

    def _improve_discriminator(self) -> None:
        real = next(self.batches).requires_grad_()
        normal, bernoulli, _ = self.policy(torch.randn(self.config.batch_size, self.config.n_noise))
        synthetic = self.policy.draw(normal, bernoulli).detach()
        of_real, of_synthetic = self.discriminator(real), self.discriminator(synthetic)
        loss = F.binary_cross_entropy_with_logits(of_real, torch.ones_like(of_real))
        loss = loss + F.binary_cross_entropy_with_logits(of_synthetic, torch.zeros_like(of_synthetic))
        (slope,) = torch.autograd.grad(of_real.sum(), real, create_graph=True)
        loss = loss + self.config.r1_gamma / 2 * slope.square().sum(1).mean()
        self.judge_optimizer.zero_grad()
        loss.backward()
        self.judge_optimizer.step()


def _parser() -> Parser:
    parser = Parser("Measure one-step RLSyn against a plain loop of the same method, in turns.")
    parser.add_argument("--n-iterations", type=at_least_one, default=50, help="of each in a round")
    parser.add_argument("--n-rounds", type=at_least_one, default=4)
    parser.add_argument("--n-default", type=at_least_one, default=200, help="iterations of our own setting")
    parser.add_argument("--threads", type=at_least_one, default=1)
    return parser


if __name__ == "__main__":
    sys.exit(main())
