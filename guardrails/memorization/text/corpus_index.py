"""An exact index of a text corpus: how often a string stands in it, and the longest part of an output that does.

One suffix array a shard, over UTF-8 bytes; a byte that UTF-8 never uses ends each document, so that nothing is matched
across two. An index lies in a folder and is mapped from there: five bytes and a quarter for each byte of text.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...core.errors import ConfigurationError
from ...kit.text.stored_corpus import PAD, SEPARATOR, StoredCorpus, damaged, load_array
from .suffix_array import STEP, Query, SuffixArray

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Ints = NDArray[np.int64]

SHARD = 2**31 - 1 - PAD
"""Bytes of text in a shard, at most: places in it are 32-bit numbers."""
SHARD_BYTES = 2**29
"""Bytes of text in a shard unless told otherwise: sorting them takes about six times as much memory."""
QUERY = 2**18
"""Bytes that are searched for at once."""
RANGE = 2**20
"""Suffixes whose documents are looked up at once."""


class Match(NamedTuple):
    """The longest part of an output that stands in the corpus."""

    length: int
    """Characters."""
    start: int
    """The first character of the output that is part of it."""
    document: int | None
    """Number of a document that holds it; None where no character is shared."""


class Count(NamedTuple):
    """How often a string stands in the corpus."""

    occurrences: int
    documents: int
    """The k of k-eidetic memorization (Carlini et al. 2021, arXiv 2012.07805, definition 2)."""


@dataclass(frozen=True)
class Shard:
    """A run of documents with their suffix array; `starts` holds where each begins, and the end of the text."""

    array: SuffixArray
    starts: Ints

    @classmethod
    def build(cls, text: Bytes, starts: Ints) -> Shard:
        """Index documents of at most `SHARD` bytes, as `group_documents` yields them."""
        return cls(SuffixArray.build(text), starts)

    def document(self, places: Ints) -> Ints:
        """Return the number, within the shard, of the document at each place."""
        return np.searchsorted(self.starts, places, side="right") - 1

    def documents(self, first: int, last: int) -> NDArray[np.bool_]:
        """Return which documents the suffixes from `first` up to `last` lie in, (documents,)."""
        seen = np.zeros(len(self.starts) - 1, dtype=bool)
        for begin in range(first, last, RANGE):
            seen[self.document(self.array.suffixes[begin : min(last, begin + RANGE)].astype(np.int64))] = True
        return seen


@contextmanager
def _intact() -> Iterator[None]:
    """Say what an index folder that was altered raises in numpy."""
    try:
        yield
    except IndexError:
        raise ConfigurationError("the index is damaged (a place lies outside of its text); make it again") from None


class CorpusIndex:
    """Exact searches in a corpus.

    Examples
    --------
    >>> index = CorpusIndex.from_documents(["the cat sat", "a cat sat too", "café"])
    >>> index.count("cat sat")
    Count(occurrences=2, documents=2)
    >>> index.longest(["my cat sat down", "cafés", "zzz"])[0]
    Match(length=9, start=2, document=1)
    """

    def __init__(self, shards: Iterable[Shard]) -> None:
        self.shards = tuple(shards)
        self._first = np.cumsum([0, *(len(shard.starts) - 1 for shard in self.shards)])

    @classmethod
    def from_documents(cls, documents: Iterable[str], *, shard_bytes: int = SHARD_BYTES) -> CorpusIndex:
        """Index documents in memory; empty ones keep their number."""
        return cls(Shard.build(*group) for group in group_documents(documents, shard_bytes))

    @classmethod
    def open(cls, corpus: StoredCorpus | str | Path) -> CorpusIndex:
        """Map an index folder.

        Raises
        ------
        ConfigurationError
            For a folder that is no index, unfinished, damaged or of another version.
        """
        stored = corpus if isinstance(corpus, StoredCorpus) else StoredCorpus(corpus)
        shards = []
        for folder, (text, starts) in zip(stored.shard_folders(), stored.shards, strict=True):
            suffixes, keys = load_array(folder, "suffixes", "int32"), load_array(folder, "keys", "uint64")
            if len(suffixes) != len(text) - PAD - (len(starts) - 1) or len(keys) != -(-len(suffixes) // STEP):
                raise damaged(folder, "its arrays do not fit together")
            shards.append(Shard(SuffixArray(text, suffixes, keys), starts))
        return cls(shards)

    def __len__(self) -> int:
        """Return the number of documents."""
        return int(self._first[-1])

    @_intact()
    def counts(self, strings: Sequence[str | bytes]) -> list[Count]:
        """Return how often each string stands in the corpus, and in how many documents.

        Raises
        ------
        ConfigurationError
            For an empty string.
        """
        counts = np.zeros((len(strings), 2), dtype=np.int64)
        for shard, rows in self._ranges(strings):
            for i, (first, last) in enumerate(rows):
                counts[i] += (last - first, int(shard.documents(first, last).sum()))
        return [Count(int(occurrences), int(documents)) for occurrences, documents in counts]

    def count(self, string: str | bytes) -> Count:
        """Return how often a string stands in the corpus, and in how many documents."""
        return self.counts([string])[0]

    @_intact()
    def documents(self, string: str | bytes) -> list[int]:
        """Return the numbers of the documents that hold a string."""
        return [
            int(number + first)
            for (shard, rows), first in zip(self._ranges([string]), self._first, strict=False)
            for number in np.flatnonzero(shard.documents(*rows[0]))
        ]

    def _ranges(self, strings: Sequence[str | bytes]) -> Iterator[tuple[Shard, list[tuple[int, int]]]]:
        """Yield, for each shard, the range of suffixes that begin with each string."""
        sought = [encoded(string) for string in strings]
        if not all(sought):
            raise ConfigurationError("an empty string stands everywhere; give one to look for")
        # What is no UTF-8 stands nowhere: these two bytes are the index's own.
        absent = [SEPARATOR in string or Query.END in string for string in sought]
        query = Query([b"" if no else string for no, string in zip(absent, sought, strict=True)])
        for shard in self.shards:
            first, last = (
                shard.array.places(query, query.begin, query.end, after=after).spot for after in (False, True)
            )
            yield shard, [(0, 0) if no else (int(a), int(b)) for no, a, b in zip(absent, first, last, strict=True)]

    @_intact()
    def longest(self, outputs: Sequence[str]) -> list[Match]:
        """Return the longest part of each output that stands within one document, exactly.

        Of the characters i of an output, the match that begins at i ends no earlier than the one that begins before
        it. So where the ends of two are known, those between them are bounded: e(i) − i ≤ e(b) − i for i < b, and only
        where that exceeds the longest so far is the middle looked up. What is copied whole costs two searches.
        """
        matches: list[Match] = []
        for group in _groups([encoded(output) for output in outputs]):
            matches += self._longest(Query(group))
        return matches

    def _longest(self, query: Query) -> list[Match]:
        at, before = query.characters
        first, last = before[query.begin], before[query.end] - 1
        best, start, document = (np.full(len(first), value, np.int64) for value in (0, 0, -1))
        for shard, offset in zip(self.shards, self._first, strict=False):
            ends = np.zeros(len(at), np.int64)
            of = np.flatnonzero(last >= first) if len(shard.array.suffixes) else np.empty(0, np.int64)
            low, high = first[of], last[of]
            looked_up, whose = np.concatenate([low, high]), np.concatenate([of, of])
            while len(looked_up):
                ends[looked_up], place = _match(shard.array, query, looked_up, query.end[whose])
                length = ends[looked_up] - looked_up
                order = np.lexsort((-looked_up, length))
                order = order[length[order] > best[whose[order]]]
                # Where an output comes more than once, the last assigned is the longest, and the first of equals.
                better = whose[order]
                best[better], start[better] = length[order], looked_up[order] - first[better]
                document[better] = shard.document(place[order]) + offset
                # A longer match that begins between two characters begins before this one.
                limit = np.minimum(high, ends[high] - best[of])
                wide = limit - low > 1
                low, high, of, whose = low[wide], high[wide], of[wide], of[wide]
                looked_up = (low + limit[wide]) // 2
                low, high = np.concatenate([low, looked_up]), np.concatenate([looked_up, high])
                of = np.concatenate([of, of])
        return [
            Match(int(length), int(begin), int(number) if length else None)
            for length, begin, number in zip(best, start, document, strict=True)
        ]


def _match(array: SuffixArray, query: Query, character: Ints, end: Ints) -> tuple[Ints, Ints]:
    """Return the character before which the longest match from each character ends, and a place of it."""
    at, before = query.characters
    length, place = array.longest(query, at[character], end)
    stop = at[character] + length
    # A character of which only the first bytes agree is not shared.
    return before[stop] - ((query.text[stop] & 0xC0) == 0x80), place


def encoded(string: str | bytes) -> bytes:
    """Return the bytes of a string as the index holds them; a model may write half of a surrogate pair."""
    return string if isinstance(string, bytes) else string.encode("utf-8", "surrogatepass")


def group_documents(documents: Iterable[str], shard_bytes: int) -> Iterator[tuple[Bytes, Ints]]:
    """Yield the text of one shard after the other; a longer document is a shard of its own.

    Yields
    ------
    text : array of uint8
        Documents, each followed by `SEPARATOR`; then `PAD` zeros.
    starts : array of int64, (documents + 1,)
        Where each begins, and the end.

    Raises
    ------
    ConfigurationError
        For a document of 2 GiB.
    """
    # Documents go straight to their place: a list of them would take as much memory again, and more.
    text, starts = bytearray(), array("q", [0])
    for document in map(encoded, documents):
        if len(document) >= SHARD:
            raise ConfigurationError(f"a document of {len(document):,} bytes; at most {SHARD - 1:,} can be indexed")
        if text and len(text) + len(document) + 1 > shard_bytes:
            yield _padded(text, starts)
            text, starts = bytearray(), array("q", [0])
        text += document
        text.append(SEPARATOR)
        starts.append(len(text))
    if text:
        yield _padded(text, starts)


def _padded(text: bytearray, starts: array[int]) -> tuple[Bytes, Ints]:
    text += bytes(PAD)
    return np.frombuffer(text, np.uint8), np.frombuffer(starts, np.int64)


def _groups(strings: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Yield strings in groups that are searched for at once."""
    group: list[bytes] = []
    size = 0
    for string in strings:
        if group and size + len(string) > QUERY:
            yield group
            group, size = [], 0
        group.append(string)
        size += len(string)
    if group:
        yield group
