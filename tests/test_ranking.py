"""The area under the ROC curve is that of scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from rlsyn.evaluation.ranking import auc


@pytest.mark.parametrize("n_distinct", [2, 7, 10_000], ids=["nearly all tied", "many ties", "hardly any"])
@pytest.mark.parametrize("sizes", [(1, 1), (3, 40), (500, 200)], ids=str)
def test_auc_is_that_of_scikit_learn(n_distinct, sizes):
    rng = np.random.default_rng(0)
    positive, negative = (rng.integers(n_distinct, size=size) / n_distinct for size in sizes)
    positive = positive + 0.2
    expected = roc_auc_score(np.repeat([1, 0], sizes), np.concatenate([positive, negative]))
    assert auc(positive, negative) == pytest.approx(expected, abs=1e-12)


def test_auc_ranks():
    assert auc(np.array([3.0, 4.0]), np.array([1.0, 2.0])) == 1
    assert auc(np.array([1.0]), np.array([2.0])) == 0
    assert auc(np.ones(5), np.ones(3)) == 0.5
    assert np.isnan(auc(np.ones(5), np.ones(0)))
    assert np.isnan(auc(np.ones(0), np.ones(5)))
