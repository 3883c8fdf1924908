"""RLSyn's contract: fit, sample, conditions, save and load, what is logged, and that PPO helps."""

import logging
import tempfile
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from stable_baselines3.common.callbacks import StopTrainingOnMaxEpisodes
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

from rlsyn.callbacks import own_callbacks
from rlsyn.constraints import constraints_from
from rlsyn.schema import infer_schema
from rlsyn.synthesizer import RLSyn

TINY = {
    "n_records": 32,
    "warm_start_kwargs": {"n_epochs": 2, "n_linear_epochs": 2, "n_clones": 1},
    "policy_kwargs": {"n_hidden": 32},
    "n_discriminator_warm_up": 10,
    "batch_records": 32,
}


def tiny(patients, n_rollouts=2, **kwargs):
    return RLSyn(total_timesteps=n_rollouts * 32 * patients.shape[1], **{**TINY, **kwargs})


@pytest.fixture(scope="module")
def fitted(make_patients):
    patients = make_patients()
    return tiny(patients).fit(patients, label="died")


def test_sample_has_columns_kinds_categories_and_decimals_of_the_table(fitted, patients):
    synthetic = fitted.sample(300)
    assert list(synthetic) == list(patients)
    assert len(synthetic) == 300
    fitted.schema.validate(synthetic)
    assert pd.api.types.is_integer_dtype(synthetic["steps"])
    assert synthetic["n_visits"].dtype == "Int64"
    assert synthetic["never_measured"].isna().all()
    assert set(synthetic["site"]) <= set(patients["site"])
    assert (synthetic["age"] == synthetic["age"].round(1)).all()
    assert (synthetic["country"] == "CH").all()
    assert synthetic["smoker"].isna().any()


def test_same_seed_gives_the_same_model_and_sample(fitted, patients):
    again = tiny(patients).fit(patients, label="died")
    pd.testing.assert_frame_equal(again.sample(100), fitted.sample(100))
    pd.testing.assert_frame_equal(fitted.sample(100, seed=7), fitted.sample(100, seed=7))
    assert not fitted.sample(100, seed=7).equals(fitted.sample(100, seed=8))
    pd.testing.assert_frame_equal(fitted.sample(100, seed=7), fitted.sample(100, seed=np.int64(7)))
    for seed in (-1, 1.5, "7", 2**32):
        with pytest.raises(ValueError, match=r"from 0 to below 2\*\*32, got"):
            fitted.sample(5, seed=seed)


def test_fit_leaves_the_global_generators_as_they_were(patients):
    torch.manual_seed(11)
    np.random.seed(11)  # noqa: NPY002
    expected = torch.rand(1), np.random.rand()  # noqa: NPY002
    torch.manual_seed(11)
    np.random.seed(11)  # noqa: NPY002
    tiny(patients, 1).fit(patients, label="died").sample(5)
    assert (torch.rand(1), np.random.rand()) == expected  # noqa: NPY002


def test_saved_model_samples_the_same_after_loading(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    loaded = RLSyn.load(tmp_path / "model")
    pd.testing.assert_frame_equal(loaded.sample(200), fitted.sample(200))
    pd.testing.assert_frame_equal(loaded.sample(50, policy="warm_start"), fitted.sample(50, policy="warm_start"))
    assert loaded.schema == fitted.schema
    assert loaded.warm_start_result == fitted.warm_start_result
    with pytest.raises(RuntimeError, match="A loaded model only samples"):
        loaded.model.learn(1)  # by a reward other than that it was trained for


def test_saved_model_holds_no_pickled_object(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    state = torch.load(next((tmp_path / "model" / "checkpoints").glob("*.pt")), weights_only=True)
    assert {"policy", "optimizer", "discriminator", "random"} <= set(state)


def test_condition_on_the_first_attribute_is_exact(fitted):
    synthetic = fitted.sample(200, where={"died": 1})
    assert (synthetic["died"] == 1).all()
    assert fitted.acceptance_rate == 1.0


def test_condition_elsewhere_is_met_and_its_acceptance_rate_reported(fitted, patients):
    synthetic = fitted.sample(100, where={"site": "Chur", "died": 0})
    assert (synthetic["site"] == "Chur").all()
    assert (synthetic["died"] == 0).all()
    assert 0.02 < fitted.acceptance_rate < 0.6


def test_condition_on_a_number_sets_the_number(fitted, patients):
    assert (fitted.sample(20, where={"steps": 0})["steps"] == 0).all()
    assert fitted.sample(20, where={"n_visits": None})["n_visits"].isna().all()


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"sit": "Chur"}, "Did you mean 'site'"),
        ({"site": "Paris"}, "Paris"),
        ({"age": 500}, "no value 500"),
        ({"n_visits": 2.5}, "0 decimals"),
        ({"age": "old"}, "must be a number"),
        ({"age": None}, "complete in training"),
    ],
    ids=["column", "category", "range", "fraction", "text", "missing"],
)
def test_impossible_conditions_raise(fitted, where, message):
    with pytest.raises(ValueError, match=message):
        fitted.sample(5, where=where)


