"""Keeps a report under its size: every string and every list passes through one `Trim`, which remembers what it cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from .text import clip, visible

T = TypeVar("T")


@dataclass(frozen=True)
class Caps:
    """How much of each thing a report may hold."""

    findings: int
    parts: bool
    text: int
    excerpt: int
    evidence: int
    rows: int
    pictures: int


FULL = Caps(findings=400, parts=True, text=2000, excerpt=4000, evidence=8, rows=60, pictures=24)
SHORT = Caps(findings=120, parts=True, text=400, excerpt=500, evidence=2, rows=16, pictures=8)
LEAST = Caps(findings=60, parts=False, text=160, excerpt=0, evidence=0, rows=16, pictures=0)
LEVELS = (FULL, SHORT, LEAST)
"""Tried in order until the report is small enough."""
MAX_BYTES = 2_000_000


class TooLong(Exception):  # noqa: N818  not an error: the next smaller caps are tried
    """The texts alone are larger than the report may be."""


def fitted(write: Callable[[Caps], str]) -> str:
    """Return what `write` returns under the widest caps that keep it under two megabytes."""
    for caps in LEVELS[:-1]:
        try:
            text = write(caps)
        except TooLong:
            continue
        if len(text.encode()) <= MAX_BYTES:
            return text
    return write(LEVELS[-1])


class Trim:
    """Cuts to the caps and counts what it cut.

    Examples
    --------
    >>> trim = Trim(SHORT)
    >>> len(trim.take(range(20), 16, "rows")), trim.notes()
    (16, ('4 rows',))
    """

    def __init__(self, caps: Caps) -> None:
        self.caps = caps
        self._cut: Counter[str] = Counter()
        self._room = MAX_BYTES

    def text(self, text: str, *, limit: int | None = None) -> str:
        """Return untrusted text on one line, visible and clipped."""
        limit = self.caps.text if limit is None else min(limit, self.caps.text)
        return self._clip(text, limit, lines=False)

    def excerpt(self, text: str) -> str:
        """Return untrusted text with its lines."""
        return self._clip(text, self.caps.excerpt, lines=True)

    def _clip(self, text: str, limit: int, *, lines: bool) -> str:
        if len(text) > limit:
            self._cut["long texts, shortened"] += 1
        shown = visible(clip(text, limit), lines=lines)
        self._room -= len(shown)
        if self._room < 0:
            raise TooLong
        return shown

    def take(self, items: Sequence[T], limit: int, what: str) -> tuple[T, ...]:
        """Return the first `limit` items."""
        if len(items) > limit:
            self._cut[what] += len(items) - limit
        return tuple(items[:limit])

    def notes(self) -> tuple[str, ...]:
        """Return what was cut, one line each."""
        return tuple(f"{count:,} {what}" for what, count in self._cut.items())
