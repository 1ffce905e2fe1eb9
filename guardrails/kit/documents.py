"""What a document is: which part of a record is text, decided over a file, and how that is said in a report."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import Any, Literal, NamedTuple

from ..core.errors import ContentError
from .chat import Message, conversation_of
from .io import shown
from .messages import Parts, ends_with_model, of_turns, side_of

Role = Literal["document", "output", "prompt"]
"""What texts are for: a document of a corpus, what a model wrote, or what it is asked."""

SAMPLE = 200
"""Records at the beginning of a file over which it is decided what the text is."""
PLAIN = ("text", "content")
MOLECULE = "smiles"
"""Read where no other field is known."""
TURNS = ("messages", "conversations", "conversation")
PROMPT = ("system", "system_prompt", "context", "instruction", "prompt", "question", "query", "input")
ANSWER = ("completion", "response", "output", "answer", "chosen", "generated_text", "generation")
PREFERRED, REJECTED = "chosen", "rejected"
"""The two answers of a preference pair. Training for preferences reads both, so that a corpus holds both."""
MAX_LEFT_OUT = 0.05
"""Largest share of broken documents with which a file is read; one is always let through."""
NAMED = 3
UNREAD_NAMED = 8
"""Fields that are not read and are named in the report; more are counted."""
_HALF = re.compile("[\ud800-\udfff]")
_WORDS = re.compile(r"\S\s+\S")


class Record(NamedTuple):
    """One value of a file, and where it stands there."""

    where: str
    value: Any


@dataclass(frozen=True)
class Shape:
    """One way to find the text in a record. `parts` returns None for a record that is not of this shape.

    `rejected` finds the second document of a preference pair.
    """

    what: str
    answer: str
    fields: tuple[str, ...]
    parts: Callable[[Any], Parts | None]
    exchange: bool = False
    rejected: Shape | None = None


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
        The messages of each document that was read, or None for one that is no conversation; kept in a list given.
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
    conversations: list[list[Message] | None] | None = None

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
    what = shape.answer if reading.role == "output" else shape.what
    reading.shapes[what] = None
    if second:
        reading.form += f"; {second.what}" if shape.exchange else ""
        reading.shapes[second.what] = None
    for number, record in enumerate(chain(sample, records)):
        where, value = record
        parts = shape.parts(value)
        text = None if parts is None else _of_role(parts, reading.role)
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
    sides = {name: value if isinstance(value, list) else _at(value, name) for name in names}
    told = sides and (shape.exchange or len(sides) == 1)
    reading.conversations.append(conversation_of(sides) if told else None)


def _of_role(parts: Parts, role: Role) -> str | None:
    return {"document": parts.whole, "output": parts.answer, "prompt": parts.prompt or parts.whole}[role]


def _chosen(sample: Sequence[Record], reading: Reading) -> Shape:
    values = [value for _, value in sample]
    if reading.text_field and any(_at(value, reading.text_field) is not None for value in values):
        reading.uses_text_field = True
        unread = _fields_with_text([value for value in values if isinstance(value, dict)])
        read = {reading.text_field, reading.text_field.split(".")[0]}
        reading.unread |= dict.fromkeys(shown(name) for name in unread if name not in read)
        return _field(reading.text_field)
    if all(isinstance(value, str) for value in values):
        return Shape("JSON strings", "JSON strings", (), lambda v: _plain(v if isinstance(v, str) else None))
    if all(isinstance(value, list) for value in values):
        return _turns(None)
    rows = [value for value in values if isinstance(value, dict)]
    if odd := next((record for record in sample if not isinstance(record.value, str | dict)), None):
        raise ContentError(f"{odd.where}: neither a string nor an object with a text{_keys(odd.value)}")
    first_object = next(record for record in sample if isinstance(record.value, dict))
    shapes = _shapes(rows, reading.role)
    fitting = [s for s in shapes if all(_has(s, value, reading.role) for value in values)]
    if not fitting and shapes:
        best = max(shapes, key=lambda s: sum(_has(s, value, reading.role) for value in values))
        misfit = next(record for record in sample if not _has(best, record.value, reading.role))
        hints = _keys(misfit.value) + _nested(misfit.value)
        raise ContentError(f"{misfit.where}: not of the shape of the other records ({best.what}){hints}")
    shape = _only(fitting, rows, reading.role)
    if shape is None:
        raise _untold(first_object, fitting, rows)
    if reading.role == "document":
        shape = _with_rejected(shape, rows)
    _check_unread(shape, rows, reading, first_object)
    return shape


def _has(shape: Shape, value: Any, role: Role) -> bool:
    parts = shape.parts(value)
    return parts is not None and _of_role(parts, role) is not None


def _shapes(rows: Sequence[Mapping[str, Any]], role: Role) -> list[Shape]:
    """Return every standard shape whose fields occur in the records."""
    names = _names(rows)
    prompts, answers = _prompts(names, rows), [n for n in ANSWER if n in names]
    if role == "prompt" and prompts:
        return [_asked(prompts)]
    turns = [name for name in TURNS if name in names and name not in prompts]
    shapes = [_turns(name) for name in turns] + [_field(name) for name in PLAIN if name in names]
    if prompts and len(answers) == 1:
        shapes.append(_exchange(prompts, answers[0]))
    elif len(answers) >= 1:
        shapes += [_field(name) for name in answers]
    return shapes or ([_field(MOLECULE)] if MOLECULE in names else [])


def _names(rows: Sequence[Mapping[str, Any]]) -> set[str]:
    return {name for row in rows for name, value in row.items() if value not in (None, "", [])}


def _prompts(names: set[str], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the fields of the prompt; before a preferred answer it may be messages that end with the user's."""
    prompts = [name for name in PROMPT if name in names]
    if prompts or PREFERRED not in names:
        return prompts
    return [name for name in TURNS if name in names and not any(map(ends_with_model, (row.get(name) for row in rows)))]


