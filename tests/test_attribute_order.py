"""Orders of attributes: a permutation always, and one that follows the dependence where it is asked to."""

import numpy as np
import pytest

from rlsyn.attribute_order import information_order, mutual_information
from rlsyn.encoding import Encoding
from rlsyn.schema import infer_schema

NUMERIC = [True] * 4


@pytest.fixture
def chain():
    """Attribute 2 is the root; 0 is a noisy copy of it, 3 a noisier copy of 0, and 1 of nothing."""
    rng = np.random.default_rng(0)
    root, alone = rng.integers(4, size=400), rng.integers(30, size=400)
    near = np.where(rng.random(400) < 0.1, rng.integers(4, size=400), root)
    far = np.where(rng.random(400) < 0.3, rng.integers(4, size=400), near)
    return np.stack([near, alone, root, far], axis=1)


def test_information_order_walks_the_dependence_from_its_root(chain):
    assert information_order(chain, NUMERIC, first=2) == [2, 0, 3, 1]
    assert information_order(chain, NUMERIC, first=1)[0] == 1
    assert information_order(chain, NUMERIC)[0] == 0  # the middle of the chain tells most about the others


def test_information_is_symmetric_that_of_entropy_and_none_between_independent_attributes(chain):
    copied = np.concatenate([chain, chain[:, [2]]], axis=1)
    information = mutual_information(copied, [*NUMERIC, True])
    shares = np.bincount(chain[:, 2]) / len(chain)
    bias = (4 - 1) ** 2 / (2 * len(chain))
    np.testing.assert_allclose(information, information.T)
    assert information[2, 4] == pytest.approx(-(shares * np.log(shares)).sum() - bias)
    assert np.abs(information[1]).max() < 0.03


def test_categories_are_joined_by_frequency_and_not_by_their_number():
    """Two frequent codes that stand side by side among rare ones say opposite things."""
    rng = np.random.default_rng(0)
    code = np.where(rng.random(2000) < 0.9, rng.integers(10, 12, 2000), rng.integers(30, size=2000))
    records = np.stack([code, np.where(code % 2, 1, 0)], axis=1)
    by_frequency = mutual_information(records, [False, False])[0, 1]
    assert by_frequency > 0.6 * np.log(2)
    order = rng.permutation(30)
    renamed = np.stack([order[code], records[:, 1]], axis=1)
    assert mutual_information(renamed, [False, False])[0, 1] == pytest.approx(by_frequency, abs=0.02)


@pytest.mark.parametrize("order", ["information", "random"])
@pytest.mark.parametrize("label", ["died", None])
def test_every_column_stands_once_in_a_learned_order(patients, order, label):
    encoding = Encoding.fit(patients, infer_schema(patients, label=label), 8, order)
    assert sorted(encoding.names) == sorted(patients)
    assert order == "random" or label is None or encoding.names[0] == label
    table = encoding.decode(encoding.encode(patients), np.random.default_rng(0))
    assert list(table) == list(patients)


def test_random_order_is_that_of_its_seed(patients):
    schema = infer_schema(patients, label="died")
    orders = [Encoding.fit(patients, schema, 8, "random", seed).names for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
