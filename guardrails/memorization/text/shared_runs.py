"""Runs of a text that a corpus holds and held-out documents do not: what new documents share is no copy of a corpus."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...kit.text.stored_corpus import StoredCorpus
from .corpus_index import CorpusIndex, Shard, encoded
from .passages import fingerprint, masked
from .suffix_array import Query

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

RUN = 100
"""Characters of a run that counts."""
COMMON = 50
"""Characters of a run that a held-out document holds, from which they are common text: half a run that counts."""
SHOWN_WORDS = 8
GROUP = 2**18
"""Characters that are searched for at once."""


class CommonText:
    """Marks in texts what held-out documents hold.

    Parameters
    ----------
    index : CorpusIndex
        Of the held-out documents.
    ignored : collection of int
        Numbers of held-out documents that do not count, because they stand in the corpus whole.

    Examples
    --------
    >>> licence = "You may copy this text for any purpose, without asking anyone for permission."
    >>> common = CommonText(CorpusIndex.from_documents([f"A poem. {licence}", "A tale."]), [])
    >>> len(licence), int(common.marks([f"Some code. {licence} More of it."], [None])[0].sum())
    (77, 79)
    >>> common.marks([f"A poem. {licence}"], [0])[0].any()
    np.False_
    """

    def __init__(self, index: CorpusIndex, ignored: Collection[int]) -> None:
        self._index = index
        self._ignored = np.zeros(len(index), dtype=bool)
        self._ignored[list(ignored)] = True

    def marks(self, texts: Sequence[str], sources: Sequence[int | None]) -> list[Bools]:
        """Return which characters of each text stand in a run of `COMMON` that a held-out document holds.

        Parameters
        ----------
        texts : sequence of str
            Of any length.
        sources : sequence of int or None
            The held-out document that a text was taken from, which does not count for it.
        """
        out: list[Bools] = []
        group: list[int] = []
        size = 0
        for i, text in enumerate(texts):
            group.append(i)
            size += len(text)
            if size >= GROUP or i == len(texts) - 1:
                out += self._marks([texts[k] for k in group], [sources[k] for k in group])
                group, size = [], 0
        return out

    def _marks(self, texts: Sequence[str], sources: Sequence[int | None]) -> list[Bools]:
        query = Query([encoded(text) for text in texts])
        at, _ = query.characters
        sizes = np.array([len(text) for text in texts])
        first = np.cumsum(sizes) - sizes
        windows = [np.arange(begin, begin + size - COMMON + 1) for begin, size in zip(first, sizes, strict=True)]
        begins, of = np.concatenate(windows), np.repeat(np.arange(len(texts)), list(map(len, windows)))
        # The character behind a window may be the first of the next text, which stands one byte behind this one's end.
        behind = np.append(at, query.end[-1] + 1)[begins + COMMON]
        source = np.array([-1 if number is None else number for number in sources])[of]
        held = self._held(query, at[begins], np.minimum(behind, query.end[of]), source)
        depth = np.zeros(len(at) + 1, dtype=np.int64)
        np.add.at(depth, begins[held], 1)
        np.add.at(depth, begins[held] + COMMON, -1)
        common = np.cumsum(depth)[:-1] > 0
        return np.split(common, first[1:])

    def _held(self, query: Query, at: Ints, end: Ints, source: Ints) -> Bools:
        """Return whether a held-out document other than `source` holds each part ``query[at:end]``."""
        held = np.zeros(len(at), dtype=bool)
        offset = 0
        for shard in self._index.shards:
            todo = np.flatnonzero(~held)
            first, last = (
                shard.array.places(query, at[todo], end[todo], after=after).spot.astype(np.int64)
                for after in (False, True)
            )
            ignored = self._ignored[offset : offset + len(shard.starts) - 1]
            held[todo] = _other(shard, first, last, source[todo] - offset, ignored)
            offset += len(ignored)
        return held


def _other(shard: Shard, first: Ints, last: Ints, source: Ints, ignored: Bools) -> Bools:
    """Return whether the suffixes from `first` up to `last` lie in a document that is neither ignored nor `source`."""
    out = np.zeros(len(first), dtype=bool)
    some = np.flatnonzero(last > first)
    for place in (first[some], last[some] - 1):
        document = shard.document(shard.array.suffixes[place].astype(np.int64))
        out[some] |= ~ignored[document] & (document != source[some])
    # Those between the two are looked at only where neither is another document, once for each range.
    unclear = some[~out[some] & (last[some] - first[some] > 2)]
    ranges, whose = np.unique(np.stack([first, last, source])[:, unclear], axis=1, return_inverse=True)
    elsewhere = np.zeros(ranges.shape[1], dtype=bool)
    for k, (begin, end, origin) in enumerate(ranges.T):
        documents = shard.documents(int(begin), int(end)) & ~ignored
        if 0 <= origin < len(documents):
            documents[origin] = False
        elsewhere[k] = documents.any()
    out[unclear] = elsewhere[whose.ravel()]
    return out


class Run(NamedTuple):
    """The run of a text in the corpus that has most characters of its own, which are none of common text."""

    length: int
    """Characters of its own."""
    text: str
    """From the first of these to the last."""
    document: int | None
    """Number of a document that holds it; None where no character is shared."""
    whole: int
    """Characters of the longest run of the text, common text included."""


class Search:
    """Looks for runs that a corpus holds, and held-out documents do not.

    Parameters
    ----------
    corpus : CorpusIndex
    holdout : sequence of str or None
        The held-out documents in the form in which the corpus is indexed; None where there are none.

    Attributes
    ----------
    known : frozenset of int
        Numbers of the held-out documents that stand, whole, in a document of the corpus. What they hold is not common.
    common : CommonText or None
        Marks what the others hold.
    """

    def __init__(self, corpus: CorpusIndex, holdout: Sequence[str] | None) -> None:
        self.corpus = corpus
        texts = [text.strip() for text in holdout or ()]
        wholes = zip(texts, corpus.longest(texts), strict=True)
        self.known = frozenset(i for i, (text, match) in enumerate(wholes) if text and match.length == len(text))
        self.common = None if holdout is None else CommonText(index_of(holdout), self.known)

    def runs(self, texts: Sequence[str], sources: Sequence[int | None]) -> list[Run]:
        """Return the run of each text that counts most.

        Parameters
        ----------
        texts : sequence of str
            Of any length.
        sources : sequence of int or None
            The held-out document that a text was taken from.
        """
        longest = self.corpus.longest(texts)
        best = [
            Run(match.length, text[match.start : match.start + match.length], match.document, match.length)
            for text, match in zip(texts, longest, strict=True)
        ]
        long = [i for i, match in enumerate(longest) if match.length >= COMMON]
        if self.common is None or not long:
            return best
        marks = self.common.marks([texts[i] for i in long], [sources[i] for i in long])
        uncommon = {i: np.flatnonzero(~common) for i, common in zip(long, marks, strict=True)}
        for i in long:
            best[i] = best[i]._replace(length=-1)
        segments = [(i, 0, len(texts[i])) for i in long]
        while segments:
            matches = self.corpus.longest([texts[i][begin:end] for i, begin, end in segments])
            rest = []
            for (i, begin, end), match in zip(segments, matches, strict=True):
                if match.length < COMMON:
                    continue
                first, last = begin + match.start, begin + match.start + match.length
                inside = uncommon[i][np.searchsorted(uncommon[i], first) : np.searchsorted(uncommon[i], last)]
                if len(inside) > best[i].length:
                    text = texts[i][inside[0] : inside[-1] + 1] if len(inside) else ""
                    best[i] = Run(len(inside), text, match.document, best[i].whole)
                rest += [(i, *part) for part in ((begin, first), (last, end)) if part[1] - part[0] >= COMMON]
            segments = rest
        return best


def index_of(documents: Sequence[str]) -> CorpusIndex:
    """Return the index of documents: mapped from its folder, or built in memory."""
    return CorpusIndex.open(documents) if isinstance(documents, StoredCorpus) else CorpusIndex.from_documents(documents)


def look_up(
    search: Search, texts: Sequence[str], prompts: Sequence[str | None], sources: Sequence[int | None]
) -> list[dict[str, Any]]:
    """Return each text's size, its longest run and a document that holds it; of a run that counts, how many do.

    Where a run would count only together with what held-out documents hold, `common` is its length.
    """
    runs = search.runs(texts, sources)
    long = [run.text for run in runs if run.length >= RUN]
    documents = iter([count.documents for count in search.corpus.counts(long)])
    out: list[dict[str, Any]] = []
    for text, run, prompt in zip(texts, runs, prompts, strict=True):
        out.append({"size": len(text), "length": run.length, "document": run.document})
        if run.length >= RUN:
            out[-1] |= {
                "documents": next(documents),
                "prompted": prompt is not None and run.text.strip() in prompt,
                "key": fingerprint(run.text),
                "excerpt": masked(run.text.split()[:SHOWN_WORDS]),
            }
        elif run.whole >= RUN:
            out[-1]["common"] = run.whole
    return out
