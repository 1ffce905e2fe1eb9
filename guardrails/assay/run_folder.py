"""What every run's folder needs: SQLite that survives a killed process, files that appear whole or not at all."""

from __future__ import annotations

import errno
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Self

from ..core.errors import ConfigurationError, JournalError

UNREADABLE = (sqlite3.Error, UnicodeDecodeError)
"""What reading a database may raise; the latter where the message itself quotes bytes of a damaged schema."""
JOURNAL = "journal.sqlite"
OF_A_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO})
WRITTEN = (
    "answers",
    "journal",
    "scan",
    "salvaged-journal",
    "salvaged-scan",
    "result",
    "summary",
    "errors",
    "report",
)
"""What the names of the files begin with, up to a dot, that a run or a scan writes into its folder."""
REPLACED = ("result", "summary", "report")
"""Those of `WRITTEN` that are written anew under another name and renamed: another name of the old file keeps it."""
FOLDERS = ("media", "fetched")
START_AGAIN = "nothing of the run is kept: free some space or check the folder, and start again"


class DamagedError(JournalError):
    """A file of a run does not hold what was written; `lost` says that nothing before the damage can be used."""

    def __init__(self, path: Path, what: str, *, lost: bool = False) -> None:
        what = " ".join(what.removeprefix("*** in database main ***").split())  # SQLite reports on several lines
        advice = (
            "nothing before that can be salvaged: start a new run"
            if lost
            else "--resume --salvage goes on from what stands before that, or start a new run"
        )
        super().__init__(f"{path} is damaged: {what}; {advice}")
        self.what = what


class Database:
    """A SQLite file in WAL mode with exactly the tables that it was made with; only one process has it open.

    Parameters
    ----------
    path : Path
        Made where absent.
    schema : str
        Statements that make the tables.

    Raises
    ------
    ConfigurationError
        Where another run has it open, or a file that a run writes is a link or a pipe.
    JournalError
        Where the file is no database, is damaged, was written by another version, or cannot be opened or written.
    """

    def __init__(self, path: Path, schema: str) -> None:
        self.path = path
        refuse_links(path.parent)
        self._lock = locked(path)
        try:
            self._open(schema)
        except BaseException:
            self._lock.close()
            raise

    def _open(self, schema: str) -> None:
        with self._guard():
            self._db = connect(self.path)
            tables = _tables(self._db)
            if not tables:
                self._db.executescript(f"BEGIN IMMEDIATE; {schema} COMMIT;")
            elif (first := _names(schema)[0]) not in {name for kind, name, *_ in tables if kind == "table"}:
                raise JournalError(
                    f"{self.path} has no table '{first}': it was written by another version of guardrails. A run of "
                    "another version cannot be resumed: start a new one; guardrails report still renders a finished one"
                )
            elif tables != _expected(schema):
                # Not only other columns: another type would sort otherwise, a trigger would run what it likes.
                raise DamagedError(self.path, "its tables are not those that this version of guardrails makes")
            elif (problem := self._db.execute("PRAGMA integrity_check(1)").fetchone()[0]) != "ok":
                raise sqlite3.DatabaseError(problem)

    @property
    def begun(self) -> bool:
        """Whether it holds anything that a resumed run could use."""
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the write-ahead log is folded in."""
        try:
            self._db.close()
        finally:  # also where it is interrupted: this process would find itself at work in the folder
            self._lock.close()

    @contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except UNREADABLE as error:
            if is_damage(error):
                raise DamagedError(self.path, str(error)) from error
            again = "what finished is kept: free some space, check the folder, and use --resume"
            raise JournalError(f"{self.path}: {error}; {again if self.begun else START_AGAIN}") from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._guard():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                if self._db.in_transaction:  # a full disk has ended it already
                    self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection in WAL mode, without implicit transactions."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    # FULL would also survive a power cut; NORMAL survives a killed process, which is what --resume promises.
    db.execute("PRAGMA synchronous=NORMAL")
    return db


def is_damage(error: Exception) -> bool:
    """Whether an error says that the file is damaged, not that it could not be read or written."""
    if isinstance(error, UnicodeDecodeError):
        return True
    kept_whole = sqlite3.OperationalError | sqlite3.IntegrityError | sqlite3.ProgrammingError
    return (isinstance(error, sqlite3.DatabaseError) and not isinstance(error, kept_whole)) or "UTF-8" in str(error)


def refuse_links(folder: Path) -> None:
    """Refuse a folder in which a link or a pipe stands where a run would write: a stranger's link may lead anywhere.

    A hard link is refused where the file is written in place: what is written would stand in the other file too.

    Raises
    ------
    ConfigurationError
    """
    for inner in (folder, *(folder / name for name in FOLDERS)):
        for path in inner.iterdir() if inner.is_dir() else ():
            stem, dot, _ = path.name.partition(".")
            ours = inner != folder or path.name in FOLDERS or (dot and stem in WRITTEN)
            if ours and path.is_symlink():
                raise ConfigurationError(f"{path} is a link, and a run would write where it leads; remove it")
            if ours and not (path.is_file() or path.is_dir()) and path.exists():  # a pipe would be waited for
                raise ConfigurationError(f"{path} is no file or folder, and a run would write to it; remove it")
            in_place = inner != folder or stem not in REPLACED
            if ours and in_place and path.is_file() and path.stat().st_nlink > 1:
                raise ConfigurationError(
                    f"{path} is a hard link, and a run would write into the other file; put a copy in its place"
                )


def _names(schema: str) -> list[str]:
    """Return the names of the tables that a schema makes, in their order."""
    return re.findall(r"CREATE TABLE (\w+)", schema)


def _tables(db: sqlite3.Connection) -> set[tuple[str, ...]]:
    return set(db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master"))


def _expected(schema: str) -> set[tuple[str, ...]]:
    with sqlite3.connect(":memory:") as empty:
        empty.executescript(schema)
        tables = _tables(empty)
    empty.close()
    return tables


def locked(path: Path) -> sqlite3.Connection:
    """Return what holds the lock of a run's folder until it is closed; the system frees it when a process is killed.

    SQLite's own file lock is used because it works on every system, on a second file so that the first can be read.

    Raises
    ------
    ConfigurationError
        Where another process holds it, or the folder cannot be written into.
    JournalError
        Where it cannot be had for another reason.
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
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
            raise ConfigurationError(f"cannot write into this folder: {path.parent}: {error}") from error
        raise JournalError(f"{file}: {error}. Check that the folder can be written to") from error
    except sqlite3.DatabaseError as error:
        raise JournalError(f"{file}: {error}. Delete this file if no run is under way in its folder") from error
    return lock


