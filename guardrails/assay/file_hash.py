"""Opens and hashes regular files, whatever has taken the place of one."""

from __future__ import annotations

import hashlib
import os
import stat
from io import FileIO
from pathlib import Path

from ..core.errors import ContentError


def open_regular(path: str | Path) -> FileIO:
    """Open a regular file to read, without waiting: a pipe may have taken its place.

    Raises
    ------
    ContentError
        For a pipe, a socket, a device or a folder.
    OSError
        Where it cannot be opened.
    """
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise ContentError("not a regular file (a pipe, a socket or a device)")
    return FileIO(number, "rb")


def file_sha256(path: str | Path) -> tuple[str, int]:
    """Return the SHA-256 of a file, read in pieces, and its size; of what cannot be read, why, and 0."""
    try:
        with open_regular(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest(), file.tell()
    except ContentError:
        return "not a regular file", 0
    except (OSError, ValueError):
        return "cannot be read", 0
