"""The diagnoses of MIMIC-IV: which ICD codes each person has, over all admissions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from rlsyn.datasets.mimic.release import Release

VERSIONS = (9, 10)


class IcdCode(NamedTuple):
    """A code of a version of the ICD, without its point, such as `(10, "I10")`; leading zeros matter."""

    version: int
    text: str


class Diagnoses(NamedTuple):
    """Who has which code."""

    presence: sparse.csr_matrix
    """`(n_people, n_codes)`; stored where a person has a code."""
    codes: list[IcdCode]
    """Of the columns."""


def read_diagnoses(release: Release, people: pd.Index) -> Diagnoses:
    """Distinct codes of each person over all admissions.

    Args:
        release: The files.
        people: Their `subject_id`, ascending.

    Raises:
        ValueError: The file is malformed, or a version is neither 9 nor 10.
    """
    number_of: dict[IcdCode, int] = {}
    persons, numbers = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    # As a category a code is text, and each distinct one is made only once.
    dtypes = {"subject_id": "int64", "icd_code": "category", "icd_version": "int64"}
    for chunk in release.chunks("diagnoses_icd", dtypes):
        if n_unknown := int((~chunk["icd_version"].isin(VERSIONS)).sum()):
            raise ValueError(
                f"Expected 9 or 10 as icd_version in {release.path('diagnoses_icd')}, got something else in "
                f"{n_unknown:,} rows. Download it again."
            )
        person = people.get_indexer(pd.Index(chunk["subject_id"]))
        is_used = (person >= 0) & chunk["icd_code"].notna().to_numpy()
        persons.append(person[is_used])
        numbers.append(_numbers(chunk[is_used], number_of))
    shape = (len(people), len(number_of))
    entries = np.concatenate(persons), np.concatenate(numbers)
    presence = sparse.csr_matrix((np.ones(len(entries[0]), dtype=np.int32), entries), shape=shape)
    presence.data[:] = 1
    return Diagnoses(presence, list(number_of))


def _numbers(rows: pd.DataFrame, number_of: dict[IcdCode, int]) -> np.ndarray:
    """The number of the code of each row; codes that are new get the next ones."""
    codes = rows["icd_code"].cat
    both = 2 * codes.codes.to_numpy(dtype=np.int64) + (rows["icd_version"] == VERSIONS[1]).to_numpy()
    place, distinct = pd.factorize(both)
    known = [number_of.setdefault(code, len(number_of)) for code in _codes(distinct, codes.categories)]
    return np.array(known, dtype=np.int64)[place]


def _codes(both: np.ndarray, texts: pd.Index) -> Iterator[IcdCode]:
    for number in both:
        yield IcdCode(VERSIONS[number % 2], str(texts[number // 2]).strip().replace(".", "").upper())
