"""Files that grow over several runs."""

import pandas as pd

from rlsyn.files import rows_kept


def test_rows_beyond_where_a_run_goes_on_are_dropped_and_the_others_kept_once(tmp_path):
    path = tmp_path / "progress.csv"
    pd.DataFrame({"step": [1, 2, 3, 2], "loss": [0.4, 0.3, 0.2, 0.25]}).to_csv(path, index=False)
    with rows_kept(path, "step", last=2):
        assert not path.exists()
        pd.DataFrame({"step": [3, 4], "loss": [0.1, 0.0], "more": [1, 2]}).to_csv(path, index=False)
    table = pd.read_csv(path)
    assert table["step"].tolist() == [1, 2, 3, 4] and table["loss"].tolist() == [0.4, 0.25, 0.1, 0.0]
    assert [found.name for found in tmp_path.iterdir()] == ["progress.csv"]


def test_nothing_is_kept_where_a_run_begins_anew(tmp_path):
    path = tmp_path / "progress.csv"
    path.write_text("step\n1\n2\n")
    with rows_kept(path, "step", last=0):
        path.write_text("step\n1\n")
    assert path.read_text() == "step\n1\n"
