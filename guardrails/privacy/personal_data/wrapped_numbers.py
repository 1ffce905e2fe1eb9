"""Numbers whose figures a line break or a tab parts, as where a text was wrapped.

Two numbers of neighbouring lines or columns make a third by chance, so more is asked of these than of a number in one
piece: a checksum of two digits, a country code and its plan, a word that names it, or the groups of a card amid words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .labels import named_as, topic_after, topic_before
from .normalise import View
from .numbers import CARD, IBAN, NATIONAL_IDS, SSN
from .phones import PHONE, REGIONS, valid
from .recognizer import AFTER, BEFORE, Finder

FINDERS: tuple[Finder, ...] = (NATIONAL_IDS, IBAN, CARD, SSN, PHONE)
MOST, FEWEST = 44, 7
"""Characters on either side of a break that may belong to a number, and digits of it in all."""

_BREAK = re.compile(
    # Quoted-printable ends a line with =; in a mail or a comment each line begins with a sign.
    r"[\n\r\t\v\f=](?<=[0-9A-Z)./ \t-](?s:.))(?:(?<=[\n\t\v\f])|(?<=\r)\n?|(?<==)\r?\n)"
    r"[ \t]{0,16}(?:(?:[>|#*]|//)[ \t]{0,3}){0,3}(?=[\d(]|[A-Z]{1,4}(?:[ -]|\s{1,3})?\d)"
)
_LEFT = re.compile(
    r"(?<![^\W_])(?:[A-Z]{2}(?:[ -]?\d\d?)?|[+(]{0,2}\d)(?:[ ./()-]{0,3}[0-9A-Z]){0,43}[ ./)-]{0,2}[ \t]{0,3}$"
)
_RIGHT = re.compile(rf"[(]?[0-9A-Z](?:[ ./()-]{{0,3}}(?:{_BREAK.pattern})?[0-9A-Z]){{0,{MOST}}}")
_GROUPS = re.compile(r"(?<!\d)\d{4}[ -](?:\d{4}[ -]\d{4}[ -]\d{4}|\d{6}[ -]\d{5})(?!\d)")
_NAMED = {"card", "phone", "ssn", "id"}
_LETTER = re.compile(r"[^\W\d_]")


def split_numbers(text: str) -> Iterator[tuple[str, int, int]]:
    r"""Yield the kind of every number with a break between its figures, and where it begins and ends.

    >>> list(split_numbers("My card is 4111 1111\n1111 1111, and 1234\n5678 people came."))
    [('card', 11, 30)]
    """
    done = 0
    for m in _BREAK.finditer(text):
        if m.start() >= done:
            for number in _at(text, m):
                yield number
                done = number[2]


def _at(text: str, m: re.Match[str]) -> Iterator[tuple[str, int, int]]:
    """Yield the number that a break parts, if there is one."""
    left = _LEFT.search(text, max(0, m.start() - MOST), m.start())
    right = _RIGHT.match(text, m.end()) if left else None
    if left is None or right is None or sum(map(str.isdigit, left[0] + right[0])) < FEWEST:
        return
    # Most figures on both sides of a break are two numbers: a glance before the finders.
    named = not _NAMED.isdisjoint((topic_before(text, left.start()), topic_after(text, right.end())))
    if not (named or left[0][0].isalpha() or "+" in left[0] or _GROUPS.search(f"{left[0].rstrip(' -')} {right[0]}")):
        return
    begin, end = _beside(text, left.start() - BEFORE, -1), _beside(text, right.end() + AFTER, 1)
    breaks = [m, *_BREAK.finditer(text, m.end(), right.end())]
    for gap in (" ", ""):
        view = _joined(text, begin, end, breaks, gap)
        for finder in FINDERS:
            for start, stop, good in finder.find(view.text):
                a, b = view.original(start, stop)
                if good and a < m.start() and m.end() < b and _vouched(finder, text, (a, b), view.text, (start, stop)):
                    yield finder.kind, a, b
                    return


def _beside(text: str, at: int, step: int) -> int:
    """Return a place outside of any word and number, at most 24 characters on."""
    at = min(max(at, 0), len(text))
    for _ in range(24):
        if 0 < at < len(text) and text[at - 1].isalnum() and text[at].isalnum():
            at += step
    return at


def _joined(text: str, begin: int, end: int, breaks: list[re.Match[str]], gap: str) -> View:
    """Return a stretch of a text with something else in the place of its breaks; none where a separator stands."""
    parts, pieces, length, at = [], [], 0, begin
    for m in breaks:
        start = len(text[: m.start()].rstrip(" \t")) if text[m.start() - 1] in " \t" else m.start()
        pieces.append((length, at, -1))
        parts.append(text[at:start])
        length += start - at
        if gap and text[start - 1] not in "./-" and m[0][0] != "=":
            pieces.append((length, start, m.end()))
            parts.append(gap)
            length += len(gap)
        at = m.end()
    return View("".join([*parts, text[at:end]]), (*pieces, (length, at, -1)))


def _vouched(finder: Finder, text: str, span: tuple[int, int], joined: str, place: tuple[int, int]) -> bool:
    """Whether a number is more than two that stand on two lines."""
    value = joined[place[0] : place[1]]
    breaks = list(_BREAK.finditer(text, *span))
    begins, ends = [span[0], *(m.end() for m in breaks)], [*(m.start() for m in breaks), span[1]]
    parts = [text[a:b] for a, b in zip(begins, ends, strict=True)]
    if any(good for part in parts for *_, good in finder.find(part) if finder.kind != "phone" or _planned(part)):
        return False
    if finder.kind in ("iban", "national-id"):
        return True
    name, topic = named_as(joined, place[0]), topic_before(joined, place[0])
    if finder.kind == "phone":
        if sum(map(str.isdigit, parts[0])) >= FEWEST and "+" not in value:  # the first part may be all of it
            return "phone" in (name, topic) and _planned(value, fixed_length=True)
        return name == "phone" or (_planned(value) and (topic == "phone" or "+" in value))
    if finder.kind in (name, topic):
        return True
    if finder.kind == "card" and len(breaks) == 1 and breaks[0][0][0] != "\t" and _GROUPS.fullmatch(value):
        line = text[text.rfind("\n", 0, span[0]) + 1 : span[0]] + text[span[1] :].partition("\n")[0]
        return _LETTER.search(line) is not None
    return False


def _planned(number: str, *, fixed_length: bool = False) -> bool:
    """Whether a numbering plan has a telephone number."""
    regions = ("",) if "+" in number else tuple(r for r in REGIONS if not (fixed_length and r in _ANY_LENGTH))
    return any(valid(number, region) for region in regions)


_ANY_LENGTH = ("DE", "IT")
"""Plans in which a longer number is as good as a shorter one."""
