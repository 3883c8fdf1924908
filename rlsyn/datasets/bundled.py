"""Real tables that come with scikit-learn: breast cancer (569 x 31) and diabetes progression (442 x 11)."""

from __future__ import annotations

import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes

from rlsyn.schema import Schema, infer_schema


def breast_cancer() -> tuple[pd.DataFrame, Schema]:
    """Breast Cancer Wisconsin (Diagnostic), UCI 17: 30 measurements of cell nuclei, label `diagnosis` (1 = malignant)."""
    table = load_breast_cancer(as_frame=True).frame
    # scikit-learn codes malignant as 0; a clinician expects the disease to be 1.
    table["diagnosis"] = 1 - table.pop("target")
    table.columns = [name.replace(" ", "_") for name in table.columns]
    return table, infer_schema(table, label="diagnosis")


def diabetes() -> tuple[pd.DataFrame, Schema]:
    """Diabetes progression (Efron et al., 2004): 10 baseline measurements in their units, label `progression`."""
    table = load_diabetes(as_frame=True, scaled=False).frame
    table = table.rename(columns={"target": "progression"})
    whole = [name for name in table if (table[name] == table[name].round()).all()]
    table[whole] = table[whole].astype("int64")
    units = {"age": "years", "bmi": "kg/m2", "bp": "mmHg"}
    return table, infer_schema(table, label="progression", units=units)
