"""Compare methods on the same splits by the same evaluation.

python experiments/benchmark.py --env BreastCancer-v0 --csv heart_failure.csv:DEATH_EVENT --methods all --seeds 0 1 2 -o DIR
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from rlsyn.arguments import Parser
from rlsyn.benchmark import METHODS, Cell, collect, failures, run_cells, summarise, to_markdown
from rlsyn.benchmark_figures import cost_figure, rank_figure, trade_off_figure
from rlsyn.datasets import DATASETS
from rlsyn.files import write_whole
from rlsyn.names import unknown_name
from rlsyn.runs import make_folder

CONFIGS = Path(__file__).parent / "configs"


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    arguments = _parser().parse_args(argv)
    for noisy in ("lightning", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        cells = _cells(arguments)
        output_dir = Path(arguments.output)
        make_folder(output_dir)
        run_cells(
            cells,
            output_dir,
            fast=arguments.fast,
            n_jobs=arguments.n_jobs,
            ray=arguments.ray,
            configs=CONFIGS,
            progress_bar=arguments.progress or sys.stderr.isatty(),
        )
    except (ValueError, OSError) as error:
        print(f"benchmark.py: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped; finished cells are kept, the same command goes on.", file=sys.stderr)
        return 130
    return _report(cells, output_dir)


def _report(cells: list[Cell], output_dir: Path) -> int:
    results = collect(cells, output_dir)
    failed = failures(cells, output_dir)
    for cell, error in failed:
        print(f"Failed: {cell.table}, {cell.method}, seed {cell.seed}: {error}", file=sys.stderr)
    if results.empty:
        return 1
    summary = summarise(results)
    write_whole(output_dir / "results.csv", results.to_csv(index=False))
    write_whole(output_dir / "results.md", to_markdown(summary))
    write_whole(output_dir / "results.tex", summary.to_latex(index=False, escape=True))
    for name, draw in (("trade_off", trade_off_figure), ("ranks", rank_figure), ("costs", cost_figure)):
        draw(results).savefig(output_dir / f"{name}.png")
    print(to_markdown(summary), end="")
    print(f"{len(cells) - len(failed)} of {len(cells)} cells: {output_dir / 'results.csv'}, results.md, results.tex")
    return 1 if failed else 0


def _cells(arguments: argparse.Namespace) -> list[Cell]:
    tables = [_of_env(name) for name in arguments.env] + [_of_csv(text) for text in arguments.csv]
    if not tables:
        raise ValueError(f"Expected --env ID ... or --csv FILE:LABEL ... The ids are: {', '.join(DATASETS[:-1])}.")
    names = [name for name, _ in tables]
    if len(set(names)) < len(names):
        raise ValueError(f"Tables need names of their own, got {names}. Rename a file.")
    methods = list(METHODS) if arguments.methods == ["all"] else arguments.methods
    for method in methods:
        if method not in METHODS:
            raise ValueError(unknown_name("method", method, [*METHODS, "all"]))
    if min(arguments.seeds) < 0:
        raise ValueError(f"Seeds must not be negative, got {arguments.seeds}.")
    if arguments.n_jobs < 1:
        raise ValueError(f"The number of processes must be at least 1, got --n-jobs {arguments.n_jobs}.")
    return [
        Cell(name, options, method, seed) for name, options in tables for seed in arguments.seeds for method in methods
    ]


def _of_env(name: str) -> tuple[str, dict[str, object]]:
    if name not in DATASETS[:-1]:
        raise ValueError(unknown_name("environment", name, DATASETS[:-1]))
    return name, {"env": name, "csv": None, "data_dir": None}


def _of_csv(text: str) -> tuple[str, dict[str, object]]:
    path, *columns = text.split(":")
    if len(columns) not in (1, 2):
        raise ValueError(f"A table must be written FILE:LABEL or FILE:LABEL:GROUP, got {text!r}.")
    if not Path(path).is_file():
        raise FileNotFoundError(f"Expected a CSV or Parquet file, found none at {path}. Check the path.")
    label, group = columns[0], columns[1] if len(columns) == 2 else None
    options: dict[str, object] = {"label": label, "group": group, "test_csv": None, "drop": [], "data_dir": None}
    return Path(path).stem, {"env": "Table-v0", "csv": str(Path(path).absolute()), **options}


def _parser() -> Parser:
    parser = Parser("Compare methods on the same splits by the same evaluation.")
    parser.add_argument("--env", metavar="ID", nargs="+", default=[], help=f"environments: {', '.join(DATASETS[:-1])}")
    parser.add_argument("--csv", metavar="FILE:LABEL[:GROUP]", nargs="+", default=[], help="tables of your own")
    parser.add_argument("--methods", nargs="+", default=["all"], metavar="M", help=f"all, or of: {', '.join(METHODS)}")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], metavar="S", help="of split and training")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder of results; run again, it goes on")
    parser.add_argument("--fast", action="store_true", help="quick scores only")
    parser.add_argument("--n-jobs", type=int, default=1, metavar="N", help="cells at once (default: 1)")
    parser.add_argument("--ray", metavar="ADDRESS", help="run the cells on this Ray cluster")
    parser.add_argument("-P", "--progress", action="store_true", help="show a progress bar even in a log")
    return parser


if __name__ == "__main__":
    sys.exit(main())
