"""evaluate.py, as a person calls it: three tables of any generator, or a run."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from evaluation_tables import SCHEMA

from rlsyn.runs import load_dataset, write_config

ROOT = Path(__file__).parents[1]
LABEL = ("--label", "diabetes", "--group", "person")
TABLES = ("train", "test", "synthetic")


def call(*arguments):
    return subprocess.run(
        [sys.executable, ROOT / "experiments" / "evaluate.py", *map(str, arguments)],
        capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("evaluate")


@pytest.fixture(scope="module")
def main(script):
    return script.main


@pytest.fixture
def files(train, test, synthetic, tmp_path):
    for name, table in zip(TABLES, (train, test, synthetic), strict=True):
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    return {name: tmp_path / f"{name}.csv" for name in TABLES}


def three(files):
    return [text for name in TABLES for text in (f"--{name}", str(files[name]))]


def test_three_tables_of_any_generator_leave_scores_figures_and_a_report(files, tmp_path):
    output = tmp_path / "scores"
    for name in ("train", "test"):  # what is dropped may be in some of the tables only
        pd.read_csv(files[name]).assign(visit="x").to_csv(files[name], index=False)
    result = call(*three(files), *LABEL, "--drop", "visit", "-o", output, "--fast")
    assert result.returncode == 0, result.stderr
    left = {"metrics.csv", "metrics.json", "evaluation.yaml", "copies.csv", "figures", "report.html"}
    assert left == {path.name for path in output.iterdir()}
    digest = hashlib.sha256(files["synthetic"].read_bytes()).hexdigest()
    judged = yaml.safe_load((output / "evaluation.yaml").read_text())
    n_rows = len(pd.read_csv(files["synthetic"]))
    assert judged["synthetic"] == {"rows": n_rows, "file": "synthetic.csv", "sha256": digest}
    assert digest in (output / "report.html").read_text()
    metrics = pd.read_csv(output / "metrics.csv", index_col="metric")
    assert metrics.loc["S2R AUC", "value"] > 0.7
    assert len(list((output / "figures").glob("*.png"))) >= 3
    for word in ("S2R AUC", "Privacy:", "good up to 0.55", "left out for speed", "report.html"):
        assert word in result.stdout
    assert "Traceback" not in result.stderr and "Warning" not in result.stderr
    assert "'visit'" not in result.stdout


@pytest.mark.slow
def test_dropped_columns_that_the_synthetic_table_has_are_named(main, files, tmp_path, capsys):
    for name in TABLES:
        table = pd.read_csv(files[name])
        table.assign(name=[f"Person {row}" for row in range(len(table))]).to_csv(files[name], index=False)
    assert main([*three(files), *LABEL, "--drop", "name", "-o", str(tmp_path / "scores"), "--fast"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "not among those compared: 'name'. They were not judged, whatever they hold; remove them" in out


@pytest.mark.slow
def test_a_run_is_scored_by_its_own_split_beside_its_warm_start(script, files, tmp_path):
    run_dir = tmp_path / "run"
    trained = subprocess.run(
        [sys.executable, "experiments/run_ppo.py", "--csv", files["train"], *LABEL, "--run-dir", run_dir, "--no-report",
         "-n", "576", "-params", "n_records:64", "n_discriminator_warm_up:5", "warm_start_kwargs.n_epochs:2",
         "warm_start_kwargs.n_linear_epochs:3", "select:true", "--seed", "3"],
        cwd=ROOT, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False,
    )  # fmt: skip
    assert trained.returncode == 0, trained.stderr
    before = pd.read_csv(run_dir / "metrics.csv", index_col="metric")
    assert script.main([str(run_dir), "--fast"]) == 0
    after = pd.read_csv(run_dir / "metrics.csv", index_col="metric")
    pd.testing.assert_frame_equal(before, after)
    assert after[["warm_start", "last"]].notna().any().all() and (run_dir / "report.html").is_file()
    assert after.loc["fit (s)", "value"] > 0
    other = script._parser().parse_args([str(run_dir), "--synthetic", "other.csv", "-o", str(tmp_path)])
    assert script._others(other, 10) == {}


def test_a_run_finds_its_tables_where_they_lie_now(script, files, tmp_path):
    options = {"env": "Table-v0", "csv": str(files["train"]), "test_csv": str(files["test"]), "data_dir": None}
    options |= {"label": "diabetes", "group": "person", "drop": [], "parameters": {"seed": 0}}
    rules = tmp_path / "rules.yaml"
    rules.write_text("- age >= 0\n")
    options["constraints"] = str(rules)
    begun = load_dataset(options)
    write_config(make_run(tmp_path / "run"), begun, "rlsyn", options)
    (tmp_path / "away").mkdir()
    places = {name: files[name].rename(tmp_path / "away" / f"{name}.csv") for name in ("train", "test")}
    command = [str(tmp_path / "run"), "--csv", str(places["train"])]
    with pytest.raises(FileNotFoundError, match=r"test\.csv"):
        script._run_dataset(script._parser().parse_args(command))
    command += ["--test-csv", str(places["test"]), "--constraints", str(rules.rename(tmp_path / "away" / "rules.yaml"))]
    found = script._run_dataset(script._parser().parse_args(command))
    assert found.title == "train.csv"
    assert found.schema.constraints == begun.schema.constraints != ()
    pd.testing.assert_frame_equal(found.test, begun.test)


def make_run(folder):
    folder.mkdir()
    (folder / "synthetic.csv").touch()
    return folder


def test_places_of_a_run_need_a_run(main, files, tmp_path, capsys):
    assert main([*three(files), "--test-csv", "h.csv", "-o", str(tmp_path / "scores")]) == 2
    assert "--test-csv goes with a run directory, got it without." in capsys.readouterr().err


def test_a_saved_model_knows_no_tables_to_judge_by(main, tmp_path, capsys):
    (tmp_path / "config.yaml").write_text("{method: rlsyn, parameters: {seed: 0}}")
    command = [str(tmp_path), "--synthetic", "s.csv", "-o", str(tmp_path / "scores")]
    for more in ([], ["--train", "t.csv"]):  # the way out is the same
        assert main([*command, *more]) == 2
        err = capsys.readouterr().err
        assert "is a saved model, not a run: it holds no training rows. Leave it out, and give --train" in err
    (tmp_path / "config.yaml").write_text("{env: Table-v0, method: rlsyn, parameters: {seed: 0}}")
    assert main(command) == 2
    assert "is the cell of a benchmark, not a run" in capsys.readouterr().err
    (tmp_path / "config.yaml").write_text(
        "{env: Table-v0, method: rlsyn, parameters: {seed: 0}, train_fingerprint: '1'}"
    )
    assert main([*command, "--label", "x"]) == 2
    assert "A run knows its tables and columns, got --label" in capsys.readouterr().err


def test_fast_scores_do_not_replace_fuller_ones(script, files, tmp_path, capsys):
    path = tmp_path / "metrics.csv"
    scores = pd.DataFrame(
        {"family": "utility", "metric": ["S2R AUC", "S2R AUC (svc)", "S2R AUC (lightgbm)", "DOMIAS AUC"], "value": 0.5}
    )
    scores.assign(value=scores["value"].where(scores["metric"] != "S2R AUC (svc)")).to_csv(path, index=False)
    script._check_nothing_lost(path)  # fast ones, which leave that model out
    scores.to_csv(path, index=False)
    before = path.read_bytes()
    assert script.main([*three(files), *LABEL, "-o", str(tmp_path), "--fast"]) == 2
    err = capsys.readouterr().err
    assert "has scores that --fast leaves out (S2R AUC (svc)) and would be replaced. Leave --fast out, or" in err
    assert path.read_bytes() == before and not (tmp_path / "report.html").exists()


@pytest.mark.parametrize("text", ["epoch,loss\n1,2\n", "", 'metric,value\n"x'], ids=["foreign", "empty", "cut off"])
def test_a_file_of_other_scores_is_refused_in_a_line(main, files, tmp_path, capsys, text):
    (tmp_path / "metrics.csv").write_text(text)
    assert main([*three(files), *LABEL, "-o", str(tmp_path), "--fast"]) == 2
    err = capsys.readouterr().err
    assert f"Expected scores in {tmp_path / 'metrics.csv'}" in err and err.count("\n") == 1


def test_ctrl_c_is_a_line(main, files, tmp_path, capsys, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("rlsyn.evaluation.evaluate", interrupted)
    assert main([*three(files), *LABEL, "-o", str(tmp_path / "scores"), "--fast"]) == 130
    assert capsys.readouterr().err == "\nStopped; the scores are not complete.\n"


@pytest.mark.slow
def test_values_that_are_coded_otherwise_are_named(main, files, tmp_path, capsys):
    table = pd.read_csv(files["synthetic"])
    table.assign(diabetes=table["diabetes"].map({0: "no", 1: "yes"})).to_csv(files["synthetic"], index=False)
    assert main([*three(files), *LABEL, "-o", str(tmp_path / "scores"), "--fast"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "No value of 'diabetes' in the synthetic table is one that train has: is it coded otherwise?" in out
    assert "no row has a label that train knows in the table to fit on" in out


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda table: table.drop(columns="age"), "lacks 1 of the 9 columns of train: 'age'."),
        (lambda table: table.iloc[:0], "Expected a table with rows"),
        (
            lambda table: table.assign(pressure="high"),
            "Column 'pressure' must hold numbers, got 'xxxx' (row 1, the header not counted)",
        ),
        (lambda table: table.assign(pressure=np.inf), "must hold finite numbers"),
    ],
    ids=["other columns", "no rows", "other kind", "infinite"],
)
def test_a_table_that_cannot_be_scored_is_refused_in_one_line(main, files, tmp_path, capsys, spoil, message):
    spoil(pd.read_csv(files["synthetic"])).to_csv(files["synthetic"], index=False)
    assert main([*three(files), *LABEL, "-o", str(tmp_path / "scores"), "--fast"]) == 2
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1
    assert not (tmp_path / "scores" / "metrics.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "-o DIR"),
        (["-o", "scores"], "--train, --test, --synthetic not given"),
        (["nowhere"], "Expected a run directory"),
        (["nowhere", "--seed", "-1"], "from 0 to below 2**32, got -1"),
        (["nowhere", "--seed", str(2**32)], "from 0 to below 2**32, got 4294967296"),
        (["nowhere", "--n-jobs", "0"], "at least 1"),
        (["THREE", "-o", "scores", "--label", "diabets"], "Did you mean 'diabetes'?"),
        (["THREE", "-o", "scores", "--drop", "agee"], "Did you mean 'age'?"),
        (["THREE", "-o", "scores", "--schema", "none.yaml"], "none.yaml"),
        (["THREE", *LABEL, "-o", "scores", "--constraints", "rules.yaml"], "aeg"),
        (["THREE", "-o", "scores", "--label", "diabetes"], "say so with --group person"),
        (["THREE", *LABEL, "-o", "test.csv"], "cannot be written to"),
        (["THREE", *LABEL, "-o", "taken"], "report.html is a folder"),
    ],
    ids=" ".join,
)
def test_wrong_arguments_are_refused_in_one_line(main, files, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules.yaml").write_text("- aeg > 3\n")
    (tmp_path / "taken" / "report.html").mkdir(parents=True)
    given = [text for one in arguments for text in (three(files) if one == "THREE" else [one])]
    assert main(given) == 2
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1 and err.startswith("evaluate.py: error: ")


def test_people_in_both_real_tables_are_refused(main, files, tmp_path, capsys):
    pd.read_csv(files["test"]).assign(person=lambda t: t["person"] - 1_000).to_csv(files["test"], index=False)
    assert main([*three(files), "--group", "person", "-o", str(tmp_path / "scores"), "--fast"]) == 2
    assert "No person may be in both tables, got 70 of 'person'" in capsys.readouterr().err


@pytest.mark.slow
def test_kinds_and_rules_may_be_declared(main, files, tmp_path, capsys):
    SCHEMA.write(tmp_path / "schema.yaml")
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump([{"name": "adults", "expression": "age >= 60"}]))
    options = ["--schema", tmp_path / "schema.yaml", "--constraints", tmp_path / "rules.yaml", "--fast"]
    assert main([*three(files), "-o", str(tmp_path / "scores"), *map(str, options)]) == 0
    metrics = pd.read_csv(tmp_path / "scores" / "metrics.csv", index_col="metric")
    assert 0.3 < metrics.loc["broken rules", "value"] < 0.7
    assert "adults" in (tmp_path / "scores" / "report.html").read_text()
    assert "Constraints:" in capsys.readouterr().out
