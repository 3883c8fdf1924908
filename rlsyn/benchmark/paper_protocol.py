"""The protocol of arXiv:2512.21395: its splits, numbers of records, classifiers and metrics, and what it published.

Where the procedure of its code is faulty the right thing is done instead; `DEVIATIONS` lists what differs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from rlsyn.evaluation import NotComputableError, fidelity, privacy, utility
from rlsyn.evaluation.people import at_most
from rlsyn.schema import Schema

SEEDS = tuple(range(10))
ENVIRONMENTS = ("AIREADI-v0", "MIMICIV-v0")
ORDER = ("emr_wgan", "ctabgan_plus", "ehrdiff", "one_step")
"""Methods in the order of the paper's table; its RLSyn is our `one_step`."""
COLUMNS = {
    "MIA": ("membership AUC",),
    "S2R": ("S2R AUC", "S2R R2"),
    "R2S": ("R2S AUC", "R2S R2"),
    "NMI": ("NMI",),
    "DWD": ("DWD (paper)",),
}
"""Columns of the paper's table, and the metrics that stand in them."""
GOALS = {"MIA": "minimise", "S2R": "maximise", "R2S": "maximise", "NMI": "minimise", "DWD": "minimise"}
MAX_ROWS = 30_000
MAX_NMI_ROWS = 10_000
VARIANCE = 0.8

Published = tuple[str, tuple[tuple[float, ...], ...]]
PUBLISHED: dict[str, dict[str, Published]] = {
    "AIREADI-v0": {
        "real": ("real", ((1.000,), (0.870, 0.004), (), (), ())),
        "emr_wgan": ("EMR-WGAN", ((0.501, 0.026), (0.747, 0.031), (0.619, 0.046), (), ())),
        "ehrdiff": ("EHRDiff", ((0.601, 0.036), (0.871, 0.011), (0.901, 0.004), (0.002,), (16.441,))),
        "one_step": ("RLSyn", ((0.544, 0.030), (0.873, 0.021), (0.868, 0.011), (0.001,), (13.352,))),
    },
    "MIMICIV-v0": {
        "real": ("real", ((0.998,), (0.919, 0.001), (), (), ())),
        "emr_wgan": ("EMR-WGAN", ((0.498, 0.002), (0.764, 0.025), (0.666, 0.063), (), ())),
        "ehrdiff": ("EHRDiff", ((0.499, 0.002), (0.906, 0.001), (0.896, 0.002), (0.003,), (2.797,))),
        "one_step": ("RLSyn", ((0.499, 0.002), (0.902, 0.001), (0.909, 0.005), (0.001,), (2.073,))),
    },
}
"""What the paper reports (arXiv:2512.21395v2, abstract; tables of the authors' Analysis.ipynb): by environment and
method of ours its name there and, in the order of `COLUMNS`, means over 10 seeds with the half-widths of their 95 %
intervals, empty where none is known. S2R of the real rows is R2R."""

DEVIATIONS = (
    (
        "Methods: with our own defaults and schedules, or what our search found, not the paper's (one_step: 6,000 "
        "iterations, a third of the batch, ranks for numbers, learning rates that begin ten times as high, no value "
        "function; ctabgan_plus: dense networks). The paper's own arguments are in experiments/variants/published.yaml."
    ),
    "R2S: the classifier is fitted on the training rows; in the paper on real rows with the test rows among them.",
    (
        "R2S for AI-READI: all synthetic rows are predicted; in the paper the classifier is fitted on four fifths of "
        "all real rows and predicts a fifth of the synthetic rows, in turn."
    ),
    (
        "R2R (S2R of the real rows): fitted on the training rows and tested on the test rows, as S2R is; the published "
        "value for AI-READI is a cross-validation in five folds by patient over all rows."
    ),
    (
        "MIA: the rank statistic, with both ends of the ROC curve and exact distances, of at most 30,000 rows a side; "
        "in the paper thresholds without the ends (0 for records far from all people) and distances that could be NaN. "
        "Its real rows are the training rows given out as they are."
    ),
    (
        "Scalers, medians and components are fitted on the rows that a model is fitted on, or on the training rows; in "
        "the paper on all rows."
    ),
    (
        "S2R: one AUC over all test rows, of at most 6,000 rows fitted by the SVC and 100,000 by LightGBM; in the "
        "paper for AI-READI the mean over fifths of the test rows. LightGBM sees columns of 0 and 1 as numbers, not as "
        "categories."
    ),
    (
        "NMI: 10 clusters of equally many training and synthetic rows, at most 10,000 a side; the paper's number of "
        "clusters is not known."
    ),
    (
        "DWD: against the training rows. A numeric column counts in units of the worst of the methods in the same "
        "table and split, those added to the paper's (independent and bootstrap too) included, so that values change "
        "with the company and compare only within a table; a categorical column counts as its columns of 0 and 1. A split in "
        "which a method failed has none."
    ),
    (
        "Records: MIMIC-IV 30,000 (emr_wgan in the paper a sixth of the table, 30,124), or as many as there are "
        "training rows where those are fewer. emr_wgan draws labels itself; in the paper their counts are set to the "
        "real ones and the checkpoint is chosen on the test rows."
    ),
)
"""What differs from the paper's code, and why."""


