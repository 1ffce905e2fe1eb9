"""The records of a file, one in memory at a time: JSON Lines, JSON, CSV and Parquet."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from ...core.errors import ContentError
from ..io import MAX_STREAMED, check_file, shown
from .files import MAX_LINE, TextFile, parse_json, unique_keys
from .record_shapes import ANSWER, MOLECULE, PLAIN, PROMPT, TURNS, Record

MAX_OBJECT = 100_000_000
"""Characters of a JSON file that is one object: it is read whole."""
MAX_ROWS_DECODED = 4_000_000_000
ROWS = 1024
MAX_TYPE = 40
"""Characters of a column's type that are shown: a structure of many fields has a long one."""
JSON_SUFFIXES = frozenset({".json", ".jsonl", ".ndjson"})
CSV_SUFFIXES = frozenset({".csv", ".tsv"})
RECORD_SUFFIXES = JSON_SUFFIXES | CSV_SUFFIXES | {".parquet"}
DELIMITERS = ",;\t|"
KNOWN = frozenset((*TURNS, *PLAIN, *PROMPT, *ANSWER, MOLECULE))
"""Fields that may hold texts."""


def records_of(path: Path, file: TextFile | None = None) -> Iterator[Record]:
    """Yield the records of a file whose suffix is one of `RECORD_SUFFIXES`.

    Raises
    ------
    ContentError
        For what is not of its kind, by file and place.
    """
    if path.suffix.lower() == ".parquet":
        return _parquet(path)
    file = file or TextFile(path)
    return _csv(file) if file.suffix in CSV_SUFFIXES else _json(file)


def holds_records(file: TextFile) -> bool:
    """Whether a file holds records: by its suffix, or, where that says nothing, because it begins with JSON."""
    if file.suffix in RECORD_SUFFIXES or file.suffix in (".txt", ".md"):
        return file.suffix in RECORD_SUFFIXES
    first = next((line for _, line in file.lines() if line.strip()), "")
    return first.lstrip()[:1] in ("{", "[") and _is_json(first)


def _json(file: TextFile) -> Iterator[Record]:
    """Tell JSON Lines from one array or one object by the first lines, whatever the file is called."""
    where = shown(file.path)
    first, more = _first_line(file)
    if not first:
        return
    if first.lstrip()[0] not in "[{" or (more and _is_json(first)):
        yield from _lines(file)
    elif first.lstrip()[0] == "[":
        yield from _items(file.chunks(), where)
    else:
        text = ""
        for part in file.chunks():
            text += part
            if len(text) > MAX_OBJECT:
                raise ContentError(f"{where}: one object of more than {MAX_OBJECT:,} characters; give JSON Lines")
        if file.suffix != ".json" and not _is_json(text):
            parse_json(first, f"{where}, line 1")
        yield from _object(parse_json(text, where), f"{where}, line 1" if _is_json(first) else where)


def _first_line(file: TextFile) -> tuple[str, bool]:
    """Return the first line that is not blank, or its beginning where it is long, and whether another one follows."""
    lines = (line for _, line in file.lines() if line.strip())
    try:
        return next(lines, ""), next(lines, None) is not None
    except ContentError:  # a line beyond the bound: one array or object on one line
        return next((chunk for chunk in file.chunks() if chunk.strip()), "").partition("\n")[0], True


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _lines(file: TextFile) -> Iterator[Record]:
    for number, line in file.lines():
        if line.strip():
            place = f"{shown(file.path)}, line {number}"
            yield Record(place, parse_json(line, place))


def _items(chunks: Iterator[str], where: str) -> Iterator[Record]:
    """Yield the items of a JSON array, with no more than one of them and a piece of the file in memory."""
    decoder = json.JSONDecoder(object_pairs_hook=unique_keys)
    text = next((chunk for chunk in chunks if chunk.strip()), "")
    at, number = text.index("[") + 1, 0
    while True:
        place = f"{where}, record {number + 1}"
        start = _blank_to(text, at)
        if number == 0 and text[start : start + 1] == "]":
            return
        error = "cut short"
        try:
            value, end = decoder.raw_decode(text, start)
            end = _blank_to(text, end)
            complete = end < len(text)
        except ContentError as why:
            raise ContentError(f"{place}: {why}") from None
        except (ValueError, RecursionError) as why:
            complete, error = False, getattr(why, "msg", None) or "nested too deeply"
        if not complete:
            if len(text) - at > MAX_LINE:
                raise ContentError(f"{place}: not JSON ({error}), or longer than {MAX_LINE:,} characters")
            wanted, pieces = max(1, len(text) - at), list[str]()
            while sum(map(len, pieces)) < wanted and (piece := next(chunks, "")):
                pieces.append(piece)
            if not pieces:
                raise ContentError(f"{place}: not JSON ({error})")
            text, at = text[at:] + "".join(pieces), 0
            continue
        number += 1
        yield Record(place, value)
        if text[end] == "]":
            if text[end + 1 :].strip() or any(chunk.strip() for chunk in chunks):
                raise ContentError(f"{where}: not JSON (more text after the array)")
            return
        if text[end] != ",":
            raise ContentError(f"{place}: not JSON (no comma after it)")
        at = end + 1


