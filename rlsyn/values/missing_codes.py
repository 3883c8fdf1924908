"""Numbers that stand for a missing value, such as -99."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rlsyn.values.numbers import as_written

CODES = (-9999, -999, -888, -99, -88, -77, -9, -8, -7, -1, 7, 8, 9, 77, 88, 98, 99, 777, 888, 998, 999, 9999)
"""What studies write where nothing was measured."""
N_QUARTILE_RANGES = 5
"""So many interquartile ranges from the nearest other value are far, where the others have a long tail."""
N_GAPS = 3
"""So many times the widest gap among the lower half of values that are not negative a negative one is far below them."""


def missing_codes(values: pd.Series, people: pd.Series | None = None, n_people: int = 1) -> list[int]:
    """The usual codes for missing values that lie far from all other values of a column of numbers.

    Far is further from the nearest other value than these are from one another, or than several interquartile ranges; a
    lone negative number is far where the gap above it is much wider than those between the values above (a pressure of -1),
    and a single digit where the others are the steps of a scale that ends well below (9 beside grades of 1 to 4).

    Args:
        values: The column.
        people: Whom each value belongs to; each to a person of its own by default.
        n_people: What fewer people have is no code: it may be a measurement, and of them.

    Example:
        >>> missing_codes(pd.Series([21.5, 30.0, -99.0, 25.0, -99.0])), missing_codes(pd.Series([0, 7, -1, 12, 99, 90]))
        ([-99], [])
        >>> missing_codes(pd.Series([60, 75, 90, 105, 125, 140, -1])), missing_codes(pd.Series([0, 1, 2, 3, 4, 9]))
        ([-1], [9])
    """
    numbers = as_written(values).to_numpy(dtype=float, na_value=np.nan)
    is_present = ~np.isnan(numbers)
    owners = (np.arange(len(numbers)) if people is None else people.to_numpy())[is_present]
    present = pd.Series(numbers[is_present])
    others = present[~present.isin(CODES)].to_numpy()
    if len(np.unique(others)) < 2:
        return []
    found = []
    for code in sorted(set(CODES) & set(present), key=lambda code: max(others.min() - code, code - others.max())):
        if _is_far(code, others):
            found.append(code)
        else:  # a value like the others
            others = np.append(others, present[present == code])
    return sorted(code for code in map(int, found) if len(pd.unique(owners[present == code])) >= n_people)


def _is_far(code: int, others: np.ndarray) -> bool:
    low, high, distinct = others.min(), others.max(), np.unique(others)
    distance = max(low - code, code - high)
    if 0 < code < 10:
        is_scale = low % 1 == 0 and bool((np.diff(distinct) == 1).all())
        return is_scale and distance >= max(2, high - low)
    far = min(high - low, N_QUARTILE_RANGES * float(np.subtract(*np.percentile(others, [75, 25]))) or np.inf)
    if code < 0 <= low:
        lower = distinct[: max(2, (len(distinct) + 1) // 2)]
        far = min(far, N_GAPS * float(np.diff(lower).max()))
    return bool(distance > far)
