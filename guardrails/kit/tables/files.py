"""A table file as a data frame: text files with all cells as text, Parquet and Excel with the types that they state."""

from __future__ import annotations

import csv
from array import array
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.errors import ContentError, GuardrailsError
from ..text.files import central_european
from .dialect import NAMES, Dialect, dialect_of, lines_of, records
from .strays import stray_row

if TYPE_CHECKING:
    import pandas as pd

MAX_FILE = 1_000_000_000
MAX_ROWS = 10_000_000
MAX_COLUMNS = 10_000
MAX_DECODED = 4_000_000_000
CHUNK = 10_000
ENCODINGS = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "utf-32": "UTF-32",
    "latin-1": "Latin-1",
}

_OTHERS = (
    (b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ", "xz"), (b"\x28\xb5\x2f\xfd", "Zstandard"),
    (b"7z\xbc\xaf", "7z"), (b"\xd0\xcf\x11\xe0", "the old Excel format"), (b"ARROW1", "Arrow"), (b"ORC", "ORC"),
    (b"SQLite format 3", "SQLite"), (b"\x89HDF", "HDF5"), (b"$FL2", "SPSS"), (b"<stata_dta>", "Stata"),
    (b"%PDF", "PDF"), (b"<!DOCTYPE", "HTML"), (b"<html", "HTML"), (b"<?xml", "XML"), (b"{\\rtf", "RTF"),
)  # fmt: skip


def read_table(path: Path) -> pd.DataFrame:
    """Read a table file; what it is, is told from its content.

    Returns
    -------
    DataFrame
        Of a text file (CSV, TSV and their kin) every cell is text; of Parquet and Excel they have the stated types.
        ``attrs["read_as"]`` says how it was read, ``attrs["delimiter"]`` what separates the fields of a text file. A
        column without a name is called ``Unnamed:`` and its place.

    Raises
    ------
    ContentError
        For a file that is missing, too large, no table, or of which a row has another number of fields.
    MissingExtraError
        For an Excel file where openpyxl is not installed.
    """
    if not path.is_file():
        raise ContentError(f"{path}: no such file")
    if path.stat().st_size > MAX_FILE:
        raise ContentError(f"{path}: {path.stat().st_size:,} bytes are more than the limit of {MAX_FILE:,}")
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise ContentError(f"{path}: cannot be read ({error.strerror or error})") from None
    try:
        table = _read(path, head)
    except GuardrailsError:
        raise
    except Exception as error:  # parsers of damaged files raise anything
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise ContentError(f"{path}: not a readable table ({first[:200]})") from None
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise ContentError(f"{path}: two columns are named '{twice[0]}'; rename one")
    return table


def _read(path: Path, head: bytes) -> pd.DataFrame:
    if not head:
        raise ContentError(f"{path}: the file is empty")
    if head.startswith(b"PAR1"):
        return _read_parquet(path)
    if head.startswith(b"PK\x03\x04"):
        from .excel import read_excel

        return read_excel(path, max_rows=MAX_ROWS, max_columns=MAX_COLUMNS, max_decoded=MAX_DECODED)
    if other := next((name for mark, name in _OTHERS if head.startswith(mark)), None):
        raise ContentError(f"{path}: {other} data; give a CSV, TSV, Parquet or XLSX file")
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:1] == b"{" or start[:2] in (b"[{", b"[[", b'["', b"[\n"):
        raise ContentError(f"{path}: JSON, not a table; give a CSV, TSV, Parquet or XLSX file")
    if path.suffix.lower() in (".parquet", ".pq", ".xlsx", ".xlsm"):
        raise ContentError(f"{path}: not a readable {path.suffix[1:].lower()} file; a text table ends in .csv or .tsv")
    return _read_text(path)


