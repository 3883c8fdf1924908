from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from evaluation_tables import SCHEMA, make_patients, shuffle
from scipy.stats import binom
from sklearn.neighbors import NearestNeighbors

from rlsyn.evaluation.features import FeatureEncoder, NotComputableError
from rlsyn.evaluation.measure import Estimate, Tables
from rlsyn.evaluation.privacy import copies
from rlsyn.evaluation.privacy.copies import (
    COPIES,
    _sum,
    compute_copies,
    compute_real_copies,
    exact_copies,
    how_alike,
    near_copies,
    near_copies_of_one_person,
    near_estimate,
    people_with_an_equal_row,
)
from rlsyn.evaluation.privacy.distances import nearest_distances, nearest_neighbours, nearest_of_two_people
from rlsyn.schema import Column, Schema, infer_schema

NEAR, OF_ONE = "near copies", "near copies of one person"


def share(metric, train, test, synthetic, schema=SCHEMA):
    return compute_copies(Tables(train, test, synthetic, schema, with_intervals=False)).estimates[metric].value


def test_copies_of_train_are_copies(train, test):
    copy = train.drop(columns="person").sample(frac=1, random_state=0)
    assert share(NEAR, train, test, copy) == 1
    assert exact_copies(train, copy, SCHEMA) == len(train)


def test_fresh_rows_are_as_near_as_the_test_rows(train, test, synthetic):
    assert share(NEAR, train, test, synthetic) < 0.05
    assert share(NEAR, train, test, test) <= 0.02
    noise = shuffle(make_patients(450, 3)).assign(pressure=np.random.default_rng(0).uniform(0, 1_000, 450))
    assert share(NEAR, train, test, noise) < 0.01


def test_a_planted_copy_is_counted(train, synthetic):
    assert exact_copies(train, synthetic, SCHEMA) == 0
    planted = pd.concat([synthetic, train.iloc[[7, 8]][SCHEMA.names]])
    assert exact_copies(train, planted, SCHEMA) == 2
    almost = train.iloc[[7]].assign(pressure=lambda table: table["pressure"] + 1e-9)
    assert exact_copies(train, almost, SCHEMA) == 0
    filled = train.iloc[[7]].assign(empty=0.0)
    assert exact_copies(train, filled, SCHEMA) == 0


@pytest.mark.parametrize("most", [30_000, 90], ids=["all rows", "rows drawn"])
def test_copied_rows_are_those_that_the_shares_count(train, test, synthetic, monkeypatch, most):
    monkeypatch.setattr(copies, "MAX_ROWS", most)
    places = [*range(3, 440, 7), 449]
    planted = synthetic.set_index(np.arange(len(synthetic)) + 1_000)
    planted.iloc[places] = train.iloc[places][planted.columns]
    found = compute_copies(Tables(train, test, planted, SCHEMA))
    rows = found.details["rows"]
    assert list(rows.index[rows["exact copies"] == 1]) == places
    n_compared = min(most, len(planted))
    for metric, n_rows in zip(rows, (len(planted), len(planted), n_compared, n_compared), strict=True):
        assert rows[metric].sum() / n_rows == pytest.approx(found.estimates[metric].value)
    assert rows.any(axis=1).all() and rows[NEAR].isna().any() == (most < len(planted))
    assert rows.loc[rows["exact copies"] == 1, NEAR].dropna().eq(1).all()
    assert rows.loc[rows["copies of unique rows"] == 1, OF_ONE].dropna().eq(1).all()


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
    assert share(NEAR, train, test, train, schema) == 1


def test_rows_changed_a_little_are_near_copies_though_some_people_are_alike(train, test):
    alike = pd.concat([test, train.iloc[:10]])
    assert exact_copies(train, alike, SCHEMA) == 10  # more than 1 % of the test rows
    assert share(NEAR, train, alike, train.assign(pressure=train["pressure"] + 0.01)) == 1
    assert share(NEAR, train, alike, test) < 0.05


