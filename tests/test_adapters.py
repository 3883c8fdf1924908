"""Methods whose library a user may install: with the library where it is, and with a stand-in of its interface."""

import shutil
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from method_contract import check_quiet, check_records

# The adapters are imported here whether the libraries are there or not.
from rlsyn.baselines import METHODS, OPTIONAL, Baseline, baseline_class, installed_methods
from rlsyn.baselines.ctgan import CTGAN, TVAE
from rlsyn.baselines.tabular_argn import TabularARGN
from rlsyn.methods import Variant, make_method, read_variants

QUICK: dict[str, dict] = {"ctgan": {"n_steps": 2}, "tvae": {"n_steps": 2}, "tabular_argn": {"max_epochs": 1}}


class StandInGAN:
    """The interface of `ctgan.CTGAN` and `ctgan.TVAE`; gives the rows it was given, in another order."""

    def __init__(self, epochs=300, batch_size=500, verbose=False, **options):
        self.epochs, self.options = epochs, options
        if verbose:
            print("learning")

    def fit(self, train_data, discrete_columns=()):
        numbers = train_data.drop(columns=discrete_columns)
        if numbers.isna().any().any():
            raise ValueError("CTGAN does not support null values in the continuous training data.")
        assert all(isinstance(value, str) for name in discrete_columns for value in train_data[name])
        assert (numbers.dtypes == float).all()
        self.rows = train_data

    def sample(self, n):
        return self.rows.iloc[np.random.permutation(n) % len(self.rows)].reset_index(drop=True)  # noqa: NPY002


class StandInARGN:
    """The interface of `mostlyai.engine.TabularARGN`; gives the rows it was given, in another order."""

    def __init__(self, max_epochs=100.0, value_protection=True, tgt_encoding_types=None, **options):
        self.types, self.options = tgt_encoding_types, options

    def fit(self, X):
        texts = {name for name, kind in self.types.items() if kind == "TABULAR_CATEGORICAL"}
        assert set(self.types.values()) == {"TABULAR_CATEGORICAL", "TABULAR_NUMERIC_AUTO"}
        assert all(isinstance(value, str) == (name in texts) for name in X for value in X[name].dropna())
        self.rows, self.workspace_path_ = X, self.folder
        (self.folder / "OriginalData" / "tgt-data").mkdir(parents=True, exist_ok=True)
        (self.folder / "ModelStore").mkdir(exist_ok=True)
        if self.options.get("fails"):
            raise RuntimeError("out of memory")

    def close(self):
        if "workspace_dir" not in self.options:
            shutil.rmtree(self.folder)

    def sample(self, n_samples=None, rare_category_replacement_method="CONSTANT"):
        order = np.random.permutation(n_samples) % len(self.rows)  # noqa: NPY002
        return self.rows.iloc[order].reset_index(drop=True)


def stand_in(name: str, **attributes) -> ModuleType:
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None)
    vars(module).update(attributes)
    return module


@pytest.fixture
def stand_ins(monkeypatch, tmp_path_factory):
    argn = type("StandInARGN", (StandInARGN,), {"folder": tmp_path_factory.mktemp("engine")})
    engine = stand_in("mostlyai.engine", TabularARGN=argn, set_random_state=np.random.seed)
    monkeypatch.setitem(sys.modules, "ctgan", stand_in("ctgan", CTGAN=StandInGAN, TVAE=StandInGAN))
    monkeypatch.setitem(sys.modules, "mostlyai", stand_in("mostlyai"))
    monkeypatch.setitem(sys.modules, "mostlyai.engine", engine)


@pytest.fixture(params=OPTIONAL)
def name(request):
    return request.param


@pytest.fixture(params=["stand-in", "library"])
def method(request, name):
    """The class with quick arguments, once with the stand-in and once with the library."""
    if request.param == "stand-in":
        request.getfixturevalue("stand_ins")
    else:
        pytest.importorskip(OPTIONAL[name][2], reason=f"{OPTIONAL[name][1]} is not installed, nor need it be")
    return lambda **arguments: baseline_class(name)(**{**QUICK[name], **arguments})


def test_records_have_the_columns_kinds_and_values_of_the_table(method, patients):
    synthetic = method(seed=1).fit(patients, label="died").sample(300)
    assert len(synthetic) == 300
    check_records(synthetic, patients)
    assert synthetic["steps"].between(patients["steps"].min(), patients["steps"].max()).all()


def test_the_same_seed_draws_the_same_records_and_leaves_the_global_generators(method, patients):
    np.random.seed(7)  # noqa: NPY002
    fitted = method(seed=1).fit(patients, label="died")
    again = method(seed=1).fit(patients, label="died")
    pd.testing.assert_frame_equal(fitted.sample(50), again.sample(50))
    assert not fitted.sample(50, seed=2).equals(fitted.sample(50))
    left = np.random.random()  # noqa: NPY002
    np.random.seed(7)  # noqa: NPY002
    assert left == np.random.random()  # noqa: NPY002


