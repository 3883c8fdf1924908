from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from evaluation_tables import SCHEMA, numeric_schema
from scipy.stats import mannwhitneyu
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.neighbors import KernelDensity

from rlsyn.evaluation.features import FeatureEncoder, NotComputableError
from rlsyn.evaluation.measure import Tables
from rlsyn.evaluation.privacy import domias
from rlsyn.evaluation.privacy.domias import compute_domias, domias_attack, domias_auc, log_density
from rlsyn.evaluation.privacy.membership import (
    compute_membership,
    membership_auc,
    membership_scores,
    person_scores,
    roc_statistics,
)

# The ROC curve


@pytest.mark.parametrize("decimals", [12, 1, 0])
def test_the_auc_is_the_rank_statistic_ties_and_all(decimals):
    rng = np.random.default_rng(0)
    members, others = rng.normal(0.4, 1, 300).round(decimals), rng.normal(0, 1, 170).round(decimals)
    found = roc_statistics(members, others)[0]
    assert found == pytest.approx(roc_auc_score([1] * 300 + [0] * 170, np.r_[members, others]), abs=1e-12)
    assert found == pytest.approx(mannwhitneyu(members, others).statistic / (300 * 170), abs=1e-12)


def test_rates_are_those_of_the_curve_of_scikit_learn():
    rng = np.random.default_rng(0)
    members, others = rng.normal(1, 1, 500), rng.normal(0, 1, 200)
    fpr, tpr, _ = roc_curve([1] * 500 + [0] * 200, np.r_[members, others])
    assert roc_statistics(members, others)[1] == tpr[fpr <= 0.01].max()
    assert roc_statistics(members, others)[2] == tpr[fpr <= 0.05].max()


def test_missing_end_points_scores_all_alike_are_a_toss_of_a_coin():
    assert np.allclose(roc_statistics(np.zeros(40), np.zeros(30)), [0.5, 0.01, 0.05])
    assert roc_statistics(np.ones(40), np.zeros(30)).tolist() == [1, 1, 1]
    assert roc_statistics(np.zeros(40), np.ones(30)).tolist() == [0, 0, 0]


def test_rates_between_two_points_of_the_curve_are_interpolated():
    # Ten test rows: the first false positive is 10 %. Half of the members are above it, half equal it.
    members, others = np.repeat([2.0, 1.0], 5), np.array([1.0] + [0.0] * 9)
    assert np.allclose(roc_statistics(members, others)[1:], [0.5 + 0.5 * 0.1, 0.5 + 0.5 * 0.5])
    # Before a vertical stretch the curve leads to its lower end: below the first test row there is no member.
    assert roc_statistics(np.zeros(5), np.r_[np.ones(9), -1])[1:].tolist() == [0, 0]
    # At exactly 1 % the curve is vertical: its upper end.
    members, others = np.r_[np.full(50, 99.5), np.full(50, 98.5)], np.arange(100.0)
    assert roc_statistics(members, others)[1] == 1


# The attack


def test_scores_are_distances_to_the_nearest_synthetic_row(train, test, synthetic):
    encoder = FeatureEncoder(SCHEMA).fit(train)
    features = [encoder.transform(table) for table in (train, test, synthetic)]
    for found, real in zip(membership_scores(train, test, synthetic, SCHEMA), features[:2], strict=True):
        assert np.allclose(-found, np.sqrt(((real[:, None] - features[2]) ** 2).sum(axis=2)).min(axis=1))
    shuffled = [table.sample(frac=1, random_state=0) for table in (train, test, synthetic)]
    assert membership_auc(*shuffled, SCHEMA) == pytest.approx(membership_auc(train, test, synthetic, SCHEMA), abs=1e-12)


def test_copies_of_train_are_told_from_test(train, test):
    copy = train.drop(columns="person").sample(frac=1, random_state=0)
    assert 0.97 < membership_auc(train, test, copy, SCHEMA) <= 1


def test_one_row_gives_a_person_away(train, test, synthetic):
    assert person_scores(np.array([-3.0, -1, -2, -5]), np.array([0, 0, 1, 1])).tolist() == [-1, -2]
    one_each = train.groupby("person").head(1)[SCHEMA.names]
    found = compute_membership(Tables(train, test, one_each, SCHEMA))
    assert found.estimates["membership AUC per person"].value > 0.97
    assert found.estimates["membership AUC"].value < 0.8
    assert found.notes["membership AUC per person"] == "150 people of train, 70 of test"


def test_the_resolution_of_the_rates_is_told(train, test, synthetic):
    found = compute_membership(Tables(train, test, synthetic, SCHEMA))
    assert found.notes["membership TPR at 5 % FPR"] == "5 % of 210 test rows: 10.5 false positives"
    assert [len(found.details["distances"][name]) for name in ("train", "test")] == [450, 210]
    assert membership_auc(train, test, synthetic, SCHEMA) == found.estimates["membership AUC"].value


def test_a_rate_of_less_than_one_person_has_no_value(train, test, synthetic):
    """The rows of a person are alike: the one person nearest to a synthetic row would be all false positives."""
    name = "membership TPR at 1 % FPR"
    found = compute_membership(Tables(train, test, synthetic, SCHEMA))
    assert (
        np.isnan(found.estimates[name].value) and found.notes[name] == "1 % of 70 test people is less than one person"
    )
    rows = compute_membership(Tables(train, test, synthetic, replace(SCHEMA, group=None)))
    assert rows.estimates[name].value < 0.1 and rows.notes[name] == "1 % of 210 test rows: 2.1 false positives"


