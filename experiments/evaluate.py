"""Judge synthetic records by privacy, utility and fidelity, of a run or of any other generator.

python experiments/evaluate.py lightning_logs/rlsyn/AIREADI-v0_1
python experiments/evaluate.py --train T.csv --test H.csv --synthetic S.csv --label died -o scores/
"""

from __future__ import annotations

import argparse
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd

from rlsyn.arguments import Parser, check_n_jobs, check_seed
from rlsyn.constraints import read_constraints
from rlsyn.datasets import Dataset, read_table
from rlsyn.files import file_stamp
from rlsyn.runs import check_same_table, is_finished, load_dataset, make_folder, moved, read_config, versions
from rlsyn.schema import Schema, infer_schema


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        output_dir = _checked_output_dir(arguments)
        dataset = _run_dataset(arguments) if arguments.run else _given_dataset(arguments)
        records = Path(arguments.synthetic or Path(arguments.run) / "synthetic.csv")
        # With the columns of --drop: whoever gives the rows away must be told that they hold them.
        synthetic = read_table(records)
        make_folder(output_dir)
        _check_free(output_dir)
        if arguments.fast:
            _check_nothing_lost(output_dir / "metrics.csv")
        # scikit-learn, LightGBM and Matplotlib take seconds to import: a mistyped path is told before.
        from rlsyn.evaluation import evaluate, print_scores, write_report

        evaluation = evaluate(
            dataset.train,
            dataset.test,
            synthetic,
            dataset.schema,
            seed=_seed(arguments),
            fast=arguments.fast,
            others=_others(arguments, len(synthetic)),
            costs=read_costs(arguments.run) if arguments.run and not arguments.synthetic else {},
            n_jobs=arguments.n_jobs,
            progress_bar=arguments.progress or sys.stderr.isatty(),
            title=dataset.title,
            source=dataset.source,
            simulated=dataset.simulated,
            licence=dataset.licence,
            file=file_stamp(records),
        )
        evaluation.write_scores(output_dir)
        report = write_report(evaluation, output_dir, command=shlex.join(sys.argv), versions=versions())
    except (ValueError, OSError) as error:
        print(f"evaluate.py: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped; the scores are not complete.", file=sys.stderr)
        return 130
    print_scores(evaluation)
    print(f"Scored in {evaluation.seconds:.0f} s: {output_dir / 'metrics.csv'}, {report}")
    return 0


def _checked_output_dir(arguments: argparse.Namespace) -> Path:
    if arguments.seed is not None:
        check_seed(arguments.seed)
    if arguments.n_jobs is not None:
        check_n_jobs(arguments.n_jobs)
    if arguments.output is None and (arguments.run is None or arguments.synthetic):
        raise ValueError("Expected -o DIR, the folder to write to.")
    return Path(arguments.output or arguments.run)


def _check_free(output_dir: Path) -> None:
    folders = [(name, Path.is_dir, "folder") for name in ("report.html", "copies.csv")]
    for name, is_wrong, what in (*folders, ("figures", Path.is_file, "file")):
        if is_wrong(output_dir / name):
            raise ValueError(f"{output_dir / name} is a {what} and in the way. Choose another folder with -o.")


def _check_nothing_lost(path: Path) -> None:
    # A fast evaluation must not take away what minutes were spent on.
    from rlsyn.evaluation.utility import SLOW

    there = _scores(path).dropna(subset=["value"])["metric"]
    if lost := [name for name in there if str(name).endswith(tuple(f"({model})" for model in SLOW))]:
        raise ValueError(
            f"{path} has scores that --fast leaves out ({', '.join(lost)}) and would be replaced. Leave --fast out, or "
            "choose another folder with -o."
        )


def _scores(path: Path) -> pd.DataFrame:
    """Scores that `evaluate.py` or a run left in a file; no rows if there is none."""
    columns = ["family", "metric", "value"]
    if not path.is_file():
        return pd.DataFrame(columns=columns)
    try:
        return pd.read_csv(path)[columns]
    except (ValueError, KeyError) as error:
        raise ValueError(
            f"Expected scores in {path}, it holds something else. Choose another folder with -o."
        ) from error


def _run_dataset(arguments: argparse.Namespace) -> Dataset:
    """What a run learned and held out."""
    run_dir, config = Path(arguments.run), read_config(arguments.run)
    if "train_fingerprint" not in config:
        what = "the cell of a benchmark" if "env" in config else "a saved model"
        raise ValueError(
            f"{run_dir} is {what}, not a run: it holds no training rows. Leave it out, and give --train, --test and "
            "--synthetic."
        )
    for name in ("train", "test", "label", "group", "schema", "drop"):
        if getattr(arguments, name):
            raise ValueError(f"A run knows its tables and columns, got --{name} beside {arguments.run}. Leave it out.")
    if not (is_finished(run_dir) or arguments.synthetic):
        raise ValueError(f"The run {run_dir} has no synthetic.csv: it is not finished. Go on with run_ppo.py --resume.")
    dataset = load_dataset(moved(config, vars(arguments)))
    check_same_table(run_dir, config, dataset)
    return dataset


