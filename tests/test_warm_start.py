"""Behaviour cloning learns what the rows show and stops where they show no more."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import ndtri

from rlsyn import linear_start, warm_start
from rlsyn.calibration import calibrate_marginals
from rlsyn.constraints import constraints_from
from rlsyn.linear_start import _inputs_of, logistic, relations, start_at_regressions
from rlsyn.ridge import ridge
from rlsyn.schema import infer_schema
from rlsyn.synthesizer import RLSyn
from rlsyn.warm_start import _Cloning, behaviour_clone, default_clones, people_folds


def make_policy(table, **kwargs):
    model = RLSyn(total_timesteps=0, n_records=16, **kwargs)
    encoding = model.prepare(table, infer_schema(table))
    records = encoding.encode(table)
    model._build(encoding, records)
    return model.policy, records


def correlated(n, n_columns=6, seed=0):
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(n, 1))
    return pd.DataFrame(
        (factor + 0.5 * rng.normal(size=(n, n_columns))).round(2), columns=[f"c{i}" for i in range(n_columns)]
    )


def test_cloning_gains_likelihood_on_correlated_columns():
    policy, records = make_policy(correlated(400))
    result = behaviour_clone(policy, records, n_epochs=100)
    assert result.log_likelihood > result.log_likelihood_marginals + 0.5


def test_cloned_policy_reproduces_the_correlation():
    table = correlated(500)
    model = RLSyn(total_timesteps=0, n_records=16).fit(table)
    synthetic = model.sample(2_000)
    wanted = np.corrcoef(table.to_numpy().T)[np.triu_indices(6, 1)]
    got = np.corrcoef(synthetic.to_numpy().T)[np.triu_indices(6, 1)]
    assert np.abs(wanted - got).max() < 0.12


@pytest.mark.parametrize(("n_clones", "most_lost"), [(1, 0.0), (5, 0.005)])
def test_cloning_learns_next_to_nothing_from_independent_columns(n_clones, most_lost):
    """One clone never does worse on those who stop it; several may, a little, on those whom they have in common."""
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(200, 6)).round(2), columns=list("abcdef"))
    policy, records = make_policy(table)
    result = behaviour_clone(policy, records, n_clones=n_clones)
    synthetic = policy.sample(3_000).numpy()
    assert np.abs(np.corrcoef(synthetic.T) - np.eye(6)).max() < 0.2
    assert result.log_likelihood >= result.log_likelihood_marginals - most_lost


def test_people_are_trained_on_or_validated_on_never_both():
    """Every person's rows are one row repeated: by rows, memorising would look like learning without end."""
    people = np.repeat(np.arange(60), 5)
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 8)).round(2)[people], columns=list("abcdefgh"))
    policy, records = make_policy(table)
    by_person = behaviour_clone(policy, records, people, n_clones=1, n_epochs=40)
    policy, records = make_policy(table)
    by_row = behaviour_clone(policy, records, None, n_clones=1, n_epochs=40)
    gains = [result.log_likelihood - result.log_likelihood_marginals for result in (by_person, by_row)]
    assert gains[0] < 0.02 and gains[1] > 0.1


def test_same_seed_clones_the_same_policy():
    table = correlated(100)
    results = []
    for _ in range(2):
        model = RLSyn(total_timesteps=0, n_records=16, warm_start_kwargs={"n_epochs": 5}, seed=3).fit(table)
        results.append(model.sample(50))
    pd.testing.assert_frame_equal(*results)


def test_cloning_without_anyone_to_validate_on_raises():
    policy, records = make_policy(correlated(50))
    for share in (0.0, 1.0):
        with pytest.raises(ValueError, match=f"validation_size={share}"):
            behaviour_clone(policy, records, validation_size=share)


@pytest.mark.slow
def test_mean_of_clones_knows_strangers_better_than_one_clone():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(1_080, 4)) @ rng.normal(size=(4, 20)) + rng.normal(size=(1_080, 20)))
    table = table.round(2).set_axis([f"c{i}" for i in range(20)], axis=1)
    few, strangers = table[:80], table[80:]

    def likelihood(n_clones, seed):
        torch.manual_seed(0)
        policy, records = make_policy(few)
        behaviour_clone(policy, records, n_clones=n_clones, seed=seed)
        encoded = policy.encoding.encode(strangers)
        with torch.no_grad():
            return float(policy.log_probabilities(torch.as_tensor(encoded)).mean())

    singles, means = ([likelihood(n_clones, seed) for seed in range(2)] for n_clones in (1, 3))
    assert min(means) > max(singles)


