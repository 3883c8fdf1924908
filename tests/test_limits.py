"""Limits that training people keep: which they are, which records are beyond them, and what the verdict says."""

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
from rlsyn.schema import infer_schema

ILL, SLOW, NORMAL = (
    "hormone >= 6 where ill is yes",
    "beats < 60 where rhythm is slow",
    "beats >= 60 where rhythm is normal",
)


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
    assert texts(TRAIN) == {ILL, SLOW, NORMAL}


def test_those_without_a_category_may_be_the_ones_who_keep_it():
    rng = np.random.default_rng(3)
    others = rng.choice(["slow", "normal", "irregular", "paced"], len(TRAIN))
    paced = texts(TRAIN.assign(rhythm=np.where(TRAIN.beats < 60, "slow", others)))
    assert "beats >= 60 where rhythm is not slow" in paced and SLOW not in paced
    both = TRAIN.assign(ill=np.where((TRAIN.hormone >= 6) | (rng.random(len(TRAIN)) < 0.2), "yes", "no"))
    assert "hormone < 6 where ill is no" in texts(both)


def test_what_only_most_people_keep_is_no_limit():
    rng = np.random.default_rng(3)
    for share, is_kept in ((0.02, True), (0.12, False)):
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
    assert found.estimates[BEYOND.name].value == pytest.approx((10 / 30 + 2 / 10) / 2)  # of the normal there are none
    shares = found.details["by_limit"]["synthetic"]
    assert shares[ILL] == 10 / 30 and shares[SLOW] == 2 / 10 and np.isnan(shares[NORMAL])
    assert found.notes == {BEYOND.name: f"3 limits; worst: {ILL} (0.333)"}


def test_real_rows_keep_what_they_show_and_shuffled_columns_do_not():
    rng = np.random.default_rng(0)
    shuffled = pd.DataFrame({name: rng.permutation(TRAIN[name]) for name in TRAIN})
    assert beyond(TRAIN).value == beyond(TRAIN.sample(frac=1, replace=True, random_state=0)).value == 0
    assert beyond(TEST).value < 0.02 and beyond(blurred(TRAIN)).value > 0.05
    assert beyond(shuffled).value > 0.25
    real = limits_of_real(Tables(TRAIN, TEST, shuffled, SCHEMA)).estimates[BEYOND.name]
    assert real.low == real.value == beyond(TEST).value == 0 < real.high < beyond(TEST).high


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


def test_without_limits_or_people_there_is_nothing_to_measure():
    smooth = TRAIN[["age", "ill"]]
    with pytest.raises(NotComputableError, match="does not apply: train has no limit"):
        measured(smooth, train=smooth, test=smooth, schema=infer_schema(smooth))
    with pytest.raises(NotComputableError, match="no record is of a category"):
        measured(TRAIN.assign(ill="no", rhythm="irregular"))


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


def test_one_or_two_people_beyond_a_limit_are_not_counted_out(tmp_path):
    train = TRAIN.copy()
    train.loc[train[train.ill == "no"].index[:2], ["ill", "hormone"]] = ["yes", 2.0]
    evaluation, _ = judged(blurred(clinic(seed=5)), train)
    assert evaluation.details["limits"]["synthetic"]["people"]["train"] == 2
    html = write_report(evaluation, tmp_path).read_text(encoding="utf-8")
    assert f"{ILL} fewer than 3 people 0 % " in limits_of(html)
    row = re.search(r"(?s)>beyond limits<.*?</tr>", html)[0]
    cells = dict(re.findall(r'data-label="(\w+)">([^<]*)<', row))
    assert [name for name, cell in cells.items() if cell == "fewer than 3 people"] == ["copy", "independent"]
