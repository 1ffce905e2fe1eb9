"""Which files a scan looks at: listed in a stable order before the first is read, in SQLite and not in memory."""

from __future__ import annotations

import glob
import hashlib
import os
import sqlite3
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ...core.errors import ConfigurationError, JournalError, MissingExtraError
from ..log import Entry, Log, before_damage

SCHEMA = """
CREATE TABLE listed (place BLOB PRIMARY KEY, argument INTEGER, problem TEXT) WITHOUT ROWID;
CREATE TABLE items (number INTEGER PRIMARY KEY, place BLOB NOT NULL, problem TEXT);
CREATE TABLE hashes (sha256 BLOB PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
"""
CHUNK = 1000


class Found(NamedTuple):
    """One entry of the listing.

    Attributes
    ----------
    number : int
        Its place in the order of the scan, from 0.
    place : bytes
        A local path as the file system has it, or a URL.
    problem : str, optional
        Why it cannot be read, where the listing knows.
    """

    number: int
    place: bytes
    problem: str | None

    @property
    def remote(self) -> bool:
        """Whether the place is a URL."""
        return is_url(os.fsdecode(self.place))

    @property
    def name(self) -> str:
        r"""The place as text; bytes that are not UTF-8 are written as ``\xff``."""
        return self.place.decode("utf-8", "backslashreplace")


