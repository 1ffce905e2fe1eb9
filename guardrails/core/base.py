"""The contracts: subject, probe, control, detector; those of targets stand in `guardrails.core.targets`.

A probe is three steps, so that a run can be resumed and scored again without the model::

    plan(subject, budget)       -> batches       what will be asked, decided before anything is seen
    collect(subject, batch, …)  -> rows          the only step that touches the target; JSON, goes into the journal
    measure(rows, subject, …)   -> measurements  pure statistics over the rows
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Self

from typing_extensions import TypeVar

from .batch import Arm, Batch, Item, Row, in_batches
from .errors import ConfigurationError
from .options import ProbeOptions
from .results import Measurement, Threshold
from .targets import (
    Access,
    ImageTarget,
    LanguageModelTarget,
    Modality,
    TableTarget,
    Target,
    TextOutputs,
    TextTarget,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "Access",
    "Arm",
    "Batch",
    "Budget",
    "Control",
    "Detection",
    "Detector",
    "ImageTarget",
    "Item",
    "LanguageModelTarget",
    "Modality",
    "Probe",
    "ProbeOptions",
    "Row",
    "Segment",
    "Subject",
    "TableTarget",
    "Target",
    "TextOutputs",
    "TextTarget",
    "Verdict",
    "in_batches",
]

T = TypeVar("T", bound=Target, default=Any)
T_co = TypeVar("T_co", bound=Target, covariant=True, default=Target)


class Budget(StrEnum):
    """How much work an audit may do. Probes map it to a number of samples."""

    CONTROL = "control"  # the size at which controls run: a sound instrument practically always answers right
    QUICK = "quick"
    STANDARD = "standard"
    THOROUGH = "thorough"


@dataclass(frozen=True)
class Subject(Generic[T_co]):
    """A target with the data that the auditor was given beside it.

    ``Subject[LanguageModelTarget]`` has a target of that protocol, ``Subject`` alone any `Target`.

    Text data are sequences of documents (str); pictures are sequences of (H, W, 3) uint8 arrays, read lazily;
    tables are data frames. None: not given.
    """

    target: T_co
    corpus: Any = None
    holdout: Any = None
    reference: Any = None
    prompts: Sequence[str] | None = None
    data_names: Mapping[str, str] = field(default_factory=dict)
    read_as: Mapping[str, str] = field(default_factory=dict)
    """How the target and each of the data was read, where that could be told in more than one way: for the report."""
    roles: Mapping[str, str] = field(default_factory=dict)
    """Of a table's columns: ``sensitive``, ``quasi-identifier`` or ``date``; ``id`` for those that were left out."""

    @property
    def modality(self) -> Modality:
        return self.target.modality

    def has(self, data: str) -> bool:
        """Whether ``corpus``, ``holdout``, ``reference`` or ``prompts`` was given."""
        return getattr(self, data) is not None


@dataclass(frozen=True)
class Control:
    """A sample whose answer is known: ``source`` is a target name, for example ``reference:gpt-text,memorize=1``."""

    source: str
    expected: Literal["found", "clear"]


