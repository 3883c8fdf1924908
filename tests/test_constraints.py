"""Rules agree with pandas where both read them, run no code, break only on known values, and are counted by name."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml
from evaluation_tables import SCHEMA, make_patients

from rlsyn.constraints import Constraint, constraints_from, in_range, one_hot, read_constraints, sums_to, truth
from rlsyn.constraints.expressions import FUNCTIONS
from rlsyn.datasets import from_table
from rlsyn.evaluation import evaluate
from rlsyn.evaluation.constraints import broken_share, constraints, constraints_of_real, measures, rows_out_of_range
from rlsyn.evaluation.measure import Tables, share_estimate
from rlsyn.evaluation.verdicts import verdicts
from rlsyn.schema import Column, Schema, infer_schema


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Complete rows with numbers around zero, texts, truths and an awkward name."""
    rng = np.random.default_rng(0)
    n_rows = 200
    return pd.DataFrame(
        {
            "a": rng.integers(-3, 4, n_rows),
            "b": rng.normal(0, 2, n_rows).round(1),
            "c": rng.integers(0, 3, n_rows).astype(float),
            "flag": rng.random(n_rows) < 0.5,
            "sex": rng.choice(["f", "m"], n_rows),
            "stage": pd.Categorical(rng.choice(["I", "II", "III & IV"], n_rows)),
            "phecode_401.1": rng.integers(0, 2, n_rows),
            "total cholesterol, mg/dL": rng.integers(0, 5, n_rows),
            "class": rng.integers(0, 2, n_rows),
        }
    )


def obeyed_in_pandas(table: pd.DataFrame, expression: str) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.broadcast_to(np.asarray(table.eval(expression)), len(table))


AGREED = [
    "a > b",
    "a >= 1",
    "-1 <= a < 2",
    "-1 <= a <= b < 3 != c",
    "a == 1",
    "a != 1",
    "not a > b",
    "not (a > b) and c == 1",
    "not a == 1 or b > 0 and c < 2",
    "~(a > b)",
    "~(a > b) | (c == 1)",
    # Precedence: `&` and `|` are `and` and `or` to pandas; in Python `1 & b` would come first.
    "a > 1 & b < 0",
    "a > 1 | b < 0 & c == 1",
    "a == 1 | a == 2 & not c > 1",
    "a > 1 and b < 0 | c == 2",
    "~(a > 1) & b < 0",
    "a + b * c - 2 / 4 > a % 3",
    "a // 2 == -1",
    "a % 2 == 1",
    "-a % 3 == 1",
    "-a ** 2 == -4",
    "2 * a ** 2 > c",
    "b ** -2 > 1",
    "b ** 0.5 > 1",
    "+a > -b",
    "a - -1 > 0",
    # What arithmetic leaves undefined.
    "1 / a > 0",
    "b / c <= 1",
    "a / c == a / c",
    "a / c != a / c",
    "a // c > 1",
    "a % c == 0",
    "not log(b) > 0",
    "sqrt(b) < 9",
    "abs(a - b / c) <= 0.06",
    "abs(a) == 1",
    "floor(b) == ceil(b) - 1",
    "exp(a) > log10(abs(b) + 1)",
    "sex == 'f'",
    'sex != "f"',
    "sex == 'f' or a == 0",
    "sex in ['f']",
    "sex not in ['f', 'x']",
    "not sex in ['f']",
    "a in [1, -2]",
    "a not in (1, 2)",
    "b in [0.1, 0.2]",
    "stage in ['I', 'II']",
    "stage == 'III & IV'",
    "stage == 'III & IV' | a > 1",
    "sex == 'it\\'s'",
    "(a > 1) == (b > 1)",
    "(a > 1) != (sex == 'f')",
    "flag == True",
    "flag != False and a > 0",
    "`phecode_401.1` == 1",
    "`phecode_401.1` + `class` <= 1",
    "`total cholesterol, mg/dL` > a & `class` == 0",
    "a.notna()",
    "a.isna() or a > 0",
    "~b.isna() & b > 0",
    "((((a)))) > (0)",
    "  a > 0  ",
]


@pytest.mark.parametrize("expression", AGREED)
def test_agrees_with_pandas(table, expression):
    broken = Constraint("rule", expression).is_broken_by(table)
    assert broken.dtype == bool and broken.shape == (len(table),)
    np.testing.assert_array_equal(~broken, obeyed_in_pandas(table, expression.strip()))


