"""What all tests share: an invented table of patients, fixed seeds, one thread."""

import importlib.util
import random
import shutil
import sys
from pathlib import Path

import aireadi_release
import evaluation_tables
import numpy as np
import pandas as pd
import pytest
import torch  # here, before scikit-learn: otherwise KMeans keeps to no number of threads but its own


@pytest.fixture(autouse=True)
def _seeded_on_one_thread():
    """Tests run side by side: each is to draw the same numbers and to leave the other cores alone."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 (SB3 draws from this generator)
    random.seed(0)


def _make_patients(n_rows: int = 200, seed: int = 0) -> pd.DataFrame:
    """Rows with every kind of column; the first rows hold every category and a missing value of each kind."""
    rng = np.random.default_rng(seed)
    age = rng.normal(61, 14, n_rows).clip(18, 99).round(1)
    steps = np.where(rng.random(n_rows) < 0.3, 0, rng.lognormal(8.5, 1.0, n_rows)).round()
    n_visits = pd.array(rng.poisson(6, n_rows), dtype="Int64")
    smoker = rng.choice(["no", "yes"], n_rows).astype(object)
    site = rng.choice(["Basel", "Bern", "Chur", "Genf", "Zug"], n_rows, p=[0.4, 0.3, 0.15, 0.1, 0.05]).astype(object)
    site[:5], smoker[:2] = ["Basel", "Bern", "Chur", "Genf", "Zug"], ["no", "yes"]
    smoker[rng.choice(np.arange(2, n_rows), n_rows // 10, replace=False)] = None
    n_visits[rng.choice(n_rows, n_rows // 8, replace=False)] = pd.NA
    died = (rng.random(n_rows) < 1 / (1 + np.exp(-(age - 65) / 8))).astype("int64")
    died[:2] = [0, 1]
    return pd.DataFrame(
        {
            "age": age,
            "steps": steps.astype("int64"),
            "n_visits": n_visits,
            "sex": rng.integers(0, 2, n_rows),
            "smoker": smoker,
            "site": site,
            "country": np.full(n_rows, "CH"),
            "never_measured": np.full(n_rows, np.nan),
            "died": died,
        }
    )


@pytest.fixture(scope="session")
def make_patients():
    """Makes other invented patients: `make_patients(n_rows, seed)`."""
    return _make_patients


@pytest.fixture
def patients() -> pd.DataFrame:
    """200 invented patients."""
    return _make_patients()


@pytest.fixture
def csv(patients, tmp_path) -> Path:
    """The invented patients in a file."""
    patients.to_csv(tmp_path / "patients.csv", index=False)
    return tmp_path / "patients.csv"


@pytest.fixture(scope="session")
def load_script():
    """Imports a command line by its name in `experiments`: `load_script("tune").main([...])`."""

    def load(name: str):
        path = Path(__file__).parents[1] / "experiments" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(f"{name}_script", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture
def call_script(load_script, monkeypatch):
    """Calls a command line inside this process, where all is imported; returns the exit code: `call_script("tune")`."""

    def call(name: str, *arguments: object) -> int:
        script = load_script(name)
        monkeypatch.setattr(sys, "argv", [f"{name}.py"])
        try:
            return script.main([str(argument) for argument in arguments])
        except SystemExit as error:  # of argparse
            return error.code

    return call


@pytest.fixture(scope="session")
def release(tmp_path_factory) -> Path:
    """A release of AI-READI of three participants and a day, to be read only."""
    return aireadi_release.write_release(tmp_path_factory.mktemp("aireadi"), 3, n_participants=3, n_days=1)


@pytest.fixture
def release_dir(release, tmp_path) -> Path:
    """A copy of that release, to be changed as the test likes."""
    return Path(shutil.copytree(release, tmp_path / "release"))


@pytest.fixture
def task(patients):
    """What the trials of a search are scored on: the invented patients."""
    from rlsyn.datasets import from_table
    from rlsyn.search.trials import make_task

    dataset = from_table(patients, "died")
    return make_task("patients", "Table-v0", dataset.train, dataset.schema)


@pytest.fixture(scope="session")
def train():
    return evaluation_tables.make_patients(450, 0)


@pytest.fixture(scope="session")
def test():
    return evaluation_tables.make_patients(210, 1).assign(person=lambda table: table["person"] + 1_000)


@pytest.fixture(scope="session")
def synthetic():
    return evaluation_tables.make_patients(450, 2).drop(columns="person")
