"""Verdicts follow from the declared thresholds and name them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from evaluation_tables import SCHEMA

from rlsyn.evaluation.evaluation import Evaluation
from rlsyn.evaluation.fidelity.marginals import measure_marginals
from rlsyn.evaluation.measure import Tables
from rlsyn.evaluation.privacy.copies import compute_copies, compute_real_copies
from rlsyn.evaluation.verdicts import ORDER, THRESHOLDS, evaluation_verdicts, verdicts
from rlsyn.schema import infer_schema


def scores(**changes):
    blank = {"value": 0.0, "real": 0.0, "copy": 1.0, "independent": 1.0, "note": ""}
    blank |= dict.fromkeys(("low", "high", "real_low", "real_high"), np.nan)
    rows = {threshold.metric: dict(blank) for threshold in THRESHOLDS}
    for threshold in THRESHOLDS:
        if threshold.figure == "times copy":
            rows[threshold.metric]["copy"] = 0.02
    for name in ("membership AUC", "membership AUC per person", "DOMIAS AUC", "detection AUC (LightGBM)"):
        rows[name] |= {"value": 0.5, "real": 0.5}
    rows["S2R AUC loss"] |= {"value": 0.01, "independent": 0.36}
    rows["S2R R2 loss"] |= {"value": 0.0, "independent": 0.6}
    for name, change in changes.items():
        rows[name] |= change
    for name, row in rows.items():
        if "low" not in changes.get(name, {}):
            row |= {"low": row["value"], "high": row["value"]}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("metric").reset_index()


def by_family(table):
    return {verdict.family: verdict for verdict in verdicts(table)}


def test_all_families_are_judged_good_where_every_criterion_is():
    assert {family: verdict.level for family, verdict in by_family(scores()).items()} == dict.fromkeys(
        ("privacy", "utility", "fidelity", "constraints"), "good"
    )


@pytest.mark.parametrize(
    ("family", "metric", "values"),
    [
        ("privacy", "membership AUC", (0.55, 0.56, 0.61)),
        ("privacy", "exact copies", (0.0, 0.0005, 0.002)),
        ("utility", "S2R AUC loss", (0.02, 0.06, 0.16)),
        ("fidelity", "KS mean", (0.04, 0.08, 0.09)),
        ("fidelity", "detection AUC (LightGBM)", (0.3, 0.7, 0.9)),
        ("constraints", "broken rules", (0.01, 0.04, 0.06)),
    ],
)
def test_a_family_is_as_good_as_its_worst_criterion(family, metric, values):
    for level, value in zip(("good", "fair", "poor"), values, strict=True):
        verdict = by_family(scores(**{metric: {"value": value}}))[family]
        assert verdict.level == level
        assert (metric in verdict.wording) == (level != "good")


@pytest.mark.parametrize(("metric", "most"), [("traces of people", 2.0), ("foreign columns", 1.0)])
def test_traces_and_foreign_columns_are_to_be_looked_at_however_many_they_are(metric, most):
    assert by_family(scores(**{metric: {"value": most}}))["privacy"].level == "fair"


def test_value_interval_and_thresholds_are_named_in_the_text():
    change = {"value": 0.52, "low": 0.48, "high": 0.56}
    criterion = by_family(scores(**{"membership AUC": change}))["privacy"].criteria[0]
    expected = "membership AUC 0.520, 95 % interval 0.480 to 0.560 (good up to 0.55, fair up to 0.6)"
    assert criterion.text == expected


def test_references_set_the_bar():
    assert by_family(scores(**{"KS mean": {"value": 0.15, "copy": 0.09}}))["fidelity"].level == "good"
    assert by_family(scores(**{"KS mean": {"value": 0.029, "copy": 0.001}}))["fidelity"].level == "good"  # a lucky draw
    assert by_family(scores(**{"broken rules": {"value": 0.2, "real": 0.2}}))["constraints"].level == "good"
    criteria = {
        one.metric: one
        for one in by_family(scores(**{"near copies": {"value": 0.06, "real": 0.02}}))["privacy"].criteria
    }
    assert "(good up to 0.03, fair up to 0.06; real rows 0.020)" in criteria["near copies"].text


@pytest.mark.parametrize(
    ("metric", "change", "level"),
    [
        ("membership AUC", {"value": 0.52, "low": 0.48, "high": 0.56}, "good"),
        ("membership AUC", {"value": 0.48, "low": 0.35, "high": 0.61}, "fair"),
        ("membership AUC", {"value": 0.65, "low": 0.50, "high": 0.80}, "fair"),
        ("membership AUC", {"value": 0.65, "low": 0.56, "high": 0.74}, "poor"),
        ("exact copies", {"value": 0.0, "low": 0.0, "high": 0.05}, "good"),
        ("exact copies", {"value": 0.05, "low": 0.03, "high": 0.08, "real_low": 0.0, "real_high": 0.01}, "poor"),
        (
            "exact copies",
            {"value": 0.017, "low": 0.012, "high": 0.026, "real": 0.013, "real_low": 0.009, "real_high": 0.02},
            "fair",
        ),
    ],
    ids=["sure", "too few to clear", "too few to accuse", "surely poor", "counted none", "copies", "chance copies"],
)
def test_intervals_decide_whether_a_level_is_sure(metric, change, level):
    verdict = by_family(scores(**{metric: change}))["privacy"]
    criterion = next(one for one in verdict.criteria if one.metric == metric)
    assert verdict.level == criterion.level == level
    wavers = level == "fair" and not 0.55 < change["value"] <= 0.6
    doubt = ": may be chance among so few people" if "copies" in metric else ": too few people to tell"
    assert criterion.text.endswith(doubt) == wavers


@pytest.mark.parametrize(
    ("value", "real", "level"),
    [
        ((0.06, 0.055, 0.065), (0.06, 0.055, 0.065), "good"),
        ((0.06, 0.055, 0.065), (0.06, 0.01, 0.065), "fair"),
        ((0.12, 0.11, 0.14), (0.06, 0.02, 0.07), "poor"),
        ((0.12, 0.11, 0.14), (0.06, 0.05, 0.16), "fair"),
        ((0.12, 0.065, 0.14), (0.06, 0.05, 0.07), "fair"),
    ],
    ids=["sure", "real rows may have fewer", "surely more", "real rows may have as many", "may have as few"],
)
def test_a_difference_is_as_uncertain_as_both_of_its_sides(value, real, level):
    change = dict(zip(("value", "low", "high", "real", "real_low", "real_high"), value + real, strict=True))
    assert by_family(scores(**{"near copies": change}))["privacy"].level == level


@pytest.mark.parametrize(
    ("value", "high", "level"),
    [
        *((0.0, 0.0, "fair"), (0.3, 0.38, "fair"), (0.38, 0.47, "good"), (0.42, 0.44, "good"), (0.45, 0.48, "good")),
        (0.1, np.nan, "fair"),
    ],
    ids=["swapped tables", "nearer for sure", "few people", "a little nearer", "nearly chance", "one test person"],
)
def test_attack_that_finds_the_test_people_is_not_good(value, high, level):
    change = {"value": value, "low": 2 * value - high, "high": high}
    verdict = by_family(scores(**{"membership AUC": change}))["privacy"]
    assert verdict.level == level
    asks = "Are train and test in each other's place" in verdict.criteria[0].text
    assert asks == (level == "fair" and not np.isnan(high))


def test_copies_are_told_by_their_number():
    change = {"value": 0.01, "low": 0.003, "high": 0.03, "note": "2 of 209 synthetic rows"}
    verdict = by_family(scores(**{"exact copies": change}))["privacy"]
    (criterion,) = (one for one in verdict.criteria if one.metric == "exact copies")
    assert criterion.text.startswith("exact copies 0.010 (2 of 209 synthetic rows), 95 % interval")


@pytest.mark.parametrize(
    ("change", "level"),
    [
        ({"value": 0.01, "low": -0.01, "high": 0.03}, "good"),
        ({"value": 0.01, "low": -0.08, "high": 0.10}, "fair"),
        ({"value": 0.12, "low": 0.01, "high": 0.23}, "fair"),
        ({"value": 0.12, "low": 0.06, "high": 0.18}, "poor"),
        ({"value": -0.07, "low": np.nan, "high": np.nan}, "fair"),
    ],
    ids=["sure", "too few to praise", "too few to blame", "surely poor", "a label that one test person has"],
)
def test_utility_is_judged_by_the_interval_of_the_loss(change, level):
    verdict = by_family(scores(**{"S2R AUC loss": change}))["utility"]
    assert verdict.level == level
    is_good = change["value"] <= 0.03
    assert ("are too few to exclude one" in verdict.wording) == (level == "fair" and is_good)
    assert ("Beyond the limit, perhaps by chance: S2R AUC loss." in verdict.wording) == (
        level == "fair" and not is_good
    )


UNSURE, BEYOND = {"value": 0.48, "low": 0.35, "high": 0.61}, {"value": 0.57, "low": 0.56, "high": 0.58}
PERHAPS = {"value": 0.57, "low": 0.45, "high": 0.69}


def test_a_fair_family_tells_values_beyond_the_limit_from_doubt():
    change = {"membership AUC": UNSURE, "DOMIAS AUC": BEYOND, "membership AUC per person": PERHAPS}
    wording = by_family(scores(**change))["privacy"].wording
    assert wording.startswith("Look closer:")
    assert wording.endswith(
        "Beyond the limit: DOMIAS AUC. Beyond the limit, perhaps by chance: membership AUC per person. "
        "Within the limit, but too few people to be sure: membership AUC."
    )
    wording = by_family(scores(**change | {"DOMIAS AUC": PERHAPS}))["privacy"].wording
    assert wording.startswith("Look closer, though values beyond the limit may be chance among the people of these")
    swapped = {"value": 0.3, "low": 0.22, "high": 0.38}
    wording = by_family(scores(**{"membership AUC": swapped, "DOMIAS AUC": UNSURE}))["privacy"].wording
    assert "Finds the test people instead: membership AUC. Within the limit" in wording


def test_where_only_doubt_keeps_a_family_from_good_it_says_that_nothing_was_seen():
    table = scores(**{"membership AUC": UNSURE, "DOMIAS AUC": UNSURE})
    wording = verdicts(table, people="26 test people")[0].wording
    assert wording == (
        "No leak seen, but 26 test people are too few to exclude one. "
        "Within the limit, but too few people to be sure: membership AUC, DOMIAS AUC."
    )
    assert "No leak seen, but the people of these tables are too few" in by_family(table)["privacy"].wording
    distances = by_family(scores(**{"KS mean": {"value": 0.03, "low": 0.0, "high": 0.09}}))["fidelity"].wording
    assert distances.startswith("No difference beyond the limit seen")


def test_an_evaluation_says_how_few_people_it_is_of(train, test, synthetic):
    table = scores(**{"membership AUC": UNSURE}).assign(family="privacy")
    evaluation = Evaluation(table, {}, train, test, synthetic, SCHEMA)
    assert f"{test['person'].nunique()} test people are too few" in evaluation_verdicts(evaluation)[0].wording
    swapped = replace(evaluation, train=test, test=train)
    assert f"{test['person'].nunique()} training people are too few" in evaluation_verdicts(swapped)[0].wording
    few = replace(evaluation, synthetic=synthetic[:5])
    assert "5 synthetic rows are too few" in evaluation_verdicts(few)[0].wording


@pytest.mark.parametrize(
    ("value", "real", "level", "names"),
    [(0.01, 0.0, "poor", True), (0.017, 0.013, "fair", True), (0.0005, 0.0, "fair", True), (0.01, 0.01, "good", False)],
    ids=["leak", "perhaps by chance", "a little", "as among real rows"],
)
def test_a_single_copied_row_is_worth_its_file(train, test, synthetic, value, real, level, names):
    change = {"value": value, "low": 0.8 * value, "high": 2 * value, "real": real, "real_low": 0.7 * real}
    table = scores(**{"exact copies": change | {"real_high": 1.6 * real}}).assign(family="privacy")
    rows = pd.DataFrame({"exact copies": [1], "near copies": [1]}, index=[4])
    details = {"copies": {"synthetic": {"rows": rows}}}
    (verdict, *others) = evaluation_verdicts(Evaluation(table, details, train, test, synthetic, SCHEMA))
    assert verdict.level == level
    assert ("See copies.csv for the rows" in verdict.wording) == names
    assert not any("copies.csv" in one.wording for one in others)


def test_what_could_not_be_judged_is_named():
    missing = {"value": np.nan, "note": "not computed: no reason"}
    verdict = by_family(scores(**{"DOMIAS AUC": missing}))["privacy"]
    assert verdict.level == "good" and "Could not be judged: DOMIAS AUC." in verdict.wording
    foreign = {"value": np.nan, "note": "not computed: does not apply: rows are people"}
    assert "Could not" not in by_family(scores(**{"membership AUC per person": foreign}))["privacy"].wording
    nothing = by_family(scores(**{"S2R AUC loss": missing, "S2R R2 loss": missing}))["utility"]
    assert nothing.level == "unknown" and nothing.wording.startswith("Not judged.")


def test_marginals_alone_make_no_fidelity_good():
    blind = {metric: {"independent": 0.5} for metric in ("detection AUC (LightGBM)", "association difference")}
    blind["association difference"]["independent"] = 0.0
    blind["beyond limits"] = blind["unseen pairs"] = {"independent": 0.0}
    verdict = by_family(scores(**blind))["fidelity"]
    assert verdict.level == "fair" and "how they depend on one another could not be judged" in verdict.wording
    attacks = {threshold.metric: {"copy": 0.0} for threshold in THRESHOLDS if threshold.control == "copy"}
    assert by_family(scores(**attacks))["privacy"].level == "fair"


@pytest.mark.parametrize(
    ("family", "metric", "change"),
    [
        ("privacy", "membership AUC", {"copy": 0.52}),
        ("utility", "S2R AUC loss", {"value": 0.0, "independent": 0.02}),
        ("fidelity", "association difference", {"value": 0.05, "copy": 0.06, "independent": 0.07}),
    ],
    ids=["an attack that finds no copies", "a label that nothing predicts", "noise as large as all associations"],
)
def test_a_metric_that_its_control_passes_does_not_judge(family, metric, change):
    criteria = {one.metric: one for one in by_family(scores(**{metric: change}))[family].criteria}
    assert criteria[metric].level == "unknown" and "would pass too" in criteria[metric].text


@pytest.mark.parametrize("value", [0.5, 0.9])
def test_an_attack_without_an_interval_is_neither_good_nor_poor(value):
    alone = {"value": value, "low": np.nan, "high": np.nan}
    criteria = {one.metric: one for one in by_family(scores(**{"membership AUC": alone}))["privacy"].criteria}
    assert criteria["membership AUC"].level == "fair"
    assert criteria["membership AUC"].text.endswith("too few people to tell")


@pytest.mark.parametrize(
    ("n_train", "n_test", "n_copies"), [(42, 18, 8), (70, 30, 5), (700, 300, 5)], ids=["tiny", "small", "larger"]
)
def test_copied_people_are_a_leak_where_no_two_people_are_alike(n_train, n_test, n_copies):
    rng = np.random.default_rng(0)
    train, test, synthetic = (pd.DataFrame(rng.normal(size=(n, 4))) for n in (n_train, n_test, n_train))
    tables = [table.rename(columns="c{}".format) for table in (train, test, synthetic)]
    tables[2].iloc[:n_copies] = tables[0].iloc[:n_copies]
    assert level_of_copies(*tables) == "poor"


def test_people_alike_by_chance_are_seldom_called_a_leak():
    """New draws of the same people in the place of the synthetic rows: they leak nothing."""
    rng = np.random.default_rng(0)
    levels = [
        level_of_copies(*(pd.DataFrame(rng.integers(0, 4, (n, 5))).rename(columns="c{}".format) for n in sizes))
        for sizes in [(350, 150, 350)] * 40
    ]
    assert levels.count("poor") <= 5


@pytest.mark.parametrize(
    ("n_rows", "rate", "change", "levels"),
    [(100, 0.3, 0.0, {"good", "fair"}), (700, 0.3, 0.12, {"poor"}), (280, 0.15, 0.12, {"poor"})],
    ids=["fresh people", "too few", "hardly any"],
)
def test_missing_values_are_judged_beside_chance(n_rows, rate, change, levels):
    """Shares of few rows differ by themselves: here by 0.05 in the mean of 20 columns of 100 rows."""

    def rows(rate):
        values = rng.standard_normal((n_rows, 20))
        return pd.DataFrame(np.where(rng.random(values.shape) < rate, np.nan, values)).rename(columns="c{}".format)

    found = set()
    for seed in range(8):
        rng = np.random.default_rng(seed)
        train, synthetic = rows(rate), rows(rate - change)
        tables = Tables(train, rows(rate), synthetic, infer_schema(train), seed)
        copy = replace(tables, synthetic=train.sample(frac=1, replace=True, random_state=seed), with_intervals=False)
        estimate, of_copy = (measure_marginals(one).estimates["missing rate difference"] for one in (tables, copy))
        changed = scores(**{"missing rate difference": estimate._asdict() | {"copy": of_copy.value}})
        found.add(by_family(changed)["fidelity"].level)
    assert found <= levels


def level_of_copies(train, test, synthetic):
    schema = infer_schema(train)
    tables = Tables(train, test, synthetic, schema)
    found, real = compute_copies(tables), compute_real_copies(tables)
    changes = {
        name: found.estimates[name]._asdict()
        | {f"real_{end}": getattr(real.estimates[name], end) for end in ("low", "high")}
        | {"real": real.estimates[name].value}
        for name in ("exact copies", "copies of unique rows")
    }
    criteria = {one.metric: one.level for one in by_family(scores(**changes))["privacy"].criteria}
    return max((criteria[name] for name in changes), key=ORDER.index)
