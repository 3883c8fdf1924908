import numpy as np
import pandas as pd
import pytest

from rlsyn.evaluation.report.shares import MIN_PEOPLE, bars, histogram, missing_share, number_histogram
from rlsyn.schema import Column

LENGTH = Column("length", "numeric")


def people_in_bins(edges, numbers, persons):
    places = np.clip(np.digitize(numbers, edges) - 1, 0, len(edges) - 2)
    return np.array([len(np.unique(persons[places == place])) for place in range(len(edges) - 1)])


def draws(kind, n=300, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "normal": rng.normal(60, 12, n),
        "heavy tails": rng.standard_cauchy(n) * 1e3,
        "spike at 0": np.where(rng.random(n) < 0.5, 0, rng.lognormal(8, 1, n)),
        "two clusters": np.concatenate([rng.normal(0, 1, n - 4), rng.normal(1e4, 1, 4)]),
        "tiny range": 1e9 + rng.random(n) * 1e-3,
        "constant": np.full(n, 3.5),
        "five people": rng.random(5),
    }[kind]


KINDS = ("normal", "heavy tails", "spike at 0", "two clusters", "tiny range", "constant", "five people")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("rows_per_person", [1, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_no_bin_shows_one_or_two_people(kind, rows_per_person):
    numbers, others = draws(kind), draws(kind, seed=1)
    persons = np.arange(len(numbers)) // rows_per_person
    found = number_histogram(numbers, others, persons)
    if found.real is None:
        assert len(np.unique(persons)) < MIN_PEOPLE
        return
    people = people_in_bins(found.edges, numbers, persons)
    assert not ((people > 0) & (people < MIN_PEOPLE)).any()
    assert found.real.sum() == pytest.approx(1) and found.synthetic.sum() == pytest.approx(1)
    assert ((found.real > 0) == (people > 0)).all()


def test_both_sides_are_protected_where_both_are_real():
    rng = np.random.default_rng(0)
    train, test = rng.gamma(2, 1, 400), rng.gamma(2, 1, 60)
    edges = number_histogram(train, test, np.arange(400), other_persons=np.arange(60) // 2).edges
    for numbers, persons in ((train, np.arange(400)), (test, np.arange(60) // 2)):
        people = people_in_bins(edges, numbers, persons)
        assert not ((people > 0) & (people < MIN_PEOPLE)).any()


@pytest.mark.parametrize("kind", ["normal", "heavy tails", "two clusters"])
def test_edges_are_round_and_no_value_of_a_real_row(kind):
    numbers = draws(kind)
    edges = number_histogram(numbers, np.full(3, np.nan), np.arange(len(numbers))).edges
    assert not np.isin(edges, numbers).any()
    assert all(float(f"{edge:.4g}") == pytest.approx(edge) for edge in edges)


def test_extremes_of_real_rows_do_not_move_the_edges():
    rng = np.random.default_rng(0)
    usual, synthetic = rng.normal(0, 1, 300), rng.normal(0, 1, 300)
    planted = np.concatenate([usual[2:], [987654.321, -123456.789]])
    persons = np.arange(300)
    edges = number_histogram(planted, synthetic, persons).edges
    assert np.abs(edges).max() < 5


def test_bins_of_whole_numbers_hold_equally_many():
    numbers = pd.Series(np.repeat(np.arange(8), 20))
    found = histogram(numbers, numbers, Column("visits", "integer"), np.arange(160))
    assert found.edges.tolist() == [i - 0.5 for i in range(9)]
    np.testing.assert_allclose(found.real, 1 / 8)


def test_a_column_of_two_people_hides_the_real_side():
    found = histogram(pd.Series([1.5, 2.5]), pd.Series([1.0, 2.0, 3.0]), LENGTH, np.arange(2))
    assert found.real is None and found.synthetic.sum() == pytest.approx(1)


def test_an_empty_column_hides_nobody():
    nothing, columns = pd.Series([np.nan] * 40), (LENGTH, Column("smoker", "binary", (0, 1)))
    for column, shares in zip(columns, (histogram, bars), strict=True):
        found = shares(nothing, nothing, column, np.arange(40))
        assert not found.real.any() and not found.synthetic.any()


def site_column(counts):
    return pd.Series([name for name, n in counts.items() for _ in range(n)], dtype=object)


def test_rare_categories_have_no_bar_of_their_own():
    counts = {"north": 50, "south": 30, "west": 2, "island": 1}
    column = Column("site", "categorical", tuple(sorted(counts)))
    real = site_column(counts)
    found = bars(real, real, column, np.arange(len(real)))
    assert found.names == ["north", "south", "other"]
    np.testing.assert_allclose(found.real, np.array([50, 30, 3]) / 83)


def test_one_rare_category_takes_the_next_rarest_with_it():
    counts = {"north": 50, "south": 30, "west": 9, "island": 1}
    column = Column("site", "categorical", tuple(sorted(counts)))
    real = site_column(counts)
    found = bars(real, real, column, np.arange(len(real)))
    assert found.names == ["north", "south", "other"]
    np.testing.assert_allclose(found.real, np.array([50, 30, 10]) / 90)


def test_many_rows_of_one_person_are_one_person():
    real = site_column({"north": 50, "south": 30, "west": 20})
    column = Column("site", "categorical", ("north", "south", "west"))
    persons = np.where(real == "west", -1, np.arange(len(real)))
    assert "west" in bars(real, real, column, np.arange(len(real))).names
    assert "west" not in bars(real, real, column, persons).names


def test_a_binary_column_with_one_carrier_hides_the_real_side():
    real, synthetic = pd.Series([0] * 40 + [1]), pd.Series([0] * 30 + [1] * 10)
    found = bars(real, synthetic, Column("rare", "binary", (0, 1)), np.arange(41))
    assert found.real is None
    assert found.names == ["0", "1"]
    np.testing.assert_allclose(found.synthetic, [0.75, 0.25])


def test_bars_are_shares_of_present_values_with_unknown_ones_as_other():
    real, synthetic = site_column({"a": 6, "b": 4}), site_column({"a": 5, "q": 5})
    real.loc[10:19] = None
    found = bars(real, synthetic, Column("site", "categorical", ("a", "b")), np.arange(len(real)))
    assert found.names == ["a", "b", "other"]
    np.testing.assert_allclose(found.real, [0.6, 0.4, 0])
    np.testing.assert_allclose(found.synthetic, [0.5, 0, 0.5])


@pytest.mark.parametrize(("n_missing", "expected"), [(0, 0.0), (1, None), (2, None), (10, 0.25), (39, None), (40, 1.0)])
def test_missing_share_tells_of_no_single_person(n_missing, expected):
    values = pd.Series([np.nan] * n_missing + [1.0] * (40 - n_missing))
    assert missing_share(values, np.arange(40)) == expected
