"""All methods by name, RLSyn and its rivals, and variants of them: methods with other parameters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

import pandas as pd

from rlsyn.arguments import check_arguments
from rlsyn.baselines import METHODS as BASELINES
from rlsyn.baselines import OPTIONAL, baseline_class, installed_methods
from rlsyn.names import unknown_name
from rlsyn.runs import configured_parameters, merge
from rlsyn.schema import Schema
from rlsyn.yaml_fields import read_yaml, with_numbers

METHODS = ("rlsyn", *BASELINES, *OPTIONAL)
_EXAMPLE = "no_value: {method: one_step, value_weight: 0.0}"


class Generator(Protocol):
    """What is compared."""

    def fit(
        self,
        train: pd.DataFrame,
        *,
        schema: Schema,
        run_dir: str | Path | None = None,
        progress_bar: bool = False,
    ) -> Self:
        """Learn the training rows; events and checkpoints of networks go to `run_dir`."""

    def sample(self, n: int) -> pd.DataFrame:
        """`n` records."""


@dataclass(frozen=True)
class Variant:
    """A method that stands in a comparison under a name of its own.

    Args:
        name: Its name there.
        method: One of `METHODS`.
        parameters: Arguments of the method's constructor.
        from_config: Whether the parameters stand over those that `experiments/configs` has for the method and the
            table, or over the constructor's defaults.
        records: Synthetic records for each training row.
    """

    name: str
    method: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    from_config: bool = False
    records: float = 1.0

    def parameters_for(self, env: str, configs: Path | None) -> dict[str, Any]:
        """The constructor's arguments for an environment.

        Args:
            env: Its id.
            configs: Folder with a YAML file of parameters for some of the methods.

        Raises:
            ValueError: One that the constructor does not take, by its name or its value.
        """
        written: dict[str, Any] = {}
        if configs and self.from_config:
            algo = self.parameters.get("algo", "ppo") if self.method == "rlsyn" else None
            written = configured_parameters(configs, self.method, env, algo)
        found = merge(written, self.parameters)
        check_arguments(method_class(self.method), found, f"{self.name}.", ("seed",))
        try:
            make_method(self.method, found)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{self.name}: {error}") from error
        return found


def usable_methods() -> tuple[str, ...]:
    """Those of `METHODS` whose libraries are installed."""
    return ("rlsyn", *installed_methods())


def with_all(names: Sequence[str], methods: Iterable[str]) -> list[str]:
    """Names that a command line gave; where `all` is one, each once, with the methods that it stands for in its place."""
    if "all" not in names:
        return list(names)
    return list(dict.fromkeys(one for name in names for one in (methods if name == "all" else [name])))


def method_class(name: str) -> type[Generator]:
    """The class of a method.

    Raises:
        ValueError: There is none of that name, or its library is not installed.
    """
    if name not in METHODS:
        raise ValueError(unknown_name("method", name, METHODS))
    if name == "rlsyn":
        from rlsyn.synthesizer import RLSyn  # torch takes seconds to import

        return RLSyn
    return baseline_class(name)


def make_method(name: str, parameters: Mapping[str, Any]) -> Generator:
    """A method by its name.

    Raises:
        ValueError: There is none of that name, or a parameter is wrong.
    """
    return method_class(name)(**parameters)


def configured(methods: Sequence[str]) -> list[Variant]:
    """Methods under their own names, with the parameters of `experiments/configs`.

    Raises:
        ValueError: There is none of that name.
    """
    for name in methods:
        if name not in METHODS:
            raise ValueError(unknown_name("method", name, [*METHODS, "all"]))
    return [Variant(name, name, from_config=True) for name in methods]


def read_variants(path: str | Path) -> list[Variant]:
    """The variants in a YAML file: names, and for each its `method` and arguments of the method's constructor.

    With `from_config: true` the arguments stand over those of `experiments/configs`, else over the defaults.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It holds something else, a name that is a method's, an unknown method, or an argument that is
            unknown or wrong.
    """
    read = read_yaml(Path(path), "variants of methods", f"They are written like {_EXAMPLE}")
    if not isinstance(read, dict) or not all(isinstance(one, dict) and "method" in one for one in read.values()):
        raise ValueError(f"Expected variants of methods, written like {_EXAMPLE}, {path} holds something else.")
    variants = []
    for name, fields in read.items():
        if name in METHODS:
            raise ValueError(f"{path}: {name!r} is a method. Give its variant another name.")
        if not isinstance(name, str) or not re.fullmatch(r"\w[\w.+-]*", name):
            raise ValueError(f"{path}: a variant's name must be letters, digits and _ . + -, in text, got {name!r}.")
        from_config = fields.get("from_config", False)
        if not isinstance(from_config, bool):
            raise ValueError(  # noqa: TRY004 (what is wrong is the file)
                f"{path}: {name}.from_config must be true or false, got {from_config!r}."
            )
        parameters = with_numbers({key: value for key, value in fields.items() if key not in ("method", "from_config")})
        variant = Variant(name, fields["method"], parameters, from_config)
        variant.parameters_for("Table-v0", None)
        variants.append(variant)
    return variants
