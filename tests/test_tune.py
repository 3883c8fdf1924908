"""tune.py, as a person calls it: the same budget for all, on training people only, kept and gone on with."""

import itertools
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml

pytest.importorskip("optuna")
from optuna.trial import TrialState

from rlsyn.datasets import from_table
from rlsyn.methods import METHODS, make_method
from rlsyn.runs import read_parameters
from rlsyn.search import study as searching
from rlsyn.search import trials as search_trials
from rlsyn.search.results import collect_trials, summarise_trials, write_results
from rlsyn.search.spaces import SPACES
from rlsyn.search.study import open_journal, search
from rlsyn.search.trials import Outcome, criterion_parts, make_task


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("tune")


@pytest.fixture
def scorer(monkeypatch):
    """Trials that take no time and are better the nearer to `kl_coef` 0.3; `calls` tells which were run."""

    def run_trial(task, method, parameters, limits=None):
        scorer.calls.append((method, dict(parameters)))
        scorer.before(len(scorer.calls))
        scorer.limits.append(limits)
        distance = abs(np.log(parameters.get("kl_coef", 0.1) / 0.3))
        parts = {"utility loss": distance, "association": 0.1, "detection": 0.2, "membership": 0.0}
        return scorer.outcome(len(scorer.calls), Outcome(1.5, parts))

    scorer = SimpleNamespace(calls=[], limits=[], before=lambda n_calls: None, outcome=lambda n_calls, outcome: outcome)
    monkeypatch.setattr(searching, "run_trial", run_trial)
    return scorer


class Proposals:
    """Stands for an Optuna trial that proposes one corner of a space, of those that `sides` can tell apart."""

    def __init__(self, corner=None):
        self.corner, self.sides = corner, {}

    def _pick(self, name, values):
        assert name not in self.sides, f"{name} is proposed twice"
        self.sides[name] = len(values)
        return values[self.corner[name] if self.corner else 0]

    def suggest_float(self, name, low, high, **kwargs):
        assert low < high
        return self._pick(name, [low, high])

    def suggest_int(self, name, low, high, **kwargs):
        assert low < high
        return self._pick(name, [low, high])

    def suggest_categorical(self, name, choices):
        assert len(set(choices)) == len(choices) > 1
        return self._pick(name, choices)


@pytest.mark.parametrize(
    "method", [pytest.param(one, marks=pytest.mark.slow) if one == "rlsyn" else one for one in SPACES]
)
def test_every_corner_of_a_space_is_accepted_by_the_constructor(method):
    assert method in METHODS
    SPACES[method](first := Proposals())
    for picked in itertools.product(*(range(n) for n in first.sides.values())):
        parameters = SPACES[method](Proposals(dict(zip(first.sides, picked, strict=True))))
        assert yaml.safe_load(yaml.safe_dump(parameters)) == parameters
        make_method(method, parameters)


def test_one_command_leaves_a_table_and_configs_that_read_back(script, csv, tmp_path, capfd):
    output = tmp_path / "out"
    command = ["--csv", f"{csv}:died", "--methods", "sequential_trees", "--trials", "2", "-o", str(output)]
    assert script.main(command) == 0
    captured = capfd.readouterr()
    assert captured.err == "" and "block Table-v0 would hold for every table of your own" in captured.out
    assert "association difference" in captured.out and "| patients |" in captured.out
    trials = pd.read_csv(output / "trials.csv")
    assert trials["trial"].tolist() == [0, 1] and trials["parameters"][0] == "{}"
    parts = trials[["utility loss", "association", "detection", "membership"]]
    np.testing.assert_allclose(parts.sum(axis=1), trials["criterion"])
    assert (parts >= 0).all(axis=None) and (trials["criterion"].nunique() == 2) and (trials["seconds"] > 0).all()
    best = json.loads(trials.loc[trials["criterion"].idxmin(), "parameters"])
    assert read_parameters(output / "sequential_trees.yaml", "Table-v0") == best
    assert read_parameters(output / "sequential_trees.yaml", "AIREADI-v0") == {}
    budget = yaml.safe_load((output / "search.yaml").read_text())["patients"]
    assert budget["trials"] == 2 and budget["seed"] == 0 and "S2R" not in budget["seconds"]
    assert budget["seconds"]["sequential_trees"] == pytest.approx(trials["seconds"].sum(), abs=0.1)
    assert script.main(command) == 0  # nothing is left to do
    pd.testing.assert_frame_equal(pd.read_csv(output / "trials.csv"), trials)


