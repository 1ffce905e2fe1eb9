"""Whether a text holds a known datum: compared with the record, not found anew.

What makes a number a datum are the words before it, which stand in the prompt or in the training document; a model need
not repeat them. So what was found in a record is looked for letter by letter, whatever separates and follows it.
"""

from __future__ import annotations

import errno
import re
import sqlite3
import tempfile
import weakref
from collections.abc import Iterable, Iterator

from . import birth_dates
from .normalise import folded
from .phones import national
from .scanner import Span, canonical

_EXACT = ("secret", "email", "ip")
"""Kinds in which punctuation belongs to the datum."""
_LETTERED = ("secret", "email", "iban", "national-id")
"""Kinds whose next character could be a letter: what touches them may be a longer datum."""
_TO_COMPARE = 4
"""Characters that are compared with the record where something touches the datum."""
_GAP = 3


def completes(datum: Span, record: str, written: str, *, slack: int) -> bool:
    """Whether a continuation of a record holds the datum that stood there, in whole.

    Parameters
    ----------
    datum : Span
        Where it stands in the record.
    record : str
        The whole document.
    written : str
        What the model went on with in the datum's place.
    slack : int
        How many characters after the beginning the datum may begin.

    Notes
    -----
    Separators and, where it does not matter, case may differ, as may the way of writing a date and the country code of
    a telephone number. A longer number that contains the datum is another one. Text that touches the datum is accepted
    if it cannot belong to it (``1984-03-12and``), or if the record goes on in the same way.

    Examples
    --------
    >>> record = "Born 1984-03-12 and so on"
    >>> datum = Span("birth-date", 5, 15, "1984-03-12", True)
    >>> [completes(datum, record, text, slack=16) for text in ("1984-03-12and", "12 March 1984.", "1984-03-123")]
    [True, True, False]
    """
    written = folded(written)
    wanted = _significant(datum.kind, folded(datum.value))[0]
    rest = _significant(datum.kind, folded(record[datum.start : datum.end + 40]))[0][len(wanted) :]
    if datum.kind == "phone":
        wanted = national(folded(datum.value))
    if any(
        start <= slack and _ends_there(datum.kind, written, end, rest)
        for start, end in _places(datum.kind, wanted, written)
    ):
        return True
    if datum.kind == "birth-date":
        key = canonical(datum)
        return any(
            m.start() <= slack and canonical(Span("birth-date", 0, 0, m[0], True)) == key
            for m in birth_dates.DATE.finditer(written)
        )
    return False


def _significant(kind: str, text: str) -> tuple[str, list[int]]:
    """Return the characters that make a datum of a kind, and where they stand."""
    places = [i for i, c in enumerate(text) if (not c.isspace() if kind in _EXACT else c.isalnum())]
    letters = "".join(text[i] for i in places)
    return letters if kind == "secret" else letters.lower(), places


def _places(kind: str, wanted: str, written: str) -> Iterator[tuple[int, int]]:
    """Yield where the characters stand one after another, with nothing before them that belongs to a longer number."""
    letters, places = _significant(kind, written)
    if not wanted or len(letters) != len(places):  # a letter whose lower case is two
        return
    at = letters.find(wanted)
    while at >= 0:
        start, last = places[at], places[at + len(wanted) - 1]
        gaps = all(places[i + 1] - places[i] <= _GAP + 1 for i in range(at, at + len(wanted) - 1))
        if gaps and _begins_there(kind, written, start):
            yield start, last + 1
        at = letters.find(wanted, at + 1)


def _begins_there(kind: str, written: str, start: int) -> bool:
    before = written[:start]
    if kind == "phone":
        run = re.search(r"[+\d][\d ()./-]*$", before)
        prefix = re.sub(r"\D", "", run[0]) if run else ""
        return prefix in ("", "0") or (
            run is not None and (run[0][0] == "+" or prefix[:2] == "00") and len(prefix) <= 6
        )
    if written[start].isdigit():
        return re.search(r"\d[./-]?$", before) is None
    return not before[-1:].isalnum()


def _ends_there(kind: str, written: str, end: int, rest: str) -> bool:
    after = written[end:]
    number = written[end - 1].isdigit() and kind not in _LETTERED
    touching = re.match(r"\d|[./-]\d" if number else r"[^\W_]|[.@-][^\W_]" if kind == "email" else r"[^\W_]", after)
    if touching is None and kind == "phone":
        touching = re.match(r" \d", after)
    if touching is None:
        return True
    following = _significant(kind, after)[0][:_TO_COMPARE]
    return bool(following) and rest.startswith(following)


