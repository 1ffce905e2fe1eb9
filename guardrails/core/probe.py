"""The interface of a probe, an experiment on a target.

A probe has three steps, so a run can be resumed, and scored again without the model::

    plan(subject, budget)       -> batches       what will be asked, decided before anything is seen
    collect(subject, batch, …)  -> rows          the only step that touches the target; JSON, goes into the journal
    measure(rows, subject, …)   -> measurements  pure statistics over the rows
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Generic

from typing_extensions import TypeVar

from .batch import Arm, Batch, Row
from .control import Control
from .errors import ConfigurationError
from .options import ProbeOptions
from .results import Measurement, Threshold
from .subject import Subject
from .targets import Access, Modality, Target

T = TypeVar("T", bound=Target, default=Any)


class Budget(StrEnum):
    """How much work an audit may do. Probes map it to a number of samples."""

    CONTROL = "control"  # the size at which controls run: a sound instrument practically always answers right
    QUICK = "quick"
    STANDARD = "standard"
    THOROUGH = "thorough"


class Probe(ABC, Generic[T]):
    """An experiment on a target. A new probe is one file in the folder of its family.

    ``class Extraction(Probe[LanguageModelTarget])`` names the protocol whose methods it calls, one of those in
    `guardrails.core.targets`; `subject.target` then has that type. The type checks the probe and nothing at run time:
    there `requires` names the access that the protocol takes, and a target without it is refused.

    Class attributes hold everything for listing and planning, so these import no heavy package.
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
    spiked_items: ClassVar[int] = 256
    """How many items are spiked, where there are so many: recovery is then known to about ±6 points."""
    stages: ClassVar[int] = 0
    """How many stages of follow-ups it may ask for at most: the further turns of its conversations."""
    closed_answers: ClassVar[bool] = False
    """Whether it asks for one of a few answers: then one answer to most questions is no sign of a broken target."""
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
        """Return None if the probe applies to the subject.

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
        """Return which access or data is missing, as a message that says what to pass."""
        out = [f"access '{a}' to the target" for a in sorted(self.requires - subject.target.access)]
        out += [f"--{name}" for name in sorted(self.needs) if not subject.has(name)]
        return out + self.not_installed()

    def not_installed(self) -> list[str]:
        """Return the packages without which nothing is measured and that are not installed, with how to get them."""
        return []

    @abstractmethod
    def plan(self, subject: Subject[T], budget: Budget, *, seed: int) -> list[Batch]:
        """Decide what will be asked. Deterministic for equal arguments; a few dozen items per batch."""

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

    def follow_up(self, rows: Sequence[Row], stage: int) -> list[Batch]:
        """Return batches that depend on the results of the planned ones. Default: none.

        Called for stage 1 once all planned batches are finished, for stage 2 once those of stage 1 are, and so on,
        until it returns no item or stage `stages` is done. The batches enter the plan before any of them is asked.

        Parameters
        ----------
        rows : sequence of dict
            All finished rows, error rows among them, in any order within a batch.
        stage : int
            From 1.

        Returns
        -------
        list of Batch
            Deterministic in the arguments; the engine numbers the batches. Ids of items differ from all before.
        """
        return []

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

    def outcome(self, row: Row) -> tuple[Hashable, float] | None:
        """Return what one item adds to the headline, where that is the mean over items.

        Two audits that asked the same items are then compared item by item.

        Parameters
        ----------
        row : dict
            A finished row.

        Returns
        -------
        tuple or None
            The cluster of the item, such as its prompt or document, and its value. None where the row does not count in
            the headline's n, and by default: the headline is no mean, or each value depends on other rows.
        """
        return None

    def save_media(self, rows: Sequence[Row], subject: Subject[T], folder: Path) -> None:
        """Write the pictures that the measurements' evidence names. Default: none."""
