"""OneStep: the laws of its action, its gradients, its iteration and its arguments; the command that times it."""

import sys

import numpy as np
import pandas as pd
import pytest
import torch
from method_contract import PUBLISHED
from scipy import stats
from torch.nn.utils import parameters_to_vector
from torch.utils.flop_counter import FlopCounterMode

from rlsyn.baselines.one_step import OneStep, OneStepTraining
from rlsyn.baselines.one_step_networks import RecordDiscriminator, RecordPolicy, flatten
from rlsyn.baselines.table_vectors import TableVectors
from rlsyn.schema import infer_schema


def _numbers(rows):
    return pd.DataFrame(rows.numpy(), columns=[f"x{i}" for i in range(rows.shape[1])])


@pytest.fixture
def mixed(patients):
    vectors = TableVectors(patients, infer_schema(patients))
    real = torch.as_tensor(vectors.transform(patients))
    policy = RecordPolicy(vectors, real, n_noise=8, n_hidden=16)
    torch.nn.init.normal_(policy.log_sigma, std=0.3)
    return vectors, real, policy


def test_log_probability_is_that_of_scipy_but_for_a_constant_of_the_action(mixed):
    vectors, _, policy = mixed
    with torch.no_grad():
        outputs = policy(torch.randn(50, 8))
        actions = policy.draw(outputs)
        found = policy.log_prob(outputs, actions).value
    means, taken = policy.restore(outputs).double().numpy(), policy.restore(actions).numpy()
    expected, sigmas = np.zeros(50), iter(policy.log_sigma.detach().exp().numpy())
    for block in vectors.blocks:
        entries = slice(block.start, block.stop)
        if block.kind == "numeric":
            expected += stats.norm.logpdf(taken[:, block.start], means[:, block.start], next(sigmas))
            expected += np.log(2 * np.pi) / 2
        elif block.kind == "binary":
            expected += stats.bernoulli.logpmf(taken[:, block.start], 1 / (1 + np.exp(-means[:, block.start])))
        else:
            probabilities = np.exp(means[:, entries]) / np.exp(means[:, entries]).sum(1, keepdims=True)
            expected += np.log((probabilities * taken[:, entries]).sum(1))
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_slopes_of_the_log_probability_are_its_differences(mixed):
    policy = mixed[2].double()
    with torch.no_grad():
        outputs = policy(torch.randn(5, 8, dtype=torch.double))
        actions = policy.draw(outputs)
    found, step = policy.log_prob(outputs, actions), 1e-6
    for entry in range(actions.shape[1]):
        moved = outputs.clone()
        moved[:, entry] += step
        difference = (policy.log_prob(moved, actions).value - found.value) / step
        torch.testing.assert_close(difference, found.by_output[:, entry], atol=1e-4, rtol=1e-3)
    for number in range(len(policy.log_sigma)):
        with torch.no_grad():
            policy.log_sigma[number] += step
            difference = (policy.log_prob(outputs, actions).value - found.value) / step
            policy.log_sigma[number] -= step
        torch.testing.assert_close(difference, found.by_log_sigma[:, number], atol=1e-4, rtol=1e-3)


def test_draws_follow_the_policy(mixed):
    vectors, _, policy = mixed
    with torch.no_grad():
        outputs = policy(torch.randn(1, 8)).expand(20_000, -1)
        actions, one = policy.restore(policy.draw(outputs)), policy.restore(outputs[:1])
    for block in vectors.blocks:
        entries = slice(block.start, block.stop)
        expected = one[0, entries]
        if block.kind == "binary":
            expected = expected.sigmoid()
        elif block.kind == "categorical":
            expected = expected.softmax(0)
            assert (actions[:, entries].sum(1) == 1).all()
        np.testing.assert_allclose(actions[:, entries].mean(0), expected, atol=0.04)


