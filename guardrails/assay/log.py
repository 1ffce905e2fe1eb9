"""A log in SQLite whose entries are only ever added, each with a checksum over its content and over all before it.

A damaged entry is found when the log is opened, and named. `salvage` keeps the entries before it.
"""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from ..core.errors import JournalError
from .run_folder import UNREADABLE, DamagedError, Database, connect, locked

SCHEMA = """
CREATE TABLE log (number INTEGER PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, idx INTEGER NOT NULL,
    seconds REAL NOT NULL, body TEXT NOT NULL, sha256 BLOB NOT NULL);
"""
CHUNK = 1000
FIRST = hashlib.sha256(b"guardrails log 1").digest()
BEGUN = ("set", "settings")
"""The entry with which a run has begun: the last of those that say what it was given."""
READ = "SELECT number, kind, name, idx, seconds, body, sha256 FROM log ORDER BY number"


class Entry(NamedTuple):
    """What is added at once: its kind, the name and number of what it belongs to, seconds of work, JSON."""

    kind: str
    name: str
    body: str
    idx: int = 0
    seconds: float = 0.0

    def describe(self) -> str:
        """Return which entry it is, for a message."""
        return f"{self.name}, batch {self.idx}" if self.kind in ("plan", "rows") else f"{self.kind} {self.name}".strip()


class Log(Database):
    """The log of one run.

    Parameters
    ----------
    path : Path
        The SQLite file; made where absent.
    schema : str
        Of further tables, which the checksums do not cover.

    Raises
    ------
    ConfigurationError
        Where another run has it open.
    JournalError
        Where it is no log, is damaged, or cannot be opened or written.
    """

    def __init__(self, path: Path, schema: str = "") -> None:
        self._last, self._sha256 = 0, FIRST
        try:
            self._read_whole(path, schema)
        except DamagedError as error:
            raise DamagedError(path, error.what, lost=not self._salvageable(path)) from None

    def _read_whole(self, path: Path, schema: str) -> None:
        super().__init__(path, SCHEMA + schema)
        try:
            with self._guard():
                for chained in _verified(self._db, path):
                    self._note([chained])
        except BaseException:
            self.close()
            raise

    @property
    def begun(self) -> bool:
        """Whether there is any entry."""
        return self._last > 0

    def _salvageable(self, path: Path) -> bool:
        """Whether a run stands before the damage: then `salvage` can restore it."""
        try:
            with closing(connect(path)) as db:
                return self._usable(db, path)
        except UNREADABLE:
            return False

    def _usable(self, db: sqlite3.Connection, path: Path) -> bool:
        """Whether what stands before the damage is enough to go on."""
        return _begun(db, path)

    def _learn(self, number: int, entry: Entry) -> None:
        """Take note of an entry that is in the log."""

    def append(self, entries: Sequence[Entry]) -> None:
        """Add entries, all of them or none.

        Raises
        ------
        JournalError
            Where they cannot be written, as on a full disk.
        """
        with self._transaction():
            chained = self._insert(entries)
        self._note(chained)

    def _insert(self, entries: Sequence[Entry]) -> list[tuple[int, Entry, bytes]]:
        chained, sha256 = [], self._sha256
        for number, entry in enumerate(entries, self._last + 1):
            sha256 = _chained(sha256, number, entry)
            chained.append((number, entry, sha256))
        self._db.executemany("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?)", [
            (number, e.kind, e.name, e.idx, e.seconds, e.body, sha256) for number, e, sha256 in chained
        ])  # fmt: skip
        return chained

    def _note(self, chained: Sequence[tuple[int, Entry, bytes]]) -> None:
        for number, entry, sha256 in chained:
            self._last, self._sha256 = number, sha256
            self._learn(number, entry)

    def cut(self, last: int) -> None:
        """Drop the entries after a number: what they say is done again.

        A subclass that takes note of entries is opened anew afterwards.
        """
        with self._transaction():
            self._db.execute("DELETE FROM log WHERE number > ?", (last,))
        row = self._db.execute("SELECT sha256 FROM log WHERE number = ?", (last,)).fetchone()
        self._last, self._sha256 = last, row[0] if row else FIRST

    def copy(self, table: str, source: sqlite3.Connection) -> None:
        """Copy the rows of one of the further tables, as far as they can be read."""
        columns = ", ".join("?" * len(self._db.execute(f"PRAGMA table_info({table})").fetchall()))
        with self._transaction(), suppress(*UNREADABLE):
            for row in source.execute(f"SELECT * FROM {table}"):
                self._db.execute(f"INSERT INTO {table} VALUES ({columns})", row)

    def checksum(self, number: int) -> str:
        """Return the checksum over an entry and all before it, in hexadecimal."""
        with self._guard():
            row = self._db.execute("SELECT sha256 FROM log WHERE number = ?", (number,)).fetchone()
            return bytes(row[0]).hex()

    def body(self, number: int) -> str:
        """Return the JSON of an entry."""
        with self._guard():
            return str(self._db.execute("SELECT body FROM log WHERE number = ?", (number,)).fetchone()[0])