def test_mean_on_the_linear_path_multiplies_the_probabilities(monkeypatch):
    kept, mean = [], warm_start._mean
    monkeypatch.setattr(warm_start, "_mean", lambda states: kept.extend(states) or mean(states))
    policy, records = make_policy(correlated(100))
    behaviour_clone(policy, records, n_clones=3, n_epochs=0)
    vectors = policy.vectors(torch.as_tensor(records[:20]))

    def probabilities(state=None):
        if state is not None:
            policy.actor.load_state_dict(state)
        with torch.no_grad():
            return policy.actor(vectors)

    own, clones = probabilities(), [probabilities(state) for state in kept]
    assert len(clones) == 3
    for bucket, *others in zip(own, *clones, strict=True):
        torch.testing.assert_close(bucket, torch.stack(others).mean(0).log_softmax(-1), rtol=0, atol=1e-3)


def test_clones_are_validated_on_different_people():
    people = np.repeat(np.arange(50), 2)
    folds = np.array(people_folds(people, 0.2, 5, np.random.default_rng(0)))
    assert (folds.sum(0) == 1).all()
    assert all(len(np.unique(people[fold])) == 10 for fold in folds)


@pytest.mark.parametrize(
    ("n_people", "validation_size", "n_clones"),
    [
        (2, 0.15, 1),
        (3, 0.15, 1),
        (12, 0.15, 5),
        (280, 0.15, 5),
        (280, 0.2, 1),
        (10, 0.6, 1),
        (493, 0.15, 5),
        (500, 0.15, 1),
    ],
)
def test_small_tables_have_several_clones(n_people, validation_size, n_clones):
    assert default_clones(n_people, validation_size) == n_clones
    folds = people_folds(np.arange(n_people), validation_size, n_clones + 1, np.random.default_rng(0))
    assert all(fold.any() for fold in folds) or n_clones == 1


@pytest.fixture
def made(monkeypatch):
    """What each clone is made of, in turn."""
    seen, make = [], warm_start._Cloning
    monkeypatch.setattr(warm_start, "_Cloning", lambda *args: seen.append(args) or make(*args))
    return seen


@pytest.mark.parametrize(("n_rows", "people", "n_clones"), [(60, None, 5), (60, 30, 5), (700, None, 1), (700, 30, 5)])
def test_clones_share_the_people_who_validate_them_all(made, n_rows, people, n_clones):
    table = pd.DataFrame(np.random.default_rng(0).integers(0, 2, (n_rows, 3)), columns=list("abc"))
    policy, records = make_policy(table)
    people = None if people is None else np.arange(n_rows) % people
    behaviour_clone(policy, records, people, n_epochs=1, n_linear_epochs=1)
    taught, validated = ([set(args[3][place]) for args in made] for place in (0, 1))
    n_people = n_rows if people is None else 30
    assert len(made) == n_clones
    assert len(set.intersection(*validated)) == round(0.15 * n_people)
    assert all(
        one | other == set(range(n_people)) and not one & other for one, other in zip(taught, validated, strict=True)
    )
    assert set.intersection(*validated) | set.union(*taught) == set(range(n_people))
    assert len({frozenset(one) for one in taught}) == n_clones


def test_what_is_large_has_one_clone(made, monkeypatch):
    policy, records = make_policy(correlated(60))
    monkeypatch.setattr(warm_start, "MOST_CLONED", records.size * policy.actor.network.direct.in_features - 1)
    behaviour_clone(policy, records, n_epochs=1, n_linear_epochs=1)
    assert len(made) == 1


