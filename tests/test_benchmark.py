"""benchmark.py, as a person calls it: cells are kept, failures are told, tables say what was found."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from rlsyn import benchmark
from rlsyn.benchmark import Cell, collect, failures, mean_interval, run_cells, summarise, to_markdown

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("benchmark_script", ROOT / "experiments" / "benchmark.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def csv(patients, tmp_path):
    patients.to_csv(tmp_path / "patients.csv", index=False)
    return tmp_path / "patients.csv"


def test_one_command_leaves_tables_and_figures_and_goes_on_where_it_stopped(script, csv, tmp_path, capsys, monkeypatch):
    output = tmp_path / "out"
    command = ["--csv", f"{csv}:died", "--methods", "independent", "bootstrap", "--fast", "-o", str(output)]
    assert script.main([*command, "--seeds", "0"]) == 0
    cell = output / "cells" / "patients" / "bootstrap" / "seed_0"
    before = (cell / "metrics.csv").stat().st_mtime_ns
    (output / "cells" / "patients" / "independent" / "seed_0" / "metrics.csv").unlink()  # as a kill would leave it
    assert script.main([*command, "--seeds", "0", "1"]) == 0
    assert (cell / "metrics.csv").stat().st_mtime_ns == before
    results = pd.read_csv(output / "results.csv")
    assert set(zip(results["method"], results["seed"], strict=True)) == {
        (method, seed) for method in ("independent", "bootstrap") for seed in (0, 1)
    }
    copies = results[results["metric"] == "exact copies"].groupby("method")["value"].min()
    assert copies["bootstrap"] == 1 and copies["independent"] < 1
    assert {"results.md", "results.tex", "trade_off.png", "ranks.png", "costs.png"} <= {
        p.name for p in output.iterdir()
    }
    assert "| patients | bootstrap |" in capsys.readouterr().out
    assert yaml.safe_load((cell / "config.yaml").read_text())["parameters"] == {"seed": 0}
    assert script.main([arg for arg in command if arg != "--fast"]) == 2
    assert "was run with another fast" in capsys.readouterr().err


def test_a_method_that_fails_is_told_and_does_not_stop_the_others(script, csv, tmp_path, capsys, monkeypatch):
    class Broken:
        def __init__(self, seed):
            pass

        def fit(self, train, *, schema, progress_bar=False):
            raise ValueError("no such luck")

    make = benchmark.make_method
    monkeypatch.setattr(
        benchmark, "make_method", lambda name, p: Broken(**p) if name == "independent" else make(name, p)
    )
    command = ["--csv", f"{csv}:died", "--methods", "independent", "bootstrap", "--fast", "-o", str(tmp_path / "out")]
    assert script.main(command) == 1
    captured = capsys.readouterr()
    assert "Failed: patients, independent, seed 0: ValueError: no such luck" in captured.err
    assert "1 of 2 cells" in captured.out and "| patients | bootstrap |" in captured.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Expected --env ID"),
        (["--env", "BreastCancer"], "Did you mean 'BreastCancer-v0'?"),
        (["--env", "BreastCancer-v0", "--methods", "bootstrp"], "Did you mean 'bootstrap'?"),
        (["--csv", "none.csv:died"], "found none at none.csv"),
        (["--csv", "none.csv"], "FILE:LABEL"),
        (["--env", "BreastCancer-v0", "--seeds", "-1"], "must not be negative"),
        (["--env", "BreastCancer-v0", "--n-jobs", "0"], "at least 1"),
        (["--env", "BreastCancer-v0", "BreastCancer-v0"], "names of their own"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_arguments_are_refused_in_one_line(script, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert script.main([*arguments, "-o", "out"]) == 2
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1 and not (tmp_path / "out").exists()


def test_cells_run_on_a_ray_cluster(csv, tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed")
    options = {"env": "Table-v0", "csv": str(csv), "label": "died", "group": None, "test_csv": None, "drop": []}
    cells = [Cell("patients", {**options, "data_dir": None}, name, 0) for name in ("independent", "bootstrap")]
    run_cells(cells, tmp_path / "out", fast=True, n_jobs=2, ray="local")
    assert failures(cells, tmp_path / "out") == [] and len(collect(cells, tmp_path / "out")["method"].unique()) == 2


def test_summary_has_real_rows_beside_the_methods():
    rows = [
        {"table": "t", "method": method, "seed": seed, "metric": metric, "value": value + 0.01 * seed, "real": 0.9}
        for method, value in (("a", 0.5), ("b", 0.7))
        for seed in (0, 1, 2)
        for metric in ("S2R AUC", "membership AUC")
    ]
    summary = summarise(pd.DataFrame(rows))
    assert list(summary["method"]) == ["real rows", "a", "b"]
    assert list(summary["S2R"]) == ["0.900 ± 0.000", mean_interval(np.array([0.5, 0.51, 0.52])), "0.710 ± 0.025"]
    assert summary["KS"].tolist() == ["-", "-", "-"]
    assert to_markdown(summary).splitlines()[3].startswith("| t | a | 0.510 ± 0.025 |")
