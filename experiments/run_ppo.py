"""Train RLSyn on a table and leave synthetic records: the main job.

python experiments/run_ppo.py --env AIREADI-v0
python experiments/run_ppo.py --csv patients.csv --label died
"""

from __future__ import annotations

import argparse
import logging
import resource
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import pandas as pd

from rlsyn.algorithms.options import with_effect
from rlsyn.algorithms.table import ALGORITHMS, algorithm
from rlsyn.arguments import Parser
from rlsyn.datasets import DATASETS, Dataset
from rlsyn.datasets.reader_options import add_options, add_protocol
from rlsyn.files import FileStamp, file_stamp, write_whole
from rlsyn.names import unknown_name
from rlsyn.runs import (
    MOVABLE,
    check_checkpoint,
    check_same_table,
    checkpoint_steps,
    configured_parameters,
    is_finished,
    licence_of,
    load_dataset,
    merge,
    moved,
    named_run_dir,
    new_run_dir,
    parse_parameters,
    read_config,
    read_parameters,
    write_config,
)
from rlsyn.table_options import READER_OPTIONS, check_seeds, given_reader_options

if TYPE_CHECKING:
    from rlsyn.encoding import Encoding
    from rlsyn.evaluation import Evaluation
    from rlsyn.synthesizer import RLSyn

