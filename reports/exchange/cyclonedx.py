"""CycloneDX 1.7: a bill of materials with the audited model, its inputs, and a model card that holds the findings.

A model card's metric has a value and an interval, and no status: each finding is also a property that states its
outcome. Specification: OWASP, CycloneDX 1.7 (ECMA-424), ``modelCard``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from guardrails.core.results import AuditResult, Finding, TargetRecord, target_of

from ..outcomes import one_line
from ..renderer import Renderer
from .facts import (
    Fact,
    conclusion_of,
    document_uuid,
    facts_of,
    gaps_of,
    json_bytes,
    line_of,
    name_of,
    reading_that_counts,
    run_facts,
    started,
    target_facts,
    text_of,
)

SCHEMA = "http://cyclonedx.org/schema/bom-1.7.schema.json"
PREFIX = "guardrails:"
"""Of the names of properties."""

Json = dict[str, Any]


class AuditCycloneDx(Renderer[AuditResult]):
    """An audit as a bill of materials: a model for each target."""

    format = "cyclonedx"
    accepts = AuditResult
    title = "CycloneDX 1.7: a bill of materials with a model card (ML-BOM)"

    def render(self, result: AuditResult, *, run_folder: Path | None = None) -> bytes:
        tool = {"type": "application", "name": "guardrails", "version": one_line(result.guardrails_version)}
        began = started(result)
        findings: dict[str, list[Finding]] = {}
        for finding in result.findings:
            findings.setdefault(target_of(finding, result), []).append(finding)
        gaps = gaps_of(result)
        components = [_model(i, t, findings.pop(t.name, []), gaps) for i, t in enumerate(result.targets)]
        rest = [finding for of_no_target in findings.values() for finding in of_no_target]
        metadata: Json = {
            **({"timestamp": began.isoformat()} if began else {}),
            "tools": {"components": [tool]},
            "properties": [
                *_properties(run_facts(result)),
                *({"name": f"{PREFIX}not-tested", "value": gap} for gap in gaps),
                *_outcomes(rest),
            ],
        }
        return json_bytes(
            {
                "$schema": SCHEMA,
                "bomFormat": "CycloneDX",
                "specVersion": "1.7",
                "serialNumber": f"urn:uuid:{document_uuid(result)}",
                "version": 1,
                "metadata": metadata,
                "components": components,
            }
        )


def _model(position: int, target: TargetRecord, findings: Sequence[Finding], gaps: Sequence[str]) -> Json:
    return {
        "type": "machine-learning-model",
        "bom-ref": f"target-{position}",
        "name": one_line(target.name) or "unnamed",
        "description": one_line(f"{target.modality}, audited with access: {', '.join(target.access)}"),
        "modelCard": {
            "modelParameters": _parameters(target),
            "quantitativeAnalysis": {"performanceMetrics": [m for f in findings if (m := _metric(f)) is not None]},
            "considerations": _considerations(findings, gaps),
            "properties": _outcomes(findings),
        },
        "properties": _properties(target_facts(target)),
    }


def _parameters(target: TargetRecord) -> Json:
    datasets = [
        {"type": "dataset", "name": one_line(name), "description": one_line(text)}
        for name, text in sorted(target.data.items())
    ]
    outputs = {"outputs": [{"format": one_line(target.modality)}]}
    return outputs | ({"datasets": datasets} if datasets else {})


def _metric(finding: Finding) -> Json | None:
    m = reading_that_counts(finding)
    if m is None:
        return None
    return {
        "type": one_line(f"{name_of(finding)} ({m.unit})"),
        "value": str(m.value),
        "confidenceInterval": {"lowerBound": str(m.low), "upperBound": str(m.high)},
    }


def _considerations(findings: Sequence[Finding], gaps: Sequence[str]) -> Json:
    limits = dict.fromkeys(one_line(f"{f.probe} does not see: {f.limits}") for f in findings if f.limits)
    failed = [finding for finding in findings if conclusion_of(finding) is False]
    risks = [
        {"name": one_line(f"{f.title}: {line_of(f)}")}
        | ({"mitigationStrategy": advice} if (advice := one_line(f.advice)) else {})
        for f in failed
    ]
    return {"technicalLimitations": [*limits, *gaps], "ethicalConsiderations": risks}


def _outcomes(findings: Sequence[Finding]) -> list[Json]:
    """Return the outcome of each finding, and its other facts, as properties named after it."""
    return [
        {"name": f"{PREFIX}{fact}:{name_of(finding)}", "value": text_of(value)}
        for finding in findings
        for fact, value in facts_of(finding).items()
    ]


def _properties(facts: Mapping[str, Fact]) -> list[Json]:
    return [{"name": one_line(f"{PREFIX}{name}"), "value": text_of(fact)} for name, fact in facts.items()]
