"""A table becomes records and comes back with its kinds, categories, decimals and missing values."""

import numpy as np
import pandas as pd
import pytest

from rlsyn.encoding import Encoding, fill_order
from rlsyn.schema import infer_schema

SEEDS = range(3)


def fit(table: pd.DataFrame, **kwargs) -> Encoding:
    return Encoding.fit(table, infer_schema(table, label="died"), **kwargs)


@pytest.mark.parametrize("order", ["table", "label_first", "label_last"])
@pytest.mark.parametrize("n_levels", [2, 10, 32])
def test_records_survive_decoding_and_encoding(make_patients, n_levels, order):
    for seed in SEEDS:
        table = make_patients(seed=seed)
        encoding = fit(table, n_levels=n_levels, order=order)
        records = encoding.encode(table)
        assert records.dtype == np.int64 and records.shape == table.shape
        assert (records >= 0).all() and (records < encoding.n_levels).all()
        decoded = encoding.decode(records, np.random.default_rng(seed))
        np.testing.assert_array_equal(encoding.encode(decoded), records)


def test_decode_keeps_the_schema(patients):
    encoding = fit(patients)
    decoded = encoding.decode(encoding.encode(patients), np.random.default_rng(0))
    assert infer_schema(decoded, label="died") == encoding.schema
    assert list(decoded.columns) == list(patients.columns)
    pd.testing.assert_frame_equal(decoded.isna(), patients.isna())
    for name in ("sex", "smoker", "site", "country", "died"):
        assert decoded[name].dropna().tolist() == patients[name].dropna().tolist()
    assert (decoded["steps"] == 0).equals(patients["steps"] == 0)
    assert decoded["steps"].dtype == "int64" and decoded["n_visits"].dtype == "Int64"
    assert decoded["never_measured"].isna().all() and decoded["age"].eq(decoded["age"].round(1)).all()


def test_decode_draws_any_record_a_policy_may_fill_in(patients):
    encoding = fit(patients)
    rng = np.random.default_rng(0)
    records = rng.integers(0, encoding.n_levels, size=(500, len(encoding.levels)))
    decoded = encoding.decode(records, rng)
    encoding.schema.validate(decoded)
    np.testing.assert_array_equal(encoding.encode(decoded), records)


def test_decode_repeats_itself_with_the_same_generator(patients):
    encoding = fit(patients)
    records = encoding.encode(patients)
    first, second, other = (encoding.decode(records, np.random.default_rng(seed)) for seed in (3, 3, 4))
    pd.testing.assert_frame_equal(first, second, check_exact=True)
    assert not first["age"].equals(other["age"])


def test_encoding_survives_json(patients, tmp_path):
    encoding = fit(patients, order="site")
    encoding.write(tmp_path / "encoding.json")
    again = Encoding.read(tmp_path / "encoding.json")
    assert again.schema == encoding.schema and again.names == encoding.names
    records = encoding.encode(patients)
    np.testing.assert_array_equal(again.encode(patients), records)
    decoded = (one.decode(records, np.random.default_rng(0)) for one in (encoding, again))
    pd.testing.assert_frame_equal(*decoded, check_exact=True)
    np.testing.assert_array_equal(again.vectors(records), encoding.vectors(records))


def test_encoding_knows_only_the_training_rows(patients):
    schema = infer_schema(patients, label="died")
    train = patients[patients["age"].between(50, 70) & (patients["site"] != "Zug")]
    encoding = Encoding.fit(train, schema)
    decoded = encoding.decode(encoding.encode(train), np.random.default_rng(0))
    assert decoded["age"].min() >= train["age"].min() and decoded["age"].max() <= train["age"].max()
    age = encoding.names.index("age")
    outside = encoding.encode(train.assign(age=np.where(np.arange(len(train)) % 2, 0.0, 200.0)))[:, age]
    np.testing.assert_array_equal(outside, np.where(np.arange(len(train)) % 2, 0, encoding.n_levels[age] - 1))
    with pytest.raises(ValueError, match=r"'site' must hold one of .*got 'Zug', which no training row has"):
        encoding.encode(patients)


def test_repeated_rows_of_one_person_count_as_one_person():
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(100), 5)
    table = pd.DataFrame({"person": people, "albumin": rng.normal(40, 5, 100)[people], "died": people % 2})
    encoding = Encoding.fit(table, infer_schema(table, "died", "person"))
    assert encoding.names == ["died", "albumin"]
    decoded = encoding.decode(encoding.encode(table), rng)
    assert not decoded["albumin"].isin(table["albumin"]).any()


def test_marginals_are_the_shares_of_the_training_rows(patients):
    encoding = fit(patients)
    records = encoding.encode(patients)
    for i, shares in enumerate(encoding.marginals()):
        assert shares.sum() == pytest.approx(1)
        np.testing.assert_allclose(shares, np.bincount(records[:, i], minlength=encoding.n_levels[i]) / len(patients))


def test_vectors_are_the_features_of_each_level(patients):
    encoding = fit(patients)
    records = encoding.encode(patients)
    vectors = encoding.vectors(records)
    expected = np.concatenate([levels.features()[records[:, i]] for i, levels in enumerate(encoding.levels)], axis=1)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, expected, rtol=1e-6)


def test_different_records_have_different_vectors(patients):
    encoding = fit(patients)
    records = np.unique(encoding.encode(patients), axis=0)
    assert len(np.unique(encoding.vectors(records), axis=0)) == len(records)


ORDERS = {
    "table": ("table", ["age", "sex", "site", "died"]),
    "label_first": ("label_first", ["died", "age", "sex", "site"]),
    "label_last": ("label_last", ["age", "sex", "site", "died"]),
    "one column": ("site", ["site", "age", "sex", "died"]),
    "columns with commas": ("site, sex", ["site", "sex", "age", "died"]),
    "list": (["died", "sex"], ["died", "sex", "age", "site"]),
    "list with a repeat": (["sex", "sex"], ["sex", "age", "site", "died"]),
}


@pytest.mark.parametrize(("order", "expected"), ORDERS.values(), ids=ORDERS)
def test_fill_order_puts_columns_first(patients, order, expected):
    schema = infer_schema(patients[["age", "sex", "site", "died"]], label="died")
    assert fill_order(schema, order) == expected


@pytest.mark.parametrize("order", ["table", "label_first", "label_last"])
def test_fill_order_without_label_is_that_of_the_table(patients, order):
    assert fill_order(infer_schema(patients), order) == list(patients.columns)


@pytest.mark.parametrize(
    ("order", "closest"), [("label_frist", "label_first"), ("ages", "age"), (["died", "sites"], "site")], ids=str
)
def test_fill_order_proposes_the_closest_name(patients, order, closest):
    with pytest.raises(ValueError, match=f"Did you mean '{closest}'"):
        fill_order(infer_schema(patients, label="died"), order)


def test_encoding_refuses_a_single_level_and_a_table_of_other_columns(patients):
    schema = infer_schema(patients, label="died")
    for n_levels in (1, 5.5, "5"):
        with pytest.raises(ValueError, match=f"n_levels must be a whole number of at least 2, got {n_levels!r}"):
            Encoding.fit(patients, schema, n_levels=n_levels)
    with pytest.raises(ValueError, match="lacks column 'age'"):
        Encoding.fit(patients.drop(columns="age"), schema)
