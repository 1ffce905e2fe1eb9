"""The controls of frameworks in the policy of a result: which probes, their findings, a status in words, and the gaps.

Derived from the findings and the policy that a result holds; nothing is measured or judged again. A control has "no
issue found" only if every probe that it names was installed, and passed every limit or does not apply to the target.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guardrails.core.results import AuditResult, Finding, FrameworkControl, Status

from .findings import ADDRESS, MARKS, limit_of, sentence_of, target_of, value_of
from .outcomes import one_line
from .renderer import Renderer
from .tree import Block, Cell, Mark, Prose, Table
from .trim import Trim

NOTE = "Evidence, not legal advice."
STATUSES = {
    "issue-found": Mark("✕", "Issue found", "bad"),
    "undecided": Mark("?", "Undecided", "unsure"),
    "partly-assessed": Mark("◐", "Partly assessed", "unsure"),
    "not-assessed": Mark("○", "Not assessed", "none"),
    "no-issue-found": Mark("✓", "No issue found by these checks", "good"),
    "instrument-misbehaved": Mark("✕", "An instrument misbehaved", "bad"),
    "instruments-partly-checked": Mark("◐", "Instruments partly checked", "unsure"),
    "instruments-behaved": Mark("✓", "Instruments behaved", "good"),
    "not-applicable": Mark("–", "No probe applies to this target", "none"),
    "no-probe": Mark("○", "No probe for it", "none"),
    "not-by-a-test": Mark("–", "Not by a test", "none"),
}
_NAMED = 6
"""Findings of one control that have a line of their own, and probes of one line that are named."""


@dataclass(frozen=True)
class ControlRow:
    """A control with its status, one of `STATUSES`, and what that rests on.

    Attributes
    ----------
    findings : tuple of Finding
        Of its probes, the most important first; in a self-check, of known samples.
    not_run : tuple of str
        Ids of its probes that were installed and not run.
    """

    control: FrameworkControl
    status: str
    findings: tuple[Finding, ...] = ()
    not_run: tuple[str, ...] = ()

    def with_status(self, *statuses: Status) -> list[Finding]:
        """Return the findings of these statuses."""
        return [f for f in self.findings if f.status in statuses]


def control_rows(result: AuditResult) -> tuple[ControlRow, ...]:
    """Return a row for each control of the result's policy; none where the policy names none or was not stored."""
    if result.policy_record is None:
        return ()
    ordered = result.by_importance()
    return tuple(_row(control, ordered, result.kind == "self-check") for control in result.policy_record.controls)


def _row(control: FrameworkControl, ordered: Iterable[Finding], self_check: bool) -> ControlRow:
    if not control.testable:
        return ControlRow(control, "not-by-a-test")
    if not control.probes:
        return ControlRow(control, "no-probe")
    findings = tuple(f for f in ordered if f.probe in control.probes)
    not_run = tuple(sorted(set(control.probes) - {f.probe for f in findings}))
    whole = not not_run and not control.absent
    status = _checked(findings, whole) if self_check else _assessed(findings, whole)
    return ControlRow(control, status, findings, not_run)


def _assessed(findings: tuple[Finding, ...], whole: bool) -> str:
    """Return the status of a control in an audit; `whole` says that each probe that it names has a finding."""
    statuses = {f.status for f in findings}
    if any(f.status is Status.FAIL and f.behaved for f in findings):
        return "issue-found"
    if Status.INCONCLUSIVE in statuses:
        return "undecided"
    if Status.PASS not in statuses:
        return "not-applicable" if whole and statuses == {Status.NOT_APPLICABLE} else "not-assessed"
    complete = whole and statuses <= {Status.PASS, Status.NOT_APPLICABLE} and all(f.behaved for f in findings)
    return "no-issue-found" if complete else "partly-assessed"


def _checked(findings: tuple[Finding, ...], whole: bool) -> str:
    """Return the status of a control in a self-check, which tests instruments on known samples and no model."""
    known = [f for f in findings if f.expected]
    if not known:
        return "not-assessed"
    if any(not f.behaved for f in known):
        return "instrument-misbehaved"
    return "instruments-behaved" if whole and len(known) == len(findings) else "instruments-partly-checked"