def _others(arguments: argparse.Namespace, n_samples: int) -> dict[str, pd.DataFrame]:
    """Records of a run's other policies, to stand beside the synthetic ones."""
    if arguments.run is None or arguments.synthetic:
        return {}
    from rlsyn.comparison import records_of_others
    from rlsyn.synthesizer import RLSyn

    others, notes = records_of_others(RLSyn.load(arguments.run), n_samples)
    for note in notes:
        print(note, flush=True)
    return others


def _seed(arguments: argparse.Namespace) -> int:
    """That of the command line, or of the run, whose scores would otherwise come out otherwise."""
    if arguments.seed is not None:
        return int(arguments.seed)
    return int(read_config(arguments.run)["parameters"].get("seed", 0)) if arguments.run else 0


def read_costs(run_dir: str | Path) -> dict[str, float]:
    """What a run cost, from the scores that it left."""
    scores = _scores(Path(run_dir) / "metrics.csv")
    return {row["metric"]: row["value"] for row in scores[scores["family"] == "cost"].to_dict("records")}


def _given_dataset(arguments: argparse.Namespace) -> Dataset:
    for name in ("csv", "test_csv", "data_dir"):
        if getattr(arguments, name):
            raise ValueError(
                f"--{name.replace('_', '-')} goes with a run directory, got it without. Give --train and --test."
            )
    absent = [f"--{name}" for name in ("train", "test", "synthetic") if not getattr(arguments, name)]
    if absent:
        raise ValueError(
            f"Expected a run directory, or --train, --test and --synthetic; {', '.join(absent)} not given."
        )
    train, test = read_table(arguments.train, arguments.drop), read_table(arguments.test)
    test = test.drop(columns=arguments.drop, errors="ignore")  # which need not have what train has
    schema = _schema(arguments, train)
    if schema.group is not None:
        _check_group(train, test, schema.group)
    source = f"Your tables {arguments.train} and {arguments.test}."
    return Dataset(Path(arguments.synthetic).name, train, test, schema, source)


def _schema(arguments: argparse.Namespace, train: pd.DataFrame) -> Schema:
    if arguments.schema:
        if arguments.label or arguments.group:
            raise ValueError("--schema names label and group itself. Leave --label and --group out.")
        schema = Schema.read(Path(arguments.schema))
    else:
        schema = infer_schema(train, arguments.label, arguments.group)
    return replace(schema, constraints=read_constraints(arguments.constraints)) if arguments.constraints else schema


def _check_group(train: pd.DataFrame, test: pd.DataFrame, group: str) -> None:
    for name, table in (("train", train), ("test", test)):
        if group not in table:
            raise ValueError(f"The {name} table lacks the group column {group!r}.")


def _parser() -> Parser:
    parser = Parser("Judge synthetic records by privacy, utility and fidelity.")
    parser.add_argument("run", metavar="RUN", nargs="?", help="run directory of a finished run")
    tables = parser.add_argument_group("or three tables from any generator, CSV or Parquet")
    tables.add_argument("--train", metavar="FILE", help="rows that the generator learned from")
    tables.add_argument("--test", metavar="FILE", help="real rows that it never saw")
    tables.add_argument("--synthetic", metavar="FILE", help="rows that it generated")
    tables.add_argument("--label", metavar="COLUMN", help="outcome column, for utility")
    tables.add_argument("--group", metavar="COLUMN", help="column that identifies the person a row belongs to")
    tables.add_argument(
        "--drop",
        metavar="COLUMN",
        nargs="+",
        action="extend",
        default=[],
        help="columns of train and test to leave out",
    )
    tables.add_argument("--schema", metavar="FILE", help="schema.yaml, where kinds should not be inferred from train")
    tables.add_argument("--constraints", metavar="FILE", help="YAML list of rules that every record must obey")
    places = parser.add_argument_group("where the data of a run lie now, if they were moved")
    places.add_argument("--csv", metavar="FILE", help="the table")
    places.add_argument("--test-csv", metavar="FILE", help="its test rows, if it had a table of them")
    places.add_argument("--data-dir", metavar="DIR", help="the release of a cohort; rules by --constraints")
    parser.add_argument("-o", "--output", metavar="DIR", help="folder to write to (default: that of the run)")
    seed = "of folds, subsamples and classifiers (default: that of the run, 0 for three tables)"
    parser.add_argument("--seed", type=int, help=seed)
    parser.add_argument(
        "--fast", action="store_true", help="fewer classifiers, no slow attacks; lists what is left out"
    )
    parser.add_argument(
        "--n-jobs", type=int, metavar="N", help="processes (default: as many as cores for large tables)"
    )
    parser.add_argument("-P", "--progress", action="store_true", help="show a progress bar even in a log")
    return parser


if __name__ == "__main__":
    sys.exit(main())
