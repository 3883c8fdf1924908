"""Laws of CTAB-GAN+: its mode-specific vectors, its conditions, its networks and what it learns."""

import numpy as np
import pandas as pd
import pytest
import torch
from method_contract import PUBLISHED

from rlsyn.baselines.ctabgan_networks import Conditions, ConvolutionalCritic, ConvolutionalGenerator, Layout, image_side
from rlsyn.baselines.ctabgan_plus import CTABGANPlus, _Training, slerp
from rlsyn.baselines.mode_vectors import ModeVectors, NumberModes
from rlsyn.schema import Column, infer_schema

SMALL = {"n_epochs": 2, "batch_size": 32, "n_noise": 8, "n_hidden": 16}


@pytest.fixture
def vectors(patients):
    return ModeVectors(patients, infer_schema(patients, label="died"))


@pytest.fixture
def rows(vectors, patients):
    return torch.as_tensor(vectors.transform(patients, np.random.default_rng(0)))


@pytest.fixture
def training(rows, vectors):
    return _Training(rows, vectors, CTABGANPlus(**SMALL))


def test_vectors_bring_a_table_back(patients, vectors, rows):
    decoded = vectors.inverse(rows.numpy())
    vectors.schema.validate(decoded)
    for name in vectors.schema.names:
        left, right = decoded[name], patients[name]
        assert (left.isna() == right.isna()).all()
        if vectors.schema[name].is_discrete:
            assert (left.dropna().astype(str) == right.dropna().astype(left.dtype).astype(str)).all()
        else:
            gaps = (left.dropna().astype(float) - right.dropna().astype(float)).abs()
            assert (gaps > 1e-3 * right.abs().max()).mean() < 0.03 or gaps.empty  # what is far from its mode is cut


def test_a_vector_is_alphas_and_one_choice_for_each_column(vectors, rows):
    for span in vectors.spans:
        assert (rows[:, span.first_choice : span.stop].sum(dim=1) == 1).all()
        if span.has_alpha:
            assert rows[:, span.start].abs().max() < 1
    assert vectors.spans[-1].stop == rows.shape[1]


def test_frequent_values_and_missing_are_modes_of_their_own():
    numbers = np.r_[np.zeros(40), np.random.default_rng(0).normal(8, 1, 50), np.full(10, np.nan)]
    modes = NumberModes(Column("dose", "numeric", missing=True), numbers)
    alphas, choices = modes.transform(numbers, np.random.default_rng(0))
    assert modes.frequent.tolist() == [0.0]
    assert set(choices[:40]) == {modes.n_gaussians} and set(choices[90:]) == {modes.n_gaussians + 1}
    assert (choices[40:90] < modes.n_gaussians).all() and (alphas[:40] == 0).all()
    # Whatever alpha the network gives, a frequent value comes back as itself.
    back = modes.inverse(np.full(100, 0.7), choices)
    assert (back[:40] == 0).all() and back[90:].isna().all()


def test_a_long_tail_is_kept_and_nothing_leaves_the_training_range():
    numbers = np.exp(np.random.default_rng(0).normal(0, 2, 500))
    modes = NumberModes(Column("crp", "numeric"), numbers)
    back = modes.inverse(*modes.transform(numbers, np.random.default_rng(0)))
    shares = [0.05, 0.5, 0.95, 0.99]
    assert np.allclose(np.quantile(back, shares), np.quantile(numbers, shares), rtol=0.02)
    for alpha in (-1.0, 1.0):
        extreme = modes.inverse(np.full(len(modes.centers), alpha), np.arange(len(modes.centers)))
        assert extreme.min() >= numbers.min() and extreme.max() <= numbers.max()


