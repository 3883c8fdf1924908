"""Draw what privacy costs: RLSyn's utility against membership risk under each value of its knobs.

python experiments/trade_off.py --env BreastCancer-v0 --seeds 0 1 2 -o DIR
python experiments/trade_off.py --csv patients.csv:died --privacy 1 3 10 --temperature --epochs --methods sequential_trees -o DIR

Every value is a training of its own, those of the temperature too.
"""

from __future__ import annotations

import argparse
import logging
import shlex
import sys
from pathlib import Path

from rlsyn.arguments import Parser, check_n_jobs
from rlsyn.benchmark.cells import Cell, plan, run_cells
from rlsyn.benchmark.figures import ENDS, trade_off_figure
from rlsyn.benchmark.results import budgets, collect, failures, origins, shapes
from rlsyn.benchmark.tables import provenance, summarise, to_markdown
from rlsyn.benchmark.trade_off import DEFAULT, KNOBS, curves, points, variants
from rlsyn.files import write_whole
from rlsyn.methods import METHODS, configured, usable_methods, with_all
from rlsyn.runs import leave_licences
from rlsyn.table_options import add_tables, check_seeds, given_reader_options, named_tables

CONFIGS = Path(__file__).parent / "configs"


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    arguments = _parser().parse_args(argv)
    for noisy in ("lightning", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    output_dir = Path(arguments.output)
    try:
        cells = _cells(arguments)
        if licences := leave_licences(output_dir, [cell.options for cell in cells]):
            print(f"LICENCE OF THE DATA: {licences}", flush=True)
        is_shown = arguments.progress or sys.stderr.isatty()
        run_cells(cells, output_dir, n_jobs=arguments.n_jobs, progress_bar=is_shown)
    except (ValueError, OSError) as error:
        print(f"trade_off.py: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped; finished cells are kept, the same command goes on.", file=sys.stderr)
        return 130
    command = shlex.join(["python", "experiments/trade_off.py", *(sys.argv[1:] if argv is None else argv)])
    return _report(cells, output_dir, curves(_swept(arguments)), command)


def _report(cells: list[Cell], output_dir: Path, wanted: dict[str, dict[str, float]], command: str) -> int:
    results = collect(cells, output_dir)
    failed = failures(cells, output_dir)
    for failure in failed:
        print(f"Failed: {failure}", file=sys.stderr)
    if results.empty:
        return 1
    seeds = sorted({cell.seed for cell in cells})
    about = (shapes(cells, output_dir), budgets(cells, CONFIGS), origins(cells, output_dir))
    notes = provenance(command, seeds, *about, failures=failed)
    summary = to_markdown(summarise(results, len(seeds)))
    trade_off_figure(results, wanted).savefig(output_dir / "trade_off.png")
    write_whole(output_dir / "trade_off.csv", points(results, wanted).to_csv(index=False))
    write_whole(output_dir / "trade_off.md", f"![Utility against membership](trade_off.png)\n\n{summary}\n{notes}")
    print(summary)
    print(
        f"{len(cells) - len(failed)} of {len(cells)} cells: {output_dir / 'trade_off.png'}, trade_off.csv, trade_off.md"
    )
    return 1 if failed else 0


def _cells(arguments: argparse.Namespace) -> list[Cell]:
    tables = named_tables(arguments.env, arguments.csv, given_reader_options(arguments))
    check_seeds(arguments.seeds)
    check_n_jobs(arguments.n_jobs)
    names = dict.fromkeys([DEFAULT, *ENDS, *with_all(arguments.methods, usable_methods())])
    methods = configured(list(names)) + variants(_swept(arguments))
    return plan(tables, methods, arguments.seeds, configs=CONFIGS, fast=arguments.fast)


def _swept(arguments: argparse.Namespace) -> dict[str, list[float]]:
    return {knob.name: getattr(arguments, knob.name) for knob in KNOBS}


def _parser() -> Parser:
    parser = Parser("Draw what privacy costs: utility against membership risk under each value of RLSyn's knobs.")
    add_tables(parser)
    for knob in KNOBS:
        values = " ".join(f"{value:g}" for value in knob.swept)
        text = f"{knob.meaning}, {knob.default:g} by default; swept: {values}, without values: not swept"
        parser.add_argument(f"--{knob.name}", nargs="*", type=float, default=knob.swept, metavar="X", help=text)
    methods = f"also drawn, beside rlsyn, {' and '.join(ENDS)}: all, or of {', '.join(METHODS)}"
    parser.add_argument("--methods", nargs="+", default=[], metavar="M", help=methods)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], metavar="S", help="of split and training")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder of results; run again, it goes on")
    parser.add_argument("--fast", action="store_true", help="quick scores only")
    parser.add_argument("--n-jobs", type=int, default=1, metavar="N", help="cells at once on this machine (default: 1)")
    parser.add_argument("-P", "--progress", action="store_true", help="show a progress bar even in a log")
    return parser


if __name__ == "__main__":
    sys.exit(main())
