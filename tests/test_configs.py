"""Every block of every YAML in experiments/configs is a set of arguments that its method's constructor takes."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from stable_baselines3 import PPO

from rlsyn.algorithms.table import ALGORITHMS, algorithm
from rlsyn.arguments import check_arguments
from rlsyn.benchmark.algorithms import algorithm_variants
from rlsyn.benchmark.trade_off import KNOBS
from rlsyn.datasets import DATASETS
from rlsyn.discriminator import Discriminator
from rlsyn.methods import METHODS, Variant, configured, method_class
from rlsyn.policy import AutoregressivePolicy
from rlsyn.runs import configured_parameters, read_parameters
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


def test_configs_of_algorithms_are_named_after_them():
    assert {path.stem for path in (CONFIGS / "algos").iterdir()} <= set(ALGORITHMS)


@pytest.mark.parametrize("env", DATASETS)
@pytest.mark.parametrize("algo", ALGORITHMS)
def test_config_of_an_algorithm_binds_to_the_constructors(algo, env):
    path = CONFIGS / "algos" / f"{algo}.yaml"
    own = read_parameters(path, env) if path.is_file() else {}
    check_arguments(algorithm(algo).load_class(), own.get("algo_kwargs") or {}, "", algorithm(algo).reserved_names)
    model = RLSyn(**{**configured_parameters(CONFIGS, "rlsyn", env, algo), "algo": algo})
    assert all(model.parameters[name] == value for name, value in own.items() if name != "algo_kwargs")


@pytest.mark.parametrize("algo", ALGORITHMS)
def test_defaults_of_an_algorithm_bind_to_its_class(algo):
    check_arguments(algorithm(algo).load_class(), algorithm(algo).defaults, "", algorithm(algo).reserved_names)


def test_what_is_written_of_ppo_is_not_for_other_algorithms(tmp_path):
    (tmp_path / "algos").mkdir()
    (tmp_path / "rlsyn.yaml").write_text("default: {n_levels: 16, algo_kwargs: {n_epochs: 4}}")
    (tmp_path / "algos" / "sac.yaml").write_text("default: {kl_coef: 1.0}\nDiabetes-v0: {kl_coef: 2.0}")
    ppo = {"n_levels": 16, "algo_kwargs": {"n_epochs": 4}}
    assert configured_parameters(tmp_path, "rlsyn", "Diabetes-v0") == ppo
    assert configured_parameters(tmp_path, "rlsyn", "Diabetes-v0", "ppo") == ppo
    assert configured_parameters(tmp_path, "rlsyn", "Diabetes-v0", "sac") == {"n_levels": 16, "kl_coef": 2.0}


def test_the_file_of_ppo_is_for_whoever_takes_ppo(tmp_path):
    """By `--algos ppo`, `--methods rlsyn`, a variant, or without a word: it is the default."""
    (tmp_path / "algos").mkdir()
    (tmp_path / "algos" / "ppo.yaml").write_text("default: {kl_coef: 0.7}")
    (tmp_path / "one_step.yaml").write_text("default: {n_iterations: 5}")
    for variant in (*algorithm_variants(["ppo"]), *configured(["rlsyn"]), KNOBS[0].variant(3)):
        assert variant.parameters_for("Diabetes-v0", tmp_path)["kl_coef"] == 0.7
    assert Variant("mine", "rlsyn", {"algo": "a2c"}, from_config=True).parameters_for("Diabetes-v0", tmp_path) == {
        "algo": "a2c"
    }
    assert configured(["one_step"])[0].parameters_for("Diabetes-v0", tmp_path) == {"n_iterations": 5}
