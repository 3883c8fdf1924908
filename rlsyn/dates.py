"""Which columns hold dates, as text or as whole numbers."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pandas as pd

_MONTH = re.compile(r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)", re.IGNORECASE)


def look_like_dates(texts: pd.Series) -> bool:
    """Whether more than nine in ten texts are dates."""
    sample = texts.iloc[:: max(1, len(texts) // 200)]
    if sample.str.match(r"^\s*\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ].*)?$").mean() > 0.9:
        return True
    if sample.str.fullmatch(r"\d{8}").mean() > 0.9 and any(_are_days(sample, form) for form in ("%d%m%Y", "%Y%m%d")):
        return True
    if not sample.str.contains(r"\d").mean() > 0.9 or not sample.str.contains(_MONTH, case=False).mean() > 0.9:
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # pandas announces that it guesses the format: so it should
        return bool(pd.to_datetime(sample, errors="coerce").notna().mean() > 0.9)


def are_dates(numbers: np.ndarray) -> bool:
    """Whether more than nine in ten whole numbers are dates of the form 20190227."""
    is_day = (numbers >= 19000101) & (numbers <= 21001231)
    return bool(is_day.mean() > 0.9) and _are_days(pd.Series(numbers[is_day].astype(int).astype(str)), "%Y%m%d")


def _are_days(texts: pd.Series, form: str) -> bool:
    sample = texts.iloc[:: max(1, len(texts) // 200)]
    return bool(pd.to_datetime(sample, format=form, errors="coerce").notna().mean() > 0.9)
