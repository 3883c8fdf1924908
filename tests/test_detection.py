import warnings

import numpy as np
import pandas as pd
import pytest
from evaluation_tables import SCHEMA, make_patients, numeric_schema, shuffle
from sklearn.metrics import roc_auc_score

from rlsyn.evaluation.features import NotComputableError
from rlsyn.evaluation.fidelity.detection import (
    MEASURE,
    N_FOLDS,
    detection_auc,
    draw_sides,
    held_out_scores,
    unseen_detection_auc,
)
from rlsyn.evaluation.measure import Tables
from rlsyn.schema import Column, Schema


@pytest.mark.parametrize("classifier", ["lightgbm", "logistic"])
def test_rows_of_the_same_source_are_not_detected_and_others_are(train, test, classifier):
    real = make_patients(450, 7)
    assert 0.4 < detection_auc(test, real, SCHEMA, classifier) < 0.6
    shifted = real.assign(pressure=real["pressure"] + 12)
    assert detection_auc(test, shifted, SCHEMA, classifier) > 0.7


def test_shuffled_columns_are_detected_by_who_sees_interactions(train, test):
    assert detection_auc(test, shuffle(train), SCHEMA) > 0.7
    assert detection_auc(test, shuffle(train), SCHEMA, "logistic") < 0.6


def test_fault_a_table_against_itself_was_far_below_one_half(train):
    for other in (train, train.drop(columns="person"), train.sample(frac=1, random_state=0)):
        assert detection_auc(train, other, SCHEMA) == pytest.approx(0.5, abs=0.02)


def test_frequent_combinations_of_values_are_not_taken_for_copies():
    # Were all equal rows in one fold, no classifier could know a combination that it is asked about.
    rng = np.random.default_rng(0)
    tables = [pd.DataFrame({n: (rng.random(300) < share).astype(int) for n in "abc"}) for share in (0.2, 0.8)]
    schema = Schema(tuple(Column(name, "binary", (0, 1)) for name in "abc"))
    assert detection_auc(*tables, schema) > 0.85


