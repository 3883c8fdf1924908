"""Compare methods on the same splits by the same evaluation.

python experiments/benchmark.py --env BreastCancer-v0 --csv heart_failure.csv:DEATH_EVENT --seeds 0 1 2 -o DIR
python experiments/benchmark.py --protocol paper -o DIR
python experiments/benchmark.py --env BreastCancer-v0 --algos ppo a2c trpo dqn sac --seeds 0 1 2 -o DIR
"""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from rlsyn.algorithms.table import ALGORITHMS
from rlsyn.arguments import Parser, check_n_jobs
from rlsyn.benchmark import paper_protocol
from rlsyn.benchmark.algorithms import (
    algorithm_variants,
    equal_time_cells,
    reference,
    step_and_time_tables,
    with_step_counts,
    with_steps,
)
from rlsyn.benchmark.cells import Cell, plan, run_cells
from rlsyn.benchmark.figures import RANKED, Ranked, cost_figure, rank_figure, trade_off_figure
from rlsyn.benchmark.results import budgets, collect, failures, origins, shapes
from rlsyn.benchmark.tables import HEADLINES, paper_table, pareto_table, provenance, summarise, to_markdown
from rlsyn.datasets.reader_options import PROTOCOLS
from rlsyn.files import write_whole
from rlsyn.methods import METHODS, Variant, configured, read_variants, usable_methods, with_all
from rlsyn.names import unknown_name
from rlsyn.runs import leave_licences, load_dataset
from rlsyn.table_options import add_tables, check_seeds, given_reader_options, named_tables

