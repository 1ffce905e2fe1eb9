"""A folder that one command fills: a new one, or one that is kept from other commands by a lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..core.errors import ConfigurationError

MARKER = ".unfinished"


@contextmanager
def new_folder(out: Path) -> Iterator[None]:
    """Make a folder, or take an empty one, and keep other commands out of it until the block ends.

    Raises
    ------
    ConfigurationError
        Where it is not an empty folder, cannot be made or written into, or another command is filling it.
    JournalError
        Where the disk fails, as when it is full.
    """
    from ..assay.run_folder import disk_errors, make_folder

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigurationError(f"--out {out} is not an empty folder; give a new one")
    was_there = out.exists()
    make_folder(out)
    marker = out / MARKER
    try:
        marker.touch(exist_ok=False)
    except FileExistsError:
        raise ConfigurationError(f"--out {out}: another command is filling this folder; give a new one") from None
    except OSError as error:
        raise ConfigurationError(f"cannot write into this folder: {out}: {error.strerror or error}") from error
    try:
        with disk_errors(out, f"{out} is not complete: free some space, and start again with a new --out"):
            yield
    finally:
        marker.unlink(missing_ok=True)
        if not was_there and not any(out.iterdir()):
            out.rmdir()


@contextmanager
def locked_folder(out: Path, lock: str, *, is_ours: Callable[[Path], bool]) -> Iterator[None]:
    """Make a folder, or take one, and keep other commands of the same kind out of it until the block ends.

    Parameters
    ----------
    out : Path
        The folder. One that was made here and is empty at the end is removed.
    lock : str
        Name of the file that is locked, with the suffix ``.lock``.
    is_ours : callable
        Whether the folder holds at the end what the command makes: else the file of the lock is removed.

    Raises
    ------
    ConfigurationError
        Where the folder cannot be made or written into, or another command has locked it.
    JournalError
        Where the disk fails, as when it is full.
    """
    from ..assay.run_folder import disk_errors, locked, make_folder

    was_there = out.exists()
    make_folder(out)
    database = locked(out / lock)
    try:
        with disk_errors(out, "free some space, and give the same command again"):
            yield
    finally:
        database.close()
        if not is_ours(out):
            (out / lock).unlink(missing_ok=True)
            if not was_there and out.is_dir() and not any(out.iterdir()):
                out.rmdir()
