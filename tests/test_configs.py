"""Every block of every YAML in experiments/configs is a set of arguments that its method's constructor takes."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from stable_baselines3 import PPO

from rlsyn.arguments import check_arguments
from rlsyn.datasets import DATASETS
from rlsyn.discriminator import Discriminator
from rlsyn.methods import METHODS, method_class
from rlsyn.policy import AutoregressivePolicy
from rlsyn.runs import read_parameters
from rlsyn.synthesizer import RLSyn
from rlsyn.warm_start import behaviour_clone

CONFIGS = Path(__file__).parents[1] / "experiments" / "configs"
GROUPS: dict[str, Callable] = {
    "policy_kwargs": AutoregressivePolicy,
    "discriminator_kwargs": Discriminator,
    "warm_start_kwargs": behaviour_clone,
    "algo_kwargs": PPO,
    "ppo_kwargs": PPO,
}
FILES = sorted(path for path in CONFIGS.glob("*.yaml") if path.stem != "search")  # what was spent on the search


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_config_is_named_after_a_method_and_its_blocks_after_environments(path):
    blocks = yaml.safe_load(path.read_text())
    assert path.stem in METHODS, f"{path.name} must be named after a method: {', '.join(METHODS)}."
    assert "default" in blocks and set(blocks) <= {"default", *DATASETS}


@pytest.mark.parametrize("env", DATASETS)
@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_config_binds_to_the_constructor(path, env):
    parameters = read_parameters(path, env)
    method_class(path.stem)(**parameters)
    if path.stem == "rlsyn":
        for group, function in GROUPS.items():
            check_arguments(function, parameters.get(group) or {}, f"{group}.")


@pytest.mark.parametrize("group", GROUPS)
def test_constructor_refuses_an_unknown_name_in_a_group(group):
    with pytest.raises(ValueError, match=rf"Unknown parameter '{group}\.no_such_name'"):
        RLSyn(**{group: {"no_such_name": 1}})


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("value", [5, "abc", [1]], ids=["number", "text", "list"])
def test_constructor_refuses_what_is_no_group(group, value):
    with pytest.raises(ValueError, match=f"'{group}' must be a group of parameters"):
        RLSyn(**{group: value})


@pytest.mark.parametrize("name", ["kl_coef", "n_levels", "n_records", "batch_records", "algo", "seed", "order"])
def test_constructor_refuses_nothing_where_a_value_is_needed(name):
    with pytest.raises(ValueError, match=f"'{name}' must be .* got None"):
        RLSyn(**{name: None})


def test_there_is_a_config_for_rlsyn():
    assert "rlsyn" in {path.stem for path in FILES}
