import numpy as np
import pandas as pd
import pytest

from rlsyn.evaluation.disclosure import MIN_PEOPLE, hides_numbers, hides_values
from rlsyn.evaluation.report.shares import bars, histogram, missing_share, number_histogram
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
        assert hides_numbers(numbers, persons)
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
def test_edges_are_round_and_not_taken_from_rows(kind):
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


def test_many_rows_of_one_person_do_not_stretch_the_axis():
    rng = np.random.default_rng(0)
    numbers, persons = rng.normal(0, 1, 300), np.arange(300) // 3
    numbers[:3] = 8675309
    zero_inflated = np.where(rng.random(300) < 0.9, 0.0, rng.gamma(2, 10, 300))
    zero_inflated[:3] = 8675309
    for values, limit in ((numbers, 5), (zero_inflated, 500)):
        assert np.abs(number_histogram(values, values[3:], persons).edges).max() < limit
        assert np.abs(number_histogram(values, np.full(3, np.nan), persons).edges).max() < limit


def test_a_few_who_go_astray_do_not_stretch_the_axis_of_zeros():
    # Four people of sixty are beyond what is protected: the axis ends where the distances of the usual ones say.
    numbers = np.concatenate([np.zeros(540), np.linspace(1, 50, 56), [1e6, 2e6, 3e6, 4e6]])
    edges = number_histogram(numbers, numbers, np.arange(600)).edges
    assert 50 <= edges[-1] < 500 and edges[0] <= 0


def test_the_axis_of_zeros_holds_the_other_values():
    numbers = np.concatenate([np.zeros(270), np.full(25, 5.0), np.full(5, 10.0)])
    found = number_histogram(numbers, numbers, np.arange(300))
    assert np.count_nonzero(found.real) == 3


@pytest.mark.parametrize(
    ("counts", "n_rows_per_person", "is_hidden"),
    [
        ({"a": 40, "b": 2}, 1, True),
        ({"a": 40, "b": 3}, 1, False),
        ({"a": 42, "b": 6}, 3, True),
        ({"a": 40}, 1, False),
        ({"a": 40, "b": 2, "c": 1}, 1, False),
        ({"a": 40, "b": 30, "c": 1}, 1, False),
        ({"a": 1, "b": 1, "c": 1}, 1, True),
        ({"a": 2}, 1, True),
    ],
)
def test_bars_hide_the_real_side_where_two_groups_of_three_people_cannot_be_made(counts, n_rows_per_person, is_hidden):
    real = site_column(counts)
    column = Column("site", "categorical", ("a", "b", "c", "d"))
    persons = np.arange(len(real)) // n_rows_per_person
    assert hides_values(real, column, persons) == is_hidden
    for synthetic in (real, site_column({"d": 9, "b": 1})):
        found = bars(real, synthetic, column, persons)
        assert (found.real is None) == is_hidden
        if not is_hidden:
            people = [len(np.unique(persons[real == name])) for name in found.names if name != "other"]
            assert all(n == 0 or n >= MIN_PEOPLE for n in people)
            left = persons[~real.isin(found.names)]
            assert len(left) == 0 or len(np.unique(left)) >= MIN_PEOPLE


@pytest.mark.parametrize(("n_positive", "is_hidden"), [(0, False), (1, True), (2, True), (3, False)])
@pytest.mark.parametrize("kind", ["binary", "numeric", "integer"])
def test_columns_in_which_one_or_two_people_differ_are_hidden(kind, n_positive, is_hidden):
    values = pd.Series([1] * n_positive + [0] * (60 - n_positive))
    column = Column("hiv", kind, (0, 1) if kind == "binary" else ())
    assert hides_values(values, column, np.arange(60)) == is_hidden
    thrice = pd.Series(np.repeat(values.to_numpy(), 3))
    assert hides_values(thrice, column, np.repeat(np.arange(60), 3)) == is_hidden
    known = values.where(values.index < 57)  # what is missing is no value
    assert hides_values(known, column, np.arange(60)) == is_hidden


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