def test_heads_are_one_soft_choice_for_each_column(vectors):
    layout = _layout(vectors)
    raw = torch.randn(50, vectors.width, requires_grad=True)
    drawn = layout.heads(raw, -torch.empty(50, layout.n_choices).exponential_().log())
    for span in vectors.spans:
        assert torch.allclose(drawn[:, span.first_choice : span.stop].sum(dim=1), torch.ones(50), atol=1e-5)
        if span.has_alpha:
            assert torch.equal(drawn[:, span.start], raw[:, span.start].tanh())
    (drawn * torch.randn_like(drawn)).sum().backward()
    assert all((raw.grad[:, s.start : s.stop] != 0).any() for s in vectors.spans if s.n_choices > 1)


def test_choices_are_drawn_with_the_probabilities_of_their_logits():
    layout = Layout([(0, False, 3)], {})
    raw = torch.tensor([0.6, 0.3, 0.1]).log().expand(20_000, 3)
    drawn = layout.heads(raw, -torch.empty(20_000, 3).exponential_().log()).argmax(dim=1)
    assert torch.allclose(drawn.bincount() / 20_000, torch.tensor([0.6, 0.3, 0.1]), atol=0.02)


def test_the_critic_is_shown_the_numbers_of_the_table(training, patients, rows):
    ages = training.layout.numbers(rows)[:, 0]
    assert torch.allclose(ages, torch.as_tensor((patients["age"] - patients["age"].mean()) / patients["age"].std(ddof=0),
                                                dtype=torch.float), atol=1e-3)  # fmt: skip


def test_drawn_rows_meet_their_condition_and_rare_choices_are_drawn_more_often(vectors, rows):
    layout = _layout(vectors)
    drawn = Conditions(rows, layout).draw(40_000)
    assert (rows[drawn.rows, layout.choices[drawn.entries]] == 1).all()
    assert torch.equal(layout.padded[drawn.columns, drawn.places], drawn.entries)
    names = vectors.schema.names
    assert not {names.index("country"), names.index("never_measured")} & set(drawn.columns.tolist())
    site = vectors.spans[names.index("site")]
    counts = rows[:, site.first_choice : site.stop].sum(dim=0)
    expected = (1 + counts).log() / (1 + counts).log().sum()
    places = drawn.places[drawn.columns == names.index("site")]
    assert torch.allclose(places.bincount() / len(places), expected, atol=0.03)
    assert len(drawn.rows[drawn.columns == names.index("site")].unique()) > 0.9 * len(rows)


def test_conditions_of_records_are_as_frequent_as_in_training(vectors, rows):
    layout = _layout(vectors)
    shares = Conditions(rows, layout).shares()
    assert shares.sum() == pytest.approx(1)
    means = rows[:, layout.choices].mean(dim=0).numpy()
    varying = shares > 0
    assert np.allclose(shares[varying] / shares[varying].sum(), means[varying] / means[varying].sum(), atol=1e-6)


def test_a_point_between_rows_lies_on_their_great_circle():
    starts, ends = torch.eye(4)[:2], torch.eye(4)[2:]
    for share in (0.0, 0.25, 1.0):
        between = slerp(starts, ends, torch.full((2, 1), share))
        assert torch.allclose(between.norm(dim=1), torch.ones(2), atol=1e-5)
        assert torch.allclose(
            (between * starts).sum(dim=1), torch.full((2,), np.cos(share * np.pi / 2)).float(), atol=1e-5
        )
    assert torch.isfinite(slerp(starts, starts, torch.full((2, 1), 0.5))).all()


@pytest.mark.parametrize(
    ("side", "sides"), [(4, [2]), (8, [4, 2]), (16, [8, 4, 2]), (24, [12, 6, 3]), (32, [16, 8, 4]), (64, [32, 16, 8])]
)
def test_convolutions_are_those_of_the_original(side, sides):
    assert image_side(side**2) == side
    layers = ConvolutionalCritic(side**2 - 2, 2, 8).layers[::3]
    assert [layer.out_channels for layer in layers] == [8, 16, 32][: len(sides)]
    generator = ConvolutionalGenerator(5, 2, 8, side**2).layers
    assert [layer.normalized_shape[1] for layer in generator if isinstance(layer, torch.nn.LayerNorm)] == sides[::-1]


