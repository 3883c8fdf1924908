"""EHRDiff: preconditioning, sampler, schedule, and what it learns of a table."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from method_contract import PUBLISHED
from scipy.stats import ks_2samp
from torch import nn

from rlsyn.baselines.ehrdiff import (
    Denoiser,
    EHRDiff,
    denoise,
    learning_rate_share,
    noise_levels,
)

QUICK = {"n_steps": 150, "batch_size": 64, "hidden_size": 32, "time_size": 16}
PUBLISHED_SPACE = {
    name: PUBLISHED["ehrdiff_published"][name] for name in ("sigma_data", "sigma_min", "scaling", "standardise")
}


class GaussianDenoiser(nn.Module):
    """The best denoiser of normal data with mean 0, known in closed form."""

    def __init__(self, deviation):
        super().__init__()
        self.deviation = deviation

    def forward(self, noisy, sigma):
        return self.deviation**2 / (self.deviation**2 + sigma**2) * noisy


@pytest.fixture(scope="module")
def pair():
    """Two lengths that go together, and a finding that follows from them; far from the middle of their ranges."""
    rng = np.random.default_rng(0)
    length = rng.lognormal(1, 0.3, 400)
    return pd.DataFrame(
        {"a": length, "b": length + rng.normal(0, 0.05, 400), "sick": (length > 3).astype(int), "c": rng.random(400)}
    )


def test_noise_levels_fall_from_80_to_0_02_and_end_at_0():
    levels = noise_levels(32, 0.02)
    assert len(levels) == 33
    assert levels[0] == pytest.approx(80)
    assert levels[-2] == pytest.approx(0.02, rel=1e-5)
    assert levels[-1] == 0
    assert (levels.diff() < 0).all()


@pytest.mark.parametrize("deviation", [0.1, 0.5, 2.0])
def test_sampler_gives_normal_data_their_standard_deviation(deviation):
    """The flow maps noise to `deviation` times the noise, but for the share that 80 is not infinite."""
    noise = torch.randn(500, 3)
    drawn = denoise(GaussianDenoiser(deviation), noise, noise_levels(32, 0.02))
    assert torch.allclose(drawn, deviation * noise, rtol=0.03, atol=1e-4)


def test_heun_is_of_second_order():
    """Twice the levels, about a quarter of the error: Euler's method would halve it."""

    def error(n_levels):
        levels = torch.linspace(4, 1, n_levels + 1)
        drawn = denoise(GaussianDenoiser(1.0), torch.ones(1, 1), levels)
        return abs(drawn.item() - 4 * math.sqrt((1 + 1) / (1 + 16)))

    assert error(8) / error(16) == pytest.approx(4, rel=0.2)


def test_new_denoiser_is_the_best_one_for_normal_data():
    noisy, sigma = torch.randn(20, 5), torch.rand(20, 1) + 0.1
    denoiser = Denoiser(5, 16, 8, sigma_data=0.3)
    assert torch.allclose(denoiser(noisy, sigma), GaussianDenoiser(0.3)(noisy, sigma), atol=1e-6)


def test_loss_of_a_new_denoiser_is_one():
    """EDM's weights make the network's target a unit normal for data with standard deviation sigma_data."""
    denoiser = Denoiser(4, 16, 8, sigma_data=0.3)
    assert denoiser.loss(0.3 * torch.randn(20_000, 4)).item() == pytest.approx(1, rel=0.03)


def test_denoiser_knows_the_noise_level():
    denoiser = Denoiser(3, 16, 8, 0.5)
    nn.init.normal_(denoiser.layers[-1].weight)
    scaled = torch.randn(10, 3)
    low, high = (denoiser.correction(scaled, torch.full((10, 1), level)) for level in (-1.0, 1.0))
    assert not torch.allclose(low, high, atol=1e-3)


def test_reference_fault_most_steps_are_warm_up():
    """20,000 of about 27,500 steps warmed up: here it is a share, and the highest rate comes early."""
    for n_steps in (100, 27_500):
        rates = [learning_rate_share(step, n_steps, 0.05) for step in range(n_steps)]
        assert np.argmax(rates) <= 0.05 * n_steps
        assert max(rates) == 1
        assert 0 < rates[0] <= 0.2
        assert 0 <= rates[-1] < 1e-3


def test_without_warm_up_the_highest_rate_comes_first():
    assert learning_rate_share(0, 10, 0.0) == 1