def test_more_clones_than_people_can_validate_raise():
    policy, records = make_policy(correlated(50))
    for n_clones in (0, 2):
        with pytest.raises(ValueError, match=rf"validation_size=0.4 of 50 people and n_clones={n_clones}"):
            behaviour_clone(policy, records, validation_size=0.4, n_clones=n_clones, n_epochs=1, n_linear_epochs=1)
    behaviour_clone(policy, records, validation_size=0.6, n_clones=1, n_epochs=1, n_linear_epochs=1)


def test_calibration_brings_back_the_marginals_and_leaves_the_dependence():
    table = correlated(500)
    model = RLSyn(total_timesteps=0, n_records=16).fit(table)
    policy, marginals = model.policy, model.encoding.marginals()
    rng = np.random.default_rng(0)
    policy.actor.heads.shift_biases([rng.normal(scale=0.3, size=len(share)) for share in marginals])

    def gaps():
        drawn = policy.sample(20_000).numpy()
        return [np.abs(np.bincount(drawn[:, i], minlength=len(m)) / 20_000 - m).max() for i, m in enumerate(marginals)]

    before = gaps()
    calibrate_marginals(policy, marginals)
    assert max(gaps()) < 0.01 < max(before)
    correlation = np.corrcoef(model.sample(2_000).to_numpy().T)[np.triu_indices(6, 1)]
    assert np.abs(correlation - np.corrcoef(table.to_numpy().T)[np.triu_indices(6, 1)]).max() < 0.15


def test_levels_that_few_records_lack_by_chance_are_not_raised():
    """The untrained policy has the marginals. Of 50 records many levels are missing, which is no fault of it."""
    policy, records = make_policy(correlated(300, 3))
    marginals = [np.bincount(column) / len(column) for column in records.T]
    calibrate_marginals(policy, marginals, n_records=50, n_rounds=1)
    for column, share in zip(policy.sample(20_000).numpy().T, marginals, strict=True):
        assert np.abs(np.bincount(column, minlength=len(share)) / 20_000 - share).max() < 0.03


def test_calibration_of_another_actor_leaves_that_of_the_policy_alone():
    policy, records = make_policy(correlated(300, 3))
    marginals = [np.bincount(column) / len(column) for column in records.T]
    other, before = deepcopy(policy.actor), policy.sample(5_000, generator=torch.Generator().manual_seed(0))
    other.heads.shift_biases([np.linspace(-1, 1, len(share)) for share in marginals])
    assert calibrate_marginals(policy, marginals, actor=other) < 0.02  # before the last round, not the first
    assert torch.equal(policy.sample(5_000, generator=torch.Generator().manual_seed(0)), before)
    drawn = policy.sample(20_000, actor=other).numpy()
    for column, share in zip(drawn.T, marginals, strict=True):
        assert np.abs(np.bincount(column, minlength=len(share)) / 20_000 - share).max() < 0.012


@pytest.mark.parametrize(
    ("network", "head"), [("made", "ordinal"), ("made", "free"), ("made", "mixture"), ("transformer", "ordinal")]
)
def test_start_at_regressions_is_the_conditional_of_gaussians(network, head):
    """Of 3,000 rows of a bivariate Gaussian: the policy's correlation is the rows', before any gradient step."""
    rng = np.random.default_rng(0)
    first = rng.normal(size=3_000)
    table = pd.DataFrame({"a": first, "b": 0.95 * first + np.sqrt(1 - 0.95**2) * rng.normal(size=3_000)})
    policy, records = make_policy(table, policy_kwargs={"network": network, "head": head})
    start_at_regressions(policy, records, records[:100], (np.arange(len(records)), np.arange(100)))
    drawn = np.corrcoef(ndtri((policy.sample(4_000).numpy() + 0.5) / 32).T)[0, 1]
    # Logistic distributions have longer tails.
    assert drawn == pytest.approx(0.95, abs=0.03 if head == "mixture" else 0.01)


def test_inputs_are_penalised_as_they_are():
    # Were they brought to the same variance, an input that hardly varies would weigh as much as one that does.
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(60, 30))
    targets = inputs[:, 0] + rng.normal(size=60)
    classes = (targets > 0).astype(int)
    small = inputs * np.where(np.arange(30) == 0, 0.2, 1)
    people = np.arange(60)
    assert 0 < 0.2 * ridge(small, targets, people).weights[0] < 0.8 * ridge(inputs, targets, people).weights[0]
    full, shrunk = (
        logistic((part, part), (classes, classes), 2, np.zeros(30, dtype=bool)).weights[0, 0]
        for part in (inputs, small)
    )
    assert 0 < 0.2 * shrunk < 0.8 * full


