"""The columns of phecodes by chapter: how far shares of people are off in each, and by which codes most."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from rlsyn.evaluation.disclosure import hidden_columns
from rlsyn.evaluation.fidelity.marginals import prevalences
from rlsyn.phecode_chapters import CHAPTERS, PREFIX, chapter_of
from rlsyn.schema import Schema

N_WORST = 3
MIN_CODES = 3
"""What held-out people have in a chapter of fewer codes would tell of the people of single codes."""


@dataclass(frozen=True)
class Chapter:
    """A chapter in figures; `difference` and all that follows is about the codes that may be shown.

    Args:
        name: Of the chapter.
        n_codes: Its columns.
        n_hidden: Those of them that fewer than three real people have, or lack.
        real: How many of the codes a person of the training rows has on average.
        synthetic: The same of synthetic rows.
        difference: Mean over codes of |synthetic share - real share|; NaN where no code may be shown.
        held_out: The same of test rows in the place of the synthetic ones: what chance alone does; NaN for few codes.
        worst: Code, real and synthetic share of those that differ most.
    """

    name: str
    n_codes: int
    n_hidden: int
    real: float
    synthetic: float
    difference: float
    held_out: float
    worst: tuple[tuple[str, float, float], ...]


def phecode_chapters(train: pd.DataFrame, test: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema) -> list[Chapter]:
    """The chapters that the table has columns of, the largest difference first; empty for a table without phecodes.

    Args:
        train: Real rows.
        test: Held-out real rows.
        synthetic: Synthetic rows.
        schema: The columns; phecodes are those that are binary and called `phecode_` and a number.
    """
    chapter = {column.name: chapter_of(column.name) for column in schema.columns if column.kind == "binary"}
    codes = [name for name, found in chapter.items() if found]
    if not codes:
        return []
    sides = {"real": train, "held_out": test, "synthetic": synthetic}
    shares = pd.DataFrame({side: prevalences(table, schema)[codes] for side, table in sides.items()})
    is_hidden = hidden_columns(train, schema)["values"][codes]
    found = [
        _chapter(one.name, shares.loc[mine], is_hidden[mine])
        for one in CHAPTERS
        if (mine := [name for name in codes if chapter[name] == one.name])
    ]
    return sorted(found, key=lambda one: -one.difference if one.difference >= 0 else 1.0)


def _chapter(name: str, shares: pd.DataFrame, is_hidden: pd.Series) -> Chapter:
    shown = shares[~is_hidden]
    gap = (shown["synthetic"] - shown["real"]).abs()
    held_out = (shown["held_out"] - shown["real"]).abs().mean() if len(shown) >= MIN_CODES else float("nan")
    worst = shown.loc[gap.sort_values(ascending=False, kind="stable").index[:N_WORST]]
    return Chapter(
        name=name,
        n_codes=len(shares),
        n_hidden=int(is_hidden.sum()),
        real=float(shown["real"].sum()),
        synthetic=float(shown["synthetic"].sum()),
        difference=float(gap.mean()),
        held_out=float(held_out),
        worst=tuple(
            (str(column).removeprefix(PREFIX), float(row["real"]), float(row["synthetic"]))
            for column, row in worst.iterrows()
        ),
    )
