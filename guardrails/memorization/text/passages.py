"""Which passages of corpus and holdout a language model is asked about, and how much of them may be shown."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from math import hypot
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from ...core.batch import Batch, Row
from ...core.results import Baseline, Point, Series
from ...core.statistics import Interval, cluster_bootstrap, wilson
from ...core.subject import Subject
from ...core.targets import LanguageModelTarget
from ...kit.lm.document_starts import encode_each, further_forms, longest_start
from ...kit.text.stored_corpus import StoredCorpus

LENGTHS = ((32, 50), (32, 32), (16, 32), (16, 16), (8, 16), (8, 8))
"""Pairs of (prefix, continuation) in tokens, the most demanding first; 50 tokens are what Carlini et al. 2023 ask for
(arXiv 2202.07646)."""
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


def draw(subject: Subject[LanguageModelTarget], n: int, *, seed: int) -> Drawn:
    """Draw n passages of the corpus and n of the holdout, and one prefix and continuation length for all of them.

    Documents that stand in the corpus several times are drawn once, and those of the holdout that stand in the corpus
    not at all.
    """
    rng = np.random.default_rng(seed)
    known = {text.strip() for text in subject.corpus}
    drawn = {
        "corpus": places(subject.corpus, n, rng, set()),
        "holdout": places(subject.holdout or (), n, rng, known),
    }
    corpus_items = [{"arm": "corpus", "index": index, "start": start} for index, start in drawn["corpus"]]
    room = min(_typical(form, corpus_items) for form in (subject, *further_forms(subject).values()))
    room = min(room, subject.target.context_length - longest_start(subject))
    items = [
        {"item": f"{arm}:{index}:{start}", "arm": arm, "index": index, "start": start}
        for arm, places_of_it in drawn.items()
        for index, start in places_of_it
    ]
    return Drawn(items, *fitting(room), room)


def _typical(subject: Subject[LanguageModelTarget], items: Sequence[dict[str, Any]]) -> int:
    """Return the lower quartile of the passages' tokens; 0 where there are none."""
    lengths = [len(tokens) for tokens in encoded(subject, items)[1]]
    return int(np.quantile(lengths, 0.25, method="lower")) if lengths else 0


def fitting(room: int) -> tuple[int, int]:
    """Return the longest pair of prefix and continuation that so many tokens hold, else the shortest.

    >>> fitting(1000), fitting(40), fitting(3)
    ((32, 50), (16, 16), (8, 8))
    """
    return next((pair for pair in LENGTHS if sum(pair) <= room), LENGTHS[-1])