class Listing(Log):
    """The listing of one scan, the hashes of what it has seen, and the checksums of the rows that it wrote.

    Parameters
    ----------
    path : Path
        The SQLite file; made where absent.

    Raises
    ------
    ConfigurationError
        Where another scan has it open.
    JournalError
        Where it is damaged, or cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self._settings: dict[str, int] = {}
        self._before_rows = 0
        super().__init__(path, SCHEMA)
        stated = self.get("listing")
        if stated is not None and stated != self._items_sha256():
            self.close()
            raise JournalError(f"{path} is damaged: its list of files is not the one that was made: start a new scan")

    def _learn(self, number: int, entry: Entry) -> None:
        if entry.kind == "set":
            self._settings[entry.name] = self._before_rows = number

    def get(self, key: str) -> str | None:
        """Return a stored setting."""
        number = self._settings.get(key)
        return None if number is None else self.body(number)

    def put(self, key: str, value: str) -> None:
        """Store a setting; before the first row."""
        self.append([Entry("set", key, value)])

    def add_row(self, number: int, line: bytes, seconds: float = 0.0) -> None:
        """Store the checksum of a row that was written, and the seconds since the one before it."""
        self.append([Entry("row", "", hashlib.sha256(line).hexdigest(), number, seconds)])

    def seconds(self) -> float:
        """Return how long the rows took, over all sessions."""
        with self._guard():
            return float(self._db.execute("SELECT TOTAL(seconds) FROM log WHERE kind = 'row'").fetchone()[0])

    def row_checksums(self) -> Iterator[str]:
        """Yield the checksums of the rows that were written, in order."""
        for _, body in self._rows("SELECT number, body FROM log", self._before_rows + 1):
            yield body

    def keep_rows(self, n: int) -> None:
        """Forget the checksums of all rows but the first n."""
        self.cut(self._before_rows + n)

    def fill(self, paths: Iterable[str], *, without: Path, settings: str) -> int:
        """List what the paths hold and keep the settings beside it, whole or not at all; return how many entries.

        Parameters
        ----------
        paths : iterable of str
            Files, folders, globs or fsspec URLs. What two of them hold is listed once, with the first.
        without : Path
            The run's own folder: left out.
        settings : str
            Kept under the key ``settings``.

        Raises
        ------
        ConfigurationError
            Where one holds nothing, or its file system is unknown or fails.
        """
        with self._transaction():
            self._db.execute("DELETE FROM listed")
            for argument, path in enumerate(paths):
                # The same file under another spelling stays: it will be found to be a duplicate.
                rows = ((place, argument, problem) for place, problem in _entries(path, without.resolve()))
                self._db.executemany("INSERT OR IGNORE INTO listed VALUES (?, ?, ?)", rows)
            self._db.execute(
                "INSERT INTO items SELECT row_number() OVER (ORDER BY argument, place) - 1, place, problem"
                " FROM listed ORDER BY argument, place"
            )
            self._db.execute("DELETE FROM listed")
            chained = self._insert([Entry("set", "listing", self._items_sha256()), Entry("set", "settings", settings)])
        self._note(chained)
        return len(self)

    def _items_sha256(self) -> str:
        with self._guard():
            return _items_sha256(self._db)

    def _usable(self, db: sqlite3.Connection, path: Path) -> bool:
        stated = [entry.body for entry in before_damage(db, path) if (entry.kind, entry.name) == ("set", "listing")]
        return super()._usable(db, path) and stated[-1:] == [_items_sha256(db)]

    def forget(self) -> None:
        """Empty the listing and its settings: nothing was scanned."""
        with self._transaction():
            self._db.execute("DELETE FROM items")
        self.cut(0)
        self._settings.clear()
        self._before_rows = 0

    def __len__(self) -> int:
        with self._guard():
            return int(self._db.execute("SELECT COUNT(*) FROM items").fetchone()[0])

    def entries(self, start: int = 0) -> Iterator[Found]:
        """Yield the entries from a number on, in order."""
        for number, place, problem in self._rows("SELECT number, place, problem FROM items", start):
            yield Found(number, bytes(place), problem)

    def _rows(self, select: str, start: int) -> Iterator[tuple[Any, ...]]:
        """Yield rows by number; in pieces, since while a statement is open no write is folded in from the WAL."""
        while True:
            with self._guard():
                rows = self._db.execute(
                    f"{select} WHERE number >= ? ORDER BY number LIMIT {CHUNK}", (start,)
                ).fetchall()
            yield from rows
            if len(rows) < CHUNK:
                return
            start = rows[-1][0] + 1

    def name(self, number: int) -> str:
        """Return the name of one entry."""
        with self._guard():
            row = self._db.execute("SELECT place FROM items WHERE number = ?", (number,)).fetchone()
        return Found(number, bytes(row[0]), None).name

    def forget_hashes(self) -> None:
        """Empty the table of hashes: a resumed run fills it again from the rows that it has."""
        with self._guard():
            self._db.execute("DELETE FROM hashes")

    def first(self, sha256: str, number: int) -> int:
        """Return the number of the first entry of this hash, which is this one where it is new."""
        key = bytes.fromhex(sha256)
        with self._guard():
            self._db.execute("INSERT OR IGNORE INTO hashes VALUES (?, ?)", (key, number))
            return int(self._db.execute("SELECT number FROM hashes WHERE sha256 = ?", (key,)).fetchone()[0])


def _items_sha256(db: sqlite3.Connection) -> str:
    digest = hashlib.sha256()
    for number, place, problem in db.execute("SELECT number, place, problem FROM items ORDER BY number"):
        if not isinstance(place, bytes):
            return "an entry that is no path"
        digest.update(repr((number, place, problem)).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def is_url(path: str) -> bool:
    """Whether a path is an fsspec URL.

    >>> is_url("s3://bucket/a.png"), is_url("a/b.png")
    (True, False)
    """
    scheme, separator, _ = path.partition("://")
    return bool(separator) and scheme.replace("+", "").replace("-", "").isalnum() and not os.path.exists(path)


def check_path(path: str) -> None:
    """Raise ConfigurationError where a local path that is no glob does not exist."""
    if not is_url(path) and not os.path.lexists(path) and not glob.has_magic(path):
        raise ConfigurationError(f"{path}: no such file or folder")


def _entries(path: str, without: Path) -> Iterator[tuple[bytes, str | None]]:
    entries = _remote(path) if is_url(path) else _local(path, without)
    first = next(entries, None)
    if first is None:
        raise ConfigurationError(f"{path}: nothing there to scan")
    yield first
    yield from entries


def _local(path: str, without: Path) -> Iterator[tuple[bytes, str | None]]:
    check_path(path)
    there = os.path.lexists(path)
    for top in [path] if there else glob.iglob(path, recursive=True, include_hidden=True):
        if os.path.isdir(top):
            yield from _below(os.fsencode(top), os.fsencode(without))
        else:
            yield os.fsencode(top), problem_of(os.fsencode(top))


def _below(folder: bytes, without: bytes) -> Iterator[tuple[bytes, str | None]]:
    """Walk a folder without following links to folders: a link that leads back up would have no end."""
    todo = [folder]
    while todo:
        here = todo.pop()
        if os.path.realpath(here) == without:
            continue
        try:
            with os.scandir(here) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(entry.path)
                    else:
                        yield entry.path, problem_of(entry.path)
        except OSError as error:
            yield here, f"the folder cannot be listed: {error.strerror or error}"


def problem_of(path: bytes) -> str | None:
    """Return why a local path cannot be read as a file, or None where nothing speaks against it."""
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        if os.path.islink(path):
            return f"a link that leads to no file: {error.strerror or error}"
        return f"cannot be read: {error.strerror or error}"
    if stat.S_ISDIR(mode):
        return "a link to a folder: not followed; pass that folder as another PATH"
    return None if stat.S_ISREG(mode) else "not a regular file (a pipe, a socket or a device)"


def file_system(url: str) -> tuple[Any, str]:
    """Return the fsspec file system of a URL and the path in it.

    Raises
    ------
    ConfigurationError
        For an unknown scheme.
    MissingExtraError
        Where a known scheme's package is not installed.
    """
    import fsspec

    try:
        system, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise MissingExtraError(f"{url} ({error})", f"pip install fsspec[{url.partition('://')[0]}]") from None
    except Exception as error:  # each file system has errors of its own
        raise ConfigurationError(f"{url}: {error}") from None
    return system, str(path)


def _remote(url: str) -> Iterator[tuple[bytes, str | None]]:
    system, top = file_system(url)
    try:
        alone = [top] if system.exists(top) else []
        for path in sorted(system.glob(top)) if glob.has_magic(top) else alone:
            if system.isfile(path):
                yield _entry(system, path)
            else:
                for root, _, names in system.walk(path):
                    yield from (_entry(system, f"{root.rstrip('/')}/{name}") for name in names if name)
    except (ConfigurationError, JournalError):
        raise
    except Exception as error:
        raise ConfigurationError(f"{url}: it cannot be listed: {error}") from None


def _entry(system: Any, path: str) -> tuple[bytes, str | None]:
    """Return the URL of a remote file, and why it is not opened where its name is more than a name."""
    url = str(system.unstrip_protocol(path))
    return os.fsencode(url), "a name with '::', which fsspec reads as several addresses" if "::" in url else None
