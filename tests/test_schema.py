"""The schema of a table is inferred from its values, survives YAML, and refuses what cannot be learned."""

import re
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from rlsyn.constraints import constraints_from
from rlsyn.evaluation.features import column_numbers
from rlsyn.names import unknown_name
from rlsyn.schema import Column, Schema, given_or_inferred, infer_column, infer_schema
from rlsyn.values.numbers import count_decimals

DAYS = pd.date_range("2019-01-01", periods=60)


def text(values) -> pd.Series:
    return pd.Series(values, dtype=object)


KINDS = {
    "decimals": (pd.Series([1.5, 2.25, 3.0, 7.125]), "numeric", ()),
    "unrounded": (pd.Series([0.1, 1 / 3, 2 / 7]), "numeric", ()),
    "whole numbers": (pd.Series([3, 1, 2, 40]), "integer", ()),
    "whole numbers written as floats": (pd.Series([3.0, 1.0, np.nan, 40.0]), "integer", ()),
    "nullable integers": (pd.Series([3, None, 7, 9], dtype="Int64"), "integer", ()),
    "0 and 1": (pd.Series([0, 1, 1, 0]), "binary", (0, 1)),
    "0 and 1 with missing": (pd.Series([0.0, 1.0, np.nan]), "binary", (0, 1)),
    "1 and 2": (pd.Series([2, 1, 2]), "binary", (1, 2)),
    "two fractions": (pd.Series([0.5, 1.5] * 3), "binary", (0.5, 1.5)),
    "two measurements": (pd.Series([13.7, np.nan, 41.2, np.nan]), "numeric", ()),
    "two counts": (pd.Series([14, np.nan, 41, 41]), "integer", ()),
    "switches": (pd.Series([True, False, True]), "binary", (False, True)),
    "switches with missing": (text([True, None, False]), "binary", (False, True)),
    "two texts": (text(["yes", "no", None, "yes"]), "binary", ("no", "yes")),
    "texts": (text(["b", "a", "c", "a"]), "categorical", ("a", "b", "c")),
    "texts that contain numbers": (text(["10-20", "20-30", "30-40"]), "categorical", ("10-20", "20-30", "30-40")),
    "declared categories": (pd.Series(["low", "high", "mid"], dtype="category"), "categorical", ("high", "low", "mid")),
    "constant number": (pd.Series([7.0, 7.0, 7.0]), "integer", ()),
    "constant text": (text(["CH", "CH"]), "categorical", ("CH",)),
    "all missing": (pd.Series([np.nan, np.nan]), "numeric", ()),
    "all missing text": (text([None, None]), "numeric", ()),
    "objects of a transposed table": (text([1.5, None, 2.25, 3]), "numeric", ()),
    "whole objects": (text([3, 1, None, 40]), "integer", ()),
    "0 and 1 written in two ways": (text([0, 1, 0.0, 1.0]), "binary", (0, 1)),
    "1 written in two ways": (text([1, 1.0, None]), "integer", ()),
    "1 and true": (text([True, 1, None]), "categorical", (True,)),
    "two doses and their noise": (pd.Series([0.1, 0.3, 3 * 0.1] * 3), "binary", (0.1, 0.3)),
    "nothing left": (pd.Series([0.3 - 3 * 0.1, 0.1, 0.2]), "numeric", ()),
    "1 as number and text": (text([1, "1", "x"]), "binary", ("1", "x")),
    "numbers of a database": (text([Decimal("1.50"), Decimal("2.25"), Decimal(3), None]), "numeric", ()),
    "sites": (pd.Series(pd.Categorical([*range(30)] * 3)), "categorical", tuple(range(30))),
}

