"""The loss of a discriminator: its value and its written-out derivatives are those of autograd."""

from itertools import pairwise

import pytest
import torch
from torch.nn import functional as F

from rlsyn.adversarial_loss import SLOPE, adversarial_loss, judge

WIDTH, GAMMA = 7, 3.0


def _layers(*hidden):
    sizes = pairwise([WIDTH, *hidden, 1])
    return [(torch.randn(n_out, n_in), torch.randn(n_out)) for n_in, n_out in sizes]


def _by_autograd(real, synthetic, layers, dropout=0.0):
    """Loss and derivatives by differentiating twice; masks are drawn as `judge` draws them, layer by layer."""
    layers = [tuple(part.clone().requires_grad_() for part in layer) for layer in layers]
    masks = [torch.rand(len(real) + len(synthetic), len(bias)) >= dropout for _, bias in layers[:-1]] if dropout else []
    real = real.clone().requires_grad_()
    values = torch.cat([real, synthetic])
    for i, (weight, bias) in enumerate(layers):
        values = F.linear(values, weight, bias)
        if i < len(layers) - 1:
            values = F.leaky_relu(values, SLOPE)
            values = values * masks[i] / (1 - dropout) if masks else values
    of_real, of_synthetic = values.squeeze(1).tensor_split([len(real)])
    (slope,) = torch.autograd.grad(of_real.sum(), real, create_graph=True)
    loss = F.binary_cross_entropy_with_logits(of_real, torch.ones_like(of_real))
    loss = loss + F.binary_cross_entropy_with_logits(of_synthetic, torch.zeros_like(of_synthetic))
    loss = loss + GAMMA / 2 * slope.square().sum(1).mean()
    return loss, torch.autograd.grad(loss, [part for layer in layers for part in layer])


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("hidden", [(), (9,), (9, 8), (9, 8, 6)], ids=str)
def test_loss_and_derivatives_are_those_of_differentiating_twice(hidden, dropout):
    torch.manual_seed(0)
    layers, real, synthetic = _layers(*hidden), torch.randn(20, WIDTH), torch.randn(30, WIDTH)
    torch.manual_seed(1)
    judged = judge(real, synthetic, layers, GAMMA, dropout)
    torch.manual_seed(1)
    loss, gradients = _by_autograd(real, synthetic, layers, dropout)
    torch.testing.assert_close(judged.loss(), loss.detach())
    for found, expected in zip(judged.gradients, gradients, strict=True):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_loss_can_be_differentiated_as_any_other():
    torch.manual_seed(0)
    layers, real, synthetic = _layers(9, 8), torch.randn(20, WIDTH), torch.randn(30, WIDTH)
    parameters = [part.requires_grad_() for layer in layers for part in layer]
    loss, logits = adversarial_loss(real, synthetic, layers, GAMMA)
    assert not logits.requires_grad and logits.shape == (50,)
    (3 * loss).backward()
    for parameter, expected in zip(parameters, judge(real, synthetic, layers, GAMMA).gradients, strict=True):
        torch.testing.assert_close(parameter.grad, 3 * expected)


def test_batch_is_left_as_it_was():
    layers, real, synthetic = _layers(9), torch.randn(20, WIDTH), torch.randn(30, WIDTH)
    before = real.clone(), synthetic.clone()
    judge(real, synthetic, layers, GAMMA, dropout=0.5)
    assert torch.equal(real, before[0]) and torch.equal(synthetic, before[1])


def test_dropout_drops_that_share_and_keeps_the_mean():
    torch.manual_seed(0)
    # Hidden units are 1 before dropout, and the logit is their mean: its own mean stays 1, its variance tells the share.
    layers = [(torch.zeros(500, WIDTH), torch.ones(500)), (torch.full((1, 500), 1 / 500), torch.zeros(1))]
    logits = judge(torch.zeros(2_000, WIDTH), torch.zeros(2_000, WIDTH), layers, GAMMA, dropout=0.2).logits
    assert float(logits.mean()) == pytest.approx(1, abs=0.01)
    assert float(logits.var()) * 500 == pytest.approx(0.2 / 0.8, rel=0.1)
