"""Decoded records are brought to the rules without touching what needs no repair."""

import numpy as np
import pandas as pd
import pytest
from rule_tables import RULES, any_levels, fit, make_table

from rlsyn.encoding import Encoding

SEEDS = range(3)


@pytest.fixture(scope="module")
def encoding():
    return fit(make_table())


def both(encoding, n=2_000, seed=0):
    records = any_levels(encoding, n, seed)
    decoded = (encoding.decode(records, np.random.default_rng(seed), repair=repair) for repair in (False, True))
    return records, *decoded


@pytest.mark.parametrize("seed", SEEDS)
def test_records_that_obey_and_columns_of_no_rule_stay_as_they_are(encoding, seed):
    _, raw, repaired = both(encoding, seed=seed)
    obeys = ~encoding.repair.is_broken(raw)
    assert 0 <= obeys.mean() < 0.5
    pd.testing.assert_frame_equal(repaired[obeys], raw[obeys], check_exact=True)
    untouched = [name for name in raw if not any(name in rule.columns for rule in RULES)]
    assert untouched == ["noise", "died"]
    pd.testing.assert_frame_equal(repaired[untouched], raw[untouched], check_exact=True)


@pytest.mark.parametrize("seed", SEEDS)
def test_repaired_records_keep_the_schema_and_the_range_of_training(encoding, seed):
    train = make_table()
    _, raw, repaired = both(encoding, seed=seed)
    encoding.schema.validate(repaired)
    assert (repaired.dtypes == raw.dtypes).all()
    for column in encoding.schema.columns:
        if column.is_discrete:
            assert set(repaired[column.name].dropna()) <= set(column.categories)
        else:
            values = repaired[column.name].dropna().astype(float)
            assert values.between(train[column.name].min(), train[column.name].max()).all()
            assert column.decimals is None or values.eq(values.round(column.decimals)).all()
    pd.testing.assert_frame_equal(repaired.isna(), raw.isna())


def test_formulas_and_one_column_rules_hold_wherever_the_training_range_allows(encoding):
    _, raw, repaired = both(encoding)
    before, after = (encoding.repair.broken(table) for table in (raw, repaired))
    for name in ("18 <= age <= 90", "stage in ['I', 'II']", "visits.notna() and visits >= 0"):
        assert not after[name].any()
    for name in ("albumin + globulin = protein", "ratio", "twice", "unrounded"):
        assert before[name].mean() > 0.5
        assert after[name].mean() < 0.2
    assert all(after[rule.name].sum() <= before[rule.name].sum() for rule in RULES)


def test_a_rule_of_two_parts_is_broken_by_either(encoding):
    table = make_table().iloc[:3].assign(age=[10, 50, 95])
    assert encoding.repair.broken(table)["18 <= age <= 90"].tolist() == [True, False, True]


def test_levels_that_cannot_obey_are_forbidden(encoding):
    allowed = dict(zip(encoding.names, encoding.repair.allowed_levels(), strict=True))
    for name, levels in zip(encoding.names, encoding.levels, strict=True):
        words = np.array(levels.labels())
        assert allowed[name].shape == words.shape
        forbidden = words[~allowed[name]].tolist()
        if name == "stage":
            assert forbidden == ["III"]
        elif name == "visits":
            assert forbidden == ["missing"]
        elif name == "age":
            assert forbidden and all(float(word.split(" to ")[0]) >= 90 for word in forbidden)
        else:
            assert forbidden == []


def test_a_level_that_a_range_cuts_is_drawn_from_its_allowed_part():
    table = pd.DataFrame({"x": np.random.default_rng(0).normal(0, 1, 300)})
    encoding = fit(table, ["x <= 0.123"], n_levels=4)
    records = any_levels(encoding, 3_000)
    raw, cut = (encoding.decode(records, np.random.default_rng(0), repair=repair)["x"] for repair in (False, True))
    assert cut.max() <= 0.123 < raw.max()
    np.testing.assert_array_equal(encoding.encode(cut.to_frame()), records)
    # Rejection: among the values that were allowed all along the distribution is the same.
    pd.testing.assert_series_equal(cut[raw <= 0.123], raw[raw <= 0.123])


def test_records_whose_levels_seldom_obey_are_drawn_again_until_they_do():
    """In the lower half of both columns a fifth of the values are near enough to 0."""
    table = pd.DataFrame(np.random.default_rng(0).random((1_000, 2)), columns=["x", "y"]).round(4)
    encoding = fit(table, ["x * x + y * y < 0.06"], n_levels=2)
    raw, repaired = (encoding.repair.is_broken(rows) for rows in both(encoding)[1:])
    is_low = (both(encoding)[0] == 0).all(axis=1)
    assert raw[is_low].mean() > 0.7 and repaired[is_low].mean() < 0.1