def _read_text(path: Path) -> pd.DataFrame:
    """Read a text table; every row must have as many fields as the first ones."""
    import pandas as pd
    import pyarrow as pa

    dialect = dialect_of(path)
    check_shape(path, 0, dialect.fields)
    lines = islice(lines_of(path, dialect.encoding), dialect.skip, None)
    chunks: list[list[Any]] = [[] for _ in range(dialect.fields)]
    places = array("q")  # the line of each row
    reader = records(lines, dialect.delimiter, dialect.quote, dialect.escape)
    header_in_file = "the header taken from a comment" not in dialect.notes
    try:
        if header_in_file:
            next(reader, None)
        while block := list(islice(reader, CHUNK)):
            for line, fields in block:
                if len(fields) != dialect.fields:
                    raise ContentError(
                        f"{path}, line {line + dialect.skip}: {len(fields)} fields where other rows have"
                        f" {dialect.fields} ({_word(dialect.delimiter)})"
                    )
            places.extend(line + dialect.skip for line, _ in block)
            check_shape(path, len(places), dialect.fields)
            for j, column in enumerate(zip(*(fields for _, fields in block), strict=True)):
                chunks[j].append(pa.array(column, pa.large_string()))
    except csv.Error as error:
        raise ContentError(f"{path}: {error} ({_word(dialect.delimiter)})") from None
    columns = [pa.chunked_array(parts, pa.large_string()).to_pandas().astype("str") for parts in chunks]
    if (stray := stray_row(columns)) is not None:
        shown = ", ".join(str(column.iloc[stray]) for column in columns[:4])
        raise ContentError(
            f"{path}, line {places[stray]}: '{shown} …' has words where the other rows have numbers: take it out"
        )
    names, notes, dropped = _names(path, dialect, columns)
    table = pd.DataFrame(
        {j: column for j, column in enumerate(columns) if j not in dropped}, index=pd.RangeIndex(len(places))
    )
    table.columns = pd.Index([names[j] for j in range(len(columns)) if j not in dropped], dtype=object)
    encoding = ENCODINGS.get(dialect.encoding, dialect.encoding)
    if encoding == "cp1252":
        with path.open("rb") as file:
            encoding += central_european(file)
    table.attrs["read_as"] = ", ".join([_word(dialect.delimiter), encoding, *dialect.notes, *notes])
    table.attrs["delimiter"] = dialect.delimiter
    return table


def _word(delimiter: str) -> str:
    return NAMES.get(delimiter, f"`{delimiter}`-separated")


def _names(path: Path, dialect: Dialect, columns: list[Any]) -> tuple[list[str], list[str], set[int]]:
    """Return the name of each column, what to say, and which columns are dropped because nothing is in them.

    Raises
    ------
    ContentError
        Where rows have more fields than the header has names, and these are neither empty nor the names of the rows.
    """
    names, notes = list(dialect.names), []
    extra = len(columns) - len(names)
    empty = {j for j, column in enumerate(columns) if len(column) and not column.str.strip().any()}
    trailing = {*range(len(names), len(columns))}
    if extra and trailing <= empty:
        names += [""] * extra
    elif extra == 1 and columns[0].is_unique:
        names, notes = ["", *names], ["the first column holds the names of the rows"]
    elif extra:
        raise ContentError(
            f"{path}: the header has {len(names)} names and the rows have {len(columns)} fields"
            f" ({_word(dialect.delimiter)}): name every column"
        )
    dropped = {j for j in empty if not names[j]}
    if dropped:
        notes.append("an empty column without a name left out" if len(dropped) == 1 else "empty columns left out")
    return [name or f"Unnamed: {j}" for j, name in enumerate(names)], notes, dropped


def _read_parquet(path: Path) -> pd.DataFrame:
    import pandas as pd
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        metadata = file.metadata
        check_shape(path, metadata.num_rows, metadata.num_columns)
        decoded = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
        if decoded > MAX_DECODED:
            raise ContentError(f"{path}: {decoded:,} bytes when decoded are more than the limit of {MAX_DECODED:,}")
        for batch in file.iter_batches():
            batch.validate(full=True)  # pandas would take text that is not UTF-8, and fail on it later
    table = pd.read_parquet(path)
    if any(name is not None for name in table.index.names):  # a column that pandas had set as the index
        table = table.reset_index()
    table = table.reset_index(drop=True)
    table.columns = pd.Index([str(name).strip() for name in table.columns], dtype=object)
    table.attrs = {"read_as": "Parquet"}
    return table


def check_shape(path: Path, rows: int, columns: int) -> None:
    """Refuse a table that is too large.

    Raises
    ------
    ContentError
        With its shape and the limits.
    """
    if rows > MAX_ROWS or columns > MAX_COLUMNS:
        raise ContentError(f"{path}: {rows:,} rows x {columns:,} columns are more than {MAX_ROWS:,} x {MAX_COLUMNS:,}")