def test_digits_that_train_does_not_have_hide_no_copy(train):
    finer = train.assign(age=train["age"] + 1e-7, bmi=train["bmi"] - 0.04)
    assert exact_copies(train, finer, SCHEMA) == len(train)
    assert exact_copies(train, train.assign(bmi=train["bmi"] + 0.1), SCHEMA) == train["bmi"].isna().sum()
    assert share(NEAR, train, make_patients(200, 9), finer) == 1


def test_digits_of_the_test_file_set_no_limit(train, test):
    """Test rows that equal a train row but for digits that are rounded off are at a distance, which is none of people."""
    alike = pd.concat([test, train.iloc[:10].assign(bmi=train["bmi"] + 1e-9)])
    near = train.assign(pressure=train["pressure"] + 0.01)
    assert share(NEAR, train, alike, near) == 1
    assert share(NEAR, train, pd.concat([test, train.iloc[:10].assign(constant=4.0)]), near) == 1
    assert share(OF_ONE, train, alike, near) == share(OF_ONE, train, test, near) > 0


def test_copies_that_single_out_a_row_are_told_from_those_of_common_rows(train, test, synthetic):
    twice = pd.concat([train, train.iloc[:100]], ignore_index=True)
    planted = pd.concat([synthetic, train.iloc[90:120][SCHEMA.names]])
    twice["person"] = np.arange(len(twice))
    counts = people_with_an_equal_row(twice, planted, SCHEMA)
    assert counts.tolist() == [0] * 450 + [2] * 10 + [1] * 20
    found = compute_copies(Tables(twice, test, planted, SCHEMA))
    assert found.estimates["exact copies"].value == 30 / 480
    assert found.estimates["copies of unique rows"].value == 20 / 480
    assert found.notes["copies of unique rows"] == "20 of 480 synthetic rows"


def test_equal_rows_of_one_person_single_that_person_out(train):
    twice = pd.concat([train, train.iloc[:100]], ignore_index=True)
    assert (people_with_an_equal_row(twice, train.iloc[:10], SCHEMA) == 1).all()


def test_how_often_people_are_alike_is_told_by_all_real_people(train, test, synthetic):
    """No two of 450 and 150 rows are equal: that tells more than that no test row equals a train row."""
    tables = Tables(train, test, synthetic, SCHEMA)
    real, of_test = compute_real_copies(tables), compute_copies(replace(tables, synthetic=test))
    for name in ("exact copies", "copies of unique rows"):
        assert real.estimates[name].value == of_test.estimates[name].value == 0
        assert 0 < real.estimates[name].high < of_test.estimates[name].high
    assert real.estimates["near copies"] == of_test.estimates["near copies"]


def real_copies(train, test, schema=SCHEMA):
    return compute_real_copies(Tables(train, test, test, schema)).estimates


def test_training_people_among_the_test_rows_excuse_no_copy(train, test):
    with_training_people = pd.concat([test, train.iloc[:60].assign(person=range(-60, 0))])
    assert not how_alike(train, with_training_people, SCHEMA).is_chance
    found, clean = real_copies(train, with_training_people), real_copies(train, test)
    for metric in COPIES.metrics[:4]:
        assert found[metric.name].value == clean[metric.name].value < 0.02
        assert found[metric.name].low <= found[metric.name].value <= found[metric.name].high < 0.1


def test_fresh_people_are_as_alike_as_training_people_where_the_test_rows_tell_nothing():
    rng = np.random.default_rng(0)

    def people(n):
        numbers = {"weight": np.where(rng.random(n) < 0.3, rng.integers(40, 110, n), 70), "age": rng.integers(3, 9, n)}
        return pd.DataFrame({**numbers, "smoker": rng.integers(0, 2, n)})

    train, test, fresh = people(2_000), people(600), people(2_000)
    schema = infer_schema(train)
    test.iloc[:150] = train[train["weight"] != 70].iloc[:150]
    assert not how_alike(train, test, schema).is_chance
    found = real_copies(train, test, schema)
    for metric in COPIES.metrics[:4]:
        assert found[metric.name].value == pytest.approx(share(metric.name, train, test, fresh, schema), abs=0.03)
    assert found["exact copies"].value > 0.7 and found[OF_ONE].value > 0.02


