"""Which passages of corpus and holdout a language model is asked about, and how much of them may be shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core.base import Row, Subject
from ..core.results import Baseline, Point, Series
from ..core.statistics import Interval, wilson

LENGTHS = ((32, 50), (32, 32), (16, 32), (16, 16), (8, 16), (8, 8))
"""Pairs of (prefix, continuation) in tokens, the most demanding first; 50 tokens are what Carlini et al. 2023 ask for
(arXiv 2202.07646)."""
FEW_DOCUMENTS = 20
"""With fewer documents than this (a book in one file), passages of them are what is asked and counted."""
PIECE = 4096
"""Characters of a document that are read for its first tokens."""
PASSAGE = 800
"""Characters between the beginnings of two passages of one document."""
MINIMUM = 10
BATCH = 32
TIMES = ((1, "1"), (4, "2–4"), (16, "5–16"), (64, "17–64"), (float("inf"), "65 and more"))
"""Bins of how often something stands in the corpus: the largest number of each, and its name."""


class Drawn(NamedTuple):
    """What is asked: items with arm, document and first character; tokens given and compared; tokens there are."""

    items: list[dict[str, Any]]
    prefix: int
    suffix: int
    room: int


def draw(subject: Subject, n: int, *, seed: int) -> Drawn:
    """Draw n passages of the corpus and n of the holdout, and one prefix and continuation length for all of them.

    Documents that stand in the corpus several times are drawn once, and those of the holdout that stand in the corpus
    not at all.
    """
    rng = np.random.default_rng(seed)
    known = {text.strip() for text in subject.corpus}
    places = {
        "corpus": _places(subject.corpus, n, rng, set()),
        "holdout": _places(subject.holdout or (), n, rng, known),
    }
    lengths = [len(tokens(subject, "corpus", *place)) for place in places["corpus"]]
    typical = int(np.quantile(lengths, 0.25, method="lower")) if lengths else 0
    room = min(typical, subject.target.context_length)  # type: ignore[attr-defined]
    items = [
        {"item": f"{arm}:{index}:{start}", "arm": arm, "index": index, "start": start}
        for arm, drawn in places.items()
        for index, start in drawn
    ]
    return Drawn(items, *fitting(room), room)


def fitting(room: int) -> tuple[int, int]:
    """Return the longest pair of prefix and continuation that so many tokens hold, else the shortest.

    >>> fitting(1000), fitting(40), fitting(3)
    ((32, 50), (16, 16), (8, 8))
    """
    return next((pair for pair in LENGTHS if sum(pair) <= room), LENGTHS[-1])


def _places(documents: Sequence[str], n: int, rng: np.random.Generator, known: set[str]) -> list[tuple[int, int]]:
    """Draw (document, first character): the beginnings of n documents, or n passages where documents are few."""
    seen, usable = known | {""}, []
    for i, text in enumerate(documents):
        if (stripped := text.strip()) not in seen:
            seen.add(stripped)
            usable.append(i)
    if len(usable) >= FEW_DOCUMENTS:
        places = [(i, 0) for i in usable]
    else:
        places = [(i, s) for i in usable for s in range(0, max(1, len(documents[i]) - PASSAGE + 1), PASSAGE)]
    chosen = rng.permutation(len(places))[:n]
    return [places[int(k)] for k in sorted(chosen)]


def tokens(subject: Subject, arm: str, index: int, start: int) -> list[int]:
    """Return the tokens of a passage; one that is not a document's beginning begins with a whole word."""
    piece = getattr(subject, arm)[index][start : start + PIECE]
    if start:
        piece = piece[piece.find(" ") + 1 :]
    return list(subject.target.encode(piece))  # type: ignore[attr-defined]


