import subprocess
import sys

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from rlsyn.evaluation.features import NotComputableError
from rlsyn.evaluation.privacy.distances import nearest_distances, nearest_neighbours


def test_distances_to_copies_are_exactly_zero_and_never_nan():
    # The reference took the root of |a|^2 - 2 a.b + |b|^2, which rounds to below 0.
    rng = np.random.default_rng(0)
    points = rng.normal(size=(300, 40)) * 1e3
    assert not nearest_distances(points, points[rng.permutation(300)]).any()
    twins = points[:, None] + rng.normal(size=(300, 3, 40)) * 1e-9
    assert not nearest_distances(points, np.concatenate([twins.reshape(-1, 40), points])).any()


@pytest.mark.parametrize("scale", [1e-3, 1, 1e3, 1e6])
@pytest.mark.parametrize("n_targets", [4, 50, 9_000])
def test_neighbours_are_those_of_scikit_learn(scale, n_targets):
    rng = np.random.default_rng(0)
    points, targets = (rng.normal(size=(n, 12)) * scale for n in (1_100, n_targets))
    expected, numbers = NearestNeighbors(n_neighbors=3, algorithm="kd_tree").fit(targets).kneighbors(points)
    found = nearest_neighbours(points, targets, 3)
    assert np.array_equal(found[1], numbers)
    assert np.allclose(found[0], expected, rtol=1e-12)


def test_one_target_astray_does_not_blur_the_others():
    rng = np.random.default_rng(0)
    points, targets = rng.random((200, 20)), rng.random((500, 20))
    astray = np.concatenate([targets, np.full((100, 20), 1e6)])
    assert np.array_equal(nearest_distances(points, astray), nearest_distances(points, targets))


def test_distances_to_a_generator_astray_are_right():
    rng = np.random.default_rng(0)
    points, targets = rng.random((200, 20)), rng.random((500, 20)) + 1e6
    expected = NearestNeighbors(n_neighbors=1, algorithm="kd_tree").fit(targets).kneighbors(points)[0][:, 0]
    assert np.allclose(nearest_distances(points, targets), expected, rtol=0, atol=0.5)
    assert (nearest_distances(points, targets) >= expected - 1e-6).all()


def test_more_neighbours_than_targets_do_not_exist():
    assert nearest_neighbours(np.zeros((3, 2)), np.zeros((2, 2)), 2)[0].tolist() == [[0, 0]] * 3
    with pytest.raises(NotComputableError, match="2 nearest of 1 rows"):
        nearest_neighbours(np.zeros((3, 2)), np.zeros((1, 2)), 2)
    with pytest.raises(ValueError, match="n_neighbours must be 1 to 4, got 5"):
        nearest_neighbours(np.zeros((3, 2)), np.zeros((9, 2)), 5)


def test_rows_of_the_same_person_are_passed_over_however_few_others_there_are():
    points, targets = np.array([[0.0], [4.0]]), np.array([[0.0], [1.0], [5.0]])
    found, numbers = nearest_neighbours(points, targets, 2, (np.array([7, 8]), np.array([7, 7, 8])))
    assert found.tolist() == [[5, np.inf], [3, 4]]
    assert numbers[0, 0] == 2 and numbers[1].tolist() == [1, 0]


@pytest.mark.slow
def test_large_tables_are_compared_in_less_than_four_gigabytes():
    # The whole matrix of distances alone would take 12 GB.
    script = """
import resource
import numpy as np
import pandas as pd
from rlsyn.evaluation.measure import Tables
from rlsyn.evaluation.privacy.copies import compute_copies
from rlsyn.schema import Column, Schema

rng = np.random.default_rng(0)
names = [f"c{i}" for i in range(200)]
synthetic, train, test = (pd.DataFrame(rng.normal(size=(n, 200)), columns=names) for n in (50_000, 30_000, 5_000))
compute_copies(Tables(train, test, synthetic, Schema(tuple(Column(name, "numeric") for name in names))))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    # In kilobytes on Linux, in bytes on macOS.
    assert int(result.stdout) * (1 if sys.platform == "darwin" else 1024) < 4e9