REFUSED = {
    "dates": pd.Series(DAYS),
    "periods": pd.Series(DAYS.to_period("M")),
    "dates as text": text(DAYS.strftime("%Y-%m-%d")),
    "dates as text, repeated": text(list(DAYS.strftime("%d.%m.%Y")[:6]) * 10),
    "dates with times": text(DAYS.strftime("%Y-%m-%d %H:%M:%S")),
    "one date": text(["2021-05-12", None] + [None] * 40),
    "dates in German": text(["3. März 2021", "12. Mai 2021", "1. Okt. 2020"] * 10),
    "dates in French": text(["1 févr. 2021", "12 août 2021", "4 juin 2021"] * 10),
    "dates in Spanish": text(["3 de marzo de 2021", "12 ene 2021", "15 de septiembre de 2020"] * 10),
    "dates in Italian": text(["1 ottobre 2020", "lug 2020", "15 settembre 2019"] * 10),
    "dates in blanks": text(["01 03 2021", "12 10 2020", "2021_03_01"] * 10),
    "days of the week": text(["Fri 01/01/2021", "Sat 02/01/2021", "ca. 03.01.2021"] * 10),
    "days of any year": text(["01.01.", "24. 12.", "31.12."] * 10),
    "dates, many unknown": text([*list(DAYS.strftime("%d.%m.%y")[:6]) * 10, *["unknown"] * 40]),
    "ordinal days": text(["12th May", "3rd of June", "1st July"] * 20),
    "days of a month": text(["Mar 3, 2021", "May-21", "2021-Mar-03", "12MAR2020"] * 20),
    "dates in words": text(DAYS.strftime("%d %b %Y")),
    "identifiers": text([f"patient-{i:04d}" for i in range(60)]),
    "identifiers with missing": text([f"patient-{i:04d}" if i % 7 else None for i in range(60)]),
    "row numbers": pd.Series(range(1, 61)),
    "row numbers of shuffled rows": pd.Series(np.random.default_rng(0).permutation(60) + 1),
    "dates as whole numbers": pd.Series(DAYS.strftime("%Y%m%d").astype(int)[:30].repeat(2)),
    "dates as whole numbers, some unknown": pd.Series(
        [*DAYS.strftime("%Y%m%d").astype(int)[:30].repeat(2), 99999999, 0]
    ),
    "dates as digits": text(list(DAYS.strftime("%d%m%Y")) * 2),
    "percentages": text([f"{i % 55}%" for i in range(300)]),
    "numbers below a limit": text(["<0.1"] * 180 + [f"{i / 10}" for i in range(40)] * 3),
    "numbers among question marks": text(["?"] * 180 + list(range(40)) * 3),
    "free text": text([f"came with {'pain and ' * (i % 50)}fever for a long time before" for i in range(60)]),
    "few notes": text(["phone 079", "lives alone", "phone 079", "HIV pos.", *[None] * 40]),
    "two notes": text(["phone 079", "lives alone", *[None] * 40]),
    "units": text([f"{100 + i % 40} mmHg" for i in range(300)]),
    "units and limits": text(["<0.1 mg/dl"] * 180 + [f"{i / 10} mg/dl" for i in range(40)] * 3),
    "thousands": text([f"1'{100 + i % 40}" for i in range(300)]),
    "thousands in blanks": text([f"1\u00a0{100 + i % 40}" for i in range(300)]),
    "thousands and commas": text([f"1.{100 + i % 40},5" for i in range(300)]),
    "pairs": text([f"{100 + i % 40}/80" for i in range(300)]),
    "clock times": text([f"{i % 24:02d}:30" for i in range(300)]),
    "doses": text([f"{i % 40} mg" for i in range(300)]),
    "lists": text([[i % 3] for i in range(60)]),
    "durations": pd.Series(pd.to_timedelta(np.arange(60) % 4, unit="D")),
    "infinite": pd.Series([1.5, np.inf] * 30),
    "infinite downwards": pd.Series([1.5, -np.inf, 2.5] * 20),
    "ten thousand categories": text([f"code {i % 10_000}" for i in range(20_001)]),
}


