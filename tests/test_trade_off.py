"""The privacy-utility curve: knobs become methods of a benchmark, and their points a line."""

from inspect import signature
from types import SimpleNamespace

import pandas as pd
import pytest

from rlsyn.benchmark import cells as benchmark
from rlsyn.benchmark.figures import trade_off_figure
from rlsyn.benchmark.trade_off import DEFAULT, KNOBS, MEMBERSHIP, UTILITY, curves, points, variants
from rlsyn.methods import Variant, make_method
from rlsyn.synthesizer import RLSyn
from rlsyn.warm_start import behaviour_clone

SWEPT = {"privacy": [3.0, 1.0], "temperature": [0.8, 1.2]}


def results_of(values: dict[str, list[tuple[float, float]]]) -> pd.DataFrame:
    """Utility and membership by method and seed."""
    rows = [
        {"table": "t", "method": method, "base": method if method in ("independent", "bootstrap") else "rlsyn",
         "seed": seed, "metric": metric, "value": value, "real": 0.9}
        for method, of_seeds in values.items()
        for seed, pair in enumerate(of_seeds)
        for metric, value in zip(("S2R AUC", "membership AUC"), pair, strict=True)
    ]  # fmt: skip
    return pd.DataFrame(rows)


RESULTS = {
    DEFAULT: [(0.90, 0.55), (0.92, 0.56), (0.91, 0.57)],
    "privacy_1": [(0.89, 0.53), (0.90, 0.54), (0.88, 0.52)],
    "privacy_3": [(0.85, 0.51), (0.86, 0.52), (0.84, 0.50)],
    "bootstrap": [(0.95, 0.99), (0.95, 0.98), (0.95, 1.00)],
}


def test_curves_rise_in_their_knob_and_all_go_through_the_default():
    assert curves(SWEPT) == {
        "privacy": {DEFAULT: 0.0, "privacy_1": 1.0, "privacy_3": 3.0},
        "temperature": {"temperature_0.8": 0.8, DEFAULT: 1.0, "temperature_1.2": 1.2},
    }


def test_every_point_is_a_method_of_its_own_but_the_default_only_once():
    names = [variant.name for variant in variants({**SWEPT, "epochs": [300.0, 5.0]})]
    assert names == ["privacy_1", "privacy_3", "epochs_5", "temperature_0.8", "temperature_1.2"]
    found = {variant.name: dict(variant.parameters) for variant in variants({**SWEPT, "epochs": [5.0]})}
    assert found["privacy_3"] == {"reward_weights": {"privacy": 3.0}}
    assert found["epochs_5"] == {"warm_start_kwargs": {"n_epochs": 5}}
    (more,) = variants({"records": [3.0]})
    assert (more.name, more.parameters, more.records) == ("records_3", {}, 3.0)


@pytest.mark.parametrize("knob", KNOBS, ids=lambda knob: knob.name)
def test_defaults_of_the_knobs_are_those_of_rlsyn_and_all_values_are_taken(knob):
    for value in knob.swept:
        RLSyn(**knob.variant(value).parameters)
    default = RLSyn()
    if knob.name == "privacy":
        assert default.reward_weights["privacy"] == knob.default
    elif knob.name == "temperature":
        assert default.temperature == knob.default
    elif knob.name == "records":
        assert {knob.variant(value).records for value in knob.swept} == set(knob.swept)
        assert Variant("rlsyn", "rlsyn").records == knob.default
    else:
        assert signature(behaviour_clone).parameters[knob.path[-1]].default == knob.default


@pytest.mark.parametrize("values", [[1.0, 1.0], [-1.0]], ids=["twice", "negative"])
def test_impossible_values_are_refused(values):
    with pytest.raises(ValueError, match="--privacy must be different and not below 0"):
        curves({"privacy": values})


def test_no_records_are_refused():
    with pytest.raises(ValueError, match=r"--records must be above 0, got \[0.0\]"):
        curves({"records": [0.0]})


def test_fractions_of_what_is_counted_are_refused():
    with pytest.raises(ValueError, match=r"--epochs must be whole numbers, got \[2.5\]"):
        curves({"epochs": [5.0, 2.5]})