def test_results_that_are_missing_together_are_cloned_so():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(300, 2)).round(2), columns=["a", "b"])
    table.loc[rng.random(300) < 0.15] = np.nan
    synthetic = RLSyn(total_timesteps=0, n_records=16).fit(table).sample(2_000).isna()
    assert synthetic["a"].mean() == pytest.approx(table["a"].isna().mean(), abs=0.04)
    assert (synthetic["a"] == synthetic["b"]).mean() > 0.97


def test_logistic_regression_returns_logits_of_raw_inputs():
    rng = np.random.default_rng(0)
    inputs = rng.normal(3, 2, size=(4_000, 2))
    logits = np.column_stack([np.zeros(4_000), 1 + inputs[:, 0], -2 * inputs[:, 1]])
    classes = (logits + rng.gumbel(size=logits.shape)).argmax(1)
    parts = (inputs[:3_000], inputs[3_000:]), (classes[:3_000], classes[3_000:])
    choice = logistic(*parts, 3, np.zeros(2, dtype=bool))
    np.testing.assert_allclose(choice.weights, [[1, 0], [0, -2]], atol=0.3)
    np.testing.assert_allclose(choice.intercepts, [1, 0], atol=0.5)


def test_logistic_regression_of_noise_is_penalised_and_of_an_absent_class_is_none():
    rng = np.random.default_rng(1)
    inputs, classes = rng.normal(size=(400, 30)), rng.integers(0, 2, 400)
    nothing = np.zeros(30, dtype=bool)
    choice = logistic((inputs[:40], inputs[40:]), (classes[:40], classes[40:]), 2, nothing)
    assert choice is None or np.abs(choice.weights).max() < 0.1
    assert logistic((inputs[:40], inputs[40:]), (classes[:40] * 0, classes[40:]), 2, nothing) is None


def test_logistic_regression_hardly_penalises_what_is_known_to_matter():
    rng = np.random.default_rng(2)
    inputs = rng.normal(size=(300, 40))
    inputs[:, 0] = rng.random(300) < 0.5
    chances = np.where(inputs[:, [0]] == 1, [0.5, 0.3, 0.2], [0.0, 0.6, 0.4])
    classes = (chances.cumsum(1) < rng.random((300, 1))).sum(1)  # the first is of those with a 1 alone
    parts = (inputs[:200], inputs[200:]), (classes[:200], classes[200:])
    plain, known = (logistic(*parts, 3, np.arange(40) < n_known) for n_known in (0, 1))
    # Of the second class beside the first.
    assert -plain.weights[0, 0] < 3 and -known.weights[0, 0] == pytest.approx(6, abs=2)
    assert np.abs(known.weights[:, 1:]).max() < 0.5


def test_calibration_brings_back_how_often_values_are_missing():
    rng = np.random.default_rng(0)
    table = correlated(600)
    for column, share in (("c1", 0.9), ("c4", 0.4)):
        table.loc[rng.random(600) < share, column] = np.nan
    model = RLSyn(total_timesteps=0, n_records=16).fit(table)
    model.policy.actor.heads.shift_biases([np.append(np.zeros(len(m) - 1), -0.7) for m in model.encoding.marginals()])
    calibrate_marginals(model.policy, model.encoding.marginals())
    drawn = model.sample(20_000).isna().mean()
    np.testing.assert_allclose(drawn, table.isna().mean(), atol=0.01)


