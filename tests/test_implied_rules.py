"""Rules that a table obeys though nobody declared them: each is told once, can be declared as told, and is no chance."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml

from rlsyn.constraints import constraints_from
from rlsyn.doubts import doubts
from rlsyn.implied_rules import implied_rules
from rlsyn.schema import infer_schema

HOLDS = "Every training row obeys"


def make_scores(n_rows: int = 300, seed: int = 0) -> pd.DataFrame:
    """Items of a questionnaire, measurements and flags, all drawn independently."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(rng.integers(0, 4, (n_rows, 6)), columns=[f"item {i}" for i in range(6)])
    flags = {f"flag_{i}": rng.random(n_rows) < 0.3 for i in range(4)}
    systolic = rng.normal(130, 15, n_rows).round()
    measured = {"systolic": systolic, "diastolic": (systolic - rng.normal(45, 8, n_rows)).round()}
    return table.assign(
        **flags, **measured, celsius=rng.normal(37, 1.0, n_rows).round(1), note=rng.choice(["a", "b"], n_rows)
    )


def told(table: pd.DataFrame, rules: tuple = ()) -> list[str]:
    """The rules in the doubts of a table, as a file for --constraints reads them."""
    schema = replace(infer_schema(table), constraints=rules)
    found = [doubt for doubt in doubts(table, schema) if doubt.startswith(HOLDS)]
    return [rule for doubt in found for rule in yaml.safe_load(doubt.split("\n", 1)[1])]


ITEMS = [f"item {i}" for i in range(6)]
SUM = " + ".join(f"`{item}`" for item in ITEMS)
FORMULAS = {
    "sum": (lambda t: t[ITEMS].sum(axis=1), f"new == {SUM}"),
    "sum and constant": (lambda t: 30 - t[ITEMS].sum(axis=1), f"new == 30 - ({SUM})"),
    "percent": (lambda t: 4 * t[ITEMS].sum(axis=1), f"new == 4 * ({SUM})"),
    "exact mean": (lambda t: t[ITEMS].mean(axis=1), f"new == ({SUM}) / 6"),
    "rounded mean": (lambda t: t[ITEMS].mean(axis=1).round(2), f"abs(new - (({SUM}) / 6)) <= 0.005"),
    "reversed item": (lambda t: 3 - t["item 0"] + t["item 1"], "new == `item 1` - `item 0` + 3"),
    "weights": (lambda t: 2 * t["item 0"] + 3 * t["item 3"], "new == 2 * `item 0` + 3 * `item 3`"),
    "difference": (lambda t: t["systolic"] - t["diastolic"], "new == systolic - diastolic"),
    "weighted mean": (
        lambda t: ((t["systolic"] + 2 * t["diastolic"]) / 3).round(),
        "abs(new - ((systolic + 2 * diastolic) / 3)) <= 0.5",
    ),
    "unit": (lambda t: (1.8 * t["celsius"] + 32).round(1), "abs(new - (9 * celsius / 5 + 32)) <= 0.05"),
    "copy": (lambda t: t["celsius"], "new == celsius"),
    "count of flags": (
        lambda t: t[[f"flag_{i}" for i in range(4)]].sum(axis=1),
        "new == flag_0 + flag_1 + flag_2 + flag_3",
    ),
    "threshold": (lambda t: np.where(t["systolic"] >= 140, "yes", "no"), "(new == 'yes') == (systolic >= 140)"),
    "low": (lambda t: t["celsius"] < 36.5, "(new == False) == (celsius >= 36.5)"),
}


def test_independent_columns_obey_no_rule():
    for seed in range(5):
        assert told(make_scores(seed=seed)) == []


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("share", [0.0, 0.1], ids=["complete", "missing"])
def test_formula_is_told_as_it_can_be_declared(name, share):
    formula, expected = FORMULAS[name]
    table = make_scores()
    table["new"] = formula(table)
    is_missing = np.random.default_rng(1).random(table.shape) < share
    table = table.astype(object).mask(is_missing).infer_objects() if share else table
    assert told(table) == [expected]
    (rule,) = constraints_from([expected])
    assert not rule.is_broken_by(table).any()
    assert told(table, (rule,)) == []


