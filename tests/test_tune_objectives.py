"""tune.py with several objectives: a front of trade-offs that run_ppo.py can train with, and trials that end early."""

import json
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

pytest.importorskip("optuna")

from rlsyn.arguments import check_arguments
from rlsyn.methods import make_method
from rlsyn.runs import merge
from rlsyn.search import study as searching
from rlsyn.search import trials as search_trials
from rlsyn.search.results import collect_trials, pareto_table, summarise_trials, write_results
from rlsyn.search.spaces import OBJECTIVES, SPACES, default_parameters
from rlsyn.search.study import N_RANDOM, open_journal, search
from rlsyn.search.trials import Outcome, is_worse, run_trial
from rlsyn.selection import PARTS
from rlsyn.synthesizer import RLSyn

TINY = {
    "n_records": 32,
    "batch_records": 32,
    "n_discriminator_warm_up": 2,
    "n_discriminator_steps": 1,
    "warm_start_kwargs": {"n_epochs": 1, "n_linear_epochs": 1, "n_clones": 1},
    "policy_kwargs": {"n_hidden": 16},
    "total_timesteps": 3 * 32 * 9,  # rollouts x records x columns
}
BASE = {"utility loss": 0.1, "association": 0.1, "detection": 0.2, "membership": 0.1}


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("tune")


@pytest.fixture
def scored(monkeypatch):
    """Trials that take no time and come to the next of the outcomes; what they were held against is in `limits`."""
    limits, outcomes = [], []

    def trial(task, method, parameters, given=None):
        limits.append(given)
        return outcomes[len(limits) - 1]

    monkeypatch.setattr(searching, "run_trial", trial)
    trial.limits, trial.outcomes = limits, outcomes
    return trial


def outcome(utility, membership, **kwargs):
    metrics = {"S2R AUC": 1 - utility, "membership AUC": 0.5 + membership}
    return Outcome(1.0, {**BASE, "utility loss": utility, "membership": membership}, metrics=metrics, **kwargs)


def tune(script, csv, output, *more, n_trials=6):
    objectives = [] if "--objectives" in more else ["--objectives", "s2r", "membership"]
    command = ["--csv", f"{csv}:died", "--methods", "rlsyn", "--trials", str(n_trials), "-o", str(output)]
    return script.main([*command, *objectives, *more])


# (0.2, 0.2) is dominated by (0.1, 0.2); (0.05, 0.3) is the best by utility, (0.3, 0.0) by membership.
FRONT = ((0.2, 0.2), (0.1, 0.2), (0.3, 0.0), (0.4, 0.0), (0.05, 0.3), (0.06, 0.31))


def test_the_front_is_printed_and_written_with_the_defaults_beside_it(script, scored, csv, tmp_path, capfd):
    output = tmp_path / "out"
    scored.outcomes += [outcome(*values) for values in FRONT]
    assert tune(script, csv, output) == 0
    captured = capfd.readouterr()
    rows = [[cell.strip() for cell in line.split("|")] for line in captured.out.splitlines() if "rlsyn |" in line]
    assert [(row[3], row[4], row[5], row[6]) for row in rows] == [
        ("4", "0.050", "0.300", "pareto_1.yaml"),
        ("1", "0.100", "0.200", "pareto_2.yaml"),
        ("2", "0.300", "0.000", "pareto_3.yaml"),
        ("0 (defaults)", "0.200", "0.200", "-"),
    ]
    assert captured.err == "" and "front of 6 trials, 0 of them pruned" in captured.out
    words = shlex.split(captured.out.split("Train with one: python experiments/run_ppo.py ")[1].splitlines()[0])
    config = output / "patients" / "rlsyn" / "pareto_1.yaml"
    assert words == ["--csv", str(csv), "--label", "died", "--config", str(config)]
    trials = pd.read_csv(output / "trials.csv")
    assert trials["is_best"].tolist() == [False, True, True, False, True, False]
    assert (trials["state"] == "complete").all()
    assert not (output / "rlsyn.yaml").exists()  # which is the best is for a person to say
    assert yaml.safe_load((output / "search.yaml").read_text())["patients"]["objectives"] == ["s2r", "membership"]


def test_run_ppo_takes_the_files_of_a_front(script, scored, csv, tmp_path, load_script):
    run_ppo, output = load_script("run_ppo"), tmp_path / "out"
    scored.outcomes += [outcome(*values) for values in (*FRONT[1:], (0.02, 0.01))]
    assert tune(script, csv, output, n_trials=5) == 0
    trials = pd.read_csv(output / "trials.csv")
    for number, trial in ((1, 3), (2, 0), (3, 1)):  # by rising utility loss
        path = output / "patients" / "rlsyn" / f"pareto_{number}.yaml"
        assert f"# Trial {trial}" in path.read_text()
        found = run_ppo._options(run_ppo._parser().parse_args(["--csv", str(csv), "--config", str(path)]))["parameters"]
        asked = json.loads(trials["parameters"][trial])
        assert found.pop("algo") == "ppo"
        assert merge(found, asked) == found and found.keys() == SPACES["rlsyn"](AnyTrial()).keys()
        check_arguments(RLSyn, found)
        RLSyn(**found)
    assert tune(script, csv, output) == 0  # one more trial is better than all but one
    assert {path.name for path in path.parent.iterdir()} == {"pareto_1.yaml", "pareto_2.yaml"}


