"""The result of an audit: frozen, versioned, canonical JSON.

Every report renders from `AuditResult` and computes nothing. Change a field here and raise `SCHEMA_VERSION`.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, model_validator

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = "1.2"
SHOWN = 16
"""Findings in the `repr` of a result: a screenful."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Status(StrEnum):
    """What a finding says. See the docstring of `Finding`."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    NOT_APPLICABLE = "not-applicable"
    NOT_ASSESSED = "not-assessed"


_STATUS_ORDER = (Status.FAIL, Status.INCONCLUSIVE, Status.NOT_ASSESSED, Status.PASS, Status.NOT_APPLICABLE)


class Severity(StrEnum):
    """How much a failed finding matters, as the policy sets it."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


_SEVERITIES = tuple(Severity)


class Baseline(_Frozen):
    """The value that the same statistic has where the fault is known to be absent."""

    what: str
    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = Field(default=None, ge=0)


class Point(_Frozen):
    """One point of a series, with its interval."""

    x: float | str
    y: float
    low: float | None = None
    high: float | None = None
    n: int | None = None


class Series(_Frozen):
    """A curve or a set of bars; a report draws it with a table behind it."""

    name: str
    x_label: str
    y_label: str
    points: tuple[Point, ...]


class Evidence(_Frozen):
    """One thing a reader can look at: an excerpt (already redacted) or pictures in the run's ``media/``.

    `text` is untrusted model output: whoever renders it escapes it. `media` are paths relative to the run's folder.
    """

    kind: Literal["excerpt", "images", "table"]
    caption: str
    text: str | None = None
    media: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    redacted: bool = False


