"""The membership attack of the paper: who lies nearest to a synthetic row is taken for a training row."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.metrics import auc, roc_curve

from rlsyn.evaluation.features import FeatureEncoder, row_groups
from rlsyn.evaluation.measure import Estimate, Measure, Measurement, Metric, Tables
from rlsyn.evaluation.people import at_most, drawn_note, estimate_attack, require_rows
from rlsyn.evaluation.privacy.distances import nearest_distances
from rlsyn.schema import Schema

MAX_ROWS, MAX_ROWS_FAST = 30_000, 5_000
"""Rows of train, and of test, that are attacked; the paper attacks 30,000."""
FALSE_POSITIVES = (0.01, 0.05)

_TPR = (
    "Share of train rows found by an attacker who is wrong about {0:.0%} of the rows of other people: {0} is guessing, "
    "more is a leak of those few even where the AUC looks harmless."
)
METRICS = (
    Metric(
        "membership AUC",
        "privacy",
        "0.5",
        0,
        1,
        "How well train rows are told from test rows by their distance to the nearest synthetic row: 0.5 is guessing, "
        "1 finds every train row, 0 every test row: then the tables may be in each other's place.",
    ),
    *(
        Metric(f"membership TPR at {rate:.0%} FPR".replace("%", " %"), "privacy", "minimise", 0, 1, _TPR.format(rate))
        for rate in FALSE_POSITIVES
    ),
    Metric(
        "membership AUC per person",
        "privacy",
        "0.5",
        0,
        1,
        "The same for people instead of rows, each by the row of theirs that is nearest to a synthetic row: 0.5 is "
        "guessing, 1 finds everybody who was in train.",
    ),
)


def membership_auc(train: pd.DataFrame, test: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema) -> float:
    """The AUC of an attacker who takes the real rows nearest to a synthetic row for training rows.

    The score of a real row is minus the Euclidean distance, among features fitted on train, to its nearest synthetic
    row. The AUC of train against test rows is the rank statistic P(score of a train row > score of a test row) + 1/2
    P(equal), without thresholds. Range 0 to 1, goal 0.5; far below 0.5 the test rows are found instead.

    syntheval's `mia` is another attack: it trains a classifier on synthetic against held-out rows.

    References:
        The attack of arXiv:2512.21395, with its AUC free of the threshold grid, which loses the end points of the curve
        (AUC 0, "private", for a generator far away from everything).

    Raises:
        NotComputableError: A table without rows.
    """
    members, others = membership_scores(train, test, synthetic, schema)
    return float(roc_statistics(members, others)[0])


def membership_scores(
    train: pd.DataFrame, test: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema
) -> tuple[np.ndarray, np.ndarray]:
    """The attacker's scores of the train and of the test rows: minus the distance to the nearest synthetic row.

    Raises:
        NotComputableError: A table without rows.
    """
    require_rows(train=train, test=test, synthetic=synthetic)
    encoder = FeatureEncoder(schema).fit(train)
    targets = encoder.transform(synthetic)
    members, others = (-nearest_distances(encoder.transform(rows), targets) for rows in (train, test))
    return members, others


def roc_statistics(members: np.ndarray, others: np.ndarray) -> np.ndarray:
    """AUC, and true positive rates at 1 % and 5 % false positives, of scores that are higher for members.

    The ROC curve has a point for every distinct score and both ends, and straight lines between them. A line across
    several rows of equal score, or from one false positive to the next, is what an attacker reaches who tosses a coin
    there: scores that are all alike give 0.5, 0.01 and 0.05. At a vertical stretch the rate is its upper end.

    References:
        Fawcett, An introduction to ROC analysis, Pattern Recognition Letters 27, 2006; Carlini et al., Membership
        inference attacks from first principles, arXiv:2112.03570 (TPR at low FPR).
    """
    is_member = np.repeat([1, 0], [len(members), len(others)])
    fpr, tpr, _ = roc_curve(is_member, np.concatenate([members, others]), drop_intermediate=False)
    before = np.searchsorted(fpr, FALSE_POSITIVES, side="right") - 1  # the upper end of a vertical stretch
    way = (np.array(FALSE_POSITIVES) - fpr[before]) / (fpr[before + 1] - fpr[before])
    return np.array([auc(fpr, tpr), *(tpr[before] + way * (tpr[before + 1] - tpr[before]))])


def person_scores(scores: np.ndarray, persons: np.ndarray) -> np.ndarray:
    """The score of each person: the highest of their rows', as one row that is found gives the person away."""
    return pd.Series(scores).groupby(persons).max().to_numpy()


def compute_membership(tables: Tables) -> Measurement:
    """The attack by rows and, with a group column in train and test, by people, as `METRICS` says."""
    schema = tables.schema
    max_rows = MAX_ROWS_FAST if tables.fast else MAX_ROWS
    train = at_most(tables.train, schema, max_rows, tables.seed)
    test = at_most(tables.test, schema, max_rows, tables.seed)
    scores = membership_scores(train, test, tables.synthetic, schema)
    persons = (row_groups(train, schema), row_groups(test, schema))
    by_row, by_person = METRICS[:-1], METRICS[-1]
    estimates = estimate_attack(roc_statistics, scores, persons, by_row, tables)
    notes, n_others = {}, len(np.unique(persons[1]))
    unit, one = ("rows", "row") if n_others == len(scores[1]) else ("people", "person")
    for metric, rate in zip(by_row[1:], FALSE_POSITIVES, strict=True):
        notes[metric.name] = _resolution(len(scores[1]), rate)
        if rate * n_others < 1:
            # The rate would be that of the one test person whose row, or rows, which are alike, happen to score highest.
            estimates[metric.name] = Estimate(float("nan"))
            notes[metric.name] = f"{rate * 100:.0f} % of {n_others:,} test {unit} is less than one {one}"
    if schema.group is not None and schema.group in train and schema.group in test:
        people = (person_scores(scores[0], persons[0]), person_scores(scores[1], persons[1]))
        everyone = (np.arange(len(people[0])), np.arange(len(people[1])))
        estimates |= estimate_attack(_auc_only, people, everyone, (by_person,), tables)
        notes[by_person.name] = f"{len(people[0]):,} people of train, {len(people[1]):,} of test"
    else:
        estimates[by_person.name] = Estimate(float("nan"))
        notes[by_person.name] = "not computed: does not apply: rows are people (no group column), see membership AUC"
    if drawn := drawn_note(max_rows, train=tables.train, test=tables.test):
        notes = {metric.name: "; ".join(filter(None, [notes.get(metric.name), drawn])) for metric in METRICS}
    details = {
        "distances": {"train": -scores[0], "test": -scores[1]},
        "persons": {"train": persons[0], "test": persons[1]},
    }
    return Measurement(estimates, notes, details)


MEMBERSHIP = Measure("membership", METRICS, compute_membership, real="halves")


def _auc_only(members: np.ndarray, others: np.ndarray) -> np.ndarray:
    return roc_statistics(members, others)[:1]


def _resolution(n_others: int, rate: float) -> str:
    return f"{rate:.0%} of {n_others:,} test rows: {rate * n_others:.1f} false positives".replace("%", " %", 1)
