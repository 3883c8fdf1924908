"""The scores as a table on a terminal."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rlsyn.evaluation.evaluation import REFERENCES, Evaluation
from rlsyn.evaluation.score_texts import interval, number
from rlsyn.evaluation.verdicts import Level, evaluation_verdicts

WIDTH = 150
SYMBOLS: dict[Level, tuple[str, str]] = {
    "good": ("●", "blue"),
    "fair": ("◐", "yellow"),
    "poor": ("○", "red"),
    "unknown": ("?", "default"),
}
"""A symbol as well as a colour, for those who do not tell colours apart and for files."""


def print_scores(evaluation: Evaluation) -> None:
    """Print verdicts, scores and what could not be computed, `WIDTH` columns wide where the output is no terminal."""
    console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)
    console.print(_scores_table(evaluation))
    for remark in evaluation.remarks:
        console.print(Text(f"Note: {remark}"))
    absent = evaluation.scores[evaluation.scores["value"].isna()]
    for verdict in evaluation_verdicts(evaluation):
        symbol, colour = SYMBOLS[verdict.level]
        heading = f"{symbol} {verdict.family.capitalize()}: {verdict.level.upper()}."
        console.print(Text.assemble((heading, colour), " ", verdict.wording))
        for criterion in verdict.criteria:
            if criterion.metric not in set(absent["metric"]):  # the reason why stands below
                console.print(Text(f"    {SYMBOLS[criterion.level][0]} {criterion.text}"))
    for note, rows in absent.groupby("note", sort=False):
        console.print(Text(f"{', '.join(rows['metric'])}: {note}"))


def _scores_table(evaluation: Evaluation) -> Table:
    scores, others = evaluation.scores, evaluation.others
    name = evaluation.title or "Scores"
    title = f"{name}: {len(evaluation.synthetic):,} synthetic records against {len(evaluation.test):,} held-out rows"
    table = Table(title=Text(title), title_justify="left")
    for heading in ("family", "metric"):
        table.add_column(heading, overflow="fold")
    for heading in ("synthetic", "95 % interval", *(name.replace("_", " ") for name in others), *REFERENCES, "goal"):
        table.add_column(heading, justify="right")
    for row in scores.to_dict("records"):
        beside = [number(row[column]) for column in (*others, *REFERENCES)]
        table.add_row(
            row["family"], row["metric"], number(row["value"]), interval(row["low"], row["high"]), *beside, row["goal"]
        )
    return table