def test_fitting_is_quiet_and_leaves_the_table_and_the_folder_as_they_were(
    method, patients, tmp_path, monkeypatch, capfd
):
    monkeypatch.chdir(tmp_path)
    check_quiet(method, patients, tmp_path, capfd)


def test_a_library_that_gives_back_its_rows_gives_back_the_patients(name, stand_ins, patients):
    # Whatever is lost on the way to the library and back would be missing here.
    synthetic = baseline_class(name)().fit(patients, label="died").sample(len(patients))
    given, learned = (frame.astype(object).where(frame.notna(), None) for frame in (synthetic, patients))
    assert sorted(map(str, given.to_numpy().tolist())) == sorted(map(str, learned.to_numpy().tolist()))


def test_categories_that_are_numbers_keep_their_place_beside_missing_ones(name, stand_ins, patients):
    patients["stage"] = pd.Series(np.resize([1.0, 2.0, np.nan], len(patients)))
    synthetic = baseline_class(name)().fit(patients, label="died").sample(len(patients))
    assert synthetic["stage"].value_counts(dropna=False).tolist() == [67, 67, 66]
    assert set(synthetic["stage"].dropna()) == {1, 2}


def test_steps_become_whole_epochs_of_the_library(stand_ins, make_patients):
    table = make_patients(230)
    # CTGAN leaves out what is left of an epoch, TVAE does not: 2 and 3 steps an epoch.
    assert CTGAN(n_steps=11, batch_size=100).fit(table)._model.epochs == 6
    assert TVAE(n_steps=11, batch_size=100).fit(table)._model.epochs == 4
    # A table smaller than a batch is one step an epoch.
    assert CTGAN(n_steps=11).fit(table)._model.epochs == TVAE(n_steps=11).fit(table)._model.epochs == 11


def test_options_of_the_library_are_passed_on(stand_ins, patients):
    assert CTGAN(embedding_dim=16).fit(patients)._model.options == {"embedding_dim": 16}
    assert TabularARGN(model="MOSTLY_AI/Small").fit(patients)._model.options == {"model": "MOSTLY_AI/Small"}


def test_variants_set_options_of_the_library(stand_ins, name, tmp_path):
    (tmp_path / "variants.yaml").write_text(f"mine: {{method: {name}, lr: 1e-3, dims: [64, 64]}}")
    (variant,) = read_variants(tmp_path / "variants.yaml")
    model = make_method(name, variant.parameters_for("Table-v0", None))
    assert model.options == {"lr": 1e-3, "dims": [64, 64]}
    with pytest.raises(ValueError, match=r"Unknown parameter 'mine\.seed'"):
        Variant("mine", name, {"seed": 3}).parameters_for("Table-v0", None)


def test_training_rows_do_not_stay_in_the_folder_of_the_library(stand_ins, patients):
    folder = TabularARGN().fit(patients)._model.folder
    assert (folder / "ModelStore").is_dir() and not list((folder / "OriginalData").iterdir())


def test_training_rows_do_not_stay_where_learning_fails(stand_ins, patients):
    folder = sys.modules["mostlyai.engine"].TabularARGN.folder
    with pytest.raises(RuntimeError, match="out of memory"):
        TabularARGN(fails=True).fit(patients)
    assert not folder.exists()
    with pytest.raises(RuntimeError, match="out of memory"):
        TabularARGN(fails=True, workspace_dir=folder).fit(patients)
    assert not list((folder / "OriginalData").iterdir())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CTGAN(n_steps=0), "n_steps must be a whole number of at least 1, got 0"),
        (lambda: TVAE(batch_size=55), "multiple of 10, got 55"),
        (lambda: TabularARGN(max_epochs=0), "max_epochs must be above 0, got 0"),
    ],
)
def test_wrong_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_what_is_installed_can_be_used(stand_ins, name):
    assert installed_methods() == (*METHODS, *OPTIONAL)
    assert issubclass(baseline_class(name), Baseline)


def test_what_is_not_installed_says_how_it_would_be(monkeypatch, name):
    _, library, module = OPTIONAL[name]
    monkeypatch.setattr("rlsyn.baselines._is_found", lambda asked: asked != module)
    assert name not in installed_methods() and set(METHODS) <= set(installed_methods())
    with pytest.raises(ValueError, match=f"pip install {library}") as error:
        baseline_class(name)
    assert ("Business Source Licence" in str(error.value)) == (library == "ctgan")
    assert ("evaluate.py" in str(error.value)) == (library == "ctgan")


def test_a_package_that_is_absent_counts_as_not_installed(monkeypatch):
    monkeypatch.setitem(OPTIONAL, "invented", ("nowhere:Nobody", "invented", "no_such_package.engine"))
    assert "invented" not in installed_methods()


def test_an_optional_method_is_suggested_for_a_misspelt_name():
    with pytest.raises(ValueError, match="Did you mean 'tabular_argn'"):
        baseline_class("tabular_arg")
