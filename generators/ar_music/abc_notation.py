"""Melodies as symbols and as text in ABC notation [1]_: a writer, and a reader of what it and many tune books write.

A melody is a tuple of symbols: ``M:3/4`` (a metre), ``K:Dm`` (a key), ``69:2`` (a note: MIDI pitch, length in eighths),
``z:2`` (a rest), ``|`` (a bar ends), ``$`` (a bar and a line of the text end), ``:|`` (so, and the line is repeated).
`to_text` and `to_symbols` are each other's inverse, so that the probability of a text is that of its symbols.

.. [1] C. Walshaw, "The abc music standard 2.1", 2011, https://abcnotation.com/wiki/abc:standard:v2.1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from guardrails.core.errors import ConfigurationError
from guardrails.kit.text import abc_pitch
from guardrails.kit.text.abc_pitch import MARKS, NATURAL, pitch

Symbols = tuple[str, ...]

BAR, LINE, REPEAT = "|", "$", ":|"
HEAD = "X:1\n"
UNIT = "L:1/8\n"

_FIELD = re.compile(r"(?P<field>[A-Za-z]):(?P<value>[^\n]*)\n?")
_TOKEN = re.compile(
    r"""(?P<skip>[ \t\\~.()`-]+(?!\d)|\n|"[^"]*"|\{[^}]*\}|![^!]*!|%[^\n]*|\|:|\[[12]|(?<=[|\]])[12])
      | \[(?P<field>[A-Za-z]):\s*(?P<value>[^\]\n]*)\]
      | \((?P<tuplet>[2-4])
      | (?P<bar>::|:\|+\]?:?\n?|\[?\|+:?\]?[ \t]*\n?)
      | (?P<broken>[<>])
      | (?P<mark>\^\^|\^|__|_|=)?(?P<letter>[A-Ga-gz])(?P<octave>[,']*)
        (?P<times>\d*)(?P<slash>/*)(?P<over>(?:[1-9]\d*)?)""",
    re.VERBOSE,
)


class Note(NamedTuple):
    """A note as it sounds: when it begins and how long it lasts, in eighths, and its MIDI pitch."""

    start: Fraction
    length: Fraction
    pitch: int


def signature(key: str) -> dict[str, int]:
    """Return by how many semitones a key raises each letter.

    >>> [letter for letter, raised in signature("D").items() if raised], signature("Dm")["B"]
    (['C', 'F'], -1)

    Raises
    ------
    ConfigurationError
        For a key that is not a letter, perhaps with ``#`` or ``b``, and a mode.
    """
    raised = dict.fromkeys(NATURAL, 0) if key == "none" else abc_pitch.signature(key)
    if raised is None:
        raise ConfigurationError(f"'{key}' is not a key of ABC notation; write for example K:G, K:Am or K:Ddor")
    return raised


def tonic(key: str) -> int:
    """Return the pitch class on which a key rests, 0 for C … 11 for B."""
    return (NATURAL[key[0]] + {"#": 1, "b": -1}.get(key[1:2], 0)) % 12


def to_text(symbols: Sequence[str]) -> str:
    """Return a melody as one tune of an ABC tune book.

    >>> print(to_text(("M:3/4", "K:D", "62:2", "66:2", "69:2", "|", "73:1", "72:1", "74:4", ":|")))
    X:1
    M:3/4
    L:1/8
    K:D
    |: D2 F2 A2 | c =c d4 :|
    """
    body = list(symbols)
    metre = body.pop(0) + "\n" if body and body[0].startswith("M:") else ""
    key = body.pop(0)[2:] if body and body[0].startswith("K:") else "none"
    lines: list[list[str]] = [[]]
    raised = usual = signature(key)
    for symbol in body:
        if symbol == LINE:
            lines[-1].append("|")
        elif symbol == REPEAT:
            lines[-1] = ["|:", *lines[-1], REPEAT]
        elif symbol[0] in "MK":
            lines[-1].append(f"[{symbol}]")
        elif symbol != BAR:
            letters, raised = _spell(symbol, raised, usual)
            lines[-1].append(letters)
        else:
            lines[-1].append(BAR)
        if symbol[0] == "K":
            raised = usual = signature(symbol[2:])
        if symbol in (BAR, LINE, REPEAT):
            raised = usual
        if symbol in (LINE, REPEAT):
            lines.append([])
    if body and body[-1] == LINE:
        lines[-2][-1] = "|]"
    return f"{HEAD}{metre}{UNIT}K:{key}\n" + "\n".join(map(" ".join, lines)).rstrip("\n")


def _spell(symbol: str, raised: dict[str, int], usual: dict[str, int]) -> tuple[str, dict[str, int]]:
    """Return a note in letters, and what is raised after it to the end of the bar."""
    pitch, units = symbol.split(":")
    length = "" if units == "1" else units
    if pitch == "z":
        return f"z{length}", raised
    # A note of the key keeps its letter there; others are naturals if they can, else sharps.
    by_class = {(NATURAL[x] + up) % 12: (x, up) for up in (1, 0) for x in NATURAL}
    by_class |= {(NATURAL[x] + up) % 12: (x, up) for x, up in usual.items()}
    letter, up = by_class[int(pitch) % 12]
    octave = (int(pitch) - up - NATURAL[letter]) // 12 - 5  # MIDI 60 is C, the octave of the capital letters
    mark = "" if raised[letter] == up else {up: mark for mark, up in MARKS.items()}[up]
    name = letter + "," * -octave if octave < 1 else letter.lower() + "'" * (octave - 1)
    return mark + name + length, raised | {letter: up}


def to_symbols(text: str) -> Symbols:
    """Return the symbols of one tune in ABC notation.

    Read are fields (of them M, L and K count, in a line or in brackets), notes with accidentals and lengths, rests,
    tuplets, broken rhythm, bars and repeats; chord names, grace notes, slurs, ties and endings are passed over.

    Raises
    ------
    ConfigurationError
        For anything else, with the line that it stands in.
    """
    reader = _Reader()
    at = 0
    while at < len(text):
        at_line = at == 0 or text[at - 1] == "\n"
        token = (_FIELD.match(text, at) if at_line else None) or _TOKEN.match(text, at)
        if not token:
            line = text.count("\n", 0, at) + 1
            raise ConfigurationError(f"line {line} of the tune has {text[at : at + 8]!r}, which is not read here")
        reader.take(token.groupdict())
        at = token.end()
    return tuple(reader.out)


class _Reader:
    """What the symbols are so far, and what the next note's pitch and length hang on."""

    def __init__(self) -> None:
        self.out: list[str] = []
        self.usual = self.raised = signature("none")
        self.unit = self.tuplet = self.broken = Fraction(1)  # eighths; factors
        self.left = 0
        """How many notes of a tuplet are to come."""

    def take(self, token: dict[str, str | None]) -> None:
        if token.get("field"):
            self.field(token["field"] or "", (token["value"] or "").split("%")[0].strip())
        elif token.get("letter"):
            self.note({name: value or "" for name, value in token.items()})
        elif bar := token.get("bar"):
            self.out.append(REPEAT if bar[0] == ":" else LINE if bar[-1] in "]\n" else BAR)
            self.raised = self.usual
        elif token.get("tuplet"):
            self.left = int(token["tuplet"] or 0)
            self.tuplet = {2: Fraction(3, 2), 3: Fraction(2, 3), 4: Fraction(3, 4)}[self.left]
        elif token.get("broken") and self.out and self.out[-1][0].isdigit():  # a>b: a is longer by half, b shorter
            longer, shorter = Fraction(3, 2), Fraction(1, 2)
            before, self.broken = (longer, shorter) if token["broken"] == ">" else (shorter, longer)
            pitch, units = self.out[-1].split(":")
            self.out[-1] = f"{pitch}:{Fraction(units) * before}"

    def field(self, field: str, value: str) -> None:
        if field == "M":
            self.out.append(f"M:{value}")
        elif field == "K" and value != "none":
            self.out.append(f"K:{value}")
            self.usual = self.raised = signature(value)
        elif field == "L":
            self.unit = 8 * _fraction(value)

    def note(self, token: dict[str, str]) -> None:
        times, over = Fraction(token["times"] or 1), Fraction(token["over"] or 2 ** len(token["slash"]))
        length = times / over * self.unit * self.tuplet * self.broken
        self.left, self.broken = self.left - 1, Fraction(1)
        if self.left <= 0:
            self.tuplet = Fraction(1)
        letter = token["letter"].upper()
        if letter == "Z":
            self.out.append(f"z:{length}")
            return
        if token["mark"]:
            self.raised = self.raised | {letter: MARKS[token["mark"]]}
        self.out.append(f"{pitch(token['letter'], token['octave'], self.raised)}:{length}")


def _fraction(value: str) -> Fraction:
    try:
        return Fraction(value)
    except (ValueError, ZeroDivisionError):
        raise ConfigurationError(f"L:{value} is no length; write for example L:1/8") from None


def notes(symbols: Sequence[str], *, repeats: bool = False) -> list[Note]:
    """Return the notes of a melody in time, as written or with its repeated lines sounding twice."""
    out: list[Note] = []
    now, first, came_in = Fraction(0), 0, Fraction(0)
    for symbol in symbols:
        if symbol == REPEAT and repeats:
            out += [note._replace(start=note.start + now - came_in) for note in out[first:]]
            now += now - came_in
        if symbol in (LINE, REPEAT):
            first, came_in = len(out), now
        elif symbol[0].isdigit() or symbol[0] == "z":
            pitch, units = symbol.split(":")
            length = Fraction(units)
            if pitch != "z":
                out.append(Note(now, length, int(pitch)))
            now += length
    return out


def bars(symbols: Sequence[str]) -> list[tuple[str, Fraction]]:
    """Return for each bar, also an unfinished last one, the metre that it is in and how many eighths it holds."""
    out: list[tuple[str, Fraction]] = []
    metre, filled = "", Fraction(0)
    for symbol in (*symbols, BAR):
        if symbol.startswith("M:"):
            metre = symbol[2:]
        elif symbol[0].isdigit() or symbol[0] == "z":
            filled += Fraction(symbol.split(":")[1])
        elif symbol in (BAR, LINE, REPEAT):
            out.append((metre, filled))
            filled = Fraction(0)
    return out if out[-1][1] else out[:-1]
