"""A release of AI-READI from the command line to the synthetic table."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from aireadi_release import write_release

from rlsyn.schema import Schema

ROOT = Path(__file__).parents[1]
TINY_PARAMETERS = [
    "n_records:64",
    "n_discriminator_warm_up:5",
    "warm_start_kwargs.n_epochs:2",
    "warm_start_kwargs.n_linear_epochs:3",
]


@pytest.mark.slow
def test_a_release_without_ecgs_becomes_a_synthetic_table_with_its_licence(tmp_path):
    release_dir, run_dir = write_release(tmp_path / "release", version=3), tmp_path / "run"
    shutil.rmtree(release_dir / "cardiac_ecg")
    command = [sys.executable, "experiments/run_ppo.py", "--env", "AIREADI-v0", "--data-dir", str(release_dir)]
    command += ["--n-readers", "1", "-n", str(64 * 108), "--run-dir", str(run_dir), "--device", "cpu"]
    result = subprocess.run(
        [*command, "-params", *TINY_PARAMETERS],
        check=False,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    licence = (run_dir / "data_licence.txt").read_text().strip()
    assert "AI-READI data licence" in licence
    output = " ".join((result.stdout + result.stderr).split())
    assert output.count(licence) == output.count("AI-READI data licence") == 1
    assert "manifest.tsv is absent" in output and "SIMULATED" not in output
    synthetic, schema = pd.read_csv(run_dir / "synthetic.csv"), Schema.read(run_dir / "schema.yaml")
    assert list(synthetic) == schema.names and len(synthetic) > 0
    assert synthetic["ecg_rate"].isna().all() and synthetic["alt"].notna().any()
    assert "AI-READI data licence" in (run_dir / "report.html").read_text()
