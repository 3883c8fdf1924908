"""The ablation page: what is compared with what, what is marked, and the command of each row."""

import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from rlsyn.benchmark.ablation import (
    SHOWN,
    commands,
    difference_text,
    differences,
    overview,
    parameters_text,
    read_scores,
    table_of,
    together,
    write_scores,
)
from rlsyn.benchmark.cells import Cell
from rlsyn.benchmark.tables import half_width, wide
from rlsyn.methods import Variant, read_variants
from rlsyn.schema import infer_schema
from rlsyn.synthesizer import RLSyn
from rlsyn.table_options import given_reader_options

VARIANTS = Path(__file__).parents[1] / "experiments" / "variants" / "ablation.yaml"


def results_of(values: dict[str, list[float]], metric: str = "S2R AUC", folder: str = "a") -> pd.DataFrame:
    """Values by method and seed of one metric; all others are the same for everybody."""
    rows = [
        {"folder": folder, "table": "t", "method": method, "seed": seed, **dict.fromkeys(SHOWN, 0.6), metric: value}
        for method, of_seeds in values.items()
        for seed, value in enumerate(of_seeds)
    ]
    return pd.DataFrame(rows)


def test_differences_are_paired_by_seed():
    # Seeds differ by far more than the variants do, each the same way.
    results = results_of({"rlsyn": [0.1, 0.5, 0.9], "better": [0.111, 0.509, 0.910], "same": [0.11, 0.51, 0.88]})
    against = differences(results)
    assert against.groupby("method")["S2R AUC"].mean().round(3).to_dict() == {"better": 0.010, "same": 0.0}
    texts = table_of(results, "t").set_index("variant")["S2R AUC"]
    assert texts["better"].endswith("(+0.010 ± 0.002 ▲)")
    assert "▲" not in texts["same"] and "▼" not in texts["same"]
    assert "(" not in texts["rlsyn"]


@pytest.mark.parametrize(("metric", "mark"), [("S2R AUC", "▲"), ("association", "▼"), ("fit (s)", "▼"), ("KS", "▼")])
def test_more_is_better_or_worse_by_the_metric(metric, mark):
    assert difference_text(np.array([0.010, 0.011, 0.012]), metric).endswith(mark)
    assert overview(results_of({"rlsyn": [0.6] * 3, "more": [0.7, 0.71, 0.72]}, metric))[metric][0] == (
        f"+0.110 ± 0.025 {mark} (1{mark})"
    )


def test_the_mean_over_tables_has_an_interval_where_all_have_the_same_seeds():
    # One effect, and chance that differs by table: no table alone can tell, their mean can.
    chance = [np.array([0.03, -0.03, 0.0]), np.array([-0.03, 0.0, 0.03]), np.array([0.001, 0.029, -0.03])]
    tables = []
    for number, own in enumerate(chance):
        of_table = results_of({"rlsyn": [0.7] * 3, "more": list(0.72 + own)}, "detection").assign(table=f"t{number}")
        tables.append(of_table)
    row = overview(pd.concat(tables, ignore_index=True)).iloc[0]
    per_seed = 0.02 + np.mean(chance, axis=0)
    assert (row["tables"], row["detection"]) == ("3", f"+0.020 ± {half_width(per_seed):.3f} ▼")
    assert half_width(per_seed) < 0.001
    extra = tables[0].assign(seed=tables[0]["seed"] + 3)
    assert overview(pd.concat([*tables, extra], ignore_index=True)).iloc[0]["detection"] == "+0.020"
    none_in_common = pd.concat([tables[0], tables[1].assign(seed=tables[1]["seed"] + 3)], ignore_index=True)
    assert overview(none_in_common).iloc[0]["detection"] == "+0.020"


