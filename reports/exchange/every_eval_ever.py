"""Every Eval Ever 0.3.0: an evaluation result for each finding that has a number.

The schema has no result without a score. Findings without one, and what was not tested, are named with the reason in
``source_metadata.additional_details``. Specification: EvalEval Coalition, ``eval.schema.json`` 0.3.0.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from guardrails.core.results import AuditResult, Finding, Measurement, metric_of, target_of

from ..outcomes import one_line
from ..renderer import Renderer
from .facts import (
    data_of,
    document_uuid,
    facts_of,
    gaps_of,
    json_bytes,
    line_of,
    name_of,
    part_uuid,
    reading_that_counts,
    run_facts,
    started,
    target_facts,
    text_of,
)

VERSION = "0.3.0"
UNKNOWN = "unknown"

Json = dict[str, Any]


class AuditEveryEvalEver(Renderer[AuditResult]):
    """An audit as one record of evaluation results."""

    format = "every-eval-ever"
    accepts = AuditResult
    title = "Every Eval Ever 0.3.0: evaluation results in a shared schema"

    def render(self, result: AuditResult, *, run_folder: Path | None = None) -> bytes:
        document, began = document_uuid(result), started(result)
        time = str(int(began.timestamp())) if began else UNKNOWN
        model = one_line(", ".join(target.name for target in result.targets)) or UNKNOWN
        scores, unscored = [], []
        for i, finding in enumerate(result.findings):
            m = reading_that_counts(finding)
            if m is None:
                unscored.append(one_line(f"{name_of(finding)}: {line_of(finding)} ({finding.title})"))
            else:
                scores.append(_score(finding, m, result, part_uuid(document, "result", i)))
        details = {name: text_of(fact) for name, fact in run_facts(result).items()}
        details |= {f"finding without a score {i}": line for i, line in enumerate(unscored, 1)}
        details |= {f"not tested {i}": line for i, line in enumerate(gaps_of(result), 1)}
        return json_bytes(
            {
                "schema_version": VERSION,
                "evaluation_id": f"guardrails-{result.kind}/{model}/{time}",
                **({"evaluation_timestamp": began.isoformat()} if began else {}),
                "retrieved_timestamp": time,
                "source_metadata": {
                    "source_name": f"guardrails {result.kind}",
                    "source_type": "evaluation_run",
                    "source_organization_name": UNKNOWN,
                    "evaluator_relationship": "other",
                    "additional_details": details,
                },
                "eval_library": {"name": "guardrails", "version": one_line(result.guardrails_version) or UNKNOWN},
                "model_info": {
                    "name": model,
                    "id": model,
                    "additional_details": _identity(result)
                    | {"deployment_type": UNKNOWN, "model_availability": UNKNOWN},
                },
                "evaluation_results": scores,
            }
        )


def _identity(result: AuditResult) -> dict[str, str]:
    if len(result.targets) != 1:
        return {"targets": str(len(result.targets))}
    (target,) = result.targets
    return {"modality": one_line(target.modality)} | target_facts(target)


def _score(finding: Finding, m: Measurement, result: AuditResult, identifier: str) -> Json:
    name = target_of(finding, result)
    target = next((target for target in result.targets if target.name == name), None)
    return {
        "evaluation_result_id": identifier,
        "evaluation_name": name_of(finding),
        "source_data": {"dataset_name": (data_of(target) if target else "") or "none", "source_type": "other"},
        "metric_config": {
            "evaluation_description": one_line(finding.question or finding.title),
            "metric_id": one_line(f"guardrails.{finding.probe}.{metric_of(finding)}"),
            "metric_name": one_line(finding.title),
            "metric_unit": one_line(m.unit),
            "lower_is_better": m.higher_is_worse,
        },
        "score_details": {
            "score": m.value,
            "details": {name: text_of(fact) for name, fact in facts_of(finding).items()},
            "uncertainty": {
                "confidence_interval": {
                    "lower": m.low, "upper": m.high, "confidence_level": m.confidence, "method": one_line(m.method),
                },
                "num_samples": m.n,
            },
        },
    }  # fmt: skip
