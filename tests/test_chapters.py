"""The report shows columns of phecodes by chapter."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from rlsyn.evaluation import evaluate, write_report
from rlsyn.evaluation.report.chapters import phecode_chapters
from rlsyn.phecode_chapters import CHAPTERS, chapter_of
from rlsyn.schema import infer_schema

N = 100
ONES = {"phecode_250.2": 40, "phecode_272.1": 20, "phecode_274.1": 1, "phecode_401.1": 50, "phecode_008.5": 10}


def table_of(ones: dict[str, int]) -> pd.DataFrame:
    columns = {name: (np.arange(N) < n).astype(np.int8) for name, n in ones.items()}
    return pd.DataFrame({"AGE": np.arange(N) % 60 + 20, **columns})


@pytest.fixture
def real() -> pd.DataFrame:
    return table_of(ONES)


@pytest.fixture
def synthetic() -> pd.DataFrame:
    return table_of({**ONES, "phecode_250.2": 46, "phecode_272.1": 18, "phecode_401.1": 49, "phecode_274.1": 30})


def test_chapters_follow_each_other_without_gaps():
    assert CHAPTERS[0].first == 8
    for one, following in pairwise(CHAPTERS):
        assert one.first <= one.last and following.first == one.last + 1


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("phecode_008", "infectious diseases"),
        ("phecode_8", "infectious diseases"),
        ("phecode_401.1", "circulatory system"),
        ("phecode_655", "pregnancy complications"),
        ("phecode_1010", "other"),
        ("phecode_", None),
        ("icd10_I10", None),
        ("AGE", None),
    ],
)
def test_column_has_the_chapter_of_its_number(column, name):
    assert chapter_of(column) == name


def test_chapters_tell_mean_difference_and_worst_codes(real, synthetic):
    schema = infer_schema(real)
    chapters = {one.name: one for one in phecode_chapters(real, real, synthetic, schema)}
    assert list(chapters) == ["endocrine/metabolic", "circulatory system", "infectious diseases"]
    endocrine = chapters["endocrine/metabolic"]
    assert endocrine.n_codes == 3 and endocrine.n_hidden == 1
    assert endocrine.difference == pytest.approx((0.06 + 0.02) / 2)
    assert (endocrine.real, endocrine.synthetic) == pytest.approx((0.60, 0.64))
    assert endocrine.worst == (("250.2", 0.40, 0.46), ("272.1", 0.20, 0.18))
    assert chapters["infectious diseases"].difference == 0


def test_held_out_people_are_shown_for_many_codes_only():
    ones = {f"phecode_{number}": 10 + number % 7 for number in range(401, 405)}
    more = table_of({name: n + 4 for name, n in ones.items()})
    schema = infer_schema(table_of(ones))
    (many,) = phecode_chapters(table_of(ones), more, table_of(ones), schema)
    assert many.held_out == pytest.approx(0.04)
    few = dict(list(ones.items())[:2])
    (two,) = phecode_chapters(table_of(few), more[["AGE", *few]], table_of(few), infer_schema(table_of(few)))
    assert np.isnan(two.held_out)


def test_a_table_without_phecodes_has_no_chapters(patients):
    assert phecode_chapters(patients, patients, patients, infer_schema(patients)) == []


def test_report_shows_chapters_and_hides_codes_of_few(real, synthetic, tmp_path):
    schema = infer_schema(real)
    held_out = real.assign(AGE=real["AGE"] + 60)
    evaluation = evaluate(real, held_out, synthetic, schema, fast=True, references=("real",))
    page = write_report(evaluation, tmp_path).read_text(encoding="utf-8")
    section = page.split('<section id="chapters">')[1].split("</section>")[0]
    assert "endocrine/metabolic" in section and "(1 hidden)" in section and "4.00" in section
    assert "<b>250.2</b> 40.0 % → 46.0 %" in section
    assert "274.1" not in section
    assert 'href="#chapters"' in page
