"""The interface of graders, which label a text or an exchange; their measured error; and rates that include it.

A grader has three outcomes for an item: it has the label, it has another, or it could not be graded. The third is never
counted as either: see `graded_rate`.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from .errors import STOPS, ConfigurationError, GuardrailsError, MissingExtraError, TargetError
from .json_object import json_object
from .statistics.graded import CannotCorrect, GraderCounts, rogan_gladen
from .statistics.intervals import Interval, wilson, worst_case

BATCH = 32
"""Items that a grader is given at a time."""
MAX_UNGRADED = 0.05
"""The largest share of items that could not be graded with which a rate is given."""
CARD_VERSION = "1.0"


@dataclass(frozen=True)
class Exchange:
    """A prompt and the answer of a model."""

    prompt: str
    answer: str


Gradable = str | Exchange
"""What is graded."""


@dataclass(frozen=True)
class Grade:
    """The result of a grader for one item.

    Attributes
    ----------
    label : str, optional
        One of the grader's labels; None where the item could not be graded.
    score : float, optional
        Score of the grader's first label, in 0–1, if it has one; larger means that the label is more likely.
    reason : str, optional
        Why the item could not be graded.
    agreement : float, optional
        For a grader that is asked several times: the share of answers with the most frequent label.
    """

    label: str | None
    score: float | None = None
    reason: str | None = None
    agreement: float | None = None


class Grader(ABC):
    """Labels texts or exchanges. A new grader is one file, found by its folder or entry point.

    A subclass implements `label_items`; `grade` makes the batches and the third outcome.
    """

    id: ClassVar[str]
    """One word."""
    title: ClassVar[str]
    question: ClassVar[str]
    """What it decides of each item, in a reader's words."""
    limits: ClassVar[str]
    """What it cannot see."""
    takes: ClassVar[str] = ""
    """What ``ID:ARGUMENT`` names, where the grader takes an argument: a folder, a file."""
    examples: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Plain texts and their labels, which it has to get right: the contract tests ask it."""
    longest: ClassVar[int] = 20_000
    """Characters of an item; a longer one is not graded, since a grader that reads a part may miss the rest."""
    labels: tuple[str, ...]
    """The labels that it gives, two at least."""

    @abstractmethod
    def label_items(self, items: Sequence[Gradable]) -> list[Grade]:
        """Return one grade per item. No item is blank or too long. The message of an exception is the item's reason."""

    @abstractmethod
    def identity(self) -> dict[str, str]:
        """Return everything that decides the labels: versions, hashes, the wording of a prompt."""

    @property
    def card(self) -> ErrorCard | None:
        """Its measured error, if it ships."""
        return None

    @property
    def sha256(self) -> str:
        """A hash of `identity`: an error card holds for the grader that has the same."""
        return hashlib.sha256(json.dumps(self.identity(), sort_keys=True).encode()).hexdigest()

    def grade(self, items: Sequence[Gradable]) -> list[Grade]:
        """Return one grade per item.

        Raises
        ------
        TargetError
            For a grader that gives a label that is not its own, or not one grade per item.
        """
        grades: list[Grade | None] = [self._unreadable(item) for item in items]
        todo = [i for i, grade in enumerate(grades) if grade is None]
        for start in range(0, len(todo), BATCH):
            places = todo[start : start + BATCH]
            for i, grade in zip(places, self._labelled([items[i] for i in places]), strict=True):
                grades[i] = grade
        return [grade for grade in grades if grade is not None]

    def _unreadable(self, item: Gradable) -> Grade | None:
        parts = [item] if isinstance(item, str) else [item.prompt, item.answer]
        if not parts[-1].strip():
            return Grade(None, reason="it is blank")
        if (length := sum(map(len, parts))) > self.longest:
            return Grade(None, reason=f"it has {length:,} characters; at most {self.longest:,} are read")
        return None

    def _labelled(self, items: Sequence[Gradable]) -> list[Grade]:
        """Return the grades of a batch; of one that fails, those of each item alone."""
        try:
            grades = self.label_items(items)
        except (ConfigurationError, MissingExtraError, *STOPS):
            raise
        except BaseException as error:  # the user's own code, a tokenizer written in Rust
            if len(items) > 1:
                return [grade for item in items for grade in self._labelled([item])]
            text = str(error) if isinstance(error, GuardrailsError) else f"{type(error).__name__}: {error}"
            return [Grade(None, reason=" ".join(text.split())[:300])]
        if len(grades) != len(items):
            raise TargetError(f"grader {self.id} returned {len(grades)} grades for {len(items)} items")
        shares = [share for grade in grades for share in (grade.score, grade.agreement) if share is not None]
        if beyond := [
            share for share in shares if not (isinstance(share, int | float) and 0 <= share <= 1)
        ]:  # NaN, too
            raise TargetError(f"grader {self.id} gave the score or agreement {beyond[0]!r}; both are numbers in 0–1")
        if wrong := next((g.label for g in grades if g.label is not None and g.label not in self.labels), None):
            raise TargetError(f"grader {self.id} gave the label '{wrong}'; its labels are {', '.join(self.labels)}")
        return grades


