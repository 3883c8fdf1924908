"""Categories that the owner of a table may want to look at before anything is learned from it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rlsyn.schema import MIN_PEOPLE, Schema
from rlsyn.values.categories import category_text


def doubts(table: pd.DataFrame, schema: Schema) -> list[str]:
    """What should be said of the categories of a table before it is learned, in sentences."""
    found = []
    if rare := rare_categories(table, schema):
        found.append(
            f"These columns have categories of fewer than {MIN_PEOPLE} people, which may be generated: {', '.join(rare)}."
        )
    if misspelt := misspelt_categories(schema):
        found.append(
            "These columns have categories that differ by blanks or case alone, which are kept apart: "
            f"{', '.join(misspelt)}. If they are one, make them one in the table."
        )
    return found


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
