"""The figures of a report, drawn from what an evaluation found, each with a caption and a description in words."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from rlsyn.evaluation.disclosure import hidden_columns
from rlsyn.evaluation.evaluation import Evaluation
from rlsyn.evaluation.features import NotComputableError, row_groups
from rlsyn.evaluation.fidelity.clusters import principal_components
from rlsyn.evaluation.fidelity.marginals import prevalences
from rlsyn.evaluation.report import curves, plots

MIN_BINARY = 10
"""Fewer binary columns than this need no scatter: their bars show the same."""
MAX_PCA_ROWS = 5_000


@dataclass(frozen=True)
class Picture:
    """A figure as the report shows it.

    Args:
        section: Where it stands.
        name: Of its file.
        caption: What a reader sees.
        description: The same for those who cannot see it.
        png: The file.
    """

    section: str
    name: str
    caption: str
    description: str
    png: bytes


class Plan(NamedTuple):
    """A figure that is to be drawn, or `reason`, why it is not."""

    section: str
    name: str
    caption: str
    description: str
    draw: Callable[[], Figure] | None
    reason: str = ""


def make_pictures(evaluation: Evaluation) -> tuple[list[Picture], list[tuple[str, str]]]:
    """All figures that can be drawn, and of the others the caption and the reason."""
    pictures, skipped = [], []
    for plan in _plans(evaluation):
        if plan.draw is None:
            skipped.append((plan.caption, plan.reason))
        else:
            png = _png(plan.draw())
            pictures.append(Picture(plan.section, plan.name, plan.caption, plan.description, png))
    return pictures, skipped


def save_pictures(pictures: list[Picture], folder: Path) -> None:
    """Write the PNG files."""
    folder.mkdir(parents=True, exist_ok=True)
    for picture in pictures:
        (folder / f"{picture.name}.png").write_bytes(picture.png)


def find(evaluation: Evaluation, measure: str, table: str, name: str) -> Any:
    """What a measure left for figures; `None` where it left nothing."""
    return evaluation.details.get(measure, {}).get(table, {}).get(name)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _plans(evaluation: Evaluation) -> Iterator[Plan]:
    yield from _association_plans(evaluation)
    yield from _picture_plans(evaluation)
    yield from _utility_plans(evaluation)
    yield from _privacy_plans(evaluation)


def _association_plans(evaluation: Evaluation) -> Iterator[Plan]:
    synthetic = find(evaluation, "association", "synthetic", "matrix")
    real = find(evaluation, "association", "synthetic", "real_matrix")
    if synthetic is None or real is None:
        yield Plan(
            "association", "", "Association matrices", "", None, _no_details(evaluation, "association difference")
        )
        return
    n, hidden = len(real), hidden_columns(evaluation.train, evaluation.schema)["values"]
    size = f"{n} by {n} columns" + (", strongest pair of each block" if n > plots.MAX_CELLS else "")
    left_blank = f"; {hidden.sum()} columns with too few people are left blank" if hidden.any() else ""
    for name, matrix, caption in (
        ("real", _blank(real, hidden), f"Real (train){left_blank}"),
        ("synthetic", synthetic, "Synthetic"),
        ("difference", _blank(synthetic - real, hidden), f"Difference (synthetic minus real){left_blank}"),
    ):
        description = f"Matrix of the association of each pair of columns, {size}: {caption.lower()}."
        draw = _later(plots.matrix_figure, matrix, name == "difference")
        yield Plan("association", f"association_{name}", caption, description, draw)


def _blank(matrix: pd.DataFrame, hidden: pd.Series) -> pd.DataFrame:
    return matrix.mask(np.logical_or.outer(hidden.to_numpy(), hidden.to_numpy()), 0.0)


def _picture_plans(evaluation: Evaluation) -> Iterator[Plan]:
    caption = "First two principal components: real rows as shading, synthetic rows as contours"
    description = "Density of real rows and contours of synthetic rows in the plane of the first two components."
    try:
        draw, reason = _later(plots.overlay_figure, *_coordinates(evaluation)), ""
    except NotComputableError as error:
        draw, reason = None, str(error)
    yield Plan("overlay", "principal_components", caption, description, draw, reason)
    curve = find(evaluation, "clusters", "synthetic", "curve")
    caption = "Precision and recall by level"
    description = "Share of synthetic rows inside level sets of real rows and the reverse; the diagonal is ideal."
    draw = None if curve is None else _later(curves.coverage_figure, curve)
    yield Plan("overlay", "coverage", caption, description, draw, _no_details(evaluation, "alpha-precision"))
    scores = find(evaluation, "detection", "synthetic", "scores")
    caption = "Scores of the detector (LightGBM): the more the two overlap, the better"
    description = "Histograms of the detector's scores for real and for synthetic rows that it was not fitted on."
    persons = find(evaluation, "detection", "synthetic", "persons")
    draw = None if scores is None else _later(curves.detection_figure, scores, persons)
    yield Plan(
        "overlay", "detection_scores", caption, description, draw, _no_details(evaluation, "detection AUC (LightGBM)")
    )
    real, synthetic, left_out = _prevalences(evaluation)
    if len(real) + sum(left_out.values()) >= MIN_BINARY:
        reasons = ", ".join(f"{n} {why}" for why, n in left_out.items() if n)
        caption = f"Prevalence of {len(real)} binary columns{f'; left out: {reasons}' if reasons else ''}"
        description = "Synthetic against real share of the second category; points on the diagonal are equal."
        yield Plan("prevalence", "prevalence", caption, description, _later(plots.prevalence_figure, real, synthetic))


def _utility_plans(evaluation: Evaluation) -> Iterator[Plan]:
    scores = _model_scores(evaluation.scores)
    if len(scores) == 0:
        yield Plan("utility", "", "Utility by model", "", None, _no_details(evaluation, "S2R"))
        return
    caption = f"{scores.index.name} on held-out rows, with 95 % interval"
    description = "Score of each model trained on synthetic rows beside that of the model trained on real rows."
    yield Plan("utility", "utility_by_model", caption, description, _later(curves.models_figure, scores))
    label = evaluation.schema.label
    for kind, what, draw in (
        ("roc", "ROC curve", curves.roc_figure),
        ("calibration", "Calibration", curves.calibration_figure),
    ):
        sides = [_by_model(find(evaluation, "utility", table, kind)) for table in ("synthetic", "real")]
        for model in dict.fromkeys([*sides[0], *sides[1]]):
            name = model.replace("_", " ")
            description = f"{what} of {name} for {label!r} on held-out rows, trained on synthetic and on real rows."
            curve = _later(draw, sides[0].get(model), sides[1].get(model))
            yield Plan("utility", f"{kind}_{model}", f"{what}: {name}", description, curve)
        if not sides[0] and not sides[1]:
            yield Plan("utility", "", f"{what} of the label", "", None, _no_curve(kind))


def _no_curve(kind: str) -> str:
    return f"only drawn for a label of two categories{' or a quantity' if kind == 'calibration' else ''}"


def _privacy_plans(evaluation: Evaluation) -> Iterator[Plan]:
    distances = find(evaluation, "membership", "synthetic", "distances")
    if distances is None:
        yield Plan("privacy", "", "Membership attack", "", None, _no_details(evaluation, "membership AUC"))
        return
    numbers = find(evaluation, "membership", "synthetic", "persons")
    sides, persons = ([found[side] for side in ("train", "test")] for found in (distances, numbers))
    caption = "Distance to the nearest synthetic row: train rows no nearer than test rows is what privacy asks for"
    description = "Histograms of the distances of train rows and of test rows to the nearest synthetic row."
    yield Plan(
        "privacy", "membership_distances", caption, description, _later(curves.distances_figure, *sides, *persons)
    )
    caption = "Membership attack: above the dotted line the attacker does better than a coin"
    description = "ROC curve of the membership attack by distance; the diagonal is chance."
    yield Plan("privacy", "membership_roc", caption, description, _later(curves.attack_figure, *sides))


def _coordinates(evaluation: Evaluation) -> tuple[np.ndarray, ...]:
    # Of real and synthetic rows in two components, the persons of the real ones, and the shares of the variance that these explain.
    rng = np.random.default_rng(evaluation.seed)
    train, synthetic = (_sample(table, rng) for table in (evaluation.train, evaluation.synthetic))
    projector = principal_components(train, evaluation.schema)
    real, other = projector.transform(train), projector.transform(synthetic)
    if real.shape[1] < 2:
        raise NotComputableError("the table has one column only")
    return real, other, row_groups(train, evaluation.schema), projector.components.explained_variance_ratio_


def _sample(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    return table.iloc[np.sort(rng.permutation(len(table))[:MAX_PCA_ROWS])]


def _prevalences(evaluation: Evaluation) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    # Shares of real and synthetic rows, and how many columns are left out why.
    real, synthetic = (prevalences(table, evaluation.schema) for table in (evaluation.train, evaluation.synthetic))
    hidden = hidden_columns(evaluation.train, evaluation.schema)["values"][real.index]
    shown = ~hidden & np.isfinite(real) & np.isfinite(synthetic)
    left_out = {"with too few people": int(hidden.sum()), "without a known value": int((~shown & ~hidden).sum())}
    return real[shown].to_numpy(), synthetic[shown].to_numpy(), left_out


def _model_scores(scores: pd.DataFrame) -> pd.DataFrame:
    # S2R of each model: rows named "S2R AUC (random_forest)", of which those with a value are drawn.
    parts = scores["metric"].str.extract(r"^S2R (?P<unit>AUC|R2) \((?P<model>.+)\)$")
    chosen = parts["model"].notna() & scores["value"].notna()
    drawn = scores[chosen].set_index(parts.loc[chosen, "model"])[["value", "low", "high", "real"]].astype(float)
    return drawn.rename_axis(parts.loc[chosen, "unit"].iloc[0] if len(drawn) else None)


def _by_model(frame: pd.DataFrame | None) -> dict[str, pd.DataFrame]:
    return {} if frame is None else {str(model): part for model, part in frame.groupby("model", sort=False)}


def _no_details(evaluation: Evaluation, metric: str) -> str:
    rows = evaluation.scores[evaluation.scores["metric"].str.startswith(metric)]
    notes = rows.loc[rows["value"].isna(), "note"]
    return str(notes.iloc[0]) if len(notes) and notes.iloc[0] else "the evaluation left nothing to draw it from"


def _later(draw: Callable[..., Figure], *arguments: Any) -> Callable[[], Figure]:
    return lambda: draw(*arguments)
