"""AI-READI: the reader of the release as it lies on disk, and the simulated cohort in its place."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import numpy as np
import pandas as pd

from rlsyn.datasets.aireadi.assembly import assemble, extra_columns
from rlsyn.datasets.aireadi.cache import cache_path, read_cache, write_cache
from rlsyn.datasets.aireadi.options import AireadiOptions
from rlsyn.datasets.aireadi.release import Note, Release, open_release
from rlsyn.datasets.aireadi.schema import fitted_schema, typed
from rlsyn.datasets.aireadi.wearables import devices_of
from rlsyn.datasets.dataset import Cohort
from rlsyn.datasets.simulated_aireadi import aireadi_schema, simulate_aireadi
from rlsyn.datasets.simulated_aireadi_columns import GROUP

__all__ = ["AireadiOptions", "aireadi_licence", "read_aireadi", "simulated_aireadi"]

TEST_SIZES = {"random": 0.3, "paper": 0.1, "recommended": 0.3}
"""Share of the participants held out; where the release recommends its own, no share is used."""

_log = logging.getLogger(__name__)


def simulated_aireadi() -> Cohort:
    """SIMULATED: the 108-column table of patient-days."""
    source = "SIMULATED, no real patient: modelled on the AI-READI table of arXiv:2512.21395."
    return Cohort(simulate_aireadi(), aireadi_schema(), source, simulated=True)


def aireadi_licence(data_dir: Path) -> str:
    """What binds whoever uses a release, or what is derived from it; told before the long reading.

    Raises:
        FileNotFoundError: As `read_aireadi`.
    """
    return _licence(open_release(Path(data_dir)))


def read_aireadi(data_dir: Path, options: AireadiOptions, progress_bar: bool = False) -> Cohort:
    """The rows of a release of AI-READI (1, 2 or 3), with the columns of the simulated cohort.

    Raises:
        FileNotFoundError: The folder is not the root of a release; the message says what was looked for, what is there,
            and where to get access.
        ValueError: A table of the release cannot be read, or no row is left.
    """
    release = open_release(Path(data_dir))
    table, notes = (
        _cached(release, options, progress_bar) if options.cache else assemble(release, options, progress_bar)
    )
    by_day = options.unit == "day"
    schema, of_schema = fitted_schema(table, extra_columns(options), by_day)
    for note in (*notes, *of_schema):
        _log.log(note.level, note.text)
    if options.with_hba1c:
        _log.warning("hba1c defines diabetes: models that learn the label from it look better than they are.")
    return Cohort(
        typed(table, schema),
        schema,
        _source(release, options, table),
        licence=_licence(release),
        in_test=_in_test(release, table) if options.split == "recommended" else None,
        test_size=TEST_SIZES[options.split],
    )


def _cached(release: Release, options: AireadiOptions, progress_bar: bool) -> tuple[pd.DataFrame, list[Note]]:
    path = cache_path(release, options, devices_of(release.root))
    found = read_cache(path)
    if found is None:
        found = assemble(release, options, progress_bar)
        write_cache(path, *found)
    else:
        _log.info("The table was assembled before and is read from %s (--no-cache reads the release again).", path)
    return found


def _in_test(release: Release, table: pd.DataFrame) -> np.ndarray:
    """Rows of those whom the release recommends for the test; its own validation people are trained on.

    Raises:
        ValueError: The release recommends nobody, or nobody in this table.
    """
    if "recommended_split" not in release.people:
        raise ValueError("participants.tsv has no column recommended_split. Use --split random.")
    split = table[GROUP].map(release.people["recommended_split"].str.strip().str.lower())
    in_test = (split == "test").to_numpy()
    if in_test.all() or not in_test.any():
        raise ValueError(
            f"The recommended split leaves {int((~in_test).sum())} rows to train on and {int(in_test.sum())} to test. "
            "Use --split random."
        )
    return np.asarray(in_test)


def _source(release: Release, options: AireadiOptions, table: pd.DataFrame) -> str:
    rows = "days of" if options.unit == "day" else "rows, one each of"
    changed = ", ".join(
        f"{field.name} = {value}"
        for field in dataclasses.fields(options)
        if field.name not in ("cache", "cache_dir", "n_readers")
        and (value := getattr(options, field.name)) != field.default
    )
    return (
        f"AI-READI release {release.version}: {len(table):,} {rows} {table[GROUP].nunique():,} of its "
        f"{len(release.people):,} participants{f'; {changed}' if changed else ''}."
    )


def _licence(release: Release) -> str:
    document = "10.5281/zenodo.17555036" if release.is_v3 else "10.5281/zenodo.10642459"
    return (
        f"AI-READI data licence (doi:{document}): only for research related to type 2 diabetes; no attempt to re-identify "
        "anyone; synthetic records made from these data, and models trained on them, are derived data under the same "
        "licence and must not be passed on freely; no upload to services outside systems that your institution manages."
    )
