"""Levels of one column: laws that hold for any values, and what is kept exactly."""

import json
import re
from itertools import chain

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from rlsyn.levels import CategoryLevels, QuantileLevels
from rlsyn.schema import infer_column

N_LEVELS = 32
SEEDS = range(5)


def with_spike(rng, values, share=0.4):
    return np.where(rng.random(len(values)) < share, 0.0, values)


def ages_with_thirds(rng, n):
    ages = rng.integers(20, 90, n).astype(float)
    ages[rng.choice(n, n // 50, replace=False)] += 1 / 3
    return ages


INVENTED = {
    "integers": lambda rng, n: rng.integers(0, 1000, n).astype(float),
    "negative integers": lambda rng, n: rng.integers(-5000, -10, n).astype(float),
    "skewed counts": lambda rng, n: rng.negative_binomial(1, 0.05, n).astype(float),
    "measurements": lambda rng, n: rng.normal(120, 15, n).round(1),
    "around zero": lambda rng, n: rng.normal(0, 1, n).round(2),
    "unrounded": lambda rng, n: rng.normal(0, 1, n),
    "heavy tail": lambda rng, n: rng.lognormal(3, 2, n).round(2),
    "heavy tails on both sides": lambda rng, n: rng.standard_cauchy(n).round(3),
    "few values": lambda rng, n: rng.choice([0.5, 1.0, 2.5, 7.25], n),
    "as many values as levels": lambda rng, n: rng.permutation(np.arange(n) % N_LEVELS).astype(float),
    "one value more than levels": lambda rng, n: rng.permutation(np.arange(n) % (N_LEVELS + 1)).astype(float),
    "spike at zero": lambda rng, n: with_spike(rng, rng.lognormal(8, 1, n).round()),
    "spike and unrounded": lambda rng, n: with_spike(rng, rng.gamma(2, 3, n)),
    "nearly constant": lambda rng, n: with_spike(rng, rng.normal(5, 1, n).round(3), 0.97),
    "constant": lambda rng, n: np.full(n, 3.5),
    "tiny decimals": lambda rng, n: (rng.gamma(2, 1, n) * 1e-6).round(8),
    "tiny and unrounded": lambda rng, n: rng.gamma(2, 1, n) * 1e-12,
    "huge": lambda rng, n: rng.normal(0, 1, n) * 1e15,
    "huge integers": lambda rng, n: rng.integers(10**9, 10**13, n).astype(float),
    "thousands": lambda rng, n: rng.integers(50, 450, n) * 1000.0,
    "thousands, a few finer": lambda rng, n: np.where(rng.random(n) < 0.95, 1000.0, 10.0) * rng.integers(50, 450, n),
    "halves": lambda rng, n: rng.integers(0, 400, n) / 2,
    "mixed precision": lambda rng, n: np.where(
        rng.random(n) < 0.7, rng.normal(60, 9, n).round(), rng.normal(60, 9, n).round(2)
    ),
    "ages with a few thirds": ages_with_thirds,
    "ages with a few rounded thirds": lambda rng, n: ages_with_thirds(rng, n).round(2),
    "two far apart heaps": lambda rng, n: np.where(
        rng.random(n) < 0.5, rng.normal(-1e6, 1, n), rng.normal(1e6, 1, n)
    ).round(1),
    "with missing": lambda rng, n: np.where(rng.random(n) < 0.2, np.nan, rng.normal(80, 9, n).round(1)),
    "integers with missing": lambda rng, n: np.where(rng.random(n) < 0.2, np.nan, rng.integers(0, 300, n)),
    "all missing": lambda rng, n: np.full(n, np.nan),
}


def invent(name: str, seed: int, n: int = 600) -> pd.Series:
    return pd.Series(INVENTED[name](np.random.default_rng(seed), n), name="x")


def fit(values: pd.Series, n_levels: int = N_LEVELS, people=None, **kwargs) -> QuantileLevels:
    people = np.arange(len(values)) if people is None else people
    # A quantity with two values counts as binary: here it is asked for as a number.
    return QuantileLevels.fit(infer_column(values, keep_integer=True), values, people, n_levels, **kwargs)


@pytest.mark.parametrize("name", INVENTED)
def test_levels_survive_decoding_and_encoding(name):
    for seed in SEEDS:
        values = invent(name, seed)
        levels = fit(values)
        codes = levels.encode(values)
        for draw in range(3):
            decoded = levels.decode(codes, np.random.default_rng(draw))
            np.testing.assert_array_equal(levels.encode(decoded), codes)


@pytest.mark.parametrize("name", INVENTED)
def test_decode_stays_in_the_range_and_the_decimals_of_training(name):
    for seed in SEEDS:
        values = invent(name, seed)
        levels = fit(values)
        decoded = levels.decode(levels.encode(values), np.random.default_rng(0)).astype(float)
        np.testing.assert_array_equal(decoded.isna(), values.isna())
        if values.isna().all():
            continue
        assert decoded.min() >= values.min() and decoded.max() <= values.max()
        if levels.column.decimals is not None:
            np.testing.assert_array_equal(decoded, decoded.round(levels.column.decimals))


@pytest.mark.parametrize("name", [name for name in INVENTED if name != "all missing"])
def test_decode_keeps_the_distribution(name):
    for seed in SEEDS:
        values = invent(name, seed)
        levels = fit(values)
        # The draws must not be the very numbers that the values were invented from.
        decoded = levels.decode(levels.encode(values), np.random.default_rng(1_000 + seed))
        # Inside a level a draw may err, at most by the mass of the level, and every level holds about 1/32.
        assert ks_2samp(values.dropna(), decoded.dropna().astype(float), method="asymp").statistic < 1 / N_LEVELS


@pytest.mark.parametrize("name", INVENTED)
@pytest.mark.parametrize("n_levels", [2, 8, 32, 100])
def test_n_levels_is_respected(name, n_levels):
    values = invent(name, 0)
    levels = fit(values, n_levels)
    n_distinct = values.nunique()
    n_found = levels.n_levels - levels.missing
    assert len(levels.counts) == levels.n_levels and levels.counts.sum() == len(values)
    if n_distinct <= n_levels:
        # Values that three rows share stand alone, lone neighbours together.
        assert (values.value_counts() >= 3).sum() <= n_found <= n_distinct
    else:
        # A frequent value stands alone and parts the light values left and right of it.
        assert 0.5 * n_levels <= n_found <= 2 * n_levels or n_found <= 3


@pytest.mark.parametrize("name", INVENTED)
def test_counts_are_those_of_the_training_rows(name):
    values = invent(name, 1)
    levels = fit(values)
    np.testing.assert_array_equal(np.bincount(levels.encode(values), minlength=levels.n_levels), levels.counts)


@pytest.mark.parametrize("name", INVENTED)
def test_levels_survive_json(name):
    values = invent(name, 2)
    levels = fit(values)
    again = QuantileLevels.from_dict(levels.column, json.loads(json.dumps(levels.to_dict())))
    codes = levels.encode(values)
    np.testing.assert_array_equal(again.encode(values), codes)
    first, second = (one.decode(codes, np.random.default_rng(7)) for one in (levels, again))
    pd.testing.assert_series_equal(first, second, check_exact=True)
    np.testing.assert_array_equal(again.features(), levels.features())
    np.testing.assert_array_equal(again.basis(), levels.basis())
    assert again.labels() == levels.labels() and len(levels.labels()) == levels.n_levels


@pytest.mark.parametrize("name", INVENTED)
def test_features_and_basis_are_finite_and_tell_levels_apart(name):
    levels = fit(invent(name, 0))
    for block in (levels.features(), levels.basis()):
        assert block.shape[0] == levels.n_levels and np.isfinite(block).all()
    if levels.n_levels > 1:
        assert len(np.unique(levels.features(), axis=0)) == levels.n_levels


@pytest.mark.parametrize("name", [name for name in INVENTED if name not in ("constant", "all missing")])
@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.93])
def test_no_level_lies_on_both_sides_of_a_threshold(name, quantile):
    values = invent(name, 3)
    distinct = np.unique(values.dropna())
    below = min(int(quantile * len(distinct)), len(distinct) - 2)
    threshold = float(distinct[below] + distinct[below + 1]) / 2
    levels, plain = fit(values, thresholds={threshold: [("ill", "yes")]}), fit(values)
    if not levels.thresholds:  # a level of one or two people would be beside it
        np.testing.assert_array_equal(levels.counts, plain.counts)
        return
    (first,) = levels.thresholds
    is_above, codes = (values > threshold).to_numpy(), levels.encode(values)
    np.testing.assert_array_equal((codes >= first) & values.notna().to_numpy(), is_above)
    np.testing.assert_array_equal(levels.steps()[0][codes], is_above)
    assert abs(levels.n_levels - plain.n_levels) <= 1
    decoded = levels.decode(codes, np.random.default_rng(0)).to_numpy(dtype=float, na_value=np.nan)
    np.testing.assert_array_equal(decoded >= threshold, is_above)
    again = QuantileLevels.from_dict(levels.column, json.loads(json.dumps(levels.to_dict())))
    assert again.thresholds == levels.thresholds and levels.deciding == ((("ill", "yes"),),)
    np.testing.assert_array_equal(again.basis(), levels.basis())