def test_calibration_leaves_levels_that_a_rule_forbids_out():
    """A twentieth of the rows are forbidden zeros; how often the value is missing is not to suffer for it."""
    rng = np.random.default_rng(0)
    table = correlated(600)
    table["pressure"] = np.where(rng.random(600) < 0.05, 0.0, rng.normal(120, 15, 600).round())
    table.loc[rng.random(600) < 0.2, "pressure"] = np.nan
    schema = replace(infer_schema(table), constraints=constraints_from(["pressure > 0"]))
    synthetic = RLSyn(total_timesteps=0, n_records=16).fit(table, schema=schema).sample(5_000)["pressure"]
    obeying = table["pressure"][table["pressure"] != 0]
    assert synthetic.min() > 0
    assert synthetic.isna().mean() == pytest.approx(obeying.isna().mean(), abs=0.02)
    assert synthetic.mean() == pytest.approx(obeying.mean(), abs=1)


@pytest.mark.parametrize("head", ["free", "mixture"])
def test_start_at_regressions_of_other_heads_keeps_how_often_values_are_missing(head):
    """A quantity that often is missing, and follows another when it is not.

    Whether it is missing follows the other in training rows and goes against it in validation rows, so that there is no
    regression of it.
    """
    rng = np.random.default_rng(0)
    first = rng.normal(size=1_000)
    table = pd.DataFrame({"a": first, "b": first + 0.3 * rng.normal(size=1_000)})
    lean = np.where(np.arange(1_000) < 800, 0.1, -0.2) * np.sign(first)
    table.loc[rng.random(1_000) < 0.4 + lean, "b"] = np.nan
    policy, records = make_policy(table, policy_kwargs={"head": head})
    start_at_regressions(policy, records[:800], records[800:], np.split(np.arange(len(records)), [800]))
    drawn = policy.sample(4_000).numpy()
    missing = drawn[:, 1] == policy.encoding.n_levels[1] - 1
    low = drawn[:, 0] < 16
    assert missing[low].mean() == pytest.approx(0.4, abs=0.06) == missing[~low].mean()
    correlation = np.corrcoef(drawn[~missing].T)[0, 1]
    assert correlation == pytest.approx(table.corr().iloc[0, 1], abs=0.06)


def test_weight_decay_shrinks_the_network_and_leaves_the_biases_of_levels():
    """Strong decay on noise: weights go, marginals stay."""
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 4)).round(2), columns=list("abcd"))
    policy, records = make_policy(table, n_levels=4)
    rows = torch.as_tensor(records)
    cloning = _Cloning(
        policy,
        rows,
        rows,
        (np.arange(60), np.arange(60)),
        60,
        patience=10,
        weight_decay=30.0,
        rng=np.random.default_rng(0),
    )
    with torch.no_grad():
        policy.actor.network.direct.weight.fill_(0.05)
    biases = [bias.detach().clone() for bias in policy.actor.heads.biases]
    assert cloning.fine_tune(1e-2, 10, dropout=0.0) > 0
    assert float(policy.actor.network.direct.weight.detach().abs().max()) < 0.05
    for before, after in zip(biases, policy.actor.heads.biases, strict=True):
        assert torch.allclose(before, after, atol=0.15)


def test_a_column_and_its_copy_give_finite_weights():
    values = np.random.default_rng(0).normal(size=300).round(3)
    table = pd.DataFrame({"a": values, "b": values * 10})
    policy, records = make_policy(table)
    result = behaviour_clone(policy, records)
    assert result.log_likelihood > result.log_likelihood_marginals + 1
    assert float(policy.actor.network.direct.weight.detach().abs().max()) < 1e4


def test_time_of_an_epoch_does_not_grow_with_rows(monkeypatch):
    """Of more rows than an epoch takes each one takes others, and no more than so many validate."""
    monkeypatch.setattr("rlsyn.warm_start.MOST_STEPS", 3)
    monkeypatch.setattr("rlsyn.warm_start.MOST_VALIDATION", 20)
    seen, validated = [], []
    linear = _Cloning._linear_log_probabilities
    monkeypatch.setattr(
        _Cloning,
        "_linear_log_probabilities",
        lambda self, rows: (
            (seen if rows.shape != self.validation.shape else validated).append(rows) or linear(self, rows)
        ),
    )
    policy, records = make_policy(correlated(400))
    records[:, 0] = np.arange(400) % policy.encoding.levels[0].n_levels
    behaviour_clone(policy, records, n_clones=1, n_linear_epochs=4, n_epochs=1, batch_size=16)
    assert {rows.shape for rows in seen} == {(16, 6)}
    assert {rows.shape for rows in validated} == {(20, 6)}
    assert len(seen) <= 3 * 3 * 4
    shown = {tuple(row) for rows in seen for row in rows.tolist()}
    assert len(shown) > 3 * 16, "every epoch took the same rows"


