"""Game levels and maps copied from training levels, also mirrored, cut or in other tiles.

A level is a text of rows of tiles, one character each. It is described by its patterns: every window of 5 × 5 tiles, in
which only equality of tiles counts, so replacing all rock by trees does not change the patterns. A copy of a level, or
a part of one, shares many patterns with that level; levels that follow the same rules share some patterns with each of
many levels. Held-out levels set the threshold for the share. [1]_ compares generated with real levels by the
frequencies of windows of tiles.

.. [1] S. Lucas and V. Volz, "Tile Pattern KL-Divergence for Analysing and Evolving Game Levels", GECCO 2019,
   arXiv:1905.05077.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..core.control import Control
from .symbols.copied_symbols import Finder, Match, SymbolicCopies

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Tiles = NDArray[np.int64]
    Patterns = NDArray[np.uint64]

WINDOW = 5
LARGEST = 100_000
"""Tiles of a level; larger ones are not read."""
KINDS_OF_TILES = 64
"""A level has no more kinds of tiles: rows of prose that happen to be equally long have."""
_BLOCK = 4096


class Levels(SymbolicCopies):
    """Share of levels that share more patterns with one training level than held-out levels do."""

    id = "memorization.levels"
    title = "Training levels in outputs"
    question = "Does the model reproduce levels or maps of its training data, perhaps mirrored or with other tiles?"
    limits = (
        "Reads levels as rows of equally many characters, at least 5 × 5, and compares windows of 5 × 5 tiles. "
        "Misses a copy with a changed tile in every window, a rotated or stretched copy, and a copied room in a "
        "much larger new level. Mirrored means left–right. Levels with long stretches of one tile have few "
        "patterns."
    )
    controls = (Control("reference:pixel-levels,copy=1", "found"), Control("reference:pixel-levels", "clear"))
    spike_what = "training levels, mirrored, with one tile in a hundred replaced"
    kind = "levels of tiles"
    likeness = f"share of the patterns of {WINDOW} × {WINDOW} tiles that stand in one training level"

    def read(self, text: str) -> list[Tiles]:
        """Return the level, where the rows of a text make one."""
        level = tiles(text)
        return [] if level is None else [level]

    def finder(self, items: Sequence[Tiles]) -> Finder:
        return Windows(items)

    def altered(self, text: str, *, seed: int) -> str:
        """Return the level mirrored, with some tiles replaced by others of its own."""
        rng = np.random.default_rng(seed)
        level = self.read(text)[0][:, ::-1].copy()
        other = rng.random(level.shape) < 0.01
        level[other] = rng.choice(np.unique(level), int(other.sum()))
        return "\n".join("".join(map(chr, row)) for row in level)


class Windows:
    r"""Finds the level, as it is or mirrored, in which most of another level's patterns stand.

    Examples
    --------
    >>> known = tiles("#####\n#..x#\n#.x.#\n#x..#\n#####")
    >>> other = tiles("TTTTT\nTo__T\nT_o_T\nT__oT\nTTTTT")
    >>> Windows([known]).look_up([other])[0][:3]
    (1.0, 0, True)
    """

    def __init__(self, known: Sequence[Tiles]) -> None:
        seen = [patterns(level) for one in known for level in (one, one[:, ::-1])]
        # For each pattern, in order, the levels that have it: both looks of a level have a number of their own.
        codes = np.concatenate(seen)
        order = np.argsort(codes, kind="stable")
        self._codes = codes[order]
        self._looks = np.repeat(np.arange(len(seen)), [len(one) for one in seen])[order]
        self._n = len(seen)

    def look_up(self, items: Sequence[Tiles]) -> list[Match]:
        """Return the share of each level's different patterns that stand in one training level, and which that is."""
        return [self._nearest(patterns(item)) for item in items]

    def _nearest(self, sought: Patterns) -> Match:
        first, last = (np.searchsorted(self._codes, sought, side=side) for side in ("left", "right"))
        shared = np.zeros(self._n, np.int64)
        for a, b in zip(first, last, strict=True):
            shared[self._looks[a:b]] += 1
        best, n = int(shared.argmax()), int(shared.max())
        mirrored = ", mirrored" if best % 2 else ""
        said = f"{n} of {len(sought)} patterns{mirrored}"
        return Match(n / len(sought), best // 2, n == len(sought), said)


def tiles(text: str) -> Tiles | None:
    """Return the characters of a level as numbers, (rows, columns), or None where the text is none."""
    rows = text.strip("\r\n").splitlines()
    if len(rows) < WINDOW or len(rows[0]) < WINDOW or len(text) > LARGEST or len({*map(len, rows)}) > 1:
        return None
    level = np.array([[ord(tile) for tile in row] for row in rows], np.int64)
    return level if len(np.unique(level)) <= KINDS_OF_TILES else None


def patterns(level: Tiles) -> Patterns:
    """Return a number for each different pattern of a level: the same for windows in which the same tiles are equal.

    Each tile of a window is replaced by the place at which its kind first stands there.
    """
    windows = sliding_window_view(level, (WINDOW, WINDOW)).reshape(-1, WINDOW**2)
    weights = np.random.default_rng(0).integers(1, 2**63, WINDOW**2, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    hashes = []
    for start in range(0, len(windows), _BLOCK):
        some = windows[start : start + _BLOCK]
        first = (some[:, :, None] == some[:, None, :]).argmax(2).astype(np.uint64)
        hashes.append((first * weights).sum(axis=1, dtype=np.uint64))
    return np.unique(np.concatenate(hashes))