def random_number(rng, depth):
    if depth == 0 or rng.random() < 0.3:
        return str(rng.choice(["a", "b", "c", "`class`", "1", "2.5", "-3"]))
    kind = rng.integers(4)
    left = random_number(rng, depth - 1)
    if kind == 0:
        return f"{rng.choice([name for name, n_values in FUNCTIONS.items() if n_values == 1])}({left})"
    if kind == 1:
        return f"({left})" if rng.random() < 0.5 else f"-{left}"
    return f"{left} {rng.choice(['+', '-', '*', '/', '%', '//'])} {random_number(rng, depth - 1)}"


def random_condition(rng, depth):
    kind = rng.integers(5) if depth else 4
    if kind == 0:
        return f"{rng.choice(['not ', '~'])}({random_condition(rng, depth - 1)})"
    if kind == 1:
        return f"({random_condition(rng, depth - 1)})"
    if kind < 4:
        join = rng.choice(["and", "or", "&", "|"])
        return f"{random_condition(rng, depth - 1)} {join} {random_condition(rng, depth - 1)}"
    comparisons = ["<", "<=", ">", ">=", "==", "!="]
    ends = [random_number(rng, 2) for _ in range(rng.integers(2, 4))]
    return f" {rng.choice(comparisons)} ".join(ends)


def test_agrees_with_pandas_on_random_conditions(table, monkeypatch):
    # But for rounding.
    monkeypatch.setattr(truth, "RELATIVE", 0.0)
    monkeypatch.setattr(truth, "ABSOLUTE", 0.0)
    rng = np.random.default_rng(1)
    n_both = 0
    for _ in range(250):
        expression = random_condition(rng, 2)
        try:
            expected = obeyed_in_pandas(table, expression)
            rule = Constraint("rule", expression)
        except (ValueError, TypeError, ZeroDivisionError, NotImplementedError):
            continue  # constants alone, or their division by zero
        np.testing.assert_array_equal(~rule.is_broken_by(table), expected, err_msg=expression)
        n_both += 1
    assert n_both > 200


def test_smaller_and_larger_of_two():
    table = pd.DataFrame({"a": [1, 5, -2], "b": [2, 3, np.nan]})
    assert Constraint("x", "max(a, b) - min(a, b) == 1").is_broken_by(table).tolist() == [False, True, False]


def test_true_counts_one_in_sums():
    table = pd.DataFrame({"a": [True, True, False], "b": [False, True, False]})
    assert one_hot(["a", "b"]).is_broken_by(table).tolist() == [False, True, True]


REFUSED = {
    "__import__('os').system('true') == 0": "only .isna",
    "__import__('os')": "Unknown function '__import__'",
    "eval('a') == 1": "Unknown function 'eval'",
    "a.__class__ == 1": "only .isna",
    "a.__class__.__bases__[0].__subclasses__() == 1": "only .isna",
    "a.values.tofile('x')": "only .isna",
    "a.isna().any()": "only .isna",
    "(a > 1).isna()": "only .isna",
    "a.isna(b)": "empty",
    "a[0] > 1": "subscript",
    "9**9**9 > a": "exponent",
    "a ** b > 1": "exponent",
    "a ** 1000 > 1": "exponent",
    "lambda: a > 1": "lambda",
    "(lambda: 1)() == a": "call",
    "f'{a}' == 'x'": "joined str",
    "(a := 1) > 0": "write ==",
    "a = 1": "write ==",
    "abs(a, out=b) > 1": "write ==",
    "[x for x in a] == 1": "list comp",
    "a > 1 if b > 1 else a < 1": "if exp",
    "{'a': 1} == a": "dict",
    "a in {1}": "set",
    "a == b'x'": "constant",
    "a > 1j": "constant",
    "a > 1e999": "constant",
    "a is b": "write == or !=",
    "a == None": "isna",
    "@a > 1": "no condition",
    "a; b": "no condition",
    "import os": "no condition",
    "a > 1\nb > 1": "one line",
    "a > 1 # fine": "comments",
    "a >": "no condition",
    "": "no condition",
    "`a > 1": "no partner",
    "phecode_401.1 == 1": "in backticks",
    "a\x00 > 1": "no condition",
    "a > \ud800": "cannot be read",
    "(" * 300 + "a" + ")" * 300 + " > 1": "nested",
    "-" * 9000 + "a > 1": "nested",
    "not " * 2000 + "a > 1": "nested",
    "a" + " + a" * 2000 + " > 1": "nested",
    "abs(" * 2000: "nested",
    "[" * 5000: "nested",
    "9" * 5000 + " > a": "no condition",
    "a > 1 or " * 2000 + "a > 1": "at most 10000 characters",
    "a + b": "must be true or false",
    "a": "must be true or false",
    "1 < 2": "at least one column",
    "0 < 1 <= a": "names no column",
    "a > 1 and 1 < 2": "names no column",
    "not a": "join comparisons",
    "a and b > 1": "join comparisons",
    "~a == 1": "join comparisons",
    "(a > 1) + (b > 1) == 1": "a comparison is no number",
    "(a > 1) == 1": "never equal",
    "a < 'x'": "no order",
    "'x' + a == 1": "no arithmetic",
    "a == [1, 2]": "write `in`",
    "a in b": "a list such as",
    "a in 'xy'": "a list such as",
    "a in []": "a list holds",
    "a in [b]": "a list holds",
    "absolute(a) > 1": "Did you mean 'abs'",
    "abs(a, b) > 1": "brackets of abs",
    "`abs`(a) > 1": "Unknown function",
}