def test_utility_of_classes_and_of_numbers_is_never_one_mean():
    rows = [
        {"table": table, "method": method, "seed": 0, "metric": metric, "value": value}
        for table, metric in (("classes", "S2R AUC"), ("numbers", "S2R R2"))
        for method, value in (("rlsyn", 0.5), ("other", 0.5 if table == "classes" else 0.9))
    ]
    results = wide(pd.DataFrame(rows), SHOWN).reset_index().assign(folder="a")
    (row,) = overview(results).to_dict("records")
    assert (row["S2R AUC"], row["S2R R2"]) == ("+0.000", "+0.400")
    assert "KS" not in row
    assert "S2R R2" not in table_of(results, "classes") and "S2R AUC" not in table_of(results, "numbers")


def test_attacks_below_one_half_are_no_better_than_one_half():
    results = results_of({"rlsyn": [0.50, 0.49, 0.48], "lower": [0.40, 0.41, 0.40]}, "membership")
    assert (differences(results)["membership"] == 0).all()


def test_few_seeds_have_no_interval_and_no_mark():
    assert difference_text(np.array([0.1, 0.1]), "S2R AUC") == "+0.100"
    assert difference_text(np.array([]), "S2R AUC") == "-"


def test_a_mean_of_fewer_seeds_than_its_row_says_so():
    results = results_of({"rlsyn": [0.9, 0.91, 0.92, 0.93], "part": [0.9, 0.91, 0.92, np.nan], "all": [0.9] * 4})
    texts = table_of(results, "t").set_index("variant")
    assert texts.loc["part", "seeds"] == "4"
    assert texts.loc["part", "S2R AUC"] == "0.910 ± 0.025 (3 of 4 seeds) (+0.000 ± 0.000)"
    assert "of" not in texts.loc["part", "KS"] + texts.loc["all", "S2R AUC"]
    lacking = results_of({"rlsyn": [0.9, 0.91, 0.92, np.nan], "all": [0.9, 0.91, 0.92, 0.93]})
    texts = table_of(lacking, "t").set_index("variant")["S2R AUC"]
    assert "(3 of 4 seeds)" in texts["rlsyn"] and texts["all"].endswith("(+0.000 ± 0.000 of 3 pairs)")


def test_variants_are_compared_with_the_baseline_of_their_own_folder():
    first = results_of({"rlsyn": [0.5] * 3, "one": [0.6] * 3}, folder="first")
    second = results_of({"rlsyn": [0.7] * 3, "two": [0.8] * 3}, folder="second")
    rows = overview(pd.concat([first, second], ignore_index=True)).set_index("variant")["S2R AUC"]
    assert rows["one (first)"].startswith("+0.100") and rows["two (second)"].startswith("+0.100")


def test_parameters_are_written_as_a_command_line_takes_them():
    assert parameters_text({"kl_coef": 0.0, "algo_kwargs": {"n_epochs": 1}}) == "kl_coef:0.0 algo_kwargs.n_epochs:1"


def test_every_variant_of_the_file_changes_something_of_its_own():
    variants = read_variants(VARIANTS)
    changes = [str(variant.parameters) for variant in variants]
    assert len(set(changes)) == len(changes) >= 25
    assert all(variant.method == "rlsyn" and variant.from_config and variant.parameters for variant in variants)


def test_every_variant_of_the_file_can_be_built(patients):
    """Names of networks and heads are known to the policy only, which is made when a table is at hand."""
    schema = infer_schema(patients)
    for variant in read_variants(VARIANTS):
        model = RLSyn(**variant.parameters)
        encoding = model.prepare(patients, schema)
        model._build(encoding, encoding.encode(patients))
        assert model.policy.actor.network.n_attributes == len(schema.columns)


