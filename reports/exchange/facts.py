"""A finding as the formats of other tools state it: its outcome, its number with the interval, and what supports it.

`facts_of` is the one mapping that OSCAL, CycloneDX, model cards, AVID and Every Eval Ever share. Only the text of a
finding's evidence is left out of it, since these documents are made to be handed on.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from guardrails.core.results import AuditResult, Evidence, Finding, Measurement, Status, TargetRecord

from ..findings import sentence_of
from ..outcomes import one_line, outcome_of, reading_of
from ..text import number

NAMESPACE = uuid.UUID("5b0f7a3e-7c57-5d0c-9a53-0f5f3c6c1d2a")
"""Of every UUID (version 5) in a report."""
OUTER = 5
"""Levels of a JSON document that are indented."""
Fact = str | int | float | bool
_NO_TOKEN = re.compile(r"[^A-Za-z0-9._-]")


def facts_of(finding: Finding) -> dict[str, Fact]:
    """Return what is known of a finding, by name; nothing is None or empty, and each text is one visible line.

    ``outcome`` and ``reading`` are always there.
    """
    m, limit, spike, power = reading_that_counts(finding), finding.threshold, finding.spike, finding.power
    outcome = outcome_of(finding)
    facts: dict[str, Any] = {
        "title": finding.title, "outcome": outcome.word, "status": finding.status.value,
        "severity": finding.severity.value, "reading": summary_of(finding), "reason": outcome.reason,
        "expected": finding.expected,
    }  # fmt: skip
    if m is not None:
        facts |= {
            "estimate": m.value, "low": m.low, "high": m.high, "confidence": m.confidence, "n": m.n, "unit": m.unit,
            "method": m.method, "items-failed": m.errors or None, "smallest-effect": m.detectable,
        }  # fmt: skip
        if m.baseline is not None:
            b = m.baseline
            facts |= {"baseline": b.value, "baseline-low": b.low, "baseline-high": b.high, "baseline-what": b.what}
    if limit is not None:
        facts |= {"limit": limit.limit, "limit-origin": limit.origin, "required": limit.required}
    if finding.controls:
        behaved = sum(control.behaved for control in finding.controls)
        facts["controls"] = f"{behaved} of {len(finding.controls)} behaved"
    if spike is not None:
        dose = "no dose" if spike.smallest_dose is None else f"{number(spike.smallest_dose, 'share')} of the items"
        recovery = "not measured" if spike.recovery is None else f"{spike.recovery} [{spike.low}, {spike.high}]"
        facts[spike.kind] = f"smallest dose seen: {dose}; recovery: {recovery}"
    if power is not None:
        facts["power"] = f"{power.power} [{power.power_low}, {power.power_high}] of {power.runs} runs"
        facts["false-alarms"] = f"{power.false_alarms} [{power.false_alarms_low}, {power.false_alarms_high}]"
    if waiver := finding.waiver:
        facts["waived"] = f"until {waiver.expires} by {waiver.owner}: {waiver.reason}"
    if finding.known is not None:
        facts["in-the-baseline"] = f"failed too: {finding.known.note}"
    if other := finding.measured_by:
        corrected = "corrected" if other.corrected else "not corrected"
        facts["measured-by"] = f"{other.tool} {other.version}, {corrected} for the error of its detector: {other.file}"
    facts["frameworks"] = "; ".join(f"{ref.framework} {ref.edition} {ref.id}" for ref in finding.frameworks)
    facts |= {"limits-of-the-check": finding.limits, "advice": finding.advice, "command": finding.command}
    return _known(facts)


def _known(facts: Mapping[str, Any]) -> dict[str, Fact]:
    lines = {name: one_line(value) if isinstance(value, str) else value for name, value in facts.items()}
    return {name: value for name, value in lines.items() if value is not None and value != ""}


def text_of(fact: Fact) -> str:
    r"""Return a fact as one visible line; a number in full.

    >>> text_of(True), text_of(0.1), text_of("a\nb")
    ('true', '0.1', 'a b')
    """
    return str(fact).lower() if isinstance(fact, bool) else one_line(str(fact))


def reading_that_counts(finding: Finding) -> Measurement | None:
    """Return a finding's measurement where it has a number and no control of its instrument failed."""
    m = finding.measurement
    if m is None or m.value is None or finding.control_failed or finding.status is Status.NOT_APPLICABLE:
        return None
    return m


def summary_of(finding: Finding) -> str:
    """Return the reading with interval, n and limit, or that there is none that counts."""
    if reading_that_counts(finding) is None:
        return "no reading that counts"
    return reading_of(finding)