def places(documents: Sequence[str], n: int, rng: np.random.Generator, known: set[str]) -> list[tuple[int, int]]:
    """Draw (document, first character): the beginnings of n documents, and where there are fewer, passages of them too.

    Passages are dealt: every document gives its beginning, then each another passage from anywhere in it, and so on, so
    that a long document does not crowd out the others. After each there is text for a long prefix and a continuation.
    """
    seen, usable = known | {""}, []
    for i, text in enumerate(documents):
        if (stripped := text.strip()) not in seen:
            seen.add(stripped)
            usable.append(i)
    dealt = [(0, i, 0) for i in usable]
    if len(usable) < n:
        for i in usable:
            further = PASSAGE * (1 + rng.permutation(max(0, len(documents[i]) // PASSAGE - 2))[:n])
            dealt += [(turn, i, int(start)) for turn, start in enumerate(further, 1)]
    dealt = sorted((dealt[int(k)] for k in rng.permutation(len(dealt))), key=lambda place: place[0])[:n]
    return sorted((i, start) for _, i, start in dealt)


def encoded(
    subject: Subject[LanguageModelTarget], items: Sequence[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[list[int]], list[Row]]:
    """Return the items whose passages can be tokenized, their tokens, and an error row for each of the others."""
    tokens, problems = encode_each(
        subject.target, [_passage(subject, item["arm"], item["index"], item["start"]) for item in items]
    )
    good = [(item, t) for item, t, problem in zip(items, tokens, problems, strict=True) if not problem]
    failed = [item | {"error": problem} for item, problem in zip(items, problems, strict=True) if problem]
    return [item for item, _ in good], [t for _, t in good], failed


def _passage(subject: Subject, arm: str, index: int, start: int) -> str:
    """Return the text of a passage; one that is not a document's beginning begins with a whole word."""
    piece: str = getattr(subject, arm)[index][start : start + PIECE]
    return piece[piece.find(" ") + 1 :] if start else piece


def documents_with(texts: Sequence[str], documents: Sequence[str]) -> list[int]:
    """Return in how many documents each text stands, word for word.

    This is the k of k-eidetic memorization (Carlini et al. 2021, arXiv 2012.07805, definition 2): what a model gives
    away is worse the fewer documents it stands in. Where the corpus is an index, that is asked.

    >>> documents_with(["a b", "c", " "], ["a b a b", "b a", "a b c"])
    [2, 1, 0]
    """
    wanted = [text.strip() for text in texts]
    if isinstance(documents, StoredCorpus):
        from .corpus_index import CorpusIndex

        counts = iter(CorpusIndex.open(documents).counts([text for text in wanted if text]))
        return [next(counts).documents if text else 0 for text in wanted]
    return [sum(text in document for document in documents) if text else 0 for text in wanted]


def fingerprint(text: str) -> str:
    """Return what tells one text from another without holding it."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def eidetic(counts: Sequence[int]) -> tuple[Series, ...]:
    """Return the share of different texts that came out which stand in at most k documents, by doubling k.

    At k it is what is k-eidetic (Carlini et al. 2021, arXiv 2012.07805, definition 2); nothing without a text.
    """
    if not counts:
        return ()
    steps = [2**j for j in range((max(counts) - 1).bit_length() + 1)]
    return (
        Series(
            name="k-eidetic",
            x_label="documents of the corpus that hold it, at most k",
            y_label="share of the different texts that came out",
            points=tuple(rate_point(k, [count <= k for count in counts]) for k in steps),
        ),
    )


def eidetic_note(counts: Sequence[int]) -> str:
    """Say in how many documents the different texts that came out stand."""
    if not counts:
        return ""
    return (
        f" What came out stands in {median(counts):g} documents of the corpus at the median; "
        f"{sum(count == 1 for count in counts)} of these texts stand in one alone. The smallest k of a k-eidetic one "
        f"is {min(counts)}, of {len(counts)} different ones."
    )


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


def held_out(rate: Interval | None, n: int) -> Baseline | None:
    """Return the same rate on the holdout as a baseline, or None where there is none."""
    what = "the same rate on documents that the model was not trained on"
    return Baseline(what=what, n=n, **bounds(rate)) if rate else None


def clustered(hits: Sequence[bool], groups: Sequence[Hashable], *, confidence: float, seed: int) -> Interval:
    """Return a share with its interval: Wilson's, or where several are of one group, from resampling groups."""
    if 1 < len(set(groups)) < len(groups):
        return cluster_bootstrap(np.array(hits, dtype=float), groups, confidence=confidence, seed=seed)
    return wilson(sum(hits), len(hits), confidence=confidence)


def rates(
    arms: dict[str, list[Row]], hit: Callable[[Row], bool], *, confidence: float, seed: int
) -> dict[str, Interval]:
    """Return the share of each arm that has enough; passages of one document are no independent ones."""
    return {
        arm: clustered([hit(r) for r in rows], [document_of(r) for r in rows], confidence=confidence, seed=seed)
        for arm, rows in arms.items()
        if len(rows) >= MINIMUM
    }


def difference(rate: Interval, baseline: Interval) -> Interval:
    """Return rate − baseline from the interval of each; with Wilson's two it is Newcombe's method 10.

    G. Y. Zou and A. Donner, "Construction of confidence limits about effect measures", Statistics in Medicine 27, 2008.
    """
    value = rate.value - baseline.value
    low = value - hypot(rate.value - rate.low, baseline.high - baseline.value)
    high = value + hypot(rate.high - rate.value, baseline.value - baseline.low)
    return Interval(value, max(low, -1.0), min(high, 1.0))


def asked_for(rows: Sequence[Row]) -> tuple[str, str]:
    """Return what the rows of the corpus are, and the kind of interval.

    >>> asked_for([{"item": "corpus:3:0"}, {"item": "corpus:3:800"}])
    ('passages of 1 training document', 'Wilson interval')
    """
    documents = len({document_of(r) for r in rows})
    if documents == len(rows):
        return "training documents", "Wilson interval"
    plural = "" if documents == 1 else "s"
    how = "Wilson interval" if documents == 1 else "cluster bootstrap by document"
    return f"passages of {documents} training document{plural}", how


def document_of(row: Row) -> int:
    """Return the place of the document that a row is about."""
    return int(row["item"].split(":")[1])


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
    asked = [r for r in rows if r["arm"] == "corpus" and "error" not in r and "short" not in r]
    if len(asked) > 1 and len({document_of(r) for r in asked}) == 1:
        out.append("All passages are of one document: the interval says nothing of other documents.")
    stripped = Counter(text.strip() for text in subject.corpus or ())
    if again := sum(stripped.values()) - len(stripped):
        out.append(f"{again} corpus documents repeat another and were not asked again.")
    if subject.holdout is None:
        out.append("No --holdout was given: how much of this could be guessed is not known.")
        return "".join(f" {note}" for note in out)
    if overlap := sum(text.strip() in stripped for text in subject.holdout):
        out.append(f"{overlap} of {len(subject.holdout)} holdout documents also occur in the corpus and were left out.")
    if held < MINIMUM:
        out.append(f"The holdout has {held} usable documents; a baseline needs {MINIMUM}.")
    return "".join(f" {note}" for note in out)


def with_memorized(
    subject: Subject[LanguageModelTarget], passages: Sequence[Sequence[int]]
) -> Subject[LanguageModelTarget]:
    """Return the subject with a target that has also memorized these tokens."""
    from ...targets.spikes import spiked_language_model

    return replace(subject, target=spiked_language_model(subject.target, passages))


def passages(subject: Subject[LanguageModelTarget], batches: Sequence[Batch]) -> list[list[int]]:
    """Return the tokens that batches give and compare, of each passage that is long enough to be planted.

    A passage that its tokens do not give back is left out: a model cannot have learnt it so.
    """
    from ...targets.spikes import given_back

    out = []
    for batch in batches:
        length = batch.payload["prefix"] + batch.payload["suffix"]
        items, tokens, _ = encoded(subject, batch.rows())
        for item, ids in zip(items, tokens, strict=True):
            text = _passage(subject, item["arm"], item["index"], item["start"])
            if len(ids) >= length and given_back(subject.target, text, ids):
                out.append(ids[:length])
    return out