def default_folder(name: str) -> Path:
    """Return where a run goes if nothing else is said: ``guardrails-runs/<time>-<name>``, the name as a file's."""
    return Path("guardrails-runs") / f"{datetime.now().strftime('%Y%m%d-%H%M%S')}-{file_name(name)}"


def file_name(name: str) -> str:
    """Return a name as a part of a file's name.

    >>> file_name("hf:models/mine")
    'hf-models-mine'
    """
    return re.sub(r"[^A-Za-z0-9.=-]+", "-", name).strip("-.")[:60]


def make_folder(folder: Path) -> None:
    """Make a folder that a command writes into, where it is not there.

    Raises
    ------
    ConfigurationError
        Where it cannot be made: nothing was run.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"cannot make this folder: {folder}: {error.strerror or error}") from error


@contextmanager
def writing(folder: Path, again: str = "") -> Iterator[None]:
    """Turn an operating-system error into a `JournalError` that says where it arose and how to go on.

    `again` is the command that does; without it the run had not begun. An error that names no file is one of the
    folder only where a disk has such errors: a pipe may have closed.
    """
    try:
        yield
    except OSError as error:
        advice = f"what finished is kept; then: {again}" if again else START_AGAIN
        where = error.filename or (folder if error.errno in OF_A_DISK else None)
        what = error.strerror or str(error)
        raise JournalError(f"{where}: {what}; {advice}" if where else f"{what}; {advice}") from error


@contextmanager
def disk_errors(folder: Path, advice: str) -> Iterator[None]:
    """Turn an error that only a disk has, such as that it is full, into a `JournalError` with advice."""
    try:
        yield
    except OSError as error:
        cut_short = error.errno is None and "requested and" in str(error)  # how NumPy says that a disk is full
        if error.errno not in OF_A_DISK and not cut_short:
            raise
        why = "not all of a file could be written" if cut_short else error.strerror
        raise JournalError(f"{error.filename or folder}: {why}; {advice}") from error


def write_whole(path: Path, text: str) -> None:
    """Write a file that appears whole or not at all."""
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)  # it may be another name of a file elsewhere
    with part.open("x", encoding="utf-8") as file:
        file.write(text)
    part.replace(path)