METHOD = "rlsyn"
FLAGS = {
    "algo": "algo",
    "seed": "seed",
    "device": "device",
    "warm_start": "warm_start",
    "n_timesteps": "total_timesteps",
}
"""Flags that stand for a parameter of RLSyn, and its name."""
CONFIGS = Path(__file__).parent / "configs"


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        options = _resumed(arguments) if arguments.resume else _options(arguments)
        if licence := licence_of(options):
            print(f"LICENCE OF THE DATA: {licence}", flush=True)
        dataset = load_dataset(options, progress_bar=arguments.progress)
        model, encoding = _model(options, dataset)
        run_dir = _run_dir(arguments, options, dataset, encoding)
    except (ValueError, OSError) as error:
        print(f"run_ppo.py: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return _run(model, dataset, run_dir, options, resume=bool(arguments.resume), progress=arguments.progress)


def _model(options: dict[str, Any], dataset: Dataset) -> tuple[RLSyn, Encoding]:
    # Torch and Lightning take seconds to import: a mistyped path is told before.
    import torch

    from rlsyn.arguments import check_arguments
    from rlsyn.evaluation import check_held_out
    from rlsyn.synthesizer import RLSyn

    # Not after a training that nobody could judge.
    check_held_out(dataset.train, dataset.test, dataset.schema)

    # A few wide matrices per step: more threads than this only wait for each other.
    torch.set_num_threads(min(4, torch.get_num_threads()))
    check_arguments(RLSyn, options["parameters"])
    model = RLSyn(**options["parameters"])
    encoding = model.prepare(dataset.train, dataset.schema)
    options["parameters"] = model.parameters
    return model, encoding


def _run(
    model: RLSyn, dataset: Dataset, run_dir: Path, options: dict[str, Any], *, resume: bool, progress: bool
) -> int:
    print(f"{dataset.title}: {dataset.source}")
    print(
        f"{len(dataset.train):,} training rows, {len(dataset.test):,} test rows, {len(dataset.schema.columns)} columns."
    )
    group = dataset.schema.group
    if group is not None and (n_people := dataset.train[group].nunique()) < len(dataset.train):
        print(
            f"The training rows are of {n_people:,} people. A synthetic row stands for itself: no two are of one person."
        )
    log_dir = run_dir.parent.parent if run_dir.parent.name == METHOD else run_dir
    print(f"Run directory: {run_dir}   (watch it: tensorboard --logdir {log_dir})", flush=True)
    from rlsyn.run_summary import write_description, write_outcome
    from rlsyn.sampling import TooFewRecords

    write_description(run_dir, read_config(run_dir), dataset.schema, dataset.licence)
    signal.signal(signal.SIGTERM, _interrupt)
    start = time.perf_counter()
    try:
        model.fit(
            dataset.train,
            schema=dataset.schema,
            run_dir=run_dir,
            resume=resume,
            progress_bar=progress,
            title=dataset.title,
        )
        print(f"Trained in {time.perf_counter() - start:.0f} s.{_choice(model)}", flush=True)
        costs = {} if resume else _costs_of_fit(time.perf_counter() - start, checkpoint_steps(run_dir))
        synthetic, costs = _sample(model, options["n_samples"] or len(dataset.train), costs)
        records = synthetic.to_csv(index=False)
        file = file_stamp("synthetic.csv", records.encode())
        evaluation = _evaluate(model, dataset, synthetic, costs, file, fast=not options["report"], progress=progress)
        if options["report"]:
            _write_report(evaluation, run_dir)
    except KeyboardInterrupt:
        print(
            f"\nStopped at {checkpoint_steps(run_dir):,} steps. Go on with: python {sys.argv[0]} --resume {run_dir}",
            file=sys.stderr,
        )
        return 130
    except TooFewRecords as error:
        print(f"run_ppo.py: error: {error} The trained policy is in {run_dir}.", file=sys.stderr)
        return 2
    evaluation.write_scores(run_dir)
    asked = {name: options[name] for name in ("env", "algo")} | options["parameters"]
    write_outcome(run_dir / "outcome", asked, evaluation.scores, checkpoint_steps(run_dir))
    write_whole(run_dir / file.name, records)
    _print_scores(evaluation)
    print(f"{len(synthetic):,} synthetic records: {run_dir / 'synthetic.csv'}")
    if options["report"]:
        print(f"Report: {run_dir / 'report.html'}")
    return 0


def _choice(model: RLSyn) -> str:
    """Which of the policies that were scored on validation people was selected, if any."""
    if not (scores := model.selected.scores):
        return ""
    n_steps, last = model.selected.n_steps, max(scores)
    which = (
        "that of the warm start" if n_steps == 0 else "the last" if n_steps == last else f"that at {n_steps:,} steps"
    )
    return f" Of {len(scores)} policies scored on validation people the best was {which}."


def _costs_of_fit(seconds: float, n_steps: int) -> dict[str, float]:
    """What training cost; unknown for a run that was resumed, whose beginning nobody timed."""
    return {"fit (s)": seconds, **({"environment steps/s": n_steps / seconds} if n_steps else {})}


def _sample(model: RLSyn, n_samples: int, costs: dict[str, float]) -> tuple[pd.DataFrame, dict[str, float]]:
    """The synthetic records, and what they and all before them cost."""
    start = time.perf_counter()
    synthetic = model.sample(n_samples)
    if model.schema.constraints:
        print(
            f"{model.rule_acceptance:.1%} of the drawn records obeyed the declared rules; only those are kept.",
            flush=True,
        )
    # In kilobytes on Linux, in bytes on macOS.
    unit = 1e6 if sys.platform == "darwin" else 1e3
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    return synthetic, {**costs, "sample (s)": time.perf_counter() - start, "peak memory (MB)": memory}


def _evaluate(
    model: RLSyn,
    dataset: Dataset,
    synthetic: pd.DataFrame,
    costs: dict[str, float],
    file: FileStamp,
    *,
    fast: bool,
    progress: bool,
) -> Evaluation:
    """Scores of the trained policy; beside them those of the warm start and, where one was selected, of the last."""
    from rlsyn.comparison import records_of_others
    from rlsyn.evaluation import evaluate

    others, notes = records_of_others(model, len(synthetic))
    for note in notes:
        print(note, flush=True)
    print("Scoring the synthetic records ...", flush=True)
    return evaluate(
        dataset.train,
        dataset.test,
        synthetic,
        dataset.schema,
        seed=model.seed,
        fast=fast,
        others=others,
        costs=costs,
        progress_bar=progress,
        title=dataset.title,
        source=dataset.source,
        simulated=dataset.simulated,
        licence=dataset.licence,
        file=file,
    )


def _write_report(evaluation: Evaluation, run_dir: Path) -> None:
    from rlsyn.evaluation import write_report

    config = read_config(run_dir)
    write_report(evaluation, run_dir, command=config["command"], versions=config["versions"])


def _print_scores(evaluation: Evaluation) -> None:
    from rlsyn.evaluation import print_scores

    print_scores(evaluation)


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the run is asked for: constructor defaults < the method's YAML < --config < command line."""
    if arguments.env is None and arguments.csv is None:
        raise ValueError(f"Expected --env ID or --csv FILE (or --resume RUN). The ids are: {', '.join(DATASETS)}.")
    if arguments.csv is not None and arguments.env not in (None, "Table-v0"):
        raise ValueError(f"--csv goes with --env Table-v0 or none, got --env {arguments.env}.")
    env = arguments.env or "Table-v0"
    if env not in DATASETS:
        raise ValueError(unknown_name("environment", env, DATASETS))
    for name in ("label", "group", "test_csv", "drop", "constraints"):
        if getattr(arguments, name) and arguments.csv is None:
            raise ValueError(f"--{name.replace('_', '-')} goes with --csv FILE, got it with --env {env}.")
    reader_options = given_reader_options(arguments)
    if arguments.csv is not None and (unused := [*(["data_dir"] if arguments.data_dir else []), *reader_options]):
        flag = unused[0].replace("_", "-")
        raise ValueError(f"--{flag} goes with --env ID and a release, got it with --csv. Leave it out.")
    parameters = _parameters(arguments, env)
    check_seeds([parameters.get("seed", 0)])
    if arguments.n_samples is not None and arguments.n_samples < 1:
        raise ValueError(f"--n-samples must be at least 1, got {arguments.n_samples}.")
    names = ("csv", "label", "group", "test_csv", "drop", "constraints", "data_dir")
    given = {name: getattr(arguments, name) for name in names}
    files = ("csv", "test_csv", "constraints", "data_dir")
    absolute = {name: str(Path(given[name]).absolute()) for name in files if given[name]}
    options = {"env": env, **given, **absolute, "algo": parameters["algo"], "n_samples": arguments.n_samples}
    options["reader_options"] = reader_options
    return {**options, "report": arguments.report, "parameters": parameters}


def _parameters(arguments: argparse.Namespace, env: str) -> dict[str, Any]:
    """Parameters of YAML files, `-params` and the flags that stand for one, with the algorithm that any of them names."""
    of_file = read_parameters(arguments.config, env, must_say=True) if arguments.config else {}
    given = parse_parameters(arguments.params)
    flags = {name: value for flag, name in FLAGS.items() if (value := getattr(arguments, flag)) is not None}
    # The command line goes before a file, but the arguments of an algorithm in a file are not for another one.
    others = {name: value for name, value in of_file.items() if name == "algo"} | given
    for name, value in flags.items():
        if others.get(name, value) != value:
            word = _flag(name, value)
            raise ValueError(f"{word} and the parameter {name}:{others[name]} differ. Leave out one of them.")
    own = {**merge(of_file, given), **flags}
    algorithm(algo := own.get("algo", "ppo"))
    return {**merge(configured_parameters(CONFIGS, METHOD, env, algo), own), "algo": algo}


def _flag(name: str, value: Any) -> str:
    """How the command line says a parameter that has a flag."""
    if isinstance(value, bool):
        return f"--{'' if value else 'no-'}{name.replace('_', '-')}"
    return f"-n {value}" if name == "total_timesteps" else f"--{name} {value}"


def _resumed(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the run to be resumed was asked for; only `-n` may be raised, and the new places of its data named."""
    config = read_config(arguments.resume)
    parser = _parser()
    for name, value in vars(arguments).items():
        if name not in ("resume", "n_timesteps", *MOVABLE, "progress") and value != parser.get_default(name):
            raise ValueError(
                f"A run is resumed as it was begun: --{name.replace('_', '-')} cannot be changed, only -n raised and the "
                "new place of data named. Start a new run instead."
            )
    names = (
        "env",
        "csv",
        "label",
        "group",
        "test_csv",
        "drop",
        "constraints",
        "data_dir",
        "algo",
        "n_samples",
        "report",
        "parameters",
    )
    absent = [name for name in names if name not in config]
    if absent:
        raise ValueError(
            f"{arguments.resume} was not begun by this version of this command: its config.yaml lacks {absent}."
        )
    options = {name: config[name] for name in names} | {"reader_options": config.get("reader_options", {})}
    options = moved(options, vars(arguments))
    parameters = with_effect(algorithm(options["algo"]), options["parameters"], "config.yaml")
    if arguments.n_timesteps is not None:
        if arguments.n_timesteps <= (n_done := checkpoint_steps(arguments.resume)):
            raise ValueError(
                f"{arguments.resume} has done {n_done:,} steps; -n must be more, got {arguments.n_timesteps:,}."
            )
        parameters["total_timesteps"] = arguments.n_timesteps
    elif is_finished(arguments.resume):
        raise ValueError(
            f"The run {arguments.resume} is finished. Draw more records with sample.py, or train on with a larger -n."
        )
    return {**options, "parameters": parameters}


def _run_dir(arguments: argparse.Namespace, options: dict[str, Any], dataset: Dataset, encoding: Encoding) -> Path:
    if arguments.resume:
        from rlsyn.evaluation.evaluation import COPIES_FILE
        from rlsyn.training_folder import checkpoint_of, config_text  # after torch

        run_dir = Path(arguments.resume)
        before = read_config(run_dir)
        check_same_table(run_dir, before, dataset)
        check_checkpoint(run_dir)
        checkpoint_of(run_dir, config_text(METHOD, options["parameters"]), encoding, resume=True)
        # A run that goes on is not finished.
        for name in ("synthetic.csv", COPIES_FILE):  # that names rows of other records
            (run_dir / name).unlink(missing_ok=True)
        write_config(run_dir, dataset, METHOD, options, before)
    else:
        run_dir = (
            named_run_dir(arguments.run_dir)
            if arguments.run_dir
            else new_run_dir(arguments.log_dir, METHOD, options["env"])
        )
        write_config(run_dir, dataset, METHOD, options)
    return run_dir


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _parser() -> Parser:
    parser = Parser("Train a generator of synthetic records by reinforcement learning.")
    data = parser.add_argument_group("what to learn")
    data.add_argument("--env", metavar="ID", help=f"environment: {', '.join(DATASETS)}")
    data.add_argument("--data-dir", metavar="DIR", help="folder of the real AI-READI or MIMIC-IV release")
    data.add_argument("--csv", metavar="FILE", help="a table of your own, CSV or Parquet")
    data.add_argument("--label", metavar="COLUMN", help="outcome column of --csv")
    data.add_argument("--group", metavar="COLUMN", help="column of --csv that identifies the person a row belongs to")
    data.add_argument("--test-csv", metavar="FILE", help="test rows; by default 30 %% of the people in --csv")
    data.add_argument(
        "--drop", metavar="COLUMN", nargs="+", action="extend", default=[], help="columns of --csv to leave out"
    )
    data.add_argument("--constraints", metavar="FILE", help="YAML list of rules that every record of --csv must obey")
    add_protocol(data)
    add_options(parser, READER_OPTIONS)
    train = parser.add_argument_group("how to learn it")
    train.add_argument("--algo", metavar="NAME", help=f"algorithm: {', '.join(ALGORITHMS)} (default: ppo)")
    train.add_argument("-n", "--n-timesteps", type=int, metavar="N", help="environment steps (default: 150 rollouts)")
    train.add_argument("--seed", type=int, help="seed of split and training (default: 0)")
    train.add_argument("--device", help="auto, cpu or cuda (default: auto)")
    train.add_argument(
        "--warm-start",
        action=argparse.BooleanOptionalAction,
        help="clone the real records first (default: where it can)",
    )
    train.add_argument(
        "-params",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME:VALUE",
        help="parameters of RLSyn, e.g. kl_coef:0.1",
    )
    train.add_argument("--config", metavar="FILE", help="YAML file of parameters")
    output = parser.add_argument_group("what to leave")
    output.add_argument(
        "--n-samples", type=int, metavar="N", help="synthetic records (default: as many as training rows)"
    )
    output.add_argument("--log-dir", default="lightning_logs", metavar="DIR", help="where runs are numbered")
    output.add_argument("-o", "--run-dir", metavar="DIR", help="this very folder instead")
    output.add_argument("--resume", metavar="RUN", help="go on with an interrupted run")
    output.add_argument("--no-report", dest="report", action="store_false", help="quick scores only, no report")
    output.add_argument("-P", "--progress", action="store_true", help="show a progress bar")
    return parser


if __name__ == "__main__":
    sys.exit(main())
