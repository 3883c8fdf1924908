"""The constraints term: what a record pays for the declared rules that it breaks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from rlsyn.constraints import Constraint


class ConstraintReward:
    """Minus the number of declared rules that a record breaks.

    The number and not the share: what a broken rule costs is then the same however many others are declared beside it.
    Rules hold for values, so records are decoded, and repaired in this as those that are sampled are
    (`Encoding.decode`): a record pays only for what values of its levels cannot mend, and where a level's values break a
    rule now and then, now and then.
    Missing values break no rule (see `Constraint.is_broken_by`); that records do not flee into them is left to the
    realism term and to the KL penalty.

    Args:
        rules: The declared rules, at least one.
        decode: The table of a batch of records.

    Raises:
        ValueError: There are no rules.
    """

    def __init__(self, rules: Sequence[Constraint], decode: Callable[[np.ndarray], pd.DataFrame]) -> None:
        if not rules:
            raise ValueError(
                "Expected at least one rule for the constraints term, got none. Declare rules, or drop it."
            )
        self.rules, self.decode = tuple(rules), decode

    def __call__(self, records: np.ndarray) -> np.ndarray:
        """Rewards `(n,)` float32 of records `(n, n_attributes)`: 0 where all rules are obeyed, else -1 for each."""
        table = self.decode(records)
        n_broken = np.zeros(len(records), dtype=np.float32)
        for rule in self.rules:
            n_broken += rule.is_broken_by(table)
        return -n_broken