@pytest.mark.parametrize(("values", "kind", "categories"), KINDS.values(), ids=KINDS)
def test_infer_column_tells_kind_and_categories(values, kind, categories):
    column = infer_column(values.rename("x"))
    assert (column.kind, column.categories) == (kind, categories)
    assert [type(category) for category in column.categories] == [type(category) for category in categories]
    assert column.missing == values.isna().any()


RECURRING = {
    "ICD-O": [f"{8140 + i}/3" for i in range(25)],
    "ICD-10": [f"E{10 + i}.9" for i in range(25)],
    "CHOP": ["81.51.11", "81.54.21", "47.01", "79.35.10"],
    "CAS": ["50-78-2", "64-17-5", "58-08-2"],
    "EC": ["1.1.1.27", "2.7.3.2"],
    "wards": [f"{i}A" for i in range(1, 14)] + ["ICU"],
    "chromosome arms": [f"{i}q" for i in range(1, 22)],
    "ordinals": [f"{i}th" for i in range(4, 20)],
    "alleles": [f"0{i % 9}:{i:02d}" for i in range(1, 20)],
    "visual acuity": [f"20/{10 * i}" for i in range(2, 20)],
    "ranges": [f"{40 + i}-{45 + i}" for i in range(25)],
    "schedules": ["1-0-1", "1-0-1-0", "0-0-1", "5 mg 1-0-1"],
    "coma scale": ["4-5-6", "1-1-1", "4 5 6", "10 12 14"],
    "imaging": ["OCT 3x3", "OCT 6x6", "OCT 12x12", "OCT4", "fundus"],
    "genes": ["SEPT9", "MARCH1", "DEC1", "TP53"],
    "months": ["Jan", "March", "May"],
    "colitis": ["Mayo 0", "Mayo 1", "Mayo 2", "Mayo 3"],
    "hearing": ["ABR 20", "ABR 30", "ABR 40"],
    "frequencies": ["ABR 1000", "ABR 4000", "ABR 8000"],
    "spread": ["ENE 0", "ENE 1", "DIC 5"],
    "findings": ["2 decreased", "marker 3", "grade 2, may worsen", "v1.2.3", "1.1.", "1.2."],
}


@pytest.mark.parametrize("values", REFUSED.values(), ids=REFUSED)
def test_infer_column_refuses_with_name_and_remedy(request, values):
    with pytest.raises(ValueError, match=r"'the column'.*--drop 'the column'") as refused:
        infer_column(values.rename("the column"))
    is_of_dates = re.search("date|day|periods", request.node.callspec.id) is not None
    assert ("holds dates" in str(refused.value)) == is_of_dates


@pytest.mark.parametrize("first", [44197, 44197.5, 1_609_459_200])
def test_day_numbers_of_a_spreadsheet_are_refused_where_the_name_says_that_they_are_dates(patients, first):
    table = patients.head(40).assign(visit_date=first + np.arange(40) % 25)
    with pytest.raises(ValueError, match=r"'visit_date' holds dates.*--drop visit_date"):
        infer_schema(table)
    assert "platelets" in infer_schema(table.rename(columns={"visit_date": "platelets"})).names
    assert "days_since_birth_date" in infer_schema(table.rename(columns={"visit_date": "days_since_birth_date"})).names
    assert "visit_date" in infer_schema(table.assign(visit_date=2000 + np.arange(40) % 25)).names


@pytest.mark.parametrize("name", ["patient_id", "SubjectNo", "MRN", "id", "visit id", "patient_nbr", "icustay_id"])
@pytest.mark.parametrize(
    "of_row", [np.arange(40) % 25, np.arange(40) % 25 + 0.1, [f"p{i}" for i in np.arange(40) % 25]]
)
def test_what_is_named_like_an_identifier_is_refused_with_the_group_that_it_may_be(patients, name, of_row):
    table = patients.head(40).assign(**{name: of_row})
    with pytest.raises(ValueError, match=r"25 different values and is named like an identifier.*--group.*another name"):
        infer_schema(table)
    assert name not in infer_schema(table, group=name).names
    few = infer_schema(table.assign(**{name: np.arange(40) % 3}))
    assert few[name].kind == "integer"


