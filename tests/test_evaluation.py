"""The whole evaluation: every metric is a row, references mean what they say, nothing is dropped in silence."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml
from evaluation_tables import COLUMNS, SCHEMA, make_patients, shuffle

from rlsyn.constraints import Constraint
from rlsyn.evaluation import check_held_out, evaluate, print_scores
from rlsyn.evaluation.evaluation import n_judged
from rlsyn.evaluation.features import category_positions
from rlsyn.evaluation.measure import Tables
from rlsyn.evaluation.privacy.membership import compute_membership
from rlsyn.evaluation.remarks import remarks_on_kinds_of_people
from rlsyn.evaluation.score_texts import interval, number
from rlsyn.evaluation.verdicts import verdicts
from rlsyn.schema import Column, Schema, infer_schema

FAMILIES = ["fidelity", "utility", "privacy", "constraints"]
# Every metric of the definitions, by the name that a reader looks for.
METRICS = {
    *("KS mean", "KS max", "TV mean", "missing rate difference", "DWD", "association difference", "CWC", "NMI"),
    *("beyond limits", "unseen pairs"),
    *("detection AUC (LightGBM)", "detection AUC (logistic)", "alpha-precision", "beta-recall", "concept abundance"),
    *("S2R AUC", "S2R AUC (logistic_regression)", "S2R AUC (random_forest)", "S2R AUC (lightgbm)", "S2R AUC (svc)"),
    *("S2R AUC (lightgbm_paper)", "S2R Brier", "R2S AUC", "S2R AUC loss"),
    *("membership AUC", "membership AUC per person", "membership TPR at 1 % FPR", "membership TPR at 5 % FPR"),
    *("DOMIAS AUC", "attribute inference advantage", "near copies", "exact copies", "copies of unique rows"),
    *("near copies of one person", "copies in part", "foreign columns", "traces of people"),
    *("DCR 5 %", "DCR median", "NNDR 5 %", "NNDR median", "broken rules", "out of range"),
}
# How far fresh rows may score from real ones: some four standard deviations of that difference over ten other draws of
# both. The 210 test rows are 70 people.
TOLERANCES = {
    "KS mean": 0.05,
    "KS max": 0.1,
    "TV mean": 0.04,
    "missing rate difference": 0.015,
    "DWD": 0.4,
    "association difference": 0.05,
    "CWC": 6_000,
    "NMI": 0.01,
    "alpha-precision": 0.15,
    "beta-recall": 0.2,
    "detection AUC (LightGBM)": 0.08,
    "detection AUC (logistic)": 0.12,
    "S2R AUC": 0.04,
    "S2R AUC loss": 0.04,
    "S2R AUC (logistic_regression)": 0.04,
    "S2R AUC (random_forest)": 0.06,
    "S2R AUC (lightgbm)": 0.05,
    "S2R AUC (svc)": 0.07,
    "S2R AUC (lightgbm_paper)": 0.05,
    "S2R Brier": 0.02,
    "R2S AUC": 0.15,
    "membership AUC": 0.11,
    "membership AUC per person": 0.25,
    "DOMIAS AUC": 0.12,
    "membership TPR at 5 % FPR": 0.08,
    "attribute inference advantage": 0.1,
    "exact copies": 0,
    "copies of unique rows": 0,
    "foreign columns": 0,
    "traces of people": 0,
    "near copies": 0.03,
    "near copies of one person": 0.03,
    "copies in part": 0.03,
    "out of range": 0.03,
    "DCR 5 %": 0.015,
    "DCR median": 0.035,
    "NNDR 5 %": 0.12,
    "NNDR median": 0.08,
}
ALL_REFERENCES = ("real", "copy", "independent")
# Few binary columns, no limits or unseen pairs, no declared rules, and fewer than a hundred test people.
NOT_FOR_THESE_TABLES = {
    "concept abundance",
    "beyond limits",
    "unseen pairs",
    "broken rules",
    "membership TPR at 1 % FPR",
}


@pytest.fixture(scope="module")
def evaluation(train, test, synthetic):
    return evaluate(train, test, synthetic, SCHEMA, others={"warm_start": shuffle(train)}, costs={"fit (s)": 2.5})


@pytest.fixture(scope="module")
def scores(evaluation):
    return evaluation.scores.set_index("metric")


def quick(train, test, synthetic, schema=SCHEMA, references=("real",), **arguments):
    """Quick scores by metric; copies and independent columns are scored only where a test reads them."""
    found = evaluate(train, test, synthetic, schema, fast=True, references=references, **arguments)
    return found.scores.set_index("metric")


@pytest.fixture(scope="module")
def quick_scores(train, test, synthetic):
    return quick(train, test, synthetic)


def test_every_metric_is_a_row(scores):
    assert set(scores.index) == METRICS | {"fit (s)"} and scores.index.is_unique
    assert list(scores["family"].unique()) == [*FAMILIES, "cost"]
    assert set(scores["goal"]) <= {"minimise", "maximise", "0.5", "0", "none"}
    assert scores["meaning"].str.len().gt(20).all()


def test_what_has_no_value_says_why_and_the_rest_has_all(scores):
    absent = scores["value"].isna()
    assert set(scores.index[absent]) == NOT_FOR_THESE_TABLES
    assert scores.loc[absent, "note"].str.startswith("not computed: ").all()
    beside = scores.loc[~absent].drop(index=["fit (s)"])
    beside = beside[["real", "copy", "independent", "warm_start"]]
    assert beside.notna().all(axis=None)


def test_values_lie_in_their_range_and_in_their_interval(scores):
    known = scores.dropna(subset="value")
    for name in ("value", "real", "copy", "independent", "warm_start"):
        inside = known[name].between(known["minimum"] - 1e-12, known["maximum"] + 1e-12) | known[name].isna()
        assert inside.all(), (name, known.index[~inside])
    with_interval = known.dropna(subset="low")
    assert {"KS mean", "association difference", "S2R AUC", "membership AUC", "exact copies"} <= set(
        with_interval.index
    )
    assert (with_interval["low"] <= with_interval["value"]).all()
    assert (with_interval["value"] <= with_interval["high"]).all()


def test_fresh_rows_score_like_the_real_reference(scores):
    known = scores.drop(index="fit (s)").dropna(subset=["value", "real"])
    assert set(known.index) == set(TOLERANCES)
    differences = (known["value"] - known["real"]).abs()
    beyond = differences[differences > known.index.map(TOLERANCES)]
    assert beyond.empty, beyond
    assert scores.loc["R2S AUC", "real"] == scores.loc["S2R AUC", "real"]


def test_the_references_are_a_leak_and_a_table_without_associations(scores):
    assert scores.loc["membership AUC", "copy"] > 0.75 and scores.loc["exact copies", "copy"] == 1
    assert scores.loc["KS mean", "independent"] == 0 and scores.loc["exact copies", "independent"] == 0
    difference = scores.loc["association difference"]
    assert difference["independent"] > 1.5 * difference["real"] > 1.5 * difference["copy"]
    assert scores.loc["S2R AUC", "independent"] < 0.7 < scores.loc["S2R AUC", "copy"]


def test_few_fresh_rows_are_judged_beside_as_few_copies(train, test, synthetic, scores):
    few = quick(train, test, synthetic[:90], references=ALL_REFERENCES)
    distances = ["KS mean", "TV mean", "association difference"]
    assert few.loc[distances, "copy"].sum() > 1.5 * scores.loc[distances, "copy"].sum()
    levels = {one.metric: one.level for verdict in verdicts(few.reset_index()) for one in verdict.criteria}
    assert "poor" not in [levels[name] for name in distances]
    # Attacks are to find the copies: they have all of them.
    assert few.loc["exact copies", "copy"] == 1 and few.loc["membership AUC", "copy"] > 0.75


@pytest.mark.slow
def test_few_rows_are_judged_beside_as_many_rows_of_different_people():
    """Of people with forty days each, as many rows of copies are of two people, beside whom any shift would pass."""

    def days(n_people, first, rng, shift=0.0):
        of_person = rng.normal(size=(n_people, 4)) + shift
        rows = np.repeat(of_person, 40, axis=0) + rng.normal(scale=0.3, size=(40 * n_people, 4))
        return pd.DataFrame(rows.round(2), columns=list("abcd")).assign(
            person=first + np.repeat(np.arange(n_people), 40)
        )

    rng = np.random.default_rng(0)
    train, test = days(60, 0, rng), days(30, 100, rng)
    schema = infer_schema(train, group="person")
    shifted, fresh = (days(100, 1_000, rng, shift).iloc[::40].drop(columns="person") for shift in (0.8, 0.0))
    found = []
    for synthetic in (shifted, fresh):
        judged = verdicts(evaluate(train, test, synthetic, schema, fast=True).scores)
        found.append({one.metric: one.level for verdict in judged for one in verdict.criteria}["KS mean"])
    assert found[0] in ("poor", "fair") and found[1] == "good"


def test_train_against_itself_is_ideal_on_fidelity_and_worst_on_privacy(train, test):
    scores = quick(train, test, train.drop(columns="person"))
    for metric in ("KS mean", "TV mean", "missing rate difference", "DWD", "association difference", "CWC"):
        assert scores.loc[metric, "value"] == pytest.approx(0, abs=1e-12), metric
    assert scores.loc["S2R AUC", "value"] == scores.loc["S2R AUC", "real"]
    assert scores.loc["S2R AUC loss", ["value", "low", "high", "real"]].tolist() == [0, 0, 0, 0]
    assert scores.loc["membership AUC", "value"] > 0.97
    assert scores.loc["exact copies", "value"] == scores.loc["near copies", "value"] == 1


def test_noise_is_private_and_useless(train, test):
    rng = np.random.default_rng(0)
    noise = shuffle(make_patients(450, 3)).assign(
        pressure=rng.uniform(0, 1_000, 450), age=rng.integers(0, 200, 450), bmi=rng.uniform(0, 90, 450)
    )
    scores = quick(train, test, noise)
    assert scores.loc["membership AUC", "value"] == pytest.approx(0.5, abs=0.07)
    assert scores.loc["exact copies", "value"] == 0
    assert scores.loc["S2R AUC", "value"] < 0.65
    assert scores.loc["detection AUC (LightGBM)", "value"] > 0.95
    assert scores.loc["out of range", "value"] > 0.5


def test_a_planted_copy_of_five_per_cent_of_train_is_found(train, test, synthetic, quick_scores):
    planted = pd.concat([synthetic.iloc[len(train) // 20 :], train.drop(columns="person").iloc[: len(train) // 20]])
    scores, attack = quick(train, test, planted), "membership TPR at 5 % FPR"
    assert (
        scores.loc["exact copies", "value"] == pytest.approx(0.05, abs=0.005) and scores.loc["exact copies", "low"] > 0
    )
    assert scores.loc[attack, "value"] > quick_scores.loc[attack, "value"] + 0.03
    # Each row as a person of its own: of so few test people 1 % is less than one.
    of_rows = (Tables(train, test, rows, replace(SCHEMA, group=None)) for rows in (planted, synthetic))
    planted_rate, fresh_rate = (compute_membership(one).estimates["membership TPR at 1 % FPR"].value for one in of_rows)
    assert planted_rate > fresh_rate + 0.03


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)], ids=["repeated", "in two processes"])
def test_scores_are_the_same(train, test, synthetic, n_jobs):
    tables = train, test[:60], synthetic[:90]
    first, again = (quick(*tables, references=ALL_REFERENCES, n_jobs=n) for n in (1, n_jobs))
    pd.testing.assert_frame_equal(first, again)


def test_fast_lists_what_it_leaves_out(quick_scores, scores):
    assert list(quick_scores.index) == [name for name in scores.index if name != "fit (s)"]
    left_out = quick_scores["note"].str.contains("left out for speed")
    assert set(quick_scores.index[left_out]) == {"S2R AUC (random_forest)", "S2R AUC (svc)", "S2R AUC (lightgbm_paper)"}
    assert quick_scores.loc[left_out, "value"].isna().all()


def test_costs_are_rows(scores):
    assert scores.loc["fit (s)", ["family", "value"]].tolist() == ["cost", 2.5]


def test_without_label_the_utility_rows_say_so(train, test, synthetic):
    scores = quick(train, test, synthetic, Schema(COLUMNS, group="person"))
    utility = scores[scores["family"] == "utility"]
    assert len(utility) >= 3 and utility["value"].isna().all()
    assert (utility["note"] == "not computed: the schema names no label").all()


def test_regression_scores_are_r2(train, test, synthetic):
    scores = quick(train, test, synthetic, Schema(COLUMNS, "pressure", "person"), ALL_REFERENCES)
    assert {"S2R R2", "S2R R2 loss", "S2R R2 (ridge)", "S2R R2 (lightgbm)", "R2S R2"} <= set(scores.index)
    for column in ("value", "independent"):
        loss = scores.loc["S2R R2", "real"] - scores.loc["S2R R2", column]
        assert scores.loc["S2R R2 loss", column] == pytest.approx(loss)
    assert scores.loc["S2R R2", ["value", "real", "independent"]].notna().all()


def test_a_generator_that_knows_one_class_is_scored(train, test, synthetic):
    scores = quick(train, test, synthetic.assign(diabetes=0))
    assert scores.loc["S2R AUC", "value"] == 0.5
    assert "every AUC is 0.5" in scores.loc["S2R AUC", "note"]
    assert np.isnan(scores.loc["R2S AUC", "value"]) and "does not vary" in scores.loc["R2S AUC", "note"]
    assert scores.loc["R2S AUC", "real"] > 0.8


def test_unseen_categories_and_an_emptied_column_are_scored_violations(train, test, synthetic):
    scores = quick(train, test, synthetic.assign(site="elsewhere", bmi=np.nan))
    assert scores.loc["out of range", "value"] == 1
    assert scores.loc["KS max", "value"] == 1 and "bmi" in scores.loc["KS max", "note"]
    assert scores.loc["missing rate difference", "value"] > 0.05


def test_rules_are_counted(train, test, synthetic):
    schema = Schema(COLUMNS, "diabetes", "person", (Constraint("adults", "age >= 18"),))
    broken = synthetic.assign(age=np.where(np.arange(len(synthetic)) < 45, 3, synthetic["age"]))
    scores = quick(train, test, broken, schema)
    assert scores.loc["broken rules", "value"] == pytest.approx(0.1, abs=0.01)
    assert scores.loc["broken rules", "real"] == 0


def test_a_table_of_one_column_lists_what_has_no_value(train, test, synthetic):
    scores = quick(train, test, synthetic, Schema((Column("pressure", "numeric"),)))
    without = scores[scores["value"].isna()]
    assert {"TV mean", "association difference", "S2R AUC"} <= set(without.index)
    assert without["note"].str.startswith("not computed: ").all()
    assert scores.loc[["KS mean", "membership AUC", "exact copies"], "value"].notna().all()


def test_test_rows_of_one_person_leave_references_open(train, test, synthetic):
    scores = quick(train, test.assign(person=-1), synthetic)
    assert scores.loc["membership AUC", "value"] > 0.3 and np.isnan(scores.loc["membership AUC", "real"])
    assert "reference: not computed: " in scores.loc["membership AUC", "note"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda table: table.rename(columns={"age": "Age"}),
            r"synthetic table lacks 1 of the 9 columns of train: 'age'.*a file that has them, or leave them out of.* \(--drop",
        ),
        (lambda table: table.iloc[:0], "synthetic table has no rows"),
        (lambda table: table.assign(pressure="high"), r"synthetic table does not fit the schema.*'pressure'"),
        (lambda table: table.assign(pressure=np.inf), r"synthetic table does not fit.*finite"),
    ],
    ids=["columns", "rows", "text", "infinity"],
)
def test_tables_that_cannot_be_compared_are_refused_by_name(train, test, synthetic, change, message):
    with pytest.raises(ValueError, match=message):
        evaluate(train, test, change(synthetic), SCHEMA)


def test_names_of_further_tables_and_costs_are_checked(train, test, synthetic):
    with pytest.raises(ValueError, match="names of their own"):
        evaluate(train, test, synthetic, SCHEMA, others={"real": synthetic})
    with pytest.raises(ValueError, match="Did you mean 'fit"):
        evaluate(train, test, synthetic, SCHEMA, fast=True, costs={"fit": 1.0})


def test_test_rows_that_were_trained_on_are_refused(train, test, synthetic):
    said = r"450 of 450 equal a training row \(of 450 training rows 0 equal one of another person\)"
    with pytest.raises(ValueError, match=said):
        evaluate(train, train.assign(person=-1 - train["person"]), synthetic, SCHEMA)
    twice = pd.concat([train, train], ignore_index=True)  # rows of one person are alike, and no excuse
    with pytest.raises(ValueError, match="of 900 training rows 0 equal"):
        evaluate(twice, train.assign(person=-1 - train["person"]), synthetic, SCHEMA)
    few_valued = Schema((Column("smoker", "binary", (0, 1), missing=True), Column("diabetes", "binary", (0, 1))))
    assert quick(train, test, synthetic, few_valued).loc["exact copies", "real"] == 1


def test_test_rows_of_training_people_are_refused(train, test, synthetic):
    """Visits of one person differ: no row equals another, but every attack knows the person."""
    for other in (test.assign(person=train["person"]), test.assign(person=train["person"].astype(str) + " ")):
        with pytest.raises(ValueError, match="No person may be in both tables, got 70 of 'person' in train and test"):
            evaluate(train, other, synthetic, SCHEMA)
    with_names = test.assign(person=train["person"]), train.drop(columns="person")
    assert check_held_out(with_names[1], with_names[0], SCHEMA).is_chance  # rows without names are people of their own


def test_test_rows_of_other_kinds_of_people_are_told(train, test, synthetic):
    def told(test):
        found = evaluate(train, test, synthetic, SCHEMA, fast=True, references=("real",))
        return [remark for remark in found.remarks if "other kinds of people" in remark]

    older = test[test["age"] > test["age"].median()]
    assert len(told(older)) == 1 and not told(test)


def test_few_training_people_are_told_from_many_test_people_by_chance(train, test):
    scores, few = pd.DataFrame({"metric": ["detection AUC (LightGBM)"], "real": [0.62]}), train.head(40)
    many = pd.concat([test.assign(person=test["person"].astype(str) + f" {n}") for n in range(20)])
    assert not remarks_on_kinds_of_people(scores, Tables(few, many, few, SCHEMA))
    assert remarks_on_kinds_of_people(scores, Tables(many, many, few, SCHEMA))


@pytest.mark.parametrize("decimals", [2, None])
def test_unrounded_values_of_single_people_are_told_wherever_they_stand(decimals):
    def people(n, seed):
        table = pd.DataFrame(np.random.default_rng(seed).normal(size=(n, 3)), columns=list("abc"))
        return table if decimals is None else table.round(decimals)

    train, test, fresh = people(300, 0), people(130, 1), people(300, 2)
    schema = infer_schema(train)

    shuffled = fresh.assign(b=train["b"].sample(frac=1, random_state=0).to_numpy())
    for synthetic in (fresh, shuffled):
        found = evaluate(train, test, synthetic, schema, fast=True, references=("real",))
        remarks = [remark for remark in found.remarks if "single training people" in remark]
        is_trace = synthetic is shuffled and decimals is None
        assert len(remarks) == is_trace and all("'b' (100% of its rows, 0% of the test rows)" in one for one in remarks)
        (criterion,) = (c for v in verdicts(found.scores) for c in v.criteria if c.metric == "traces of people")
        assert criterion.level == ("fair" if is_trace else "good")


def test_remarks_tell_what_a_reader_must_know(train, test, synthetic):
    tables = train, test.iloc[:30], synthetic.assign(comment="x")
    remarks = evaluate(*tables, SCHEMA, fast=True, references=("real",)).remarks
    assert any("10 people only" in remark for remark in remarks)
    assert any("'comment'. They were not judged, whatever they hold; remove them" in remark for remark in remarks)
    assert not any("than by chance" in remark for remark in remarks)


@pytest.mark.parametrize(
    ("n_people", "is_told"), [pytest.param(1, True, marks=pytest.mark.slow), (2, True), (3, False)]
)
def test_categories_of_few_people_are_told_by_column_and_rows(train, test, synthetic, n_people, is_told):
    """However many rows the one or two people have, and whoever else is in the test rows."""
    rare = Column("stage", "categorical", ("I", "II", "III", "Erdheim-Chester"))
    schema = replace(SCHEMA, columns=tuple(rare if column.name == "stage" else column for column in COLUMNS))
    train, test, synthetic = train.copy(), test.copy(), synthetic.copy()
    train.loc[train["person"].isin(train["person"].unique()[:n_people]), "stage"] = rare.categories[-1]
    test.loc[:30, "stage"] = rare.categories[-1]

    def told(synthetic):
        remarks = evaluate(train, test, synthetic, schema, fast=True, references=("real",)).remarks
        return [remark for remark in remarks if "fewer than 3 people of train" in remark]

    assert told(synthetic) == []  # no row has it
    synthetic.loc[:3, "stage"] = rare.categories[-1]
    assert len(told(synthetic)) == is_told
    for remark in told(synthetic):
        assert "'stage' (4 rows)" in remark and "merge it with others" in remark and "Erdheim" not in remark


def test_copies_are_not_excused_by_test_rows_that_were_trained_on(train, test, synthetic):
    of_train = train.iloc[:30].assign(person=lambda table: -1 - table["person"])
    overlap, copied = pd.concat([test, of_train]), pd.concat([synthetic, train.iloc[:9][SCHEMA.names]])
    found = evaluate(train, overlap, copied, SCHEMA, fast=True, references=("real",))
    assert any("by chance equal a training row, 30 of" in one for one in found.remarks)
    of_copies = found.scores.set_index("metric").loc["exact copies"]
    assert of_copies["value"] == 9 / len(copied) and of_copies["real"] == 0
    assert of_copies["real_high"] < 30 / len(overlap)


def test_test_rows_of_another_case_mix_are_judged():
    """Healthy people are alike: more of a natural sample equal somebody than of one with many cases."""
    rng = np.random.default_rng(0)
    sick = rng.random(1_000) < np.repeat([0.5, 0.1], [700, 300])
    flags = {f"flag_{i}": (rng.random(1_000) < np.where(sick, 0.4, 0.02)).astype(int) for i in range(12)}
    table = pd.DataFrame({**flags, "died": sick.astype(int)})
    tables = table[:700], table[700:], table[:700].sample(300, random_state=0)
    found = evaluate(*tables, infer_schema(table), fast=True, references=("real",))
    assert any("than by chance" in remark for remark in found.remarks)


def test_numbers_of_fewer_bits_are_judged_as_what_they_print_as(train, test, synthetic, quick_scores):
    found = quick(train.astype({"bmi": "float32"}), test.astype({"bmi": "Float32"}), synthetic)
    pd.testing.assert_frame_equal(found, quick_scores)
    copied = train[SCHEMA.names].astype({"pressure": "float32"})  # unrounded
    assert quick(train, test, copied).loc["exact copies", "value"] == 1
    doses = pd.Series([0.1, 0.7], dtype="float32")
    assert category_positions(doses, Column("dose", "binary", (0.1, 0.7))).tolist() == [0, 1]


def test_the_last_bit_of_a_number_changes_no_score(train, test, synthetic, quick_scores):
    tenths = (synthetic["bmi"] * 10).round()
    assert (tenths * 0.1 != synthetic["bmi"]).sum() > synthetic["bmi"].isna().sum() + 100
    found = evaluate(train, test, synthetic.assign(bmi=tenths * 0.1), SCHEMA, fast=True, references=("real",))
    pd.testing.assert_frame_equal(found.scores.set_index("metric"), quick_scores)
    assert not found.remarks
    finer = quick(train, test, synthetic.assign(bmi=synthetic["bmi"] + 0.001))
    assert finer.loc["KS mean", "value"] != quick_scores.loc["KS mean", "value"]
    steps = pd.DataFrame({"dose": np.arange(60) % 4 / 10, "n": np.arange(60) % 5})
    below = steps.assign(dose=(np.arange(60) % 4 + 3) / 10 - 3 * 0.1)  # -5.6e-17 for 0
    assert quick(steps, steps[::-1][:9], below, infer_schema(steps)).loc["out of range", "value"] == 0


def test_persons_that_a_generator_makes_up_change_no_score(train, test, synthetic, quick_scores):
    found = evaluate(train, test, synthetic.assign(person=1), SCHEMA, fast=True, references=("real",))
    assert any("'person', which names people in train" in remark for remark in found.remarks)
    pd.testing.assert_frame_equal(found.scores.set_index("metric"), quick_scores)


def test_values_finer_than_those_of_train_are_named(train, test, synthetic):
    train, synthetic = (table.assign(bmi=table["bmi"] + 1e9) for table in (train, synthetic))  # large ones, too
    finer = synthetic.assign(age=synthetic["age"] + 0.5, bmi=synthetic["bmi"] + 0.01)
    quick_check = {"schema": SCHEMA, "fast": True, "references": ("real",)}
    (remark,) = (r for r in evaluate(train[:60], test, finer[:60], **quick_check).remarks if "decimals" in r)
    assert "more decimals than those of train" in remark and remark.endswith(": age, bmi. Round them.")
    assert not any("decimals" in r for r in evaluate(train[:60], test, synthetic[:60], **quick_check).remarks)
    assert not any(
        "decimals" in r for r in evaluate(finer[:60].assign(person=range(60)), test, finer[:60], **quick_check).remarks
    )


def test_duplicate_columns_are_refused(train, test, synthetic):
    twice = pd.concat([synthetic, synthetic[["age"]]], axis=1)
    with pytest.raises(ValueError, match=r"the synthetic table has \['age'\] more than once"):
        evaluate(train, test, twice, SCHEMA)


@pytest.mark.parametrize("n_test", [21, 60])
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_fresh_people_are_no_leak_however_few_are_held_out(n_test, seed):
    train, test, fresh = (make_patients(n, 10 * seed + i, 1) for i, n in enumerate((200, n_test, 200)))
    test = test.assign(person=test["person"] + 1_000)
    scores = quick(train, test, fresh.drop(columns="person"), references=ALL_REFERENCES).reset_index()
    assert {verdict.family: verdict.level for verdict in verdicts(scores)}["privacy"] != "poor"


@pytest.mark.parametrize("n_test", [30, 210])
def test_a_shift_is_seen_however_few_are_held_out(train, test, synthetic, n_test):
    names = ["age", "bmi", "pressure"]
    shifted = synthetic.assign(**{name: synthetic[name] + 0.6 * train[name].std() for name in names})
    scores = quick(train, test[:n_test], shifted, references=ALL_REFERENCES).reset_index()
    assert {verdict.family: verdict.level for verdict in verdicts(scores)}["fidelity"] == "poor"


def test_scores_are_written_as_csv_and_json(evaluation, tmp_path):
    evaluation.write_scores(tmp_path)
    table, records = pd.read_csv(tmp_path / "metrics.csv"), pd.read_json(tmp_path / "metrics.json")
    assert list(table.columns) == list(records.columns) == list(evaluation.scores.columns)
    assert evaluation.others == ["warm_start"]
    judged = yaml.safe_load((tmp_path / "evaluation.yaml").read_text())
    assert n_judged(tmp_path) == judged["synthetic"]["rows"] > 0 == n_judged(tmp_path / "elsewhere")
    assert judged["synthetic"] == {"rows": len(evaluation.synthetic), "file": None, "sha256": None}
    np.testing.assert_allclose(table["value"], evaluation.scores["value"])


def test_copied_rows_are_named_by_their_place_in_the_synthetic_table(train, test, synthetic, tmp_path, capsys):
    planted = synthetic.copy()
    planted.iloc[[0, 7]] = train.iloc[[3, 4]][planted.columns]
    evaluation = evaluate(train, test, planted, SCHEMA, fast=True)
    evaluation.write_scores(tmp_path)
    rows = pd.read_csv(tmp_path / "copies.csv")
    shares = ["exact copies", "copies of unique rows", "near copies", "near copies of one person", "copies in part"]
    assert list(rows) == ["row", *shares]
    assert list(rows.loc[rows["exact copies"] == 1, "row"]) == [1, 8]
    print_scores(evaluation)
    assert "See copies.csv for the rows" in capsys.readouterr().out.replace("\n", " ")


def test_why_a_criterion_cannot_judge_is_printed(train, test, synthetic, capsys):
    by_chance = [
        rows.assign(diabetes=np.random.default_rng(seed).integers(0, 2, len(rows)))
        for seed, rows in enumerate((train, test, synthetic))
    ]
    print_scores(evaluate(*by_chance, SCHEMA, fast=True))
    printed = " ".join(capsys.readouterr().out.split())
    assert "Could not be judged: S2R AUC loss." in printed
    assert "it cannot judge this table, columns shuffled apart score" in printed


def test_rows_named_by_an_earlier_evaluation_do_not_stay(train, test, tmp_path, capsys):
    (tmp_path / "copies.csv").write_text("row,exact copies\n1,1\n")
    far = test.drop(columns="person").assign(pressure=900.0, age=300, bmi=99.9)
    evaluation = evaluate(train, test, far, SCHEMA, fast=True)
    evaluation.write_scores(tmp_path)
    assert not (tmp_path / "copies.csv").exists()
    print_scores(evaluation)
    assert "copies.csv" not in capsys.readouterr().out


def test_numbers_are_shown_as_people_read_them():
    shown = {0.12345: "0.123", -0.5: "-0.500", 12.5: "12.500", 1234.5: "1,234", float("nan"): "-"}
    # What is not 0 is never shown as 0.
    shown |= {0.0: "0", 0.0004: "<0.001", -0.0004: ">-0.001", 0.0005: "0.001"}
    assert [number(value) for value in shown] == list(shown.values())
    assert interval(0.1, 0.25) == "0.100 to 0.250"
    assert interval(float("nan"), float("nan")) == ""


def test_references_that_nobody_reads_are_not_computed(train, test, synthetic):
    few = [table[:60] for table in (train, test, synthetic)]
    whole, only = quick(*few, references=ALL_REFERENCES), quick(*few)
    assert only[["copy", "independent"]].isna().all(axis=None)
    computed = ["value", "low", "high", "real", "real_low", "real_high"]
    pd.testing.assert_frame_equal(only[computed], whole[computed])
    for wrong in ((), ("copy",), ("real", "copies")):
        with pytest.raises(ValueError, match="References must be 'real' and others of"):
            quick(train, test, synthetic, references=wrong)
