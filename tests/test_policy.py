"""AutoregressivePolicy and RecordRolloutBuffer: one distribution, whichever way it is asked for."""

import numpy as np
import pandas as pd
import pytest
import torch
from gymnasium import spaces
from sb3_contrib import MaskablePPO
from stable_baselines3 import PPO

from envs.record_vec_env import RecordVecEnv
from rlsyn.encoding import Encoding
from rlsyn.networks.architectures import NETWORKS, make_network
from rlsyn.networks.autoregressive import LevelHeads
from rlsyn.policy import AutoregressivePolicy
from rlsyn.rollout import RecordRolloutBuffer
from rlsyn.schema import infer_schema

KINDS = [
    *(("made", "ordinal"), ("plain_made", "ordinal"), ("transformer", "ordinal")),
    *(("made", "free"), ("made", "mixture"), ("transformer", "mixture")),
]


@pytest.fixture
def encoding(patients):
    """With so many levels that heads of quantities differ."""
    return Encoding.fit(patients, infer_schema(patients, label="died"), n_levels=12)


def make_ppo(encoding, n=16, reward_fn=None, policy_kwargs=None, **kwargs):
    env = RecordVecEnv(encoding.n_levels, n, reward_fn, copy_observations=False)
    d = len(encoding.levels)
    defaults = {"n_steps": d, "batch_size": n * d, "gamma": 1.0, "seed": 0, "device": "cpu", "ent_coef": 0.0}
    return PPO(
        AutoregressivePolicy,
        env,
        rollout_buffer_class=RecordRolloutBuffer,
        policy_kwargs={"encoding": encoding, "n_hidden": 32, **(policy_kwargs or {})},
        **{**defaults, **kwargs},
    )


@pytest.fixture(params=KINDS, ids="-".join)
def policy(encoding, request):
    """A policy of each kind, with weights that make every attribute depend on all before it."""
    network, head = request.param
    made = make_ppo(encoding, policy_kwargs={"network": network, "head": head}).policy
    with torch.no_grad():
        for parameter in [*made.actor.network.parameters(), *made.critic.parameters()]:
            parameter.normal_(std=0.1)
    return made


@pytest.fixture
def records(encoding, patients):
    return torch.as_tensor(encoding.encode(patients))


@pytest.mark.parametrize(("network", "head"), KINDS)
def test_untrained_policy_draws_the_marginals(encoding, network, head):
    sampled = make_ppo(encoding, policy_kwargs={"network": network, "head": head}).policy.sample(20_000).numpy()
    for i, marginal in enumerate(encoding.marginals()):
        shares = np.bincount(sampled[:, i], minlength=len(marginal)) / len(sampled)
        assert np.abs(shares - marginal).max() < 0.02


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_depend_on_earlier_attributes_only(name):
    in_attribute = np.repeat(np.arange(6), 3)
    network = make_network(name, in_attribute, [2] * 6, n_hidden=40)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_()
    vectors = torch.randn(5, 18, requires_grad=True)
    outputs = network(vectors).view(5, 6, 2)
    for attribute in range(6):
        (gradient,) = torch.autograd.grad(outputs[:, attribute].sum(), vectors, retain_graph=True)
        reached = gradient.abs().sum(0).view(6, 3).sum(1) > 0
        assert reached.tolist() == [earlier < attribute for earlier in range(6)]


@pytest.mark.parametrize("block", [2, 64], ids=lambda block: f"blocks of {block}")
@pytest.mark.parametrize("name", NETWORKS)
def test_steps_give_the_outputs_of_one_pass(name, block, monkeypatch):
    """Attributes of 2, 0 (constant), 3 and 1 entries, with 0, 4, 1 and 2 outputs."""
    monkeypatch.setattr("rlsyn.networks.attribute_network.BLOCK", block)
    network = make_network(name, np.array([0, 0, 2, 2, 2, 3]), [0, 4, 1, 2], n_hidden=8)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_()
        vectors = torch.randn(5, 6)
        expected = network(vectors).split([0, 4, 1, 2], dim=1)
        memory, known = network.start(5), torch.zeros_like(vectors)
        for attribute in range(4):
            assert torch.allclose(network.step(known, memory, attribute), expected[attribute], atol=1e-4)
            entries = slice(network.n_inputs(attribute), network.n_inputs(attribute + 1) if attribute < 3 else 6)
            known[:, entries] = vectors[:, entries]


