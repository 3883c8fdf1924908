"""The contract that every method keeps: `fit` and `sample`, whatever is inside."""

import numpy as np
import pandas as pd
import pytest
import torch
from method_contract import check_quiet, check_records

from rlsyn.baselines import METHODS, Baseline, baseline_class
from rlsyn.baselines.table_vectors import TableVectors
from rlsyn.schema import infer_schema

QUICK: dict[str, dict] = {
    "one_step": {"n_iterations": 10},
    "emr_wgan": {"n_steps": 20, "batch_size": 32, "n_noise": 8, "generator_size": (16, 2), "critic_size": (16, 2)},
    "ctabgan_plus": {"n_epochs": 2, "batch_size": 32, "n_noise": 8, "n_hidden": 16},
    "ehrdiff": {"n_steps": 10, "hidden_size": 16, "time_size": 8, "n_sampling_steps": 4},
}
"""Arguments with which a method that trains a network takes a second."""


@pytest.fixture(params=METHODS)
def method(request):
    return lambda **arguments: baseline_class(request.param)(**{**QUICK.get(request.param, {}), **arguments})


@pytest.fixture
def fitted(method, patients):
    return method(seed=1).fit(patients, label="died")


def test_records_have_the_columns_kinds_and_values_of_the_table(fitted, patients):
    synthetic = fitted.sample(300)
    assert len(synthetic) == 300
    check_records(synthetic, patients)
    assert 0 < synthetic["smoker"].isna().mean() < 0.5


def test_the_same_seed_draws_the_same_records(method, fitted, patients):
    again = method(seed=1).fit(patients, label="died")
    pd.testing.assert_frame_equal(fitted.sample(50), again.sample(50))
    pd.testing.assert_frame_equal(fitted.sample(50), fitted.sample(50))
    assert not fitted.sample(50, seed=2).equals(fitted.sample(50))


def test_fitting_leaves_the_table_and_the_folder_as_they_were(method, patients, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    check_quiet(method, patients, tmp_path, capfd)


def test_wrong_use_is_told_in_a_sentence(method, fitted, patients):
    with pytest.raises(RuntimeError, match="Call fit"):
        method().sample(5)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        fitted.sample(0)
    with pytest.raises(ValueError, match="from 0 to below 2\\*\\*32, got -1"):
        fitted.sample(5, seed=-1)
    with pytest.raises(ValueError, match="Did you mean 'died'"):
        method().fit(patients, label="dead")
    with pytest.raises(ValueError, match="got both"):
        method().fit(patients, label="died", schema=fitted.schema)


@pytest.mark.parametrize("name", QUICK)
def test_training_a_network_leaves_the_global_generators_alone(name, patients):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    baseline_class(name)(**QUICK[name]).fit(patients, label="died")
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("name", QUICK)
def test_a_network_leaves_events_and_a_checkpoint_without_patients(name, patients, tmp_path):
    baseline_class(name)(**QUICK[name]).fit(patients, label="died", run_dir=tmp_path / "run")
    assert list((tmp_path / "run").glob("events.out.tfevents.*"))
    state = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert state and not any(tensor.dim() and len(tensor) == len(patients) for tensor in state.values())


def test_an_unknown_method_is_named():
    with pytest.raises(ValueError, match="Did you mean 'bootstrap'"):
        baseline_class("boostrap")
    assert all(issubclass(baseline_class(name), Baseline) for name in METHODS)


@pytest.mark.parametrize("scaling", ["range", "uniform", "normal"])
def test_vectors_bring_a_table_back(patients, scaling):
    schema = infer_schema(patients, label="died")
    vectors = TableVectors(patients, schema, scaling)
    encoded = vectors.transform(patients)
    assert encoded.shape == (len(patients), vectors.width) and encoded.dtype == np.float32
    assert encoded.min() >= 0 and encoded.max() <= 1 and not np.isnan(encoded).any()
    decoded = vectors.inverse(encoded)
    schema.validate(decoded)
    for name in schema.names:
        left, right = decoded[name], patients[name]
        assert (left.isna() == right.isna()).all()
        same = left.dropna().astype(str) == right.dropna().astype(left.dtype).astype(str)
        assert same.all() or np.allclose(left.dropna().astype(float), right.dropna().astype(float), atol=1e-3)
    for block in vectors.of_kind("categorical"):
        assert (encoded[:, block.start : block.stop].sum(axis=1) == 1).all()


def test_a_frequent_value_keeps_its_share_and_no_value_leaves_the_range(patients):
    table = pd.DataFrame({"steps": np.r_[np.zeros(40), np.exp(np.random.default_rng(0).normal(0, 2, 60))]})
    table["sick"] = [0, 1] * 50
    vectors = TableVectors(table, infer_schema(table), "uniform")
    drawn = np.linspace(0, 1, 1_001, dtype=np.float32)[:, None].repeat(2, axis=1)
    back = vectors.inverse(drawn)["steps"]
    assert abs((back == 0).mean() - 0.4) < 0.02 and back.is_monotonic_increasing
    assert back.max() == pytest.approx(table["steps"].max()) and back.min() == 0
    with pytest.raises(ValueError, match="'normal'"):
        TableVectors(table, infer_schema(table), "norml")
