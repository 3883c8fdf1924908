"""ARS on records: every candidate policy fills in its share of a rollout's records."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from sb3_contrib import ARS
from stable_baselines3.common.callbacks import BaseCallback

from envs.record_env import RecordEngine
from rlsyn.algorithms.drawing import draw_records


class PopulationEvaluation:
    """What `ARS.learn` takes as `async_eval`: the records of all candidates, rewarded in one call.

    ARS's own evaluation in one process counts the steps of vectorised environments once for each of their records, and
    does not tell callbacks which records were finished. This one reports a whole population as one step: so many
    environment steps as its records took, their rewards, and the records to the callbacks.

    Args:
        model: Its policy is the mould of the candidates, its environment has the reward function.
        engine: Fills in the records of one candidate.
        callback: Told of the finished records.
    """

    def __init__(self, model: ARS, engine: RecordEngine, callback: BaseCallback) -> None:
        self._model, self._engine, self._callback = model, engine, callback
        self._candidates = torch.zeros((0, 0))
        n_records = model.pop_size * len(engine.filled)
        self.remotes = range(n_records * len(engine.n_levels))
        """As many as the steps of a population, which ARS therefore counts at once."""

    def send_jobs(self, candidate_weights: torch.Tensor, pop_size: int) -> None:
        """Take the weights `(pop_size, n_weights)` of the candidates."""
        self._candidates = candidate_weights

    def get_results(self) -> Iterator[tuple[int, tuple[list[float], list[int]]]]:
        """By candidate the rewards and lengths of its episodes."""
        policy, n, n_attributes = deepcopy(self._model.policy), len(self._engine.filled), len(self._engine.n_levels)
        records = []
        for weights in self._candidates:
            policy.load_from_vector(weights.cpu().numpy())
            records.append(draw_records(policy, self._engine))
        assert self._model.env is not None
        rewards = self._model.env.get_attr("reward_fn")[0](np.concatenate(records))
        infos = [{"record": record} for of_candidate in records for record in of_candidate]
        self._callback.update_locals({"dones": np.ones(len(infos), dtype=bool), "infos": infos})
        for number, of_candidate in enumerate(rewards.reshape(-1, n).tolist()):
            yield number, (of_candidate, [n_attributes] * n)

    def get_obs_rms(self) -> list[Any]:
        """Nothing: observations are not normalised."""
        return []

    def close(self) -> None:
        """Nothing to release."""
