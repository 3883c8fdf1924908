"""Categories that the owner of a table may want to look at before anything is learned from it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rlsyn.schema import Schema, category_text


def rare_categories(table: pd.DataFrame, schema: Schema, min_people: int = 3) -> list[str]:
    """Names of the binary and categorical columns with a category that fewer than `min_people` people have."""
    people = table[schema.group] if schema.group else pd.Series(np.arange(len(table)), index=table.index)
    rare = []
    for column in schema.columns:
        if column.is_discrete:
            counts = people.groupby(table[column.name].astype(object)).nunique()
            rare += [column.name] if (counts < min_people).any() else []
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
