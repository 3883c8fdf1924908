"""Source values, traps and numbers of the people of the invented release of AI-READI (see `aireadi_release`)."""

from __future__ import annotations

from datetime import UTC, datetime

TRAPS = {
    "refused MoCA total": 3,
    "true value of a refusal code": 4,
    "empty MoCA naming": 5,
    "first value empty": 6,
    "two values, the earlier one last": 7,
    "below the limit of the assay": 8,
    "no condition": 9,
    "three ECGs": 10,
    "broken ECG": 11,
    "no ECG": 12,
    "no header file": 13,
    "half a day of Low glucose": 14,
    "an hour of High glucose": 15,
    "four hours without glucose": 16,
    "no glucose file": 17,
    "heart rate is no JSON": 18,
    "no wearables": 19,
    "no sleep file": 20,
    "two hours without heart rate": 21,
    "no calories file": 22,
    "a record without a value": 23,
}
"""What is odd about which participant."""

FIRST_MORNING = datetime(2024, 3, 4, 8, tzinfo=UTC)
"""When the first whole day of everybody's wearables begins."""

# Column, then release 2: source value and unit, then release 3, then value of participant 0 and what the next one has more.
LABORATORY: tuple[tuple[str, str, str, str, str, float, float], ...] = (
    ("ag_ratio", "A/G Ratio", "", "import_a_g_ratio, Albumin/Globulin ratio", "", 1.5, 0.0),
    (
        "alt",
        "ALT (IU/L)",
        "IU/L",
        "import_alt_got, Alanine aminotransferase [Enzymatic activity/volume]",
        "IU/L",
        15,
        1,
    ),
    ("ast", "AST (IU/L)", "IU/L", "import_ast_got, Aspartate aminotransferase [Enzymatic activity", "IU/L", 16, 1),
    ("albumin", "Albumin (g/dL)", "g/dL", "import_albumin, Albumin [Mass/volume] in Serum or Plasma", "g/dL", 4.2, 0.0),
    (
        *("alkaline_phosphatase", "Alkaline Phosphatase (IU/L)", "IU/L"),
        *("import_alkaline_phosphatase, Alkaline phosphatase [Enzymatic", "IU/L", 60, 1),
    ),
    ("bun", "BUN (mg/dL)", "mg/dL", "import_bun, Urea nitrogen [Mass/volume] in Serum or Plasma", "mg/dL", 10, 1),
    ("bun_creatinine_ratio", "BUN/Creatinine ratio", "", "import_buncreatinineratio, BUN/Creatinine ratio", "", 10, 1),
    (
        *("total_bilirubin", "Bilirubin, Total (mg/dL)", "mg/dL"),
        *("import_bilirubin_total, Bilirubin.total [Mass/volume] in Serum", "", 0.3, 0.1),
    ),
    ("c_peptide", "C-Peptide (ng/mL)", "ng/mL", "import_c_peptide, C peptide [Mass/volume] in Serum", "ng/L", 1.5, 0.1),
    ("hs_crp", "CRP - HS (mg/L)", "mg/L", "import_crp_hs, C reactive protein [Mass/volume] in Ser", "mg/L", 0.4, 0.1),
    (
        "calcium",
        "Calcium (mg/dL)",
        "mg/dL",
        "import_calcium, Calcium [Mass/volume] in Serum or Plasma",
        "mEq/L",
        8.8,
        0.1,
    ),
    (
        *("total_co2", "Carbon Dioxide, Total (mEq/L)", "mEq/L"),
        *("import_carbon_dioxide_total, Carbon dioxide, total [Moles/volume]", "mEq/L", 20, 1),
    ),
    ("chloride", "Chloride (mEq/L)", "mEq/L", "import_chloride, Chloride [Moles/volume] in Serum", "mEq/L", 95, 1),
    (
        "creatinine",
        "Creatinine (mg/dL)",
        "md/dL",
        "import_creatinine, Creatinine [Mass/volume] in Serum",
        "mg/dL",
        1.0,
        0.0,
    ),
    (
        "globulin",
        "Globulin, Total (g/dL)",
        "g/dL",
        "import_globulin_total, Globulin [Mass/volume] in Serum",
        "",
        2.8,
        0.0,
    ),
    ("glucose", "Glucose (mg/dL)", "mg/dL", "import_glucose, Glucose [Mass/volume] in Serum or Plasma", "mg/dL", 90, 2),
    ("hdl", "HDL Cholesterol (mg/dL)", "mg/dL", "import_hdl_cholesterol, Cholesterol in HDL [Mass/vol", "mg/dL", 40, 1),
    (
        "insulin",
        "INSULIN (ng/mL)",
        "ng/mL",
        "import_insulin, Insulin [Units/volume] in Serum or Plasma",
        "ng/L",
        0.3,
        0.05,
    ),
    (
        *("ldl", "LDL Cholesterol Calculation (mg/dL)", "mg/dL"),
        *("import_ldl_cholesterol, Cholesterol in LDL [Mass/volume]", "mg/dL", 90, 1),
    ),
    (
        "potassium",
        "Potassium (mEq/L)",
        "mEq/L",
        "import_potassium, Potassium [Moles/volume] in Serum",
        "mEq/L",
        3.5,
        0.1,
    ),
    (
        "total_protein",
        "Protein, Total (g/dL)",
        "g/dL",
        "import_protein_total, Protein [Mass/volume] in S",
        "g/dL",
        7.0,
        0.0,
    ),
    ("sodium", "Sodium (mEq/L)", "mEq/L", "import_sodium, Sodium [Moles/volume] in Serum or Plasma", "mEq/L", 130, 1),
    (
        *("total_cholesterol", "Total Cholesterol (mg/dL)", "mg/dL"),
        *("import_total_cholesterol, Cholesterol [Mass/volume] in Serum", "mg/dL", 150, 2),
    ),
    (
        *("triglycerides", "Triglycerides (mg/dL)", "mg/dL"),
        *("import_triglycerides, Triglyceride [Mass/volume] in Serum", "mg/dL", 80, 5),
    ),
    (
        "urine_albumin",
        "Urine Albumin (mg/dL)",
        "mg/DL",
        "import_urine_albumin, Albumin [Mass/volume] in Urine",
        "_g/mL",
        0.5,
        0.1,
    ),
    (
        *("urine_creatinine", "Urine Creatinine (mg/dL)", "mg/DL"),
        *("import_urine_creatinine, Creatinine [Mass/volume] in Urine", "_g/mL", 50, 5),
    ),
)
IN_MICROGRAMS = ("urine_albumin", "urine_creatinine")
"""Release 3 has these in µg/mL, a tenth of a mg/dL; it mislabels c_peptide, insulin and calcium."""

