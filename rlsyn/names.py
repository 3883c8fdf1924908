"""The message for a name that is not known, with the closest one that is."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches


def unknown_name(what: str, name: object, known: Sequence[object]) -> str:
    """The message for a name that is not known, with the closest one that is.

    Example:
        >>> unknown_name("column", "agee", ["age", "sex"])
        "Unknown column 'agee'. Did you mean 'age'?"
    """
    close = get_close_matches(str(name), [str(other) for other in known], n=1, cutoff=0.4)
    if close:
        return f"Unknown {what} {name!r}. Did you mean {close[0]!r}?"
    listed = ", ".join(str(other) for other in list(known)[:20])
    return f"Unknown {what} {name!r}. Choose one of: {listed}{', ...' if len(known) > 20 else ''}."
