"""Fidelity: how far the distribution of the synthetic records is from that of the real ones."""

from __future__ import annotations

from rlsyn.evaluation.fidelity import association, clusters, detection, limits, marginals, pairs
from rlsyn.evaluation.fidelity.association import association_difference, association_matrix, column_wise_correlation
from rlsyn.evaluation.fidelity.clusters import cluster_nmi, principal_components, support_curves
from rlsyn.evaluation.fidelity.detection import detection_auc
from rlsyn.evaluation.fidelity.limits import kept_limits
from rlsyn.evaluation.fidelity.marginals import (
    concept_abundance,
    dimension_wise_distance,
    ks_statistics,
    missing_rate_difference,
    normalised_wasserstein,
    prevalences,
    total_variation,
)
from rlsyn.evaluation.fidelity.pairs import unseen_pairs
from rlsyn.evaluation.measure import Measure
from rlsyn.schema import Schema

__all__ = [
    "association_difference",
    "association_matrix",
    "cluster_nmi",
    "column_wise_correlation",
    "concept_abundance",
    "detection_auc",
    "dimension_wise_distance",
    "kept_limits",
    "ks_statistics",
    "measures",
    "missing_rate_difference",
    "normalised_wasserstein",
    "prevalences",
    "principal_components",
    "support_curves",
    "total_variation",
    "unseen_pairs",
]


def measures(schema: Schema) -> list[Measure]:
    """The measures of fidelity in the order of the table of scores, for any schema."""
    return [
        *(marginals.MEASURE, association.MEASURE, limits.MEASURE, pairs.MEASURE),
        *(detection.MEASURE, clusters.MEASURE),
        marginals.ABUNDANCE_MEASURE,
    ]
