"""Laws of the whole family: leaks are found, noise is private, real rows sit on the reference."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from evaluation_tables import SCHEMA, make_patients, shuffle

from rlsyn.evaluation import privacy
from rlsyn.evaluation.features import row_groups
from rlsyn.evaluation.measure import Tables
from rlsyn.evaluation.people import at_most, draw_people, drawn_note
from rlsyn.evaluation.privacy.foreign import FOREIGN
from rlsyn.evaluation.privacy.membership import compute_membership
from rlsyn.evaluation.privacy.traces import TRACES

MEASURES = privacy.measures(SCHEMA)
AUCS = ("membership AUC", "membership AUC per person", "DOMIAS AUC")


def scores(train, test, synthetic, schema=SCHEMA, **options):
    tables = Tables(train, test, synthetic, schema, **options)
    return {name: estimate for measure in MEASURES for name, estimate in measure.compute(tables).estimates.items()}


@pytest.fixture(scope="module")
def bootstrap(train):
    return train[SCHEMA.names].sample(len(train), replace=True, random_state=0)


@pytest.fixture(scope="module")
def halves(test):
    is_first = test["person"] % 2 == 0
    return test[is_first], test[~is_first]


# The contract


@pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.name)
def test_a_measure_gives_its_metrics_within_their_ranges(measure, train, test, synthetic):
    tables = Tables(train, test, synthetic, SCHEMA)
    found = pickle.loads(pickle.dumps(measure)).compute(tables)
    assert list(found.estimates) == [metric.name for metric in measure.metrics]
    assert set(found.notes) <= set(found.estimates)
    for metric in measure.metrics:
        value, low, high = found.estimates[metric.name]
        is_absent = np.isnan(value) and "less than one person" in found.notes[metric.name]
        assert (
            is_absent
            or metric.low <= low <= value <= high <= metric.high
            or (value == 0 and measure in (FOREIGN, TRACES))
        )
    np.testing.assert_equal(measure.compute(tables).estimates, found.estimates)
    without = measure.compute(replace(tables, with_intervals=False)).estimates
    for name, estimate in without.items():
        np.testing.assert_equal(estimate.value, found.estimates[name].value)
        assert np.isnan(estimate[1:]).all()


def test_names_of_metrics_are_unique_and_meanings_one_paragraph():
    metrics = [metric for measure in MEASURES for metric in measure.metrics]
    assert len({metric.name for metric in metrics}) == len(metrics) == 17
    assert all(metric.family == "privacy" and metric.meaning.endswith(".") for metric in metrics)


def tpr_of_rows(train, test, synthetic):
    """At 1 % FPR, which so few test people cannot tell: each row as a person of its own."""
    tables = Tables(train, test, synthetic, replace(SCHEMA, group=None))
    return compute_membership(tables).estimates["membership TPR at 1 % FPR"]


# Laws


def test_a_bootstrap_of_train_is_found_by_every_attack(train, test, bootstrap):
    found = scores(train, test, bootstrap)
    assert found["membership AUC"].low > 0.75  # 37 % of the rows were not drawn
    assert found["membership AUC per person"].low > 0.9
    assert found["membership TPR at 5 % FPR"].low > 0.5 and tpr_of_rows(train, test, bootstrap).low > 0.5
    assert found["DOMIAS AUC"].low > 0.55
    assert found["attribute inference advantage"].low > 0.05
    assert found["exact copies"].value == found["near copies"].value == 1
    assert found["DCR median"].value == 0


def test_noise_is_private_and_not_more_private_than_chance(train, test):
    rng = np.random.default_rng(0)
    noise = shuffle(make_patients(450, 3)).assign(pressure=rng.uniform(0, 1_000, 450), age=rng.integers(0, 200, 450))
    found = scores(train, test, noise)
    assert all(found[name].value == pytest.approx(0.5, abs=0.09) for name in AUCS)
    assert found["membership TPR at 5 % FPR"].value < 0.1 and tpr_of_rows(train, test, noise).value < 0.04
    assert found["attribute inference advantage"].value == pytest.approx(0, abs=0.03)
    assert found["exact copies"].value == 0 and found["near copies"].value < 0.01


def test_real_rows_sit_on_the_reference(train, test, halves):
    found = scores(train, halves[1], halves[0])
    assert all(found[name].low < 0.5 < found[name].high for name in AUCS)
    assert found["attribute inference advantage"].low < 0 < found["attribute inference advantage"].high
    assert found["membership TPR at 5 % FPR"].value < 0.15
    assert scores(train, test, test)["near copies"].value <= 0.02


def test_the_floor_is_at_chance_over_many_populations():
    # One sample may lie off by chance; a bias of an attack would remain in the mean.
    found = []
    for seed in range(12):
        people = make_patients(420, 50 + seed)
        train, first, second = (people[people["person"] // 28 % 5 // 2 == part] for part in range(3))
        names = (privacy.membership_auc(train, second, first, SCHEMA), privacy.domias_auc(train, second, first, SCHEMA))
        found.append([*names, privacy.attribute_inference_advantage(train, second, first, SCHEMA, n_draws=1)])
    errors = np.std(found, axis=0) / np.sqrt(len(found) - 1)
    assert (np.abs(np.mean(found, axis=0) - [0.5, 0.5, 0]) < 3 * errors).all()
    assert (errors < 0.03).all()


def test_planted_copies_among_fresh_rows_are_found(train, test, synthetic):
    planted = train[SCHEMA.names].sample(22, random_state=1)
    leaky = pd.concat([synthetic.iloc[22:], planted])
    found = scores(train, test, leaky)
    fresh = scores(train, test, synthetic)
    assert found["exact copies"].value == 22 / 450 and fresh["exact copies"].value == 0
    assert found["membership TPR at 5 % FPR"].value > fresh["membership TPR at 5 % FPR"].value + 0.03
    assert tpr_of_rows(train, test, leaky).value >= 22 / 450 > 2 * tpr_of_rows(train, test, synthetic).value
    assert found["membership AUC"].value == pytest.approx(0.5, abs=0.09)  # an AUC does not see them


# Faults of the reference implementation


@pytest.mark.parametrize("shift", [1e3, 1e9, 1e15])
def test_missing_end_points_a_generator_far_away_scores_half_not_zero(train, test, synthetic, shift):
    far = synthetic.assign(**{name: synthetic[name] + shift for name in ("age", "bmi", "pressure")})
    found = scores(train, test, far)
    assert all(found[name].value == pytest.approx(0.5, abs=0.12) for name in AUCS)
    constant = synthetic.iloc[[0] * 50]
    assert privacy.membership_auc(train, test, constant, SCHEMA) == pytest.approx(0.5, abs=0.07)


def test_nan_distances_never_appear(train, test, synthetic):
    empty = synthetic.assign(bmi=np.nan, smoker=np.nan, site=None)
    for table in (train[SCHEMA.names], empty, synthetic.assign(pressure=1e300)):
        for values in privacy.membership_scores(train, test, table, SCHEMA):
            assert np.isfinite(values).all()
        attack = privacy.domias_attack(train, test, table, SCHEMA)
        assert np.isfinite(attack.members).all() and np.isfinite(attack.others).all()
    members, _ = privacy.membership_scores(train, test, train[SCHEMA.names], SCHEMA)
    assert not members.any()  # the reference lost up to 13 % of these


def test_scaling_does_not_leak_from_test_or_synthetic_rows(train, test, synthetic):
    extreme = test.assign(pressure=np.r_[1e5, test["pressure"].iloc[1:]])
    for attack in (privacy.membership_scores, privacy.infer_attributes):
        before, after = attack(train, test, synthetic, SCHEMA), attack(train, extreme, synthetic, SCHEMA)
        assert np.array_equal(before[0], after[0], equal_nan=True)
        assert np.array_equal(before[1][1:], after[1][1:], equal_nan=True)
    members = [privacy.domias_attack(train, table, synthetic, SCHEMA).members for table in (test, extreme)]
    assert np.array_equal(*members)
    # DOMIAS takes ranges from the reference: those of the people attacked would treat them otherwise than test rows.
    attack = privacy.domias_attack(train, test, synthetic, SCHEMA)
    is_attacked = (row_groups(train, SCHEMA) == attack.member_persons[0]) & (train.index % 3 == 0)
    extreme = train.assign(pressure=train["pressure"].mask(is_attacked, 1e5))
    assert is_attacked.sum() == 1
    assert np.array_equal(privacy.domias_attack(extreme, test, synthetic, SCHEMA).others, attack.others)


def test_size_imbalance_does_not_move_the_auc():
    people, test, fresh = (make_patients(1_800, seed) for seed in (10, 11, 12))
    synthetic = pd.concat([fresh.iloc[:900], people.sample(900, random_state=0)])[SCHEMA.names]
    few = people[people["person"] % 6 == 0]
    expected = privacy.membership_auc(people, test, synthetic, SCHEMA)
    assert expected > 0.6
    assert privacy.membership_auc(few, test, synthetic, SCHEMA) == pytest.approx(expected, abs=0.06)


def test_groups_do_not_straddle_members_and_reference(train, test, synthetic):
    attack = privacy.domias_attack(train, test, synthetic, SCHEMA)
    members, reference = attack.member_persons, attack.reference_persons
    assert not np.isin(members, reference).any()
    assert len(members) + len(reference) == len(train)
    for persons in (members, reference, attack.other_persons):
        assert set(np.unique(persons, return_counts=True)[1]) == {3}
    assert len(members) == len(attack.others) == len(test)
    few = privacy.domias_attack(train, test, synthetic, SCHEMA, max_members=31, max_rows=100)
    assert len(few.members) == len(few.others) == 30 and len(few.reference_persons) == 99
    assert not np.isin(few.member_persons, few.reference_persons).any()


# Draws of people


def test_people_are_drawn_whole(train):
    persons = row_groups(train, SCHEMA)
    rows = draw_people(persons, 100, np.random.default_rng(0))
    assert len(rows) == 99 and set(np.unique(persons[rows], return_counts=True)[1]) == {3}
    assert np.array_equal(draw_people(persons, 450, np.random.default_rng(0)), np.arange(450))
    assert len(draw_people(persons, 1, np.random.default_rng(0))) == 3
    assert at_most(train, SCHEMA, 450, 0) is train
    assert at_most(train, SCHEMA, 30, 0)["person"].nunique() == 10
    assert drawn_note(100, train=train, test=train[:50]) == "at most 100 rows drawn of the 450 train rows"
    assert drawn_note(450, train=train) == ""


def test_large_tables_are_drawn_from_and_the_notes_say_so(train, test, synthetic, monkeypatch):
    from rlsyn.evaluation.privacy import copies, inference, membership

    for module in (copies, inference, membership):
        monkeypatch.setattr(module, "MAX_ROWS", 90)
    monkeypatch.setattr(inference, "MAX_SYNTHETIC", 100)
    tables = Tables(train, test, synthetic, SCHEMA)
    found = {name: note for measure in MEASURES for name, note in measure.compute(tables).notes.items()}
    assert "at most 90 rows drawn of the 450 train and the 210 test rows" in found["membership AUC"]
    assert "at most 90 rows" in found["DCR median"] and "at most 90 rows" not in found["exact copies"]
    assert "at most 100 rows drawn of the 450 synthetic rows" in found["attribute inference advantage"]


def test_without_groups_rows_are_people(train, test, synthetic):
    for schema in (replace(SCHEMA, group=None), SCHEMA):
        tables = Tables(train.drop(columns="person"), test.drop(columns="person"), synthetic, schema)
        found = MEASURES[0].compute(tables)
        assert np.isnan(found.estimates["membership AUC per person"].value)
        assert "rows are people" in found.notes["membership AUC per person"]


@pytest.mark.parametrize("role", ["train", "test"])
def test_people_are_not_compared_with_rows(train, test, synthetic, role):
    tables = Tables(train, test, synthetic, SCHEMA)
    without = replace(tables, **{role: getattr(tables, role).drop(columns="person")})
    assert np.isnan(MEASURES[0].compute(without).estimates["membership AUC per person"].value)
