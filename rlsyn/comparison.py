"""The policies of a run that its trained one stands beside in the scores."""

from __future__ import annotations

import pandas as pd

from rlsyn.sampling import TooFewRecords
from rlsyn.synthesizer import RLSyn


def records_of_others(model: RLSyn, n: int) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Records of the warm start and, where policies were selected, of PPO's last; and in words which are left out.

    Args:
        model: A fitted model.
        n: Records of each; a policy that cannot give so many is left out.
    """
    records, notes = {}, []
    for policy in (["warm_start"] if model.warm_start else []) + (["last"] if model.selected.scores else []):
        try:
            records[policy] = model.sample(n, policy=policy)
        except TooFewRecords as error:
            notes.append(f"Note: the policy {policy!r} is left out of the comparison. {error}")
    return records, notes
