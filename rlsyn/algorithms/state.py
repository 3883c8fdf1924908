"""The whole state of an algorithm, as tensors and plain values: what its own `save` would pickle is left out."""

from __future__ import annotations

from typing import Any

import torch
from stable_baselines3.common.base_class import BaseAlgorithm

from rlsyn.algorithms.replay import RecordReplayBuffer
from rlsyn.policy import AutoregressivePolicy

_COUNTERS = ("_n_updates", "_n_calls", "_episode_num")


def algorithm_state(model: BaseAlgorithm) -> dict[str, Any]:
    """All that an algorithm needs to go on, but for the number of steps and the random generators."""
    if isinstance(model.policy, AutoregressivePolicy):
        return {
            "policy": model.policy.state_dict(),
            "optimizer": model.policy.optimizer.state_dict(),
            "n_updates": model._n_updates,
        }
    buffer = getattr(model, "replay_buffer", None)
    return {
        "parameters": model.get_parameters(),
        "tensors": {name: getattr(model, name).detach() for name in model._get_torch_save_params()[1]},
        "replay": buffer.state_dict() if isinstance(buffer, RecordReplayBuffer) else None,
        "counters": {name: getattr(model, name) for name in _COUNTERS if hasattr(model, name)},
    }


def load_algorithm_state(model: BaseAlgorithm, state: dict[str, Any]) -> None:
    """The inverse of `algorithm_state`."""
    if isinstance(model.policy, AutoregressivePolicy):
        model.policy.load_state_dict(state["policy"])
        model.policy.optimizer.load_state_dict(state["optimizer"])
        model._n_updates = state["n_updates"]
        return
    model.set_parameters(state["parameters"], device=model.device)
    for name, value in state["tensors"].items():
        getattr(model, name).data.copy_(value)
    if state["replay"] is not None:
        model.replay_buffer.load_state_dict(state["replay"])  # type: ignore[attr-defined]  # off-policy only
    for name, value in state["counters"].items():
        setattr(model, name, value)
    if hasattr(model, "weights"):  # ARS's own copy of the policy
        model.weights = torch.nn.utils.parameters_to_vector(model.policy.parameters()).detach()
