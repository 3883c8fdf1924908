"""What all thirteen algorithms have in common: curves, valid records, seeds, saving, resuming; and that they learn."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from stable_baselines3.common.buffers import NStepReplayBuffer, ReplayBuffer
from stable_baselines3.common.callbacks import BaseCallback
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from envs.record_env import RecordEngine
from envs.record_vec_env import RecordVecEnv
from rlsyn.algorithms.drawing import draw_records
from rlsyn.algorithms.making import level_shares
from rlsyn.algorithms.replay import RecordReplayBuffer
from rlsyn.algorithms.table import ALGORITHMS, algorithm
from rlsyn.benchmark.algorithms import equal_time_cells, reference, step_and_time_tables
from rlsyn.benchmark.cells import Cell, _check_finished
from rlsyn.synthesizer import RLSyn

FAST = [one.name for one in ALGORITHMS.values() if one.is_fast]
QUICK = ("trpo", "recurrent_ppo", "dqn", "ars", "sac")
"""One of each kind, and of each policy."""
EACH = [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in ALGORITHMS]
STOCK = [name for name in ALGORITHMS if name not in FAST]
N_RECORDS = 32
TINY = {
    "n_records": N_RECORDS,
    "batch_records": 16,
    "n_levels": 8,
    "n_discriminator_steps": 3,
    "n_discriminator_warm_up": 5,
}


def make_table(n_rows=120):
    rng = np.random.default_rng(0)
    site = rng.choice(["Basel", "Bern", "Chur"], n_rows, p=[0.6, 0.3, 0.1]).astype(object)
    age = rng.normal(60, 10, n_rows).round(1)
    age[rng.choice(n_rows, 12, replace=False)] = np.nan
    return pd.DataFrame({"age": age, "site": site, "died": (rng.random(n_rows) < 0.3).astype(int)})


TABLE = make_table()
ROLLOUT = N_RECORDS * TABLE.shape[1]


def tiny(algo, n_rollouts=2, **kwargs):
    """Off-policy algorithms with few gradient steps; a fast one with a short warm start."""
    given = {**TINY, "total_timesteps": n_rollouts * ROLLOUT, **kwargs}
    if "batch_records" in ALGORITHMS[algo].without_effect:
        del given["batch_records"]
    if ALGORITHMS[algo].is_off_policy:
        given["algo_kwargs"] = {"gradient_steps": 4, "batch_size": 32, **given.get("algo_kwargs", {})}
    if ALGORITHMS[algo].is_fast:
        given.setdefault("warm_start_kwargs", {"n_epochs": 2, "n_linear_epochs": 2, "n_clones": 1})
    return RLSyn(algo=algo, **given)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """Each algorithm fitted once, with its run directory."""
    made = {}

    def fit(algo):
        if algo not in made:
            folder = tmp_path_factory.mktemp(algo)
            torch.set_num_threads(1)
            made[algo] = tiny(algo).fit(TABLE, label="died", run_dir=folder), folder
        return made[algo]

    return fit


@pytest.mark.parametrize("algo", EACH)
def test_curves_are_those_of_every_run(fitted, algo):
    _, folder = fitted(algo)
    progress = pd.read_csv(folder / "progress.csv")
    assert progress["time/total_timesteps"].tolist() == [ROLLOUT, 2 * ROLLOUT]
    curves = [f"discriminator/{name}" for name in ("loss", "accuracy_real", "accuracy_synthetic", "reward_mean")]
    curves += ["rollout/ep_rew_mean", "reward/realism", "reward/trees"]
    assert progress[curves].notna().all().all()
    events = EventAccumulator(str(folder), {"images": 0}).Reload()
    assert set(curves) <= set(events.Tags()["scalars"])
    groups = {tag.split("/")[0] for tag in events.Tags()["scalars"]}
    assert {"rollout", "train", "time", "discriminator", "reward", "fidelity"} <= groups
    assert "fidelity/marginals" in events.Tags()["images"]


@pytest.mark.parametrize("algo", EACH)
def test_samples_are_valid_records_and_conditions_hold(fitted, algo):
    model, _ = fitted(algo)
    synthetic = model.sample(200)
    model.schema.validate(synthetic)
    assert set(synthetic["site"]) <= {"Basel", "Bern", "Chur"}
    first = model.sample(40, where={"died": 1})
    assert (first["died"] == 1).all() and model.acceptance_rate == 1
    assert (model.sample(10, where={"site": "Basel"})["site"] == "Basel").all()


@pytest.mark.parametrize("algo", EACH)
def test_records_of_a_rollout_differ(fitted, algo):
    """The libraries' own policies of DQN, QR-DQN, ARS, TD3 and DDPG would fill in one record, over and over."""
    model, _ = fitted(algo)
    assert len(model.sample(100)[["site", "died"]].drop_duplicates()) > 2


