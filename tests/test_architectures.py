"""Every network and head is a policy in full: it clones, obeys masks, trains, and is saved."""

import numpy as np
import pandas as pd
import pytest
import rule_tables
import torch

from rlsyn.networks.architectures import make_network
from rlsyn.synthesizer import RLSyn

KINDS = [("plain_made", "ordinal"), ("transformer", "ordinal"), ("made", "free"), ("transformer", "mixture")]
SMALL = {
    "n_records": 32,
    "n_discriminator_warm_up": 1,
    "warm_start_kwargs": {"n_epochs": 2, "n_linear_epochs": 2, "n_clones": 1},
}


@pytest.fixture(params=KINDS, ids="-".join)
def policy_kwargs(request):
    network, head = request.param
    return {"network": network, "head": head, "n_hidden": 16}


def test_cloned_policy_obeys_masks_and_ppo_moves_it(policy_kwargs):
    """A table with missing values, one-column rules and a constant; one rollout."""
    table = rule_tables.make_table(150)[["age", "stage", "albumin", "noise", "died"]].assign(constant=1.0)
    schema = rule_tables.with_rules(table, ["stage in ['I', 'II']", "noise < 1"])
    options = {"policy_kwargs": policy_kwargs, "total_timesteps": SMALL["n_records"] * 6, **SMALL}
    model = RLSyn(**options).fit(table, schema=schema)
    allowed = model.encoding.repair.allowed_levels()
    assert sum(not levels.all() for levels in allowed) == 2
    for actor in (model.policy.actor, model.policy.reference):
        drawn = model.policy.sample(500, actor=actor).numpy()
        assert all(levels[drawn[:, i]].all() for i, levels in enumerate(allowed))
    moved = model.policy.divergence(torch.as_tensor(drawn))
    assert torch.isfinite(moved).all() and float(moved.mean()) > 1e-6
    assert list(model.sample(20).columns) == list(table.columns)


def test_trpo_moves_every_kind(policy_kwargs, patients):
    """It differentiates the relative entropy twice."""
    patients = patients[["age", "n_visits", "died"]]
    model = RLSyn(algo="trpo", policy_kwargs=policy_kwargs, total_timesteps=32 * 3, select=False, **SMALL).fit(patients)
    assert 1e-6 < float(model.policy.divergence(model.policy.sample(500)).sum(1).mean()) < 0.1


def test_saved_model_draws_the_same_records(policy_kwargs, patients, tmp_path):
    patients = patients[["age", "n_visits", "died"]]
    model = RLSyn(policy_kwargs=policy_kwargs, total_timesteps=32 * 3, average_decay=0.5, **SMALL).fit(patients)
    model.save(tmp_path)
    again = RLSyn.load(tmp_path)
    for policy in ("trained", "last", "warm_start"):
        pd.testing.assert_frame_equal(model.sample(50, policy=policy), again.sample(50, policy=policy))


@pytest.mark.slow
@pytest.mark.parametrize(("network", "head"), KINDS, ids=map("-".join, KINDS))
def test_every_kind_clones_a_correlation(network, head):
    rng = np.random.default_rng(0)
    first = rng.normal(size=400)
    table = pd.DataFrame({"a": first, "b": first + 0.5 * rng.normal(size=400)})
    table.loc[rng.random(400) < 0.1, "b"] = np.nan
    model = RLSyn(policy_kwargs={"network": network, "head": head}, total_timesteps=0, n_records=16, n_levels=16)
    synthetic = model.fit(table).sample(2_000)
    assert synthetic.corr().iloc[0, 1] == pytest.approx(table.corr().iloc[0, 1], abs=0.12)
    assert synthetic["b"].isna().mean() == pytest.approx(table["b"].isna().mean(), abs=0.03)


@pytest.mark.parametrize(("name", "closest"), [("network", "transformer"), ("head", "mixture")])
def test_unknown_kinds_are_refused_with_the_closest(patients, name, closest):
    with pytest.raises(ValueError, match=f"Unknown {name} '{closest}s'. Did you mean '{closest}'"):
        RLSyn(policy_kwargs={name: f"{closest}s"}).fit(patients)


def test_a_transformer_refuses_a_width_that_its_heads_cannot_share():
    with pytest.raises(ValueError, match=r"multiple of its 2 heads, got 31\. Try 32"):
        make_network("transformer", np.arange(3), [1, 1, 1], n_hidden=31)
