"""Options that an algorithm would take in silence are refused, or left out of files that others share."""

from inspect import signature

import numpy as np
import pandas as pd
import pytest
import torch

from rlsyn.algorithms.options import candidate_records, refuse_without_effect, with_effect
from rlsyn.algorithms.table import ALGORITHMS, algorithm
from rlsyn.runs import configured_parameters
from rlsyn.synthesizer import RLSyn

DEFAULTS = {name: parameter.default for name, parameter in signature(RLSyn).parameters.items()}


def refuse(algo, **given):
    refuse_without_effect(algorithm(algo), {**DEFAULTS, **given}, DEFAULTS)


@pytest.mark.parametrize(
    ("algo", "given", "message"),
    [
        ("ars", {"kl_coef": 0.3}, r"ars has neither a KL penalty .*, got kl_coef 0.3. Set algo_kwargs.learning_rate"),
        ("td3", {"kl_coef": 0.3}, r"td3 has neither .* got kl_coef 0.3. Set algo_kwargs.action_noise.* or take sac"),
        ("ddpg", {"kl_coef": 0.3}, r"ddpg has neither .* got kl_coef 0.3"),
        ("trpo", {"kl_coef": 0.3}, r"trpo has a trust region .* got kl_coef 0.3. Set algo_kwargs.target_kl, or take"),
        ("a2c", {"batch_records": 64}, r"a2c takes one step on a whole rollout.* got batch_records 64. Set n_records"),
        ("dqn", {"batch_records": 64}, r"dqn .*replay buffer, got batch_records 64. Set algo_kwargs.batch_size"),
        ("crossq", {"batch_records": 64}, r"crossq .*replay buffer"),
        ("ars", {"batch_records": 64}, r"ars has no minibatches.*n_delta"),
        ("sac", {"algo_kwargs": {"target_entropy": -3.0}}, r"got algo_kwargs.target_entropy -3.0. Set kl_coef"),
        ("sac", {"warm_start_kwargs": {"n_epochs": 3}}, r"sac has no warm start.*the nearest is ppo"),
        ("tqc", {"policy_kwargs": {"log_std_init": -2.0}}, r"no state-dependent exploration.* Leave it out"),
        ("dqn", {"select": True}, r"dqn cannot select.*the nearest is maskable_ppo"),
        ("td3", {"temperature": 0.5}, r"td3 samples at temperature 1, got temperature 0.5"),
        ("trpo", {"policy_kwargs": {"entropy_target": 0.9}}, r"trpo pays for no entropy.*Take ppo"),
    ],
)
def test_option_without_effect_is_refused_with_what_has_one(algo, given, message):
    with pytest.raises(ValueError, match=message):
        refuse(algo, **given)


@pytest.mark.parametrize(
    ("algo", "name", "message"),
    [
        ("ppo", "ent_coef", r"algo_kwargs.ent_coef is what RLSyn's kl_coef says, got 3. Give that in its place"),
        ("sac", "ent_coef", r"RLSyn's kl_coef says"),
        ("ppo", "n_steps", r"RLSyn's n_records says"),
        ("trpo", "batch_size", r"RLSyn's batch_records says"),
        ("dqn", "seed", r"RLSyn's seed says"),
        ("ppo", "gamma", r"algo_kwargs.gamma follows from what records are and how RLSyn trains, got 3. Leave it out"),
        ("dqn", "learning_starts", r"algo_kwargs.learning_starts follows from"),
        ("td3", "ent_coef", r"Unknown parameter 'algo_kwargs.ent_coef'"),
        ("ppo", "n_epoch", r"Did you mean 'algo_kwargs.n_epochs'"),
    ],
)
def test_argument_that_rlsyn_fills_in_is_refused_with_what_has_a_say(algo, name, message):
    with pytest.raises(ValueError, match=message):
        RLSyn(algo=algo, algo_kwargs={name: 3})


@pytest.mark.parametrize("algo", ALGORITHMS)
def test_defaults_and_what_is_switched_off_are_no_complaint(algo):
    refuse(algo)
    refuse(algo, kl_coef=0, average_decay=0.0, select=False, warm_start=False, warm_start_kwargs={}, policy_kwargs=None)


@pytest.mark.parametrize(
    ("algo", "given"),
    [("a2c", {"kl_coef": 0.3}), ("sac", {"kl_coef": 0.3}), ("dqn", {"kl_coef": 0.3}), ("trpo", {"batch_records": 64})],
)
def test_option_with_an_effect_is_taken(algo, given):
    refuse(algo, **given)


