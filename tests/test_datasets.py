"""Tables are read, and divided into train and test rows by person."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rlsyn.datasets import DATASETS, from_table, load, read_table, split_rows
from rlsyn.encoding import Encoding
from rlsyn.levels import CategoryLevels
from rlsyn.schema import Column, Schema, infer_schema

PUBLIC_TABLES = Path(__file__).parents[2] / "shared" / "data" / "public"


def with_people(patients: pd.DataFrame) -> pd.DataFrame:
    return patients.assign(patient=[f"p{i // 3}" for i in range(len(patients))])


def test_split_parts_the_rows(patients):
    train, test = split_rows(patients, infer_schema(patients, label="died"))
    assert sorted([*train, *test]) == list(range(len(patients)))
    assert (np.diff(train) > 0).all() and (np.diff(test) > 0).all()


def test_split_keeps_people_together(patients):
    table = with_people(patients)
    schema = infer_schema(table, label="died", group="patient")
    for seed in range(10):
        train, test = split_rows(table, schema, seed=seed)
        assert not set(table["patient"].iloc[train]) & set(table["patient"].iloc[test])


@pytest.mark.parametrize("label", [None, "died", "age", "site"])
def test_split_holds_out_the_share_asked_for(make_patients, label):
    table = make_patients(1000)
    schema = infer_schema(table, label=label)
    for test_size in (0.1, 0.3, 0.5):
        _, test = split_rows(table, schema, test_size)
        assert len(test) / len(table) == pytest.approx(test_size, abs=0.01)


def test_split_keeps_the_distribution_of_the_label(make_patients):
    table = make_patients(1000)
    for seed in range(5):
        train, test = split_rows(table, infer_schema(table, label="died"), seed=seed)
        assert table["died"].iloc[test].mean() == pytest.approx(table["died"].iloc[train].mean(), abs=0.01)
        train, test = split_rows(table, infer_schema(table, label="age"), seed=seed)
        quintiles = pd.qcut(table["age"].rank(method="first"), 5, labels=False)
        shares = quintiles.iloc[test].value_counts(normalize=True)
        np.testing.assert_allclose(shares, 0.2, atol=0.01)


def test_split_keeps_the_shares_of_a_quantity_of_few_values():
    """A score of five values has these for strata, as its ranks would part rows of one value."""
    score = np.random.default_rng(0).choice(5, 1_000, p=[0.45, 0.3, 0.15, 0.07, 0.03])
    schema = Schema((Column("score", "integer"),), label="score")
    for seed in range(5):
        _, test = split_rows(pd.DataFrame({"score": score}), schema, seed=seed)
        assert (np.abs(np.bincount(score[test]) - 0.3 * np.bincount(score)) < 1).all()


def test_a_person_counts_by_the_largest_of_their_labels():
    """Whoever dies does so at the last visit."""
    table = pd.DataFrame({"person": np.repeat(np.arange(200), 3), "died": 0})
    table.loc[2:119:3, "died"] = 1
    schema = infer_schema(table, label="died", group="person")
    for seed in range(10):
        assert table["died"].iloc[split_rows(table, schema, 0.3, seed)[1]].sum() in (11, 12, 13)


def test_split_of_tiny_strata_holds_out_the_share_asked_for_on_average():
    """Three tenths of four rows are one row or two, not always one."""
    table = pd.DataFrame({"site": np.repeat([f"site {i:02d}" for i in range(50)], 4)})
    schema = infer_schema(table, label="site")
    shares = [len(split_rows(table, schema, 0.3, seed)[1]) / len(table) for seed in range(40)]
    assert np.mean(shares) == pytest.approx(0.3, abs=0.015)


def test_split_repeats_itself_with_the_same_seed(patients):
    schema = infer_schema(patients, label="died")
    first, again, other = (split_rows(patients, schema, seed=seed)[1] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("test_size", [0.001, 0.999], ids=["almost none", "almost all"])
def test_split_leaves_no_side_empty(patients, test_size):
    train, test = split_rows(patients, infer_schema(patients), test_size)
    assert len(train) and len(test)


def test_split_without_strata_draws_people_plainly(patients):
    schema = infer_schema(patients, label="died")
    n_test = len(patients) * 0.3
    shares = {}
    for stratified in (True, False):
        tests = [split_rows(patients, schema, 0.3, seed, stratified)[1] for seed in range(40)]
        assert np.mean([len(test) for test in tests]) == pytest.approx(n_test, abs=1)
        shares[stratified] = np.std([patients["died"].iloc[test].mean() for test in tests])
    assert shares[False] > 4 * shares[True]


@pytest.mark.parametrize("seed", [-1, 2.5, "3"])
def test_split_refuses_what_is_no_seed(patients, seed):
    with pytest.raises(ValueError, match=r"from 0 to below 2\*\*32, got"):
        from_table(patients, label="died", seed=seed)


def test_split_refuses_a_single_person(patients):
    table = patients.assign(patient="p1")
    with pytest.raises(ValueError, match=r"At least two groups in column 'patient' .* got 1\."):
        split_rows(table, infer_schema(table, group="patient"))


@pytest.mark.parametrize("n_rows", [0, 1])
def test_split_refuses_fewer_than_two_rows(patients, n_rows):
    with pytest.raises(ValueError, match=rf"At least two rows are .* got {n_rows}\."):
        split_rows(patients.head(n_rows), infer_schema(patients))


def test_breast_cancer_is_the_published_table():
    dataset = load("BreastCancer-v0")
    table = pd.concat([dataset.train, dataset.test])
    assert table.shape == (569, 31) and len(dataset.test) == pytest.approx(0.3 * 569, abs=2)
    assert dataset.schema.label == "diagnosis" and not dataset.simulated
    assert table["diagnosis"].mean() == pytest.approx(212 / 569)
    malignant, benign = (table.loc[table["diagnosis"] == label, "mean_radius"].mean() for label in (1, 0))
    assert malignant == pytest.approx(17.46, abs=0.01) and benign == pytest.approx(12.15, abs=0.01)


def test_diabetes_is_the_published_table():
    dataset = load("Diabetes-v0")
    table = pd.concat([dataset.train, dataset.test])
    assert table.shape == (442, 11) and dataset.schema.label == "progression" and not dataset.simulated
    assert dataset.schema["sex"].kind == "binary" and dataset.schema["progression"].kind == "integer"
    assert dataset.schema["bmi"].unit == "kg/m2" and table["progression"].mean() == pytest.approx(152.13, abs=0.01)


@pytest.mark.parametrize("name", ["BreastCancer-v0", "Diabetes-v0"])
def test_load_repeats_itself_with_the_same_seed(name):
    first, again, other = (load(name, seed=seed).train for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


@pytest.mark.parametrize("name", ["AIREADI-v0", "MIMICIV-v0"])
def test_simulated_cohorts_say_so(name):
    dataset = load(name)
    assert dataset.simulated and dataset.title == f"SIMULATED {name}" and dataset.source.startswith("SIMULATED")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n" + "1,2,\n" * 30, "more fields than its 2 columns"),
        ("a;b\n" + "1;2\n" * 30, "separated by ';'"),
        ('a,b\n"' + "x" * 200_000, "cannot be read"),
    ],
    ids=["trailing comma", "semicolons", "open quote"],
)
def test_odd_csv_is_refused_with_the_cause(tmp_path, text, message):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_table(tmp_path / "t.csv")


def test_none_is_a_category_and_empty_is_missing(tmp_path):
    (tmp_path / "t.csv").write_text("symptom,n\n" + ",NA\nNone,1\nmild,\n" * 10)
    table = read_table(tmp_path / "t.csv")
    assert table["symptom"].isna().sum() == 10 and (table["symptom"] == "None").sum() == 10
    assert table["n"].isna().sum() == 20


def test_nobody_may_be_in_train_and_test(patients):
    table = patients.assign(person=np.arange(len(patients)) // 2)
    with pytest.raises(ValueError, match="in both tables, got 50"):
        from_table(table, "died", "person", test=table.head(100))


def test_codes_keep_their_leading_zeros(tmp_path):
    codes = ["0389", "25000", "486", ""] * 10
    lines = [f"{code},{i % 7},0.{i},{i % 3}" for i, code in enumerate(codes)]
    (tmp_path / "t.csv").write_text("\n".join(["icd9,n,x,y", *lines]))
    table = read_table(tmp_path / "t.csv")
    assert table["icd9"].dropna().tolist() == [code for code in codes if code]
    assert table.dtypes[["n", "x", "y"]].astype(str).tolist() == ["int64", "float64", "int64"]
    assert infer_schema(table)["icd9"].categories == ("0389", "25000", "486")


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_blanks_around_codes_take_no_zeros(tmp_path, suffix):
    lines = ["b,zip", *(f'{i % 2}, 0{i % 9}123,"\t0{i % 7} "' for i in range(20))]
    text = "\n".join(lines).replace("b,zip", "b,zip,ward")
    (tmp_path / f"t{suffix}").write_text(text if suffix == ".csv" else text.replace(",", "\t"))
    table = read_table(tmp_path / f"t{suffix}")
    assert table["zip"].tolist() == [f"0{i % 9}123" for i in range(20)]
    assert table["ward"].tolist() == [f"0{i % 7}" for i in range(20)]


@pytest.mark.parametrize(("last", "is_told"), [("", True), ("3E1", True), ("300", False), ("3.5e2", False)])
def test_numbers_that_may_be_codes_with_an_e_are_told(tmp_path, caplog, last, is_told):
    lines = [f"{i % 4 + 1}E{i % 3 + 1},{i % 2}" for i in range(20)]
    (tmp_path / "t.csv").write_text("\n".join(["ward,died", *lines, f"{last},0"]))
    assert read_table(tmp_path / "t.csv")["ward"].head(3).tolist() == [10, 200, 3000]
    assert ("2E3 as 2000" in caplog.text and ": ward." in caplog.text) == is_told


def test_two_slips_make_no_codes(tmp_path):
    (tmp_path / "t.csv").write_text("weight\n" + "".join(f"{60 + i}\n" for i in range(30)) + "078\n081\n")
    assert read_table(tmp_path / "t.csv")["weight"].dtype == "int64"


@pytest.mark.parametrize("padded", ["train", "test"])
def test_one_file_may_write_codes_with_leading_zeros_and_the_other_not(patients, tmp_path, padded):
    numbers = np.arange(len(patients)) % 11
    for name in ("train", "test"):
        codes = [f"{number:02d}" if name == padded else str(number) for number in numbers]
        patients.assign(pain=codes).to_csv(tmp_path / f"{name}.csv", index=False)
    train, test = (read_table(tmp_path / f"{name}.csv") for name in ("train", "test"))
    dataset = from_table(train, "died", test=test)
    assert dataset.test["pain"].tolist() == dataset.train["pain"].tolist()


def test_columns_without_name_and_value_are_left_out(tmp_path):
    (tmp_path / "t.csv").write_text("a,b,,\n" + "1,2,,\n" * 20)
    assert list(read_table(tmp_path / "t.csv")) == ["a", "b"]
    (tmp_path / "t.csv").write_text(",b,\n" + "1,2,\n" * 20)
    assert list(read_table(tmp_path / "t.csv")) == ["Unnamed: 0", "b"]


def test_rows_without_value_at_the_foot_are_left_out(tmp_path, caplog):
    caplog.set_level("INFO")
    (tmp_path / "t.csv").write_text("a,b\n,\n1,2\n" + ",\n" * 3)
    assert read_table(tmp_path / "t.csv")["a"].fillna(0).tolist() == [0, 1]
    assert "3 rows without any value" in caplog.text


ROWS = "".join(f"{i % 7},{i % 3},{i % 5}\n" for i in range(20))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (ROWS + "30,3\n" + ROWS, ": 1, the first in line 22."),
        (ROWS + "54,1\n\n3", ": 2, the first in line 22."),
        (ROWS + '"a\n\nb",1\n', ": 1, the first in line 22."),
        (ROWS + '"1,2",3\n', ": 1, the first in line 22."),
        (ROWS + "1,2,\n,,\n  \n,\n" + '"a\nb",2,\n', None),
        (ROWS + '"' + "x" * 200_000 + '",1,\n', None),
    ],
    ids=["comma lost", "cut off", "quoted lines", "quoted comma", "empty fields", "a long text"],
)
@pytest.mark.parametrize(
    ("suffix", "separator", "encoding"),
    [(".csv", ",", "utf-8"), (".csv", ",", "utf-8-sig"), (".tsv", "\t", "utf-8")],
    ids=["csv", "byte order mark", "tsv"],
)
def test_rows_that_end_too_soon_are_told(tmp_path, caplog, text, told, suffix, separator, encoding):
    path = tmp_path / f"t{suffix}"
    path.write_text(f"Größe,stage,died\n{text}".replace(",", separator), encoding=encoding)
    read_table(path)
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == (told is not None) and all(told in message for message in messages)


def test_rows_may_end_where_only_columns_without_name_follow(tmp_path, caplog):
    (tmp_path / "t.csv").write_text("a,b,,\n" + "1,2,,\n" * 20 + "1,\n1,2\n")
    read_table(tmp_path / "t.csv")
    assert not caplog.records


@pytest.mark.parametrize("blank", ["P1 ", "\tP1"])
def test_blanks_around_a_name_make_no_other_person(patients, blank):
    table = patients.assign(person=[f"P{i}" for i in range(len(patients))])
    test = patients.head(30).assign(person=[blank, *(f"Q{i}" for i in range(29))])
    with pytest.raises(ValueError, match="in both tables, got 1 of 'person'"):
        from_table(table, "died", "person", test=test)
    with pytest.raises(ValueError, match="'person' must name a person always alike, got 1 names"):
        infer_schema(table.assign(person=[blank, *table["person"][1:]]), group="person")


def test_test_rows_may_write_a_code_as_a_number(patients, tmp_path):
    """What is text in one file, for an "unknown" in it, is a number with missing values in the other."""
    codes = np.tile(["1", "2", "unknown", "2"], 50)
    train, test = patients.assign(stage=codes), patients.head(40).assign(stage=[1, 2, np.nan, 2] * 10)
    test.to_csv(tmp_path / "test.csv", index=False)
    dataset = from_table(train, "died", test=read_table(tmp_path / "test.csv"))
    levels = CategoryLevels.fit(dataset.schema["stage"], train["stage"])
    assert levels.encode(dataset.test["stage"].dropna())[:3].tolist() == [0, 1, 1]


@pytest.mark.parametrize("other", ["A7", 999])
def test_people_are_the_same_though_one_file_names_them_by_text(patients, tmp_path, other):
    """An identifier with a letter in it makes text of a whole column."""
    table = patients.assign(person=np.arange(len(patients)))
    train, test = table.head(100), table.iloc[95:].astype({"person": object})
    test.loc[test.index[-1], "person"] = other
    test.to_csv(tmp_path / "test.csv", index=False)
    with pytest.raises(ValueError, match="in both tables, got 5 of 'person'"):
        from_table(train, "died", "person", test=read_table(tmp_path / "test.csv"))


def test_only_case_of_a_class_is_trained_on(patients):
    table = patients.assign(died=(np.arange(len(patients)) == 7).astype(int))
    for seed in range(10):
        assert from_table(table, "died", seed=seed).train["died"].nunique() == 2


def test_load_refuses_what_is_no_data_set(tmp_path):
    with pytest.raises(ValueError, match=r"Unknown environment 'BreastCancer'. Did you mean 'BreastCancer-v0'"):
        load("BreastCancer")
    with pytest.raises(ValueError, match="--csv FILE"):
        load("Table-v0")
    with pytest.raises(ValueError, match="has no folder, got --data-dir"):
        load("Diabetes-v0", tmp_path)
    for name in ("AIREADI-v0", "MIMICIV-v0"):
        with pytest.raises(FileNotFoundError, match=r"(?i)access"):
            load(name, tmp_path)
    assert set(DATASETS) >= {"AIREADI-v0", "MIMICIV-v0", "BreastCancer-v0", "Diabetes-v0", "Table-v0"}


WRITERS = {
    "csv": (".csv", lambda t, path: t.to_csv(path, index=False)),
    "tsv": (".tsv", lambda t, path: t.to_csv(path, index=False, sep="\t")),
    "csv.gz": (".csv.gz", lambda t, path: t.to_csv(path, index=False)),
    "tsv.gz": (".tsv.gz", lambda t, path: t.to_csv(path, index=False, sep="\t")),
    "csv with byte order mark": (".csv", lambda t, path: t.to_csv(path, index=False, encoding="utf-8-sig")),
    "parquet": (".parquet", lambda t, path: t.to_parquet(path)),
}


@pytest.mark.parametrize(("suffix", "write"), WRITERS.values(), ids=WRITERS)
def test_read_table_reads_the_same_table_from_every_format(patients, tmp_path, suffix, write):
    table = patients.rename(columns={"site": "Ort, Größe"})
    path = tmp_path / f"table{suffix}"
    write(table, path)
    found = read_table(path)
    assert list(found.columns) == list(table.columns)
    assert infer_schema(found, label="died") == infer_schema(table, label="died")
    numbers = ["age", "steps", "n_visits", "sex", "died"]
    pd.testing.assert_frame_equal(found[numbers].astype(float), table[numbers].astype(float))
    assert found["smoker"].fillna("?").tolist() == table["smoker"].fillna("?").tolist()


def test_read_table_drops_columns(patients, tmp_path):
    patients.to_csv(tmp_path / "t.csv", index=False)
    assert list(read_table(tmp_path / "t.csv", ["age", "site"]).columns) == list(patients.drop(columns=["age", "site"]))


def test_read_table_sees_a_column_as_a_whole(tmp_path):
    # Long enough for pandas to read it in pieces, of which only the last holds a letter.
    (tmp_path / "t.csv").write_text("\n".join(["code,padding", *["1,some text to fill the buffer"] * 50_000, "x,end"]))
    assert read_table(tmp_path / "t.csv")["code"].unique().tolist() == ["1", "x"]


@pytest.mark.parametrize("names", ["k__A|p__B|c__C,k__A|p__D,died", "a (x; y; z),b"])
def test_names_may_hold_marks_that_part_fields_elsewhere(tmp_path, names):
    (tmp_path / "t.csv").write_text(names + "\n" + ",".join("1" * (names.count(",") + 1)) + "\n")
    assert list(read_table(tmp_path / "t.csv")) == names.split(",")


BAD_FILES = {
    "empty": ("t.csv", b"", "t.csv is empty"),
    "header only": ("t.csv", b"a,b\n", "got 0 rows and 2 columns"),
    "duplicate names": ("t.csv", b"a,b,a\n1,2,3\n", r"unique, .*t.csv has \['a'\] more than once"),
    "duplicate names in tabs": ("t.tsv", b"a\tb\ta\n1\t2\t3\n", r"has \['a'\] more than once"),
    "ragged": ("t.csv", b"a,b\n1,2\n1,2,3\n1,2,3,4\n", "t.csv cannot be read"),
    "binary": (
        "t.csv",
        bytes(range(128, 256)),
        "Expected text in UTF-8, .*t.csv is coded otherwise. Save it as CSV UTF-8",
    ),
    "in the coding of Windows": ("t.csv", "größe\n1".encode("cp1252"), "Save it as CSV UTF-8"),
    "spreadsheet": ("t.xlsx", b"PK", "t.xlsx is a spreadsheet. Save it as CSV UTF-8"),
    "semicolons, and a comma in a name": ("t.csv", b"a (x, y);b;c\n1;2;3\n", "separated by ';'"),
    "gzip in name only": ("t.csv.gz", b"a,b\n1,2\n", "t.csv.gz cannot be read"),
    "parquet in name only": ("t.parquet", b"a,b\n1,2\n", "Expected a Parquet file, .*t.parquet cannot be read"),
}


@pytest.mark.parametrize(("name", "content", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_read_table_refuses_in_a_sentence(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_table(tmp_path / name)


def test_read_table_refuses_an_absent_file_and_column(patients, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none at .*t\.csv"):
        read_table(tmp_path / "t.csv")
    patients.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(ValueError, match=r"Unknown column to drop 'sight'. Did you mean 'site'"):
        read_table(tmp_path / "t.csv", ["sight"])


def test_from_table_holds_out_test_rows(patients):
    dataset = from_table(with_people(patients), label="died", group="patient")
    assert len(dataset.train) + len(dataset.test) == len(patients) and len(dataset.test) > 0
    assert dataset.schema.group == "patient" and "patient" in dataset.train


def test_from_table_takes_test_rows(patients, make_patients):
    test = make_patients(50, seed=1)[list(reversed(patients.columns))].assign(more=1)
    dataset = from_table(patients, label="died", test=test)
    assert len(dataset.train) == 200 and len(dataset.test) == 50
    assert list(dataset.test.columns) == list(dataset.train.columns) == dataset.schema.names
    with pytest.raises(ValueError, match=r"the columns of the training table, it lacks \['age'\]"):
        from_table(patients, label="died", test=test.drop(columns="age"))


def test_from_table_refuses_test_rows_with_values_of_another_kind(patients):
    with pytest.raises(ValueError, match="'age' must hold numbers, got 'xxx'"):
        from_table(patients, label="died", test=patients.assign(age="old"))


@pytest.mark.parametrize(
    ("name", "label"),
    [("heart_failure.csv", "DEATH_EVENT"), ("chronic_kidney_disease.csv", "class"), ("hypothyroid.csv", None)],
)
def test_public_tables_survive_encoding(name, label):
    path = PUBLIC_TABLES / name
    if not path.is_file():
        pytest.skip(f"{name} is a public table that does not come with the project")
    table = read_table(path)
    schema = infer_schema(table, label=label)
    encoding = Encoding.fit(table, schema)
    records = encoding.encode(table)
    decoded = encoding.decode(records, np.random.default_rng(0))
    np.testing.assert_array_equal(encoding.encode(decoded), records)
    schema.validate(decoded)
    pd.testing.assert_frame_equal(decoded.isna(), table.isna())
