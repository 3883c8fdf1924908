"""Laws of EMR-WGAN: its generator, its critic, what it learns and what it writes."""

import numpy as np
import pandas as pd
import pytest
import torch
from method_contract import PUBLISHED

from rlsyn.baselines.emr_wgan import _WGAN, EMRWGAN, _Critic, _Generator
from rlsyn.baselines.table_vectors import TableVectors
from rlsyn.schema import infer_schema

SMALL = {"batch_size": 64, "n_noise": 16, "generator_size": (32, 2), "critic_size": (32, 2)}


@pytest.fixture
def vectors(patients):
    return TableVectors(patients, infer_schema(patients, label="died"))


@pytest.fixture
def rows(vectors, patients):
    return torch.as_tensor(vectors.transform(patients))


@pytest.fixture
def generator(rows, vectors):
    return _Generator(rows, vectors.blocks, 16, (32, 2))


def _drawn(generator, n=4_000):
    return generator(torch.randn(n, 16), torch.rand(n, generator.heads.out_features))


def test_categories_are_drawn_hard_and_numbers_within_the_training_range(generator, vectors):
    drawn = _drawn(generator).detach()
    assert drawn.min() >= 0 and drawn.max() <= 1
    for block in vectors.blocks:
        if block.kind != "numeric":
            assert set(drawn[:, block.start : block.stop].unique().tolist()) <= {0.0, 1.0}
        if block.kind == "categorical":
            assert torch.equal(drawn[:, block.start : block.stop].sum(1), torch.ones(len(drawn)))


def test_constant_columns_stay_constant_whatever_the_weights(generator, rows):
    torch.nn.init.normal_(generator.heads.bias, std=10)
    constant = (rows == rows[0]).all(0)
    assert constant.any()
    assert torch.equal(_drawn(generator)[:, constant].unique(dim=0), rows[:1, constant])


def test_a_missing_number_stands_where_it_does_in_training_rows(generator, vectors, rows, patients):
    """Else the critic would know it by its value."""
    drawn = _drawn(generator).detach()
    start = {block.column.name: block.start for block in vectors.of_kind("numeric")}["n_visits"]
    flag = next(b.start for b in vectors.blocks if b.is_missing_flag and b.column.name == "n_visits")
    missing = drawn[:, flag] == 1
    assert 0 < missing.sum() < len(drawn)
    assert torch.equal(
        drawn[missing, start].unique(), rows[torch.as_tensor(patients["n_visits"].isna()), start].unique()
    )
    assert len(drawn[~missing, start].unique()) > 100


def test_categories_start_at_their_shares_in_training(generator, rows, vectors):
    torch.nn.init.zeros_(generator.heads.weight)
    discrete = [entry for b in vectors.blocks if b.kind != "numeric" for entry in range(b.start, b.stop)]
    shares = _drawn(generator, 20_000).mean(0)
    assert torch.allclose(shares[discrete], rows.mean(0)[discrete], atol=0.02)


def test_the_critic_moves_every_kind_of_head(generator, vectors):
    _drawn(generator, 64).mul(torch.randn(vectors.width)).sum().backward()
    moved = generator.heads.bias.grad != 0
    varying = [b for b in vectors.blocks if not generator._constant[b.start]]
    assert {b.kind for b in varying} == {"numeric", "binary", "categorical"}
    assert all(moved[b.start : b.stop].all() for b in varying)


@pytest.mark.parametrize("network", ["generator", "critic"])
def test_hidden_layers_add_to_what_they_got(network, generator):
    torch.manual_seed(0)
    net = generator if network == "generator" else _Critic(16, (32, 2))
    for parameter in net.layers[1].parameters():
        torch.nn.init.zeros_(parameter)
    draw = torch.randn(8, 16)
    uniform = torch.rand(8, generator.heads.out_features)
    with_layer = net(draw, uniform) if network == "generator" else net(draw)
    net.layers = net.layers[:1]
    assert torch.equal(with_layer, net(draw, uniform) if network == "generator" else net(draw))


