"""SHA-256 checksums of the files of an index folder, so that a flipped bit is an error and not another result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..core.errors import ContentError
from .io import MAX_STREAMED, open_file

OF_ITSELF = "sha256_of_this_file"
"""Key of a checksum over the other values of a JSON object."""


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a regular file, read in pieces. Raises ContentError where it cannot be read."""
    with open_file(path, max_bytes=MAX_STREAMED) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # it has readinto


def check_files(folder: Path, names: Iterable[str], checksums: Any) -> None:
    """Compare files of a folder with their checksums; each file is read once.

    Parameters
    ----------
    folder : path
        Of the files.
    names : iterable of str
        Of the files, as the checksums name them.
    checksums : dict of str to str
        As they were read from a file: anything else fits no file.

    Raises
    ------
    ContentError
        For the first file that is missing, no regular file, or does not match its checksum, by its name.
    """
    known = checksums if isinstance(checksums, dict) else {}
    for name in names:
        try:
            matches = file_sha256(folder / name) == known.get(name)
        except OSError as error:  # a fault of the disk
            raise ContentError(f"{name} cannot be read: {error.strerror}") from None
        if not matches:
            raise ContentError(f"{name} does not match its checksum")


def with_checksum(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a JSON object with a checksum over them."""
    others = {key: value for key, value in values.items() if key != OF_ITSELF}
    return others | {OF_ITSELF: hashlib.sha256(json.dumps(others, sort_keys=True).encode()).hexdigest()}
