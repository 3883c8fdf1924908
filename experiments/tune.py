"""Search hyper-parameters with the same budget for every method; the test rows have no part in it.

python experiments/tune.py --env AIREADI-v0 --methods all --trials 8 -o DIR
python experiments/tune.py --env AIREADI-v0 --methods rlsyn --objectives s2r membership association --prune -o DIR

Each trial learns from three quarters of the training people and is scored on the others. Minimised is the sum of
1 - S2R AUC (of a quantity as label 1 - max(0, S2R R2)), association difference, and detection AUC
and membership AUC above 0.5; with --objectives, terms of this sum side by side. The first trial of a method is its
defaults. Of several objectives the Pareto front is left, the trials that no other one is better than in every respect, each
as a YAML file: those of rlsyn are for `run_ppo.py --config`.

The folder is the search. The same command goes on with it, on several machines at once where they share the folder
(NFS will do), each taking the next trials until there are enough together. A trial whose process was killed is run
again by the next command on that machine.

Untouched are the test rows of the split of `--seed`. Under another seed some of the people searched on are test people:
what is chosen here and compared over several splits has, on the others, seen some of them by this choice.
"""

from __future__ import annotations

import argparse
import logging
import shlex
import sys
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pandas as pd

from rlsyn.arguments import Parser, check_n_jobs
from rlsyn.datasets.reader_options import add_options
from rlsyn.methods import with_all
from rlsyn.names import unknown_name
from rlsyn.runs import leave_licences, load_dataset, make_folder
from rlsyn.search.spaces import OBJECTIVES, SPACES
from rlsyn.table_options import (
    ENVIRONMENTS,
    OWN_TABLE,
    READER_OPTIONS,
    check_seeds,
    given_reader_options,
    named_tables,
    table_words,
)


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        methods = _methods(arguments)
        name, options = _table(arguments)
        return _search(name, options, methods, arguments)
    except (ValueError, OSError) as error:
        print(f"tune.py: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2


def _search(name: str, options: dict[str, Any], methods: list[str], arguments: argparse.Namespace) -> int:
    try:
        import optuna
    except ImportError as error:
        raise ValueError("The search needs Optuna. Install it with: pip install 'rlsyn[search]'") from error
    from rlsyn.search.study import open_journal, search
    from rlsyn.search.trials import make_task

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    for noisy in ("lightning", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    output_dir = Path(arguments.output)
    dataset = load_dataset({**options, "parameters": {"seed": arguments.seed}})
    task = make_task(name, options["env"], dataset.train, dataset.schema, arguments.seed)
    make_folder(output_dir)
    if licences := leave_licences(output_dir, [options]):
        print(f"LICENCE OF THE DATA: {licences}", flush=True)
    storage = open_journal(output_dir)
    shown = arguments.progress or sys.stderr.isatty()
    try:
        search(
            task,
            methods,
            arguments.trials,
            storage,
            objectives=arguments.objectives,
            prune=arguments.prune,
            log_dir=output_dir / "tensorboard",
            n_jobs=arguments.n_jobs,
            progress_bar=shown,
        )
    except KeyboardInterrupt:
        print("\nStopped; finished trials are kept, the same command goes on.", file=sys.stderr)
        _report(storage, name, options, dataset.title, arguments)
        return 130
    except BrokenProcessPool:
        print(
            "tune.py: error: A process was killed, probably for want of memory. Finished trials are kept; run the command "
            "again with a smaller --n-jobs.",
            file=sys.stderr,
        )
        _report(storage, name, options, dataset.title, arguments)
        return 2
    return _report(storage, name, options, dataset.title, arguments)


def _report(storage: Any, table: str, options: dict[str, Any], title: str, arguments: argparse.Namespace) -> int:
    from rlsyn.search.results import collect_trials, write_results

    output_dir, trials = Path(arguments.output), collect_trials(storage)
    write_results(trials, output_dir, arguments.objectives)
    trials = trials[trials["table"] == table]
    if trials.empty:
        return 1
    for row in trials[trials["error"].notna()].to_dict("records"):
        print(f"Failed: {row['table']}, {row['method']}, trial {row['trial']}: {row['error']}", file=sys.stderr)
    if arguments.objectives:
        _print_front(trials, options, title, arguments.objectives, output_dir)
    else:
        _print_best(trials, title, output_dir)
    print(f"All trials: {output_dir / 'trials.csv'}, or tensorboard --logdir {output_dir / 'tensorboard'} (HParams).")
    return 1 if trials["error"].notna().any() else 0


def _print_best(trials: pd.DataFrame, title: str, output_dir: Path) -> None:
    from rlsyn.benchmark.tables import to_markdown
    from rlsyn.search.results import summarise_trials
    from rlsyn.search.study import CRITERION

    print(f"{title}. Criterion, lower is better: {CRITERION}.")
    print(to_markdown(_shown(summarise_trials(trials))), end="")
    print(f"In {output_dir}: search.yaml and a YAML file for each method.")
    if (trials["env"] == OWN_TABLE).any():
        print(f"Put into experiments/configs, their block {OWN_TABLE} would hold for every table of your own.")


def _print_front(
    trials: pd.DataFrame, options: dict[str, Any], title: str, objectives: list[str], output_dir: Path
) -> None:
    from rlsyn.benchmark.tables import to_markdown
    from rlsyn.search.results import pareto_table

    front = pareto_table(trials, objectives)
    terms = {OBJECTIVES[name]: "{:.3f}".format for name in objectives}
    shown = front.assign(
        **{name: front[name].map(text) for name, text in (terms | {"seconds": "{:.0f}".format}).items()}
    )
    n_pruned = (trials["state"] == "pruned").sum()
    print(f"{title}. The Pareto front of {len(trials)} trials, {n_pruned} of them pruned; 0 is best everywhere.")
    print(to_markdown(shown), end="")
    table = trials["table"].iloc[0]
    print(f"The files of a front are in {output_dir / table / 'METHOD'}; search.yaml tells what was spent.")
    if "pareto_1.yaml" in set(front.loc[front["method"] == "rlsyn", "file"]):
        words = [*table_words(options), "--config", str(output_dir / table / "rlsyn" / "pareto_1.yaml")]
        print(f"Train with one: python experiments/run_ppo.py {shlex.join(words)}")


def _shown(summary: pd.DataFrame) -> pd.DataFrame:
    return summary.assign(
        seconds=summary["seconds"].map("{:.0f}".format),
        **{name: summary[name].astype(float).map("{:.3f}".format) for name in ("default", "best")},
        parameters=summary["parameters"].fillna("-"),
    )


def _methods(arguments: argparse.Namespace) -> list[str]:
    if arguments.trials < 1:
        raise ValueError(f"At least 1 trial is needed, the defaults, got --trials {arguments.trials}.")
    check_n_jobs(arguments.n_jobs)
    check_seeds([arguments.seed])
    for objective in arguments.objectives:
        if objective not in OBJECTIVES:
            raise ValueError(unknown_name("objective", objective, list(OBJECTIVES)))
    if len(set(arguments.objectives)) < len(arguments.objectives) or len(arguments.objectives) == 1:
        raise ValueError(f"--objectives are two or more different ones, got {' '.join(arguments.objectives)}.")
    methods = list(dict.fromkeys(with_all(arguments.methods, SPACES)))
    for method in methods:
        if method not in SPACES:
            raise ValueError(unknown_name("method with anything to search", method, [*SPACES, "all"]))
    if arguments.prune and "rlsyn" not in methods:
        raise ValueError(f"--prune ends trials of rlsyn, got it with --methods {' '.join(methods)}. Leave it out.")
    return methods


def _table(arguments: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    if (arguments.env is None) == (arguments.csv is None):
        raise ValueError(f"Expected --env ID or --csv FILE:LABEL, one of them. The ids are: {', '.join(ENVIRONMENTS)}.")
    envs, csvs = ([text] if text is not None else [] for text in (arguments.env, arguments.csv))
    return next(iter(named_tables(envs, csvs, given_reader_options(arguments)).items()))


def _parser() -> Parser:
    parser = Parser(
        "Search hyper-parameters with the same budget for every method, on training people only. Minimised is the sum "
        "of 1 - S2R AUC (of a quantity as label 1 - max(0, S2R R2)), association difference, and detection and "
        "membership AUC above 0.5; or several of these terms side by side."
    )
    envs = f"environment: {', '.join(ENVIRONMENTS)}; with the folder of the release for a real cohort"
    parser.add_argument("--env", metavar="ID[:DIR]", help=envs)
    parser.add_argument("--csv", metavar="FILE:LABEL[:GROUP]", help="a table of your own")
    add_options(parser, READER_OPTIONS)
    parser.add_argument("--methods", nargs="+", default=["all"], metavar="M", help=f"all, or of: {', '.join(SPACES)}")
    parser.add_argument(
        "--objectives",
        nargs="+",
        default=[],
        metavar="O",
        help=f"minimise these side by side instead of the sum: {', '.join(OBJECTIVES)}",
    )
    parser.add_argument(
        "--prune",
        action="store_true",
        help="end trials of rlsyn that, a third of the way through, are worse than the median; they count as trials",
    )
    parser.add_argument("--trials", type=int, default=8, metavar="N", help="of each method (default: 8)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of split, training and search (default: 0)")
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="DIR",
        help="folder of results; run again it goes on, also from several machines at once that share it",
    )
    parser.add_argument("--n-jobs", type=int, default=1, metavar="N", help="trials at once (default: 1)")
    parser.add_argument("-P", "--progress", action="store_true", help="show a progress bar even in a log")
    return parser


if __name__ == "__main__":
    sys.exit(main())