class Probe(ABC, Generic[T]):
    """An experiment on a target. A new probe is one file in a family: found by walking, no list to edit.

    ``class Extraction(Probe[LanguageModelTarget])`` names the protocol whose methods it calls, one of those in
    `guardrails.core.targets`; `subject.target` then has that type. The type checks the probe and nothing at run time:
    there `requires` names the access that the protocol takes, and a target without it is refused.

    Class attributes say everything that listing and planning need, so that nothing heavy is imported for them.
    """

    id: ClassVar[str]
    """The place: ``memorization.extraction`` stands in ``guardrails/memorization/extraction.py``."""
    title: ClassVar[str]
    question: ClassVar[str]
    """The question in a reader's words."""
    limits: ClassVar[str]
    """What this probe cannot see: printed in every report."""
    risk: ClassVar[str]
    """Privacy, memorization, bias, quality, misuse, marking …"""
    modalities: ClassVar[frozenset[Modality]]
    requires: ClassVar[frozenset[Access]]
    needs: ClassVar[frozenset[str]] = frozenset()
    """Of ``corpus``, ``holdout``, ``reference``, ``prompts``: without these there is no measurement."""
    headline: ClassVar[str]
    """The metric that the policy gates and the controls are judged by."""
    metrics: ClassVar[tuple[str, ...]] = ()
    """Every metric that it may measure, the headline among them: what a policy can gate."""
    controls: ClassVar[tuple[Control, ...]]
    thresholds: ClassVar[tuple[Threshold, ...]] = ()
    """Default limits that a probe of another distribution brings, with their origin; those of the library's own probes
    stand in ``guardrails/assay/policy/shipped/default.toml``. A policy may override them. Without one for the headline,
    nothing is judged: neither the target nor the controls."""
    frameworks: ClassVar[tuple[str, ...]] = ()
    """Keys into ``guardrails/assay/policy/shipped/frameworks.toml``."""
    advice: ClassVar[str] = ""
    """What to do where the finding fails."""
    spike_what: ClassVar[str] = ""
    """What the spike plants, in a reader's words; empty: this probe has no spike."""
    shares_coverage: ClassVar[bool] = False
    """Whether the headline's interval holds together with that of its difference to the holdout."""
    Options: ClassVar[type[ProbeOptions]] = ProbeOptions
    """What a user may set; a class inside the probe's own. Default: nothing."""
    options: ProbeOptions = ProbeOptions()
    """The options of this instance: the defaults, unless an audit or `load_probe` was given others. Its controls are
    run with the same."""

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if not (isinstance(cls.Options, type) and issubclass(cls.Options, ProbeOptions)):
            raise ConfigurationError(f"Options of {cls.__qualname__} is no subclass of ProbeOptions")
        cls.options = cls.Options()

    def applicable(self, subject: Subject[T]) -> None:
        """Return where the probe can say something about the subject.

        Raises
        ------
        NotApplicable
            With the reason.
        """
        from .errors import NotApplicable

        if subject.modality not in self.modalities:
            raise NotApplicable(f"{self.id} looks at {'/'.join(sorted(self.modalities))}, not {subject.modality}")
        if subject.modality is Modality.TABLE:
            # Two kinds of target share this modality: what makes rows, and a classifier of rows.
            makes_rows = Access.OUTPUTS in subject.target.access
            if makes_rows and self.requires & {Access.LOGPROBS, Access.RETRAINING}:
                raise NotApplicable(f"{self.id} looks at classifiers of rows, not at rows")
            if not makes_rows and Access.OUTPUTS in self.requires:
                raise NotApplicable(f"{self.id} looks at rows, not at a classifier of rows")

    def missing(self, subject: Subject[T]) -> list[str]:
        """Return what access or data is missing, in words that say what to give."""
        out = [f"access '{a}' to the target" for a in sorted(self.requires - subject.target.access)]
        return out + [f"--{name}" for name in sorted(self.needs) if not subject.has(name)]

    @abstractmethod
    def plan(self, subject: Subject[T], budget: Budget, *, seed: int) -> list[Batch]:
        """Decide what will be asked. Deterministic in its arguments; a few dozen items a batch."""

    def sample_size(self, batches: Sequence[Batch]) -> tuple[int, float]:
        """Return the n and the confidence that the headline's interval will have, if no item fails.

        Only items of the target's own arm count: not those of the holdout, nor points of a curve. Where
        `shares_coverage`, a plan with items of the holdout has two intervals that hold together.
        """
        from .statistics import simultaneous

        items = [item for batch in batches for item in batch.items]
        compared = self.shares_coverage and any(item.arm is Arm.HOLDOUT and not item.curve for item in items)
        return sum(item.counted for item in items), simultaneous(0.95, 2 if compared else 1)

    @abstractmethod
    def collect(self, subject: Subject[T], batch: Batch, *, seed: int) -> list[Row]:
        """Ask the target. A row for each item, begun as `Item.row` does.

        Whatever this raises is a failure of the items: the engine asks again for each half of the batch, and so on down
        to single items, each of which becomes a row with the key ``error``. See `guardrails.core.asking.rows_of` and
        `Batch.divisible`. A probe that makes such rows itself keeps what the rest of its batch gave.
        """

    @abstractmethod
    def measure(self, rows: Sequence[Row], subject: Subject[T], *, seed: int) -> list[Measurement]:
        """Compute the statistics; the first measurement is the headline. Must not touch the target.

        Must accept any multiset of rows (the spike mixes them) and never raise for few of them: too few → value None.
        """

    def spike(self, subject: Subject[T], batches: Sequence[Batch], *, seed: int) -> Subject[T] | None:
        """Return the subject with *every* item spiked at full dose, or None where there is no spike for it.

        The engine collects the batches from it, then mixes its rows with the clean ones by ``item`` to find the
        smallest share of planted items at which the finding turns. Its target says in `spike_kind` what it is, as those
        of `guardrails.targets.spikes` do; one that does not is taken for an instrument check.

        Parameters
        ----------
        subject : Subject
            The user's.
        batches : sequence of Batch
            What will be collected: of the plan's first batches, the items that count in n (`Item.counted`).
        seed : int
            Of the spike.
        """
        return None

    def recovery(
        self, clean: Sequence[Row], spiked: Sequence[Row], subject: Subject[T]
    ) -> tuple[float, float, float] | None:
        """Return (recovery, low, high): the share of what was planted that the rows of the spiked subject show."""
        return None

    def save_media(self, rows: Sequence[Row], subject: Subject[T], folder: Path) -> None:
        """Write the pictures that the measurements' evidence names. Default: none."""


