"""Write what each change of RLSyn is worth, from what benchmark.py left.

python experiments/benchmark.py --env BreastCancer-v0 --methods rlsyn --variants experiments/variants/ablation.yaml --seeds 0 1 2 -o DIR
python experiments/ablation.py DIR
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from rlsyn.ablation import commands, read_results, report
from rlsyn.arguments import Parser
from rlsyn.benchmark_results import origins
from rlsyn.files import write_whole
from rlsyn.methods import Variant, read_variants

HERE = Path(__file__).parent
VARIANTS = HERE / "variants"
DEFAULT_OUTPUT = str(HERE / "ABLATION.md")
DEFAULT_FILES = sorted(map(str, VARIANTS.glob("*.yaml")))


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    arguments = _parser().parse_args(argv)
    folders = [Path(name) for name in arguments.folders]
    try:
        variants = _variants(arguments.variants)
        results, cells = read_results(folders, arguments.baseline, list(variants))
        row_commands = commands(cells, variants, arguments.baseline)
        command = shlex.join(
            ["python", "experiments/ablation.py", *(folder.name for folder in folders), *_given(arguments)]
        )
        of_folder = [(folder, [cell for name, cell in cells if name == folder.name]) for folder in folders]
        found = [f"{folder.name}: {line}" for folder, own in of_folder for line in origins(own, folder)]
        text = report(results, row_commands, [f"This page: `{command}`", *found], arguments.baseline)
        write_whole(Path(arguments.output), text)
    except (ValueError, OSError) as error:
        print(f"ablation.py: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    print(f"{results['method'].nunique()} variants on {results['table'].nunique()} tables: {arguments.output}")
    return 0


def _given(arguments: argparse.Namespace) -> list[str]:
    """The options that are not the default."""
    baseline = arguments.baseline if arguments.baseline != "rlsyn" else None
    files = [_shown(Path(path)) for path in arguments.variants] if arguments.variants != DEFAULT_FILES else []
    output = _shown(Path(arguments.output)) if arguments.output != DEFAULT_OUTPUT else None
    given = {"--variants": files, "--baseline": [baseline] if baseline else [], "-o": [output] if output else []}
    return [word for option, words in given.items() if words for word in (option, *words)]


def _shown(path: Path) -> str:
    """A file of the project by its path there, another by its name: its place is another on every machine."""
    root = HERE.resolve().parent
    return path.resolve().relative_to(root).as_posix() if path.resolve().is_relative_to(root) else path.name


def _variants(paths: list[str]) -> dict[str, tuple[str, Variant]]:
    """By name the file that a variant stands in, as a command names it, and the variant."""
    found: dict[str, tuple[str, Variant]] = {}
    for path in map(Path, paths):
        found |= {variant.name: (_shown(path), variant) for variant in read_variants(path) if variant.name not in found}
    return found


def _parser() -> Parser:
    parser = Parser("Write what each change of RLSyn is worth, from what benchmark.py left.")
    parser.add_argument("folders", metavar="DIR", nargs="+", help="folders that benchmark.py wrote (its -o)")
    files = "files that the variants stand in (default: those of experiments/variants)"
    parser.add_argument("--variants", nargs="+", metavar="FILE", default=DEFAULT_FILES, help=files)
    parser.add_argument("--baseline", default="rlsyn", metavar="NAME", help="what is changed (default: rlsyn)")
    parser.add_argument(
        "-o", "--output", default=DEFAULT_OUTPUT, metavar="FILE", help="default: experiments/ABLATION.md"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