@pytest.mark.parametrize("expression", REFUSED, ids=lambda text: text[:30])
def test_what_is_no_condition_is_refused_in_one_line(expression):
    with pytest.raises(ValueError, match=REFUSED[expression]) as refused:
        Constraint("my rule", expression)
    message = str(refused.value)
    assert message.startswith("Rule 'my rule': ") and len(message.splitlines()) == 1 and len(message) < 400


def test_error_tells_where():
    with pytest.raises(ValueError, match="character 14, at 'lenght"):
        Constraint("r", "'é' == `ü` & lenght(`x y`) > 1")


@pytest.mark.parametrize(
    "grow",
    [lambda text: f"(a < 1) == ({text}) == (a < 1)", lambda text: f"a < 1 and not ({text})", lambda text: f"~({text})"],
    ids=["chained", "and not", "not"],
)
def test_work_grows_with_the_length_and_not_with_its_power(grow):
    # A part that is visited twice per level would be visited 2^70 times.
    text = "a < 1"
    for _ in range(70):
        text = grow(text)
    assert Constraint("r", text).is_broken_by(pd.DataFrame({"a": [0, 2]})).shape == (2,)


def test_nothing_is_run(tmp_path):
    target = tmp_path / "made"
    for text in (f"open('{target}', 'w') == 1", f"__import__('pathlib').Path('{target}').touch() == 1"):
        with pytest.raises(ValueError, match="Rule"):
            Constraint("r", text)
    assert not target.exists()


MISSING = pd.DataFrame({"a": [None, None, 1.0, -1.0], "b": [1.0, -1.0, None, None]})


@pytest.mark.parametrize(
    ("expression", "broken"),
    [
        ("a > b", [False, False, False, False]),
        ("a == b", [False, False, False, False]),
        ("a != b", [False, False, False, False]),
        ("not a > 0", [False, False, True, False]),
        ("a in [1]", [False, False, False, True]),
        ("a not in [1]", [False, False, True, False]),
        # One part decides, whatever the other would be.
        ("a > 0 or b > 0", [False, False, False, False]),
        ("a > 0 and b > 0", [False, True, False, True]),
        ("a.notna()", [True, True, False, False]),
        ("a.isna()", [False, False, True, True]),
        ("a.notna() and a > 0", [True, True, False, True]),
        ("a.isna() or a > 0", [False, False, False, True]),
        ("a.notna() or b > 0", [False, True, False, False]),
        ("(a > 0) == (b > 0)", [False, False, False, False]),
        ("a * 0 == 0", [False, False, False, False]),
    ],
)
@pytest.mark.parametrize("dtype", ["float64", "Float64", object])
def test_missing_values_break_no_rule_unless_asked_for(expression, broken, dtype):
    assert Constraint("r", expression).is_broken_by(MISSING.astype(dtype)).tolist() == broken


