import numpy as np
import pandas as pd
import pytest
from evaluation_tables import SCHEMA, make_patients, shuffle

from rlsyn.evaluation.privacy import exact_copies, membership_auc, near_copy_share, nearest_distances
from rlsyn.schema import Column, Schema


def test_copies_of_train_are_told_from_test(train, test):
    copy = train.drop(columns="person").sample(frac=1, random_state=0)
    auc = membership_auc(train, test, copy, SCHEMA)
    assert 0.97 < auc <= 1
    assert near_copy_share(train, test, copy, SCHEMA) == 1
    assert exact_copies(train, copy, SCHEMA) == len(train)


def test_distances_to_copies_are_exactly_zero_and_never_nan():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(300, 40)) * 1e3
    assert not nearest_distances(points, points[rng.permutation(300)]).any()
    targets = rng.normal(size=(50, 40)) * 1e3
    expected = np.sqrt(((points[:, None] - targets) ** 2).sum(axis=2)).min(axis=1)
    assert np.allclose(nearest_distances(points, targets), expected, rtol=1e-12)


def test_noise_gives_nobody_away(train, test):
    rng = np.random.default_rng(0)
    noise = shuffle(make_patients(450, 3)).assign(pressure=rng.uniform(0, 1_000, 450), age=rng.integers(0, 200, 450))
    assert membership_auc(train, test, noise, SCHEMA) == pytest.approx(0.5, abs=0.07)
    assert near_copy_share(train, test, noise, SCHEMA) < 0.01
    assert exact_copies(train, noise, SCHEMA) == 0


def test_fresh_rows_are_as_near_as_the_test_rows(train, test, synthetic):
    assert membership_auc(train, test, synthetic, SCHEMA) == pytest.approx(0.5, abs=0.07)
    assert near_copy_share(train, test, synthetic, SCHEMA) < 0.05
    assert near_copy_share(train, test, test, SCHEMA) <= 0.02


def test_a_planted_copy_is_counted(train, synthetic):
    assert exact_copies(train, synthetic, SCHEMA) == 0
    planted = pd.concat([synthetic, train.iloc[[7, 8]][SCHEMA.names]])
    assert exact_copies(train, planted, SCHEMA) == 2
    almost = train.iloc[[7]].assign(pressure=lambda table: table["pressure"] + 1e-9)
    assert exact_copies(train, almost, SCHEMA) == 0
    filled = train.iloc[[7]].assign(empty=0.0)
    assert exact_copies(train, filled, SCHEMA) == 0


def test_a_copy_is_a_copy_in_every_dtype(train, tmp_path):
    train.to_csv(tmp_path / "train.csv", index=False)
    assert exact_copies(train, pd.read_csv(tmp_path / "train.csv"), SCHEMA) == len(train)
    narrow = train.astype(
        {"pressure": "float32", "bmi": "Float32", "age": "float64", "diabetes": bool, "site": "category"}
    )
    assert exact_copies(train, narrow.assign(smoker=train["smoker"].astype("Int64")), SCHEMA) == len(train)


def test_copies_among_few_distinct_rows_are_near_copies():
    schema = Schema((Column("sex", "binary", ("f", "m")), Column("smoker", "binary", (0, 1))))
    rng = np.random.default_rng(0)
    train, test = (pd.DataFrame({"sex": rng.choice(["f", "m"], 100), "smoker": rng.integers(0, 2, 100)}) for _ in "ab")
    assert near_copy_share(train, test, train, schema) == 1
    assert membership_auc(train, test, train, schema) == 0.5