def test_a_missing_number_stands_where_it_does_in_training_rows(mixed, patients):
    vectors, real, policy = mixed
    with torch.no_grad():
        records = policy.restore(policy.records(policy.draw(policy(torch.randn(100, 8))))).numpy()
    start = {block.column.name: block.start for block in vectors.of_kind("numeric")}["n_visits"]
    flag = next(b.start for b in vectors.blocks if b.is_missing_flag and b.column.name == "n_visits")
    missing = records[:, flag] == 1
    assert 0 < missing.sum() < 100
    assert set(records[missing, start]) == {float(real[torch.as_tensor(patients["n_visits"].isna()), start][0])}


def test_what_never_varies_stays_even_untrained(patients):
    train = patients.assign(protocol=3.5)
    synthetic = OneStep(n_iterations=1, start_at_marginals=False).fit(train).sample(500)
    assert (synthetic["protocol"] == 3.5).all() and (synthetic["country"] == "CH").all()
    assert synthetic["never_measured"].isna().all()


def test_discriminator_judges_by_its_own_layers():
    discriminator, real, synthetic = RecordDiscriminator(6, 16), torch.rand(20, 6), torch.rand(20, 6)
    judged = discriminator.judge(real, synthetic, 5.0)
    torch.testing.assert_close(judged.logits, discriminator(torch.cat([real, synthetic])))
    assert [part.shape for part in judged.gradients] == [part.shape for part in discriminator.parameters()]


def test_start_at_marginals_draws_every_column_as_it_is(mixed, patients):
    vectors, real, policy = mixed
    policy.start_at_marginals(policy.arrange(real))
    with torch.no_grad():
        records = policy.restore(policy.records(policy.draw(policy(torch.randn(5_000, 8)))))
    for block in vectors.blocks:
        if block.kind != "numeric":
            entries = slice(block.start, block.stop)
            np.testing.assert_allclose(records[:, entries].mean(0), real[:, entries].mean(0), atol=0.08)