class Measurement(_Frozen):
    """One number with all that is needed to believe it, or no number and the reason.

    `low` and `high` bound `value` with simultaneous coverage `confidence` over the measurements of one probe.
    An interval has a width: a sample of any size leaves some doubt. What has none, as a bound that is itself what holds
    with `confidence`, is `exact`.
    `detectable` is the smallest true value that this n would tell from the baseline four times in five.
    Never NaN: where nothing can be said, `value` is None and `reason` says what would be needed.
    """

    probe: str
    metric: str
    value: float | None
    low: float | None = None
    high: float | None = None
    confidence: float = Field(default=0.95, gt=0, lt=1)
    n: int = Field(ge=0)
    unit: str
    higher_is_worse: bool
    method: str
    reason: str | None = None
    deterministic: bool = True
    exact: bool = Field(default=False, description="a bound or a count of all there is: no interval around it")
    baseline: Baseline | None = None
    detectable: float | None = None
    series: tuple[Series, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    explanation: str = ""
    errors: int = Field(default=0, ge=0, description="items that could not be assessed; never in n")
    first_error: str | None = Field(default=None, description="the message of the first of them")
    needed: int | None = Field(default=None, ge=0, description="the n that would say more, where that is known")

    @model_validator(mode="after")
    def _a_value_has_an_interval_and_no_value_has_a_reason(self, info: ValidationInfo) -> Self:
        if self.value is None:
            if not self.reason:
                raise ValueError("a measurement without a value needs a reason")
            return self
        if self.low is None or self.high is None:
            raise ValueError("a value needs an interval")
        if not self.low <= self.value <= self.high:
            raise ValueError(f"the interval [{self.low}, {self.high}] does not hold the value {self.value}")
        # What an earlier version wrote is read as it is.
        if self.low == self.high and not self.exact and info.mode == "python":
            raise ValueError(
                f"{self.metric}: no sample leaves no doubt; the interval [{self.low}, {self.high}] is a point"
            )
        return self


class Threshold(_Frozen):
    """Where a measurement turns from acceptable to not, and who says so."""

    metric: str
    limit: float
    origin: str
    severity: Severity = Severity.MEDIUM
    required: bool = True


class ControlOutcome(_Frozen):
    """What an instrument said of a sample whose answer is known."""

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


class SpikeOutcome(_Frozen):
    """How a known dose of the fault, put into the user's own target, came out.

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


class Power(_Frozen):
    """What `make evidence` measured beforehand: how often this instrument finds its fault, and cries wolf."""

    positive: str
    negative: str
    power: float
    power_low: float
    power_high: float
    false_alarms: float
    false_alarms_low: float
    false_alarms_high: float
    runs: int


class FrameworkRef(_Frozen):
    """A framework's control that a finding gives evidence for. Evidence, not legal advice."""

    framework: str
    edition: str
    id: str
    title: str
    source_url: str
    retrieved: str
    confidence: Literal["high", "medium", "low"]


class Finding(_Frozen):
    """A measurement held against a threshold.

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
    command: str = ""
    expected: Literal["found", "clear"] | None = Field(
        default=None, description="self-check only: what is known of this target"
    )

    def __repr__(self) -> str:
        return f"<Finding {self.line()}>"

    def line(self) -> str:
        """Return the finding in one line: status, id, value with interval, n and limit."""
        m, limit = self.measurement, f", limit {self.threshold.limit:.3g}" if self.threshold else ""
        if m is None or m.value is None:
            return f"{self.status}: {self.id}"
        return f"{self.status}: {self.id} = {m.value:.3g} [{m.low:.3g}, {m.high:.3g}], n {m.n:,}{limit}"

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


class InputRecord(_Frozen):
    """The content of one input when the audit began.

    `sha256` is that of the file; of a folder or package, that of the names and hashes of its files.
    """

    name: str
    sha256: str
    files: int = Field(default=0, ge=0, description="0: given as a Python object")
    bytes: int = Field(default=0, ge=0)


class TargetRecord(_Frozen):
    """What was audited, and with what access."""

    name: str
    modality: str
    access: tuple[str, ...]
    identity: dict[str, str] = {}
    data: dict[str, str] = Field(default={}, description="corpus, holdout, reference, prompts: what each was")
    read_as: dict[str, str] = Field(default={}, description="target, corpus, holdout, …: how each input was read")
    inputs: dict[str, InputRecord] = Field(default={}, description="target, corpus, holdout, …: the content of each")


class NotTested(_Frozen):
    """Something that this audit says nothing about, and why."""

    what: str
    why: str


class Timing(_Frozen):
    """The only part of a result that differs between two runs with the same seed."""

    started: str
    seconds: float
    per_probe: dict[str, float] = {}


class AuditResult(_Frozen):
    """All that one audit found. Canonical JSON by `to_json`; a readable page in a notebook."""

    schema_version: str = SCHEMA_VERSION
    guardrails_version: str
    kind: Literal["audit", "self-check"]
    verdict: Literal["pass", "fail", "inconclusive", "not-assessed", "control-failed"]
    exit_code: int
    targets: tuple[TargetRecord, ...]
    findings: tuple[Finding, ...]
    not_tested: tuple[NotTested, ...]
    policy: str
    policy_sha256: str
    seed: int
    budget: str
    command: str
    environment: dict[str, str]
    timing: Timing
    sha256: str | None = Field(default=None, description="of this document as `to_json` writes it with null here")

    @model_validator(mode="before")
    @classmethod
    def _is_as_it_was_written(cls, values: Any) -> Any:
        if not isinstance(values, dict) or values.get("sha256") is None:
            return values
        without = values | {"sha256": None}
        if values["sha256"] != _sha256(without):
            raise ValueError("it is not as it was written: its contents do not fit its sha256")
        return without

    def __repr__(self) -> str:
        """Return a screenful: the verdict, how many findings of each status, the most important ones."""
        counts = Counter(finding.status for finding in self.findings)
        said = ", ".join(f"{counts[status]} {status}" for status in _STATUS_ORDER if counts[status])
        shown = [f for f in self.by_importance() if f.status is not Status.NOT_APPLICABLE]
        more = [f"  … and {len(shown) - SHOWN} more"] if len(shown) > SHOWN else []
        targets = ", ".join(t.name for t in self.targets[:3]) + (", …" if len(self.targets) > 3 else "")
        return "\n".join(
            [
                f"{self.kind} of {targets or 'nothing'}: {self.verdict} (exit code {self.exit_code})",
                f"{len(self.findings)} findings: {said or 'none'}; policy {self.policy}, budget {self.budget}",
                *(f"  {finding.line()}" for finding in shown[:SHOWN]),
                *more,
                'All: .to_frame(); one: .findings[0].reason; a page: guardrails.render(result, "html", "report.html")',
            ]
        )

    __str__ = __repr__

    def by_importance(self) -> list[Finding]:
        """Return the findings, the most important first: misbehaved instruments, then by status, severity and id."""
        return sorted(
            self.findings,
            key=lambda f: (f.behaved, _STATUS_ORDER.index(f.status), -_SEVERITIES.index(f.severity), f.id),
        )

    def to_json(self) -> str:
        """Return canonical JSON: sorted keys, two-space indent, newline at the end; always encodable as UTF-8.

        Its `sha256` tells a damaged file. It is no signature: whoever changes a file can make it fit.
        """
        values = self.model_dump(mode="json") | {"sha256": None}
        return _canonical(values | {"sha256": _sha256(values)})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote, in this version or an earlier one, which wrote no `sha256`.

        Raises
        ------
        pydantic.ValidationError
            Where the text is not a result of this schema, or not as it was written.
        """
        return cls.model_validate_json(text)

    def to_frame(self) -> pd.DataFrame:
        """Return one row per finding: id, status, value, interval, n, threshold, severity, reason."""
        import pandas as pd

        rows = []
        for finding in self.findings:
            m, t = finding.measurement, finding.threshold
            rows.append(
                {
                    "finding": finding.id,
                    "status": finding.status.value,
                    "metric": m.metric if m else None,
                    "value": m.value if m else None,
                    "low": m.low if m else None,
                    "high": m.high if m else None,
                    "n": m.n if m else 0,
                    "threshold": t.limit if t else None,
                    "severity": finding.severity.value,
                    "reason": finding.reason,
                }
            )
        return pd.DataFrame(rows)

    def _repr_html_(self) -> str:
        # By name: `reports` lies above this layer, and `import guardrails` must not import it.
        return str(import_module("reports").render_fragment(self))


def _canonical(values: dict[str, Any]) -> str:
    text = json.dumps(values, sort_keys=True, indent=2, ensure_ascii=False)
    return text.encode("utf-8", "replace").decode() + "\n"  # a model may write half of a surrogate pair


def _sha256(values: dict[str, Any]) -> str:
    return hashlib.sha256(_canonical(values).encode()).hexdigest()


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of a result, as ``guardrails schema`` prints it."""
    return AuditResult.model_json_schema()


def finite(x: float) -> float | None:
    """Return x, or None where it is not a finite number: results never hold NaN."""
    return float(x) if math.isfinite(x) else None
