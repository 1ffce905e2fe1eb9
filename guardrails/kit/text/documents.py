"""What a document is: which part of a record is text, decided over a file, and how that is said in a report."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

from ...core.errors import ContentError
from ..io import shown
from ..lm.chat import Message, conversation_of
from .messages import Parts
from .record_shapes import (
    PROMPT,
    REJECTED,
    Record,
    Role,
    Shape,
    at_path,
    by_field,
    by_turns,
    has_shape,
    of_role,
    shapes_of,
    text_parts,
    widest,
    with_rejected,
)

SAMPLE = 200
"""Records at the beginning of a file over which it is decided what the text is."""
MAX_LEFT_OUT = 0.05
"""Largest share of broken documents with which a file is read; one is always let through."""
NAMED = 3
UNREAD_NAMED = 8
"""Fields that are not read and are named in the report; more are counted."""
_HALF = re.compile("[\ud800-\udfff]")
_WORDS = re.compile(r"\S\s+\S")


@dataclass
class Reading:
    """How texts are to be read and, once they were, what was read and left out.

    Attributes
    ----------
    role : {"document", "output", "prompt"}
    text_field : str, optional
        The field to read, with dots between nested ones; a file that does not have it is read as without.
    comparable : bool
        Texts that are only compared with texts: LF for every line end, Unicode's normal form C, and U+FFFD for half of
        a surrogate pair. Without it such a document is left out, since no tokenizer takes it.
    conversations : list, optional
        The messages of each document that was read and is a conversation; kept in a list given.
    """

    role: Role = "document"
    text_field: str | None = None
    comparable: bool = False
    uses_text_field: bool = False
    form: str = ""
    n: int = 0
    blank: int = 0
    broken: list[str] = field(default_factory=list)
    shapes: dict[str, None] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    notes: dict[str, None] = field(default_factory=dict)
    unread: dict[str, None] = field(default_factory=dict)
    conversations: list[list[Message]] | None = None

    def sentence(self) -> str:
        """Return how the texts were read, in one sentence."""
        nouns = {"document": "document", "output": "output", "prompt": "prompt"}
        several = len(self.shapes) > 1
        shapes = [f"{shape} ({self.counts[shape]})" if several and self.counts else shape for shape in self.shapes]
        parts = [f"{self.n} {nouns[self.role]}{'s' if self.n != 1 else ''}: {', '.join(shapes)}", *self.notes]
        if self.broken:
            done = "read with U+FFFD in its place" if self.comparable else "left out"
            first = ", ".join(self.broken[:NAMED]) + (" …" if len(self.broken) > NAMED else "")
            parts.append(f"{len(self.broken)} with half of a surrogate pair, {done} ({first})")
        if self.blank:
            parts.append(f"{self.blank} blank, left out")
        if self.unread:
            names = list(self.unread)
            more = f" and {len(names) - UNREAD_NAMED} more" if len(names) > UNREAD_NAMED else ""
            parts.append(f"fields not read: {', '.join(names[:UNREAD_NAMED])}{more}")
        return "; ".join(parts)

    def accepted(self, text: str, where: str) -> str | None:
        """Return a text as it is used, or None for one that is left out; count both."""
        if _HALF.search(text):
            self.broken.append(where)
            if not self.comparable:
                return None
            text = _HALF.sub("\ufffd", text)
        if self.comparable:
            text = comparable(text)
        if self.role != "output" and not text.strip():
            self.blank += 1
            return None
        self.n += 1
        return text

    def check(self) -> None:
        """Raise ContentError where too many documents were broken for the others to stand for all."""
        whole = self.n + len(self.broken)
        if not self.comparable and len(self.broken) > max(1, MAX_LEFT_OUT * whole):
            raise ContentError(
                f"{self.broken[0]}: half of a surrogate pair, as in {len(self.broken)} of {whole} documents; write them"
                " again with whole characters"
            )


def comparable(text: str) -> str:
    r"""Return a text with LF line ends, in Unicode's normal form C, without halves of surrogate pairs.

    >>> comparable("cafe\u0301\r\n")
    'café\n'
    """
    if text.isascii():
        return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
    return unicodedata.normalize("NFC", _HALF.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n")))


def texts_of(records: Iterator[Record], reading: Reading) -> Iterator[tuple[str, str | None]]:
    """Yield (text, prompt) of records, all by the shape that their first ones have.

    Raises
    ------
    ContentError
        Where several fields could be the text, or a record has another shape than those before it: by file and place.
    """
    sample = list(islice(records, SAMPLE))
    if not sample:
        return
    shape = _chosen(sample, reading)
    later = _Later(shape)
    second = shape.rejected if reading.role == "document" else None
    reading.form = shape.what if shape.exchange else ""
    what = shape.words(reading.role)
    reading.shapes[what] = None
    if second:
        reading.form += f"; {second.what}" if shape.exchange else ""
        reading.shapes[second.what] = None
    for number, record in enumerate(chain(sample, records)):
        where, value = record
        parts = shape.parts(value)
        text = None if parts is None else of_role(parts, reading.role)
        if parts is None or text is None:
            raise ContentError(f"{where}: not of the shape of the records before it ({shape.what}){_keys(value)}")
        if number >= SAMPLE:
            later.add(record, parts)
        if (accepted := reading.accepted(text, where)) is not None:
            reading.counts[what] += 1
            _keep_messages(shape, value, reading)
            yield accepted, parts.prompt
        if second and (other := _rejected(second, record)) and (accepted := reading.accepted(other.whole, where)):
            reading.counts[second.what] += 1
            _keep_messages(second, value, reading)
            yield accepted, other.prompt
    later.check(reading)


def _rejected(shape: Shape, record: Record) -> Parts | None:
    """Return the document of a record with the rejected answer; None where there is no such answer."""
    if not isinstance(record.value, dict) or record.value.get(REJECTED) in (None, "", [], {}):
        return None
    if (parts := shape.parts(record.value)) is None:
        raise ContentError(f"{record.where}: '{REJECTED}' is neither a text nor messages")
    return parts if (parts.answer or "").strip() else None


def _keep_messages(shape: Shape, value: Any, reading: Reading) -> None:
    if reading.conversations is None:
        return
    names = [name for name in shape.fields if name != REJECTED or shape.rejected is None]
    sides = {name: value if isinstance(value, list) else at_path(value, name) for name in names}
    told = sides and (shape.exchange or len(sides) == 1)
    if told and (messages := conversation_of(sides)):
        reading.conversations.append(messages)


def _chosen(sample: Sequence[Record], reading: Reading) -> Shape:
    values = [value for _, value in sample]
    if reading.text_field and any(at_path(value, reading.text_field) is not None for value in values):
        reading.uses_text_field = True
        unread = _fields_with_text([value for value in values if isinstance(value, dict)])
        read = {reading.text_field, reading.text_field.split(".")[0]}
        reading.unread |= dict.fromkeys(shown(name) for name in unread if name not in read)
        return by_field(reading.text_field)
    if all(isinstance(value, str) for value in values):
        return Shape("JSON strings", "JSON strings", (), lambda v: text_parts(v if isinstance(v, str) else None))
    if all(isinstance(value, list) for value in values):
        return by_turns(None)
    rows = [value for value in values if isinstance(value, dict)]
    if odd := next((record for record in sample if not isinstance(record.value, str | dict)), None):
        raise ContentError(f"{odd.where}: neither a string nor an object with a text{_keys(odd.value)}")
    first_object = next(record for record in sample if isinstance(record.value, dict))
    shapes = shapes_of(rows, reading.role)
    fitting = [s for s in shapes if all(has_shape(s, value, reading.role) for value in values)]
    if not fitting and shapes:
        best = max(shapes, key=lambda s: sum(has_shape(s, value, reading.role) for value in values))
        misfit = next(record for record in sample if not has_shape(best, record.value, reading.role))
        hints = _keys(misfit.value) + _nested(misfit.value)
        raise ContentError(f"{misfit.where}: not of the shape of the other records ({best.what}){hints}")
    shape = widest(fitting, rows, reading.role)
    if shape is None:
        raise _untold(first_object, fitting, rows)
    if reading.role == "document":
        shape = with_rejected(shape, rows)
    _check_unread(shape, rows, reading, first_object)
    return shape


def _fields_with_text(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return the fields that hold strings, also nested ones, with the characters in those of several words."""
    sizes: dict[str, int] = {}
    for row in rows:
        for name, value in row.items():
            texts = [text for text in _strings(value) if text]
            if texts:
                sizes[name] = sizes.get(name, 0) + sum(len(text) for text in texts if _WORDS.search(text))
    return sizes