@pytest.mark.parametrize("name", NETWORKS)
def test_hidden_layers_are_silent_at_first(name):
    """Else a regression on the direct path would not be what a policy begins with."""
    network = make_network(name, np.arange(4), [2] * 4, n_hidden=8)
    vectors = torch.randn(5, 4)
    assert torch.equal(network(vectors), torch.zeros(5, 8))
    weights = torch.randn(2, 3)
    network.set_linear(3, 0, weights)
    assert torch.allclose(network(vectors)[:, 6:], vectors[:, :3] @ weights.T, atol=1e-6)
    assert torch.equal(network(vectors), network.linear(vectors))


def test_stepwise_and_whole_record_log_probabilities_agree(policy, encoding, records):
    expected = policy.log_probabilities(records)
    expected_values = policy.critic(policy.vectors(records))
    observations = torch.zeros_like(records)
    torch.manual_seed(0)
    for attribute in range(records.shape[1]):
        distribution = policy.get_distribution(observations)
        stepwise = distribution.log_prob(records[:, attribute])
        assert torch.allclose(stepwise, expected[:, attribute], atol=1e-5)
        assert torch.allclose(policy.predict_values(observations)[:, 0], expected_values[:, attribute], atol=1e-5)
        observations[:, attribute] = records[:, attribute] + 1


def test_forward_returns_what_evaluate_actions_returns(policy):
    env = make_ppo(policy.encoding).env
    observations = torch.as_tensor(env.reset())
    steps = []
    for _ in range(policy.n_attributes):
        levels, values, log_probabilities = policy(observations)
        steps.append((levels, values.flatten(), log_probabilities))
        observations = torch.as_tensor(env.step(levels.numpy())[0])
    drawn = torch.stack([step[0] for step in steps], dim=1)
    values, log_probabilities, _ = policy.evaluate_actions(drawn + 1, drawn.flatten())
    assert torch.allclose(values, torch.stack([step[1] for step in steps], dim=1).flatten(), atol=1e-5)
    assert torch.allclose(log_probabilities, torch.stack([step[2] for step in steps], dim=1).flatten(), atol=1e-5)


def test_single_steps_are_evaluated_as_whole_records_are(policy, records):
    """SB3's own buffer yields observations filled in unequally far, with one action each."""
    rows, position = torch.arange(len(records)), torch.arange(len(records)) % records.shape[1]
    observations = (records + 1) * (torch.arange(records.shape[1]) < position[:, None])
    values, log_probabilities, negative = policy.evaluate_actions(observations, records[rows, position])
    whole = [part.view(records.shape) for part in policy.evaluate_actions(records + 1, records.flatten())]
    assert torch.allclose(values.flatten(), whole[0][rows, position], atol=1e-5)
    assert torch.allclose(log_probabilities, whole[1][rows, position], atol=1e-5)
    assert torch.allclose(negative, whole[2][rows, position], atol=1e-4)


def test_policy_is_made_again_from_its_constructor_parameters(policy, records):
    again = AutoregressivePolicy(**policy._get_constructor_parameters())
    again.load_state_dict(policy.state_dict())
    assert torch.equal(again.log_probabilities(records), policy.log_probabilities(records))


def test_forward_notices_when_observations_do_not_follow_from_its_last_step(policy, records):
    half = records.shape[1] // 2
    for rows in (records[:8], records[8:16]):
        observations = rows + 1
        observations[:, half:] = 0
        _, _, log_probability = policy(observations, deterministic=True)
        expected = torch.log_softmax(policy._logits(observations - 1, policy.actor), dim=-1).amax(1)
        assert torch.allclose(log_probability, expected, atol=1e-5)


