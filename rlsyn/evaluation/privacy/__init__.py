"""Privacy: what the synthetic records give away about the people in the training rows."""

from __future__ import annotations

from rlsyn.evaluation.measure import Measure
from rlsyn.evaluation.privacy.copies import COPIES, HowAlike, exact_copies, how_alike
from rlsyn.evaluation.privacy.distances import nearest_distances, nearest_neighbours
from rlsyn.evaluation.privacy.domias import DOMIAS, domias_attack, domias_auc
from rlsyn.evaluation.privacy.foreign import FOREIGN, foreign_columns
from rlsyn.evaluation.privacy.inference import INFERENCE, attribute_inference_advantage, infer_attributes
from rlsyn.evaluation.privacy.membership import MEMBERSHIP, membership_auc, membership_scores, roc_statistics
from rlsyn.evaluation.privacy.parts import PARTS, shared_bits
from rlsyn.evaluation.privacy.traces import TRACES, has_order_of, values_of_one_person
from rlsyn.schema import Schema

__all__ = [
    "HowAlike",
    "attribute_inference_advantage",
    "domias_attack",
    "domias_auc",
    "exact_copies",
    "foreign_columns",
    "has_order_of",
    "how_alike",
    "infer_attributes",
    "measures",
    "membership_auc",
    "membership_scores",
    "nearest_distances",
    "nearest_neighbours",
    "roc_statistics",
    "shared_bits",
    "values_of_one_person",
]


def measures(schema: Schema) -> list[Measure]:
    """The measures of the family, the same for every schema: attacks, copies, columns that hide both, traces."""
    return [MEMBERSHIP, DOMIAS, INFERENCE, COPIES, PARTS, FOREIGN, TRACES]
