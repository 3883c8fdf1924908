"""Columns drawn one after the other, each from the leaves of a decision tree: synthpop's CART."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from rlsyn.baselines.baseline import Baseline, check_counts
from rlsyn.baselines.table_vectors import Block, TableVectors, numbers_of
from rlsyn.schema import Column, Schema

MAX_DEPTH = 30
"""That of rpart, synthpop's trees."""
LEAST_GAIN = 1e-8
"""Splits that gain less, as a share of the impurity of all rows, are not made (synthpop's `cp`)."""


class SequentialTrees(Baseline):
    """Each column is drawn given those before it: a tree's leaf, and in it a training row whose value is taken.

    The first column is drawn from all training rows. A classification tree (Gini) divides categories, missing being
    one of them; for numbers a first tree divides missing from present ones and a second, regression, the present ones.

    Source: Nowok, Raab and Dibben, synthpop: bespoke creation of synthetic data in R, Journal of Statistical Software
    74(11), 2016, method "cart"; sizes of nodes as there (`minbucket` 5, `minsplit` three times that, depth 30, no
    pruning). Deviations, both because of scikit-learn's trees: a category of several is told from the others one at a
    time, not in sets, and a missing number stands at the median, not at 0, in the columns that explain.

    What it cannot hold: weak associations among many columns. A tree of a few thousand rows asks few of the columns
    before it, so that correlations come out weaker: rank correlations among the numbers of simulated AIREADI-v0 (108
    columns, 3,100 rows) are 0.78 of the real ones (least squares over all pairs; splits 0 and 7, one fit each).

    Privacy: without smoothing every value is a real value of some training row, rare and extreme ones included (a
    weight, an income), and neighbouring columns may come from the same row, which small leaves make likely. Rows of one
    person count as rows: five days of one patient may fill a leaf. The fitted model holds the training rows.

    Args:
        min_samples_leaf: Fewest training rows in a leaf; more are more private and less faithful.
        order: Names of all columns in the order in which they are drawn; that of the table by default.
        smoothing: Whether numbers are blurred by a Gaussian kernel over the values of the leaf (bandwidth by Silverman,
            1986, eq. 3.31; kept within the training range and rounded as in training). Values that at least
            `min_samples_leaf` people share (a count, a zero) stay, as they tell of nobody. synthpop's kernel spans the
            whole column, which would blur what a number owes to the columns before it.
        seed: The same seed learns and draws the same.

    Raises:
        ValueError: `min_samples_leaf` below 1, or an order that does not name each column once (by `fit`).
    """

    def __init__(
        self, min_samples_leaf: int = 5, order: Sequence[str] | None = None, smoothing: bool = False, seed: int = 0
    ) -> None:
        super().__init__(seed)
        check_counts(min_samples_leaf=min_samples_leaf)
        self.min_samples_leaf = min_samples_leaf
        self.order = list(order) if order is not None else None
        self.smoothing = smoothing

    def _learn(self, train: pd.DataFrame, run_dir: Path | None, progress_bar: bool) -> None:
        vectors = TableVectors(train, self.schema)
        self._train = train[self.schema.names].reset_index(drop=True)
        self._rows = vectors.transform(train)
        self._steps: list[_Step] = []
        self._bandwidths: dict[str, np.ndarray] = {}
        known: list[int] = []
        for name in self._names_in_order():
            blocks = [block for block in vectors.blocks if block.column.name == name]
            # Whether a number is missing comes before the number.
            for block in sorted(blocks, key=lambda block: not block.is_missing_flag):
                is_number = block.kind == "numeric"
                rows = np.flatnonzero(self._train[name].notna() | (not is_number))
                if len(rows) == 0:
                    continue
                step = _fit_step(block, known, self._rows, rows, self.min_samples_leaf, self.seed)
                self._steps.append(step)
                known = [*known, *range(block.start, block.stop)]
                if is_number and self.smoothing:
                    n_people = _people_per_value(train, name, self.schema)
                    bandwidths = step.leaves.bandwidths(numbers_of(self._train[name]))
                    self._bandwidths[name] = np.where(n_people < self.min_samples_leaf, bandwidths, 0.0)

    def _draw(self, n: int, rng: np.random.Generator) -> pd.DataFrame:
        vectors = np.zeros((n, self._rows.shape[1]), dtype=np.float32)
        donors: dict[str, np.ndarray] = {}
        columns: dict[str, pd.Series] = {}
        for step in self._steps:
            block, name = step.block, step.block.column.name
            rows = step.leaves.draw(vectors[:, step.known], rng)
            if name in donors:  # Drawn as missing: that donor stays.
                rows = np.where(self._train[name].isna().to_numpy()[donors[name]], donors[name], rows)
            donors[name] = rows
            vectors[:, block.start : block.stop] = self._rows[rows, block.start : block.stop]
            columns[name] = self._train[name].iloc[rows].reset_index(drop=True)
            if name in self._bandwidths and block.kind == "numeric":
                noise = rng.standard_normal(n) * self._bandwidths[name][rows]
                columns[name], vectors[:, block.start] = _blur(columns[name], noise, self._train[name], block.column)
        return pd.DataFrame(columns)

    def _names_in_order(self) -> list[str]:
        names, order = self.schema.names, self.order
        if order is not None and sorted(order) != sorted(names):
            odd = sorted(set(order) ^ set(names)) or "a name that comes twice"
            raise ValueError(
                f"The order must name each of the {len(names)} columns once, got {len(order)} names; at fault: {odd}. "
                "Name all columns, or leave the order out."
            )
        return names if order is None else order


