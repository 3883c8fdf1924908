import numpy as np
import pandas as pd
import pytest
from evaluation_tables import SCHEMA

from rlsyn.evaluation.features import FeatureEncoder, category_positions
from rlsyn.schema import Column, Schema


@pytest.mark.parametrize(
    "values",
    [[0, 1, 1], [0.0, 1.0, 1.0], [False, True, True], ["0", "1", "1"], ["0.0", "1.0", "1"], ["False", "True", "true"]],
    ids=str,
)
@pytest.mark.parametrize("categories", [(0, 1), (False, True), ("0", "1")], ids=str)
def test_a_category_is_the_same_in_every_dtype(values, categories):
    column = Column("smoker", "binary", categories)
    assert category_positions(pd.Series(values), column).tolist() == [0, 1, 1]
    assert category_positions(pd.Series(values, dtype=object), column).tolist() == [0, 1, 1]
    assert category_positions(pd.Series([*values, None], dtype="category"), column).tolist() == [0, 1, 1, -1]


def test_categories_that_differ_in_their_text_only_stay_apart():
    column = Column("code", "categorical", ("01", "1", "2"))
    assert category_positions(pd.Series(["1", "01", "2.0", "3"]), column).tolist() == [1, 0, 2, -2]


def test_the_last_bit_of_a_number_makes_no_other_category():
    column = Column("dose", "categorical", (0.1, 0.3, 1, 9007199254740991))
    assert category_positions(pd.Series([0.1 * 3, 0.1 * 10 - 1e-16, 0.31]), column).tolist() == [1, 2, -2]
    assert category_positions(pd.Series([9007199254740991, 9007199254740990]), column).tolist() == [3, -2]
    assert category_positions(pd.Series([3 * 1e-5, 1e-5]), Column("dose", "binary", (1e-5, 3e-5))).tolist() == [1, 0]


@pytest.mark.parametrize("dtype", ["Int64", "boolean", "Float64"])
def test_nullable_dtypes_have_missing_values(dtype):
    values = pd.Series([1, 0, None], dtype=dtype)
    assert category_positions(values, Column("smoker", "binary", (0, 1), missing=True)).tolist() == [1, 0, -1]
    schema = Schema((Column("count", "integer", missing=True),))
    table = pd.DataFrame({"count": values})
    features = FeatureEncoder(schema).fit(table).transform(table)
    assert features.tolist() == [[1, 0], [0, 0], [0.5, 1]]


def test_encoder_knows_only_the_fitted_table(train):
    encoder = FeatureEncoder(SCHEMA).fit(train)
    before = encoder.transform(train)
    other = train.assign(pressure=train["pressure"] * 10, site="elsewhere")
    features = encoder.transform(other)
    assert encoder.width == features.shape[1] == 17
    assert np.isfinite(features).all() and np.array_equal(before, encoder.transform(train))
    assert before.min() == 0 and before.max() == 1
    assert features[:, 3].max() > 5
    assert not features[:, 7:11].any()  # the three sites and their indicator of missing
    assert not before[:, 14].any() and not before[:, 15].any()  # the constant and the empty column


def test_encoder_stays_finite_for_values_far_away(train):
    far = train.assign(pressure=1e300, constant=-7.0, empty=1.0)
    assert np.isfinite(FeatureEncoder(SCHEMA).fit(train).transform(far)).all()


def test_encoder_refuses_infinity_and_text(train):
    encoder = FeatureEncoder(SCHEMA).fit(train)
    with pytest.raises(ValueError, match="finite"):
        encoder.transform(train.assign(pressure=np.inf))
    with pytest.raises(ValueError, match="pressure"):
        encoder.transform(train.assign(pressure="high"))
    with pytest.raises(RuntimeError, match="fit"):
        FeatureEncoder(SCHEMA).transform(train)