@pytest.mark.slow
def test_page_of_a_benchmark_holds_tables_and_commands_that_run(load_script, csv, tmp_path, capsys):
    """The command of a row is run again as it stands, but for its place: it finds its cells finished."""
    variants = tmp_path / "small.yaml"
    small = "n_records: 32, n_discriminator_warm_up: 1, warm_start_kwargs: {n_epochs: 1, n_linear_epochs: 1}"
    small += ", policy_kwargs: {n_hidden: 16}"
    variants.write_text(
        f"plain: {{method: rlsyn, total_timesteps: 0, {small}}}\n"
        f"trained: {{method: rlsyn, total_timesteps: 288, {small}}}\n"
    )
    out, page = tmp_path / "out", tmp_path / "page.md"
    benchmark, ablation = load_script("benchmark"), load_script("ablation")
    command = ["--csv", f"{csv}:died", "--methods", "none", "--variants", str(variants), "--fast", "--seeds", "0"]
    assert benchmark.main([*command, "-o", str(out)]) == 0
    assert ablation.main([str(out), "--variants", str(variants), "--baseline", "plain", "-o", str(page)]) == 0
    text = page.read_text()
    assert "## patients" in text and "| trained | 1 |" in text
    assert str(tmp_path) not in text
    line = next(line for line in text.splitlines() if line.startswith("- trained (out): "))
    words = shlex.split(line.split("`")[1])[2:]
    places = {"patients.csv:died": f"{csv}:died", "small.yaml": str(variants), "out": str(out)}
    assert benchmark.main([places.get(word, word) for word in words]) == 0
    assert "2 of 2 cells" in capsys.readouterr().out
    # The folder may be gone: the scores beside the page make it again, to the last letter.
    scores, again = tmp_path / "page.csv", tmp_path / "again.md"
    assert ablation.main([str(scores), "--variants", str(variants), "--baseline", "plain", "-o", str(again)]) == 0
    pages = [[line for line in path.read_text().splitlines() if "This page" not in line] for path in (page, again)]
    assert pages[0] == pages[1]
    assert scores.read_bytes() == (tmp_path / "again.csv").read_bytes()


def test_rows_of_ones_own_stand_beside_those_of_a_file_of_scores(load_script, tmp_path):
    ablation = load_script("ablation")
    for name in ("first", "second"):
        scores = results_of({"rlsyn": [0.1, 0.2, 1 / 3], name: [0.2, 0.3, 0.4]}, folder=name).assign(table="150")
        write_scores(scores.assign(command=f"run {name}", versions=f"made {name}\nof two"), tmp_path / f"{name}.csv")
    sources = [str(tmp_path / "first.csv"), str(tmp_path / "second.csv")]
    assert ablation.main([*sources, "-o", str(tmp_path / "both.md")]) == 0
    text = (tmp_path / "both.md").read_text()
    assert "| first (first) | 1 |" in text and "| second (second) | 1 |" in text
    assert "- second (second): run second" in text and "- first: made first\n- first: of two" in text
    both = read_scores(tmp_path / "both.csv")
    assert both["S2R AUC"].iloc[2] == 1 / 3 and set(both["table"]) == {"150"}
    pd.testing.assert_frame_equal(both, together([read_scores(Path(source)) for source in sources]))


def test_files_of_the_project_are_shown_by_their_path_there_and_others_by_their_name(load_script, tmp_path):
    script = load_script("ablation")
    assert script._shown(VARIANTS) == "experiments/variants/ablation.yaml"
    assert script._shown(tmp_path / "page.md") == "page.md"


