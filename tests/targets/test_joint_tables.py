"""The tables of an audit read together: one finding whatever the files, columns and roles, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from guardrails.core.errors import ConfigurationError, TargetError
from guardrails.core.subject import Subject
from guardrails.kit.tables.choice import Choice
from guardrails.privacy.tables.arrays import read
from guardrails.targets import load_data, load_target, reference_subject
from guardrails.targets.joint_tables import read_together

N = 80


def people(seed: int, n: int = N) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    days = pd.to_timedelta(rng.integers(0, 20_000, n), unit="D")
    return pd.DataFrame(
        {
            "age": pd.array(np.where(rng.random(n) < 0.1, None, rng.integers(18, 90, n)), dtype="Int64"),
            "city": pd.Categorical(rng.choice(["Köln", "Bonn"], n)),
            "income": rng.normal(30_000, 9_000, n).round(2),
            "born": pd.Timestamp("1960-01-01") + days,
            "zip": [f"{z:05d}" for z in rng.integers(1000, 99_999, n)],
            "married": rng.random(n) < 0.4,
        }
    )


TABLES = {"target": people(1), "corpus": people(2), "holdout": people(3)}


def saved(folder: Path, forms: dict[str, str], tables: dict[str, pd.DataFrame] = TABLES) -> Subject:
    """Write each table in a form of its own and open them as an audit does."""
    paths = {name: folder / f"{name}.{forms[name]}" for name in tables}
    for name, path in paths.items():
        table = tables[name]
        if forms[name] == "parquet":
            table.to_parquet(path)
        elif forms[name] == "tsv":
            table.to_csv(path, sep="\t", index=False, encoding="utf-16")
        elif forms[name] == "txt":
            table.to_csv(path, sep=";", decimal=",", index=False, encoding="cp1252", date_format="%d.%m.%Y")
        else:
            table.to_csv(path, index=False)
    target = load_target(f"table:{paths['target']}")
    data = {name: load_data(name, paths[name], target.modality) for name in ("corpus", "holdout")}  # type: ignore[arg-type]
    return Subject(target=target, **data)


def arrays(subject: Subject) -> Any:
    target: Any = subject.target
    tables = read(target.sample_rows(target.available, seed=0), subject.corpus, subject.holdout)
    parts = (tables.synthetic, tables.corpus, tables.holdout)
    return tables.names, [part.numbers.tolist() for part in parts], [part.codes.tolist() for part in parts]


def plain(subject: Subject, **choice: Any) -> Subject:
    return read_together(subject, Choice(**choice))


def made(tables: dict[str, pd.DataFrame] = TABLES) -> Subject:
    class Maker:
        name, modality, access = "maker", "table", frozenset({"outputs"})
        table, available = tables["target"], len(tables["target"])

        def identity(self) -> dict[str, str]:
            return {"made": "here"}

        def sample_rows(self, n: int, *, seed: int) -> pd.DataFrame:
            return self.table.iloc[:n]

    target: Any = Maker()
    return Subject(target=target, corpus=tables["corpus"], holdout=tables["holdout"])


@pytest.mark.parametrize(
    "forms",
    [("csv", "csv", "csv"), ("parquet", "parquet", "parquet"), ("txt", "csv", "parquet"), ("tsv", "txt", "csv")],
)
def test_the_probes_see_the_same_arrays_whatever_the_files(forms: tuple[str, ...], tmp_path: Path) -> None:
    subject = plain(saved(tmp_path, dict(zip(TABLES, forms, strict=True))))
    names, numbers, codes = arrays(subject)
    expected = arrays(plain(saved(tmp_path, dict.fromkeys(TABLES, "parquet"))))
    assert names == expected[0] == ("age", "income", "born", "city", "zip", "married")
    assert repr(numbers) == repr(expected[1])  # NaN included
    assert codes == expected[2]


def test_a_data_frame_is_read_as_the_file_of_its_values(tmp_path: Path) -> None:
    frames, files = plain(made()), plain(saved(tmp_path, dict.fromkeys(TABLES, "csv")))
    for name in ("corpus", "holdout"):
        first, second = getattr(frames, name), getattr(files, name)
        for column in first.columns:
            assert first[column].dropna().tolist() == second[column].dropna().tolist(), column
            assert first[column].isna().tolist() == second[column].isna().tolist(), column
    assert frames.read_as["corpus"].startswith("data frame, 6 columns")


def test_each_table_says_how_it_was_read(tmp_path: Path) -> None:
    subject = plain(saved(tmp_path, {"target": "txt", "corpus": "csv", "holdout": "parquet"}))
    kinds = "6 columns (2 numbers, 2 categories, 1 date, 1 truth value)"
    assert subject.read_as == {
        "target": f"`;`-separated, cp1252, decimal comma, dates with the day first, {kinds}",
        "corpus": f"`,`-separated, UTF-8, {kinds}",
        "holdout": f"Parquet, {kinds}",
    }
    assert subject.target.identity()["columns"] == "6"


def numbered(**shift: int) -> dict[str, pd.DataFrame]:
    counted = np.arange(N)
    return {name: t.assign(row=counted + shift.get(name, 0), **{"": counted}) for name, t in TABLES.items()}


def test_columns_that_number_the_rows_are_left_out_named_and_can_be_asked_for() -> None:
    tables = numbered(holdout=1000)
    subject = plain(made(tables))
    assert list(subject.corpus.columns) == list(TABLES["corpus"].columns)
    assert subject.roles == {"row": "id", "Unnamed: 7": "id"}
    assert "'row' left out (numbers the rows)" in subject.read_as["holdout"]
    assert "row" in plain(made(tables), columns=("row", "age", "city")).corpus.columns


def test_a_row_number_that_one_file_lacks_is_left_out_of_the_others(tmp_path: Path) -> None:
    tables = {**TABLES, "corpus": TABLES["corpus"].reset_index(names="Unnamed: 0")}
    subject = plain(made(tables))
    assert "Unnamed: 0" not in subject.corpus.columns
    assert "target and holdout lack it" in subject.read_as["corpus"]


def test_columns_and_roles() -> None:
    subject = plain(made(), columns=("age", "city", "zip", "income"), ignored=("zip",))
    assert list(subject.corpus.columns) == ["age", "city", "income"]
    roles = {"id": ("zip",), "sensitive": ("income",), "quasi-identifier": ("age", "city")}
    subject = plain(made(), roles=roles)
    assert subject.roles == {"income": "sensitive", "age": "quasi-identifier", "city": "quasi-identifier", "zip": "id"}
    assert "zip" not in subject.target.sample_rows(5, seed=0).columns  # type: ignore[attr-defined]


ONE = {name: table[["age"]] for name, table in TABLES.items()}


@pytest.mark.parametrize(
    ("tables", "choice", "message"),
    [
        (TABLES, {"columns": ("agge", "city")}, "--columns: no table has a column 'agge'. Did you mean 'age'"),
        (TABLES, {"ignored": ("cities",)}, "--ignore-columns: no table has a column 'cities'. Did you mean 'city'"),
        (TABLES, {"roles": {"sensitive": ("incom",)}}, "--role sensitive: no table has a column 'incom'"),
        (ONE, {}, "1 column that can be used; two at least are needed, and there is only 'age'"),
        ({**TABLES, "target": TABLES["target"].add_prefix("x_")}, {}, "no column in common"),
        ({**TABLES, "holdout": TABLES["holdout"].drop(columns="zip")}, {}, "different columns: holdout lacks zip"),
        ({**TABLES, "holdout": TABLES["holdout"].assign(age=["old"] * N)}, {}, "column 'age' .* text in holdout"),
        ({**TABLES, "corpus": pd.concat([TABLES["corpus"], ONE["corpus"]], axis=1)}, {}, "two columns named 'age'"),
    ],
)
def test_tables_that_cannot_be_read_together(tables: dict[str, Any], choice: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        plain(made(tables), **choice)


def test_an_odd_column_can_be_ignored() -> None:
    tables = {**TABLES, "holdout": TABLES["holdout"].drop(columns="zip")}
    assert "zip" not in plain(made(tables), ignored=("zip",)).corpus.columns


def test_rows_that_a_target_makes_are_read_as_the_data_are() -> None:
    subject = made()
    text = TABLES["target"].assign(born=TABLES["target"]["born"].dt.strftime("%d.%m.%Y"))
    subject.target.table, endless = None, subject.target  # type: ignore[attr-defined]
    endless.sample_rows = lambda n, *, seed: text.iloc[:n].astype(str).replace("<NA>", "")  # type: ignore[attr-defined]
    typed: Any = plain(replace(subject, target=endless)).target
    drawn = typed.sample_rows(5, seed=0)
    assert drawn["born"].tolist() == TABLES["target"]["born"].tolist()[:5]
    assert drawn["age"].dtype.kind in "if"
    endless.sample_rows = lambda n, *, seed: text.assign(income="many").iloc[:n]  # type: ignore[attr-defined]
    with pytest.raises(TargetError, match="column 'income' holds values of the kind text in target"):
        typed.sample_rows(5, seed=0)


def test_a_reference_generator_keeps_its_columns() -> None:
    reference = reference_subject("reference:tabular")
    subject = plain(reference)
    assert list(subject.corpus.columns) == list(reference.corpus.columns)
    assert not subject.roles


def test_a_classifier_gets_numbers_as_numbers_and_dates_as_text(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [0.5, 1.5, 2.5, 3.5], "b": [1, 2, 3, 4], "y": [0, 1, 0, 1]})
    frame.to_csv(tmp_path / "corpus.csv", index=False, sep=";", decimal=",")
    target = load_target(LogisticRegression().fit(frame[["a", "b"]], frame["y"]))
    subject = Subject(target=target, corpus=load_data("corpus", tmp_path / "corpus.csv", target.modality))
    pd.testing.assert_frame_equal(plain(subject).corpus, frame, check_column_type=False)
    with pytest.raises(ConfigurationError, match="needs every column"):
        plain(subject, ignored=("a",))


def test_another_unit_is_refused_and_a_shift_is_said_but_row_numbers_may_differ() -> None:
    big = {"target": people(1, 900), "corpus": people(2, 100), "holdout": people(3, 100)}
    big = {name: table.assign(row=range(len(table))) for name, table in big.items()}
    cents = big | {"target": big["target"].assign(income=big["target"]["income"] * 100)}
    for subject in (made(cents), replace(made(big), target=load_target(cents["target"]))):
        with pytest.raises((ConfigurationError, TargetError), match=r"'income' has another unit in target.*100 times"):
            plain(subject).target.sample_rows(900, seed=0)  # type: ignore[attr-defined]
    moved = load_target(big["target"].assign(income=big["target"]["income"] + 200_000))
    subject = plain(replace(made(big), target=moved), columns=("income", "age", "row"))
    assert "'income' lies apart from corpus (medians " in subject.read_as["target"]
    assert "apart" not in subject.read_as["holdout"]