def test_a_column_without_an_allowed_level_is_an_error_that_names_the_rule():
    with pytest.raises(ValueError, match=r"No value of column 'age' .* obeys the rule 'age < 10'.*Correct the rule"):
        fit(make_table(), ["noise < 9", "age < 10"]).repair.allowed_levels()


def test_computed_values_are_those_of_the_formula(encoding):
    _, raw, repaired = both(encoding)
    changed = repaired["protein"].ne(raw["protein"]) & raw["protein"].notna()
    assert changed.mean() > 0.3
    obeys = changed & (repaired["albumin"] + repaired["globulin"] - repaired["protein"]).abs().lt(0.049)
    assert obeys.sum() > 0.9 * changed.sum()


def test_a_sum_may_be_the_least_value_of_its_column():
    """As of tablets in the morning and at night, of which most patients take none."""
    rng = np.random.default_rng(0)
    doses = np.where(rng.random((400, 2)) < 0.5, 0, rng.integers(1, 40, (400, 2)))
    table = pd.DataFrame(doses, columns=["morning", "night"]).assign(total=doses.sum(axis=1))
    encoding = fit(table, ["morning + night == total"])
    shuffled = table.assign(total=rng.permutation(table["total"]))
    repaired = encoding.decode(encoding.encode(shuffled), np.random.default_rng(0))
    takes_none = (repaired["morning"] == 0) & (repaired["night"] == 0)
    assert takes_none.sum() > 50 and (shuffled["total"][takes_none] != 0).mean() > 0.5
    assert (repaired["total"][takes_none] == 0).all()
    apart = table.sample(4_000, replace=True, random_state=0)
    apart = apart.assign(night=rng.permutation(apart["night"]), total=rng.permutation(apart["total"]))
    repaired = encoding.decode(encoding.encode(apart), np.random.default_rng(0))
    too_many = apart["morning"] + apart["night"] - table["total"].max()
    assert (too_many == 1).any() and repaired["total"].max() <= table["total"].max()


def test_missing_values_are_neither_filled_in_nor_in_the_way():
    table = make_table()
    table["protein"] = table["protein"].where(np.arange(len(table)) % 5 > 0)
    encoding = fit(table, [rule for rule in RULES if "protein" in rule.columns])
    _, raw, repaired = both(encoding)
    assert raw["protein"].isna().mean() > 0.01
    pd.testing.assert_frame_equal(repaired.isna(), raw.isna())
    is_unknown = raw[["albumin", "protein"]].isna().any(axis=1)
    np.testing.assert_array_equal(repaired.loc[is_unknown, "globulin"], raw.loc[is_unknown, "globulin"])


@pytest.mark.parametrize("dtype", ["int64", "Int64", bool, float])
def test_categories_are_computed_as_the_column_spells_them(dtype):
    flags = np.eye(3, dtype=int)[np.random.default_rng(0).integers(0, 3, 200)]
    table = pd.DataFrame(flags, columns=["a", "b", "c"]).astype(dtype)
    encoding = fit(table, ["a + b + c == 1"])
    _, raw, repaired = both(encoding)
    fixable = raw[["a", "b"]].astype(int).sum(axis=1) < 2
    np.testing.assert_array_equal(encoding.repair.is_broken(repaired), ~fixable)
    assert (repaired.dtypes == raw.dtypes).all()
    assert (repaired["c"] == raw["c"])[~fixable].all()  # no category is near -1
    assert repaired["c"].nunique() == 2 and (repaired[["a", "b"]] == raw[["a", "b"]]).all(axis=None)


def test_given_values_stay_and_the_rest_follows_them(encoding):
    records = any_levels(encoding, 500)
    table = encoding.decode(records, np.random.default_rng(0), {"protein": 7.0, "age": 50})
    assert (table["protein"] == 7.0).all() and (table["age"] == 50).all() and table["age"].dtype == "int64"
    broken = encoding.repair.broken(table)["albumin + globulin = protein"]
    assert broken.mean() < 0.5  # the remainder is computed, where it is inside its range


def test_same_generator_repairs_alike_also_after_json(encoding, tmp_path):
    records = any_levels(encoding, 300)
    encoding.write(tmp_path / "encoding.json")
    again = Encoding.read(tmp_path / "encoding.json")
    first, second = (one.decode(records, np.random.default_rng(5)) for one in (encoding, again))
    pd.testing.assert_frame_equal(first, second, check_exact=True)


def test_rules_that_many_training_rows_break_are_doubted(encoding):
    assert encoding.repair.doubts(make_table()) == []
    (doubt,) = fit(make_table(), ["age > 60", "age < 99"]).repair.doubts(make_table())
    assert doubt.startswith(f"{(make_table()['age'] <= 60).mean():.0%} of the training rows break the rule 'age > 60'")


def test_without_rules_nothing_is_asked_of_anything(patients):
    encoding = fit(patients, [])
    assert all(levels.all() for levels in encoding.repair.allowed_levels())
    assert not encoding.repair.is_broken(patients).any() and encoding.repair.doubts(patients) == []