def answer_of(item: Gradable) -> str:
    """Return the text itself, or the answer of an exchange: what a grader of texts reads."""
    return item if isinstance(item, str) else item.answer


class _Stored(BaseModel):
    # A later minor version may have further fields.
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class LabelledControls(_Stored):
    """How a grader labelled items of one domain whose true label is known, for one label against the others.

    Attributes
    ----------
    domain : str
        The kind of text, such as ``tweets``: the error holds for this kind.
    tp, fn, tn, fp : int
        See `GraderCounts`.
    ungraded_positive, ungraded_negative : int
        Items with and without the label that could not be graded; in none of the counts.
    """

    domain: str = Field(min_length=1, max_length=200)
    label: str
    tp: int = Field(ge=0)
    fn: int = Field(ge=0)
    tn: int = Field(ge=0)
    fp: int = Field(ge=0)
    ungraded_positive: int = Field(default=0, ge=0)
    ungraded_negative: int = Field(default=0, ge=0)
    data: str = Field(default="", description="where the items are from")
    data_sha256: str = Field(default="", description="of the file of labelled items")
    command: str = Field(default="", description="what measured it")

    @property
    def counts(self) -> GraderCounts:
        """The counts of graded items."""
        return GraderCounts(self.tp, self.fn, self.tn, self.fp)

    def sensitivity(self, *, confidence: float = 0.95) -> Interval | None:
        """Return the share of items with the label that were given it, with Wilson's interval; None without items."""
        positive = self.tp + self.fn
        return wilson(self.tp, positive, confidence=confidence) if positive else None

    def specificity(self, *, confidence: float = 0.95) -> Interval | None:
        """Return the share of items without the label that were not given it, as `sensitivity`."""
        negative = self.tn + self.fp
        return wilson(self.tn, negative, confidence=confidence) if negative else None


class ErrorCard(_Stored):
    """The measured error of one grader, by domain and label."""

    schema_version: str = CARD_VERSION
    grader: str
    grader_sha256: str = Field(description="Grader.sha256: the card holds for no other")
    identity: dict[str, str] = {}
    controls: tuple[LabelledControls, ...]

    @field_validator("schema_version")
    @classmethod
    def _is_of_this_version(cls, value: str) -> str:
        if value.split(".")[0] != CARD_VERSION.split(".")[0]:
            raise ValueError(f"its schema is {value}; this version of guardrails reads {CARD_VERSION}")
        return value

    @field_validator("controls")
    @classmethod
    def _one_row_each(cls, controls: tuple[LabelledControls, ...]) -> tuple[LabelledControls, ...]:
        names = [(control.domain, control.label) for control in controls]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"the label '{twice[1]}' has two rows for the domain '{twice[0]}'")
        return controls

    @property
    def domains(self) -> tuple[str, ...]:
        """The domains that the error was measured in."""
        return tuple(dict.fromkeys(control.domain for control in self.controls))

    def controls_for(self, domain: str | None, label: str) -> LabelledControls | None:
        """Return the measured error on a domain, or None if it was not measured."""
        return next((c for c in self.controls if (c.domain, c.label) == (domain, label)), None)

    def with_domain(self, controls: Sequence[LabelledControls]) -> Self:
        """Return the card with these in place of what it says of their domains."""
        new = {control.domain for control in controls}
        others = [control for control in self.controls if control.domain not in new]
        rows = sorted([*others, *controls], key=lambda control: (control.domain, control.label))
        return self.model_copy(update={"controls": tuple(rows)})

    def fits(self, grader: Grader) -> bool:
        """Whether the card is of this grader, in this version."""
        return self.grader_sha256 == grader.sha256

    def check(self, grader: Grader) -> None:
        """Raise ConfigurationError where the card is of another grader, or of another version of it."""
        if self.fits(grader):
            return
        ours = grader.identity()
        other = sorted(name for name in {*ours, *self.identity} if ours.get(name) != self.identity.get(name))
        raise ConfigurationError(
            f"the error card is of the grader {self.grader}, which differs from the one in use in "
            f"{', '.join(other) or 'its identity'}; measure this one: guardrails grade … --labels FIELD"
        )

    def to_json(self) -> str:
        """Return the card as JSON, with a newline at the end."""
        return json.dumps(self.model_dump(mode="json"), indent=2, sort_keys=True, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, where: str = "error card") -> Self:
        """Read what `to_json` wrote.

        Raises
        ------
        ConfigurationError
            Where the text is no such card.
        """
        try:
            return cls.model_validate(json_object(text))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise ConfigurationError(f"{where} is no error card: {place}: {first['msg']}") from None
        except ValueError as error:  # no JSON, no UTF-8
            raise ConfigurationError(f"{where} is no error card: {error}") from None


