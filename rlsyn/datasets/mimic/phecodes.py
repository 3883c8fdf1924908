"""ICD codes as phecodes 1.2 (Wei et al., 2017, PLOS ONE 12(7); Wu et al., 2019, JMIR Med Inform 7(4)), and as categories.

The map is that of pyPheWAS 4.2.0 (MIT): ICD-9, one phecode for a code, and ICD-10 (beta), where 272 codes have two to
four. It is read from a folder, or where pyPheWAS is installed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from rlsyn.datasets.mimic.diagnoses import Diagnoses, IcdCode
from rlsyn.datasets.mimic.options import MimicOptions

MAP_FILES = {9: "phecode_map_v1_2_icd9.csv", 10: "phecode_map_v1_2_icd10_beta.csv"}
CODE_COLUMNS = {9: "ICD9", 10: "ICD10"}
CUTS = {9: (3, 2), 10: (4, 3)}
"""By version: codes longer than so many characters that the map lacks are looked up without their last, last two, ..."""
GENDERS = {"Male": 0, "Female": 1}
WITHOUT_MAP = (
    "Either install pyPheWAS, which holds it (pip install pyPheWAS, or this project's extra 'mimic'), or put {files} (.gz or not) into a folder and "
    "give --phecode-map DIR; pip download --no-deps pyPheWAS gets an archive that has them in pyPheWAS/resources. "
    "Without a map, --codes icd3 makes columns of three-character ICD categories."
).format(files=" and ".join(MAP_FILES.values()))


@dataclass(frozen=True)
class PhecodeMap:
    """What ICD codes are as phecodes.

    Args:
        targets: By ICD code its phecodes, in the order of the map; codes that it gives none are left out.
        names: By phecode what it is.
        genders: By phecode that only men or only women can have their `GENDER`, 0 or 1.
        fixed: Phecodes that do not roll up to their whole number, as the map says.
    """

    targets: Mapping[IcdCode, tuple[str, ...]]
    names: Mapping[str, str]
    genders: Mapping[str, int]
    fixed: frozenset[str]

    def look_up(self, code: IcdCode) -> tuple[str, ...]:
        """Phecodes of a code, or of what its first characters are, as in the paper; none if the map has neither."""
        least, n_cuts = CUTS[code.version]
        for n_cut in range(1 + n_cuts * (len(code.text) > least)):
            shorter = IcdCode(code.version, code.text[: len(code.text) - n_cut])
            if shorter in self.targets:
                return self.targets[shorter]
        return ()

    def parent(self, phecode: str) -> str:
        """The whole number that a phecode rolls up to: 401 for 401.1; itself where the map rolls nothing up."""
        return phecode if phecode in self.fixed else phecode.split(".")[0]


def read_phecode_map(folder: Path | None) -> PhecodeMap:
    """The map in a folder; without one that of the installed pyPheWAS.

    Raises:
        FileNotFoundError: There is none; the message says how to get it.
        ValueError: A file is malformed, or has no code with a phecode.
    """
    tables = {version: _read_map_file(_map_file(folder, version), version) for version in MAP_FILES}
    targets: dict[IcdCode, tuple[str, ...]] = defaultdict(tuple)
    for version, table in tables.items():
        for text, phecode in zip(table["code"], table["PheCode"], strict=True):
            targets[IcdCode(version, text)] += (phecode,)
    both = pd.concat(tables.values(), ignore_index=True)
    names = dict(zip(both["PheCode"], both["Phenotype"], strict=True))
    of_one_sex = both[both["sex"].isin(list(GENDERS))]
    genders = {phecode: GENDERS[sex] for phecode, sex in zip(of_one_sex["PheCode"], of_one_sex["sex"], strict=True)}
    fixed = frozenset(tables[9].loc[tables[9]["Rollup"].astype(float) == 0, "PheCode"])
    return PhecodeMap(dict(targets), names, genders, fixed)


def as_phecodes(
    diagnoses: Diagnoses, phecodes: PhecodeMap, options: MimicOptions
) -> tuple[sparse.csc_matrix, list[str]]:
    """Who has which phecode, `(n_people, n_phecodes)`, and the phecodes, sorted as texts.

    A person has a phecode by any of the codes that stand for it. Codes that the map lacks are left out.

    Args:
        diagnoses: Who has which ICD code.
        phecodes: The map.
        options: `phecode_level`, `several_phecodes` and `leading_zeros`.
    """

    def targets(code: IcdCode) -> tuple[str, ...]:
        found = phecodes.look_up(code)
        found = found[-1:] if options.several_phecodes == "last" else found
        # The code of the paper reads the ICD-9 map with the ancestors of each phecode into a dictionary, where the last
        # one stays, and not as text. Both give the 16 twins that its table has: 008 and 8, 070.4 and 70.4, ...
        if options.phecode_level == "parent" or (options.phecode_level == "mixed" and code.version == 9):
            found = tuple(phecodes.parent(phecode) for phecode in found)
        if options.leading_zeros == "lost" and code.version == 9:
            found = tuple(phecode.lstrip("0") for phecode in found)
        return found

    return _gathered(diagnoses, targets)


def as_categories(diagnoses: Diagnoses) -> tuple[sparse.csc_matrix, list[str]]:
    """Who has which ICD category, and the categories as `icd9_401` and `icd10_I10`.

    A category is the first three characters of a code, four for external causes of ICD-9 (E850).
    """

    def targets(code: IcdCode) -> tuple[str, ...]:
        n_characters = 4 if code.version == 9 and code.text.startswith("E") else 3
        return (f"icd{code.version}_{code.text[:n_characters]}",)

    return _gathered(diagnoses, targets)


def coverage(
    diagnoses: Diagnoses, phecodes: PhecodeMap, n_codes: int = 5, min_people: int = 10
) -> tuple[float, list[IcdCode]]:
    """Share of the distinct codes of people, each counted with each person, that have a phecode; the commonest without.

    Args:
        diagnoses: Who has which ICD code.
        phecodes: The map.
        n_codes: How many of the commonest codes without a phecode.
        min_people: Codes of fewer people are not named: logs are shared.
    """
    n_people = np.asarray(diagnoses.presence.sum(axis=0)).ravel()
    is_mapped = np.array([bool(phecodes.look_up(code)) for code in diagnoses.codes], dtype=bool)
    shown = np.flatnonzero(~is_mapped & (n_people >= min_people))
    without = [(-int(n_people[place]), diagnoses.codes[place]) for place in shown]
    commonest = [code for _, code in sorted(without)[:n_codes]]
    return float(n_people[is_mapped].sum() / max(n_people.sum(), 1)), commonest


def _gathered(
    diagnoses: Diagnoses, targets: Callable[[IcdCode], tuple[str, ...]]
) -> tuple[sparse.csc_matrix, list[str]]:
    of_code = [set(targets(code)) for code in diagnoses.codes]
    names = sorted(set().union(*of_code))
    place = {name: number for number, name in enumerate(names)}
    pairs = [(row, place[name]) for row, found in enumerate(of_code) for name in found]
    rows, columns = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    ones = np.ones(len(rows), dtype=np.int32)
    of_codes = sparse.csr_matrix((ones, (rows, columns)), shape=(len(of_code), len(names)))
    presence = (diagnoses.presence @ of_codes).tocsc()
    presence.data[:] = 1
    return presence, names


def _map_file(folder: Path | None, version: int) -> Path:
    if folder is None:
        # The package is found, not imported: importing it would load what it plots and tests with.
        package = find_spec("pyPheWAS")
        places = list(package.submodule_search_locations or ()) if package else []
        if not places:
            raise FileNotFoundError(f"Diagnoses as phecodes need the phecode map. {WITHOUT_MAP}")
        folder = Path(places[0]) / "resources"
    candidates = [folder / f"{MAP_FILES[version]}{suffix}" for suffix in ("", ".gz")]
    if found := next((path for path in candidates if path.is_file()), None):
        return found
    raise FileNotFoundError(f"Expected {MAP_FILES[version]} (.gz or not) of the phecode map in {folder}. {WITHOUT_MAP}")


def _read_map_file(path: Path, version: int) -> pd.DataFrame:
    """Columns `code` (without point), `PheCode`, `Phenotype`, `sex` and for ICD-9 `Rollup`; codes without phecode left out."""
    wanted = [CODE_COLUMNS[version], "PheCode", "Phenotype", "sex", *(["Rollup"] if version == 9 else [])]
    try:
        table = pd.read_csv(path, dtype=str, usecols=wanted)
    except (ValueError, EOFError, OSError) as error:
        cause = " ".join(str(error).split())[:200]
        raise ValueError(f"Expected the columns {wanted} in {path}, it cannot be read ({cause}).") from error
    table = table.dropna(subset=["PheCode", CODE_COLUMNS[version]])
    if table.empty:
        raise ValueError(f"Expected rows with {CODE_COLUMNS[version]} and PheCode in {path}, got none. {WITHOUT_MAP}")
    code = table[CODE_COLUMNS[version]].str.replace(".", "", regex=False).str.upper()
    return table.assign(code=code, Phenotype=table["Phenotype"].fillna(""))
