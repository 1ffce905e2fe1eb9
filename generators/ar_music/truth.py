"""What is true of tunes: whether one is plagiarised, and whether it keeps to its key, its metre and its form.

Plagiarism is a shared run of intervals and lengths, so that a transposed copy is as much of a copy as any other. Tunes
are made of common turns: short runs are shared by chance, and how long a run is chance no more is measured on tunes
that nobody copied.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import cards
from .abc_notation import BAR, LINE, REPEAT, Symbols, bars, notes, tonic
from .melodies import METRES, in_key

if TYPE_CHECKING:
    from numpy.typing import NDArray

BY_CHANCE = 0.005
"""At most this share of tunes that nobody copied is to count as copied."""
WIDEST = 12
"""Wider intervals, in semitones, are counted as this wide."""


class Originals:
    """Tunes that may have been copied, as strings: one character for each interval and the length of its second note.

    Parameters
    ----------
    tunes : sequence of tuple of str
        As symbols.
    """

    def __init__(self, tunes: Sequence[Symbols]) -> None:
        self._signs: dict[tuple[int, Fraction], str] = {}
        self.runs = [self._run(tune, learn=True) for tune in tunes]
        self._all = "\n".join(self.runs)

    def _run(self, tune: Symbols, *, learn: bool = False) -> str:
        turns = [(b.pitch - a.pitch, b.length) for a, b in pairwise(notes(tune))]
        if learn:
            for turn in turns:
                self._signs.setdefault(turn, chr(0x100 + len(self._signs)))
        return "".join(self._signs.get(turn, "\0") for turn in turns)

    def _longest(self, tune: Symbols) -> str:
        run, longest = self._run(tune), ""
        for at in range(len(run)):
            while at + len(longest) < len(run) and (longer := run[at : at + len(longest) + 1]) in self._all:
                longest = longer
        return longest

    def shared(self, tune: Symbols) -> int:
        """Return how many notes in a row the tune has in common with one of the originals, in whatever key.

        >>> tune = ("M:4/4", "K:C", "60:2", "64:2", "67:4", "|")
        >>> Originals([tune]).shared(("M:4/4", "K:D", "62:8", "|", "66:2", "69:4", "66:2", "|"))
        3
        """
        longest = self._longest(tune)
        return len(longest) + 1 if longest else 0

    def nearest(self, tune: Symbols) -> int:
        """Return the place of the first original that has the longest run in common with the tune."""
        longest = self._longest(tune)
        return next(i for i, run in enumerate(self.runs) if longest in run)


def longer_than_chance(shared: NDArray[np.int64]) -> int:
    """Return the shortest run that at most 0.5% of fresh tunes share, which share runs of these lengths.

    >>> longer_than_chance(np.array([5] * 200 + [6]))
    6
    """
    return next(run for run in range(1, int(shared.max()) + 2) if (shared >= run).mean() <= BY_CHANCE)


def plagiarised(samples: Sequence[Symbols], originals: Originals, fresh: Sequence[Symbols]) -> dict[str, Any]:
    """Return the share of samples that have a longer run in common with an original than chance has it, as a figure."""
    by_nobody = np.array([originals.shared(tune) for tune in fresh])
    run = longer_than_chance(by_nobody)
    by_chance = cards.rate(int((by_nobody >= run).sum()), len(fresh), "")
    what = (
        f"share of samples with {run} notes in a row, by interval and length, of one training tune; 95% Wilson"
        f" interval. Of fresh tunes {by_chance['low']:.2%} to {by_chance['high']:.2%} have them ({len(fresh)} drawn)"
    )
    figure = cards.rate(sum(originals.shared(tune) >= run for tune in samples), len(samples), what)
    return figure | {"run": run, "by_chance": by_chance["value"]}


def share_in_key(tune: Symbols) -> float:
    """Return the share of notes that belong to the key that the tune states; 0 without notes or a key."""
    key = next((symbol[2:] for symbol in tune if symbol.startswith("K:")), "")
    pitches = [note.pitch for note in notes(tune)]
    return float(np.mean([in_key(pitch, key) for pitch in pitches])) if key and pitches else 0.0


def share_in_metre(tune: Symbols) -> float:
    """Return the share of bars that hold exactly what the metre says; 0 without bars."""
    filled = [length == METRES.get(metre) for metre, length in bars(tune)]
    return float(np.mean(filled)) if filled else 0.0


def comes_home(tune: Symbols) -> bool:
    """Tell whether the last note is the tonic."""
    key = next((symbol[2:] for symbol in tune if symbol.startswith("K:")), "")
    written = notes(tune)
    return bool(key and written) and written[-1].pitch % 12 == tonic(key)


def has_form(tune: Symbols) -> bool:
    """Tell whether there are 2–4 lines of 4 bars, and no more."""
    ends = [symbol for symbol in tune if symbol in (BAR, LINE, REPEAT)]
    lines = len(ends) // 4
    return 2 <= lines <= 4 and [end == BAR for end in ends] == [True, True, True, False] * lines


def intervals(tunes: Sequence[Symbols]) -> NDArray[np.float64]:
    """Return the share of each interval from −12 to 12 semitones, wider ones counted with the last."""
    moves = [b.pitch - a.pitch for tune in tunes for a, b in pairwise(notes(tune))]
    counts = np.bincount(np.clip(moves, -WIDEST, WIDEST) + WIDEST, minlength=2 * WIDEST + 1)
    shares: NDArray[np.float64] = counts / counts.sum()
    return shares


def interval_distances(a: Sequence[Symbols], b: Sequence[Symbols], parts: int = 8) -> NDArray[np.float64]:
    """Return the total variation distance of the intervals of two sets of tunes, part by part."""
    return np.array([abs(intervals(a[i::parts]) - intervals(b[i::parts])).sum() / 2 for i in range(parts)])
