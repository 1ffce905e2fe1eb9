"""Whether a finding of two audits can be compared, and else why not."""

from __future__ import annotations

import re

from ...core.errors import ConfigurationError
from ...core.results import AuditResult, Finding, Measurement, Status
from ..policy.policy import failures, too_many_failed

SIDES = ("before", "after")
_DECIMAL = re.compile(r"\d+\.\d+")


def check_runs(before: AuditResult, after: AuditResult) -> None:
    """Refuse two results of which nothing can be compared.

    Raises
    ------
    ConfigurationError
    """
    if before.kind != after.kind:
        first, second = sorted({before.kind, after.kind})
        raise ConfigurationError(f"one result is of an {first} and the other of a {second}: compare two alike")
    kinds = [", ".join(sorted({t.modality for t in result.targets})) or "nothing" for result in (before, after)]
    if before.kind == "audit" and kinds[0] != kinds[1]:
        raise ConfigurationError(f"one target makes {kinds[0]} and the other {kinds[1]}: no finding can be compared")


def other_instruments(before: AuditResult, after: AuditResult) -> str | None:
    """Return why no reading can be compared, where the two were measured by other code, else None."""
    code = [result.environment.get("code") for result in (before, after)]
    sources = [result.environment.get("sources") for result in (before, after)]
    versions = [result.guardrails_version for result in (before, after)]
    if code[0] == code[1] is not None or sources[0] == sources[1] is not None:
        return None
    if versions[0] != versions[1]:
        return f"measured by guardrails {versions[0]} before and {versions[1]} after: audit both with one version"
    if None in code and None in sources:
        return "a result does not state which code measured it: audit both with one version"
    return f"measured by other code of guardrails {versions[0]} or of a plug-in: audit both with the same"


def notes_on(before: AuditResult, after: AuditResult) -> tuple[str, ...]:
    """Return what a reader should know of both audits."""
    notes = []
    for what in ("policy", "budget", "seed"):
        first, second = getattr(before, what), getattr(after, what)
        if first != second:
            notes.append(f"{what}: {first} before, {second} after")
    if before.policy == after.policy and before.policy_sha256 != after.policy_sha256:
        notes.append(f"the policy {before.policy} changed; readings are compared, not verdicts")
    libraries = sorted(
        name
        for name in before.environment.keys() | after.environment.keys()
        if name not in ("sources", "code") and before.environment.get(name) != after.environment.get(name)
    )
    if libraries:
        notes.append(f"other versions of {', '.join(libraries)}: a reading may differ for that reason")
    if before.kind == "audit" and before.targets and after.targets:
        first, second = before.targets[0], after.targets[0]
        if first.name != second.name:
            notes.append(f"target: {first.name} before, {second.name} after")
        for name in sorted((first.inputs.keys() | second.inputs.keys()) - {"target"}):
            one, other = first.inputs.get(name), second.inputs.get(name)
            if one is None or other is None:
                notes.append(f"{name}: given only {SIDES[one is None]}")
            elif one.sha256 != other.sha256:
                notes.append(f"{name}: other content, so each reading is of its own {name}")
    return tuple(notes)


def why_not(before: Finding, after: Finding) -> str | None:
    """Return why a finding of two audits by the same code cannot be compared, or None where it can."""
    findings = (before, after)
    for side, finding in zip(SIDES, findings, strict=True):
        if finding.status is Status.NOT_APPLICABLE:
            return f"not applicable {side}: {finding.reason or 'no reason stated'}"
        if finding.control_failed:
            return f"its control failed {side}"
    if before.options != after.options:
        every = sorted(before.options.keys() | after.options.keys())
        different = [name for name in every if before.options.get(name) != after.options.get(name)]
        return f"other options: {', '.join(_options(name, before, after) for name in different)}"
    outcomes = [{c.source: c.observed for c in f.controls} for f in findings]
    if outcomes[0] != outcomes[1]:
        every = sorted(outcomes[0].keys() | outcomes[1].keys())
        source = next(name for name in every if outcomes[0].get(name) != outcomes[1].get(name))
        first, second = (o.get(source, "not run") for o in outcomes)
        return f"another outcome of a control: {source} was {first} before and {second} after"
    for side, finding in zip(SIDES, findings, strict=True):
        m = finding.measurement
        if m is None or m.value is None:
            return f"not assessed {side}: {finding.reason or (m.reason if m else None) or 'no reason stated'}"
        if finding.status is Status.NOT_ASSESSED and finding.threshold is not None:
            return f"not assessed {side}: {finding.reason or 'no reason stated'}"
        if too_many_failed(m):
            return f"not assessed {side}: {failures(m)}"
    assert before.measurement is not None
    assert after.measurement is not None
    return _other_measure(before.measurement, after.measurement)


def _options(name: str, before: Finding, after: Finding) -> str:
    first, second = (f.options.get(name, "the default") for f in (before, after))
    return f"{name} was {first} before and {second} after"


def _other_measure(before: Measurement, after: Measurement) -> str | None:
    if (before.unit, before.higher_is_worse) != (after.unit, after.higher_is_worse):
        return f"another measure: in {before.unit} before and in {after.unit} after"
    if (how := _how(before)) != _how(after):
        return f"measured in another way: '{how}' before, '{_how(after)}' after"
    for side, m in zip(SIDES, (before, after), strict=True):
        if m.exact and before.value != after.value:
            return f"a bound without an interval {side}: whether the difference is noise cannot be told"
        if not m.exact and m.low == m.high:
            return f"stored without an interval {side}"
    return None


def _how(m: Measurement) -> str:
    """Return how a number was measured, without its interval's method and the numbers that depend on the sample."""
    return _DECIMAL.sub("…", m.method.partition(";")[0])