def test_how_alike_training_people_are_is_not_rounded_up_to_a_whole_person():
    rng = np.random.default_rng(0)
    train, test = (
        pd.DataFrame(rng.random((30 * n, 3)), columns=list("abc")).assign(person=first + np.repeat(np.arange(n), 30))
        for n, first in ((100, 0), (40, 100))
    )
    schema = infer_schema(train, group="person")
    train.iloc[0, :3] = train.iloc[31, :3]
    test.iloc[::60, :3] = train.iloc[500:520, :3].to_numpy()
    assert not how_alike(train, test, schema).is_chance
    value, low, high = real_copies(train, test, schema)["exact copies"]
    assert low <= value == 2 / 3_000 < 0.03 < high < 0.05


def false_and_true_remarks(make, schema, n_people, n_seeds):
    """How often test people are not alike by chance: fresh ones, and with ten training people of other names."""
    n_false, n_true = 0, 0
    for seed in range(n_seeds):
        rng = np.random.default_rng(seed)
        train, test = (make(n, first, rng) for n, first in zip(n_people, (0, 1_000), strict=True))
        n_false += not how_alike(train, test, schema).is_chance
        copies = train[train["person"] < 10].assign(person=lambda table: table["person"] + 2_000)
        n_true += not how_alike(train, pd.concat([test, copies]), schema).is_chance
    return n_false, n_true


def test_many_equal_rows_of_a_person_are_one_chance():
    """Findings stay over the visits: whoever has one row that equals another person's has many."""

    def visits(n_people, first, rng):
        person = np.repeat(np.arange(n_people), rng.poisson(5, n_people) + 1)
        findings = pd.DataFrame(rng.integers(0, 3, (n_people, 6)), columns=list("abcdef"))
        findings["age"], findings["person"] = rng.integers(40, 80, n_people), first + np.arange(n_people)
        return findings.iloc[person]

    schema = infer_schema(visits(200, 0, np.random.default_rng(0)), group="person")
    n_false, n_found = false_and_true_remarks(visits, schema, (210, 90), n_seeds=60)
    assert n_false <= 1 and n_found > 50


def test_a_row_that_most_people_have_hides_no_training_people_among_the_test_people():
    """A watch that is not worn gives everybody the same row now and then."""

    def days(n_people, first, rng):
        days = pd.DataFrame(rng.integers(1, 1_000, (20 * n_people, 4)), columns=list("abcd"))
        days.loc[rng.random(len(days)) < 0.05] = 0
        return days.assign(person=first + np.repeat(np.arange(n_people), 20))

    schema = Schema(tuple(Column(name, "integer") for name in "abcd"), group="person")
    n_false, n_found = false_and_true_remarks(days, schema, (200, 80), n_seeds=40)
    assert n_false <= 1 and n_found > 38


def test_training_people_among_the_test_people_leave_distances_those_of_all_test_rows():
    rng = np.random.default_rng(0)
    train, test = (pd.DataFrame(rng.random((n, 3)), columns=list("abc")) for n in (300, 100))
    schema = infer_schema(train)
    test.iloc[:60] = train.iloc[:60]
    assert not how_alike(train, test, schema).is_chance
    expected = compute_copies(Tables(train, test, test, schema)).estimates
    found = compute_real_copies(Tables(train, test, test, schema)).estimates
    assert [found[name] for name in found if name.startswith(("DCR", "NNDR"))] == [
        expected[name] for name in expected if name.startswith(("DCR", "NNDR"))
    ]
    assert expected["DCR median"].value == 0