def test_shared_file_loses_what_has_no_effect_and_a_line_tells_of_it(caplog):
    shared = {"kl_coef": 0.3, "n_levels": 16, "policy_kwargs": {"clip_mean": 1.0, "n_critics": 3}}
    assert with_effect(algorithm("td3"), shared, "rlsyn.yaml") == {"n_levels": 16, "policy_kwargs": {"n_critics": 3}}
    assert shared["kl_coef"] == 0.3 and "clip_mean" in shared["policy_kwargs"]
    of_clip, of_kl = caplog.messages
    assert of_kl.startswith("rlsyn.yaml: kl_coef is ignored: td3 has neither a KL penalty")
    assert "policy_kwargs.clip_mean" in of_clip and "\n" not in of_kl + of_clip


@pytest.mark.parametrize("algo", ALGORITHMS)
def test_every_option_of_the_table_is_one_of_rlsyn(algo):
    for path in algorithm(algo).without_effect:
        group, _, name = path.rpartition(".")
        assert (group or name) in DEFAULTS, path
        if group == "algo_kwargs":
            assert name in signature(algorithm(algo).load_class()).parameters


@pytest.mark.parametrize(("n_records", "algo_kwargs", "expected"), [(1024, {}, 64), (40, {"n_delta": 4}, 5)])
def test_candidates_share_the_records_of_a_rollout(n_records, algo_kwargs, expected):
    assert candidate_records(algorithm("ars"), n_records, algo_kwargs) == expected
    assert candidate_records(algorithm("ppo"), n_records, {}) == n_records


def test_records_that_candidates_cannot_share_are_refused():
    with pytest.raises(ValueError, match=r"multiple of ars's 16 candidates .* got 40"):
        refuse("ars", n_records=40)
    with pytest.raises(ValueError, match="multiple of ars's 10 candidates"):
        refuse("ars", algo_kwargs={"n_delta": 5})


OTHERS = {"kl_coef": 1.0, "batch_records": 8}
HEARD = [(algo, option) for algo in ALGORITHMS for option in OTHERS if option not in algorithm(algo).without_effect]


@pytest.mark.slow
@pytest.mark.parametrize(("algo", "option"), HEARD)
def test_option_that_is_not_in_the_table_changes_what_is_learned(algo, option):
    """A new algorithm, or a new way of making one, must not become deaf in silence."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({name: rng.choice(["x", "y", "z"], 60).astype(object) for name in ("first", "second")})
    tiny = {"n_records": 32, "total_timesteps": 3 * 64, "n_discriminator_warm_up": 5, "select": False}
    if algorithm(algo).is_off_policy:
        tiny["algo_kwargs"] = {"gradient_steps": 4, "batch_size": 32}
    weights = [
        torch.nn.utils.parameters_to_vector(RLSyn(algo=algo, **tiny, **given).fit(table).model.policy.parameters())
        for given in ({}, {option: OTHERS[option]})
    ]
    assert not torch.equal(*weights)


def test_files_of_the_method_are_for_all_algorithms_and_files_of_an_algorithm_for_one(tmp_path, caplog):
    (tmp_path / "algos").mkdir()
    (tmp_path / "rlsyn.yaml").write_text("default: {kl_coef: 0.3, n_levels: 16}")
    assert configured_parameters(tmp_path, "rlsyn", "Diabetes-v0", "sac") == {"kl_coef": 0.3, "n_levels": 16}
    assert configured_parameters(tmp_path, "rlsyn", "Diabetes-v0", "ars") == {"n_levels": 16}
    assert "rlsyn.yaml: kl_coef is ignored: ars has" in caplog.text
    (tmp_path / "algos" / "ars.yaml").write_text("default: {kl_coef: 0.3}")
    with pytest.raises(ValueError, match=r"ars has neither .* got kl_coef 0.3"):
        RLSyn(algo="ars", **configured_parameters(tmp_path, "rlsyn", "Diabetes-v0", "ars"))


def test_default_of_a_saved_model_goes_without_saying(caplog):
    given = {"kl_coef": DEFAULTS["kl_coef"], "n_records": 64}
    assert with_effect(algorithm("ars"), given, "config.yaml", DEFAULTS) == given
    assert not caplog.records


def test_saved_model_with_an_option_that_is_refused_today_is_read(tmp_path, caplog):
    table = pd.DataFrame({"age": [50, 60, 70, 80] * 8, "died": [0, 1] * 16})
    model = RLSyn(algo="ars", n_records=32, total_timesteps=64, n_discriminator_warm_up=1).fit(table)
    model.save(tmp_path)
    config = tmp_path / "config.yaml"
    config.write_text(config.read_text().replace(f"kl_coef: {DEFAULTS['kl_coef']}", "kl_coef: 0.3"))
    assert RLSyn.load(tmp_path).sample(20).equals(model.sample(20))
    assert "config.yaml: kl_coef is ignored: ars has neither" in caplog.text
