"""JUnit XML, as CI servers read it: a test case for each finding, or for each detector and file of a scan."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from guardrails.core.errors import ConfigurationError
from guardrails.core.results import AuditResult, Finding, metric_of
from guardrails.core.results.scan import ScanResult, ScanRow

from ..findings import value_of
from ..outcomes import Outcome, count_of, detection_outcome, one_line, outcome_of, reading_of, score_of
from ..renderer import Renderer

MOST = 100_000
"""Test cases of one file: readers hold all of them in memory."""
ELEMENTS = {"failed": "failure", "error": "error", "skipped": "skipped"}
NOT_TESTED = "not tested"
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Case:
    """One test case. `lines` are its output."""

    suite: str
    name: str
    outcome: Outcome
    lines: tuple[str, ...] = ()


class AuditJUnit(Renderer[AuditResult]):
    """An audit: a suite for each probe, and one for what was not tested."""

    format = "junit"
    accepts = AuditResult
    title = "JUnit XML: a test case for each finding, for CI servers"

    def render(self, result: AuditResult, *, run_folder: Path | None = None) -> bytes:
        cases = [_finding(finding) for finding in result.findings]
        cases += [
            Case(NOT_TESTED, one_line(gap.what), Outcome("skipped", "not-tested", one_line(gap.why)))
            for gap in result.not_tested
        ]
        properties = {
            "verdict": result.verdict,
            "exit code": str(result.exit_code),
            "target": ", ".join(target.name for target in result.targets),
            "policy": result.policy,
            "budget": result.budget,
            "seed": str(result.seed),
            "command": result.command,
            "guardrails": result.guardrails_version,
        }
        return _document(f"guardrails {result.kind}", cases, properties, result.timing.per_probe)


class ScanJUnit(Renderer[ScanResult]):
    """A scan: a suite for each detector, one for their controls, and one for files without a detection."""

    format = "junit"
    accepts = ScanResult
    title = "JUnit XML: a test case for each detector and file, for CI servers"

    def render(self, result: ScanResult, *, run_folder: Path | None = None) -> bytes:
        if count_of(result) > MOST:
            raise ConfigurationError(f"{count_of(result):,} test cases are more than JUnit's readers can hold; use csv")
        cases = [
            Case(
                "controls",
                control.detector,
                Outcome("passed", "behaved", "")
                if control.behaved
                else Outcome("error", "control-failed", one_line(control.reason or "its controls failed")),
            )
            for control in result.controls
        ]
        cases += [
            Case("controls", name, Outcome("skipped", "left-out", one_line(why)))
            for name, why in result.left_out.items()
        ]
        cases += [case for row in result.rows() for case in _row(row)]
        return _document("guardrails scan", cases, {"paths": ", ".join(result.paths)}, {})


def _finding(finding: Finding) -> Case:
    target = finding.id.partition("@")[2] if finding.expected else ""
    lines = [f"{finding.title}: {reading_of(finding)}", f"status: {finding.status}, severity: {finding.severity}"]
    if finding.expected:
        lines.append(f"expected: {finding.expected}")
    if finding.measurement is not None:
        lines.append(f"method: {finding.measurement.method}")
    lines += [f"{m.metric}: {value_of(m)}, n {m.n:,}" for m in finding.details]
    lines += [f"{name}: {text}" for name, text in (("advice", finding.advice), ("again", finding.command)) if text]
    name = metric_of(finding) + (f"@{target}" if target else "")
    return Case(finding.probe, name, outcome_of(finding), tuple(map(one_line, lines)))


def _row(row: ScanRow) -> Iterable[Case]:
    if row.error is not None:
        yield Case("files", row.path, Outcome("error", "not-read", one_line(row.error)))
    elif row.duplicate_of is not None:
        yield Case("files", row.path, Outcome("skipped", "duplicate", one_line(f"duplicate of {row.duplicate_of}")))
    elif not row.detections:
        yield Case("files", row.path, Outcome("skipped", "no-detector", one_line("; ".join(row.notes))))
    for detection in row.detections:
        yield Case(detection.detector, row.path, detection_outcome(detection), (score_of(detection),))


def _document(name: str, cases: list[Case], properties: dict[str, str], seconds: dict[str, float]) -> bytes:
    root = ElementTree.Element("testsuites", {"name": xml_text(name)} | _counts(cases))
    suites: dict[str, list[Case]] = {}
    for case in cases:
        suites.setdefault(case.suite, []).append(case)
    for suite, members in suites.items():
        attributes = {"name": xml_text(one_line(suite))} | _counts(members)
        if suite in seconds:
            attributes["time"] = f"{seconds[suite]:.3f}"
        element = ElementTree.SubElement(root, "testsuite", attributes)
        holder = ElementTree.SubElement(element, "properties")
        for key, value in properties.items():
            ElementTree.SubElement(holder, "property", {"name": key, "value": xml_text(one_line(value))})
        for case in members:
            element.append(_case(case))
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _case(case: Case) -> ElementTree.Element:
    element = ElementTree.Element(
        "testcase", {"classname": xml_text(one_line(case.suite)), "name": xml_text(one_line(case.name))}
    )
    outcome, text = case.outcome, xml_text("\n".join(case.lines))
    if outcome.state in ELEMENTS:
        attributes = {"type": outcome.word, "message": xml_text(outcome.reason)}
        ElementTree.SubElement(element, ELEMENTS[outcome.state], attributes).text = text or None
    elif text:
        ElementTree.SubElement(element, "system-out").text = text
    return element


def _counts(cases: list[Case]) -> dict[str, str]:
    states = [case.outcome.state for case in cases]
    return {
        "tests": str(len(cases)),
        "failures": str(states.count("failed")),
        "errors": str(states.count("error")),
        "skipped": str(states.count("skipped")),
    }


def xml_text(text: str) -> str:
    r"""Return text with what XML 1.0 cannot hold written out.

    >>> xml_text("a\ufffeb\x00")
    'a⟨U+FFFE⟩b⟨U+0000⟩'
    """
    return _NO_XML.sub(lambda match: f"⟨U+{ord(match.group()):04X}⟩", text)
