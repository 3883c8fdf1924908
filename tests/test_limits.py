"""Limits that training people keep: which they are, which records are beyond them, and what the verdict says."""

import math
import re
from html import unescape

import numpy as np
import pandas as pd
import pytest

from rlsyn.evaluation.features import NotComputableError
from rlsyn.evaluation.fidelity.limits import BEYOND, kept_limits, limits_of_real, measure_limits
from rlsyn.evaluation.measure import Tables
from rlsyn.evaluation.report import write_report
from rlsyn.evaluation.suite import evaluate
from rlsyn.evaluation.verdicts import evaluation_verdicts
from rlsyn.schema import Column, Schema, infer_schema
from rlsyn.thresholds import find_limits

ILL, SLOW = "hormone >= 6 where ill is yes", "beats < 60 where rhythm is slow"
NORMAL, NOT_SLOW = "beats >= 60 where rhythm is normal", "beats >= 60 where rhythm is not slow"


def clinic(n=400, seed=0):
    """Four in five from a hormone of 6 on are ill; slow below 60 beats, of which one in ten is missing; age says nothing."""
    rng = np.random.default_rng(seed)
    hormone, beats = rng.lognormal(0.7, 1.1, n).round(2), rng.normal(78, 16, n).round()
    rhythm = np.select([beats < 60, rng.random(n) < 0.2], ["slow", "irregular"], "normal")
    ill = np.where((hormone >= 6) & (rng.random(n) < 0.8), "yes", "no")
    age = rng.normal(60, 12, n).round()
    beats = np.where(rng.random(n) < 0.1, np.nan, beats)
    return pd.DataFrame({"hormone": hormone, "age": age, "beats": beats, "rhythm": rhythm, "ill": ill})


TRAIN, TEST = clinic(), clinic(200, seed=1)
SCHEMA = infer_schema(TRAIN)


def texts(train):
    schema = infer_schema(train)
    return {one.text(schema) for one in kept_limits(train, schema)}


def measured(synthetic, train=TRAIN, test=TEST, schema=SCHEMA, **given):
    return measure_limits(Tables(train, test, synthetic, schema, **given))


def beyond(synthetic, **given):
    return measured(synthetic, **given).estimates[BEYOND.name]


def blurred(table, seed=0):
    """One in five of the ill without the hormone."""
    rng = np.random.default_rng(seed)
    is_wrong = (table.ill == "yes") & (rng.random(len(table)) < 0.2)
    return table.assign(hormone=table.hormone.where(~is_wrong, 3.0))


def test_limits_are_told_in_round_numbers_and_of_those_who_keep_them():
    # From the hormone on four in five are ill: the healthy keep no limit.
    assert texts(TRAIN) == {ILL, SLOW, NORMAL, NOT_SLOW}
    # Three decimals would be the value of one person: rounded as far as hardly anybody changes sides.
    fine = TRAIN.assign(hormone=TRAIN.hormone + np.random.default_rng(0).uniform(0, 0.01, len(TRAIN)).round(5))
    assert texts(fine) == {ILL, SLOW, NORMAL, NOT_SLOW}


@pytest.mark.parametrize("factor", [-1.0, 1e-7, 1e9])
def test_units_change_the_numbers_of_a_limit_alone(factor):
    table = TRAIN.assign(hormone=TRAIN.hormone * factor)[["hormone", "ill"]]
    (limit,) = kept_limits(table, infer_schema(table))
    assert limit.bound == pytest.approx(6 * factor, rel=0.02) and limit.is_above == (factor > 0)


def test_a_diagnosis_that_is_nothing_but_its_limit_is_kept_from_both_sides_whoever_comes_first():
    table = TRAIN[["hormone"]].assign(ill=np.where(TRAIN.hormone >= 6, "yes", "no"))
    synthetic = blurred(table)
    for first in ("yes", "no"):
        train = table.sort_values("ill", key=lambda ill: ill != first, kind="stable")
        assert texts(train) == {ILL, "hormone < 6 where ill is no"}
        found = measured(synthetic, train=train, test=train, schema=infer_schema(train))
        n_wrong, n_ill = ((synthetic.ill == "yes") & (synthetic.hormone < 6)).sum(), (synthetic.ill == "yes").sum()
        assert found.details["by_limit"]["synthetic"][ILL] == n_wrong / n_ill
        assert found.estimates[BEYOND.name].value == pytest.approx(n_wrong / (n_ill + 20))


