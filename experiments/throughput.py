"""Environment steps per second, update included: RLSyn's policy and buffer against stock Stable-Baselines3, in one run.

python experiments/throughput.py --n-attributes 31 108 412 1485 --threads 2
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from typing import Any

import gymnasium as gym
import numpy as np
import pandas as pd
import torch
from rich.console import Console
from rich.table import Table
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.vec_env import DummyVecEnv

from envs.record_env import RecordEnv
from envs.record_vec_env import RecordVecEnv
from rlsyn.arguments import Parser, at_least_one
from rlsyn.device import torch_device
from rlsyn.discriminator import Discriminator
from rlsyn.encoding import Encoding
from rlsyn.policy import AutoregressivePolicy
from rlsyn.rewards import RealismReward
from rlsyn.rollout import RecordRolloutBuffer
from rlsyn.schema import infer_schema

N_NUMERIC = {31: 30, 108: 72, 412: 4, 1485: 4}
"""Numeric columns of the tables that these widths stand for; the others are binary."""
N_EPOCHS = 2


COLUMNS = ("attributes", "learner", "at once", "steps/s", "records/s", "rollout buffer", "bytes per step", "ratio")


def main(argv: list[str] | None = None) -> int:
    """Measure and print; returns the exit code."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    try:
        _check(arguments)
    except ValueError as error:
        parser.error(str(error))
    torch.set_num_threads(arguments.threads)
    table = Table(title=f"Environment steps per second, update included ({arguments.threads} threads)")
    for name in COLUMNS:
        table.add_column(name, justify="right")
    learners = (("stock MlpPolicy", stock_ppo, arguments.n_envs), ("RLSyn", record_ppo, arguments.n_records))
    for n_attributes in arguments.n_attributes:
        encoding, best_stock = invented_encoding(n_attributes), 0.0
        for learner, make, sizes in learners:
            for n in sizes:
                speed, memory = measure(make(encoding, n, arguments.device), n, encoding, arguments.n_rollouts)
                best_stock = max(best_stock, speed) if make is stock_ppo else best_stock
                cells = [str(n_attributes), learner, str(n), f"{speed:,.0f}", f"{speed / n_attributes:,.0f}"]
                memory_cells = [f"{memory / 1e6:,.1f} MB", f"{memory / (n * n_attributes):,.0f}"]
                table.add_row(*cells, *memory_cells, f"{speed / best_stock:.1f} x")
        table.add_section()
    Console(width=110).print(table)
    print("ratio: to the best of stock so far. Stock sees scaled levels, not one-hot blocks, which suits its speed.")
    print(f"Peak memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")
    return 0


def _check(arguments: argparse.Namespace) -> None:
    torch_device(arguments.device)
    least = min(arguments.n_attributes) * min(*arguments.n_records, *arguments.n_envs)
    if least < 4:
        raise ValueError(
            f"A minibatch, half the steps of a rollout, must be of at least 2 steps, got rollouts of {least} steps: the least of "
            "--n-attributes times the least of --n-records and --n-envs. Raise one of them."
        )


def invented_encoding(n_attributes: int) -> Encoding:
    """The encoding of an invented table of that many columns."""
    rng = np.random.default_rng(0)
    n_numeric = N_NUMERIC.get(n_attributes, n_attributes // 2)
    columns: dict[str, Any] = {f"n{i}": rng.normal(size=2_000) for i in range(n_numeric)}
    columns |= {f"b{i}": rng.integers(2, size=2_000) for i in range(n_attributes - n_numeric)}
    table = pd.DataFrame(columns)
    return Encoding.fit(table, infer_schema(table))


def record_ppo(encoding: Encoding, n: int, device: str) -> PPO:
    """PPO with RLSyn's environment, policy and buffer."""
    env = RecordVecEnv(encoding.n_levels, n, RealismReward(Discriminator(encoding)), copy_observations=False)
    policy_kwargs = {"encoding": encoding}
    return PPO(
        AutoregressivePolicy, env, rollout_buffer_class=RecordRolloutBuffer, policy_kwargs=policy_kwargs,
        **_same(encoding, n, device),
    )  # fmt: skip


class ScaledObservation(gym.ObservationWrapper):
    """Levels as numbers from 0 to 1: the widest table then costs a stock policy one small matrix, not one-hot blocks."""

    def __init__(self, env: RecordEnv) -> None:
        super().__init__(env)
        assert isinstance(env.observation_space, gym.spaces.MultiDiscrete)
        self._scale = 1 / env.observation_space.nvec.astype(np.float32)
        self.observation_space = gym.spaces.Box(0.0, 1.0, self._scale.shape, dtype=np.float32)

    def observation(self, observation: np.ndarray) -> np.ndarray:
        """The scaled observation."""
        return observation * self._scale


def stock_ppo(encoding: Encoding, n: int, device: str) -> PPO:
    """PPO with SB3's own vectorised environment, policy and buffer, on the same rules and reward."""
    reward = RealismReward(Discriminator(encoding))
    make = lambda: ScaledObservation(RecordEnv(encoding.n_levels, reward, invalid_level="wrap"))
    env = DummyVecEnv([make for _ in range(n)])
    return PPO("MlpPolicy", env, policy_kwargs={"net_arch": [256, 256]}, **_same(encoding, n, device))


def _same(encoding: Encoding, n: int, device: str) -> dict[str, Any]:
    n_attributes = len(encoding.levels)
    return {
        "n_steps": n_attributes,
        "batch_size": n * n_attributes // 2,
        "n_epochs": N_EPOCHS,
        "gamma": 1.0,
        "device": device,
    }


def measure(model: PPO, n: int, encoding: Encoding, n_rollouts: int) -> tuple[float, int]:
    """Steps per second over some rollouts with their updates, and the bytes of the rollout buffer."""
    rollout = n * len(encoding.levels)
    model.learn(rollout)
    start = time.perf_counter()
    model.learn(n_rollouts * rollout)
    seconds = time.perf_counter() - start
    buffer: RolloutBuffer = model.rollout_buffer
    memory = sum(value.nbytes for value in vars(buffer).values() if isinstance(value, np.ndarray))
    return n_rollouts * rollout / seconds, memory


def _parser() -> Parser:
    parser = Parser("Measure environment steps per second, update included, against stock Stable-Baselines3.")
    parser.add_argument("--n-attributes", type=at_least_one, nargs="+", default=[31, 108, 412, 1485])
    parser.add_argument("--n-records", type=at_least_one, nargs="+", default=[256, 1024], help="records at once, RLSyn")
    parser.add_argument(
        "--n-envs", type=at_least_one, nargs="+", default=[16, 64, 256], help="environments at once, stock SB3"
    )
    parser.add_argument("--n-rollouts", type=at_least_one, default=2, help="counted rollouts, after one that is not")
    parser.add_argument("--threads", type=at_least_one, default=2)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    return parser


if __name__ == "__main__":
    sys.exit(main())
