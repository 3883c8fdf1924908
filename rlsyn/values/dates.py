"""Which columns hold dates, as text or as whole numbers."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

_MONTH = (
    "(?:jan(?:uary|uar|vier|v)?|feb(?:ruary|ruar|r)?|f[ée]v(?:rier|r)?|m[aä]r(?:ch|z|s)?|apr(?:il)?|avr(?:il)?|may|mai|"
    "june?|juni|juin|july?|juli|juil(?:let)?|aug(?:ust)?|ao[uû]t|sept?(?:ember|embre)?|o[ck]t(?:ober|obre)?|"
    "nov(?:ember|embre|iembre)?|d[eé][cz](?:ember|embre)?|ene(?:ro)?|gennaio|febbraio|febrero|marzo|abr(?:il)?|aprile|"
    "mayo|maggio|junio|giu(?:gno)?|julio|lug(?:lio)?|agosto|sett(?:embre)?|sep?tiembre|octubre|ott(?:obre)?|"
    "dic(?:iembre|embre)?)"
)
"""In English, German, French, Spanish and Italian."""
_CODE = "(?!(?:abr|dic|ene|mayo)\\b)"
"""Hearing thresholds (ABR 30), coagulation (DIC 5), extranodal extension (ENE 1) and colitis (Mayo 2) are no days of a month."""
_YEAR = r"(?:1[89]|20|21)\d\d"
_OF = "(?:of |del? )?"
_ORDINAL = r"(?:st|nd|rd|th|er|ten|\.)?"
_IN_NUMBERS = re.compile(r"(?<!\d)(?<!\d[-/.])(\d{1,4})([-/._ ])\s?(\d{1,2})\2\s?(\d{1,4})(?![-/.]?\d)")
_IN_WORDS = re.compile(
    rf"(?<!\d)\d{{1,2}}{_ORDINAL}[ .,-]*{_OF}{_MONTH}[ .,'-]*{_OF}(?:{_YEAR}|\d{{2}})(?!\d)"  # 1. März 2021, 12MAR20
    rf"|(?<![^\W\d_]){_MONTH}[ .,'-]*(?:\d{{1,2}}{_ORDINAL},?\s+)?{_YEAR}(?!\d)"  # Mar 3, 2021
    rf"|(?<!\d){_YEAR}[ .,-]*{_MONTH}(?![^\W\d_])"  # 2021-Mar-03
    rf"|^\s*\d{{1,2}}{_ORDINAL}[ .,-]*{_OF}{_MONTH}\.?\s*$"  # 3rd June
    rf"|^\s*{_CODE}{_MONTH}\.?(?:[-' ]+\d{{2}}|\s\d{{1,2}}{_ORDINAL})\s*$"  # Mar-21
    r"|^\s*\d{2}\.\s?\d{2}\.\s*$",  # 01.03.
    re.IGNORECASE,
)
_NAMES_OF_DATES = {"date", "dates", "datetime", "timestamp", "birthday", "dob", "datum", "fecha"}
_NAMES_OF_MEASURES = {
    *("age", "days", "months", "years", "hours", "seconds", "since", "until", "between", "interval", "duration"),
    *("diff", "difference", "delta", "gap", "lag", "n", "count", "counts"),
}
"""A date and one of them is what passed between two dates, or how many there are."""


def look_like_dates(texts: pd.Series) -> bool:
    """Whether more than half of the texts are dates, or have one in them."""
    sample = texts.iloc[:: max(1, len(texts) // 200)]
    if sample.map(_has_date).mean() > 0.5:
        return True
    is_digits = sample.str.fullmatch(r"\d{8}").mean() > 0.9
    return bool(is_digits and any(_are_days(sample, form) for form in ("%d%m%Y", "%Y%m%d")))


def _has_date(text: str) -> bool:
    return _IN_WORDS.search(text) is not None or any(_is_day(found) for found in _IN_NUMBERS.finditer(text))


def _is_day(found: re.Match[str]) -> bool:
    """Whether three numbers are day, month and year in any order that is in use; codes and schedules seldom are."""
    first, second, third = found[1], found[3], found[4]
    if len(first) == 4:
        year, parts = int(first), [int(second), int(third)]
    elif len(third) in ((4,) if found[2] in "_ " else (2, 4)) and len(first) <= 2:
        year, parts = int(third) + (2000 if len(third) == 2 else 0), [int(first), int(second)]
    else:
        return False
    return 1800 <= year < 2200 and 1 <= min(parts) <= 12 and max(parts) <= 31


def are_dates(numbers: np.ndarray) -> bool:
    """Whether more than nine in ten whole numbers are dates of the form 20190227."""
    is_day = (numbers >= 19000101) & (numbers <= 21001231)
    return bool(is_day.mean() > 0.9) and _are_days(pd.Series(numbers[is_day].astype(int).astype(str)), "%Y%m%d")


def are_days_of_a_spreadsheet(name: str, numbers: np.ndarray) -> bool:
    """Whether a column that is named like a date holds day numbers of a spreadsheet, or seconds since 1970.

    Other columns may well hold such numbers (platelets, steps, ages in days), and one of dates may hold years.

    Example:
        >>> days = np.array([44197.0, 43831.5, 45292.0])
        >>> [are_days_of_a_spreadsheet(name, days) for name in ("visit_date", "DateOfBirth", "platelets", "update")]
        [True, True, False, False]
        >>> [are_days_of_a_spreadsheet(name, days) for name in ("days_since_birth_date", "date_diff", "n_dates")]
        [False, False, False]
    """
    words = {word.lower() for word in re.findall("[A-Z]?[a-z]+|[A-Z]+", name)}
    is_day = (numbers >= 7306) & (numbers <= 73050)  # of 1920 to 2099, counted from 1900
    is_second = (numbers >= 1e8) & (numbers < 4.1e9)
    is_named_so = bool(_NAMES_OF_DATES & words) and not _NAMES_OF_MEASURES & words
    return is_named_so and bool((is_day | is_second).mean() > 0.9)


def _are_days(texts: pd.Series, form: str) -> bool:
    sample = texts.iloc[:: max(1, len(texts) // 200)]
    return bool(pd.to_datetime(sample, format=form, errors="coerce").notna().mean() > 0.9)
