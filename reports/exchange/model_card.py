"""A section of a Hugging Face model card: Markdown, after the ``model-index`` that the Hub and its library read.

The index takes numbers only: what has none stands in the table below it, with the reason. Format: the metadata of
model cards, as ``huggingface_hub.ModelCard`` reads it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from guardrails.core.results import AuditResult, Finding, TargetRecord, metric_of, target_of

from ..markdown import escape
from ..outcomes import one_line, outcome_of
from ..renderer import Renderer
from .facts import data_of, facts_of, gaps_of, name_of, reading_that_counts, run_facts, summary_of
from .junit import xml_text

READ_FIRST = (
    "Each number has its interval. A pass says that no issue was found by this check, within its limits. Inconclusive "
    "and not assessed are no pass."
)


class AuditModelCard(Renderer[AuditResult]):
    """An audit as metadata and a section to append to a model card."""

    format = "model-card"
    accepts = AuditResult
    title = "a Hugging Face model card section: model-index and a table"

    def render(self, result: AuditResult, *, run_folder: Path | None = None) -> bytes:
        index = [model for target in result.targets if (model := _model(target, result)) is not None]
        head = ["---", "model-index:", *_yaml(index, 0), "---", ""] if index else []
        return ("\n".join([*head, *_section(result)]) + "\n").encode()


def _model(target: TargetRecord, result: AuditResult) -> dict[str, Any] | None:
    """Return the entry of a target in the index, or None where no finding of it has a number."""
    measured = [f for f in result.findings if target_of(f, result) == target.name and reading_that_counts(f)]
    if not measured:
        return None
    data = data_of(target) or "no data were given"
    results = {
        "task": {"type": "other", "name": one_line(f"guardrails {result.kind} of {target.modality}")},
        "dataset": {"type": "other", "name": data},
        "metrics": [_metric(finding) for finding in measured],
    }
    return {"name": one_line(target.name) or "unnamed", "results": [results]}


def _metric(finding: Finding) -> dict[str, Any]:
    m = reading_that_counts(finding)
    return {
        "type": one_line(f"{finding.probe}.{metric_of(finding)}") or "unnamed",
        "value": m.value if m else None,
        "name": one_line(finding.title),
        "args": facts_of(finding),
    }


def _yaml(value: Any, depth: int) -> Iterator[str]:
    """Yield the lines of a list or a mapping as YAML; texts are those of `one_line`, and are quoted."""
    indent = "  " * depth
    items = value.items() if isinstance(value, Mapping) else ((None, item) for item in value)
    for key, item in items:
        lead = f"{indent}- " if key is None else f"{indent}{key}: "
        if isinstance(item, Mapping | Sequence) and not isinstance(item, str):
            first, *rest = _yaml(item, depth + 1)
            if key is None:  # the first key of a mapping stands beside the dash
                yield lead + first.removeprefix("  " * (depth + 1))
                yield from rest
            else:
                yield lead.rstrip()
                yield from (first, *rest)
        else:
            yield lead + _scalar(item)


def _scalar(value: Any) -> str:
    r"""Return a number or a quoted text as YAML reads it.

    >>> _scalar('say "x"'), _scalar(0.5), _scalar(1e-05), _scalar(True)
    ('"say \\"x\\""', '0.5', '1.0e-05', 'true')
    """
    text = json.dumps(xml_text(value) if isinstance(value, str) else value, ensure_ascii=False, allow_nan=False)
    text = text.replace("<", "\\u003c")  # some readers show the metadata as Markdown
    # YAML 1.1 reads 1e-05 as a text: a float has a point.
    return text.replace("e", ".0e", 1) if isinstance(value, float) and "e" in text and "." not in text else text


def _section(result: AuditResult) -> Iterator[str]:
    yield f"## Audit by guardrails: {escape(result.verdict)}"
    yield from ("", READ_FIRST, "")
    yield from (f"- {escape(name)}: {escape(str(fact))}" for name, fact in run_facts(result).items())
    yield from ("", "| Check | Outcome | Reading | Severity | Why |", "|---|---|---|---|---|")
    for finding in result.findings:
        outcome = outcome_of(finding)
        cells = (
            f"{one_line(finding.title)} ({name_of(finding)})", outcome.word, summary_of(finding),
            finding.severity.value, outcome.reason,
        )  # fmt: skip
        yield f"| {' | '.join(map(escape, cells))} |"
    gaps = gaps_of(result)
    yield from ("", "### What was not tested", "", *(f"- {escape(gap)}" for gap in gaps or ["Nothing was named."]))
    limits = dict.fromkeys(one_line(f"{f.title}: {f.limits}") for f in result.findings if f.limits)
    if limits:
        yield from ("", "### What these checks cannot see", "", *(f"- {escape(limit)}" for limit in limits))
    yield from ("", "This section is evidence about the checks that ran, not legal advice.")