def test_predict_costs_each_step_once(policy, monkeypatch):
    """SB3's `predict` turns training mode off at every step: the record so far was computed again each time."""
    replayed = []
    replay = policy._replay
    monkeypatch.setattr(policy, "_replay", lambda observations: replayed.append(1) or replay(observations))
    policy.set_training_mode(True)
    env = make_ppo(policy.encoding).env
    observations = env.reset()
    for _ in range(policy.n_attributes):
        actions, _ = policy.predict(observations)
        observations, *_ = env.step(actions)
    assert len(replayed) == 1
    policy.set_training_mode(True)
    policy.set_training_mode(False)
    policy.predict(env.reset())
    assert len(replayed) == 2


def test_one_attribute_trains_with_sb3s_own_buffer():
    sexes = pd.DataFrame({"sex": ["f", "m"] * 20})
    encoding = Encoding.fit(sexes, infer_schema(sexes))
    env = RecordVecEnv(encoding.n_levels, 32, lambda records: records[:, 0] == 0)
    model = PPO(AutoregressivePolicy, env, n_steps=1, batch_size=32, policy_kwargs={"encoding": encoding}, device="cpu")
    model.learn(64)
    assert model.num_timesteps == 64


def test_arguments_of_the_optimizer_leave_the_others_of_sb3(encoding):
    epsilons = {
        make_ppo(encoding, policy_kwargs={"optimizer_kwargs": kwargs}).policy.optimizer.defaults["eps"]
        for kwargs in (None, {}, {"weight_decay": 1e-4})
    }
    assert epsilons == {1e-5}


def test_forward_refuses_records_filled_in_unequally(policy, records):
    observations = records[:2] + 1
    observations[0, 2:], observations[1, 3:] = 0, 0
    with pytest.raises(ValueError, match="equally far"):
        policy(observations)


@pytest.mark.parametrize(("network", "head"), KINDS)
def test_probabilities_of_all_records_sum_to_one(network, head):
    values = [float(i) for i in range(9)] + [np.nan]
    table = pd.DataFrame({"a": [0, 1] * 20, "b": ["x", "y", "z", "x"] * 10, "c": values * 4})
    encoding = Encoding.fit(table, infer_schema(table))
    made = make_ppo(encoding, policy_kwargs={"network": network, "head": head}).policy
    with torch.no_grad():
        for parameter in made.actor.network.parameters():
            parameter.normal_()
    every = torch.cartesian_prod(*[torch.arange(int(n)) for n in encoding.n_levels])
    assert made.log_probabilities(every).sum(1).exp().sum().item() == pytest.approx(1, abs=1e-5)


def test_relative_entropy_is_zero_at_the_reference_and_positive_elsewhere(policy, records):
    flat = records.flatten()
    assert (policy.evaluate_actions(records + 1, flat)[2] < 1e-6).all()
    assert policy.evaluate_actions(records + 1, flat)[2].min() < -1e-3
    policy.set_reference()
    assert policy.evaluate_actions(records + 1, flat)[2].abs().max() < 1e-6


def test_conditions_on_the_first_attribute_are_kept_and_the_rest_is_conditional(policy):
    sampled = policy.sample(20_000, given={0: 1})
    assert (sampled[:, 0] == 1).all()
    observation = torch.zeros((1, policy.n_attributes), dtype=torch.int64)
    observation[0, 0] = 2
    expected = policy.get_distribution(observation).distribution.probs[0]
    shares = torch.bincount(sampled[:, 1], minlength=len(expected)) / len(sampled)
    assert torch.allclose(shares, expected, atol=0.02)


