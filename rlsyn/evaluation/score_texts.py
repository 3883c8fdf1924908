"""Scores as texts, alike on a terminal and in the report."""

from __future__ import annotations

import math


def number(value: float) -> str:
    """A score as people read it: three decimals, none from 100 on, never 0 for what is not; a dash where there is none."""
    if math.isnan(value):
        return "-"
    if value == 0:
        return "0"
    if abs(value) < 0.0005:
        return "<0.001" if value > 0 else ">-0.001"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3f}"


def interval(low: float, high: float) -> str:
    """The ends of an interval; nothing where there is none."""
    return "" if math.isnan(low) else f"{number(low)} to {number(high)}"