def measure_error(
    grades: Sequence[Grade], truth: Sequence[str], labels: Sequence[str], domain: str, **origin: str
) -> list[LabelledControls]:
    """Return, for each of the grader's labels, how grades compare with the true label of each item.

    `origin` has ``data``, ``data_sha256`` and ``command`` of `LabelledControls`.
    """
    rows = []
    for label in labels:
        pairs = [(true == label, grade.label) for grade, true in zip(grades, truth, strict=True)]
        of_label = [given for has, given in pairs if has]
        of_others = [given for has, given in pairs if not has]
        tp, fp = of_label.count(label), of_others.count(label)
        lost, missed = of_label.count(None), of_others.count(None)
        rows.append(
            LabelledControls(
                domain=domain, label=label, tp=tp, fp=fp, fn=len(of_label) - tp - lost, tn=len(of_others) - fp - missed,
                ungraded_positive=lost, ungraded_negative=missed, **origin,
            )
        )  # fmt: skip
    return rows


@dataclass(frozen=True)
class GradedRate:
    """How often items have a label, with the grader's error in the interval, or no number and the reason.

    Attributes
    ----------
    value, low, high : float, optional
        In 0–1; None where nothing can be said, and `reason` says why.
    n, ungraded : int
        Items that were graded, and that could not be.
    apparent : Interval, optional
        The rate as graded, with the worst case of ungraded items in its bounds.
    corrected : bool
        Whether `value` is corrected for the grader's error. False: it is `apparent`, and `note` says why.
    controls : LabelledControls, optional
        What the correction rests on.
    """

    label: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    ungraded: int
    apparent: Interval | None
    corrected: bool
    method: str
    confidence: float = 0.95
    controls: LabelledControls | None = None
    reason: str | None = None
    note: str = ""


def graded_rate(
    grades: Sequence[Grade], label: str, controls: LabelledControls | None, *, confidence: float = 0.95
) -> GradedRate:
    """Return how often the graded items have a label.

    Parameters
    ----------
    grades : sequence of Grade
        Of independent items.
    label : str
        One of the grader's.
    controls : LabelledControls, optional
        The grader's measured error for this label, in the domain of these items. None: it was not measured there, and
        the rate stays as graded and says so.
    confidence : float
        Strictly between 0 and 1.

    Returns
    -------
    GradedRate
        Without a value where nothing was graded, more than `MAX_UNGRADED` could not be, or the grader is not shown to
        be better than chance.
    """
    ungraded = sum(grade.label is None for grade in grades)
    n, k = len(grades) - ungraded, sum(grade.label == label for grade in grades)
    apparent = worst_case(k, n, ungraded, confidence=confidence) if n else None

    def rate(interval: Interval | None, method: str, *, reason: str | None = None, note: str = "") -> GradedRate:
        value, low, high = interval or (None, None, None)
        corrected = interval is not None and controls is not None
        return GradedRate(
            label, value, low, high, n, ungraded, apparent, corrected, method, confidence, controls, reason, note
        )

    if ungraded > MAX_UNGRADED * len(grades):
        first = next(grade.reason for grade in grades if grade.label is None)
        why = f"{ungraded} of {len(grades)} items could not be graded, more than {MAX_UNGRADED:.0%}; the first: {first}"
        return rate(None, "none", reason=why)
    if apparent is None:
        return rate(None, "none", reason="there are no items")
    if controls is None:
        note = "not corrected: the grader's error was not measured on items of this kind"
        return rate(apparent, "Wilson, as graded", note=note)
    if controls.label != label:
        raise ValueError(f"the error of the label '{controls.label}' says nothing of '{label}'")
    try:
        corrected = rogan_gladen(k, n, controls.counts, ungraded=ungraded, confidence=confidence)
    except CannotCorrect as why_not:
        return rate(None, "none", reason=str(why_not))
    return rate(corrected, "Rogan–Gladen, melded interval")


def card_of(grader: Grader, name: str, controls: Sequence[LabelledControls] = ()) -> ErrorCard:
    """Return a card of a grader, under the name that it was loaded by."""
    return ErrorCard(grader=name, grader_sha256=grader.sha256, identity=grader.identity(), controls=tuple(controls))
