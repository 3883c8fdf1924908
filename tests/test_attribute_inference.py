import numpy as np
import pandas as pd
import pytest
from evaluation_tables import SCHEMA, numeric_schema, shuffle

from rlsyn.evaluation.features import NotComputableError
from rlsyn.evaluation.measure import Tables
from rlsyn.evaluation.privacy.inference import attribute_inference_advantage, compute_inference, infer_attributes
from rlsyn.schema import Column, Schema

ADMISSION = Schema(
    (Column("x", "numeric"), Column("y", "numeric", missing=True), Column("z", "categorical", ("a", "b", "c")))
)


def admissions(x, y, z):
    return pd.DataFrame({"x": np.array(x, dtype=float), "y": np.array(y, dtype=float), "z": z})


def test_a_guess_is_the_nearest_synthetic_row_of_the_known_columns():
    train = admissions(range(11), range(11), ["a", "b", "c", None] + ["a"] * 7)
    synthetic = admissions([0.1, 1.1, 2.1, 3.1], [0.8, 2.1, np.nan, 3], ["a", "c", "c", None])
    # The 5 % and 95 % quantiles of y are 0.5 and 9.5: within 0.9 is right.
    found, _ = infer_attributes(train.head(11), train, synthetic, ADMISSION, known=["x"])
    assert np.isnan(found[:, 0]).all()
    assert found[:5, 1].tolist() == [1, 0, 0, 1, 0]
    assert found[:5, 2].tolist() == [1, 0, 1, 1, 0]


def test_missing_counts_as_a_value():
    train = admissions(range(4), [1, 2, np.nan, np.nan], ["a", "b", None, None])
    synthetic = admissions(range(4), [np.nan, 2, np.nan, 1], [None, "b", None, "a"])
    found, _ = infer_attributes(train, train, synthetic, ADMISSION, known=["x"])
    assert found[:, 1].tolist() == found[:, 2].tolist() == [0, 1, 1, 0]


def test_a_copy_gives_everything_away_and_noise_nothing(train, test):
    copy = train[SCHEMA.names]
    on_train, _ = infer_attributes(train, test, copy, SCHEMA, known=["age", "bmi", "pressure"])
    assert np.nanmean(on_train) == 1
    assert attribute_inference_advantage(train, test, copy, SCHEMA) > 0.1
    assert attribute_inference_advantage(train, test, shuffle(train), SCHEMA) == pytest.approx(0, abs=0.03)


def test_what_holds_for_everybody_is_no_advantage():
    # y follows from x: the attacker is right about strangers as well.
    rng = np.random.default_rng(0)
    train, test, synthetic = (
        pd.DataFrame({"x": rng.normal(size=n)}).assign(y=lambda t: 2 * t["x"]) for n in (400, 200, 400)
    )
    is_right = infer_attributes(train, test, synthetic, numeric_schema(train))
    assert np.nanmean(is_right[0]) > 0.95
    assert attribute_inference_advantage(train, test, synthetic, numeric_schema(train)) == pytest.approx(0, abs=0.03)


def test_the_advantage_is_the_difference_that_the_note_and_the_details_tell(train, test):
    copy = train[SCHEMA.names].sample(len(train), replace=True, random_state=0)
    found = compute_inference(Tables(train, test, copy, SCHEMA))
    value = found.estimates["attribute inference advantage"].value
    assert value == attribute_inference_advantage(train, test, copy, SCHEMA)
    shares = found.notes["attribute inference advantage"].replace(" %", "").split()
    assert float(shares[2]) - float(shares[5]) == pytest.approx(100 * value, abs=0.11)
    by_column = found.details["columns"]
    assert set(by_column["column"]) <= set(SCHEMA.names) - {"constant", "empty"}
    assert (by_column["train"] > by_column["test"]).all()


def test_a_synthetic_row_far_away_changes_no_guess(train, test, synthetic):
    """Distances are in the ranges of train, whatever else the generator made."""
    far = synthetic.head(1).assign(age=10**6, pressure=1e9)
    alone, beside = (infer_attributes(train, test, table, SCHEMA) for table in (synthetic, pd.concat([synthetic, far])))
    for before, after in zip(alone, beside, strict=True):
        np.testing.assert_array_equal(before, after)


def test_columns_that_do_not_vary_are_not_guessed_at(train, test, synthetic):
    found, _ = infer_attributes(train, test, synthetic, SCHEMA, known=["age"])
    guessed = dict(zip(SCHEMA.names, ~np.isnan(found).all(axis=0), strict=True))
    assert not guessed["age"] and not guessed["constant"] and not guessed["empty"]
    assert sum(guessed.values()) == 6
    with pytest.raises(NotComputableError, match="another that varies"):
        infer_attributes(train, test, synthetic, SCHEMA, known=SCHEMA.names)
    with pytest.raises(NotComputableError, match="a column to know"):
        infer_attributes(train, test, synthetic, SCHEMA, known=[])
    one = numeric_schema(train[["age"]])
    with pytest.raises(NotComputableError, match="a column to know"):
        infer_attributes(train, test, synthetic, one)
    with pytest.raises(ValueError, match=r"Unknown column 'agee'\. Did you mean 'age'"):
        infer_attributes(train, test, synthetic, SCHEMA, known=["agee"])


def test_halves_differ_between_draws_and_seeds(train, test, synthetic):
    values = {
        attribute_inference_advantage(train, test, synthetic, SCHEMA, seed=seed, n_draws=n)
        for seed in range(3)
        for n in (1, 5)
    }
    assert len(values) == 6
