"""Reward terms in a training: what is paid for becomes more frequent, curves tell of it, saved models hold no row."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rlsyn.constraints import Constraint
from rlsyn.schema import infer_schema
from rlsyn.synthesizer import RLSyn

N_RECORDS, N_COLUMNS, N_TRAIN = 64, 3, 131
ROLLOUT = N_RECORDS * N_COLUMNS
N_ROLLOUTS = 7
TINY = {
    "n_records": N_RECORDS,
    "batch_records": N_RECORDS,
    "n_discriminator_warm_up": 5,
    "n_discriminator_steps": 2,
    "warm_start_kwargs": {"n_epochs": 1, "n_linear_epochs": 1, "n_clones": 1},
    "select": False,  # selection does not know what a term pays for
}
EAGER = {"kl_coef": 0.01, "algo_kwargs": {"learning_rate": 1e-2, "n_epochs": 3}}


def is_female(table):
    return table["sex"] == "f"


@pytest.fixture(scope="module")
def readings():
    """Two pressures, one of which is never above the other, and a sex."""
    rng = np.random.default_rng(0)
    low = rng.integers(0, 9, N_TRAIN)
    high = low + rng.integers(0, 3, N_TRAIN)
    return pd.DataFrame({"low": low, "high": high, "sex": np.tile(["f", "m"], N_TRAIN)[:N_TRAIN]})


@pytest.fixture(scope="module")
def schema(readings):
    return replace(infer_schema(readings), constraints=(Constraint("order", "low <= high"),))


def tiny(n_rollouts=2, **kwargs):
    return RLSyn(total_timesteps=n_rollouts * ROLLOUT, **{**TINY, **kwargs})


def curve(run_dir, name):
    return pd.read_csv(run_dir / "progress.csv")[f"reward/{name}"]


def test_what_an_own_term_pays_for_becomes_more_frequent(readings, tmp_path):
    model = tiny(N_ROLLOUTS, rewards=[is_female], **EAGER).fit(readings, run_dir=tmp_path)
    before, after = (is_female(model.sample(500, policy=policy)).mean() for policy in ("warm_start", "trained"))
    assert before < 0.6
    assert after > before + 0.2
    shares = curve(tmp_path, "is_female")
    assert shares.iloc[-2:].mean() > shares.iloc[0] + 0.2


def test_at_weight_zero_a_term_is_as_good_as_absent(readings, schema):
    weights = {"is_female": 0, "constraints": 0}
    zero = tiny(rewards=[is_female], reward_weights=weights).fit(readings, schema=schema)
    without = tiny().fit(readings)
    pd.testing.assert_frame_equal(zero.sample(100, rules="keep"), without.sample(100))


def test_declared_rules_are_broken_less_and_less(readings, schema, tmp_path):
    # Without a warm start the policy begins at independent columns, which break the rule often.
    tiny(N_ROLLOUTS, warm_start=False, **EAGER).fit(readings, schema=schema, run_dir=tmp_path)
    costs = -curve(tmp_path, "constraints")
    assert costs.iloc[0] > 0.1
    assert costs.iloc[-2:].mean() < costs.iloc[0] / 2


def test_privacy_moves_records_away_from_training_rows(tmp_path):
    rng = np.random.default_rng(0)
    factor = rng.normal(size=N_TRAIN)
    table = pd.DataFrame({name: (factor + rng.normal(size=N_TRAIN)).round(2) for name in "abc"})
    tiny(N_ROLLOUTS, reward_weights={"realism": 0, "trees": 0, "privacy": 1}, **EAGER).fit(table, run_dir=tmp_path)
    costs = -curve(tmp_path, "privacy")
    assert costs.iloc[0] > 0.05
    assert costs.iloc[-2:].mean() < 0.8 * costs.iloc[0]


def test_every_term_has_a_curve_and_those_of_weight_zero_none(readings, schema, tmp_path):
    model = tiny(3, rewards=[is_female], reward_weights={"privacy": 0.5})
    model.fit(readings, schema=schema, run_dir=tmp_path / "all")
    tiny(1, reward_weights={"constraints": 0, "trees": 0}).fit(readings, schema=schema, run_dir=tmp_path / "one")

    def tags(name):
        events = EventAccumulator(str(tmp_path / name)).Reload()
        return events, {tag for tag in events.Tags()["scalars"] if tag.startswith("reward/")}

    events, found = tags("all")
    assert found == {f"reward/{name}" for name in ("realism", "trees", "constraints", "privacy", "is_female")}
    assert [event.step for event in events.Scalars("reward/privacy")] == [ROLLOUT, 2 * ROLLOUT, 3 * ROLLOUT]
    assert all(0 <= event.value <= 1 for event in events.Scalars("reward/is_female"))
    pd.testing.assert_series_equal(
        curve(tmp_path / "all", "realism"),
        pd.read_csv(tmp_path / "all" / "progress.csv")["discriminator/reward_mean"],
        check_names=False,
    )
    assert tags("one")[1] == {"reward/realism"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"reward_weights": {"constraints": 3}},
            "reward_weights.constraints 3.0 has no say: the table declares no rules",
        ),
        ({"reward_weights": {"realism": 0, "trees": 0}}, "No reward term has a weight: all records are paid 0"),
        (
            {"warm_start": False, "warm_start_kwargs": {"n_epochs": 1}},
            "Without a warm start there is no cloning: warm_start_kwargs.n_epochs has no say",
        ),
        ({}, None),
    ],
)
def test_option_without_a_say_in_a_fit_is_told(readings, caplog, arguments, message):
    RLSyn(total_timesteps=ROLLOUT, **{**TINY, **arguments}).fit(readings, label="sex")
    assert message in caplog.text if message else "no say" not in caplog.text and "paid 0" not in caplog.text


@pytest.mark.parametrize("algo", ["ppo", pytest.param("ddpg", marks=pytest.mark.slow)])
def test_mean_reward_of_episodes_is_the_weighted_sum_of_the_curves_of_the_terms(readings, tmp_path, algo):
    """SB3 would log that of its last hundred episodes."""
    arguments = {**TINY, "warm_start_kwargs": None, "select": None} if algo == "ddpg" else TINY
    arguments = {
        **arguments,
        "n_records": 256,
        "batch_records": 256 if algo == "ppo" else 512,
        "reward_weights": {"is_female": 0.5},
    }
    model = RLSyn(algo=algo, rewards=[is_female], total_timesteps=2 * 256 * N_COLUMNS, **arguments)
    model.fit(readings, label="sex", run_dir=tmp_path)
    curves = pd.read_csv(tmp_path / "progress.csv")
    expected = sum(weight * curves.get(f"reward/{name}", 0) for name, weight in model.reward_weights.items())
    np.testing.assert_allclose(curves["rollout/ep_rew_mean"], expected, atol=1e-5)


def test_same_seed_gives_the_same_records_with_all_terms(readings, schema):
    def fitted(seed):
        model = tiny(2, rewards=[is_female], reward_weights={"privacy": 2}, seed=seed)
        return model.fit(readings, schema=schema).sample(100)

    pd.testing.assert_frame_equal(fitted(0), fitted(0))
    assert not fitted(0).equals(fitted(1))


def test_wrong_own_term_is_refused_before_anything_is_learned(readings, tmp_path):
    def lonely(table):
        return table["sex"].isna().sum()

    model = tiny(rewards=[lonely])
    with pytest.raises(ValueError, match="'lonely' must return one finite number for each record, here 64 numbers"):
        model.fit(readings, run_dir=tmp_path)
    assert model.warm_start_result is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"reward_weights": {"privaci": 1}}, "Did you mean 'privacy'"),
        ({"reward_weights": {"is_female": 1}}, "Unknown reward term 'is_female'"),
        ({"rewards": [is_female, is_female]}, "more than once"),
        ({"rewards": is_female}, "must be a list"),
        ({"reward_weights": 2}, "a group of parameters"),
    ],
)
def test_impossible_arguments_raise(kwargs, message):
    with pytest.raises(ValueError, match=message):
        RLSyn(**kwargs)


def test_saved_model_samples_without_its_own_terms_and_says_so_when_it_is_to_train(readings, tmp_path):
    model = tiny(1, rewards=[is_female], reward_weights={"privacy": 1, "is_female": 0.5}).fit(readings)
    model.save(tmp_path)
    parameters = yaml.safe_load((tmp_path / "config.yaml").read_text())["parameters"]
    assert parameters["rewards"] == ["is_female"]
    assert parameters["reward_weights"] == {"realism": 1, "trees": 1, "constraints": 1, "privacy": 1, "is_female": 0.5}
    loaded = RLSyn.load(tmp_path)
    pd.testing.assert_frame_equal(loaded.sample(50), model.sample(50))
    with pytest.raises(ValueError, match=r"\['is_female'\] are only names here.*RLSyn\(rewards="):
        loaded.fit(readings)


def test_saved_model_holds_no_training_row(tmp_path):
    """Every value is one person's alone, and has digits by which it is known again."""
    rng = np.random.default_rng(0)
    train = pd.DataFrame(rng.normal(size=(N_TRAIN, 3)) * [1, 30, 1_000], columns=["low", "high", "sum"])
    model = tiny(2, reward_weights={"privacy": 1}).fit(train)
    model.save(tmp_path)
    features = model.training.trees._redrawn[1].transform(train)
    lone = np.unique(np.float32(np.concatenate([train.to_numpy().ravel(), np.ravel(features)])))

    def parts(value):
        for item in (
            value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else [value]
        ):
            yield from [item] if item is value else parts(item)

    found = list(parts(torch.load(next((tmp_path / "checkpoints").glob("*.pt")), weights_only=True)))
    tensors = [part for part in found if isinstance(part, torch.Tensor)]
    floats = torch.cat([tensor.flatten().float() for tensor in tensors if tensor.is_floating_point()]).numpy()
    (forest,) = [part for part in found if isinstance(part, str) and part.startswith("tree")]
    # The lines in which values stand; gains and the like are of few digits, and meet some value by chance.
    of_values = [line for line in forest.splitlines() if line.startswith(("threshold=", "feature_infos="))]
    numbers = np.float32(re.findall(r"-?\d+\.\d+(?:e[-+]?\d+)?", " ".join(of_values)))
    assert len(tensors) > 10 and len(numbers) > 100
    assert not [tensor.shape for tensor in tensors if N_TRAIN in tensor.shape]
    assert not set(lone.tolist()) & set(floats.tolist())
    assert not set(lone.tolist()) & set(numbers.tolist())