@pytest.mark.parametrize("algo", EACH)
def test_same_seed_gives_the_same_model_and_records(fitted, algo):
    model, _ = fitted(algo)
    again = tiny(algo).fit(TABLE, label="died")
    pd.testing.assert_frame_equal(again.sample(50), model.sample(50))
    pd.testing.assert_frame_equal(model.sample(50, seed=7), model.sample(50, seed=7))
    assert not model.sample(50, seed=7).equals(model.sample(50, seed=8))


@pytest.mark.parametrize("algo", EACH)
def test_saved_model_draws_the_same(fitted, algo, tmp_path):
    model, folder = fitted(algo)
    model.save(tmp_path)
    for saved in (tmp_path, folder):
        loaded = RLSyn.load(saved)
        assert loaded.algorithm.name == algo
        pd.testing.assert_frame_equal(loaded.sample(50), model.sample(50))


@pytest.mark.slow
@pytest.mark.parametrize("algo", EACH)
def test_resumed_fit_goes_on(fitted, algo, tmp_path):
    """Where nothing is calibrated in between, it ends where an uninterrupted one does."""
    model, _ = fitted(algo)
    tiny(algo, max_seconds=0).fit(TABLE, label="died", run_dir=tmp_path)
    assert pd.read_csv(tmp_path / "progress.csv")["time/total_timesteps"].tolist() == [ROLLOUT]
    resumed = tiny(algo).fit(TABLE, label="died", run_dir=tmp_path, resume=True)
    assert resumed.model.num_timesteps == 2 * ROLLOUT
    assert pd.read_csv(tmp_path / "progress.csv")["time/total_timesteps"].tolist() == [ROLLOUT, 2 * ROLLOUT]
    if algo in STOCK:
        pd.testing.assert_frame_equal(resumed.sample(50), model.sample(50))


@pytest.mark.parametrize("algo", ["ppo", "sac", "ars"])
def test_max_seconds_ends_after_whole_rollouts(algo):
    model = tiny(algo, n_rollouts=50, max_seconds=0).fit(TABLE, label="died")
    assert model.model.num_timesteps == ROLLOUT
    assert len(model.sample(5)) == 5


