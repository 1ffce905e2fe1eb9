"""Which kinds of media a scan holds, told before any detector is loaded: controls run for these alone."""

from __future__ import annotations

import os
from collections.abc import Iterable

from ...core.targets import Modality
from ...kit.content import HEAD, content_of
from .listing import Found


def kinds_in(entries: Iterable[Found], wanted: frozenset[Modality]) -> frozenset[Modality]:
    """Return which of the wanted kinds there are, by the first bytes of the files; read until all have been seen.

    Where one of the files is remote they are all taken to be there: it is not fetched for this.
    """
    seen: set[Modality] = set()
    for entry in entries:
        if seen >= wanted:
            break
        if entry.problem is not None:
            continue
        if entry.remote:
            return wanted
        kind = content_of(_head(entry.place)).modality
        if kind is not None:
            seen.add(kind)
    return wanted & seen


def _head(place: bytes) -> bytes:
    """Return the first bytes of a local file, none where it cannot be read. A pipe is not waited for."""
    try:
        number = os.open(place, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(number, "rb", buffering=0) as file:
            return file.read(HEAD) or b""
    except OSError:
        return b""
