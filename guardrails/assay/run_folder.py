"""What every run's folder needs: SQLite that survives a killed process, files that appear whole or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from ..core.errors import ConfigurationError, JournalError

META = "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);"


class Database:
    """A SQLite file in WAL mode with the table ``meta`` for settings; only one process has it open.

    Parameters
    ----------
    path : Path
        Made where absent.
    schema : str
        Statements that make the other tables where they are absent.

    Raises
    ------
    ConfigurationError
        Where another run has it open.
    JournalError
        Where the file is no database, or cannot be opened or written.
    """

    def __init__(self, path: Path, schema: str) -> None:
        self.path = path
        self._lock = _locked(path)
        try:
            self._open(schema)
        except JournalError:
            self._lock.close()
            raise

    def _open(self, schema: str) -> None:
        with self._guard():
            self._db = sqlite3.connect(self.path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            # FULL would also survive a power cut; NORMAL survives a killed process, which is what --resume promises.
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.executescript(META + schema)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the write-ahead log is folded in."""
        self._db.close()
        self._lock.close()

    @contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise JournalError(
                f"{self.path}: {error}. What finished is kept; free some space, check the folder, and use --resume"
            ) from error


def _locked(path: Path) -> sqlite3.Connection:
    """Return what holds the lock of a run's folder until it is closed; the system frees it when a process is killed.

    SQLite's own file lock is used because it works on every system, on a second file so that the first can be read.
    """
    file = path.with_suffix(".lock")
    try:
        lock = sqlite3.connect(file, isolation_level=None, timeout=0)
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise ConfigurationError(
                f"a run is under way in {path.parent}; wait until it has ended, or give another --out"
            ) from None
        raise JournalError(f"{file}: {error}. Check that the folder can be written to") from error
    except sqlite3.DatabaseError as error:
        raise JournalError(f"{file}: {error}. Delete this file if no run is under way in its folder") from error
    return lock


@contextmanager
def writing(folder: Path, again: str) -> Iterator[None]:
    """Turn an operating-system error about the run's folder into a `JournalError` that says how to go on."""
    try:
        yield
    except OSError as error:
        raise JournalError(f"{folder}: {error.strerror or error}. What finished is kept; then: {again}") from error


def write_whole(path: Path, text: str) -> None:
    """Write a file that appears whole or not at all."""
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
