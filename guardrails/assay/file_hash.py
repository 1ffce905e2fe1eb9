"""What a file holds, as a hash, whatever has taken its place."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..core.errors import ContentError
from ..kit.io import open_regular


def hash_and_size(path: str | Path) -> tuple[str, int]:
    """Return the SHA-256 of a file, read in pieces, and its size; of what cannot be read, why, and 0."""
    try:
        with open_regular(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest(), file.tell()
    except ContentError:
        return "not a regular file", 0
    except (OSError, ValueError):
        return "cannot be read", 0
