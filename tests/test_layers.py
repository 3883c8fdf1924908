"""The one rule of the house: a file imports only files on a lower floor, and siblings never know one another."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOUSE = ("rlsyn", "envs", "experiments")

# From the ground up. Files of one floor are siblings. A new file takes a floor above everything that it imports.
FLOORS = (
    # What knows nothing of records, a schema and its rules.
    ("rlsyn.names", "rlsyn.values", "rlsyn.networks", "rlsyn.ranks"),
    (
        *("rlsyn.constraints.expressions", "rlsyn.yaml_fields", "rlsyn.bins", "rlsyn.networks.staircase"),
        *(
            "rlsyn.adversarial_loss",
            "rlsyn.files",
            "rlsyn.values.dates",
            "rlsyn.values.identifiers",
            "rlsyn.values.forms",
        ),
        *("rlsyn.values.numbers", "rlsyn.values.categories"),
    ),
    ("rlsyn.constraints.truth", "rlsyn.values.missing_codes", "rlsyn.values.refusals"),
    ("rlsyn.constraints.formulas",),
    ("rlsyn.constraints",),
    (
        *("rlsyn.schema", "rlsyn.checkpoints", "rlsyn.randomness", "rlsyn.device", "rlsyn.schedule"),
        "rlsyn.implied_orders",
        *("rlsyn.networks.attribute_network", "rlsyn.entropy_target"),
    ),
    (
        *("rlsyn.arguments", "rlsyn.levels", "rlsyn.networks.autoregressive", "rlsyn.rollout", "rlsyn.attribute_order"),
        *("rlsyn.thresholds", "rlsyn.tilt", "rlsyn.ridge"),
        *("rlsyn.networks.transformer", "rlsyn.chow_liu", "rlsyn.implied_rules"),
    ),
    ("rlsyn.repair", "rlsyn.doubts", "rlsyn.networks.mixture_heads"),
    ("rlsyn.encoding", "rlsyn.level_masks"),
    # Data sets.
    ("rlsyn.phecode_chapters",),
    (
        *("rlsyn.datasets.dataset", "rlsyn.datasets.split", "rlsyn.datasets.table", "rlsyn.datasets.bundled"),
        *("rlsyn.datasets.simulated_aireadi_tables", "rlsyn.datasets.simulated_mimic_tables"),
    ),
    ("rlsyn.datasets.simulated_aireadi_columns", "rlsyn.datasets.simulated_mimic"),
    ("rlsyn.datasets.simulated_aireadi",),
    ("rlsyn.datasets.reader_options",),
    (
        *("rlsyn.datasets.aireadi.options", "rlsyn.datasets.aireadi.release", "rlsyn.datasets.aireadi.sources"),
        "rlsyn.datasets.aireadi.grid",
    ),
    (
        *("rlsyn.datasets.aireadi.streams", "rlsyn.datasets.aireadi.measurements", "rlsyn.datasets.aireadi.ecg"),
        *("rlsyn.datasets.aireadi.conditions", "rlsyn.datasets.aireadi.schema"),
    ),
    ("rlsyn.datasets.aireadi.days", "rlsyn.datasets.aireadi.cache"),
    ("rlsyn.datasets.aireadi.wearables",),
    ("rlsyn.datasets.aireadi.assembly",),
    ("rlsyn.datasets.mimic.options", "rlsyn.datasets.mimic.release"),
    ("rlsyn.datasets.mimic.people", "rlsyn.datasets.mimic.vitals", "rlsyn.datasets.mimic.diagnoses"),
    ("rlsyn.datasets.mimic.phecodes", "rlsyn.datasets.mimic.assembly"),
    ("rlsyn.datasets.aireadi", "rlsyn.datasets.mimic"),
    ("rlsyn.datasets",),
    # Environments.
    ("envs", "envs.record_env"),
    ("envs.record_vec_env", "envs.cohorts"),
    # Evaluation: what all families share, the families, the suite, the report.
    (
        *("rlsyn.evaluation.features", "rlsyn.evaluation.measure", "rlsyn.evaluation.evaluation"),
        *("rlsyn.evaluation.ranking", "rlsyn.evaluation.score_texts"),
    ),
    (
        *("rlsyn.evaluation.people", "rlsyn.evaluation.disclosure", "rlsyn.evaluation.verdicts"),
        "rlsyn.evaluation.evenness",
    ),
    (
        *("rlsyn.evaluation.fidelity.column_distances", "rlsyn.evaluation.privacy.distances"),
        *("rlsyn.evaluation.utility.label_models", "rlsyn.evaluation.constraints"),
    ),
    (
        *("rlsyn.evaluation.fidelity.marginals", "rlsyn.evaluation.fidelity.association"),
        *("rlsyn.evaluation.fidelity.detection", "rlsyn.evaluation.fidelity.clusters"),
        *("rlsyn.evaluation.fidelity.limits", "rlsyn.evaluation.fidelity.pairs"),
        *("rlsyn.evaluation.privacy.copies", "rlsyn.evaluation.privacy.membership"),
        *(
            "rlsyn.evaluation.privacy.domias",
            "rlsyn.evaluation.privacy.inference",
            "rlsyn.evaluation.privacy.foreign",
            "rlsyn.evaluation.privacy.traces",
        ),
    ),
    ("rlsyn.evaluation.privacy.parts",),
    ("rlsyn.evaluation.fidelity", "rlsyn.evaluation.utility", "rlsyn.evaluation.privacy"),
    (
        *("rlsyn.evaluation.score_rows", "rlsyn.evaluation.remarks", "rlsyn.evaluation.console"),
        "rlsyn.evaluation.report.shares",
    ),
    ("rlsyn.evaluation.suite",),
    ("rlsyn.evaluation.report.plots", "rlsyn.evaluation.report.chapters"),
    ("rlsyn.evaluation.report.panels", "rlsyn.evaluation.report.curves"),
    ("rlsyn.evaluation.report.gallery",),
    ("rlsyn.evaluation.report.report",),
    ("rlsyn.evaluation.report",),
    ("rlsyn.evaluation",),
    # The rivals.
    ("rlsyn.baselines.baseline", "rlsyn.baselines.table_vectors", "rlsyn.baselines.training"),
    ("rlsyn.baselines.one_step_networks", "rlsyn.baselines.mode_vectors", "rlsyn.baselines.ctabgan_networks"),
    (
        *("rlsyn.baselines.independent", "rlsyn.baselines.bootstrap", "rlsyn.baselines.gaussian_copula"),
        *("rlsyn.baselines.sequential_trees", "rlsyn.baselines.one_step", "rlsyn.baselines.emr_wgan"),
        *("rlsyn.baselines.ehrdiff", "rlsyn.baselines.ctabgan_plus"),
        *("rlsyn.baselines.ctgan", "rlsyn.baselines.tabular_argn"),
    ),
    ("rlsyn.baselines",),
    # What all algorithms share.
    ("rlsyn.rewards.total", "rlsyn.rewards.weights", "rlsyn.rewards.decoder", "rlsyn.networks.architectures"),
    ("rlsyn.policy", "rlsyn.discriminator", "rlsyn.sampling"),
    # The algorithms.
    ("rlsyn.algorithms", "rlsyn.algorithms.table", "rlsyn.algorithms.one_hot"),
    (
        *("rlsyn.algorithms.replay", "rlsyn.algorithms.value_policies", "rlsyn.algorithms.fast_policies"),
        *("rlsyn.algorithms.drawing", "rlsyn.algorithms.options", "rlsyn.algorithms.interrupts"),
    ),
    ("rlsyn.algorithms.linear_policy", "rlsyn.algorithms.population", "rlsyn.algorithms.making"),
    ("rlsyn.algorithms.running", "rlsyn.algorithms.state"),
    # The method.
    ("rlsyn.linear_start",),
    (
        *("rlsyn.rewards.realism", "rlsyn.rewards.constraints", "rlsyn.rewards.privacy", "rlsyn.rewards.own"),
        *("rlsyn.rewards.trees", "rlsyn.warm_start", "rlsyn.calibration", "rlsyn.callbacks"),
    ),
    ("rlsyn.rewards.assembly",),
    ("rlsyn.rewards", "rlsyn.parameters", "rlsyn.training_folder"),
    ("rlsyn.selection",),
    ("rlsyn.trained_actors", "rlsyn.algorithms.stock_actors"),
    ("rlsyn.training",),
    ("rlsyn.synthesizer",),
    ("rlsyn", "rlsyn.comparison"),  # shows the public class
    # A run.
    ("rlsyn.runs", "rlsyn.run_summary", "rlsyn.table_options", "rlsyn.benchmark", "rlsyn.search"),
    ("rlsyn.methods", "rlsyn.benchmark.paper_protocol"),
    ("rlsyn.benchmark.cells", "rlsyn.benchmark.tables", "rlsyn.search.spaces", "rlsyn.search.trials"),
    ("rlsyn.benchmark.results", "rlsyn.benchmark.figures", "rlsyn.benchmark.algorithms"),
    ("rlsyn.search.study", "rlsyn.benchmark.ablation", "rlsyn.benchmark.trade_off"),
    ("rlsyn.search.results",),
    (
        "experiments.run_ppo",
        "experiments.sample",
        "experiments.evaluate",
        "experiments.benchmark",
        "experiments.throughput",
        "experiments.one_step_throughput",
        "experiments.tune",
        "experiments.ablation",
        "experiments.trade_off",
    ),
)
MAX_LINES = 450


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for room in HOUSE for path in sorted((ROOT / room).rglob("*.py"))}
FLOOR_OF = {name: number for number, floor in enumerate(FLOORS) for name in floor}


def imported_modules(name: str, source: str) -> set[str]:
    """Files of the house that a file imports, those for type checking only and those inside functions included."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = name.split(".") if FILES[name].name == "__init__.py" else name.split(".")[:-1]
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            # `from rlsyn.evaluation import fidelity` imports the file fidelity.py, `evaluate` the package.
            found |= {f"{module}.{a.name}" if f"{module}.{a.name}" in FILES else module for a in node.names}
    return {module for module in found if module.split(".")[0] in HOUSE} - {name}


