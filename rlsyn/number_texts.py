"""Numbers as they are written: which texts are some, and what those of fewer bits stand for."""

from __future__ import annotations

import pandas as pd

_THOUSANDS = r"(?<=\d)['\u2019\u00a0\u202f ](?=\d{3}(?!\d))"
_POINTS_OF_THOUSANDS = r"(?<=\d)\.(?=\d{3}(?:\.\d{3})*,)"
_PAIR_OR_TIME = r"\d{2,3}/\d{2,3}|\d{1,2}:\d{2}(?::\d{2})?"
_UNIT = r"^[\d.,]+\s*([^\d\s.,][^\d]*)$"


def are_numbers(texts: pd.Series) -> pd.Series:
    """Which of the different texts of a column are numbers, for each a bool.

    Numbers may have a percent sign or a limit (`<0.1`), a decimal comma, marks between thousands, the unit that most of
    the texts have, or be a pair (`120/80`) or a time of day (`07:30`).

    Example:
        >>> are_numbers(pd.Series(["120 mmHg", "1'050 mmHg", "<90", "07:30", "130/85", "1.050,5", "E11"])).tolist()
        [True, True, True, True, True, True, False]
    """
    plain = texts.str.strip(" %<>≤≥").str.replace(_THOUSANDS, "", regex=True)
    plain = plain.str.replace(_POINTS_OF_THOUSANDS, "", regex=True).str.replace(",", ".")
    units = plain.str.extract(_UNIT)[0].dropna()
    unit = units.mode().iloc[0] if len(units) else ""
    is_number = pd.to_numeric(plain.str.removesuffix(unit).str.strip(), errors="coerce").notna()
    return is_number | plain.str.fullmatch(_PAIR_OR_TIME)


def as_written(values: pd.Series) -> pd.Series:
    """The values, floats of fewer than 64 bits as what they print as: 37.4, where the 32 bits are 37.40000153."""
    if values.dtype not in ("float16", "float32", "Float32"):
        return values
    return pd.to_numeric(values.astype(str), errors="coerce")
