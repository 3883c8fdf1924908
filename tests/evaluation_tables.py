"""Tables of invented patients that the tests of the evaluation share."""

import numpy as np
import pandas as pd

from rlsyn.schema import Column, Schema

SITES = ("north", "south", "west")
COLUMNS = (
    Column("age", "integer"),
    Column("bmi", "numeric", decimals=1, missing=True),
    Column("pressure", "numeric"),
    Column("smoker", "binary", (0, 1), missing=True),
    Column("diabetes", "binary", (0, 1)),
    Column("site", "categorical", SITES, missing=True),
    Column("stage", "categorical", ("I", "II", "III")),
    Column("constant", "numeric"),
    Column("empty", "numeric", missing=True),
)
SCHEMA = Schema(COLUMNS, label="diabetes", group="person")


def make_patients(n_rows, seed, rows_per_person=3):
    rng = np.random.default_rng(seed)
    age = rng.normal(60, 12, n_rows).round()
    bmi = (22 + 0.1 * age + rng.normal(0, 2, n_rows)).round(1)
    diabetes = (bmi + rng.normal(0, 1.5, n_rows) > 29).astype(int)
    table = pd.DataFrame(
        {
            "age": age.astype(int),
            "bmi": np.where(rng.random(n_rows) < 0.15, np.nan, bmi),
            "pressure": 100 + 0.5 * age + rng.normal(0, 8, n_rows),
            "smoker": np.where(rng.random(n_rows) < 0.1, np.nan, rng.random(n_rows) < 0.3),
            "diabetes": diabetes,
            "site": rng.choice(np.array([*SITES, None], dtype=object), n_rows, p=[0.5, 0.3, 0.1, 0.1]),
            "stage": np.array(["I", "II", "III"])[np.digitize(bmi + rng.normal(0, 1, n_rows), [27, 30])],
            "constant": 3.5,
            "empty": np.nan,
            "person": np.arange(n_rows) // rows_per_person,
        }
    )
    return table


def shuffle(table, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame({name: table[name].to_numpy()[rng.permutation(len(table))] for name in SCHEMA.names})


def numeric_schema(table, missing=False):
    return Schema(tuple(Column(name, "numeric", missing=missing) for name in table))