class AnyTrial:
    """Proposes the low end of everything."""

    suggest_float = suggest_int = staticmethod(lambda name, low, high, **kwargs: low)
    suggest_categorical = staticmethod(lambda name, choices: choices[0])


def test_a_search_in_which_all_failed_leaves_no_front(script, scored, csv, tmp_path, capfd):
    scored.outcomes += [Outcome(1.0, {}, error="ValueError: no luck")] * 2
    assert tune(script, csv, tmp_path / "out", n_trials=2) == 1
    captured = capfd.readouterr()
    assert captured.err.count("Failed: patients, rlsyn") == 2 and "run_ppo.py" not in captured.out
    assert not list((tmp_path / "out").rglob("pareto_*.yaml"))


def test_tensorboard_has_every_completed_trial_with_its_parameters(script, scored, csv, tmp_path):
    scored.outcomes += [outcome(0.2, 0.1), outcome(0.1, 0.2), Outcome(1.0, {}, is_pruned=True), outcome(0.3, 0.0)]
    assert tune(script, csv, tmp_path / "out", n_trials=4) == 0
    folder = tmp_path / "out" / "tensorboard" / "patients" / "rlsyn"
    assert sorted(path.name for path in folder.iterdir()) == ["trial_0", "trial_1", "trial_3"]
    trials = pd.read_csv(tmp_path / "out" / "trials.csv")
    for index in (0, 3):
        found = EventAccumulator(str(folder / f"trial_{index}")).Reload()
        content = found.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
        hparams = HParamsPluginData.FromString(content).session_start_info.hparams
        (scalar,) = found.Scalars("evaluation/s2r_auc")
        assert scalar.step == index and scalar.value == pytest.approx(1 - trials["utility loss"][index])
        expected = json.loads(trials["parameters"][index]).get("kl_coef", 0.1)
        assert hparams["kl_coef"].number_value == expected
        assert "reward_weights.privacy" in hparams and "warm_start_kwargs.dropout" in hparams


@pytest.mark.parametrize("objectives", [("s2r", "membership"), ("membership", "association", "detection"), OBJECTIVES])
def test_the_front_is_what_nothing_dominates(objectives, task, scored, tmp_path):
    rng = np.random.default_rng(0)
    values = rng.integers(0, 4, (14, 4)) / 10  # many ties
    scored.outcomes += [Outcome(1.0, dict(zip(BASE, row, strict=True))) for row in values]
    search(task, ["one_step"], len(values), open_journal(tmp_path), objectives=list(objectives))
    trials = collect_trials(open_journal(tmp_path))
    losses = trials[[OBJECTIVES[name] for name in objectives]].to_numpy()
    dominated = [((losses <= row).all(1) & (losses < row).any(1)).any() for row in losses]
    np.testing.assert_array_equal(~trials["is_best"], dominated)
    table = pareto_table(trials, list(objectives))
    assert (table["file"] != "-").sum() == trials["is_best"].sum() and table["trial"].str.contains("defaults").any()


def test_trials_are_held_against_the_medians_of_those_before(task, scored, tmp_path):
    middles = [{"association": i / 10, "membership": (5 - i) / 10} for i in range(6)]
    scored.outcomes += [replace(outcome(0.1, 0.1), middle=middle) for middle in middles]
    scored.outcomes[2] = Outcome(0.5, {}, is_pruned=True, middle=middles[2])
    search(task, ["rlsyn"], 6, open_journal(tmp_path), objectives=["s2r", "membership"], prune=True)
    assert scored.limits[:N_RANDOM] == [{}] * N_RANDOM
    for index in range(N_RANDOM, 6):  # those that were pruned are among those before
        assert scored.limits[index] == pytest.approx(pd.DataFrame(middles[:index]).median().to_dict())


def test_of_one_sum_the_median_of_the_sums_counts(task, scored, tmp_path):
    middles = [{"association": 0.1 * i, "membership": 0.2} for i in (4, 1, 2, 3, 9)]
    scored.outcomes += [replace(outcome(0.1, 0.1), middle=middle) for middle in middles]
    search(task, ["rlsyn"], 5, open_journal(tmp_path), prune=True)
    assert scored.limits[4] == {"criterion": pytest.approx(0.25 + 0.2)}
    assert is_worse({"association": 0.5, "membership": 0.0}, scored.limits[4])
    assert not is_worse({"association": 0.4, "membership": 0.0}, scored.limits[4])


def test_nobody_looks_unless_pruning_is_asked_for(task, scored, tmp_path):
    scored.outcomes += [outcome(0.1, 0.1)] * 6
    search(task, ["rlsyn"], 6, open_journal(tmp_path), objectives=["s2r", "membership"])
    assert scored.limits == [None] * 6


