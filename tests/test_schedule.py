"""The learning rate of PPO: it rises, falls and never climbs the wrong way."""

import pytest

from rlsyn.schedule import FINAL_SHARE, scheduled
from rlsyn.synthesizer import RLSyn


def test_rate_rises_then_falls_and_stays_positive():
    rate = scheduled(1e-3)
    rates = [rate(1 - done / 200) for done in range(1, 201)]
    peak = rates.index(max(rates))
    assert rates[:peak] == sorted(rates[:peak]) and rates[peak:] == sorted(rates[peak:], reverse=True)
    assert 0.9e-3 < max(rates) <= 1e-3
    assert rates[-1] == pytest.approx(FINAL_SHARE * 1e-3)
    assert rate(-0.6) > 0


def test_a_schedule_of_ones_own_is_left_alone():
    def own(remaining):
        return remaining

    assert scheduled(own) is own


@pytest.mark.parametrize("n_rollouts", [1, 1.5, 2, 2.5])
def test_every_update_has_a_positive_rate_and_training_ends_with_a_whole_rollout(patients, n_rollouts):
    rollout = 32 * patients.shape[1]
    quick = {"n_records": 32, "batch_records": 32, "warm_start": False, "n_discriminator_warm_up": 1}
    model = RLSyn(total_timesteps=int(n_rollouts * rollout), **quick).fit(patients, label="died")
    assert model.model.num_timesteps == -(-n_rollouts // 1) * rollout
    assert all(group["lr"] > 0 for group in model.policy.optimizer.param_groups)
    moved = model.policy.actor.network.direct.weight - model.policy.reference.network.direct.weight
    assert moved.abs().max() > 0
