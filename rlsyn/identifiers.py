"""Columns that tell whose row it is, by their values or by their name: they cannot be learned and would name people."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

MIN_DISTINCT = 20
"""Fewer different values are kinds of something, whatever their form."""
MIN_DIGITS = 6
"""Codes of wards, drugs and diagnoses have fewer."""

PEOPLE = frozenset(
    {"patient", "pat", "pid", "mrn", "person", "subject", "subjid", "usubjid", "participant", "proband", "member"}
)
ROWS = frozenset({"record", "row", "case", "sample", "encounter", "visit", "admission", "hadm", "stay", "study"})
IDS = frozenset({"id", "ids", "identifier"})
NUMBERS = frozenset({"no", "nr", "num", "number", "key", "code"})


def is_named_like_one(name: str) -> bool:
    """Whether a name says that its values are people, or identify people, records or visits.

    Example:
        >>> [is_named_like_one(name) for name in ("PatientID", "mrn", "visit_id", "id")]
        [True, True, True, True]
        >>> [is_named_like_one(name) for name in ("patient_age", "site_id", "visit_no", "n_visits")]
        [False, False, False, False]
    """
    words = {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W_a-zA-Z]+", name)}
    return bool(words & (PEOPLE | IDS)) and words <= PEOPLE | ROWS | IDS | NUMBERS


def are_numbers_of_rows(numbers: np.ndarray) -> bool:
    """Whether whole numbers, all different, count the rows in any order, or are of one length of seven digits or more."""
    if len(numbers) < MIN_DISTINCT or len(np.unique(numbers)) < len(numbers):
        return False
    return (numbers.min() >= 1e6 and _have_one_length(numbers)) or bool((np.diff(np.sort(numbers)) == 1).all())


def are_numbers_of_people(numbers: np.ndarray) -> bool:
    """Whether whole numbers, of which some recur, are of one length of seven digits or more and none is rounded.

    Counts and costs have all lengths, or are multiples of ten.
    """
    distinct = np.unique(numbers)
    is_rounded = bool((distinct % 10 == 0).all())
    return len(distinct) >= MIN_DISTINCT and distinct.min() >= 1e6 and _have_one_length(distinct) and not is_rounded


def are_codes_of_people(texts: pd.Series) -> bool:
    """Whether texts differ in six digits or more alone, around the same letters: PAT000123, PAT000124, ...

    Codes of diagnoses have other letters, postcodes none.
    """
    distinct = texts.unique()
    forms = {re.sub(r"\d", "9", text) for text in distinct}
    (form, *others) = forms
    has_letter = any(character.isalpha() for character in form)
    return len(distinct) >= MIN_DISTINCT and not others and has_letter and form.count("9") >= MIN_DIGITS


def _have_one_length(numbers: np.ndarray) -> bool:
    return len(str(int(numbers.min()))) == len(str(int(numbers.max())))