def test_a_limit_is_kept_where_what_the_regression_says_beside_is_wrong():
    rng = np.random.default_rng(0)
    ill, direction = np.tile([0, 1], 200), np.repeat([1, -1], [300, 100])  # as training and validation people
    x = rng.normal(size=400)
    hormone = np.exp(1 + 0.5 * (direction * x + 0.5 * rng.normal(size=400)))
    hormone = np.where(ill == 1, 6 + hormone, 6 * hormone / (1 + hormone)).round(3)
    table = pd.DataFrame({"ill": ill, "x": x.round(3), "hormone": hormone})
    policy, records = make_policy(table)
    records = torch.as_tensor(records)
    with torch.no_grad():
        marginal = policy.log_probabilities(records[300:])[:, 2].mean()
        start_at_regressions(policy, records[:300].numpy(), records[300:].numpy(), np.split(np.arange(400), [300]))
        reached = policy.log_probabilities(records[300:])[:, 2].mean()
    assert reached > marginal + 0.5  # log 2 is what the limit alone gives


def test_only_the_category_that_sets_in_has_a_weight_that_is_hardly_penalised():
    rng = np.random.default_rng(0)
    hormone = rng.lognormal(1.5, 0.6, 400).round(2)
    ward = np.where(hormone >= 6, "icu", rng.choice(["a", "b", "c"], 400))
    policy, _ = make_policy(pd.DataFrame({"ward": ward, "hormone": hormone}))
    levels = policy.encoding.levels[1]
    assert levels.deciding == ((("ward", "icu"),),)
    assert _inputs_of(policy, levels.deciding[0], 4) == [policy.encoding.levels[0].categories.index("icu")]
    assert _inputs_of(policy, levels.deciding[0], 0) == []


def test_what_excludes_a_class_is_told_from_what_tells_of_it_and_from_noise():
    rng = np.random.default_rng(0)
    classes = rng.choice(3, 400, p=[0.5, 0.3, 0.2])
    never, always = (classes != 1) & (rng.random(400) < 0.4), (classes == 2) | (rng.random(400) < 0.5)
    often = rng.random(400) < np.where(classes == 0, 0.7, 0.3)
    noise = rng.random((400, 20)) < 0.3
    inputs = np.c_[never, np.where(always, 1, -1), often, noise, classes, np.ones(400)].astype(float)
    tells, excludes = relations(inputs, classes)
    assert tells.shape == (25,)
    assert np.flatnonzero(tells).tolist() == [0, 1, 2], "not noise, and no input that has not two values"
    assert np.flatnonzero(excludes).tolist() == [0, 1]


def test_a_step_at_which_a_category_sets_in_excludes_one():
    hormone = np.random.default_rng(0).lognormal(1.5, 0.6, 400).round(2)
    policy, records = make_policy(pd.DataFrame({"hormone": hormone, "ill": (hormone >= 6).astype(int)}))
    inputs = policy.encoding.vectors(records)[:, : policy.actor.network.n_inputs(1)]
    (step,) = np.flatnonzero(relations(inputs, records[:, 1])[1])
    np.testing.assert_array_equal(policy.encoding.levels[0].features()[:, step], policy.encoding.levels[0].steps()[0])


@pytest.mark.parametrize("n_stages", [2, 5])
def test_what_many_findings_tell_by_one_cause_is_not_blown_up(monkeypatch, n_stages):
    # Each of forty findings tells of the stage far beyond chance; what they say is one thing.
    def people(n, seed):
        rng = np.random.default_rng(seed)
        severity = rng.normal(size=n)
        table = {f"finding_{i}": (severity + rng.normal(size=n) > 0).astype(int) for i in range(40)}
        bounds = [0.0] if n_stages == 2 else [-1.0, -0.3, 0.3, 1.0]
        return pd.DataFrame(table | {"stage": np.array(list("abcde"))[np.digitize(severity, bounds)]})

    def likelihood(max_chance):
        monkeypatch.setattr("rlsyn.linear_start.MAX_CHANCE", max_chance)
        policy, records = make_policy(people(200, 0))
        start_at_regressions(policy, records[:170], records[170:], np.split(np.arange(200), [170]))
        test = policy.encoding.encode(people(2_000, 1))
        with torch.no_grad():
            return float(policy.log_probabilities(torch.as_tensor(test))[:, -1].mean())

    assert likelihood(1e-5) > likelihood(0.0) - 0.05


