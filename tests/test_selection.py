"""Selection: the criterion ranks generators as a person would, the best is kept, and what is left to sample from."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from envs.record_vec_env import RecordVecEnv
from rlsyn import warm_start
from rlsyn.constraints import Constraint
from rlsyn.encoding import Encoding
from rlsyn.networks.autoregressive import LevelHeads
from rlsyn.policy import AutoregressivePolicy
from rlsyn.schema import infer_schema
from rlsyn.selection import PARTS, Criterion, Selected, SelectionCallback, _part, suffices
from rlsyn.synthesizer import RLSyn
from rlsyn.trained_actors import TrainedActors
from rlsyn.warm_start import behaviour_clone, choose_people

TINY = {
    "n_records": 32,
    "batch_records": 32,
    "n_discriminator_warm_up": 3,
    "n_discriminator_steps": 2,
    "warm_start_kwargs": {"n_epochs": 2, "n_linear_epochs": 2, "n_clones": 1},
    "policy_kwargs": {"n_hidden": 32},
    "select": True,
}


def tiny(patients, n_rollouts=2, **kwargs):
    return RLSyn(total_timesteps=n_rollouts * 32 * patients.shape[1], **{**TINY, **kwargs})


@pytest.fixture(scope="module")
def related():
    """300 rows of three columns that follow one another."""
    rng = np.random.default_rng(0)
    first = rng.normal(size=300)
    table = {"first": first, "second": first + 0.3 * rng.normal(size=300), "third": (first > 0).astype(int)}
    return pd.DataFrame(table).round(2)


def make_policy(encoding) -> AutoregressivePolicy:
    env = RecordVecEnv(encoding.n_levels, 1)
    return AutoregressivePolicy(env.observation_space, env.action_space, lambda _: 1e-3, encoding=encoding, n_hidden=32)


def test_criterion_prefers_the_cloned_policy_to_marginals_and_finds_a_memory_by_its_membership(related):
    encoding = Encoding.fit(related, infer_schema(related), n_levels=16, n_thresholds=0)  # a limit would tell too much
    train, validation = related[:200], related[200:]
    criterion, scores = Criterion(encoding, train, validation), {}
    for name in ("marginals", "cloned", "memory"):
        policy = make_policy(encoding)
        if name == "cloned":
            behaviour_clone(policy, encoding.encode(train), n_epochs=20)
        if name == "memory":
            records = encoding.encode(train.iloc[np.repeat(np.arange(8), 25)])
            behaviour_clone(policy, records, n_epochs=30, patience=30, dropout=0.0)
        scores[name] = criterion(policy, policy.actor)
    assert set(scores["cloned"]) == set(PARTS)
    assert sum(scores["cloned"].values()) < sum(scores["marginals"].values()) - 0.1
    assert sum(scores["cloned"].values()) < sum(scores["memory"].values()) - 0.1


def test_criterion_is_the_same_each_time_and_leaves_actor_and_generators_alone(related):
    encoding = Encoding.fit(related, infer_schema(related), n_levels=16)
    policy = make_policy(encoding)
    before = [value.clone() for value in policy.actor.state_dict().values()]
    random = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    criterion = Criterion(encoding, related[:200], related[200:], seed=3)
    assert criterion(policy, policy.actor) == criterion(policy, policy.actor)
    assert all(torch.equal(*pair) for pair in zip(before, policy.actor.state_dict().values(), strict=True))
    assert torch.equal(random[0], torch.get_rng_state())
    assert np.array_equal(random[1], np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize(
    ("rule", "obeyed"), [("first <= 99", True), ("first > second + 99", False)], ids=["usual", "hopeless"]
)
def test_criterion_scores_what_is_sampled(related, monkeypatch, rule, obeyed):
    schema = replace(infer_schema(related), constraints=(Constraint("rule", rule),))
    encoding = Encoding.fit(related, schema, n_levels=8)
    policy, heats = make_policy(encoding), []
    sample, decode = AutoregressivePolicy.sample, Encoding.decode
    monkeypatch.setattr(
        AutoregressivePolicy,
        "sample",
        lambda *args, **kw: heats.append(kw.get("temperature", 1.0)) or sample(*args, **kw),
    )
    repaired = []
    monkeypatch.setattr(
        Encoding, "decode", lambda *args, repair=True: repaired.append(repair) or decode(*args, repair=repair)
    )
    Criterion(encoding, related[:200], related[200:], calibrates=False, temperature=0.5)(policy, policy.actor)
    assert set(heats) == {0.5}
    assert repaired[-1] is obeyed
    assert len(repaired) <= 8  # trying in vain is cheap


def test_parts_that_cannot_be_computed_count_nothing(related):
    one_column = related[["first"]]
    encoding = Encoding.fit(one_column, infer_schema(one_column), n_levels=16)
    policy = make_policy(encoding)
    scores = Criterion(encoding, one_column[:296], one_column[296:])(policy, policy.actor)
    assert scores["association"] == 0.0
    assert set(scores) == set(PARTS)


@pytest.mark.parametrize(("side", "found"), [("train", 0.5), ("validation", 0.0)])
def test_membership_is_that_of_the_people_learned_from(related, monkeypatch, side, found):
    encoding = Encoding.fit(related, infer_schema(related), n_levels=16)
    copied = {"train": related[:200], "validation": related[200:]}[side]
    monkeypatch.setattr(Criterion, "_pool", lambda *_: pd.concat([copied] * 4, ignore_index=True))
    policy = make_policy(encoding)
    scores = Criterion(encoding, related[:200], related[200:], calibrates=False)(policy, policy.actor)
    assert scores["membership"] == pytest.approx(found, abs=0.02)


def test_an_attack_worse_than_chance_makes_no_policy_better():
    assert _part(lambda: 0.75, chance=0.5) == 0.25
    assert _part(lambda: 0.25, chance=0.5) == 0


def test_selected_keeps_the_best_and_the_earlier_of_two_alike(related):
    encoding = Encoding.fit(related, infer_schema(related), n_levels=4)
    actors = [make_policy(encoding).actor for _ in range(3)]
    selected = Selected()
    for n_steps, (value, actor) in enumerate(zip([0.3, 0.1, 0.1], actors, strict=True)):
        selected.add(n_steps, dict.fromkeys(PARTS, value), actor)
    assert selected.n_steps == 1
    assert selected.table()["is_selected"].tolist() == [False, True, False]
    kept = selected.actor
    assert kept is not None and torch.equal(kept.network.first.weight, actors[1].network.first.weight)
    before = kept.network.first.weight.clone()
    with torch.no_grad():
        actors[1].network.first.weight.fill_(0.0)  # trained on, the policy changes and what was kept does not
    assert torch.equal(kept.network.first.weight, before)


def test_nothing_selected_raises_in_words():
    with pytest.raises(ValueError, match="select=True"):
        _ = Selected().n_steps
    assert Selected().table().empty


def test_fit_samples_the_selected_policy_and_knows_the_others(patients, tmp_path):
    model = tiny(patients).fit(patients, label="died", run_dir=tmp_path)
    rollout = 32 * patients.shape[1]
    assert list(model.selected.scores) == [0, 2 * rollout]  # of 25 rollouts the first, and the end
    drawn = {policy: model.sample(100, policy=policy) for policy in ("trained", "last", "warm_start")}
    assert not drawn["last"].equals(drawn["warm_start"])
    best = "warm_start" if model.selected.n_steps == 0 else "last"
    pd.testing.assert_frame_equal(drawn["trained"], drawn[best])
    with pytest.raises(ValueError, match="'warm_start'"):
        model.sample(5, policy="best")
    events = EventAccumulator(str(tmp_path)).Reload()
    for name in (*PARTS, "criterion"):
        assert [event.step for event in events.Scalars(f"selection/{name}")] == [0, 2 * rollout]
    loaded = RLSyn.load(tmp_path)
    for policy, table in drawn.items():
        pd.testing.assert_frame_equal(loaded.sample(100, policy=policy), table)
    assert loaded.selected.scores == model.selected.scores


def test_selected_policy_stays_when_a_resumed_run_gets_worse(patients, tmp_path, monkeypatch):
    worse = iter([0.2, 0.1, 0.3])
    monkeypatch.setattr(Criterion, "__call__", lambda *_: dict.fromkeys(PARTS, next(worse)))
    first = tiny(patients, 1).fit(patients, label="died", run_dir=tmp_path)
    rollout = 32 * patients.shape[1]
    assert first.selected.n_steps == rollout
    model = tiny(patients, 2).fit(patients, label="died", run_dir=tmp_path, resume=True)
    assert list(model.selected.scores) == [0, rollout, 2 * rollout]
    assert model.selected.n_steps == rollout
    pd.testing.assert_frame_equal(model.sample(50, policy="warm_start"), first.sample(50, policy="warm_start"))
    actors = model.training.actors
    kept, last = (actors.named(name).state_dict() for name in ("trained", "last"))
    assert any(not torch.equal(kept[name], last[name]) for name in last)


def test_discriminator_does_not_see_the_validation_people(patients):
    model = tiny(patients, 1).fit(patients.assign(person=np.arange(200) // 4), label="died", group="person")
    seen = {tuple(record) for record in model.training.trainer._real.tolist()}
    records = model.encoding.encode(patients)
    is_validation = choose_people(np.arange(200) // 4, 0.15, np.random.default_rng(0))
    assert is_validation.sum() == 32  # 8 of 50 people
    assert seen == {tuple(record) for record in records[~is_validation].tolist()}
    assert not seen & {tuple(record) for record in records[is_validation].tolist()}


def test_privacy_does_not_see_the_validation_people(patients):
    weights = {"privacy": 1, "trees": 0}
    for select, n_seen in ((True, 168), (False, 200)):
        people = np.arange(200) // 4
        model = tiny(patients, 1, select=select, reward_weights=weights).fit(
            patients.assign(person=people), label="died", group="person"
        )
        (reward,) = set(model.model.env.get_attr("reward_fn"))
        assert len(reward.terms["privacy"][0]._rows) == n_seen


def test_interrupt_after_the_last_rollout_is_made_good_by_a_resume(patients, tmp_path, monkeypatch):
    calibrate, model = TrainedActors.calibrate, tiny(patients, 1)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Criterion, "__call__", lambda *_: dict.fromkeys(PARTS, 0.1))
    monkeypatch.setattr(SelectionCallback, "_on_training_end", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(patients, label="died", run_dir=tmp_path)
    monkeypatch.undo()
    monkeypatch.setattr(Criterion, "__call__", lambda *_: dict.fromkeys(PARTS, 0.1))
    calls = []
    monkeypatch.setattr(TrainedActors, "calibrate", lambda *args: calls.append(1) or calibrate(*args))
    for _ in range(2):  # once is enough
        resumed = tiny(patients, 1).fit(patients, label="died", run_dir=tmp_path, resume=True)
        assert list(resumed.selected.scores) == [0, 32 * patients.shape[1]]
        assert calls == [1]
        assert RLSyn.load(tmp_path).training.actors.is_finished


def test_interrupt_while_marginals_are_calibrated_leaves_the_policy_for_a_resume(patients, tmp_path, monkeypatch):
    whole = tiny(patients, 1).fit(patients, label="died")
    shift, shifts = LevelHeads.shift_biases, []

    def shift_once(*args):
        shifts.append(1)
        if len(shifts) > 1:
            raise KeyboardInterrupt
        shift(*args)

    calibrate = TrainedActors.calibrate
    monkeypatch.setattr(
        TrainedActors,
        "calibrate",
        lambda *args: monkeypatch.setattr(LevelHeads, "shift_biases", shift_once) or calibrate(*args),
    )
    with pytest.raises(KeyboardInterrupt):
        tiny(patients, 1).fit(patients, label="died", run_dir=tmp_path)
    assert len(shifts) == 2
    monkeypatch.undo()
    resumed = tiny(patients, 1).fit(patients, label="died", run_dir=tmp_path, resume=True)
    pd.testing.assert_frame_equal(resumed.sample(500), whole.sample(500))


def test_average_is_exponential_and_is_what_is_sampled(patients, tmp_path):
    model = tiny(patients, 2, select=False, average_decay=0.5).fit(patients, label="died", run_dir=tmp_path)
    assert not model.sample(50).equals(model.sample(50, policy="warm_start"))
    pd.testing.assert_frame_equal(model.sample(50), model.sample(50, policy="last"))
    pd.testing.assert_frame_equal(RLSyn.load(tmp_path).sample(50), model.sample(50))


def test_average_of_weights_counts_every_rollout_once(related):
    policy = make_policy(Encoding.fit(related, infer_schema(related), n_levels=4))
    actors, weight = TrainedActors(policy, average_decay=0.5), policy.actor.network.first.weight
    for n_steps, value in ((0, 0.0), (10, 4.0), (10, 4.0), (20, 8.0)):
        with torch.no_grad():
            weight.fill_(value)
        actors.average_in(n_steps)
    assert torch.allclose(actors.last.network.first.weight, torch.tensor(5.0))
    again = TrainedActors(policy, average_decay=0.5)
    again.load_state_dict(actors.state_dict())
    again.average_in(20)
    assert torch.allclose(again.last.network.first.weight, torch.tensor(5.0))


def test_average_changes_nothing_of_the_training_itself(patients):
    plain, averaged = (
        tiny(patients, 2, select=False, average_decay=decay).fit(patients, label="died") for decay in (0.0, 0.9)
    )
    for one, other in zip(plain.policy.critic.parameters(), averaged.policy.critic.parameters(), strict=True):
        assert torch.equal(one, other)


def test_temperature_makes_the_frequent_more_frequent(patients):
    model = tiny(patients, 1, select=False).fit(patients, label="died")
    shares = [
        model.sample(2_000, temperature=temperature)["site"].value_counts(normalize=True).max()
        for temperature in (0.5, 1.0, 2.0)
    ]
    assert shares[0] > shares[1] + 0.05 > shares[2] + 0.1
    with pytest.raises(ValueError, match="above 0"):
        model.sample(5, temperature=0)
    with pytest.raises(ValueError, match="above 0"):
        RLSyn(temperature=0)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"average_decay": 1.0}, "below 1"),
        ({"rollout_buffer_kwargs": {"baseline": "none"}}, "critic"),
        ({"rollout_buffer_kwargs": {"per_atribute": True}}, "per_attribute"),
        ({"discriminator_kwargs": {"n_packed": 0}}, "above 0"),
        ({"warm_start_kwargs": {"n_clones": 0}}, "above 0"),
    ],
    ids=str,
)
def test_impossible_options_raise(kwargs, message):
    with pytest.raises(ValueError, match=message):
        RLSyn(**kwargs)


@pytest.mark.parametrize(
    "kwargs",
    [
        {"rollout_buffer_kwargs": {"baseline": "mean"}, "algo_kwargs": {"vf_coef": 0.0}},
        {"rollout_buffer_kwargs": {"per_attribute": True}},
        {"discriminator_kwargs": {"n_networks": 2, "n_packed": 2}},
        {"order": "information"},
        {"order": "random"},
    ],
    ids=str,
)
def test_every_option_trains(patients, kwargs):
    model = tiny(patients, 1, select=False, **kwargs).fit(patients, label="died")
    assert not model.sample(50).equals(model.sample(50, policy="warm_start"))


@pytest.mark.slow
def test_command_shows_warm_start_last_and_selected_side_by_side(csv, tmp_path):
    root, run_dir = Path(__file__).parents[1], tmp_path / "run"
    small = ["n_records:32", "n_discriminator_warm_up:2", "warm_start_kwargs.n_epochs:1", "select:true"]
    command = [sys.executable, "experiments/run_ppo.py", "--csv", csv, "--label", "died", "-n", 2 * 32 * 9]
    command += ["--no-report", "--device", "cpu", "--run-dir", run_dir, "-params", *small]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    done = subprocess.run([*map(str, command)], cwd=root, env=environment, capture_output=True, text=True, check=True)
    assert "Of 2 policies scored on validation people the best was" in done.stdout
    metrics = pd.read_csv(run_dir / "metrics.csv").set_index("metric")
    same = "warm_start" if "that of the warm start" in done.stdout else "last"
    for metric in ("KS mean", "association difference"):
        assert metrics.loc[metric, "value"] == metrics.loc[metric, same]
        assert metrics.loc[metric, "last"] != metrics.loc[metric, "warm_start"]


def test_few_validation_people_do_not_select(patients):
    assert not tiny(patients, 1, select=None).fit(patients, label="died").selected.scores
    assert suffices(np.arange(100))
    assert not suffices(np.arange(300) % 99)


@pytest.mark.parametrize("n_clones", [1, 2])
def test_people_who_select_teach_no_clone(patients, monkeypatch, n_clones):
    many, taught = pd.concat([patients] * 4, ignore_index=True), []
    make = warm_start._Cloning
    monkeypatch.setattr(warm_start, "_Cloning", lambda *args: taught.append(args[3][0]) or make(*args))
    cloning = {"n_epochs": 1, "n_linear_epochs": 1, "n_clones": n_clones}
    model = tiny(many, 1, select=None, warm_start_kwargs=cloning).fit(many, label="died")
    assert model.selected.scores
    selecting = np.flatnonzero(choose_people(np.arange(800), 0.15, np.random.default_rng(model.seed)))
    assert len(taught) == n_clones
    assert len(selecting) == 120
    for people in taught:
        assert not np.isin(selecting, people).any()
        assert len(people) == 800 - 120 * (1 if n_clones == 1 else 2)


def test_clones_that_people_do_not_suffice_for_are_refused_before_anything_is_written(patients, tmp_path):
    model = tiny(patients, 1, select=None, warm_start_kwargs={"n_clones": 6})
    with pytest.raises(
        ValueError, match="validated on 30 people of its own beside 30 who validate all, so 200 people are enough for 5"
    ):
        model.fit(patients, label="died", run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()
