"""Sampled tables obey every declared rule, meet conditions, and say what that cost."""

import signal
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from rule_tables import RULES, any_levels, fit, make_table, with_rules
from scipy.stats import ks_2samp

from rlsyn.constraints import constraints_from
from rlsyn.repair import Repair
from rlsyn.sampling import TooFewRecords, draw_table, to_levels
from rlsyn.synthesizer import RLSyn

TINY = {
    "n_records": 32,
    "total_timesteps": 0,
    "warm_start_kwargs": {"n_epochs": 2, "n_linear_epochs": 5, "n_clones": 1},
    "n_discriminator_warm_up": 5,
}


@pytest.fixture(scope="module")
def encoding():
    return fit(make_table())


def uniform(encoding):
    """Draws levels that know nothing of each other: the hardest policy to keep to the rules."""
    calls = iter(range(10_000))

    def draw(n, given):
        records = any_levels(encoding, n, next(calls))
        for attribute, level in given.items():
            records[:, attribute] = level
        return torch.as_tensor(records)

    return draw


def sampled(encoding, n=300, seed=0, **kwargs):
    draws = draw_table(uniform(encoding), encoding, n, np.random.default_rng(seed), **kwargs)
    return draws.table(n), draws


def test_every_record_obeys_every_form_of_rule(encoding):
    table, draws = sampled(encoding)
    assert len(table) == 300 and table.index.equals(pd.RangeIndex(300))
    for rule in RULES:
        assert not rule.is_broken_by(table).any(), rule.name
    assert table["albumin"].isna().any() and table["protein"].isna().any()
    assert table["sex"].nunique() == table["site"].nunique() == 2
    encoding.schema.validate(table)
    assert 0 < draws.rule_acceptance < 1 == draws.acceptance_rate


def test_kinds_stay_where_the_first_draws_all_miss_a_condition(encoding):
    draw, position = uniform(encoding), encoding.names.index("site")
    calls = iter(range(10_000))

    def reluctant(n, given):
        records = draw(n, given)
        records[:, position] = min(next(calls), 1)
        return records

    table = draw_table(reluctant, encoding, 5, np.random.default_rng(0), {"site": "Bern"}, "keep").table(5)
    assert (table["site"] == "Bern").all()
    pd.testing.assert_series_equal(table.dtypes, sampled(encoding, 5, rules="keep")[0].dtypes)


def test_records_may_be_kept_as_the_policy_fills_them_in(encoding):
    table, draws = sampled(encoding, rules="keep")
    assert draws.n_drawn == 300 and draws.rule_acceptance == 1
    assert encoding.repair.is_broken(table).mean() > 0.9


def test_same_seed_gives_the_same_records(encoding):
    first, second, other = (sampled(encoding, seed=seed)[0] for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, second, check_exact=True)
    assert not first.equals(other)


def test_columns_of_no_rule_keep_their_distribution(encoding):
    (raw, _), (table, _) = sampled(encoding, 1_500, rules="keep"), sampled(encoding, 1_500)
    assert ks_2samp(raw["noise"], table["noise"]).pvalue > 0.001
    assert abs(raw["died"].mean() - table["died"].mean()) < 0.08


def test_conditions_and_rules_hold_together(encoding):
    table, draws = sampled(encoding, 60, where={"protein": 7.0, "died": 1, "abnormal": 1, "stage": "II"})
    assert (table[["protein", "abnormal", "died"]] == [7.0, 1, 1]).all(axis=None) and (table["stage"] == "II").all()
    assert not encoding.repair.is_broken(table).any()
    assert 0 < draws.rule_acceptance < 1 and 0 < draws.acceptance_rate < 1


@pytest.mark.parametrize(
    ("where", "rule"),
    [
        ({"age": 95}, "age <= 90"),
        ({"stage": "III"}, "stage in"),
        ({"sex": "m", "pregnant": 1}, "only women"),
        ({"visits": None}, "visits.notna"),
        ({"systolic": 90, "diastolic": 90}, "pressures"),
    ],
)
def test_conditions_that_a_rule_forbids_are_refused_by_its_name_and_nothing_is_drawn(encoding, where, rule):
    def draw(n, given):
        raise AssertionError("drawn in vain")

    with pytest.raises(ValueError, match=f"conditions break the declared rule .*{rule}.*Change the conditions"):
        draw_table(draw, encoding, 5, np.random.default_rng(0), where)


