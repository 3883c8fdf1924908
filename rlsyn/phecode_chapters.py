"""The chapters of phecodes: ranges of their whole numbers, from infectious diseases to injuries."""

from __future__ import annotations

import re
from dataclasses import dataclass

PREFIX = "phecode_"
"""Columns of phecodes are named by this and the code, such as `phecode_401.1`."""


@dataclass(frozen=True)
class PhecodeChapter:
    """A chapter and the whole numbers before the point of its codes."""

    name: str
    first: int
    last: int


CHAPTERS = (
    PhecodeChapter("infectious diseases", 8, 139),
    PhecodeChapter("neoplasms", 140, 239),
    PhecodeChapter("endocrine/metabolic", 240, 279),
    PhecodeChapter("hematopoietic", 280, 289),
    PhecodeChapter("mental disorders", 290, 319),
    PhecodeChapter("neurological", 320, 359),
    PhecodeChapter("sense organs", 360, 389),
    PhecodeChapter("circulatory system", 390, 459),
    PhecodeChapter("respiratory", 460, 519),
    PhecodeChapter("digestive", 520, 579),
    PhecodeChapter("genitourinary", 580, 629),
    PhecodeChapter("pregnancy complications", 630, 679),
    PhecodeChapter("dermatologic", 680, 709),
    PhecodeChapter("musculoskeletal", 710, 746),
    PhecodeChapter("congenital anomalies", 747, 759),
    PhecodeChapter("symptoms", 760, 799),
    PhecodeChapter("injuries & poisonings", 800, 999),
    PhecodeChapter("other", 1000, 1100),
)
"""Names and numbers of the phecode map 1.2 (`category_string`).

The map has 18 of its 1,866 codes in another chapter than their neighbours (792 is genitourinary, 860 a neoplasm); here
they count by their number.
"""


def chapter_of(column: str) -> str | None:
    """Name of the chapter of a column, None if it is no phecode.

    Example:
        >>> chapter_of("phecode_401.1"), chapter_of("phecode_008.5"), chapter_of("AGE")
        ('circulatory system', 'infectious diseases', None)
    """
    found = re.fullmatch(rf"{PREFIX}(\d+)(\.\d+)?", column)
    number = int(found[1]) if found else -1
    return next((chapter.name for chapter in CHAPTERS if chapter.first <= number <= chapter.last), None)
