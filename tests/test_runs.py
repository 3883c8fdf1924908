"""Run directories are numbered, described and found again; configurations merge."""

import numpy as np
import pandas as pd
import pytest
import yaml

from rlsyn.datasets import from_table, load
from rlsyn.runs import (
    check_same_table,
    checkpoint_steps,
    fingerprint,
    is_finished,
    merge,
    moved,
    named_run_dir,
    new_run_dir,
    parse_parameters,
    read_config,
    read_parameters,
    write_config,
)
from rlsyn.schema import Schema

ARGUMENTS = {"csv": "/data/patients.csv", "label": "died", "n_samples": None, "parameters": {"kl_coef": 0.1, "seed": 3}}


def test_new_run_dir_takes_the_next_free_number(tmp_path):
    assert new_run_dir(tmp_path / "logs", "rlsyn", "Table-v0") == tmp_path / "logs" / "rlsyn" / "Table-v0_1"
    assert new_run_dir(tmp_path / "logs", "rlsyn", "Table-v0").name == "Table-v0_2"
    assert new_run_dir(tmp_path / "logs", "rlsyn", "Diabetes-v0").name == "Diabetes-v0_1"
    (tmp_path / "logs" / "rlsyn" / "Table-v0_10").mkdir()
    (tmp_path / "logs" / "rlsyn" / "Table-v0_old").mkdir()
    found = new_run_dir(tmp_path / "logs", "rlsyn", "Table-v0")
    assert found.name == "Table-v0_11" and found.is_dir() and not list(found.iterdir())


def test_named_run_dir_is_new_or_empty(tmp_path):
    assert named_run_dir(tmp_path / "a" / "run").is_dir()
    assert named_run_dir(tmp_path / "a" / "run") == tmp_path / "a" / "run"
    (tmp_path / "a" / "run" / "synthetic.csv").touch()
    with pytest.raises(ValueError, match=r"must be new or empty, .*--resume"):
        named_run_dir(tmp_path / "a" / "run")
    with pytest.raises(ValueError, match="must be new or empty"):
        named_run_dir(tmp_path / "a" / "run" / "synthetic.csv")


def test_run_dir_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(PermissionError, match=r"cannot be written to .*Choose another"):
        named_run_dir(tmp_path / "file" / "run")
    with pytest.raises(PermissionError, match="cannot be written to"):
        new_run_dir(tmp_path / "file", "rlsyn", "Table-v0")


def test_config_describes_the_run_and_is_read_again(patients, tmp_path):
    dataset = from_table(patients, label="died", source="Invented.")
    write_config(tmp_path, dataset, "rlsyn", ARGUMENTS)
    config = read_config(tmp_path)
    assert config == config | ARGUMENTS
    assert config["method"] == "rlsyn" and config["env"] == "Table-v0" and config["source"] == "Invented."
    assert (
        config["simulated"] is False
        and config["n_train"] == len(dataset.train)
        and config["n_test"] == len(dataset.test)
    )
    assert {"torch", "stable-baselines3", "python", "rlsyn"} <= set(config["versions"])
    assert {"command", "started", "git_commit", "train_fingerprint"} <= set(config)
    assert Schema.read(tmp_path / "schema.yaml") == dataset.schema
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml", "schema.yaml"]


def test_config_says_that_rows_are_simulated(tmp_path):
    write_config(tmp_path, load("MIMICIV-v0"), "rlsyn", ARGUMENTS)
    assert read_config(tmp_path)["simulated"] is True and read_config(tmp_path)["source"].startswith("SIMULATED")


def test_config_holds_no_value_of_the_table(patients, tmp_path):
    write_config(
        tmp_path, from_table(patients.assign(weight=np.linspace(50, 90, 200).round(9)), "died"), "rlsyn", ARGUMENTS
    )
    text = (tmp_path / "config.yaml").read_text() + (tmp_path / "schema.yaml").read_text()
    assert not any(f"{value}" in text for value in np.linspace(50, 90, 200).round(9)[1:-1] if value % 1)


