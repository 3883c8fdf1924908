import re

import numpy as np
import pandas as pd
import pytest
from evaluation_tables import COLUMNS, SCHEMA
from matplotlib.figure import Figure
from sklearn.metrics import roc_auc_score, roc_curve

from rlsyn.evaluation.fidelity import ks_statistics, total_variation
from rlsyn.evaluation.report.curves import attack_figure, detection_figure, distances_figure, roc_figure
from rlsyn.evaluation.report.plots import association_figure, marginals_figure, matrix_figure, overlay_figure


def compared(train, synthetic):
    distances = [one(train, synthetic, SCHEMA) for one in (ks_statistics, total_variation)]
    return train, synthetic, pd.concat(distances)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n_columns", [1, 4, 12])
def test_marginals_figure_shows_the_worst_columns_first(train, synthetic, n_columns, tmp_path):
    worse = synthetic.assign(pressure=synthetic["pressure"] + 50)
    figure = marginals_figure(*compared(train, worse), SCHEMA, n_columns, title="SIMULATED cohort")
    assert isinstance(figure, Figure) and "SIMULATED cohort" in figure.get_suptitle()
    assert figure.axes[0].get_title().startswith("pressure  KS")
    assert sum(bool(panel.get_title()) for panel in figure.axes) == min(n_columns, len(COLUMNS))
    figure.savefig(tmp_path / "marginals.png")


def test_name_of_a_file_is_no_formula(train, synthetic, tmp_path):
    marginals_figure(*compared(train, synthetic), SCHEMA, 1, title="a$^$.csv").savefig(tmp_path / "marginals.png")


def test_titles_keep_the_distance_of_hidden_columns_to_themselves(train, synthetic):
    rare = train.assign(diabetes=0, pressure=80.0)
    rare.loc[0:2, ["diabetes", "pressure"]] = [1, 93.0]  # three rows of one person
    titles = [panel.get_title() for panel in marginals_figure(*compared(rare, synthetic), SCHEMA).axes]
    assert "diabetes  TV not shown" in titles and "pressure  KS not shown" in titles
    assert any(re.match(r"age  KS 0\.\d{3}", title) for title in titles)


@pytest.mark.parametrize("figure", ["roc", "attack"])
@pytest.mark.parametrize("n_rows", [60, 900])
def test_curves_do_not_show_the_steps_of_single_people(figure, n_rows):
    rng = np.random.default_rng(0)
    members, others = rng.normal(0, 1, n_rows), rng.normal(1, 1, n_rows)
    if figure == "attack":
        drawn = attack_figure(members, others)
    else:
        rates = roc_curve(np.repeat([1, 0], n_rows), -np.concatenate([members, others]))
        drawn = roc_figure(None, pd.DataFrame({"false_positive_rate": rates[0], "true_positive_rate": rates[1]}))
    across, up = drawn.axes[0].lines[0].get_data()
    assert np.diff(across[1:]).min() > 2 / n_rows and len(across) <= 102
    assert (across[0], up[0], across[-1], up[-1]) == (0, 0, 1, 1)
    exact = roc_auc_score(np.repeat([1, 0], n_rows), -np.concatenate([members, others]))
    assert np.trapezoid(up, across) == pytest.approx(exact, abs=0.02)


@pytest.mark.parametrize("figure", ["distances", "detection"])
def test_a_bin_of_many_rows_of_one_person_is_no_bin(figure):
    rng = np.random.default_rng(0)
    values, others = rng.uniform(0, 1, 600), rng.uniform(0, 1, 600)
    values[:12] = 0.95 + rng.uniform(0, 0.05, 12)
    values[12:] *= 0.8
    for persons, is_shown in ((np.arange(600), True), (np.maximum(np.arange(600) - 11, 0), False)):
        if figure == "distances":
            drawn = distances_figure(values, others * 0.8, persons, np.arange(600))
        else:
            frame = pd.DataFrame({"is_synthetic": np.arange(1200) >= 600, "score": np.append(values, others * 0.8)})
            drawn = detection_figure(frame, persons)
        edges = drawn.axes[0].patches[0].get_data().edges
        assert (edges[-2] > 0.9) == is_shown


@pytest.mark.filterwarnings("error")
def test_association_figure_has_a_common_and_an_own_scale(train, synthetic, tmp_path):
    figure = association_figure(train, synthetic, SCHEMA, title="SIMULATED cohort")
    limits = [panel.images[0].get_clim() for panel in figure.axes[:3]]
    assert limits[0] == limits[1] == (-1, 1)
    assert limits[2][0] == -limits[2][1] and 0 < limits[2][1] < 1
    assert "SIMULATED cohort" in figure.get_suptitle()
    figure.savefig(tmp_path / "association.png")


@pytest.mark.filterwarnings("error")
def test_large_matrices_are_drawn_in_blocks_that_keep_the_strongest_pair():
    matrix = pd.DataFrame(np.zeros((901, 901)))
    matrix.loc[900, 3], matrix.loc[7, 450] = -0.9, 0.8
    drawn = matrix_figure(matrix).axes[0].images[0].get_array()
    assert drawn.shape == (181, 181)
    assert drawn[180, 0] == -0.9 and drawn[1, 90] == 0.8 and np.count_nonzero(drawn) == 2


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("n_persons", "is_shown"), [(600, True), (2, False)])
def test_overlay_shows_no_cell_of_one_or_two_people(n_persons, is_shown):
    rng = np.random.default_rng(0)
    real, synthetic = rng.normal(0, 1, (600, 2)), rng.normal(0, 1, (600, 2))
    figure = overlay_figure(real, synthetic, np.arange(600) % n_persons, np.array([0.4, 0.2]))
    shares = np.ma.filled(figure.axes[0].collections[0].get_array(), np.nan)
    assert np.isfinite(shares).any() == is_shown
    assert not (shares < 3 / 600).any()
