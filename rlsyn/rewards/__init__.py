"""Reward terms: what a finished record earns, one term per file.

Four terms come with the project: `realism` (the discriminator), `trees` (a boosted forest beside it), `constraints`
(the schema's declared rules) and `privacy` (nearness to training rows). Any function of a table of decoded records can stand beside them.

Example:
    >>> import pandas as pd
    >>> from rlsyn import RLSyn
    >>> train = pd.DataFrame({"age": [47, 52, 68] * 20, "sex": ["f", "m"] * 30, "died": [0] * 40 + [1] * 20})
    >>> def is_old(table):
    ...     return table["age"] > 60
    >>> weights, sizes = {"is_old": 2, "privacy": 0.5}, {"n_records": 64, "n_discriminator_warm_up": 10}
    >>> model = RLSyn(rewards=[is_old], reward_weights=weights, total_timesteps=2 * 64 * 3, **sizes)
    >>> len(model.fit(train, label="died").sample(5))
    5
    >>> model.reward_weights
    {'realism': 1.0, 'trees': 1.0, 'constraints': 1.0, 'privacy': 0.5, 'is_old': 2.0}
"""

from rlsyn.rewards.assembly import assemble_reward
from rlsyn.rewards.constraints import ConstraintReward
from rlsyn.rewards.decoder import Decoder
from rlsyn.rewards.own import OwnReward
from rlsyn.rewards.privacy import PrivacyReward
from rlsyn.rewards.realism import RealismReward
from rlsyn.rewards.total import TotalReward
from rlsyn.rewards.trees import TreesReward

__all__ = [
    "ConstraintReward",
    "Decoder",
    "OwnReward",
    "PrivacyReward",
    "RealismReward",
    "TotalReward",
    "TreesReward",
    "assemble_reward",
]
