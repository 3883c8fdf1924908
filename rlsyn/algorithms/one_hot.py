"""The width of record observations for stock policies."""

from __future__ import annotations

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor, FlattenExtractor
from torch import nn


class OneHotExtractor(FlattenExtractor):
    """SB3's `FlattenExtractor` of one-hot levels, but for the width, a Python integer that does not overflow.

    SB3 adds up numbers of levels in the type of the observation space, int16 here, which a wide table exceeds; and an
    LSTM takes no NumPy integer.
    """

    def __init__(self, observation_space: spaces.Space) -> None:
        assert isinstance(observation_space, spaces.MultiDiscrete)
        BaseFeaturesExtractor.__init__(self, observation_space, int(observation_space.nvec.astype(np.int64).sum()))
        self.flatten = nn.Flatten()
