"""Thresholds: limits are found and kept, strong but smooth relations have none, and people count, not rows."""

import numpy as np
import pandas as pd
import pytest

from rlsyn import thresholds
from rlsyn.encoding import Encoding
from rlsyn.schema import infer_schema
from rlsyn.synthesizer import RLSyn
from rlsyn.thresholds import find_thresholds


def clinic(n=400, seed=0):
    """Ill from a hormone of 6 on, up to one in fifty by error; slow below 60 beats, fast above 100; age only matters."""
    rng = np.random.default_rng(seed)
    hormone, age = rng.lognormal(0.7, 1.1, n).round(2), rng.normal(60, 12, n).round()
    beats = rng.normal(78, 16, n).round()
    ill = (hormone >= 6) ^ (rng.random(n) < 0.02)
    rhythm = np.select([beats < 60, beats > 100], ["slow", "fast"], "normal")
    return pd.DataFrame({"ill": ill.astype(int), "hormone": hormone, "age": age, "beats": beats, "rhythm": rhythm})


def thresholds_of(table, people=None, n_thresholds=3):
    people = np.arange(len(table)) if people is None else people
    found = find_thresholds(table, infer_schema(table), people, n_thresholds)
    return {name: [*chosen] for name, chosen in found.items()}


def test_limits_are_found_between_the_values_on_both_sides():
    table = clinic()
    found = thresholds_of(table)
    assert set(found) == {"hormone", "beats"}
    (limit,) = found["hormone"]
    assert 5.5 < limit < 6.5  # one in fifty is on the wrong side
    slow, fast = found["beats"]
    assert table.beats[table.beats < 60].max() < slow < table.beats[table.beats >= 60].min()
    assert table.beats[table.beats <= 100].max() < fast < table.beats[table.beats > 100].min()


@pytest.mark.parametrize("scale", [-1.0, 1e-6, 1e9])
def test_units_do_not_matter(scale):
    table = clinic()
    scaled = table.assign(hormone=table.hormone * scale)
    assert thresholds_of(scaled)["hormone"] == pytest.approx(np.multiply(thresholds_of(table)["hormone"], scale))


def test_relations_that_are_strong_and_smooth_have_no_threshold():
    for seed in range(30):
        rng = np.random.default_rng(seed)
        ill = rng.random(300) < 0.4
        shifts, widths = np.linspace(0, 1.5, 6), np.linspace(1, 1.5, 6)
        quantities = rng.normal(size=(300, 6)) * np.where(ill[:, None], widths, 1) + np.outer(ill, shifts)
        table = pd.DataFrame(quantities.round(2), columns=list("abcdef")).assign(ill=ill.astype(int))
        assert thresholds_of(table) == {}


@pytest.mark.parametrize("n", [1_000, 4_000])
@pytest.mark.parametrize(
    "logit",
    [lambda x: 4 * x, lambda x: x**3, lambda x: 3 * x**2 - 3, lambda x: 4 * np.tanh(2 * x), lambda x: 8 * x],
    ids=["steep", "cubic", "U", "S", "very steep"],
)
def test_however_many_people_a_smooth_relation_has_no_threshold(logit, n):
    found = 0
    for seed in range(4):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=n)
        ill = rng.random(n) < 1 / (1 + np.exp(-logit(x)))
        found += bool(thresholds_of(pd.DataFrame({"x": x.round(4), "ill": ill.astype(int)})))
    assert found == 0


def test_rows_of_one_person_count_once():
    # Sixteen people: what is sharp in their 400 visits may well be chance.
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(16), 25)
    level = rng.normal(size=16)[person] * 10
    visits = pd.DataFrame({"x": (level + 0.1 * rng.normal(size=400)).round(2), "ill": (level > 2).astype(int)})
    assert thresholds_of(visits)
    assert not thresholds_of(visits, person)


