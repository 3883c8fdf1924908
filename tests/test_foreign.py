"""Columns in other units or codes: named whatever the unit, and never of fresh people."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from evaluation_tables import SCHEMA

from rlsyn.evaluation import evaluate
from rlsyn.evaluation.privacy import foreign, foreign_columns
from rlsyn.evaluation.verdicts import verdicts
from rlsyn.schema import Column, Schema

CODES = tuple(f"code {number}" for number in range(2_000))
UNITS = {
    "log": lambda table: table.assign(age=np.log(table["age"]), pressure=np.log(table["pressure"])),
    "thousandths": lambda table: table.assign(age=table["age"] * 1_000, pressure=table["pressure"] * 1_000),
}


def named(train, table, schema=SCHEMA):
    return [column.name for column in foreign_columns(train, table, schema)]


@pytest.mark.parametrize("unit", UNITS)
def test_copies_in_other_units_are_told_and_not_good(train, test, unit):
    copies = UNITS[unit](train[SCHEMA.names])
    found = evaluate(train, test, copies.assign(person=1), SCHEMA, fast=True)
    (remark,) = (one for one in found.remarks if "other units" in one)
    assert "in the synthetic table lie outside the range of train: 'age', 'pressure'. Are they in other units" in remark
    privacy = {one.family: one for one in verdicts(found.scores)}["privacy"]
    assert privacy.level in ("fair", "poor")
    (criterion,) = (one for one in privacy.criteria if one.metric == "foreign columns")
    assert criterion.level == "fair" and "2 of 9 columns" in criterion.text


def test_values_of_test_people_in_other_units_are_told(train, test, synthetic):
    found = evaluate(train, UNITS["thousandths"](test), synthetic, SCHEMA, fast=True, references=("real",))
    assert any("Most values in the test table lie outside the range of train" in remark for remark in found.remarks)
    assert found.scores.set_index("metric").loc["foreign columns", "value"] == 0


def test_other_codes_are_foreign_and_one_that_train_has_is_enough(train, synthetic):
    coded = synthetic.assign(site=synthetic["site"].map({"north": "N", "south": "S", "west": "W"}))
    assert named(train, coded) == ["site"]
    assert named(train, pd.concat([coded, synthetic])) == []
    # Categories that nobody has do not make new ones likelier.
    more = [replace(c, categories=(*CODES, *c.categories)) if c.name == "site" else c for c in SCHEMA.columns]
    assert named(train, coded, Schema(tuple(more))) == ["site"]


@pytest.mark.parametrize(("share", "found"), [(0.4, []), (0.6, ["age"])])
def test_a_column_is_foreign_where_most_of_its_numbers_are(train, synthetic, share, found):
    """Some outside of the range are a generator's fault, which distances see."""
    is_far = np.arange(len(synthetic)) < share * len(synthetic)
    assert named(train, synthetic.assign(age=synthetic["age"].where(~is_far, -500))) == found
    assert named(train, synthetic.assign(age=synthetic["age"].where(~is_far, 500))) == found


@pytest.mark.parametrize(("n_people", "found"), [(30, []), (120, ["code"])])
def test_visits_of_a_person_with_one_code_are_one_chance(n_people, found):
    """Eight of ten people have a code of their own: that all of 30 others do, 0.8^30, is unlikely, not impossible."""
    schema = Schema((Column("code", "categorical", tuple("abcdefghi")),), group="person")
    train = pd.DataFrame({"code": list("abcdefghii"), "person": range(10)})
    codes = [f"new {person}" for person in range(n_people)] * 4
    assert named(train, pd.DataFrame({"code": codes, "person": [*range(n_people)] * 4}), schema) == found


def test_values_at_the_ends_of_the_range_are_known(train, synthetic):
    """Most people have the lowest value, as of drinks a week."""
    known, drawn = (
        table.assign(pressure=np.where(np.arange(len(table)) % 10 < 8, 0, table["pressure"]))
        for table in (train, synthetic)
    )
    assert named(known, drawn) == []


@pytest.mark.parametrize(("chance", "found"), [(0.49, []), (0.51, ["x"])])
def test_chance_is_how_often_fresh_numbers_lie_outside(monkeypatch, chance, found):
    """Both of two lie outside where the known two are neighbours among the four: in three of six equally likely cases."""
    monkeypatch.setattr(foreign, "CHANCE", chance)
    train, table = pd.DataFrame({"x": [0.0, 1.0]}), pd.DataFrame({"x": [5.0, -5.0]})
    assert named(train, table, Schema((Column("x", "numeric"),))) == found


def test_constant_and_empty_columns_are_part_of_no_distance(train, synthetic):
    assert named(train, synthetic.assign(constant=3.6, empty=1.0)) == []
    assert named(train, synthetic.assign(age=np.nan)) == []


@pytest.mark.parametrize("n_train", [2, 5, 10, 20, 200])
@pytest.mark.parametrize("n_rows", [1, 3, 10, 200])
@pytest.mark.parametrize("visits", [1, 4])
def test_fresh_people_have_no_foreign_column(n_train, n_rows, visits):
    """However few they are, with heavy tails, and with codes that hardly two people share."""
    rng = np.random.default_rng(n_train)
    columns = [Column(f"x{number}", "numeric") for number in range(200)]
    schema = Schema((*columns, Column("code", "categorical", CODES)), group="person")
    people = [
        pd.DataFrame(rng.standard_cauchy((n, 200)), columns=[column.name for column in columns])
        .assign(code=rng.choice(np.array(CODES, dtype=object), n), person=np.arange(n))
        .loc[np.repeat(np.arange(n), visits)]
        for n in (n_train, n_rows)
    ]
    assert named(*people, schema) == []
