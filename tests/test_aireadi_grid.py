"""Streams on the grid of five minutes: arithmetic that can be done by hand."""

import numpy as np
import pytest

from rlsyn.datasets.aireadi.days import DAY, N_BUCKETS, START, complete_days
from rlsyn.datasets.aireadi.grid import (
    BUCKET,
    added_calories,
    averaged_calories,
    filled_calories,
    interpolated,
    majority,
    pieces,
    spread,
)
from rlsyn.datasets.aireadi.streams import ACTIVITIES, STAGES, Intervals, Samples

HOUR = 3600
WALKING, SEDENTARY = ACTIVITIES.index("walking"), ACTIVITIES.index("sedentary")


def samples(times, values) -> Samples:
    times = np.asarray(times, dtype=np.int64)
    return Samples(times, np.asarray(values, dtype=float), (int(times[0]), int(times[-1])))


def intervals(parts) -> Intervals:
    starts, ends, labels, amounts = (np.array(column) for column in zip(*parts, strict=True))
    return Intervals(starts, ends, labels, amounts.astype(float))


def test_interpolation_is_linear_between_neighbours():
    found = interpolated(np.array([100, 700]), np.array([60.0, 120.0]), np.array([100, 400, 700]))
    np.testing.assert_allclose(found, [60, 90, 120])


@pytest.mark.parametrize(("gap", "is_filled"), [(3 * HOUR, True), (3 * HOUR + 1, False)])
def test_gaps_of_more_than_three_hours_stay_open(gap, is_filled):
    found = interpolated(np.array([0, gap]), np.array([60.0, 60.0]), np.array([0, 5400]))
    assert found[0] == 60 and np.isfinite(found[1]) == is_filled


def test_only_the_first_point_copies_its_next_neighbour():
    times, values = np.array([HOUR]), np.array([70.0])
    found = interpolated(times, values, np.array([0, 300, HOUR, HOUR + 300]))
    np.testing.assert_array_equal(found, [70, np.nan, 70, np.nan])
    assert np.isnan(interpolated(times, values, np.array([HOUR - 3 * HOUR - 1]))).all()
    # A value within three hours before is a neighbour, too far from the next one.
    assert np.isnan(interpolated(np.array([-2 * HOUR, 2 * HOUR]), np.array([1.0, 2.0]), np.array([0]))).all()
    assert interpolated(np.array([-4 * HOUR, 2 * HOUR]), np.array([1.0, 2.0]), np.array([0]))[0] == 2


def test_nothing_comes_of_nothing():
    empty = np.array([], dtype=np.int64)
    assert np.isnan(interpolated(empty, empty.astype(float), np.array([0]))).all()
    assert (majority(empty, empty, empty, 2, range(3)) == -1).all()
    assert np.isnan(spread(empty, empty, empty.astype(float), range(3))).all()
    assert np.isnan(added_calories(empty, empty.astype(float), np.array([2]), 2, 0)).all()
    assert np.isnan(averaged_calories(empty, empty.astype(float), np.array([2]), 2, 0, 0)).all()


def test_pieces_end_at_the_borders_of_buckets():
    interval, bucket, seconds = pieces(np.array([100, 900, 50]), np.array([700, 1200, 50]))
    assert list(zip(interval.tolist(), bucket.tolist(), seconds.tolist(), strict=True)) == [
        *((0, 0, 200), (0, 1, 300), (0, 2, 100)),
        (1, 3, 300),
    ]


def test_amounts_are_spread_evenly_and_none_is_lost():
    starts, ends, amounts = np.array([100, 600]), np.array([700, 750]), np.array([600.0, 30.0])
    np.testing.assert_allclose(spread(starts, ends, amounts, range(4)), [200, 300, 130, np.nan])
    rng = np.random.default_rng(0)
    starts = rng.integers(0, 20_000, 50)
    ends, amounts = starts + rng.integers(1, 5_000, 50), rng.random(50)
    assert np.nansum(spread(starts, ends, amounts, range(100))) == pytest.approx(amounts.sum())
    # An unknown amount covers nothing; what lies outside the buckets is not in them.
    np.testing.assert_allclose(spread(np.array([0]), np.array([300]), np.array([np.nan]), range(1)), [np.nan])
    np.testing.assert_allclose(spread(np.array([0]), np.array([900]), np.array([3.0]), range(1, 2)), [1])


def test_the_label_that_lasts_longest_wins_and_the_first_of_two_as_long():
    starts, ends = np.array([0, 100, 300, 450, 600]), np.array([100, 300, 450, 600, 601])
    labels = np.array([1, 0, 1, 0, -1])
    assert majority(starts, ends, labels, 2, range(3)).tolist() == [0, 1, -1]
    # Two short ones outlast one that is longer than either.
    assert majority(np.array([0, 100, 220]), np.array([100, 220, 300]), np.array([1, 0, 1]), 2, range(1)).tolist() == [
        1
    ]


def test_gains_of_a_counter_are_spread_over_its_activity_and_none_is_lost():
    # Walking in buckets 0, 1 and 4; sitting between.
    labels = np.array([WALKING, WALKING, SEDENTARY, SEDENTARY, WALKING])
    rates = added_calories(np.array([0, 300, 1350]), np.array([10.0, 20.0, 65.0]), labels, WALKING, 0)
    # 10 in bucket 0; 45 over 300 + 150 seconds of walking.
    np.testing.assert_allclose(rates, [2, 6, np.nan, np.nan, 3])
    assert np.nansum(rates) * 5 == 55


