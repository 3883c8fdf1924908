"""Discriminator, its trainer and the realism reward."""

from copy import deepcopy

import lightning
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from rlsyn.discriminator import Discriminator, DiscriminatorTrainer
from rlsyn.encoding import Encoding
from rlsyn.rewards import RealismReward
from rlsyn.schema import infer_schema


@pytest.fixture
def encoding(patients):
    return Encoding.fit(patients, infer_schema(patients, label="died"))


@pytest.fixture
def real(encoding, patients):
    return encoding.encode(patients)


@pytest.fixture
def independent(real):
    rng = np.random.default_rng(0)
    return np.stack([rng.permutation(column) for column in real.T], axis=1)


def test_vectors_are_those_of_the_encoding(encoding, real):
    vectors = Discriminator(encoding).vectors(torch.as_tensor(real))
    assert np.array_equal(vectors.numpy(), encoding.vectors(real))


def test_training_lowers_the_loss_and_lifts_real_records_above_synthetic_ones(encoding, real):
    synthetic = np.stack([np.random.default_rng(0).integers(n, size=200) for n in encoding.n_levels], axis=1)
    trainer = DiscriminatorTrainer(Discriminator(encoding, r1_gamma=1.0), real, batch_size=64)
    first = trainer.train(synthetic, 10)
    last = trainer.train(synthetic, 300)
    assert last["loss"] < first["loss"]
    discriminator = trainer.discriminator
    assert discriminator.score(real).mean() > discriminator.score(synthetic).mean() + 0.5


def test_trainer_keeps_its_optimizer_between_calls(encoding, real, independent):
    """Two rounds of ten steps are twenty steps: with a fresh Adam in each round they would not be."""

    def train(rounds):
        torch.manual_seed(0)
        trainer = DiscriminatorTrainer(Discriminator(encoding), real, batch_size=64)
        torch.manual_seed(1)
        for n_steps in rounds:
            trainer.train(independent, n_steps)
        return trainer.discriminator.score(real)

    assert np.array_equal(train([10, 10]), train([20]))


def test_trainer_state_goes_on_where_it_was(encoding, real, independent):
    trainer = DiscriminatorTrainer(Discriminator(encoding), real, batch_size=64)
    trainer.train(independent, 5)
    state = deepcopy(trainer.state_dict())
    other = DiscriminatorTrainer(Discriminator(encoding), real, batch_size=64)
    other.load_state_dict(state)
    scores = []
    for each in (trainer, other):
        torch.manual_seed(2)
        each.train(independent, 5)
        scores.append(each.discriminator.score(real))
    assert np.array_equal(*scores)


def test_r1_penalty_is_half_gamma_times_the_squared_gradient(encoding, real):
    """With a linear discriminator the gradient is its weight vector, whatever the record."""
    plain = Discriminator(encoding, n_layers=0, n_hidden=len(encoding.inputs()[0]), r1_gamma=0.0)
    penalised = Discriminator(encoding, n_layers=0, n_hidden=len(encoding.inputs()[0]), r1_gamma=4.0)
    penalised.load_state_dict(plain.state_dict())
    batch = (torch.as_tensor(real[:50]), torch.as_tensor(real[50:100]))
    difference = penalised.training_step(batch)["loss"] - plain.training_step(batch)["loss"]
    assert difference.item() == pytest.approx(2 * plain.network[-1].weight.square().sum().item(), rel=1e-4)


def test_score_uses_no_dropout(encoding, real):
    discriminator = Discriminator(encoding, dropout=0.9)
    discriminator.train()
    assert np.array_equal(discriminator.score(real), discriminator.score(real))
    assert discriminator.training


def test_lightning_trainer_takes_it_too(encoding, real, independent, tmp_path):
    pairs = TensorDataset(torch.as_tensor(real), torch.as_tensor(independent))
    trainer = lightning.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        default_root_dir=tmp_path, enable_model_summary=False,
    )  # fmt: skip
    discriminator = Discriminator(encoding)
    before = discriminator.network[0].weight.clone()
    trainer.fit(discriminator, DataLoader(pairs, batch_size=50))
    assert not torch.equal(before, discriminator.network[0].weight)


