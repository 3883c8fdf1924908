"""The trees term: it tells real records from others, never by a forest that knows them, and resumes as it was."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rlsyn.encoding import Encoding
from rlsyn.evaluation.features import FeatureEncoder
from rlsyn.rewards import TreesReward, trees
from rlsyn.rewards.total import TotalReward
from rlsyn.schema import infer_schema
from rlsyn.synthesizer import RLSyn
from rlsyn.warm_start import choose_people

TINY = {
    "n_records": 32,
    "batch_records": 32,
    "n_discriminator_warm_up": 3,
    "n_discriminator_steps": 2,
    "warm_start_kwargs": {"n_epochs": 1, "n_linear_epochs": 1, "n_clones": 1},
    "policy_kwargs": {"n_hidden": 32},
    "select": False,
}


def tiny(table, n_rollouts, **kwargs):
    return RLSyn(total_timesteps=n_rollouts * 32 * table.shape[1], **{**TINY, **kwargs})


def shuffled(records, seed=0):
    """The same marginals, and no dependence."""
    rng = np.random.default_rng(seed)
    return np.stack([rng.permutation(column) for column in records.T], axis=1)


@pytest.fixture(scope="module")
def related():
    """300 rows of a number, one that follows it, the same number with gaps, and a group that splits it in two."""
    rng = np.random.default_rng(0)
    first = rng.normal(size=300)
    table = {"first": first, "second": first + 0.3 * rng.normal(size=300)}
    table |= {"third": np.where(rng.random(300) < 0.2, np.nan, first), "fourth": np.where(first > 0, "high", "low")}
    return pd.DataFrame(table).round(2)


@pytest.fixture(scope="module")
def encoding(related):
    return Encoding.fit(related, infer_schema(related), n_levels=16)


@pytest.fixture(scope="module")
def records(encoding, related):
    return encoding.encode(related)


# The term by itself.


def test_records_with_the_real_dependence_earn_more_than_those_without_though_neither_was_learned(encoding, records):
    term = TreesReward(encoding, records[:200])
    term.learn(shuffled(records[:200]))
    real, other = term(records[200:]), term(shuffled(records[200:], 1))
    assert real.mean() > other.mean() + 1
    assert np.mean(real[:, None] > other) > 0.8
    assert real.dtype == np.float32


def test_records_that_nothing_tells_apart_earn_nothing_on_average_however_few_were_drawn(encoding, records):
    term = TreesReward(encoding, records[:240])
    term.learn(records[240:270])
    assert abs(term(records[270:]).mean()) < 1  # by the numbers of records real would be eight times as likely


def test_rewards_are_clipped_and_nothing_before_the_first_forest(encoding, records, monkeypatch):
    term = TreesReward(encoding, records)
    assert term(records).tolist() == [0] * 300
    term.learn(shuffled(records))
    monkeypatch.setattr(trees, "CLIP", 0.5)
    assert {-0.5, 0.5} <= set(term(np.concatenate([records, shuffled(records)])).tolist())
    assert np.abs(term(records)).max() == 0.5


def test_scoring_teaches_nothing(encoding, records):
    term = TreesReward(encoding, records)
    for _ in range(trees.EVERY + 1):
        term(records)
    assert (term.n_learned, len(term.pool), term.forest) == (0, 0, None)


def test_a_forest_learns_the_last_rollouts_only_and_not_after_each(encoding, records, monkeypatch):
    learned, fit = [], trees.LGBMClassifier.fit

    def spy(self, vectors, is_real):
        learned.append(vectors[is_real == 0])
        return fit(self, vectors, is_real)

    monkeypatch.setattr(trees.LGBMClassifier, "fit", spy)
    term = TreesReward(encoding, records)
    rollouts = [shuffled(records, seed)[:40] for seed in range(2 * trees.EVERY)]
    for rollout in rollouts:
        term.learn(rollout)
    assert len(learned) == 2
    assert [len(rows) for rows in learned] == [40, 40 * trees.N_ROLLOUTS]
    last = rollouts[trees.EVERY + 1 - trees.N_ROLLOUTS : trees.EVERY + 1]
    for rollout, rows in zip(last, np.split(learned[1], trees.N_ROLLOUTS), strict=True):
        is_missing = term.decode(rollout)["third"].isna().to_numpy(dtype=np.float32)
        assert (rows == is_missing[:, None]).all(0).any()


def test_forests_follow_from_the_seed(encoding, records):
    def rewards(seed):
        term = TreesReward(encoding, records, seed)
        term.learn(shuffled(records))
        return term(records).tolist()

    assert rewards(3) == rewards(3)
    assert rewards(3) != rewards(4)
    assert rewards(2**32 - 1) != rewards(4)  # LightGBM's own seeds end at 2**31


def test_of_a_long_table_some_rows_are_learned_the_same_each_time(encoding, records, monkeypatch):
    monkeypatch.setattr(trees, "MAX_REAL", 50)
    first, again, other = (TreesReward(encoding, records, seed).real for seed in (0, 0, 1))
    assert len(first) == 50
    assert len(np.unique(TreesReward(encoding, np.arange(300)[:, None]).real)) == 50  # each once
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_restored_term_goes_on_as_it_would_have(encoding, records, tmp_path):
    def advance(term, seeds):
        for seed in seeds:
            term.learn(shuffled(records, seed)[:60])

    term, again = TreesReward(encoding, records), TreesReward(encoding, records)
    advance(term, range(3))
    torch.save(term.state_dict(), tmp_path / "state.pt")
    again.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert again(records).tolist() == term(records).tolist()
    before = term(records).tolist()
    for one in (term, again):
        advance(one, range(3, trees.EVERY + 1))
    assert again(records).tolist() == term(records).tolist() != before


def test_state_of_before_the_first_forest_is_a_beginning(encoding, records):
    term = TreesReward(encoding, records)
    term.load_state_dict(TreesReward(encoding, records).state_dict())
    assert term(records).tolist() == [0] * 300


def test_table_in_which_nothing_varies_earns_nothing():
    table = pd.DataFrame({"country": ["CH"] * 60})
    encoding = Encoding.fit(table, infer_schema(table))
    term, records = TreesReward(encoding, encoding.encode(table)), encoding.encode(table)
    term.learn(records)
    assert term(records).tolist() == [0] * 60


def test_a_batch_is_decoded_and_described_once_for_score_and_lesson(encoding, records, monkeypatch):
    term = TreesReward(encoding, records)
    term.learn(records)
    calls, decode, transform = [], Encoding.decode, FeatureEncoder.transform
    monkeypatch.setattr(Encoding, "decode", lambda *args, **kw: calls.append("decode") or decode(*args, **kw))
    monkeypatch.setattr(FeatureEncoder, "transform", lambda *args: calls.append("transform") or transform(*args))
    term(records[:40])
    term.learn(records[:40].copy())
    assert calls == ["decode", "transform"]
    term(records[40:80])
    assert len(calls) == 4


# In a training.


def test_each_rollout_is_scored_once_by_a_forest_of_earlier_rollouts(related, monkeypatch):
    calls = []
    score, learn = TreesReward.__call__, TreesReward.learn
    monkeypatch.setattr(TreesReward, "__call__", lambda term, x: calls.append(("score", x)) or score(term, x))
    monkeypatch.setattr(TreesReward, "learn", lambda term, x: calls.append(("learn", x.copy())) or learn(term, x))
    tiny(related, 3).fit(related)
    trial, rollouts = calls[0], calls[1:]
    assert trial[0] == "score"
    assert [name for name, _ in rollouts] == ["score", "learn"] * 3
    for (_, scored), (_, learned) in list(pairwise(rollouts))[::2]:
        assert np.array_equal(scored, learned)


def test_rewards_have_a_curve_of_their_own_and_at_weight_zero_nothing_is_learned(related, tmp_path):
    for name, weight in (("with", 1), ("without", 0)):
        model = tiny(related, 2, reward_weights={"trees": weight}).fit(related, run_dir=tmp_path / name)
        assert model.training.trees.n_learned == 2 * weight
        assert (model.training.trees.forest is None) == (weight == 0)
    events = {name: EventAccumulator(str(tmp_path / name)).Reload() for name in ("with", "without")}
    assert "reward/trees" not in events["without"].Tags()["scalars"]
    first, second = (event.value for event in events["with"].Scalars("reward/trees"))
    assert first == 0 != second


def test_total_hands_rollouts_to_the_terms_that_learn(encoding, records):
    term = TreesReward(encoding, records)
    total = TotalReward({"trees": term, "plain": lambda records: records[:, 0]}, {"trees": 1, "plain": 1})
    total.learn(records)
    assert term.n_learned == 1
    TotalReward({"trees": term}, {"trees": 0}).learn(records)
    assert term.n_learned == 1


def test_forest_does_not_see_the_validation_people(related):
    people = np.arange(300) // 3
    model = tiny(related, 1, select=True).fit(related.assign(person=people), group="person")
    is_validation = choose_people(people, 0.15, np.random.default_rng(0))
    assert np.array_equal(model.training.trees.real, model.encoding.encode(related)[~is_validation])


def test_resumed_run_has_the_forest_of_before(related, tmp_path):
    first = tiny(related, 2).fit(related, run_dir=tmp_path)
    (path,) = (tmp_path / "checkpoints").glob("*.pt")
    state = torch.load(path, weights_only=True)
    assert state["trees"]["forest"] == first.training.trees.state_dict()["forest"]
    resumed = tiny(related, 3).fit(related, run_dir=tmp_path, resume=True)
    assert resumed.training.trees.n_learned == 3
    assert resumed.training.trees.state_dict()["forest"] == first.training.trees.state_dict()["forest"]
