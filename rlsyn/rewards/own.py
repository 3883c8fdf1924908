"""Reward terms of the user's own: any function of a table of decoded records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from rlsyn.rewards.weights import DEFAULT_WEIGHTS

OwnTerm = Callable[[pd.DataFrame], Any]
"""Takes n decoded records, gives n numbers; high = good."""


class OwnReward:
    """A function of decoded records as a reward term; what it returns is checked.

    Args:
        name: What the term is called in messages.
        function: Takes a table with the schema's columns, kinds and categories, which it may change; returns one
            finite number (or truth) for each row, as an array, a Series or a list. A Series of the table's row numbers in
            another order, as after sorting, is put back into theirs. Where the schema declares rules, the values have
            been repaired by them, as those of sampled records are; some records may break rules still.
        decode: The table of a batch of records.
    """

    def __init__(self, name: str, function: OwnTerm, decode: Callable[[np.ndarray], pd.DataFrame]) -> None:
        self.name, self.function, self.decode = name, function, decode

    def __call__(self, records: np.ndarray) -> np.ndarray:
        """Rewards `(n,)` float32 of records `(n, n_attributes)`.

        Raises:
            ValueError: The function returned something else than a finite number for each record.
            Exception: What the function itself raises, with a note that names the term.
        """
        try:
            values = self.function(self.decode(records).copy())
        except Exception as error:
            error.add_note(f"This came from the reward term {self.name!r}.")
            raise
        return self._checked(values, len(records))

    def _checked(self, values: Any, n: int) -> np.ndarray:
        array = _in_row_order(values) if isinstance(values, pd.Series) else _as_array(values)
        if array.shape != (n,):
            raise self._error(n, f"{type(values).__name__} of shape {array.shape}")
        if not pd.api.types.is_any_real_numeric_dtype(array.dtype) and not pd.api.types.is_bool_dtype(array.dtype):
            raise self._error(n, f"{type(values).__name__} of {array.dtype}")
        numbers = pd.Series(array).to_numpy(dtype=np.float32, na_value=np.nan)
        if n_bad := int((~np.isfinite(numbers)).sum()):
            raise self._error(n, f"{n_bad} that are missing or infinite")
        return numbers

    def _error(self, n: int, came: str) -> ValueError:
        return ValueError(
            f"Reward term {self.name!r} must return one finite number for each record, here {n} numbers, got {came}."
        )


def _in_row_order(values: pd.Series) -> pd.Series:
    numbers = values.index
    is_of_rows = pd.api.types.is_integer_dtype(numbers.dtype) and set(numbers) == set(range(len(values)))
    return values.sort_index() if is_of_rows else values


def _as_array(values: Any) -> np.ndarray:
    try:
        return np.asarray(values)
    except ValueError:  # lists of lists of unequal lengths
        return np.asarray(values, dtype=object)


def name_terms(rewards: Iterable[OwnTerm | str]) -> dict[str, OwnTerm | None]:
    """The user's terms by name: a function's `__name__`, else the name of its class.

    A text is the name of a term that is not at hand, as in the configuration of a saved model.

    Raises:
        ValueError: One is no function, has a name that cannot be a tag (a lambda), or a name that is taken.
    """
    terms: dict[str, OwnTerm | None] = {}
    for term in rewards:
        if not isinstance(term, str) and not callable(term):
            raise ValueError(f"Expected functions of a table of decoded records in 'rewards', got {term!r}.")  # noqa: TRY004
        name = term if isinstance(term, str) else getattr(term, "__name__", type(term).__name__)
        if not name.isidentifier():
            raise ValueError(f"A reward term needs a name for curves and weights, got {name!r}. Write it as a def.")
        if name in terms or name in DEFAULT_WEIGHTS:
            raise ValueError(f"Reward terms must have names of their own, got {name!r} more than once. Rename yours.")
        terms[name] = None if isinstance(term, str) else term
    return terms


def terms_at_hand(terms: Mapping[str, OwnTerm | None]) -> dict[str, OwnTerm]:
    """The same terms, all of which are functions.

    Raises:
        ValueError: One is only a name.
    """
    absent = [name for name, term in terms.items() if term is None]
    if absent:
        raise ValueError(
            f"The reward terms {absent} are only names here, and training needs their functions. Hand those in with "
            "RLSyn(rewards=[...]) and fit from Python; sampling needs none."
        )
    return {name: term for name, term in terms.items() if term is not None}
