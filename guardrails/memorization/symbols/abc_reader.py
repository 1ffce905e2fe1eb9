"""Reads the melody of tunes in ABC notation, leniently: what has no sound, or is not known here, is passed over.

After C. Walshaw, "The abc music standard 2.1", 2011. Of a chord the first note counts, repeats are read as they are
written, and voices one after the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from ...kit.text.abc_pitch import MARKS, NATURAL, pitch, signature

MAX_CHARACTERS = 50_000
"""Of a tune; longer ones are not read."""
MIN_NOTES = 8
"""A tune of fewer is none."""
_UNRAISED = dict.fromkeys(NATURAL, 0)
_TUPLETS = {2: 3, 3: 2, 4: 3, 5: 2, 6: 2, 7: 2, 8: 3, 9: 2}
"""Notes, and the time of how many they take."""
_FIELD = re.compile(r"([A-Za-z+]):(?![|:])[ \t]*([^\n]*)")
_TUNE = re.compile(r"^(?=X:)", re.MULTILINE)
_TOKEN = re.compile(
    r"""(?P<skip>"[^"\n]{0,200}"|\{[^}\n]{0,200}\}|![^!\n]{0,200}!|\+[^+\n]{0,200}\+|%[^\n]*)
      | \[(?P<field>[A-Za-z]):(?P<value>[^\]\n]*)\]
      | (?P<bar>\|)
      | \((?P<tuplet>[2-9])(?::(?P<time>[2-9])?)?(?::(?P<many>[1-9])?)?
      | (?P<broken>[<>]{1,3})
      | (?P<tie>-)
      | (?P<open>\[)(?=[\^_=A-Ga-g]) | (?P<close>\])
      | (?P<mark>\^\^?|__?|=)?(?P<letter>[A-Ga-gz])(?P<octave>[,']{0,4})
        (?P<times>\d{0,3})(?P<slash>/{0,5})(?P<over>(?<=/)\d{1,3})?
      | .""",
    re.VERBOSE,
)


class Note(NamedTuple):
    """MIDI pitch, and length in eighths."""

    pitch: int
    length: Fraction


def tunes(text: str) -> Iterator[list[Note]]:
    r"""Yield the notes of each tune in a text: one, or several that begin with the field ``X:``.

    >>> [[note.pitch for note in notes] for notes in tunes("X:1\nK:G\nGABc defg|")]
    [[67, 69, 71, 72, 74, 76, 78, 79]]
    """
    for tune in _TUNE.split(text):
        if len(tune) <= MAX_CHARACTERS and re.search(r"^K:", tune, re.MULTILINE):
            notes = _Reader().read(tune)
            if len(notes) >= MIN_NOTES:
                yield notes


class _Reader:
    """The notes so far, and what the next one's pitch and length hang on."""

    def __init__(self) -> None:
        self.notes: list[Note] = []
        self.usual = self.raised = _UNRAISED
        self.unit = self.broken = self.tuplet = Fraction(1)
        self.left = 0  # notes of a tuplet that are to come
        self.tied = False
        self.chord: int | None = None  # notes of the chord so far

    def read(self, tune: str) -> list[Note]:
        for line in tune.splitlines():
            if field := _FIELD.match(line):
                self.field(field[1], field[2])
                continue
            for token in _TOKEN.finditer(line):
                self.take(token)
        return self.notes

    def field(self, name: str, value: str) -> None:
        if name == "K":
            self.usual = self.raised = signature(value.strip()) or _UNRAISED
        elif name == "L" and (length := re.match(r"[ \t]*(\d{1,3})/([1-9]\d{0,2})", value)) and int(length[1]):
            self.unit = 8 * Fraction(int(length[1]), int(length[2]))

    def take(self, token: re.Match[str]) -> None:
        if token["letter"]:
            if not self.chord:
                self.note(token)
            if self.chord is not None:
                self.chord += 1
        elif token["bar"]:
            self.raised = self.usual
        elif token["field"]:
            self.field(token["field"], token["value"])
        elif token["tuplet"]:
            p = int(token["tuplet"])
            self.tuplet, self.left = Fraction(int(token["time"] or _TUPLETS[p]), p), int(token["many"] or p)
        elif token["broken"] and self.notes:  # a>b: a is longer by half, b shorter
            short = Fraction(1, 2 ** len(token["broken"]))
            before, self.broken = (2 - short, short) if token["broken"][0] == ">" else (short, 2 - short)
            self.notes[-1] = Note(self.notes[-1].pitch, self.notes[-1].length * before)
        elif token["tie"]:
            self.tied = bool(self.notes)
        elif token["open"]:
            self.chord = 0
        elif token["close"]:
            self.chord = None

    def note(self, token: re.Match[str]) -> None:
        times, over = int(token["times"] or 1), int(token["over"] or 2 ** len(token["slash"]))
        if not times or not over:
            return
        length = Fraction(times, over) * self.unit * self.tuplet * self.broken
        self.broken = Fraction(1)
        self.left -= 1
        if self.left <= 0:
            self.tuplet = Fraction(1)
        letter = token["letter"].upper()
        if letter == "Z":
            return
        if token["mark"]:
            self.raised = self.raised | {letter: MARKS[token["mark"]]}
        note = Note(pitch(token["letter"], token["octave"], self.raised), length)
        if self.tied and self.notes[-1].pitch == note.pitch:
            self.notes[-1] = Note(note.pitch, self.notes[-1].length + length)
        else:
            self.notes.append(note)
        self.tied = False
