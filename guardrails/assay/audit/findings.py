"""Measurements become findings: held against the policy, with controls, spike and evidence of power beside them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from ...core.probe import Probe
from ...core.results import (
    AuditResult,
    ControlOutcome,
    Finding,
    FrameworkRef,
    Measurement,
    Power,
    Severity,
    SpikeOutcome,
    Status,
    Threshold,
)
from ..policy.policy import Policy, frameworks, judge
from .options import of_probe
from .plan import Settings
from .spikes import unseen

EXIT_PASS, EXIT_FAIL, EXIT_OPEN, EXIT_CONTROL = 0, 1, 3, 4
_RANK = list(Severity)


@dataclass
class Reading:
    """All that one probe brought back from one subject."""

    probe: Probe
    measurements: Sequence[Measurement] = ()
    controls: tuple[ControlOutcome, ...] = ()
    spike: SpikeOutcome | None = None
    not_applicable: str | None = None
    not_assessed: str | None = None
    no_pass: str | None = None
    """Why it can pass no limit, as where most outputs are empty; a fault that it shows all the same counts."""
    suffix: str = ""
    expected: Literal["found", "clear"] | None = None
    seconds: float = 0.0
    most: int | None = None
    """How many samples of the target's own arm there are, or None where there is no end."""

    @property
    def headline(self) -> Measurement | None:
        """The measurement that the controls are judged by."""
        return next((m for m in self.measurements if m.metric == self.probe.headline), None)


@cache
def _powers() -> dict[str, Power]:
    path = Path(__file__).parent / "power.json"
    return (
        {key: Power.model_validate(value) for key, value in json.loads(path.read_text()).items()}
        if path.exists()
        else {}
    )


def findings_of(reading: Reading, policy: Policy, settings: Settings) -> list[Finding]:
    """Return one finding per measurement that the policy gates; the others hang on the headline's finding.

    A control is judged by the headline alone: which of the other measurements show its fault is not known.
    """
    probe = reading.probe
    gating = [probe.headline] if reading.expected else [m.metric for m in reading.measurements]
    gated = [m for m in reading.measurements if m.metric in gating and policy.threshold(probe.id, m.metric)]
    if not gated:
        headline = reading.headline if not policy.of_probe(probe.id) else None
        details = tuple(m for m in reading.measurements if m is not headline)
        return [_finding(reading, headline, details, policy, settings)]
    details = tuple(m for m in reading.measurements if m not in gated)
    findings = [
        _finding(reading, m, details if m.metric == probe.headline or len(gated) == 1 else (), policy, settings)
        for m in gated
    ]
    # What need not be measured has no row where there is nothing to measure, as duplicates in a corpus without any.
    wanted = {t.metric for t in policy.of_probe(probe.id) if t.required or t.metric not in probe.metrics}
    absent = wanted - {m.metric for m in reading.measurements}
    if not reading.expected:
        findings += [_finding(reading, None, (), policy, settings, absent=metric) for metric in sorted(absent)]
    return findings


def _finding(
    reading: Reading, m: Measurement | None, details: tuple[Measurement, ...], policy: Policy, settings: Settings,
    *, absent: str = "",
) -> Finding:  # fmt: skip
    probe = reading.probe
    metric = absent or (m.metric if m else probe.headline)
    threshold = policy.threshold(probe.id, metric)
    if threshold is None and m is None:  # what the policy gates of this probe is open, whichever metric it is
        threshold = next(iter(sorted(policy.of_probe(probe.id), key=lambda t: not t.required)), None)
    status, reason = _status(reading, m, threshold, policy)
    return Finding(
        id=f"{probe.id}/{metric}{reading.suffix}",
        probe=probe.id,
        title=probe.title if metric == probe.headline else f"{probe.title}: {metric.replace('_', ' ')}",
        question=probe.question,
        limits=probe.limits,
        status=status,
        severity=threshold.severity if threshold else Severity.INFO,
        risk=probe.risk,
        reason=reason,
        measurement=m,
        details=details,
        threshold=threshold,
        controls=reading.controls,
        spike=reading.spike if metric == probe.headline else None,
        power=_powers().get(probe.id),
        frameworks=_cited(probe, policy),
        advice=probe.advice if status in (Status.FAIL, Status.INCONCLUSIVE) else "",
        options=of_probe(settings.options, probe.id),
        command=settings.command(probe=probe.id) if settings.target else settings.command(),
        expected=reading.expected,
    )