@pytest.mark.parametrize(
    "values",
    [
        pd.Series(np.random.default_rng(0).integers(1_100_000, 1_900_000, 100).repeat(2)),
        pd.Series([f"HP:{1250 + i % 25:07d}" for i in range(200)]),
        pd.Series([f"{73_211_009 + i % 25}" for i in range(200)]).astype(int),
        *(text(values * 12) for values in RECURRING.values()),
    ],
    ids=["cubic millimetres", "terms of an ontology", "diagnoses", *RECURRING],
)
def test_long_numbers_and_codes_that_recur_may_be_learned(values):
    assert infer_column(values.rename("finding")).name == "finding"


def test_a_note_on_every_visit_of_one_person_is_shared_by_nobody(patients):
    person = np.arange(len(patients)) // 4
    table = patients.assign(person=person, note=[f"lives with {i}" for i in person])
    with pytest.raises(ValueError, match="'note' has no text that 3 people share"):
        infer_schema(table, group="person")
    assert infer_schema(table.assign(note=[f"ward {i % 5}" for i in person]), group="person")["note"].categories


@pytest.mark.parametrize("values", [["pos", "neg"], [True, False], ["True", "False"]])
def test_two_answers_of_very_few_may_be_learned(values):
    column = infer_column(text([*values, values[0], *[None] * 60]).rename("x"))
    assert column.kind == "binary" and column.missing


def test_infer_column_accepts_counts_in_order_of_rows_that_repeat():
    assert infer_column(pd.Series(np.repeat(np.arange(30), 2), name="ward")).kind == "integer"


def test_infer_column_accepts_a_thousand_categories():
    column = infer_column(pd.Series([f"code {i % 1000}" for i in range(5000)], name="code"))
    assert len(column.categories) == 1000


@pytest.mark.parametrize("dtype", ["float32", "Float32", "float64"])
def test_numbers_of_fewer_bits_keep_their_decimals(dtype):
    values = pd.Series([37.4, 36.9, None, 38.2, 101.7] * 10, dtype=dtype, name="x")
    assert infer_column(values) == Column("x", "numeric", decimals=1, missing=True)
    two = pd.Series([0.1, 0.7] * 10, dtype=dtype, name="x")
    assert infer_column(two).categories == (0.1, 0.7)


@pytest.mark.parametrize(
    ("values", "decimals"),
    [
        ([1.0, 20.0], 0),
        ([1.5, 2.0], 1),
        ([0.1 + 0.2], 1),
        ([1e-7, 1.0], 7),
        ([123456.789], 3),
        ([1 / 3], None),
        ([2e-13, 3.1e-13], None),
        ([0.3 - 3 * 0.1, 0.2], 1),
    ],
    ids=["whole", "one", "rounding error", "seven", "large", "unrounded", "small", "nothing left"],
)
def test_count_decimals_counts_digits_after_the_point(values, decimals):
    assert count_decimals(np.array(values)) == decimals


def test_infer_schema_describes_the_patients(patients):
    schema = infer_schema(patients, label="died", units={"age": "years"})
    kinds = {column.name: column.kind for column in schema.columns}
    assert kinds == {
        "age": "numeric",
        "steps": "integer",
        "n_visits": "integer",
        "sex": "binary",
        "smoker": "binary",
        "site": "categorical",
        "country": "categorical",
        "never_measured": "numeric",
        "died": "binary",
    }
    assert {column.name for column in schema.columns if column.missing} == {"n_visits", "smoker", "never_measured"}
    assert schema["age"].decimals == 1 and schema["age"].unit == "years" and schema["steps"].unit == ""
    assert schema["site"].categories == ("Basel", "Bern", "Chur", "Genf", "Zug")
    schema.validate(patients)


