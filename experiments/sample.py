"""Draw more synthetic records from a finished run.

python experiments/sample.py lightning_logs/rlsyn/AIREADI-v0_1 -n 1000 -o more.csv
python experiments/sample.py RUN -n 1000 -o more.csv --where "type_2_diabetes=1"
python experiments/sample.py RUN -n 1000 -o raw.csv --rules keep
python experiments/sample.py RUN -n 1000 -o before.csv --policy warm_start --temperature 0.8
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from rlsyn.arguments import Parser
from rlsyn.files import write_whole
from rlsyn.runs import LICENCE, is_finished, read_config
from rlsyn.schema import Column, Schema
from rlsyn.values.categories import category_meaning


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        output = Path(arguments.output)
        if not output.parent.is_dir():
            raise FileNotFoundError(f"The folder of the output file does not exist: {output.parent}. Make it first.")
        if output.suffix != ".csv" or output.is_dir() or (output.name == "synthetic.csv" and output.exists()):
            raise ValueError(f"The output must be a CSV file (.csv) and not a run's own synthetic.csv, got {output}.")
        config = read_config(arguments.run)
        _check_free(output, Path(arguments.run), config)
        where = parse_conditions(arguments.where, Schema.read(Path(arguments.run) / "schema.yaml"))
        if arguments.seed < 0:
            raise ValueError(f"The seed must not be negative, got --seed {arguments.seed}.")
        if arguments.n < 1:
            raise ValueError(f"The number of records must be at least 1, got -n {arguments.n}.")
        if arguments.temperature is not None and not arguments.temperature > 0:
            raise ValueError(f"The temperature must be above 0, got --temperature {arguments.temperature}.")
        # Torch and Lightning take seconds to import: a mistyped column is told before.
        from rlsyn.evaluation.evaluation import n_judged
        from rlsyn.synthesizer import RLSyn

        model = RLSyn.load(arguments.run, device=arguments.device)
        # A stream of its own: the run drew synthetic.csv from its seed.
        seed = np.random.SeedSequence([model.seed, 1, arguments.seed]).generate_state(1)[0]
        how = {name: getattr(arguments, name) for name in ("rules", "policy", "temperature")}
        synthetic = model.sample(arguments.n, where, seed=int(seed), **how)
        write_whole(output, synthetic.to_csv(index=False))
    except (ValueError, OSError) as error:
        print(f"sample.py: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped; nothing was written.", file=sys.stderr)
        return 130
    if "env" in config and not is_finished(arguments.run):
        print(f"Note: the run {arguments.run} is not finished; these records come from its last checkpoint.")
    origin = f" of {config.get('env', 'a saved model')}" + (" (SIMULATED)" if config.get("simulated") else "")
    print(f"{len(synthetic):,} synthetic records{origin}: {output}")
    if (licence := Path(arguments.run) / LICENCE).is_file():
        print(f"The licence of the data binds these records too: {licence}")
    if where:
        print(f"Share of the drawn records that met the conditions: {model.acceptance_rate:.3g}")
    if model.schema.constraints and arguments.rules == "keep":
        print(f"Records that break a declared rule: {model.encoding.repair.is_broken(synthetic).sum():,}")
    elif model.schema.constraints:
        print(f"All obey the declared rules; share of the drawn records that did: {model.rule_acceptance:.3g}")
    if 0 < (n_rows := n_judged(arguments.run)) < len(synthetic):
        print(
            f"The scores of the run are of {n_rows:,} records. More tell more of the patients: judge {output} as well."
        )
    return 0


def _check_free(output: Path, run_dir: Path, config: dict[str, Any]) -> None:
    place = output.resolve()
    tables = [Path(config[name]).resolve() for name in ("csv", "test_csv") if config.get(name)]
    is_of_release = bool(config.get("data_dir")) and place.is_relative_to(Path(config["data_dir"]).resolve())
    is_of_run = place.parent == run_dir.resolve() and place.name in ("metrics.csv", "copies.csv", "progress.csv")
    if place.exists() and (place in tables or is_of_release or is_of_run):
        whose = "belongs to the run" if is_of_run else "belongs to the data that the run learned"
        raise ValueError(f"{output} {whose} and would be replaced. Choose another with -o.")


def parse_conditions(texts: list[str], schema: Schema) -> dict[str, Any]:
    """Conditions from `COLUMN=VALUE` texts, values of the column's kind; an empty value means missing.

    Raises:
        ValueError: A text without `=`, an unknown column, or text where a number is expected.
    """
    conditions: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"A condition must be written COLUMN=VALUE, got {text!r}.")
        column = schema[name if name in schema.names else name.strip()]
        if column.name in conditions:
            raise ValueError(f"Column {column.name!r} can have one value, got {text!r} as well.")
        conditions[column.name] = _to_value(value, column)
    return conditions


def _to_value(text: str, column: Column) -> Any:
    if not text.strip():
        return None
    if column.is_discrete:
        # Categories may differ by blanks around them, by case or by digits alone: one that is met exactly comes first.
        for form in (str, str.strip, lambda name: name.strip().casefold(), category_meaning):
            same = [category for category in column.categories if form(str(category)) == form(text)]
            if len(same) == 1:
                return same[0]
        return text
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"Column {column.name!r} must be a number, got {text!r}.") from None


def _parser() -> Parser:
    parser = Parser("Draw synthetic records from a run.")
    parser.add_argument("run", metavar="RUN", help="run directory or saved model")
    parser.add_argument("-n", type=int, default=1000, help="number of records (default: 1000)")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="CSV file to write")
    parser.add_argument("--seed", type=int, default=1, help="the same seed draws the same records (default: 1)")
    parser.add_argument(
        "--where",
        nargs="+",
        action="extend",
        default=[],
        metavar="COLUMN=VALUE",
        help="values that the records must have",
    )
    parser.add_argument(
        "--rules",
        choices=("obey", "keep"),
        default="obey",
        help="obey: no record breaks a declared rule; keep: records as the policy fills them in (default: obey)",
    )
    parser.add_argument(
        "--policy",
        choices=("trained", "last", "warm_start"),
        default="trained",
        help="trained: the selected one, or the last; last: PPO's last; warm_start: before PPO (default: trained)",
    )
    temperature = "of sampling: lower for more typical and higher for more unusual records (default: the run's)"
    parser.add_argument("--temperature", type=float, metavar="T", help=temperature)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
