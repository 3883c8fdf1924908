"""What the owner of a table may want to look at before anything is learned from it."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import yaml

from rlsyn.implied_rules import implied_rules
from rlsyn.schema import MIN_PEOPLE, Schema
from rlsyn.values.categories import category_text
from rlsyn.values.missing_codes import missing_codes

MAX_RULES = 30
"""So many undeclared rules are told; of more, that there are."""


def doubts(table: pd.DataFrame, schema: Schema) -> list[str]:
    """What should be said of a table before it is learned, in sentences."""
    found = []
    if rare := rare_categories(table, schema):
        found.append(
            f"These columns have categories of fewer than {MIN_PEOPLE} people, which may be generated: {', '.join(rare)}. "
            "If such a category would point at a person, merge it with others in the table."
        )
    if misspelt := misspelt_categories(schema):
        found.append(
            "These columns have categories that differ by blanks or case alone, which are kept apart: "
            f"{', '.join(misspelt)}. If they are one, make them one in the table."
        )
    if coded := coded_columns(table, schema):
        found.append(
            "These columns have a number far from all their others, which is learned as a measurement: "
            f"{', '.join(coded)}. If it is a code for missing, make it empty in the table."
        )
    if rules := implied_rules(table, schema):
        n_more = len(rules) - MAX_RULES
        lines = [_yaml_line(rule) for rule in rules[:MAX_RULES]] + ([f"(and {n_more} more)"] if n_more > 0 else [])
        found.append(
            "Every training row obeys these rules, which are not declared; synthetic records will break them. If they are "
            "meant, put them into a file for --constraints:\n" + "\n".join(lines)
        )
    return found


def _yaml_line(rule: str) -> str:
    """A rule as a line of a YAML list, in quotes where it must be."""
    plain = f"- {rule}"
    try:
        is_read_alike = yaml.safe_load(plain) == [rule]
    except yaml.YAMLError:
        is_read_alike = False
    return plain if is_read_alike else f"- {json.dumps(rule, ensure_ascii=False)}"


def rare_categories(table: pd.DataFrame, schema: Schema) -> list[str]:
    """Names of the binary and categorical columns with a category that fewer than `MIN_PEOPLE` people have."""
    people = table[schema.group] if schema.group else pd.Series(np.arange(len(table)), index=table.index)
    rare = []
    for column in schema.columns:
        if column.is_discrete:
            counts = people.groupby(table[column.name].astype(object)).nunique()
            rare += [column.name] if (counts < MIN_PEOPLE).any() else []
    return rare


def misspelt_categories(schema: Schema) -> list[str]:
    """Names of the binary and categorical columns of which two categories differ by blanks or case alone.

    They are kept apart, since some mean it (alleles A and a).

    Example:
        >>> from rlsyn.schema import Column
        >>> misspelt_categories(Schema((Column("smoker", "categorical", ("no", "yes", "Yes ")),)))
        ['smoker']
    """
    misspelt = []
    for column in schema.columns:
        spellings = {" ".join(category_text(category).casefold().split()) for category in column.categories}
        misspelt += [column.name] if len(spellings) < len(column.categories) else []
    return misspelt


def coded_columns(table: pd.DataFrame, schema: Schema) -> list[str]:
    """Names of the quantities that seem to have codes for missing values, the codes behind them; no other values."""
    people = None if schema.group is None else table[schema.group]
    coded = []
    for column in schema.columns:
        if not column.is_discrete:
            codes = missing_codes(table[column.name], people, MIN_PEOPLE)
            coded += [f"{column.name} ({', '.join(map(str, codes))})"] if codes else []
    return coded
