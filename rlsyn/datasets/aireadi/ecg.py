"""Twelve-lead ECG: intervals and axes of `cardiac_ecg/manifest.tsv`, and the verdict in the WFDB header (`.hea`)."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from rlsyn.datasets.aireadi.options import EcgChoice
from rlsyn.datasets.aireadi.release import ID_COLUMNS, Note, Release, numbers_of_people, read_columns
from rlsyn.datasets.simulated_aireadi_columns import ECG_FLAGS, ECG_NAMES

MANIFEST = Path("cardiac_ecg") / "manifest.tsv"

_NUMBERS = dict(zip(("Rate", "PR", "QRSD", "QT", "QTc", "P", "QRS", "T"), ECG_NAMES, strict=True))
"""P, QRS and T are axes in degrees."""
_VERDICTS = {"ABNORMAL": "ecg_abnormal", "BORDERLINE": "ecg_borderline", "NORMAL": "ecg_normal"} | {
    "OTHERWISE NORMAL": "ecg_otherwise_normal"
}
_BY_SEVERITY = ("ecg_abnormal", "ecg_borderline", "ecg_normal", "ecg_otherwise_normal")
"""As the code of arXiv:2512.21395 ranks them: it means to prefer the normal and prefers the abnormal."""


def read_ecg(release: Release, choice: EcgChoice) -> tuple[pd.DataFrame, list[Note]]:
    """One ECG per participant, and what a user must know about that, in sentences.

    ECGs with a QTc of 0, or with neither QT nor QTc, are left out. Of several the one lying flattest (0, 30, 60 degrees)
    is taken; of these

    - `earliest`: the earliest by the date in its header, else the first in the manifest;
    - `abnormal`: as the code of arXiv:2512.21395, the most abnormal, then the most complete, then the longest QTc.

    Returns:
        Indexed by participant: `ECG_NAMES`, and `ECG_FLAGS` (1 for the verdict, 0 for the others; missing without one).

    Raises:
        ValueError: The manifest is no table, or lacks a column.
    """
    people = release.people.index
    columns = [*ECG_NAMES, *ECG_FLAGS]
    path = release.root / MANIFEST
    ecgs = _read_manifest(path) if path.is_file() else None
    if ecgs is None or ecgs.empty:
        note = f"{path} {'is absent' if ecgs is None else 'holds no rows'}: the {len(columns)} columns of the ECG are missing values."
        return pd.DataFrame(np.nan, people, columns), [Note(note)]
    ecgs = ecgs[ecgs["person"].isin(people) & ~_is_broken(ecgs)].reset_index(drop=True)
    headers = [_read_header(release.root, file) for file in ecgs["wfdb_hea_filepath"].fillna("")]
    ecgs["verdict"] = [header[0] for header in headers]
    ecgs["recorded"] = pd.to_datetime(pd.Series([header[1] for header in headers], dtype=object), errors="coerce")
    for flag in ECG_FLAGS:
        ecgs[flag] = (ecgs["verdict"] == flag).astype(float).where(ecgs["verdict"].notna())
    chosen = _in_order(ecgs, choice).groupby("person", sort=True).head(1).set_index("person")
    table = chosen.reindex(people)[columns].astype(float)
    n_without = int(chosen["verdict"].isna().sum())
    note = f"{n_without:,} of {len(chosen):,} chosen ECGs have no readable verdict in their .hea file: missing."
    return table, [Note(note)] if n_without else []


def _read_manifest(path: Path) -> pd.DataFrame:
    required = ("wfdb_hea_filepath", "participant_position", *_NUMBERS)
    table = read_columns(path, required, ID_COLUMNS, sep="\t")
    column = next((name for name in ID_COLUMNS if name in table), None)
    if column is None:
        raise ValueError(f"{path} must have a column person_id or participant_id, got {list(table)}.")
    table["person"] = numbers_of_people(table[column], path.name)
    table["position"] = pd.to_numeric(table["participant_position"].str.extract(r"(\d+)")[0], errors="coerce")
    for source, name in _NUMBERS.items():
        table[name] = pd.to_numeric(table[source], errors="coerce")
    return table


def _is_broken(ecgs: pd.DataFrame) -> pd.Series:
    return (ecgs["ecg_qtc"] == 0) | (ecgs["ecg_qtc"].isna() & ecgs["ecg_qt"].isna())


def _in_order(ecgs: pd.DataFrame, choice: EcgChoice) -> pd.DataFrame:
    """ECGs with those first that are to be taken; `sort_values` is stable, so the manifest decides what is left."""
    if choice == "earliest":
        return ecgs.sort_values(["position", "recorded"], kind="stable", na_position="last")
    ranked = ecgs.assign(
        severity=ecgs["verdict"].map({flag: rank for rank, flag in enumerate(_BY_SEVERITY)}),
        n_missing=ecgs[list(ECG_NAMES)].isna().sum(axis=1),
        shortness=-ecgs["ecg_qtc"],
    )
    return ranked.sort_values(["position", "severity", "n_missing", "shortness"], kind="stable", na_position="last")


def _read_header(root: Path, file: str) -> tuple[str | None, str | None]:
    """Verdict and date of a WFDB header; None for what it does not say. Paths begin with a slash at the root."""
    path = root / file.lstrip("/")
    try:
        text = path.read_text(encoding="utf-8", errors="replace") if file else ""
    except OSError:
        return None, None
    fields = dict(re.findall(r"^#\s*([^:\n]+?)\s*:[ \t]*(.*?)\s*$", text, flags=re.MULTILINE))
    verdict = re.sub(r"[-\s]*\bECG\b[-\s]*$|^[-\s]+", "", fields.get("interpretation_comment_2", "")).strip()
    return _VERDICTS.get(verdict.upper()), fields.get("validation_date") or None