def test_copies_of_people_unlike_all_others_single_them_out():
    """Most have few of 60 findings and are near each other; a copy of the sickest is not, though two findings differ."""
    columns = [Column(f"finding_{number}", "binary", (0, 1)) for number in range(60)]
    schema = Schema((*columns, Column("age", "integer")))
    rng = np.random.default_rng(0)

    def people(n):
        share = np.where(np.arange(n) % 10 == 0, 0.5, 0.05)[:, None]
        findings = (rng.random((n, 60)) < share).astype(int)
        return pd.DataFrame(np.column_stack([findings, rng.integers(20, 90, n)]), columns=schema.names)

    train, test, synthetic = people(600), people(300), people(600)
    copies = train.iloc[::10].to_numpy(copy=True)
    for row in copies:
        row[rng.choice(60, 2, replace=False)] ^= 1
    leaky = synthetic.copy()
    leaky.iloc[::10] = copies
    assert share(NEAR, train, test, leaky, schema) == share(NEAR, train, test, synthetic, schema)
    assert share(OF_ONE, train, test, leaky, schema) == share(OF_ONE, train, test, synthetic, schema) + 0.1
    found = compute_copies(Tables(train, test, leaky, schema)).estimates[OF_ONE]
    assert found.low > 0.05
    of_train_too = pd.concat([test, train.iloc[:100:10]])  # such test rows stand out beside a train row as copies do
    assert share(OF_ONE, train, of_train_too, leaky, schema) == found.value


def test_a_person_is_singled_out_whose_rows_are_alike(train, test):
    """The next train row is of the same person; the next of another one is far."""
    schema = replace(SCHEMA, group="person")
    visits = pd.concat([train.assign(person=range(len(train)))] * 3, ignore_index=True)
    visits["bmi"] += np.random.default_rng(0).normal(0, 0.01, len(visits))
    copies = train.assign(bmi=train["bmi"] + 0.001)
    shares = [share(OF_ONE, rows, test, copies, schema) for rows in (visits, visits.drop(columns="person"))]
    assert shares[0] > 0.5 and shares[1] < 0.1


def test_a_row_at_the_limit_is_no_near_copy():
    """Where rows have few values many are at one distance: the test rows themselves must not be copies then."""
    apart, none = np.array([[0.25, 0.75]] * 100), np.zeros(4)
    nearest = np.array([[0.25, 0.75], [0.125, 0.625], [0.125, 0.75], [0.75, 1.375]])
    assert near_copies(nearest, apart, none).tolist() == [False, True, True, False]
    # By 0.625 from the next person, but in the last row not twice as far from that one.
    assert near_copies_of_one_person(nearest, apart, none).tolist() == [False, False, True, False]


def test_where_every_test_row_equals_a_train_row_only_equal_rows_are_near():
    """The first differs in a column that is constant in train alone, the second in a digit that train does not have."""
    nearest, n_equal = np.array([[0.0, 0.5], [1e-9, 0.5], [0.1, 0.5]]), np.array([0, 1, 0])
    assert near_copies(nearest, np.empty((0, 2)), n_equal).tolist() == [True, True, False]
    assert near_copies_of_one_person(nearest, np.empty((0, 2)), n_equal).tolist() == [False, True, False]


def test_test_rows_that_are_all_of_training_people_excuse_no_near_copy(train):
    """No test row tells how near strangers come; that these are at distance 0 is not how near real people are."""
    found = real_copies(train, train.iloc[:60].assign(person=range(-60, 0)))
    assert [found[metric.name].value for metric in COPIES.metrics[:4]] == [0, 0, 0, 0]


def test_visits_of_few_test_people_fix_the_limit_no_better_than_these_people():
    rng = np.random.default_rng(0)
    train, people = (pd.DataFrame(rng.random((n, 4)), columns=list("abcd")) for n in (300, 20))
    visits = pd.concat([people + rng.normal(0, 1e-3, people.shape) for _ in range(50)], ignore_index=True)
    schema = infer_schema(train.assign(person=range(300)), group="person")
    train["person"], visits["person"] = range(300), np.arange(1_000) % 20
    synthetic = train[list("abcd")] + 1e-4
    of_people, of_rows = (
        compute_copies(Tables(train, test, synthetic, schema)).estimates[NEAR]
        for test in (visits, visits.drop(columns="person"))
    )
    assert of_people.value == of_rows.value == 1
    assert of_people.low < 0.9 < of_rows.low


