"""What categories are called and what they mean, however a file writes them."""

from __future__ import annotations

import re


def category_text(category: object) -> str:
    """What a category is called in text; whole numbers have no point, and no number has the noise of rounding.

    Example:
        >>> category_text(2.0), category_text(3 * 0.1)
        ('2', '0.3')
    """
    if not isinstance(category, float):
        return str(category)
    number = category if category.is_integer() else float(f"{category:.15g}")
    return str(int(number)) if number.is_integer() else str(number)


def category_meaning(category: object) -> str:
    """What a category, or its text, means: the same for 1, 1.0, "1", True and "True", and for 0.3 and 3 * 0.1."""
    if isinstance(category, float):
        return category_text(category)
    text = str(category).strip()
    if text.lower() in ("true", "false"):
        return str(int(text.lower() == "true"))
    if re.fullmatch(r"[+-]?\d+(\.\d*)?", text):
        return category_text(float(text))
    return text
