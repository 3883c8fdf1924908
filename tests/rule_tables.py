"""A table of invented patients under every form of rule, which its rows obey but for a few."""

import numpy as np
import pandas as pd

from rlsyn.constraints import constraints_from
from rlsyn.encoding import Encoding
from rlsyn.schema import Schema, infer_schema

RULES = constraints_from(
    [
        {"range": {"column": "age", "low": 18, "high": 90}},
        "stage in ['I', 'II']",
        "visits.notna() and visits >= 0",
        {"name": "pressures", "expression": "diastolic > 0 and systolic > diastolic"},
        {"name": "only women", "expression": "sex == 'f' or pregnant == 0"},
        {"sum": {"columns": ["albumin", "globulin"], "total": "protein", "tolerance": 0.049}},
        {"name": "ratio", "expression": "abs(ratio - albumin / globulin) <= 0.005001"},
        {"name": "twice", "expression": "double == 2 * protein"},
        {"name": "unrounded", "expression": "0.000001 >= abs(1.5 * dose - level)"},
        {"one_hot": ["normal", "borderline", "abnormal"]},
        "site_before == site",
    ]
)


def make_table(n: int = 400, seed: int = 0) -> pd.DataFrame:
    """Rows of which some are too old, of stage III, or have no visits; all other rules hold."""
    rng = np.random.default_rng(seed)
    albumin = np.where(rng.random(n) < 0.1, np.nan, rng.normal(4.2, 0.4, n).round(1))
    globulin = rng.normal(2.7, 0.4, n).clip(1.5).round(1)
    protein, verdict = (albumin + globulin).round(1), rng.integers(0, 3, n)
    diastolic, sex, dose = rng.normal(75, 10, n).round(), rng.choice(["f", "m"], n), rng.lognormal(0, 0.5, n)
    site = rng.choice(["Basel", "Bern"], n)
    return pd.DataFrame(
        {
            "noise": rng.normal(0, 1, n).round(3),
            "age": rng.normal(65, 13, n).clip(18, 99).round().astype(int),
            "stage": rng.choice(["I", "II", "III"], n, p=[0.6, 0.37, 0.03]),
            "visits": pd.array(np.where(rng.random(n) < 0.03, np.nan, rng.poisson(4, n)), dtype="Int64"),
            "systolic": (diastolic + rng.gamma(4, 10, n).round() + 1).astype(int),
            "diastolic": diastolic.astype(int),
            "sex": sex,
            "pregnant": np.where(sex == "f", rng.random(n) < 0.3, False).astype(int),
            "albumin": albumin,
            "globulin": globulin,
            "protein": protein,
            "double": (2 * protein).round(1),
            "ratio": (albumin / globulin).round(2),
            "dose": dose,
            "level": 1.5 * dose,
            "normal": (verdict == 0).astype(int),
            "borderline": (verdict == 1).astype(int),
            "abnormal": (verdict == 2).astype(int),
            "site": site,
            "site_before": site,
            "died": rng.integers(0, 2, n),
        }
    )


def with_rules(table: pd.DataFrame, rules) -> Schema:
    """The schema of the table, with rules."""
    schema = infer_schema(table, label="died" if "died" in table else None)
    return Schema(schema.columns, schema.label, None, constraints_from(rules))


def fit(table: pd.DataFrame, rules=RULES, **kwargs) -> Encoding:
    """The encoding of the table under rules."""
    return Encoding.fit(table, with_rules(table, rules), **kwargs)


def any_levels(encoding: Encoding, n: int, seed: int = 0) -> np.ndarray:
    """Records of levels that know nothing of each other, as an untrained policy with its masks draws them."""
    rng = np.random.default_rng([seed, 77])
    allowed = [np.flatnonzero(levels) for levels in encoding.repair.allowed_levels()]
    return np.stack([rng.choice(levels, n) for levels in allowed], axis=1)
