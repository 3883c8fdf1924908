"""Baselines and scales of the rollout buffer's advantages."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from rlsyn.rollout import RecordRolloutBuffer

N_ATTRIBUTES, N_ENVS, N_EPISODES = 3, 64, 2


def filled(**kwargs) -> RecordRolloutBuffer:
    """A buffer of records with terminal rewards, and a critic that knows little."""
    rng = np.random.default_rng(0)
    space = spaces.MultiDiscrete([5] * N_ATTRIBUTES)
    buffer = RecordRolloutBuffer(
        N_EPISODES * N_ATTRIBUTES, space, spaces.Discrete(4), n_envs=N_ENVS, gamma=1.0, gae_lambda=1.0, **kwargs
    )
    buffer.reset()
    for step in range(buffer.buffer_size):
        is_last = step % N_ATTRIBUTES == N_ATTRIBUTES - 1
        values = torch.as_tensor(rng.normal(size=N_ENVS, scale=1 + step % N_ATTRIBUTES), dtype=torch.float32)
        buffer.add(
            np.zeros((N_ENVS, N_ATTRIBUTES)),
            rng.integers(4, size=N_ENVS),
            rng.normal(2.0, 3.0, N_ENVS) if is_last else np.zeros(N_ENVS),
            np.full(N_ENVS, step % N_ATTRIBUTES == 0),
            values,
            torch.zeros(N_ENVS),
        )
    buffer.compute_returns_and_advantage(torch.zeros(N_ENVS), np.ones(N_ENVS))
    return buffer


def by_record(buffer: RecordRolloutBuffer) -> np.ndarray:
    (batch,) = buffer.get()
    return batch.advantages.view(-1, N_ATTRIBUTES).numpy()


def test_mean_baseline_needs_no_critic():
    advantages, expected = filled(baseline="mean").advantages, filled().rewards
    for episode in range(N_EPISODES):
        rewards = expected[(episode + 1) * N_ATTRIBUTES - 1]
        for step in range(episode * N_ATTRIBUTES, (episode + 1) * N_ATTRIBUTES):
            centre = expected[N_ATTRIBUTES - 1 :: N_ATTRIBUTES].mean()
            np.testing.assert_allclose(advantages[step], rewards - centre, atol=1e-4)


@pytest.mark.parametrize("baseline", ["critic", "mean"])
def test_advantages_per_attribute_have_mean_0_and_deviation_1_and_keep_their_order(baseline):
    scaled, plain = by_record(filled(baseline=baseline, per_attribute=True)), by_record(filled(baseline=baseline))
    np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(scaled.std(0), 1, atol=1e-5)
    # Minibatches come in random order.
    for attribute in range(N_ATTRIBUTES):
        one, other = np.sort(scaled[:, attribute]), np.sort(plain[:, attribute])
        assert np.corrcoef(one, other)[0, 1] == pytest.approx(1)


def test_default_is_the_advantage_of_stable_baselines3():
    buffer = filled()
    np.testing.assert_allclose(buffer.advantages, buffer.returns - buffer.values, atol=1e-5)


def test_mean_baseline_refuses_returns_that_hold_values():
    with pytest.raises(ValueError, match=r"gae_lambda must be 1 .*got 0\.95"):
        RecordRolloutBuffer(2, spaces.MultiDiscrete([5, 5]), spaces.Discrete(4), baseline="mean", gae_lambda=0.95)


def test_unknown_baseline_raises():
    with pytest.raises(ValueError, match="critic"):
        filled(baseline="none")