Verdict = Literal["synthetic", "manipulated", "nothing found", "abstain"]
"""No detector says "real": that no trace was found is no evidence of a camera or a voice; provenance alone can be."""


@dataclass(frozen=True)
class Segment:
    """A stretch of a video or a recording that stands out, in seconds."""

    start: float
    end: float
    score: float


@dataclass(frozen=True)
class Detection:
    """What a detector says of one item. No signal is None, never .5.

    Attributes
    ----------
    item : str
        Its path, or its place among the items.
    score : float, optional
        Larger for synthetic; its scale is the detector's own.
    probability : float, optional
        That the item is synthetic or manipulated where half of all items are: of the likelihood ratio, in 0–1.
    likelihood_ratio : float, optional
        p(score | synthetic) / p(score | real): what the evidence says whatever the share of synthetic items. Never
        beyond what the sources of the calibration can support; None where they are of another kind than the item.
    verdict : str
        ``synthetic`` or ``manipulated``; ``nothing found`` where no trace was found, which is no evidence that the item
        is real; ``abstain`` where the evidence is weak, contradicts itself or is unlike what the detector knows.
    reasons : tuple of str
        What the verdict rests on, or why there is none.
    heat_map : array of float32, (H, W), optional
        Evidence by place, above 0 for synthetic, evenly over the picture; NaN where a place says nothing. It is for the
        eye: not bounded as the likelihood ratio is.
    segments : tuple of Segment
        Of a video or a recording, in the order of time.
    calibration : str, optional
        Which calibration made the probability.
    """

    item: str
    score: float | None
    probability: float | None = None
    verdict: Verdict = "abstain"
    reasons: tuple[str, ...] = ()
    calibration: str | None = None
    likelihood_ratio: float | None = None
    heat_map: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    segments: tuple[Segment, ...] = ()


class Detector(ABC):
    """Scores single items, by scikit-learn's conventions: `fit` and `calibrate` change the detector and return it.

    Labels are 1 for synthetic or manipulated, 0 for real. Items are paths, or what is read from them: a picture as
    (H, W, 3) uint8, a recording as (samples, rate). `load_detector` gives a detector with the weights that ship.
    """

    id: ClassVar[str]
    title: ClassVar[str]
    limits: ClassVar[str]
    modalities: ClassVar[frozenset[Modality]]
    controls: ClassVar[tuple[Control, ...]]
    learnt: ClassVar[frozenset[str]] = frozenset()
    """Reference generators that the shipped weights learnt from, as ``gan-art``: no control is one of them."""
    takes: ClassVar[str] = ""
    """What ``ID:ARGUMENT`` names, where the detector takes an argument: a folder, a file, a target."""

    @abstractmethod
    def fit(self, items: Sequence[Any], labels: Sequence[int], *, sources: Sequence[str] | None = None) -> Self:
        """Fit to labelled items and calibrate by cross-fitting.

        Parameters
        ----------
        items : sequence
            See the class.
        labels : sequence of int
            One an item.
        sources : sequence of str, optional
            What each item comes from, as a photographer or a generator: items of one source stay on one side of every
            split. Default: every item is a source.

        Raises
        ------
        ConfigurationError
            For too few items of a class.
        ContentError
            For an item that cannot be read.
        """

    @abstractmethod
    def calibrate(self, items: Sequence[Any], labels: Sequence[int], *, sources: Sequence[str] | None = None) -> Self:
        """Replace the calibration by one on items that the detector was not fitted to. Errors as in `fit`."""

    @classmethod
    def open(cls, path: Path) -> Any:
        """Return a file as an item that `score` and `explain` take; a scan opens it once for all that open it alike.

        Raises
        ------
        ContentError
            Where no detector that opens files so could say anything of this one.
        """
        return path

    @abstractmethod
    def score(self, items: Sequence[Any]) -> list[Detection]:
        """Score items; a bad one is a row that abstains with its reason."""

    def explain(self, item: Any) -> Detection:
        """Score one item with all that the detector can show: the heat map of a picture, where there is one."""
        return self.score([item])[0]

    def predict_proba(self, items: Sequence[Any]) -> NDArray[np.float64]:
        """Return numbers to rank items by, (N, 2): those of the second column are larger for synthetic ones.

        They lie in 0–1 and each row adds up to 1, as scikit-learn has it, but unlike `Detection.probability` they are
        not bounded by what the calibration supports: they say which item is likelier synthetic, not how likely one is.
        A row is NaN where the detector has no score, or nothing that makes one of it.
        """
        import numpy as np

        ranks = [self._rank(row) for row in self.score(items)]
        p = np.array([np.nan if value is None else value for value in ranks], dtype=np.float64)
        return np.stack([1 - p, p], axis=1)

    def _rank(self, row: Detection) -> float | None:
        """Return the second column of `predict_proba`."""
        return row.probability
