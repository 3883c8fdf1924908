"""What a training with a stock policy leaves to sample from: the policy as it is in the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback

from envs.record_env import RecordEngine
from rlsyn.algorithms.drawing import draw_records, engine_arguments, single_noise
from rlsyn.algorithms.table import Algorithm, fast_names
from rlsyn.encoding import Encoding
from rlsyn.randomness import global_seed
from rlsyn.sampling import DrawLevels
from rlsyn.selection import Criterion, Selected


class StockActors:
    """The counterpart of `TrainedActors` for policies that are not `AutoregressivePolicy`: there is one, the last.

    It is neither averaged, nor selected, nor calibrated. Noise that training adds to actions (TD3, DDPG) is added when
    records are sampled, too: without it their policies fill in one and the same record always, and with it are the
    records that were rewarded.

    Args:
        model: The algorithm.
        how: Its entry in the table.
        encoding: Of the training records.

    Attributes:
        is_finished: Whether training came to its end; true before it begins.
    """

    def __init__(self, model: BaseAlgorithm, how: Algorithm, encoding: Encoding) -> None:
        self.model, self.how = model, how
        self._arguments = engine_arguments(encoding, how)
        self.selected, self.is_finished = Selected(), True

    def draw_fn(self, name: str, seed: int, temperature: float) -> DrawLevels:
        """Draws levels from the policy: the same seed gives the same ones.

        Raises:
            ValueError: Another policy than `"trained"` or `"last"`, or a temperature.
        """
        if name not in ("trained", "last"):
            raise ValueError(
                f"{self.how.name} has no policy {name!r}: it started from scratch, and its policy is 'trained' (or "
                f"'last', the same). A warm start has: {fast_names()}."
            )
        if temperature != 1:
            raise ValueError(
                f"A temperature goes with {fast_names()}; {self.how.name} samples at 1, got {temperature}."
            )
        seeds = np.random.default_rng(seed)

        def draw(n: int, given: dict[int, int]) -> torch.Tensor:
            with global_seed(int(seeds.integers(2**32))):
                return self._draw(n, given)

        return draw

    def first_records(self, n: int) -> np.ndarray:
        """Records `(n, n_attributes)` of the policy before it is trained, drawn with the global generators."""
        return self._draw(n, {}).numpy()

    def callbacks(self, criterion: Criterion | None) -> list[BaseCallback]:
        """None: nothing is averaged or selected."""
        return []

    def calibrate(self, marginals: Sequence[np.ndarray]) -> None:
        """Leaves the policy as it is: it has no biases of levels to shift."""

    def state_dict(self) -> dict[str, Any]:
        """All but what the algorithm's own state holds."""
        return {"is_finished": self.is_finished}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.is_finished = state["is_finished"]

    def _draw(self, n: int, given: dict[int, int]) -> torch.Tensor:
        engine = RecordEngine(n=n, **self._arguments)
        return torch.as_tensor(draw_records(self.model, engine, given, single_noise(self.model)))
