"""Write what each change of RLSyn is worth, from what benchmark.py left: a page, and beside it the scores of each seed.

python experiments/benchmark.py --env BreastCancer-v0 --methods rlsyn --variants experiments/variants/ablation.yaml --seeds 0 1 2 -o DIR
python experiments/ablation.py DIR
python experiments/ablation.py PAGE.csv DIR -o FILE.md    # rows of one's own beside those of a page
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

import pandas as pd

from rlsyn.arguments import Parser
from rlsyn.benchmark.ablation import read_results, read_scores, report, together, write_scores
from rlsyn.files import write_whole
from rlsyn.methods import Variant, read_variants

HERE = Path(__file__).parent
VARIANTS = HERE / "variants"
DEFAULT_OUTPUT = str(HERE / "ABLATION.md")
SCORES = ".csv"
DEFAULT_FILES = sorted(map(str, VARIANTS.glob("*.yaml")))


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    arguments = _parser().parse_args(argv)
    page = Path(arguments.output)
    try:
        if _is_scores(page):
            raise ValueError(f"The page is Markdown, its scores go to a {SCORES} file beside it: expected another -o.")
        if not page.parent.is_dir():
            raise FileNotFoundError(f"The folder of the page does not exist: {page.parent}. Make it first.")
        variants = _variants(arguments.variants)
        scores = together([_read(Path(name), variants, arguments.baseline) for name in arguments.sources])
        command = shlex.join(["python", "experiments/ablation.py", *_names(arguments.sources), *_given(arguments)])
        write_scores(scores, page.with_suffix(SCORES))
        write_whole(page, report(scores, command, arguments.baseline))
    except (ValueError, OSError) as error:
        print(f"ablation.py: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    print(
        f"{scores['method'].nunique()} variants on {scores['table'].nunique()} tables: {page}, {page.with_suffix(SCORES)}"
    )
    return 0


def _is_scores(path: Path) -> bool:
    return path.suffix.lower() == SCORES


def _read(source: Path, variants: dict[str, tuple[str, Variant]], baseline: str) -> pd.DataFrame:
    return read_scores(source, baseline) if _is_scores(source) else read_results(source, variants, baseline)


def _names(sources: list[str]) -> list[str]:
    """Folders by their names, files as others find them."""
    return [_shown(path) if _is_scores(path) else path.resolve().name for path in map(Path, sources)]


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
    sources = "folders that benchmark.py wrote (its -o), or scores that this command wrote beside a page"
    parser.add_argument("sources", metavar="DIR|FILE.csv", nargs="+", help=sources)
    files = "files that the variants stand in (default: those of experiments/variants)"
    parser.add_argument("--variants", nargs="+", metavar="FILE", default=DEFAULT_FILES, help=files)
    parser.add_argument("--baseline", default="rlsyn", metavar="NAME", help="what is changed (default: rlsyn)")
    parser.add_argument(
        "-o", "--output", default=DEFAULT_OUTPUT, metavar="FILE.md", help="default: experiments/ABLATION.md"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
