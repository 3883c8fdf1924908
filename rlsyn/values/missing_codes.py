"""Numbers that stand for a missing value, such as -99."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rlsyn.values.numbers import as_written

CODES = (-9999, -999, -888, -99, -88, -9, -1, 88, 99, 777, 888, 999, 9999)
"""What studies write where nothing was measured."""
N_QUARTILE_RANGES = 5
"""So many interquartile ranges from the nearest other value are far, where the others have a long tail."""


def missing_codes(values: pd.Series, people: pd.Series | None = None, n_people: int = 1) -> list[int]:
    """The usual codes for missing values that lie far from all other values of a column of numbers.

    Far is further from the nearest other value than these are from one another, or than several interquartile ranges.

    Args:
        values: The column.
        people: Whom each value belongs to; each to a person of its own by default.
        n_people: What fewer people have is no code: it may be a measurement, and of them.

    Example:
        >>> missing_codes(pd.Series([21.5, 30.0, -99.0, 25.0, -99.0])), missing_codes(pd.Series([0, 7, -1, 12, 99, 90]))
        ([-99], [])
    """
    numbers = as_written(values).to_numpy(dtype=float, na_value=np.nan)
    is_present = ~np.isnan(numbers)
    owners = (np.arange(len(numbers)) if people is None else people.to_numpy())[is_present]
    present = pd.Series(numbers[is_present])
    others = present[~present.isin(CODES)].to_numpy()
    if len(np.unique(others)) < 2:
        return []
    low, high = others.min(), others.max()
    far = min(high - low, N_QUARTILE_RANGES * float(np.subtract(*np.percentile(others, [75, 25]))) or np.inf)
    found = [code for code in CODES if max(low - code, code - high) > far]
    return [code for code in found if len(pd.unique(owners[present == code])) >= n_people]
