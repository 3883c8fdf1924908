"""Staircase layers: what a masked linear layer gives, and its gradients."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from rlsyn.networks.staircase import HEIGHT, staircase_linear, steps_of


def staircase(n_out, n_in, first=0):
    """Later outputs see more; the first ones nothing."""
    return np.arange(n_out)[:, None] * n_in > (np.arange(n_in)[None, :] + first) * n_out


@pytest.mark.parametrize(("n_out", "n_in", "first"), [(3, 2, 0), (HEIGHT, 7, 0), (3 * HEIGHT + 1, 40, 20), (5, 0, 0)])
@pytest.mark.parametrize("has_bias", [True, False])
def test_outputs_and_gradients_are_those_of_the_masked_layer(n_out, n_in, first, has_bias):
    mask = staircase(n_out, n_in, first)
    weight = torch.randn(n_out, n_in, dtype=torch.float64) * torch.as_tensor(mask)
    inputs = torch.randn(4, n_in, dtype=torch.float64), weight, torch.randn(n_out, dtype=torch.float64)
    found = []
    for layer in (F.linear, lambda *given: staircase_linear(*given, steps_of(mask))):
        leaves = [tensor.clone().requires_grad_() for tensor in inputs]
        outputs = layer(*leaves) if has_bias else layer(*leaves[:2], None)
        outputs.square().sum().backward()
        found.append([outputs, leaves[0].grad, leaves[1].grad * torch.as_tensor(mask), *leaves[2:][: int(has_bias)]])
    for expected, got in zip(*found, strict=True):
        assert torch.allclose(expected, got)


def test_second_derivatives_are_right():
    """TRPO asks for them."""
    mask = staircase(HEIGHT + 2, 3)
    weight = (torch.randn(HEIGHT + 2, 3, dtype=torch.float64) * torch.as_tensor(mask)).requires_grad_()
    values = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    layer = lambda values, weight: staircase_linear(values, weight * torch.as_tensor(mask), None, steps_of(mask))
    assert torch.autograd.gradgradcheck(layer, (values, weight))


def test_steps_spare_half_of_a_triangle_and_nothing_of_a_full_weight():
    n = 20 * HEIGHT
    shares = [
        sum((rows.stop - rows.start) * columns.stop for rows, columns in steps_of(mask)) / n**2
        for mask in (np.tri(n, dtype=bool), np.ones((n, n), dtype=bool))
    ]
    assert shares == [pytest.approx(0.525), 1.0]