def test_stock_algorithm_says_that_it_starts_from_scratch(caplog):
    with caplog.at_level("INFO"):
        tiny("dqn", 1).fit(TABLE, label="died")
    assert "dqn starts from scratch: a warm start needs ppo, a2c, trpo, maskable_ppo." in caplog.text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"algo": "sacc"}, "'sacc'. Did you mean 'sac'"),
        ({"algo": "sac", "warm_start": True}, "sac cannot start warm.*nearest is ppo"),
        ({"algo": "dqn", "select": True}, "dqn cannot select.*nearest is maskable_ppo"),
        ({"algo": "ars", "average_decay": 0.5}, "ars cannot average.*nearest is trpo"),
        ({"algo": "td3", "temperature": 0.5}, "td3 samples at temperature 1, got temperature 0.5.*nearest is ppo"),
        ({"algo": "recurrent_ppo", "rollout_buffer_kwargs": {"baseline": "mean"}}, "no RecordRolloutBuffer"),
        ({"algo": "sac", "algo_kwargs": {"use_sde": True}}, "use_sde"),
        ({"algo": "dqn", "algo_kwargs": {"exploration_final_eps": 0.1}}, "exploration_final_eps"),
        ({"algo": "td3", "algo_kwargs": {"learning_starts": 100}}, "learning_starts"),
        ({"algo": "td3", "algo_kwargs": {"action_noise": "abc"}}, "action_noise must be a number"),
        ({"algo": "dqn", "policy_kwargs": {"activation_fn": "relu"}}, "activation_fn takes no text"),
        ({"algo": "trpo", "policy_kwargs": {"entropy_target": 0.9}}, "trpo pays for no entropy"),
        ({"algo": "ars", "kl_coef": 0.3}, "ars has neither a KL penalty.*got kl_coef 0.3"),
        ({"algo": "a2c", "batch_records": 64}, "a2c takes one step on a whole rollout.*Set n_records"),
        ({"algo": "ars", "n_records": 40}, "multiple of ars's 16 candidates"),
        ({"algo": "a2c", "ppo_kwargs": {"learning_rate": 1e-3}}, "former name of algo_kwargs, for PPO.*algo='a2c'"),
        ({"ppo_kwargs": {"n_epochs": 3}, "algo_kwargs": {"n_epochs": 3}}, "Give algo_kwargs alone"),
        ({"algo": "a2c", "algo_kwargs": {"n_epochs": 3}}, "algo_kwargs.n_epochs"),
        ({"algo": "dqn", "algo_kwargs": {"train_freq": 3}}, "algo_kwargs.train_freq"),
        ({"algo": "trpo", "algo_kwargs": {"sub_sampling_factor": 2}}, "sub_sampling_factor"),
        ({"algo": "sac", "policy_kwargs": {"n_hidden": 3}}, "policy_kwargs.n_hidden"),
        ({"algo": "sac", "algo_kwargs": {"learning_rate": -1.0}}, "above 0"),
        ({"max_seconds": -1}, "'max_seconds' must be at least 0"),
    ],
)
def test_combination_that_cannot_work_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        RLSyn(**arguments)


@pytest.mark.parametrize("name", ["warm_start", "random"])
def test_stock_algorithm_has_one_policy(fitted, name):
    with pytest.raises(ValueError, match=f"sac has no policy '{name}'.*'trained'"):
        fitted("sac")[0].sample(5, policy=name)


def test_former_name_of_the_arguments_is_read(tmp_path):
    """Run directories of before there were other algorithms."""
    model = tiny("ppo", 0).fit(TABLE, label="died")
    assert RLSyn(ppo_kwargs={"n_epochs": 5}).parameters == RLSyn(algo_kwargs={"n_epochs": 5}).parameters
    model.save(tmp_path)
    config = yaml.safe_load((tmp_path / "config.yaml").read_text())
    parameters = config["parameters"]
    parameters["ppo_kwargs"] = parameters.pop("algo_kwargs")
    del parameters["algo"], parameters["max_seconds"]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    pd.testing.assert_frame_equal(RLSyn.load(tmp_path).sample(50), model.sample(50))


@pytest.mark.slow
def test_maskable_ppo_is_ppo_whose_policy_knows_the_masks(fitted):
    ppo, maskable = fitted("ppo")[0], fitted("maskable_ppo")[0]
    pd.testing.assert_frame_equal(maskable.sample(100), ppo.sample(100))


def test_policy_of_trpo_answers_for_finished_records_as_step_by_step(fitted):
    policy, rng = fitted("trpo")[0].policy, np.random.default_rng(0)
    records = np.stack([rng.integers(0, n, 20) for n in policy.encoding.n_levels], axis=1)
    whole = torch.as_tensor(records + 1)
    log_probs = policy.get_distribution(whole).log_prob(torch.as_tensor(records).flatten()).reshape(records.shape)
    values = policy.predict_values(whole).reshape(records.shape)
    for step in range(records.shape[1]):
        prefix = torch.as_tensor(np.where(np.arange(records.shape[1]) < step, records + 1, 0))
        by_step = policy.get_distribution(prefix).log_prob(torch.as_tensor(records[:, step]))
        torch.testing.assert_close(log_probs[:, step], by_step)
        torch.testing.assert_close(values[:, step], policy.predict_values(prefix)[:, 0])


class _TerminalRewards(BaseCallback):
    """The rewards that records got when they were finished."""

    def __init__(self):
        super().__init__()
        self.rewards = []

    def _on_step(self):
        if self.locals["dones"].any():
            self.rewards.append(self.locals["rewards"].copy())
        return True