@pytest.mark.parametrize("network", ["generator", "critic"])
def test_without_residual_layers_nothing_goes_past_a_layer(network, rows, vectors):
    model = _WGAN(rows, vectors.blocks, EMRWGAN(**SMALL, residual=False), 10)
    net = getattr(model, network)
    for parameter in net.layers[1].parameters():
        torch.nn.init.zeros_(parameter)
    n_inputs = net.layers[0][0].in_features
    uniform = [torch.full((8, rows.shape[1]), 0.5)] if network == "generator" else []
    found = net(torch.randn(8, n_inputs), *uniform)
    assert torch.equal(found, found[:1].expand_as(found))


def test_the_penalty_pulls_slopes_to_one_from_both_sides(rows, vectors):
    def loss_at(slope, penalty):
        torch.manual_seed(1)
        model = _WGAN(rows, vectors.blocks, EMRWGAN(**SMALL, penalty=penalty), 10)
        width = rows.shape[1]
        model.critic = _Linear(torch.full((width,), slope / width**0.5))
        return model._critic_loss()[0].item()

    for slope in (0.5, 1.0, 1.5):
        assert loss_at(slope, 10.0) - loss_at(slope, 0.0) == pytest.approx(10 * (slope - 1) ** 2, abs=1e-3)


class _Linear(torch.nn.Module):
    def __init__(self, weights):
        super().__init__()
        self.weights = torch.nn.Parameter(weights)

    def forward(self, vectors):
        return vectors @ self.weights


def test_it_learns_a_difference_of_groups():
    rng = np.random.default_rng(0)
    sick = rng.random(600) < 0.5
    train = pd.DataFrame(
        {
            "marker": np.where(sick, 8.0, 2.0) + rng.normal(0, 1, 600).round(2),
            "sick": sick.astype(int),
        }
    )
    quick = {"n_steps": 200, "generator_rate": 3e-3, "critic_rate": 6e-3, "scaling": "range"}
    synthetic = EMRWGAN(**SMALL, **quick).fit(train, "sick").sample(2_000)
    means = synthetic.groupby("sick")["marker"].mean()
    assert 4 < means[1] - means[0] < 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_steps": 0}, "n_steps must be a whole number of at least 1, got 0"),
        ({"batch_size": 1}, "batch_size must be a whole number of at least 2, got 1"),
        ({"critic_size": (0, 2)}, r"critic_size \(units\) must be a whole number of at least 1, got 0"),
        ({"generator_size": 5}, "generator_size must be units and layers, such as .*, got 5"),
        ({"generator_size": (64, 2, 2)}, "generator_size must be units and layers"),
        ({"penalty": -1.0}, "penalty must be at least 0, got -1.0"),
        ({"generator_rate": -5.0}, "generator_rate must be above 0, got -5.0"),
        ({"critic_rate": 0.0}, "critic_rate must be above 0"),
        ({"scaling": "foo"}, "scaling 'foo'"),
    ],
)
def test_impossible_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        EMRWGAN(**arguments)


def test_steps_grow_with_the_table_within_bounds():
    assert [EMRWGAN.default_steps(n) for n in (50, 2_500, 10**6)] == [2_000, 2_500, 3_000]


def test_the_published_setting_is_a_set_of_arguments():
    model = EMRWGAN(**PUBLISHED["emr_wgan_published"])
    assert (model.n_steps, model.batch_size, model.critic_size, model.scaling) == (90_000, 1024, [512, 4], "range")


def test_an_interrupt_is_one_to_whatever_trains(patients, monkeypatch):
    """Lightning would end the process, and a benchmark could not say that its finished cells are kept."""

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(_WGAN, "training_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        EMRWGAN(**SMALL, n_steps=2).fit(patients, label="died")
