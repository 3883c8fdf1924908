"""Categories to look at before training: rare ones, and two that may be one."""

import numpy as np

from rlsyn.doubts import misspelt_categories, rare_categories
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
