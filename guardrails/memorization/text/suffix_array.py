"""A suffix array [1]_ of one text, and searches in it for many strings at once.

Every search is a binary search in which each string keeps how many first bytes it shares with the suffix before and
the one after its place, so that few bytes are compared twice ([1]_, section 2, without its tables of common prefixes).
All strings take each step together.

.. [1] U. Manber and G. Myers, "Suffix arrays: a new method for on-line string searches", SIAM J. Comput. 22(5), 1993.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...kit.text.stored_corpus import PAD, SEPARATOR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Ints = NDArray[np.int64]

STEP = 64
"""Of every so many suffixes, the first eight bytes are kept side by side: they narrow a search to a few suffixes."""
WORDS = 2
"""So many words of 8 bytes are compared one by one, then blocks."""
BLOCK = 256


class Places(NamedTuple):
    """Where strings would be inserted; `before`, `after`: the first bytes known to be shared with the neighbours."""

    spot: Ints
    before: Ints
    after: Ints


@dataclass(frozen=True)
class SuffixArray:
    """A text and its suffixes in order.

    Attributes
    ----------
    text : array of uint8, (n + PAD,)
        Documents, each followed by `SEPARATOR`; then zeros.
    suffixes : array of int32, (m,)
        Where each suffix begins, in order of bytes; none begins at a separator.
    keys : array of uint64, (ceil(m / STEP),)
        The first eight bytes of every `STEP`-th suffix, the first byte the highest.
    """

    text: Bytes
    suffixes: NDArray[np.int32]
    keys: NDArray[np.uint64]

    @classmethod
    def build(cls, text: Bytes) -> SuffixArray:
        """Sort the suffixes of a padded text of less than 2 GiB."""
        from pydivsufsort import divsufsort

        body = text[: len(text) - PAD]
        # The separator is the highest byte: its suffixes, which nobody looks for, are the last.
        wanted = len(body) - int(np.count_nonzero(body == SEPARATOR))  # counted first: it takes memory too
        suffixes = divsufsort(body)[:wanted]
        return cls(text, suffixes, _words(text)[suffixes[::STEP]].byteswap())

    @cached_property
    def _words(self) -> NDArray[np.uint64]:
        return _words(self.text)

    def places(self, query: Query, at: Ints, end: Ints, *, after: bool = False) -> Places:
        """Return where the strings ``query[at:end]`` belong: before all suffixes that begin with them, or after."""
        index, limit = self._narrow(query, at, end)
        before, behind = np.zeros_like(index), np.zeros_like(index)
        todo = np.flatnonzero(index < limit)
        while len(todo):
            middle = (index[todo] + limit[todo]) // 2
            place = self.suffixes[middle].astype(np.int64)
            common = self.common(query, at[todo], end[todo], place, np.minimum(before[todo], behind[todo]))
            smaller = self.text[place + common] < query.text[at[todo] + common]
            smaller = np.where(common == end[todo] - at[todo], after, smaller)
            up, down = todo[smaller], todo[~smaller]
            index[up], before[up] = middle[smaller] + 1, common[smaller]
            limit[down], behind[down] = middle[~smaller], common[~smaller]
            todo = todo[index[todo] < limit[todo]]
        return Places(index, before, behind)

    def longest(self, query: Query, at: Ints, end: Ints) -> tuple[Ints, Ints]:
        """Return how many first bytes of each string ``query[at:end]`` stand in the text, at most, and a place."""
        places = self.places(query, at, end)
        # The longest match is with one of the two neighbours.
        before, after = (
            self.suffixes[np.clip(index, 0, len(self.suffixes) - 1)].astype(np.int64)
            for index in (places.spot - 1, places.spot)
        )
        low = self.common(query, at, end, before, places.before)
        high = self.common(query, at, end, after, places.after)
        return np.maximum(low, high), np.where(low > high, before, after)

    def common(self, query: Query, at: Ints, end: Ints, place: Ints, known: Ints) -> Ints:
        """Return how many first bytes of ``query[at:end]`` and the text at `place` agree; `known` of them do."""
        out, todo = known.copy(), np.arange(len(at))
        for _ in range(WORDS):
            differ = query.words[at[todo] + out[todo]] ^ self._words[place[todo] + out[todo]]
            out[todo] += _equal_bytes(differ)
            todo = todo[(differ == 0) & (at[todo] + out[todo] < end[todo])]
            if not len(todo):
                break
        while len(todo):
            unlike = query.blocks[at[todo] + out[todo]] != _blocks(self.text)[place[todo] + out[todo]]
            ended = unlike.any(axis=1)
            out[todo] += np.where(ended, unlike.argmax(axis=1), BLOCK)
            todo = todo[~ended & (at[todo] + out[todo] < end[todo])]
        return np.asarray(np.minimum(out, end - at))

    def _narrow(self, query: Query, at: Ints, end: Ints) -> tuple[Ints, Ints]:
        """Return bounds of where each string belongs, from its first eight bytes."""
        spare = 8 * np.clip(8 - (end - at), 0, 7).astype(np.uint64)
        free = (np.uint64(1) << spare) - np.uint64(1)
        key = query.words[at].byteswap()
        first = np.searchsorted(self.keys, key & ~free, side="left")
        last = np.searchsorted(self.keys, key | free, side="right")
        low = np.where(first > 0, (first - 1) * STEP + 1, 0)
        return low.astype(np.int64), np.minimum(last * STEP, len(self.suffixes)).astype(np.int64)


class Query:
    """Strings to look for, laid end to end with a byte between them that stands in no text."""

    END = 0xFE

    def __init__(self, strings: list[bytes]) -> None:
        joined = b"".join(string + bytes([self.END]) for string in strings) + bytes([self.END]) * PAD
        self.text: Bytes = np.frombuffer(joined, np.uint8)
        self.words, self.blocks = _words(self.text), _blocks(self.text)
        lengths = np.array([len(string) + 1 for string in strings], dtype=np.int64)
        self.end: Ints = np.cumsum(lengths) - 1
        """Where each string ends."""
        self.begin: Ints = self.end + 1 - lengths

    @cached_property
    def characters(self) -> tuple[Ints, Ints]:
        """Where each character begins, and how many begin before each byte."""
        begins = ((self.text & 0xC0) != 0x80) & (self.text != self.END)
        return np.flatnonzero(begins), np.concatenate([[0], np.cumsum(begins)])


def _words(text: Bytes) -> NDArray[np.uint64]:
    """Return a view of eight bytes from every place, the first byte the lowest."""
    return np.ndarray((len(text) - 7,), dtype="<u8", buffer=text, strides=(1,))


def _blocks(text: Bytes) -> Bytes:
    return np.lib.stride_tricks.sliding_window_view(text, BLOCK)


def _equal_bytes(differ: NDArray[np.uint64]) -> Ints:
    """Return how many lowest bytes are zero: 8 for zero."""
    lowest = differ & (~differ + np.uint64(1))  # a power of two, exact as a float
    return np.where(differ == 0, 8, (np.frexp(lowest.astype(np.float64))[1] - 1) >> 3).astype(np.int64)
