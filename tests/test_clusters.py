import numpy as np
import pandas as pd
import pytest
from evaluation_tables import SCHEMA, make_patients, numeric_schema, shuffle
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import normalized_mutual_info_score
from sklearn.preprocessing import StandardScaler

from rlsyn.evaluation.features import FeatureEncoder, NotComputableError
from rlsyn.evaluation.fidelity.clusters import LEVELS, MEASURE, cluster_nmi, principal_components, support_curves
from rlsyn.evaluation.measure import Tables


def draw_points(n_rows, seed, scale=1.0, n_columns=3):
    return np.random.default_rng(seed).normal(0, scale, (n_rows, n_columns))


def test_components_are_scikit_learns_of_the_train_rows(train, synthetic):
    encoder = FeatureEncoder(SCHEMA).fit(train)
    scaler = StandardScaler().fit(encoder.transform(train))
    pca = PCA(0.8, svd_solver="full").fit(scaler.transform(encoder.transform(train)))
    expected = pca.transform(scaler.transform(encoder.transform(synthetic)))
    ours = principal_components(train, SCHEMA, 0.8).transform(synthetic)
    assert ours.shape == expected.shape
    assert np.allclose(np.abs(ours), np.abs(expected), rtol=0, atol=1e-6)
    assert principal_components(train, SCHEMA).transform(synthetic).shape == (450, 2)


def test_components_know_nothing_of_the_synthetic_rows(train, test, synthetic):
    projector = principal_components(train, SCHEMA)
    before = projector.transform(test)
    projector.transform(synthetic.assign(age=1e6))
    assert np.array_equal(projector.transform(test), before)


def test_equal_rows_have_no_components(train):
    with pytest.raises(NotComputableError, match="all equal"):
        principal_components(train.assign(**train.iloc[0].to_dict())[SCHEMA.names], SCHEMA)


def test_nmi_is_scikit_learns():
    real, synthetic = draw_points(150, 0), draw_points(150, 1) + 1
    clusters = KMeans(4, n_init=3, random_state=5).fit_predict(np.concatenate([real, synthetic]).round(9))
    expected = normalized_mutual_info_score(np.repeat([0, 1], 150), clusters)
    assert cluster_nmi(real, synthetic, seed=5, n_clusters=4) == pytest.approx(expected, abs=1e-12)
    assert expected > 0.05


def test_nmi_of_samples_apart_is_high_and_of_a_sample_with_itself_zero():
    real = draw_points(200, 0)
    assert cluster_nmi(real, real) == pytest.approx(0, abs=1e-9)
    assert cluster_nmi(real, draw_points(200, 1)) < 0.03
    assert cluster_nmi(real, real + 50, n_clusters=2) == pytest.approx(1)


def test_nmi_of_few_different_rows_raises_no_warning(recwarn):
    points = np.repeat(np.eye(3), 20, axis=0)
    assert cluster_nmi(points, points) == pytest.approx(0, abs=1e-9)
    assert not recwarn.list


def test_support_of_a_sample_by_itself_is_whole():
    real = draw_points(300, 0)
    support = support_curves(real, real)
    assert support.alpha_precision > 0.98 and support.beta_recall > 0.98
    assert np.array_equal(support.level, LEVELS) and support.precision[-1] == 1


def test_another_sample_of_the_same_source_is_near():
    support = support_curves(draw_points(600, 0), draw_points(600, 1))
    assert support.alpha_precision > 0.9 and support.beta_recall > 0.85


def test_curves_are_those_of_the_definition():
    real, synthetic, persons = draw_points(60, 0), draw_points(60, 1, 1.3) + 0.3, np.arange(60) // 2
    real_radii, own_radii = (np.linalg.norm(rows - rows.mean(axis=0), axis=1) for rows in (real, synthetic))
    of_synthetic = np.linalg.norm(synthetic - real.mean(axis=0), axis=1)
    nearest, is_near = np.zeros(60, dtype=int), np.zeros(60, dtype=bool)
    for i, row in enumerate(real):
        distances, others = (np.linalg.norm(rows - row, axis=1) for rows in (synthetic, real[persons != persons[i]]))
        nearest[i], is_near[i] = distances.argmin(), distances.min() < np.sort(others)[4]
    found = support_curves(real, synthetic, persons)
    for i in (1, 10, 25, 40, 50):
        assert found.precision[i] == (of_synthetic <= np.quantile(real_radii, LEVELS[i]) + 1e-6).mean()
        is_typical = own_radii[nearest] <= np.quantile(own_radii, LEVELS[i]) + 1e-6
        assert found.recall[i] == (is_near & is_typical).mean()
    assert found.alpha_precision == pytest.approx(1 - 2 * np.trapezoid(np.abs(found.precision - LEVELS), LEVELS))
    assert found.beta_recall == pytest.approx(1 - 2 * np.trapezoid(np.abs(found.recall - LEVELS), LEVELS))


def test_outliers_lose_precision_and_typical_rows_lose_recall():
    real = draw_points(600, 0)
    wide, narrow = (support_curves(real, draw_points(600, 1, scale)) for scale in (3.0, 0.2))
    assert wide.alpha_precision < 0.5 and wide.precision[-1] < 0.9
    assert narrow.alpha_precision < 0.5 and narrow.precision[-1] == 1
    assert narrow.beta_recall < 0.4 and narrow.recall[-1] < 0.5
    forgotten = real[np.linalg.norm(real, axis=1) < 1.5]
    typical = forgotten[np.random.default_rng(0).integers(len(forgotten), size=600)]
    assert support_curves(real, typical).recall[-1] < 0.9


