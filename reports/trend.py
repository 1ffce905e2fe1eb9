"""Several audits over time: JSON, Markdown and a page, from the result of ``guardrails trend``."""

from __future__ import annotations

from pathlib import Path

from guardrails.core.results.comparison import CHANGES
from guardrails.core.results.trend import Step, Trend, TrendFinding

from .comparison import MARKS, TEXT, VERDICTS, p_of, reading_of
from .markdown import block_text, escape
from .renderer import Renderer
from .text import clip, number, visible
from .tree import Cell, Figure, Table
from .trend_chart import TrendChart, TrendPoint, can_draw

MOST, NOTES = 300, 100
"""Findings and notes of one page."""


class TrendJson(Renderer[Trend]):
    """What ``guardrails trend --format json`` prints."""

    format = "json"
    accepts = Trend
    title = "the trend itself, canonical"

    def render(self, result: Trend, *, run_folder: Path | None = None) -> bytes:
        return result.to_json().encode()


class TrendMarkdown(Renderer[Trend]):
    """Tables for a pull request."""

    format = "markdown"
    accepts = Trend
    title = "the trend as tables"

    def render(self, result: Trend, *, run_folder: Path | None = None) -> bytes:
        mark = VERDICTS[result.verdict]
        parts = [f"# {mark.symbol} {escape(mark.word)} in the last step", escape(sentence(result))]
        parts += [block_text(runs_table(result)), block_text(steps_table(result)), block_text(readings_table(result))]
        parts += ["\n".join(f"- {escape(note)}" for note in notes(result)), escape(method(result))]
        return ("\n\n".join(filter(None, parts)) + "\n").encode()


class TrendHtml(Renderer[Trend]):
    """One self-contained page: a small chart for each finding, with the table behind it."""

    format = "html"
    accepts = Trend
    title = "the trend as one self-contained page with a chart for each finding"

    def render(self, result: Trend, *, run_folder: Path | None = None) -> bytes:
        from .html import page_of

        shown = ordered(result)[:MOST]
        context = {
            "mark": VERDICTS[result.verdict],
            "sentence": sentence(result),
            "runs": runs_table(result),
            "steps": steps_table(result),
            "findings": [{"title": _text(f.title), "id": _text(f.id), "block": block_of(f)} for f in shown],
            "cut": len(result.findings) - len(shown),
            "notes": notes(result),
            "method": method(result),
        }
        return page_of("trend.html.j2", context).encode()


def ordered(result: Trend) -> list[TrendFinding]:
    """Return the findings by the most important change of their last step."""

    def key(finding: TrendFinding) -> tuple[int, str]:
        last = finding.steps[-1] if finding.steps else None
        return (len(CHANGES) if last is None else CHANGES.index(last.change), finding.id)

    return sorted(result.findings, key=key)


def sentence(result: Trend) -> str:
    """Return the outcome in one sentence."""
    steps = [step for finding in result.findings for step in finding.steps if step is not None]
    worse, better = (sum(step.change == change for step in steps) for change in ("worse", "better"))
    last = [f.steps[-1] for f in result.findings if f.steps and f.steps[-1] is not None]
    now = sum(step.change == "worse" for step in last)
    return (
        f"{len(result.runs)} audits, {len(result.findings)} findings. Changes beyond noise: {worse} worse, {better} "
        f"better; in the last step {now} worse."
    )


def method(result: Trend) -> str:
    """Say what "beyond noise" means, and what is not shown."""
    return (
        f"The chance that any finding is called worse or better at any step although none changed is at most "
        f"{result.level:.0%} (Holm's procedure in each step, its level divided by the {len(result.runs) - 1} steps). A "
        "slow drift can stay below the noise of each step: compare the first and the last audit. Audits without a "
        "reading have none; nothing is interpolated. Evidence about the checks that ran, not legal advice."
    )


def notes(result: Trend) -> tuple[str, ...]:
    """Return what changed between the audits beside the readings: policies, versions, data."""
    more = len(result.notes) - NOTES
    shown = tuple(visible(clip(note, TEXT)) for note in result.notes[:NOTES])
    return (*shown, f"{more:,} more notes are in the JSON") if more > 0 else shown


