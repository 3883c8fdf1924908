"""What every method's records are asked, of those that ship and those whose library a user may install; and settings."""

from pathlib import Path

import numpy as np
import pandas as pd

from rlsyn.methods import read_variants
from rlsyn.schema import infer_schema

_FILE = Path(__file__).parents[1] / "experiments" / "variants" / "published.yaml"
PUBLISHED = {variant.name: dict(variant.parameters) for variant in read_variants(_FILE)}
"""By name the arguments of the papers."""


def check_records(synthetic, patients):
    """Records have the columns, kinds, categories, decimals and constant values of the invented patients."""
    schema = infer_schema(patients, label="died")
    assert list(synthetic.columns) == schema.names
    assert synthetic.index.equals(pd.RangeIndex(len(synthetic)))
    schema.validate(synthetic)
    written = infer_schema(pd.concat([synthetic, patients]))
    assert [column.kind for column in written.columns] == [column.kind for column in infer_schema(patients).columns]
    assert np.allclose(synthetic["age"], synthetic["age"].round(1)) and (synthetic["n_visits"].dropna() % 1 == 0).all()
    assert synthetic["never_measured"].isna().all() and (synthetic["country"] == "CH").all()


def check_quiet(make, patients, folder, capfd):
    """Fitting and drawing print nothing, leave the table as it was and write nothing into the working folder."""
    before = patients.copy()
    make().fit(patients, label="died").sample(5)
    pd.testing.assert_frame_equal(patients, before)
    assert list(folder.iterdir()) == []
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""