def test_infer_schema_leaves_the_group_out_of_the_columns(patients):
    table = patients.assign(patient=[f"p{i // 2}" for i in range(len(patients))])
    schema = infer_schema(table, label="died", group="patient")
    assert schema.group == "patient" and "patient" not in schema.names


def test_infer_schema_keeps_two_valued_integers_where_asked(patients):
    assert infer_schema(patients, integers=["sex"])["sex"].kind == "integer"


BAD_TABLES = {
    "one row": (lambda t: t.head(1), {}, "at least 20 rows"),
    "duplicate names": (lambda t: t.set_axis(["age", "age", *t.columns[2:]], axis=1), {}, r"\['age'\] more than once"),
    "numbers for names": (lambda t: t.set_axis(range(t.shape[1]), axis=1), {}, "must be text"),
    "absent label": (lambda t: t, {"label": "dead"}, "Unknown label column 'dead'. Did you mean 'died'"),
    "constant label": (lambda t: t, {"label": "country"}, "'country' must vary"),
    "constant label of numbers": (lambda t: t.assign(died=1), {"label": "died"}, "must vary, got 1 in every row"),
    "incomplete label": (lambda t: t, {"label": "smoker"}, "'smoker' must be known in every row, got 20 missing"),
    "absent group": (lambda t: t, {"group": "sight"}, "Unknown group column 'sight'. Did you mean 'site'"),
    "incomplete group": (lambda t: t, {"group": "smoker"}, "'smoker' must be known in every row, got 20 missing"),
    "label that is the group": (lambda t: t, {"label": "site", "group": "site"}, "site"),
}


@pytest.mark.parametrize(("spoil", "roles", "message"), BAD_TABLES.values(), ids=BAD_TABLES)
def test_infer_schema_refuses(patients, spoil, roles, message):
    with pytest.raises(ValueError, match=message):
        infer_schema(spoil(patients), **roles)


def test_schema_survives_yaml(patients, tmp_path):
    table = patients.assign(
        consent=[True, False] * 100,
        dose=[0.5, 1.5] * 100,
        answer=["yes", "no", "null", "1", "1.0"] * 40,
        unrounded=np.linspace(0, 1, 200) / 3,
        patient=np.arange(200) // 2,
    ).rename(columns={"steps": "Schritte: täglich"})
    schema = infer_schema(table, label="died", group="patient", units={"age": "years", "dose": "µg"})
    schema.write(tmp_path / "schema.yaml")
    again = Schema.read(tmp_path / "schema.yaml")
    assert again == schema
    for before, after in zip(schema.columns, again.columns, strict=True):
        assert [type(category) for category in before.categories] == [type(category) for category in after.categories]