def test_regressions_are_told_whose_rows_they_are_of(monkeypatch):
    rng, seen = np.random.default_rng(0), []
    people = np.repeat(np.arange(40), 5)
    table = pd.DataFrame({"sex": rng.integers(0, 2, 40), "age": rng.normal(50, 9, 40).round(1)}).iloc[people]
    ridge, related = linear_start.ridge, linear_start.relations
    monkeypatch.setattr(linear_start, "ridge", lambda *args: seen.append(args[2]) or ridge(*args))
    monkeypatch.setattr(linear_start, "relations", lambda *args: seen.append(args[0]) or related(*args))
    policy, records = make_policy(table.reset_index(drop=True), order=["age", "sex"])
    start_at_regressions(policy, records[:150], records[150:], (people[:150], people[150:]))
    (of_choice,) = seen
    assert len(of_choice) == 40, "one row of each person"
    policy, records = make_policy(table.reset_index(drop=True), order=["sex", "age"])
    start_at_regressions(policy, records[:150], records[150:], (people[:150], people[150:]))
    np.testing.assert_array_equal(seen[1], people[:150])


def test_what_tells_of_a_class_is_shrunk_less_than_noise(monkeypatch):
    # A fifth of those who have the finding are well: it excludes nothing.
    def people(n, seed):
        rng = np.random.default_rng(seed)
        noise = {f"x{i}": rng.integers(0, 2, n) for i in range(60)}
        finding = rng.integers(0, 2, n)
        return pd.DataFrame({**noise, "finding": finding, "ill": (rng.random(n) < 0.2 + 0.6 * finding).astype(int)})

    def likelihood(max_chance):
        monkeypatch.setattr(linear_start, "MAX_CHANCE", max_chance)
        policy, records = make_policy(people(120, 0), order=[f"x{i}" for i in range(60)])
        start_at_regressions(policy, records[:100], records[100:], np.split(np.arange(120), [100]))
        test = policy.encoding.encode(people(4_000, 1))
        with torch.no_grad():
            return float(policy.log_probabilities(torch.as_tensor(test))[:, -1].mean())

    assert likelihood(1e-5) > likelihood(0.0) + 0.02


def test_rows_of_one_person_are_no_evidence():
    people = np.repeat(np.arange(30), 20)
    table = pd.DataFrame(np.random.default_rng(0).integers(0, 2, (30, 12)), columns=[f"x{i}" for i in range(12)])
    policy, records = make_policy(table.iloc[people].reset_index(drop=True))
    with torch.no_grad():
        before = policy.log_probabilities(torch.as_tensor(records[500:])).mean()
        start_at_regressions(policy, records[:500], records[500:], np.split(people, [500]))
        assert policy.log_probabilities(torch.as_tensor(records[500:])).mean() > before - 0.05


def test_hardly_a_record_has_two_categories_that_no_person_has(monkeypatch):
    rng, n = np.random.default_rng(1), 250
    ill = (rng.random(n) < 0.5).astype(int)
    found = {f"finding_{i}": ill * (rng.random(n) < 0.35) for i in range(4)}
    noise = {f"x{i}": (rng.random(n) < 0.5).astype(int) for i in range(12)}
    table = pd.DataFrame(noise | found | {"ill": ill})

    def impossible():
        records = RLSyn(total_timesteps=0, n_records=16).fit(table, label="ill").sample(4_000)
        return (records[[*found]].any(axis=1) & (records.ill == 0)).mean()

    kept = impossible()
    monkeypatch.setattr("rlsyn.linear_start.MAX_CHANCE", 0.0)
    assert kept < 0.01
    assert impossible() > 3 * kept