def test_what_hardly_anybody_reaches_is_no_limit():
    # Two in five of the ill have no hormone; of the healthy one in thirty has it, but of all people too few.
    rng = np.random.default_rng(1)
    hormone = np.where(rng.random(2_000) < 0.06, 7.0, 3.0) + rng.random(2_000).round(3)
    ill = np.where(hormone > 6, rng.random(2_000) < 0.6, rng.random(2_000) < 0.02)
    table = pd.DataFrame({"hormone": hormone, "ill": np.where(ill, "yes", "no")})
    assert len(find_limits(table, infer_schema(table), np.arange(2_000))) == 1 and texts(table) == set()


def test_those_without_a_category_may_be_the_ones_who_keep_it():
    rng = np.random.default_rng(3)
    others = rng.choice(["slow", "normal", "irregular", "paced"], len(TRAIN))
    paced = texts(TRAIN.assign(rhythm=np.where(TRAIN.beats < 60, "slow", others)))
    assert "beats >= 60 where rhythm is not slow" in paced and SLOW not in paced
    both = TRAIN.assign(ill=np.where((TRAIN.hormone >= 6) | (rng.random(len(TRAIN)) < 0.2), "yes", "no"))
    assert "hormone < 6 where ill is no" in texts(both)


def test_what_only_most_people_keep_is_no_limit():
    rng = np.random.default_rng(3)
    for share, is_kept in ((0.02, True), (0.07, False)):
        ill = (TRAIN.hormone >= 6) ^ (rng.random(len(TRAIN)) < share)
        table = TRAIN.assign(ill=np.where(ill, "yes", "no"))[["hormone", "ill"]]
        found = kept_limits(table, infer_schema(table))
        assert bool(found) == is_kept


def test_the_share_is_of_the_records_that_a_limit_is_of():
    synthetic = TRAIN.head(100).assign(hormone=1.0, ill="no", beats=80.0, rhythm="irregular")
    synthetic.loc[:9, "ill"] = "yes"  # ten are ill without the hormone, twenty with it
    synthetic.loc[10:29, ["ill", "hormone"]] = ["yes", 9.0]
    synthetic.loc[5:14, ["rhythm", "beats"]] = ["slow", 50.0]
    synthetic.loc[[9, 14], "beats"] = [60.0, 90.0]  # two of ten are slow and quick
    synthetic.loc[40:44, ["rhythm", "beats"]] = ["slow", np.nan]  # without a value nobody can be beyond
    found = measured(synthetic)
    assert found.estimates[BEYOND.name].value == pytest.approx((10 / (30 + 20) + 2 / (10 + 20)) / 2)
    shares = found.details["by_limit"]["synthetic"]
    assert shares[ILL] == 10 / 30 and shares[SLOW] == 2 / 10 and np.isnan(shares[NORMAL])
    assert found.notes == {BEYOND.name: f"3 of 4 limits, of the others there is no record; worst: {ILL} (0.333)"}


def test_real_rows_keep_what_they_show_and_shuffled_columns_do_not():
    rng = np.random.default_rng(0)
    shuffled = pd.DataFrame({name: rng.permutation(TRAIN[name]) for name in TRAIN})
    assert beyond(TRAIN).value == beyond(TRAIN.sample(frac=1, replace=True, random_state=0)).value == 0
    assert beyond(TEST).value < 0.02 and beyond(blurred(TRAIN)).value > 0.05
    assert beyond(shuffled).value > 0.25
    real = limits_of_real(Tables(TRAIN, TEST, shuffled, SCHEMA)).estimates[BEYOND.name]
    assert real.low == real.value == beyond(TEST).value == 0 < real.high < beyond(TEST).high


def test_a_missing_category_is_neither_the_category_nor_another():
    synthetic = TRAIN.assign(rhythm=TRAIN.rhythm.mask(TRAIN.rhythm == "slow"))
    shares = measured(synthetic).details["by_limit"]["synthetic"]
    assert np.isnan(shares[SLOW]) and shares[NOT_SLOW] == 0
    strange = TRAIN.assign(rhythm=TRAIN.rhythm.replace("slow", "SLOW"))  # none of train's categories
    assert measured(strange).details["by_limit"]["synthetic"][NOT_SLOW] == 0


