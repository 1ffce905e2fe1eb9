"""Figures of other tools as findings: under the same policy, with their origin, and with no controls of ours."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from ...core.results import Finding, Measurement, Severity, Status
from ...core.results.finding import OtherTool
from ...core.statistics import wilson
from ..policy.policy import TOOLS, Policy, judge
from .reading import ForeignReading, ForeignResult

Z = 1.959963984540054
ABSENT = "no file that was imported holds this figure"
UNGATED = "has no threshold for this figure: reported without a verdict"
LIMITS = (
    "Measured by another tool. No control and no spike of this library was shown to its instrument: how often it is "
    "wrong is not known here."
)


def foreign_findings(result: ForeignResult, policy: Policy, *, file: str, sha256: str) -> list[Finding]:
    """Return a finding for each figure of a file.

    A policy gates one by ``probe = "garak:dan.Dan_11_0 / mitigation.MitigationBypass"`` and the tool's metric; what it
    does not gate is reported without a verdict.

    Parameters
    ----------
    result : ForeignResult
        What was read of the file.
    policy : Policy
        The limits.
    file, sha256 : str
        Of the file that was read.
    """
    tool = OtherTool(
        tool=result.tool, version=result.version, file=file, sha256=sha256, target=result.target,
        corrected=result.corrected,
    )  # fmt: skip
    names = Counter(_probe(result, reading) + "/" + reading.metric for reading in result.readings)
    seen: Counter[str] = Counter()
    findings = []
    for reading in result.readings:
        probe = _probe(result, reading)
        name = f"{probe}/{reading.metric}"
        seen[name] += 1
        number = f" ({seen[name]})" if names[name] > 1 else ""
        findings.append(_finding(result, reading, policy, tool, probe, f"{name}{number}"))
    return findings


def absent_figures(findings: Iterable[Finding], policy: Policy) -> list[Finding]:
    """Return a finding, not assessed, for each figure of another tool that a policy requires and no file holds."""
    there = {(f.probe, f.measurement.metric) for f in findings if f.measurement}
    return [
        Finding(
            id=f"{probe}/{metric}",
            probe=probe,
            title=probe.replace(":", ": ", 1),
            limits=LIMITS,
            status=Status.NOT_ASSESSED,
            severity=threshold.severity,
            risk=f"measured by {probe.partition(':')[0]}",
            reason=ABSENT,
            threshold=threshold,
        )
        for (probe, metric), threshold in sorted(policy.thresholds.items())
        if is_foreign(probe) and threshold.required and (probe, metric) not in there
    ]


def is_foreign(probe: str) -> bool:
    """Whether the name of a probe is that of a check of another tool."""
    tool, colon, _ = probe.partition(":")
    return bool(colon) and tool in TOOLS


def _probe(result: ForeignResult, reading: ForeignReading) -> str:
    return f"{result.tool}:{reading.check}"


def _finding(
    result: ForeignResult, reading: ForeignReading, policy: Policy, tool: OtherTool, probe: str, name: str
) -> Finding:
    measurement = _measurement(result, reading, probe)
    finding = Finding(
        id=name,
        probe=probe,
        title=f"{result.tool}: {reading.check}",
        limits=LIMITS,
        status=Status.NOT_ASSESSED,
        severity=Severity.INFO,
        risk=f"measured by {result.tool}",
        reason=result.unfinished or measurement.reason,
        measurement=measurement,
        measured_by=tool,
    )
    return judged_by(finding, policy)


def judged_by(finding: Finding, policy: Policy) -> Finding:
    """Return the finding of another tool under a policy; what that tool left open stays open."""
    m = finding.measurement
    threshold = policy.threshold(finding.probe, m.metric) if m else None
    severity = threshold.severity if threshold else Severity.INFO
    status, reason = Status.NOT_ASSESSED, finding.reason
    if threshold is None and (reason is None or reason.endswith(UNGATED)):
        reason = f"policy '{policy.name}' {UNGATED}"
    elif m and threshold and (finding.threshold is not None or reason is None or reason.endswith(UNGATED)):
        status, reason = judge(m, threshold)
    return finding.model_copy(update={"status": status, "reason": reason, "threshold": threshold, "severity": severity})


def _measurement(result: ForeignResult, reading: ForeignReading, probe: str) -> Measurement:
    common: dict[str, Any] = {
        "probe": probe, "metric": reading.metric, "n": reading.n, "higher_is_worse": reading.higher_is_worse,
        "errors": reading.unscored, "explanation": _explanation(result, reading),
    }  # fmt: skip
    if reading.hits is not None and reading.n:
        value, low, high = wilson(reading.hits, reading.n)
        method = f"Wilson's interval for {reading.hits:,} of {reading.n:,}"
        return Measurement(**common, unit="share", value=value, low=low, high=high, method=method)
    if reading.value is not None and reading.interval and reading.interval[0] <= reading.value <= reading.interval[1]:
        low, high, level = reading.interval
        method = f"the interval that {result.tool} states, by a method that its file does not name"
        return Measurement(**common, unit="", value=reading.value, low=low, high=high, confidence=level, method=method)
    if reading.value is not None and (bounds := _normal(reading.value, reading.stderr)):
        low, high = bounds
        method = f"normal interval from the standard error that {result.tool} states"
        return Measurement(**common, unit="", value=reading.value, low=low, high=high, method=method)
    if reading.value is None:
        reason = "; ".join(reading.remarks) or f"{result.tool} states no value"
    else:
        reason = f"{result.tool} states {reading.value:.4g} without the counts or the standard error of an interval"
    return Measurement(**common, unit="", value=None, method="none", reason=reason)


def _normal(value: float, stderr: float | None) -> tuple[float, float] | None:
    """Return the bounds of a normal interval, or None where the standard error is none, negative or out of range."""
    low, high = value - Z * (stderr or 0), value + Z * (stderr or 0)
    return (low, high) if low < high and math.isfinite(low) and math.isfinite(high) else None


def _explanation(result: ForeignResult, reading: ForeignReading) -> str:
    corrected = (
        f"{result.tool} corrected it for the error of its own detector"
        if result.corrected
        else f"Not corrected for the error of {result.tool}'s detector or grader"
    )
    parts = [corrected, *reading.remarks, *result.remarks]
    if reading.unscored:
        parts.append(f"{reading.unscored:,} more samples failed or could not be scored, and count as neither")
    return " ".join(f"{_capital(part)}." for part in parts)


def _capital(sentence: str) -> str:
    return re.sub(r"^\w", lambda m: m[0].upper(), sentence) if not sentence.startswith("garak") else sentence


def target_names(results: Sequence[ForeignResult]) -> str:
    """Return which targets several files are of, each once."""
    return ", ".join(dict.fromkeys(result.target for result in results))
