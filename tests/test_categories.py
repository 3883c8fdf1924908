"""What to look at before training: rare categories, two that may be one, numbers that may be codes."""

import re

import numpy as np
import pandas as pd
import pytest

from rlsyn.doubts import coded_columns, doubts, misspelt_categories, rare_categories
from rlsyn.schema import infer_schema


def test_rare_categories_count_people_not_rows(patients):
    table = patients.assign(person=np.arange(len(patients)) // 10, rare=["x"] * 10 + ["y"] * 190)
    assert "rare" in rare_categories(table, infer_schema(table, group="person"))
    table["person"] = np.arange(len(table))
    assert "rare" not in rare_categories(table, infer_schema(table, group="person"))


def test_categories_that_differ_by_blanks_or_case_are_told(patients):
    n = len(patients)
    told = {"case": ["No", "no"], "blanks": ["a  b", "a b"], "tab": ["\tno", "no"]}
    apart = {"texts": ["no", "not"], "numbers": [1, 2], "accents": ["à jeun", "a jeun"]}
    table = patients.assign(**{name: np.resize(np.array(pair), n) for name, pair in (told | apart).items()})
    assert misspelt_categories(infer_schema(table)) == list(told)


@pytest.mark.parametrize("code", [-99, -9, 999, 9999])
@pytest.mark.parametrize("share", [0.02, 0.7])
def test_codes_for_missing_are_told_without_other_values(patients, code, share):
    is_coded = np.random.default_rng(0).random(len(patients)) < share
    table = patients.assign(ct=np.where(is_coded, code, np.linspace(14.0, 35.0, len(patients)).round(1)))
    (told,) = [doubt for doubt in doubts(table, infer_schema(table)) if "code for missing" in doubt]
    assert f"ct ({code})" in told and not {"14", "35"} & set(re.findall(r"\d+", told.replace(str(code), "")))


@pytest.mark.parametrize(
    "values",
    [
        np.arange(-20, 40),
        np.arange(40, 100),
        [*range(18, 90), *[99] * 20],
        [*range(50), *[-1] * 20],
        [-1, 0, 1, 2] * 20,
    ],
    ids=["around 0", "up to 99", "old", "one below", "scale"],
)
def test_numbers_among_others_are_no_codes(values):
    table = pd.DataFrame({"value": np.resize(values, 240).astype(float)})
    assert coded_columns(table, infer_schema(table)) == []


@pytest.mark.parametrize(
    "values, code",
    [
        ([*range(60, 180), *[-1] * 6], -1),
        ([*range(18, 90), *[-1] * 4], -1),
        ([*range(3, 16)] * 5 + [-9] * 3, -9),
        ([0, 1, 2, 3, 4] * 10 + [9] * 4, 9),
        ([0, 1] * 20 + [8, 9] * 4, 9),
    ],
    ids=["pressure", "age", "coma scale", "grade", "yes and no"],
)
def test_codes_near_a_wide_range_or_beside_a_scale_are_found(values, code):
    table = pd.DataFrame({"value": values})
    (found,) = coded_columns(table, infer_schema(table))
    assert str(code) in found


@pytest.mark.parametrize(
    "values",
    [[0, 1, 2, 3, 4, 5, 7, 8] * 5, [1, 2, 4, 8] * 10, [5, 6, 7, 8, 9] * 8, [0.5, 1.5, 9.0] * 9, [-1, 0, 2, 5] * 9],
    ids=["counts", "doubled doses", "top of a scale", "doses", "changes"],
)
def test_digits_that_may_be_steps_are_no_codes(values):
    table = pd.DataFrame({"value": values})
    assert coded_columns(table, infer_schema(table)) == []


def test_codes_of_two_people_are_not_told(patients):
    table = patients.assign(ct=[-99.0] * 20 + list(np.linspace(14, 35, 180)), person=np.arange(200) // 10)
    assert coded_columns(table, infer_schema(table, group="person")) == []
    assert coded_columns(table, infer_schema(table.drop(columns="person"))) == ["ct (-99)"]


def test_codes_for_missing_are_found_in_rows_whose_index_repeats(patients):
    """As those of two visits put below each other have."""
    visit = patients.assign(
        ct=[-99.0] * 8 + list(np.linspace(14, 35, len(patients) - 8)), person=np.arange(len(patients))
    )
    table = pd.concat([visit, visit])
    assert coded_columns(table, infer_schema(table, group="person")) == ["ct (-99)"]
    assert coded_columns(table, infer_schema(table.drop(columns="person"))) == ["ct (-99)"]


def test_what_to_do_with_rare_categories_is_told():
    table = pd.DataFrame({"tumour": ["lung", "colon"] * 20 + ["thymoma"], "age": np.arange(41) % 7})
    (doubt,) = doubts(table, infer_schema(table))
    assert "which may be generated: tumour. If such a category would point at a person, merge it" in doubt