CONFIGS = Path(__file__).parent / "configs"
PARETO = f"At least as good in {', '.join(HEADLINES[:-1])} and {HEADLINES[-1]} at once, by these means:\n\n"


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    arguments = _parser().parse_args(argv)
    for noisy in ("lightning", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        cells = _cells(arguments)
        output_dir = Path(arguments.output)
        if licences := leave_licences(output_dir, [cell.options for cell in cells]):
            print(f"LICENCE OF THE DATA: {licences}", flush=True)
        if left_out := _left_out(arguments):
            print(f"Left out, since their libraries are not installed: {', '.join(left_out)}.", file=sys.stderr)
        _run(cells, output_dir, arguments)
        if arguments.algos:
            timed = equal_time_cells(cells, output_dir, reference(arguments.algos))
            _run(timed, output_dir, arguments)
            cells = cells + timed
    except (ValueError, OSError) as error:
        print(f"benchmark.py: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped; finished cells are kept, the same command goes on.", file=sys.stderr)
        return 130
    command = shlex.join(["python", "experiments/benchmark.py", *(sys.argv[1:] if argv is None else argv)])
    return _report(cells, output_dir, command, arguments.algos)


def _run(cells: list[Cell], output_dir: Path, arguments: argparse.Namespace) -> None:
    progress_bar = arguments.progress or sys.stderr.isatty()
    run_cells(cells, output_dir, n_jobs=arguments.n_jobs, ray=arguments.ray, progress_bar=progress_bar)


def _report(cells: list[Cell], output_dir: Path, command: str, algos: list[str]) -> int:
    results = collect(cells, output_dir)
    failed = failures(cells, output_dir)
    for failure in failed:
        print(f"Failed: {failure}", file=sys.stderr)
    if results.empty:
        return 1
    is_paper = cells[0].protocol == "paper"
    n_seeds = len({cell.seed for cell in cells})
    if algos:
        results = with_step_counts(results, cells, output_dir)
        of_steps, of_time = step_and_time_tables(results, n_seeds, reference(algos))
        tables = {"Equal environment steps:\n\n": of_steps, f"The seconds of {reference(algos)}:\n\n": of_time}
    elif is_paper:
        tables = {"": paper_table(results, n_seeds)}
    else:
        tables = {"": summarise(results, n_seeds), PARETO: pareto_table(results)}
        tables = {title: table for title, table in tables.items() if len(table)}
    notes = _notes(cells, output_dir, command, failed)
    markdown = "\n".join(title + to_markdown(table) for title, table in tables.items())
    write_whole(output_dir / "results.csv", results.to_csv(index=False))
    write_whole(output_dir / "results.md", f"{markdown}\n{notes}")
    latex = "\n".join(_comment(title) + table.to_latex(index=False, escape=True) for title, table in tables.items())
    write_whole(output_dir / "results.tex", _comment(notes) + latex)
    paper_ranked = {name: (metrics, paper_protocol.GOALS[name]) for name, metrics in paper_protocol.COLUMNS.items()}
    _draw(results, output_dir, paper_ranked if is_paper else RANKED)
    print(markdown, notes, sep="\n", end="")
    print(f"{len(cells) - len(failed)} of {len(cells)} cells: {output_dir / 'results.csv'}, results.md, results.tex")
    return 1 if failed else 0


def _comment(text: str) -> str:
    """Lines of text as comments of LaTeX."""
    return "".join(f"% {line}\n" for line in text.split("\n") if line)


def _draw(results: pd.DataFrame, output_dir: Path, ranked: Ranked) -> None:
    trade_off_figure(results).savefig(output_dir / "trade_off.png")
    rank_figure(results, ranked).savefig(output_dir / "ranks.png")
    cost_figure(results).savefig(output_dir / "costs.png")


def _notes(cells: list[Cell], output_dir: Path, command: str, failed: list[str]) -> str:
    return provenance(
        command,
        sorted({cell.seed for cell in cells}),
        shapes(cells, output_dir),
        budgets(cells, CONFIGS),
        origins(cells, output_dir),
        costs=f"Seconds to fit are those of one thread; this machine has {os.cpu_count()} cores.",
        failures=failed,
        deviations=paper_protocol.DEVIATIONS if cells[0].protocol == "paper" else (),
    )


def _cells(arguments: argparse.Namespace) -> list[Cell]:
    is_paper = arguments.protocol == "paper"
    if is_paper and arguments.fast:
        raise ValueError("The protocol of the paper has no --fast form: its scores are few. Leave out one of the two.")
    envs = paper_protocol.ENVIRONMENTS if is_paper and not (arguments.env or arguments.csv) else arguments.env
    tables = named_tables(envs, arguments.csv, given_reader_options(arguments))
    seeds = arguments.seeds or (list(paper_protocol.SEEDS) if is_paper else [0])
    check_seeds(seeds)
    check_n_jobs(arguments.n_jobs)
    if arguments.ray and arguments.n_jobs > 1:
        raise ValueError(
            "--n-jobs is of this machine, on a Ray cluster a cell runs on each core. Leave out one of the two."
        )
    if arguments.algos:
        return _algorithm_cells(arguments, tables, seeds)
    if arguments.n_timesteps is not None:
        raise ValueError("-n goes with --algos; methods have their own budgets. Set them by --variants.")
    variants = [one for path in arguments.variants for one in read_variants(path)]
    if arguments.only and not variants:
        raise ValueError(
            f"--only names variants of --variants FILE, got --only {arguments.only[0]} and no variant. Add --variants."
        )
    for name in arguments.only:
        if name not in (names := [variant.name for variant in variants]):
            raise ValueError(unknown_name("variant", name, names))
    if arguments.only:
        variants = [variant for variant in variants if variant.name in arguments.only]
    variants = _methods(arguments.methods or ["all"]) + variants
    if not variants:
        raise ValueError("There is nothing to compare: --methods none goes with --variants FILE.")
    return plan(tables, variants, seeds, configs=CONFIGS, fast=arguments.fast, protocol=arguments.protocol)


def _algorithm_cells(arguments: argparse.Namespace, tables: dict[str, dict[str, Any]], seeds: list[int]) -> list[Cell]:
    if arguments.methods or arguments.variants or arguments.only or arguments.protocol == "paper":
        raise ValueError(
            "--algos compares algorithms of rlsyn, at equal steps and in equal time; leave out --methods, --variants, "
            "--only and --protocol paper, or make a variant of each algorithm (algo: NAME)."
        )
    cells = plan(tables, algorithm_variants(arguments.algos), seeds, configs=CONFIGS, fast=arguments.fast)
    widths = {
        table: len(load_dataset({**options, "parameters": {"seed": seeds[0]}}).schema.columns)
        for table, options in tables.items()
    }
    return with_steps(cells, arguments.n_timesteps, widths)


def _methods(names: list[str]) -> list[Variant]:
    if names == ["none"]:
        return []
    return configured(with_all(names, usable_methods()))


def _left_out(arguments: argparse.Namespace) -> list[str]:
    asked_for_all = "all" in (arguments.methods or ["all"]) and not arguments.algos
    return [name for name in METHODS if name not in usable_methods()] if asked_for_all else []


def _parser() -> Parser:
    parser = Parser("Compare methods on the same splits by the same evaluation.")
    add_tables(parser)
    methods = f"all (the default), none (variants only), or of: {', '.join(METHODS)}"
    parser.add_argument("--methods", nargs="+", default=[], metavar="M", help=methods)
    algos = f"compare algorithms of rlsyn instead, at equal steps and in equal time: {', '.join(ALGORITHMS)}"
    parser.add_argument("--algos", nargs="+", default=[], metavar="A", help=algos)
    steps = "environment steps of each of --algos (default: 150 rollouts of 1,024 records)"
    parser.add_argument("-n", "--n-timesteps", type=int, metavar="N", help=steps)
    variants = "YAML files of methods with other parameters, see experiments/variants/published.yaml"
    parser.add_argument("--variants", nargs="+", default=[], metavar="FILE", help=variants)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="of those variants (default: all)")
    parser.add_argument("--seeds", nargs="+", type=int, metavar="S", help="of split and training (default: 0)")
    protocol = (
        "paper: reading of releases, splits, numbers of records, classifiers, seeds (0 to 9), table of arXiv:2512.21395"
    )
    parser.add_argument("--protocol", choices=PROTOCOLS, default=PROTOCOLS[0], help=protocol)
    folder = "folder of results, records included (but for bootstrap: real people); run again, it goes on"
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help=folder)
    parser.add_argument("--fast", action="store_true", help="quick scores only")
    parser.add_argument("--n-jobs", type=int, default=1, metavar="N", help="cells at once on this machine (default: 1)")
    ray = "run the cells on this Ray cluster instead, whose machines must see DIR and all files of rows"
    parser.add_argument("--ray", metavar="ADDRESS", help=ray)
    parser.add_argument("-P", "--progress", action="store_true", help="show a progress bar even in a log")
    return parser


if __name__ == "__main__":
    sys.exit(main())
