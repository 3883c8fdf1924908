"""Scores as texts, alike on a terminal and in the report."""

from __future__ import annotations

import math


def number(value: float) -> str:
    """A score as people read it: three decimals, none from 100 on, never 0 for what is not; a dash where there is none.

    Example:
        >>> [number(value) for value in (0.12345, 1e-5, 1234.5, -2.5e20, float("nan"))]
        ['0.123', '<0.001', '1,234', '-2.5e+20', '-']
    """
    if math.isnan(value):
        return "-"
    if value == 0:
        return "0"
    if abs(value) < 0.0005:
        return "<0.001" if value > 0 else ">-0.001"
    if abs(value) >= 1e9:
        return f"{value:.3g}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3f}"


def interval(low: float, high: float) -> str:
    """The ends of an interval; nothing where there is none."""
    return "" if math.isnan(low) else f"{number(low)} to {number(high)}"
