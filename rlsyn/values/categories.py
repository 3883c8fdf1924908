"""What categories are called and what they mean, however a file writes them."""

from __future__ import annotations

import re


def category_text(category: object) -> str:
    """What a category is called in text; whole numbers have no point, as a file may write them either way."""
    is_whole = isinstance(category, float) and category.is_integer()
    return str(int(category)) if is_whole else str(category)  # type: ignore[call-overload]


def category_meaning(category: object) -> str:
    """What a category, or its text, means: the same for 1, 1.0, "1", True and "True", and for 0.3 and 3 * 0.1."""
    text = str(category).strip()
    if text.lower() in ("true", "false"):
        return str(int(text.lower() == "true"))
    if re.fullmatch(r"[+-]?\d+(\.\d*)?", text):
        number = float(text)
        return category_text(number if number.is_integer() else float(f"{number:.15g}"))
    return text