@pytest.mark.parametrize("n_entries", [3, 17, 300, 5_000])
def test_convolutions_take_vectors_of_any_width(n_entries):
    assert image_side(n_entries) ** 2 >= n_entries
    generator, critic = ConvolutionalGenerator(5, 2, 1, n_entries), ConvolutionalCritic(n_entries, 2, 1)
    condition = torch.tensor([0, 1, 1])
    raw, _ = generator(torch.randn(3, 5), condition)
    values, features = critic(raw, condition)
    assert raw.shape == (3, n_entries) and values.shape == (3, 1) and len(features) == 3


@pytest.mark.parametrize("label", ["died", "age", "site", None])
@pytest.mark.parametrize("network", ["dense", "convolutional"])
def test_any_label_and_either_network_can_be_learned(patients, label, network):
    small = SMALL | {"network": network, "n_channels": 2}
    synthetic = CTABGANPlus(**small, sees_numbers=network == "dense").fit(patients, label).sample(30)
    infer_schema(patients, label).validate(synthetic)


def test_the_label_model_pulls_the_rest_of_the_record_not_the_label(training, vectors, rows):
    drawn = rows.clone().requires_grad_()
    training._label_loss(drawn).backward()
    label = vectors.spans[vectors.schema.names.index("died")]
    is_label = torch.zeros(rows.shape[1], dtype=torch.bool)
    is_label[label.start : label.stop] = True
    assert (drawn.grad[:, is_label] == 0).all() and (drawn.grad[:, ~is_label] != 0).any()


def test_it_learns_a_difference_of_groups():
    rng = np.random.default_rng(0)
    sick = rng.random(600) < 0.5
    train = pd.DataFrame(
        {"marker": np.where(sick, 8.0, 2.0) + rng.normal(0, 1, 600).round(2), "sick": sick.astype(int)}
    )
    model = CTABGANPlus(n_epochs=15, batch_size=64, n_noise=4, n_hidden=32, learning_rate=3e-3, n_modes=4)
    means = model.fit(train, "sick").sample(2_000).groupby("sick")["marker"].mean()
    assert 4 < means[1] - means[0] < 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_epochs": 0}, "n_epochs must be a whole number of at least 1, got 0"),
        ({"batch_size": 1}, "batch_size must be a whole number of at least 2, got 1"),
        ({"penalty": -1.0}, "penalty must be at least 0, got -1.0"),
        ({"learning_rate": -2e-4}, "learning_rate must be above 0, got -0.0002"),
        ({"network": "convolution"}, "Did you mean 'convolutional'"),
    ],
)
def test_impossible_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        CTABGANPlus(**arguments)


def test_steps_are_epochs_of_the_table_or_as_many_as_it_needs():
    assert CTABGANPlus(**PUBLISHED["ctabgan_plus_published"]).n_steps(3_105) == 150 * 15
    assert CTABGANPlus(n_epochs=3).n_steps(50) == 3
    assert [CTABGANPlus().n_steps(n) for n in (50, 10**6)] == [2_000, 2_500]


def _layout(vectors):
    numbers = {
        place: (modes.centers, modes.spreads)
        for place, modes in enumerate(vectors.columns)
        if isinstance(modes, NumberModes)
    }
    return Layout([(span.start, span.has_alpha, span.n_choices) for span in vectors.spans], numbers)


def test_a_frequent_value_far_below_a_long_tail_has_a_place_on_its_scale():
    numbers = np.r_[np.zeros(40), 600 + np.exp(np.random.default_rng(0).normal(0, 2, 60))]
    table = pd.DataFrame({"steps": numbers, "sick": [0, 1] * 50})
    modes = NumberModes(infer_schema(table)["steps"], numbers, seed=0)
    alphas, choices = modes.transform(numbers, np.random.default_rng(0))
    assert np.isfinite(modes.centers).all() and np.isfinite(alphas).all()
    back = modes.inverse(alphas, choices)
    assert (back[:40] == 0).all() and np.allclose(back[40:], numbers[40:], rtol=0.05)
