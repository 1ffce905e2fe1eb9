"""Melodies copied from training tunes, in any key and at any speed.

A melody is the sequence of its steps: the interval to the next note in semitones, and the ratio of the durations.
Transposing a melody, or writing it in notes twice as long, does not change the steps. The similarity of two tunes is
the longest run of steps that they share. Tunes contain common phrases, so held-out tunes set the threshold for the
length of a run, as the originality report of [1]_ compares generated music with the overlap between human pieces.

.. [1] Z. Yin, F. Reuben, S. Stepney and T. Collins, "Measuring When a Music Generation Algorithm Copies Too Much: The
   Originality Report, Cardinality Score, and Symbolic Fingerprinting by Geometric Hashing", SN Computer Science 3,
   2022.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

from ..core.control import Control
from .symbols.abc_reader import Note, tunes
from .symbols.copied_symbols import Finder, Match, SymbolicCopies

if TYPE_CHECKING:
    from .text.corpus_index import CorpusIndex

Step = tuple[int, Fraction]
UNKNOWN = "\0"
_FIRST, _SURROGATES = 0x100, range(0xD800, 0xE000)


class Melodies(SymbolicCopies):
    """Share of melodies with a longer run of notes in common with a training tune than held-out tunes have."""

    id = "memorization.melodies"
    title = "Melodies of training tunes in outputs"
    question = "Does the model reproduce melodies of its training data, perhaps in another key or at another speed?"
    limits = (
        "Compares the single melody line of tunes in ABC notation, note by note. Ornaments, another rhythm within "
        "the run, harmony and style are ignored; of a chord only the first note is read, and repeats are not "
        "expanded. A melody that everybody knows counts as copied if it occurs in the corpus."
    )
    controls = (Control("reference:ar-music,plagiarise=1", "found"), Control("reference:ar-music", "clear"))
    spike_what = "training tunes a minor third higher, in notes twice as long"
    kind = "tunes in ABC notation"
    likeness = "notes in a row, by interval and relative length, of one training tune"

    def read(self, text: str) -> list[tuple[Step, ...]]:
        """Return the steps of each tune."""
        return [steps(notes) for notes in tunes(text)]

    def finder(self, items: Sequence[tuple[Step, ...]]) -> Finder:
        return Runs(items)

    def altered(self, text: str, *, seed: int) -> str:
        """Return the first tune three semitones up and half as fast."""
        return written([Note(note.pitch + 3, 2 * note.length) for note in next(tunes(text))])


class Runs:
    """Finds the longest run of steps that tunes share with others, exactly: each step is a letter of a text.

    Parameters
    ----------
    known : sequence of tuple of (int, Fraction)
        Intervals in semitones, and lengths of the second note over the first.

    Examples
    --------
    >>> half = Fraction(1, 2)
    >>> Runs([((4, half), (3, half), (-7, Fraction(4)))]).look_up([((2, half), (4, half), (3, half))])[0].score
    3.0
    """

    def __init__(self, known: Sequence[tuple[Step, ...]]) -> None:
        from .text.corpus_index import CorpusIndex

        self._letters: dict[Step, str] = {}
        for step in (step for tune in known for step in tune):
            self._letters.setdefault(step, _letter(len(self._letters)))
        self._index: CorpusIndex = CorpusIndex.from_documents([self._spelt(tune) for tune in known])

    def _spelt(self, tune: tuple[Step, ...]) -> str:
        return "".join(self._letters.get(step, UNKNOWN) for step in tune)

    def look_up(self, items: Sequence[tuple[Step, ...]]) -> list[Match]:
        """Return the longest run of each tune: n steps in a row are n + 1 notes."""
        matches = self._index.longest([self._spelt(tune) for tune in items])
        return [
            Match(
                score=float(match.length + 1 if match.length else 0),
                place=match.document or 0,
                whole=match.length == len(tune),
                said=f"{match.length + 1} notes in a row of {len(tune) + 1}",
            )
            for match, tune in zip(matches, items, strict=True)
        ]


def _letter(number: int) -> str:
    place = _FIRST + number
    return chr(place if place < _SURROGATES.start else place + len(_SURROGATES))


def steps(notes: Sequence[Note]) -> tuple[Step, ...]:
    """Return interval and ratio of lengths from each note to the next."""
    return tuple((b.pitch - a.pitch, b.length / a.length) for a, b in pairwise(notes))


def written(notes: Sequence[Note]) -> str:
    r"""Return notes as a tune in ABC notation without key or bars.

    >>> written([Note(61, Fraction(1)), Note(72, Fraction(3, 2))])
    'X:1\nL:1/8\nK:none\n^C1/1 =c3/2'
    """
    names = ("=C", "^C", "=D", "^D", "=E", "=F", "^F", "=G", "^G", "=A", "^A", "=B")
    out = []
    for note in notes:
        octave, place = divmod(note.pitch - 60, 12)
        name = names[place] + "," * -octave if octave < 1 else names[place].lower() + "'" * (octave - 1)
        out.append(f"{name}{note.length.numerator}/{note.length.denominator}")
    return "X:1\nL:1/8\nK:none\n" + " ".join(out)
