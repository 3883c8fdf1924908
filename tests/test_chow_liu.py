"""The tree density: a distribution, the right tree, and the reward of that name; and that rl_zoo3 trains on our ids."""

import importlib.util
import itertools
import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest

import envs  # noqa: F401 (registers the ids)
from rlsyn.chow_liu import TreeDensity

N_LEVELS = [2, 3, 2, 4]


def chain(n=4_000):
    """Each attribute follows the one before, but for the last, which follows the first."""
    rng = np.random.default_rng(0)
    first = rng.integers(0, 2, n)
    second = np.where(rng.random(n) < 0.8, first, rng.integers(0, 3, n))
    third = np.where(rng.random(n) < 0.8, second % 2, rng.integers(0, 2, n))
    fourth = np.where(rng.random(n) < 0.7, 3 * first, rng.integers(0, 4, n))
    return np.stack([first, second, third, fourth], axis=1)


def test_probabilities_of_all_records_sum_to_one():
    every = np.array(list(itertools.product(*(range(n) for n in N_LEVELS))))
    for smoothing in (0.01, 5.0, 1e4):
        density = TreeDensity(chain(50), N_LEVELS, smoothing)
        assert np.exp(4 * density(every).astype(float)).sum() == pytest.approx(1, abs=1e-5)


def test_tree_has_the_edges_that_the_records_were_made_with():
    parents = TreeDensity(chain(), N_LEVELS).parents
    assert {frozenset((child, parent)) for child, parent in enumerate(parents) if parent >= 0} == {
        frozenset(edge) for edge in ((0, 1), (1, 2), (0, 3))
    }


def test_records_are_likelier_than_shuffled_columns_and_those_than_any():
    train, test, rng = chain(2_000), chain(4_000)[2_000:], np.random.default_rng(1)
    density = TreeDensity(train, N_LEVELS)
    shuffled = np.stack([rng.permutation(column) for column in test.T], axis=1)
    anything = np.stack([rng.integers(0, n, 2_000) for n in N_LEVELS], axis=1)
    assert density(test).mean() > density(shuffled).mean() + 0.1 > density(anything).mean() + 0.1
    assert np.isfinite(density(anything)).all()


def test_one_attribute_is_its_marginal():
    density = TreeDensity(np.array([[0], [0], [0], [1]]), [2], smoothing=1e-9)
    assert np.exp(density(np.array([[0], [1]]))) == pytest.approx([0.75, 0.25])


def test_environment_takes_the_reward_by_its_name():
    env = gymnasium.make("BreastCancer-v0", reward_fn="likelihood", invalid_level="wrap").unwrapped
    env.reset()
    steps = [env.step(0) for _ in range(31)]
    rewards = [step[1] for step in steps]
    assert rewards[:-1] == [0.0] * 30
    assert rewards[-1] == pytest.approx(float(env.reward_fn(steps[-1][4]["record"][None])[0]))
    assert -10 < rewards[-1] < 0
    with pytest.raises(ValueError, match="'likelihood' or None, got 'likelyhood'"):
        gymnasium.make("BreastCancer-v0", reward_fn="likelyhood")


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("rl_zoo3") is None, reason="rl_zoo3 is not installed")
def test_rl_zoo_trains_on_our_ids(tmp_path):
    root = Path(__file__).parents[1]
    config = root / "experiments" / "configs" / "zoo" / "ppo.yml"
    command = [sys.executable, "-m", "rl_zoo3.train", "--algo", "ppo", "--env", "BreastCancer-v0"]
    command += ["--gym-packages", "envs", "--conf-file", str(config), "-n", "2000", "--eval-freq", "-1"]
    command += ["--env-kwargs", "reward_fn:'likelihood'", "invalid_level:'wrap'", "-f", str(tmp_path)]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "ppo" / "BreastCancer-v0_1" / "BreastCancer-v0.zip").is_file()
