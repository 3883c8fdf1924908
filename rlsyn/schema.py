"""Columns of a patient table and the rules that hold for them: kinds, categories, units, label, group."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import yaml

from rlsyn.constraints import Constraint, check_unique, constraints_from
from rlsyn.files import write_whole
from rlsyn.names import unknown_name
from rlsyn.values.categories import category_text
from rlsyn.values.dates import are_dates, are_days_of_a_spreadsheet, look_like_dates
from rlsyn.values.forms import first_form, first_text
from rlsyn.values.identifiers import MIN_DISTINCT, are_numbers_of_rows, bare_name, is_named_like_one
from rlsyn.values.numbers import MAX_DECIMALS, are_numbers, as_written, count_decimals
from rlsyn.values.refusals import INSTEAD_OF_DATES, in_shell, refusal, refusal_of_all
from rlsyn.yaml_fields import check_fields, read_yaml, short

Kind = Literal["numeric", "integer", "binary", "categorical"]
Category = str | int | float | bool

MAX_CATEGORIES = 1_000
"""More distinct texts than this are taken for names or notes, not for categories."""
MIN_ROWS = 20
"""Fewer rows than this cannot be split, learned from or evaluated."""
MIN_PEOPLE = 3
"""What fewer have tells of them: of several texts so many share one, or they are notes."""
MAX_CLASSES = 10
"""A label of up to so many whole numbers is a class (a stage, a grade), one of more is a quantity."""


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Args:
        name: Header of the column.
        kind: `numeric` (real numbers), `integer`, `binary` (two categories) or `categorical`.
        categories: The values of a binary or categorical column, sorted.
        decimals: Digits after the point that the values of a numeric column carry; `None` when unrounded.
        unit: Unit of measurement, for people.
        missing: Whether values may be missing.
    """

    name: str
    kind: Kind
    categories: tuple[Category, ...] = ()
    decimals: int | None = None
    unit: str = ""
    missing: bool = False

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"Column {self.name!r}: kind must be one of {get_args(Kind)}, got {self.kind!r}.")
        if self.is_discrete != bool(self.categories):
            raise ValueError(
                f"Column {self.name!r}: binary and categorical columns list their categories, others have none; "
                f"got kind {self.kind!r} with {len(self.categories)} categories."
            )
        n_different = min(len(set(self.categories)), len({category_text(one) for one in self.categories}))
        if n_different < len(self.categories) or (self.kind == "binary" and n_different != 2):
            raise ValueError(
                f"Column {self.name!r}: categories must be different, and two if it is binary, got {short(self.categories)}."
            )

    @property
    def most_decimals(self) -> int | None:
        """Digits after the point that a quantity may carry: none of a whole number; `None` when unrounded."""
        return 0 if self.kind == "integer" else self.decimals

    @property
    def is_discrete(self) -> bool:
        """Whether the values are categories rather than quantities."""
        return self.kind in ("binary", "categorical")