@pytest.mark.parametrize("algo", ["sac", "dqn"])
def test_stored_rewards_are_those_of_the_present_discriminator(algo):
    seen = _TerminalRewards()
    model = tiny(algo, 3, reward_weights={"trees": 0}).fit(TABLE, label="died", callback=seen)
    buffer = model.model.replay_buffer
    finished = buffer.records[:3].reshape(-1, buffer.n_attributes).astype(np.int64)
    np.testing.assert_allclose(
        buffer.rewards[:3].ravel(), model.training.trainer.discriminator.score(finished), rtol=1e-4, atol=1e-5
    )
    assert not np.allclose(buffer.rewards[:3], np.stack(seen.rewards), atol=1e-3)


@pytest.mark.parametrize("n_steps", [1, 2, 10])
@pytest.mark.parametrize("action_space", ["discrete", "box"])
def test_replay_buffer_holds_what_that_of_stable_baselines_holds(n_steps, action_space):
    """Two rollouts more than it has room for; a sample is judged by its observation and action."""
    env = RecordVecEnv([3, 4, 2], 5, lambda records: records.sum(1) + 1.0, action_space)
    spaces = (env.observation_space, env.action_space)
    ours = RecordReplayBuffer(2 * 15 + 7, *spaces, n_envs=5, n_steps=n_steps)
    kwargs = {"n_envs": 5} | ({"n_steps": n_steps, "gamma": 1.0} if n_steps > 1 else {})
    theirs = (NStepReplayBuffer if n_steps > 1 else ReplayBuffer)(2 * 15, *spaces, **kwargs)
    rng, observations = np.random.default_rng(0), env.reset()
    for step in range(4 * 3):
        actions = rng.integers(0, 2, 5) if action_space == "discrete" else rng.uniform(-1, 1, (5, 1)).astype(np.float32)
        following, rewards, dones, infos = env.step(actions)
        stored = np.stack([info["terminal_observation"] for info in infos]) if dones.all() else following
        for buffer in (ours, theirs):
            buffer.add(observations, stored, actions, rewards, dones, infos)
        observations = following
        assert ours.n_finished == min((step + 1) // 3, 2)

    def transitions(buffer):
        np.random.seed(1)  # noqa: NPY002
        samples = buffer.sample(2_000)
        fields = (samples.observations, samples.actions, samples.next_observations, samples.dones, samples.rewards)
        return {tuple(row) for row in torch.cat([field.float().reshape(2_000, -1) for field in fields], 1).tolist()}

    assert transitions(ours) == transitions(theirs)


def test_replay_buffer_refuses_to_sample_before_a_record_is_finished():
    env = RecordVecEnv([3, 4], 5)
    with pytest.raises(RuntimeError, match="holds no finished record yet"):
        RecordReplayBuffer(10, env.observation_space, env.action_space, n_envs=5).sample(4)


@pytest.mark.parametrize("algo", ["dqn", pytest.param("qrdqn", marks=pytest.mark.slow), "ars"])
def test_drawing_policies_choose_only_levels_that_the_attribute_has(fitted, algo):
    model, _ = fitted(algo)
    allowed = [np.ones(n, dtype=bool) for n in model.encoding.n_levels]
    engine = RecordEngine(model.encoding.n_levels, 500, invalid_level="raise", allowed=allowed)
    assert (draw_records(model.model, engine) < model.encoding.n_levels).all()


def test_policy_that_knows_nothing_draws_the_marginals_of_training():
    model = tiny("ars", 0).fit(TABLE, label="died")
    drawn = model.sample(4_000)
    assert drawn["site"].value_counts(normalize=True)["Basel"] == pytest.approx(
        (TABLE["site"] == "Basel").mean(), abs=0.03
    )
    assert drawn["died"].mean() == pytest.approx(TABLE["died"].mean(), abs=0.03)


def test_forbidden_levels_have_no_share():
    encoding = tiny("ars", 0).fit(TABLE, label="died").encoding
    shares = level_shares(encoding)
    assert shares.sum(1) == pytest.approx(np.ones(3))
    for share, n_levels in zip(shares, encoding.n_levels, strict=True):
        assert (share[:n_levels] > 0).all() and (share[n_levels:] == 0).all()


def test_table_says_what_the_libraries_say():
    for how in ALGORITHMS.values():
        assert how.load_class().__name__.lower() == how.name.replace("_", "")
        assert not set(how.defaults) & set(how.reserved_names)
    with pytest.raises(ValueError, match="Did you mean 'trpo'"):
        algorithm("tripo")


EAGER = {
    "ppo": {"algo_kwargs": {"learning_rate": 1e-2}},
    "a2c": {"algo_kwargs": {"learning_rate": 1e-2}},
    "trpo": {"algo_kwargs": {"target_kl": 0.02}},
    "recurrent_ppo": {"algo_kwargs": {"learning_rate": 3e-3}},
    "maskable_ppo": {"algo_kwargs": {"learning_rate": 1e-2}},
    "ars": {"algo_kwargs": {"learning_rate": 0.3, "delta_std": 0.3}},
    # Its critics are of 1,024 units, unless it is told otherwise.
    "crossq": {
        "policy_kwargs": {"net_arch": [64, 64]},
        "algo_kwargs": {"learning_rate": 3e-3, "gradient_steps": 20, "batch_size": 64},
    },
    # At larger rates their outputs stick to an end of the range, where tanh has no gradient.
    "td3": {"algo_kwargs": {"learning_rate": 3e-4, "gradient_steps": 20, "batch_size": 64}},
    "ddpg": {"algo_kwargs": {"learning_rate": 3e-4, "gradient_steps": 20, "batch_size": 64}},
}


@pytest.mark.slow
@pytest.mark.parametrize("algo", ALGORITHMS)
def test_every_algorithm_learns_which_record_is_rewarded(algo):
    """A policy that knows nothing draws the rewarded record once in nine."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({name: rng.choice(["x", "y", "z"], 90).astype(object) for name in ("first", "second")})

    def is_wanted(records):
        return ((records["first"] == "x") & (records["second"] == "z")).to_numpy(dtype=float)

    usual = {"algo_kwargs": {"learning_rate": 3e-3, "gradient_steps": 20, "batch_size": 64}}
    own = {"kl_coef": 0.05, "batch_records": 32, **EAGER.get(algo, usual)}
    model = RLSyn(
        algo=algo,
        warm_start=False,
        rewards=[is_wanted],
        reward_weights={"realism": 0, "trees": 0, "is_wanted": 1},
        n_records=64,
        n_discriminator_steps=0,
        n_discriminator_warm_up=0,
        total_timesteps=60 * 64 * 2,
        **{name: value for name, value in own.items() if name not in ALGORITHMS[algo].without_effect},
    ).fit(table)
    assert is_wanted(model.sample(500)).mean() > 0.3


@pytest.fixture
def csv(tmp_path):
    make_table(200).to_csv(tmp_path / "table.csv", index=False)
    return tmp_path / "table.csv"


@pytest.mark.slow
def test_command_line_trains_another_algorithm_and_resumes_it(load_script, csv, tmp_path, capsys):
    main, run_dir = load_script("run_ppo").main, tmp_path / "run"
    arguments = ["--csv", str(csv), "--label", "died", "--algo", "qrdqn", "--no-report", "--run-dir", str(run_dir)]
    parameters = ["n_records:32", "algo_kwargs.gradient_steps:4", "n_discriminator_warm_up:5"]
    assert main([*arguments, "-n", str(ROLLOUT), "-params", *parameters]) == 0
    config = yaml.safe_load((run_dir / "config.yaml").read_text())
    assert config["algo"] == config["parameters"]["algo"] == "qrdqn"
    assert main(["--resume", str(run_dir), "-n", str(2 * ROLLOUT)]) == 0
    assert RLSyn.load(run_dir).model.num_timesteps == 2 * ROLLOUT
    assert len(pd.read_csv(run_dir / "synthetic.csv")) > 0
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--algo", "sac", "--warm-start"], "sac cannot start warm"),
        (["--algo", "pppo"], "Did you mean 'ppo'"),
        (["--algo", "sac", "-params", "algo:dqn"], "--algo sac and the parameter algo:dqn differ"),
    ],
)
def test_command_line_refuses_in_one_line(load_script, csv, given, message, capsys):
    assert load_script("run_ppo").main(["--csv", str(csv), "--label", "died", *given]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


@pytest.mark.slow
def test_benchmark_compares_algorithms_at_equal_steps_and_in_equal_time(load_script, csv, tmp_path, capsys):
    main, output = load_script("benchmark").main, tmp_path / "out"
    command = ["--csv", f"{csv}:died", "--algos", "ppo", "ars", "--fast", "-n", "3072", "-o", str(output)]
    assert main(command) == 0
    results, text = pd.read_csv(output / "results.csv"), (output / "results.md").read_text()
    assert set(results["method"]) == {"ppo", "ars", "ars_equal_time_of_ppo"}
    assert "Equal environment steps" in text and "The seconds of ppo" in text
    steps = results[results["metric"] == "environment steps (M)"].set_index("method")["value"]
    assert steps["ppo"] == steps["ars"] == 3072 / 1e6
    config = yaml.safe_load(
        (output / "cells" / "table" / "ars_equal_time_of_ppo" / "seed_0" / "config.yaml").read_text()
    )
    seconds = results[(results["metric"] == "fit (s)") & (results["method"] == "ppo")]["value"].iloc[0]
    assert config["parameters"]["max_seconds"] == pytest.approx(seconds, abs=0.06)
    capsys.readouterr()
    assert main(command) == 0  # all is there
    assert main([*command, "--methods", "independent"]) == 2
    assert "leave out --methods" in capsys.readouterr().err


def write_fitted(cell: Cell, folder: Path, seconds: float) -> None:
    """What `equal_time_cells` reads of a finished cell."""
    (training := cell.folder(folder) / "training").mkdir(parents=True)
    (training / "progress.csv").write_text(f"time/time_elapsed,time/total_timesteps\n{seconds},100\n")
    (cell.folder(folder) / "config.yaml").write_text(yaml.safe_dump(cell.config()))
    (cell.folder(folder) / "metrics.csv").write_text(f"family,metric,value\ncost,fit (s),{seconds}\n")


def test_another_reference_of_time_has_cells_of_its_own(tmp_path):
    options = {"env": "BreastCancer-v0", "csv": None, "data_dir": None}
    seconds = {"ppo": 30, "a2c": 10, "trpo": 20}
    cells = [Cell("t", options, algo, 0, "rlsyn", {"algo": algo, "total_timesteps": 900}) for algo in seconds]
    for cell in cells:
        write_fitted(cell, tmp_path, seconds[cell.method])
    found = {}
    for algos in (["a2c", "trpo"], ["ppo", "a2c", "trpo"]):  # the first of them, and then PPO
        asked = [cell for cell in cells if cell.method in algos]
        for cell in equal_time_cells(asked, tmp_path, reference(algos)):
            _check_finished(cell, tmp_path)
            write_fitted(cell, tmp_path, cell.parameters["max_seconds"])
            found[cell.method] = cell.parameters["max_seconds"]
    assert found == {"trpo_equal_time_of_a2c": 10, "a2c_equal_time_of_ppo": 30, "trpo_equal_time_of_ppo": 30}
    methods = ["ppo", "a2c", "trpo", "a2c_equal_time_of_ppo", "trpo_equal_time_of_ppo"]
    results = pd.DataFrame({"table": "t", "method": methods, "seed": 0, "metric": "S2R AUC", "value": 0.9, "real": 0.9})
    for table in step_and_time_tables(results, 1, "ppo"):
        assert table["method"].tolist() == ["real rows", "ppo", "a2c", "trpo"]


def test_an_algorithm_that_fails_is_not_tried_again_for_the_table_of_equal_time(
    load_script, csv, tmp_path, monkeypatch
):
    script, asked = load_script("benchmark"), []
    monkeypatch.setattr(script, "run_cells", lambda cells, *_, **__: asked.append([cell.method for cell in cells]))
    monkeypatch.setattr(script, "equal_time_cells", lambda cells, *_: cells[1:])
    assert script.main(["--csv", f"{csv}:died", "--algos", "ppo", "ars", "-o", str(tmp_path / "out")]) == 1
    assert asked == [["ppo", "ars"], ["ars"]]
