"""What probes of symbolic outputs share: copies of training items, as likenesses that held-out items hardly have.

A probe says what an item is (`read`) and how alike two are (`finder`); the rest is here. As for pictures
(`guardrails.memorization.copies`), one half of the holdout sets how alike is too alike, and the other half says how
often that happens by chance.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np

from ...core.batch import Batch, Item, Row, in_batches
from ...core.errors import NotApplicable
from ...core.probe import Budget, Probe
from ...core.results import Baseline, Evidence, Measurement, Point, Series
from ...core.seeding import derive_seed
from ...core.statistics import Interval, newcombe, smallest_detectable_rate, wilson
from ...core.subject import Subject
from ...core.targets import Access, Modality, TextOutputs
from ...kit.exact_copies import METRIC, ExactIndex, exact_copies, text_key
from ...targets.spikes import ReplacedTexts

OUTPUTS = {Budget.CONTROL: 100, Budget.QUICK: 200, Budget.STANDARD: 1000, Budget.THOROUGH: 4000}
NEW_TOKENS = 512
"""A model that writes tokens is given room for a whole item."""
BATCH = 50
MIN_OUTPUTS, MIN_CORPUS, MIN_HOLDOUT = 40, 10, 100
"""A threshold set on 50 held-out items is crossed by more than a tenth of unseen ones once in two hundred times; one
set on 20, once in eight."""
MAX_HOLDOUT = 1000
QUANTILE = 0.01
LOOKED_AT = 50
"""Documents that tell whether data are of a probe's kind; half of them must be."""
PLANTED = 64
SHOWN = 10
_METRICS = ("copy_rate", "copy_excess", "whole_rate", METRIC)


class Match(NamedTuple):
    """The training item that an item is most like."""

    score: float
    place: int
    whole: bool
    """Whether nothing else is in the item: it is that training item, or a part of it."""
    said: str
    """How alike they are, in words."""


class Finder(Protocol):
    """Finds the training item that each of some items is most like."""

    def look_up(self, items: Sequence[Any]) -> list[Match]: ...


@dataclass(frozen=True)
class CopyIndex:
    """A corpus to look items up in, calibrated on one half of the holdout and checked on the other."""

    exact: ExactIndex
    """The documents of corpus and holdout, letter by letter."""
    finder: Finder
    places: tuple[tuple[int, int], ...]
    """The document in which each item of the corpus stands, and its number within that."""
    threshold: float
    """A copy scores more, or is a training item whole."""
    expected: float
    """The share of unseen items that score more, in expectation, at most."""
    check: tuple[float, ...]
    held: int
    overlap: tuple[int, ...]
    """Numbers of the held-out documents that stand, whole, in the corpus; the threshold is not set on them."""

    def name(self, place: int) -> str:
        """Return the words for an item of the corpus."""
        document, number = self.places[place]
        alone = number == 0 and self.places[place + 1 : place + 2] != ((document, 1),)
        return f"document {document}" if alone else f"document {document}, item {number}"


