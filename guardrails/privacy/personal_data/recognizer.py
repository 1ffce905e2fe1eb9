"""What finds one kind of personal data: a pattern, a check of what it matched, and the words that must stand near."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

Found = tuple[int, int, bool]
"""Where a datum begins and ends, and whether its checksum or range is right."""

BEFORE, AFTER = 48, 24
"""How many characters before and after a datum may say what it is."""


class Finder(Protocol):
    """Anything that finds data of one kind in a text."""

    @property
    def kind(self) -> str: ...

    def find(self, text: str) -> Iterable[Found]: ...


class Pattern(Protocol):
    """What is used of `re.Pattern`."""

    @property
    def groupindex(self) -> Mapping[str, int]: ...

    def finditer(self, text: str, /) -> Iterator[re.Match[str]]: ...


@dataclass(frozen=True)
class Recognizer:
    """A pattern with what else must hold of a match.

    Attributes
    ----------
    name : str
        What it looks for, in words.
    kind : str
        Of what kind its data are; several recognizers may share one.
    pattern : Pattern
        Bounded repeats only. The datum is the group ``datum`` where there is one, else the whole match. What begins
        with a set of characters, and looks behind it afterwards, is found several times as fast as the other way round.
    check : callable
        Of the datum: True, False (the shape is right, the checksum is not) or None (no datum at all).
    context : callable, optional
        Of the match: whether what stands around it says that it is one.
    cut : str
        Characters at which a datum may end earlier than the match, where only the shorter one passes the check.
    needs : tuple of str
        A text without any of these holds none: a search for them costs nothing.
    """

    name: str
    kind: str
    pattern: Pattern
    check: Callable[[str], bool | None] = lambda value: True
    context: Callable[[re.Match[str]], bool] | None = None
    cut: str = ""
    needs: tuple[str, ...] = ()

    def find(self, text: str) -> Iterator[Found]:
        """Yield every datum, valid or not."""
        if self.needs and not holds_any(text, self.needs):
            return
        group = "datum" if "datum" in self.pattern.groupindex else 0
        for m in self.pattern.finditer(text):
            if self.context is not None and not self.context(m):
                continue
            value, start = m[group], m.start(group)
            ends = [len(value), *(i for i in range(len(value) - 1, 0, -1) if value[i] in self.cut)]
            end = next((end for end in ends if self.check(value[:end])), None)
            if end is not None:
                yield start, start + end, True
            elif self.check(value) is False:
                yield start, m.end(group), False


def holds_any(text: str, pieces: tuple[str, ...]) -> bool:
    """Whether a text holds one of some pieces."""
    for piece in pieces:  # noqa: SIM110  (a generator in any() would take as long as the search in a short text)
        if piece in text:
            return True
    return False


def words(*any_of: str, after: bool = True) -> Callable[[re.Match[str]], bool]:
    """Return a context: one of these words (regular expressions) begins near the datum.

    >>> near = words("staff", "employee no")
    >>> [near(re.search(r"[0-9]+", text)) for text in ("Staff 123", "employee no. 4", "123 apples", "flagstaff 5")]
    [True, True, False, False]
    """
    pattern = any_word(any_of)

    def near(m: re.Match[str]) -> bool:
        before = m.string[max(0, m.start() - BEFORE) : m.start()]
        return bool(pattern.search(before) or (after and pattern.search(m.string[m.end() : m.end() + AFTER])))

    return near


def any_word(any_of: Iterable[str]) -> re.Pattern[str]:
    """Return the pattern of words, whatever their case."""
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(any_of)})", re.I)


def last(pattern: re.Pattern[str], text: str) -> int:
    """Return where the last match ends, or −1."""
    return max((m.end() for m in pattern.finditer(text)), default=-1)
