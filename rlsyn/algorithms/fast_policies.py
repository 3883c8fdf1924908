"""The fast policy and buffer in the forms that TRPO and MaskablePPO take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from sb3_contrib.common.maskable.buffers import MaskableRolloutBuffer, MaskableRolloutBufferSamples
from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy
from stable_baselines3.common.distributions import Distribution
from stable_baselines3.common.type_aliases import PyTorchObs
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from rlsyn.networks.autoregressive import IMPOSSIBLE
from rlsyn.policy import AutoregressivePolicy
from rlsyn.rollout import RecordRolloutBuffer


class WholeRecordPolicy(AutoregressivePolicy):
    """An `AutoregressivePolicy` that answers for all steps of finished records at once, as TRPO asks it.

    TRPO asks for the distributions and the values of the observations that the buffer yields; those of
    `RecordRolloutBuffer` are finished records, each of which stands for all of its steps.
    """

    def get_distribution(self, obs: PyTorchObs) -> Distribution:
        """The distributions of the next levels; of finished records those of all their steps, flat."""
        if not self._are_finished(obs):
            return super().get_distribution(obs)
        # TRPO differentiates twice, which the fused kernels of a transformer's attention have no answer to.
        with sdpa_kernel(SDPBackend.MATH):
            by_bucket = self.masks.of_buckets(self.actor(self.vectors(self._as_levels(obs))))
        width = int(self.encoding.n_levels.max())
        steps = []
        for attribute, (bucket, row) in enumerate(self.actor.heads.bucket_of):
            logits = by_bucket[bucket][row][:, : int(self.encoding.n_levels[attribute])]
            steps.append(nn.functional.pad(logits, (0, width - logits.shape[1]), value=IMPOSSIBLE))
        return self.action_dist.proba_distribution(action_logits=torch.stack(steps, 1).flatten(0, 1))

    def predict_values(self, obs: PyTorchObs) -> Tensor:
        """Values `(n, 1)` of observations; of finished records those of all their steps, flat."""
        if not self._are_finished(obs):
            return super().predict_values(obs)
        values: Tensor = self.critic(self.vectors(self._as_levels(obs)))
        return values.flatten().unsqueeze(1)

    def named_parameters(self, *args: Any, **kwargs: Any) -> Iterator[tuple[str, nn.Parameter]]:
        """Those that are trained: TRPO differentiates by each, which the frozen reference has no answer to."""
        return ((name, value) for name, value in super().named_parameters(*args, **kwargs) if value.requires_grad)

    def _are_finished(self, obs: PyTorchObs) -> bool:
        return bool((self._as_levels(obs)[:, -1] >= 0).all())


class MaskedPolicy(AutoregressivePolicy):
    """An `AutoregressivePolicy` in the form that MaskablePPO asks for.

    The policy never chooses what the environment's `action_masks` forbid, since both have them from the encoding; so
    the masks that are handed over are not looked at, and MaskablePPO trains as PPO does.
    """

    def forward(
        self, obs: PyTorchObs, deterministic: bool = False, action_masks: np.ndarray | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As `AutoregressivePolicy.forward`."""
        return super().forward(obs, deterministic)

    def evaluate_actions(
        self, obs: PyTorchObs, actions: Tensor, action_masks: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As `AutoregressivePolicy.evaluate_actions`."""
        return super().evaluate_actions(obs, actions)


class MaskedRolloutBuffer(RecordRolloutBuffer):
    """A `RecordRolloutBuffer` in the form that MaskablePPO asks for; it stores no masks, `MaskedPolicy` has them.

    Args:
        buffer_size: See `RecordRolloutBuffer`.
        observation_space: See `RecordRolloutBuffer`.
        action_space: See `RecordRolloutBuffer`.
        device: Where samples are put.
        kwargs: Further arguments of `RecordRolloutBuffer`.
    """

    def __init__(
        self,
        buffer_size: int,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        device: torch.device | str = "auto",
        **kwargs: Any,
    ) -> None:
        super().__init__(buffer_size, observation_space, action_space, device=device, **kwargs)

    def add(self, *args: Any, action_masks: np.ndarray | None = None, **kwargs: Any) -> None:
        """As `RecordRolloutBuffer.add`."""
        super().add(*args, **kwargs)

    def get(self, batch_size: int | None = None) -> Iterator[MaskableRolloutBufferSamples]:  # type: ignore[override]
        """As `RecordRolloutBuffer.get`, without masks."""
        for samples in super().get(batch_size):
            yield MaskableRolloutBufferSamples(*samples, action_masks=None)  # type: ignore[arg-type]  # as without masks


# MaskablePPO asks what they are, not what they can do.
MaskableActorCriticPolicy.register(MaskedPolicy)
MaskableRolloutBuffer.register(MaskedRolloutBuffer)
