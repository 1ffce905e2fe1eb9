"""The dialect of a text table: encoding, delimiter, quotes, and where the header is.

The delimiter is the one that cuts the first lines into the same number of fields as the header has names; the whole
file is checked against it when it is read.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from ...core.errors import ContentError

SAMPLE = 1 << 20
"""Characters from which the delimiter is told."""
RECORDS = 1000
_NO_DELIMITER = (
    "no comma, semicolon, tab, pipe or blank cuts every line into as many fields as the header has names, two at least"
)
DELIMITERS = (",", ";", "\t", "|", " ")
NAMES = {"\t": "tab-separated", " ": "blank-separated"}
"""Of delimiters that are hard to see in a message."""
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SEPARATOR = re.compile(r'"?sep=(.)"?[;, ]*', re.IGNORECASE)
_RULE = re.compile(r"[:|+ ]*-{2,}[-:|+= ]*")


@dataclass(frozen=True)
class Dialect:
    """How a text table is written.

    Attributes
    ----------
    encoding : str
        As Python names it.
    delimiter, quote : str
        One character each.
    escape : str, optional
        The character before a quote that belongs to a value.
    skip : int
        Lines before the header: a hint for spreadsheets, comments, blank lines.
    names : tuple of str
        The header, without blanks around the names; unnamed trailing fields left out.
    fields : int
        How many fields every row has.
    notes : tuple of str
        What was skipped.
    """

    encoding: str
    delimiter: str
    quote: str
    escape: str | None
    skip: int
    names: tuple[str, ...]
    fields: int
    notes: tuple[str, ...] = ()


def encoding_of(path: Path) -> str:
    """Return the encoding of a text file; a single-byte one is Windows-1252, or Latin-1 where that has no such byte.

    Raises
    ------
    ContentError
        For a file that is no text.
    """
    with path.open("rb") as file:
        head = file.read(1 << 14)
        if bom := next((name for mark, name in _BOMS if head.startswith(mark)), None):
            return bom
        if b"\0" in head:
            even, odd = head[0::2].count(0), head[1::2].count(0)
            if max(even, odd) < len(head) // 8 or min(even, odd) > max(even, odd) // 4:
                raise ContentError(f"{path}: not a text file, nor a kind of table that is read")
            return "utf-16-le" if odd > even else "utf-16-be"
        decoder, undefined = codecs.getincrementaldecoder("utf-8")(), False
        file.seek(0)
        utf8 = True
        while chunk := file.read(1 << 20):
            if utf8:
                try:
                    decoder.decode(chunk)
                except UnicodeDecodeError:
                    utf8 = False
                    file.seek(0)  # a single-byte encoding: look at every byte
                    continue
            else:
                undefined = undefined or any(byte in chunk for byte in (b"\x81", b"\x8d", b"\x8f", b"\x90", b"\x9d"))
        if utf8:
            try:
                decoder.decode(b"", final=True)
                return "utf-8"
            except UnicodeDecodeError:
                pass
    return "latin-1" if undefined else "cp1252"


def lines_of(path: Path, encoding: str, *, limit: int | None = None) -> Iterator[str]:
    """Yield the lines of a text file with their ends, at most about `limit` characters of them.

    Raises
    ------
    ContentError
        For bytes that the encoding does not know, or a line longer than `SAMPLE` × 10 characters.
    """
    seen = 0
    try:
        with path.open(encoding=encoding, errors="strict", newline="") as file:
            while line := file.readline(SAMPLE * 10):
                if len(line) >= SAMPLE * 10:
                    raise ContentError(f"{path}: a line of more than {len(line):,} characters")
                if "\0" in line:
                    raise ContentError(f"{path}: a NUL character, which no text table holds")
                yield line
                seen += len(line)
                if limit is not None and seen > limit:
                    return
    except UnicodeDecodeError as error:
        raise ContentError(f"{path}: not {encoding} throughout (byte {error.start})") from None


def records(lines: Iterator[str], delimiter: str, quote: str, escape: str | None) -> Iterator[tuple[int, list[str]]]:
    """Yield (number of its last line, fields) of each record that is neither blank nor a rule of hyphens.

    Raises
    ------
    csv.Error
        For quotes that do not pair, with the line's number before it.
    """
    reader = csv.reader(
        lines, delimiter=delimiter, quotechar=quote, escapechar=escape, doublequote=True,
        skipinitialspace=delimiter != " ", strict=True,
    )  # fmt: skip
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise csv.Error(f"line {reader.line_num}: {error}") from None
        if fields and not (len(fields) == 1 and not fields[0].strip()) and not _is_rule(fields, delimiter):
            yield reader.line_num, fields


def _is_rule(fields: Sequence[str], delimiter: str) -> bool:
    """Whether a record is a line drawn under a header: hyphens alone, at least two in each cell."""
    if fields[0][:1] not in ("", "-", ":", "|", "+", " "):
        return False
    present = [field.strip() for field in fields if field.strip()]
    return bool(present) and all(_RULE.fullmatch(field) for field in present)


def dialect_of(path: Path) -> Dialect:
    """Return the dialect of a text table.

    Raises
    ------
    ContentError
        For a file without rows, of which no delimiter makes a table, or of which two do.
    """
    encoding = encoding_of(path)
    sample = list(lines_of(path, encoding, limit=SAMPLE))
    whole = sum(map(len, sample)) <= SAMPLE
    if sample:
        sample[0] = sample[0].removeprefix("\ufeff")
    skip, forced, notes = _preamble(sample)
    text = "".join(sample[skip:])
    if not text.strip():
        raise ContentError(f"{path}: the file is empty")
    ways: list[tuple[str, str | None]] = [('"', None), ("'", None)]
    if '\\"' in text or "\\'" in text:  # backslashes may stand before quotes, or at the end of a value
        ways = [('"', None), ('"', "\\"), ("'", None), ("'", "\\")]
    candidates = []
    for delimiter in [forced] if forced else DELIMITERS:
        for quote, escape in ways:
            if table := _try(text, delimiter, quote, escape, whole=whole):
                candidates.append(table)
                if table.even:
                    break
    chosen = _best(path, candidates) if candidates else _one_column(path, text)
    names, comment = _header(path, chosen, sample[:skip])
    notes += ["the header taken from a comment"] if comment else []
    return Dialect(
        encoding, chosen.delimiter, chosen.quote, chosen.escape, skip, names,
        chosen.fields, tuple(notes),
    )  # fmt: skip


@dataclass(frozen=True)
class _Candidate:
    """What one delimiter makes of the sample."""

    delimiter: str
    quote: str
    escape: str | None
    header: list[str]
    rows: list[list[str]]
    fields: int
    share: float

    @property
    def even(self) -> bool:
        """Whether every row has the same number of fields, and the header fits."""
        return self.share == 1.0


def _preamble(lines: Sequence[str]) -> tuple[int, str | None, list[str]]:
    """Return how many lines stand before the header, the delimiter that a hint names, and what they are."""
    skip, forced = 0, None
    if lines and (hint := _SEPARATOR.fullmatch(lines[0].strip("\r\n"))):
        skip, forced = 1, hint[1]
    comments = 0
    while skip < len(lines) and (not lines[skip].strip() or lines[skip].startswith("#")):
        comments += bool(lines[skip].strip())
        skip += 1
    return skip, forced, [f"{comments} line{'s' if comments > 1 else ''} of comment"] if comments else []


def _try(text: str, delimiter: str, quote: str, escape: str | None, *, whole: bool) -> _Candidate | None:
    rows: list[list[str]] = []
    try:
        for _, fields in records(iter(io.StringIO(text, newline="")), delimiter, quote, escape):
            rows.append(fields)
            if len(rows) > RECORDS:
                whole = True  # the last record is complete
                break
    except csv.Error:
        if whole or len(rows) < 2:
            return None
    if not whole:
        rows = rows[:-1]
    if not rows:
        return None
    header, body = rows[0], rows[1:]
    counts = Counter(len(row) for row in body)
    width, times = counts.most_common(1)[0] if counts else (len(header), 1)
    if not 2 <= len(_named(header)) <= width:
        return None
    return _Candidate(delimiter, quote, escape, header, body, width, times / max(1, len(body)))


def _named(header: Sequence[str]) -> list[str]:
    """Return a header without the empty names at its end."""
    names = [re.sub(r"\s+", " ", name).strip() for name in header]
    while names and not names[-1]:
        names.pop()
    return names


def _best(path: Path, candidates: Sequence[_Candidate]) -> _Candidate:
    visible = [c for c in candidates if c.delimiter != " "]
    even = [c for c in visible if c.even]
    if not even and (spaced := [c for c in candidates if c.delimiter == " " and c.even]):
        even = [c for c in spaced if all(c.share > v.share for v in visible)]
    if even:
        widest = max(c.fields for c in even)
        best = [c for c in even if c.fields == widest]
        if len(best) > 1:  # a comma within "Smith, John" is followed by a blank
            best = [c for c in best if not all(cell[:1] == " " for cell in _raw(c))] or best
        if len(best) > 1:
            names = " and ".join(NAMES.get(c.delimiter, f"`{c.delimiter}`") for c in best)
            raise ContentError(f"{path}: {names} both separate {widest} columns; write the file with tabs")
        return best[0]
    uneven = [c for c in visible if c.share >= 0.5]
    if uneven:
        return max(uneven, key=lambda c: (c.share, c.fields))  # the line that differs is named when it is read
    raise ContentError(f"{path}: {_NO_DELIMITER}")


def _one_column(path: Path, text: str) -> _Candidate:
    """Return a table of one column, where no delimiter stands in it: read so that it can be said what is wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not any(delimiter in line for line in lines for delimiter in DELIMITERS) and '"' not in text:
        return _Candidate(",", '"', None, lines[:1], [[line] for line in lines[1:RECORDS]], 1, 1.0)
    raise ContentError(f"{path}: {_NO_DELIMITER}; the first line is '{lines[0][:60]}'")