def test_trials_see_training_people_only(script, scorer, tmp_path, monkeypatch, make_patients):
    table = make_patients(200).assign(person=np.arange(200) // 4)
    dataset = from_table(table, "died", "person", seed=3)

    class Sealed:
        name, title, train, schema = dataset.name, dataset.title, dataset.train, dataset.schema

        @property
        def test(self):
            raise AssertionError("The search read the test rows.")

    monkeypatch.setattr(script, "load_dataset", lambda options: Sealed())
    assert script.main(["--env", "BreastCancer-v0", "--methods", "all", "--trials", "2", "-o", str(tmp_path)]) == 0
    assert [method for method, _ in scorer.calls] == [*SPACES, *SPACES]
    task = make_task("patients", "Table-v0", dataset.train, dataset.schema, seed=3)
    fit, validation = set(task.fit_rows["person"]), set(task.validation_rows["person"])
    assert not fit & validation and fit | validation == set(dataset.train["person"])
    assert len(task.fit_rows) + len(task.validation_rows) == len(dataset.train)
    assert 0.15 < len(validation) / len(fit | validation) < 0.35


def test_the_first_trial_is_the_defaults_and_the_seed_decides_the_others(task, scorer, tmp_path):
    tried = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        (tmp_path / name).mkdir()
        seeded = make_task(task.table, task.env, task.fit_rows, task.schema, seed)
        search(seeded, ["rlsyn"], 7, open_journal(tmp_path / name))
        tried.append([parameters for _, parameters in scorer.calls[-7:]])
    assert all(of_seed[0] == {} for of_seed in tried)
    assert tried[0] == tried[1] and all(a != c for a, c in zip(tried[0][1:], tried[2][1:], strict=True))
    assert len({str(parameters) for parameters in tried[0]}) == 7


def test_a_search_that_was_stopped_goes_on_as_if_it_had_not_been(task, scorer, tmp_path):
    def stop(n_calls):
        if n_calls in (1, 5):
            raise KeyboardInterrupt

    for name in ("whole", "stopped"):
        (tmp_path / name).mkdir()
    search(task, ["rlsyn", "ehrdiff"], 5, open_journal(tmp_path / "whole"))
    whole = collect_trials(open_journal(tmp_path / "whole"))
    scorer.calls.clear()
    scorer.before = stop
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            search(task, ["rlsyn", "ehrdiff"], 5, open_journal(tmp_path / "stopped"))
    storage = open_journal(tmp_path / "stopped")
    assert len(collect_trials(storage)) == 3
    search(task, ["rlsyn", "ehrdiff"], 3, storage)
    search(task, ["rlsyn", "ehrdiff"], 5, storage)  # a larger budget adds to what is there
    pd.testing.assert_frame_equal(collect_trials(storage), whole)
    assert len(scorer.calls) == 10 + 2
    search(task, ["rlsyn", "ehrdiff"], 5, storage)
    assert len(scorer.calls) == 10 + 2


def test_a_trial_whose_process_was_killed_is_run_again(task, scorer, tmp_path, monkeypatch):
    killed = subprocess.Popen([sys.executable, "-c", ""])
    killed.wait()
    storage = open_journal(tmp_path)
    study = searching._open_study(task, "rlsyn", storage)
    with monkeypatch.context() as other_process:
        other_process.setattr(searching.os, "getpid", lambda: killed.pid)
        searching._next_trial(study, 3)
    searching._next_trial(study, 3)  # of this process, which lives
    search(task, ["rlsyn"], 3, storage)
    assert scorer.calls[0] == ("rlsyn", {}) and len(scorer.calls) == 2
    states = [trial.state for trial in study.get_trials()]
    assert states.count(TrialState.RUNNING) == 1 and states.count(TrialState.COMPLETE) == 2


def test_processes_that_share_a_folder_share_the_trials(task, scorer, tmp_path):
    scorer.before = lambda n_calls: time.sleep(0.01)
    with ThreadPoolExecutor(3) as pool:
        for one in [pool.submit(search, task, ["rlsyn", "one_step"], 6, open_journal(tmp_path)) for _ in range(3)]:
            one.result()
    trials = collect_trials(open_journal(tmp_path))
    assert trials["trial"].tolist() == [*range(6), *range(6)] and len(scorer.calls) == 12


def test_a_trial_that_fails_is_told_and_does_not_stop_the_rest(script, csv, tmp_path, monkeypatch, capfd):
    def fail_by_default(method, parameters):
        raise ValueError(f"no {'default' if set(parameters) == {'seed'} else 'luck'}\nat all")

    monkeypatch.setattr(search_trials, "make_method", fail_by_default)
    output = tmp_path / "out"
    command = ["--csv", f"{csv}:died", "--methods", "ehrdiff", "rlsyn", "--trials", "2", "-o", str(output)]
    assert script.main(command) == 1
    assert "Failed: patients, ehrdiff, trial 0: ValueError: no default at all\n" in capfd.readouterr().err
    trials = pd.read_csv(output / "trials.csv")
    assert trials["error"].notna().all() and trials["criterion"].isna().all() and len(trials) == 4
    assert summarise_trials(trials)["failed"].tolist() == [2, 2]
    assert read_parameters(output / "rlsyn.yaml", "Table-v0") == {}


def fails_at_the_third_trial(scorer, csv, output, error):
    """The command of a search whose third trial raises the error."""

    def fail(n_calls):
        if n_calls == 3:
            raise error

    scorer.before = fail
    return ["--csv", f"{csv}:died", "--methods", "rlsyn", "--trials", "4", "-o", str(output)]


def test_ctrl_c_keeps_what_is_done(script, scorer, csv, tmp_path, capfd):
    output = tmp_path / "out"
    command = fails_at_the_third_trial(scorer, csv, output, KeyboardInterrupt)
    assert script.main(command) == 130 and "goes on" in capfd.readouterr().err
    assert len(pd.read_csv(output / "trials.csv")) == 2 and (output / "rlsyn.yaml").is_file()
    assert yaml.safe_load((output / "search.yaml").read_text())["patients"]["trials"] == 2
    assert script.main(command) == 0 and len(pd.read_csv(output / "trials.csv")) == 4


def test_a_process_that_is_killed_is_told_and_what_is_done_reported(script, scorer, csv, tmp_path, capfd):
    output = tmp_path / "out"
    command = fails_at_the_third_trial(scorer, csv, output, BrokenProcessPool)
    assert script.main(command) == 2
    error = capfd.readouterr().err
    assert "A process was killed, probably for want of memory" in error and error.count("\n") == 1
    assert len(pd.read_csv(output / "trials.csv")) == 2 and (output / "rlsyn.yaml").is_file()
    scorer.before = lambda n_calls: None
    assert script.main(command) == 0 and len(pd.read_csv(output / "trials.csv")) == 4


def test_budget_is_what_every_method_had(task, scorer, tmp_path):
    storage = open_journal(tmp_path)
    search(task, ["rlsyn"], 3, storage)
    search(task, ["one_step"], 2, storage)
    write_results(collect_trials(storage), tmp_path)
    assert yaml.safe_load((tmp_path / "search.yaml").read_text())["patients"]["trials"] == 2
    best = summarise_trials(collect_trials(storage)).set_index("method")
    assert best.loc["rlsyn", "best"] <= best.loc["rlsyn", "default"] and best.loc["rlsyn", "seconds"] == 4.5


def test_the_best_is_said_to_be_of_the_trials_of_its_table(task, scorer, tmp_path):
    storage = open_journal(tmp_path)
    search(task, ["rlsyn"], 3, storage)
    search(replace(task, table="other", env="BreastCancer-v0"), ["rlsyn"], 2, storage)
    write_results(collect_trials(storage), tmp_path)
    heading = (tmp_path / "rlsyn.yaml").read_text().splitlines()[0]
    assert heading.startswith("# The best of 2 trials on other and of 3 trials on patients, by")


def test_the_criterion_counts_every_term_from_its_best():
    scores = pd.DataFrame({"metric": ["association difference", "detection AUC (LightGBM)", "membership AUC"]})
    scores["value"] = [0.04, 0.7, 0.55]

    def total(metric, value):
        return sum(criterion_parts(pd.concat([scores, pd.DataFrame({"metric": [metric], "value": [value]})])).values())

    assert total("S2R AUC", 0.8) == pytest.approx(0.2 + 0.04 + 0.2 + 0.05)
    assert total("S2R R2", 0.6) == pytest.approx(0.4 + 0.29) and total("S2R R2", -3.0) == pytest.approx(1.29)
    scores["value"] = [0.04, 0.3, 0.45]  # of detection and attack below chance
    assert total("S2R AUC", 0.8) == pytest.approx(0.2 + 0.04)
    with pytest.raises(ValueError, match="needs S2R AUC, which could not"):
        total("S2R AUC", np.nan)
    with pytest.raises(ValueError, match="membership AUC"):
        criterion_parts(scores.assign(value=[0.04, 0.3, np.nan]))


def test_other_rows_or_another_seed_are_refused(task, scorer, tmp_path, make_patients):
    storage = open_journal(tmp_path)
    search(task, ["rlsyn"], 1, storage)
    with pytest.raises(ValueError, match="another seed and rows"):
        search(make_task(task.table, task.env, task.fit_rows, task.schema, 1), ["rlsyn"], 1, storage)
    with pytest.raises(ValueError, match="another Table-v0, patients"):
        search(make_task("others", task.env, task.fit_rows, task.schema), ["rlsyn"], 1, storage)


def test_a_label_that_no_trial_could_be_scored_on_is_told_before_the_first(script, scorer, csv, tmp_path, capsys):
    table = pd.read_csv(csv).assign(rare=0)
    table.loc[0, "rare"] = 1
    table.to_csv(csv, index=False)
    for label, message in (("rare", "must vary among the people that trials"), ("absent", "'absent'")):
        assert script.main(["--csv", f"{csv}:{label}", "--methods", "rlsyn", "-o", str(tmp_path / "new")]) == 2
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1
    assert not scorer.calls and not (tmp_path / "new").exists()


def test_all_among_other_methods_stands_for_all_and_repeats_none(script):
    arguments = script._parser().parse_args(["-o", "out", "--methods", "rlsyn", "all", "rlsyn"])
    assert script._methods(arguments) == ["rlsyn", *(method for method in SPACES if method != "rlsyn")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Expected --env ID or --csv"),
        (["--env", "BreastCancer-v0", "--csv", "a.csv:b"], "one of them"),
        (["--env", "BrestCancer-v0"], "Did you mean 'BreastCancer-v0'"),
        (["--csv", "absent.csv:died"], "found none at absent.csv"),
        (["--csv", "absent.csv"], "FILE:LABEL"),
        (["--env", "BreastCancer-v0", "--methods", "ehrdif"], "Did you mean 'ehrdiff'"),
        (["--env", "BreastCancer-v0", "--methods", "bootstrap"], "method with anything to search"),
        (["--env", "BreastCancer-v0", "--trials", "0"], "--trials 0"),
        (["--env", "BreastCancer-v0", "--n-jobs", "0"], "--n-jobs 0"),
        (["--env", "BreastCancer-v0", "--seed", "-1"], "below 2**32, got -1"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(script, arguments, message, tmp_path, capsys):
    assert script.main([*arguments, "-o", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert message in error and error.startswith("tune.py: error: ") and error.count("\n") == 1
    assert not (tmp_path / "out").exists()