@dataclass(frozen=True)
class _Leaves:
    """Training rows by leaf of a tree; without a tree all in one."""

    tree: DecisionTreeClassifier | DecisionTreeRegressor | None
    rows: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray

    def draw(self, known: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A training row for each row, out of its leaf, with replacement."""
        leaf = _leaf_of(self.tree, known)
        return self.rows[self.starts[leaf] + rng.integers(self.sizes[leaf])]

    def bandwidths(self, numbers: np.ndarray) -> np.ndarray:
        """Silverman's bandwidth of the leaf of each training row; 0 for rows in none."""
        widths = np.zeros(len(numbers))
        for start, size in zip(self.starts, self.sizes, strict=True):
            if size:
                rows = self.rows[start : start + size]
                widths[rows] = _silverman(numbers[rows])
        return widths


@dataclass(frozen=True)
class _Step:
    """How a block is drawn: from leaves, given the entries known before it."""

    block: Block
    known: list[int]
    leaves: _Leaves


def _fit_step(
    block: Block, known: list[int], vectors: np.ndarray, rows: np.ndarray, min_samples_leaf: int, seed: int
) -> _Step:
    inputs, entries = vectors[rows][:, known], vectors[rows, block.start : block.stop]
    tree = None
    if known:
        kind = DecisionTreeRegressor if block.kind == "numeric" else DecisionTreeClassifier
        tree = kind(
            max_depth=MAX_DEPTH,
            min_samples_leaf=min_samples_leaf,
            min_samples_split=max(3 * min_samples_leaf, 2),
            min_impurity_decrease=LEAST_GAIN * float(entries.var(axis=0, dtype=float).sum()),
            random_state=seed,  # decides between columns that divide equally well
        ).fit(inputs, entries.argmax(axis=1) if block.kind == "categorical" else entries[:, 0])
    leaf = _leaf_of(tree, inputs)
    sizes = np.bincount(leaf)
    return _Step(block, known, _Leaves(tree, rows[np.argsort(leaf, kind="stable")], np.cumsum(sizes) - sizes, sizes))


def _leaf_of(tree: DecisionTreeClassifier | DecisionTreeRegressor | None, known: np.ndarray) -> np.ndarray:
    return np.zeros(len(known), dtype=np.int64) if tree is None else tree.apply(known)


def _people_per_value(train: pd.DataFrame, name: str, schema: Schema) -> np.ndarray:
    # For each row how many people have its value.
    people = train[schema.group].to_numpy() if schema.group is not None else np.arange(len(train))
    pairs = pd.DataFrame({"value": numbers_of(train[name]), "person": people})
    return pairs.groupby("value", dropna=False)["person"].transform("nunique").to_numpy()


def _silverman(numbers: np.ndarray) -> float:
    quarter, three_quarters = np.percentile(numbers, [25, 75])
    spread, deviation = (three_quarters - quarter) / 1.34, float(numbers.std())
    return 0.9 * min(deviation, spread or deviation) * len(numbers) ** -0.2


def _blur(donated: pd.Series, noise: np.ndarray, train: pd.Series, column: Column) -> tuple[pd.Series, np.ndarray]:
    # Numbers with noise, and their entries. What leaves the training range is reflected: cut off, it would pile up on
    # the extreme values of real people.
    numbers, known = numbers_of(donated), numbers_of(train)
    low, high, middle = np.nanmin(known), np.nanmax(known), np.nanmedian(known)
    blurred = low + np.abs(numbers + noise - low)
    blurred = (high - np.abs(high - blurred)).clip(low, high)
    if column.most_decimals is not None:
        blurred = np.round(blurred, column.most_decimals)
    is_blurred = (noise != 0) & ~np.isnan(numbers)
    result = donated.copy()
    result[is_blurred] = pd.Series(blurred)[is_blurred].astype(train.dtype)
    entries = np.where(np.isnan(numbers), middle, np.where(is_blurred, blurred, numbers))
    return result, (entries - low) / ((high - low) or 1.0)