def test_learns_an_association_that_columns_by_themselves_lack():
    rng = np.random.default_rng(0)
    sick = rng.integers(0, 2, 600)
    train = pd.DataFrame({"sick": sick, "crp": (20 + 50 * sick + rng.normal(0, 5, 600)).round(1)})
    small = {"batch_size": 64, "n_noise": 4, "n_hidden": 32, "n_discriminator_hidden": 64, "n_discriminator_steps": 3}
    quick = {"n_iterations": 300, "learning_rate": 1e-3, "discriminator_learning_rate": 5e-4, "r1_gamma": 1.0}
    synthetic = OneStep(**small, **quick, value_weight=0.5).fit(train).sample(2_000)
    assert synthetic.corr().loc["sick", "crp"] > 0.6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_iterations": 0}, "n_iterations"),
        ({"n_hidden": 12.5}, "n_hidden must be a whole number"),
        ({"pace": 0.5}, "pace"),
        ({"batch_size": 1}, "batch_size.*2"),
        ({"learning_rate": -1e-3}, "learning_rate must be above 0, got -0.001"),
        ({"discriminator_learning_rate": float("nan")}, "discriminator_learning_rate must be above 0"),
        ({"r1_gamma": -5.0}, "r1_gamma must be at least 0, got -5.0"),
        ({"value_weight": -0.5}, "value_weight must be at least 0"),
        ({"scaling": "unifrom"}, "Did you mean 'uniform'"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        OneStep(**arguments)


def _training(real, **arguments):
    vectors, config = TableVectors(_numbers(real), infer_schema(_numbers(real))), OneStep(n_noise=4, **arguments)
    policy = RecordPolicy(vectors, real, config.n_noise, config.n_hidden)
    return OneStepTraining(policy, RecordDiscriminator(real.shape[1], config.n_discriminator_hidden), real, config)


def test_learning_rates_fall_from_the_pace_to_those_asked_for():
    training = _training(torch.rand(30, 4), n_iterations=10, pace=10, learning_rate=2e-4)
    rates = [training.learning_rates(n_done)[0] for n_done in (0, 5, 10)]
    np.testing.assert_allclose(rates, [2e-3, 1.1e-3, 2e-4])


@pytest.mark.parametrize("value_weight", [0.0, 0.5])
def test_gradients_of_the_policy_are_those_of_the_loss_of_ppo(value_weight):
    training = _training(torch.rand(30, 4), value_weight=value_weight)
    policy, noise = training.policy, torch.randn(200, 4)
    with torch.no_grad():
        outputs = policy(noise)
        actions = policy.draw(outputs)
        before = policy.log_prob(outputs, actions).value + 0.3 * torch.randn(200)
    advantages, rewards = torch.randn(200), torch.rand(200)
    layers = policy.layers(noise)
    outputs, value = layers.outputs, policy.value(layers)
    normal = torch.distributions.Normal(outputs, policy.log_sigma.exp())
    log_prob = normal.log_prob(actions).sum(1) + 2 * np.log(2 * np.pi)
    ratio = (log_prob - before).exp()
    assert 0.2 < ((ratio - 1).abs() > 0.1).float().mean() < 0.95
    loss = -torch.minimum(ratio * advantages, ratio.clamp(0.9, 1.1) * advantages).mean() + 1e-3 * log_prob.mean()
    loss = loss + value_weight * (value - rewards).square().mean()
    wanted = torch.autograd.grad(loss, list(policy.parameters()))
    with torch.no_grad():
        layers = policy.layers(noise)
        now = policy.log_prob(layers.outputs, actions)
        found = training._policy_gradient(layers, now, before, advantages, rewards)
    torch.testing.assert_close(found, parameters_to_vector(wanted), atol=1e-5, rtol=1e-4)


def test_a_step_moves_the_networks_as_adam_on_each_of_their_parameters_does():
    network = RecordDiscriminator(6, 16)
    apart = RecordDiscriminator(6, 16)
    apart.load_state_dict(network.state_dict())
    vector = flatten(network)
    together, each = torch.optim.Adam([vector], 1e-2, fused=True), torch.optim.Adam(apart.parameters(), 1e-2)
    for _ in range(3):
        real, synthetic = torch.rand(20, 6), torch.rand(20, 6)
        OneStepTraining._step(together, network.gradient(real, synthetic, 5.0))
        found = apart.gradient(real, synthetic, 5.0)
        for weight, gradient in zip(
            apart.parameters(), found.split([w.numel() for w in apart.parameters()]), strict=True
        ):
            weight.grad = gradient.view_as(weight)
        each.step()
    for moved, expected in zip(network.parameters(), apart.parameters(), strict=True):
        torch.testing.assert_close(moved, expected)


@pytest.mark.parametrize("published", [PUBLISHED["one_step_published"], PUBLISHED["one_step_published_mimic"]])
def test_the_settings_of_the_paper_can_be_trained(published, patients):
    assert published["n_iterations"] == 30_000 and published["pace"] == 1
    synthetic = OneStep(**published | {"n_iterations": 2}).fit(patients).sample(20)
    assert len(synthetic) == 20


def test_nothing_is_written_or_said_unless_asked(patients, tmp_path, monkeypatch, capfd, recwarn):
    monkeypatch.chdir(tmp_path)
    OneStep(n_iterations=2).fit(patients)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")
    assert len(recwarn) == 0


def test_throughput_prints_both_loops(load_script, monkeypatch, capsys):
    sizes = ["--n-iterations", "1", "--n-rounds", "1", "--n-default", "1", "--threads", "1"]
    monkeypatch.setattr(sys, "argv", ["one_step_throughput.py", *sizes])
    assert load_script("one_step_throughput").main() == 0
    printed = capsys.readouterr().out
    for row in ("plain loop", "ours, paper's setting", "floor", "our setting"):
        assert row in printed


def test_the_floor_multiplies_what_an_iteration_multiplies(load_script):
    training = _training(torch.rand(200, 40), batch_size=100, n_hidden=16, n_discriminator_hidden=24, n_inner_epochs=2)
    optimizers = training.configure_optimizers()
    with FlopCounterMode(display=False) as counted:
        training._improve_policy(optimizers[0])
        training._improve_discriminator(optimizers[1])
    products = load_script("one_step_throughput")._products(40, training._config)
    floor = sum(2 * rows * inner * columns for rows, inner, columns in products)
    assert 0.95 * counted.get_total_flops() < floor <= counted.get_total_flops()
