"""The comparison of two audits: JSON, Markdown and a page, from the result of ``guardrails compare``."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from guardrails.core.results.comparison import CHANGES, Change, ComparedFinding, ComparedRun, Comparison, Reading

from .markdown import block_text, escape
from .renderer import Renderer
from .text import clip, number, reading, visible
from .tree import Cell, Mark, Table

MARKS: dict[Change, Mark] = {
    "worse": Mark("✕", "Worse", "bad"),
    "new": Mark("+", "New", "unsure"),
    "not-comparable": Mark("○", "Not comparable", "none"),
    "gone": Mark("–", "Gone", "unsure"),
    "better": Mark("✓", "Better", "good"),
    "unchanged": Mark("=", "Unchanged", "none"),
}
VERDICTS = {
    "worse": Mark("✕", "Worse", "bad"),
    "not-worse": Mark("✓", "Not worse beyond noise", "good"),
    "nothing-compared": Mark("○", "Nothing could be compared", "none"),
}
MOST = 2000
"""Findings of one page."""
COLUMNS = ("Finding", "Change", "Before", "After", "Difference [interval]", "p, adjusted", "How, or why not")
TEXT = 600


class CompareJson(Renderer[Comparison]):
    """What ``guardrails compare --format json`` prints."""

    format = "json"
    accepts = Comparison
    title = "the comparison itself, canonical"

    def render(self, result: Comparison, *, run_folder: Path | None = None) -> bytes:
        return result.to_json().encode()


class CompareMarkdown(Renderer[Comparison]):
    """A table for a pull request."""

    format = "markdown"
    accepts = Comparison
    title = "the comparison as a table, for a pull request"

    def render(self, result: Comparison, *, run_folder: Path | None = None) -> bytes:
        mark = VERDICTS[result.verdict]
        parts = [f"# {mark.symbol} {escape(mark.word)}", escape(sentence(result)), block_text(runs_table(result))]
        parts += ["\n".join(f"- {escape(note)}" for note in notes(result)), block_text(findings_table(result))]
        return ("\n\n".join(filter(None, [*parts, escape(method(result))])) + "\n").encode()


class CompareHtml(Renderer[Comparison]):
    """One self-contained page."""

    format = "html"
    accepts = Comparison
    title = "the comparison as one self-contained page"

    def render(self, result: Comparison, *, run_folder: Path | None = None) -> bytes:
        from .html import page_of

        context = {
            "mark": VERDICTS[result.verdict],
            "sentence": sentence(result),
            "tally": tally(result),
            "runs": runs_table(result),
            "notes": notes(result),
            "findings": findings_table(result),
            "method": method(result),
        }
        return page_of("compare.html.j2", context).encode()


def sentence(result: Comparison) -> str:
    """Return the outcome in one sentence."""
    counts = Counter(finding.change for finding in result.findings)
    compared = counts["worse"] + counts["better"] + counts["unchanged"]
    text = f"{compared} of {len(result.findings)} findings could be compared: {counts['worse']} worse beyond noise, "
    return f"{text}{counts['better']} better, {counts['unchanged']} unchanged within noise."


def tally(result: Comparison) -> tuple[Mark, ...]:
    """Return how many findings changed in which way."""
    counts = Counter(finding.change for finding in result.findings)
    return tuple(
        Mark(MARKS[change].symbol, f"{counts[change]} {MARKS[change].word.lower()}", MARKS[change].tone)
        for change in CHANGES
        if counts[change]
    )


def method(result: Comparison) -> str:
    """Say what "beyond noise" means."""
    return (
        f"The chance that any finding is called worse or better although none changed is at most {result.level:.0%} "
        "(Holm's procedure over the findings compared). Evidence about the checks that ran, not legal advice."
    )


def notes(result: Comparison) -> tuple[str, ...]:
    """Return what a reader should know of both audits."""
    return tuple(visible(clip(note, TEXT)) for note in result.notes[:100])


def runs_table(result: Comparison) -> Table:
    """Return the two audits side by side."""

    def of(run: ComparedRun) -> dict[str, str]:
        return {
            "Target": ", ".join(run.targets[:3]) + (", …" if len(run.targets) > 3 else ""),
            "Verdict": run.verdict,
            "Policy": f"{run.policy} ({run.policy_sha256[:12]})",
            "Budget": run.budget,
            "Seed": str(run.seed),
            "Started": run.started,
            "guardrails": run.guardrails_version,
            "sha256 of result.json": run.sha256 or "not stored",
        }

    before, after = of(result.before), of(result.after)
    rows = tuple((name, _text(before[name]), _text(after[name])) for name in before)
    return Table("The two audits", ("What", "Before", "After"), rows)


def findings_table(result: Comparison) -> Table:
    """Return a row for each finding, the most important change first."""
    chosen = result.by_importance()
    cut = f" ({len(chosen) - MOST:,} more are in the JSON)" if len(chosen) > MOST else ""
    return Table(f"Every finding{cut}", COLUMNS, tuple(map(_row, chosen[:MOST])))


def _row(finding: ComparedFinding) -> tuple[str | Cell, ...]:
    return (
        Cell(_text(finding.title), below=_text(finding.id)),
        Cell("", MARKS[finding.change]),
        reading_of(finding.before, finding.unit),
        reading_of(finding.after, finding.unit),
        difference_of(finding),
        "" if finding.p is None else p_of(finding.p),
        _text(finding.reason or finding.method),
    )


def reading_of(side: Reading | None, unit: str) -> str:
    """Return what one audit has of a finding."""
    if side is None:
        return "–"
    if side.value is None:
        return _text(side.outcome)
    return _text(f"{side.outcome}: {reading(side.value, side.low, side.high, unit)}, n {side.n:,}")


def difference_of(finding: ComparedFinding) -> str:
    """Return the difference with its sign and interval; of shares, in percentage points."""
    if finding.difference is None or finding.low is None or finding.high is None:
        return ""
    values = (finding.difference, finding.low, finding.high)
    if finding.unit == "share":
        first, low, high = (f"{100 * v:+.1f}" for v in values)
        return f"{first} [{low}, {high}] points"
    first, low, high = (("+" if v > 0 else "") + number(v) for v in values)
    return _text(f"{first} [{low}, {high}]")


def p_of(p: float) -> str:
    """Return a p-value in at most three digits.

    >>> p_of(0.00001), p_of(0.0312), p_of(1.0)
    ('< 0.001', '0.031', '1')
    """
    return "< 0.001" if p < 0.001 else f"{p:.3f}".rstrip("0").rstrip(".")


def _text(text: str) -> str:
    return visible(clip(text, TEXT))
