"""Self-reported conditions: `clinical_data/condition_occurrence.csv`, a row for each that a participant has."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from rlsyn.datasets.aireadi.release import ACCESS, CLINICAL, Note, Release, information, numbers_of_people, read_columns
from rlsyn.datasets.aireadi.sources import Condition, before_comma
from rlsyn.datasets.simulated_aireadi_columns import LABEL


def read_conditions(release: Release, conditions: Mapping[str, Condition]) -> tuple[pd.DataFrame, list[Note]]:
    """Who has which condition, and what a user must know about that, in sentences.

    The file names only those who have a condition: whoever is not named has none. A condition that it names for nobody
    may stand elsewhere, as marijuana use does in release 3; then the answers yes (1) and no (0) in `observation.csv`
    are read instead, and if there are none either, the column is missing.

    Returns:
        Indexed by participant: per condition 1, 0 or missing, and `has_conditions`, whether the file names the person.

    Raises:
        FileNotFoundError: There is no such file, so that nobody's label is known.
        ValueError: It is no table, lacks a column, holds no rows, or names nobody with type 2 diabetes.
    """
    path = release.root / CLINICAL / "condition_occurrence.csv"
    if not path.is_file():
        raise FileNotFoundError(f"Expected {path}, which says who has type 2 diabetes (the label). {ACCESS}")
    rows = read_columns(path, ("person_id", "condition_source_value"))
    if rows.empty:
        raise ValueError(f"{path} holds no rows, so that nobody's label is known. Download it again.")
    rows["person"] = numbers_of_people(rows["person_id"], path.name)
    rows["condition"] = _conditions_of(rows["condition_source_value"], conditions)
    people = release.people.index
    table = pd.DataFrame(
        {name: people.isin(rows.loc[rows["condition"] == name, "person"]).astype(float) for name in conditions},
        index=people,
    )
    nobody = [name for name in conditions if not table[name].any()]
    if LABEL in nobody:
        raise ValueError(f"{path} names nobody with type 2 diabetes (mhterm_dm2), the label. Is the file complete?")
    answers = _read_answers(release, {name: conditions[name] for name in nobody}) if nobody else None
    if answers is not None:
        table[nobody] = answers
    table["has_conditions"] = people.isin(rows["person"])
    return table, _notes(table, nobody)


def _conditions_of(source_values: pd.Series, conditions: Mapping[str, Condition]) -> pd.Series:
    """Condition of each row, by its code or by how its label begins."""
    code_of = {condition.code: name for name, condition in conditions.items() if condition.code}
    found = {}
    for text in source_values.dropna().unique():
        label = text.split(",", 1)[-1].strip().lower().replace("type 2", "type ii")
        by_label = (name for name, condition in conditions.items() if label.startswith(condition.label))
        found[text] = code_of.get(before_comma(text)) or next(by_label, None)
    return source_values.map(found)


def _read_answers(release: Release, conditions: Mapping[str, Condition]) -> pd.DataFrame:
    """Answers to the questions for these conditions: 1, 0, or missing where there is none."""
    path = release.root / CLINICAL / "observation.csv"
    answers = pd.DataFrame(np.nan, release.people.index, list(conditions))
    if not path.is_file():
        return answers
    rows = read_columns(path, ("person_id", "observation_source_value"), ("value_as_number",))
    rows["condition"] = _conditions_of(rows["observation_source_value"], conditions)
    rows = rows[rows["condition"].notna()]
    if rows.empty or "value_as_number" not in rows:
        return answers
    rows["person"] = numbers_of_people(rows["person_id"], path.name)
    rows["value"] = pd.to_numeric(rows["value_as_number"], errors="coerce")
    rows = rows[rows["value"].isin((0, 1))]
    said = rows.pivot_table(index="person", columns="condition", values="value", aggfunc="max")
    return said.reindex(index=answers.index, columns=answers.columns).astype(float)


def _notes(table: pd.DataFrame, nobody: list[str]) -> list[Note]:
    unknown = [name for name in nobody if table[name].isna().all()]
    answered = [name for name in nobody if name not in unknown]
    notes = []
    if answered:
        told = f"condition_occurrence.csv names nobody with {', '.join(answered)}: taken from the answers in observation.csv."
        notes.append(information(told))
    if unknown:
        told = f"The release names nobody with {', '.join(unknown)}, and holds no answer no: these columns are missing values. "
        notes.append(Note(told + "It may spell them otherwise."))
    return notes