def test_detection_keeps_the_rows_of_a_person_in_one_fold():
    # Each person repeats one row: who sees persons in both parts recognises them, who does not cannot tell the sides.
    rng = np.random.default_rng(0)
    tables = [pd.DataFrame(np.repeat(rng.normal(size=(30, 4)), 10, axis=0), columns=list("abcd")) for _ in range(2)]
    schema = Schema(numeric_schema(tables[0]).columns, group="person")
    train, test = (table.assign(person=np.arange(300) // 10) for table in tables)
    assert detection_auc(*tables, schema) > 0.95
    assert detection_auc(train, test, schema) < 0.8


@pytest.mark.parametrize("n_often", [1, 15], ids=["people alike", "one person with a fifth of the rows"])
def test_folds_part_neither_persons_nor_equal_rows(test, n_often):
    test = test.assign(person=test["person"].where(test["person"] >= test["person"].min() + n_often, -1))
    synthetic = pd.concat([make_patients(200, 3), test.iloc[:60]], ignore_index=True).drop(columns="person")
    for sides in draw_sides(test, synthetic, SCHEMA, 0):
        assert np.unique(sides.fold).tolist() == list(range(N_FOLDS))
        is_real = sides.is_synthetic == 0
        assert (
            pd.Series(sides.fold[is_real]).groupby(test["person"].to_numpy()[sides.row[is_real]]).nunique().max() == 1
        )
        contents = pd.Series([row.tobytes() for row in sides.features])
        assert contents.duplicated().any()
        assert pd.Series(sides.fold).groupby(contents).nunique().max() == 1


def test_chains_of_equal_rows_that_link_most_people_are_cut():
    rng = np.random.default_rng(1)
    schema = Schema(tuple(Column(name, "binary", (0, 1)) for name in "abcdefgh"), group="person")
    tables = [
        pd.DataFrame((rng.random((240, 8)) < share).astype(int), columns=list("abcdefgh")).assign(
            person=np.arange(240) // 4
        )
        for share in (0.4, 0.6)
    ]
    assert detection_auc(*tables, schema) > 0.7


def test_detection_needs_five_persons(train, synthetic):
    with pytest.raises(NotComputableError, match="persons"):
        detection_auc(train.assign(person=0), synthetic, SCHEMA)
    with pytest.raises(ValueError, match="Did you mean 'logistic'"):
        detection_auc(train, synthetic, SCHEMA, "logistics")


def test_detection_is_size_matched_and_reproducible(train, synthetic):
    first = detection_auc(train, synthetic.iloc[:100], SCHEMA, seed=3)
    assert first == detection_auc(train, synthetic.iloc[:100], SCHEMA, seed=3)
    assert 0.3 < first < 0.7
    (sides,) = draw_sides(train, synthetic.iloc[:100], SCHEMA, 3)
    assert np.bincount(sides.is_synthetic).tolist() == [100, 100]
    garbage = synthetic.assign(age=0)
    assert detection_auc(train, garbage, SCHEMA) > 0.99


def test_a_larger_synthetic_table_is_drawn_from_again_and_again(test, synthetic):
    repeats = draw_sides(test, synthetic, SCHEMA, 0)
    assert len(repeats) == 3
    assert len(np.unique(np.concatenate([sides.row for sides in repeats]))) == len(test) + len(synthetic)
    assert len(draw_sides(test, synthetic, SCHEMA, 0, n_repeats=1)) == 1
    assert len(draw_sides(test, synthetic.iloc[:200], SCHEMA, 0)) == 1


def test_a_column_that_only_the_synthetic_rows_vary_in_is_seen(test, synthetic):
    varied = synthetic.assign(constant=np.random.default_rng(0).normal(3.5, 1, len(synthetic)))
    assert detection_auc(test, varied, SCHEMA) > 0.95


def test_names_of_columns_do_not_matter(test, synthetic):
    names = {"age": "age, years [0]", "bmi": 'bmi{"kg":m²}', "pressure": "Ünïcode: p"}
    columns = [Column(names.get(c.name, c.name), c.kind, c.categories, missing=c.missing) for c in SCHEMA.columns]
    renamed = [table.rename(columns=names) for table in (test, synthetic)]
    assert detection_auc(*renamed, Schema(tuple(columns), group="person")) == detection_auc(test, synthetic, SCHEMA)


def test_fast_measure_is_the_mean_of_as_many_subsamples(train, test, synthetic):
    found = MEASURE.compute(Tables(train, test, synthetic, SCHEMA, fast=True))
    assert found.notes["detection AUC (LightGBM)"] == "210 of 210 test rows against 210 of 450, mean of 3 subsamples"


@pytest.mark.parametrize("position", [0, 1])
def test_the_measure_is_the_plain_function_on_test_rows(train, test, synthetic, position):
    found = MEASURE.compute(Tables(train, test, synthetic, SCHEMA))
    metric, classifier = MEASURE.metrics[position].name, ("lightgbm", "logistic")[position]
    value, low, high = found.estimates[metric]
    assert value == pytest.approx(detection_auc(test, synthetic, SCHEMA, classifier))
    assert 0 < low < value < high < 1 and MEASURE.real == "train"
    assert found.notes[metric] == "210 of 210 test rows against 210 of 450, mean of 3 subsamples"


def test_scores_for_the_figure_are_held_out_and_give_the_auc(train, test):
    found = MEASURE.compute(Tables(train, test, shuffle(train), SCHEMA, with_intervals=False))
    scores = found.details["scores"]
    assert list(scores.columns) == ["is_synthetic", "score"] and len(scores) == 2 * len(test)
    pooled = roc_auc_score(scores["is_synthetic"], scores["score"])
    assert pooled == pytest.approx(found.estimates["detection AUC (LightGBM)"].value, abs=0.05)
    assert np.isnan(found.estimates["detection AUC (LightGBM)"].low)


def test_the_fold_mean_is_scikit_learns(test, synthetic):
    (sides,) = draw_sides(test, synthetic.iloc[:210], SCHEMA, 0)
    scores = held_out_scores(sides, "logistic", 0)
    expected = [roc_auc_score(sides.is_synthetic[sides.fold == f], scores[sides.fold == f]) for f in range(N_FOLDS)]
    assert detection_auc(test, synthetic.iloc[:210], SCHEMA, "logistic") == pytest.approx(np.mean(expected), abs=1e-12)


def test_nothing_is_printed_and_nothing_warned(train, test, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        detection_auc(test, train.assign(age=0), SCHEMA)
        detection_auc(test, train.assign(age=0), SCHEMA, "logistic")
    assert capfd.readouterr() == ("", "")


def test_unseen_rows_tell_a_generator_with_faults_from_one_without_where_few_are_held_out(train, test):
    # Drawn with replacement: where no column by itself differs at all, trees find nothing to begin with.
    shuffled = [shuffle(train.sample(450, replace=True, random_state=seed), seed) for seed in (0, 1, 2)]
    alike = [make_patients(450, seed).drop(columns="person") for seed in (7, 8, 9)]
    faulty, faultless = (unseen_detection_auc(train, test[:30], draws, SCHEMA) for draws in (shuffled, alike))
    assert faulty > 0.65 and abs(faultless - 0.5) < 0.1
    assert faulty == unseen_detection_auc(train, test[:30], shuffled, SCHEMA)
    # The draw that was learned from is not tried on: it is known by heart.
    assert abs(unseen_detection_auc(train, test, alike[:2], SCHEMA) - 0.5) < 0.1


def test_unseen_rows_need_rows_and_two_draws(train, test, synthetic):
    for unseen, draws in ((test[:0], [synthetic] * 2), (test, [synthetic])):
        with pytest.raises(NotComputableError, match="two draws"):
            unseen_detection_auc(train, unseen, draws, SCHEMA)
