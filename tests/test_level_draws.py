"""Draws of levels: each record has the probabilities of its logits, and balanced ones are typical together, too."""

import numpy as np
import pytest
import torch

from rlsyn.level_draws import draw_balanced_levels, draw_levels
from rlsyn.networks.autoregressive import IMPOSSIBLE

WAYS = [draw_levels, draw_balanced_levels]


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("draw", WAYS)
def test_every_record_has_the_probabilities_of_its_logits(draw):
    logits = torch.randn(7, 4, generator=seeded(0)) * 1.5
    generator, n_draws = seeded(1), 4_000
    drawn = torch.stack([draw(logits, generator) for _ in range(n_draws)])
    shares = torch.stack([(drawn == level).double().mean(0) for level in range(4)], dim=1)
    assert (shares - logits.softmax(-1)).abs().max() < 4 * 0.5 / n_draws**0.5


@pytest.mark.parametrize("draw", WAYS)
@pytest.mark.parametrize("possible", [[0], [1], [3], [1, 2]])
def test_impossible_levels_are_never_drawn(draw, possible):
    logits = torch.full((5_000, 4), IMPOSSIBLE)
    logits[:, possible] = torch.randn(5_000, len(possible), generator=seeded(0))
    for seed in range(5):
        assert set(draw(logits, seeded(seed)).tolist()) == set(possible)


def misses(draw, logits, rows=slice(None), n_draws=20):
    """Root mean square of what the frequency of a level differs from its expectation."""
    expected = logits[rows].double().softmax(-1).sum(0)
    counts = [torch.bincount(draw(logits, seeded(seed))[rows], minlength=logits.shape[1]) for seed in range(n_draws)]
    return float(((torch.stack(counts) - expected) ** 2).mean() ** 0.5)


def test_balanced_levels_are_as_frequent_as_expected():
    logits = 2 * torch.randn(999, 1, generator=seeded(0)) * torch.linspace(-1, 1, 8)
    assert misses(draw_balanced_levels, logits) < 0.5 * misses(draw_levels, logits)
    alike = logits[:1].expand(999, 8)
    assert misses(draw_balanced_levels, alike) < 1.5 < 7 < misses(draw_levels, alike)
    unlike = torch.randn(999, 8, generator=seeded(0))  # nothing that they could be sorted by
    assert misses(draw_balanced_levels, unlike) < 0.9 * misses(draw_levels, unlike)


def test_balanced_levels_are_as_frequent_as_expected_among_those_alike():
    means = torch.rand(1_000, generator=seeded(0))
    logits = torch.stack([torch.zeros(1_000), 6 * means - 3], dim=1)
    high = means > 0.6
    assert misses(draw_balanced_levels, logits, high) < 2.5 < 6 < misses(draw_levels, logits, high)


def test_attributes_that_are_not_related_stay_so():
    generator, correlations = seeded(0), []
    for _ in range(400):
        first, second = (draw_balanced_levels(torch.zeros(64, 8), generator) for _ in range(2))
        correlations.append(float(np.corrcoef(first, second)[0, 1]))
    assert abs(np.mean(correlations)) < 4 * 64**-0.5 / 400**0.5
    assert 0.7 * 64**-0.5 < np.std(correlations) < 1.3 * 64**-0.5


@pytest.mark.parametrize("draw", WAYS)
def test_a_generator_makes_draws_repeat_and_nothing_else_is_touched(draw):
    logits, state = torch.zeros(50, 6), torch.get_rng_state()
    first, second, other = (draw(logits, seeded(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, second) and not torch.equal(first, other)
    assert torch.equal(state, torch.get_rng_state())
    assert draw(logits[:1], seeded(0)).shape == (1,)