@dataclass(frozen=True)
class Schema:
    """The columns of a table in their order, which of them are label and group, and the rules that records obey.

    The group (patient) column tells which rows belong to one person. It is no attribute of a record: it is not in
    `columns`, it is used to keep a person's rows together, and it is never generated.

    Generated records obey the constraints: levels whose values all break one are masked, values are repaired by them,
    training pays for what is left, and what breaks one still is not sampled. The evaluation counts who breaks them. No
    table is refused for them and the levels of a column are the same without, so two schemas that differ in nothing
    else are equal: a run may go on after a rule was added.
    """

    columns: tuple[Column, ...]
    label: str | None = None
    group: str | None = None
    constraints: tuple[Constraint, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        if not self.columns:
            raise ValueError("A schema needs at least one column, got none.")
        _check_unique(self.names)
        if self.label is not None:
            self[self.label]
        if self.group is not None and self.group in self.names:
            raise ValueError(f"The group column {self.group!r} identifies people; it cannot be generated as well.")
        check_unique(self.constraints)
        for constraint in self.constraints:
            constraint.check({column.name: column.categories for column in self.columns})

    def __getitem__(self, name: str) -> Column:
        """The column of that name."""
        for column in self.columns:
            if column.name == name:
                return column
        raise ValueError(unknown_name("column", name, self.names))

    @property
    def names(self) -> list[str]:
        """Names of the columns of a record, in table order."""
        return [column.name for column in self.columns]

    def validate(self, table: pd.DataFrame) -> None:
        """Check that a table has the columns of this schema with admissible values; its rows may break constraints.

        Raises:
            ValueError: A column is absent, holds an unknown category, text for a number, an infinite value, or a
                missing value where none may be.
        """
        if self.group is not None and self.group not in table:
            raise ValueError(f"The table lacks the group column {self.group!r}; it has {list(table.columns)[:20]}.")
        _check_unique(table.columns)
        for column in self.columns:
            if column.name not in table:
                raise ValueError(f"The table lacks column {column.name!r}; it has {list(table.columns)[:20]}.")
            _validate_column(column, table[column.name])

    def write(self, path: Path) -> None:
        """Write the schema as YAML, whole or not at all."""
        write_whole(path, yaml.safe_dump(self.to_dict(), sort_keys=False, allow_unicode=True, width=120))

    @classmethod
    def read(cls, path: Path) -> Schema:
        """The schema in a YAML file, as `write` writes it.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It holds no schema; the message names the file, what was expected and what came, in a line.
        """
        fields = read_yaml(path, "a schema", "Write it as the schema.yaml of a run is written.")
        try:
            return cls.from_dict(fields)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    def to_dict(self) -> dict[str, Any]:
        """The schema as plain lists and dicts; defaults are left out."""
        blank = Column("", "numeric")
        columns = []
        for column in self.columns:
            fields = {key: value for key, value in asdict(column).items() if value != getattr(blank, key)}
            columns.append({"name": column.name, "kind": column.kind} | fields)
            if column.categories:
                columns[-1]["categories"] = list(column.categories)
        rules = [asdict(constraint) for constraint in self.constraints]
        return {"label": self.label, "group": self.group, "columns": columns} | (
            {"constraints": rules} if rules else {}
        )

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Schema:
        """The inverse of `to_dict`.

        Raises:
            ValueError: A field is unknown, absent or of another type, or they contradict each other.
        """
        given = check_fields(fields, _SCHEMA_FIELDS, ("columns",), "A schema", _SCHEMA_EXAMPLE)
        columns = tuple(_read_column(number, column) for number, column in enumerate(given["columns"], 1))
        rules = constraints_from(given.get("constraints", ()))
        return cls(columns, given.get("label"), given.get("group"), rules)


_SCHEMA_FIELDS = {"label": str, "group": str, "columns": list, "constraints": list}
_SCHEMA_EXAMPLE = "{label: died, columns: [{name: age, kind: integer}, ...]}"
_COLUMN_FIELDS = {"name": str, "kind": str, "categories": list, "decimals": int, "unit": str, "missing": bool}
_COLUMN_EXAMPLE = "{name: sex, kind: binary, categories: [f, m]}"


def _read_column(number: int, fields: Any) -> Column:
    given = check_fields(fields, _COLUMN_FIELDS, ("name", "kind"), f"Column {number}", _COLUMN_EXAMPLE)
    name, categories = given["name"], given.get("categories", [])
    for category in categories:
        is_endless = isinstance(category, float) and not math.isfinite(category)
        if is_endless or not isinstance(category, Category):
            raise ValueError(
                f"Column {name!r}: categories must be texts, numbers, true or false, got {short(category)}. "
                "Put dates and other texts in quotes."
            )
    if not 0 <= given.get("decimals", 0) <= MAX_DECIMALS:
        raise ValueError(f"Column {name!r}: decimals must be 0 to {MAX_DECIMALS}, got {given['decimals']}.")
    return Column(**{**given, "categories": tuple(categories)})


def given_or_inferred(
    table: pd.DataFrame, label: str | None = None, group: str | None = None, schema: Schema | None = None
) -> Schema:
    """The schema of a table, as it is given or as its values tell (see `infer_schema`).

    Raises:
        TypeError: It is no table.
        ValueError: Both a schema and label or group are given, or no schema can be inferred.
    """
    if not isinstance(table, pd.DataFrame):
        raise TypeError(f"Expected the rows as a pandas.DataFrame, got {type(table).__name__}.")
    if schema is None:
        return infer_schema(table, label, group)
    if label is not None or group is not None:
        raise ValueError("Give either a schema, which names label and group, or label and group; got both.")
    if schema.group in table:
        _check_unique(table.columns)
        _check_group(table[schema.group])
    return schema


def infer_schema(
    table: pd.DataFrame,
    label: str | None = None,
    group: str | None = None,
    units: dict[str, str] | None = None,
    integers: Iterable[str] = (),
) -> Schema:
    """The schema of a table, inferred from its values.

    Numbers with two distinct values and booleans are binary, whole numbers are integer, other numbers numeric; text
    with two distinct values is binary, other text categorical.

    Args:
        table: The rows; a column named by `group` is left out of the schema's columns.
        label: The outcome column, if there is one; it must be complete and vary.
        group: The column that identifies the person a row belongs to.
        units: Units of measurement by column name.
        integers: Columns to keep integer even where only two values occur.

    Raises:
        ValueError: Too few rows, duplicate names, an infinite value, a date, free text, an identifier, or a label that
            is absent, constant or incomplete, or a group that is incomplete. The message names the column and what to do.
    """
    names = list(table.columns)
    if not all(isinstance(name, str) for name in names):
        raise ValueError(
            f"Column names must be text, got {[n for n in names if not isinstance(n, str)][:5]}. Rename them."
        )
    _check_unique(table.columns)
    label, group = (None if one is None else str(one) for one in (label, group))  # of NumPy, YAML cannot write them
    if len(table) < MIN_ROWS:
        raise ValueError(f"A table needs at least {MIN_ROWS} rows to learn from, got {len(table)}.")
    for role, name in (("label", label), ("group", group)):
        if name is not None and name not in names:
            raise ValueError(unknown_name(f"{role} column", name, names))
    if group is not None:
        _check_group(table[group])
    people, units = None if group is None else table[group], units or {}
    columns, refused = [], {}
    for name in names:
        if name == group:
            continue
        try:
            column = infer_column(table[name].rename(name), name in set(integers), people)
        except ValueError as error:
            refused[name] = str(error)
            continue
        if name == label and column.kind == "integer" and table[name].nunique() <= MAX_CLASSES:
            column = replace(column, kind="categorical", categories=_to_categories(as_written(table[name].dropna())))
        columns.append(replace(column, unit=units.get(name, "")))
    if refused:
        raise ValueError(refusal_of_all(refused))
    schema = Schema(tuple(columns), label, group)
    if label is not None:
        _check_label(table[label])
    return schema


def infer_column(values: pd.Series, keep_integer: bool = False, people: pd.Series | None = None) -> Column:
    """The column that a series of values is.

    Args:
        values: Of one name.
        keep_integer: Whether whole numbers are integer even where only two occur.
        people: Whose each value is; by default everybody has one.

    Raises:
        ValueError: An infinite value, a date, free text or an identifier.
    """
    name, present = str(values.name), values.reset_index(drop=True).dropna()
    missing = len(present) < len(values)
    if pd.api.types.is_datetime64_any_dtype(values) or isinstance(values.dtype, pd.PeriodDtype):
        raise ValueError(refusal(name, "holds dates", str(present.iloc[0]) if len(present) else "NaT"))
    if pd.api.types.is_timedelta64_dtype(values):
        what_to_do = f"Turn them into numbers (days), or leave the column out with --drop {in_shell(name)}."
        raise ValueError(f"Column {name!r} holds durations. {what_to_do}")
    if len(present) == 0:
        return Column(name, "numeric", missing=True)
    present = as_written(present)
    if pd.api.types.is_bool_dtype(present) or not pd.api.types.is_numeric_dtype(present):
        owners = pd.Series(range(len(values))) if people is None else people.reset_index(drop=True)
        return _infer_text(name, present, len(values), owners)
    numbers = present.to_numpy(dtype=float)
    if np.isinf(numbers).any():
        raise ValueError(
            f"Column {name!r} must hold finite numbers, got {int(np.isinf(numbers).sum())} infinite. "
            f"Make them empty (missing) or leave the column out with --drop {in_shell(name)}."
        )
    decimals = count_decimals(np.unique(numbers))
    numbers = numbers if decimals is None else np.round(numbers, decimals)  # 0.1 + 0.2 is a 0.3
    distinct = np.unique(numbers)
    is_whole = bool((distinct == np.round(distinct)).all()) and bool((np.abs(distinct) < 2**53).all())
    if (is_whole and are_dates(numbers)) or are_days_of_a_spreadsheet(name, numbers):
        raise ValueError(refusal(name, "holds dates", str(int(numbers[0])), INSTEAD_OF_DATES))
    if is_whole and are_numbers_of_rows(numbers):
        raise ValueError(
            refusal(name, "has a different long or running number in every row (an identifier)", str(int(numbers[0])))
        )
    _check_names_nobody(name, len(distinct), str(present.iloc[0]))
    if not is_whole and np.abs(distinct).max() >= 2**53:
        raise ValueError(refusal(name, "holds numbers too large to be kept exactly", str(present.iloc[0])))
    if len(distinct) == 2 and not keep_integer and _are_two_kinds(numbers, distinct):
        return Column(name, "binary", _to_categories(pd.Series(numbers)), missing=missing)
    if is_whole:
        return Column(name, "integer", missing=missing)
    return Column(name, "numeric", decimals=decimals, missing=missing)


def _infer_text(name: str, present: pd.Series, n_rows: int, owners: pd.Series) -> Column:
    missing, texts = len(present) < n_rows, present.astype(str)
    if not all(isinstance(value, Hashable) for value in present):
        raise ValueError(refusal(name, "holds lists", str(texts.iloc[0])[:40]))
    n_distinct = int(texts.nunique())
    example = str(texts.iloc[0])[:40]
    if look_like_dates(texts):
        raise ValueError(refusal(name, "holds dates", example, INSTEAD_OF_DATES))
    distinct = pd.Series(texts.unique())
    dtype, are_codes = present.dtype, distinct.str.fullmatch(r"0\d+").any()
    # Numbers of sites or wards that the table itself has as categories.
    are_codes |= isinstance(dtype, pd.CategoricalDtype) and pd.api.types.is_numeric_dtype(dtype.categories.dtype)
    if n_distinct > MAX_CLASSES and not are_codes and are_numbers(distinct).mean() > 0.5:
        numbers = pd.to_numeric(texts.str.replace(",", "."), errors="coerce")
        odd = texts[numbers.isna()] if numbers.isna().any() else texts
        raise ValueError(
            f"Column {name!r} must hold numbers with points or only text, got numbers as text, such as {first_form(odd)}. "
            "Write plain numbers, without units and marks between thousands and in a column each (codes with a letter in "
            f"front; for <0.5 its limit, 0.5), make other text empty (missing), or leave the column out with --drop {in_shell(name)}."
        )
    if n_distinct == len(texts) and n_distinct >= MIN_ROWS:
        raise ValueError(refusal(name, "has a different text in every row (an identifier or free text)", example))
    _check_names_nobody(name, n_distinct, example)
    if n_distinct > MAX_CATEGORIES:
        raise ValueError(
            refusal(name, f"has {n_distinct:,} different texts, at most {MAX_CATEGORIES:,} are categories", example)
        )
    if n_distinct > 20 and (n_distinct > 0.5 * len(texts) or texts.str.len().mean() > 60):
        raise ValueError(
            refusal(name, f"has {n_distinct:,} different texts in {len(texts):,} rows (free text)", example)
        )
    are_two_words = n_distinct == 2 and not texts.str.strip().str.contains(" ").any()  # yes and no, of very few
    most = owners[texts.index].groupby(texts).nunique().max()
    if owners.nunique() >= MIN_ROWS and n_distinct > 1 and not are_two_words and most < MIN_PEOPLE:
        raise ValueError(refusal(name, f"has no text that {MIN_PEOPLE} people share (free text)", example))
    categories = _to_categories(present)
    return Column(name, "binary" if len(categories) == 2 else "categorical", categories, missing=missing)


def _to_categories(present: pd.Series) -> tuple[Category, ...]:
    distinct = [value.item() if hasattr(value, "item") else value for value in present.unique()]
    distinct = [int(v) if isinstance(v, float) and v.is_integer() else v for v in distinct]
    plain = [value if isinstance(value, (str, int, float, bool)) else str(value) for value in distinct]
    by_text = {category_text(value): value for value in plain}
    return tuple(sorted(by_text.values(), key=lambda value: (isinstance(value, str), value)))


def _are_two_kinds(numbers: np.ndarray, distinct: np.ndarray) -> bool:
    """Whether two values are categories: 0 and 1, 1 and 2, or such that three rows have; others are measured."""
    is_next = distinct[0] % 1 == 0 and distinct[1] - distinct[0] == 1
    return bool(is_next or min((numbers == value).sum() for value in distinct) >= 3)


def _check_names_nobody(name: str, n_distinct: int, example: str) -> None:
    """Refuse what is named like an identifier though its values recur: a group that was not named would be learned."""
    if n_distinct >= MIN_DISTINCT and is_named_like_one(name):
        what = f"has {n_distinct:,} different values and is named like an identifier"
        raise ValueError(
            f"{refusal(name, what, example)} If it tells which rows are of one person, say so with --group {in_shell(name)}. "
            "If it is no identifier, give it another name."
        )


def _check_unique(names: Iterable[Hashable]) -> None:
    if duplicates := sorted({str(name) for name, count in Counter(names).items() if count > 1}):
        raise ValueError(f"Column names must be unique, got {duplicates} more than once. Rename them.")


def _check_group(values: pd.Series) -> None:
    if values.isna().any():
        raise ValueError(
            f"The group column {values.name!r} must be known in every row, got {int(values.isna().sum())} missing of "
            f"{len(values)}. Remove those rows."
        )
    if n_twice := len(set(values)) - len({bare_name(one) for one in values}):
        raise ValueError(
            f"The group column {values.name!r} must name a person always alike, got {n_twice} names that are another one "
            "but for blanks around them. Remove the blanks."
        )


def _check_label(values: pd.Series) -> None:
    name, n_missing = values.name, int(values.isna().sum())
    if n_missing:
        raise ValueError(
            f"The label {name!r} must be known in every row, got {n_missing} missing of {len(values)}. "
            "Remove those rows or choose another label."
        )
    if values.nunique() < 2:
        raise ValueError(f"The label {name!r} must vary, got {values.tolist()[0]!r} in every row. Choose another.")


def _validate_column(column: Column, values: pd.Series) -> None:
    present = as_written(values.reset_index(drop=True).dropna())
    if not column.missing and len(present) < len(values):
        raise ValueError(f"Column {column.name!r} may not be missing, got {len(values) - len(present)} missing values.")
    if column.is_discrete:
        categories, names = set(column.categories), {category_text(category) for category in column.categories}
        unknown = [v for v in present.unique() if v not in categories and category_text(v) not in names]
        if unknown:
            known, others = list(column.categories)[:10], present[present.isin(unknown)]
            raise ValueError(
                f"Column {column.name!r} must hold one of {known}, got another in {len(others):,} of {len(present):,} values, such as "
                f"{first_form(others)}. Write them as there, merge categories, or remove these rows."
            )
    elif not pd.api.types.is_numeric_dtype(present) and len(present):
        raise ValueError(f"Column {column.name!r} must hold numbers, got {first_text(values)}.")
    elif np.isinf(present.to_numpy(dtype=float)).any():
        raise ValueError(f"Column {column.name!r} must hold finite numbers, got infinite ones.")
