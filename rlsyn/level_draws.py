"""How levels are drawn from their probabilities: one record by itself, or many at once so that together they are typical."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.quasirandom import SobolEngine

MAX_SEED = 2**31 - 1


def draw_levels(logits: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Independent levels `(n,)` of logits `(n, n_levels)`.

    The Gumbel trick, which needs neither a normalised sum nor a synchronisation with the host.
    """
    uniform = torch.rand(logits.shape, generator=generator, device=logits.device)
    return (logits - torch.log(-torch.log(uniform.clamp(1e-12, 1 - 1e-7)))).argmax(-1)


def draw_balanced_levels(logits: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Balanced levels `(n,)` of logits `(n, n_levels)`: together they are as frequent as expected, nearly without chance.

    Each level by itself has exactly the probability that its logits say. But where a level is expected m times among the
    records, it is drawn m times, give or take a few, while independent draws miss m by its square root; and so among
    those records alone whose expected levels are alike, which keeps the relation to what they depend on. Records are
    sorted by their expected level, and in that order their distribution functions are inverted at the points of a
    scrambled Sobol sequence, of which each is uniform and neighbours are far apart.

    References:
        L'Ecuyer, Lécot, Tuffin: A randomized quasi-Monte Carlo simulation method for Markov chains, Operations
        Research 56(4), 2008 (Array-RQMC). Owen: Randomly permuted (t,m,s)-nets and (t,s)-sequences, 1995.
    """
    n, n_levels = logits.shape
    cumulated = logits.double().softmax(-1).cumsum(-1)
    # The sum of the distribution function falls as the expected level rises. Who comes first of equals is chance.
    shuffled = torch.randperm(n, generator=generator, device=logits.device)
    order = shuffled[cumulated.sum(-1)[shuffled].argsort()]
    seed = int(torch.randint(MAX_SEED, (1,), generator=generator, device=logits.device))
    points = SobolEngine(1, scramble=True, seed=seed).draw(n, dtype=torch.float64).to(logits.device)
    uniform = torch.empty_like(cumulated[:, :1])
    uniform[order] = points
    # Strictly below the last sum, so that a level without probability is never found.
    found = torch.searchsorted(cumulated, uniform * cumulated[:, -1:], right=True).squeeze(1)
    return found.clamp(max=n_levels - 1)