def test_points_are_means_with_intervals_by_knob_and_value():
    found = points(results_of(RESULTS), curves({"privacy": [1.0, 3.0]}))
    assert found["method"].tolist() == [DEFAULT, "privacy_1", "privacy_3", "bootstrap"]
    assert found["knob"].tolist() == ["privacy"] * 3 + [""]
    row = found.set_index("method").loc["privacy_1"]
    assert row["S2R"] == pytest.approx(0.89)
    assert row["membership AUC ±"] == pytest.approx(4.303 * 0.01 / 3**0.5, rel=1e-3)


def test_figure_draws_a_line_through_the_points_of_a_knob_and_writes_their_values():
    figure = trade_off_figure(results_of(RESULTS), curves({"privacy": [1.0, 3.0]}))
    (panel,) = figure.axes
    (line,) = [line for line in panel.get_lines() if line.get_label() == "privacy"]
    assert line.get_xydata().round(3).tolist() == [[0.06, 0.91], [0.03, 0.89], [0.01, 0.85]]
    assert {"1", "3"} <= {text.get_text() for text in panel.texts}
    legend = {text.get_text() for text in figure.legends[0].get_texts()}
    assert {"privacy", DEFAULT, "bootstrap"} <= legend and "privacy_1" not in legend


def test_command_leaves_figure_table_and_page_and_goes_on(load_script, csv, tmp_path, capsys, monkeypatch):
    # Training and scores are tested elsewhere; here others stand in their place.
    monkeypatch.setattr(benchmark, "make_method", lambda name, _: make_method("independent", {}))
    scores = [{"family": "utility", "metric": metric, "value": 0.7, "real": 0.8} for metric in (*UTILITY, MEMBERSHIP)]
    monkeypatch.setattr(benchmark, "evaluate", lambda *_, **__: SimpleNamespace(scores=pd.DataFrame(scores)))
    script, out = load_script("trade_off"), tmp_path / "out"
    command = ["--csv", f"{csv}:died", "--privacy", "2", "--epochs", "--temperature", "--records", "0.5", "3"]
    command += ["--fast", "-o", str(out)]
    assert script.main(command) == 0
    table = pd.read_csv(out / "trade_off.csv")
    assert table["method"].tolist() == [
        DEFAULT,
        "privacy_2",
        "records_0.5",
        DEFAULT,
        "records_3",
        "independent",
        "bootstrap",
    ]
    cells = {path.parents[1].name: len(pd.read_csv(path)) for path in out.glob("cells/*/*/*/synthetic.csv")}
    assert (cells["records_0.5"], cells["records_3"]) == (round(0.5 * cells[DEFAULT]), 3 * cells[DEFAULT])
    assert (out / "trade_off.png").stat().st_size > 10_000
    page = (out / "trade_off.md").read_text()
    assert "| patients | privacy_2 |" in page and "- Versions: commit " in page
    assert "Hyper-parameters on patients: not searched there" in page
    capsys.readouterr()
    monkeypatch.setattr(benchmark, "make_method", lambda *_: pytest.fail("A finished cell was run again."))
    assert script.main(command) == 0
    assert "6 of 6 cells" in capsys.readouterr().out


def test_command_without_a_table_is_refused_in_a_line(load_script, tmp_path, capsys):
    assert load_script("trade_off").main(["-o", str(tmp_path / "out")]) == 2
    assert "Expected --env ID" in capsys.readouterr().err


def test_all_stands_for_all_methods_beside_those_that_are_always_drawn(load_script, csv, tmp_path, monkeypatch):
    script, drawn = load_script("trade_off"), []
    monkeypatch.setattr(script, "usable_methods", lambda: (DEFAULT, "independent", "sequential_trees"))
    monkeypatch.setattr(script, "plan", lambda tables, methods, *_, **__: drawn.extend(methods) or [])
    monkeypatch.setattr(script, "run_cells", lambda *_, **__: None)
    monkeypatch.setattr(script, "_report", lambda *_: 0)
    command = ["--csv", f"{csv}:died", *("--privacy", "--epochs", "--temperature", "--records"), "--methods", "all"]
    assert script.main([*command, "-o", str(tmp_path / "out")]) == 0
    assert [variant.name for variant in drawn] == [DEFAULT, "independent", "bootstrap", "sequential_trees"]