def control_blocks(result: AuditResult, anchors: Mapping[int, str], trim: Trim) -> tuple[Block, ...]:
    """Return the section of a report: what the controls are, those with probes, and those that no test can evidence."""
    rows = control_rows(result)
    if not rows:
        return ()
    tested = trim.take([r for r in rows if r.control.testable], trim.caps.rows, "controls of frameworks")
    untested = trim.take([r for r in rows if not r.control.testable], trim.caps.rows, "controls without a test")
    columns = ("Control", "Status", "Evidence", "Gap")
    table = Table(
        trim.text(f"Controls of {_names(rows)}, and what the findings are evidence for", limit=400),
        columns,
        tuple(_cells(row, anchors, trim) for row in tested),
    )
    closed = Table(
        "What no technical test can evidence",
        ("Control", "Why"),
        tuple((_control(row, trim), trim.text(row.control.gap)) for row in untested),
    )
    sources = tuple(Prose(trim.text(source, limit=600)) for source in _sources(rows))
    return (Prose(_introduction(result)), *(t for t in (table, closed) if t.rows), *sources)


def _introduction(result: AuditResult) -> str:
    about = (
        "This self-check shows whether the instruments for a control find planted faults. It says nothing of a model."
        if result.kind == "self-check"
        else "A control is not met or broken by a finding: the findings are evidence that someone can use to judge it."
    )
    return f"{NOTE} {about}"


def _names(rows: Iterable[ControlRow]) -> str:
    return "; ".join(dict.fromkeys(f"{row.control.framework}, {row.control.edition}" for row in rows))


def _sources(rows: Iterable[ControlRow]) -> list[str]:
    """Return for each framework where its ids and titles were read, and when."""
    controls = [row.control for row in rows]
    sources = (f"Ids and titles of {c.framework}, {c.edition}: {c.source_url}, read {c.retrieved}." for c in controls)
    return list(dict.fromkeys(sources))


def _cells(row: ControlRow, anchors: Mapping[int, str], trim: Trim) -> tuple[str | Cell, ...]:
    evidence = Cell("", lines=tuple(_evidence(row, anchors, trim)))
    gaps = tuple(Cell(trim.text(line, limit=1000)) for line in gaps_of(row))
    return _control(row, trim), Cell("", STATUSES[row.status]), evidence, Cell("", lines=gaps)


def _control(row: ControlRow, trim: Trim) -> Cell:
    sure = "" if row.control.confidence == "high" else f" (confidence in id and title: {row.control.confidence})"
    probes = (Cell(trim.text(f"Probes: {_few(row.control.probes)}", limit=400)),) if row.control.probes else ()
    title = trim.text(f"{row.control.title}{sure}", limit=400)
    return Cell(trim.text(row.control.id, limit=80), below=title, lines=probes)


def _evidence(row: ControlRow, anchors: Mapping[int, str], trim: Trim) -> list[Cell]:
    """Return a line for each finding that matters, and one for each group of others."""
    if row.status.startswith("instrument"):
        return _known(row, anchors, trim)
    urgent = row.with_status(Status.FAIL, Status.INCONCLUSIVE)
    lines = [_line(f, anchors, trim) for f in urgent[:_NAMED]]
    if len(urgent) > _NAMED:
        lines.append(Cell(f"and {len(urgent) - _NAMED} more that failed or are inconclusive"))
    mixed = {f.probe for f in urgent}
    passed = row.with_status(Status.PASS)
    alone = _probes(f for f in passed if f.probe not in mixed)
    beside = ", ".join(f.id for f in passed if f.probe in mixed)
    inapplicable = _probes(row.with_status(Status.NOT_APPLICABLE))
    for word, names in (("Passed", alone), ("Passed", beside), ("Not applicable to this target", inapplicable)):
        if names:
            lines.append(Cell(trim.text(f"{word}: {names}", limit=1000)))
    return lines or [Cell("none")]