def _blank_to(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _object(value: dict[str, Any], where: str) -> Iterator[Record]:
    """Yield the records of one JSON object: itself, the one list in it, or the columns that it has."""
    if any(name in value and not _is_column(value[name]) for name in KNOWN):
        yield Record(where, value)
        return
    lists = {name: items for name, items in value.items() if isinstance(items, list) and items}
    if len(lists) == 1:
        ((name, items),) = lists.items()
        rows = [{name: item} if isinstance(item, str) else item for item in items]
        yield from (Record(f"{where}, '{shown(name)}', record {i}", row) for i, row in enumerate(rows, 1))
    elif lists and len(lists) == len(value) and len(set(map(len, lists.values()))) == 1:
        columns = zip(*lists.values(), strict=True)
        yield from (Record(f"{where}, row {i}", dict(zip(lists, row, strict=True))) for i, row in enumerate(columns, 1))
    elif lists:
        names = ", ".join(shown(repr(name)) for name in lists)
        raise ContentError(f"{where}: several lists of records ({names}); give a file for each")
    else:
        yield Record(where, value)


def _is_column(value: Any) -> bool:
    return isinstance(value, list) and not any(
        isinstance(item, dict) and ("role" in item or "from" in item) for item in value
    )


def _csv(file: TextFile) -> Iterator[Record]:
    """Yield the rows of a CSV file by the names of its columns, in lower case."""
    where = shown(file.path)
    lines = (line + "\n" for _, line in file.lines())
    first = next((line for line in lines if line.strip()), "")
    delimiter = _delimiter(first, file.suffix)
    rows = csv.reader(chain([first], lines), delimiter=delimiter, strict=True)
    try:
        header = next(rows, [])
        names = [name.strip().lower() for name in header]
        if len(set(names)) < len(names):
            raise ContentError(f"{where}: two columns have the same name in {', '.join(map(repr, header[:8]))}")
        for row in rows:
            if not row:
                continue
            if len(row) != len(names):
                raise ContentError(
                    f"{where}, line {rows.line_num}: {len(row)} cells where the header has {len(names)}"
                    f" (delimiter {delimiter!r}); put a text that holds the delimiter into quotation marks"
                )
            yield Record(f"{where}, line {rows.line_num}", dict(zip(names, row, strict=True)))
    except csv.Error as error:
        raise ContentError(f"{where}, line {rows.line_num}: not CSV ({error}); give JSON Lines") from None


def _delimiter(header: str, suffix: str) -> str:
    """Return the delimiter of a header: the one that yields a known name, and the most names."""
    if suffix == ".tsv":
        return "\t"

    def fit(delimiter: str) -> tuple[bool, int]:
        names = next(csv.reader([header], delimiter=delimiter), [])
        return any(name.strip().lower() in KNOWN for name in names), len(names)

    return max(DELIMITERS, key=fit)


def _parquet(path: Path) -> Iterator[Record]:
    import pyarrow
    import pyarrow.parquet

    check_file(path, max_bytes=MAX_STREAMED)
    where = shown(path)
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            groups = (file.metadata.row_group(i) for i in range(file.metadata.num_row_groups))
            if (size := max((group.total_byte_size for group in groups), default=0)) > MAX_ROWS_DECODED:
                raise ContentError(f"{where}: a group of rows of {size:,} bytes; at most {MAX_ROWS_DECODED:,}")
            columns, others = _columns(file.schema_arrow)
            if not columns:
                raise ContentError(f"{where}: no column of texts; its columns are {', '.join(others[:8])}")
            if twice := next((name for name in columns if columns.count(name) > 1), None):
                raise ContentError(f"{where}: two columns are named {shown(repr(twice))}; rename one")
            number = 0
            for batch in file.iter_batches(ROWS, columns=columns):
                for row in batch.to_pylist():
                    number += 1
                    yield Record(f"{where}, row {number}", row)
    except ContentError:
        raise
    except (pyarrow.ArrowException, OSError, ValueError) as error:  # also text that is not UTF-8
        raise ContentError(f"{where}: not a readable parquet file ({str(error).splitlines()[0][:200]})") from None


def columns_without_text(path: Path) -> list[str]:
    """Return the columns of a Parquet file that `records_of` leaves out, each with its type; none of a damaged file."""
    import pyarrow
    import pyarrow.parquet

    check_file(path, max_bytes=MAX_STREAMED)
    try:
        return _columns(pyarrow.parquet.read_schema(path))[1]
    except (pyarrow.ArrowException, OSError, ValueError):
        return []


def _columns(schema: Any) -> tuple[list[str], list[str]]:
    """Return the columns that hold strings, also within lists and structures, and the others with their types."""
    texts = [field.name for field in schema if "string" in str(field.type)]
    others = [field for field in schema if "string" not in str(field.type)]
    return texts, [f"{shown(field.name)} ({shown(str(field.type)[:MAX_TYPE])})" for field in others]
