"""The privacy-utility curve: RLSyn under each value of a knob, as variants of a benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from rlsyn.benchmark.tables import UTILITY, half_width
from rlsyn.methods import Variant

DEFAULT = "rlsyn"
"""The method that has every knob at its default: a point of all curves."""
MEMBERSHIP = "membership AUC"


@dataclass(frozen=True)
class Knob:
    """What trades privacy for utility: a parameter of RLSyn, or how many records leave.

    Args:
        name: As it is swept.
        path: The parameter, with its group; none for the number of records, which training does not know.
        default: The value that the default method has.
        swept: The values that are tried unless other values are asked for.
        meaning: In words.
    """

    name: str
    path: tuple[str, ...]
    default: float
    swept: tuple[float, ...]
    meaning: str

    def variant(self, value: float) -> Variant:
        """RLSyn with the knob at a value."""
        if not self.path:
            return Variant(self.point_name(value), DEFAULT, from_config=True, records=float(value))
        parameters: Any = int(value) if isinstance(self.default, int) else float(value)
        for key in reversed(self.path):
            parameters = {key: parameters}
        return Variant(self.point_name(value), DEFAULT, parameters, from_config=True)

    def point_name(self, value: float) -> str:
        """What the method with that value is called."""
        return DEFAULT if value == self.default else f"{self.name}_{value:g}"


KNOBS = (
    Knob("privacy", ("reward_weights", "privacy"), 0.0, (1.0, 3.0, 10.0), "weight of the privacy reward"),
    Knob("epochs", ("warm_start_kwargs", "n_epochs"), 300, (0, 5), "epochs at most of the cloning's fine-tuning"),
    Knob("temperature", ("temperature",), 1.0, (0.7, 0.85, 1.2), "temperature of sampling"),
    Knob("records", (), 1.0, (0.25, 3.0, 10.0), "synthetic records for each training row"),
)
"""What is swept. Every value is a training of its own, so that each point is as RLSyn would be with it: those of the
temperature too, which selection scores policies at, and those of the number of records, as cells are."""


def curves(swept: Mapping[str, Sequence[float]]) -> dict[str, dict[str, float]]:
    """By knob its methods and their values in rising order, the default among them.

    Args:
        swept: Values by name of the knob; one without values is left out.

    Raises:
        ValueError: A value below 0, one that is given twice, a fraction where the knob counts, or no records.
    """
    found = {}
    for knob in KNOBS:
        values = list(swept.get(knob.name, ()))
        if len(set(values)) < len(values) or min(values, default=0) < 0:
            raise ValueError(f"Values of --{knob.name} must be different and not below 0, got {values}.")
        if isinstance(knob.default, int) and (fractions := [value for value in values if value % 1]):
            raise ValueError(f"Values of --{knob.name} must be whole numbers, got {fractions}.")
        if not knob.path and 0 in values:
            raise ValueError(f"Values of --{knob.name} must be above 0, got {values}.")
        if values:
            found[knob.name] = {knob.point_name(value): value for value in sorted({*values, knob.default})}
    return found


def variants(swept: Mapping[str, Sequence[float]]) -> list[Variant]:
    """The methods of all curves but the default, each once; errors as of `curves`."""
    wanted = curves(swept)
    return [
        knob.variant(value) for knob in KNOBS for name, value in wanted.get(knob.name, {}).items() if name != DEFAULT
    ]


def points(results: pd.DataFrame, wanted: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """A point of the figure a row: `table`, `knob`, `value`, `method`, and utility and membership with half-widths.

    Args:
        results: As `rlsyn.benchmark.results.collect` gives them.
        wanted: As `curves` gives them; methods that are on none have an empty `knob`.

    Returns:
        The columns `S2R` and `membership AUC` are means over the `seeds` that have both; those ending in ` ±` are the
        half-widths of their 95 % intervals, 0 for fewer than three seeds.
    """
    rows = []
    on_curves = [(knob, name, value) for knob, of_knob in wanted.items() for name, value in of_knob.items()]
    alone = [("", name, None) for name in results["method"].unique() if name not in {name for _, name, _ in on_curves}]
    for table, of_table in results.groupby("table", sort=False):
        metric = UTILITY[1] if (of_table["metric"] == UTILITY[1]).any() else UTILITY[0]
        wide = of_table.pivot_table("value", ["method", "seed"], "metric").reindex(columns=[metric, MEMBERSHIP])
        for knob, method, value in [*on_curves, *alone]:
            if method not in wide.index.get_level_values("method"):
                continue
            found = wide.loc[method].dropna()
            row: dict[str, Any] = {"table": table, "knob": knob, "value": value, "method": method, "seeds": len(found)}
            for name, column in (("S2R", metric), (MEMBERSHIP, MEMBERSHIP)):
                row |= {name: found[column].mean(), f"{name} ±": half_width(found[column].to_numpy())}
            rows.append(row)
    return pd.DataFrame(rows)