def _strings(value: Any) -> Iterator[str]:
    todo = [value]
    while todo:
        one = todo.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict | list):
            todo += one.values() if isinstance(one, dict) else one


def _check_unread(shape: Shape, rows: Sequence[Mapping[str, Any]], reading: Reading, first: Record) -> None:
    """Name the fields that are not read; refuse where one of them holds more text than what is read."""
    unread = {name: size for name, size in _fields_with_text(rows).items() if name not in shape.fields}
    read = sum(len(parts.whole) for row in rows if (parts := shape.parts(row)))
    _refuse_larger(unread, read, shape, reading, dict.fromkeys(unread, first))


def _refuse_larger(
    unread: Mapping[str, int], read: float, shape: Shape, reading: Reading, first: Mapping[str, Record]
) -> None:
    reading.unread |= dict.fromkeys(map(shown, unread))
    if reading.role == "prompt" or (shape.exchange and reading.role == "output"):
        return
    for name, size in unread.items():
        if size > read and not (reading.role == "output" and name in PROMPT):
            raise _untold(first[name], [shape, by_field(name)], [])


class _Later:
    """What the records behind the sample hold that is not read."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._read = 0
        self._unread: dict[str, int] = {}
        self._first: dict[str, Record] = {}

    def add(self, record: Record, parts: Parts) -> None:
        self._read += len(parts.whole)
        if isinstance(record.value, dict) and len(record.value) > 1:
            for name, size in _fields_with_text([record.value]).items():
                if name not in self._shape.fields:
                    self._unread[name] = self._unread.get(name, 0) + size
                    self._first.setdefault(name, record)

    def check(self, reading: Reading) -> None:
        """As `_check_unread`; a field that was named by the user is read whatever stands beside it."""
        read_by_name = reading.uses_text_field and self._shape.fields == (reading.text_field,)
        unread = {n: size for n, size in self._unread.items() if n != self._shape.fields[0].split(".")[0]}
        _refuse_larger(unread, math.inf if read_by_name else self._read, self._shape, reading, self._first)


def _untold(first: Record, shapes: Sequence[Shape], rows: Sequence[Mapping[str, Any]]) -> ContentError:
    names = [name for shape in shapes for name in shape.fields] or list(_fields_with_text(rows))
    fields = ", ".join(shown(repr(name)) for name in dict.fromkeys(names))
    if not fields:
        return ContentError(f"{first.where}: no field holds text{_keys(first.value)}")
    what = "several fields could be the text" if shapes else "no field is known to be the text"
    return ContentError(f"{first.where}: {what} ({fields}); name it with --text-field NAME{_nested(first.value)}")


def _nested(value: Any) -> str:
    """Name the longest text of several words that stands deeper in a record than in a field of its own."""
    best, todo = ("", ""), [(tuple[str, ...](), value)]
    while todo:
        path, one = todo.pop()
        if isinstance(one, dict | list):
            pairs = one.items() if isinstance(one, dict) else enumerate(one)
            todo += [((*path, str(name)), inner) for name, inner in pairs]
        elif isinstance(one, str) and len(path) > 1 and len(one) > len(best[1]) and _WORDS.search(one):
            name = ".".join(path)
            best = (name, one) if at_path(value, name) == one else best
    return f"; its longest text stands in '{shown(best[0])}', which --text-field can name" if best[0] else ""


def _keys(value: Any) -> str:
    if isinstance(value, dict):
        return f"; its keys are {', '.join(shown(repr(key)) for key in list(value)[:8])}"
    return f"; it is {type(value).__name__}"