def test_a_threshold_leaves_no_thin_level_below_it():
    values = pd.Series(np.arange(640) / 7)
    for first in range(5, 635, 7):
        levels = fit(values, thresholds={values[first] - 0.01: [("ill", "yes")]})
        assert levels.counts[:-1].min() >= min(10, first)  # the last takes what is left, with and without


@pytest.mark.parametrize("name", [name for name in INVENTED if name not in ("constant", "all missing")])
def test_no_threshold_leaves_a_level_to_one_or_two_people(name):
    values = invent(name, 4)
    distinct = np.unique(values.dropna())
    for threshold in (distinct[1:] + distinct[:-1])[:: max(1, len(distinct) // 40)] / 2:
        levels = fit(values, thresholds={threshold: [("ill", "yes")]})
        for first in levels.thresholds:
            for level in (first - 1, first):
                assert levels.counts[level] >= 3 or len(levels.bins[level].atoms)


def test_levels_that_were_saved_before_there_were_thresholds_have_none():
    levels = fit(invent("measurements", 0))
    saved = {name: value for name, value in levels.to_dict().items() if name != "thresholds"}
    assert QuantileLevels.from_dict(levels.column, saved).thresholds == ()


@pytest.mark.parametrize("name", ["few values", "as many values as levels", "constant"])
def test_columns_of_few_values_come_back_exactly(name):
    values = invent(name, 0)
    levels = fit(values)
    decoded = levels.decode(levels.encode(values), np.random.default_rng(0))
    np.testing.assert_array_equal(decoded.astype(float), values)


@pytest.mark.parametrize("name", ["spike at zero", "spike and unrounded", "nearly constant"])
def test_spikes_come_back_exactly(name):
    values = invent(name, 0)
    levels = fit(values)
    decoded = levels.decode(levels.encode(values), np.random.default_rng(0))
    np.testing.assert_array_equal(decoded == 0, values == 0)


def test_lone_values_are_not_reproduced():
    values = pd.Series(np.random.default_rng(0).normal(0, 1, 2000), name="x")
    decoded = fit(values).decode(np.repeat(np.arange(N_LEVELS), 100), np.random.default_rng(1))
    # Only the two ends of the range can be met, where a draw falls on the outermost knot.
    assert decoded.isin(values).sum() <= 2


def test_values_that_three_people_share_may_be_reproduced():
    rng = np.random.default_rng(0)
    lone, shared = rng.normal(0, 1, 500), np.repeat(rng.normal(0, 1, 100), 3)
    values = pd.Series(np.concatenate([lone, shared]), name="x")
    levels = fit(values)
    decoded = levels.decode(levels.encode(values), np.random.default_rng(1))
    assert decoded.isin(shared).mean() == pytest.approx(300 / 800, abs=0.06)
    assert not decoded[~decoded.isin(shared)].isin(lone).any()


def test_repeated_values_of_one_person_count_once():
    rng = np.random.default_rng(0)
    values = pd.Series(np.repeat(rng.normal(0, 1, 200), 4), name="x")
    codes = fit(values).encode(values)
    as_rows = fit(values).decode(codes, np.random.default_rng(1))
    as_people = fit(values, people=np.repeat(np.arange(200), 4)).decode(codes, np.random.default_rng(1))
    assert as_rows.isin(values).all()
    assert not as_people.isin(values).any()


def test_decode_draws_on_the_grid_that_most_values_use():
    values = invent("thousands, a few finer", 0, n=2000)
    levels = fit(values)
    decoded = levels.decode(levels.encode(values), np.random.default_rng(0))
    assert (decoded % 1000 == 0).mean() == pytest.approx((values % 1000 == 0).mean(), abs=0.05)
    ages = ages_with_thirds(np.random.default_rng(0), 2000).round(2)
    levels = fit(pd.Series(ages, name="age"))
    decoded = levels.decode(levels.encode(pd.Series(ages)), np.random.default_rng(0))
    assert (decoded == decoded.round()).mean() == pytest.approx(0.98, abs=0.02)


@pytest.mark.parametrize("lone", [0.3, 0.6, 0.7, 1.2])
@pytest.mark.parametrize("side", [1, -1])
def test_values_beside_a_lone_extreme_have_the_decimals_of_training(lone, side):
    """Edges on the grid are 0.6 / 0.1 or 3 * 0.1 steps, which binary fractions miss by their last bit."""
    values = pd.Series([side * lone, *[side * (lone + step) for step in (0.2, 0.4, 0.6)] * 20], name="crp").round(1)
    levels = fit(values)
    drawn = levels.decode(np.arange(levels.n_levels).repeat(50), np.random.default_rng(0)).to_numpy()
    np.testing.assert_array_equal(drawn, drawn.round(1))


def test_whole_numbers_are_called_by_whole_numbers():
    values = pd.Series([*range(0, 300, 3), 500] * 2, name="visits")
    labels = fit(values, n_levels=16, people=np.arange(len(values)) // 2).labels()
    assert all(re.fullmatch(r"\d+( to \d+)?", label) for label in labels) and any("to" in label for label in labels)
    bounds = [int(number) for label in labels for number in label.split(" to ")]
    assert bounds == sorted(bounds)


def test_values_beyond_the_training_range_get_the_outermost_level():
    values = invent("measurements", 0)
    levels = fit(values)
    codes = levels.encode(pd.Series([-1e9, values.min() - 1, values.max() + 1, 1e9]))
    np.testing.assert_array_equal(codes, [0, 0, levels.n_levels - 1, levels.n_levels - 1])


def test_levels_are_ordered_as_the_values_are():
    values = invent("heavy tail", 0).sort_values()
    codes = fit(values).encode(values)
    assert (np.diff(codes) >= 0).all() and codes[0] == 0


def test_missing_is_the_last_level():
    values = invent("with missing", 0)
    levels = fit(values)
    np.testing.assert_array_equal(levels.encode(values) == levels.n_levels - 1, values.isna())
    assert levels.labels()[-1] == "missing"


def test_missing_is_refused_where_no_training_row_has_it():
    levels = fit(invent("measurements", 0))
    with pytest.raises(ValueError, match="'x' was complete in training, got 1 missing"):
        levels.encode(pd.Series([100.0, np.nan]))


def test_decode_gives_integers_as_integers():
    complete, gappy = invent("integers", 0), invent("integers with missing", 0)
    for values, dtype in ((complete, "int64"), (gappy, "Int64")):
        levels = fit(values)
        assert levels.decode(levels.encode(values), np.random.default_rng(0)).dtype == dtype


def text(values) -> pd.Series:
    return pd.Series(values, name="x", dtype=object)


DISCRETE = {
    "texts": text(["b", "a", "c", "a"]),
    "texts with missing": text(["b", None, "c", "a"]),
    "one text": text(["a", "a"]),
    "one text with missing": text(["a", None]),
    "0 and 1": pd.Series([0, 1, 1], name="x"),
    "0 and 1 with missing": pd.Series([0.0, np.nan, 1.0], name="x"),
    "nullable 0 and 1": pd.Series([0, None, 1], name="x", dtype="Int64"),
    "fractions with missing": pd.Series([0.5, np.nan, 1.5] * 3, name="x"),
    "switches": pd.Series([True, False, True], name="x"),
    "switches with missing": text([True, None, False]),
    "many texts": text([f"code {i % 300}" for i in range(900)]),
}


@pytest.mark.parametrize("values", DISCRETE.values(), ids=DISCRETE)
def test_categories_come_back_as_they_were(values):
    column = infer_column(values)
    levels = CategoryLevels.fit(column, values)
    levels = CategoryLevels.from_dict(column, json.loads(json.dumps(levels.to_dict())))
    codes = levels.encode(values)
    decoded = levels.decode(codes, np.random.default_rng(0))
    np.testing.assert_array_equal(decoded.isna(), values.isna())
    assert decoded.dropna().tolist() == values.dropna().tolist()
    assert [type(value) for value in decoded.dropna().tolist()] == [
        type(c) for c in map(_category(column), values.dropna())
    ]
    np.testing.assert_array_equal(levels.encode(decoded), codes)
    np.testing.assert_array_equal(np.bincount(codes, minlength=levels.n_levels), levels.counts)
    assert len(levels.labels()) == levels.n_levels == len(levels.features()) == len(levels.basis())


def _category(column):
    return lambda value: next(category for category in column.categories if category == value)


@pytest.mark.parametrize("values", DISCRETE.values(), ids=DISCRETE)
def test_dtypes_are_the_same_whichever_levels_are_drawn(values):
    levels = CategoryLevels.fit(infer_column(values), values)
    every = np.arange(levels.n_levels)
    assert len({levels.decode(some, np.random.default_rng(0)).dtype for some in (every, *every[:, None])}) == 1


def test_whole_numbers_that_may_be_missing_have_one_dtype():
    values = pd.Series([*range(39), None] * 2, name="visits")
    levels = fit(values)
    for some in ([0], [levels.n_levels - 1], [0, levels.n_levels - 1]):
        assert levels.decode(np.array(some), np.random.default_rng(0)).dtype == "Int64"


def test_unknown_category_is_refused_by_name():
    levels = CategoryLevels.fit(infer_column(text(["a", "b"])), text(["a", "b"]))
    with pytest.raises(ValueError, match=r"'x' must hold one of \['a', 'b'\], got 'z', which no training row has"):
        levels.encode(text(["a", "z"]))
    with pytest.raises(ValueError, match="'x' was complete in training, got 1 missing"):
        levels.encode(text(["a", None]))


def test_only_categories_of_training_rows_are_levels():
    column = infer_column(text(["a", "b", "c", None]))
    levels = CategoryLevels.fit(column, text(["c", "a"]))
    assert levels.categories == ("a", "c") and levels.n_levels == 2


def test_a_discrete_column_without_any_training_value_comes_back_missing():
    column = infer_column(text(["a", "b", None]))
    levels = CategoryLevels.fit(column, text([None, None]))
    decoded = levels.decode(levels.encode(text([None, None])), np.random.default_rng(0))
    assert decoded.isna().all() and levels.n_levels == 1


def test_lone_values_and_extremes_are_neither_drawn_nor_stored():
    """Thirty people, thirty unrounded values: as many as levels, and none may come back."""
    values = pd.Series(np.random.default_rng(1).lognormal(8, 2, 30), name="load")
    levels = fit(values)
    decoded = levels.decode(levels.encode(values), np.random.default_rng(0))
    assert not set(decoded) & set(values)
    stored = {number for low, high, *lists in levels.to_dict()["bins"] for number in [low, high, *chain(*lists)]}
    assert not stored & set(values)
    assert values.min() < decoded.min() and decoded.max() < values.max()


@pytest.mark.parametrize(("n", "kept"), [(1, []), (2, []), (3, [137.42])])
def test_the_only_value_of_a_column_is_kept_if_three_people_share_it(n, kept):
    values = pd.Series([137.42] * n + [np.nan] * 40, name="lab")
    levels = fit(values)
    decoded = levels.decode(levels.encode(values), np.random.default_rng(0))
    assert list(decoded.dropna().unique()) == kept
    assert ("137.42" in str(levels.to_dict())) == bool(kept)
