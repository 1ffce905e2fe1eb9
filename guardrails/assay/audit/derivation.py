"""Whether a stored result says what follows from its own measurements, limits and controls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...core.errors import ConfigurationError
from ...core.results import AuditResult, Finding, Measurement, PolicyRecord, Severity, Status, Threshold
from ..policy.policy import judge
from .findings import self_check_verdict, verdict

DECIDED = (Status.PASS, Status.FAIL, Status.INCONCLUSIVE)
SHOWN = 3
"""Contradictions that a message names."""


def check_derivation(result: AuditResult) -> None:
    """Refuse a result whose verdict or findings contradict what they are derived from.

    Parameters
    ----------
    result : AuditResult
        A stored result: its hash shows damage, and nothing of who wrote it.

    Raises
    ------
    ConfigurationError
        With the findings that contradict their measurement, limit or controls, or that the verdict contradicts.
    """
    mistakes = list(contradictions(result))
    if mistakes:
        more = f", and {len(mistakes) - SHOWN:,} more" if len(mistakes) > SHOWN else ""
        raise ConfigurationError(f"the result contradicts itself: {'; '.join(mistakes[:SHOWN])}{more}")


def contradictions(result: AuditResult) -> Iterator[str]:
    """Yield each contradiction in a result: of its policy, of each finding, of its verdict."""
    record = result.policy_record
    if record is not None and record.sha256 != result.policy_sha256:
        yield f"its policy '{record.name}' is not the one of its policy_sha256"
    limits = (
        None if record is None else {(t.probe, t.metric, t.limit, t.severity, t.required) for t in record.thresholds}
    )
    for finding in result.findings:
        t = finding.threshold
        if finding.waiver is not None and result.waivers is None:
            yield f"finding '{finding.id}' is waived, and the result names no file of waivers"
        if finding.known is not None and result.baseline is None:
            yield f"finding '{finding.id}' is known, and the result names no baseline"
        if record is not None and _ungated(finding, record):
            yield f"finding '{finding.id}' has no limit, and its policy has one"
        elif limits is not None and t and (finding.probe, t.metric, t.limit, t.severity, t.required) not in limits:
            yield f"finding '{finding.id}' has a limit of {t.limit:g} for {t.metric} that its policy does not have"
        elif (why := _contradiction(finding)) is not None:
            yield f"finding '{finding.id}' {why}"
        elif record is not None and finding.status is Status.PASS and _unseen(finding):  # earlier schemas let it pass
            yield f"finding '{finding.id}' is pass although its spike was seen at no dose"
    yield from _of_verdict(result)


def _contradiction(finding: Finding) -> str | None:
    status, m, t = finding.status, finding.measurement, finding.threshold
    if status not in DECIDED and not _hides_a_fail(finding):
        return None
    if m is None or t is None:
        return f"is {status} without a {'measurement' if m is None else 'limit'}"
    if finding.control_failed:
        return f"is {status} although its control failed"
    derived = _derived(m, t)
    if isinstance(derived, _Unjudged):
        return f"cannot be judged: {derived.why}"
    if derived is not status:
        return f"is {status}, and its interval [{m.low}, {m.high}] and limit {t.limit:g} say {derived}"
    return None


@dataclass(frozen=True)
class _Unjudged:
    why: str


def _derived(m: Measurement, t: Threshold) -> Status | _Unjudged:
    """Return the status that a measurement has by its limit; of impossible numbers, such as a share of 7, why not."""
    try:
        return judge(m, t)[0]
    except (ValueError, ArithmeticError) as error:
        return _Unjudged(str(error))


def _hides_a_fail(finding: Finding) -> bool:
    """Whether a finding is open, or left out, without a reason: a fault that is seen counts, whatever is missing."""
    m, t = finding.measurement, finding.threshold
    return (
        finding.status in (Status.NOT_ASSESSED, Status.NOT_APPLICABLE)
        and finding.measured_by is None  # a run of another tool that was cut off is never assessed
        and not finding.control_failed
        and m is not None
        and t is not None
        and _derived(m, t) is Status.FAIL
    )


def _ungated(finding: Finding, policy: PolicyRecord) -> bool:
    m = finding.measurement
    return (
        finding.threshold is None
        and m is not None
        and any((t.probe, t.metric) == (finding.probe, m.metric) for t in policy.thresholds)
    )


def _unseen(finding: Finding) -> bool:
    return finding.spike is not None and finding.spike.smallest_dose is None


def _of_verdict(result: AuditResult) -> Iterator[str]:
    stated = (result.verdict, result.exit_code)
    if result.kind == "self-check":
        possible = [self_check_verdict(result.findings)]
    else:
        findings = [_with_severity_of_limit(finding) for finding in result.findings]
        possible = [verdict(findings, severity) for severity in _fail_on(result)]
    if stated not in possible:
        word, code = possible[0]
        verdict_stated = f"its verdict is {stated[0]} (exit code {stated[1]})"
        yield f"{verdict_stated}, and its findings say {word} ({code}){_because(result)}"


def _with_severity_of_limit(finding: Finding) -> Finding:
    t = finding.threshold
    return (
        finding if t is None or t.severity is finding.severity else finding.model_copy(update={"severity": t.severity})
    )


def _fail_on(result: AuditResult) -> list[Severity]:
    """Return the severity from which on a failed finding counted, or all that there are where it is not stated."""
    return [result.fail_on] if "fail_on" in result.model_fields_set else list(Severity)


def _because(result: AuditResult) -> str:
    """Return the finding that matters most, which decides the verdict."""
    first = next(iter(result.by_importance()), None)
    return f": '{first.id}' is {'a failed control' if first.control_failed else first.status}" if first else ""
