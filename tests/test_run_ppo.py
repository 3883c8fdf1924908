"""The command line, as a person calls it: wrong input is refused in one line, a run is complete and can be repeated.

A process of its own takes seconds to import: only what a process alone can show (its terminal, its signals) has one.
"""

import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rlsyn.sampling import TooFewRecords
from rlsyn.schema import Schema, infer_schema
from rlsyn.synthesizer import RLSyn

ROOT = Path(__file__).parents[1]
COMMAND = [sys.executable, "experiments/run_ppo.py"]
TINY = ["--no-report", "--device", "cpu"]
TINY_PARAMETERS = [
    "n_records:64",
    "n_discriminator_warm_up:5",
    "warm_start_kwargs.n_epochs:2",
    "warm_start_kwargs.n_linear_epochs:3",
    "policy_kwargs.n_hidden:32",
]
N_COLUMNS = 9
ROLLOUT = 64 * N_COLUMNS
PATIENCE = 300
"""Seconds after which a run that should have begun is taken for hung."""


def start(*arguments: object) -> subprocess.Popen:
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Where tests run in the background, Ctrl-C is ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )


def run(*arguments: object) -> subprocess.CompletedProcess:
    process = start(*arguments)
    out, err = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@pytest.fixture
def train(call_script, monkeypatch):
    """Trains a tiny model inside this process; returns the exit code."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setenv("COLUMNS", "200")

    def train_here(run_dir: Path, *arguments: object, n_steps: int = ROLLOUT) -> int:
        options = ["-n", n_steps, "--run-dir", run_dir, *TINY, "-params", *TINY_PARAMETERS]
        return call_script("run_ppo", *arguments, *options)

    return train_here


def with_column(values):
    return lambda table: table.assign(visit=values)


# What is done to the table, the arguments (CSV and DIR stand for the table and an empty folder), and what is said.
OF_CSV = ["--csv", "CSV", "--label", "died"]
REFUSED = {
    "empty file": (lambda t: "", OF_CSV, "is empty"),
    "one row": (lambda t: t.head(1), OF_CSV, "at least 20 rows to learn from, got 1"),
    "duplicate names": (lambda t: t.set_axis(["age", "age", *t.columns[2:]], axis=1), OF_CSV, "['age'] more than once"),
    "absent label": (None, ["--csv", "CSV", "--label", "dead"], "'dead'. Did you mean 'died'?"),
    "incomplete label": (
        None,
        ["--csv", "CSV", "--label", "smoker"],
        "'smoker' must be known in every row, got 20 missing",
    ),
    "constant label": (None, ["--csv", "CSV", "--label", "country"], "'country' must vary, got 'CH' in every row"),
    "10,000 categories": (
        lambda t: pd.concat([t] * 60, ignore_index=True).assign(visit=[f"code {i % 10_000}" for i in range(12_000)]),
        OF_CSV,
        "'visit' has 10,000 different texts",
    ),
    "infinite values": (
        with_column([1.5, np.inf, 2.5, -np.inf] * 50),
        OF_CSV,
        "'visit' must hold finite numbers, got 100",
    ),
    "dates": (with_column(pd.date_range("2019-01-01", periods=200)), OF_CSV, "'visit' holds dates"),
    "identifiers": (
        with_column([f"patient-{i:03d}" for i in range(200)]),
        OF_CSV,
        "'visit' has a different text in every row",
    ),
    "no such file": (None, ["--csv", "DIR/none.csv", "--label", "died"], "found none at"),
    "test rows of another kind": (
        None,
        [*OF_CSV, "--test-csv", "CSV.test.csv"],
        "'age' must hold numbers, got 'xxx'",
    ),
    "test rows that are training rows": (
        None,
        [*OF_CSV, "--test-csv", "CSV"],
        "Test rows must be rows that the generator never saw, but 200 of 200 equal a training row",
    ),
    "unknown environment": (None, ["--env", "BreastCancr-v0"], "'BreastCancr-v0'. Did you mean 'BreastCancer-v0'?"),
    "table and environment": (None, ["--csv", "CSV", "--env", "BreastCancer-v0"], "--csv goes with --env Table-v0"),
    "release that cannot be read": (
        None,
        ["--env", "AIREADI-v0", "--data-dir", "DIR"],
        "Expected the root of an AI-READI release",
    ),
    "unknown parameter": (None, [*OF_CSV, "-params", "kl_coeff:0.1"], "'kl_coeff'. Did you mean 'kl_coef'?"),
    "malformed parameter": (None, [*OF_CSV, "-params", "kl_coef=0.1"], "must be written name:value, got 'kl_coef=0.1'"),
    "unknown argument of the optimizer": (
        None,
        [*OF_CSV, "-params", "policy_kwargs.optimizer_kwargs.epps:3"],
        "Unknown parameter 'policy_kwargs.optimizer_kwargs.epps'",
    ),
    "number for a group": (
        None,
        [*OF_CSV, "-params", "policy_kwargs.optimizer_kwargs:3"],
        "'policy_kwargs.optimizer_kwargs' must be a group of parameters",
    ),
    "number as a name": (None, [*OF_CSV, "-params", "algo_kwargs:{1: 2}"], "Unknown parameter 'algo_kwargs.1'"),
    "list for an algorithm": (None, [*OF_CSV, "-params", "algo:[ppo]"], "Unknown algorithm ['ppo']"),
    "negative seed": (None, [*OF_CSV, "--seed", "-1"], "from 0 to below 2**32, got -1"),
    "text for a seed": (None, [*OF_CSV, "-params", "seed:abc"], "from 0 to below 2**32, got 'abc'"),
    "text for a number": (None, [*OF_CSV, "-params", "kl_coef:abc"], "'kl_coef' must be a number"),
    "text for the number of steps": (None, [*OF_CSV, "-n", "many"], "many"),
    "fewer steps than a rollout": (None, [*OF_CSV, "-n", "100"], "at least one rollout, 64 records x 9 attributes"),
    "run directory below a file": (None, [*OF_CSV, "--run-dir", "CSV/run"], "cannot be written to"),
    "folder of a release beside a table": (
        None,
        [*OF_CSV, "--data-dir", "DIR"],
        "--data-dir goes with --env ID and a release, got it with --csv",
    ),
    "flag of a reader beside a table": (
        None,
        [*OF_CSV, "--no-with-age"],
        "--with-age goes with --env ID and a release",
    ),
    "protocol beside a table": (None, [*OF_CSV, "--protocol", "paper"], "--protocol goes with --env ID and a release"),
    "two seeds": (None, [*OF_CSV, "--seed", "1", "-params", "seed:2"], "--seed 1 and the parameter seed:2 differ"),
    "two numbers of steps": (
        None,
        [*OF_CSV, "-n", "0", "-params", "total_timesteps:5"],
        "-n 0 and the parameter total_timesteps:5 differ",
    ),
    "two warm starts": (
        None,
        [*OF_CSV, "--no-warm-start", "-params", "warm_start:true"],
        "--no-warm-start and the parameter warm_start:True differ",
    ),
    "two devices": (None, [*OF_CSV, "--device", "cpu", "-params", "device:cuda"], "the parameter device:cuda differ"),
    "resuming what is no run": (
        None,
        ["--resume", "DIR"],
        "Expected a run directory with a config.yaml, found none in",
    ),
}


@pytest.mark.parametrize(("spoil", "arguments", "message"), REFUSED.values(), ids=REFUSED)
def test_wrong_input_is_refused_in_one_line(call_script, patients, tmp_path, capfd, spoil, arguments, message):
    table = patients if spoil is None else spoil(patients)
    folder = tmp_path / "folder"
    folder.mkdir()
    if isinstance(table, str):
        (folder / "t.csv").write_text(table)
    else:
        table.to_csv(folder / "t.csv", index=False)
        patients.assign(age="old").to_csv(folder / "t.csv.test.csv", index=False)
    # What is not refused is at least over soon.
    (tmp_path / "tiny.yaml").write_text(f"default: {{n_records: 64, total_timesteps: {ROLLOUT}, warm_start: false}}")
    before = sorted(path.name for path in tmp_path.rglob("*"))
    arguments = [text.replace("CSV", str(folder / "t.csv")).replace("DIR", str(folder)) for text in arguments]
    if "--run-dir" not in arguments:
        arguments += ["--log-dir", str(tmp_path / "runs")]
    assert call_script("run_ppo", *arguments, "--config", tmp_path / "tiny.yaml") == 2
    error = capfd.readouterr().err
    assert error.count("\n") == 1 and message in error and error.startswith("run_ppo.py: error: "), error
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_configuration_of_another_environment_is_refused_in_one_line(call_script, tmp_path, capsys):
    (tmp_path / "front.yaml").write_text("AIREADI-v0: {kl_coef: 0.3}\n")
    arguments = ["--env", "BreastCancer-v0", "--config", tmp_path / "front.yaml", "--run-dir", tmp_path / "run"]
    assert call_script("run_ppo", *arguments) == 2
    assert "front.yaml has no parameters for BreastCancer-v0, only those of AIREADI-v0" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_flags_go_before_a_file_and_may_say_what_a_parameter_says(load_script, csv, tmp_path):
    script = load_script("run_ppo")
    (tmp_path / "own.yaml").write_text("default: {seed: 3, total_timesteps: 7, warm_start: true, kl_coef: 0.5}")
    flags = ["--seed", "1", "-n", "0", "--no-warm-start", "--algo", "ppo"]
    same = ["-params", "seed:1", "total_timesteps:0", "warm_start:false", "algo:ppo"]
    expected = {"seed": 1, "total_timesteps": 0, "warm_start": False, "algo": "ppo", "kl_coef": 0.5}
    for given in (flags, same, [*flags, *same]):
        arguments = script._parser().parse_args(["--csv", str(csv), "--config", str(tmp_path / "own.yaml"), *given])
        assert script._options(arguments)["parameters"].items() >= expected.items()


def test_a_refusal_is_the_one_line_of_its_process(csv, tmp_path):
    result = run("--csv", csv, "--label", "dead", "--log-dir", tmp_path / "runs")
    assert result.returncode == 2 and result.stdout == ""
    assert result.stderr.startswith("run_ppo.py: error: ") and result.stderr.count("\n") == 1, result.stderr


def test_bundled_table_leaves_a_complete_run(train, tmp_path, capsys):
    run_dir = tmp_path / "run"
    config_file = tmp_path / "mine.yaml"
    config_file.write_text("default: {kl_coef: 0.2, n_records: 32}\nBreastCancer-v0: {kl_coef: 4e-1}\n")
    assert train(run_dir, "--env", "BreastCancer-v0", "--config", config_file, n_steps=64 * 31) == 0
    names = {path.name for path in run_dir.iterdir()}
    assert names >= {
        "config.yaml",
        "schema.yaml",
        "progress.csv",
        "metrics.csv",
        "metrics.json",
        "evaluation.yaml",
        "synthetic.csv",
        "checkpoints",
        "outcome",
    }
    assert not [name for name in names if name.endswith(".part")]
    assert list((run_dir / "checkpoints").glob("*.pt"))
    events = EventAccumulator(str(run_dir)).Reload()
    tags = events.Tags()
    families = {tag.split("/")[0] for tag in tags["scalars"]}
    # SB3 writes what an update came to (train/) with the rollout after it, and here is one rollout.
    assert families == {"rollout", "time", "discriminator", "reward", "policy", "fidelity"}
    assert {"config/text_summary", "schema/text_summary"} <= set(tags["tensors"])
    outcome = EventAccumulator(str(run_dir / "outcome")).Reload()
    assert outcome.SummaryMetadata("_hparams_/session_start_info")
    assert {tag.split("/")[0] for tag in outcome.Tags()["scalars"]} == {"evaluation"}
    assert tags["images"] == ["fidelity/association", "fidelity/marginals"]
    config = yaml.safe_load((run_dir / "config.yaml").read_text())
    assert (
        config["env"] == "BreastCancer-v0"
        and config["simulated"] is False
        and config["n_train"] + config["n_test"] == 569
    )
    assert config["parameters"]["total_timesteps"] == 64 * 31 and config["parameters"]["n_records"] == 64
    assert config["parameters"]["kl_coef"] == 0.4
    assert (
        config["parameters"]["warm_start_kwargs"] == {"n_epochs": 2, "n_linear_epochs": 3}
        and "run_ppo.py" in config["command"]
    )
    schema, synthetic = Schema.read(run_dir / "schema.yaml"), pd.read_csv(run_dir / "synthetic.csv")
    assert list(synthetic.columns) == schema.names and len(synthetic) == config["n_train"]
    schema.validate(synthetic)
    judged = yaml.safe_load((run_dir / "evaluation.yaml").read_text())["synthetic"]
    assert judged["sha256"] == hashlib.sha256((run_dir / judged["file"]).read_bytes()).hexdigest()
    metrics = pd.read_csv(run_dir / "metrics.csv")
    assert {"family", "metric", "value", "goal", "real", "copy", "independent", "warm_start"} <= set(metrics.columns)
    assert metrics.set_index("metric").loc[["fit (s)", "peak memory (MB)", "environment steps/s"], "value"].gt(0).all()
    assert len(pd.read_json(run_dir / "metrics.json")) == len(metrics) > 0
    told = capsys.readouterr().out
    assert "SIMULATED" not in told and str(run_dir / "synthetic.csv") in told.replace("\n", "")


def test_own_table_comes_back_with_its_kinds_categories_decimals_and_missing(train, csv, patients, tmp_path, caplog):
    patients.replace({"site": {"Zug": "basel "}}).to_csv(csv, index=False)
    assert train(tmp_path / "run", "--csv", csv, "--label", "died", "--n-samples", 500) == 0
    assert "differ by blanks or case alone, which are kept apart: site. If" in caplog.text
    table, synthetic = pd.read_csv(csv), pd.read_csv(tmp_path / "run" / "synthetic.csv")
    assert list(synthetic.columns) == list(table.columns) and len(synthetic) == 500
    assert [dtype.kind for dtype in synthetic.dtypes] == [dtype.kind for dtype in table.dtypes]
    schema = infer_schema(table, label="died")
    assert Schema.read(tmp_path / "run" / "schema.yaml") == schema
    schema.validate(synthetic)
    assert {c.name for c in infer_schema(synthetic).columns if c.missing} == {"n_visits", "smoker", "never_measured"}
    assert synthetic["never_measured"].isna().all() and (synthetic["country"] == "CH").all()
    assert infer_schema(synthetic)["age"].decimals == 1 and 0.1 < (synthetic["steps"] == 0).mean() < 0.6
    assert (synthetic["n_visits"].dropna() % 1 == 0).all() and set(synthetic["site"]) <= set(schema["site"].categories)


def test_visits_of_people_are_told_to_stand_for_themselves(train, patients, tmp_path, capsys):
    patients.assign(person=[f"P{row // 3}" for row in range(len(patients))]).to_csv(
        tmp_path / "visits.csv", index=False
    )
    assert train(tmp_path / "run", "--csv", tmp_path / "visits.csv", "--label", "died", "--group", "person") == 0
    told = re.search(r"rows are of (\d+) people\. A synthetic row stands for itself", capsys.readouterr().out)
    assert 0 < int(told[1]) < len(patients) / 3


@pytest.mark.slow
def test_a_seed_makes_a_run_repeatable_to_the_byte(csv, tmp_path):
    written = []
    for name, seed in (("first", 0), ("again", 0), ("other", 1)):
        arguments = ["--csv", csv, "--label", "died", "--seed", seed, "-n", 2 * ROLLOUT, "--run-dir", tmp_path / name]
        result = run(*arguments, *TINY, "-params", *TINY_PARAMETERS)
        assert result.returncode == 0, result.stderr
        written.append((tmp_path / name / "synthetic.csv").read_bytes())
    assert written[0] == written[1]
    assert written[0] != written[2]


@pytest.mark.slow
def test_policy_for_comparison_that_gives_too_few_records_does_not_lose_the_run(
    train, csv, tmp_path, monkeypatch, capsys
):
    sample = RLSyn.sample

    def scarce(model, n, *args, policy="trained", **kwargs):
        if policy == "warm_start":
            raise TooFewRecords("Only 3 of 200 drawn records obeyed the declared rules.")
        return sample(model, n, *args, policy=policy, **kwargs)

    monkeypatch.setattr(RLSyn, "sample", scarce)
    run_dir = tmp_path / "run"
    assert train(run_dir, "--csv", csv, "--label", "died") == 0
    assert "'warm_start' is left out of the comparison. Only 3 of 200" in capsys.readouterr().out
    assert "warm_start" not in pd.read_csv(run_dir / "metrics.csv")
    assert (run_dir / "synthetic.csv").is_file()


@pytest.mark.slow
def test_simulated_cohort_says_that_it_is_simulated(tmp_path):
    parameters = [
        "n_records:16",
        "n_discriminator_warm_up:5",
        "warm_start_kwargs.n_epochs:1",
        "warm_start_kwargs.n_linear_epochs:1",
    ]
    arguments = ["--env", "AIREADI-v0", "-n", 16 * 108, "--n-samples", 200, "--log-dir", tmp_path]
    result = run(*arguments, *TINY, "-params", *parameters)
    assert result.returncode == 0, result.stderr
    run_dir = tmp_path / "rlsyn" / "AIREADI-v0_1"
    config = yaml.safe_load((run_dir / "config.yaml").read_text())
    assert config["simulated"] is True and config["source"].startswith("SIMULATED")
    assert result.stdout.startswith("SIMULATED AIREADI-v0") and result.stdout.count("SIMULATED") >= 2
    synthetic = pd.read_csv(run_dir / "synthetic.csv")
    assert synthetic.shape == (200, 108) and "participant_id" not in synthetic


@pytest.mark.slow
def test_interrupted_run_can_be_resumed_with_the_same_table_only(call_script, csv, patients, tmp_path, capfd):
    run_dir = tmp_path / "run"
    arguments = ["--csv", csv, "--label", "died", "-n", 100_000 * ROLLOUT, "--run-dir", run_dir, *TINY]
    process = start(*arguments, "-params", *TINY_PARAMETERS)
    progress, begun = run_dir / "progress.csv", time.monotonic()
    while not (progress.is_file() and len(progress.read_text().splitlines()) > 2):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() - begun < PATIENCE, "The run did not begin."
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130 and f"--resume {run_dir}" in err and "Traceback" not in err, err
    assert not (run_dir / "synthetic.csv").exists()
    (checkpoint,) = (run_dir / "checkpoints").glob("*.pt")
    n_done = int(checkpoint.stem.removeprefix("state_"))
    assert n_done >= ROLLOUT

    before = {path: path.read_bytes() for path in run_dir.rglob("*") if path.is_file()}
    patients.rename(columns={"age": "years"}).to_csv(csv, index=False)
    assert call_script("run_ppo", "--resume", run_dir, "-params", "kl_coef:1") == 2
    assert "--params cannot be changed" in capfd.readouterr().err
    assert call_script("run_ppo", "--resume", run_dir) == 2
    error = capfd.readouterr().err
    assert "another schema" in error and error.count("\n") == 1
    assert {path: path.read_bytes() for path in run_dir.rglob("*") if path.is_file()} == before

    patients.to_csv(csv, index=False)
    result = run("--resume", run_dir, "-n", n_done + 2 * ROLLOUT)
    assert result.returncode == 0 and result.stderr == "", result.stderr  # no warning
    assert (
        len(pd.read_csv(run_dir / "synthetic.csv")) == yaml.safe_load((run_dir / "config.yaml").read_text())["n_train"]
    )
    assert (run_dir / "checkpoints" / f"state_{n_done + 2 * ROLLOUT:012d}.pt").is_file()
