"""TabularARGN of the library `mostlyai-engine`, where a user has installed it."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import parallel_config

from rlsyn.baselines.baseline import Baseline, check_positive
from rlsyn.randomness import global_seed
from rlsyn.schema import Column, Schema

SEED_VARIABLE = "MOSTLYAI_ENGINE_SEED"
"""Where the library leaves the seed for its worker processes."""


class TabularARGN(Baseline):
    """An autoregressive network over binned or digitised columns, trained in random orders of the columns.

    Categories go as texts and numbers as they are; which of its encodings a number takes, how missing values are
    learned and when training ends (on a fifth of the rows) is decided by the library. Its folder of work is a temporary
    one, from which the training rows are removed once it has learned, and which is removed if it fails to.

    It is made for larger tables: a number becomes one of up to a hundred bins, and on a few hundred rows of such
    columns validation is best after a single pass and the library stops there, with columns all but independent
    (BreastCancer-v0, seed 0: association difference 0.43, S2R AUC 0.45; the smallest model in a fixed order of columns:
    0.43, 0.76).

    Source: Tiwald et al., TabularARGN: A Flexible and Efficient Auto-Regressive Framework for Generating High-Fidelity
    Synthetic Data, 2025 (arXiv:2501.12012), as in `mostlyai-engine` 2.7 of PyPI (Apache 2.0). Deviations: none but
    that a rare category, where values are protected, is drawn from the others rather than replaced by a token.

    Args:
        max_epochs: Passes over the training rows, at most; the library stops once validation gets no better.
        value_protection: Whether values of few rows and the ends of ranges are left out, as the library does by
            default.
        seed: The same seed learns and draws the same.
        **options: Other arguments of the class of the library, by its names.

    Raises:
        ValueError: `max_epochs` not above 0.
    """

    def __init__(self, max_epochs: float = 100.0, value_protection: bool = True, seed: int = 0, **options: Any) -> None:
        super().__init__(seed)
        check_positive(max_epochs=max_epochs)
        self.max_epochs, self.value_protection, self.options = max_epochs, value_protection, options

    def _learn(self, train: pd.DataFrame, run_dir: Path | None, progress_bar: bool) -> None:
        self._dtypes = {name: train[name].dtype for name in self.schema.names}
        with _seeded(self.seed):
            self._model = import_module("mostlyai.engine").TabularARGN(
                max_epochs=self.max_epochs,
                value_protection=self.value_protection,
                tgt_encoding_types=encodings(self.schema),
                **self.options,
            )
            try:
                self._model.fit(to_columns(train, self.schema))
            except BaseException:
                self._model.close()  # removes the temporary folder
                if self.options.get("workspace_dir"):
                    _remove_rows(Path(self.options["workspace_dir"]))
                raise
        _remove_rows(Path(self._model.workspace_path_))

    def _draw(self, n: int, rng: np.random.Generator) -> pd.DataFrame:
        with _seeded(int(rng.integers(2**31))):
            drawn = self._model.sample(n_samples=n, rare_category_replacement_method="SAMPLE")
        columns = enumerate(self.schema.columns)
        return pd.DataFrame({c.name: from_column(drawn[_name(i)], c).astype(self._dtypes[c.name]) for i, c in columns})


def encodings(schema: Schema) -> dict[str, str]:
    """The library's encoding of each column that it is given."""
    kinds = ["CATEGORICAL" if column.is_discrete else "NUMERIC_AUTO" for column in schema.columns]
    return {_name(number): f"TABULAR_{kind}" for number, kind in enumerate(kinds)}


def to_columns(table: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """The rows as the library wants them: categories as texts, numbers as Float64 or Int64, missing values missing."""
    columns: dict[str, pd.Series] = {}
    for number, column in enumerate(schema.columns):
        values = table[column.name]
        if column.is_discrete:
            texts = {str(category): str(category) for category in column.categories}
            texts |= {category: str(category) for category in column.categories}  # type: ignore[misc]
            values = values.astype(object).map(texts)
        else:
            values = pd.to_numeric(values).astype("Int64" if column.kind == "integer" else "Float64")
        columns[_name(number)] = values.reset_index(drop=True)
    return pd.DataFrame(columns)


def from_column(values: pd.Series, column: Column) -> pd.Series:
    """The inverse of `to_columns` for one column; numbers are rounded as in training."""
    if column.is_discrete:
        return values.astype(object).map({str(category): category for category in column.categories})
    numbers = pd.Series(pd.to_numeric(values).to_numpy(dtype=float, na_value=np.nan))
    decimals = column.most_decimals
    return numbers if decimals is None else numbers.round(decimals)


def _remove_rows(workspace: Path) -> None:
    for rows in ("tgt-data", "encoded-data"):
        shutil.rmtree(workspace / "OriginalData" / rows, ignore_errors=True)


def _name(number: int) -> str:
    # Names of the table may mean something to the library.
    return f"column_{number}"


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Within it the library draws from this seed, in this process only, and its filters of warnings hold."""
    with global_seed(seed), parallel_config("sequential"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import_module("mostlyai.engine").set_random_state(seed)
        try:
            yield
        finally:
            os.environ.pop(SEED_VARIABLE, None)
