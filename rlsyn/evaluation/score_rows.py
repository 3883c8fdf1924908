"""The rows of a table of scores, made of what the measures and the models of the label found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

import numpy as np
import pandas as pd

from rlsyn.evaluation import utility
from rlsyn.evaluation.evaluation import REFERENCES, Details
from rlsyn.evaluation.features import NotComputableError
from rlsyn.evaluation.measure import Estimate, Family, Measure, Measurement, Metric, Tables
from rlsyn.names import unknown_name

COSTS = (
    Metric("fit (s)", "cost", "minimise", 0, float("inf"), "Seconds that training took."),
    Metric("sample (s)", "cost", "minimise", 0, float("inf"), "Seconds that drawing the synthetic rows took."),
    Metric("peak memory (MB)", "cost", "minimise", 0, float("inf"), "Most memory that the run held at once."),
    Metric("environment steps/s", "cost", "maximise", 0, float("inf"), "Attributes filled in per second of training."),
)
NOTHING = Estimate(float("nan"))
Key = tuple[str, str]
"""Name of a measure, or of a model, and of the table that it looked at."""


def attempt(compute: Callable[..., Any], *arguments: Any) -> Any:
    """What `compute` returns, or the reason in words where these tables have no such value."""
    try:
        return compute(*arguments)
    except NotComputableError as reason:
        return f"not computed: {reason}"


def scores_table(rows: Sequence[dict[str, Any]], others: Sequence[str]) -> pd.DataFrame:
    """The table of scores, family by family, with a column for each of the other tables."""
    families = get_args(Family)
    columns = ["family", "metric", "value", "low", "high", "goal", "minimum", "maximum", "real_low", "real_high"]
    ordered = sorted(rows, key=lambda row: families.index(row["family"]))
    return pd.DataFrame(ordered, columns=[*columns, *REFERENCES, *others, "note", "meaning"])


def measure_rows(
    measures: Sequence[Measure], found: Mapping[Key, Any], names: Sequence[str]
) -> tuple[list[dict[str, Any]], Details]:
    """The rows of fidelity, privacy and constraints, and the details of each measure and table.

    Args:
        measures: In the order of their rows.
        found: By measure and table what it found there, or the reason why it found nothing.
        names: Of the tables, `synthetic` and `real` among them.
    """
    rows: list[dict[str, Any]] = []
    details: Details = {}
    for measure in measures:
        results = {name: found[measure.name, name] for name in names}
        details[measure.name] = {name: one.details for name, one in results.items() if isinstance(one, Measurement)}
        for metric in measure.metrics:
            estimates = {name: _estimate(one, metric) for name, one in results.items()}
            rows.append(_row(metric, estimates, _notes(results["synthetic"], results["real"], metric)))
    return rows, details


def _estimate(result: Measurement | str, metric: Metric) -> Estimate:
    return NOTHING if isinstance(result, str) else result.estimates[metric.name]


def _notes(synthetic: Measurement | str, real: Measurement | str, metric: Metric) -> str:
    note, about_real = (one if isinstance(one, str) else one.notes.get(metric.name, "") for one in (synthetic, real))
    has_no_real = isinstance(real, str) or np.isnan(real.estimates[metric.name].value)
    return _join(note, f"reference: {about_real}" if has_no_real and about_real != note else "")


def utility_rows(
    tables: Tables, found: Mapping[Key, Any], in_place: Mapping[str, pd.DataFrame]
) -> tuple[list[dict[str, Any]], Details]:
    """The rows of utility, and the curves of the label's models by table.

    Args:
        tables: Those that are judged.
        found: By model and table that it was fitted on, its predictions: of the test rows and, for the model fitted on
            train (`real`), of every other table in turn; or the reason why there are none.
        in_place: By name the tables that models were fitted on.
    """
    schema, names = tables.schema, utility.models(tables.schema, tables.fast)
    metrics, computed = (utility.metrics(schema, fast) for fast in (False, tables.fast))
    if schema.label is None:
        return [_row(metric, {}, "not computed: the schema names no label") for metric in metrics], {}
    of_test = {name: {model: found[model, name] for model in names} for name in in_place}
    s2r = {
        name: _label_scores(tables, predictions, tables.test, name, of_test["real"])
        for name, predictions in of_test.items()
    }
    scored = [name for name in in_place if name != "real"]
    r2s = {
        name: _label_scores(tables, {m: _nth(found[m, "real"], i) for m in names}, in_place[name], name)
        for i, name in enumerate(scored, start=1)
    } | {"real": s2r["real"]}
    pairs = {"S2R": (tables.synthetic, tables.test), "R2S": (tables.train, tables.synthetic)}
    notes = {kind: utility.note(*pair, schema, tables.fast) for kind, pair in pairs.items()}
    rows = []
    for metric in metrics:
        if metric not in computed:
            rows.append(_row(metric, {}, "not computed: left out for speed (fast)"))
            continue
        kind, _, key = metric.name.partition(" ")
        results = s2r if kind == "S2R" else r2s
        estimates = {name: one.get(key, NOTHING) for name, one in results.items() if isinstance(one, dict)}
        reason, real_reason = (one if isinstance(one, str) else "" for one in (results["synthetic"], results["real"]))
        note = reason or (real_reason if metric.name.endswith(" loss") else "") or notes[kind]
        rows.append(
            _row(metric, estimates, _join(note, f"reference: {real_reason}" if real_reason not in note else ""))
        )
    curves = {name: _curves(tables, predictions) for name, predictions in of_test.items()}
    return rows, {"utility": curves}


def _label_scores(
    tables: Tables,
    predictions: Mapping[str, Any],
    table: pd.DataFrame,
    name: str,
    reference: Mapping[str, Any] | None = None,
) -> dict[str, Estimate] | str:
    own, of_reference = _first(predictions), _first(reference or {})
    if isinstance(own, str):
        return own
    with_interval = name in ("synthetic", "real")
    real = None if isinstance(of_reference, str) else of_reference
    return attempt(utility.estimate, own, table, tables.schema, tables.seed, with_interval, real)


def _first(predictions: Mapping[str, Any]) -> dict[str, np.ndarray] | str:
    reasons = [one for one in predictions.values() if isinstance(one, str)]
    return str(reasons[0]) if reasons else {model: arrays[0] for model, arrays in predictions.items()}


def _nth(predictions: list[np.ndarray] | str, position: int) -> list[np.ndarray] | str:
    return predictions if isinstance(predictions, str) else [predictions[position]]


def _curves(tables: Tables, predictions: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    curves: dict[str, pd.DataFrame] = {}
    for kind, curve in (("roc", utility.roc), ("calibration", utility.calibration)):
        drawn = {
            model: attempt(curve, arrays[0], tables.test, tables.schema)
            for model, arrays in predictions.items()
            if not isinstance(arrays, str)
        }
        frames = [frame.assign(model=model) for model, frame in drawn.items() if isinstance(frame, pd.DataFrame)]
        curves |= {kind: pd.concat(frames, ignore_index=True)} if frames else {}
    return curves


def cost_rows(costs: Mapping[str, float]) -> list[dict[str, Any]]:
    """The rows of the costs that are known.

    Raises:
        ValueError: A name that is not among `COSTS`.
    """
    known = {metric.name: metric for metric in COSTS}
    for name in costs:
        if name not in known:
            raise ValueError(unknown_name("cost", name, list(known)))
    return [_row(metric, {"synthetic": Estimate(costs[name])}) for name, metric in known.items() if name in costs]


def _row(metric: Metric, estimates: Mapping[str, Estimate], note: str = "") -> dict[str, Any]:
    value, low, high = estimates.get("synthetic", NOTHING)
    real = estimates.get("real", NOTHING)
    if np.isnan(value) and not note.startswith("not computed: "):
        note = f"not computed: {note or 'these tables have none'}"
    beside = {name: estimate.value for name, estimate in estimates.items() if name != "synthetic"}
    return {
        "family": metric.family,
        "metric": metric.name,
        "value": value,
        "low": low,
        "high": high,
        "goal": metric.goal,
        "minimum": metric.low,
        "maximum": metric.high,
        "real_low": real.low,
        "real_high": real.high,
        **beside,
        "note": note,
        "meaning": metric.meaning,
    }


def _join(*notes: str) -> str:
    return "; ".join(note for note in notes if note)
