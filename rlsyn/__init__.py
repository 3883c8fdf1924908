"""Synthetic patient records by reinforcement learning."""

from rlsyn.synthesizer import RLSyn

__all__ = ["RLSyn"]
