"""Reward terms: what a finished record earns, one term per file."""

from rlsyn.rewards.realism import RealismReward

__all__ = ["RealismReward"]