def test_conditions_ask_for_the_levels_of_no_other_column(encoding, monkeypatch):
    """A table of 1,485 columns, each with a range, would take seconds before the first record is drawn."""
    asked, allowed = [], Repair.allowed

    def ask(repair, levels):
        asked.append(levels.column.name)
        return allowed(repair, levels)

    def draw(n, given):
        raise RuntimeError("drawing begins")

    monkeypatch.setattr(Repair, "allowed", ask)
    with pytest.raises(RuntimeError, match="drawing begins"):
        draw_table(draw, encoding, 5, np.random.default_rng(0), {"stage": "I"})
    assert asked == ["stage"]


def test_a_level_that_the_policy_never_draws_is_told_though_rules_need_not_hold(encoding):
    with pytest.raises(
        ValueError, match=r"'stage' no value near 'III', and the policy draws none\. Put the column first"
    ):
        sampled(encoding, 5, where={"stage": "III"}, rules="keep")
    raw, _ = sampled(encoding, 5, where={"pregnant": 1, "sex": "m"}, rules="keep")
    assert (raw["sex"] == "m").all() and (raw["pregnant"] == 1).all()


def test_a_table_without_rules_takes_every_draw(encoding):
    free = replace(encoding, schema=replace(encoding.schema, constraints=()))
    _, draws = sampled(free)
    assert draws.n_drawn == draws.n_kept == 300


def test_rules_that_no_record_obeys_are_named_with_what_to_do():
    rules = constraints_from(
        [{"name": "never", "expression": "systolic > diastolic + 1000"}, "sex == 'f' or died == 0"]
    )
    encoding = fit(make_table(), rules)
    with pytest.raises(
        TooFewRecords, match=r"Only 0 of \d+ drawn records obeyed.*'never', by 100\.0% of them\..*rules='keep'"
    ):
        sampled(encoding, 5)


def test_too_few_obeying_records_are_an_error_that_names_the_worst_rule(encoding):
    with pytest.raises(TooFewRecords, match=r"drawn records obeyed the declared rules, 300 were wanted\. Broken most"):
        sampled(encoding, max_draws=301)


def test_unknown_option_is_refused(encoding):
    with pytest.raises(ValueError, match="rules must be 'obey' or 'keep', got 'bend'"):
        sampled(encoding, rules="bend")


@pytest.mark.parametrize("n", [0, -1, 2.0, True, "5", None])
def test_a_number_of_records_that_is_none_is_refused(encoding, n):
    with pytest.raises(ValueError, match="a whole number of at least 1, got"):
        sampled(encoding, n)


@pytest.mark.parametrize(
    ("where", "error", "message"),
    [
        (["died"], TypeError, r"a mapping of columns to values, got \['died'\]"),
        (pd.Series({"died": 1}), TypeError, "a mapping of columns to values"),
        ({"died": [1]}, ValueError, r"'died' can have one value, got \[1\]"),
        ({"noise": pd.Timestamp("2020-01-01")}, ValueError, "'noise' must be a number"),
    ],
)
def test_conditions_that_are_none_are_refused(encoding, where, error, message):
    with pytest.raises(error, match=message):
        sampled(encoding, where=where)


@pytest.mark.parametrize("value", [None, np.nan, pd.NA, pd.NaT])
def test_missing_may_be_asked_for_in_any_form(value):
    table = make_table().astype({"noise": float})
    table.loc[::5, "noise"] = np.nan
    encoding = fit(table, rules=())
    level = to_levels({"noise": value}, encoding)[encoding.names.index("noise")]
    assert level == encoding.encode(table)[0, encoding.names.index("noise")]


@pytest.fixture(scope="module")
def fitted():
    table = make_table(150)
    return RLSyn(**TINY).fit(table, schema=with_rules(table, RULES))


