"""A new or empty folder that one command fills."""

from __future__ import annotations

from collections.abc import Iterator
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
        Where it is not an empty folder, or another command is filling it.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigurationError(f"--out {out} is not an empty folder; give a new one")
    was_there = out.exists()
    out.mkdir(parents=True, exist_ok=True)
    marker = out / MARKER
    try:
        marker.touch(exist_ok=False)
    except FileExistsError:
        raise ConfigurationError(f"--out {out}: another command is filling this folder; give a new one") from None
    try:
        yield
    finally:
        marker.unlink(missing_ok=True)
        if not was_there and not any(out.iterdir()):
            out.rmdir()
