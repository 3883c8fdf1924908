"""Numbers as they are written: which texts are some, and what those of fewer bits stand for."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

MAX_DECIMALS = 10
_PLAIN = ("integer", "floating", "mixed-integer-float", "decimal")
_THOUSANDS = r"(?<=\d)['\u2019\u00a0\u202f ](?=\d{3}(?!\d))"
_POINTS_OF_THOUSANDS = r"(?<=\d)\.(?=\d{3}(?:\.\d{3})*,)"
_UNIT = r"^[\d.,]+\s*(?!st$|nd$|rd$|th$)((?:[^\W\d_]{2}|°)\D*)$"


def are_numbers(texts: pd.Series) -> pd.Series:
    """Which of the different texts of a column are numbers, for each a bool.

    Numbers may have a percent sign or a limit (`<0.1`), a decimal comma, marks between thousands, the unit that most of
    the texts have, or be a pressure (`120/80`) or times of day (`07:30`). What may be codes is none: wards (`12A`),
    visual acuities (`20/40`), alleles (`01:02`).

    Example:
        >>> are_numbers(pd.Series(["120 mmHg", "1'050 mmHg", "<90", "17:30", "130/85", "1.050,5", "E11", "7A"])).tolist()
        [True, True, True, True, True, True, False, False]
    """
    plain = texts.str.strip(" %<>≤≥").str.replace(_THOUSANDS, "", regex=True)
    plain = plain.str.replace(_POINTS_OF_THOUSANDS, "", regex=True).str.replace(",", ".")
    units = plain.str.extract(_UNIT)[0].dropna()
    unit = units.mode().iloc[0] if len(units) else ""
    is_number = pd.to_numeric(plain.str.removesuffix(unit).str.strip(), errors="coerce").notna()
    high, low = plain.str.extract(r"^(\d{2,3})/(\d{2,3})$").astype(float).to_numpy().T
    hour, minute = plain.str.extract(r"^(\d{1,2}):(\d{2})(?::\d{2})?$").astype(float).to_numpy().T
    is_time = (hour < 24) & (minute < 60) & bool((hour > 12).any())
    return is_number | ((low >= 30) & (high > low)) | is_time


def count_decimals(values: np.ndarray) -> int | None:
    """Digits after the point that write every value; `None` when more than ten are needed.

    Example:
        >>> count_decimals(np.array([1.5, 2.25, 3.0]))
        2
    """
    largest = np.abs(values).max(initial=0)
    # What is left of 0.3 - 3 * 0.1 is 0, but nothing is where all values are as small.
    found = (decimals for decimals in range(MAX_DECIMALS + 1) if are_rounded(values, decimals, largest).all())
    return next(found, None)


def are_rounded(values: np.ndarray, decimals: int, largest: float = math.inf) -> np.ndarray:
    """Which values are rounded to so many decimals, but for the noise of binary fractions; missing ones are not.

    Args:
        values: Numbers.
        decimals: Digits after the point.
        largest: Size below which nothing is noise beside other values, if these are known to be small.

    Example:
        >>> are_rounded(np.array([0.3, 3 * 0.1, 0.3 - 3 * 0.1, 0.31]), 1).tolist()
        [True, True, True, False]
    """
    noise = 1e-12 * min(10.0**-decimals, largest)
    return np.isclose(values, np.round(values, decimals), rtol=1e-12, atol=noise)


def as_written(values: pd.Series) -> pd.Series:
    """The values, floats of fewer than 64 bits as what they print as: 37.4, where the 32 bits are 37.40000153.

    Objects that are all numbers, as a database or a table that was turned gives them, are numbers of 64 bits.
    """
    if values.dtype == object:
        if pd.api.types.infer_dtype(values, skipna=True) not in _PLAIN:
            return values
        return pd.Series(values.to_numpy(dtype=float, na_value=np.nan), values.index, name=values.name)
    if values.dtype not in ("float16", "float32", "Float32"):
        return values
    return pd.to_numeric(values.astype(str), errors="coerce")