@pytest.mark.parametrize("policy", ["trained", "warm_start"])
def test_samples_of_a_model_obey_whichever_policy_drew_them(fitted, policy):
    table = fitted.sample(100, policy=policy)
    assert not fitted.encoding.repair.is_broken(table).any() and 0 < fitted.rule_acceptance < 1
    raw = fitted.sample(100, policy=policy, rules="keep")
    assert fitted.encoding.repair.is_broken(raw).any()
    # A forbidden level is forbidden to the policy itself.
    assert set(raw["stage"]) <= {"I", "II"} and raw["visits"].notna().all()


def test_ppo_learns_on_masked_levels_with_probabilities_that_agree():
    table = make_table(120)
    model = RLSyn(**{**TINY, "total_timesteps": 32 * table.shape[1]}).fit(table, schema=with_rules(table, RULES))
    policy, encoding = model.policy, model.encoding
    allowed = encoding.repair.allowed_levels()
    records = policy.sample(500).numpy()
    assert all(levels[records[:, i]].all() for i, levels in enumerate(allowed))
    observations = torch.zeros((8, len(allowed)), dtype=torch.int16)
    steps = []
    for attribute in range(len(allowed)):
        levels, _, log_probability = policy.forward(observations)
        observations = observations.clone()
        observations[:, attribute] = (levels + 1).short()
        steps.append(log_probability)
    with torch.no_grad():
        _, whole, divergence = policy.evaluate_actions(observations, observations.long() - 1)
    torch.testing.assert_close(whole.view(8, -1), torch.stack(steps, dim=1), atol=1e-4, rtol=1e-4)
    assert torch.isfinite(divergence).all()


def test_impossible_rule_is_told_before_training():
    table = make_table(100)
    with pytest.raises(ValueError, match="obeys the rule 'age < 10'"):
        RLSyn(**TINY).fit(table, schema=with_rules(table, ["age < 10"]))


def test_doubtful_rule_is_told_once_and_still_kept_to(caplog):
    table = make_table(150)
    model = RLSyn(**TINY).fit(table, schema=with_rules(table, ["age > 60"]))
    assert [
        record.message.split("; ")[1].split(".")[0] for record in caplog.records if "break the rule" in record.message
    ] == ["no synthetic record will"]
    assert (model.sample(100)["age"] > 60).all()


def test_command_line_keeps_to_the_rules_and_shows_the_policy_when_asked(fitted, tmp_path, call_script, capfd):
    fitted.save(tmp_path / "model")
    arguments = [tmp_path / "model", "-n", 80, "-o"]
    assert call_script("sample", *arguments, tmp_path / "obey.csv") == 0
    told = capfd.readouterr()
    assert "All obey the declared rules" in told.out and not told.err
    assert call_script("sample", *arguments, tmp_path / "keep.csv", "--rules", "keep") == 0
    assert "Records that break a declared rule: " in capfd.readouterr().out
    broken = [
        sum(rule.is_broken_by(pd.read_csv(tmp_path / name)).sum() for rule in RULES)
        for name in ("obey.csv", "keep.csv")
    ]
    assert broken[0] == 0 < broken[1]


def test_run_whose_policy_breaks_a_rule_always_ends_with_one_line_and_keeps_the_policy(
    tmp_path, call_script, capsys, monkeypatch
):
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    table = make_table(100)[["systolic", "diastolic", "died"]]
    table.to_csv(tmp_path / "table.csv", index=False)
    (tmp_path / "rules.yaml").write_text("- {name: never, expression: systolic > diastolic + 1000}", encoding="utf-8")
    run_dir = tmp_path / "run"
    data = ["--csv", tmp_path / "table.csv", "--label", "died", "--constraints", tmp_path / "rules.yaml"]
    small = ["--no-report", "--device", "cpu", "-n", 0, "-params", "n_records:16", "warm_start_kwargs.n_epochs:1"]
    assert call_script("run_ppo", *data, "--run-dir", run_dir, *small) == 2
    error = capsys.readouterr().err
    assert "'never', by 100.0%" in error and f"The trained policy is in {run_dir}" in error
    assert len(RLSyn.load(run_dir).sample(5, rules="keep")) == 5