class Known:
    """The personal data of some documents: canonical form → number of the first document that holds it.

    It lies in a database of its own, of which what is more than half a megabyte is on disk, in a file without a name.

    Parameters
    ----------
    data : iterable of (str, int)
        Canonical forms, each with the number of a document; of one that comes several times the first counts.

    Attributes
    ----------
    has_numbers : bool
        Whether there may be any that `number` can find.
    """

    def __init__(self, data: Iterable[tuple[str, int]] = ()) -> None:
        self._data = sqlite3.connect("", check_same_thread=False)
        weakref.finalize(self, self._data.close)
        self._data.execute("PRAGMA cache_size = -512")
        self._data.execute("CREATE TABLE known (key BLOB UNIQUE NOT NULL, document INTEGER NOT NULL)")
        self._count = 0
        self.has_numbers = False
        self.add(data)

    def add(self, data: Iterable[tuple[str, int]]) -> None:
        """Add data; those that are known stay as they are. Raises OSError where the disk is full."""
        try:
            with self._data:
                self._data.executemany("INSERT OR IGNORE INTO known VALUES (?, ?)", self._stored(data))
        except sqlite3.OperationalError as error:
            raise OSError(errno.EIO, str(error), tempfile.gettempdir()) from None
        ((self._count,),) = self._data.execute("SELECT count(*) FROM known")

    def copy(self) -> Known:
        """Return another one with the same data."""
        other = Known()
        self._data.backup(other._data)
        other._count, other.has_numbers = self._count, self.has_numbers
        return other

    def _stored(self, data: Iterable[tuple[str, int]]) -> Iterator[tuple[bytes, int]]:
        for key, document in data:
            kind, _, value = key.partition(":")
            self.has_numbers |= kind in _NUMBERS and value.isdigit()
            yield _bytes(key), document

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: str) -> bool:
        return self.get(key) is not None

    def get(self, key: str) -> int | None:
        """Return the number of the first document that holds a datum, or None."""
        row = self._data.execute("SELECT document FROM known WHERE key = ?", (_bytes(key),)).fetchone()
        return None if row is None else int(row[0])

    def shared_with(self, other: Known) -> int:
        """Return how many data both hold."""
        has = "SELECT 1 FROM known WHERE key = ?"
        keys = self._data.execute("SELECT key FROM known")
        return sum(other._data.execute(has, key).fetchone() is not None for key in keys)

    def number(self, digits: str) -> str | None:
        """Return the canonical form of the datum with these digits, of a kind that is told by its digits alone."""
        if len(digits) < _FEWEST:
            return None
        keys = [_bytes(f"{kind}:{digits}") for kind in _NUMBERS]
        some = f"SELECT key FROM known WHERE key IN ({', '.join('?' * len(keys))}) ORDER BY rowid DESC LIMIT 1"
        row = self._data.execute(some, keys).fetchone()
        return None if row is None else bytes(row[0]).decode()


def _bytes(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")


_NUMBERS = ("phone", "card", "ssn", "national-id")
_FEWEST, _ENOUGH = 7, 9
"""Digits of a number that is looked up, and of one that may be a part of a row of groups."""
_ROW = re.compile(r"\d(?:[\s./()-]{0,3}\d){6,40}")


def known_numbers(text: str, *known: Known) -> dict[str, tuple[int, int]]:
    """Return the known numbers that a text holds in whole groups, whatever separates these: canonical form → place."""
    rows = list(_ROW.finditer(folded(text))) if any(one.has_numbers for one in known) else []
    places: dict[str, tuple[int, int]] = {}
    for row in rows:
        groups = list(re.finditer(r"\d+", row[0]))
        for i, first in enumerate(groups):
            digits = ""
            for j, group in enumerate(groups[i:], start=i):
                digits += group[0]
                if len(digits) > 20:
                    break
                if len(digits) >= _ENOUGH or (i == 0 and j == len(groups) - 1):
                    for one in known:
                        key = one.number(digits) or one.number(digits.lstrip("0"))
                        if key:
                            places.setdefault(key, (row.start() + first.start(), row.start() + group.end()))
    return places