def test_long_whole_numbers_are_told_apart():
    table = pd.DataFrame({"start": [201902271530], "end": [201902271605]})
    assert not Constraint("r", "start != end").is_broken_by(table).any()
    assert not Constraint("r", "start < end").is_broken_by(table).any()
    assert Constraint("r", "start >= end").is_broken_by(table).all()


def test_sums_are_equal_within_rounding():
    parts = pd.DataFrame({"a": [0.1, 0.7, 1.1, 0.3], "b": [0.2, 0.1, 2.2, -0.1]})
    table = parts.assign(total=(parts["a"] + parts["b"]).round(1))
    for expression in ("total == a + b", "total - a - b == 0", "not total != a + b", "not total < a + b"):
        assert not Constraint("sum", expression).is_broken_by(table).any(), expression
        assert Constraint("sum", expression).is_broken_by(table.assign(total=table["total"] - 1e-6)).all(), expression
    for expression in ("total >= a + b", "a + b >= total", "total <= a + b"):
        assert not Constraint("bound", expression).is_broken_by(table).any(), expression


def test_a_broken_rule_is_broken_whatever_the_missing_values_are(table):
    rng = np.random.default_rng(2)
    gaps = table[["a", "b", "c"]].mask(rng.random((len(table), 3)) < 0.3)
    n_broken = 0
    for expression in [random_condition(rng, 2).replace("`class`", "c") for _ in range(60)]:
        try:
            broken = Constraint("r", expression).is_broken_by(gaps)
        except ValueError:
            continue  # constants alone
        for values in (-2.0, 0.0, 1.5):
            assert not (broken & ~Constraint("r", expression).is_broken_by(gaps.fillna(values))).any(), expression
        n_broken += broken.sum()
    assert n_broken > 100


def test_values_are_taken_as_they_are():
    texts = pd.DataFrame({"a": ["1", "2", None]})
    assert Constraint("r", "a == '1'").is_broken_by(texts).tolist() == [False, True, False]
    assert Constraint("r", "a == 1").is_broken_by(texts).tolist() == [True, True, False]
    with pytest.raises(ValueError, match="holds text, which has no order"):
        Constraint("r", "a > 1").is_broken_by(texts)


def test_objects_may_be_numbers_and_truths():
    table = pd.DataFrame({"a": [True, None, False], "b": [1, pd.NA, 2.5], "none": [None, None, None]}, dtype=object)
    assert Constraint("r", "a == 1").is_broken_by(table).tolist() == [False, False, True]
    assert Constraint("r", "b < 2").is_broken_by(table).tolist() == [False, False, True]
    assert not Constraint("r", "none > 1 and none == 'x'").is_broken_by(table).any()


def test_columns_are_listed_once_in_order():
    rule = Constraint("r", "`x y` + log(b) > `x y` and µg.notna() and abs(-b) in [1]")
    assert rule.columns == ("x y", "b", "µg")


def test_letters_are_those_of_the_table():
    # Python would make the Greek mu of the micro sign.
    table = pd.DataFrame({"µg": [1, 2]})
    assert Constraint("r", "µg > 1").is_broken_by(table).tolist() == [True, False]


def test_absent_column_is_named():
    with pytest.raises(ValueError, match=r"Rule 'r': Unknown column 'agee'\. Did you mean 'age'"):
        Constraint("r", "agee > 1").is_broken_by(pd.DataFrame({"age": [1]}))


def test_no_rows_break_nothing():
    assert Constraint("r", "a > 1 and b == 'x'").is_broken_by(pd.DataFrame({"a": [], "b": []})).tolist() == []


def test_rules_travel_to_other_processes():
    rule = Constraint("r", "a > 1")
    assert pickle.loads(pickle.dumps(rule)) == rule