def test_people_may_have_numbers_and_names():
    table = clinic()
    people = np.array([f"guest {i // 2}" if i % 4 < 2 else i // 2 for i in range(800)], dtype=object)
    twice = table.loc[table.index.repeat(2)].reset_index(drop=True)
    assert thresholds_of(twice, people) == thresholds_of(table)


def test_those_that_gain_most_are_kept_and_none_if_none_is_wanted():
    table = clinic()
    (one,) = thresholds_of(table, n_thresholds=1)["beats"]
    assert one in thresholds_of(table)["beats"]
    assert thresholds_of(table, n_thresholds=0) == {}


def test_missing_values_hide_no_limit_and_make_none():
    table, rng = clinic(800), np.random.default_rng(1)
    for name in table:
        table[name] = table[name].mask(rng.random(800) < 0.2)
    assert set(thresholds_of(table)) == {"hormone", "beats"}


@pytest.mark.parametrize(
    "columns",
    [
        {"x": np.arange(200.0) / 7},
        {"x": [1.0] + [np.nan] * 199, "c": ["a", "b"] * 100},
        {"x": [0.5] * 199 + [1.5], "c": ["a"] * 199 + ["b"]},
        {"x": np.arange(200.0) / 7, "c": ["a"] * 191 + ["b"] * 9},
        {"x": np.arange(200.0) / 7, "c": ["a"] * 200},
        {"x": [0.5] * 191 + [1.5] * 8 + [2.5], "c": ["a"] * 180 + ["b"] * 20},
        {"c": ["a", "b"] * 100, "d": ["x"] * 100 + ["y"] * 100},
    ],
    ids=["no category", "one value", "one person", "nine ill", "one category", "nine above", "no quantity"],
)
def test_tables_that_allow_no_threshold(columns):
    assert thresholds_of(pd.DataFrame(columns)) == {}


def test_codes_of_many_categories_make_no_threshold():
    table = clinic()[["hormone", "ill"]]
    coded = table.assign(ill=np.where(table.ill == 1, "ill", "code " + pd.Series(table.index % 19).astype(str)))
    assert "hormone" in thresholds_of(coded)  # twenty
    coded.loc[coded.index % 38 == 0, "ill"] = "one more"
    assert thresholds_of(coded) == {}


def test_thresholds_have_people_between_them():
    for n_between, n_found in ((9, 1), (10, 2)):
        beats = np.r_[np.linspace(30, 59, 495 - n_between), np.linspace(60, 61, n_between), np.linspace(62, 120, 505)]
        others = {"slow": beats < 60, "resting": beats < 62}
        found = thresholds_of(pd.DataFrame({"beats": beats.round(3), **others}))
        assert len(found["beats"]) == n_found


def test_a_threshold_is_of_all_categories_that_set_in_there_or_next_to_it():
    table = clinic().assign(treated=clinic().ill, fast=clinic().beats > 100, resting=clinic().beats < 61)
    found = find_thresholds(table, infer_schema(table), np.arange(len(table)), 3)
    (hormone,) = found["hormone"].values()
    slow, fast = found["beats"].values()
    assert {name for name, _ in hormone} == {"ill", "treated"}
    assert {("rhythm", "slow"), ("resting", False)} <= {*slow} or {("rhythm", "slow"), ("resting", True)} <= {*slow}
    assert ("rhythm", "fast") in fast and "fast" in dict(fast)


def test_of_very_many_people_a_part_shows_a_limit(monkeypatch):
    table = clinic(3_000)
    of_all = thresholds_of(table)
    monkeypatch.setattr(thresholds, "MAX_PEOPLE", 400)
    of_part = thresholds_of(table)
    assert set(of_part) == {"hormone", "beats"}
    assert of_part != of_all
    np.testing.assert_allclose(of_part["beats"], of_all["beats"], atol=2)


def test_cases_and_controls_in_turn_are_both_looked_at(monkeypatch):
    monkeypatch.setattr(thresholds, "MAX_PEOPLE", 200)
    table = clinic(4_000)
    ill, well = (table[table.ill == one].head(200).reset_index(drop=True) for one in (1, 0))
    by_turns = pd.concat([ill, well]).sort_index(kind="stable")
    assert by_turns.ill.tolist() == [1, 0] * 200
    assert "hormone" in thresholds_of(by_turns)


def test_levels_end_at_thresholds_which_a_saved_encoding_keeps(tmp_path):
    table = clinic()
    encoding = Encoding.fit(table, infer_schema(table))
    by_name = dict(zip(encoding.names, encoding.levels, strict=True))
    limits = find_thresholds(table, encoding.schema, np.arange(len(table)), 3)["beats"]
    slow, fast = by_name["beats"].deciding
    assert [slow, fast] == [tuple(pairs) for pairs in limits.values()]
    assert ("rhythm", "slow") in slow and ("rhythm", "fast") in fast
    assert [by_name["beats"].bins[first].lower for first in by_name["beats"].thresholds] == [*limits]
    encoding.write(tmp_path / "encoding.json")
    again = Encoding.read(tmp_path / "encoding.json")
    assert [one.thresholds for one in again.levels if one.column.name in ("hormone", "beats", "age")] == [
        by_name[name].thresholds for name in encoding.names if name in ("hormone", "beats", "age")
    ]
    np.testing.assert_array_equal(again.inputs()[1], encoding.inputs()[1])


@pytest.mark.parametrize("order", ["label_first", pytest.param("label_last", marks=pytest.mark.slow)])
def test_records_keep_limits_whichever_column_comes_first(order):
    table = clinic(600)

    def beyond(n_thresholds):
        model = RLSyn(order=order, n_thresholds=n_thresholds, total_timesteps=0, n_records=16)
        records = model.fit(table, label="ill").sample(4_000)
        is_slow = records.rhythm == "slow"
        return ((records.hormone >= 6) != (records.ill == 1)).mean(), ((records.beats < 60) != is_slow).mean()

    (ill, slow), (blurred_ill, blurred_slow) = beyond(3), beyond(0)
    assert 0.01 < ill < 0.035  # 0.02 in the rows
    assert slow < 0.008  # none in the rows
    assert blurred_ill > 1.7 * ill
    assert blurred_slow > 2 * slow


@pytest.mark.parametrize(
    ("order", "head"),
    [
        pytest.param("label_first", "ordinal", marks=pytest.mark.slow),
        ("label_last", "ordinal"),
        pytest.param("label_first", "free", marks=pytest.mark.slow),
    ],
)
def test_among_many_columns_and_few_people_what_no_row_crosses_hardly_a_record_does(monkeypatch, order, head):
    table, rng = clinic(240)[["ill", "hormone", "age"]], np.random.default_rng(5)
    table["ill"] = ((table.hormone >= 6) & (rng.random(240) < 0.8)).astype(int)
    noise = rng.normal(size=(240, 25)).round(2)
    table = pd.concat([table, pd.DataFrame(noise, columns=[f"x{i}" for i in range(25)])], axis=1)

    def beyond():
        model = RLSyn(order=order, policy_kwargs={"head": head}, total_timesteps=0, n_records=16)
        records = model.fit(table, label="ill").sample(4_000)
        return (records.hormone[records.ill == 1] < 6).mean()

    kept = beyond()
    monkeypatch.setattr("rlsyn.linear_start.KNOWN_PENALTY", 1e9)
    monkeypatch.setattr("rlsyn.tilt.KNOWN_PENALTY", 1e9)
    assert kept < 1.5 / (table.ill == 1).sum()  # about as sure as so few people can be
    assert beyond() > 2 * kept


@pytest.mark.slow
def test_a_category_of_several_that_comes_after_its_quantity_keeps_its_limit(monkeypatch):
    rng, n = np.random.default_rng(2), 600
    hormone = rng.lognormal(0.7, 1.0, n).round(2)
    stage = np.where(hormone >= 6, rng.choice(["early", "late"], n), rng.choice(["none", "early"], n, p=[0.8, 0.2]))
    noise = pd.DataFrame(rng.normal(size=(n, 12)).round(2), columns=[f"x{i}" for i in range(12)])
    table = pd.concat([pd.DataFrame({"hormone": hormone}), noise, pd.DataFrame({"stage": stage})], axis=1)

    def beyond():
        records = RLSyn(order="table", total_timesteps=0, n_records=16).fit(table).sample(4_000)
        return (records.hormone[records.stage == "late"] < 6).mean()

    kept = beyond()
    monkeypatch.setattr("rlsyn.linear_start.KNOWN_PENALTY", 1e9)
    assert kept < 1.5 / (stage == "late").sum() and beyond() > 2 * kept


def test_where_one_category_sets_in_another_needs_less_evidence():
    # Half of the people from 6 on are watched: a jump that twenty on either side do not make sure of by itself.
    rng, n = np.random.default_rng(0), 800
    hormone = rng.lognormal(0.9, 0.8, n).round(2)
    watched = ((hormone >= 6) & (rng.random(n) < 0.5)).astype(int)
    table = pd.DataFrame({"hormone": hormone, "watched": watched, "age": rng.normal(60, 9, n).round()})
    table["ill"] = (table.hormone >= 6).astype(int)
    assert "hormone" not in thresholds_of(table.drop(columns="ill"))

    def deciding(table):
        (pairs,) = find_thresholds(table, infer_schema(table), np.arange(n), 3)["hormone"].values()
        return {name for name, _ in pairs}

    assert deciding(table) == {"ill", "watched"}
    smooth = table.assign(watched=(rng.random(n) < 1 / (1 + np.exp(4 - table.hormone))).astype(int))
    assert deciding(smooth) == {"ill"}
