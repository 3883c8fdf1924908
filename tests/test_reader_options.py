"""Options of the readers are dataclasses; the command line and the data sets follow them."""

import argparse
import contextlib
import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pytest

import rlsyn.datasets
import rlsyn.runs
from experiments import benchmark, evaluate, run_ppo, sample, trade_off, tune
from rlsyn.datasets import COHORTS, Cohort, load
from rlsyn.datasets.reader_options import PROTOCOLS, add_options, add_protocol, option, option_names, resolve
from rlsyn.runs import leave_licences
from rlsyn.schema import infer_schema
from rlsyn.table_options import given_reader_options, named_tables, table_words


@dataclass(frozen=True)
class Options:
    unit: Literal["day", "person"] = option("day", "what a row is")
    has_faults: bool = option(False, "whether faults are kept", paper=True)
    n_jobs: int = option(1, "processes")
    share: float = option(0.5, "a share of 100 %")
    folder: Path | None = option(None, "a folder")


@dataclass(frozen=True)
class OtherOptions:
    n_jobs: int = option(2, "processes here")
    unit: Literal["person", "stay"] = option("stay", "what a row is there")


def parse(*texts: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_protocol(parser)
    add_options(parser, {"A-v0": Options, "B-v0": OtherOptions})
    return parser.parse_args(texts)


def test_what_is_not_given_is_that_of_the_protocol():
    assert resolve(Options, {}) == resolve(Options, {"protocol": "default", "unit": None}) == Options()
    assert resolve(Options, {"protocol": "paper"}) == replace(Options(), has_faults=True)


def test_what_is_given_goes_before_the_protocol():
    given = {"protocol": "paper", "has_faults": False, "n_jobs": 3}
    assert resolve(Options, given) == replace(Options(), n_jobs=3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"unti": "day"}, "Did you mean 'unit'"),
        ({"unit": "week"}, "--unit must be one of day, person, got 'week'"),
        ({"n_jobs": "two"}, "--n-jobs must be a whole number, got 'two'"),
        ({"n_jobs": True}, "--n-jobs must be a whole number, got True"),
        ({"has_faults": 1}, "--has-faults must be true or false, got 1"),
        ({"share": "half"}, "--share must be a number"),
        ({"folder": 3}, "--folder must be a folder"),
        ({"protocol": "papr"}, "Did you mean 'paper'"),
    ],
)
def test_what_a_reader_does_not_take_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        resolve(Options, given)


def test_flags_are_the_fields_and_absent_ones_are_none():
    assert option_names({"A-v0": Options, "B-v0": OtherOptions}) == ("unit", "has_faults", "n_jobs", "share", "folder")
    assert set(vars(parse()).values()) == {None}
    found = parse("--unit", "stay", "--no-has-faults", "--n-jobs", "4", "--share", ".25", "--folder", "here")
    expected = {"unit": "stay", "has_faults": False, "n_jobs": 4, "share": 0.25, "folder": Path("here")}
    assert vars(found) == {"protocol": None, **expected}


def test_flags_refuse_other_choices():
    with pytest.raises(argparse.ArgumentError, match="week"):
        parse("--unit", "week")


@pytest.mark.parametrize("env", COHORTS)
def test_options_of_every_reader_are_bound_to_the_command_line(env):
    options = COHORTS[env].options
    flags = vars(run_ppo._parser().parse_args([]))
    assert set(option_names({env: options})) <= set(flags)
    for protocol in PROTOCOLS:
        assert isinstance(resolve(options, {"protocol": protocol}), options)


def test_options_without_a_folder_are_refused():
    with pytest.raises(ValueError, match="--protocol goes with --data-dir DIR"):
        load("AIREADI-v0", reader_options={"protocol": "paper"})


LICENCE = "Only for tests, and so is all that comes of it."


@pytest.fixture
def cohort(patients, monkeypatch) -> Cohort:
    """What the reader of AIREADI-v0 finds in whatever folder it is given."""
    in_test = np.arange(len(patients)) % 4 == 0
    found = Cohort(patients, infer_schema(patients, label="died"), "Invented.", licence=LICENCE, in_test=in_test)
    readers = {
        **COHORTS,
        "AIREADI-v0": COHORTS["AIREADI-v0"]._replace(read=lambda *_: found, licence=lambda _: LICENCE),
    }
    monkeypatch.setattr(rlsyn.datasets, "COHORTS", readers)
    monkeypatch.setattr(rlsyn.runs, "COHORTS", readers)
    return found


