"""Which columns hold dates, as text or as whole numbers."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

_MONTH = (
    "(?:jan(?:uary|uar|vier|v)?|feb(?:ruary|ruar|r)?|f[ée]v(?:rier|r)?|m[aä]r(?:ch|z|s)?|apr(?:il)?|avr(?:il)?|may|mai|"
    "june?|juni|juin|july?|juli|juil(?:let)?|aug(?:ust)?|ao[uû]t|sept?(?:ember|embre)?|o[ck]t(?:ober|obre)?|"
    "nov(?:ember|embre)?|d[eé][cz](?:ember|embre)?)"
)
"""In English, German and French."""
_DATES = re.compile(
    r"(?<!\d)\d{1,4}([-/.])\s?\d{1,2}\1\s?\d{1,4}(?!\d)"  # 2021-03-01, 01.03.21
    r"|^\s*\d{1,2}\.\s?\d{1,2}\.\s*$"  # 01.03.
    rf"|\d[ .,-]*(?:of )?{_MONTH}(?![^\W\d_])|(?<![^\W\d_]){_MONTH}[ .,-]*\d",  # 1. März, Mar-21
    re.IGNORECASE,
)


def look_like_dates(texts: pd.Series) -> bool:
    """Whether more than half of the texts are dates, or have one in them."""
    sample = texts.iloc[:: max(1, len(texts) // 200)]
    if sample.map(lambda text: _DATES.search(text) is not None).mean() > 0.5:
        return True
    is_digits = sample.str.fullmatch(r"\d{8}").mean() > 0.9
    return bool(is_digits and any(_are_days(sample, form) for form in ("%d%m%Y", "%Y%m%d")))


def are_dates(numbers: np.ndarray) -> bool:
    """Whether more than nine in ten whole numbers are dates of the form 20190227."""
    is_day = (numbers >= 19000101) & (numbers <= 21001231)
    return bool(is_day.mean() > 0.9) and _are_days(pd.Series(numbers[is_day].astype(int).astype(str)), "%Y%m%d")


def _are_days(texts: pd.Series, form: str) -> bool:
    sample = texts.iloc[:: max(1, len(texts) // 200)]
    return bool(pd.to_datetime(sample, format=form, errors="coerce").notna().mean() > 0.9)
