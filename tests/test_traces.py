"""Rows in the order of the training rows: told of some columns of them, never of fresh people or of what both are sorted by."""

import numpy as np
import pandas as pd
import pytest
from evaluation_tables import COLUMNS, SCHEMA, make_patients

from rlsyn.evaluation import evaluate
from rlsyn.evaluation.measure import Tables
from rlsyn.evaluation.privacy import has_order_of, values_of_one_person
from rlsyn.evaluation.privacy.traces import TRACES
from rlsyn.schema import Column, Schema

KEPT = ["age", "site", "diabetes"]
FLAGS = Schema(tuple(Column(f"flag_{number}", "binary", (0, 1)) for number in range(5)))


def take_over(train, table, names):
    rows = min(len(train), len(table))
    return table[:rows].assign(**{name: train[name].to_numpy()[:rows] for name in names})


def test_rows_that_hold_some_of_the_training_row_are_told_until_they_are_shuffled(train, test, synthetic):
    linked = take_over(train, synthetic, KEPT)

    def told(table):
        remarks = evaluate(train, test, table, SCHEMA, fast=True, references=("real",)).remarks
        return [remark for remark in remarks if "stand in the order of the training rows" in remark]

    assert len(told(linked)) == 1 and not told(linked.sample(frac=1, random_state=0))


@pytest.mark.parametrize("n_rows", [20, 100, 450])
def test_rows_are_told_whatever_the_length_of_the_tables(train, synthetic, n_rows):
    linked = take_over(train, synthetic, KEPT)
    assert has_order_of(train, linked[:n_rows], SCHEMA)
    assert has_order_of(train[:n_rows], linked, SCHEMA)


def test_rows_in_other_units_are_told(train, synthetic):
    linked = take_over(train, synthetic, ["age", "bmi", "pressure"])
    assert has_order_of(train, linked.assign(age=np.log(linked["age"]), pressure=linked["pressure"] / 1_000), SCHEMA)


def test_too_few_rows_tell_nothing(train):
    assert not has_order_of(train[:19], train[:19], SCHEMA)


@pytest.mark.parametrize("kind", ["numeric", "binary"])
def test_columns_of_one_kind_are_enough(train, synthetic, kind):
    schema = Schema(tuple(column for column in COLUMNS if column.kind == kind))
    assert has_order_of(train, train[schema.names], schema) and not has_order_of(train, synthetic, schema)


@pytest.mark.parametrize("n_rows", [20, 60, 300])
@pytest.mark.parametrize("sorted_by", [None, "person", "diabetes", "age"])
def test_fresh_people_are_not_told_even_where_both_tables_are_sorted(n_rows, sorted_by):
    told = 0
    for seed in range(25):
        tables = [make_patients(n_rows, 1_000 * n_rows + 2 * seed + side, 5) for side in (0, 1)]
        if sorted_by == "person":  # visits stand beside each other and are alike
            firsts = ["age", "bmi", "site", "stage"]
            tables = [
                table.assign(**{name: table[name].to_numpy()[table["person"]] for name in firsts}) for table in tables
            ]
        elif sorted_by:
            tables = [table.sort_values(sorted_by, kind="stable") for table in tables]
        told += has_order_of(*tables, SCHEMA)
    assert told == 0


@pytest.mark.parametrize("n_rows", [20, 100, 1_000])
def test_rare_diagnoses_that_fall_together_are_chance(n_rows):
    rng = np.random.default_rng(n_rows)
    told = 0
    for _ in range(100):
        tables = [pd.DataFrame(rng.random((n_rows, 5)) < 0.03, columns=FLAGS.names).astype(int) for _ in range(2)]
        told += has_order_of(*tables, FLAGS)
    assert told == 0


def test_fresh_people_are_not_told_where_both_tables_are_sorted_by_many_categories():
    schema = Schema(
        (Column("site", "categorical", tuple(f"site {i:02d}" for i in range(60))), Column("age", "integer"))
    )

    def people(seed):
        rng = np.random.default_rng(seed)
        table = pd.DataFrame({"site": [f"site {i:02d}" for i in range(60) for _ in range(20)]})
        return table.assign(age=rng.integers(20, 90, len(table)))

    assert not any(has_order_of(people(2 * seed), people(2 * seed + 1), schema) for seed in range(10))
    assert has_order_of(people(0), people(1).assign(age=people(0)["age"]), schema)


def test_both_traces_are_counted(train, test, synthetic):
    """Pressure is unrounded."""
    in_order, one_value = train[SCHEMA.names], synthetic.assign(pressure=train["pressure"].to_numpy()[::-1])
    tables = (in_order, in_order.round({"pressure": 0}), one_value, synthetic)
    found = [TRACES.compute(Tables(train, test, table, SCHEMA)).estimates["traces of people"].value for table in tables]
    assert found == [2, 1, 1, 0]


@pytest.mark.parametrize(("n_test", "is_told"), [(3, False), (60, True)])
def test_values_of_one_person_are_a_trace_where_test_people_surely_have_fewer(n_test, is_told):
    """Thirty visits of three people, none of whom has such a value, are three people."""
    rng = np.random.default_rng(0)
    columns = Column("dose", "numeric"), Column("rounded", "numeric", decimals=6), Column("weight", "numeric")
    schema = Schema(columns, group="person")

    def visits(n_people, first):
        doses = np.repeat(rng.random(n_people), 30)
        weights = first + rng.integers(40, 50, 30 * n_people)  # each is of many people, but of none in test
        person = first + np.arange(30 * n_people) // 30
        return pd.DataFrame({"dose": doses, "rounded": doses.round(6), "weight": weights, "person": person})

    train, test = visits(20, 0), visits(n_test, 100)
    synthetic = visits(10, 0).drop(columns="person")
    synthetic.iloc[:60, :2] = train[["dose", "rounded"]].iloc[:60]
    found = values_of_one_person(Tables(train, test, synthetic, schema))
    assert found == ({"dose": (0.2, 0.0)} if is_told else {})