def test_a_split_of_the_release_is_kept(cohort, tmp_path):
    dataset = load("AIREADI-v0", tmp_path, seed=5)
    pd.testing.assert_frame_equal(dataset.test, cohort.table[cohort.in_test].reset_index(drop=True))
    assert len(dataset.train) + len(dataset.test) == len(cohort.table)
    assert not dataset.simulated and dataset.licence == LICENCE


def test_shares_of_the_protocol_hold_unless_others_are_asked_for(cohort, tmp_path, monkeypatch):
    own = replace(cohort, in_test=None, test_size=0.1)
    reader = COHORTS["AIREADI-v0"]._replace(read=lambda *_: own)
    monkeypatch.setitem(rlsyn.datasets.COHORTS, "AIREADI-v0", reader)
    assert len(load("AIREADI-v0", tmp_path).test) == pytest.approx(0.1 * len(own.table), abs=2)
    assert len(load("AIREADI-v0", tmp_path, test_size=0.4).test) == pytest.approx(0.4 * len(own.table), abs=2)


@pytest.mark.slow
def test_the_licence_is_told_once_and_left_with_the_run_and_its_report(cohort, tmp_path):
    run_dir = tmp_path / "run"
    tiny = ["-n", "576", "--device", "cpu", "-params", "n_records:64", "n_discriminator_warm_up:2"]
    tiny += ["warm_start_kwargs.n_epochs:1", "warm_start_kwargs.n_linear_epochs:1", "policy_kwargs.n_hidden:16"]
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        command = ["--env", "AIREADI-v0", "--data-dir", str(tmp_path), "--run-dir", str(run_dir), "--no-report", *tiny]
        assert run_ppo.main(command) == 0
        assert told.getvalue().count(LICENCE) == 1
        assert sample.main([str(run_dir), "-n", "5", "-o", str(tmp_path / "more.csv")]) == 0
        assert evaluate.main([str(run_dir), "--fast"]) == 0
    assert (run_dir / "data_licence.txt").read_text() == f"{LICENCE}\n"
    assert "data_licence.txt" in told.getvalue()
    assert LICENCE in (run_dir / "report.html").read_text()


def test_comparisons_name_a_release_beside_the_environment(tmp_path):
    options = {"protocol": "paper"}
    tables = named_tables([f"AIREADI-v0:{tmp_path}", "MIMICIV-v0"], [], options)
    assert tables["AIREADI-v0"]["data_dir"] == str(tmp_path)
    assert tables["AIREADI-v0"]["reader_options"] == options
    assert tables["MIMICIV-v0"] == {"env": "MIMICIV-v0", "csv": None, "data_dir": None}


def test_words_of_a_release_ask_for_it_and_its_options_again(tmp_path):
    given = {"unit": "participant", "with_age": True, "with_bmi": False, "min_people": 3, "cache_dir": str(tmp_path)}
    for env, table in named_tables([f"AIREADI-v0:{tmp_path}", f"MIMICIV-v0:{tmp_path}"], [], given).items():
        arguments = run_ppo._parser().parse_args(table_words(table))
        assert (arguments.env, arguments.data_dir) == (env, str(tmp_path))
        assert given_reader_options(arguments) == table["reader_options"] != {}
    (simulated,) = named_tables(["AIREADI-v0"], []).values()
    assert table_words(simulated) == ["--env", "AIREADI-v0"]


@pytest.mark.parametrize(
    ("envs", "options", "error", "message"),
    [
        (["AIREADI-v0:/no/such/folder"], {}, FileNotFoundError, "found none at /no/such/folder"),
        (["BreastCancer-v0:/"], {}, ValueError, "BreastCancer-v0 comes with the project and has no folder"),
        (["AIREADI-v0"], {"unit": "day"}, ValueError, "--unit goes with --env ID:DIR"),
    ],
)
def test_releases_that_cannot_be_are_refused(envs, options, error, message):
    with pytest.raises(error, match=message):
        named_tables(envs, [], options)


@pytest.mark.parametrize("script", [benchmark, run_ppo, trade_off, tune], ids=lambda script: script.__name__)
def test_flags_of_readers_are_not_those_of_the_scripts(script):
    assert script._parser()  # argparse refuses a flag that is there already


@pytest.mark.usefixtures("cohort")
def test_comparisons_leave_the_licence_with_their_results(tmp_path, capsys):
    output = tmp_path / "out"
    command = ["--env", f"AIREADI-v0:{tmp_path}", "--methods", "independent", "--fast", "-o", str(output)]
    assert benchmark.main(command) == 0
    assert capsys.readouterr().out.count(LICENCE) == 1
    assert (output / "data_licence.txt").read_text() == f"{LICENCE}\n"
    assert leave_licences(output, [{"env": "AIREADI-v0", "data_dir": None}]) == ""