def test_one_record_of_a_kind_is_no_broken_limit_and_two_test_people_set_no_bar():
    few = TRAIN[TRAIN.ill == "no"].assign(rhythm="normal", beats=80.0)
    one = pd.concat([few, TRAIN.head(1).assign(ill="yes", hormone=1.0, beats=80.0, rhythm="normal")])
    assert beyond(one).value == pytest.approx(1 / 21 / 2)  # of two quantities
    odd = TEST.assign(ill="no")
    odd.loc[:1, ["ill", "hormone"]] = ["yes", 2.0]
    real = limits_of_real(Tables(TRAIN, odd, TRAIN, SCHEMA)).estimates[BEYOND.name]
    assert real.value == pytest.approx(2 / 22 / 2)
    none = TEST.assign(ill="no")
    assert limits_of_real(Tables(TRAIN, none, TRAIN, SCHEMA)).estimates[BEYOND.name].value == 0


@pytest.mark.parametrize(
    "kind",
    [
        lambda ill: ill,
        lambda ill: ill.astype(bool),
        lambda ill: ill.astype(float),
        lambda ill: ill.astype(str),
        lambda ill: ill.astype("Int64"),
        lambda ill: ill.astype("boolean"),
        lambda ill: ill.astype("category"),
        lambda ill: ill.astype(object).where(ill.index % 2 == 0, ill.astype(str)),
    ],
    ids=["int", "bool", "float", "text", "Int64", "boolean", "category", "mixed"],
)
def test_categories_are_the_same_however_they_are_typed(kind):
    ill = (TRAIN.ill == "yes").astype(int)
    plain = TRAIN[["hormone"]].assign(ill=ill)
    schema = infer_schema(plain)
    found = measured(blurred(TRAIN)[["hormone"]].assign(ill=kind(ill)), plain.assign(ill=kind(ill)), plain, schema)
    expected = measured(blurred(TRAIN)[["hormone"]].assign(ill=ill), plain, plain, schema)
    assert found.estimates == expected.estimates and found.notes == expected.notes


def test_categories_of_several_types_that_gain_the_same_have_an_order():
    rng = np.random.default_rng(0)
    hormone = rng.lognormal(1, 0.8, 400).round(2)
    stage = pd.Series(1, hormone.tolist(), dtype=object).mask(hormone >= 4, "late").reset_index(drop=True)
    stage[:40], hormone[:40] = None, np.nan
    table = pd.DataFrame({"hormone": hormone, "stage": stage})
    schema = Schema((Column("hormone", "numeric", missing=True), Column("stage", "binary", (1, "late"), missing=True)))
    assert {one.text(schema) for one in kept_limits(table, schema)} == {
        "hormone >= 4 where stage is late",
        "hormone < 4 where stage is 1",
    }


@pytest.mark.filterwarnings("error")
def test_a_column_of_one_category_and_none_and_numbers_next_to_nothing_are_no_trouble():
    table = TRAIN[["hormone"]].assign(ill=np.where(TRAIN.hormone >= 6, "yes", None))
    assert {one.text(infer_schema(table)) for one in kept_limits(table, infer_schema(table))} <= {ILL}
    tiny = TRAIN[["hormone", "ill"]].assign(hormone=TRAIN.hormone * 1e-310)
    assert len(kept_limits(tiny, infer_schema(tiny))) == 1


@pytest.mark.parametrize(("n", "limit"), [(5_000, 6.43), (5_000, 0.89), (1_000, 6.4), (5_000, 124.7)])
def test_limits_of_rare_diseases_are_not_rounded_away(n, limit):
    rng = np.random.default_rng(0)
    hormone = rng.lognormal(math.log(limit) - 1.2, 0.7, n).round(3)
    table = pd.DataFrame({"hormone": hormone, "ill": np.where((hormone >= limit) & (rng.random(n) < 0.7), "yes", "no")})
    kept = kept_limits(table, infer_schema(table))
    assert [one.is_of_category == (one.category == "yes") for one in kept] == [True]
    assert kept[0].bound == pytest.approx(limit, rel=0.07)
    assert kept[0].breaks(hormone[table.ill == "yes"]).mean() <= 0.01


