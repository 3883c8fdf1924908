import pytest
from evaluation_tables import COLUMNS, SCHEMA
from matplotlib.figure import Figure

from rlsyn.evaluation.plots import association_figure, marginals_figure


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
