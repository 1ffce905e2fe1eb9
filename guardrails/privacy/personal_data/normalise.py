"""Text as the recognizers read it: one kind of space, hyphen, digit and quote, with a map back to the original.

Personal data are typed with no-break spaces, soft hyphens, zero-width characters and fullwidth digits, and stored with
the escapes of JSON, HTML and URLs. All of that is folded once, before any recognizer runs. Plain ASCII without escapes
is left alone.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass
from functools import cache
from html import unescape

_INVISIBLE = "\u00ad\u034f\u061c\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff"
_MARKS = "\u0300-\u036f"
_ESCAPE = r"\\u[0-9A-Fa-f]{4}|\\[nrt]|&(?:#\d{2,7}|#[xX][0-9A-Fa-f]{2,6}|[a-z]{2,6});|%(?:20|2[389BbDd]|3[Aa]|40)"
_ESCAPES = re.compile(_ESCAPE)
_EDITS = re.compile(rf"{_ESCAPE}|[{_INVISIBLE}]+|[^\W\d_][{_MARKS}]{{1,4}}")
_UNSEEN = re.compile(rf"[{_INVISIBLE}]+")
_GAP = rf"(?P<gap>(?<=[^\W\d_])[{_INVISIBLE}]+(?=[\d+(]|[A-Z]{{2}}\d\d)|(?<=\d)[{_INVISIBLE}]+(?=[^\W\d_]))"
"""Invisible characters between a letter and a figure: a label may end there (a zero-width space), or a number go on."""
_TOUCHING = re.compile(_GAP)
_GAPS_AND_EDITS = re.compile(f"{_GAP}|{_EDITS.pattern}")

_CHARACTERS = {
    **dict.fromkeys("\u2010\u2011\u2212\ufe63\uff0d\u2043", "-"),
    **dict.fromkeys("\u2018\u2019\u201b\u02bc\u2032", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb\u2033", '"'),
    **dict.fromkeys("\u00b7\u2022\u2219\u22c5\u30fb", " "),
    **dict.fromkeys("\u2044\u2215", "/"),
    **dict.fromkeys("\u0085\u2028\u2029", "\n"),
    "\u2024": ".",
}
_DASHES = re.compile(r"(?<=[\w)])[\u2012\u2013\ufe58](?=[\w(])|(?<=[\d)])[\u2014\u2015](?=[\d(])")
_OTHER_DASHES = re.compile("[\u2012-\u2015\ufe58]")


@dataclass(frozen=True)
class View:
    """A folded text, and where its characters stand in the original.

    `pieces` are (begin in the folded text, begin in the original, end in the original or −1 where the piece is copied
    character for character), in order; none where both texts have the same places.
    """

    text: str
    pieces: tuple[tuple[int, int, int], ...] = ()

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Return where the stretch from `start` to before `end` stands in the original."""
        if not self.pieces:
            return start, end
        return self._of(start)[0], self._of(end - 1)[1]

    def _of(self, at: int) -> tuple[int, int]:
        begin, source, stop = self.pieces[bisect_right(self.pieces, at, key=lambda piece: piece[0]) - 1]
        return (source + at - begin, source + at - begin + 1) if stop < 0 else (source, stop)


def views(text: str) -> tuple[View, ...]:
    r"""Return the readings of a text: one, or two where invisible characters may part a label from a number.

    >>> (view,) = views("a\u00a0b\u00adc")
    >>> view.text, view.original(1, 4)
    ('a bc', (1, 5))
    """
    if text.isascii():
        if "\\" not in text and "&" not in text and "%" not in text:
            return (View(text),)
        return (_edited(text, _ESCAPES),)
    joined = _edited(text, _EDITS)
    return (_edited(text, _GAPS_AND_EDITS), joined) if _TOUCHING.search(text) else (joined,)


def folded(text: str) -> str:
    """Return the text as the recognizers read it."""
    return views(text)[-1].text


def _edited(text: str, pattern: re.Pattern[str]) -> View:
    parts: list[str] = []
    pieces: list[tuple[int, int, int]] = []
    length = at = 0
    for m in pattern.finditer(text):
        new = " " if m.lastgroup == "gap" else _decoded(m[0])
        if new == m[0]:
            continue
        if m.start() > at:
            parts.append(text[at : m.start()])
            pieces.append((length, at, -1))
            length += m.start() - at
        if new:
            parts.append(new)
            pieces.append((length, m.start(), m.end()))
            length += len(new)
        at = m.end()
    if not pieces and at == 0:
        return View(_same_length(text))
    parts.append(text[at:])
    pieces.append((length, at, -1))
    return View(_same_length("".join(parts)), tuple(pieces))


def _decoded(piece: str) -> str:
    """Return the one character, or none, that an escape, a letter with its accents or an invisible one stands for."""
    if piece[0] == "\\":
        if piece[1] in "nrt":
            return "\n" if piece[1] != "t" else "\t"
        code = int(piece[2:], 16)
        new = piece if 0xD800 <= code < 0xE000 else chr(code)
    elif piece[0] == "&":
        new = unescape(piece)
    elif piece[0] == "%":
        new = chr(int(piece[1:], 16))
    elif _UNSEEN.fullmatch(piece):
        return ""
    else:
        new = unicodedata.normalize("NFC", piece)
    if len(new) != 1:
        return piece
    return "" if _UNSEEN.fullmatch(new) else new


def _same_length(text: str) -> str:
    """Replace characters by those that they look like, one for one."""
    if text.isascii():
        return text
    table = {ord(c): new for c in set(text) if ord(c) > 127 and (new := _plain_character(c)) != c}
    text = text.translate(table) if table else text
    return _OTHER_DASHES.sub(" ", _DASHES.sub("-", text))


@cache
def _plain_character(character: str) -> str:
    if character in _CHARACTERS:
        return _CHARACTERS[character]
    category = unicodedata.category(character)
    if category == "Zs":
        return " "
    if category == "Nd":
        return str(unicodedata.decimal(character))
    plain = unicodedata.normalize("NFKC", character)
    if "\uff01" <= character <= "\uff5e" or (
        category in ("Lu", "Ll") and len(plain) == 1 and plain.isascii() and plain.isalnum()
    ):
        return plain
    return character