@pytest.mark.parametrize("n_test", [6, 20, 60, 200])
def test_intervals_of_near_copies_tell_by_how_few_people_the_limit_is_fixed(n_test):
    rng = np.random.default_rng(n_test)
    found = []
    for _ in range(400):
        of_test, fresh = rng.random((n_test, 1)), rng.random((300, 1))
        found.append(near_estimate(near_copies(fresh, of_test, np.zeros(300)), n_test))
    assert np.mean([one.low <= 0.01 for one in found]) > 0.95
    assert near_estimate(np.ones(300, dtype=bool), n_test).low > 0.4


def test_the_interval_of_a_sum_reaches_as_far_as_its_independent_parts_do():
    found = _sum(Estimate(0.1, 0.07, 0.16), Estimate(0.2, 0.12, 0.36), 0.5)
    assert found == pytest.approx((0.1 + 0.1, 0.2 - 0.05, 0.2 + 0.1))  # 3 and 4 are 5, 6 and 8 are 10


def test_a_row_far_from_everybody_is_a_copy_of_nobody():
    """Both lie nearest to the one person who is apart, the second further away than that person is from all others."""
    schema = Schema((Column("x", "numeric"),))
    train, test = (
        pd.DataFrame({"x": np.append(np.linspace(0, 100, n), apart)}) for n, apart in ((200, 1_000), (150, 90))
    )
    assert share(OF_ONE, train, test, pd.DataFrame({"x": [1_010.0, 3_000.0]}), schema) == 0.5


def test_fresh_rows_single_out_as_few_as_the_test_rows(train, test, synthetic):
    assert share(OF_ONE, train, test, synthetic) < 0.05
    assert share(OF_ONE, train, test, test) <= 0.02
    assert share(OF_ONE, train, test, train) == 1


def test_ratios_of_closest_records():
    schema = Schema((Column("x", "numeric"),))
    train = pd.DataFrame({"x": [0.0, 2.0, 10.0, 10.0]})
    synthetic = [pd.DataFrame({"x": [x]}) for x in (0.0, 0.5, 1.0, 10.0, 20.0)]
    dcr, nndr = (
        [share(name, train, train, row, schema) for row in synthetic] for name in ("DCR median", "NNDR median")
    )
    assert np.allclose(dcr, [0, 0.05, 0.1, 0, 1])
    assert np.allclose(nndr, [0, 1 / 3, 1, 1, 1])  # a copy of two equal rows singles out nobody


def test_ratios_are_to_another_person():
    """Equal visits of one person are no company: a copy of them singles that person out."""
    rng = np.random.default_rng(0)
    train, fresh = (pd.DataFrame(rng.random((100, 4)), columns=list("abcd")) for _ in "ab")
    visits = pd.concat([train.assign(person=range(100))] * 5, ignore_index=True)
    schema = infer_schema(visits, group="person")
    for name in ("NNDR 5 %", "NNDR median"):
        assert share(name, visits, fresh, train, schema) == 0
        assert share(name, visits, fresh, fresh, schema) == share(name, train, fresh, fresh, schema) < 1


def test_closest_records_are_those_of_scikit_learn(train, test, synthetic):
    schema = replace(SCHEMA, group=None)
    encoder = FeatureEncoder(SCHEMA).fit(train)
    first, second = (
        NearestNeighbors(n_neighbors=2).fit(encoder.transform(train)).kneighbors(encoder.transform(synthetic))[0].T
    )
    found = compute_copies(Tables(train, test, synthetic, schema))
    assert np.allclose(found.details["distances"]["synthetic"], first, atol=1e-12)
    expected = np.quantile(first / second, [0.05, 0.5])
    assert np.allclose([found.estimates[name].value for name in ("NNDR 5 %", "NNDR median")], expected, atol=1e-12)


