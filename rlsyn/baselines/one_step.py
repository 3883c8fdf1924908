"""The paper's own RLSyn: PPO whose episode is one step, and whose action is the whole record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from lightning import LightningModule
from torch import Tensor

from rlsyn.baselines.baseline import Baseline, check_at_least, check_counts, check_positive
from rlsyn.baselines.one_step_networks import Layers, LogProb, RecordDiscriminator, RecordPolicy, flatten
from rlsyn.baselines.table_vectors import Scaling, TableVectors, check_scaling
from rlsyn.baselines.training import train as train_network
from rlsyn.randomness import global_seed

CLIP_RANGE, ENTROPY_WEIGHT = 0.1, 1e-3
"""The same for both data sets of the paper."""
_LOG_EVERY = 50


class OneStep(Baseline):
    """The paper's RLSyn (Espinosa-Dice et al., 2025, arXiv:2512.21395): PPO in episodes of one step.

    The state is z ~ N(0, I), the action the whole record: a tanh-Gaussian per number with a free log sigma, a Bernoulli
    per pair of categories, a softmax per larger group. The reward is sigmoid(D(record)), the advantage the reward, less
    the value v(z) if `value_weight` is above 0, brought to mean 0 and variance 1 in the batch. The discriminator learns
    cross-entropy and R1.

    What differs from the paper's code, and why (measured on simulated AIREADI-v0, split 7, one seed, where R2R by SVC
    is .898, and S2R differs by .005 to .015 from one sample of a model to the next):

    - The value is left out by default, and the advantage is the reward: see `value_weight`.
    - Categories beyond two are a softmax; there they are independent Bernoullis, so a person could have two races. A
      missing number is a binary entry of its own; the paper fills missing values in beforehand. Entries that are
      constant in the training rows are constant in every record.
    - The penalty on the means of numbers is left out: its gradient there is zero.
    - Real rows come in full batches, reshuffled when used up; there the last batch of a pass is smaller.
    - Gradients are written out instead of left to autograd: the same numbers, an iteration of the paper's setting in
      about half of a plain loop's time. Its matrix products and random numbers alone take a third of that time
      (`experiments/one_step_throughput.py`). That a whole training by default takes a far smaller share of the paper's
      time is due to its schedule and batch.
    - Numbers are scaled by their ranks, not their range: a tanh of a Gaussian comes close to a uniform distribution,
      and cannot have a heavy tail or a spike. Kolmogorov-Smirnov distance, mean of the columns, .045 instead of .089,
      detection by LightGBM .88 instead of .99 (with the value, ties in the middle of their ranks). Ties are spread over
      their ranks: detection .870 instead of .929, KS .046 instead of .052, S2R by SVC .887 (the default).
    - The schedule is a fast one: 6,000 iterations whatever the table instead of 30,000, on a third of the batch, with
      learning rates that begin ten times as high and fall linearly to the paper's own, from biases and sigmas that give
      every column its own distribution. S2R by SVC was .876 after 3,000 iterations and .909 after 6,000 (ties in the
      middle; mean of four samples). Tables of more than 3,200 rows were not measured.

    The paper's own arguments are in `experiments/variants/published.yaml`: `one_step_published` for AI-READI,
    `one_step_published_mimic` for MIMIC-IV.

    It is no Gymnasium environment under Stable-Baselines3: no action space there mixes numbers and categories for
    PPO, an episode of one step has no next state, and every record would cross from tensor to array and environment
    and back. On numbers alone, without training the discriminator, 384 environments of one step in a DummyVecEnv, each
    scoring its own record, gave 9,400 records per second of processor time (PPO, 3 inner epochs), a loop like this one
    33,000; an environment that scores all its records at once would lie between.

    Args:
        n_iterations: Iterations.
        batch_size: Records drawn per iteration, and rows of each kind per step of the discriminator.
        n_noise: Length of the state z.
        n_hidden: Units per hidden layer of the policy.
        learning_rate: Of the policy's Adam, at the end.
        n_inner_epochs: Steps on the same records, all at once.
        value_weight: Weight of the squared error of the value; 0 leaves the value out, the advantage being the reward.
            So it is by default: the paper's own ablation has better correlations and detection without, and S2R by SVC
            was .909 without and .875 with it (simulated AIREADI-v0, split 7, one seed, ties in the middle). Short
            trainings need it: two columns had a correlation of 0 after 200 iterations without, of .9 after 800.
        n_discriminator_hidden: Units per hidden layer of the discriminator.
        discriminator_learning_rate: Of the discriminator's Adam, at the end.
        n_discriminator_steps: Its steps per iteration.
        r1_gamma: Weight of its R1 penalty.
        pace: Learning rates at the start, in units of those at the end, to which they fall linearly.
        start_at_marginals: Whether to begin at every column's own distribution rather than at random.
        scaling: Of numbers, see `rlsyn.baselines.table_vectors.TableVectors`.
        seed: The same seed learns and draws the same.

    Raises:
        ValueError: An argument is out of range, or there is no such scaling.
    """

    def __init__(
        self,
        n_iterations: int = 6_000,
        batch_size: int = 128,
        n_noise: int = 112,
        n_hidden: int = 128,
        learning_rate: float = 2e-4,
        n_inner_epochs: int = 3,
        value_weight: float = 0.0,
        n_discriminator_hidden: int = 128,
        discriminator_learning_rate: float = 5e-5,
        n_discriminator_steps: int = 5,
        r1_gamma: float = 5.0,
        pace: float = 10.0,
        start_at_marginals: bool = True,
        scaling: Scaling = "uniform",
        seed: int = 0,
    ) -> None:
        super().__init__(seed)
        check_counts(n_iterations=n_iterations, n_noise=n_noise, n_hidden=n_hidden, n_inner_epochs=n_inner_epochs)
        check_counts(n_discriminator_hidden=n_discriminator_hidden, n_discriminator_steps=n_discriminator_steps)
        check_counts(2, batch_size=batch_size)  # the advantages need a standard deviation
        check_positive(learning_rate=learning_rate, discriminator_learning_rate=discriminator_learning_rate)
        check_at_least(0, value_weight=value_weight, r1_gamma=r1_gamma)
        check_at_least(1, pace=pace)
        check_scaling(scaling)
        self.n_iterations, self.batch_size = n_iterations, batch_size
        self.n_noise, self.n_hidden, self.learning_rate = n_noise, n_hidden, learning_rate
        self.n_inner_epochs, self.value_weight = n_inner_epochs, value_weight
        self.n_discriminator_hidden, self.discriminator_learning_rate = (
            n_discriminator_hidden,
            discriminator_learning_rate,
        )
        self.n_discriminator_steps, self.r1_gamma = n_discriminator_steps, r1_gamma
        self.pace, self.start_at_marginals, self.scaling = pace, start_at_marginals, scaling

    def _learn(self, train: pd.DataFrame, run_dir: Path | None, progress_bar: bool) -> None:
        self._vectors = TableVectors(train, self.schema, self.scaling)
        real = torch.as_tensor(self._vectors.transform(train, np.random.default_rng([self.seed, 2])))
        with global_seed(self.seed):
            self._policy = RecordPolicy(self._vectors, real, self.n_noise, self.n_hidden)
            real = self._policy.arrange(real)
            if self.start_at_marginals:
                self._policy.start_at_marginals(real)
            discriminator = RecordDiscriminator(self._vectors.width, self.n_discriminator_hidden)
            training = OneStepTraining(self._policy, discriminator, real, self)
            train_network(training, range(self.n_iterations), run_dir, progress_bar)
        self._policy.cpu().eval()

    @torch.no_grad()
    def _draw(self, n: int, rng: np.random.Generator) -> pd.DataFrame:
        generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
        parts = []
        for noise in torch.randn(n, self._policy.n_noise, generator=generator).split(16_384):
            parts.append(self._policy.records(self._policy.draw(self._policy(noise), generator)))
        return self._vectors.inverse(self._policy.restore(torch.cat(parts)).numpy())


class OneStepTraining(LightningModule):
    """One batch is one iteration: draw records, improve the policy by PPO, then the discriminator.

    Args:
        policy: The generator.
        discriminator: The judge.
        real: Vectors of the training rows, in the order of the policy.
        config: Hyper-parameters.
    """

    real: Tensor

    def __init__(self, policy: RecordPolicy, discriminator: RecordDiscriminator, real: Tensor, config: OneStep) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.policy, self.discriminator, self._config = policy, discriminator, config
        self.register_buffer("real", real, persistent=False)  # checkpoints must not hold patients
        self._order = torch.empty(0, dtype=torch.long)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Adam for each."""
        networks = zip((self.policy, self.discriminator), self.learning_rates(0), strict=True)
        return [torch.optim.Adam([flatten(network)], rate, fused=True) for network, rate in networks]

    def learning_rates(self, n_done: int) -> tuple[float, float]:
        """Of policy and discriminator after `n_done` iterations."""
        pace = self._config.pace
        factor = pace + (1 - pace) * n_done / self._config.n_iterations
        return self._config.learning_rate * factor, self._config.discriminator_learning_rate * factor

    def training_step(self, batch: int, batch_idx: int) -> None:
        """One iteration."""
        optimizers: Any = self.optimizers()
        for optimizer, rate in zip(optimizers, self.learning_rates(batch_idx), strict=True):
            optimizer.param_groups[0]["lr"] = rate
        reward = self._improve_policy(optimizers[0])
        # Lightning counts the steps of the policy alone: its part in a step takes as long as the step itself.
        batch_of_both = self._improve_discriminator(optimizers[1].optimizer)
        if batch_idx % _LOG_EVERY == 0:
            loss = self.discriminator.judge(*batch_of_both, self._config.r1_gamma).loss()
            self.log_dict({"reward": reward, "discriminator_loss": loss}, batch_size=1)

    @torch.no_grad()
    def _improve_policy(self, optimizer: Any) -> Tensor:
        config, policy = self._config, self.policy
        noise = torch.randn(config.batch_size, config.n_noise, device=self.device)
        layers = policy.layers(noise)
        actions = policy.draw(layers.outputs)
        rewards = self.discriminator(policy.records(actions)).sigmoid()
        advantages = rewards - policy.value(layers) if config.value_weight else rewards
        advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        log_prob = policy.log_prob(layers.outputs, actions)
        before = log_prob.value
        for epoch in range(config.n_inner_epochs):
            if epoch:  # nothing has changed before the first step
                layers = policy.layers(noise)
                log_prob = policy.log_prob(layers.outputs, actions)
            self._step(optimizer, self._policy_gradient(layers, log_prob, before, advantages, rewards))
        return rewards.mean()

    def _policy_gradient(
        self, layers: Layers, log_prob: LogProb, before: Tensor, advantages: Tensor, rewards: Tensor
    ) -> Tensor:
        # PPO's loss is -min(ratio A, clipped ratio A): it has a slope where the ratio itself is the least.
        gains = (log_prob.value - before).exp() * advantages
        limits = advantages + CLIP_RANGE * advantages.abs()
        by_log_prob = (ENTROPY_WEIGHT - gains * (gains <= limits)) / len(gains)
        by_output = log_prob.by_output * by_log_prob[:, None]
        by_value = 2 * self._config.value_weight / len(gains) * (self.policy.value(layers) - rewards)
        return self.policy.gradient(layers, by_log_prob @ log_prob.by_log_sigma, by_output, by_value)

    @torch.no_grad()
    def _improve_discriminator(self, optimizer: torch.optim.Optimizer) -> tuple[Tensor, Tensor]:
        size, n_steps = self._config.batch_size, self._config.n_discriminator_steps
        # The policy stands still meanwhile: the records of all steps at once.
        noise = torch.randn(n_steps * size, self._config.n_noise, device=self.device)
        synthetic = self.policy.records(self.policy.draw(self.policy(noise)))
        for real, part in zip(self._next_real(n_steps * size).split(size), synthetic.split(size), strict=True):
            self._step(optimizer, self.discriminator.gradient(real, part, self._config.r1_gamma))
        return real, part

    @staticmethod
    def _step(optimizer: Any, gradient: Tensor) -> None:
        optimizer.param_groups[0]["params"][0].grad = gradient
        optimizer.step()

    def _next_real(self, size: int) -> Tensor:
        while len(self._order) < size:
            self._order = torch.cat([self._order, torch.randperm(len(self.real))])
        chosen, self._order = self._order[:size], self._order[size:]
        return self.real.index_select(0, chosen.to(self.device))
