"""Keys, accidentals and octaves of ABC notation [1]_: what its readers here share.

.. [1] C. Walshaw, "The abc music standard 2.1", 2011, https://abcnotation.com/wiki/abc:standard:v2.1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

NATURAL = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
SHARPS = "FCGDAEB"
"""The letters in the order in which key signatures raise them, and from the end lower them."""
MODES = {"": 0, "maj": 0, "m": -3, "min": -3, "dor": -2, "mix": -1, "lyd": 1, "phr": -4, "loc": -5, "aeo": -3, "ion": 0}
MARKS = {"": 0, "=": 0, "^": 1, "_": -1, "^^": 2, "__": -2}
"""Accidentals, and by how many semitones they raise a letter."""


def signature(key: str) -> dict[str, int] | None:
    """Return by how many semitones a key raises each letter, or None for what is no key.

    >>> {letter: up for letter, up in signature("Dmin").items() if up}
    {'B': -1}
    """
    match = re.match(r"([A-G])([#b]?)\s*([A-Za-z]*)", key)
    mode = match[3].lower()[:3] if match else ""
    if not match or mode not in MODES:
        return None
    fifths = SHARPS.index(match[1]) - 1 + 7 * {"": 0, "#": 1, "b": -1}[match[2]] + MODES[mode]
    return {letter: (fifths - SHARPS.index(letter) + 6) // 7 for letter in NATURAL}


def pitch(letter: str, octave: str, raised: Mapping[str, int]) -> int:
    """Return the MIDI pitch of a letter, lower case an octave higher, with its marks ``'`` and ``,``.

    >>> pitch("c", ",", {"C": 1})
    61
    """
    name = letter.upper()
    octaves = letter.islower() + octave.count("'") - octave.count(",")
    return 60 + 12 * octaves + NATURAL[name] + raised[name]