def test_command_of_a_row_is_that_of_its_parameters_protocol_and_reader(load_script):
    variants = {"no_kl": ("v.yaml", Variant("no_kl", "rlsyn", {"kl_coef": 0.0}, from_config=True))}
    cell = Cell(
        "t", {"env": "AIREADI-v0", "data_dir": "/release"}, "no_kl", 0, "rlsyn", {"kl_coef": 0.0, "n_levels": 8}
    )
    (same,) = commands([replace(cell, protocol="paper")], variants, "a").values()
    assert "--env AIREADI-v0:DIR" in same and "--only no_kl" in same and "--protocol paper" in same
    both = [replace(cell, table="large", fast=True), replace(cell, seed=1)]
    assert [part.split(" --only no_kl")[1] for part in commands(both, variants, "a")["no_kl"].split("` and `")] == [
        " --fast --seeds 0 -o a",
        " --seeds 1 -o a`",
    ]
    asked = {"protocol": "default", "unit": "participant", "with_age": True, "with_bmi": False, "cache_dir": "/mine"}
    options = {**cell.options, "reader_options": asked}
    (read,) = commands([replace(cell, options=options)], variants, "a").values()
    words = shlex.split(read.strip("`"))[2:]
    assert words[words.index("--only") + 2 :][:6] == [
        "--unit",
        "participant",
        "--with-age",
        "--no-with-bmi",
        "--cache-dir",
        "DIR",
    ]
    given = given_reader_options(load_script("benchmark")._parser().parse_args(words))
    assert given == {**asked, "cache_dir": str(Path("DIR").absolute())}
    (changed,) = commands([replace(cell, parameters={"kl_coef": 0.9})], variants, "a").values()
    assert changed == "in no file of variants; parameters: kl_coef:0.9"


def test_row_that_shares_a_name_with_a_variant_has_no_command_but_its_parameters():
    variants = {
        "no_kl": ("v.yaml", Variant("no_kl", "rlsyn", {"kl_coef": 0.0}, from_config=True)),
        "small": ("v.yaml", Variant("small", "rlsyn", {"n_levels": 8})),
    }
    default = Cell("t", {"env": "AIREADI-v0"}, "rlsyn", 0, "", {})
    own = replace(default, method="no_kl", base="rlsyn", parameters={"kl_coef": 0.0, "n_records": 64})
    found = commands(
        [default, own, replace(own, method="small", parameters={"n_levels": 8, "kl_coef": 1})], variants, "a"
    )
    assert "--methods rlsyn --seeds 0" in found["rlsyn"]
    assert found["no_kl"] == "in no file of variants; parameters: kl_coef:0.0 n_records:64"
    assert found["small"] == "in no file of variants; parameters: n_levels:8 kl_coef:1"
    configured = [replace(default, parameters={"n_records": 64}), own]
    assert "--methods rlsyn --variants v.yaml --only no_kl" in commands(configured, variants, "a")["no_kl"]


