"""The table of AI-READI that is kept for the next run, and who may read what it tells."""

import logging
import os
import shutil
import stat
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rlsyn.datasets import aireadi
from rlsyn.datasets.aireadi import AireadiOptions, read_aireadi

PLAIN = AireadiOptions(cache=False, n_readers=1)


def options_with_cache(**changes) -> AireadiOptions:
    return AireadiOptions(n_readers=1, **changes)


def test_the_table_is_kept_and_read_again(release_dir, caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    first = read_aireadi(release_dir, options_with_cache())
    told = [record.message for record in caplog.records]
    (kept,) = (release_dir / ".rlsyn_cache").iterdir()
    caplog.clear()

    def read_anew(*args):
        raise AssertionError("The release is read again.")

    monkeypatch.setattr(aireadi, "assemble", read_anew)
    again = read_aireadi(release_dir, options_with_cache())
    pd.testing.assert_frame_equal(again.table, first.table)
    assert (again.schema, again.source, again.licence) == (first.schema, first.source, first.licence)
    assert again.schema.constraints == first.schema.constraints
    assert f"read from {kept}" in caplog.records[0].message
    assert [record.message for record in caplog.records[1:]] == told


CHANGES = {
    "another unit": lambda root: options_with_cache(unit="participant"),
    "another option": lambda root: options_with_cache(with_bmi=True),
    "another version": lambda root: described(root / "dataset_description.json"),
    "a table of the release": lambda root: touch(root / "clinical_data" / "measurement.csv"),
    "a manifest": lambda root: touch(root / "cardiac_ecg" / "manifest.tsv"),
    "a stream that is gone": lambda root: gone(root / "wearable_activity_monitor" / "sleep"),
    "a file that came": lambda root: made(root / "wearable_activity_monitor/stress/garmin_vivosmart5/1999"),
    "a header of an ECG": lambda root: touch(next((root / "cardiac_ecg").rglob("*.hea"))),
    "a stream rewritten in place": lambda root: touch(next((root / "wearable_blood_glucose").rglob("*_DEX.json"))),
    "a stream that grew at the same time": lambda root: grown(next(root.rglob("*_heartrate.json"))),
}


def touch(path: Path) -> AireadiOptions:
    os.utime(path, (1, 1))
    return options_with_cache()


def described(path: Path) -> AireadiOptions:
    path.write_text('{"version": "3.1.0"}')
    return options_with_cache()


def gone(path: Path) -> AireadiOptions:
    shutil.rmtree(path)
    return options_with_cache()


def made(path: Path) -> AireadiOptions:
    path.mkdir()
    (path / "1999_stress.json").write_text("")
    return options_with_cache()


def grown(path: Path) -> AireadiOptions:
    status = path.stat()
    path.write_text(path.read_text() + " ")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    return options_with_cache()


@pytest.mark.parametrize("change", CHANGES)
def test_another_release_or_option_is_read_anew(release_dir, change):
    read_aireadi(release_dir, options_with_cache())
    read_aireadi(release_dir, CHANGES[change](release_dir))
    assert len(list((release_dir / ".rlsyn_cache").iterdir())) == 2


def test_a_link_to_what_was_not_downloaded_is_no_error(release_dir):
    path = next((release_dir / "wearable_activity_monitor" / "sleep").rglob("*.json"))
    path.unlink()
    path.symlink_to(release_dir / "absent")
    assert len(read_aireadi(release_dir, options_with_cache()).table) == 3


@pytest.mark.skipif(os.name != "posix", reason="modes of files are those of POSIX")
def test_only_its_owner_may_read_the_kept_table(release_dir, monkeypatch):
    modes = []
    written = pd.DataFrame.to_parquet

    def to_parquet(table, path, **kwargs):
        modes.append(stat.S_IMODE(Path(path).stat().st_mode))
        return written(table, path, **kwargs)

    monkeypatch.setattr(pd.DataFrame, "to_parquet", to_parquet)
    before = os.umask(0)
    try:
        read_aireadi(release_dir, options_with_cache())
    finally:
        os.umask(before)
    folder = release_dir / ".rlsyn_cache"
    (kept,) = folder.iterdir()
    modes += [stat.S_IMODE(kept.stat().st_mode), stat.S_IMODE(folder.stat().st_mode)]
    assert [oct(mode) for mode in modes] == ["0o600", "0o600", "0o700"]


def test_a_kept_table_that_is_broken_is_read_anew(release_dir):
    first = read_aireadi(release_dir, options_with_cache())
    (kept,) = (release_dir / ".rlsyn_cache").iterdir()
    kept.write_bytes(b"PAR1")
    pd.testing.assert_frame_equal(read_aireadi(release_dir, options_with_cache()).table, first.table)
    assert pd.read_parquet(kept).shape == (3, 109)


def test_the_table_is_kept_elsewhere_or_nowhere(release_dir, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    read_aireadi(release_dir, options_with_cache(cache_dir=tmp_path / "kept"))
    assert len(list((tmp_path / "kept").iterdir())) == 1
    assert read_aireadi(release_dir, PLAIN).table.shape == (3, 109)
    (tmp_path / "file").write_text("no folder")
    cohort = read_aireadi(release_dir, options_with_cache(cache_dir=tmp_path / "file"))
    assert cohort.table.shape == (3, 109) and "The table is not kept for the next run" in caplog.text
    assert not (release_dir / ".rlsyn_cache").exists()


def test_without_pyarrow_the_table_is_not_kept(release_dir, monkeypatch, caplog):
    def absent(*args, **kwargs):
        raise ImportError("pyarrow")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", absent)
    caplog.set_level(logging.INFO)
    assert np.isfinite(read_aireadi(release_dir, options_with_cache()).table["heart_rate_mean"]).all()
    assert "needs pyarrow" in caplog.text


@pytest.mark.parametrize("unit", ["day", "participant"])
def test_files_that_are_none_are_counted_by_stream_without_a_participant(release_dir, caplog, unit):
    """Neither the log nor the table that is kept holds a number of a participant beside the rows."""
    caplog.set_level(logging.INFO)
    (release_dir / "wearable_blood_glucose/continuous_glucose_monitoring/dexcom_g6/1001/1001_DEX.json").write_text(
        '{"body": {"cgm": null}}'
    )
    for person in (1001, 4002):
        path = release_dir / f"wearable_activity_monitor/sleep/garmin_vivosmart5/{person}/{person}_sleep.json"
        path.write_text("")
    read_aireadi(release_dir, options_with_cache(unit=unit))
    told = "left out: 3 (sleep 2, glucose 1). The first: glucose: not as expected ('cgm' must be a list, got NoneType)."
    assert told in caplog.text
    (kept,) = (release_dir / ".rlsyn_cache").iterdir()
    for text in (caplog.text, str(pd.read_parquet(kept).attrs)):
        assert "glucose: not as expected" in text
        assert not any(person in text for person in ("1001", "4002", "7003"))
