"""The report of an evaluation: one HTML file that needs nothing else, for readers who decide about a release."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, StrictUndefined

from rlsyn.evaluation.constraints import BROKEN
from rlsyn.evaluation.disclosure import MIN_PEOPLE, hidden_columns, is_few
from rlsyn.evaluation.evaluation import REFERENCES, Evaluation
from rlsyn.evaluation.features import count_people, row_groups
from rlsyn.evaluation.fidelity.limits import BEYOND
from rlsyn.evaluation.fidelity.pairs import UNSEEN
from rlsyn.evaluation.report.chapters import phecode_chapters
from rlsyn.evaluation.report.gallery import Picture, find, make_pictures, save_pictures
from rlsyn.evaluation.report.panels import HEIGHT, MAX_NUMBERED, NAME_WIDTH, WIDTH, column_panels
from rlsyn.evaluation.report.plots import marginals_figure, worst_first
from rlsyn.evaluation.score_texts import interval, number
from rlsyn.evaluation.verdicts import evaluation_verdicts
from rlsyn.files import write_whole

TEMPLATE = Path(__file__).with_name("report.html.j2")
FEW = f"fewer than {MIN_PEOPLE} people"
FAMILIES = ("privacy", "utility", "fidelity", "constraints", "cost")
MAX_PANELS = 120
N_WORST_PAIRS = 10
MOST_FOUND = 20
GOALS = {
    "minimise": "lower is better",
    "maximise": "higher is better",
    "0.5": "near 0.5",
    "0": "near 0",
    "none": "describes only",
}
MEANINGS = {
    "real": "real rows in the place of the synthetic ones: mostly the held-out test rows; training rows for detection "
    "and for models (R2R); one half of the test rows for attacks. What sampling noise alone allows.",
    "copy": "training people drawn with replacement: as near to train as chance allows, and a leak of everything.",
    "independent": "training rows with every column shuffled by itself: right marginals, and nothing else.",
}
COUNTED = {"real": "test", "copy": "train", "independent": "train"}
"""Whose rows each reference is made of."""


@dataclass(frozen=True)
class Strip:
    """A score among its references on a common scale from 0 to 100."""

    value: float
    interval: tuple[float, float] | None
    marks: dict[str, float]


def write_report(
    evaluation: Evaluation, output_dir: str | Path, *, command: str = "", versions: Mapping[str, str] | None = None
) -> Path:
    """Write `figures/*.png`, `copies.csv` and, at last, `report.html` with the same figures inside.

    The HTML file loads nothing from anywhere. No row of a real table is in it, and no bin or category of fewer than
    three real people.

    Args:
        evaluation: What was found.
        output_dir: Folder to write to; made if it is not there.
        command: The command that was given, to be shown at the end.
        versions: Versions of the software, by its name.

    Returns:
        The path of `report.html`.
    """
    folder = Path(output_dir)
    pictures, undrawn = make_pictures(evaluation)
    save_pictures(pictures, folder / "figures")
    title = _title(evaluation)
    distances = find(evaluation, "marginals", "synthetic", "by_column")["distance"].astype(float)
    figure = marginals_figure(evaluation.train, evaluation.synthetic, distances, evaluation.schema, title=title)
    figure.savefig(folder / "figures" / "marginals.png")
    evaluation.write_copies(folder)
    untold = _untold(evaluation)
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    html = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        title=title,
        evaluation=evaluation,
        today=date.today().isoformat(),
        sides=_sides(evaluation),
        verdicts=evaluation_verdicts(evaluation, untold),
        families=_families(evaluation, untold),
        tables=[*REFERENCES, *evaluation.others],
        meanings=MEANINGS,
        skipped=_skipped(evaluation),
        undrawn=undrawn,
        gallery=_gallery(pictures),
        worst_pairs=_worst_pairs(evaluation),
        chapters=phecode_chapters(evaluation.train, evaluation.test, evaluation.synthetic, evaluation.schema),
        share=_share,
        rules=_rules(evaluation),
        limits=_worst_first(evaluation, "limits", "limit", MOST_FOUND),
        pairs=_worst_first(evaluation, "unseen pairs", "pair", MOST_FOUND),
        min_people=MIN_PEOPLE,
        command=command,
        versions=dict(versions or {}),
        **_marginals(evaluation, distances),
    )
    write_whole(folder / "report.html", html)
    return folder / "report.html"


def _title(evaluation: Evaluation) -> str:
    title = evaluation.title or "Synthetic records"
    return f"SIMULATED {title}" if evaluation.simulated and "SIMULATED" not in title else title


def _sides(evaluation: Evaluation) -> list[dict[str, Any]]:
    sides = []
    for name, table, role in (
        ("train", evaluation.train, "what the generator learned from"),
        ("test", evaluation.test, "real rows that it never saw"),
        ("synthetic", evaluation.synthetic, "the rows that are judged"),
    ):
        has_groups = name != "synthetic" and evaluation.schema.group in table
        n_people = count_people(table, evaluation.schema) if has_groups else None
        sides.append({"name": name, "n_rows": len(table), "n_people": n_people, "role": role})
    return sides


def _untold(evaluation: Evaluation) -> dict[str, set[str]]:
    # By metric the references that count out one or two people, whom the tables of rules, limits and pairs do not tell.
    return {
        metric: {role for role, side in COUNTED.items() if 0 < people.get(side, 0) < MIN_PEOPLE}
        for measure, metric in (("constraints", BROKEN.name), ("limits", BEYOND.name), ("unseen pairs", UNSEEN.name))
        for people in [find(evaluation, measure, "synthetic", "people") or {}]
    }


def _families(evaluation: Evaluation, untold: Mapping[str, set[str]]) -> list[tuple[str, list[dict[str, Any]]]]:
    # The scores that have a value, as texts.
    names = [*REFERENCES, *evaluation.others]
    found = []
    for family in FAMILIES:
        scores = evaluation.scores[(evaluation.scores["family"] == family) & evaluation.scores["value"].notna()]
        rows = [_told(row, names, untold.get(row["metric"], set())) for row in scores.to_dict("records")]
        if rows:
            found.append((family, rows))
    return found


def _told(row: dict[Any, Any], names: list[str], untold: set[str]) -> dict[str, Any]:
    return {
        "metric": row["metric"],
        "meaning": row["meaning"],
        "note": row["note"],
        "goal": GOALS[row["goal"]],
        "value": number(row["value"]),
        "interval": interval(row["low"], row["high"]),
        "references": {name: FEW if name in untold else number(row[name]) for name in names},
        "strip": _strip(row, [name for name in names if name not in untold]) if row["family"] != "cost" else None,
    }


def _strip(row: dict[Any, Any], names: list[str]) -> Strip | None:
    marks = {name: float(row[name]) for name in names if pd.notna(row[name])}
    ends = [float(row[end]) for end in ("low", "high") if pd.notna(row[end])]
    shown = [float(row["value"]), *ends, *marks.values()]
    low, high = min(shown), max(shown)
    if not marks or not np.isfinite([low, high]).all() or high - low < 1e-9:
        return None

    def place(value: float) -> float:
        return round(6 + 88 * (value - low) / (high - low), 1)

    interval = (place(ends[0]), place(ends[1])) if len(ends) == 2 else None
    return Strip(place(float(row["value"])), interval, {name: place(value) for name, value in marks.items()})


def _skipped(evaluation: Evaluation) -> list[tuple[str, list[str]]]:
    # Metrics without a value, those with one reason together.
    absent = evaluation.scores[evaluation.scores["value"].isna()]
    reasons = absent["note"].fillna("").replace("", "no reason given")
    return [
        (str(reason), list(absent.loc[rows, "metric"]))
        for reason, rows in absent.groupby(reasons, sort=False).groups.items()
    ]


def _gallery(pictures: list[Picture]) -> dict[str, list[dict[str, str]]]:
    sections: dict[str, list[dict[str, str]]] = {}
    for picture in pictures:
        image = base64.b64encode(picture.png).decode("ascii")
        shown = {"caption": picture.caption, "description": picture.description, "image": image}
        sections.setdefault(picture.section, []).append(shown)
    return sections


def _marginals(evaluation: Evaluation, distances: pd.Series) -> dict[str, Any]:
    distances = worst_first(distances, evaluation.train, evaluation.schema)
    panels = column_panels(evaluation.train, evaluation.synthetic, evaluation.schema, distances.iloc[:MAX_PANELS])
    rest = distances.iloc[MAX_PANELS:].dropna()
    return {
        "panels": panels,
        "picture": {"width": WIDTH, "height": HEIGHT, "name_width": NAME_WIDTH, "max_numbered": MAX_NUMBERED},
        "n_columns": len(distances),
        "rest": {"n": len(rest), "median": number(rest.median()), "largest": number(rest.max())} if len(rest) else None,
    }


def _worst_pairs(evaluation: Evaluation) -> list[tuple[str, ...]]:
    # Of the columns whose values may be shown, and that enough people have both of.
    synthetic = find(evaluation, "association", "synthetic", "matrix")
    real = find(evaluation, "association", "synthetic", "real_matrix")
    if synthetic is None or real is None:
        return []
    is_shown = ~hidden_columns(evaluation.train, evaluation.schema)["values"]
    synthetic, real = (matrix.loc[is_shown, is_shown] for matrix in (synthetic, real))
    first, second = np.triu_indices(len(real), k=1)
    sides = [matrix.to_numpy()[first, second] for matrix in (real, synthetic)]
    difference = sides[1] - sides[0]
    names, persons = list(real.index), row_groups(evaluation.train, evaluation.schema)
    is_present = evaluation.train[names].notna().to_numpy()
    common = (
        i
        for i in np.argsort(-np.abs(difference), kind="stable")
        if not is_few(persons[is_present[:, first[i]] & is_present[:, second[i]]])
    )
    return [
        (str(names[first[i]]), str(names[second[i]]), *(_signed(side[i]) for side in (*sides, difference)))
        for i in islice(common, N_WORST_PAIRS)
    ]


def _signed(value: float) -> str:
    return f"{round(value, 2) + 0.0:+.2f}"


def _rules(evaluation: Evaluation) -> list[dict[str, str]]:
    expressions = find(evaluation, "constraints", "synthetic", "by_rule")["expression"]
    rows = _worst_first(evaluation, "constraints", "rule")
    return [row | {"expression": str(expressions[row["rule"]])} for row in rows]


def _worst_first(evaluation: Evaluation, measure: str, kind: str, most: int | None = None) -> list[dict[str, str]]:
    # Rules, or what train keeps without being told to, the worst kept first, and the shares of rows that do not.
    found = find(evaluation, measure, "synthetic", f"by_{kind}")
    if found is None:
        return []
    people = find(evaluation, measure, "synthetic", f"people_by_{kind}")
    worst = np.argsort(-found["synthetic"].to_numpy(), kind="stable")[:most]
    rows = _shares(found.iloc[worst], people.iloc[worst])
    return [{kind: str(text), **row} for text, row in zip(found.index[worst], rows, strict=True)]


def _shares(found: pd.DataFrame, people: pd.DataFrame) -> list[dict[str, str]]:
    # Of each row the shares of synthetic and of real rows, where those are not of one or two people.
    return [
        {"synthetic": _share(shares["synthetic"]), **{str(name): _share(shares[name], n) for name, n in counts.items()}}
        for shares, counts in zip(found.to_dict("records"), people.to_dict("records"), strict=True)
    ]


def _share(share: float, n_people: int = MIN_PEOPLE) -> str:
    # One or two real people are not counted out.
    if pd.isna(share):
        return "-"
    if 0 < n_people < MIN_PEOPLE:
        return FEW
    return "0 %" if share == 0 else f"{share:.1%}".replace("%", " %") if share >= 0.0005 else "<0.1 %"
