import dataclasses
import hashlib
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from evaluation_tables import SCHEMA, make_patients

from rlsyn.constraints import Constraint
from rlsyn.evaluation.constraints import constraints
from rlsyn.evaluation.evaluation import Evaluation
from rlsyn.evaluation.fidelity import detection
from rlsyn.evaluation.fidelity.association import association_matrix
from rlsyn.evaluation.fidelity.marginals import measure_marginals
from rlsyn.evaluation.measure import Tables
from rlsyn.evaluation.privacy import membership
from rlsyn.evaluation.report import plots, write_report
from rlsyn.evaluation.report.gallery import make_pictures
from rlsyn.evaluation.report.report import _worst_pairs
from rlsyn.evaluation.suite import evaluate
from rlsyn.evaluation.verdicts import verdicts
from rlsyn.files import file_stamp
from rlsyn.schema import Column, Schema

pytestmark = pytest.mark.filterwarnings("error")
NAN = float("nan")


def score(family, metric, value, low=NAN, high=NAN, real=NAN, goal="minimise", note="", copy=0.2):
    names = ["family", "metric", "value", "low", "high", "goal", "minimum", "maximum"]
    row = dict(zip(names, [family, metric, value, low, high, goal, 0.0, 1.0], strict=True))
    return row | {
        "real_low": NAN,
        "real_high": NAN,
        "real": real,
        "copy": copy,
        "independent": 0.3,
        "warm_start": 0.4,
        "note": note,
        "meaning": "It means.",
    }


SCORES = pd.DataFrame(
    [
        score("fidelity", "KS mean", 0.01234, 0.011, 0.0144, real=0.02),
        score("fidelity", "detection AUC (LightGBM)", 0.7, 0.65, 0.75, real=0.5, goal="0.5", copy=1.0),
        score("utility", "S2R AUC", 0.88, 0.84, 0.91, real=0.89, goal="maximise"),
        score("utility", "S2R AUC (lightgbm)", 0.88, 0.84, 0.91, real=0.89, goal="maximise"),
        score("privacy", "membership AUC", 0.97, 0.95, 0.99, real=0.5, goal="0.5", copy=1.0),
        score("privacy", "DOMIAS AUC", NAN, goal="0.5", note="not computed: left out for speed (fast)"),
        score("constraints", "broken rules", 0.0, 0.0, 0.01, real=0.0),
    ]
)
RULES = pd.DataFrame(
    {"expression": ["age >= 18"], "train": [1 / 450], "test": [0.0], "synthetic": [0.125], "n_synthetic": [56]},
    index=["adults only"],
)
PEOPLE = pd.DataFrame({"train": [1], "test": [0]}, index=RULES.index)


def make_evaluation(train, test, synthetic, schema=SCHEMA, details=None, **changes):
    tables = Tables(train, test, synthetic, schema, with_intervals=False)
    always = {"marginals": measure_marginals, "constraints": constraints}
    found = {name: {"synthetic": compute(tables).details} for name, compute in always.items()} | (details or {})
    blank = Evaluation(SCORES, found, train, test, synthetic, schema, "Ward 7", "Invented.")
    return dataclasses.replace(blank, **changes)


def make_details(train, test, synthetic):
    rng = np.random.default_rng(0)
    matrices = {
        "matrix": association_matrix(synthetic, SCHEMA),
        "real_matrix": association_matrix(train, SCHEMA),
    }
    level = np.linspace(0, 1, 11)
    curve = {"model": "lightgbm", "false_positive_rate": level, "true_positive_rate": np.sqrt(level)}
    bins = {"model": "lightgbm", "predicted": level[::2], "observed": level[::2] ** 2}
    models = {"roc": pd.DataFrame(curve), "calibration": pd.DataFrame(bins)}
    return {
        "association": {"synthetic": matrices},
        "detection": {
            "synthetic": {
                "scores": pd.DataFrame({"is_synthetic": np.arange(200) < 100, "score": rng.random(200)}),
                "persons": np.arange(100),
            }
        },
        "clusters": {"synthetic": {"curve": pd.DataFrame({"level": level, "precision": level, "recall": level**2})}},
        "utility": {"synthetic": models, "real": models},
        "membership": {
            "synthetic": {
                "distances": {"train": rng.random(len(train)), "test": rng.random(len(test))},
                "persons": {"train": np.arange(len(train)), "test": np.arange(len(test))},
            }
        },
        "constraints": {"synthetic": {"by_rule": RULES, "people_by_rule": PEOPLE}},
    }


