"""What a simulated MIMIC-IV patient is drawn from: the common phecodes with their clusters, and the chapters of all."""

from __future__ import annotations

from dataclasses import dataclass

from rlsyn.phecode_chapters import CHAPTERS as PHECODE_CHAPTERS

Loadings = dict[str, float]

FACTORS = (
    "age",
    "burden",
    "cardiac",
    "renal",
    "metabolic",
    "oncologic",
    "psychiatric",
    "respiratory",
    "digestive",
    "injury",
    "pregnancy",
    "infection",
    "neurologic",
    "musculoskeletal",
)
"""Latent causes of disease, independent of each other; `burden` is how ill and how well documented a patient is."""


@dataclass(frozen=True)
class Phecode:
    """A diagnosis: how it hangs on the latent causes, and what it adds to the liability to die within a year."""

    code: str
    name: str
    loadings: Loadings
    death: float = 0.0


@dataclass(frozen=True)
class Chapter:
    """A chapter of phecodes: the common cause of its diseases and their relation to age."""

    first: int
    last: int
    cause: str
    age: float


_CAUSES: dict[str, tuple[str, float]] = {
    "infectious diseases": ("infection", 0.05),
    "neoplasms": ("oncologic", 0.25),
    "endocrine/metabolic": ("metabolic", 0.20),
    "hematopoietic": ("oncologic", 0.15),
    "mental disorders": ("psychiatric", -0.15),
    "neurological": ("neurologic", 0.20),
    "sense organs": ("neurologic", 0.20),
    "circulatory system": ("cardiac", 0.35),
    "respiratory": ("respiratory", 0.15),
    "digestive": ("digestive", 0.10),
    "genitourinary": ("renal", 0.15),
    "pregnancy complications": ("pregnancy", 0.0),
    "dermatologic": ("infection", 0.05),
    "musculoskeletal": ("musculoskeletal", 0.25),
    "congenital anomalies": ("musculoskeletal", 0.25),
    "symptoms": ("infection", 0.10),
    "injuries & poisonings": ("injury", -0.05),
}
CHAPTERS = tuple(
    Chapter(chapter.first, chapter.last, *_CAUSES[chapter.name])
    for chapter in PHECODE_CHAPTERS
    if chapter.name in _CAUSES
)

MALE_PHECODES = ((185, 187), (600, 609))
"""Prostate, testis and penis."""
FEMALE_PHECODES = ((174, 174), (180, 184), (614, 629), (630, 679))
"""Female breast, uterus, ovary and genital organs; pregnancy and childbirth."""
PREGNANCY_PHECODES = (630, 679)

