"""Reward terms by themselves: what is worth more, how the terms are added, and what is refused."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

from rlsyn.constraints import Constraint
from rlsyn.encoding import Encoding
from rlsyn.evaluation.constraints import broken_rows
from rlsyn.rewards import (
    ConstraintReward,
    Decoder,
    OwnReward,
    PrivacyReward,
    RealismReward,
    TotalReward,
    TreesReward,
    assemble_reward,
    privacy,
)
from rlsyn.rewards.own import name_terms
from rlsyn.rewards.weights import DEFAULT_WEIGHTS, merge_weights
from rlsyn.schema import infer_schema


def encoded(table):
    encoding = Encoding.fit(table, infer_schema(table))
    return encoding, encoding.encode(table)


def privacy_term(table, **kwargs):
    encoding, records = encoded(table)
    return PrivacyReward(encoding, records, np.arange(len(records)), **kwargs), encoding, records


def never(records):
    raise AssertionError("A term of weight 0 was called.")


# The sum.


def test_total_is_the_weighted_sum_and_remembers_the_unweighted_means():
    terms = {"first": lambda records: records[:, 0], "second": lambda records: -records[:, 1]}
    total = TotalReward(terms, {"first": 2.0, "second": 0.5})
    records = np.array([[1, 4], [3, 2]])
    assert total(records).tolist() == [2 * 1 - 0.5 * 4, 2 * 3 - 0.5 * 2]
    assert total(records).dtype == np.float32
    assert total.means == {"first": 2.0, "second": -3.0}


def test_term_of_weight_zero_is_never_called():
    total = TotalReward({"never": never}, {"never": 0})
    assert total(np.zeros((3, 2), int)).tolist() == [0, 0, 0]
    assert total.means == {}


def test_term_without_a_weight_is_named():
    with pytest.raises(ValueError, match=r"weight for every reward term, got none for \['never'\]"):
        TotalReward({"never": never}, {})


# Weights.


def test_given_weights_stand_over_the_defaults_and_own_terms_weigh_one():
    weights = merge_weights({"privacy": 2}, ["mine"])
    assert weights == {**DEFAULT_WEIGHTS, "privacy": 2.0, "mine": 1.0}
    assert merge_weights({"trees": 0})["trees"] == 0
    assert merge_weights(None) == {"realism": 1, "trees": 1, "constraints": 1, "privacy": 0}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"privaci": 1}, "Unknown reward term 'privaci'. Did you mean 'privacy'?"),
        ({"min": 1}, "Did you mean 'mine'?"),
        ({"privacy": -1}, "'reward_weights.privacy' must be a number of 0 or more, got -1"),
        ({"privacy": float("nan")}, "got nan"),
        ({"privacy": float("inf")}, "got inf"),
        ({"privacy": "high"}, "got 'high'"),
        ({"privacy": True}, "got True"),
    ],
)
def test_impossible_weights_are_refused(given, message):
    with pytest.raises(ValueError) as error:
        merge_weights(given, ["mine"])
    assert message in str(error.value)


# Values.


def test_a_batch_is_decoded_once_and_alike_whenever_it_comes(patients, monkeypatch):
    encoding, records = encoded(patients)
    calls, decode = [], Encoding.decode
    monkeypatch.setattr(Encoding, "decode", lambda *args: calls.append(1) or decode(*args))
    decoder = Decoder(encoding, seed=3)
    first = decoder(records)
    assert decoder(records.copy()) is first
    assert len(calls) == 1
    decoder(records[:50])
    pd.testing.assert_frame_equal(decoder(records), first)
    pd.testing.assert_frame_equal(Decoder(encoding, seed=3)(records), first)
    assert not Decoder(encoding, seed=4)(records).equals(first)
    swapped = records[[*range(198), 199, 198]]  # another batch has draws of its own
    assert not decoder(swapped)[:198].equals(first[:198])


# The discriminator.


@pytest.mark.parametrize(
    ("form", "of_logit"),
    [
        ("logit", lambda x: x),
        ("sigmoid", lambda x: 1 / (1 + np.exp(-x))),
        ("log_sigmoid", lambda x: -np.log1p(np.exp(-x))),
    ],
)
def test_realism_is_a_function_of_the_clipped_logit(form, of_logit):
    logits = np.array([-99, -1, 0, 1, 99], dtype=np.float32)
    reward = RealismReward(SimpleNamespace(score=lambda records: logits), form, clip=2.0)
    np.testing.assert_allclose(reward(np.zeros((5, 1))), of_logit(np.array([-2.0, -1, 0, 1, 2])), rtol=1e-6)


# Declared rules.


@pytest.fixture
def readings():
    """Two pressures and a dose, some of them missing, in every order."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.integers(0, 6, (300, 2)), columns=["high", "low"]).astype("Int64")
    table.loc[rng.choice(300, 40, replace=False), "low"] = pd.NA
    return table.assign(sex=rng.choice(["f", "m"], 300), dose=rng.normal(5, 1, 300).round(2))


