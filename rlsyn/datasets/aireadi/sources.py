"""Under which names the attributes of the table stand in the clinical tables of the release.

An item is found by the text of `<domain>_source_value`: the whole of it first, since labels of release 2 may hold a
comma ('Bilirubin, Total (mg/dL)'), then what stands before its first comma, the field code ('import_alt_got, Alanine
aminotransferase [Enzymat' in release 3). Never by concept, since one concept stands for several items, and never by the
end of the text, which is cut at about 50 characters.

Sources: the names of release 2 are those that the code of arXiv:2512.21395 matches; those of release 3 and the codes of
the conditions are in public analysis code for that release and in the AI-READI documentation (tables of laboratory
values and of the MoCA, CC BY 4.0). What is only inferred is marked so.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    """A measurement.

    Args:
        names: Its source values or field codes, in any release.
        reaches_refusals: Whether a true value may be as large as 555, the smallest code of a refused answer.
        typical: A value of a healthy adult in the unit of the column, for items that some release labels otherwise.
        units: By another unit that a release states, in lower case: what its values are multiplied by.
    """

    names: tuple[str, ...]
    reaches_refusals: bool = False
    typical: float = 0.0
    units: tuple[tuple[str, float], ...] = ()


_PER_ML = (("_g/ml", 0.1), ("ug/ml", 0.1), ("µg/ml", 0.1), ("μg/ml", 0.1), ("mcg/ml", 0.1), ("mg/l", 0.1))
"""From µg/mL to mg/dL; the export of release 3 writes the Greek letter as an underscore."""
_PER_LITRE = (("ng/l", 1e-3), ("pg/ml", 1e-3))
"""From ng/L to ng/mL."""

LABORATORY: dict[str, Item] = {
    "ag_ratio": Item(("A/G Ratio", "import_a_g_ratio")),
    "alt": Item(("ALT (IU/L)", "import_alt_got", "import_alt_gpt", "import_alt"), reaches_refusals=True),
    "ast": Item(("AST (IU/L)", "import_ast_got", "import_ast"), reaches_refusals=True),
    "albumin": Item(("Albumin (g/dL)", "import_albumin")),
    "alkaline_phosphatase": Item(("Alkaline Phosphatase (IU/L)", "import_alkaline_phosphatase"), reaches_refusals=True),
    "bun": Item(("BUN (mg/dL)", "import_bun")),
    "bun_creatinine_ratio": Item(("BUN/Creatinine ratio", "import_buncreatinineratio")),
    "total_bilirubin": Item(("Bilirubin, Total (mg/dL)", "import_bilirubin_total")),
    "c_peptide": Item(("C-Peptide (ng/mL)", "import_c_peptide"), typical=2.7, units=_PER_LITRE),
    "hs_crp": Item(("CRP - HS (mg/L)", "import_crp_hs")),
    # Calcium has two charges and a molar mass of 40.08: 1 mEq/L is 2.004 mg/dL.
    "calcium": Item(("Calcium (mg/dL)", "import_calcium"), typical=9.5, units=(("meq/l", 2.004),)),
    "total_co2": Item(("Carbon Dioxide, Total (mEq/L)", "import_carbon_dioxide_total")),
    "chloride": Item(("Chloride (mEq/L)", "import_chloride")),
    "creatinine": Item(("Creatinine (mg/dL)", "import_creatinine")),
    "globulin": Item(("Globulin, Total (g/dL)", "import_globulin_total")),
    "glucose": Item(("Glucose (mg/dL)", "import_glucose"), reaches_refusals=True),
    "hdl": Item(("HDL Cholesterol (mg/dL)", "import_hdl_cholesterol")),
    "insulin": Item(("INSULIN (ng/mL)", "import_insulin"), reaches_refusals=True, typical=0.6, units=_PER_LITRE),
    "ldl": Item(("LDL Cholesterol Calculation (mg/dL)", "import_ldl_cholesterol")),
    "potassium": Item(("Potassium (mEq/L)", "import_potassium")),
    "total_protein": Item(("Protein, Total (g/dL)", "import_protein_total")),
    "sodium": Item(("Sodium (mEq/L)", "import_sodium")),
    "total_cholesterol": Item(("Total Cholesterol (mg/dL)", "import_total_cholesterol"), reaches_refusals=True),
    "triglycerides": Item(("Triglycerides (mg/dL)", "import_triglycerides"), reaches_refusals=True),
    "urine_albumin": Item(
        ("Urine Albumin (mg/dL)", "import_urine_albumin"), reaches_refusals=True, typical=0.8, units=_PER_ML
    ),
    "urine_creatinine": Item(
        ("Urine Creatinine (mg/dL)", "import_urine_creatinine"), reaches_refusals=True, typical=95.0, units=_PER_ML
    ),
}

_MOCA = {
    "clock": "clock_visuospatial_executive",
    "cube": "cube_visuospatial_executive",
    "trails": "trails_visuospatial_executive",
    "digit_span": "digitspan",
    "memory_trial_1": "memory_trial1",
    "memory_trial_2": "memory_trial2",
    "abstraction": "moca_abstraction",
    "orientation": "moca_orientation",
    "naming": "naming",
    "repetition": "repetition",
    "subtraction": "subtraction",
    "letter_a": "lettera",
    "fluency": "fluency_language",
}
_TIMED = [name for name in _MOCA if name != "fluency"]
_SCORED = [name for name in _MOCA if name not in ("clock", "digit_span")]

COGNITION: dict[str, Item] = {
    **{f"moca_time_{name}": Item((f"{_MOCA[name]}_time",)) for name in _TIMED},
    # The release says "clue", its documentation "cue".
    "moca_time_delayed_recall": Item(("delayed_recall_with_no_clue_time", "delayed_recall_with_no_cue_time")),
    "moca_total_score": Item(("moca_total_score",)),
    "moca_mis": Item(("moca_combined_mis_score",)),
    **{f"moca_{name}": Item((_MOCA[name],)) for name in _SCORED},
}

BMI: dict[str, Item] = {"bmi": Item(("bmi_vsorres",))}
HBA1C: dict[str, Item] = {"hba1c": Item(("HbA1c (%)", "import_hba1c"))}
BLOOD_PRESSURE: dict[str, Item] = {
    f"{name}_{reading}": Item((f"bp{reading}_{code}_vsorres",))
    for name, code in (("systolic_bp", "sysbp"), ("diastolic_bp", "diabp"))
    for reading in (1, 2)
}
"""Two readings each."""


@dataclass(frozen=True)
class Condition:
    """A self-reported condition.

    Args:
        code: Field code; empty where no public source names it.
        label: How its label begins, in lower case, in releases that carry another code.
    """

    code: str
    label: str


CONDITIONS: dict[str, Condition] = {
    "amd": Condition("mhoccur_amd", "age-related macular"),
    "arthritis": Condition("mhoccur_ra", "arthritis"),
    "cancer": Condition("mhoccur_ca", "cancer"),
    "cataracts": Condition("mhoccur_crt", "cataract"),
    "chronic_pulmonary": Condition("mhoccur_plm", "chronic pulmonary"),
    "circulation": Condition("mhoccur_circ", "circulation problems"),
    "diabetic_retinopathy": Condition("mhoccur_pdr", "diabetic retinopathy"),
    "digestive": Condition("mhoccur_gi", "digestive problems"),
    # A question about substances and not of the medical history: release 2 has it among the conditions all the same.
    "marijuana_use": Condition("", "do you use marijuana now"),
    "dry_eye": Condition("mhoccur_ded", "dry eye"),
    "glaucoma": Condition("mhoccur_glc", "glaucoma"),
    "hearing_impairment": Condition("mhoccur_ear", "hearing impairment"),
    "heart_attack": Condition("mhoccur_mi", "heart attack"),
    "high_cholesterol": Condition("mhoccur_clsh", "high blood cholesterol"),
    "high_blood_pressure": Condition("mhoccur_hbp", "high blood pressure"),
    "kidney_problems": Condition("mhoccur_rnl", "kidney problems"),
    "low_blood_pressure": Condition("mhoccur_lbp", "low blood pressure"),
    "mild_cognitive_impairment": Condition("mhoccur_cogn", "mild cognitive"),
    "multiple_sclerosis": Condition("mhoccur_ms", "multiple sclerosis"),
    "obesity": Condition("mhoccur_obs", "obesity"),
    "osteoporosis": Condition("mhoccur_oa", "osteoporosis"),
    "other_heart": Condition("mhoccur_cvdot", "other heart issues"),
    "other_neurological": Condition("mhoccur_cns", "other neurological"),
    "parkinsons": Condition("mhoccur_pd", "parkinson"),
    "retinal_vascular_occlusion": Condition("mhoccur_rvo", "retinal vascular occlusion"),
    "stroke": Condition("mhoccur_strk", "stroke"),
    "type_2_diabetes": Condition("mhterm_dm2", "type ii diabetes"),
    "urinary": Condition("mhoccur_ua", "urinary problems"),
}


def before_comma(text: str) -> str:
    """The field code of a source value, in lower case."""
    return text.split(",", 1)[0].strip().lower()
