"""What TensorBoard shows of a run beside its curves: what was asked for (Text), and what came of it (HParams)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from rlsyn.files import plain
from rlsyn.schema import Column, Schema

HEADLINES = {
    "S2R AUC": "evaluation/s2r_auc",
    "S2R R2": "evaluation/s2r_r2",
    "association difference": "evaluation/association_difference",
    "KS mean": "evaluation/ks_mean",
    "detection AUC (LightGBM)": "evaluation/detection_auc",
    "membership AUC": "evaluation/membership_auc",
    "near copies": "evaluation/near_copies",
}
"""Metrics that runs are compared by, and their tags."""
MAX_CATEGORIES = 12
"""Categories of a column that are listed; of more, their number."""


def write_description(run_dir: str | Path, config: Mapping[str, Any], schema: Schema, licence: str = "") -> None:
    """Write the configuration, the columns and the licence of the data as texts for TensorBoard.

    Args:
        run_dir: The run directory.
        config: What the run was asked for, after merging.
        schema: The columns.
        licence: Terms that bind whoever uses the data; empty for none.
    """
    settings = yaml.safe_dump(plain(dict(config)), sort_keys=False, allow_unicode=True)
    texts = {"config": _indented(settings), "schema": _schema_table(schema), "data_licence": licence}
    with SummaryWriter(str(run_dir), filename_suffix=".texts") as writer:
        for tag, text in texts.items():
            if text:
                writer.add_text(tag, text)


def write_outcome(folder: str | Path, parameters: Mapping[str, Any], scores: pd.DataFrame, n_steps: int) -> None:
    """Write the headline metrics of a finished run as scalars, and with its parameters for the tab HParams.

    No list of parameters and metrics is written: TensorBoard would take that of any one run for all runs, and hide the
    parameters that only others have. Without one it shows what it finds, first the parameters in which runs differ.

    Args:
        folder: One without curves, which would be among the metrics.
        parameters: The method's arguments; groups in them are written `group.name`.
        scores: See `rlsyn.evaluation.Evaluation`.
        n_steps: Environment steps of the training, where the scalars stand.
    """
    values = scores.set_index("metric")["value"].dropna()
    metrics = {tag: float(values[name]) for name, tag in HEADLINES.items() if name in values}
    _, *session = hparams(flatten(parameters), metrics)
    with SummaryWriter(str(folder), filename_suffix=".outcome") as writer:
        for tag, value in metrics.items():
            writer.add_scalar(tag, value, n_steps)
        for summary in session:
            writer.file_writer.add_summary(summary)


def flatten(parameters: Mapping[str, Any], prefix: str = "") -> dict[str, bool | float | str]:
    """Parameters by dotted name, as TensorBoard takes them: numbers, switches and texts.

    Example:
        >>> flatten({"kl_coef": 0.1, "select": None, "algo_kwargs": {"n_epochs": 2}})
        {'kl_coef': 0.1, 'select': 'None', 'algo_kwargs.n_epochs': 2}
    """
    flat: dict[str, bool | float | str] = {}
    for name, value in parameters.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value if isinstance(value, (bool, int, float, str)) else str(value)
    return flat


def _indented(text: str) -> str:
    # Markdown takes lines that begin with four blanks as they are.
    return "\n".join(f"    {line}" for line in text.splitlines())


def _schema_table(schema: Schema) -> str:
    rows = ["| column | kind | unit | decimals | missing | values |", "|---|---|---|---|---|---|"]
    for column in schema.columns:
        name = f"{column.name} (label)" if column.name == schema.label else column.name
        decimals = "" if column.decimals is None else column.decimals
        missing = "yes" if column.missing else ""
        cells = (name, column.kind, column.unit, decimals, missing, _values(column))
        rows.append(f"| {' | '.join(str(cell).replace('|', '&#124;') for cell in cells)} |")
    rules = [f"- `{constraint.expression}`" for constraint in schema.constraints]
    return "\n".join([*rows, *(["", "Rules that every record obeys:", "", *rules] if rules else [])])


def _values(column: Column) -> str:
    if len(column.categories) > MAX_CATEGORIES:
        return f"{len(column.categories)} categories"
    return ", ".join(map(str, column.categories))