def documents_with(texts: Sequence[str], documents: Sequence[str]) -> list[int]:
    """Return in how many documents each text stands, word for word.

    This is the k of k-eidetic memorization (Carlini et al. 2021, arXiv 2012.07805, definition 2): what a model gives
    away is worse the fewer documents it stands in.

    >>> documents_with(["a b", "c", " "], ["a b a b", "b a", "a b c"])
    [2, 1, 0]
    """
    wanted = [text.strip() for text in texts]
    return [sum(text in document for document in documents) if text else 0 for text in wanted]


def times(count: int) -> str:
    """Return the bin of a number of times.

    >>> times(1), times(4), times(500)
    ('1', '2–4', '65 and more')
    """
    return next(name for most, name in TIMES if count <= most)


def masked(words: Sequence[str]) -> str:
    """Mask words that may be a number, an address or an account."""
    return " ".join("•••" if "@" in w or any(c.isdigit() for c in w) else w for w in words)


def excerpt(prefix: str, continuation: str, n: int) -> list[str]:
    """Return beginning and continuation, short enough to say which document it is and not what it says."""
    return [f"{masked(prefix.split()[:8])} …", f"{masked(continuation.split()[:3])} [redacted {n} tokens]"]


def by_arm(rows: Sequence[Row], key: str) -> dict[str, list[Row]]:
    """Return the rows of corpus and holdout that have a value."""
    return {arm: [r for r in rows if r["arm"] == arm and key in r] for arm in ("corpus", "holdout")}


def bounds(interval: Interval) -> dict[str, Any]:
    """Return an interval as a measurement's fields."""
    return {"value": interval.value, "low": interval.low, "high": interval.high}


def held_out(k: int, n: int, *, confidence: float) -> Baseline | None:
    """Return the same rate on the holdout, or None where that is too small."""
    what = "the same rate on documents that the model was not trained on"
    return Baseline(what=what, n=n, **bounds(wilson(k, n, confidence=confidence))) if n >= MINIMUM else None


def rate_point(x: float | str, hits: Sequence[bool]) -> Point:
    """Return a share with Wilson's interval, at x."""
    value, low, high = wilson(sum(hits), len(hits))
    return Point(x=x, y=value, low=low, high=high, n=len(hits))


def rate_by_times(name: str, counts: Sequence[int], hits: Sequence[bool], what: str) -> tuple[Series, ...]:
    """Return a rate by how often something stands in the corpus, or nothing where all stand there equally often."""
    groups = [(label, [h for c, h in zip(counts, hits, strict=True) if times(c) == label]) for _, label in TIMES]
    points = tuple(rate_point(label, group) for label, group in groups if group)
    return (Series(name=name, x_label=what, y_label="share", points=points),) if len(points) > 1 else ()


def notes(rows: Sequence[Row], subject: Subject, held: int) -> str:
    """Say what is missing or was left out."""
    out = []
    if short := sum("short" in r and r["arm"] == "corpus" for r in rows):
        out.append(f"{short} corpus documents are too short and were not counted.")
    stripped = Counter(text.strip() for text in subject.corpus or ())
    if again := sum(stripped.values()) - len(stripped):
        out.append(f"{again} corpus documents repeat another and were not asked again.")
    if subject.holdout is None:
        out.append("No --holdout was given: how much of this could be guessed is not known.")
        return "".join(f" {note}" for note in out)
    if overlap := sum(text.strip() in stripped for text in subject.holdout):
        out.append(f"{overlap} of {len(subject.holdout)} holdout documents stand in the corpus too and were left out.")
    if held < MINIMUM:
        out.append(f"The holdout has {held} usable documents; a baseline needs {MINIMUM}.")
    return "".join(f" {note}" for note in out)


class ByHeart:
    """A target that is to know the documents it is asked about; only those of a batch are ever learnt."""

    def __init__(self, target: Any) -> None:
        self.target = target

    def __getattr__(self, name: str) -> Any:
        return getattr(self.target, name)

    def knowing(self, documents: Sequence[Sequence[int]]) -> Any:
        """Return the target with a spike of these documents."""
        from ..targets.spiked import SpikedLanguageModel

        return SpikedLanguageModel(self.target, documents)