def _chained(before: bytes, number: int, entry: Entry) -> bytes:
    digest = hashlib.sha256(before + repr((number, entry.kind, entry.name, entry.idx, entry.seconds)).encode() + b"\0")
    digest.update(entry.body.encode())
    return digest.digest()


def _verified(db: sqlite3.Connection, path: Path) -> Iterator[tuple[int, Entry, bytes]]:
    """Yield (number, entry, checksum) in order.

    Raises
    ------
    JournalError
        At the first entry that is not as it was written.
    """
    sha256, before = FIRST, "the first row"
    for expected, row in enumerate(db.execute(READ), 1):
        number, kind, name, idx, seconds, body, stated = row
        if number != expected:
            raise DamagedError(path, f"row {expected} of its log is missing (the one after {before})")
        if [type(value) for value in row] != [int, str, str, int, float, str, bytes]:
            raise DamagedError(path, f"row {number} of its log (the one after {before}) is of another type")
        entry = Entry(kind, name, body, idx, seconds)
        sha256 = _chained(sha256, number, entry)
        if sha256 != stated:
            raise DamagedError(path, f"row {number} of its log ({entry.describe()}) does not fit its checksum")
        before = entry.describe()
        yield number, entry, sha256


class Salvaged(NamedTuple):
    """What became of a damaged log: how many entries were kept and dropped (None: they cannot be counted), and why."""

    kept: int
    dropped: int | None
    why: str


def salvage(path: Path, schema: str = "", *, tables: Sequence[str] = ()) -> Salvaged | None:
    """Keep the entries of a damaged log that stand before the damage; return None where there is no damage.

    The log is written anew; the damaged file stays beside it as ``<name>.damaged``.

    Parameters
    ----------
    path : Path
        The SQLite file.
    schema : str
        As of `Log`.
    tables : sequence of str
        Further tables to be copied as far as they can be read.

    Raises
    ------
    ConfigurationError
        Where another run has it open.
    JournalError
        Where no run stands before the damage, or the folder cannot be written.
    """
    try:
        Log(path, schema).close()
        return None
    except DamagedError as error:
        why = error.what
    made = path.with_name(f"salvaged-{path.name}")
    with closing(locked(path)), closing(_opened(path, why)) as db:
        kept, dropped = _whole(db, path)
        if not _begun(db, path):
            raise _lost(path, why)
        made.unlink(missing_ok=True)
        with Log(made, schema) as log:
            whole = islice(_verified(db, path), kept)
            while entries := [entry for _, entry, _ in islice(whole, CHUNK)]:
                log.append(entries)
            for table in tables:
                log.copy(table, db)
        made.with_suffix(".lock").unlink(missing_ok=True)
    with closing(locked(path)):
        shutil.copyfile(path, path.with_name(f"{path.name}.damaged"))
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        made.replace(path)
    return Salvaged(kept, dropped, why)


def _opened(path: Path, why: str) -> sqlite3.Connection:
    try:
        return connect(path)
    except UNREADABLE:
        raise _lost(path, why) from None


def _lost(path: Path, why: str) -> JournalError:
    return JournalError(f"{path}: {why}; nothing can be read before that: start a new run")


def before_damage(db: sqlite3.Connection, path: Path) -> Iterator[Entry]:
    """Yield the entries of a log that stand before its damage."""
    with suppress(JournalError, *UNREADABLE):
        for _, entry, _ in _verified(db, path):
            yield entry


def _begun(db: sqlite3.Connection, path: Path) -> bool:
    """Whether the settings, with which a run has begun, stand before the damage."""
    return any((entry.kind, entry.name) == BEGUN for entry in before_damage(db, path))


def _whole(db: sqlite3.Connection, path: Path) -> tuple[int, int | None]:
    """Return how many entries stand before the damage, and how many more there are.

    A plan is whole or absent: a part of one is not counted.
    """
    kept, before_plan, planned = 0, None, False
    with suppress(JournalError, *UNREADABLE):
        for number, entry, _ in _verified(db, path):
            if entry.kind == "plan" and before_plan is None:
                before_plan = number - 1
            planned = planned or (entry.kind, entry.name) == ("set", "planned")
            kept = number
    if before_plan is not None and not planned:
        kept = before_plan
    try:
        there = int(db.execute("SELECT COUNT(*) FROM log").fetchone()[0])
    except UNREADABLE:
        return kept, None
    return kept, there - kept
