"""TensorBoard shows what a run was asked for and what came of it."""

import pandas as pd
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from rlsyn.constraints import Constraint
from rlsyn.run_summary import HEADLINES, flatten, write_description, write_outcome
from rlsyn.schema import Column, Schema


def events(run_dir) -> EventAccumulator:
    return EventAccumulator(str(run_dir)).Reload()


def text(found: EventAccumulator, tag: str) -> str:
    return found.Tensors(f"{tag}/text_summary")[0].tensor_proto.string_val[0].decode()


SCHEMA = Schema(
    (
        Column("age", "numeric", decimals=1, unit="years", missing=True),
        Column("sex", "binary", ("f", "m|x")),
        Column("site", "categorical", tuple(f"s{i:02}" for i in range(40))),
    ),
    label="sex",
    constraints=(Constraint("adults", "age >= 18"),),
)


def test_texts_tell_the_configuration_the_columns_and_the_licence(tmp_path):
    write_description(tmp_path, {"env": "Table-v0", "parameters": {"kl_coef": 0.1}}, SCHEMA, "Only here.")
    found = events(tmp_path)
    assert "    parameters:\n      kl_coef: 0.1" in text(found, "config")
    assert text(found, "data_licence") == "Only here."
    rows = text(found, "schema").splitlines()
    assert "| age | numeric | years | 1 | yes |  |" in rows
    assert "| sex (label) | binary |  |  |  | f, m&#124;x |" in rows
    assert "| site | categorical |  |  |  | 40 categories |" in rows
    assert "- `age >= 18`" in rows


def test_without_a_licence_there_is_no_text_of_one(tmp_path):
    write_description(tmp_path, {}, SCHEMA)
    assert sorted(events(tmp_path).Tags()["tensors"]) == ["config/text_summary", "schema/text_summary"]


def test_outcome_is_in_scalars_and_beside_the_parameters(tmp_path):
    scores = pd.DataFrame({"metric": ["S2R AUC", "S2R R2", "membership AUC"], "value": [0.9, float("nan"), 0.52]})
    write_outcome(tmp_path, {"seed": 3, "algo_kwargs": {"n_epochs": 2}, "rewards": []}, scores, n_steps=700)
    found = events(tmp_path)
    assert sorted(found.Tags()["scalars"]) == ["evaluation/membership_auc", "evaluation/s2r_auc"]
    (scalar,) = found.Scalars("evaluation/s2r_auc")
    assert (scalar.step, scalar.value) == (700, pytest.approx(0.9))
    start, experiment = (
        HParamsPluginData.FromString(found.SummaryMetadata(f"_hparams_/{name}").plugin_data.content)
        for name in ("session_start_info", "experiment")
    )
    hparams = start.session_start_info.hparams
    assert hparams["seed"].number_value == 3
    assert hparams["algo_kwargs.n_epochs"].number_value == 2
    assert hparams["rewards"].string_value == "[]"
    assert {info.name.tag for info in experiment.experiment.metric_infos} == set(found.Tags()["scalars"])


def test_headlines_have_tags_of_their_own():
    assert len(set(HEADLINES.values())) == len(HEADLINES)


def test_groups_of_parameters_become_dotted_names():
    assert flatten({"a": {"b": {"c": None}}, "d": True}) == {"a.b.c": "None", "d": True}
