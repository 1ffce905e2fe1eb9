"""A finished audit under another policy: new verdicts from the stored measurements. Nothing is sampled again."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from ...core.errors import ConfigurationError, GuardrailsError
from ...core.probe import Probe
from ...core.registry import load_probe
from ...core.results import (
    AuditResult,
    ControlOutcome,
    Finding,
    Measurement,
    Rescored,
    Severity,
    SpikeOutcome,
    Status,
)
from ..comparison.excuses import Excuses
from ..foreign.findings import absent_figures, is_foreign, judged_by
from ..policy.policy import Policy
from ..stored_audit import StoredAudit
from .controls import control_outcome, default_threshold
from .findings import Reading, findings_of, with_verdict
from .outputs import why_not_assessed
from .plan import Settings
from .run import not_tested
from .spikes import judged

POLICY_REASONS = ("policy '", "the limit ", "failed its control")
"""How the reasons begin that a policy or a control gives, not the reading."""
STORED = ("title", "question", "limits", "risk", "power", "options")
"""What a finding keeps of the audit that measured it."""


def rescore(
    stored: StoredAudit,
    policy: Policy,
    *,
    policy_name: str,
    command: str = "",
    fail_on: Severity | None = None,
    excuses: Excuses | None = None,
) -> AuditResult:
    """Return the result with the verdicts of another policy.

    Parameters
    ----------
    stored : StoredAudit
        The measurements.
    policy : Policy
        The thresholds.
    policy_name : str
        Its name or file, as a command names it.
    command : str
        What the new result states as its command.
    fail_on : Severity, optional
        Default: as in the stored result.
    excuses : Excuses, optional
        Waivers and a baseline. Those of the stored result do not carry over.

    Raises
    ------
    ConfigurationError
        For the result of a self-check: its verdict is whether the instruments behaved.
    """
    before = stored.result
    if before.kind != "audit":
        raise ConfigurationError("a self-check has no verdict by a policy: rescore the audit of a target")
    findings: list[Finding] = []
    for probe in dict.fromkeys(finding.probe for finding in before.findings):
        old = [finding for finding in before.findings if finding.probe == probe]
        if is_foreign(probe):
            findings += [judged_by(finding, policy) for finding in old if finding.measured_by is not None]
        else:
            findings += _rescored(old, before, policy, policy_name)
    findings += absent_figures(findings, policy)
    findings.sort(key=lambda finding: finding.id)
    kept = [gap for gap in before.not_tested if gap.why.startswith("not selected")]
    result = before.model_copy(
        update={
            "findings": tuple(findings),
            "not_tested": (*(gap for gap in not_tested(findings) if not gap.why.startswith("not selected")), *kept),
            "policy": policy.name,
            "policy_sha256": policy.sha256,
            "policy_record": policy.record,
            "fail_on": fail_on or before.fail_on,
            "command": command or before.command,
            "rescored": Rescored(
                policy=before.policy,
                policy_sha256=before.policy_sha256,
                verdict=before.verdict,
                result_sha256=stored.sha256,
            ),
            "waivers": None,
            "baseline": None,
            "remarks": (),
        }
    )
    return with_verdict(excuses.applied(result, stored.folder) if excuses else result)


def _rescored(old: Sequence[Finding], before: AuditResult, policy: Policy, policy_name: str) -> list[Finding]:
    """Return the findings of one probe under a policy."""
    name = old[0].probe
    try:
        probe = load_probe(name, old[0].options)
    except GuardrailsError as error:
        reason = f"the probe is not here, so its readings cannot be judged: {error}"
        return [f.model_copy(update={"status": Status.NOT_ASSESSED, "reason": reason, "threshold": None}) for f in old]
    reading, why_no_pass = _reading(probe, old, before, policy)
    settings = Settings(target=before.targets[0].name if before.targets else "unknown")
    by_id = {finding.id: finding for finding in old}
    findings = []
    for finding in findings_of(reading, policy, settings):
        like = by_id.get(finding.id, old[0])
        same = {field: getattr(like, field) for field in STORED if field != "title" or like.id == finding.id}
        update = same | {"command": _with_policy(old[0].command, policy_name)}
        if finding.status is Status.PASS and why_no_pass and finding.id == f"{name}/{probe.headline}":
            update |= {"status": Status.NOT_ASSESSED, "reason": why_no_pass, "advice": ""}
        findings.append(finding.model_copy(update=update))
    return findings


def _reading(probe: Probe, old: Sequence[Finding], before: AuditResult, policy: Policy) -> tuple[Reading, str | None]:
    """Return what a probe brought back, as far as the result states it, and why its headline can be no pass."""
    reading = Reading(probe, measurements=_measurements(probe, old))
    why = next((f.reason for f in old if f.status is Status.NOT_APPLICABLE), None)
    if why is not None:
        reading.not_applicable = why
        return reading, None
    if not reading.measurements:
        reasons = (f.reason for f in old if f.reason and not f.reason.startswith(POLICY_REASONS))
        reading.not_assessed = next(reasons, None) or "the stored result holds no measurement of this probe"
    cost = before.timing.cost.per_probe.get(probe.id) if before.timing.cost else None
    reading.no_pass = why_not_assessed(cost.reading, closed_answers=probe.closed_answers) if cost else None
    reading.controls, why = _controls(probe, old, reading.headline, policy)
    if why and reading.not_assessed is None and policy.of_probe(probe.id):
        reading.not_assessed = why
    reading.spike, why_no_pass = _spike(probe, old, reading.headline, policy)
    return reading, why_no_pass


def _measurements(probe: Probe, old: Iterable[Finding]) -> list[Measurement]:
    """Return every measurement of a probe once, in the order in which the probe declares its metrics."""
    by_metric: dict[str, Measurement] = {}
    for finding in old:
        for m in (finding.measurement, *finding.details):
            if m is not None:
                by_metric.setdefault(m.metric, m)
    order = [probe.headline, *probe.metrics]
    return sorted(by_metric.values(), key=lambda m: order.index(m.metric) if m.metric in order else len(order))


def _controls(
    probe: Probe, old: Sequence[Finding], headline: Measurement | None, policy: Policy
) -> tuple[tuple[ControlOutcome, ...], str | None]:
    """Return the outcomes of the controls, and why none can be told.

    Controls are judged by the default policy; a probe without a limit there, by the policy of the audit.
    """
    controls = old[0].controls
    if not controls and probe.controls:
        return (), "its controls were not run: no policy of that audit has a limit for its headline; audit again"
    threshold = policy.headline(probe)
    if default_threshold(probe) is not None or threshold is None or headline is None:
        return controls, None
    judged_again = []
    for c in controls:
        known = next((control for control in probe.controls if control.source == c.source), None)
        if known is None or c.value is None:
            judged_again.append(c)
            continue
        m = headline.model_copy(update={"value": c.value, "low": c.low, "high": c.high, "n": c.n, "errors": 0})
        judged_again.append(control_outcome(probe, known, m, None, threshold).model_copy(update={"cached": c.cached}))
    return tuple(judged_again), None


def _spike(
    probe: Probe, old: Sequence[Finding], headline: Measurement | None, policy: Policy
) -> tuple[SpikeOutcome | None, str | None]:
    """Return the spike under a policy, and why the headline can be no pass where the stored one cannot tell."""
    threshold = policy.headline(probe)
    if threshold is None or headline is None or headline.value is None:
        return None, None
    before = next((f for f in old if f.measurement is not None and f.measurement.metric == probe.headline), None)
    limit = before.threshold.limit if before and before.threshold else None
    spike = before.spike if before else None
    if spike is None:
        no_spike = probe.spike_what == "" or limit is not None
        why = "no spike was planted, because the policy of that audit has no limit for this metric; audit again"
        return None, None if no_spike else why
    if limit == threshold.limit:
        return spike, None
    if not spike.readings:
        if not spike.planted:  # nothing could be planted, whatever the limit
            return spike, None
        why = "the stored result has no reading of its spike at each dose, and the limit is another one; audit again"
        return None, why
    return judged(spike, headline, threshold), None


def _with_policy(command: str, policy: str) -> str:
    """Return a command with another policy."""
    try:
        words = shlex.split(command)
    except ValueError:
        return command
    if "--policy" in words[:-1]:
        words[words.index("--policy") + 1] = policy
    elif words and policy != "default":
        words += ["--policy", policy]
    return shlex.join(words)