def _with_rejected(shape: Shape, rows: Sequence[Mapping[str, Any]]) -> Shape:
    """Return the shape of preference pairs with that of the rejected answer, which stands where the other one does."""
    names = _names(rows)
    if not {PREFERRED, REJECTED} <= names:
        return shape
    prompts = _prompts(names, rows)
    rejected = _exchange(prompts, REJECTED) if prompts else _field(REJECTED)
    return replace(shape, fields=(*shape.fields, REJECTED), rejected=rejected)


def _only(shapes: Sequence[Shape], rows: Sequence[Mapping[str, Any]], role: Role) -> Shape | None:
    """Return the shape whose text holds that of all the others; of outputs all have to be equal."""

    def holds(shape: Shape, other: Shape) -> bool:
        for row in rows:
            one, two = shape.parts(row), other.parts(row)
            if one is None or two is None:
                return False
            if role == "output" and one.answer != two.answer:
                return False
            inner = (two.prompt if other.exchange else "", two.answer)
            if one.whole != two.whole and not all(part in one.whole for part in inner if part):
                return False
        return True

    return next((s for s in shapes if all(s is other or holds(s, other) for other in shapes)), None)


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
            raise _untold(first[name], [shape, _field(name)], [])


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
            best = (name, one) if _at(value, name) == one else best
    return f"; its longest text stands in '{shown(best[0])}', which --text-field can name" if best[0] else ""


def _plain(text: str | None, prompt: str | None = None) -> Parts | None:
    return None if text is None else Parts(prompt, text, text)


def _field(name: str) -> Shape:
    def parts(value: Any) -> Parts | None:
        if isinstance(value, str):
            return _plain(value)
        prompt = value.get("prompt") if isinstance(value, dict) else None
        text = _at(value, name)
        if isinstance(text, list):
            return of_turns(text)
        if text is None and isinstance(value, dict) and name in value:
            return Parts(None, None, "")  # a blank document, and no output at all
        return _plain(text if isinstance(text, str) else None, prompt if isinstance(prompt, str) else None)

    return Shape(f"the field '{shown(name)}'", f"the field '{shown(name)}'", (name,), parts)


def _at(value: Any, path: str) -> Any:
    """Return what stands at a path of names and numbers with dots between them, or None."""
    if isinstance(value, dict) and path in value:
        return value[path]
    for name in path.split("."):
        if isinstance(value, list) and name.isdecimal():
            value = value[int(name)] if int(name) < len(value) else None
        else:
            value = value.get(name) if isinstance(value, dict) else None
    return value


def _turns(name: str | None) -> Shape:
    def parts(value: Any) -> Parts | None:
        return of_turns(value if name is None else value.get(name) if isinstance(value, dict) else None)

    what = "messages" if name is None else name
    return Shape(f"{what}, joined by role and content", f"the model's part of {what}", (what,), parts, exchange=True)


def _exchange(prompts: Sequence[str], answer: str) -> Shape:
    def parts(value: Any) -> Parts | None:
        if not isinstance(value, dict):
            return None
        asked = [side_of(value.get(name)) for name in prompts]
        answered = side_of(value.get(answer))
        if answered is None or all(text is None for text in asked):
            return None
        prompt = "\n".join(text for text in asked if text)
        conversation = of_turns(value[answer])
        if conversation and conversation.prompt and prompt in answered:
            return conversation  # the answer is the conversation, with the prompt in it
        joined = not prompt or not answered or prompt[-1].isspace() or answered[0].isspace()
        return Parts(prompt, answered, prompt + ("" if joined else "\n") + answered)

    names = f"{', '.join(prompts)} and {answer}"
    return Shape(f"{names}, joined", f"the field '{answer}'", (*prompts, answer), parts, exchange=True)


def _asked(prompts: Sequence[str]) -> Shape:
    def parts(value: Any) -> Parts | None:
        if isinstance(value, str):
            return _plain(value)
        sides = [side_of(value.get(name)) for name in prompts] if isinstance(value, dict) else []
        prompt = "\n".join(text for text in sides if text)
        return None if all(text is None for text in sides) else Parts(prompt, None, prompt)

    what = f"the field '{prompts[0]}'" if len(prompts) == 1 else f"{', '.join(prompts)}, joined"
    return Shape(what, what, tuple(prompts), parts)


def _keys(value: Any) -> str:
    if isinstance(value, dict):
        return f"; its keys are {', '.join(shown(repr(key)) for key in list(value)[:8])}"
    return f"; it is {type(value).__name__}"