def test_intervals_of_quantiles_are_order_statistics(train, test, synthetic):
    measured = compute_copies(Tables(train, test, synthetic, SCHEMA))
    found, dcr = measured.estimates, np.sort(measured.details["distances"]["synthetic"])
    for name, probability in (("DCR 5 %", 0.05), ("DCR median", 0.5)):
        value, low, high = found[name]
        assert value == np.quantile(dcr, probability)
        below = np.searchsorted(dcr, [low, high])
        assert binom.cdf(below[1] - 1, 450, probability) - binom.cdf(below[0], 450, probability) > 0.92
    assert {metric.goal for metric in COPIES.metrics[4:]} == {"none"}


def test_a_table_without_rows_has_no_copies(train, test, synthetic):
    with pytest.raises(NotComputableError, match="synthetic has no rows"):
        compute_copies(Tables(train, test, synthetic.head(0), SCHEMA))
    with pytest.raises(NotComputableError, match="rows of one"):
        compute_copies(Tables(train.head(1), test, synthetic, SCHEMA))


def test_syntheval_finds_the_same_distances_and_copies(train, test, synthetic):
    # It divides the median by that among train rows, and takes the ratios from train rows to synthetic ones.
    names = {"metric_distance_closest_record": "MedianDistanceToClosestRecord"}
    names |= {"metric_nn_distance_ratio": "NearestNeighbourDistanceRatio", "metric_hitting_rate": "HittingRate"}
    dcr, nndr, hits = (
        getattr(pytest.importorskip(f"syntheval.metrics.privacy.{module}"), name) for module, name in names.items()
    )
    encoder = FeatureEncoder(SCHEMA).fit(train)
    real, made = (encoder.transform(table) for table in (train, synthetic))
    frames = [pd.DataFrame(features) for features in (real, made)]
    options = {"cat_cols": [], "num_cols": list(frames[0]), "nn_dist": "euclid", "do_preprocessing": False}
    among_train = np.median(nearest_neighbours(real, real, 2)[0][:, 1])
    expected = dcr(*frames, **options).evaluate()["mDCR"]
    assert np.median(nearest_distances(made, real)) / among_train == pytest.approx(expected, rel=1e-6)
    # Their one term 1e-16 gives 0 where both distances are 0, ours 1: no row of these tables.
    assert nearest_distances(made, real).min() > 0
    backwards, second = nearest_neighbours(real, made, 2)[0].T
    assert np.mean(backwards / second) == pytest.approx(nndr(*frames, **options).evaluate()["avg"], rel=1e-6)
    whole = train[["age", "pressure", "diabetes"]]
    some = pd.concat([synthetic[whole.columns], whole.iloc[:40]])
    schema = Schema(tuple(SCHEMA[name] for name in whole))
    rate = hits(whole, some, cat_cols=["diabetes"], num_cols=["age", "pressure"], do_preprocessing=False).evaluate(0)
    assert exact_copies(some, whole, schema) / len(whole) == pytest.approx(rate["hit rate"], abs=1e-12)


@pytest.mark.parametrize("share", [0.03, 0.9], ids=["forty people", "one with most rows"])
def test_the_nearest_rows_of_two_people_are_those_of_all_distances(share):
    rng = np.random.default_rng(0)
    targets, persons = rng.random((5_000, 6)), rng.integers(0, 40, 5_000)
    persons[rng.random(5_000) < share] = 0
    points = np.concatenate([targets[:50] + 0.001, rng.random((1_500, 6)), targets[50:60]])
    every = np.stack([np.linalg.norm(targets - point, axis=1) for point in points])
    owners = persons[every.argmin(axis=1)]
    of_others = np.where(persons == owners[:, None], np.inf, every).min(axis=1)
    found = nearest_of_two_people(points, targets, persons)
    np.testing.assert_allclose(found, np.column_stack([every.min(axis=1), of_others]), atol=1e-6)
    with pytest.raises(NotComputableError, match="rows of one"):
        nearest_of_two_people(points, targets, np.zeros(5_000))