def test_short_forms():
    table = pd.DataFrame({"a": [1, 0, 1, 0.5], "b b": [0, 0, 1, 0.5], "total": [1, 0.3, 2.05, 1]})
    assert one_hot(["a", "b b"]).is_broken_by(table).tolist() == [False, True, True, True]
    assert in_range("a", 0.5).is_broken_by(table).tolist() == [False, True, False, False]
    assert in_range("a", high=0.5).is_broken_by(table).tolist() == [True, False, True, False]
    assert in_range("a", -1, np.float64(0)).expression == "-1 <= a <= 0.0"
    assert sums_to(["a", "b b"], "total", 0.1).is_broken_by(table).tolist() == [False, True, False, False]
    assert sums_to(["a", "b b"], 1).is_broken_by(table).tolist() == [False, True, True, False]
    assert sums_to(["a", "b b"], 1).is_broken_by(table + 0.1 + 0.2 - 0.3).tolist() == [False, True, True, False]
    assert one_hot(["a", "b b"]).name == "exactly one of a, b b" and in_range("a", 0, name="x").name == "x"


def test_a_hundred_columns_make_one_group():
    names = [f"site.{number}" for number in range(100)]
    table = pd.DataFrame(np.eye(100), columns=names)
    assert not one_hot(names).is_broken_by(table).any()
    assert one_hot(names).is_broken_by(table.assign(**{"site.0": 1.0}))[1:].all()


YAML_RULES = """
- systolic > diastolic
- "`phecode_401.1` == 0 or age > 18"
- name: only women
  expression: sex == 'f' or pregnant == 0
- one_hot: [a, b]
- range: {column: age, low: 0, high: 120}
- range: {column: bmi, low: 10}
  name: someone
- sum: {columns: [albumin, globulin], total: protein, tolerance: 0.1}
"""


def test_rules_are_read_from_yaml(tmp_path):
    path = tmp_path / "rules.yaml"
    path.write_text(YAML_RULES, encoding="utf-8")
    rules = read_constraints(path)
    assert [rule.name for rule in rules] == [
        *("systolic > diastolic", "`phecode_401.1` == 0 or age > 18", "only women", "exactly one of a, b"),
        *("0 <= age <= 120", "someone", "albumin + globulin = protein"),
    ]
    assert rules[5].expression == "10 <= bmi"
    assert rules[6].expression == "abs(albumin + globulin - protein) <= 0.1"
    assert constraints_from(rules) == rules


def test_powers_of_ten_are_numbers(tmp_path):
    text = "- range: {column: a, low: 1e-4, high: 3}\n- {range: {column: b, high: 1e3}}\n"
    (tmp_path / "rules.yaml").write_text(f"{text}- {{sum: {{columns: [a, b], total: 1e3, tolerance: 1e-2}}}}")
    assert [rule.expression for rule in read_constraints(tmp_path / "rules.yaml")] == [
        "0.0001 <= a <= 3",
        "b <= 1000.0",
        "abs(a + b - 1000.0) <= 0.01",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("`a` > 1", "near line 1.*double quotes"),
        ("- a > 1\n- `b c` > 1", "near line 2.*double quotes"),
        ("a > 1", "holds 'a > 1'"),
        ("", "holds None"),
        ("constraints:\n- a > 1", "Expected a YAML list of rules"),
        ("- 1", "Expected a rule such as .*; got 1"),
        ("- a: 1", "Expected a rule such as"),
        ("- {one_hot: [a, b], range: {column: a, low: 1}}", "Expected a rule such as"),
        ("- {one_hot: a}", "needs a list of two or more column names, got 'a'"),
        ("- {one_hot: [a]}", "two or more"),
        ("- {one_hot: [1, 2]}", "two or more"),
        ("- {range: {column: a}}", "low <= high, or one of the two"),
        ("- {range: {column: a, low: 2, high: 1}}", "low <= high"),
        ("- {range: {column: a, low: x}}", "must be a number, got 'x'"),
        ("- {range: {column: a, low: true}}", "must be a number, got True"),
        ("- {range: {column: a, low: .inf}}", "must be a number, got inf"),
        ("- {range: {column: a, low: x, high: 3}}", "low of a rule must be a number, got 'x'"),
        ("- {range: {column: a, low: 1, high: [3]}}", r"high of a rule must be a number, got \[3\]"),
        ("- {range: {column: a, low: true, high: 3}}", "low of a rule must be a number, got True"),
        ("- {range: {column: a, low: null, high: null}}", "low <= high, or one of the two"),
        ("- {range: {column: a, high: .nan}}", "must be a number, got nan"),
        pytest.param(f"- {{range: {{column: a, low: {'9' * 400}}}}}", "must be a number, got 999", id="long number"),
        pytest.param(f"- {{range: {{column: a, low: {'9' * 5000}}}}}", "cannot be read", id="endless number"),
        ("- {range: {column: null, low: 1}}", "must be text, got None"),
        ("- {range: null}", "needs column .and high, low.*got None"),
        ("- {range: {column: a, low: 1}, name: 0}", "both text, got 0"),
        ("- {range: {column: a, low: 1}, name: ''}", "both text, got ''"),
        ("- {one_hot: [a, a]}", "columns that differ"),
        ("- {sum: {columns: [a, b], total: null}}", "total of a rule must be a number, got None"),
        ("- {sum: {columns: [a, b], total: [c]}}", "total of a rule must be a number"),
        ("- {sum: {columns: [a, b], total: true}}", "total of a rule must be a number, got True"),
        ("- {sum: {columns: [a, b], total: 1, tolerance: -1}}", "must not be below 0, got -1"),
        ("- 2024-13-01", "cannot be read"),
        ("- {range: {column: a, low: 1, low: 2}}", "each name once in a group, got 'low' again in line 1"),
        ("- {range: {column: 1, low: 1}}", "must be text"),
        ("- {range: {column: a, lowest: 2}}", "needs column .and high, low.*got"),
        ("- {sum: {columns: [a, b]}}", "needs columns, total .and tolerance"),
        ("- {sum: {columns: [a, b], total: 1, tolerance: x}}", "tolerance of a rule must be a number"),
        ("- {name: 1, expression: a > 1}", "both text"),
        ("- {name: ' ', expression: a > 1}", "both text"),
        ("- {name: x, expression: a > }", "Rule 'x': .*no condition"),
        ("- {one_hot: [a, 'b`c']}", "Rename the column"),
        ("- a > 1\n- a > 1", "'a > 1'.* more than once"),
        ("- !!python/object/apply:os.system ['true']", "cannot be read"),
    ],
)
def test_other_yaml_is_refused_in_one_line(tmp_path, content, message):
    path = tmp_path / "rules.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=message) as refused:
        read_constraints(path)
    assert str(path) in str(refused.value) and len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("entries", ["a > 1", {"range": {"column": "a", "low": 1}}, 1, None], ids=repr)