def test_a_smaller_value_is_a_new_start_unless_nobody_gains_so_fast():
    labels = np.full(5, WALKING)
    times = np.array([0, 300, 600, 900, 1200])
    restarted = added_calories(times, np.array([80.0, 90.0, 5.0, 15.0, 25.0]), labels, WALKING, 0)
    np.testing.assert_allclose(restarted[:4], [2, 1, 2, 2])
    error = added_calories(times, np.array([500.0, 510.0, 5.0, 530.0, 540.0]), labels, WALKING, 0)
    np.testing.assert_allclose(error[:4], [2, 2, 2, 2])


def test_samples_at_one_time_are_averaged():
    labels = np.full(2, WALKING)
    rates = added_calories(np.array([0, 300, 300]), np.array([0.0, 10.0, 20.0]), labels, WALKING, 0)
    assert rates[0] == 3


def test_the_paper_averages_the_parts_of_a_bucket():
    labels = np.full(2, WALKING)
    times, counter = np.array([60, 120, 180, 240, 300]), np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    # Five kilocalories in five minutes, a fifth of one in each part.
    assert averaged_calories(times, counter, labels, WALKING, 0, start=0)[0] == pytest.approx(0.2)
    assert added_calories(np.append(0, times), np.append(0.0, counter), labels, WALKING, 0)[0] == pytest.approx(1)


def test_impossible_rates_are_replaced_by_their_neighbours():
    rates = np.array([np.nan, 4, 21, 6, np.nan])
    is_walking = np.array([True, True, True, True, True])
    np.testing.assert_allclose(filled_calories(rates, is_walking), [np.nan, 4, 5, 6, np.nan])
    # Not over other activities, not over more than three hours.
    np.testing.assert_allclose(filled_calories(np.array([4, 21, 6]), np.array([True, False, True])), [4, np.nan, 6])
    far = np.full(40, np.nan)
    far[0], far[37] = 4, 6
    assert np.isnan(filled_calories(far, np.full(40, True))[1:37]).all()


def day_streams(n_days: int = 1, **changes) -> dict:
    """Streams from 07:00 of the first to 09:00 of the last day, sitting all the time."""
    first, last = START - HOUR, n_days * DAY + START + HOUR
    times = np.arange(first, last + 1, BUCKET)
    names = ("heart_rate", "respiratory_rate", "stress", "glucose")
    streams = {name: samples(times, np.full(len(times), 50)) for name in names}
    streams["physical_activity"] = intervals([(first, last, SEDENTARY, 10)])
    return streams | changes


NEEDED = ("heart_rate", "respiratory_rate", "stress", "glucose", "physical_activity")


def test_complete_days_are_those_from_eight_to_eight():
    days = complete_days(day_streams(2), NEEDED, "added")
    assert len(days.rows) == days.n_seen == 2 and not days.lacking
    assert days.rows[0]["activity_sedentary_hours"] == 24
    assert np.isnan(days.rows[0]["total_kcal"]) and np.isnan(days.rows[0]["sleep_rem_hours"])


@pytest.mark.parametrize("name", NEEDED)
def test_a_day_without_a_needed_stream_is_none(name):
    streams = day_streams()
    del streams[name]
    days = complete_days(streams, NEEDED, "added")
    assert not days.rows and days.lacking == {name: 1}
    # Where the release has none at all, its columns are missing.
    (row,) = complete_days(streams, [other for other in NEEDED if other != name], "added").rows
    assert np.isnan(list(row.values())).any()


def test_a_day_lies_within_all_streams():
    times = np.arange(START + BUCKET, DAY + START + HOUR, BUCKET)
    late = day_streams(glucose=samples(times, np.full(len(times), 100)))
    assert complete_days(late, NEEDED, "added").n_seen == 0
    early = day_streams(sleep=intervals([(0, START + HOUR, STAGES.index("rem"), np.nan)]))
    assert complete_days(early, NEEDED, "added").n_seen == 0


def test_a_bucket_without_activity_or_steps_spoils_the_day():
    def activity(label, steps):
        return intervals(
            [
                (START - HOUR, START + HOUR, SEDENTARY, 0),
                (START + HOUR, START + HOUR + BUCKET, label, steps),
                (START + HOUR + BUCKET, DAY + START + HOUR, SEDENTARY, 0),
            ]
        )

    for label, steps, n_rows in ((WALKING, 10, 1), (-1, 10, 0), (WALKING, np.nan, 0)):
        days = complete_days(day_streams(physical_activity=activity(label, steps)), NEEDED, "added")
        assert len(days.rows) == n_rows
    assert days.lacking == {"physical_activity": 1}


def test_a_day_without_rest_has_no_resting_heart_rate():
    walking = intervals([(START - HOUR, DAY + START + HOUR, WALKING, 30_000)])
    (row,) = complete_days(day_streams(physical_activity=walking), NEEDED, "added").rows
    assert np.isnan(row["resting_heart_rate"]) and row["activity_walking_hours"] == 24
    assert row["total_steps"] == round(30_000 * 24 / 26) and N_BUCKETS == 288


def test_rounded_hours_are_those_of_a_day():
    """Three parts of 5 minutes are .08 hours each, which leaves 23.76; 285 buckets would be 23.75."""
    cuts = np.array([START - HOUR, START + HOUR, START + HOUR + 300, START + HOUR + 600, START + HOUR + 900])
    ends = np.append(cuts[1:], DAY + START + HOUR)
    labels = [SEDENTARY, 0, 1, 2, SEDENTARY]
    streams = day_streams(physical_activity=intervals([(*part, 0) for part in zip(cuts, ends, labels, strict=True)]))
    (row,) = complete_days(streams, NEEDED, "added").rows
    assert [row[f"activity_{name}_hours"] for name in ACTIVITIES] == [0.08, 0.08, 0.08, 23.76]
