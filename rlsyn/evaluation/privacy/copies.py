"""Copies: synthetic rows that equal a train row or lie closer to one than real people do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.stats import beta, quantile_test

from rlsyn.evaluation.features import FeatureEncoder, category_positions, column_numbers, count_people, row_groups
from rlsyn.evaluation.measure import (
    Estimate,
    Measure,
    Measurement,
    Metric,
    Tables,
    share_beside,
    share_estimate,
)
from rlsyn.evaluation.people import at_most, drawn_note, require_rows, rows_at_most
from rlsyn.evaluation.privacy.distances import nearest_of_two_people
from rlsyn.schema import Column, Schema

NEAR_QUANTILE = 0.01
CHANCE = 0.01
"""Test people are alike to training people by chance where they would be as much with at least this probability."""
N_DRAWS = 999
"""Of people, to tell that probability."""
MAX_ROWS, MAX_ROWS_FAST = 30_000, 5_000
"""Synthetic rows, and test rows, whose distance to train is looked for."""

_DESCRIPTIVE = "It only describes: low values are a warning, high ones prove nothing (arXiv:2505.01524)."
METRICS = (
    Metric(
        "exact copies",
        "privacy",
        "minimise",
        0,
        1,
        "Share of synthetic rows that equal a train row in every column; some do by chance where rows have few values.",
    ),
    Metric(
        "copies of unique rows",
        "privacy",
        "minimise",
        0,
        1,
        "Share of synthetic rows that equal, in every column, rows of one person of train and of nobody else.",
    ),
    Metric(
        "near copies",
        "privacy",
        "minimise",
        0,
        1,
        "Share of synthetic rows that equal a train row or are closer to one than 99 % of the test rows that equal none; "
        "fresh people give about 0.01.",
    ),
    Metric(
        "near copies of one person",
        "privacy",
        "minimise",
        0,
        1,
        "Share of synthetic rows that equal rows of one person of train alone, or are less than half as far from one person "
        "as from the next, by more than 99 % of the test rows that equal none; fresh people give at most about 0.01. It "
        "finds copies of people unlike all others, from whom a copy may lie further than others do from each other.",
    ),
    Metric(
        "DCR 5 %",
        "privacy",
        "none",
        0,
        float("inf"),
        f"Distance to the closest train row that 5 % of the synthetic rows stay below. {_DESCRIPTIVE}",
    ),
    Metric(
        "DCR median",
        "privacy",
        "none",
        0,
        float("inf"),
        f"Median distance of synthetic rows to their closest train row. {_DESCRIPTIVE}",
    ),
    Metric(
        "NNDR 5 %",
        "privacy",
        "none",
        0,
        1,
        "Distance to the closest train row over that to the closest of another person, which 5 % of the synthetic rows stay "
        f"below; near 0, one person is singled out. {_DESCRIPTIVE}",
    ),
    Metric(
        "NNDR median",
        "privacy",
        "none",
        0,
        1,
        "Median ratio of a synthetic row's distances to its closest train row and to the closest of another person. "
        f"{_DESCRIPTIVE}",
    ),
)


def exact_copies(train: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema) -> int:
    """The number of synthetic rows that equal a train row in every column; goal minimise.

    Missing equals missing; categories are compared by their meaning, numbers after rounding to the decimals of their
    column (where it has any; otherwise in the precision of the coarser of the two tables): digits that train does not
    have make no other person. With the tables in each other's place it counts the train rows that were copied, which is syntheval's
    hitting rate at threshold 0 (times the train rows), where nothing is missing.
    """
    return int((people_with_an_equal_row(train, synthetic, schema) > 0).sum())


def people_with_an_equal_row(train: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema) -> np.ndarray:
    """For each synthetic row, the number of people of train with a row that it equals in every column.

    Where it is 1 the row singles somebody out.
    """
    sides = [value_codes(train[column.name], synthetic[column.name], column) for column in schema.columns]
    rows = _row_numbers(sides)
    people = pd.DataFrame({"row": rows[: len(train)], "person": row_groups(train, schema)}).drop_duplicates()
    return np.bincount(people["row"], minlength=rows.max(initial=-1) + 1)[rows[len(train) :]]


def near_copies(nearest: np.ndarray, apart: np.ndarray, n_equal: np.ndarray) -> np.ndarray:
    """Which rows equal a train row or are closer to one than 99 % of the test rows that equal none.

    Where rows have few values many equal one by chance: with them the limit would be 0, and rows of which one value was
    changed a little would pass. Fresh people give about 1 %, and the exact copies among them on top.

    Args:
        nearest: The distances of the rows, as `nearest_of_two_people` gives them.
        apart: Those of the test rows that equal none.
        n_equal: For each row, the number of people of train with an equal row.
    """
    limit = np.quantile(apart[:, 0], NEAR_QUANTILE) if len(apart) else 0.0
    return (nearest[:, 0] < limit) | (nearest[:, 0] == 0) | (n_equal > 0)


def near_copies_of_one_person(nearest: np.ndarray, apart: np.ndarray, n_equal: np.ndarray) -> np.ndarray:
    """Which rows equal one person's rows, or stand out from all others beside one as few people do.

    A row stands out where the distance to the closest row of a second person exceeds that to the closest train row by more
    than in 99 % of the test rows that equal none, and is more than twice as large, so that a row far from everybody is no
    copy. The limit of `near_copies` is one distance for all: where most people have few findings it is that of the healthy,
    and a copy of the patient with thirty findings, two of which were changed, lies beyond it. Fresh people give at most
    about 1 %, and the copies of unique rows among them on top; a test row of a person of train would stand out itself.

    Args:
        nearest: The distances of the rows, as `nearest_of_two_people` gives them.
        apart: Those of the test rows that equal none.
        n_equal: For each row, the number of people of train with an equal row.
    """
    gaps, of_apart = (distances[:, 1] - distances[:, 0] for distances in (nearest, apart))
    limit = np.quantile(of_apart, 1 - NEAR_QUANTILE) if len(of_apart) else np.inf
    return ((gaps > limit) & (gaps > nearest[:, 0])) | (n_equal == 1)


def compute_copies(tables: Tables) -> Measurement:
    """Shares of exact copies and of near ones, of both all and those of one person, and quantiles of DCR and NNDR.

    Exact copies are looked for among all synthetic rows; the distances of at most `MAX_ROWS` synthetic and test rows
    are taken to all train rows. Which rows they are is kept in the details. Distances are Euclidean among features
    fitted on train (a numeric column spans 0 to 1 in train, a change of category counts sqrt 2, of a binary value 1).
    The intervals are over synthetic rows; those of near copies also tell how well so many test people, those with a row
    that equals none, fix the limit.

    DCR is the distance to the closest train row, NNDR that over the distance to the closest of another person: 1 where both
    are the same, even 0, as this singles out nobody. Elsewhere NNDR has the second closest row, which is the same where
    rows are people; of a person with several visits it is another visit, and copies would have 1. Passing a threshold of
    theirs proves nothing (arXiv:2505.01524). syntheval's mDCR is the median DCR over the median distance of a train row to
    another. Its NNDR takes the ratios from train rows to synthetic rows, their mean, and 0 where both distances are 0.

    Raises:
        NotComputableError: Train rows of fewer than two people, or another table without rows.
    """
    train, schema = tables.train, tables.schema
    max_rows = MAX_ROWS_FAST if tables.fast else MAX_ROWS
    drawn = rows_at_most(tables.synthetic, schema, max_rows, tables.seed)
    synthetic = tables.synthetic.iloc[drawn]
    test = at_most(tables.test, schema, max_rows, tables.seed)
    require_rows(train=train, test=test, synthetic=synthetic)
    n_people = people_with_an_equal_row(train, tables.synthetic, schema)
    encoder = FeatureEncoder(schema).fit(train)
    targets = encoder.transform(train)
    persons = row_groups(train, schema)
    nearest, of_test = (nearest_of_two_people(encoder.transform(rows), targets, persons) for rows in (synthetic, test))
    dcr, nndr = _ratios(nearest)
    # By equality: last digits that train does not have are no distance.
    is_apart = (people_with_an_equal_row(train, test, schema) == 0) & (of_test[:, 0] > 0)
    apart, n_apart = of_test[is_apart], count_people(test[is_apart], schema)
    equal = n_people > 0, n_people == 1
    near = tuple(find(nearest, apart, n_people[drawn]) for find in (near_copies, near_copies_of_one_person))
    shares = [*map(share_estimate, equal), *(near_estimate(is_near, n_apart) for is_near in near)]
    if not tables.with_intervals:
        shares = [Estimate(share.value) for share in shares]
    quantiles = [one for values in (dcr, nndr) for one in _quantile_estimates(values, tables.with_intervals)]
    estimates = dict(zip([metric.name for metric in METRICS], [*shares, *quantiles], strict=True))
    note = drawn_note(max_rows, synthetic=tables.synthetic, test=tables.test)
    notes = {metric.name: note for metric in METRICS[2:] if note}
    notes |= {
        metric.name: f"{is_equal.sum():,} of {len(is_equal):,} synthetic rows"
        for metric, is_equal in zip(METRICS, equal, strict=False)
    }
    return Measurement(estimates, notes, {"distances": {"synthetic": dcr}, "rows": _copied_rows(equal, near, drawn)})


def compute_real_copies(tables: Tables) -> Measurement:
    """What `compute_copies` finds of the test rows in the place of the synthetic ones.

    How often people are alike by chance is told by all of them: the intervals of exact copies are those of train and
    test rows together, each looked for among the train rows of other people, stretched to the test rows' share. A share
    of rows is as uncertain as that of so many people. Where more test rows equal a training row than can be chance,
    they may be of the same people: how alike training people are among themselves is all that is known of exact copies,
    and of near ones how near the test rows are that equal none.
    """
    train, test, schema = tables.train, tables.test, tables.schema
    alike = how_alike(train, test, schema)
    apart, is_chance = test[alike.equal == 0], alike.is_chance
    found = compute_copies(replace(tables, synthetic=test))
    of_apart = compute_copies(replace(tables, synthetic=apart)) if len(apart) and not is_chance else found
    n_train, n_test = (count_people(rows, schema) for rows in (train, test))
    for exact, near, hits in zip(METRICS[:2], METRICS[2:4], (lambda n: n > 0, lambda n: n == 1), strict=True):
        within, beyond = hits(alike.others), hits(alike.equal)
        if is_chance:
            found.estimates[exact.name] = share_beside(beyond, within, n_train + n_test)
        else:
            found.estimates[exact.name] = share_estimate(within, n_train)
            # The rest are as near as test rows that equal none; where all of these equal one, only equal rows are near.
            rest = (alike.others == 0).mean() if len(apart) else 0.0
            found.estimates[near.name] = _sum(found.estimates[exact.name], of_apart.estimates[near.name], rest)
    return found


@dataclass(frozen=True)
class HowAlike:
    """How often real rows equal each other.

    Args:
        others: For each training row the number of other training people with an equal row.
        equal: For each test row the number of training people with an equal row.
        persons: For training and for test rows, the number of the person that each row belongs to.
    """

    others: np.ndarray
    equal: np.ndarray
    persons: tuple[np.ndarray, np.ndarray]

    @property
    def n_others(self) -> int:
        """Training rows that equal one of another person."""
        return int((self.others > 0).sum())

    @property
    def n_equal(self) -> int:
        """Test rows that equal a training row."""
        return int((self.equal > 0).sum())

    @property
    def is_chance(self) -> bool:
        """Whether test people would often have as large a share of equal rows if they were drawn with the training people.

        By a permutation test of people: one equal row of somebody makes others of theirs likely. Of shares: where everybody
        has some row of no findings, only whose all rows are equal differs from the others.
        """
        within, beyond = (
            pd.Series(n_people > 0).groupby(persons).mean().to_numpy()
            for n_people, persons in zip((self.others, self.equal), self.persons, strict=True)
        )
        every, rng = np.concatenate([within, beyond]), np.random.default_rng(0)
        alike = every[every > 0]
        counts = rng.hypergeometric(len(alike), len(every) - len(alike), len(beyond), size=N_DRAWS)
        drawn = np.array([rng.permutation(alike)[:count].sum() for count in counts])
        return bool((1 + (drawn >= beyond.sum() - 1e-9).sum()) / (1 + N_DRAWS) >= CHANCE)


def how_alike(train: pd.DataFrame, test: pd.DataFrame, schema: Schema) -> HowAlike:
    """How often training rows equal those of other training people, and test rows a training row."""
    within, beyond = (people_with_an_equal_row(train, rows, schema) for rows in (train, test))
    return HowAlike(within - 1, beyond, (row_groups(train, schema), row_groups(test, schema)))


COPIES = Measure("copies", METRICS, compute_copies, real=compute_real_copies)


def _copied_rows(equal: Sequence[np.ndarray], near: Sequence[np.ndarray], drawn: np.ndarray) -> pd.DataFrame:
    # The rows that any of the four shares counts, by their place in the table: 1 where it does; missing where a row was
    # not drawn, so that nobody looked how near it is.
    names = [metric.name for metric in METRICS[:4]]
    exact = pd.DataFrame(dict(zip(names[:2], equal, strict=True)))
    rows = exact.join(pd.DataFrame(dict(zip(names[2:], near, strict=True)), index=drawn)).astype("boolean")
    return rows[rows.any(axis=1)].astype("Int64")


def _ratios(distances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    first, of_other = distances.T
    return first, np.divide(first, of_other, out=np.ones_like(first), where=of_other > 0)


def near_estimate(is_near: np.ndarray, n_apart: int) -> Estimate:
    """The share of rows beyond the limit that 99 % of so many test people keep."""
    # The share of fresh rows below the empirical 1 % quantile of n others, which lies between the order statistics about
    # 1 + (n - 1) / 100, follows a beta distribution, skewed where they are few: the limit itself is a matter of chance.
    share, place = share_estimate(is_near), 1 + (n_apart - 1) * NEAR_QUANTILE
    least, most = beta.ppf([0.025, 0.975], place, n_apart + 1 - place)
    below, above = max(most - NEAR_QUANTILE, 0.0), max(NEAR_QUANTILE - least, 0.0)
    low = share.value - np.hypot(share.value - share.low, below)
    high = share.value + np.hypot(share.high - share.value, above)
    return Estimate(share.value, float(max(low, 0.0)), float(min(high, 1.0)))


def _sum(first: Estimate, second: Estimate, weight: float) -> Estimate:
    value = first.value + weight * second.value
    below = np.hypot(first.value - first.low, weight * (second.value - second.low))
    above = np.hypot(first.high - first.value, weight * (second.high - second.value))
    return Estimate(float(value), float(max(value - below, 0.0)), float(min(value + above, 1.0)))


def _quantile_estimates(values: np.ndarray, with_intervals: bool) -> list[Estimate]:
    # 5 % and median; the intervals are between order statistics, whatever the distribution.
    found = []
    for probability in (0.05, 0.5):
        value = float(np.quantile(values, probability))
        interval = (
            quantile_test(values, p=probability).confidence_interval(0.95) if with_intervals else (np.nan, np.nan)
        )
        found.append(Estimate(value, *map(float, interval)))
    return found


def value_codes(train: pd.Series, synthetic: pd.Series, column: Column) -> np.ndarray:
    """Equal numbers for equal values of two tables, those of the train rows first."""
    if column.is_discrete:
        return np.concatenate([category_positions(values, column) for values in (train, synthetic)])
    numbers = np.concatenate([column_numbers(train), column_numbers(synthetic)])
    if column.most_decimals is not None:
        numbers = np.round(numbers, column.most_decimals)
    elif any(values.dtype in (np.float16, np.float32, "Float32") for values in (train, synthetic)):
        numbers = numbers.astype(np.float32)
    return pd.factorize(numbers)[0].astype(np.int64)


def _row_numbers(codes: list[np.ndarray]) -> np.ndarray:
    # Equal numbers for equal rows. Numbering anew after each column keeps the products within 64 bits.
    rows = np.zeros(len(codes[0]), dtype=np.int64)
    for column in codes:
        values = np.unique(column, return_inverse=True)[1]
        rows = np.unique(rows * (values.max(initial=0) + 1) + values, return_inverse=True)[1]
    return rows