def test_a_pruned_trial_is_spent_and_on_no_front(task, scored, tmp_path):
    pruned = Outcome(0.5, {}, is_pruned=True, middle={"association": 0.3, "membership": 0.3})
    scored.outcomes += [outcome(0.2, 0.2), pruned, outcome(0.3, 0.1), pruned]
    storage, how = open_journal(tmp_path), {"objectives": ["s2r", "membership"], "prune": True}
    for _ in range(2):  # what is pruned is not run again
        search(task, ["rlsyn"], 4, storage, **how)
    assert len(scored.limits) == 4
    trials = collect_trials(storage)
    assert trials["state"].tolist() == ["complete", "pruned", "complete", "pruned"]
    assert trials["is_best"].tolist() == [True, False, True, False] and trials["error"].isna().all()
    summary = summarise_trials(trials).iloc[0]
    assert summary[["trials", "failed", "pruned", "seconds"]].tolist() == [4, 0, 2, 3.0]
    write_results(trials, tmp_path, how["objectives"])
    assert yaml.safe_load((tmp_path / "search.yaml").read_text())["patients"]["trials"] == 4


@pytest.mark.slow
def test_a_trial_is_looked_at_after_a_third_and_pruned_only_if_worse(task, monkeypatch):
    models = []

    def kept(method, parameters):
        models.append(make_method(method, parameters))
        return models[-1]

    monkeypatch.setattr(search_trials, "make_method", kept)
    unseen = run_trial(task, "rlsyn", TINY)
    # Written out, the defaults are what they are left out; and looking at a training does not change it.
    written = merge(default_parameters("rlsyn"), TINY)
    good = run_trial(task, "rlsyn", written, {"association": 9.0, "membership": 9.0})
    bad = run_trial(task, "rlsyn", TINY, {"association": 0.0, "membership": 0.0})
    assert unseen.error == good.error == bad.error == ""
    assert unseen.parts == good.parts and set(unseen.parts) == set(OBJECTIVES.values()) and not unseen.middle
    assert not good.is_pruned and set(good.middle) == set(PARTS)
    assert good.metrics["association difference"] == good.parts["association"]
    assert bad.is_pruned and bad.middle == good.middle and not bad.parts
    assert [model.model.num_timesteps // (32 * 9) for model in models] == [3, 3, 1]


def test_worse_is_what_the_median_dominates():
    limits = {"association": 0.1, "membership": 0.0}
    assert is_worse({"association": 0.2, "membership": 0.0, "detection": 0.0}, limits)
    assert not is_worse({"association": 0.1, "membership": 0.0}, limits)  # just as good
    assert not is_worse({"association": 0.05, "membership": 0.3}, limits)  # leads in one
    assert not is_worse({"association": 9.0, "membership": 9.0}, {})  # nothing to hold it against


@pytest.mark.parametrize("method", [method for method in SPACES if method != "rlsyn"])
def test_defaults_written_out_make_the_same_method(method):
    written = default_parameters(method)
    assert written.keys() == SPACES[method](AnyTrial()).keys()
    alike = [vars(make_method(method, parameters)) for parameters in ({}, written)]
    assert alike[0] == alike[1]


def test_a_folder_is_one_kind_of_search(task, scored, tmp_path):
    scored.outcomes += [outcome(0.1, 0.1)] * 3
    storage = open_journal(tmp_path)
    search(task, ["rlsyn"], 1, storage, objectives=["s2r", "membership"])
    with pytest.raises(ValueError, match=re.escape("minimises s2r and membership, asked for is the sum of all terms")):
        search(task, ["one_step"], 1, storage)
    with pytest.raises(ValueError, match="asked for is s2r and association"):
        search(task, ["rlsyn"], 1, storage, objectives=["s2r", "association"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--objectives", "s2r", "menbership"], "Did you mean 'membership'"),
        (["--objectives", "s2r"], "two or more different ones, got s2r."),
        (["--objectives", "s2r", "s2r"], "two or more different ones"),
        (["--methods", "one_step", "ehrdiff", "--prune"], "trials of rlsyn, got it with --methods one_step ehrdiff"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(script, csv, arguments, message, tmp_path, capsys):
    assert tune(script, csv, tmp_path / "out", *arguments) == 2
    error = capsys.readouterr().err
    assert message in error and error.startswith("tune.py: error: ") and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_two_commands_at_once_share_the_trials_of_a_folder(csv, tmp_path):
    script = Path(__file__).parents[1] / "experiments" / "tune.py"
    options = ["--methods", "sequential_trees", "--objectives", "s2r", "membership", "--trials", "8"]
    command = [sys.executable, str(script), "--csv", f"{csv}:died", *options, "-o", str(tmp_path / "out")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in both:
        assert process.communicate(timeout=300)[1] == "" and process.returncode == 0
    storage = open_journal(tmp_path / "out")
    trials = collect_trials(storage)
    assert trials["trial"].tolist() == list(range(8)) and (trials["state"] == "complete").all()
    (study,) = searching.get_all_study_summaries(storage)
    begun = searching.create_study(storage=storage, study_name=study.study_name, load_if_exists=True).get_trials()
    assert len({trial.user_attrs["process"][1] for trial in begun}) == 2