SOUND = "{name: age, kind: integer}"
NO_SCHEMAS = {
    "text": ("hello", "A schema must be written like .*columns.*, got 'hello'"),
    "empty": ("", "got None"),
    "list": ("[1, 2]", r"A schema must be written like .*, got \[1, 2\]"),
    "no columns": ("label: died", "got no 'columns'"),
    "empty columns": ("columns:", "got no 'columns'"),
    "no column": ("columns: []", "at least one column"),
    "columns by name": ("columns: {age: integer}", "'columns' must be a list, got {'age'"),
    "names of columns": (f"columns: [{SOUND}, sex]", "Column 2 must be written like .*kind.*, got 'sex'"),
    "unknown field": (f"columns: [{SOUND}]\nlable: age", "Unknown field 'lable'. Did you mean 'label'"),
    "number for a field": (f"columns: [{SOUND}]\n1: age", "Unknown field 1"),
    "unknown field of a column": ("columns: [{name: age, knid: integer}]", "Column 1 .*Did you mean 'kind'"),
    "column without a name": (f"columns: [{SOUND}, {{kind: integer}}]", "Column 2 .*got no 'name' in {'kind'"),
    "column with an empty name": ("columns: [{name: , kind: integer}]", "got no 'name'"),
    "column without a kind": ("columns: [{name: age}]", "got no 'kind'"),
    "number for a name": ("columns: [{name: 1, kind: integer}]", "'name' must be text, got 1"),
    "unknown kind": ("columns: [{name: age, kind: int}]", "'age': kind must be one of"),
    "list for a kind": ("columns: [{name: age, kind: [integer]}]", "'kind' must be text"),
    "text for categories": ("columns: [{name: sex, kind: binary, categories: fm}]", "must be a list, got 'fm'"),
    "lists for categories": ("columns: [{name: sex, kind: binary, categories: [[f], m]}]", r"got \['f'\]"),
    "empty category": ("columns: [{name: sex, kind: binary, categories: [f, ~]}]", "got None"),
    "no number": ("columns: [{name: sex, kind: binary, categories: [1, .nan]}]", "got nan"),
    "dates": ("columns: [{name: d, kind: categorical, categories: [2024-01-01]}]", "Put dates .* in quotes"),
    "twice": ("columns: [{name: sex, kind: binary, categories: [f, f]}]", "must be different"),
    "three of two": ("columns: [{name: sex, kind: binary, categories: [f, m, x]}]", "two if it is binary"),
    "fractions of digits": ("columns: [{name: x, kind: numeric, decimals: 1.5}]", "must be a whole number, got 1.5"),
    "switch for digits": ("columns: [{name: x, kind: numeric, decimals: true}]", "must be a whole number, got True"),
    "many digits": ("columns: [{name: x, kind: numeric, decimals: 400}]", "decimals must be 0 to 10, got 400"),
    "text for a switch": ("columns: [{name: x, kind: numeric, missing: maybe}]", "true or false, got 'maybe'"),
    "unknown label": (f"columns: [{SOUND}]\nlabel: agee", "Unknown column 'agee'. Did you mean 'age'"),
    "number for a label": (f"columns: [{SOUND}]\nlabel: 1", "'label' must be text, got 1"),
    "text for rules": (f"columns: [{SOUND}]\nconstraints: age > 1", "'constraints' must be a list, got 'age > 1'"),
    "bad rule": (f"columns: [{SOUND}]\nconstraints: [agee > 1]", "Rule 'agee > 1'"),
    "open bracket": ("{", "cannot be read near line 1"),
    "open brackets": ("[" * 20_000, "cannot be read"),
    "objects": ("!!python/object/apply:os.system ['true']", "cannot be read"),
    "impossible date": ("columns: 2024-13-01", "cannot be read"),
    "no text": (b"\xff\xfe\x00", "cannot be read"),
}


@pytest.mark.parametrize(("content", "message"), NO_SCHEMAS.values(), ids=NO_SCHEMAS)
def test_file_that_holds_no_schema_is_refused_in_one_line(tmp_path, content, message):
    path = tmp_path / "schema.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=message) as refused:
        Schema.read(path)
    assert type(refused.value) is ValueError and str(path) in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1 and refused.value.__suppress_context__


def test_absent_schema_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"^Expected a YAML file with a schema, found none at .*schema\.yaml"):
        Schema.read(tmp_path / "schema.yaml")


def test_schema_written_by_hand_may_leave_fields_empty(tmp_path):
    path = tmp_path / "schema.yaml"
    path.write_text("label:\nconstraints:\ncolumns:\n- {name: age, kind: integer, unit: , missing: true}")
    assert Schema.read(path) == Schema((Column("age", "integer", missing=True),))


INVALID_VALUES = {
    "absent column": (lambda t: t.drop(columns="age"), "lacks column 'age'"),
    "unknown category": (lambda t: t.assign(site="Wien"), r"'site' must hold one of .*Basel.*, got .*'xxxx' \(row 1,"),
    "unknown number for a category": (lambda t: t.assign(sex=2), "'sex' must hold one of"),
    "missing where none may be": (lambda t: t.assign(age=t["age"].where(t["age"] < 60)), "'age' may not be missing"),
    "text for a number": (lambda t: t.assign(age="old"), "'age' must hold numbers, got 'xxx'"),
    "infinite": (lambda t: t.assign(age=np.inf), "'age' must hold finite numbers"),
}