def test_sum_before_its_parts_is_told_as_a_sum():
    table = make_scores()
    table.insert(0, "total", table[ITEMS].sum(axis=1))
    assert told(table) == [f"total == {SUM}"]


def test_columns_that_follow_from_one_another_are_told_once():
    table = make_scores()
    table = table.assign(first=table[ITEMS[:3]].sum(axis=1), second=table[ITEMS[3:]].sum(axis=1))
    table = table.assign(total=table["first"] + table["second"], percent=4 * (table["first"] + table["second"]))
    rules = told(table)
    assert [rule.split(" == ")[0] for rule in rules] == ["first", "second", "total", "percent"]
    assert told(table, constraints_from(rules)) == []


def test_declared_sums_explain_what_follows_from_them():
    table = make_scores()
    table = table.assign(first=table[ITEMS[:3]].sum(axis=1))
    table = table.assign(total=table["first"] + table["item 3"])
    sums = [
        {"sum": {"columns": ITEMS[:3], "total": "first"}},
        {"sum": {"columns": ["first", "item 3"], "total": "total"}},
    ]
    assert told(table, constraints_from(sums)) == []


def test_threshold_of_a_declared_sum_is_told():
    table = make_scores()
    table = table.assign(total=table[ITEMS].sum(axis=1))
    table["high"] = np.where(table["total"] >= 10, "yes", "no")
    assert told(table, constraints_from([f"total == {SUM}"])) == ["(high == 'yes') == (total >= 10)"]


def test_binary_column_that_two_quantities_part_is_told_once():
    table = make_scores()
    table = table.assign(cold=-3 * table["celsius"] ** 2, fever=table["celsius"] >= 37.5)
    assert told(table) == ["(fever == False) == (cold >= -4200)"]


def test_one_row_that_differs_is_enough():
    table = make_scores()
    table["new"] = table[ITEMS].sum(axis=1)
    table.loc[7, "new"] += 1
    assert told(table) == []


def test_too_few_rows_tell_no_rule():
    table = make_scores(25)
    assert told(table.assign(new=table["systolic"] - table["diastolic"])) == []


def test_names_that_yaml_or_rules_misread_are_quoted():
    table = make_scores().rename(columns={"systolic": "BP: high # 1", "diastolic": "of"})
    table["1st"] = table["BP: high # 1"] - table["of"]
    assert told(table) == ["`1st` == `BP: high # 1` - of"]
    assert told(table.rename(columns={"of": "o`f"})) == []


def test_rule_of_a_column_that_is_mostly_missing_is_found():
    table = make_scores(600)
    table["new"] = table["systolic"] - table["diastolic"]
    is_measured = np.arange(600) % 6 == 0
    table[["systolic", "diastolic", "new"]] = table[["systolic", "diastolic", "new"]].mask(
        ~is_measured.repeat(3).reshape(-1, 3)
    )
    table["celsius"] = table["celsius"].where(~is_measured)  # never beside them
    assert told(table) == ["new == systolic - diastolic"]


def test_wide_tables_of_few_rows_tell_no_chance():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.integers(0, 5, (120, 300)), columns=[f"c{i}" for i in range(300)])
    assert implied_rules(table, infer_schema(table)) == []
    total = table.assign(total=table[["c1", "c2", "c3"]].sum(axis=1))
    assert implied_rules(total, infer_schema(total)) == ["total == c1 + c2 + c3"]


@pytest.mark.parametrize("bound", ["total >= a and total >= b", "abs(total - a) <= 40", "abs(a - b) <= 30"])
def test_declared_bounds_on_the_same_columns_hide_no_sum(bound):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.integers(0, 20, 300), "b": rng.integers(0, 20, 300)})
    table["total"] = table["a"] + table["b"]
    assert told(table) == told(table, constraints_from([bound])) == ["total == a + b"]