def test_generator_makes_samples_repeat(policy):
    first, second, other = (policy.sample(50, generator=torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_buffer_yields_the_records_that_were_drawn(encoding):
    model = make_ppo(encoding, n=16)
    d = len(encoding.levels)
    model.learn(16 * d)
    buffer = model.rollout_buffer
    drawn = {tuple(record) for record in buffer.records()}
    batches = list(buffer.get(4 * d))
    assert [len(batch.observations) for batch in batches] == [4] * 4
    assert {tuple(record) for batch in batches for record in (batch.observations - 1).tolist()} == drawn
    assert all(torch.equal((batch.observations - 1).flatten(), batch.actions) for batch in batches)
    assert sum(len(batch.advantages) for batch in batches) == 16 * d


def test_buffer_memory_grows_with_steps_not_with_attributes():
    def bytes_per_step(d):
        space = spaces.MultiDiscrete([3] * d)
        buffer = RecordRolloutBuffer(d, space, spaces.Discrete(2), device="cpu", n_envs=64)
        return sum(value.nbytes for value in vars(buffer).values() if isinstance(value, np.ndarray)) / (64 * d)

    assert bytes_per_step(400) == bytes_per_step(10)


def test_buffer_refuses_steps_that_cut_records(encoding):
    with pytest.raises(ValueError, match="multiple of the"):
        make_ppo(encoding, n_steps=len(encoding.levels) + 1)


def test_buffer_returns_are_the_terminal_reward(encoding):
    model = make_ppo(encoding, reward_fn=lambda records: records[:, 0].astype(float), gae_lambda=1.0)
    model.learn(16 * len(encoding.levels))
    buffer = model.rollout_buffer
    expected = np.repeat(buffer.records()[:, :1], len(encoding.levels), axis=1)
    assert np.allclose(buffer._by_record(buffer.returns), expected, atol=1e-5)


@pytest.mark.parametrize(
    "network", [pytest.param(one, marks=pytest.mark.slow) if one == "transformer" else one for one in NETWORKS]
)
def test_unmodified_ppo_learns_a_joint_that_marginals_cannot(encoding, network):
    """Reward 1 where the first two attributes agree; independent marginals reach about one half."""

    def agree(records):
        return (records[:, 0] == np.minimum(records[:, 1], 1)).astype(float)

    options = {"learning_rate": 1e-2, "n_epochs": 4, "policy_kwargs": {"network": network}}
    model = make_ppo(encoding, n=128, reward_fn=agree, **options)
    start = agree(model.policy.sample(2_000).numpy()).mean()
    model.learn(30 * 128 * len(encoding.levels))
    assert start < 0.75
    assert agree(model.policy.sample(2_000).numpy()).mean() > 0.95


@pytest.mark.parametrize("algorithm", [PPO, MaskablePPO], ids=["PPO", "MaskablePPO"])
def test_stock_policy_trains_in_the_env(encoding, algorithm):
    env = RecordVecEnv(encoding.n_levels, 4, lambda records: records[:, 0].astype(float), invalid_level="wrap")
    model = algorithm("MlpPolicy", env, n_steps=32, batch_size=32, device="cpu", seed=0).learn(128)
    assert model.num_timesteps == 128


def test_a_missing_level_apart_keeps_its_probability_however_the_others_shift():
    """Four levels with an output function each, and a fifth, missing, of which 30 % of the rows are."""
    functions, marginal = np.eye(5)[:, :4], np.array([0.1, 0.2, 0.2, 0.2, 0.3])
    apart, among = LevelHeads([functions], [marginal], [True]), LevelHeads([functions], [marginal])
    with torch.no_grad():
        np.testing.assert_allclose(apart(torch.zeros(1, 4))[0].exp()[0, 0], marginal, atol=1e-6)
        shift = torch.tensor([[0.0, 9.0, 3.0, -4.0]])
        probabilities = apart(shift)[0].exp()[0, 0]
        assert float(probabilities[4]) == pytest.approx(0.3, abs=1e-6)
        assert float(among(shift)[0].exp()[0, 0, 4]) < 0.01
        ratios = [(heads(shift)[0][0, 0, 1] - heads(shift)[0][0, 0, 2]).item() for heads in (apart, among)]
        assert ratios[0] == pytest.approx(ratios[1], abs=1e-4)
        np.testing.assert_allclose(torch.softmax(apart.step_logits(shift, 0), -1)[0], probabilities, atol=1e-6)
        hot = torch.softmax(apart.step_logits(shift, 0, temperature=5.0), -1)[0]
        assert float(hot[4]) == pytest.approx(0.3, abs=1e-6)
        assert float(hot[1]) < float(probabilities[1])