def test_rules_come_in_a_list(entries):
    with pytest.raises(ValueError, match="Expected a list of rules"):
        constraints_from(entries)


def test_range_with_an_empty_end_has_none():
    (rule,) = constraints_from([{"range": {"column": "a", "low": None, "high": 3}}])
    assert rule == in_range("a", high=3)


def test_absent_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"rules\.yaml"):
        read_constraints(tmp_path / "rules.yaml")


RULES = constraints_from(
    [
        "age > 40",
        {"name": "smokers have diabetes", "expression": "smoker == 0 or diabetes == 1"},
        "stage in ['I', 'II']",
        "bmi.isna() or bmi < 30",
    ]
)
WITH_RULES = replace(SCHEMA, constraints=RULES)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("agee > 1", "Rule 'agee > 1': character 1, .*Unknown column 'agee'. Did you mean 'age'"),
        ("person == 1", "Unknown column 'person'"),
        ("site > 1", "texts have no order"),
        ("abs(site) == 1", "texts have no order and no arithmetic"),
        ("site + 1 == 2", "no arithmetic"),
        ("age == 'old'", "a number and a text are never equal"),
        ("site == 1", "Unknown category of column 'site': 1"),
        ("site == 'nord'", "Unknown category of column 'site': 'nord'. Did you mean 'north'"),
        ("'IV' != stage", "Unknown category of column 'stage'"),
        ("stage in ['I', 'IIII']", "Unknown category of column 'stage': 'IIII'. Did you mean 'III'"),
        ("smoker == 2", "Unknown category of column 'smoker': 2. Choose one of: 0, 1"),
    ],
)
def test_schema_refuses_rules_that_do_not_fit_its_columns(rule, message):
    with pytest.raises(ValueError, match=message) as refused:
        replace(SCHEMA, constraints=constraints_from([rule]))
    assert len(str(refused.value).splitlines()) == 1


def test_schema_takes_rules_that_fit():
    rules = constraints_from(["smoker == True", "site != 'north' or stage == 'I'", "site in ['west']", "smoker < 1"])
    assert replace(SCHEMA, constraints=rules).constraints == rules