RULES = (Constraint("order", "high >= low"), Constraint("women take less", "sex == 'm' or dose <= 5"))


def test_every_broken_rule_costs_one_and_obedience_nothing(readings):
    encoding, records = encoded(readings)
    decode = Decoder(encoding)
    rewards = ConstraintReward(RULES, decode)(records)
    assert set(rewards.tolist()) == {0.0, -1.0, -2.0}
    schema = replace(encoding.schema, constraints=RULES)
    assert rewards.tolist() == (-broken_rows(decode(records), schema).sum(axis=1)).tolist()
    assert rewards.dtype == np.float32


def test_missing_values_break_no_rule(readings):
    encoding, records = encoded(readings)
    is_missing = readings["low"].isna().to_numpy()
    assert (ConstraintReward(RULES[:1], Decoder(encoding))(records[is_missing]) == 0).all()


def test_a_further_rule_does_not_make_the_others_cheaper(readings):
    encoding, records = encoded(readings)
    obeyed = Constraint("doses are doses", "dose > -1000")
    alone, beside = (ConstraintReward(rules, Decoder(encoding))(records) for rules in (RULES, (*RULES, obeyed)))
    assert alone.tolist() == beside.tolist()


def test_constraints_term_without_rules_is_refused(readings):
    with pytest.raises(ValueError, match="at least one rule"):
        ConstraintReward((), Decoder(encoded(readings)[0]))


# Nearness to training rows.


def test_a_copy_is_worth_least_and_a_far_record_costs_nothing():
    rng = np.random.default_rng(0)
    factor = rng.normal(size=(300, 1))
    table = pd.DataFrame(factor + 0.8 * rng.normal(size=(300, 6)), columns=list("abcdef")).round(3)
    term, encoding, records = privacy_term(table)
    assert term(records).tolist() == [-1] * 300
    # People are alike in all columns here: one who is high in some and low in others is nobody's neighbour.
    last = encoding.n_levels - 1
    assert term(np.array([[0, last[1], 0, last[3], 0, last[5]]])).tolist() == [0]
    between = records[:1].copy()
    between[0, 0] = (between[0, 0] + 2) % encoding.n_levels[0]
    assert -1 < term(between)[0] < 0


def test_a_row_that_people_share_gives_nobody_away():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(60, 3)), columns=list("abc")).round(3)
    table.iloc[1] = table.iloc[0]
    term, _, records = privacy_term(table)
    assert term(records[:3]).tolist() == [0, 0, -1]


@pytest.mark.parametrize(("quantile", "given"), [(q, {"quantile": q}) for q in (0.1, 0.5, 0.9)] + [(0.9, {})])
def test_new_people_of_the_same_kind_are_charged_as_often_as_the_quantile_says(make_patients, quantile, given):
    term, encoding, _ = privacy_term(make_patients(400, 0), **given)
    charged = term(encoding.encode(make_patients(400, 1))) < 0
    assert quantile - 0.08 < charged.mean() < quantile + 0.08