@pytest.mark.parametrize(("space", "correlation"), [({}, -0.6), (PUBLISHED_SPACE, -0.9)])
def test_few_steps_learn_two_groups_and_nothing_between_them(space, correlation):
    """Averaged at 0.999 from the first step on, three quarters of the weights would be those before learning."""
    rng = np.random.default_rng(0)
    high = rng.random(300) < 0.5
    train = pd.DataFrame({"x": rng.normal(10.0 * high, 0.5), "y": rng.normal(-10.0 * high, 0.5)})
    quick = {"n_steps": 400, "batch_size": 96, "hidden_size": 64, "time_size": 16, "learning_rate": 1e-2}
    drawn = EHRDiff(**quick, **space).fit(train).sample(1_000)
    assert drawn["x"].between(2.5, 7.5).mean() < 0.1
    assert (drawn["x"] > 5).mean() == pytest.approx(high.mean(), abs=0.15)
    # Ranks close the gap between the groups: records near the middle of both may fall to either side.
    assert drawn["x"].corr(drawn["y"]) < correlation


@pytest.mark.parametrize("space", [{}, PUBLISHED_SPACE])
def test_numbers_stay_in_the_training_range(pair, space):
    drawn = EHRDiff(**QUICK | {"n_steps": 5}, **space).fit(pair).sample(500)
    for name in ("a", "b", "c"):
        assert pair[name].min() <= drawn[name].min()
        assert drawn[name].max() <= pair[name].max()


def test_same_seed_same_records_whatever_was_drawn_before(patients):
    first = EHRDiff(seed=3, **QUICK | {"n_steps": 10}).fit(patients).sample(50)
    torch.manual_seed(99)
    again = EHRDiff(seed=3, **QUICK | {"n_steps": 10}).fit(patients)
    pd.testing.assert_frame_equal(first, again.sample(50))
    assert not first.equals(again.sample(50, seed=4))
    assert not first.equals(EHRDiff(seed=4, **QUICK | {"n_steps": 10}).fit(patients).sample(50, seed=3))


def test_it_says_and_writes_nothing_unasked(pair, tmp_path, monkeypatch, capfd, recwarn):
    monkeypatch.chdir(tmp_path)
    EHRDiff(**QUICK | {"n_steps": 3}).fit(pair).sample(5)
    assert capfd.readouterr() == ("", "")
    assert [str(warning.message) for warning in recwarn] == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_steps": 0}, "n_steps must be a whole number of at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1, got 0"),
        ({"time_size": 7}, "time_size must be even"),
        ({"warm_up": 1.0}, "warm_up must be a share"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0, got 0"),
        ({"sigma_min": 80.0}, "sigma_min must be above 0 and below 80, got 80"),
        ({"n_steps": 9, "n_epochs": 9}, "either n_steps or n_epochs"),
        ({"n_sampling_steps": 1}, "n_sampling_steps must be a whole number of at least 2, got 1"),
        ({"scaling": "rnage"}, "Did you mean 'range'"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        EHRDiff(**arguments)


def test_the_published_setting_trains_for_epochs():
    """2,500 epochs of 8 batches on 3,105 rows, whatever is left of the last batch."""
    assert EHRDiff(**PUBLISHED["ehrdiff_published"])._count_steps(3_105) == 20_000
    assert [EHRDiff()._count_steps(n_rows) for n_rows in (50, 10**6)] == [1_000, 6_000]


def test_findings_and_skewed_numbers_keep_their_shares():
    rng = np.random.default_rng(0)
    train = pd.DataFrame({"crp": rng.lognormal(0, 1.5, 500).round(2), "steps": rng.poisson(9_000, 500)})
    train.loc[train.index[::3], "steps"] = 0
    train["obese"] = (rng.random(500) < 0.2).astype(int)
    quick = {"n_steps": 300, "batch_size": 128, "hidden_size": 64, "time_size": 32, "learning_rate": 1e-2}
    drawn = EHRDiff(**quick).fit(train).sample(1_000)
    assert ks_2samp(drawn["crp"], train["crp"]).statistic < 0.12
    assert (drawn["steps"] == 0).mean() == pytest.approx(1 / 3, abs=0.08)
    assert drawn["obese"].mean() == pytest.approx(train["obese"].mean(), abs=0.08)
