"""Levels that a policy may not choose, because no value in them obeys the declared rules."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from rlsyn.networks.autoregressive import LevelHeads


class LevelMasks(nn.Module):
    """Takes the mass off forbidden levels and shares it among the others in proportion.

    Args:
        heads: How the attributes lie in buckets.
        allowed: By attribute which levels may be chosen, `(n_levels,)` bool each, at least one true.
    """

    _is_forbidden: Tensor

    def __init__(self, heads: LevelHeads, allowed: Sequence[np.ndarray]) -> None:
        super().__init__()
        self._masked = {attribute for attribute, levels in enumerate(allowed) if not levels.all()}
        self._buckets = sorted({heads.bucket_of[attribute][0] for attribute in self._masked})
        n_levels = max(len(levels) for levels in allowed)
        is_forbidden = np.zeros((len(allowed), n_levels), dtype=bool)
        for attribute, levels in enumerate(allowed):
            is_forbidden[attribute, : len(levels)] = ~levels
        self.register_buffer("_is_forbidden", torch.as_tensor(is_forbidden), persistent=False)
        for bucket in self._buckets:
            inside = [attribute for attribute, (number, _) in enumerate(heads.bucket_of) if number == bucket]
            inside.sort(key=lambda attribute: heads.bucket_of[attribute][1])
            self.register_buffer(f"_bucket_{bucket}", torch.as_tensor(is_forbidden[inside]), persistent=False)

    def of_shares(self, shares: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Shares of the levels by attribute as they are among the levels that are allowed, if any of those has one."""
        result = list(shares)
        for attribute in self._masked:
            forbidden = self._is_forbidden[attribute, : len(shares[attribute])].cpu().numpy()
            among = np.where(forbidden, 0.0, shares[attribute])
            result[attribute] = among / among.sum() if among.any() else shares[attribute]
        return result

    def of_step(self, logits: Tensor, attribute: int) -> Tensor:
        """The logits `(n, n_levels)` of one attribute, those of forbidden levels the lowest there is."""
        if attribute not in self._masked:
            return logits
        forbidden: Tensor = self._is_forbidden[attribute, : logits.shape[1]]
        return logits.masked_fill(forbidden, torch.finfo(logits.dtype).min)

    def of_buckets(self, log_probabilities: list[Tensor]) -> list[Tensor]:
        """Log-probabilities by bucket (`LevelHeads.forward`), normalised again over the levels that are allowed."""
        result = list(log_probabilities)
        for bucket in self._buckets:
            forbidden: Tensor = getattr(self, f"_bucket_{bucket}")
            forbidden = forbidden[:, None, : result[bucket].shape[-1]]
            result[bucket] = torch.log_softmax(
                result[bucket].masked_fill(forbidden, torch.finfo(result[bucket].dtype).min), dim=-1
            )
        return result