COGNITION: tuple[tuple[str, str, int, int], ...] = (
    # Column, source value, value of participant 0, after how many participants the values come again.
    ("moca_time_clock", "clock_visuospatial_executive_time", 30, 20),
    ("moca_time_delayed_recall", "delayed_recall_with_no_clue_time", 25, 20),
    ("moca_time_digit_span", "digitspan_time", 22, 20),
    ("moca_time_memory_trial_1", "memory_trial1_time", 21, 20),
    ("moca_time_memory_trial_2", "memory_trial2_time", 20, 20),
    ("moca_time_abstraction", "moca_abstraction_time", 19, 20),
    ("moca_time_orientation", "moca_orientation_time", 18, 20),
    ("moca_time_naming", "naming_time", 11, 20),
    ("moca_time_repetition", "repetition_time", 28, 20),
    ("moca_time_subtraction", "subtraction_time", 33, 20),
    ("moca_time_cube", "cube_visuospatial_executive_time", 36, 20),
    ("moca_time_letter_a", "lettera_time", 35, 20),
    ("moca_time_trails", "trails_visuospatial_executive_time", 27, 20),
    ("moca_total_score", "moca_total_score", 22, 4),
    ("moca_mis", "moca_combined_mis_score", 9, 3),
    ("moca_memory_trial_1", "memory_trial1", 3, 3),
    ("moca_memory_trial_2", "memory_trial2", 4, 2),
    ("moca_abstraction", "moca_abstraction", 1, 2),
    ("moca_orientation", "moca_orientation", 5, 2),
    ("moca_naming", "naming", 2, 2),
    ("moca_repetition", "repetition", 1, 2),
    ("moca_subtraction", "subtraction", 2, 2),
    ("moca_cube", "cube_visuospatial_executive", 0, 2),
    ("moca_fluency", "fluency_language", 0, 2),
    ("moca_letter_a", "lettera", 0, 2),
    ("moca_trails", "trails_visuospatial_executive", 0, 2),
)