def test_run_of_the_command_line_fills_the_weights_and_is_resumed_with_them(
    readings, tmp_path, load_script, monkeypatch
):
    def fit_only(model, dataset, run_dir, options, *, resume, progress):
        model.fit(dataset.train, schema=dataset.schema, run_dir=run_dir, resume=resume)
        return 0

    script, run_dir = load_script("run_ppo"), tmp_path / "run"
    monkeypatch.setattr(script, "_run", fit_only)
    readings.to_csv(tmp_path / "readings.csv", index=False)
    (tmp_path / "rules.yaml").write_text("- low <= high\n")
    (tmp_path / "weights.yaml").write_text("default: {reward_weights: {constraints: 3, privacy: 1}}\n")
    table = ["--csv", str(tmp_path / "readings.csv"), "--constraints", str(tmp_path / "rules.yaml")]
    sizes = [f"{name}:{TINY[name]}" for name in ("n_records", "n_discriminator_warm_up", "n_discriminator_steps")]
    sizes += ["warm_start_kwargs.n_epochs:1", "warm_start_kwargs.n_linear_epochs:1"]
    more = ["-n", str(ROLLOUT), "--run-dir", str(run_dir), "--config", str(tmp_path / "weights.yaml")]
    assert script.main([*table, *more, "-params", "reward_weights.privacy:2", *sizes]) == 0
    weights = yaml.safe_load((run_dir / "config.yaml").read_text())["parameters"]["reward_weights"]
    assert weights == {"realism": 1, "trees": 1, "constraints": 3, "privacy": 2}
    assert script.main(["--resume", str(run_dir), "-n", str(2 * ROLLOUT)]) == 0
    assert curve(run_dir, "privacy").notna().tolist() == [True, True]
