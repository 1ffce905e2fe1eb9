"""Table files in the forms that programs write: each is read as the same table, or refused with the line or column."""

from __future__ import annotations

import gzip
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.core.errors import ConfigurationError, ContentError
from guardrails.kit.tables import files
from guardrails.kit.tables.dialect import dialect_of, encoding_of
from guardrails.kit.tables.files import read_table
from guardrails.kit.tables.kinds import decide

N = 60


def people(n: int = N, seed: int = 1) -> pd.DataFrame:
    """Return typed columns of every kind; texts hold delimiters, quotes and letters beyond ASCII."""
    rng = np.random.default_rng(seed)
    days = pd.to_timedelta(rng.integers(0, 20_000, n), unit="D")
    return pd.DataFrame(
        {
            "age": rng.integers(18, 90, n),
            "city": rng.choice(["Köln", "Zürich", "New York"], n),
            "income": np.round(rng.normal(30_000, 9_000, n), 2),
            "born": (pd.Timestamp("1960-01-01") + days).astype("datetime64[us]"),
            "code": [f"{z:05d}" for z in rng.integers(100, 99_999, n)],
            "note": np.where(rng.random(n) < 0.2, None, rng.choice(["a, b", "x;y", 'say "hi"'], n)),
            "married": rng.random(n) < 0.4,
        }
    )


TABLE = people()


def typed(path: Path) -> pd.DataFrame:
    return decide({"target": read_table(path)}).frames["target"]


def same(path: Path, expected: pd.DataFrame = TABLE) -> pd.DataFrame:
    """Check that a file is read as the expected values, whatever their order of columns."""
    table = typed(path)
    for name in expected.columns:
        assert table[name].isna().tolist() == expected[name].isna().tolist(), name
        present = expected[name].notna()
        assert table[name][present].tolist() == expected[name][present].tolist(), name
    return table


def iso(**options: object) -> str:
    return str(TABLE.assign(born=TABLE["born"].dt.strftime("%Y-%m-%d")).to_csv(index=False, **options))  # type: ignore[call-overload]


def with_numbers(
    integer: str,
    decimal: str,
    dates: str,
    *,
    before: str = "",
    after: str = "",
    sep: str = ";",
    encoding: str = "utf-8",
) -> bytes:
    """Return the table with amounts and dates as another country writes them."""
    english = [f"{x:,.2f}" for x in TABLE["income"]]
    amounts = [x.replace(",", "_").replace(".", decimal).replace("_", integer) for x in english]
    table = TABLE.assign(income=[before + x + after for x in amounts], born=TABLE["born"].dt.strftime(dates))
    return table.to_csv(index=False, sep=sep).encode(encoding)


def write_table() -> str:
    """Return what R's ``write.table`` writes: blanks, names of rows, and no name for those."""

    def cell(value: object) -> str:
        if value is None:
            return "NA"
        if isinstance(value, str):
            return '"' + value.replace('"', '\\"') + '"'
        return str(value).upper() if isinstance(value, bool) else str(value)

    rows = TABLE.assign(born=TABLE["born"].dt.strftime("%Y-%m-%d")).astype(object).itertuples()
    lines = [" ".join(f'"{name}"' for name in TABLE.columns)]
    return "\n".join(lines + [" ".join(map(cell, (str(row[0] + 1), *row[1:]))) for row in rows]) + "\n"