def conclusion_of(finding: Finding) -> bool | None:
    """Return True for a pass, False for a failure, excused or not, None for what was not settled."""
    state = outcome_of(finding).state
    if state == "skipped" and finding.status is Status.FAIL:  # waived, or known from a baseline: it failed all the same
        return False
    return {"passed": True, "failed": False}.get(state)


def line_of(finding: Finding) -> str:
    """Return outcome, reading and reason in one line."""
    return one_line(f"{outcome_of(finding).word}: {summary_of(finding)}. {sentence_of(finding)}")


def name_of(finding: Finding) -> str:
    """Return the name of a finding, ``probe/metric``, for a reader of one document."""
    return one_line(finding.id) or "unnamed"


def evidence_of(finding: Finding) -> Iterator[Evidence]:
    """Yield the evidence of a finding's measurements."""
    for m in (finding.measurement, *finding.details):
        if m is not None:
            yield from m.evidence


def gaps_of(result: AuditResult) -> list[str]:
    """Return a line for each thing that was not tested."""
    return [one_line(f"Not tested: {gap.what}: {gap.why}") for gap in result.not_tested]


def run_facts(result: AuditResult) -> dict[str, Fact]:
    """Return what is known of the whole run, by name; values as those of `facts_of`."""
    facts: dict[str, Any] = {
        "verdict": result.verdict, "exit-code": result.exit_code, "kind": result.kind, "policy": result.policy,
        "policy-sha256": result.policy_sha256, "budget": result.budget, "seed": result.seed,
        "fail-on": result.fail_on.value, "remarks": "; ".join(result.remarks),
        "command": result.command, "guardrails-version": result.guardrails_version,
    }  # fmt: skip
    return _known(facts)


def target_facts(target: TargetRecord) -> dict[str, str]:
    """Return what is known of a target, by name: its data, how each input was read, identity and hashes."""
    facts = {f"data-{name}": text for name, text in target.data.items()}
    facts |= {f"read-as-{name}": text for name, text in target.read_as.items()}
    facts |= {f"identity-{name}": text for name, text in target.identity.items()}
    facts |= {f"sha256-{name}": record.sha256 for name, record in target.inputs.items()}
    lines = {one_line(name): one_line(text) for name, text in sorted(facts.items())}  # as a stored result has them
    return {name: line for name, line in lines.items() if line}


def data_of(target: TargetRecord) -> str:
    """Return the data of a target in one line."""
    return one_line("; ".join(f"{role}: {text}" for role, text in sorted(target.data.items())))


def started(result: AuditResult) -> datetime | None:
    """Return when the run began, or None where the result states no time with its zone."""
    try:
        time = datetime.fromisoformat(result.timing.started)
    except ValueError:
        return None
    return time if time.tzinfo is not None else None


def document_uuid(result: AuditResult) -> uuid.UUID:
    """Return the UUID (version 5) of a result: the same for the same content."""
    digest = hashlib.sha256()
    # One finding at a time: the text of a whole result can be many times larger than the report.
    for part in (result.model_copy(update={"findings": ()}), *result.findings):
        text = json.dumps(part.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
        digest.update(text.encode("utf-8", "replace"))
    return uuid.uuid5(NAMESPACE, digest.hexdigest())


def part_uuid(document: uuid.UUID, kind: str, position: int) -> str:
    """Return the UUID (version 5) of a part of a document."""
    return str(uuid.uuid5(document, f"{kind} {position}"))


def token(text: str) -> str:
    """Return a text as a token (XML's NCName, in ASCII); texts that differ have tokens that differ.

    >>> token("privacy.pii"), token("a b"), token("")
    ('privacy.pii', 'a-b-c8687a08', '_-e3b0c442')
    """
    name = _NO_TOKEN.sub("-", text[:80])
    name = name if re.match("[A-Za-z_]", name) else f"_{name}"
    if name == text:
        return name
    return f"{name}-{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:8]}"


def json_bytes(document: dict[str, Any]) -> bytes:
    """Return a document as JSON in ASCII, indented at its outer levels: a finding takes few lines."""
    return ("".join(_json_parts(document, OUTER)) + "\n").encode("ascii")


def _json_parts(value: Any, levels: int, indent: str = "\n") -> Iterator[str]:
    inner = f"{indent} "
    if not levels or not value or not isinstance(value, dict | list):
        yield json.dumps(value, allow_nan=False)
    elif isinstance(value, dict):
        for i, (name, item) in enumerate(value.items()):
            yield ("," if i else "{") + inner + json.dumps(name) + ": "
            yield from _json_parts(item, levels - 1, inner)
        yield indent + "}"
    else:
        for i, item in enumerate(value):
            yield ("," if i else "[") + inner
            yield from _json_parts(item, levels - 1, inner)
        yield indent + "]"
