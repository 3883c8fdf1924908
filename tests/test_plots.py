import numpy as np
import pandas as pd
import pytest
from evaluation_tables import COLUMNS, SCHEMA
from matplotlib.figure import Figure

from rlsyn.evaluation.report.plots import association_figure, marginals_figure, matrix_figure, overlay_figure


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n_columns", [1, 4, 12])
def test_marginals_figure_shows_the_worst_columns_first(train, synthetic, n_columns, tmp_path):
    worse = synthetic.assign(pressure=synthetic["pressure"] + 50)
    figure = marginals_figure(train, worse, SCHEMA, n_columns, title="SIMULATED cohort")
    assert isinstance(figure, Figure) and "SIMULATED cohort" in figure.get_suptitle()
    assert figure.axes[0].get_title().startswith("pressure  KS")
    assert sum(bool(panel.get_title()) for panel in figure.axes) == min(n_columns, len(COLUMNS))
    figure.savefig(tmp_path / "marginals.png")


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