@pytest.mark.parametrize(("spoil", "message"), INVALID_VALUES.values(), ids=INVALID_VALUES)
def test_validate_refuses(patients, spoil, message):
    schema = infer_schema(patients, label="died")
    with pytest.raises(ValueError, match=message):
        schema.validate(spoil(patients))


def test_validate_accepts_categories_that_became_floats(patients):
    schema = infer_schema(patients)
    schema.validate(patients.astype({"sex": float, "died": float, "n_visits": float}))
    schema.validate(patients.assign(sex=patients["sex"] * -1.0 * (patients["sex"] == 0)))  # a zero may be a -0.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Column("x", "ordinal"), "'x': kind must be one of"),
        (lambda: Column("x", "categorical"), "'x': binary and categorical columns list their categories"),
        (lambda: Column("x", "numeric", ("a",)), "'x': binary and categorical columns list their categories"),
        (lambda: Column("x", "binary", ("a",)), "two if it is binary"),
        (lambda: Column("x", "categorical", ("1", 1)), "must be different"),
        (lambda: Column("x", "categorical", (True, 1, 2)), "must be different"),
        (lambda: Schema(()), "at least one column"),
        (lambda: Schema((Column("x", "numeric"), Column("x", "integer"))), r"unique, got \['x'\]"),
        (lambda: Schema((Column("x", "numeric"),), label="y"), "Unknown column 'y'"),
        (lambda: Schema((Column("x", "numeric"),), group="x"), "cannot be generated as well"),
    ],
    ids=[
        "kind",
        "no categories",
        "needless categories",
        "one of two",
        "alike",
        "equal",
        "no column",
        "duplicate",
        "label",
        "group",
    ],
)
def test_schema_refuses_what_contradicts_itself(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_given_schema_is_as_strict_about_people_and_names_as_an_inferred_one(patients):
    table = patients.assign(person=np.arange(len(patients)) // 2)
    schema = infer_schema(table, label="died", group="person")
    assert given_or_inferred(table, schema=schema) is schema
    with pytest.raises(ValueError, match="must be known in every row, got 3 missing"):
        given_or_inferred(table.assign(person=table["person"].where(table.index > 2)), schema=schema)
    with pytest.raises(ValueError, match=r"must be unique, got \['age'\]"):
        schema.validate(pd.concat([table, table[["age"]]], axis=1))


def test_label_of_a_database_is_a_class_of_numbers(patients):
    stage = pd.Series([Decimal(1 + i % 3) for i in range(len(patients))], dtype=object)
    assert infer_schema(patients.assign(stage=stage), label="stage")["stage"].categories == (1, 2, 3)


def test_names_of_numpy_are_plain_text(patients):
    assert type(infer_schema(patients, label=np.str_("died")).label) is str


def test_unknown_name_proposes_the_closest_or_lists_the_known():
    assert unknown_name("column", "agee", ["age", "sex"]) == "Unknown column 'agee'. Did you mean 'age'?"
    assert unknown_name("column", "zzz", ["age", "sex"]) == "Unknown column 'zzz'. Choose one of: age, sex."
    assert unknown_name("category", "1", [0, 1]) == "Unknown category '1'. Did you mean 1?"
    assert unknown_name("column", "AGE", ["sex", "Age"]) == "Unknown column 'AGE'. Did you mean 'Age'?"
    assert "c19, ..." in unknown_name("column", "zzz", [f"c{i}" for i in range(30)])


def test_label_of_few_whole_numbers_is_a_class_and_other_columns_are_not(patients):
    table = patients.assign(stage=np.arange(len(patients)) % 5, grade=np.arange(len(patients)) % 4)
    schema = infer_schema(table, label="stage")
    assert schema["stage"].kind == "categorical" and schema["stage"].categories == (0, 1, 2, 3, 4)
    assert schema["grade"].kind == "integer"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.random.default_rng(0).permutation(200) + 41_000_000, "an identifier"),
        (["1,5", "2,75"] * 50 + [f"{i},25" for i in range(100)], "numbers as text"),
        ([*map(str, range(180)), *["?"] * 20], r"such as '\?'"),
    ],
    ids=["record numbers", "decimal commas", "question marks"],
)
def test_numbers_that_are_none_are_refused_by_name(patients, values, message):
    with pytest.raises(ValueError, match=message) as refused:
        infer_schema(patients.assign(visit=values))
    assert "'visit'" in str(refused.value) and "--drop visit" in str(refused.value)