def _cited(probe: Probe, policy: Policy) -> tuple[FrameworkRef, ...]:
    """Return the controls of the policy that name a probe or, if the policy has none, those that the probe cites."""
    if policy.controls:
        return tuple(c.reference for c in policy.controls if probe.id in c.probes)
    return tuple(frameworks()[key] for key in probe.frameworks if key in frameworks())


def _status(
    reading: Reading, m: Measurement | None, threshold: Threshold | None, policy: Policy
) -> tuple[Status, str | None]:
    if reading.not_applicable:
        return Status.NOT_APPLICABLE, reading.not_applicable
    failed = [c for c in reading.controls if not c.behaved]
    if failed:
        said = "; ".join(f"{c.source} was {c.observed} where {c.expected} was expected" for c in failed)
        options = ", ".join(f"{name} = {value}" for name, value in reading.probe.options.changed.items())
        return Status.NOT_ASSESSED, f"failed its control: {said}{f', with {options}' if options else ''}"
    if reading.not_assessed:
        return Status.NOT_ASSESSED, reading.not_assessed
    gated = policy.of_probe(reading.probe.id)
    if not gated:
        return (
            Status.NOT_ASSESSED,
            f"policy '{policy.name}' has no threshold for this probe: reported without a verdict",
        )
    if m is None:
        missing = ", ".join(sorted({t.metric for t in gated} - {m.metric for m in reading.measurements}))
        measured = ", ".join(m.metric for m in reading.measurements) or "nothing"
        return Status.NOT_ASSESSED, (
            f"policy '{policy.name}' has a limit for {missing}, which the probe did not measure; it measured {measured}"
        )
    assert threshold is not None
    status, reason = judge(m, threshold, most=reading.most)
    if status in (Status.PASS, Status.INCONCLUSIVE) and reading.no_pass:
        return Status.NOT_ASSESSED, reading.no_pass
    spike = reading.spike if m.metric == reading.probe.headline else None
    if status is Status.PASS and spike and spike.smallest_dose is None:
        return Status.NOT_ASSESSED, unseen(spike)
    return status, reason


def verdict(findings: Sequence[Finding], fail_on: Severity) -> tuple[str, int]:
    """Return the verdict and the exit code of an audit; one in which nothing is gated is not assessed, never a pass.

    A failed control counts most, then a failed finding of severity `fail_on` or above that is not excused, then what is
    required and open.
    Where no finding came to a result, those that are not required count too. Findings without a threshold are reported
    and do not count.
    """
    gated = [f for f in findings if f.threshold is not None and f.status is not Status.NOT_APPLICABLE]
    if any(f.control_failed for f in gated):
        return "control-failed", EXIT_CONTROL
    failed = [f for f in gated if f.status is Status.FAIL and not f.excused]
    if any(_RANK.index(f.severity) >= _RANK.index(fail_on) for f in failed):
        return "fail", EXIT_FAIL
    settled = any(f.status in (Status.PASS, Status.FAIL) for f in gated)
    counted = [f for f in gated if f.threshold is not None and (f.threshold.required or not settled)]
    if not gated or any(f.status is Status.NOT_ASSESSED for f in counted):
        return "not-assessed", EXIT_OPEN
    if any(f.status is Status.INCONCLUSIVE for f in counted):
        return "inconclusive", EXIT_OPEN
    return "pass", EXIT_PASS


def with_verdict(result: AuditResult) -> AuditResult:
    """Return a result with the verdict that its findings have now."""
    if result.kind == "self-check":
        word, code = self_check_verdict(result.findings)
    else:
        word, code = verdict(result.findings, result.fail_on)
    return result.model_copy(update={"verdict": word, "exit_code": code})


def self_check_verdict(findings: Sequence[Finding]) -> tuple[str, int]:
    """Return pass and 0 if and only if every planted fault was found and no clean generator alarmed, else 4.

    A finding without an expectation is that of a probe whose package is not installed: it has shown nothing.
    """
    shown = [f for f in findings if f.expected]
    return ("pass", EXIT_PASS) if shown and all(f.behaved for f in shown) else ("control-failed", EXIT_CONTROL)