@pytest.mark.parametrize(("form", "low", "high"), [("logit", -2, 2), ("sigmoid", 0, 1), ("log_sigmoid", -np.inf, 0)])
def test_reward_rises_with_the_logit_within_its_range(encoding, real, form, low, high):
    discriminator = Discriminator(encoding)
    rewards = RealismReward(discriminator, form, clip=2.0)(real)
    assert rewards.shape == (200,)
    assert ((rewards >= low) & (rewards <= high)).all()
    order = np.argsort(discriminator.score(real))
    assert (np.diff(rewards[order]) >= 0).all()


def test_unknown_reward_form_raises(encoding):
    with pytest.raises(ValueError, match="log_sigmoid"):
        RealismReward(Discriminator(encoding), "linear")


@pytest.mark.parametrize("kwargs", [{"n_networks": 3}, {"n_packed": 2}, {"n_networks": 2, "n_packed": 3}], ids=str)
def test_ensembles_and_packs_learn_and_score_a_record_each(encoding, real, kwargs):
    synthetic = np.stack([np.random.default_rng(0).integers(n, size=200) for n in encoding.n_levels], axis=1)
    trainer = DiscriminatorTrainer(Discriminator(encoding, r1_gamma=1.0, **kwargs), real, batch_size=64)
    trainer.train(synthetic, 200)
    discriminator = trainer.discriminator
    assert discriminator.score(real).shape == (200,)
    assert discriminator.score(real).mean() > discriminator.score(synthetic).mean() + 0.5
    other = DiscriminatorTrainer(Discriminator(encoding, **kwargs), real)
    other.load_state_dict(deepcopy(trainer.state_dict()))
    assert np.array_equal(other.discriminator.score(real), discriminator.score(real))


def test_logit_of_an_ensemble_is_the_mean_of_its_networks(encoding, real):
    ensemble, single = Discriminator(encoding, n_networks=2), Discriminator(encoding)
    logits = []
    for network in (ensemble.network, ensemble.further[0]):
        single.network.load_state_dict(network.state_dict())
        logits.append(single.score(real))
    assert not np.array_equal(*logits)
    np.testing.assert_allclose(ensemble.score(real), np.mean(logits, axis=0), atol=1e-6)


def test_loss_of_equal_networks_is_that_of_one(encoding, real):
    single, ensemble = Discriminator(encoding, dropout=0.0), Discriminator(encoding, dropout=0.0, n_networks=2)
    for network in (ensemble.network, ensemble.further[0]):
        network.load_state_dict(single.network.state_dict())
    batch = (torch.as_tensor(real[:50]), torch.as_tensor(real[50:100]))
    assert ensemble.training_step(batch)["loss"].item() == pytest.approx(single.training_step(batch)["loss"].item())


def test_packed_discriminator_sees_a_want_of_variety_that_no_single_record_shows(encoding, real):
    """Synthetic rows that are all the same real row, each time another: one by one they are as real as any."""
    rng = np.random.default_rng(0)
    gaps = {}
    for n_packed in (1, 2):
        discriminator = Discriminator(encoding, dropout=0.0, r1_gamma=0.0, learning_rate=1e-3, n_packed=n_packed)
        optimizer = discriminator.configure_optimizers()
        for _ in range(150):
            alike = np.repeat(real[[rng.integers(len(real))]], 64, axis=0)
            batch = torch.as_tensor(real[rng.integers(len(real), size=64)]), torch.as_tensor(alike)
            optimizer.zero_grad()
            discriminator.training_step(batch)["loss"].backward()
            optimizer.step()
        various = discriminator.score(real).mean()
        gaps[n_packed] = various - np.mean([discriminator.score(np.repeat(real[[i]], 8, axis=0)) for i in range(200)])
    assert gaps[2] > gaps[1] + 0.5


def test_training_drops_units_and_scoring_mode_does_not(encoding, real):
    discriminator = Discriminator(encoding, dropout=0.5)
    batch = (torch.as_tensor(real[:50]), torch.as_tensor(real[50:100]))
    assert discriminator.training_step(batch)["loss"] != discriminator.training_step(batch)["loss"]
    discriminator.eval()
    assert discriminator.training_step(batch)["loss"] == discriminator.training_step(batch)["loss"]