def test_intervals_are_over_people_not_rows(train, test, synthetic):
    def width(table):
        tables = Tables(table, test, synthetic, SCHEMA)
        _, low, high = compute_membership(tables).estimates["membership AUC"]
        return high - low

    repeated = pd.concat([train] * 20, ignore_index=True)  # no new people: no more certain
    assert width(repeated) == pytest.approx(width(train), rel=0.3)


# DOMIAS


def test_log_density_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    points, sample = rng.normal(size=(60, 5)), rng.normal(size=(200, 5))
    # With smaller leaves its trees are off by up to 1e-5 far from the sample.
    expected = KernelDensity(bandwidth=0.3, leaf_size=200).fit(sample).score_samples(points)
    assert np.allclose(log_density(points, sample, 0.3), expected, rtol=0, atol=1e-9)


def test_log_density_is_the_same_in_blocks(monkeypatch):
    rng = np.random.default_rng(0)
    points, sample = rng.normal(size=(60, 5)), rng.normal(size=(200, 5))
    expected = log_density(points, sample, 0.3)
    monkeypatch.setattr(domias, "BLOCK_BYTES", 8 * 200 * 7)
    assert np.array_equal(log_density(points, sample, 0.3), expected)


def test_log_densities_far_from_all_data_are_finite_and_ordered():
    sample = np.random.default_rng(0).normal(size=(100, 3))
    points = np.array([[10.0**power, 0, 0] for power in range(1, 13)])
    found = log_density(points, sample, 0.1)
    assert np.isfinite(found).all() and (np.diff(found) < 0).all()


def test_domias_finds_a_region_that_the_generator_fills_with_train_rows():
    # Nobody is copied, but half of the synthetic rows crowd about people of train: density tells, copies do not.
    rng = np.random.default_rng(0)
    train, test = (pd.DataFrame(rng.normal(size=(n, 6)), columns=list("abcdef")) for n in (600, 300))
    about = train.sample(600, replace=True, random_state=0)
    synthetic = about + rng.normal(scale=0.3, size=about.shape)
    schema = numeric_schema(train)
    assert domias_auc(train, test, synthetic, schema) > 0.65
    fresh = pd.DataFrame(rng.normal(size=(600, 6)), columns=train.columns)
    assert domias_auc(train, test, fresh, schema) == pytest.approx(0.5, abs=0.08)


def test_domias_scores_are_ratios_of_kernel_densities_in_half_the_bandwidth_of_scott():
    rng = np.random.default_rng(0)
    train, test, synthetic = (pd.DataFrame(rng.normal(size=(n, 4)), columns=list("abcd")) for n in (80, 30, 50))
    attack = domias_attack(train, test, synthetic, numeric_schema(train))
    reference = train.iloc[attack.reference_persons]
    encoder = FeatureEncoder(numeric_schema(train)).fit(reference)
    pca = PCA(4).fit(encoder.transform(reference))
    known, generated, members = (
        pca.transform(encoder.transform(rows)) for rows in (reference, synthetic, train.iloc[attack.member_persons])
    )
    bandwidth = 0.5 * np.sqrt(known.var(axis=0, ddof=1).mean()) * len(known) ** (-1 / 8)
    of_known, of_generated = (
        KernelDensity(bandwidth=bandwidth, leaf_size=100).fit(rows).score_samples(members)
        for rows in (known, generated)
    )
    assert len(known) == 50 and len(members) == 30
    np.testing.assert_allclose(attack.members, of_generated - of_known, atol=1e-6)


def test_domias_asks_for_more_than_dense_regions():
    # Rows lie close in the middle and far apart outside. The density of synthetic rows alone gives 0.53.
    def draw(n_rows):
        spread = np.exp(rng.normal(0, 1.5, (n_rows, 1)))
        return pd.DataFrame(rng.normal(size=(n_rows, 6)) * spread, columns=list("abcdef"))

    found = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        train, test = draw(600), draw(300)
        jittered = train * rng.normal(1, 0.1, train.shape)
        found.append(domias_auc(train, test, jittered, numeric_schema(train)))
    assert np.mean(found) > 0.6


def test_domias_says_when_it_has_nothing_to_go_by(train, test, synthetic):
    with pytest.raises(NotComputableError, match="one person"):
        domias_auc(train.assign(person=1), test, synthetic, SCHEMA)
    with pytest.raises(NotComputableError, match="test has no rows"):
        domias_auc(train, test.head(0), synthetic, SCHEMA)
    alike = pd.DataFrame({"x": np.ones(30)})
    with pytest.raises(NotComputableError, match="all alike"):
        domias_auc(alike, alike, alike, numeric_schema(alike))
    for n_rows in (2, 3, 5):
        assert 0 <= domias_auc(train.head(3 * n_rows), test.head(6), synthetic, SCHEMA) <= 1


def test_domias_draws_fewer_rows_when_fast(train, test, synthetic, monkeypatch):
    monkeypatch.setattr(domias, "MAX_ROWS_FAST", 60)
    found = compute_domias(Tables(train, test, synthetic, SCHEMA, fast=True))
    assert found.notes["DOMIAS AUC"] == "60 train rows against 60 test rows"
