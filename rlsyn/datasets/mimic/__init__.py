"""MIMIC-IV: the reader of the release as it lies on disk, and the simulated cohort in its place."""

from __future__ import annotations

import logging
from pathlib import Path

from scipy import sparse

from rlsyn.datasets.dataset import Cohort
from rlsyn.datasets.mimic.assembly import common, make_rules, make_schema, make_table, plausible_vitals
from rlsyn.datasets.mimic.diagnoses import Diagnoses, read_diagnoses
from rlsyn.datasets.mimic.options import MimicOptions
from rlsyn.datasets.mimic.people import read_people
from rlsyn.datasets.mimic.phecodes import PhecodeMap, as_categories, as_phecodes, coverage, read_phecode_map
from rlsyn.datasets.mimic.release import Release
from rlsyn.datasets.mimic.vitals import read_vitals
from rlsyn.datasets.simulated_mimic import LABEL, mimic_schema, simulate_mimic
from rlsyn.phecode_chapters import PREFIX

__all__ = ["MimicOptions", "mimic_licence", "read_mimic", "simulated_mimic"]

logger = logging.getLogger(__name__)

FEW_PEOPLE = 500
"""A release of fewer people is said to be too small."""
NO_MAP = PhecodeMap({}, {}, {}, frozenset())


def simulated_mimic() -> Cohort:
    """SIMULATED: patients with vitals, demographics, one-year death and phecodes."""
    source = "SIMULATED, no real patient: modelled on the MIMIC-IV table of arXiv:2512.21395."
    return Cohort(simulate_mimic(), mimic_schema(), source, simulated=True)


def mimic_licence(data_dir: Path) -> str:
    """What binds whoever uses a release, or what is derived from it; told before the long reading.

    Raises:
        FileNotFoundError: As `read_mimic`.
    """
    return Release(Path(data_dir), False).licence


def read_mimic(data_dir: Path, options: MimicOptions, progress_bar: bool = False) -> Cohort:
    """The cohort of arXiv:2512.21395 from a release of MIMIC-IV: one row per person, in the order of `subject_id`.

    Age, body mass index, blood pressure, sex, race, death within a year of the last discharge (the label) and a binary
    column per diagnosis of people who left hospital alive after their last admission. Columns that the simulated cohort
    has are named and made as there; what the paper does otherwise is in `MimicOptions`.

    Args:
        data_dir: Folder of the release, any from 2.0 on; `hosp/{patients,admissions,diagnoses_icd,omr}.csv[.gz]` are
            read. Releases before are read too, but hold no deaths outside hospital.
        options: What differs from the default.
        progress_bar: Whether reading shows how far it is.

    Raises:
        FileNotFoundError: The folder is not that of a release, or there is no phecode map.
        ValueError: A file is malformed, or nobody or everybody died.
    """
    release = Release(Path(data_dir), progress_bar)
    phecodes = NO_MAP
    if options.codes == "phecode":  # whether there is a map is known before long files are read
        phecodes = read_phecode_map(None if options.phecode_map is None else Path(options.phecode_map))
    people = read_people(release, options.declined_race)
    vitals = plausible_vitals(read_vitals(release, people.index), options)
    people = people.loc[vitals.index]
    diagnoses = read_diagnoses(release, people.index)
    presence, names = common(*_as_columns(diagnoses, phecodes, options), options)
    table = make_table(people, vitals, presence, names, options)
    rules = make_rules(table, options, phecodes.genders, phecodes.names)
    source = _source(release, int(people[LABEL].sum()), len(people), len(names), options)
    schema = make_schema(table, rules)
    return Cohort(table, schema, source, licence=release.licence, stratified=options.stratified_split)


def _as_columns(
    diagnoses: Diagnoses, phecodes: PhecodeMap, options: MimicOptions
) -> tuple[sparse.csc_matrix, list[str]]:
    if options.codes == "icd3":
        return as_categories(diagnoses)
    presence, names = as_phecodes(diagnoses, phecodes, options)
    share, without = coverage(diagnoses, phecodes)
    commonest = ", ".join(f"ICD-{code.version} {code.text}" for code in without) or "none of ten people or more"
    logger.info("%.0f %% of the ICD codes of people have a phecode; commonest without: %s.", 100 * share, commonest)
    return presence, [f"{PREFIX}{name}" for name in names]


def _source(release: Release, n_deaths: int, n_people: int, n_diagnoses: int, options: MimicOptions) -> str:
    what = "phecodes" if options.codes == "phecode" else "ICD categories"
    demo = " open demo" if release.is_demo else ""
    sentence = (
        f"MIMIC-IV{demo}, release {release.version}: real patients, one row per person, {n_people:,} people "
        f"({n_deaths:,} died within a year of their last discharge), {n_diagnoses:,} {what}."
    )
    if changed := options.changed():
        sentence += f" Not at their defaults: {', '.join(changed)}."
    if n_people < FEW_PEOPLE:
        sentence += (
            f" {n_people:,} people are FAR TOO FEW for any claim about fidelity, utility or privacy: this shows that the "
            "software works, and nothing else."
        )
    return sentence