def test_schema_refuses_two_rules_of_one_name():
    with pytest.raises(ValueError, match=r"\['r'\] more than once"):
        replace(SCHEMA, constraints=(Constraint("r", "age > 1"), Constraint("r", "age > 2")))


def test_from_table_puts_rules_into_the_schema(patients):
    rules = constraints_from(["age > 200"])
    dataset = from_table(patients, label="died", constraints=rules)
    assert dataset.schema.constraints == rules and len(dataset.train) + len(dataset.test) == len(patients)
    with pytest.raises(ValueError, match="Unknown column"):
        from_table(patients, constraints=constraints_from(["weight > 200"]))


def test_measure_counts_rows_by_rule(train, test, synthetic):
    (measure,) = measures(WITH_RULES)
    assert measure.compute is constraints and measure.real is constraints_of_real
    found = measure.compute(Tables(train, test, synthetic, WITH_RULES))
    assert set(found.estimates) == {metric.name for metric in measure.metrics} and not found.notes
    breaks = np.column_stack(
        [
            synthetic["age"] <= 40,
            (synthetic["smoker"] == 1) & (synthetic["diabetes"] == 0),
            synthetic["stage"] == "III",
            synthetic["bmi"] >= 30,
        ]
    )
    by_rule = found.details["by_rule"]
    assert list(by_rule.columns) == ["expression", "train", "test", "synthetic", "n_synthetic"]
    assert list(by_rule.index) == [rule.name for rule in RULES]
    assert by_rule["expression"].tolist() == [rule.expression for rule in RULES]
    assert by_rule["n_synthetic"].tolist() == breaks.sum(axis=0).tolist()
    np.testing.assert_allclose(by_rule["synthetic"].to_numpy(float), breaks.mean(axis=0))
    pd.testing.assert_series_equal(by_rule["test"], broken_share(test, WITH_RULES), check_names=False)
    estimate = found.estimates["broken rules"]
    assert estimate.value == breaks.any(axis=1).mean() and estimate.low < estimate.value < estimate.high


def test_rows_of_one_person_are_no_further_people(train, test):
    """Forty days of somebody who is out of range, or breaks a rule, tell of others no more than one of them."""
    single = test.assign(person=np.arange(len(test)), age=test["age"].where(np.arange(len(test)) % 9 > 0, 130))
    many = single.loc[single.index.repeat(40)].reset_index(drop=True)
    once, often, as_many_people = (
        constraints(Tables(train, test, rows, WITH_RULES)).estimates
        for rows in (single, many, many.assign(person=np.arange(len(many))))
    )
    for name in ("broken rules", "out of range"):
        assert often[name] == pytest.approx(once[name]) and once[name].value > 0
        assert as_many_people[name].high - as_many_people[name].low < 0.3 * (once[name].high - once[name].low)


@pytest.mark.slow
def test_rules_that_no_real_person_breaks_are_not_excused_by_few_test_people():
    """Nobody of 125 people breaks it on any of 40 days: one synthetic row in ten that does is no chance."""
    rng = np.random.default_rng(0)

    def days(n_people):
        low = rng.normal(80, 8, 40 * n_people)
        table = pd.DataFrame({"low": low, "high": low + rng.uniform(10, 60, len(low))}).round(1)
        return table.assign(person=np.repeat(np.arange(n_people), 40))

    train, test, synthetic = days(100), days(25), days(100).drop(columns="person")
    schema = replace(infer_schema(train, group="person"), constraints=constraints_from(["high > low"]))
    of_real = constraints_of_real(Tables(train, test, synthetic, schema)).estimates["broken rules"]
    assert of_real.value == of_real.low == 0 and of_real.high < 0.04
    synthetic.loc[::10, "high"] = synthetic["low"] - 5
    test["person"] += 1_000
    judged = verdicts(evaluate(train, test, synthetic, schema, fast=True).scores)
    assert {one.metric: one.level for verdict in judged for one in verdict.criteria}["broken rules"] == "poor"


@pytest.mark.parametrize("n_people", [1, 2, 7, 90])
def test_a_share_lies_in_its_interval_however_few_people_it_is_of(n_people):
    for n_hits in range(92):
        estimate = share_estimate(np.arange(91) < n_hits, n_people)
        assert estimate.low <= estimate.value == n_hits / 91 <= estimate.high


