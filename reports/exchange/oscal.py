"""OSCAL 1.2 assessment results: an observation for each finding, and an OSCAL finding for each that was settled.

OSCAL knows two states of an objective, *satisfied* and *not-satisfied*. What is inconclusive, not assessed, not
applicable or not tested is an observation and has neither. Specification: NIST, Open Security Controls Assessment
Language 1.2.1, assessment results model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

from guardrails.core.results import AuditResult, Evidence, Finding, TargetRecord, metric_of, target_of

from ..outcomes import one_line
from ..pictures import why_not_shown
from ..renderer import Renderer
from .facts import (
    Fact,
    conclusion_of,
    document_uuid,
    evidence_of,
    facts_of,
    gaps_of,
    json_bytes,
    line_of,
    name_of,
    part_uuid,
    run_facts,
    started,
    target_facts,
    text_of,
    token,
)

VERSION = "1.2.1"
PROPERTIES = "urn:guardrails:oscal"
"""Namespace of the names of properties."""
NO_TIME = "1970-01-01T00:00:00+00:00"
"""In place of a time, which OSCAL requires, where the result states none."""
NO_PLAN = (
    "There is no OSCAL assessment plan. The plan of this assessment is the policy and the command that this resource "
    "names."
)

Json = dict[str, Any]


class AuditOscal(Renderer[AuditResult]):
    """An audit as assessment results; excerpts of outputs stay in the run's folder."""

    format = "oscal"
    accepts = AuditResult
    title = "OSCAL 1.2 assessment results, for governance and compliance tools"

    def render(self, result: AuditResult, *, run_folder: Path | None = None) -> bytes:
        document = document_uuid(result)
        began = started(result)
        time = began.isoformat() if began else NO_TIME
        plan = part_uuid(document, "plan", 0)
        metadata: Json = {
            "title": _title(result),
            "last-modified": time,
            "version": one_line(result.schema_version),
            "oscal-version": VERSION,
            "props": _properties(run_facts(result)),
            "remarks": "Evidence about the checks that ran, not legal advice."
            + ("" if began else " The result states no time: that of this document is a placeholder."),
        }
        resource = {
            "uuid": plan,
            "title": one_line(f"Policy {result.policy}"),
            "description": one_line(result.command) or "no command",
            "props": _properties({"policy": result.policy, "policy-sha256": result.policy_sha256}),
            "remarks": NO_PLAN,
        }
        return json_bytes(
            {
                "assessment-results": {
                    "uuid": str(document),
                    "metadata": metadata,
                    "import-ap": {"href": f"#{plan}", "remarks": NO_PLAN},
                    "results": [_result(result, document, time, run_folder)],
                    "back-matter": {"resources": [resource]},
                }
            }
        )


def _title(result: AuditResult) -> str:
    names = ", ".join(target.name for target in result.targets[:3]) + (", …" if len(result.targets) > 3 else "")
    return one_line(f"Assessment results of guardrails {result.kind}: {names or 'no target'}")


def _result(result: AuditResult, document: UUID, time: str, run_folder: Path | None) -> Json:
    components = [_component(t, part_uuid(document, "target", i)) for i, t in enumerate(result.targets)]
    subjects = {t.name: part_uuid(document, "target", i) for i, t in enumerate(result.targets)}
    observations, findings = [], []
    for i, finding in enumerate(result.findings):
        observation = _observation(finding, part_uuid(document, "observation", i), time, run_folder)
        if subject := subjects.get(target_of(finding, result)):
            observation["subjects"] = [{"subject-uuid": subject, "type": "component"}]
        observations.append(observation)
        conclusion = conclusion_of(finding)
        if conclusion is not None:
            observation["types"] = ["finding"]
            findings.append(_finding(finding, conclusion, part_uuid(document, "finding", i), observation["uuid"]))
    for i, gap in enumerate(gaps_of(result)):
        observations.append(
            {
                "uuid": part_uuid(document, "gap", i), "description": gap, "methods": ["UNKNOWN"], "collected": time,
                "props": _properties({"outcome": "not-tested"}),
            }
        )  # fmt: skip
    parts: Json = {
        "uuid": part_uuid(document, "result", 0),
        "title": _title(result),
        "description": f"Verdict: {result.verdict}, exit code {result.exit_code}.",
        "start": time,
        "props": _properties(run_facts(result)),
        "reviewed-controls": _reviewed(result.findings),
        "observations": observations,
        "findings": findings,
    }
    if components:
        parts["local-definitions"] = {"components": components}
    return {name: value for name, value in parts.items() if value}  # OSCAL has no empty lists


def _component(target: TargetRecord, uuid: str) -> Json:
    return {
        "uuid": uuid,
        "type": "software",
        "title": one_line(target.name) or "unnamed",
        "description": one_line(f"{target.modality}, audited with access: {', '.join(target.access)}"),
        "props": _properties({"modality": target.modality} | target_facts(target)),
        "status": {"state": "other", "remarks": "An audit does not know whether its target is in operation."},
    }


def _reviewed(findings: Iterable[Finding]) -> Json:
    names = dict.fromkeys(token(finding.probe) for finding in findings)
    what = "The checks of this run, by their names in guardrails. The observations state which came to a result."
    # OSCAL has no empty selection, and `include-all` would state that every control was reviewed.
    selection = {
        "description": what if names else "No check ran.",
        "include-controls": [{"control-id": name} for name in names or ["none"]],
    }
    return {"control-selections": [selection]}


def _observation(finding: Finding, uuid: str, time: str, run_folder: Path | None) -> Json:
    evidence = [item for e in evidence_of(finding) for item in _evidence(e, run_folder)]
    observation: Json = {
        "uuid": uuid,
        "title": one_line(finding.title) or name_of(finding),
        "description": line_of(finding),
        "props": _properties({"finding": finding.id, "probe": finding.probe} | facts_of(finding)),
        "methods": ["TEST"],
        "collected": time,
    }
    return observation | ({"relevant-evidence": evidence} if evidence else {})


def _evidence(evidence: Evidence, run_folder: Path | None) -> Iterator[Json]:
    caption = one_line(evidence.caption) or evidence.kind
    if evidence.text is not None or evidence.rows:
        yield {"description": caption, "remarks": "The text is in the stored result."}
    for path in evidence.media:
        why = why_not_shown(path, run_folder)
        if why is None:
            yield {"href": quote(path.encode("utf-8", "replace"), safe="/"), "description": caption}
        else:
            yield {"description": caption, "remarks": one_line(f"Left out: {path}: {why}")}


def _finding(finding: Finding, conclusion: bool, uuid: str, observation: str) -> Json:
    reason = "pass" if conclusion else "fail"
    target = {
        "type": "objective-id",
        "target-id": token(f"{finding.probe}.{metric_of(finding)}"),
        "title": one_line(finding.question) or name_of(finding),
        "status": {"state": "satisfied" if conclusion else "not-satisfied", "reason": reason},
    }
    return {
        "uuid": uuid,
        "title": one_line(finding.title) or name_of(finding),
        "description": line_of(finding),
        "props": _properties({"finding": finding.id, "severity": finding.severity.value}),
        "target": target,
        "related-observations": [{"observation-uuid": observation}],
    }


def _properties(facts: Mapping[str, Fact]) -> list[Json]:
    texts = ((name, text_of(fact)) for name, fact in facts.items())
    return [{"name": token(name), "ns": PROPERTIES, "value": text} for name, text in texts if text]
