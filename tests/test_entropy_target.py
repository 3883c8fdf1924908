"""The entropy target: its weight rises while entropy is lacking, and PPO then keeps what it would have lost."""

import math

import numpy as np
import pytest
import torch

from rlsyn.algorithms.making import Making, make_algorithm
from rlsyn.algorithms.table import algorithm
from rlsyn.encoding import Encoding
from rlsyn.entropy_target import LEAST, MOST, EntropyTarget
from rlsyn.schema import infer_schema
from rlsyn.synthesizer import RLSyn


def weight_after(entropy, n=100, share=0.9):
    target = EntropyTarget(share)
    target.log_weight.fill_(math.log(0.1))
    for _ in range(n):
        target(torch.full((4, 3), entropy), torch.ones(4, 3))
    return float(target.log_weight.exp())


def test_weight_rises_while_entropy_is_lacking_and_falls_while_it_is_plenty():
    assert weight_after(0.8) > 0.1 > weight_after(1.0)
    assert weight_after(0.9) == pytest.approx(0.1)
    assert weight_after(0.8, n=10) < weight_after(0.7, n=10)


def test_weight_stays_within_bounds():
    assert weight_after(0.0, n=1_000) == pytest.approx(MOST)
    assert weight_after(9.0, n=1_000) == pytest.approx(LEAST)


def test_weight_moves_in_training_only_and_pays_for_entropy():
    target, entropy = EntropyTarget(1.0).eval(), torch.rand(4, 3, requires_grad=True)
    bonus = target(entropy, torch.ones(4, 3))
    assert torch.allclose(bonus, LEAST * entropy)
    bonus.sum().backward()
    assert torch.allclose(entropy.grad, torch.full((4, 3), LEAST))
    target.train()
    with torch.no_grad():
        target(entropy, torch.ones(4, 3))
    assert float(target.log_weight.exp()) == pytest.approx(LEAST)


def mean_entropy(policy, actor, records):
    with torch.no_grad():
        return float(actor.heads.entropy(actor(policy.vectors(records))).mean())


@pytest.mark.slow
@pytest.mark.parametrize("share", [None, 0.9])
def test_entropy_stays_at_the_target_where_the_reward_would_lower_it(patients, share):
    """A reward for the lowest levels: without a target PPO's policy loses most of its entropy."""
    encoding = Encoding.fit(patients, infer_schema(patients), n_levels=12)
    highest = np.maximum(encoding.n_levels - 1, 1)
    making = Making(
        encoding,
        lambda records: (1 - records / highest).mean(1),
        n_records=64,
        batch_records=64,
        kl_coef=0.1,
        policy_kwargs={} if share is None else {"entropy_target": share},
        buffer_kwargs={},
        algo_kwargs={"learning_rate": lambda _: 1e-2, "n_epochs": 4, "seed": 0},
        device=torch.device("cpu"),
    )
    model = make_algorithm(algorithm("ppo"), making)
    model.learn(60 * 64 * len(encoding.levels))
    records = model.policy.sample(500)
    left = mean_entropy(model.policy, model.policy.actor, records)
    kept = left / mean_entropy(model.policy, model.policy.reference, records)
    assert (kept < 0.6) if share is None else (0.8 < kept < 1.0)


def test_a_saved_model_has_its_weight(patients, tmp_path):
    options = {"total_timesteps": 2 * 16 * 9, "n_records": 16, "n_discriminator_warm_up": 1, "warm_start": False}
    model = RLSyn(policy_kwargs={"entropy_target": 2.0}, **options).fit(patients)
    model.save(tmp_path)
    weight = float(model.policy.entropy_target.log_weight)
    assert weight > math.log(LEAST)
    assert float(RLSyn.load(tmp_path).policy.entropy_target.log_weight) == weight
