"""Laws of the Gaussian copula: marginals kept, latent correlations found again, noise not taken for association."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp, norm

from rlsyn.baselines.gaussian_copula import (
    N_TERMS,
    GaussianCopula,
    latent_correlations,
    normal_scores,
    pairwise_correlations,
    shrink,
)
from rlsyn.schema import infer_schema

N_DRAWN = 20_000


def gaussians(n_rows, correlation, seed=0):
    return np.random.default_rng(seed).multivariate_normal([0, 0], [[1, correlation], [correlation, 1]], n_rows).T


def find_latent(*columns):
    """Latent correlation of two columns, without shrinkage."""
    scores, terms = zip(*(normal_scores(column) for column in columns), strict=True)
    observed, _ = pairwise_correlations(np.column_stack(scores))
    return latent_correlations(observed, np.column_stack(terms))[0, 1]


CUTS = {
    "uncut": lambda z: z,
    "median": lambda z: (z > 0).astype(float),
    "rare": lambda z: (z > norm.ppf(0.95)).astype(float),
    "points": lambda z: np.digitize(z, [-1, 0.2, 1.5]).astype(float),
    "many zeros": lambda z: np.maximum(z, 0.3),
}


@pytest.mark.parametrize("correlation", [-0.6, 0.0, 0.3, 0.8])
@pytest.mark.parametrize(
    "cuts", [("uncut", "uncut"), ("median", "uncut"), ("median", "rare"), ("points", "many zeros"), ("rare", "points")]
)
def test_latent_correlations_are_found_behind_cut_values(cuts, correlation):
    pair = gaussians(40_000, correlation)
    found = find_latent(*(CUTS[cut](values) for cut, values in zip(cuts, pair, strict=True)))
    assert found == pytest.approx(correlation, abs=0.04)


def test_median_cuts_follow_the_arc_sine_law():
    """Sheppard (1899): two median splits correlate by 2 / pi arcsin(rho)."""
    _, terms = normal_scores(np.array([0.0, 1.0] * 50))
    series = np.column_stack([terms, terms])
    for rho in (-0.7, 0.2, 0.5, 0.9):
        observed = np.full((2, 2), 2 / np.pi * np.arcsin(rho))
        assert latent_correlations(observed, series)[0, 1] == pytest.approx(rho, abs=0.01)


def test_scores_are_standardised_and_rise_with_the_value():
    values = np.array([3.0, 1.0, np.nan, 2.0, 2.0, 7.0])
    scores, terms = normal_scores(values)
    known = ~np.isnan(values)
    assert np.isnan(scores[2])
    assert scores[known].mean() == pytest.approx(0, abs=1e-12)
    assert scores[known].std() == pytest.approx(1)
    assert (np.diff(scores[[1, 3, 0, 5]]) > 0).all()
    assert terms.shape == (N_TERMS,)
    assert 0 < (terms**2).sum() <= 1


def test_pairwise_correlations_are_those_of_pandas():
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 4))).assign(constant=0.0)
    table[1] += table[0]
    table[0] = table[0].where(table[2] < 1)
    table[3] = table[3].where(table[1] > -1)
    found, n_rows = pairwise_correlations(table.to_numpy())
    np.testing.assert_allclose(found, table.corr().fillna(0), atol=1e-12)
    assert n_rows[0, 3] == table[[0, 3]].dropna().shape[0]


def test_shrinkage_takes_noise_rather_than_signal():
    noise = np.corrcoef(np.random.default_rng(0).normal(size=(20, 100)))
    assert np.abs(shrink(noise, np.full((20, 20), 100.0), np.ones(20))[np.triu_indices(20, 1)]).mean() < 0.02
    signal = np.full((20, 20), 0.6)
    assert shrink(signal, np.full((20, 20), 1000.0), np.ones(20))[0, 1] > 0.59
    weak = shrink(signal, np.full((20, 20), 1000.0), np.array([0.05, 0.05, *np.ones(18)]))
    assert weak[0, 1] < weak[0, 2] < weak[2, 3]  # the less a column tells, the more of its correlation is noise


def test_rare_diagnoses_that_never_meet_are_not_opposites():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({f"code_{k}": (rng.random(2000) < 0.004).astype(int) for k in range(6)})
    table.loc[:1, :] = 0
    assert (table.sum(axis=1) < 2).all()
    correlations = GaussianCopula().fit(table).correlations
    assert np.abs(correlations - np.eye(6)).max() < 0.2


def test_marginals_are_kept(patients):
    drawn = GaussianCopula().fit(patients, label="died").sample(N_DRAWN)
    for name in ("age", "steps", "n_visits"):
        assert drawn[name].isna().mean() == pytest.approx(patients[name].isna().mean(), abs=0.015)
        assert ks_2samp(drawn[name].dropna().astype(float), patients[name].dropna().astype(float)).statistic < 0.03
        assert drawn[name].max() <= patients[name].max()
    for name in ("sex", "smoker", "site", "country", "died"):
        shares = patients[name].value_counts(normalize=True, dropna=False)
        found = drawn[name].value_counts(normalize=True, dropna=False)
        assert (found.reindex(shares.index).fillna(0) - shares).abs().max() < 0.015
    assert drawn["never_measured"].isna().all()


def test_associations_of_every_kind_are_kept():
    rng = np.random.default_rng(0)
    severity = rng.normal(size=3000)
    table = pd.DataFrame(
        {
            "pressure": severity + rng.normal(scale=0.5, size=3000),
            "ward": np.array(["b", "a", "c"])[np.digitize(severity + rng.normal(scale=0.5, size=3000), [-0.5, 0.8])],
            "died": (severity + rng.normal(scale=0.5, size=3000) > 1).astype(int),
        }
    )
    table["lactate"] = (severity + rng.normal(scale=0.5, size=3000)).round(2)
    table.loc[severity + rng.normal(scale=0.5, size=3000) < 0, "lactate"] = np.nan  # measured in the ill
    drawn = GaussianCopula().fit(table, label="died").sample(N_DRAWN)
    means = [by.groupby("ward")["pressure"].mean() for by in (table, drawn)]
    # Independent columns would miss them by 1. The commonest ward is between the others: the hardest case.
    assert (means[0] - means[1]).abs().max() < 0.3
    risks = [by.groupby("ward")["died"].mean() for by in (table, drawn)]
    assert (risks[0] - risks[1]).abs().max() < 0.06
    gaps = [by.groupby(by["lactate"].isna())["pressure"].mean().diff().iloc[-1] for by in (table, drawn)]
    assert gaps[1] == pytest.approx(gaps[0], abs=0.12)


def test_contradicting_correlations_become_a_correlation_matrix(patients):
    twin = patients.assign(sex_again=patients["sex"], age_again=patients["age"] * 2)
    model = GaussianCopula().fit(twin, label="died")
    np.testing.assert_allclose(np.diag(model.correlations), 1)
    assert np.linalg.eigvalsh(model.correlations).min() > 0
    drawn = model.sample(500)
    assert (drawn["sex"] == drawn["sex_again"]).mean() > 0.95


def test_numbers_lie_between_training_values(patients):
    table = patients[["age"]].assign(age=np.random.default_rng(0).normal(60, 10, len(patients)))
    drawn = GaussianCopula().fit(table, schema=infer_schema(table)).sample(1000)
    assert not drawn["age"].isin(table["age"]).any()
    assert drawn["age"].between(table["age"].min(), table["age"].max()).all()