def test_rows_of_one_person_do_not_set_the_scale(make_patients):
    table = make_patients(100, 0)
    encoding, records = encoded(table)
    once = PrivacyReward(encoding, records, np.arange(100))
    people, visits = np.repeat(np.arange(100), 4), np.repeat(records, 4, axis=0)
    assert PrivacyReward(encoding, visits, people).scale == pytest.approx(once.scale, rel=0.03)
    # Taken for 400 people, rows are so often equal that nothing is too close.
    assert PrivacyReward(encoding, visits, np.arange(400))(records).tolist() == [0] * 100


def test_a_single_person_is_near_nobody():
    """There is nobody else to tell from: no distance is too small."""
    encoding, records = encoded(pd.DataFrame(np.random.default_rng(0).normal(size=(30, 3)), columns=list("abc")))
    assert PrivacyReward(encoding, records, np.zeros(30))(records).tolist() == [0] * 30


def test_the_reward_of_a_fit_knows_whose_rows_are_whose(make_patients):
    encoding, records = encoded(make_patients(60, 0))
    people, visits = np.repeat(np.arange(60), 4), np.repeat(records, 4, axis=0)
    weights = {**dict.fromkeys(DEFAULT_WEIGHTS, 0.0), "privacy": 1.0}
    realism, trees = SimpleNamespace(discriminator=SimpleNamespace(device="cpu")), TreesReward(encoding, visits)
    reward = assemble_reward(realism, trees, encoding, weights, {}, visits, people)
    assert reward(records).tolist() == PrivacyReward(encoding, visits, people)(records).tolist()
    assert reward(records).mean() < -0.5


def test_distances_are_those_of_all_training_rows_however_they_are_parted(patients, monkeypatch):
    term, encoding, records = privacy_term(patients)
    others = np.stack([np.random.default_rng(i).permutation(records[:, i]) for i in range(records.shape[1])], axis=1)
    scale = np.sqrt(privacy.column_weights(encoding))[encoding.inputs()[0]]
    rows = encoding.vectors(records) * scale
    among_people, distances = cdist(rows, rows), cdist(encoding.vectors(others) * scale, rows)
    np.fill_diagonal(among_people, np.inf)
    ratios = distances.min(1) / among_people.min(1)[distances.argmin(1)]
    expected = -np.maximum(0, 1 - ratios / term.scale)
    assert term(others) == pytest.approx(expected, abs=1e-3)
    assert (expected < 0).any() and (expected == 0).any()
    monkeypatch.setattr(privacy, "CHUNK", 7)
    assert term(others) == pytest.approx(expected, abs=1e-3)
    assert privacy_term(patients)[0](others) == pytest.approx(expected, abs=1e-3)


def test_every_column_counts_the_same_but_rare_levels_are_held_back():
    rng = np.random.default_rng(0)
    n = 2_000
    table = pd.DataFrame(
        {
            "one": np.full(n, "CH"),
            "many": rng.choice(list("abcdefghijklmnop"), n),
            "two": rng.choice(["f", "m"], n),
            "number": rng.normal(size=n).round(3),
            "gap": np.where(rng.random(n) < 0.3, np.nan, rng.normal(size=n).round(3)),
            "rare": (np.arange(n) < 10).astype(int),
        }
    )
    encoding, records = encoded(table)
    weights = privacy.column_weights(encoding)
    attribute, vectors = encoding.inputs()[0], encoding.vectors(records)
    squared = np.square(vectors - vectors[rng.permutation(n)]) * weights[attribute]
    by_name = {name: squared[:, attribute == i].sum(1) for i, name in enumerate(encoding.names)}
    assert by_name["one"].max() == 0
    for name in ("many", "two", "number", "gap"):
        assert by_name[name].mean() == pytest.approx(1 / 6, rel=0.1)
    assert by_name["rare"].max() == pytest.approx(privacy.RARE / 6)


