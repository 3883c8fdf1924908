"""A run that is stopped and resumed ends byte for byte where one ends that was never stopped."""

import os
import signal

import numpy as np
import pandas as pd
import pytest
import torch
from stable_baselines3.common.callbacks import BaseCallback

from rlsyn.algorithms.interrupts import InterruptCallback
from rlsyn.algorithms.table import ALGORITHMS
from rlsyn.synthesizer import RLSyn

N_RECORDS, N_ROLLOUTS = 32, 4
WITHIN, BETWEEN = "within a rollout", "before an update"
# ARS tells callbacks of a whole population as of one step.
CASES = [
    pytest.param(algo, when, marks=() if (algo, when) == ("ppo", WITHIN) else pytest.mark.slow)
    for algo in ALGORITHMS
    for when in (WITHIN, BETWEEN)
    if (algo, when) != ("ars", WITHIN)
]


def make_table(n_rows=100):
    rng = np.random.default_rng(0)
    age, died = rng.normal(60, 10, n_rows).round(1), (rng.random(n_rows) < 0.3).astype(int)
    return pd.DataFrame({"age": age, "sex": rng.choice(["f", "m"], n_rows).astype(object), "died": died})


TABLE = make_table()
STEPS = TABLE.shape[1]


def fit(algo, callback=None, **kwargs):
    own = {"gradient_steps": 4, "batch_size": 32} if ALGORITHMS[algo].is_off_policy else {}
    tiny = {"n_records": N_RECORDS, "n_levels": 8, "n_discriminator_steps": 3, "n_discriminator_warm_up": 5}
    if ALGORITHMS[algo].is_fast:
        tiny |= {"select": False, "warm_start_kwargs": {"n_epochs": 2, "n_linear_epochs": 2, "n_clones": 1}}
    model = RLSyn(algo=algo, algo_kwargs=own, total_timesteps=N_ROLLOUTS * N_RECORDS * STEPS, **tiny)
    return model.fit(TABLE, label="died", callback=callback, **kwargs)


class _Stop(BaseCallback):
    """Interrupts the process in the middle of the second rollout, or after it, before the update is done."""

    def __init__(self, when):
        super().__init__()
        self.when, self.n_ended, self.n_steps = when, 0, 0

    def _on_step(self):
        self.n_steps += 1
        if self.when == WITHIN and self.n_ended == 1 and self.n_steps % STEPS != 0:
            self._interrupt()
        return True

    def _on_rollout_end(self):
        self.n_ended += 1
        if self.when == BETWEEN and self.n_ended == 2:
            self._interrupt()

    def _interrupt(self):
        self.when = ""
        os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(autouse=True)
def _interrupts_are_heard():
    """A shell lets the processes that it starts in the background ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(("algo", "when"), CASES)
def test_stopped_and_resumed_run_gives_the_records_of_one_that_was_not_stopped(algo, when, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fit(algo, _Stop(when), run_dir=tmp_path)
    steps = pd.read_csv(tmp_path / "progress.csv")["time/total_timesteps"]
    assert steps.tolist() == [N_RECORDS * STEPS, 2 * N_RECORDS * STEPS]
    resumed, whole = fit(algo, run_dir=tmp_path, resume=True), fit(algo)
    assert resumed.sample(500).to_csv().encode() == whole.sample(500).to_csv().encode()
    for name, weights in whole.model.policy.state_dict().items():
        assert torch.equal(resumed.model.policy.state_dict()[name], weights), name


def test_second_interrupt_does_not_wait_and_handlers_are_put_back():
    interrupts, before = InterruptCallback(), signal.getsignal(signal.SIGINT)
    heard = []
    with pytest.raises(KeyboardInterrupt), interrupts.listening():
        os.kill(os.getpid(), signal.SIGINT)
        heard.append("one")
        os.kill(os.getpid(), signal.SIGINT)
        heard.append("two")
    assert heard == ["one"] and signal.getsignal(signal.SIGINT) is before


def test_interrupt_in_the_last_rollout_is_not_lost():
    with pytest.raises(KeyboardInterrupt), InterruptCallback().listening():
        os.kill(os.getpid(), signal.SIGINT)
