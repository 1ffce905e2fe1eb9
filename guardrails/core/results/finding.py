"""A finding: a measurement compared with a threshold, with the controls of its instrument."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from .measurement import Frozen, Measurement


class Status(StrEnum):
    """What a finding says. See the docstring of `Finding`."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    NOT_APPLICABLE = "not-applicable"
    NOT_ASSESSED = "not-assessed"


STATUS_ORDER = (Status.FAIL, Status.INCONCLUSIVE, Status.NOT_ASSESSED, Status.PASS, Status.NOT_APPLICABLE)
"""The most important first."""


class Severity(StrEnum):
    """How much a failed finding matters, set by the policy."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Threshold(Frozen):
    """The limit of a measurement, and who set it."""

    metric: str
    limit: float
    origin: str
    severity: Severity = Severity.MEDIUM
    required: bool = True


class ControlOutcome(Frozen):
    """The result of an instrument for a sample with a known answer."""

    source: str
    expected: Literal["found", "clear"]
    observed: Literal["found", "clear", "inconclusive", "not-assessed"]
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    cached: bool = False
    reason: str | None = None

    @property
    def behaved(self) -> bool:
        """Whether the positive was found, or the negative raised no alarm."""
        if self.expected == "found":
            return self.observed == "found"
        return self.observed in ("clear", "inconclusive")


SpikeKind = Literal["spike", "instrument-check"]


class DoseReading(Frozen):
    """The headline measured with a share of the items planted, so that another limit can be applied to it later."""

    dose: float = Field(gt=0, le=1, description="planted share of the items")
    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = Field(ge=0)
    errors: int = Field(default=0, ge=0)


class SpikeOutcome(Frozen):
    """The result for a known dose of the fault, planted in the user's own target.

    A *spike* is read through the path of a real reading. An *instrument check* overwrites what the target made: it says
    nothing of the target, and has no recovery. `recovery` is the share of the planted fault that the instrument saw;
    `smallest_dose` the smallest share of planted items, among those tried, at which the finding turned, or None where
    none did.
    """

    kind: SpikeKind = "spike"
    what: str
    planted: int = Field(ge=0)
    recovery: float | None = None
    low: float | None = None
    high: float | None = None
    smallest_dose: float | None = None
    doses_tried: tuple[float, ...] = ()
    reason: str | None = None
    readings: tuple[DoseReading, ...] = Field(
        default=(), description="the headline at every dose, also at those above the smallest that was seen"
    )


class Power(Frozen):
    """Measured by `make evidence`: how often this instrument finds its fault, and how often it raises a false alarm."""

    positive: str
    negative: str
    power: float
    power_low: float
    power_high: float
    false_alarms: float
    false_alarms_low: float
    false_alarms_high: float
    runs: int


class FrameworkRef(Frozen):
    """A framework's control that a finding gives evidence for. Evidence, not legal advice."""

    framework: str
    edition: str
    id: str
    title: str
    source_url: str
    retrieved: str
    confidence: Literal["high", "medium", "low"]


class WaiverRecord(Frozen):
    """Who accepted a failed finding, why, and until when."""

    owner: str
    reason: str
    expires: str = Field(description="a date (UTC, that day included) or a time with its offset")


class KnownFinding(Frozen):
    """The same finding in the baseline, where it failed too."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = Field(default=0, ge=0)
    worse: bool = Field(default=False, description="whether it is worse now, beyond noise: then it fails as a new one")
    note: str = Field(default="", description="how the two compare")


class OtherTool(Frozen):
    """Which other tool measured a finding, and the file that says so."""

    tool: str
    version: str
    file: str
    sha256: str
    target: str = Field(description="what was tested, in that tool's words")
    corrected: bool = Field(description="whether that tool corrected the figure for its own detector's error")


class Finding(Frozen):
    """A measurement compared with a threshold.

    - ``pass``: the whole interval is on the right side of the threshold
    - ``fail``: the whole interval is on the wrong side
    - ``inconclusive``: it straddles; `advice` says what would settle it
    - ``not-applicable``: the probe has nothing to say about this modality
    - ``not-assessed``: access or data missing, too many errors, its own control failed, or it would pass where a spike
      was visible at no dose
    """

    id: str
    probe: str
    title: str
    question: str = Field(default="", description="what the probe asks, in a reader's words")
    limits: str = Field(default="", description="what the probe cannot see")
    status: Status
    severity: Severity
    risk: str
    reason: str | None = None
    measurement: Measurement | None = None
    details: tuple[Measurement, ...] = Field(
        default=(), description="further measurements that the policy does not gate"
    )
    threshold: Threshold | None = None
    controls: tuple[ControlOutcome, ...] = ()
    spike: SpikeOutcome | None = None
    power: Power | None = None
    frameworks: tuple[FrameworkRef, ...] = ()
    advice: str = ""
    options: dict[str, str | int | float | bool] = Field(
        default={}, description="how the probe and its controls were set, by option: what is not the default"
    )
    command: str = ""
    expected: Literal["found", "clear"] | None = Field(
        default=None, description="self-check only: what is known of this target"
    )
    measured_by: OtherTool | None = Field(default=None, description="the other tool that measured it")
    waiver: WaiverRecord | None = Field(default=None, description="of a failed finding: it does not fail the audit")
    known: KnownFinding | None = Field(default=None, description="of a failed finding that the baseline has too")

    @property
    def excused(self) -> bool:
        """Whether the finding failed and does not count: it is waived, or no worse than in the baseline."""
        return self.waiver is not None or (self.known is not None and not self.known.worse)

    @property
    def outcome(self) -> str:
        """The status in one word; a failed finding that does not count is ``waived`` or ``known``."""
        if self.status is not Status.FAIL or not self.excused:
            return self.status.value
        return "waived" if self.waiver is not None else "known"

    def __repr__(self) -> str:
        return f"<Finding {self.line()}>"

    def line(self) -> str:
        """Return the finding in one line: status, id, value with interval, n and limit."""
        m, limit = self.measurement, f", limit {self.threshold.limit:.3g}" if self.threshold else ""
        if m is None or m.value is None:
            return f"{self.outcome}: {self.id}"
        return f"{self.outcome}: {self.id} = {m.value:.3g} [{m.low:.3g}, {m.high:.3g}], n {m.n:,}{limit}"

    @property
    def control_failed(self) -> bool:
        """Whether any control of this finding's instrument misbehaved."""
        return any(not control.behaved for control in self.controls)

    @property
    def behaved(self) -> bool:
        """Whether the instrument got every known sample right; in a self-check, the finding's own target too."""
        if self.expected == "found":
            return not self.control_failed and self.status is Status.FAIL
        if self.expected == "clear":
            return not self.control_failed and self.status in (Status.PASS, Status.INCONCLUSIVE)
        return not self.control_failed
