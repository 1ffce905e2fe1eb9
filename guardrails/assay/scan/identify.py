"""One file of a scan: brought here where it is remote, hashed, and told by its content."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from ...core.errors import ContentError, GuardrailsError
from ...core.results.scan import ScanRow
from ...kit.content import HEAD, Content, content_of, misnamed
from ...kit.io import open_regular
from .listing import Found, file_system

MAX_LOCAL = 64 << 30
MAX_FETCHED = 4 << 30
CHUNK = 1 << 20


@dataclass(frozen=True)
class Identified:
    """What is known of a file before any detector sees it.

    Attributes
    ----------
    entry : Found
    problem : str, optional
        Why it cannot be read; then all below is empty.
    path : str
        Where its bytes lie on this machine.
    fetched : bool
        Whether that is a temporary copy.
    size : int, optional
    sha256 : str, optional
    content : Content, optional
    """

    entry: Found
    problem: str | None = None
    path: str = ""
    fetched: bool = False
    size: int | None = None
    sha256: str | None = None
    content: Content | None = None

    def drop(self) -> None:
        """Remove the temporary copy, where there is one."""
        if self.fetched:
            Path(self.path).unlink(missing_ok=True)

    def row(self) -> ScanRow:
        """Return the row of the scan as far as it is known."""
        place = self.entry.place
        content = self.content or Content(None, "unknown")
        wrong = misnamed(self.entry.name, content) if self.content else None
        return ScanRow(
            path=self.entry.name,
            path_bytes=None if place.decode("utf-8", "replace").encode() == place else place.hex(),
            sha256=self.sha256,
            size=self.size,
            type=content.modality.value if content.modality else "unknown",
            format=content.format,
            notes=(wrong,) if wrong else (),
            duplicate_of=None,
            detections=(),
            error=self.problem,
        )


def identify(entry: Found, folder: Path) -> Identified:
    """Bring a file here, hash it and tell its content; a problem is part of what is returned.

    Parameters
    ----------
    entry : Found
        Its entry in the listing.
    folder : Path
        For the temporary copy of a remote file.
    """
    if entry.problem is not None:
        return Identified(entry, entry.problem)
    path = os.fsdecode(entry.place)
    try:
        if entry.remote:
            path = str(fetch(path, folder / f"{entry.number}"))
        size, sha256, head = _hashed(path)
    except ContentError as error:
        return Identified(entry, str(error))
    except OSError as error:
        return Identified(entry, f"cannot be read: {error.strerror or error}")
    return Identified(entry, None, path, entry.remote, size, sha256, content_of(head))


def fetch(url: str, to: Path) -> Path:
    """Copy a remote file here.

    Raises
    ------
    ContentError
        Where it cannot be read, or is larger than 4 GiB.
    """
    to.parent.mkdir(parents=True, exist_ok=True)
    copied = 0
    try:
        system, path = file_system(url)
        with system.open(path, "rb") as source, to.open("wb") as copy:
            while chunk := source.read(CHUNK):
                copied += len(chunk)
                if copied > MAX_FETCHED:
                    raise ContentError(f"more than the limit of {MAX_FETCHED:,} bytes for a remote file")
                copy.write(chunk)
    except Exception as error:  # each file system has errors of its own
        to.unlink(missing_ok=True)
        if isinstance(error, ContentError):
            raise
        why = str(error) if isinstance(error, GuardrailsError) else f"{type(error).__name__}: {error}"
        raise ContentError(f"cannot be fetched: {why}") from None
    return to


def _hashed(path: str) -> tuple[int, str, bytes]:
    """Return size, hash and first bytes."""
    with open_regular(path) as file:
        if (there := os.fstat(file.fileno()).st_size) > MAX_LOCAL:
            raise ContentError(f"{there:,} bytes are more than the limit of {MAX_LOCAL:,}")
        head, size, digest = b"", 0, hashlib.sha256()
        while chunk := file.read(CHUNK):
            head = head or chunk[:HEAD]
            size += len(chunk)
            digest.update(chunk)
    return size, digest.hexdigest(), head