@dataclass(frozen=True)
class Setting:
    """How a table is divided and judged.

    Args:
        test_size: Share of the people held out.
        stratified: Whether by label.
        n_records: Synthetic records of a method that has no number of its own.
        classifier: The model of the label, one of `rlsyn.evaluation.utility`.
    """

    test_size: float
    stratified: bool
    n_records: int
    classifier: str


SETTINGS = {"MIMICIV-v0": Setting(0.3, False, 30_000, "lightgbm_paper")}
DEFAULT_SETTING = Setting(0.1, True, 5_000, "svc")
"""That of AI-READI, also for tables that the paper does not have."""


def setting(env: str) -> Setting:
    """The setting of an environment."""
    return SETTINGS.get(env, DEFAULT_SETTING)


def n_records(env: str, method: str, n_train: int, n_test: int) -> int:
    """How many records a method draws: some of the paper's have numbers of their own."""
    if method == "ctabgan_plus":
        return n_train
    if method == "emr_wgan" and env == "AIREADI-v0":
        return n_train + n_test
    return min(30_000, n_train) if env == "MIMICIV-v0" else setting(env).n_records


def score(
    train: pd.DataFrame, test: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema, classifier: str, seed: int
) -> pd.DataFrame:
    """The scores that the paper's table needs, and no more.

    Args:
        train: Rows that the generator learned from.
        test: Rows that it never saw.
        synthetic: The records.
        schema: The columns.
        classifier: The model of the label; for a quantity ridge regression takes its place.
        seed: Of clusters, samples and models.

    Returns:
        Columns `family`, `metric`, `value`, `real` (see `DEVIATIONS`) and `note`: the reason where there is no value.
    """
    is_quantity = schema.label is not None and not schema[schema.label].is_discrete
    unit, model = ("R2", "ridge") if is_quantity else ("AUC", classifier)

    @cache
    def of_train() -> list[np.ndarray]:
        return utility.fit_and_predict(model, train, [test, synthetic], schema, seed)

    def s2r() -> tuple[float, float]:
        [predictions] = utility.fit_and_predict(model, synthetic, [test], schema, seed)
        return utility.score(predictions, test, schema), utility.score(of_train()[0], test, schema)

    tasks: dict[str, tuple[str, Callable[[], tuple[float, float]]]] = {
        f"S2R {unit}": ("utility", s2r),
        f"R2S {unit}": ("utility", lambda: (utility.score(of_train()[1], synthetic, schema), np.nan)),
        "membership AUC": ("privacy", lambda: _membership(train, test, synthetic, schema, seed)),
        "NMI": ("fidelity", lambda: (_nmi(train, synthetic, schema, seed), np.nan)),
    }
    rows = []
    with threadpool_limits(1):
        for metric, (family, compute) in tasks.items():
            try:
                (value, real), note = compute(), ""
            except NotComputableError as reason:
                (value, real), note = (np.nan, np.nan), f"not computed: {reason}"
            rows.append({"family": family, "metric": metric, "value": value, "real": real, "note": note})
    return pd.DataFrame(rows)


def column_distances(train: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """What the paper's DWD is made of: a row for each `column`, with its `distance` from the training rows.

    Of quantities Wasserstein's distance, in a unit that is the same for all methods of a split; of others the
    differences of the shares of each 0/1 column, added up. `is_relative` tells the quantities.
    """
    parts = {True: fidelity.normalised_wasserstein, False: fidelity.total_variation}
    found = pd.concat(
        pd.DataFrame({"distance": distance(train, synthetic, schema), "is_relative": is_relative})
        for is_relative, distance in parts.items()
    )
    # Total variation is half the sum over categories; a binary column is one column of 0 and 1, not two.
    found.loc[[schema[name].kind == "categorical" for name in found.index], "distance"] *= 2
    return found.rename_axis("column").reset_index()


def relative_dwd(distances: Mapping[str, pd.DataFrame]) -> dict[str, float]:
    """The paper's DWD of each method of a split.

    Each quantity is divided by the largest distance of the methods in that column (0 where all are 0). A column without
    a distance, which has no values on either side, adds nothing.

    Args:
        distances: By method, as `column_distances` gives them.
    """
    tables = {method: table.set_index("column") for method, table in distances.items()}
    worst = pd.DataFrame({method: table["distance"] for method, table in tables.items()}).max(axis=1)
    return {
        method: float((table["distance"] / worst.where(table["is_relative"], 1.0).replace(0.0, np.inf)).sum())
        for method, table in tables.items()
    }


def _membership(
    train: pd.DataFrame, test: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema, seed: int
) -> tuple[float, float]:
    members, others = (at_most(rows, schema, MAX_ROWS, seed) for rows in (train, test))
    # Training rows given out: each of them is at distance 0, and so are the test rows that equal one.
    copied = privacy.exact_copies(train, test, schema) / len(test)
    return privacy.membership_auc(members, others, synthetic, schema), 1 - copied / 2


def _nmi(train: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema, seed: int) -> float:
    projector = fidelity.principal_components(at_most(train, schema, MAX_ROWS, seed), schema, VARIANCE)
    rng = np.random.default_rng(seed)
    n_rows = min(len(train), len(synthetic), MAX_NMI_ROWS)
    sides = [projector.transform(rows.iloc[rng.permutation(len(rows))[:n_rows]]) for rows in (train, synthetic)]
    return fidelity.cluster_nmi(sides[0], sides[1], seed)
