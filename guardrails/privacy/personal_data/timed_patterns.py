r"""Patterns that a stranger wrote: bounded before they are compiled, and matched within a limit of time.

They are written as for Python's `re` and matched by the package `regex`, which stops when its time is over. The two
agree on what is accepted here, but for ``\w``: in `regex` it also holds the marks that combine with a letter, as
Unicode Technical Standard 18 has it.
"""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Iterator
from typing import Any

from ...core.errors import ConfigurationError, ContentError

SECONDS, SECONDS_A_CHARACTER = 1.0, 1e-6
"""Processor time for all patterns of a file on one text."""
MOST_LATE = 3
"""After so many texts on which the time was over, no other is tried."""
COMPILING = 5.0
"""Seconds for compiling all patterns of a file."""
MOST_ELEMENTS = 10_000
"""Of a pattern whose counted repeats are written out, which is what compiling it costs."""

_SINGLE = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.S)
_ELEMENT = re.compile(r"\(|\)|\{(\d*)(,?)(\d*)\}|.", re.S)
_COMMENT = re.compile(r"\(\?(?:#|[a-zA-Z]*x)")


class Clock:
    """The time that the patterns of one file have left for a text. One text is asked about at a time."""

    def __init__(self) -> None:
        self._text: str | None = None
        self._left = self.compiling = COMPILING
        self._late = 0

    def left(self, text: str) -> float:
        """Return the seconds left for a text; ContentError where there are none."""
        if self._late >= MOST_LATE:
            raise ContentError(f"your recognizers ran out of time on {self._late} texts and are not tried on others")
        if text is not self._text:
            self._text, self._left = text, SECONDS + SECONDS_A_CHARACTER * len(text)
        return max(self._left, 1e-3)

    def spend(self, seconds: float) -> None:
        """Take from what is left for the last text."""
        self._left -= seconds

    def over(self, text: str, kind: str) -> ContentError:
        """Return the error for a text on which the time is over."""
        self._late += 1
        self._text = None
        allowed = SECONDS + SECONDS_A_CHARACTER * len(text)
        return ContentError(
            f"your recognizers had {allowed:.1f} s for a text of {len(text):,} characters; '{kind}' did not end in time"
        )


class TimedPattern:
    """A pattern with as much of `re.Pattern` as a `Recognizer` needs.

    Parameters
    ----------
    pattern : str
    kind : str
        What messages call it.
    clock : Clock
        Shared by all patterns of a file.

    Raises
    ------
    ConfigurationError
        For what `re` cannot read, comments, sets within sets, a brace that is no repeat, repeats that multiply to more
        than `MOST_ELEMENTS`, and a pattern that matches the empty text.
    """

    def __init__(self, pattern: str, kind: str, clock: Clock) -> None:
        self._kind, self._clock = kind, clock
        started = time.process_time()
        self._pattern = _compiled(pattern)
        clock.compiling -= time.process_time() - started
        if clock.compiling < 0:
            raise ConfigurationError(f"the patterns of the file take more than {COMPILING:g} s to compile")
        self.groupindex: dict[str, int] = dict(self._pattern.groupindex)
        self._datum = "datum" if "datum" in self.groupindex else 0

    def finditer(self, text: str) -> Iterator[Any]:
        """Yield every match whose datum is not empty. Raises ContentError where the time for the text is over."""
        started = time.process_time()
        try:
            matches = list(self._pattern.finditer(text, timeout=self._clock.left(text)))
        except TimeoutError:
            raise self._clock.over(text, self._kind) from None
        self._clock.spend(time.process_time() - started)
        return (m for m in matches if m[self._datum])


def _compiled(pattern: str) -> Any:
    import regex

    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of sets within sets, which re reads as characters and regex as sets
        try:
            re.compile(pattern)
            if (elements := _elements(pattern)) > MOST_ELEMENTS:
                raise ConfigurationError(
                    f"its repeats multiply to {elements:,} elements; at most {MOST_ELEMENTS:,} are read"
                )
            compiled = regex.compile(pattern, regex.VERSION0)
        except (re.error, regex.error, Warning, OverflowError, RecursionError) as error:
            raise ConfigurationError(f"the pattern cannot be read: {error}") from None
    if compiled.fullmatch("", timeout=SECONDS):
        raise ConfigurationError("the pattern matches the empty text")
    return compiled


def _elements(pattern: str) -> int:
    r"""Return how many elements a pattern has when each counted repeat is written out as often as it allows.

    >>> _elements(r"EMP-[0-9]{6}"), _elements(r"(?:a{9}|\(b){9}"), _elements("[0-9]+")
    (10, 126, 2)
    """
    if _COMMENT.search(pattern):
        raise ConfigurationError("the pattern holds a comment, or the flag x: write it without")
    sizes, last = [0], 0
    for m in _ELEMENT.finditer(_SINGLE.sub("x", pattern)):
        if m[0] == "(":
            sizes.append(0)
        elif m[0] == ")" and len(sizes) > 1:
            last = sizes.pop()
            sizes[-1] += last
        elif m[2] is not None and (m[1] or m[2]):
            times = max(1, int(m[3][-9:] or m[1][-9:] or 1))
            sizes[-1] += last * (times - 1)
            last *= times
        elif m[0][0] in "{}":
            raise ConfigurationError(r"a brace that is no repeat: write \{ or \}")
        else:
            last = 1
            sizes[-1] += 1
    return sum(sizes)
