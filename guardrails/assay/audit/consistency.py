"""Whether a result contradicts itself: each finding and the verdict are derived again from what the result holds."""

from __future__ import annotations

from collections.abc import Iterator

from ...core.results import AuditResult, Finding, Severity, Status
from ..policy.policy import Policy, judge
from .findings import self_check_verdict, verdict


def with_verdict(r):
    w, c = self_check_verdict(r.findings) if r.kind == "self-check" else verdict(r.findings, Severity.LOW)
    return r.model_copy(update={"verdict": w, "exit_code": c})


def contradictions(result: AuditResult) -> list[str]:
    """Return where a result says something else than its measurements and its policy do, one sentence each.

    A result of an earlier schema holds no policy: then each finding is judged by the threshold that it states.
    """
    said = [sentence for finding in result.findings for sentence in _of_finding(finding, result)]
    record = result.policy_record
    if record is not None and record.sha256 != result.policy_sha256:
        said.append("the policy that the result holds is not the one whose hash it states")
    derived = with_verdict(result)
    if (derived.verdict, derived.exit_code) != (result.verdict, result.exit_code):
        said.append(
            f"its verdict is {result.verdict} (exit code {result.exit_code}), but its findings come to "
            f"{derived.verdict} (exit code {derived.exit_code})"
        )
    return said


def _of_finding(finding: Finding, result: AuditResult) -> Iterator[str]:
    m, threshold = finding.measurement, finding.threshold
    settled = finding.status in (Status.PASS, Status.FAIL, Status.INCONCLUSIVE)
    if result.policy_record is not None and m is not None:
        expected = Policy.of(result.policy_record).threshold(finding.probe, m.metric)
        if expected != threshold:
            yield f"{finding.id} is held against another threshold than its policy sets"
    if m is None or threshold is None:
        if settled:
            yield f"{finding.id} is {finding.status.value} without a measurement or a threshold"
        return
    if finding.severity is not threshold.severity:
        yield f"{finding.id} has another severity than its threshold sets"
    if (status := _derived(finding)) is not finding.status and not _may_stay_open(finding, status):
        yield f"{finding.id} is {finding.status.value}, but its measurement and controls come to {status.value}"


def _derived(finding: Finding) -> Status:
    assert finding.measurement is not None
    assert finding.threshold is not None
    if not all(control.behaved for control in finding.controls):
        return Status.NOT_ASSESSED
    status, _ = judge(finding.measurement, finding.threshold)
    if status is Status.PASS and finding.spike and finding.spike.smallest_dose is None:
        return Status.NOT_ASSESSED
    return status


def _may_stay_open(finding: Finding, derived: Status) -> bool:
    """Whether a finding may be not assessed for a reason that stands in words alone, as that most outputs are empty."""
    return finding.status is Status.NOT_ASSESSED and derived in (Status.PASS, Status.INCONCLUSIVE)