@pytest.mark.parametrize("name", FILES)
def test_file_has_a_floor(name):
    assert name in FLOOR_OF, (
        f"{FILES[name].relative_to(ROOT)} has no floor. Add {name!r} to FLOORS in tests/test_layers.py, on the lowest "
        "floor that is above everything it imports; if there is none, it imports too much."
    )


def test_floors_hold_only_files_that_exist_and_each_once():
    names = [name for floor in FLOORS for name in floor]
    assert sorted(names) == sorted(set(names))
    assert set(names) <= set(FILES), f"Take {sorted(set(names) - set(FILES))} out of FLOORS in tests/test_layers.py."


@pytest.mark.parametrize("name", [name for name in FILES if name in FLOOR_OF])
def test_file_imports_only_lower_floors(name):
    for other in sorted(imported_modules(name, FILES[name].read_text())):
        assert other in FILES, f"{name} imports {other}, which does not exist."
        assert FLOOR_OF.get(other, -1) < FLOOR_OF[name], (
            f"{name} (floor {FLOOR_OF[name]}) imports {other} (floor {FLOOR_OF[other]}): a file imports only files on a "
            "lower floor. Hand the thing in as an argument, or move what both need to a file below."
        )


@pytest.mark.parametrize(
    "source",
    [
        "from rlsyn.synthesizer import RLSyn",
        "import rlsyn.synthesizer",
        "import rlsyn.synthesizer as s",
        "from rlsyn import synthesizer",
        "from . import synthesizer",
        "from .synthesizer import RLSyn",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from rlsyn.synthesizer import RLSyn",
        "def late():\n    from rlsyn.synthesizer import RLSyn",
    ],
    ids=["from", "plain", "renamed", "from package", "from dot", "relative", "for types", "inside a function"],
)
def test_no_form_of_import_goes_unseen(source):
    assert imported_modules("rlsyn.schema", source) == {"rlsyn.synthesizer"}


@pytest.mark.parametrize("name", FILES)
def test_file_is_no_drawer_for_odds_and_ends(name):
    assert FILES[name].stem not in ("utils", "util", "common", "helpers", "helper", "misc", "tools"), (
        f"{name}: name the file after what is in it."
    )


@pytest.mark.parametrize("name", FILES)
def test_file_can_be_read_in_one_sitting(name):
    n_lines = len(FILES[name].read_text().splitlines())
    assert n_lines <= MAX_LINES, f"{name} has {n_lines} lines, at most {MAX_LINES}: part it into two files."