class Page(HTMLParser):
    """Tags of a page and what links and pictures point to."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.unbalanced = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "input", "line", "path", "rect", "circle", "wbr", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if self.open and self.open[-1] == tag:
            self.open.pop()
        else:
            self.unbalanced.append(tag)

    def named(self, *names):
        return [attributes for tag, attributes in self.tags if tag in names]


@pytest.fixture(scope="module")
def full(tmp_path_factory, train, test, synthetic):
    evaluation = make_evaluation(train, test, synthetic, details=make_details(train, test, synthetic))
    path = write_report(
        evaluation, tmp_path_factory.mktemp("report") / "new", command="run <it>", versions={"rlsyn": "9.9"}
    )
    return path, path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(full):
    return Page(full[1])


def test_a_report_names_the_file_that_it_judged(tmp_path, train, test, synthetic):
    evaluation = make_evaluation(train, test, synthetic, file=file_stamp("S <1>.csv", b"age\n40\n"))
    html = write_report(evaluation, tmp_path / "file").read_text(encoding="utf-8")
    assert "file S &lt;1&gt;.csv, SHA-256" in html and hashlib.sha256(b"age\n40\n").hexdigest() in html
    in_memory = write_report(dataclasses.replace(evaluation, file=None), tmp_path / "memory")
    assert "SHA-256" not in in_memory.read_text(encoding="utf-8")


def text_of(html):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<(style|script).*?</\1>", "", html)))


def test_report_is_one_file_that_loads_nothing(full, page):
    _, html = full
    assert not page.named("link", "iframe", "object", "embed", "base")
    assert all(attributes["src"].startswith("data:image/png;base64,") for attributes in page.named("img"))
    assert not any("src" in attributes for attributes in page.named("script"))
    assert all(attributes["href"].startswith("#") for attributes in page.named("a"))
    assert not re.search(r"https?://|@import|url\(", html)


def test_report_is_well_formed_and_accessible(page):
    assert not page.unbalanced and not page.open
    assert all(attributes["alt"].strip() for attributes in page.named("img"))
    assert all(attributes.get("scope") for attributes in page.named("th"))
    assert all("aria-label" in a or a.get("aria-hidden") == "true" for a in page.named("svg"))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {attributes["href"][1:] for attributes in page.named("a")} <= set(ids)


def test_sections_stand_in_the_order_of_what_matters(page):
    ids = [attributes["id"] for attributes in page.named("section")]
    assert " ".join(ids) == "verdicts scores skipped marginals association overlay utility privacy rules about"


def test_figures_are_files_as_well(full):
    path, html = full
    names = {figure.stem for figure in (path.parent / "figures").glob("*.png")}
    assert {"marginals", "association_difference", "principal_components", "roc_lightgbm"} <= names
    assert len(names) - 1 == html.count("<img")  # the overview of the worst columns is drawn column by column instead
    assert not list(path.parent.glob("*.part"))


def test_scores_stand_beside_interval_references_goal_and_meaning(full):
    text = text_of(full[1])
    assert re.search(r"KS mean It means\. 0\.012 0\.011 to 0\.014 0\.020 0\.200 0\.300 0\.400 lower is better", text)
    assert "near 0.5" in text and "higher is better" in text and "warm start" in text


def test_what_was_not_computed_is_listed_with_the_reason(full):
    skipped = text_of(full[1].split('<section id="skipped">')[1].split("</section>")[0])
    assert "DOMIAS AUC : not computed: left out for speed (fast)" in skipped
    assert "nan" not in text_of(full[1]).lower().replace("finan", "")


def test_verdicts_are_words_and_symbols_with_their_thresholds(full):
    shown = text_of(full[1].split('<section id="verdicts">')[1].split("</section>")[0])
    symbols = {"good": "✔ good", "fair": "▲ fair", "poor": "✖ poor", "unknown": "? not judged"}
    found = verdicts(SCORES)
    assert {"good", "fair", "poor"} <= {verdict.level for verdict in found}
    for verdict in found:
        assert f"{verdict.family.capitalize()} {symbols[verdict.level]} {verdict.wording}" in shown
        assert all(criterion.text in shown for criterion in verdict.criteria)
    assert "not a proof of anonymity" in shown


def test_people_are_counted_beside_rows(full):
    text = text_of(full[1])
    assert "450 train rows of 150 people" in text and "210 test rows of 70 people" in text


def test_command_and_versions_stand_at_the_end(full):
    about = full[1].split('<section id="about">')[1]
    assert "run &lt;it&gt;" in about and "9.9" in about


def test_a_rule_that_one_person_breaks_is_not_counted_out(full):
    rules = text_of(full[1].split('<section id="rules">')[1].split("</section>")[0])
    assert "adults only age &gt;= 18 fewer than 3 people 0 % 12.5 %" in rules


def test_the_rules_table_counts_people_and_not_their_rows(train, test, synthetic, tmp_path):
    # Each person of train has three rows: of 450, one makes 0.7 %, three make 2 %. Three people are 1, 2 and 3 old.
    table = train.assign(age=np.where(train["person"] < 3, 1 + train["person"], 40))
    test, synthetic = test.assign(age=40), synthetic.assign(age=40)
    rules = tuple(Constraint(f"of {n_people}", f"age > {n_people}") for n_people in range(4))
    schema = dataclasses.replace(SCHEMA, constraints=rules)
    html = write_report(make_evaluation(table, test, synthetic, schema), tmp_path).read_text()
    for n_people, shown in enumerate(("0 %", "fewer than 3 people", "fewer than 3 people", "2.0 %")):
        assert f"of {n_people} age > {n_people} {shown} 0 % 0 %" in text_of(html.replace("&gt;", ">"))


@pytest.mark.parametrize(("n_test", "n_train"), [pytest.param(1, 0, marks=pytest.mark.slow), (2, 3), (3, 2)])
def test_scores_do_not_count_out_whom_the_rules_table_hides(train, test, synthetic, tmp_path, n_test, n_train):
    schema = dataclasses.replace(SCHEMA, constraints=(Constraint("adults", "age >= 18"),))
    one_row_each, breaks = np.arange(60) * 3, {"test": n_test, "train": n_train}
    sides = {
        name: table.assign(age=40).iloc[one_row_each].assign(age=np.where(np.arange(60) < breaks[name], 3, 40))
        for name, table in (("train", train), ("test", test))
    }
    evaluation = evaluate(**sides, synthetic=synthetic.assign(age=40)[:60], schema=schema, fast=True)
    html = write_report(evaluation, tmp_path).read_text()
    row = re.search(r"(?s)>broken rules<.*?</tr>", html)[0]
    cells = dict(re.findall(r'data-label="(\w+)">([^<]*)<', row))
    for name, count in {"real": n_test, "copy": n_train, "independent": n_train}.items():
        assert (cells[name] == "fewer than 3 people") == (f'class="{name}"' not in row) == (0 < count < 3)
    text = next(text for text in re.findall(r"</b>([^<]*)</li>", html) if text.startswith("broken rules"))
    assert ("good up to 0.01 and" in text and f"{n_test / 60:.3f}" not in text) == (n_test < 3)
    assert ("real rows 0.050)" in text) == (n_test == 3)


def test_simulated_rows_are_told_loudly_and_only_they(full, train, test, synthetic, tmp_path):
    simulated = write_report(make_evaluation(train, test, synthetic, simulated=True), tmp_path).read_text()
    for html, is_simulated in ((simulated, True), (full[1], False)):
        assert ("<h1>SIMULATED Ward 7</h1>" in html) == ("SIMULATED DATA" in html) == is_simulated


def test_no_real_person_can_be_read_from_the_report(tmp_path, synthetic):
    train = make_patients(450, 0).astype({"person": object, "bmi": float})
    columns = [
        dataclasses.replace(column, categories=("Commonville", "Rareville", "north", "south", "west"))
        if column.name == "site"
        else column
        for column in SCHEMA.columns
    ]
    train.loc[0, ["pressure", "bmi", "age", "site", "person"]] = [987654.321, 4711.5, 1234567, "Rareville", "PERSON-X"]
    train.loc[3:250, "site"] = "Commonville"
    schema = Schema(tuple(columns), "diabetes", "person")
    test = make_patients(210, 1)
    details = {"association": {"synthetic": {"matrix": association_matrix(synthetic, schema)}}}
    evaluation = make_evaluation(train, test, synthetic, schema, details=details)
    text = re.sub(r"base64,[^\"]*", "", write_report(evaluation, tmp_path).read_text())
    assert "Commonville" in text
    for planted in ("987", "4711", "4,711", "4 711", "1234567", "1 234", "1234k", "1 235k", "Rareville", "PERSON-X"):
        assert planted not in text, planted


@pytest.fixture(scope="module")
def with_rare_columns():
    # One person with another value in a column of each kind, two who alone have a value, one who lacks one.
    schema = Schema(
        (
            *(Column("age", "integer", missing=True), Column("weight", "numeric"), Column("lived", "binary", (0, 1))),
            Column("hiv", "binary", (0, 1)),
            Column("transplant", "categorical", ("no", "liver", "heart")),
            Column("viral_load", "numeric"),
            Column("titre", "numeric", missing=True),
        ),
        "lived",
        "person",
    )
    tables = [make_patients(n, seed) for seed, n in enumerate((300, 120, 300))]
    tables = [table.rename(columns={"pressure": "weight", "diabetes": "lived"}) for table in tables]
    tables = [table.assign(hiv=0, transplant="no", viral_load=0.0, titre=np.nan) for table in tables]
    tables[0].loc[0:2, ["hiv", "transplant", "viral_load"]] = [1, "heart", 555.5]
    tables[0].loc[0:5, "titre"] = 3.25
    tables[0]["age"] = tables[0]["age"].where(tables[0].index > 2)
    synthetic = tables[2].assign(hiv=1, transplant="liver", viral_load=99.0, titre=7.0)
    test = tables[1].assign(person=1_000 + tables[1]["person"])
    return tables[0], test, synthetic.drop(columns="person"), schema


HIDDEN = ("hiv", "transplant", "viral_load", "titre")


@pytest.mark.slow
def test_hidden_real_shares_cannot_be_had_from_the_distance(tmp_path, with_rare_columns):
    evaluation = evaluate(*with_rare_columns, fast=True)
    path = write_report(evaluation, tmp_path)
    evaluation.write_scores(tmp_path)
    html, written = path.read_text(), (tmp_path / "metrics.csv").read_text()
    for name in HIDDEN:
        label = re.search(f'aria-label="({name}: [^"]*)"', html).group(1)
        assert re.match(rf"{name}: (TV|KS) not shown", label)
        assert name not in written  # nor in any note
        pairs = html.split('id="association"')[1].split("</section>")[0]
        assert name not in pairs.replace("<wbr>", "")
    assert html.count("real side hidden") == len(HIDDEN)
    notes = evaluation.scores.set_index("metric")["note"]
    for metric in ("KS max", "TV mean", "DWD", "missing rate difference"):
        assert "a column that is not named (too few people)" in notes[metric] and "(1.000)" not in notes[metric]
    # Last, not in the place that its distance has among the others.
    panels = [attributes["data-name"] for attributes in Page(html).named("figure") if "data-name" in attributes]
    assert set(panels[-len(HIDDEN) :]) == set(HIDDEN)


def test_worst_pairs_are_of_columns_that_enough_people_have_both_of(with_rare_columns):
    """Two people with both values: on a line in the real rows, opposite in the synthetic ones."""
    train, test, synthetic, schema = with_rare_columns
    train = train.assign(titre=train["bmi"].where(train.index < 9), age=train["age"].where(train.index > 5))
    synthetic = synthetic.assign(titre=-synthetic["age"])
    matrices = {"matrix": association_matrix(synthetic, schema), "real_matrix": association_matrix(train, schema)}
    evaluation = make_evaluation(train, test, synthetic, schema, details={"association": {"synthetic": matrices}})
    pairs = [set(pair[:2]) for pair in _worst_pairs(evaluation)]
    assert {"age", "titre"} not in pairs and any("titre" in pair for pair in pairs)


def test_matrices_of_real_rows_are_blank_where_the_real_side_is_hidden(with_rare_columns, monkeypatch):
    drawn, draw = [], plots.matrix_figure
    monkeypatch.setattr(plots, "matrix_figure", lambda matrix, *rest: drawn.append(matrix) or draw(matrix, *rest))
    train, _, synthetic, schema = with_rare_columns
    matrices = {"matrix": association_matrix(synthetic, schema), "real_matrix": association_matrix(train, schema)}
    details = {"association": {"synthetic": matrices}}
    pictures, _ = make_pictures(make_evaluation(*with_rare_columns, details=details))
    real, _, difference = drawn
    for matrix in (real, difference):
        assert not matrix[list(HIDDEN)].any(axis=None) and not matrix.loc[list(HIDDEN)].any(axis=None)
        assert matrix.loc["age", "weight"] != 0
    assert "4 columns with too few people are left blank" in pictures[0].caption


def test_rows_that_are_drawn_for_figures_keep_their_persons(train, test, synthetic, monkeypatch):
    monkeypatch.setattr(membership, "MAX_ROWS_FAST", 90)
    monkeypatch.setattr(detection, "MAX_FAST_ROWS", 90)
    tables = Tables(train, test, synthetic, SCHEMA, fast=True, with_intervals=False)
    found = membership.compute_membership(tables).details
    for side in ("train", "test"):
        assert len(found["distances"][side]) == len(found["persons"][side]) == 90
        assert len(np.unique(found["persons"][side])) == 30
    found = detection.measure_detection(tables).details
    assert len(found["persons"]) == (~found["scores"]["is_synthetic"]).sum() == 90
    assert len(np.unique(found["persons"])) <= 70  # the people of the test rows


def test_a_report_without_details_lists_what_is_not_drawn(train, test, synthetic, tmp_path):
    schema = dataclasses.replace(SCHEMA, label=None, group=None)
    scores = SCORES.assign(value=NAN, low=NAN, high=NAN, real=NAN, note="not computed: no reason to")
    evaluation = make_evaluation(
        train, test, synthetic, schema, scores=scores, remarks=("Were the right files given?",)
    )
    html = write_report(evaluation, tmp_path).read_text()
    skipped = text_of(html.split('<section id="skipped">')[1].split("</section>")[0])
    for name in ("Association matrices", "Membership attack", "Utility by model", "Precision and recall"):
        assert name in skipped
    assert "Were the right files given?" in html


def test_wide_tables_show_the_worst_columns_and_count_the_rest(tmp_path):
    rng = np.random.default_rng(0)
    tables = [pd.DataFrame(rng.integers(0, 2, (60, 130)), columns=[f"code_{i}" for i in range(130)]) for _ in range(3)]
    tables[2]["code_77"] = 1
    schema = Schema(tuple(Column(name, "binary", (0, 1)) for name in tables[0]))
    html = write_report(make_evaluation(*tables, schema), tmp_path).read_text()
    panels = [a["data-name"] for a in Page(html).named("figure") if "data-name" in a]
    assert len(panels) == 120 and panels[0] == "code_77"
    assert "These are the worst 120 of 130 columns. Of the other 10" in html
    assert 'id="prevalence"' in html and "Prevalence of 130 binary columns" in html


def test_prevalence_says_why_columns_are_left_out():
    rng = np.random.default_rng(0)
    tables = [pd.DataFrame(rng.integers(0, 2, (60, 12)), columns=[f"code_{i}" for i in range(12)]) for _ in range(3)]
    tables[0]["code_0"] = np.arange(60) < 2
    tables[2] = tables[2].assign(code_1="no", code_2=NAN)
    schema = Schema(tuple(Column(name, "binary", (0, 1)) for name in tables[0]))
    (caption,) = (one.caption for one in make_pictures(make_evaluation(*tables, schema))[0] if one.name == "prevalence")
    reasons = "left out: 1 with too few people, 2 without a known value"
    assert caption == f"Prevalence of 9 binary columns; {reasons}"


def test_names_are_text_and_never_markup(tmp_path, train, test, synthetic):
    name = '<script>alert("1")</script> $x$'
    tables = [table[["age"]].rename(columns={"age": name}) for table in (train, test, synthetic)]
    schema = Schema((Column(name, "integer", unit="<b>years</b>"),))
    html = write_report(make_evaluation(*tables, schema, title="<i>Ward</i>"), tmp_path).read_text()
    assert html.count("<script>") == 1 and "<i>Ward" not in html and "<b>years" not in html