def test_measure_says_that_there_are_no_rules(train, test, synthetic):
    found = constraints(Tables(train, test, synthetic, SCHEMA))
    assert np.isnan(found.estimates["broken rules"].value) and "no rules" in found.notes["broken rules"]
    assert found.estimates["out of range"].value >= 0 and found.details["by_rule"].empty


def test_spelling_of_categories_does_not_break_rules(synthetic):
    spelled = synthetic.assign(
        smoker=synthetic["smoker"].map({0: "False", 1: "1.0"}),
        diabetes=synthetic["diabetes"].astype(bool),
        stage=synthetic["stage"].astype("category"),
    )
    pd.testing.assert_series_equal(broken_share(spelled, WITH_RULES), broken_share(synthetic, WITH_RULES))


def test_unknown_categories_are_no_category_of_a_rule(synthetic):
    assert broken_share(synthetic.assign(stage="IV"), WITH_RULES)["stage in ['I', 'II']"] == 1
    assert broken_share(synthetic.assign(smoker=2, diabetes=0), WITH_RULES)["smokers have diabetes"] == 1
    # A text among numbers cannot be reckoned with; it is counted as out of range.
    assert broken_share(synthetic.assign(smoker="often", diabetes=0), WITH_RULES)["smokers have diabetes"] == 0


def test_rows_of_train_are_never_out_of_range(train, synthetic):
    assert not rows_out_of_range(train, train, SCHEMA).any(axis=None)
    assert (
        constraints(Tables(train, train, train.sample(200, random_state=0), SCHEMA)).estimates["out of range"].value
        == 0
    )


def test_out_of_range_is_counted_by_column_and_row():
    schema = Schema(
        (Column("x", "numeric", missing=True), Column("site", "categorical", ("a", "b", "c"), missing=True))
    )
    train = pd.DataFrame({"x": [1, 3, np.nan], "site": ["a", "b", None]})
    table = pd.DataFrame(
        {"x": [0.9, 1, 3, 3.1, np.nan, 2], "site": ["a", "b", "c", "d", None, "a"]}, index=range(5, 11)
    )
    outside = rows_out_of_range(train, table, schema)
    assert outside["x"].tolist() == [True, False, False, True, False, False]
    assert outside["site"].tolist() == [False, False, True, True, False, False]
    estimate = constraints(Tables(train, train, table, schema)).estimates["out of range"]
    assert estimate.value == pytest.approx(3 / 6)


def test_without_train_values_every_value_is_out_of_range():
    schema = Schema((Column("x", "numeric", missing=True),))
    outside = rows_out_of_range(pd.DataFrame({"x": [np.nan]}), pd.DataFrame({"x": [1.0, np.nan]}), schema)
    assert outside["x"].tolist() == [True, False]


def test_measurement_tells_no_value_of_train(train, test, synthetic):
    marked = train.assign(pressure=train["pressure"].where(train.index != 7, 987.654))
    assert "987.654" not in str(constraints(Tables(marked, test, synthetic, WITH_RULES)))


def test_violations_are_a_share_of_records_and_exist_for_codes_that_never_occur():
    # The reference divides by the carriers of a code, which is NaN where nobody carries it.
    schema = Schema(
        (Column("sex", "binary", (0, 1)), Column("phecode_600", "binary", (0, 1))),
        constraints=constraints_from(["phecode_600 == 0 or sex == 0"]),
    )
    nobody = pd.DataFrame({"sex": make_patients(40, 0)["diabetes"], "phecode_600": 0})
    assert broken_share(nobody, schema).tolist() == [0.0]
    assert broken_share(nobody.assign(phecode_600=1), schema).item() == pytest.approx(nobody["sex"].mean())


def test_rules_survive_yaml_and_older_schemas_have_none(tmp_path):
    WITH_RULES.write(tmp_path / "schema.yaml")
    again = Schema.read(tmp_path / "schema.yaml")
    assert again == WITH_RULES and again.constraints == RULES
    SCHEMA.write(tmp_path / "older.yaml")
    assert "constraints" not in yaml.safe_load((tmp_path / "older.yaml").read_text())
    assert Schema.read(tmp_path / "older.yaml").constraints == ()
