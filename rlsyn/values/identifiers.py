"""Columns that tell whose row it is: they cannot be learned, and records with them would name people."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

MIN_DISTINCT = 20
"""Fewer different values are kinds of something, whatever they are called."""

_PEOPLE = "patient|pat|mrn|person|subject|subj|usubj|participant|proband|member"
_IDS = "identifier|ids|id|pid"
_OTHERS = "unique|record|row|case|sample|encounter|visit|admission|hadm|icu|unit|stay|study|number|nbr|num|nr|no|key|code|name"
_IDENTIFIER = re.compile(rf"(?:{_OTHERS})*(?:{_PEOPLE}|{_IDS})(?:{_PEOPLE}|{_IDS}|{_OTHERS})*")


def is_named_like_one(name: str) -> bool:
    """Whether a name says that its values are people, or identify people, records or visits.

    Example:
        >>> [is_named_like_one(name) for name in ("PatientID", "patient_nbr", "MRN", "icustay_id", "id")]
        [True, True, True, True, True]
        >>> [is_named_like_one(name) for name in ("patient_age", "site_id", "visit_no", "n_visits", "covid")]
        [False, False, False, False, False]
    """
    return _IDENTIFIER.fullmatch(re.sub(r"[^a-z]", "", name.lower())) is not None


def are_numbers_of_rows(numbers: np.ndarray) -> bool:
    """Whether whole numbers, all different, count the rows in any order, or are of one length of seven digits or more."""
    if len(numbers) < MIN_DISTINCT or len(np.unique(numbers)) < len(numbers):
        return False
    is_long = numbers.min() >= 1e6 and len(str(int(numbers.min()))) == len(str(int(numbers.max())))
    return is_long or bool((np.diff(np.sort(numbers)) == 1).all())


def bare_name(person: Any) -> Any:
    """What names a person, without blanks around it."""
    return person.strip() if isinstance(person, str) else person


def n_people_in_both(first: pd.Series, second: pd.Series) -> int:
    """How many people are named in both of two columns; missing values name nobody.

    Where one column holds numbers and the other text, as when a file has one identifier with a letter in it, text that
    reads as a number is that number. Blanks around a name are none of it.
    """
    sides = [values.dropna().map(bare_name) for values in (first, second)]
    if len({pd.api.types.is_numeric_dtype(values) for values in sides}) > 1:
        sides = [_as_numbers(values) for values in sides]
    return len(set(sides[0]) & set(sides[1]))


def check_nobody_in_both(train: pd.DataFrame, test: pd.DataFrame, group: str | None) -> None:
    """Check that nobody whom the column names in train has test rows; where a table lacks it nobody is named.

    Raises:
        ValueError: Somebody has.
    """
    if group is None or group not in train or group not in test:
        return
    if n_both := n_people_in_both(train[group], test[group]):
        raise ValueError(
            f"No person may be in both tables, got {n_both} of {group!r} in train and test. Split by person; if these are "
            "different people, name them differently."
        )


def _as_numbers(values: pd.Series) -> pd.Series:
    texts = values.astype(str).str.strip()
    numbers = pd.to_numeric(texts, errors="coerce").astype(object)
    return numbers.where(numbers.notna(), texts)
