"""AVID: one report of type *Measurement*, with a metric for each finding.

The taxonomy names what failed. An audit in which nothing failed has no category, which does not say that the model is
free of the problem. Specification: AI Vulnerability Database, report data model of ``avidtools`` 0.3.2.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from guardrails.core.results import AuditResult, Finding, TargetRecord

from ..findings import ADDRESS
from ..outcomes import one_line
from ..renderer import Renderer
from .facts import conclusion_of, document_uuid, facts_of, gaps_of, json_bytes, name_of, started

TAXONOMY = "0.2"
SEP = {
    "bias": "E0100: Bias/ Discrimination", "deepfake": "E0402: Generative Misinformation",
    "memorization": "P0300: Privacy", "privacy": "P0300: Privacy", "quality": "P0201: Resilience/ Stability",
}  # fmt: skip
"""The category of each risk."""
DOMAINS = {"S": "Security", "E": "Ethics", "P": "Performance"}
OUTPUTS = ("dir", "jsonl", "table")
"""The kinds of target that are data: what a model made."""

Json = dict[str, Any]


class AuditAvid(Renderer[AuditResult]):
    """An audit as one report."""

    format = "avid"
    accepts = AuditResult
    title = "AVID: a report for the AI Vulnerability Database"

    def render(self, result: AuditResult, *, run_folder: Path | None = None) -> bytes:
        began = started(result)
        failed = [finding for finding in result.findings if conclusion_of(finding) is False]
        names = one_line(", ".join(target.name for target in result.targets)) or "no target"
        text = all(target.modality == "text" for target in result.targets)
        report: Json = {
            "data_type": "AVID",
            "metadata": {"report_id": str(document_uuid(result))},
            "affects": {"developer": [], "deployer": [], "artifacts": [_artifact(t) for t in result.targets]},
            "problemtype": {
                "classof": "LLM Evaluation" if text else "Undefined",
                "type": "Measurement",
                "description": _english(f"guardrails {result.kind} of {names}: {result.verdict}"),
            },
            "metrics": [_metric(finding) for finding in result.findings],
            "references": _references(failed),
            "description": {"lang": "eng", "value": _description(result, len(failed))},
            "impact": {"avid": _impact(failed)},
        }
        if began:
            report["reported_date"] = began.date().isoformat()
        return json_bytes(report)


def _english(text: str) -> Json:
    return {"lang": "eng", "value": one_line(text)}


def _description(result: AuditResult, failed: int) -> str:
    lines = [
        f"{failed} of {len(result.findings)} findings failed."
        if failed
        else f"No issue found by the {len(result.findings)} checks that this report lists; their outcomes say which of "
        "them came to a result.",
        one_line(f"Policy {result.policy}, budget {result.budget}, seed {result.seed}: {result.command}"),
        "Evidence about the checks that ran, not legal advice.",
        *gaps_of(result),
    ]
    return "\n".join(lines)


def _artifact(target: TargetRecord) -> Json:
    data = target.name.partition(":")[0] in OUTPUTS
    return {"type": "Dataset" if data else "Model", "name": one_line(target.name) or "unnamed"}


def _metric(finding: Finding) -> Json:
    method = finding.measurement.method if finding.measurement else "nothing was measured"
    return {
        "name": name_of(finding),
        "detection_method": {"type": "Static Threshold", "name": one_line(method)},
        "results": facts_of(finding),
    }


def _references(failed: list[Finding]) -> list[Json]:
    refs = {
        (ref.source_url, one_line(f"{ref.framework} {ref.edition} {ref.id}: {ref.title}")): None
        for finding in failed
        for ref in finding.frameworks
        if ADDRESS.fullmatch(ref.source_url) and one_line(ref.source_url) == ref.source_url
    }
    return [{"type": "source", "label": label, "url": url} for url, label in refs]


def _impact(failed: list[Finding]) -> Json:
    categories = sorted({SEP[finding.risk] for finding in failed if finding.risk in SEP})
    return {
        "risk_domain": sorted({DOMAINS[category[0]] for category in categories}),
        "sep_view": categories,
        "lifecycle_view": ["L05: Evaluation"],
        "taxonomy_version": TAXONOMY,
    }