# Terms of one's own.


@pytest.mark.parametrize(
    "values",
    [
        lambda table: (table["sex"] == 1).to_numpy(),
        lambda table: table["sex"] == 1,
        lambda table: [int(value == 1) for value in table["sex"]],
        lambda table: (table["sex"] == 1).astype("boolean"),
        lambda table: table["sex"].astype("Int64"),
        lambda table: table.sort_values("age")["sex"],
        lambda table: table.set_index("age")["sex"],
        lambda table: table.set_index("steps")["sex"],
    ],
    ids=[
        "truths",
        "series",
        "list",
        "nullable truths",
        "nullable numbers",
        "sorted rows",
        "other index",
        "index of whole numbers",
    ],
)
def test_numbers_and_truths_are_taken_in_any_container(patients, values):
    encoding, records = encoded(patients)
    rewards = OwnReward("mine", values, Decoder(encoding))(records)
    assert rewards.tolist() == patients["sex"].tolist()
    assert rewards.dtype == np.float32


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (lambda table: 1.0, "here 200 numbers, got float of shape ()"),
        (lambda table: np.zeros((len(table), 1)), "got ndarray of shape (200, 1)"),
        (lambda table: [1.0, 2.0], "got list of shape (2,)"),
        (lambda table: [[1.0], *[2.0] * (len(table) - 1)], "got list of object"),
        (lambda table: None, "got NoneType of shape ()"),
        (lambda table: table["n_visits"], "25 that are missing or infinite"),
        (lambda table: np.full(len(table), np.inf), "200 that are missing or infinite"),
        (lambda table: table["site"], "'mine' must return one finite number for each record"),
        (lambda table: ["5"] * len(table), "got list of"),
    ],
    ids=["one", "matrix", "few", "nested", "nothing", "missing", "infinite", "text", "digits"],
)
def test_what_is_no_number_per_record_is_refused_by_name(patients, values, message):
    encoding, records = encoded(patients)
    with pytest.raises(ValueError, match="'mine'") as error:
        OwnReward("mine", values, Decoder(encoding))(records)
    assert message in str(error.value)


def test_errors_inside_a_term_keep_their_kind_and_name_the_term(patients):
    encoding, records = encoded(patients)
    with pytest.raises(KeyError, match="agee") as error:
        OwnReward("mine", lambda table: table["agee"], Decoder(encoding))(records)
    assert "'mine'" in error.value.__notes__[0]


def test_a_term_may_change_its_table_and_others_do_not_see_it(patients):
    def spoil(table):
        table["age"] += 1
        table.loc[:, "sex"] = 0
        return table["age"]

    encoding, records = encoded(patients)
    decode = Decoder(encoding)
    before = decode(records).copy()
    OwnReward("spoil", spoil, decode)(records)
    pd.testing.assert_frame_equal(decode(records), before)


class Frailty:
    def __call__(self, table):
        return -table["age"]


def test_terms_are_named_after_their_function_or_class():
    def sleepless(table):
        return table["sleep"] < 5

    assert list(name_terms([sleepless, Frailty(), "gone"])) == ["sleepless", "Frailty", "gone"]
    assert name_terms(["gone"]) == {"gone": None}


@pytest.mark.parametrize(
    ("rewards", "message"),
    [
        ([lambda table: table["age"]], "got '<lambda>'. Write it as a def"),
        ([Frailty(), Frailty()], "'Frailty' more than once"),
        (["privacy"], "'privacy' more than once"),
        ([3], "Expected functions of a table of decoded records in 'rewards', got 3"),
    ],
    ids=["lambda", "twice", "taken", "number"],
)
def test_terms_without_names_of_their_own_are_refused(rewards, message):
    with pytest.raises(ValueError) as error:
        name_terms(rewards)
    assert message in str(error.value)