def _raw(candidate: _Candidate) -> list[str]:
    return [cell for row in candidate.rows[:100] for cell in row[1:]]


def _header(path: Path, table: _Candidate, before: Sequence[str]) -> tuple[tuple[str, ...], bool]:
    """Return the names of the columns, and whether they stood in a comment.

    Raises
    ------
    ContentError
        Where the first line holds values.
    """
    if not _like_values(table.header, table.rows):
        return tuple(_named(table.header)), False
    comment = next((line for line in reversed(before) if line.startswith("#")), None)
    if comment is not None:
        names = _named(next(csv.reader([comment.lstrip("# ")], delimiter=table.delimiter, quotechar=table.quote)))
        if len(names) == table.fields:
            return tuple(names), True
    raise ContentError(
        f"{path}: the first line holds values ({', '.join(table.header[:3])} …), not the names of columns; give the"
        " file a header"
    )


_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)*(?:[eE][+-]?\d+)?%?")


def _like_values(header: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether a first line looks like the rows below it: a number above every column of numbers.

    Names that count up, such as years, are names all the same.
    """
    if not rows:
        return False
    numeric = [
        j for j in range(min(len(header), *map(len, rows)))
        if (present := [row[j].strip() for row in rows if row[j].strip()]) and all(map(_NUMBER.fullmatch, present))
    ]  # fmt: skip
    above = [header[j].strip() for j in numeric]
    if not above or not all(map(_NUMBER.fullmatch, above)):
        return False
    whole = [int(name) for name in above if name.isdigit()]
    return not (len(whole) == len(above) > 1 and len({b - a for a, b in pairwise(whole)}) == 1)