def test_condition_that_is_too_rare_raises_with_the_share_found(fitted):
    with pytest.raises(ValueError, match="of 4000 drawn records met the conditions"):
        fitted.sample(4_000, where={"site": "Zug"}, max_draws=4_000)
    with pytest.raises(ValueError, match="of 10 drawn records met the conditions, 11 were wanted"):
        fitted.sample(11, where={"site": "Zug"}, max_draws=10)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"max_draws": 0}, "max_draws must be a whole number of at least 1, got 0"),
        ({"max_draws": 2.5}, "max_draws must be a whole number"),
        ({"temperature": "hot"}, "temperature must be a number above 0, got 'hot'"),
        ({"temperature": 0}, "temperature must be a number above 0, got 0"),
    ],
)
def test_impossible_ways_of_sampling_are_refused(fitted, kwargs, message):
    with pytest.raises(ValueError, match=message):
        fitted.sample(5, **kwargs)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"kl_coeff": 0.1}, "unexpected keyword"),
        ({"n_levels": 1}, "at least 2"),
        ({"kl_coef": -1}, "at least 0, got -1"),
        ({"reward": "linear"}, "log_sigmoid"),
        ({"device": "tpu"}, "auto"),
        ({"discriminator_kwargs": {"r1_gama": 1}}, "r1_gamma"),
        (
            {"policy_kwargs": {"network": "transfromer"}},
            "Unknown network 'transfromer'. Did you mean 'transformer'",
        ),
        ({"policy_kwargs": {"head": "free_levels"}}, "Unknown head 'free_levels'. Did you mean 'free'"),
        ({"policy_kwargs": {"entropy_target": 0.9}, "kl_coef": 0}, "in units of kl_coef, which must then be above 0"),
        ({"ppo_kwargs": {"n_epoch": 1}}, "n_epochs"),
        ({"ppo_kwargs": {"ent_coef": 1}}, "ppo_kwargs.ent_coef is what RLSyn's kl_coef says, got 1"),
        ({"policy_kwargs": {"n_hidden": "wide"}}, "n_hidden"),
        ({"policy_kwargs": {"optimizer_kwargs": 3}}, "'policy_kwargs.optimizer_kwargs' must be a group of parameters"),
        ({"policy_kwargs": {"optimizer_kwargs": {"epps": 3}}}, "Did you mean 'policy_kwargs.optimizer_kwargs.eps'"),
        ({"policy_kwargs": {"optimizer_kwargs": {"betas": 3}}}, "must be arguments of the optimizer, got {'betas': 3}"),
        ({"policy_kwargs": {"optimizer_kwargs": {"lr": 3}}}, "is what algo_kwargs.learning_rate says, got 3"),
        ({"policy_kwargs": {"optimizer_kwargs": 3}, "algo": "dqn"}, "must be a group of parameters"),
        ({"policy_kwargs": {"optimizer_class": 3}, "algo": "dqn"}, "optimizer_class takes no text or number, got 3"),
        ({"algo_kwargs": {1: 2}}, "Unknown parameter 'algo_kwargs.1'"),
        ({"warm_start_kwargs": {"patience": "long"}}, "whole number"),
        ({"warm_start_kwargs": {"validation_size": 1.0}}, "below 1"),
        ({"ppo_kwargs": {"learning_rate": -1e-4}}, "above 0"),
        ({"algo_kwargs": {"n_epochs": 0}}, "'algo_kwargs.n_epochs' must be above 0, got 0"),
        ({"algo_kwargs": {"gae_lambda": 1.5}}, "must be at least 0 and at most 1, got 1.5"),
        (
            {"algo_kwargs": {"gae_lambda": 0.9}, "rollout_buffer_kwargs": {"baseline": "mean"}},
            "gae_lambda must be 1 .* got 0.9",
        ),
        ({"policy_kwargs": {"network": "transformer", "n_hidden": 7}}, "multiple of its 2 heads, got 7. Try 8"),
        ({"kl_coef": float("nan")}, "a number"),
        ({"batch_records": 1}, "at least 2"),
        ({"seed": 2**32}, "below"),
    ],
)
def test_impossible_arguments_raise(kwargs, message):
    with pytest.raises((ValueError, TypeError), match=message):
        RLSyn(**kwargs)


