"""Keyword arguments from outside are checked against a signature, by name and by kind."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import pytest
from stable_baselines3 import PPO

from rlsyn.arguments import check_arguments


def train(
    data: Any,
    n_steps: int = 10,
    rate: float = 0.1,
    schedule: float | Callable[[float], float] = 0.1,
    warm: bool = True,
    order: str | Sequence[str] = "table",
    form: Literal["a", "b"] = "a",
    limit: int | None = None,
    share: float | None = None,
    groups: Mapping[str, Any] | None = None,
    options: list[int] | dict[str, Any] | None = None,
    anything=None,
    **more: Any,
) -> None:
    """A signature with every kind of argument."""


FITTING = [
    *({"n_steps": 5}, {"rate": 0.5}, {"rate": 1}, {"schedule": abs}, {"warm": False}, {"order": "label_first"}),
    *({"order": ["a", "b"]}, {"form": "b"}, {"limit": None}, {"limit": 3}, {"share": 0.2}, {"share": None}),
    *(
        {"groups": {"a": 1}},
        {"options": {"a": 1}},
        {"options": [1]},
        {"options": None},
        {"groups": None},
        {"anything": "x"},
        {"anything": 5},
        {"data": 3},
        {"data": "x"},
        {},
    ),
]

UNFITTING = {
    "text for a whole number": ({"n_steps": "abc"}, r"'n_steps' must be a whole number \(default 10\), got 'abc'"),
    "fraction for a whole number": ({"n_steps": 1.5}, "'n_steps' must be a whole number"),
    "switch for a whole number": ({"n_steps": True}, "'n_steps' must be a whole number"),
    "nothing for a whole number": ({"n_steps": None}, "'n_steps' must be a whole number .* got None"),
    "text for a number": ({"rate": "abc"}, "'rate' must be a number"),
    "nothing for a number": ({"rate": None}, "'rate' must be a number"),
    "switch for a number": ({"rate": False}, "'rate' must be a number"),
    "list for a number": ({"schedule": [0.1]}, "'schedule' must be a number"),
    "number for a switch": ({"warm": 1}, "'warm' must be true or false"),
    "text for a switch": ({"warm": "maybe"}, "'warm' must be true or false"),
    "number for a name": ({"order": 5}, "'order' must be a name or a list"),
    "list for a name": ({"form": ["a"]}, "'form' must be a name"),
    "text for an optional whole number": ({"limit": "abc"}, "'limit' must be a whole number"),
    "text for an optional number": ({"share": "abc"}, "'share' must be a number"),
    "number for a group": ({"groups": 5}, "'groups' must be a group of parameters"),
    "text for a dict": ({"options": "x"}, "'options' must be a list or a group of parameters"),
    "number as a name": ({3: 5}, "Unknown parameter '3'"),
    "unknown name": ({"n_step": 5}, "Unknown parameter 'n_step'. Did you mean 'n_steps'"),
    "unknown name unlike any": ({"zzz": 5}, "Unknown parameter 'zzz'. Choose one of: data, n_steps"),
    "name that only further arguments would take": ({"more": 1}, "Unknown parameter 'more'"),
}


@pytest.mark.parametrize("arguments", FITTING, ids=str)
def test_check_arguments_accepts(arguments):
    check_arguments(train, arguments)


@pytest.mark.parametrize(("arguments", "message"), UNFITTING.values(), ids=UNFITTING)
def test_check_arguments_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        check_arguments(train, arguments)


def test_check_arguments_names_the_group():
    with pytest.raises(ValueError, match=r"'ppo_kwargs\.n_step'. Did you mean 'ppo_kwargs\.n_steps'"):
        check_arguments(train, {"n_step": 1}, "ppo_kwargs.")
    with pytest.raises(ValueError, match=r"'ppo_kwargs\.rate' must be a number"):
        check_arguments(train, {"rate": "x"}, "ppo_kwargs.")


def test_check_arguments_keeps_reserved_names_back():
    with pytest.raises(ValueError, match="Unknown parameter 'data'"):
        check_arguments(train, {"data": 1}, reserved=["data"])


def test_check_arguments_lets_through_what_goes_on_to_a_library():
    def open_to_all(data, n_steps: int = 10, **options):
        pass

    check_arguments(open_to_all, {"n_steps": 1, "other": "x"})
    for arguments, reserved in (({"data": 1}, ["data"]), ({"n_steps": "x"}, [])):
        with pytest.raises(ValueError, match=next(iter(arguments))):
            check_arguments(open_to_all, arguments, reserved=reserved)


def test_check_arguments_reads_signatures_of_other_libraries():
    check_arguments(PPO, {"learning_rate": abs, "target_kl": 0.1, "clip_range_vf": None})
    with pytest.raises(ValueError, match="'target_kl' must be a number"):
        check_arguments(PPO, {"target_kl": "abc"})
    with pytest.raises(ValueError, match="'learning_rate' must be a number"):
        check_arguments(PPO, {"learning_rate": None})


@pytest.mark.parametrize(
    ("script", "arguments", "message"),
    [
        ("throughput", ["--n-attributes", "31", "0"], "--n-attributes: must be a whole number of at least 1, got '0'"),
        ("throughput", ["--n-rollouts", "0"], "--n-rollouts: must be a whole number of at least 1, got '0'"),
        ("throughput", ["--threads", "0"], "--threads: must be a whole number of at least 1, got '0'"),
        ("throughput", ["--n-envs", "-1"], "--n-envs: must be a whole number of at least 1, got '-1'"),
        ("throughput", ["--n-records", "1.5"], "--n-records: must be a whole number of at least 1, got '1.5'"),
        ("throughput", ["--n-attributes", "3", "--n-envs", "1"], "at least 2 steps, got rollouts of 3 steps"),
        ("throughput", ["--device", "gpu"], "device must be 'auto', 'cpu' or 'cuda', got 'gpu'"),
        ("one_step_throughput", ["--threads", "0"], "--threads: must be a whole number of at least 1, got '0'"),
    ],
)
def test_commands_that_measure_refuse_impossible_sizes_in_one_line(call_script, capsys, script, arguments, message):
    assert call_script(script, *arguments) == 2
    error = capsys.readouterr().err
    assert message in error and error.startswith(f"{script}.py: error: ") and error.count("\n") == 1