CONDITIONS: tuple[tuple[str, str], ...] = (
    ("amd", "mhoccur_amd, Age-related macular degeneration (AMD)"),
    ("arthritis", "mhoccur_ra, Arthritis (joint pain)"),
    ("cancer", "mhoccur_ca, Cancer (any type)"),
    ("cataracts", "mhoccur_crt, Cataracts (in one or both eyes)"),
    ("chronic_pulmonary", "mhoccur_plm, Chronic pulmonary (lung) problems (Examples: asthma"),
    ("circulation", "mhoccur_circ, Circulation problems (Examples: arterial"),
    ("diabetic_retinopathy", "mhoccur_pdr, Diabetic retinopathy (in one or both eyes)"),
    ("digestive", "mhoccur_gi, Digestive problems (Examples: stomach, intestine)"),
    ("dry_eye", "mhoccur_ded, Dry eye (in one or both eyes)"),
    ("glaucoma", "mhoccur_glc, Glaucoma (in one or both eyes)"),
    ("hearing_impairment", "mhoccur_ear, Hearing impairment"),
    ("heart_attack", "mhoccur_mi, Heart attack"),
    ("high_cholesterol", "mhoccur_clsh, High blood cholesterol"),
    ("high_blood_pressure", "mhoccur_hbp, High blood pressure"),
    ("kidney_problems", "mhoccur_rnl, Kidney problems"),
    ("low_blood_pressure", "mhoccur_lbp, Low blood pressure"),
    ("mild_cognitive_impairment", "mhoccur_cogn, Mild cognitive impairment (known as MCI)"),
    ("multiple_sclerosis", "mhoccur_ms, Multiple sclerosis"),
    ("obesity", "mhoccur_obs, Obesity"),
    ("osteoporosis", "mhoccur_oa, Osteoporosis"),
    ("other_heart", "mhoccur_cvdot, Other heart issues (Examples: pacemaker)"),
    ("other_neurological", "mhoccur_cns, Other neurological conditions"),
    ("parkinsons", "mhoccur_pd, Parkinson's disease"),
    ("stroke", "mhoccur_strk, Stroke"),
    ("urinary", "mhoccur_ua, Urinary problems (Examples: urinary tract"),
)
"""Those that are among the conditions in both releases; nobody has a retinal vascular occlusion."""

PERIOD = 30
"""After so many participants the values come again."""

CUT = 50
"""Characters that are left of a source value."""


def number(i: int) -> int:
    """The participant's number: of the three sites in turn."""
    return (1001, 4001, 7001)[i % 3] + i


def laboratory_value(i: int, column: str) -> float:
    """In the unit of the column."""
    start, step = next(row[-2:] for row in LABORATORY if row[0] == column)
    return round(start + i % PERIOD * step, 2)


def cognition_value(i: int, column: str) -> int:
    """Points or seconds."""
    start, period = next(row[2:] for row in COGNITION if row[0] == column)
    return start + i % period
