"""TensorBoard shows what a run was asked for and what came of it."""

import pandas as pd
import pytest
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams.backend_context import Context
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
    content = found.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    hparams = HParamsPluginData.FromString(content).session_start_info.hparams
    assert hparams["seed"].number_value == 3
    assert hparams["algo_kwargs.n_epochs"].number_value == 2
    assert hparams["rewards"].string_value == "[]"


def test_hparams_of_several_runs_show_the_parameters_of_each_and_first_those_that_differ(tmp_path):
    scores = pd.DataFrame({"metric": ["S2R AUC"], "value": [0.9]})
    for algo, own in (("ppo", {"n_epochs": 2}), ("sac", {"tau": 0.1}), ("ars", {})):
        asked = {"algo": algo, "a_constant": 1, "algo_kwargs": own, "select": None if algo == "ppo" else False}
        write_description(tmp_path / f"{algo}_1", asked, SCHEMA)
        write_outcome(tmp_path / f"{algo}_1" / "outcome", asked, scores, n_steps=700)
    runs = EventMultiplexer().AddRunsFromDirectory(str(tmp_path)).Reload()
    context, request = Context(TBContext(data_provider=MultiplexerDataProvider(runs, ""))), RequestContext()
    found = context.experiment_from_metadata(request, "", True, context.hparams_metadata(request, ""), [])
    names = [info.name for info in found.hparam_infos]
    assert names[:2] == ["algo", "select"]
    assert set(names[2:]) == {"a_constant", "algo_kwargs.n_epochs", "algo_kwargs.tau"}
    assert [(info.name.tag, info.name.group) for info in found.metric_infos] == [("evaluation/s2r_auc", "")]


def test_headlines_have_tags_of_their_own():
    assert len(set(HEADLINES.values())) == len(HEADLINES)


def test_groups_of_parameters_become_dotted_names():
    assert flatten({"a": {"b": {"c": None}}, "d": True}) == {"a.b.c": "None", "d": True}
