"""How synthetic records mix with real ones and cover them, in the principal components of the real train rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.integrate import trapezoid
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import normalized_mutual_info_score, pairwise_distances_argmin_min, pairwise_distances_chunked
from sklearn.preprocessing import StandardScaler

from rlsyn.evaluation.features import FeatureEncoder, NotComputableError, row_groups
from rlsyn.evaluation.measure import Measure, Measurement, Metric, Tables, margins, with_interval
from rlsyn.schema import Schema

VARIANCE = 0.8
N_CLUSTERS = 10
N_STARTS = 3
N_SUPPORT_COMPONENTS = 5
"""Components in which records are covered: in dozens the nearest record is hardly nearer than any, and whoever draws
columns independently covers as much as real records do."""
N_NEIGHBOURS = 5
MAX_ROWS = 10_000
MAX_FAST_ROWS = 2_000
"""Rows of either side at most, in all and when speed is wanted."""
ROUNDING = 1e-6
"""Distances in standard deviations are only as exact as this."""
LEVELS = np.linspace(0.0, 1.0, 51)

METRICS = (
    Metric(
        *("NMI", "fidelity", "minimise", 0.0, 1.0),
        f"What the cluster of a record ({N_CLUSTERS} clusters) tells of whether it is synthetic: 0 nothing, 1 all.",
    ),
    Metric(
        *("alpha-precision", "fidelity", "maximise", 0.0, 1.0),
        "Whether synthetic records are as typical and as unusual as real ones, neither outliers nor too average.",
    ),
    Metric(
        *("beta-recall", "fidelity", "maximise", 0.0, 1.0),
        "Whether synthetic records reach everywhere that real ones are, the rare ones included.",
    ),
)


@dataclass(frozen=True)
class Projector:
    """Principal components of a table's standardised features."""

    encoder: FeatureEncoder
    scaler: StandardScaler
    components: PCA

    def transform(self, table: pd.DataFrame) -> np.ndarray:
        """The rows in principal components, `(n_rows, n_components)`, the one with the largest variance first."""
        return np.asarray(self.components.transform(self.scaler.transform(self.encoder.transform(table))))


class Support(NamedTuple):
    """Precision and recall of the synthetic rows within the level's share of the typical ones, at every level."""

    level: np.ndarray
    precision: np.ndarray
    recall: np.ndarray

    @property
    def alpha_precision(self) -> float:
        """1 - 2 * integral of |precision - level|."""
        return _closeness(self.level, self.precision)

    @property
    def beta_recall(self) -> float:
        """1 - 2 * integral of |recall - level|."""
        return _closeness(self.level, self.recall)


def principal_components(train: pd.DataFrame, schema: Schema, n_components: float = 2) -> Projector:
    """The principal components of the train rows' features, each feature with mean 0 and variance 1.

    Args:
        train: The rows that encoder, scaler and components are fitted on.
        schema: The columns.
        n_components: How many; if below 1, the share of the variance that they are to keep.

    Raises:
        NotComputableError: The rows vary in no feature.
    """
    encoder = FeatureEncoder(schema).fit(train)
    features = encoder.transform(train)
    if not np.ptp(features, axis=0).any():
        raise NotComputableError("the train rows are all equal")
    scaler = StandardScaler().fit(features)
    if n_components >= 1:
        n_components = min(int(n_components), *features.shape)
    components = PCA(n_components, svd_solver="covariance_eigh").fit(scaler.transform(features))
    return Projector(encoder, scaler, components)


def cluster_nmi(real: np.ndarray, synthetic: np.ndarray, seed: int = 0, n_clusters: int = N_CLUSTERS) -> float:
    """NMI of the clusters of the union of two equally large samples and their side.

    k-means (3 starts) finds `n_clusters` clusters, or as many as there are different rows; the mutual information of
    cluster and side is divided by the mean of their entropies. Range 0 (every cluster holds as many real as synthetic
    rows) to 1, goal minimise. It hardly answers to faults that leave the clusters in their places.

    Args:
        real: Rows in principal components.
        synthetic: As many rows.
        seed: Of k-means.
        n_clusters: How many clusters.

    References:
        NMI of arXiv:2512.21395.
    """
    sides = np.repeat([0, 1], [len(real), len(synthetic)])
    return float(normalized_mutual_info_score(sides, _clusters(real, synthetic, seed, n_clusters)))


def support_curves(real: np.ndarray, synthetic: np.ndarray, persons: np.ndarray | None = None) -> Support:
    """Alpha-precision and beta-recall of two equally large samples, level by level.

    The variant: Alaa et al. learn an embedding in which typical rows form a ball; here it is the space that the rows
    are given in (the first five principal components in the suite), and the balls stand about the mean of either side. Precision at level
    alpha is the share of the synthetic rows that are within the alpha-quantile of the real rows' distances from the
    real mean. Recall at level beta is the share of the real rows whose nearest synthetic row is within the
    beta-quantile of the synthetic rows' distances from the synthetic mean, and no further away than the real row's
    fifth nearest real row (of other persons). For samples of one distribution both are near the level; the recall of
    such samples ends at 1 - 1/2^5 or so.

    Args:
        real: Rows in principal components.
        synthetic: As many rows.
        persons: Which person each real row belongs to; without it each is a person of its own.

    References:
        Alaa et al., How faithful is your synthetic data?, ICML 2022, arXiv:2102.08921; the fifth neighbour as in Naeem
        et al., Reliable fidelity and diversity metrics for generative models, ICML 2020, arXiv:2002.09797.
    """
    return _Distances.of(real, synthetic, np.arange(len(real)) if persons is None else persons).curves()