def runs_table(result: Trend) -> Table:
    """Return a row for each audit, the oldest first."""
    columns = ("Audit", "Started", "Target", "Verdict", "Policy", "Budget", "Seed", "guardrails")
    rows = tuple(
        (
            f"{i}", _text(run.started), _text(", ".join(run.targets[:3]) + (", …" if len(run.targets) > 3 else "")),
            _text(run.verdict), _text(f"{run.policy} ({run.policy_sha256[:12]})"), _text(run.budget), f"{run.seed}",
            _text(run.guardrails_version),
        )
        for i, run in enumerate(result.runs, 1)
    )  # fmt: skip
    return Table("The audits, in the order of the time at which they began", columns, rows)


def steps_table(result: Trend) -> Table:
    """Return a row for each change beyond noise, the newest first."""
    rows = [
        (i, finding, step)
        for finding in result.findings
        for i, step in enumerate(finding.steps, 1)
        if step is not None and step.change in ("worse", "better")
    ]
    rows.sort(key=lambda row: (-row[0], row[1].id))
    cut = f" ({len(rows) - MOST:,} more are in the JSON)" if len(rows) > MOST else ""
    return Table(
        f"What became worse or better beyond noise{cut}",
        ("Finding", "Change", "From audit", "Before", "After", "p, adjusted"),
        tuple(
            (
                Cell(_text(f.title), below=_text(f.id)), Cell("", MARKS[step.change]), f"{i} → {i + 1}",
                reading_of(f.readings[i - 1], f.unit), reading_of(f.readings[i], f.unit),
                "" if step.p is None else p_of(step.p),
            )
            for i, f, step in rows[:MOST]
        ),
    )  # fmt: skip


def readings_table(result: Trend) -> Table:
    """Return a row for each finding with a column for each audit."""
    columns = ("Finding", *(f"Audit {i}" for i in range(1, len(result.runs) + 1)))
    rows: tuple[tuple[str | Cell, ...], ...] = tuple(
        (Cell(_text(f.title), below=_text(f.id)), *(reading_of(side, f.unit) for side in f.readings))
        for f in ordered(result)[:MOST]
    )
    return Table("Every reading", columns, rows)


def block_of(finding: TrendFinding) -> Figure | Table:
    """Return the chart of a finding with its table, or the table alone where nothing can be drawn."""
    chart, table = chart_of(finding), finding_table(finding)
    return Figure(chart, table) if can_draw(chart) else table


def chart_of(finding: TrendFinding) -> TrendChart:
    """Return the chart of a finding."""
    steps: tuple[Step | None, ...] = (None, *finding.steps)
    points = tuple(
        TrendPoint(
            side.value if side else None, side.low if side else None, side.high if side else None, limit,
            step.change if step else "",
        )
        for side, limit, step in zip(finding.readings, finding.limits, steps, strict=True)
    )  # fmt: skip
    unit = finding.unit or "value"
    said = [f"{unit[:1].upper()}{unit[1:]} by audit"]
    if any(point.limit is not None for point in points):
        said.append(f"dashed: its limit, {'above' if finding.higher_is_worse else 'below'} it is worse")
    if any(point.change in ("worse", "better") for point in points):
        said.append("✕ worse, ✓ better than in the audit before, beyond noise")
    return TrendChart(_text("; ".join(said)), _text(finding.unit), points)


def finding_table(finding: TrendFinding) -> Table:
    """Return the readings of one finding, a row for each audit."""
    steps: tuple[Step | None, ...] = (None, *finding.steps)
    rows: tuple[tuple[str | Cell, ...], ...] = tuple(
        (
            f"{i}", reading_of(side, finding.unit), "" if limit is None else _text(number(limit, finding.unit)),
            "" if step is None else Cell(_text(step.reason), MARKS[step.change]),
        )
        for i, (side, limit, step) in enumerate(zip(finding.readings, finding.limits, steps, strict=True), 1)
    )  # fmt: skip
    return Table(f"{_text(finding.title)}, by audit", ("Audit", "Reading", "Limit", "Since the audit before"), rows)


def _text(text: str) -> str:
    return visible(clip(text, TEXT))
