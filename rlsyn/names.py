"""Names in messages: the first of many, and the one that is closest to one that is not known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


def listed(names: Iterable[object], most: int) -> str:
    """The first names, with an ellipsis if there are more.

    Example:
        >>> listed(["age", "sex", "died"], most=2)
        'age, sex, ...'
    """
    texts = [str(name) for name in names]
    return ", ".join(texts[:most]) + (", ..." if len(texts) > most else "")


def unknown_name(what: str, name: object, known: Sequence[object]) -> str:
    """The message for a name that is not known, with the closest one that is.

    Example:
        >>> unknown_name("column", "agee", ["age", "sex"])
        "Unknown column 'agee'. Did you mean 'age'?"
        >>> unknown_name("category", "1", [0, 1])
        "Unknown category '1'. Did you mean 1?"
    """
    names = {str(other).casefold(): other for other in known}
    close = get_close_matches(str(name).casefold(), names, n=1, cutoff=0.4)
    if close:
        return f"Unknown {what} {name!r}. Did you mean {names[close[0]]!r}?"
    return f"Unknown {what} {name!r}. Choose one of: {listed(known, 20)}."
