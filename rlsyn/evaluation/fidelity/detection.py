"""Detection: how well a classifier tells synthetic rows from real ones that neither it nor the generator has seen."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from sklearn.base import ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rlsyn.evaluation.features import FeatureEncoder, NotComputableError, row_groups
from rlsyn.evaluation.measure import Measure, Measurement, Metric, Tables, margins, with_interval
from rlsyn.evaluation.ranking import auc
from rlsyn.names import unknown_name
from rlsyn.schema import Schema

N_FOLDS = 5
N_REPEATS = 3
MANY_ROWS = 2_000
"""Subsamples of a synthetic table that is larger than the real one; with so many rows one is enough."""
MAX_ROWS = 10_000
MAX_FAST_ROWS = 2_000
"""Rows of either side at most, in all and when speed is wanted."""
MANY_EQUAL = 10
"""Rows that are equal as often as this are a frequent combination of values and no copies."""
CLASSIFIERS = ("lightgbm", "logistic")
METRICS = tuple(
    Metric(
        *(f"detection AUC ({name})", "fidelity", "0.5", 0.0, 1.0),
        f"How well {what} tells synthetic from held-out real records: 0.5 not at all, 1 without error.",
    )
    for name, what in (("LightGBM", "a boosted forest (LightGBM)"), ("logistic", "logistic regression"))
)


class Sides(NamedTuple):
    """The rows that classifiers are to tell apart, both sides in one; equal numbers of real and synthetic ones.

    Args:
        features: Of each row.
        is_synthetic: The side.
        row: The number of the row in its table; synthetic rows are counted on from the real ones.
        fold: The fold in which it is held out.
    """

    features: np.ndarray
    is_synthetic: np.ndarray
    row: np.ndarray
    fold: np.ndarray


def detection_auc(
    real: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema, classifier: str = "lightgbm", seed: int = 0
) -> float:
    """The AUC with which a classifier tells synthetic rows from real ones, as the mean of five folds.

    Equal numbers of rows: the larger table is subsampled, at most `MAX_ROWS` of either; of a larger synthetic table the
    mean of `N_REPEATS` subsamples, unless they have `MANY_ROWS`. All rows of a person are in one fold, and so are rows
    that are equal in every feature (unless ten or more are), else a row would be known from its copy: the copy of a
    real row among the synthetic ones would teach the opposite of what is true of it, and a table would stand far below
    0.5 against itself.
    Synthetic rows are persons of their own, unless `synthetic` holds the schema's group column, as real rows in its
    place do.

    `real` should be rows that the generator has not seen. Against its training rows even a generator with faults stays
    near or below 0.5 if it matches their moments: real rows held out of a fit deviate from the fitted ones in the
    direction opposite to the synthetic ones.

    Synthetic rows must be drawn independently: the AUC of rows that were drawn in balance is too low (see
    `rlsyn.evaluation.evenness`).

    Unlike all other measures the features are fitted on both sides together: a column that is constant on one side
    would be lost if they were fitted on that side alone.

    Range 0 to 1, goal 0.5; well below 0.5 is no better than 0.5.

    Args:
        real: Real rows, best those held out; may hold the group column.
        synthetic: Synthetic rows.
        schema: The columns.
        classifier: `lightgbm` (few small trees, fit for hundreds of rows) or `logistic` (of standardised features).
        seed: Of subsamples, folds and classifier.

    Raises:
        NotComputableError: Too few rows or persons for five folds.
        ValueError: An unknown classifier.

    References:
        Lopez-Paz and Oquab, Revisiting classifier two-sample tests, ICLR 2017, arXiv:1610.06545.
    """
    if classifier not in CLASSIFIERS:
        raise ValueError(unknown_name("classifier", classifier, CLASSIFIERS))
    repeats = draw_sides(real, synthetic, schema, seed)
    return _mean_auc(repeats, [held_out_scores(sides, classifier, seed) for sides in repeats])


def unseen_detection_auc(
    learned: pd.DataFrame,
    unseen: pd.DataFrame,
    draws: Sequence[pd.DataFrame],
    schema: Schema,
    seed: int = 0,
) -> float:
    """How well LightGBM tells new draws from unseen real rows, once it has learned to tell draws from other real rows.

    For few unseen rows: `detection_auc` would have to learn from them as well, and of 30 rows it learns nothing. Here
    it learns from the rows that the generator did, and is only tried on the unseen ones. A generator with faults is
    found out by far more of the time; one that copies what it learned from is not, and must be by its membership.

    Range 0 to 1, goal 0.5; well below 0.5 is no better than 0.5.

    Args:
        learned: Rows that the generator has learned from.
        unseen: Real rows that it has not.
        draws: Synthetic tables of one generator, two at least; the classifier learns from one and is tried on the
            others, from the first two in turn.
        schema: The columns.
        seed: Of the classifier.

    Raises:
        NotComputableError: No unseen rows, or fewer than two draws.
    """
    if len(unseen) == 0 or len(draws) < 2:
        raise NotComputableError(f"unseen rows and two draws are needed, got {len(unseen)} rows, {len(draws)} draws")
    tables = [table[schema.names].astype(object) for table in (learned, unseen, *draws)]
    encoder = FeatureEncoder(schema).fit(pd.concat(tables))
    real, new, *synthetic = (encoder.transform(table) for table in tables)
    aucs = []
    for i in range(2):
        others = np.concatenate([draw for j, draw in enumerate(synthetic) if j != i])
        model = _classifier("lightgbm", seed)
        model.fit(np.concatenate([real, synthetic[i]]), np.repeat([0, 1], [len(real), len(synthetic[i])]))
        of_others, of_new = (model.predict_proba(rows)[:, 1] for rows in (others, new))
        aucs.append(auc(of_others, of_new))
    return float(np.mean(aucs))


def draw_sides(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    schema: Schema,
    seed: int,
    max_rows: int = MAX_ROWS,
    n_repeats: int = N_REPEATS,
) -> list[Sides]:
    """Size-matched subsamples with their folds; a single one if the synthetic table is not the larger one.

    Raises:
        NotComputableError: Too few rows or persons for five folds.
    """
    n_rows = min(len(real), len(synthetic), max_rows)
    rng = np.random.default_rng(seed)
    orders = rng.permutation(len(real)), rng.permutation(len(synthetic))
    repeats = []
    for repeat in range(n_repeats if MANY_ROWS > n_rows < len(synthetic) else 1):
        # On and on through the permuted rows, from the end back to the start: with as little overlap as there can be.
        rows = [np.sort(np.roll(order, -repeat * n_rows)[:n_rows]) for order in orders]
        sides = real.iloc[rows[0]][schema.names], synthetic.iloc[rows[1]][schema.names]
        # Fitted on both sides, which gives neither away: a column that is constant in one of them would be lost else.
        encoder = FeatureEncoder(schema).fit(pd.concat([side.astype(object) for side in sides]))
        features = np.concatenate([encoder.transform(side) for side in sides])
        persons = [row_groups(table, schema)[chosen] for table, chosen in zip((real, synthetic), rows, strict=True)]
        is_synthetic = np.repeat([0, 1], n_rows)
        fold = _folds(features, is_synthetic, persons, seed + repeat)
        repeats.append(Sides(features, is_synthetic, np.concatenate([rows[0], len(real) + rows[1]]), fold))
    return repeats


def held_out_scores(sides: Sides, classifier: str, seed: int) -> np.ndarray:
    """The probability of being synthetic that each row is given by the classifier of the folds that it is not in."""
    scores = np.empty(len(sides.fold))
    for fold in range(N_FOLDS):
        is_held_out = sides.fold == fold
        model = _classifier(classifier, seed)
        with warnings.catch_warnings():
            # Sides that can be told apart without error have no best weights; those at hand rank the rows well.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(sides.features[~is_held_out], sides.is_synthetic[~is_held_out])
        scores[is_held_out] = model.predict_proba(sides.features[is_held_out])[:, 1]
    return scores


def measure_detection(tables: Tables) -> Measurement:
    """Detection AUC of both classifiers against the held-out test rows.

    Intervals by the jackknife over the people of both tables, from the held-out scores: the classifiers are not fitted
    anew, so that the chance in what they learned is not in it. A single subsample where no interval is wanted.
    """
    real, synthetic = tables.test, tables.synthetic
    n_repeats = N_REPEATS if tables.with_intervals else 1
    max_rows = MAX_FAST_ROWS if tables.fast else MAX_ROWS
    repeats = draw_sides(real, synthetic, tables.schema, tables.seed, max_rows, n_repeats)
    scores = [[held_out_scores(sides, name, tables.seed) for sides in repeats] for name in CLASSIFIERS]

    def statistics(*rows: np.ndarray) -> np.ndarray:
        kept = np.zeros(len(real) + len(synthetic), dtype=bool)
        kept[rows[0]] = kept[len(real) + rows[1]] = True
        return np.array([_mean_auc(repeats, one, kept) for one in scores])

    values, reaches = [_mean_auc(repeats, one) for one in scores], np.full(len(METRICS), np.nan)
    if tables.with_intervals:
        persons = [row_groups(table, tables.schema) for table in (real, synthetic)]
        reaches = margins(statistics, persons, tables.seed)
    n_rows = len(repeats[0].fold) // 2
    note = f"{n_rows:,} of {len(real):,} test rows against {n_rows:,} of {len(synthetic):,}"
    if len(repeats) > 1:
        note += f", mean of {len(repeats)} subsamples"
    drawn = pd.DataFrame({"is_synthetic": repeats[0].is_synthetic == 1, "score": scores[0][0]})
    shown = repeats[0].row[repeats[0].is_synthetic == 0]
    return Measurement(
        {m.name: with_interval(v, r, m) for m, v, r in zip(METRICS, values, reaches, strict=True)},
        {metric.name: note for metric in METRICS},
        {"scores": drawn, "persons": row_groups(real, tables.schema)[shown]},
    )


MEASURE = Measure("detection", METRICS, measure_detection, real="train")


def _classifier(name: str, seed: int) -> ClassifierMixin:
    if name == "logistic":
        return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=200))
    # Small leaves, since a fold of a table of a few hundred rows has few of either side.
    return LGBMClassifier(
        n_estimators=100,
        num_leaves=15,
        min_child_samples=10,
        deterministic=True,
        force_row_wise=True,
        n_jobs=1,
        verbose=-1,
        random_state=seed,
    )


def _folds(features: np.ndarray, is_synthetic: np.ndarray, persons: list[np.ndarray], seed: int) -> np.ndarray:
    n_persons = min(len(np.unique(side)) for side in persons)
    if n_persons < N_FOLDS:
        raise NotComputableError(f"{N_FOLDS} folds need at least {N_FOLDS} persons on either side, got {n_persons}")
    person = np.concatenate([persons[0], persons[1] + persons[0].max() + 1])
    linked = _linked(person, pd.factorize(np.array([row.tobytes() for row in features + 0.0], dtype=object))[0])
    # Where chains of equal rows link most people, as in tables of few columns, persons alone must do.
    choices = [person] if np.bincount(linked).max() > len(person) / 2 else [linked, person]
    for groups in choices:
        fold = np.empty(len(person), dtype=np.int64)
        splitter = StratifiedGroupKFold(N_FOLDS, shuffle=True, random_state=seed)
        for number, (_, held_out) in enumerate(splitter.split(features, is_synthetic, groups)):
            fold[held_out] = number
        n_of_side = np.array([np.bincount(fold[is_synthetic == side], minlength=N_FOLDS) for side in (0, 1)])
        if (n_of_side > 0).all():
            return fold
    raise NotComputableError("a fold has rows of one side only, because few persons hold most of the rows")


def _linked(person: np.ndarray, content: np.ndarray) -> np.ndarray:
    # Rows of one person and rows of equal content (but for frequent contents) are one component.
    is_rare = np.bincount(content)[content] < MANY_EQUAL
    n_persons = person.max() + 1
    ends = person[is_rare], n_persons + content[is_rare]
    n_nodes = n_persons + content.max() + 1
    graph = csr_array((np.ones(len(ends[0])), ends), shape=(n_nodes, n_nodes))
    return connected_components(graph, directed=False)[1][person]


def _mean_auc(repeats: list[Sides], scores: list[np.ndarray], kept: np.ndarray | None = None) -> float:
    # Of the folds of every repeat, each by itself: scores of different fits are on different scales.
    aucs = []
    for sides, one in zip(repeats, scores, strict=True):
        is_kept = np.ones(len(one), dtype=bool) if kept is None else kept[sides.row]
        for fold in range(N_FOLDS):
            chosen = is_kept & (sides.fold == fold)
            is_synthetic = sides.is_synthetic[chosen] == 1
            if is_synthetic.any() and not is_synthetic.all():
                aucs.append(auc(one[chosen][is_synthetic], one[chosen][~is_synthetic]))
    return float(np.mean(aucs))