def test_budget_below_one_rollout_raises(patients):
    with pytest.raises(ValueError, match="at least one rollout"):
        RLSyn(total_timesteps=10).fit(patients, label="died")


def test_validation_on_everybody_is_refused_before_training(patients):
    with pytest.raises(ValueError, match=r"validation_size=0.99 of 30 people leaves none to learn from"):
        tiny(patients, 1, warm_start_kwargs={"validation_size": 0.99}).fit(patients[:30], label="died")


@pytest.mark.parametrize("call", [lambda model: model.sample(1), lambda model: model.save("nowhere")])
def test_use_before_fit_raises(call):
    with pytest.raises(RuntimeError, match="fit"):
        call(RLSyn())


def test_second_fit_forgets_the_first(patients):
    narrow = patients.drop(columns=["site", "steps"])
    again = tiny(patients, 1).fit(patients, label="died").fit(narrow, label="died")
    pd.testing.assert_frame_equal(again.sample(50), tiny(patients, 1).fit(narrow, label="died").sample(50))


def test_saving_over_a_model_that_was_trained_longer_keeps_nothing_of_it(patients, tmp_path):
    longer, shorter = (tiny(patients, n).fit(patients, label="died") for n in (2, 1))
    for model in (longer, shorter):
        model.save(tmp_path)
    assert len(list((tmp_path / "checkpoints").glob("*.pt"))) == 1
    pd.testing.assert_frame_equal(RLSyn.load(tmp_path).sample(50), shorter.sample(50))


@pytest.mark.parametrize("config", ["env: Table-v0\ncsv: t.csv\nmethod: rlsyn\nparameters: {}\n", "- mine\n", "{\n"])
def test_saving_over_a_run_or_something_else_is_refused_and_leaves_it_as_it_was(fitted, tmp_path, config):
    (tmp_path / "config.yaml").write_text(config)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "state_000000000001.pt").touch()
    with pytest.raises(ValueError, match=r"has the config\.yaml of a run .* Choose another") as refused:
        fitted.save(tmp_path)
    assert "\n" not in str(refused.value) and (tmp_path / "config.yaml").read_text() == config
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["state_000000000001.pt"]


def test_damaged_checkpoint_is_named(fitted, tmp_path):
    fitted.save(tmp_path)
    (path,) = (tmp_path / "checkpoints").glob("*.pt")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match="damaged"):
        RLSyn.load(tmp_path)


def test_schema_and_label_together_raise(patients, fitted):
    with pytest.raises(ValueError, match="got both"):
        RLSyn().fit(patients, label="died", schema=fitted.schema)


def test_resume_needs_a_run_directory(patients):
    with pytest.raises(ValueError, match="resume goes on from a run_dir, got none"):
        tiny(patients, 1).fit(patients, label="died", resume=True)


