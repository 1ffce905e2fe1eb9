"""A short Markdown summary of an audit, as ``$GITHUB_STEP_SUMMARY`` shows it: at most a megabyte."""

from __future__ import annotations

from pathlib import Path

from guardrails.core.results import AuditResult, Finding

from .findings import limit_of, mark_of, sentence_of, value_of
from .markdown import block_text, escape
from .renderer import Renderer
from .sections import sentence_and_mark
from .text import clip, visible
from .tree import Cell, Table

SHOWN = 200
"""Findings, and lines of what was not tested."""
TEXT = 300


class AuditSummary(Renderer[AuditResult]):
    """The verdict, every finding that did not pass, and what was not tested."""

    format = "summary"
    accepts = AuditResult
    title = "a short Markdown summary, for $GITHUB_STEP_SUMMARY"

    def render(self, result: AuditResult, *, run_folder: Path | None = None) -> bytes:
        mark, sentence = sentence_and_mark(result)
        findings = [finding for finding in result.by_importance() if finding.outcome not in ("pass", "not-applicable")]
        passed = sum(finding.outcome == "pass" for finding in result.findings)
        parts = [f"## {mark.symbol} {escape(mark.word)}", escape(_text(sentence)), _tally(result)]
        if findings:
            rows = tuple(map(_row, findings[:SHOWN]))
            left_out = len(findings) - len(rows)
            more = f" ({left_out:,} more are in the report)" if left_out else ""
            caption = f"What did not pass{more}; {passed} passed"
            parts.append(block_text(Table(caption, ("Outcome", "Finding", "Reading [interval]", "Limit", "Why"), rows)))
        if result.remarks:
            parts.append("\n".join(f"- {escape(_text(remark))}" for remark in result.remarks[:SHOWN]))
        if result.not_tested:
            rows = tuple((_text(gap.what), _text(gap.why)) for gap in result.not_tested[:SHOWN])
            parts.append(block_text(Table("What was not tested", ("Not tested", "Why"), rows)))
        identity = f"Policy {result.policy}, budget {result.budget}, seed {result.seed}, exit code {result.exit_code}."
        parts.append(escape(f"{_text(identity)} Evidence about the checks that ran, not legal advice."))
        return ("\n\n".join(parts) + "\n").encode()


def _tally(result: AuditResult) -> str:
    counts: dict[str, int] = {}
    for finding in result.by_importance():
        word = f"{mark_of(finding).symbol} {mark_of(finding).word.lower()}"
        counts[word] = counts.get(word, 0) + 1
    return " · ".join(escape(f"{n} {word}") for word, n in counts.items())


def _row(finding: Finding) -> tuple[str | Cell, ...]:
    return (
        Cell("", mark_of(finding)),
        Cell(_text(finding.title), below=_text(finding.id)),
        _text(value_of(finding.measurement)),
        _text(limit_of(finding)),
        _text(sentence_of(finding)),
    )


def _text(text: str) -> str:
    return visible(clip(text, TEXT))