def _line(finding: Finding, anchors: Mapping[int, str], trim: Trim) -> Cell:
    severity = f", {finding.severity} severity" if finding.status is Status.FAIL else ""
    waived = f", {finding.outcome}" if finding.excused else ""
    text = f"{finding.id}: {value_of(finding.measurement)}, limit {limit_of(finding)}{severity}{waived}"
    return Cell(trim.text(text, limit=200), MARKS[finding.status], anchor=anchors.get(id(finding), ""))


def _known(row: ControlRow, anchors: Mapping[int, str], trim: Trim) -> list[Cell]:
    known = [f for f in row.findings if f.expected]
    wrong = [f for f in known if not f.behaved]
    names = sorted({f.probe for f in known})
    lines = [
        Cell(trim.text(f"{f.probe} on {target_of(f)}", limit=200), MARKS[Status.FAIL], anchor=anchors.get(id(f), ""))
        for f in wrong[:_NAMED]
    ]
    right = len(known) - len(wrong)
    return [
        *lines,
        Cell(trim.text(f"{right} of {len(known)} known samples read right, by: {_few(names)}", limit=1000)),
    ]


def _probes(findings: Iterable[Finding]) -> str:
    return _few(list(dict.fromkeys(f.probe for f in findings)))


def _few(probes: Sequence[str]) -> str:
    """Return the names of a few probes, or how many of each family."""
    if len(probes) <= _NAMED:
        return ", ".join(probes)
    families = Counter(probe.partition(".")[0] for probe in probes)
    return ", ".join(f"{n} {family} probe{'s' if n > 1 else ''}" for family, n in sorted(families.items()))


def gaps_of(row: ControlRow) -> list[str]:
    """Return what is missing of a control: what was not assessed, not run or not installed, and what is never shown."""
    lines = [
        f"Failed its own control: {_probes(f for f in row.findings if f.control_failed)}"
        if any(f.control_failed for f in row.findings)
        else ""
    ]
    if open_ := [f for f in row.with_status(Status.NOT_ASSESSED) if not f.control_failed]:
        lines.append(f"Not assessed: {_probes(open_)}")
    lines.append(f"Not run: {_few(row.not_run)}" if row.not_run else "")
    lines.append(f"Not installed: {', '.join(row.control.absent)}" if row.control.absent else "")
    return [line for line in (*lines, row.control.gap) if line]


class AuditControls(Renderer[AuditResult]):
    """The controls of frameworks as JSON, for tools that keep evidence by control."""

    format = "controls"
    accepts = AuditResult
    title = "JSON: each control of the policy's frameworks with its status, evidence and gaps"

    def render(self, result: AuditResult, *, run_folder: Path | None = None) -> bytes:
        values = {
            "note": NOTE,
            "kind": result.kind,
            "targets": [one_line(target.name) for target in result.targets],
            "policy": one_line(result.policy),
            "policy_sha256": one_line(result.policy_sha256),
            "started": one_line(result.timing.started),
            "controls": [_values(row) for row in control_rows(result)],
        }
        return (json.dumps(values, indent=2, sort_keys=True) + "\n").encode()


def _values(row: ControlRow) -> dict[str, Any]:
    evidence = [
        {
            "finding": one_line(f.id),
            "status": f.status.value,
            "behaved": f.behaved,
            "why": one_line(sentence_of(f)),
            "value": f.measurement.value if f.measurement else None,
            "low": f.measurement.low if f.measurement else None,
            "high": f.measurement.high if f.measurement else None,
            "n": f.measurement.n if f.measurement else 0,
            "limit": f.threshold.limit if f.threshold else None,
        }
        for f in row.findings
    ]
    control = {name: one_line(text) for name, text in row.control.reference.model_dump().items()}
    if not ADDRESS.fullmatch(row.control.source_url):  # a tool may show it as a link
        control["source_url"] = ""
    named = {"probes": row.control.probes, "absent": row.control.absent, "not_run": row.not_run}
    return (
        control
        | {name: [one_line(probe) for probe in probes] for name, probes in named.items()}
        | {"status": row.status, "status_in_words": STATUSES[row.status].word}
        | {"evidence": evidence, "gaps": [one_line(gap) for gap in gaps_of(row)]}
    )