def test_rules_are_counted_and_neither_refuse_tables_nor_part_schemas(patients):
    schema = infer_schema(patients, label="died")
    ruled = replace(schema, constraints=constraints_from(["age > 200", "site == 'Bern'"]))
    ruled.validate(patients)
    # A run that began before a rule was added may go on.
    assert ruled == schema and Schema.from_dict(ruled.to_dict()).constraints == ruled.constraints
    assert list(ruled.to_dict()) == ["label", "group", "columns", "constraints"]
    assert "constraints" not in schema.to_dict()


def test_third_place_of_a_schema_stays_the_group():
    assert Schema((Column("x", "numeric"),), None, "person").group == "person"


def test_refusals_show_form_and_row_neither_the_value_nor_an_index_that_may_name_people():
    ages = pd.Series(
        ["61", None, *map(str, range(40, 97)), "Smith, 1951"], index=[f"MRN{i}" for i in range(60)], name="age"
    )
    table = pd.DataFrame({"age": ages, "died": [0, 1] * 30})
    with pytest.raises(ValueError, match=r"numbers as text, such as 'xxxxx, 9999' \(row 60, the header not counted\)"):
        infer_schema(table)
    schema = Schema((Column("age", "numeric", missing=True), Column("died", "binary", (0, 1))))
    with pytest.raises(
        ValueError, match=r"'age' must hold numbers, got 'xxxxx, 9999' \(row 60, the header not counted\)"
    ) as first:
        schema.validate(table)
    with pytest.raises(
        ValueError, match=r"'age' must hold numbers, got 'xxxxx, 9999' \(row 60, the header not counted\)"
    ) as second:
        column_numbers(table["age"])
    assert not any(word in str(error.value) for error in (first, second) for word in ("Smith", "MRN", "61"))


def test_all_refused_columns_are_named_at_once():
    table = pd.DataFrame(
        {
            "mrn": np.arange(1_000, 1_060),
            "age": np.resize([50, 61, 72], 60),
            "birth date": pd.date_range("1950-01-01", periods=60).astype(str),
            "CRP": ["<0.5", *[f"{i}.5" for i in range(59)]],
        }
    )
    with pytest.raises(ValueError, match="Column 'mrn' has a different long or running number") as error:
        infer_schema(table)
    assert "Refused as well: 'birth date', 'CRP'." in str(error.value)
    assert str(error.value).endswith("--drop mrn 'birth date' CRP.")
    with pytest.raises(ValueError, match=r"for <0\.5 its limit, 0\.5") as error:
        infer_schema(table.drop(columns=["mrn", "birth date"]))
    assert "as well" not in str(error.value)


def test_a_category_that_only_one_table_has_is_told_by_its_form():
    schema = Schema((Column("tumour", "categorical", ("breast", "colon", "lung")),))
    table = pd.DataFrame({"tumour": ["lung", "Smith, 1951", "colon"]}, index=["MRN1", "MRN2", "MRN3"])
    with pytest.raises(ValueError, match="got another in 1 of 3 values, such as 'xxxxx, 9999'") as error:
        schema.validate(table)
    assert "(row 2, the header not counted). Write them as there, merge" in str(error.value)
    assert not any(word in str(error.value) for word in ("Smith", "MRN"))