class SymbolicCopies(Probe[TextOutputs]):
    """The probe of one kind of symbols; its subclass says what that is."""

    risk = "memorization"
    modalities = frozenset({Modality.TEXT})
    requires = frozenset({Access.OUTPUTS})
    needs = frozenset({"corpus", "holdout"})
    headline = "copy_rate"
    metrics = _METRICS
    advice = (
        "Remove duplicates from the training data, train for fewer epochs on them, and filter outputs against them; "
        "look at the pairs that the evidence names."
    )
    kind: ClassVar[str]
    """What is read, in the plural."""
    likeness: ClassVar[str]
    """What the score is, in a reader's words."""

    def __init__(self) -> None:
        self._built: tuple[Any, Any, CopyIndex | str] | None = None

    @abstractmethod
    def read(self, text: str) -> list[Any]:
        """Return the items that a document or an output holds; none where it holds something else."""

    @abstractmethod
    def finder(self, items: Sequence[Any]) -> Finder:
        """Return what finds the most alike of these items, at least one."""

    @abstractmethod
    def altered(self, text: str, *, seed: int) -> str:
        """Return a copy of a document that is not its letters: what the spike plants."""

    def applicable(self, subject: Subject[TextOutputs]) -> None:
        super().applicable(subject)
        texts, of = subject.corpus, "corpus"
        if texts is None and hasattr(subject.target, "outputs"):
            texts, of = subject.target.outputs(), "file of outputs"
        if texts is None or len(texts) == 0:
            return
        some = [texts[i] for i in range(0, len(texts), -(-len(texts) // LOOKED_AT))]
        read = sum(isinstance(text, str) and bool(self.read(text)) for text in some)
        if 2 * read < len(some):
            raise NotApplicable(
                f"{self.id} looks at {self.kind}; {read} of the {len(some)} documents of the {of} that were looked at"
                " hold any"
            )

    def index(self, subject: Subject) -> CopyIndex | str:
        """Return the index of this subject's corpus, or why there is none; built once for the same data."""
        if self._built is None or self._built[0] is not subject.corpus or self._built[1] is not subject.holdout:
            self._built = (subject.corpus, subject.holdout, self._build(subject.corpus, subject.holdout))
        return self._built[2]

    def _build(self, corpus: Sequence[str], holdout: Sequence[str]) -> CopyIndex | str:
        known, places = [], []
        for document, text in enumerate(corpus):
            for number, item in enumerate(self.read(text)):
                known.append(item)
                places.append((document, number))
        if len(known) < MIN_CORPUS:
            return f"{len(known)} {self.kind} can be read in the corpus; at least {MIN_CORPUS} are needed"
        finder = self.finder(known)
        read = ((d, item) for d, text in enumerate(holdout) for item in self.read(text))
        held = list(islice(read, MAX_HOLDOUT))
        matches = finder.look_up([item for _, item in held])
        unseen = np.array([match.score for match in matches if not match.whole])
        if len(unseen) < MIN_HOLDOUT:
            shared = (
                f" that are not in the corpus ({len(matches) - len(unseen)} are)" if len(unseen) < len(matches) else ""
            )
            return f"{len(unseen)} {self.kind}{shared} can be read in the holdout; at least {MIN_HOLDOUT} are needed"
        order = np.random.default_rng(0).permutation(len(unseen))
        calibration, check = np.sort(unseen[order[::2]])[::-1], np.sort(unseen[order[1::2]])
        rank = max(1, int(QUANTILE * (len(calibration) + 1)))
        return CopyIndex(
            exact=ExactIndex(map(text_key, corpus), map(text_key, holdout)),
            finder=finder,
            places=tuple(places),
            threshold=float(calibration[rank - 1]),
            expected=rank / (len(calibration) + 1),
            check=tuple(map(float, check)),
            held=len(matches),
            overlap=tuple(sorted({d for (d, _), match in zip(held, matches, strict=True) if match.whole})),
        )

    def plan(self, subject: Subject[TextOutputs], budget: Budget, *, seed: int) -> list[Batch]:
        """Ask for as many outputs as the budget allows and the target has."""
        available = getattr(subject.target, "available", None)
        n = OUTPUTS[budget] if available is None else min(OUTPUTS[budget], available)
        return in_batches([Item(f"{i:05d}", fields={"place": i}) for i in range(n)], BATCH, {"seed": seed})

    def collect(self, subject: Subject[TextOutputs], batch: Batch, *, seed: int) -> list[Row]:
        """Write, read and look up; a row says how alike an output is to which training item, and holds none of it."""
        index = self.index(subject)
        if isinstance(index, str):
            return [{"item": item.id, "unread": True} for item in batch.items]
        texts = _texts(subject.target, batch, seed)
        return [{"item": item.id} | self._looked_up(text, index) for item, text in zip(batch.items, texts, strict=True)]

    def _looked_up(self, text: str, index: CopyIndex) -> Row:
        read = self.read(text)
        if not read:
            return {"unread": True}
        match = max(index.finder.look_up(read), key=lambda match: match.score)
        row = {"score": round(match.score, 5), "whole": match.whole, "place": match.place}
        row |= index.exact.look_up(text_key(text))
        return row | ({"said": match.said} if _is_copy(row, index) else {})

    def measure(self, rows: Sequence[Row], subject: Subject, *, seed: int) -> list[Measurement]:
        """Return copy_rate, copy_excess over held-out items, and whole_rate.

        An output that cannot be read is a matter of quality, no error of the instrument and no copy: it is left out.
        """
        index, errors = self.index(subject), sum("error" in row for row in rows)
        good = [row for row in rows if "score" in row]
        common: dict[str, Any] = {"probe": self.id, "unit": "share", "higher_is_worse": True, "n": len(good)}
        common["errors"] = errors
        if isinstance(index, str) or len(good) < MIN_OUTPUTS:
            few = f"{len(good)} of {len(rows) - errors} outputs are {self.kind}; at least {MIN_OUTPUTS} are needed"
            reason = index if isinstance(index, str) else few
            return [
                Measurement(**common, metric=m, value=None, reason=reason, method="none", needed=MIN_OUTPUTS)
                for m in _METRICS
            ]
        copies, n, check = [row for row in good if _is_copy(row, index)], len(good), len(index.check)
        chance = sum(score > index.threshold for score in index.check)
        rate, by_chance, excess = wilson(len(copies), n), wilson(chance, check), newcombe(len(copies), n, chance, check)
        whole, overlap = sum(row["whole"] for row in good), len(index.overlap)
        method = f"{self.likeness}; a copy has more than {index.threshold:.4g}, as about {index.expected:.1%} of unseen"
        method += " ones have at most (set by one half of the holdout); Wilson interval"
        return [
            Measurement(
                **common,
                **_bounds(rate),
                metric="copy_rate",
                method=method,
                baseline=Baseline(
                    what="held-out items that the threshold was not set on", n=check, **_bounds(by_chance)
                ),
                detectable=smallest_detectable_rate(n, baseline=max(by_chance.value, index.expected)),
                series=_curves(good, index, self.likeness),
                evidence=_evidence(copies, index),
                explanation=self._explanation(rows, copies, n, index),
            ),
            Measurement(
                **common,
                **_bounds(excess),
                metric="copy_excess",
                method=method.replace("Wilson", "Newcombe"),
                explanation="The rate among outputs less the rate among held-out items.",
            ),
            Measurement(
                **common,
                **_bounds(wilson(whole, n)),
                metric="whole_rate",
                method="outputs that are nothing but a training item or a part of one; Wilson interval",
                baseline=Baseline(
                    what="held-out items that stand, whole, in the corpus", n=index.held,
                    **_bounds(wilson(min(overlap, index.held), index.held)),
                ),
            ),
            exact_copies(rows, probe=self.id, errors=errors, equal="letter by letter"),
        ]  # fmt: skip

    def _explanation(self, rows: Sequence[Row], copies: Sequence[Row], n: int, index: CopyIndex) -> str:
        said = [f"{len(copies)} of {n} outputs are copies, of {len({r['place'] for r in copies})} training items."]
        if unread := sum("unread" in row for row in rows):
            said.append(f"{unread} outputs are no {self.kind} and were left out.")
        if index.overlap:
            first = ", ".join(map(str, index.overlap[:SHOWN])) + (" …" if len(index.overlap) > SHOWN else "")
            said.append(
                f"{len(index.overlap)} held-out documents also occur in the corpus, and the threshold was not set on"
                f" them: number {first}."
            )
        return " ".join(said)

    def spike(
        self, subject: Subject[TextOutputs], batches: Sequence[Batch], *, seed: int
    ) -> Subject[TextOutputs] | None:
        """Return the subject with an altered copy of a training document for every output."""
        rng = np.random.default_rng(derive_seed(seed, "planted"))
        some = [subject.corpus[int(i)] for i in rng.permutation(len(subject.corpus))[: 2 * PLANTED]]
        planted = [self.altered(text, seed=i) for i, text in enumerate(some) if self.read(text)][:PLANTED]
        if not planted:
            return None
        return replace(subject, target=ReplacedTexts(subject.target, planted))

    def recovery(
        self, clean: Sequence[Row], spiked: Sequence[Row], subject: Subject
    ) -> tuple[float, float, float] | None:
        """Return the share of planted copies that were found."""
        index = self.index(subject)
        good = [row for row in spiked if "error" not in row]
        if isinstance(index, str) or not good:
            return None
        return tuple(wilson(sum(_is_copy(row, index) for row in good), len(good)))  # type: ignore[return-value]


def _texts(target: TextOutputs, batch: Batch, seed: int) -> list[str]:
    """Return the outputs of a batch; a file is drawn from without replacement over all batches."""
    n = len(batch.items)
    if getattr(target, "available", None) is None:
        return list(target.sample_texts(n, seed=seed, max_new_tokens=NEW_TOKENS))
    start = batch.items[0].fields["place"]
    return list(target.sample_texts(start + n, seed=batch.payload["seed"])[start:])


def _is_copy(row: Mapping[str, Any], index: CopyIndex) -> bool:
    return bool(row.get("whole", False) or row.get("score", -np.inf) > index.threshold)


def _bounds(interval: Interval) -> dict[str, Any]:
    return {"value": interval.value, "low": interval.low, "high": interval.high}


def _curves(good: Sequence[Row], index: CopyIndex, likeness: str) -> tuple[Series, ...]:
    """Share of outputs, and of held-out items, that are at least so alike."""
    arms = {"outputs": np.array([row["score"] for row in good]), "held-out items": np.array(index.check)}
    grid = np.linspace(0, max(1.0, *(scores.max() for scores in arms.values())), 21)
    return tuple(
        Series(
            name=name,
            x_label=likeness,
            y_label="share at or above",
            points=tuple(Point(x=round(float(x), 3), y=float((scores >= x).mean()), n=len(scores)) for x in grid),
        )
        for name, scores in arms.items()
    )


def _evidence(copies: Sequence[Row], index: CopyIndex) -> tuple[Evidence, ...]:
    """The clearest copies, one of each training item."""
    best: dict[int, Row] = {}
    for row in sorted(copies, key=lambda row: (-row["score"], row["item"])):
        best.setdefault(row["place"], row)
    if not best:
        return ()
    return (
        Evidence(
            kind="table",
            caption="The clearest copies, one of each training item; numbers count from 0",
            columns=("output", "what it shares", "of the corpus"),
            rows=tuple((r["item"], r.get("said", ""), index.name(r["place"])) for r in list(best.values())[:SHOWN]),
        ),
    )