FORMS: dict[str, bytes] = {
    "plain": iso().encode(),
    "semicolons": iso(sep=";").encode(),
    "tabs": iso(sep="\t").encode(),
    "pipes": iso(sep="|").encode(),
    "utf-8-bom": iso(sep=";").encode("utf-8-sig"),
    "excel-unicode-text": iso(sep="\t", lineterminator="\r\n").encode("utf-16"),
    "utf-16-without-bom": iso().encode("utf-16-le"),
    "utf-16-big-endian": iso().encode("utf-16-be"),
    "latin-1": iso().encode("latin-1"),
    "carriage-returns": iso(lineterminator="\r").encode(),
    "all-quoted": iso(quoting=1).encode(),
    "single-quotes": iso(quoting=2, quotechar="'").encode(),
    "backslashes": iso(quoting=1, doublequote=False, escapechar="\\").encode(),
    "separator-line": b"sep=;\r\n" + iso(sep=";").encode(),
    "comments": b"# from 2020, by hand\n#\n" + iso().encode(),
    "comment-as-header": b"#" + iso().encode(),
    "blank-lines": b"\n\n" + iso().replace("\n", "\n\n").encode(),
    "trailing-everywhere": iso().replace("\n", ",\n").encode(),
    "sql-nulls": iso(sep="\t", na_rep="\\N").encode(),
    "question-marks": iso(na_rep="?").encode(),
    "r-row-names": write_table().encode(),
    "r-csv2": iso(sep=";", decimal=",", quoting=2).encode(),
    "german": with_numbers(".", ",", "%d.%m.%Y", encoding="cp1252"),
    "german-euros": with_numbers(".", ",", "%d.%m.%Y", after=" €", encoding="cp1252"),
    "french": with_numbers("\u202f", ",", "%d/%m/%Y"),
    "swiss": with_numbers("'", ".", "%d.%m.%y"),
    "american": with_numbers(",", ".", "%m/%d/%Y", before="$", sep=","),
    "months-run-together": with_numbers("", ".", "%d%b%Y"),
    "decomposed-letters": unicodedata.normalize("NFD", iso()).encode(),
    "months-by-name": with_numbers("", ".", "%d %b %Y"),
    "iso-with-time": with_numbers("", ".", "%Y-%m-%dT00:00:00Z"),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_read_as_the_same_table(form: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(FORMS[form])
    same(path)


def test_what_was_read_is_said(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(FORMS["german"])
    table = read_table(path)
    assert table.attrs["read_as"] == "`;`-separated, cp1252"
    notes = decide({"target": table}).notes["target"]
    assert notes == ["decimal comma", "thousands separated by '.'", "dates with the day first"]


def test_a_comma_at_the_end_of_rows_alone_shifts_nothing(tmp_path: Path) -> None:
    header, _, rows = iso().partition("\n")
    (tmp_path / "t.csv").write_text(header + "\n" + rows.replace("\n", ",\n"))
    same(tmp_path / "t.csv")
    assert "an empty column without a name left out" in read_table(tmp_path / "t.csv").attrs["read_as"]


def test_quoted_line_breaks_are_part_of_a_value(tmp_path: Path) -> None:
    table = pd.DataFrame({"a": range(20), "b": [f"one\ntwo {i}" for i in range(20)]})
    table.to_csv(tmp_path / "t.csv", index=False)
    same(tmp_path / "t.csv", table)


def test_parquet_has_the_types_that_it_states(tmp_path: Path) -> None:
    ints = pd.array([1, None, *range(2, N)], dtype="Int64")
    table = TABLE.assign(count=ints, kind=pd.Categorical(TABLE["city"]))
    table.to_parquet(tmp_path / "t.csv")  # told from content, not from the suffix
    same(tmp_path / "t.csv", table)
    table.set_index("age").to_parquet(tmp_path / "indexed.parquet")
    same(tmp_path / "indexed.parquet", table)


def test_excel_files(tmp_path: Path) -> None:
    pytest.importorskip("openpyxl")
    with pd.ExcelWriter(tmp_path / "t.xlsx") as book:
        pd.DataFrame().to_excel(book, sheet_name="empty", index=False)
        TABLE.to_excel(book, sheet_name="people", index=False)
    same(tmp_path / "t.xlsx")
    assert read_table(tmp_path / "t.xlsx").attrs["read_as"] == "Excel, sheet 'people' of 2"
    total = pd.DataFrame({"age": ["Total"], "income": [9e6]})
    pd.concat([TABLE.astype(object), total]).to_excel(tmp_path / "t.xlsx", index=False)
    with pytest.raises(ContentError, match=f"row {N + 2}: words where the other rows have numbers"):
        read_table(tmp_path / "t.xlsx")


def test_an_archive_that_is_larger_than_it_looks_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * 3_000_000)
    monkeypatch.setattr(files, "MAX_DECODED", 2_000_000)
    with pytest.raises(ContentError, match="3,000,000 bytes when unpacked are more than"):
        read_table(tmp_path / "bomb.xlsx")


def replaced(line: int, change: Callable[[str], str]) -> bytes:
    lines = TABLE[["age", "city", "income"]].to_csv(index=False).splitlines()
    lines[line - 1] = change(lines[line - 1])
    return "\n".join(lines).encode()


REFUSED: dict[str, tuple[bytes, str]] = {
    "a-field-more": (replaced(31, lambda line: line + ",1"), "line 31: 4 fields where other rows have 3"),
    "a-field-less": (replaced(31, lambda line: line.rsplit(",", 1)[0]), "line 31: 2 fields where other rows have 3"),
    "a-footer": (replaced(N + 1, lambda line: line + "\n(60 rows)"), "line 62: 1 fields where other rows have 3"),
    "an-open-quote": (replaced(31, lambda line: line.replace(",", ',"x,', 1)), "line 31"),
    "a-title": (b"People of 2020\n" + replaced(1, str), "no comma, semicolon"),
    "no-header": (replaced(1, lambda _: "31,Bonn,1200.5"), "the first line holds values"),
    "a-header-again": (
        replaced(31, lambda line: line + "\nage,city,income"),
        "line 32: 'age, city, income …' has words",
    ),
    "units-below-the-header": (replaced(1, lambda line: line + "\nyears,,EUR"), "line 2: 'years, , EUR …' has words"),
    "a-total": (replaced(N + 1, lambda line: line + "\nTotal,,"), "line 62: 'Total, ,  …' has words"),
    "a-header-too-short": (b"a,b\n1,x,2\n1,y,3\n2,z,4\n", "the header has 2 names and the rows have 3 fields"),
    "a-name-twice": (b"a,a\n1,2\n", "two columns are named 'a'"),
    "unknown-delimiter": (b"a~b c\n1~2\n3~4\n", "no comma, semicolon"),
    "gzip": (gzip.compress(iso().encode()), "gzip data"),
    "json": (b'[{"a": 1}]', "JSON, not a table"),
    "html": (b"<html><table>", "HTML data"),
    "binary": (b"abc\0\0\1", "not a text file"),
    "empty": (b"", "the file is empty"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_refused_with_its_line_or_reason(case: str, tmp_path: Path) -> None:
    content, message = REFUSED[case]
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(ContentError, match=message):
        read_table(tmp_path / "t.csv")


def test_rows_of_people_of_whom_little_is_known_are_no_strays(tmp_path: Path) -> None:
    table = TABLE[["age", "city", "income"]].astype({"age": object, "income": object})
    table.loc[::12, ["age", "income"]] = "unknown"
    table.to_csv(tmp_path / "t.csv", index=False)
    assert len(read_table(tmp_path / "t.csv")) == N


def test_a_text_file_that_is_named_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_text(iso())
    with pytest.raises(ContentError, match="not a readable parquet file"):
        read_table(tmp_path / "t.parquet")


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_any_cells_come_back_from_any_dialect(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Against pandas' own writer: the cells of a table with at least two columns, letter for letter."""
    word = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp", "Cf")), max_size=6)
    width = data.draw(st.integers(2, 4))
    rows = data.draw(st.lists(st.lists(word, min_size=width, max_size=width), min_size=3, max_size=8))
    cells = [[f"x{text.strip()}" for text in row] for row in rows]
    sep = data.draw(st.sampled_from([",", ";", "\t", "|"]))
    path = tmp_path_factory.mktemp("t") / "t.csv"
    frame = pd.DataFrame(cells, columns=[f"name{j}" for j in range(width)])
    frame.to_csv(path, sep=sep, index=False, quoting=1, encoding=data.draw(st.sampled_from(["utf-8", "utf-16"])))
    table = read_table(path)
    assert table.columns.tolist() == frame.columns.tolist()
    assert table.to_numpy().tolist() == cells


@pytest.mark.parametrize(
    ("text", "encoding", "expected"),
    [
        ("é", "utf-8", "utf-8"),
        ("é", "latin-1", "cp1252"),
        ("“é”", "cp1252", "cp1252"),
        ("é\x81", "latin-1", "latin-1"),
        ("ab", "utf-16-be", "utf-16-be"),
        ("ab", "utf-32", "utf-32"),
    ],
)
def test_encodings(text: str, encoding: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes((text * 20).encode(encoding))
    assert encoding_of(tmp_path / "t.csv") == expected


def test_a_decimal_comma_is_no_delimiter(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a;b\n" + "1,5;2,5\n" * 5)
    assert dialect_of(tmp_path / "t.csv").delimiter == ";"
    assert typed(tmp_path / "t.csv")["a"].tolist() == [1.5] * 5


def test_day_and_month_that_cannot_be_told_apart_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,day\n" + "1,03/04/2020\n" * 5)
    with pytest.raises(ConfigurationError, match=r"column 'day' .* day and month cannot be told apart"):
        typed(tmp_path / "t.csv")


def test_text_that_is_not_utf8_in_parquet_is_refused_and_not_found_later(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pd.DataFrame({"city": ["Ulm", "Jena", "Gera"]}).to_parquet(path, compression=None, engine="pyarrow")
    data = path.read_bytes()
    assert b"Jena" in data
    path.write_bytes(data.replace(b"Jena", b"J\xffna"))
    with pytest.raises(ContentError, match="not a readable table"):
        read_table(path)


def test_a_table_that_cannot_be_read_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object, **options: object) -> None:
        raise OSError(5, "Input/output error")  # as of a failing disk, which names no file

    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    monkeypatch.setattr(Path, "open", broken)
    with pytest.raises(ContentError, match=r"a\.csv: cannot be read \(Input/output error\)"):
        read_table(tmp_path / "a.csv")