def measure_clusters(tables: Tables) -> Measurement:
    """NMI, alpha-precision and beta-recall of equal numbers of train and synthetic rows.

    Intervals by the jackknife over people of both; clusters and neighbours are not found anew for it.
    """
    schema, seed = tables.schema, tables.seed
    n_rows = min(len(tables.train), len(tables.synthetic), MAX_FAST_ROWS if tables.fast else MAX_ROWS)
    rng = np.random.default_rng(seed)
    sides = (tables.train, tables.synthetic)
    rows = [np.sort(rng.permutation(len(side))[:n_rows]) for side in sides]
    projector = principal_components(tables.train, schema, VARIANCE)
    real, synthetic = (projector.transform(side.iloc[chosen]) for side, chosen in zip(sides, rows, strict=True))
    persons = [row_groups(side, schema)[chosen] for side, chosen in zip(sides, rows, strict=True)]
    clusters = _clusters(real, synthetic, seed, N_CLUSTERS)
    leading = slice(N_SUPPORT_COMPONENTS)
    distances = _Distances.of(real[:, leading], synthetic[:, leading], persons[0])

    def statistics(real_rows: np.ndarray, synthetic_rows: np.ndarray) -> np.ndarray:
        side = np.repeat([0, 1], [len(real_rows), len(synthetic_rows)])
        nmi = normalized_mutual_info_score(side, clusters[np.concatenate([real_rows, n_rows + synthetic_rows])])
        support = distances.curves(real_rows, synthetic_rows)
        return np.array([nmi, support.alpha_precision, support.beta_recall])

    everything = np.arange(n_rows)
    values = statistics(everything, everything)
    reaches = margins(statistics, persons, seed) if tables.with_intervals else np.full(3, np.nan)
    n_components = real.shape[1]
    space = f"{n_components} principal components ({VARIANCE:.0%} of the variance), {n_rows:,} rows a side"
    support = f"in the first {min(N_SUPPORT_COMPONENTS, n_components)} principal components, {n_rows:,} rows a side"
    notes = {
        "NMI": f"{len(np.unique(clusters))} clusters in {space}",
        "alpha-precision": f"balls about the mean {support}",
        "beta-recall": f"within the {N_NEIGHBOURS}th neighbour {support}",
    }
    return Measurement(
        {m.name: with_interval(float(v), r, m) for m, v, r in zip(METRICS, values, reaches, strict=True)},
        notes,
        {"curve": pd.DataFrame(distances.curves()._asdict())},
    )


MEASURE = Measure("clusters", METRICS, measure_clusters)


@dataclass(frozen=True)
class _Distances:
    """What the curves need to know of every row.

    Args:
        real: Distance of real rows from the real mean.
        synthetic: Distance of synthetic rows from the real mean.
        synthetic_own: Distance of synthetic rows from the synthetic mean.
        nearest: Of each real row the nearest synthetic one.
        is_near: Whether this is no further away than the real row's neighbours.
    """

    real: np.ndarray
    synthetic: np.ndarray
    synthetic_own: np.ndarray
    nearest: np.ndarray
    is_near: np.ndarray

    @classmethod
    def of(cls, real: np.ndarray, synthetic: np.ndarray, persons: np.ndarray) -> _Distances:
        nearest, distance = pairwise_distances_argmin_min(real, synthetic)
        radius = _neighbour_distances(real, persons)
        mean, synthetic_mean = real.mean(axis=0), synthetic.mean(axis=0)
        return cls(
            np.linalg.norm(real - mean, axis=1),
            np.linalg.norm(synthetic - mean, axis=1),
            np.linalg.norm(synthetic - synthetic_mean, axis=1),
            nearest,
            distance <= radius + ROUNDING,
        )

    def curves(self, real_rows: np.ndarray | None = None, synthetic_rows: np.ndarray | None = None) -> Support:
        """The curves of some of the rows; neighbours stay those among all."""
        chosen = slice(None) if real_rows is None else real_rows
        others = slice(None) if synthetic_rows is None else synthetic_rows
        radii = np.quantile(self.real[chosen], LEVELS) + ROUNDING
        own_radii = np.quantile(self.synthetic_own[others], LEVELS) + ROUNDING
        reach = np.where(self.is_near, self.synthetic_own[self.nearest], np.inf)[chosen]
        precision = (self.synthetic[others, None] <= radii).mean(axis=0)
        recall = (reach[:, None] <= own_radii).mean(axis=0)
        return Support(LEVELS, precision, recall)


def _neighbour_distances(points: np.ndarray, persons: np.ndarray) -> np.ndarray:
    # Of each row the distance to the fifth nearest row of somebody else; of the farthest where there are fewer.
    def kth(distances: np.ndarray, start: int) -> np.ndarray:
        distances[persons[start : start + len(distances), None] == persons] = np.inf
        nearest = np.partition(distances, min(N_NEIGHBOURS, len(points)) - 1, axis=1)[:, :N_NEIGHBOURS]
        return np.where(np.isfinite(nearest), nearest, 0.0).max(axis=1)

    return np.concatenate(list(pairwise_distances_chunked(points, reduce_func=kth, working_memory=256)))


def _clusters(real: np.ndarray, synthetic: np.ndarray, seed: int, n_clusters: int) -> np.ndarray:
    # Rounded, so that equal rows stay equal whatever the order of a sum was.
    points = np.round(np.concatenate([real, synthetic]), 9)
    n_different = len(np.unique(points, axis=0))
    return np.asarray(KMeans(min(n_clusters, n_different), n_init=N_STARTS, random_state=seed).fit_predict(points))


def _closeness(level: np.ndarray, share: np.ndarray) -> float:
    return float(1 - 2 * trapezoid(np.abs(share - level), level))