LEADING: tuple[Phecode, ...] = (
    # From frequent to rare, as in adults admitted to a US teaching hospital.
    Phecode("401.1", "Essential hypertension", {"cardiac": 0.40, "metabolic": 0.30, "age": 0.45}),
    Phecode("272.1", "Hyperlipidemia", {"metabolic": 0.45, "cardiac": 0.25, "age": 0.45}),
    Phecode("530.11", "Gastroesophageal reflux", {"digestive": 0.45, "age": 0.15}),
    Phecode("318", "Tobacco use disorder", {"psychiatric": 0.30, "respiratory": 0.40}),
    Phecode("296.2", "Depression", {"psychiatric": 0.65}),
    Phecode("250.2", "Type 2 diabetes", {"metabolic": 0.70, "age": 0.20, "renal": 0.15}),
    Phecode("300.1", "Anxiety disorder", {"psychiatric": 0.60, "age": -0.05}),
    Phecode("411.4", "Coronary atherosclerosis", {"cardiac": 0.65, "age": 0.40, "metabolic": 0.20}),
    Phecode("585.1", "Acute renal failure", {"renal": 0.60, "cardiac": 0.20, "infection": 0.25, "age": 0.20}, 0.15),
    Phecode("276.14", "Hypopotassemia", {"digestive": 0.25, "renal": 0.20, "infection": 0.20}),
    Phecode("285", "Anemia", {"oncologic": 0.30, "renal": 0.30, "age": 0.15}, 0.15),
    Phecode("427.2", "Atrial fibrillation and flutter", {"cardiac": 0.60, "age": 0.50}, 0.10),
    Phecode("591", "Urinary tract infection", {"infection": 0.45, "renal": 0.30, "age": 0.20}),
    Phecode("278.1", "Obesity", {"metabolic": 0.60, "age": -0.05}),
    Phecode("428.2", "Heart failure", {"cardiac": 0.65, "age": 0.35, "renal": 0.25}, 0.40),
    Phecode("244.4", "Hypothyroidism", {"metabolic": 0.25, "age": 0.25}),
    Phecode("585.3", "Chronic kidney disease", {"renal": 0.70, "age": 0.35, "metabolic": 0.20}, 0.15),
    Phecode("276.12", "Hyponatremia", {"oncologic": 0.20, "infection": 0.25, "digestive": 0.25, "age": 0.15}, 0.20),
    Phecode("496", "Chronic obstructive pulmonary disease", {"respiratory": 0.65, "age": 0.30}, 0.25),
    Phecode("495", "Asthma", {"respiratory": 0.50, "age": -0.10}),
    Phecode("276.5", "Hypovolemia", {"digestive": 0.30, "infection": 0.30}),
    Phecode("480", "Pneumonia", {"respiratory": 0.45, "infection": 0.45, "age": 0.20}, 0.30),
    Phecode("327.3", "Sleep apnea", {"metabolic": 0.50, "respiratory": 0.25}),
    Phecode("317.1", "Alcoholism", {"psychiatric": 0.50, "digestive": 0.25, "age": -0.10}),
    Phecode("740.1", "Osteoarthrosis", {"musculoskeletal": 0.55, "age": 0.40}),
    Phecode("458.9", "Hypotension", {"cardiac": 0.25, "infection": 0.30, "age": 0.15}, 0.10),
    Phecode("563", "Constipation", {"digestive": 0.35, "oncologic": 0.20, "age": 0.15}),
    Phecode("276.4", "Acid-base balance disorder", {"renal": 0.40, "infection": 0.40}, 0.20),
    Phecode("316", "Substance addiction and disorders", {"psychiatric": 0.60, "age": -0.30}),
    Phecode("287.3", "Thrombocytopenia", {"oncologic": 0.40, "infection": 0.25, "age": 0.10}, 0.25),
    Phecode("509.1", "Respiratory failure", {"respiratory": 0.55, "infection": 0.35, "age": 0.20}, 0.50),
    Phecode("507", "Pleural effusion", {"oncologic": 0.30, "respiratory": 0.35, "cardiac": 0.25, "age": 0.15}, 0.45),
    Phecode("338.2", "Chronic pain", {"musculoskeletal": 0.40, "psychiatric": 0.30}),
    Phecode("743.1", "Osteoporosis", {"musculoskeletal": 0.45, "age": 0.45}),
    Phecode("395.2", "Aortic valve disease", {"cardiac": 0.55, "age": 0.45}, 0.10),
    Phecode("994.2", "Sepsis", {"infection": 0.70, "renal": 0.25, "age": 0.15}, 0.45),
    Phecode(
        "260",
        "Protein-calorie malnutrition",
        {"oncologic": 0.40, "digestive": 0.30, "infection": 0.20, "age": 0.15},
        0.60,
    ),
    Phecode("600", "Hyperplasia of prostate", {"renal": 0.30, "age": 0.60}),
    Phecode("562.1", "Diverticulosis", {"digestive": 0.45, "age": 0.35}),
    Phecode("357", "Inflammatory and toxic neuropathy", {"metabolic": 0.40, "neurologic": 0.35, "age": 0.20}),
    Phecode("411.2", "Myocardial infarction", {"cardiac": 0.65, "age": 0.30}, 0.15),
    Phecode("681", "Superficial cellulitis and abscess", {"infection": 0.45, "metabolic": 0.25}),
    Phecode("433.3", "Cerebral ischemia", {"cardiac": 0.35, "neurologic": 0.45, "age": 0.35}, 0.15),
    Phecode("274.1", "Gout", {"metabolic": 0.35, "renal": 0.35, "age": 0.25}),
    Phecode("348.8", "Encephalopathy", {"neurologic": 0.45, "infection": 0.30, "age": 0.25}, 0.35),
    Phecode("578", "Gastrointestinal hemorrhage", {"digestive": 0.45, "age": 0.25}, 0.15),
    Phecode("198.1", "Secondary malignancy of lymph nodes", {"oncologic": 0.80, "age": 0.15}, 0.70),
    Phecode("574.1", "Cholelithiasis", {"digestive": 0.45, "age": 0.10}),
    Phecode("452.2", "Deep vein thrombosis", {"oncologic": 0.30, "cardiac": 0.25, "age": 0.10}, 0.20),
    Phecode("290.1", "Dementia", {"neurologic": 0.50, "age": 0.65}, 0.55),
    Phecode("707.1", "Decubitus ulcer", {"infection": 0.40, "neurologic": 0.30, "age": 0.30}, 0.50),
    Phecode("345", "Epilepsy and convulsions", {"neurologic": 0.55, "age": -0.05}),
    Phecode("425.1", "Cardiomyopathy", {"cardiac": 0.65, "age": 0.15}, 0.20),
    Phecode("443.9", "Peripheral vascular disease", {"cardiac": 0.50, "metabolic": 0.25, "age": 0.35}, 0.15),
    Phecode("571.51", "Cirrhosis of liver", {"digestive": 0.65, "psychiatric": 0.15}, 0.45),
    Phecode("572", "Ascites", {"digestive": 0.55, "oncologic": 0.30}, 0.60),
    Phecode("198.2", "Secondary malignancy of respiratory organs", {"oncologic": 0.80, "age": 0.15}, 0.90),
    Phecode("198.4", "Secondary malignancy of liver", {"oncologic": 0.80, "digestive": 0.15, "age": 0.15}, 1.00),
    Phecode("198.6", "Secondary malignancy of bone", {"oncologic": 0.80, "age": 0.15}, 1.00),
    Phecode(
        "501", "Aspiration pneumonia", {"respiratory": 0.40, "neurologic": 0.35, "infection": 0.25, "age": 0.25}, 0.50
    ),
    Phecode("415.11", "Pulmonary embolism", {"respiratory": 0.30, "oncologic": 0.30, "cardiac": 0.20}, 0.20),
    Phecode("296.1", "Bipolar disorder", {"psychiatric": 0.60, "age": -0.20}),
    Phecode("070.3", "Viral hepatitis C", {"infection": 0.30, "psychiatric": 0.35, "digestive": 0.25}),
    Phecode("165.1", "Cancer of bronchus and lung", {"oncologic": 0.65, "respiratory": 0.30, "age": 0.25}, 0.80),
    Phecode("585.32", "End stage renal disease", {"renal": 0.75, "metabolic": 0.20}, 0.35),
    Phecode("008.52", "Clostridium difficile infection", {"infection": 0.50, "digestive": 0.25, "age": 0.20}, 0.25),
    Phecode("041.1", "Staphylococcus infection", {"infection": 0.60}),
    Phecode("038", "Septicemia", {"infection": 0.70, "age": 0.15}, 0.35),
    Phecode("174.1", "Breast cancer in women", {"oncologic": 0.50, "age": 0.25}, 0.10),
    Phecode("185", "Prostate cancer", {"oncologic": 0.45, "age": 0.50}, 0.05),
    Phecode("807", "Fracture of ribs", {"injury": 0.60, "age": 0.15}),
    Phecode("819", "Skull fracture and intracranial injury", {"injury": 0.60, "neurologic": 0.20, "age": 0.15}, 0.20),
    Phecode("800.1", "Fracture of neck of femur", {"injury": 0.50, "musculoskeletal": 0.25, "age": 0.50}, 0.30),
    Phecode("870.3", "Open wound of head and face", {"injury": 0.60}),
    Phecode("965.1", "Opiate poisoning", {"psychiatric": 0.45, "injury": 0.35, "age": -0.20}),
    Phecode("605", "Erectile dysfunction", {"metabolic": 0.25, "age": 0.25}),
    Phecode("555", "Inflammatory bowel disease", {"digestive": 0.50, "age": -0.15}),
    Phecode("577.1", "Acute pancreatitis", {"digestive": 0.60}),
    Phecode("153.2", "Colon cancer", {"oncologic": 0.55, "digestive": 0.25, "age": 0.30}, 0.25),
    Phecode("202.2", "Non-Hodgkin lymphoma", {"oncologic": 0.55, "age": 0.20}, 0.35),
    Phecode("157", "Pancreatic cancer", {"oncologic": 0.55, "digestive": 0.30, "age": 0.25}, 1.00),
    Phecode("198.5", "Secondary malignancy of brain and spine", {"oncologic": 0.75, "neurologic": 0.25}, 1.10),
    Phecode("295.1", "Schizophrenia", {"psychiatric": 0.60}),
    Phecode("288.11", "Neutropenia", {"oncologic": 0.60, "infection": 0.25}, 0.30),
    Phecode("714.1", "Rheumatoid arthritis", {"musculoskeletal": 0.50, "age": 0.20}),
    Phecode("427.42", "Cardiac arrest", {"cardiac": 0.55, "respiratory": 0.25}, 0.60),
    Phecode("649", "Maternal conditions complicating pregnancy", {"pregnancy": 0.80}),
    Phecode("646", "Other complications of pregnancy", {"pregnancy": 0.80}),
    Phecode("655", "Known or suspected fetal abnormality", {"pregnancy": 0.75}),
)
