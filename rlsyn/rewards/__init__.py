"""Reward terms: what a finished record earns, one term per file."""

from rlsyn.rewards.assembly import assemble_reward
from rlsyn.rewards.constraints import ConstraintReward
from rlsyn.rewards.decoder import Decoder
from rlsyn.rewards.own import OwnReward
from rlsyn.rewards.privacy import PrivacyReward
from rlsyn.rewards.realism import RealismReward
from rlsyn.rewards.total import TotalReward

__all__ = [
    "ConstraintReward",
    "Decoder",
    "OwnReward",
    "PrivacyReward",
    "RealismReward",
    "TotalReward",
    "assemble_reward",
]