@pytest.mark.parametrize("n", [150, 300, 600])
def test_no_limit_is_told_as_the_value_of_one_or_two_people(n):
    n_told = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        numbers = rng.lognormal(0, 1, n) * 10 ** rng.uniform(-3, 4)
        numbers = np.array([float(f"{number:.3g}") for number in numbers])
        ill = (numbers >= np.quantile(numbers, 0.7)) & (rng.random(n) < 0.9)
        table = pd.DataFrame({"hormone": numbers, "ill": np.where(ill, "yes", "no")})
        for one in kept_limits(table, infer_schema(table)):
            assert (numbers == one.bound).sum() not in (1, 2)
            n_told += 1
    assert n_told >= 8


def test_results_that_few_people_have_are_looked_at_among_them():
    rng = np.random.default_rng(0)
    hormone = rng.lognormal(0.7, 1.1, 5_000).round(2)
    ill = np.where((hormone >= 6) & (rng.random(5_000) < 0.8), "yes", "no")
    table = pd.DataFrame({"hormone": np.where(rng.random(5_000) < 0.92, np.nan, hormone), "ill": ill})
    assert ILL in texts(table)


def test_each_quantity_counts_once_by_its_worst_limit():
    bands = pd.cut(TRAIN.beats, [0, 60, 70, 80, 90, 300], right=False, labels=list("abcde")).astype(object)
    train = TRAIN.assign(rhythm=bands.where(bands.notna(), "none"))
    schema = infer_schema(train)
    n_limits = len(kept_limits(train, schema))
    of_ill = beyond(blurred(train), train=train, test=train, schema=schema)
    plain = TRAIN.drop(columns=["beats", "rhythm"])
    alone = beyond(blurred(plain), train=plain, test=plain, schema=infer_schema(plain))
    assert n_limits >= 4 and of_ill.value == pytest.approx(alone.value / 2)


def test_only_the_sides_count_not_the_order_of_rows_or_the_units():
    synthetic = blurred(TRAIN)
    again = synthetic.sample(frac=1, random_state=1)
    assert beyond(again) == beyond(synthetic)
    in_units = [table.assign(hormone=table.hormone * 10) for table in (TRAIN, TEST, synthetic)]
    assert beyond(in_units[2], train=in_units[0], test=in_units[1]) == beyond(synthetic)


def test_rows_of_one_person_are_one_in_the_interval():
    four = TRAIN.loc[TRAIN.index.repeat(4)].assign(person=np.repeat(np.arange(len(TRAIN)), 4))
    schema = infer_schema(four, group="person")
    synthetic = blurred(four, seed=2)
    of_rows = beyond(synthetic.drop(columns="person"), train=four, test=TEST, schema=schema)
    of_people = beyond(synthetic, train=four, test=TEST, schema=schema)
    assert of_people.value == of_rows.value
    assert of_people.high - of_people.low > 1.8 * (of_rows.high - of_rows.low)
    assert np.isnan(beyond(synthetic, train=four, schema=schema, with_intervals=False).high)