@pytest.mark.parametrize("factor", [2.54, 0.4536, 0.0555])
def test_rounded_units_are_told_by_their_own_factor_or_not_at_all(factor):
    """94 / 37 is near enough to 2.54 for 200 rounded rows, not for the next ones."""

    def people(n, seed):
        inches = np.random.default_rng(seed).normal(67, 4, n).round()
        return pd.DataFrame({"a": inches, "b": (inches * factor).round(1)})

    for seed in range(5):
        rules = constraints_from(told(people(200, seed)))
        assert not any(rule.is_broken_by(people(5_000, 100 + seed)).any() for rule in rules)


def follow_up(n_rows: int = 300, seed: int = 0) -> pd.DataFrame:
    """Months to progression, at most those to death, at most those observed; age above all of them, as by its range."""
    rng = np.random.default_rng(seed)
    observed = rng.exponential(30, n_rows).clip(0.5).round(1)
    survival = (observed * rng.beta(4, 1.2, n_rows)).round(1)
    progression = (survival * rng.beta(3, 1.2, n_rows)).round(1)
    return pd.DataFrame(
        {"age": rng.normal(900, 40, n_rows).round(), "pfs": progression, "os": survival, "observed": observed}
    )


def test_orders_are_told_between_neighbours():
    assert told(follow_up()) == ["pfs <= os", "os <= observed"]


def test_an_order_that_one_row_breaks_is_not_told():
    table = follow_up()
    table.loc[7, "pfs"] = table["os"][7] + 0.1
    assert "pfs <= os" not in told(table)


def test_missing_values_break_no_order_and_columns_that_are_mostly_missing_have_none():
    table = follow_up()
    table.loc[::3, "pfs"] = np.nan
    assert "pfs <= os" in told(table)
    table.loc[20:, "pfs"] = np.nan
    assert told(table) == ["os <= observed"]


def test_quantities_that_are_far_apart_or_of_one_factor_obey_no_order():
    for seed in range(40):
        rng = np.random.default_rng(seed)
        common = rng.normal(size=(300, 3)) @ rng.normal(size=(3, 8)) + rng.normal(size=(300, 8))
        values = common / common.std(0) + np.arange(8)
        table = pd.DataFrame(np.exp(values / 2) if seed % 2 else values, columns=list("abcdefgh"))
        assert told(table) == []


def test_orders_follow_from_formulas_and_from_what_is_declared():
    table = follow_up()
    rules = constraints_from(["pfs <= os", "os < observed + 0.01"])
    assert told(table, tuple(rules)) == []
    items = make_scores()
    items["total"] = items[ITEMS].sum(axis=1)
    assert told(items) == [f"total == {SUM}"]


def test_bands_of_a_quantity_are_told_category_by_category():
    table = make_scores()
    table["total"] = table[ITEMS].sum(axis=1)
    table["grade"] = pd.cut(table["total"], [-1, 6, 9, 99], labels=["none", "mild", "severe"]).astype(str)
    bands = [
        "(grade == 'none') == (total < 7)",
        "(grade == 'mild') == (total >= 7 and total < 10)",
        "(grade == 'severe') == (total >= 10)",
    ]
    assert told(table) == [f"total == {SUM}", *bands]
    table.loc[3, "grade"] = None
    assert told(table)[1:] == bands
    table.loc[table.index[table["grade"] == "none"][0], "grade"] = "mild"
    assert told(table)[1:] == []


def test_a_category_of_few_rows_makes_no_bands():
    table = make_scores(60)
    table["grade"] = np.where(table["celsius"].rank() <= 3, "low", np.where(table["celsius"] > 37, "high", "normal"))
    assert not [rule for rule in told(table) if "grade" in rule]
