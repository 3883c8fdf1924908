"""What an evaluation found, as reports and tables are made of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from rlsyn.files import FileStamp, plain, write_whole
from rlsyn.schema import Schema

REFERENCES = ("real", "copy", "independent")
"""Beside each value stand those of real rows, of copies of the training rows, and of columns shuffled apart."""

JUDGED_FILE = "evaluation.yaml"
"""What was judged, in the folder of an evaluation."""

COPIES_FILE = "copies.csv"
"""Which synthetic rows are copies, in the folder of an evaluation."""

Details = dict[str, dict[str, dict[str, Any]]]


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` of `rlsyn.evaluation` found.

    Args:
        scores: One metric a row: `family`, `metric`, `value`, the ends `low` and `high` of its 95 % interval, `goal`
            (`minimise`, `maximise`, a value to come near to, or `none`), the ends `minimum` and `maximum` of its range,
            the references `real` (with the ends `real_low` and `real_high` of its interval), `copy` and `independent`,
            a column for each further table, `note`, `meaning`. A metric without a value is NaN, and its note says why.
        details: By measure and table what figures are drawn from, such as
            `details["association"]["synthetic"]["matrix"]`.
        train: The training rows.
        test: The held-out rows.
        synthetic: The synthetic rows.
        schema: The columns.
        title: Name of the data set.
        source: Where it comes from, in a sentence.
        simulated: Whether the "real" rows are simulated.
        licence: Terms that bind whoever uses the rows or what is derived from them; empty for none.
        seed: The seed.
        fast: Whether metrics were left out or thinned for speed.
        seconds: How long it took.
        remarks: What a reader must know of the tables before any score.
        file: The file that the synthetic rows are; `None` for a table in memory.
    """

    scores: pd.DataFrame
    details: Details
    train: pd.DataFrame
    test: pd.DataFrame
    synthetic: pd.DataFrame
    schema: Schema
    title: str = ""
    source: str = ""
    simulated: bool = False
    licence: str = ""
    seed: int = 0
    fast: bool = False
    seconds: float = 0.0
    remarks: tuple[str, ...] = ()
    file: FileStamp | None = None

    @property
    def copied_rows(self) -> pd.DataFrame:
        """The synthetic rows that are copies or near ones; none where that could not be judged.

        `row` counts from 1 in the order of the synthetic table. Beside it stands a column for each share of copies, 1 where
        that counts the row; missing where the table is so large that only some rows were compared with the training rows.
        No value of any row is in it.
        """
        rows, parts = (
            self.details.get(name, {}).get("synthetic", {}).get("rows", pd.DataFrame()) for name in ("copies", "parts")
        )
        if len(parts):
            # Both measures look at the same rows.
            rows = rows.reindex(rows.index.union(parts.index[parts.fillna(False)]), fill_value=0)
            rows = rows.join(parts.astype("Int64"))
        return rows.reset_index(drop=True).assign(row=rows.index + 1)[["row", *rows]]

    def write_copies(self, output_dir: str | Path) -> None:
        """Write the copied rows as `copies.csv`; where there is none, that of an earlier evaluation does not stay."""
        path, rows = Path(output_dir) / COPIES_FILE, self.copied_rows
        if len(rows):
            write_whole(path, rows.to_csv(index=False))
        else:
            path.unlink(missing_ok=True)

    def write_scores(self, output_dir: str | Path) -> None:
        """Write the scores as `metrics.csv` and `metrics.json`, what was judged as `evaluation.yaml`, and the copied rows."""
        self.write_copies(output_dir)
        folder = Path(output_dir)
        write_whole(folder / "metrics.csv", self.scores.to_csv(index=False))
        write_whole(folder / "metrics.json", str(self.scores.to_json(orient="records", indent=1)))
        write_whole(folder / JUDGED_FILE, yaml.safe_dump(plain(self._judged()), sort_keys=False, allow_unicode=True))

    def _judged(self) -> dict[str, Any]:
        file = self.file or FileStamp("", "")
        return {
            "title": self.title,
            "synthetic": {"rows": len(self.synthetic), "file": file.name or None, "sha256": file.sha256 or None},
            "train": {"rows": len(self.train)},
            "test": {"rows": len(self.test)},
            "seed": self.seed,
            "fast": self.fast,
        }

    @property
    def others(self) -> list[str]:
        """Names of the further tables that were measured, such as the warm start."""
        columns = list(self.scores.columns)
        return columns[columns.index(REFERENCES[-1]) + 1 : columns.index("note")]


def n_judged(folder: str | Path) -> int:
    """How many synthetic rows the scores in a folder are of; 0 where there are none, or nothing that tells."""
    try:
        judged = yaml.safe_load((Path(folder) / JUDGED_FILE).read_text(encoding="utf-8"))
        return int(judged["synthetic"]["rows"])
    except (OSError, ValueError, yaml.YAMLError, LookupError, TypeError):
        return 0