def test_one_of_a_persons_rows_decides_whether_people_keep_a_limit():
    # One in twelve of the ill people has none of the hormone, in one row of many of the ill rows.
    ill = TRAIN[TRAIN.ill == "yes"]
    wrong = ill.head(len(ill) // 12).assign(hormone=3.0)
    often = ill.iloc[len(ill) // 12 :].loc[lambda table: table.index.repeat(30)]
    table = pd.concat([TRAIN[TRAIN.ill == "no"], wrong, often])[["hormone", "ill"]]
    people = table.assign(person=table.index)
    assert ILL in texts(table.reset_index(drop=True))
    assert ILL not in {one.text(SCHEMA) for one in kept_limits(people, infer_schema(people, group="person"))}


def test_people_not_rows_stand_behind_the_interval_of_real_rows():
    four = TRAIN.loc[TRAIN.index.repeat(4)].assign(person=np.repeat(np.arange(len(TRAIN)), 4))
    test = TEST.loc[TEST.index.repeat(4)].assign(person=1_000 + np.repeat(np.arange(len(TEST)), 4))
    schema = infer_schema(four, group="person")
    of_people = limits_of_real(Tables(four, test, four, schema)).estimates[BEYOND.name]
    assert of_people == limits_of_real(Tables(TRAIN, TEST, TRAIN, SCHEMA)).estimates[BEYOND.name]


def test_without_limits_or_people_there_is_nothing_to_measure():
    smooth = TRAIN[["age", "ill"]]
    with pytest.raises(NotComputableError, match="does not apply: train has no limit"):
        measured(smooth, train=smooth, test=smooth, schema=infer_schema(smooth))
    with pytest.raises(NotComputableError, match="no record is of a category"):
        measured(TRAIN.assign(ill="no", rhythm=None))


def judged(synthetic, train=TRAIN, test=TEST):
    evaluation = evaluate(train, test, synthetic, infer_schema(train), fast=True, n_jobs=1)
    (verdict,) = (one for one in evaluation_verdicts(evaluation) if one.family == "fidelity")
    return evaluation, {criterion.metric: criterion for criterion in verdict.criteria}


def test_a_blurred_limit_is_no_good_fidelity_and_the_report_says_where(tmp_path):
    fresh = clinic(400, seed=5)
    _, criteria = judged(fresh)
    assert criteria[BEYOND.name].level == "good"
    evaluation, criteria = judged(blurred(fresh).assign(beats=np.where(fresh.rhythm == "slow", 70, fresh.beats)))
    assert criteria[BEYOND.name].level == "poor" and "real rows 0.0" in criteria[BEYOND.name].text
    assert f"{SLOW} 0 % 0 % 100.0 % {ILL} 0 % 0 % 25.5 %" in limits_of(
        write_report(evaluation, tmp_path).read_text(encoding="utf-8")
    )


def limits_of(html):
    section = html.split('<section id="limits">')[1].split("</section>")[0]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", section)).split())


def test_tables_without_limits_are_not_judged_by_them():
    table = clinic(300).drop(columns=["hormone", "beats"])
    evaluation, criteria = judged(table.sample(frac=1, random_state=0), table, clinic(100, seed=2))
    (row,) = evaluation.scores[evaluation.scores["metric"] == BEYOND.name].to_dict("records")
    assert BEYOND.name not in criteria and row["note"].startswith("not computed: does not apply")


@pytest.mark.parametrize(
    ("n_train", "n_test"),
    [pytest.param(2, 0, marks=pytest.mark.slow), (0, 1), pytest.param(3, 0, marks=pytest.mark.slow)],
)
def test_one_or_two_people_beyond_a_limit_are_not_counted_out(tmp_path, n_train, n_test):
    sides = {"train": clinic(1_000), "test": TEST.copy()}
    for name, n_wrong in (("train", n_train), ("test", n_test)):
        rows = sides[name].index[sides[name].ill == "no"][:n_wrong]
        sides[name].loc[rows, ["ill", "hormone"]] = ["yes", 2.0]
    evaluation, _ = judged(blurred(clinic(seed=5)), **sides)
    html = write_report(evaluation, tmp_path).read_text(encoding="utf-8")
    is_few = {"train": 0 < n_train < 3, "test": 0 < n_test < 3}
    row = re.search(rf"{ILL} (fewer than 3 people|\S+ %) (fewer than 3 people|\S+ %) ", limits_of(html))
    assert [text == "fewer than 3 people" for text in row.groups()] == [*is_few.values()]
    cells = dict(re.findall(r'data-label="(\w+)">([^<]*)<', re.search(r"(?s)>beyond limits<.*?</tr>", html)[0]))
    hidden = [name for name, cell in cells.items() if cell == "fewer than 3 people"]
    assert hidden == ["real"] * is_few["test"] + ["copy", "independent"] * is_few["train"]
    text = next(text for text in re.findall(r"</b>([^<]*)</li>", html) if text.startswith("beyond limits"))
    assert ("real rows not told" in text) == is_few["test"]


@pytest.mark.slow
def test_a_single_ill_person_is_not_told_to_keep_the_limit(tmp_path):
    test = TEST[(TEST.ill == "no") | (TEST.index == TEST.index[TEST.ill == "yes"][0])]
    evaluation, _ = judged(blurred(clinic(seed=5)), test=test)
    html = limits_of(write_report(evaluation, tmp_path).read_text(encoding="utf-8"))
    assert f"{ILL} 0 % fewer than 3 people " in html
