"""The protocol of arXiv:2512.21395: its splits, numbers, metrics and table."""

import aireadi_release
import numpy as np
import pandas as pd
import pytest
from evaluation_tables import SCHEMA, make_patients, shuffle
from scipy.stats import wasserstein_distance

from rlsyn.benchmark.cells import Cell, plan, run_cell
from rlsyn.benchmark.paper_protocol import COLUMNS, PUBLISHED, column_distances, n_records, relative_dwd, score
from rlsyn.benchmark.results import collect
from rlsyn.benchmark.tables import paper_table
from rlsyn.datasets import load
from rlsyn.methods import configured
from rlsyn.runs import load_dataset
from rlsyn.schema import Schema
from rlsyn.table_options import named_tables


def scores(synthetic, train, test, classifier="svc"):
    return score(train, test, synthetic, SCHEMA, classifier, seed=0).set_index("metric")


def test_splits_are_the_papers():
    tables = {name: {"env": name, "csv": None, "data_dir": None} for name in ("AIREADI-v0", "MIMICIV-v0")}
    aireadi, mimic = plan(tables, configured(["bootstrap"]), [3], protocol="paper")
    dataset = load_dataset({**aireadi.options, "parameters": {"seed": 3}})
    group, label = dataset.schema.group, dataset.schema.label
    people = [side.groupby(group)[label].max() for side in (dataset.train, dataset.test)]
    assert not set(people[0].index) & set(people[1].index)
    assert len(people[1]) / sum(map(len, people)) == pytest.approx(0.1, abs=0.005)
    assert people[1].mean() == pytest.approx(people[0].mean(), abs=0.02)
    dataset = load_dataset({**mimic.options, "parameters": {"seed": 3}})
    assert (len(dataset.train), len(dataset.test)) == (2_800, 1_200)
    assert mimic.options["stratified"] is False


def test_a_release_is_divided_as_its_reader_does_with_the_options_that_are_given(tmp_path):
    aireadi_release.write_release(tmp_path, n_participants=20, n_days=1)
    sizes = []
    for own in ({}, {"split": "random"}):
        given = {"protocol": "paper", **own}
        tables = named_tables([f"AIREADI-v0:{tmp_path}"], [], given)
        (cell,) = plan(tables, configured(["bootstrap"]), [0], protocol="paper")
        found, expected = (
            load_dataset({**cell.options, "parameters": {"seed": 0}}),
            load(*tables, tmp_path, 0, reader_options=given),
        )
        pd.testing.assert_frame_equal(found.test, expected.test)
        sizes.append(len(found.test) / (len(found.train) + len(found.test)))
    assert sizes[0] < 0.25 < sizes[1]


def test_numbers_of_records_are_the_papers():
    assert n_records("AIREADI-v0", "one_step", 4_050, 450) == 5_000
    assert n_records("AIREADI-v0", "emr_wgan", 4_050, 450) == 4_500
    assert n_records("AIREADI-v0", "ctabgan_plus", 4_050, 450) == 4_050
    assert n_records("MIMICIV-v0", "ehrdiff", 126_522, 54_224) == 30_000
    assert n_records("MIMICIV-v0", "emr_wgan", 126_522, 54_224) == 30_000
    assert n_records("MIMICIV-v0", "ehrdiff", 2_800, 1_200) == 2_800
    assert n_records("Table-v0", "rlsyn", 200, 90) == 5_000


def test_scores_tell_a_leak_and_a_table_without_associations(train, test, synthetic):
    fresh, copy, apart = (scores(table, train, test) for table in (synthetic, train, shuffle(train)))
    assert list(fresh.index) == ["S2R AUC", "R2S AUC", "membership AUC", "NMI"]
    assert copy.loc["membership AUC", "value"] == pytest.approx(copy.loc["membership AUC", "real"])
    assert copy.loc["membership AUC", "real"] > 0.99
    assert abs(fresh.loc["membership AUC", "value"] - 0.5) < 0.12
    assert copy.loc["S2R AUC", "value"] == copy.loc["S2R AUC", "real"] == fresh.loc["S2R AUC", "real"]
    assert apart.loc["S2R AUC", "value"] < fresh.loc["S2R AUC", "value"] - 0.1
    assert copy.loc["NMI", "value"] == pytest.approx(0, abs=1e-9) and apart.loc["NMI", "value"] >= 0


def test_r2s_does_not_know_the_test_rows(train, test, synthetic):
    other = test.assign(**{SCHEMA.label: test[SCHEMA.label].to_numpy()[::-1]})
    values = [scores(synthetic, train, side).loc["R2S AUC", "value"] for side in (test, other)]
    assert values[0] == values[1]


def test_records_far_from_everybody_are_not_called_private(train, test, synthetic):
    numeric = [column.name for column in SCHEMA.columns if not column.is_discrete]
    far = synthetic.assign(**{name: synthetic[name].astype(float) + 1e6 for name in numeric})
    # On the paper's grid of thresholds this AUC is 0.
    assert scores(far, train, test).loc["membership AUC", "value"] > 0.3


def test_what_has_no_value_says_why(train, test, synthetic):
    of_one_kind = synthetic.assign(**{SCHEMA.label: synthetic[SCHEMA.label].mode()[0]})
    found = scores(of_one_kind, train, test)
    assert np.isnan(found.loc["R2S AUC", "value"]) and "does not vary" in found.loc["R2S AUC", "note"]
    assert found.loc["S2R AUC", "value"] == 0.5


