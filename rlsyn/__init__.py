"""Synthetic patient records by reinforcement learning."""
