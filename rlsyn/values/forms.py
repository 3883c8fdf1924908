"""The form of a value, told in a refusal instead of the value itself, which may be a patient's."""

from __future__ import annotations

import re

import pandas as pd


def first_form(values: pd.Series) -> str:
    """The form of the first value and its row: a log is read by others than those who may see the value.

    Args:
        values: Of a column whose index counts the rows of the table; another index could name people.

    Example:
        >>> first_form(pd.Series(["Smith, 1951"]))
        "'xxxxx, 9999' (row 1, the header not counted)"
    """
    return f"{value_form(str(values.iloc[0])[:40])!r} (row {values.index[0] + 1}, the header not counted)"


def first_text(values: pd.Series) -> str:
    """`first_form` of the first value that is no number, in a column that should hold numbers."""
    present = values.reset_index(drop=True).dropna()
    odd = present[pd.to_numeric(present, errors="coerce").isna()]
    return first_form(odd if len(odd) else present)


def value_form(text: str) -> str:
    """A text with every letter as x and every digit as 9."""
    return re.sub(r"\d", "9", re.sub(r"[^\W\d_]", "x", text))
