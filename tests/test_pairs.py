"""Categories that no training row has together are found, and records that have them."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy.stats import hypergeom

from rlsyn.evaluation.features import NotComputableError
from rlsyn.evaluation.fidelity import unseen_pairs
from rlsyn.evaluation.fidelity.pairs import MAX_CHANCE, UNSEEN, measure_pairs, pairs_of_real
from rlsyn.evaluation.measure import Tables
from rlsyn.evaluation.report import write_report
from rlsyn.evaluation.suite import evaluate
from rlsyn.evaluation.verdicts import evaluation_verdicts
from rlsyn.schema import Column, Schema, infer_schema

FOUND = "anaemia is yes where ill is no"
UNTESTED = "tested is 1 where result has no value"
INVENTED = "result has a value where tested is 0"


def clinic(n, seed=0):
    """Half of the people are ill; only these have anaemia, and the result of a test is there where it was made."""
    rng = np.random.default_rng(seed)
    ill = rng.random(n) < 0.5
    tested = rng.random(n) < 0.4
    return pd.DataFrame(
        {
            "ill": np.where(ill, "yes", "no"),
            "anaemia": np.where(ill & (rng.random(n) < 0.4), "yes", "no"),
            "tested": tested.astype(int),
            "result": np.where(tested, rng.normal(5, 1, n).round(2), np.nan),
            "ward": rng.choice(["a", "b", "c"], n),
        }
    )


TRAIN, TEST = clinic(400), clinic(150, 1)
SCHEMA = infer_schema(TRAIN, label="ill")


def measured(synthetic, train=TRAIN, test=TEST, schema=SCHEMA):
    return measure_pairs(Tables(train, test, synthetic, schema))


def test_pairs_that_chance_would_make_and_no_person_has_are_found_and_no_others():
    assert set(unseen_pairs(TRAIN, SCHEMA).texts()) == {FOUND, UNTESTED, INVENTED}


def test_rows_with_both_are_counted_once_whatever_they_are_called():
    records = clinic(100, 2)
    records.loc[:9, ["ill", "anaemia"]] = ["no", "yes"]
    records["tested"] = records["tested"].astype(object)
    records.loc[5:14, ["tested", "result"]] = ["1", np.nan]
    found = measured(records)
    assert found.estimates[UNSEEN.name].value == pytest.approx(0.15)
    shares = found.details["by_pair"]["synthetic"]
    assert shares[FOUND] == pytest.approx(0.1) and shares[UNTESTED] == pytest.approx(0.1)
    assert found.notes[UNSEEN.name].startswith("3 pairs; worst: ") and "(0.100)" in found.notes[UNSEEN.name]


def test_other_people_of_the_same_kind_have_none_and_shuffled_columns_have_many():
    assert measured(clinic(5_000, 3)).estimates[UNSEEN.name].value == 0
    rng = np.random.default_rng(0)
    shuffled = pd.DataFrame({name: rng.permutation(TRAIN[name]) for name in TRAIN})
    assert measured(shuffled).estimates[UNSEEN.name].value > 0.2


@pytest.mark.parametrize("n_columns", [3, 60])
def test_independent_columns_have_no_unseen_pairs_however_many(n_columns):
    rng = np.random.default_rng(n_columns)
    table = pd.DataFrame({f"x{i}": (rng.random(200) < rng.uniform(0.02, 0.5)).astype(int) for i in range(n_columns)})
    with pytest.raises(NotComputableError, match="no two categories"):
        measured(table, train=table, test=table, schema=infer_schema(table))


def test_a_result_of_a_test_that_was_not_made_is_seen():
    assert measured(TRAIN.assign(result=5.0)).details["by_pair"]["synthetic"][INVENTED] == (TRAIN.tested == 0).mean()


def test_what_few_people_have_is_in_no_pair():
    # That both people with the rare disease are ill would be told of the two.
    is_ill = np.arange(4_000) % 10 == 0  # so few that nine of them are far from chance
    for n_rare in (2, 9, 10):
        rare = is_ill & (np.cumsum(is_ill) <= n_rare)
        table = pd.DataFrame({"ill": np.where(is_ill, "yes", "no"), "rare": rare.astype(int)})
        found = unseen_pairs(table, infer_schema(table)).texts()
        assert found == (["rare is 1 where ill is no"] if n_rare == 10 else [])


def test_of_very_many_pairs_the_worst_are_told_and_all_are_counted(monkeypatch):
    rng = np.random.default_rng(0)
    made = rng.random(300) < 0.5
    panel = {f"x{i}": np.where(made, rng.integers(0, 2, 300), np.nan) for i in range(6)}
    train = pd.DataFrame(panel)
    schema = infer_schema(train)
    records = train.copy()
    records.loc[records.index[~made][:20], "x3"] = 1
    whole = measured(records, train=train, test=train, schema=schema)
    monkeypatch.setattr("rlsyn.evaluation.fidelity.pairs.MOST_PAIRS", 5)
    some = measured(records, train=train, test=train, schema=schema)
    assert len(whole.details["by_pair"]) > 20 and len(some.details["by_pair"]) == 5
    assert (some.details["by_pair"]["synthetic"] > 0).all()
    assert some.estimates == whole.estimates and some.notes[UNSEEN.name] == whole.notes[UNSEEN.name]


def test_a_pair_that_one_person_has_is_seen():
    train = TRAIN.copy()
    train.loc[0, ["ill", "anaemia"]] = ["no", "yes"]
    assert FOUND not in unseen_pairs(train, SCHEMA).texts()


def test_rows_of_one_person_are_evidence_of_one():
    people = clinic(9, 5)
    days = people.loc[people.index.repeat(40)].assign(person=np.repeat(np.arange(9), 40)).reset_index(drop=True)
    assert len(unseen_pairs(days, infer_schema(days, group="person")).pairs) == 0


def visits(n_people, seed=0):
    """Four visits of each person in the order of time; drugs are taken after the first."""
    rng, n = np.random.default_rng(seed), 4 * n_people
    is_first = np.arange(n) % 4 == 0
    return pd.DataFrame(
        {
            "person": np.repeat(np.arange(n_people), 4),
            "visit": np.where(is_first, "first", "later"),
            "dose": np.where(is_first, np.nan, rng.normal(5, 1, n).round(2)),
            "nausea": np.where(~is_first & (rng.random(n) < 0.2), "yes", "no"),
        }
    )


def test_what_sets_in_after_the_first_visit_is_seen():
    table = visits(200)
    schema = infer_schema(table, group="person")
    found = set(unseen_pairs(table, schema).texts())
    assert {"visit is first where dose has a value", "nausea is yes where visit is first"} <= found
    shuffled = table.sample(frac=1, random_state=0)
    assert set(unseen_pairs(shuffled, schema).texts()) == found


def test_people_are_what_chance_is_judged_by_and_all_their_rows_what_was_seen():
    # Twelve people and twelve others: not one of both is chance, of 40 rows each it would be none.
    table = pd.DataFrame({"a": [1] * 12 + [0] * 28, "b": [0] * 28 + [1] * 12, "person": range(40)})
    days = table.loc[table.index.repeat(40)].reset_index(drop=True)
    assert unseen_pairs(days, infer_schema(days, group="person")).texts() == []
    often = pd.DataFrame({"a": [1] * 50 + [0] * 150, "b": [0] * 150 + [1] * 50, "person": range(200)})
    days = often.loc[often.index.repeat(4)].reset_index(drop=True)
    schema = infer_schema(days, group="person")
    assert unseen_pairs(days, schema).texts() == ["a is 1 where b is 1"]
    for visit in range(4):
        both = days.copy()
        both.loc[visit, ["a", "b"]] = 1
        assert unseen_pairs(both, schema).texts() == []


def test_a_result_that_is_missing_may_be_an_empty_text_or_a_category():
    written = TRAIN.assign(
        result=TRAIN["result"].astype(object).fillna(""), ward=TRAIN["ward"].where(TRAIN.tested == 1)
    )
    assert measured(written).estimates[UNSEEN.name].value == 0
    told = TRAIN.assign(ward=np.where(TRAIN.ill == "yes", "missing", None))
    told.loc[:3, "ward"] = told.loc[:3, "ward"].map({"missing": "known"})
    texts = unseen_pairs(told, infer_schema(told)).texts()
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("n_codes", [3, 12, 30])
def test_a_code_where_none_belongs_is_seen_however_many_there_are(n_codes):
    rng = np.random.default_rng(0)
    ill = rng.random(100) < 0.5
    codes = np.array([f"c{i}" for i in range(n_codes)], dtype=object)
    code = np.where(ill, codes[np.arange(100) % n_codes], None)
    train = pd.DataFrame({"code": code, "ill": ill.astype(int)})
    schema = Schema((Column("code", "categorical", tuple(codes)), Column("ill", "binary", (0, 1))))
    found = measured(train.assign(code="c1"), train=train, test=train, schema=schema)
    assert found.estimates[UNSEEN.name].value == pytest.approx((~ill).mean())


def test_codes_of_many_categories_and_unknown_categories_make_no_pair():
    codes = tuple(f"c{i}" for i in range(30))
    schema = Schema((Column("code", "categorical", codes), Column("ill", "binary", ("no", "yes"))))
    rng = np.random.default_rng(0)
    ill = rng.random(2_000) < 0.5
    table = pd.DataFrame({"code": np.where(ill, "c1", rng.choice(codes[2:], 2_000)), "ill": np.where(ill, "yes", "no")})
    assert len(unseen_pairs(table, schema).pairs) == 0
    found = measured(TRAIN.assign(anaemia="perhaps"))
    assert found.details["by_pair"]["synthetic"][FOUND] == 0


@pytest.mark.parametrize(("n", "first", "second"), [(40, 10, 12), (40, 14, 15), (500, 30, 80), (500, 30, 200)])
def test_the_chance_of_none_is_that_of_the_hypergeometric_distribution(n, first, second):
    place = np.arange(n)
    table = pd.DataFrame({"a": (place < first).astype(int), "b": (place >= n - second).astype(int)})
    is_sure = hypergeom.pmf(0, n, first, second) < MAX_CHANCE / 4  # two categories of either column are four pairs
    assert (unseen_pairs(table, infer_schema(table)).texts() == ["a is 1 where b is 1"]) == is_sure


def test_the_real_reference_is_that_of_the_test_rows():
    test = TEST.copy()
    test.loc[:3, ["ill", "anaemia"]] = ["no", "yes"]
    tables = Tables(TRAIN, test, clinic(80, 4), SCHEMA)
    found = pairs_of_real(tables).estimates[UNSEEN.name]
    assert found == measured(test).estimates[UNSEEN.name] and found.value == pytest.approx(4 / 150)


def test_people_not_rows_have_a_pair():
    days = TRAIN.loc[TRAIN.index.repeat(3)].assign(person=np.repeat(np.arange(400), 3))
    test = TEST.loc[TEST.index.repeat(3)].assign(person=1_000 + np.repeat(np.arange(150), 3))
    test.loc[:1, ["ill", "anaemia"]] = ["no", "yes"]
    schema = infer_schema(days, label="ill", group="person")
    found = measured(test, train=days, test=test, schema=schema)
    assert found.details["people_by_pair"]["test"][FOUND] == found.details["people"]["test"] == 2
    rows = measured(test.drop(columns="person"), test=test.drop(columns="person")).estimates[UNSEEN.name]
    assert found.estimates[UNSEEN.name].high > rows.high


@pytest.fixture(scope="module")
def shuffled_evaluation():
    rng = np.random.default_rng(0)
    wrong = TRAIN.assign(anaemia=rng.permutation(TRAIN["anaemia"]))
    test = TEST.copy()
    test.loc[0, ["ill", "anaemia"]] = ["no", "yes"]
    return evaluate(TRAIN, test, wrong, SCHEMA, fast=True, n_jobs=1)


def test_records_with_unseen_pairs_are_no_good_fidelity_and_the_report_says_which(shuffled_evaluation, tmp_path):
    (fidelity,) = (one for one in evaluation_verdicts(shuffled_evaluation) if one.family == "fidelity")
    (criterion,) = (one for one in fidelity.criteria if one.metric == UNSEEN.name)
    assert criterion.level != "good" and FOUND in criterion.text
    html = write_report(shuffled_evaluation, tmp_path).read_text(encoding="utf-8")
    table = html.split('<section id="pairs">')[1].split("</section>")[0]
    assert FOUND in table and table.index(FOUND) < table.index(UNTESTED)


def test_one_test_person_with_both_is_not_counted_out(shuffled_evaluation, tmp_path):
    html = write_report(shuffled_evaluation, tmp_path).read_text(encoding="utf-8")
    table = html.split('<section id="pairs">')[1].split("</section>")[0]
    assert ">fewer than 3 people<" in table.split(FOUND)[1].split("</tr>")[0]
    cells = dict(re.findall(r'data-label="(\w+)">([^<]*)<', re.search(r"(?s)>unseen pairs<.*?</tr>", html)[0]))
    assert [name for name, cell in cells.items() if cell == "fewer than 3 people"] == ["real"]
    (text,) = (one for one in re.findall(r"</b>([^<]*)</li>", html) if one.startswith("unseen pairs"))
    assert "real rows not told" in text


def test_a_pair_of_one_test_person_is_not_the_difference_of_others():
    test = TEST.copy()
    test.loc[:2, ["tested", "result"]] = [1, np.nan]
    test.loc[7, ["ill", "anaemia"]] = ["no", "yes"]
    found = measured(TRAIN, test=test)
    assert found.details["people_by_pair"]["test"][[UNTESTED, FOUND]].tolist() == [3, 1]
    assert found.details["people"]["test"] == 1


def test_the_worst_of_many_pairs_are_shown(tmp_path):
    rng = np.random.default_rng(0)
    ill = rng.random(300) < 0.5
    table = pd.DataFrame(
        {f"x{i}": (ill & (rng.random(300) < 0.5)).astype(int) for i in range(25)} | {"ill": ill.astype(int)}
    )
    wrong = table.copy()
    for i in range(25):
        wrong.loc[table.index[~ill][: 4 * i], f"x{i}"] = 1
    html = write_report(evaluate(table, table.copy(), wrong, infer_schema(table), fast=True, n_jobs=1), tmp_path)
    shown = html.read_text(encoding="utf-8").split('<section id="pairs">')[1].split("</section>")[0]
    assert re.findall(r"x(\d+) is 1 where ill is 0", shown) == [str(i) for i in range(24, 4, -1)]