def test_the_papers_dwd_counts_in_units_of_the_worst(train, synthetic):
    rivals = {"good": synthetic, "bad": synthetic.assign(age=synthetic["age"] + 30), "copy": train}
    schema = Schema(tuple(column for column in SCHEMA.columns if column.name not in ("constant", "empty")))
    dwd = relative_dwd({name: column_distances(train, table, schema) for name, table in rivals.items()})
    expected = dict.fromkeys(rivals, 0.0)
    for column in schema.columns:
        if column.is_discrete:
            shares = train[column.name].value_counts(normalize=True)
            for name, table in rivals.items():
                gaps = table[column.name].value_counts(normalize=True).sub(shares, fill_value=0).abs()
                expected[name] += gaps.sum() / (1 if column.kind == "categorical" else 2)
        else:
            far = {
                name: wasserstein_distance(train[column.name].dropna(), table[column.name].dropna())
                for name, table in rivals.items()
            }
            for name, distance in far.items():
                expected[name] += distance / max(far.values())
    assert dwd == pytest.approx(expected)
    assert dwd["copy"] == 0 and dwd["bad"] > dwd["good"]


def test_table_has_the_papers_columns_and_its_rows_beside_ours():
    methods = ("rlsyn", "one_step", "one_step_long", "emr_wgan")
    rows = [
        {"table": "SIMULATED AIREADI-v0", "env": "AIREADI-v0", "method": method, "seed": seed, "metric": metrics[0]}
        | {"base": method.removesuffix("_long"), "value": 0.5 + 0.01 * seed, "real": 0.9}
        for method in methods
        for seed in (0, 1, 2)
        for metrics in COLUMNS.values()
    ]
    table = paper_table(pd.DataFrame(rows))
    assert list(table) == ["table", "method", "MIA", "S2R", "R2S", "NMI", "DWD"]
    assert list(table["method"]) == [
        *("real rows", "real (published)", "emr_wgan", "EMR-WGAN (published)", "EHRDiff (published)"),
        *("one_step", "one_step_long", "RLSyn (published)", "rlsyn"),
    ]
    of_paper = table.set_index("method").loc["RLSyn (published)"]
    assert of_paper["table"] == "AIREADI-v0" and of_paper["S2R"] == "0.873 ± 0.021" and of_paper["DWD"] == "13.352"
    ours = table[~table["method"].str.endswith("(published)")]
    assert ours["table"].str.startswith("SIMULATED").all()


def test_published_rows_are_the_papers():
    # Table of arXiv:2512.21395v2: MIA, S2R, R2S, NMI, DWD; half-widths behind the slash.
    aireadi = ("real 1.000 .870/.004 - - -", "EMR-WGAN .501/.026 .747/.031 .619/.046 - -")
    aireadi += ("EHRDiff .601/.036 .871/.011 .901/.004 .002 16.441", "RLSyn .544/.030 .873/.021 .868/.011 .001 13.352")
    mimic = ("real .998 .919/.001 - - -", "EMR-WGAN .498/.002 .764/.025 .666/.063 - -")
    mimic += ("EHRDiff .499/.002 .906/.001 .896/.002 .003 2.797", "RLSyn .499/.002 .902/.001 .909/.005 .001 2.073")
    for env, lines in (("AIREADI-v0", aireadi), ("MIMICIV-v0", mimic)):
        assert list(PUBLISHED[env]) == ["real", "emr_wgan", "ehrdiff", "one_step"]
        for (name, values), line in zip(PUBLISHED[env].values(), lines, strict=True):
            expected = [tuple(map(float, text.split("/"))) if text != "-" else () for text in line.split()[1:]]
            assert name == line.split()[0] and list(values) == expected and len(values) == len(COLUMNS)


def test_a_split_without_one_of_the_methods_has_no_dwd(tmp_path):
    path = tmp_path / "patients.csv"
    make_patients(120, 0).to_csv(path, index=False)
    options = {"env": "Table-v0", "csv": str(path), "label": SCHEMA.label, "group": SCHEMA.group, "test_csv": None}
    tables = {"patients": {**options, "drop": [], "data_dir": None}}
    cells = plan(tables, configured(["independent", "bootstrap"]), [0, 1], protocol="paper")
    for cell in cells:
        run_cell(cell, tmp_path)
    (cells[0].folder(tmp_path) / "metrics.csv").unlink()
    results = collect(cells, tmp_path)
    dwd = results[results["metric"] == "DWD (paper)"].set_index(["seed", "method"])
    assert np.isnan(dwd.loc[(0, "bootstrap"), "value"]) and "another method" in dwd.loc[(0, "bootstrap"), "note"]
    assert dwd.loc[1, "value"].notna().all()


def test_a_cell_of_the_protocol_has_what_the_table_needs(tmp_path):
    path = tmp_path / "patients.csv"
    make_patients(300, 0).to_csv(path, index=False)
    options = {"env": "Table-v0", "csv": str(path), "label": SCHEMA.label, "group": SCHEMA.group, "test_csv": None}
    tables = {"patients": {**options, "drop": [], "data_dir": None}}
    cells: list[Cell] = plan(tables, configured(["independent", "bootstrap"]), [0], protocol="paper")
    for cell in cells:
        run_cell(cell, tmp_path)
    results = collect(cells, tmp_path)
    assert set(results["metric"]) == {metrics[0] for metrics in COLUMNS.values()} | {"fit (s)", "sample (s)"}
    assert (paper_table(results).set_index("method").loc["bootstrap"] != "-").all()
    assert len(pd.read_csv(cells[0].folder(tmp_path) / "synthetic.csv")) == 5_000
