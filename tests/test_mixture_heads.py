"""Discretised logistic mixtures: distributions over levels, finite however far away their components are."""

import numpy as np
import pytest
import torch

from rlsyn.networks.mixture_heads import N_COMPONENTS, MixtureHeads, log_mixture


@pytest.fixture(params=[0.5, 5.0, 100.0], ids=["small", "large", "huge"])
def outputs(request):
    return request.param * torch.randn(50, 3 * N_COMPONENTS)


@pytest.mark.parametrize("n_levels", [2, 9, 64])
def test_probabilities_sum_to_one(outputs, n_levels):
    total = log_mixture(outputs, torch.tensor(n_levels), n_levels).exp().sum(-1)
    np.testing.assert_allclose(total, 1, atol=1e-4)


def test_probabilities_are_differences_of_the_distribution_function():
    """By the definition, in double precision, where it needs no care."""
    outputs, n = torch.randn(50, 3 * N_COMPONENTS).double(), 12
    logits, shifts, widths = outputs.unflatten(-1, (3, -1)).unbind(-2)
    means = shifts + (2 * torch.arange(N_COMPONENTS) + 1) / N_COMPONENTS - 1
    scales = (widths - np.log(N_COMPONENTS)).exp()
    edges = torch.cat([torch.tensor([-torch.inf]), 2 * torch.arange(1, n) / n - 1, torch.tensor([torch.inf])])
    by_component = torch.sigmoid((edges[:, None, None] - means) / scales)
    distribution = (torch.softmax(logits, -1) * by_component).sum(-1)
    expected = distribution.diff(dim=0).T
    probabilities = log_mixture(outputs, torch.tensor(n), n).exp()
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)
    assert (probabilities.cumsum(-1).diff(dim=-1) >= 0).all()


def test_greater_means_give_greater_levels():
    """The distribution function falls everywhere: stochastic order."""
    outputs = torch.randn(20, 3 * N_COMPONENTS)
    greater = outputs.clone()
    greater[:, N_COMPONENTS : 2 * N_COMPONENTS] += 0.5
    before, after = (log_mixture(some, torch.tensor(16), 16).exp().cumsum(-1) for some in (outputs, greater))
    assert (after <= before + 1e-6).all() and (after[:, 7] < before[:, 7]).all()


@pytest.mark.parametrize("extreme", [-1e4, -20.0, 20.0, 1e4])
@pytest.mark.parametrize("part", range(3), ids=["weights", "means", "scales"])
def test_gradients_are_finite_at_extremes(extreme, part):
    outputs = torch.zeros(1, 3 * N_COMPONENTS)
    outputs[:, part * N_COMPONENTS : (part + 1) * N_COMPONENTS] = extreme * torch.linspace(0.5, 1, N_COMPONENTS)
    outputs.requires_grad_()
    values = log_mixture(outputs, torch.tensor(9), 16)
    assert torch.isfinite(values).all()
    values[:, :9].sum().backward()
    assert torch.isfinite(outputs.grad).all()


def test_a_level_far_from_every_component_draws_them_near():
    """Where a difference of two logistic functions would be 0 in single precision, and its gradient with it."""
    outputs = torch.zeros(1, 3 * N_COMPONENTS)
    outputs[:, N_COMPONENTS : 2 * N_COMPONENTS] = 30.0
    outputs.requires_grad_()
    log_mixture(outputs, torch.tensor(9), 9)[0, 0].backward()
    assert (outputs.grad[0, N_COMPONENTS : 2 * N_COMPONENTS] < 0).any()


def heads_of(marginals, n_ordered, n_flags):
    bases = [np.zeros((len(marginal), 0)) for marginal in marginals]
    for i, n in enumerate(n_flags):
        bases[i] = np.eye(len(marginals[i]))[:, len(marginals[i]) - n :]
    return MixtureHeads(bases, marginals, [n == 1 for n in n_flags], n_ordered)


def test_zero_outputs_give_the_marginals_and_steps_what_one_pass_gives():
    """Nine ordered levels; twelve and a missing one; three that have no order; sixteen, in a bucket with the first."""
    rng = np.random.default_rng(0)
    marginals = [rng.dirichlet(np.ones(n)) for n in (9, 13, 3, 16)]
    heads = heads_of(marginals, [9, 12, 0, 16], [0, 1, 2, 0])
    assert heads.out_sizes == [3 * N_COMPONENTS, 3 * N_COMPONENTS + 1, 2, 3 * N_COMPONENTS]
    with torch.no_grad():
        for scale in (0.0, 1.0):
            outputs = scale * torch.randn(7, sum(heads.out_sizes))
            by_bucket, parts = heads(outputs), outputs.split(heads.out_sizes, dim=1)
            for attribute, marginal in enumerate(marginals):
                bucket, row = heads.bucket_of[attribute]
                probabilities = by_bucket[bucket][row].exp()
                stepwise = torch.softmax(heads.step_logits(parts[attribute], attribute), -1)
                np.testing.assert_allclose(probabilities[:, : len(marginal)], stepwise, atol=1e-5)
                assert float(probabilities[:, len(marginal) :].sum()) == 0
                if scale == 0:
                    np.testing.assert_allclose(stepwise, np.tile(marginal, (7, 1)), atol=1e-5)


def test_missing_stays_apart_from_the_mixture():
    heads = heads_of([np.append(np.full(9, 0.07), 0.37)], [9], [1])
    outputs = torch.cat([3 * torch.randn(20, 3 * N_COMPONENTS), torch.zeros(20, 1)], dim=1)
    with torch.no_grad():
        probabilities = heads(outputs)[0][0].exp()
    np.testing.assert_allclose(probabilities[:, 9], 0.37, atol=1e-5)
    assert probabilities[:, 0].std() > 0.05


def test_a_step_keeps_to_the_device_of_its_outputs():
    """On the meta device, which holds no numbers but refuses what lies on another."""
    heads = MixtureHeads([np.zeros((9, 0))], [np.full(9, 1 / 9)], None, [9]).to("meta")
    assert heads.step_logits(torch.zeros(4, 3 * N_COMPONENTS, device="meta"), 0).shape == (4, 9)