def test_rows_of_the_same_form_elsewhere_lose_both():
    """Their distances from their own mean are the real ones."""
    shifted = support_curves(draw_points(600, 0), draw_points(600, 1) + 3)
    assert shifted.alpha_precision < 0.2 and shifted.beta_recall < 0.5


def test_neighbours_are_of_other_persons():
    # Each person has six rows close together: by their distances hardly any synthetic row would be near.
    rng = np.random.default_rng(0)
    centres = [rng.normal(size=(80, 3)) for _ in range(2)]
    real, synthetic = (np.repeat(c, 6, axis=0) + rng.normal(0, 0.01, (480, 3)) for c in centres)
    persons = np.arange(480) // 6
    assert support_curves(real, synthetic).recall[-1] < 0.1
    assert support_curves(real, synthetic, persons).recall[-1] > 0.4


def test_the_measure_is_ideal_for_train_and_near_for_test(train, test):
    itself = MEASURE.compute(Tables(train, test, train, SCHEMA)).estimates
    assert itself["NMI"].value == pytest.approx(0, abs=1e-9)
    assert itself["alpha-precision"].value > 0.98 and itself["beta-recall"].value > 0.98
    real = MEASURE.compute(Tables(train, test, test, SCHEMA))
    assert real.estimates["NMI"].value < 0.05
    assert real.estimates["alpha-precision"].value > 0.8 and real.estimates["beta-recall"].value > 0.8
    for value, low, high in real.estimates.values():
        assert 0 <= low <= value <= high <= 1 and low < high
    assert list(real.details["curve"].columns) == ["level", "precision", "recall"]
    assert real.details["curve"].notna().all(axis=None) and "210 rows a side" in real.notes["NMI"]


def test_clusters_are_found_in_most_of_the_variance(train, test, synthetic):
    """The space of as many components as keep 80 %, which the note tells, and not of the first few."""
    shifted = synthetic.assign(age=synthetic["age"] + 24)
    space = principal_components(train, SCHEMA, 0.8)
    found = MEASURE.compute(Tables(train, test, shifted, SCHEMA, with_intervals=False))
    expected = cluster_nmi(space.transform(train), space.transform(shifted))
    assert found.estimates["NMI"].value == pytest.approx(expected, abs=1e-9) and expected > 0.01


def test_collapse_and_noise_are_seen(train, test):
    rng = np.random.default_rng(0)
    collapsed = train.iloc[rng.integers(5, size=450)]
    estimates = MEASURE.compute(Tables(train, test, collapsed, SCHEMA)).estimates
    assert estimates["beta-recall"].value < 0.5 and estimates["NMI"].value > 0.02
    noise = shuffle(train).assign(age=rng.uniform(0, 500, 450), pressure=rng.uniform(0, 900, 450))
    assert MEASURE.compute(Tables(train, test, noise, SCHEMA)).estimates["alpha-precision"].value < 0.6


def test_fault_unequal_sizes_moved_the_cluster_score(train, test):
    def draw(n_rows, seed):
        rows = make_patients(n_rows, seed)
        return rows.assign(age=rows["age"] + 24, pressure=rows["pressure"] + 20, bmi=rows["bmi"] + 4)

    def score(real, synthetic):
        tables = Tables(real, test, synthetic, SCHEMA, with_intervals=False)
        return MEASURE.compute(tables).estimates["NMI"].value

    def is_equal(first, second):  # their means, but for three standard errors, which the repetitions tell
        error = np.sqrt((np.var(first, ddof=1) + np.var(second, ddof=1)) / len(first))
        return abs(np.mean(first) - np.mean(second)) < 3 * error

    seeds = range(5, 15)
    equal = [score(train, draw(len(train), seed)) for seed in seeds]
    assert is_equal([score(train, draw(3_000, seed)) for seed in seeds], equal)
    assert is_equal([score(make_patients(3_000, 0), draw(len(train), seed)) for seed in seeds], equal)
    space = principal_components(train, SCHEMA, 0.8)
    unequal = [cluster_nmi(space.transform(train), space.transform(draw(3_000, seed)), seed) for seed in seeds]
    assert np.mean(unequal) < 0.7 * np.mean(equal) and not is_equal(unequal, equal)


def test_real_rows_score_like_as_many_fresh_ones(train, test):
    tables = [test, *(make_patients(len(test), seed) for seed in range(5, 11))]
    real, *fresh = (
        MEASURE.compute(Tables(train, test, table, SCHEMA, with_intervals=False)).estimates["NMI"].value
        for table in tables
    )
    assert real > 0 and abs(real - np.mean(fresh)) < 4 * np.std(fresh, ddof=1)


def test_the_measure_is_reproducible_and_needs_no_person(train, test, synthetic):
    tables = Tables(train.drop(columns="person"), test.drop(columns="person"), synthetic, SCHEMA, seed=4)
    first, second = MEASURE.compute(tables), MEASURE.compute(tables)
    assert first.estimates == second.estimates and first.notes == second.notes


def test_columns_that_say_the_same_have_one_component(train):
    table = pd.DataFrame({"a": [1.0, 2.0, 3.0] * 10, "b": [2.0, 4.0, 6.0] * 10})
    assert principal_components(table, numeric_schema(table), 0.8).transform(table).shape == (30, 1)