def test_read_config_refuses_what_is_no_run(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Expected a run directory with a config\.yaml, found none"):
        read_config(tmp_path)
    for text in ("just text", "a: 1", "", "parameters: {a: [1,"):
        (tmp_path / "config.yaml").write_text(text)
        with pytest.raises(ValueError, match=r"Expected the config\.yaml of a run"):
            read_config(tmp_path)


def test_run_is_finished_when_its_records_are_there(tmp_path):
    assert not is_finished(tmp_path)
    (tmp_path / "synthetic.csv").touch()
    assert is_finished(tmp_path)


def test_checkpoint_steps_are_those_of_the_newest(tmp_path):
    assert checkpoint_steps(tmp_path) == 0
    (tmp_path / "checkpoints").mkdir()
    for n_steps in (900, 12_000, 1_000):
        (tmp_path / "checkpoints" / f"state_{n_steps:012d}.pt").touch()
    assert checkpoint_steps(tmp_path) == 12_000


def test_same_table_may_be_resumed(patients, tmp_path):
    write_config(tmp_path, from_table(patients, "died"), "rlsyn", ARGUMENTS)
    check_same_table(tmp_path, read_config(tmp_path), from_table(patients.copy(), "died"))


OTHER_TABLES = {
    "column more": (lambda t: t.assign(more=1.5), "died", "another schema .* now 10"),
    "column renamed": (lambda t: t.rename(columns={"steps": "stairs"}), "died", "another schema .*'steps'"),
    "another label": (lambda t: t, "sex", "another schema .*label 'died'; now .*label 'sex'"),
    "category more": (
        lambda t: t.assign(site=t["site"].where(t.index != 60, "Wien")),
        "died",
        "another schema .*'site'",
    ),
    "other values": (
        lambda t: t.assign(age=(t["age"] + 0.1).round(1)),
        "died",
        "other training rows of the same schema",
    ),
    "rows in another order": (lambda t: t.iloc[::-1], "died", "other training rows"),
}


@pytest.mark.parametrize(("change", "label", "message"), OTHER_TABLES.values(), ids=OTHER_TABLES)
def test_another_table_may_not_be_resumed(patients, tmp_path, change, label, message):
    write_config(tmp_path, from_table(patients, "died"), "rlsyn", ARGUMENTS)
    with pytest.raises(ValueError, match=message):
        check_same_table(tmp_path, read_config(tmp_path), from_table(change(patients), label))


def test_other_test_rows_are_seen_too(patients, make_patients, tmp_path):
    others = make_patients(90, seed=1)
    write_config(tmp_path, from_table(patients, "died", test=others), "rlsyn", ARGUMENTS)
    config = read_config(tmp_path)
    check_same_table(tmp_path, config, from_table(patients, "died", test=others.copy()))
    corrected = from_table(patients, "died", test=others.assign(age=(others["age"] + 0.1).round(1)))
    with pytest.raises(ValueError, match="begun with other test rows of the same schema"):
        check_same_table(tmp_path, config, corrected)
    del config["test_fingerprint"]  # of a former version
    check_same_table(tmp_path, config, corrected)
    with pytest.raises(ValueError, match="other training rows"):
        check_same_table(tmp_path, {}, corrected)


def test_what_was_moved_is_found_at_its_new_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    for name in ("t.csv", "h.csv"):
        (old / name).touch()
    config = {"csv": str(old / "t.csv"), "test_csv": str(old / "h.csv"), "data_dir": None, "label": "died"}
    assert moved(config, {}) == config
    with pytest.raises(ValueError, match=r"--data-dir says where .* this one was begun without"):
        moved(config, {"data_dir": "release"})
    places = {"csv": None, "test_csv": "new/h.csv", "data_dir": None, "label": "other"}
    with pytest.raises(FileNotFoundError, match=r"new/h\.csv, found none\. Say with --test-csv where"):
        moved(config, places)
    new.mkdir()
    (old / "h.csv").rename(new / "h.csv")
    with pytest.raises(FileNotFoundError, match=r"old/h\.csv, found none\. Say with --test-csv where"):
        moved(config, {})
    assert moved(config, places) == config | {"test_csv": str(new / "h.csv")}


def test_fingerprint_changes_with_any_value(patients):
    before = fingerprint(patients)
    assert fingerprint(patients.copy()) == before and len(before) == 16
    rng = np.random.default_rng(0)
    changed = {"age": 1.25, "steps": 123_456_789, "n_visits": 99, "smoker": "perhaps", "site": "Wien", "died": 7}
    changed["never_measured"] = 0.0
    seen = {before}
    for name, value in changed.items():
        table = patients.copy()
        table.loc[rng.integers(len(table)), name] = value
        seen.add(fingerprint(table))
    assert len(seen) == 1 + len(changed)
    assert fingerprint(patients.iloc[::-1]) not in seen and fingerprint(patients.head(199)) not in seen


def test_fingerprint_sees_repeated_rows():
    table = pd.DataFrame({"x": [1, 1, 2]})
    assert len({fingerprint(table.iloc[rows]) for rows in ([0, 1, 2], [2], [0, 2, 2], [0, 1, 2, 2, 2])}) == 4


PARAMETERS = {
    "nothing": ([], {}),
    "whole number": (["n_records:64"], {"n_records": 64}),
    "number": (["kl_coef:0.1"], {"kl_coef": 0.1}),
    "power of ten": (["a:1e-4", "b:1E5", "c:-2.5e+3"], {"a": 1e-4, "b": 1e5, "c": -2500.0}),
    "switch": (["warm_start:false"], {"warm_start": False}),
    "text": (["order:label_last"], {"order": "label_last"}),
    "text with colons": (["device:cuda:1"], {"device": "cuda:1"}),
    "list": (["order:[died, 1e-3]"], {"order": ["died", 1e-3]}),
    "group": (["ppo_kwargs:{learning_rate: 1e-4}"], {"ppo_kwargs": {"learning_rate": 1e-4}}),
    "into a group": (["g.a:1", "g.b:x", "g.h.c:2"], {"g": {"a": 1, "b": "x", "h": {"c": 2}}}),
    "last one holds": (["a:1", "a:2", "g.a:1", "g.a:3"], {"a": 2, "g": {"a": 3}}),
    "nothing for a value": (["a:"], {"a": None}),
    "what YAML cannot read is text": (["a:{b"], {"a": "{b"}),
}


@pytest.mark.parametrize(("pairs", "expected"), PARAMETERS.values(), ids=PARAMETERS)
def test_parse_parameters_reads(pairs, expected):
    found = parse_parameters(pairs)
    assert found == expected
    assert yaml.safe_dump(found) == yaml.safe_dump(expected)


@pytest.mark.parametrize("pair", ["kl_coef", "kl_coef=0.1", ":0.1", ""])
def test_parse_parameters_refuses(pair):
    with pytest.raises(ValueError, match="must be written name:value, got"):
        parse_parameters([pair])


def test_merge_lets_the_second_override_and_leaves_both_alone():
    first, second = {"a": 1, "g": {"x": 1, "y": 2}}, {"b": 3, "g": {"y": 5}}
    assert merge(first, second) == {"a": 1, "b": 3, "g": {"x": 1, "y": 5}}
    assert merge(merge(first, second), {"g": 4}) == {"a": 1, "b": 3, "g": 4}
    assert first == {"a": 1, "g": {"x": 1, "y": 2}} and second == {"b": 3, "g": {"y": 5}}


def test_read_parameters_lets_the_environment_override_the_default(tmp_path):
    path = tmp_path / "rlsyn.yaml"
    path.write_text("default: {kl_coef: 1e-1, g: {x: 1, y: 2}}\nDiabetes-v0: {g: {y: 1e-3}}\nTable-v0:\n")
    assert read_parameters(path, "Diabetes-v0") == {"kl_coef": 0.1, "g": {"x": 1, "y": 0.001}}
    assert read_parameters(path, "Table-v0") == {"kl_coef": 0.1, "g": {"x": 1, "y": 2}}
    assert read_parameters(path, "BreastCancer-v0") == {"kl_coef": 0.1, "g": {"x": 1, "y": 2}}
    path.write_text("")
    assert read_parameters(path, "Table-v0") == {}


def test_read_parameters_refuses_blocks_of_others_where_the_file_must_say_something(tmp_path):
    path = tmp_path / "pareto_1.yaml"
    path.write_text("AIREADI-v0: {kl_coef: 0.3}\n")
    with pytest.raises(
        ValueError, match=r"pareto_1.yaml has no parameters for Table-v0, only those of AIREADI-v0. Name"
    ):
        read_parameters(path, "Table-v0", must_say=True)
    assert read_parameters(path, "AIREADI-v0", must_say=True) == {"kl_coef": 0.3}
    path.write_text("default: {}\nAIREADI-v0: {kl_coef: 0.3}\n")
    assert read_parameters(path, "Table-v0", must_say=True) == {}


@pytest.mark.parametrize(
    "text", ["- a\n- b", "default: 5", "just text", "a: {b"], ids=["list", "number", "text", "broken"]
)
def test_read_parameters_refuses_in_a_sentence(tmp_path, text):
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"Expected (blocks|a YAML file) .*bad\.yaml"):
        read_parameters(tmp_path / "bad.yaml", "Table-v0")
    with pytest.raises(FileNotFoundError, match=r"none at .*none\.yaml"):
        read_parameters(tmp_path / "none.yaml", "Table-v0")


def test_a_parameter_that_stands_twice_is_refused(tmp_path):
    (tmp_path / "twice.yaml").write_text("default:\n  kl_coef: 0.1\n  kl_coef: 0.2\n")
    with pytest.raises(
        ValueError, match=r"twice\.yaml: Expected each name once in a group, got 'kl_coef' again in line 3"
    ):
        read_parameters(tmp_path / "twice.yaml", "Table-v0")
    with pytest.raises(ValueError, match="got 'a' again in line 1"):
        parse_parameters(["algo_kwargs:{a: 1, a: 2}"])