def test_baseline_that_no_file_has_is_no_word_of_a_command():
    baseline = Cell("t", {"env": "AIREADI-v0"}, "mine", 0, "rlsyn", {"n_records": 64})
    variants = {"no_kl": ("v.yaml", Variant("no_kl", "rlsyn", {"kl_coef": 0.0}))}
    cell = replace(baseline, method="no_kl", parameters={"kl_coef": 0.0})
    found = commands([baseline, cell], variants, "a", "mine")
    assert found["mine"] == "in no file of variants; parameters: n_records:64"
    assert "--methods none --variants v.yaml --only no_kl" in found["no_kl"]
    of_config = {"no_kl": ("v.yaml", replace(variants["no_kl"][1], from_config=True))}
    own = replace(cell, parameters={"kl_coef": 0.0, "n_records": 64})
    assert commands([baseline, own], of_config, "a", "mine")["no_kl"].startswith("in no file of variants")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["DIR"], "found no results in"),
        (["scores.csv", "scores.csv"], "names of their own"),
        (["scores.csv", "--baseline", "plain"], "Expected results of 'plain'"),
        (["people.csv"], "Expected the scores that experiments/ablation.py writes"),
        (["words.csv"], "could not convert string to float: 'high'"),
        (["absent.csv"], "found none at absent.csv"),
        (["rivals"], "found of RLSyn those of []"),
        (["none.csv"], "Expected results of 'rlsyn' in none.csv, found of RLSyn those of []"),
        (["scores.csv", "-o", "nowhere/page.md"], "folder of the page does not exist"),
        (["twice.csv"], "Expected one row for each folder, table, method, seed in twice.csv"),
        (["scores.csv", "-o", "people.md"], "people.csv holds other things than scores of a page"),
        (["scores.csv", "-o", "scores.csv"], "expected another -o"),
    ],
    ids=[
        "empty",
        "twice",
        "baseline",
        "foreign",
        "damaged",
        "absent",
        "rivals",
        "rows",
        "folder",
        "rows twice",
        "taken",
        "over",
    ],
)
def test_sources_without_results_are_refused_in_a_line(load_script, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    scores = results_of({"rlsyn": [0.1]}).assign(command="c", versions="v")
    write_scores(scores, tmp_path / "scores.csv")
    write_scores(scores.astype(object).assign(KS="high"), tmp_path / "words.csv")
    write_scores(scores.head(0), tmp_path / "none.csv")
    write_scores(pd.concat([scores, scores]), tmp_path / "twice.csv")
    rival = Cell("t", {"env": "Table-v0", "csv": "t.csv", "label": "y"}, "independent", 0, fast=True)
    (folder := rival.folder(tmp_path / "rivals")).mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(rival.config()))
    (folder / "metrics.csv").write_text("family,metric,value\nprivacy,membership AUC,0.5\n")
    (tmp_path / "people.csv").write_text("age,died\n61,0\n")
    given = [str(tmp_path) if word == "DIR" else word for word in arguments]
    before = (tmp_path / "scores.csv").read_bytes()
    assert load_script("ablation").main(["-o", "page.md", *given]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not list(tmp_path.glob("*.md"))
    assert (tmp_path / "scores.csv").read_bytes() == before


def write_cells(folder: Path, **of_variant: object) -> None:
    """Cells of the baseline and a variant, whose `config.yaml` has other values where given."""
    for method, values in (("rlsyn", {}), ("tiny", of_variant)):
        cell = Cell("t", {"env": "Table-v0", "csv": "t.csv", "label": "y"}, method, 0, "rlsyn")
        (place := cell.folder(folder)).mkdir(parents=True)
        about = {"rows": "a b", "simulated": False, "commit": "c", "versions": {}}
        (place / "config.yaml").write_text(yaml.safe_dump({**cell.config(), **about, **values}))
        (place / "metrics.csv").write_text("family,metric,value\nprivacy,membership AUC,0.5\n")
        (place / "columns.csv").write_text("column,distance,is_relative\nage,0.1,True\n")


@pytest.mark.parametrize(("name", "value"), [("rows", "a c"), ("fast", True), ("protocol", "paper")])
def test_cells_of_other_rows_or_another_evaluation_are_not_compared(load_script, tmp_path, capsys, name, value):
    write_cells(tmp_path / "m2", **{name: value})
    assert load_script("ablation").main([str(tmp_path / "m2"), "-o", str(tmp_path / "page.md")]) == 2
    error = capsys.readouterr().err
    assert f"tiny/seed_0 was run with another {name} than" in error and error.count("\n") == 1
    assert not list(tmp_path.glob("page*"))


def test_the_folder_at_hand_is_shown_by_its_name(load_script, tmp_path, monkeypatch):
    write_cells(tmp_path / "m2")
    monkeypatch.chdir(tmp_path / "m2")
    assert load_script("ablation").main([".", "-o", "page.md"]) == 0
    text = Path("page.md").read_text()
    assert "- rlsyn (m2): `python" in text and "-o m2`" in text and "experiments/ablation.py m2 -o page.md" in text


def test_unknown_variant_is_refused_with_the_closest(load_script, csv, tmp_path, capsys):
    command = ["--csv", f"{csv}:died", "--methods", "none", "--variants", str(VARIANTS), "--only", "no_kI"]
    assert load_script("benchmark").main([*command, "-o", str(tmp_path / "out")]) == 2
    assert "Did you mean 'no_kl'" in capsys.readouterr().err