def test_nothing_is_written_without_a_run_directory(patients, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    tiny(patients, 1).fit(patients, label="died")
    assert list(tmp_path.iterdir()) == []


def test_table_of_one_column_can_be_learned(patients, tmp_path):
    model = RLSyn(total_timesteps=64, **{**TINY, "n_records": 64}).fit(patients[["age"]], run_dir=tmp_path)
    assert list(model.sample(10)) == ["age"]


def test_load_of_something_else_raises(tmp_path):
    with pytest.raises(FileNotFoundError, match="saved model"):
        RLSyn.load(tmp_path)


def test_run_directory_has_curves_figures_and_checkpoints_and_can_be_loaded(patients, tmp_path):
    run_dir = tmp_path / "new" / "run"
    model = tiny(patients, 3).fit(patients, label="died", run_dir=run_dir)
    pd.testing.assert_frame_equal(RLSyn.load(run_dir).sample(20), model.sample(20))
    events = EventAccumulator(str(run_dir)).Reload()
    scalars, images = set(events.Tags()["scalars"]), set(events.Tags()["images"])
    assert {"rollout/ep_rew_mean", "train/approx_kl", "time/fps", "policy/entropy", "policy/kl_to_reference"} <= scalars
    assert {
        f"discriminator/{name}" for name in ("loss", "accuracy_real", "accuracy_synthetic", "reward_mean")
    } <= scalars
    assert {"fidelity/ks_mean", "fidelity/association_difference"} <= scalars
    assert images == {"fidelity/marginals", "fidelity/association"}
    rollout = 32 * patients.shape[1]
    assert [event.step for event in events.Scalars("policy/entropy")] == [rollout, 2 * rollout, 3 * rollout]
    assert len(pd.read_csv(run_dir / "progress.csv")) == 3
    assert (run_dir / "checkpoints" / "encoding.json").is_file()


def test_a_folder_without_its_encoding_is_refused_in_words(patients, tmp_path):
    tiny(patients, 1).fit(patients, label="died", run_dir=tmp_path)
    encoding = tmp_path / "checkpoints" / "encoding.json"
    encoding.write_text(encoding.read_text()[:-20])
    again = {"label": "died", "run_dir": tmp_path, "resume": True}
    for use in (lambda: RLSyn.load(tmp_path), lambda: tiny(patients, 2).fit(patients, **again)):
        with pytest.raises(ValueError, match=r"encoding\.json is damaged"):
            use()
    encoding.unlink()
    for use in (lambda: RLSyn.load(tmp_path), lambda: tiny(patients, 2).fit(patients, **again)):
        with pytest.raises(FileNotFoundError, match=r"Expected encoding\.json beside .*state_.* Copy the whole folder"):
            use()


def test_resumed_fit_goes_on_from_the_checkpoint(patients, tmp_path):
    tiny(patients, 2).fit(patients, label="died", run_dir=tmp_path)
    model = tiny(patients, 4).fit(patients, label="died", run_dir=tmp_path, resume=True)
    assert model.model.num_timesteps == 4 * 32 * patients.shape[1]
    assert model.warm_start_result is not None
    steps = pd.read_csv(tmp_path / "progress.csv")["time/total_timesteps"]
    assert steps.tolist() == [n * 32 * patients.shape[1] for n in (1, 2, 3, 4)]
    assert not (tmp_path / "progress.before.csv").exists()


@pytest.mark.slow
def test_curves_have_each_rollout_once_whether_a_process_was_killed_or_a_fit_begins_anew(patients, tmp_path):
    rollout, path = 32 * patients.shape[1], tmp_path / "progress.csv"
    tiny(patients, 1).fit(patients, label="died", run_dir=tmp_path)
    pd.concat([pd.read_csv(path)] * 3).assign(**{"time/total_timesteps": [rollout, 2 * rollout, 3 * rollout]}).to_csv(
        tmp_path / "progress.before.csv", index=False
    )
    with SummaryWriter(str(tmp_path)) as killed:
        for n in (2, 3):
            killed.add_scalar("policy/entropy", 0.5, n * rollout)
    for n, resume in ((2, True), (1, False)):
        tiny(patients, n).fit(patients, label="died", run_dir=tmp_path, resume=resume)
        steps = [rollout, 2 * rollout][:n]
        assert pd.read_csv(path)["time/total_timesteps"].tolist() == steps
        assert [event.step for event in EventAccumulator(str(tmp_path)).Reload().Scalars("policy/entropy")] == steps


@pytest.mark.slow
def test_training_that_goes_on_from_a_warm_start_alone_meets_a_discriminator_that_has_learned(patients, tmp_path):
    RLSyn(total_timesteps=0, **TINY).fit(patients, label="died", run_dir=tmp_path)
    resumed = tiny(patients, 1).fit(patients, label="died", run_dir=tmp_path, resume=True)
    straight = tiny(patients, 1).fit(patients, label="died")
    pd.testing.assert_frame_equal(resumed.sample(50), straight.sample(50))


def test_run_directory_of_another_training_is_refused(patients, tmp_path):
    tiny(patients, 1).fit(patients, label="died", run_dir=tmp_path)
    for resume in (False, True):
        with pytest.raises(ValueError, match=r"another kl_coef, seed\. Give an empty run_dir"):
            tiny(patients, 2, kl_coef=0.7, seed=1).fit(patients, label="died", run_dir=tmp_path, resume=resume)
    with pytest.raises(ValueError, match="other rows"):
        tiny(patients, 2).fit(patients[:100], label="died", run_dir=tmp_path, resume=True)


@pytest.mark.slow
def test_training_goes_on_after_a_rule_was_corrected(patients, tmp_path):
    schema = infer_schema(patients, "died")
    tiny(patients, 1).fit(patients, schema=schema, run_dir=tmp_path)
    schema = replace(schema, constraints=constraints_from(["age > 30"]))
    model = tiny(patients, 2).fit(patients, schema=schema, run_dir=tmp_path, resume=True)
    assert model.sample(100)["age"].min() > 30


def test_saved_model_keeps_one_state_and_the_parameters_numpy_gave(patients, tmp_path):
    for n_rollouts in (0, 1, 2):
        model = tiny(patients, n_rollouts, kl_coef=np.linspace(0.1, 0.3, 3)[1]).fit(patients, label="died")
        model.save(tmp_path)
    assert len(list((tmp_path / "checkpoints").glob("state_*.pt"))) == 1
    assert RLSyn.load(tmp_path).kl_coef == pytest.approx(0.2)


def test_functions_among_the_parameters_are_refused_before_anything_is_written(patients, tmp_path):
    model = tiny(patients, 1, algo_kwargs={"learning_rate": lambda _: 1e-4})
    with pytest.raises(ValueError, match="to be written to a file, those of algo_kwargs are not"):
        model.fit(patients, label="died", run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert len(model.fit(patients, label="died").sample(10)) == 10


def test_people_named_by_numbers_and_text_are_told_apart(patients):
    table = patients.assign(person=[i // 2 if i % 4 < 2 else f"p{i // 2}" for i in range(len(patients))])
    assert len(tiny(patients, 1).fit(table, label="died", group="person").sample(10)) == 10


def test_without_ppo_the_warm_start_is_the_result(patients):
    model = RLSyn(total_timesteps=0, **TINY).fit(patients, label="died")
    pd.testing.assert_frame_equal(model.sample(50), model.sample(50, policy="warm_start"))


def test_without_warm_start_training_begins_at_the_marginals(patients, caplog):
    with caplog.at_level(logging.INFO):
        model = tiny(patients, 1, warm_start=False).fit(patients, label="died")
    assert model.warm_start_result is None
    assert "Warm start" not in caplog.text


@pytest.mark.parametrize("reward", ["logit", "sigmoid", "log_sigmoid"])
def test_every_reward_form_trains(patients, reward):
    synthetic = tiny(patients, 1, reward=reward).fit(patients, label="died").sample(20)
    assert len(synthetic) == 20


def test_group_column_is_used_and_not_generated(patients):
    table = patients.assign(person=np.repeat(np.arange(50), 4))
    model = tiny(patients, 1).fit(table, label="died", group="person")
    assert "person" not in model.sample(5)


def test_callbacks_are_taken_as_sb3_takes_them(patients):
    one, other, seen = StopTrainingOnMaxEpisodes(10**9), StopTrainingOnMaxEpisodes(10**9), []
    assert own_callbacks(None) == [] and own_callbacks(one) == [one] and own_callbacks([one, other]) == [one, other]

    def see(local_names, global_names):
        seen.append(local_names)
        return True

    tiny(patients, 1, warm_start=False, n_discriminator_warm_up=1).fit(patients, label="died", callback=[one, see])
    assert one.n_calls == len(seen) > 0
    for wrong in (3, [one, "x"], StopTrainingOnMaxEpisodes):
        with pytest.raises(TypeError, match="must be an SB3 callback, a function or a list of them, got"):
            RLSyn().fit(patients, label="died", callback=wrong)


def test_table_without_a_label_can_be_learned(patients):
    assert len(tiny(patients, 1).fit(patients.drop(columns="died")).sample(5)) == 5


@pytest.mark.slow
def test_ppo_alone_learns_a_joint_that_the_marginals_do_not_hold():
    """Without a warm start the policy begins at independent marginals, where both rules hold half of the time."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.integers(2, size=300), "noise": rng.normal(size=300).round(2)})
    table["same"], table["other"] = table["a"], 1 - table["a"]
    # The default learning rate is one for going on from a warm start; from nothing, larger steps are needed.
    faster = {"learning_rate": 5e-4}
    budget = 150 * 1024 * 4
    model = RLSyn(order="table", warm_start=False, kl_coef=0.02, total_timesteps=budget, ppo_kwargs=faster).fit(table)
    before, after = (model.sample(4_000, policy=policy) for policy in ("warm_start", "trained"))
    for rule in (lambda drawn: drawn["same"] == drawn["a"], lambda drawn: drawn["other"] != drawn["a"]):
        assert rule(before).mean() < 0.6
        assert rule(after).mean() > 0.85
    assert abs(after["a"].mean() - table["a"].mean()) < 0.1
