"""sample.py and throughput.py, as a person calls them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from experiments.sample import parse_conditions
from rlsyn.schema import Column, Schema
from rlsyn.synthesizer import RLSyn

ROOT = Path(__file__).parents[1]


def call(script, *arguments):
    return subprocess.run(
        [sys.executable, ROOT / "experiments" / script, *map(str, arguments)],
        capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def saved(make_patients, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    warm_start = {"n_epochs": 2, "n_linear_epochs": 5, "n_clones": 1}
    RLSyn(total_timesteps=0, n_records=16, warm_start_kwargs=warm_start).fit(make_patients(), label="died").save(folder)
    return folder


@pytest.mark.slow
def test_same_seed_draws_the_same_file_and_conditions_hold(saved, tmp_path):
    first, second, other = tmp_path / "1.csv", tmp_path / "2.csv", tmp_path / "3.csv"
    result = call("sample.py", saved, "-n", 50, "-o", first, "--where", "died=1", "site=Bern", "smoker=")
    assert result.returncode == 0, result.stderr
    assert "met the conditions" in result.stdout
    assert call("sample.py", saved, "-n", 50, "-o", second, "--where", "died=1", "site=Bern", "smoker=").returncode == 0
    assert call("sample.py", saved, "-n", 50, "-o", other, "--seed", 2).returncode == 0
    assert first.read_bytes() == second.read_bytes() != other.read_bytes()
    table = pd.read_csv(first)
    assert len(table) == 50
    assert (table["died"] == 1).all() and (table["site"] == "Bern").all() and table["smoker"].isna().all()


def test_policy_and_temperature_are_those_that_are_asked_for(call_script, saved, tmp_path, monkeypatch):
    sample, found = RLSyn.sample, []
    monkeypatch.setattr(RLSyn, "sample", lambda *args, **kwargs: found.append(kwargs) or sample(*args, **kwargs))
    more = ["--policy", "warm_start", "--temperature", "0.01"]
    assert call_script("sample", saved, "-n", "50", "-o", tmp_path / "cold.csv", *more) == 0
    assert (found[0]["policy"], found[0]["temperature"]) == ("warm_start", 0.01)
    assert len(set(pd.read_csv(tmp_path / "cold.csv")["died"])) == 1  # cold as it is, the likeliest alone


@pytest.mark.parametrize(
    ("judged", "is_told"),
    [("synthetic: {rows: 20}", True), ("synthetic: {rows: 30}", False), ("synthetic: [", False), (None, False)],
)
def test_more_records_than_were_judged_are_told(call_script, saved, tmp_path, capsys, judged, is_told):
    run = shutil.copytree(saved, tmp_path / "run")
    if judged:
        (run / "evaluation.yaml").write_text(judged)
    assert call_script("sample", run, "-n", "30", "-o", tmp_path / "more.csv") == 0
    assert ("scores of the run are of 20 records" in capsys.readouterr().out) is is_told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--where", "sight=Bern"], "Did you mean 'site'"),
        (["--where", "site"], "COLUMN=VALUE"),
        (["--where", "age=old"], "must be a number"),
        (["-n", "0"], "at least 1"),
        (["--temperature", "0"], "must be above 0"),
        (["--policy", "best"], "warm_start"),
        (["-o", "nowhere/at/all.csv"], "does not exist"),
        (["-n", "many"], "many"),
    ],
    ids=["column", "form", "number", "none", "temperature", "policy", "folder", "text"],
)
def test_wrong_input_is_refused_in_one_line(call_script, saved, tmp_path, capfd, arguments, message):
    assert call_script("sample", saved, "-o", tmp_path / "more.csv", *arguments) == 2
    error = capfd.readouterr().err
    assert message in error and error.count("\n") == 1, error
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["patients.csv", "held_out.csv", "release/a.csv", "run/metrics.csv", "run/copies.csv"])
def test_neither_the_tables_nor_the_scores_of_a_run_are_replaced(call_script, saved, tmp_path, capfd, name):
    run_dir, place = tmp_path / "run", tmp_path / name
    shutil.copytree(saved, run_dir)
    config = yaml.safe_load((run_dir / "config.yaml").read_text())
    tables = {
        "csv": str(tmp_path / "patients.csv"),
        "test_csv": str(tmp_path / "held_out.csv"),
        "data_dir": str(tmp_path / "release"),
    }
    (tmp_path / "release").mkdir()
    (run_dir / "config.yaml").write_text(yaml.safe_dump(config | tables))
    place.write_text("a,b\n")
    assert call_script("sample", run_dir, "-n", "3", "-o", place) == 2
    assert "would be replaced. Choose another with -o." in capfd.readouterr().err
    assert place.read_text() == "a,b\n"
    for _ in range(2):  # what was drawn before may be drawn again
        assert call_script("sample", run_dir, "-n", "3", "-o", run_dir / "more.csv") == 0


def test_conditions_name_what_differs_by_blanks_or_case_alone():
    columns = [Column(" sex", "categorical", ("f", "m")), Column("yn", "categorical", ("Yes", "no", "yes", "yes "))]
    schema = Schema((*columns, Column("age", "integer")), None)
    assert parse_conditions([" sex= M", "age = 61 "], schema) == {" sex": "m", "age": 61.0}
    for text in ("Yes", "yes", "yes ", "no"):
        assert parse_conditions([f"yn={text}"], schema) == {"yn": text}
    assert parse_conditions(["yn=NO "], schema) == {"yn": "no"}
    assert parse_conditions(["yn= Yes"], schema) == {"yn": "Yes"}
    assert parse_conditions(["yn= "], schema) == {"yn": None}


@pytest.mark.parametrize(
    ("categories", "text", "expected"),
    [
        ((0, 1), "1.0", 1),
        ((0, 1), "True", 1),
        ((False, True), "1", True),
        ((False, True), "0.0", False),
        ((1.0, 2.5), "1", 1.0),
        (("1", "01"), "01", "01"),
        (("1", "01"), "1.0", "1.0"),
        ((0, 1), "2", "2"),
    ],
)
def test_conditions_are_taken_by_what_they_mean_where_no_text_agrees(categories, text, expected):
    (found,) = parse_conditions([f"y={text}"], Schema((Column("y", "categorical", categories),), None)).values()
    assert found == expected and type(found) is type(expected)


def test_a_refusal_is_the_one_line_of_its_process(saved, tmp_path):
    result = call("sample.py", saved, "-o", tmp_path / "more.csv", "--where", "sight=Bern")
    assert result.returncode == 2 and result.stdout == ""
    assert "Did you mean 'site'" in result.stderr and result.stderr.count("\n") == 1, result.stderr


def test_ctrl_c_is_a_line_and_leaves_nothing(call_script, saved, tmp_path, capfd, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(RLSyn, "sample", interrupted)
    assert call_script("sample", saved, "-n", "5", "-o", tmp_path / "records.csv") == 130
    assert capfd.readouterr().err == "\nStopped; nothing was written.\n"
    assert not list(tmp_path.iterdir())


def test_folder_without_a_run_is_refused(call_script, tmp_path, capfd):
    assert call_script("sample", tmp_path, "-o", tmp_path / "more.csv") == 2
    assert "Expected a run directory" in capfd.readouterr().err


@pytest.mark.slow
def test_throughput_prints_both_learners():
    sizes = ["--n-attributes", 6, "--n-records", 8, "--n-envs", 2, "--n-rollouts", 1, "--threads", 1]
    result = call("throughput.py", *sizes)
    assert result.returncode == 0, result.stderr
    assert "stock MlpPolicy" in result.stdout and "RLSyn" in result.stdout
