"""SARIF 2.1.0, as code scanning reads it: a result for each finding, or for each detector and file of a scan.

Every outcome is there: `kind` is ``fail``, ``pass``, ``open`` (it could not be told) or ``notApplicable``, and
``properties.outcome`` says which exactly. Specification: OASIS, Static Analysis Results Interchange Format 2.1.0.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from guardrails.core.errors import ConfigurationError
from guardrails.core.results import AuditResult, Finding, Severity, Status, fingerprint_of, metric_of, target_of
from guardrails.core.results.scan import ScanDetection, ScanResult, ScanRow

from ..outcomes import (
    count_of,
    detection_outcome,
    one_line,
    outcome_of,
    reading_of,
    score_of,
)
from ..renderer import Renderer

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
MOST = 100_000
"""Results of one file: readers hold all of them in memory."""
LEVELS = {
    Severity.CRITICAL: "error", Severity.HIGH: "error", Severity.MEDIUM: "warning", Severity.LOW: "note",
    Severity.INFO: "note",
}  # fmt: skip
KINDS = {"passed": "pass", "failed": "fail", "error": "open", "skipped": "open"}
_LINK = re.compile(r"\[(?=[^\[\]]*\]\()")

Json = dict[str, Any]


class AuditSarif(Renderer[AuditResult]):
    """An audit: a rule for each metric of a probe; controls that failed and what was not tested are notifications."""

    format = "sarif"
    accepts = AuditResult
    title = "SARIF 2.1.0: a result for each finding, for code scanning"

    def render(self, result: AuditResult, *, run_folder: Path | None = None) -> bytes:
        rules = {_rule_id(finding): _rule(finding) for finding in result.findings}
        index = {name: place for place, name in enumerate(rules)}
        results = [_finding(finding, result, index[_rule_id(finding)]) for finding in result.findings]
        return _log(
            _driver(result.guardrails_version, rules.values()),
            results,
            {
                "executionSuccessful": result.verdict != "control-failed",
                "exitCode": result.exit_code,
                "exitCodeDescription": result.verdict,
                "commandLine": one_line(result.command),
                "toolExecutionNotifications": list(_notifications(result)),
            },
            f"guardrails/{result.kind}/",
            {
                "verdict": result.verdict,
                "policy": one_line(result.policy),
                "policySha256": one_line(result.policy_sha256),
                "budget": one_line(result.budget),
                "seed": result.seed,
            },
        )


class ScanSarif(Renderer[ScanResult]):
    """A scan: a rule for each detector; files without a detection and controls that failed are notifications."""

    format = "sarif"
    accepts = ScanResult
    title = "SARIF 2.1.0: a result for each detector and file, for code scanning"

    def render(self, result: ScanResult, *, run_folder: Path | None = None) -> bytes:
        if count_of(result) > MOST:
            raise ConfigurationError(f"{count_of(result):,} results are more than SARIF's readers can hold; use csv")
        index = {name: place for place, name in enumerate(result.verdicts)}
        rules = [{"id": one_line(name), "shortDescription": _message(f"What {name} says of a file")} for name in index]
        results, notes = [], list(_scan_notifications(result))
        for row in result.rows():
            results += [_detection(row, d, index.get(d.detector, -1)) for d in row.detections]
            notes += _row_notifications(row)
        from guardrails import __version__

        return _log(
            _driver(__version__, rules),
            results,
            {"executionSuccessful": True, "toolExecutionNotifications": notes},
            "guardrails/scan/",
            {"files": result.files, "duplicates": result.duplicates, "errors": result.errors},
        )


def _log(driver: Json, results: list[Json], invocation: Json, category: str, properties: Json) -> bytes:
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": category},
        "columnKind": "unicodeCodePoints",
        "invocations": [invocation],
        "results": results,
        "properties": properties,
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return (json.dumps(log, indent=1, allow_nan=False) + "\n").encode("ascii")


def _driver(version: str, rules: Iterable[Json]) -> Json:
    return {"name": "guardrails", "version": one_line(version), "rules": list(rules)}


def _rule_id(finding: Finding) -> str:
    return one_line(f"{finding.probe}/{metric_of(finding)}")


def _rule(finding: Finding) -> Json:
    limits = f"What it cannot see: {finding.limits}" if finding.limits else ""
    rule: Json = {
        "id": _rule_id(finding),
        "shortDescription": _message(finding.title),
        "fullDescription": _message(finding.question or finding.title),
        "defaultConfiguration": {"level": LEVELS[finding.severity]},
        "properties": {"tags": [one_line(finding.risk)]},
    }
    return rule | ({"help": _message(limits)} if limits else {})


def _finding(finding: Finding, result: AuditResult, index: int) -> Json:
    outcome, m = outcome_of(finding), finding.measurement
    kind = "notApplicable" if finding.status is Status.NOT_APPLICABLE else KINDS[outcome.state]
    advice = f" {finding.advice}" if finding.advice and outcome.state == "failed" else ""
    if finding.excused:  # it did fail
        kind = "fail"
    properties: Json = {"outcome": finding.outcome, "severity": finding.severity.value}
    if finding.expected:
        properties["expected"] = finding.expected
    if m is not None:
        properties |= {"estimate": m.value, "low": m.low, "high": m.high, "n": m.n, "unit": one_line(m.unit),
                       "method": one_line(m.method), "itemsFailed": m.errors}  # fmt: skip
    if finding.threshold is not None:
        properties |= {"limit": finding.threshold.limit, "limitOrigin": one_line(finding.threshold.origin)}
    target = target_of(finding, result)
    return _excuse(finding, result) | {
        "ruleId": _rule_id(finding),
        "ruleIndex": index,
        "kind": kind,
        "level": LEVELS[finding.severity] if kind == "fail" else "none",
        "message": _message(f"{finding.title}: {reading_of(finding)}. {outcome.reason}{advice}"),
        "locations": [_location(_target_uri(target), target)],
        "partialFingerprints": {"guardrailsFinding/v1": fingerprint_of(finding, result)},
        "properties": properties,
    }


def _excuse(finding: Finding, result: AuditResult) -> Json:
    """Return what SARIF says of a waiver and of the baseline."""
    out: Json = {}
    if w := finding.waiver:
        why = one_line(f"{w.reason} (owner {w.owner}, until {w.expires})")
        out["suppressions"] = [{"kind": "external", "status": "accepted", "justification": why}]
    if result.baseline is not None and finding.status is Status.FAIL:
        known = finding.known
        out["baselineState"] = "new" if known is None else "updated" if known.worse else "unchanged"
    return out


def _detection(row: ScanRow, detection: ScanDetection, index: int) -> Json:
    outcome = detection_outcome(detection)
    kind = KINDS[outcome.state]
    reason = f". {outcome.reason}" if outcome.reason else ""
    return {
        "ruleId": one_line(detection.detector),
        "ruleIndex": index,
        "kind": kind,
        "level": "warning" if kind == "fail" else "none",
        "message": _message(f"{outcome.word}: {score_of(detection)}{reason}"),
        "locations": [_location(_file_uri(row))],
        "partialFingerprints": {"guardrailsDetection/v1": _sha256(detection.detector, row.sha256 or row.path)},
        "properties": {
            "outcome": detection.verdict, "score": detection.score, "probability": detection.probability,
            "likelihoodRatio": detection.likelihood_ratio,
        },
    }  # fmt: skip


def _notifications(result: AuditResult) -> Iterable[Json]:
    for finding in result.findings:
        outcome = outcome_of(finding)
        if outcome.state == "error":
            yield _notification("error", f"{finding.id}: {outcome.word}: {outcome.reason}")
    for gap in result.not_tested:
        yield _notification("note", f"Not tested: {gap.what}: {gap.why}")


def _scan_notifications(result: ScanResult) -> Iterable[Json]:
    for control in result.controls:
        if not control.behaved:
            yield _notification(
                "error", f"{control.detector}: its controls failed: {control.reason or 'no reason given'}"
            )
    for name, why in result.left_out.items():
        yield _notification("warning", f"{name} was left out: {why}")


def _row_notifications(row: ScanRow) -> Iterable[Json]:
    where = [_location(_file_uri(row))]
    if row.error is not None:
        yield _notification("error", f"not read: {row.error}") | {"locations": where}
    elif row.duplicate_of is not None:
        yield _notification("note", f"duplicate of {row.duplicate_of}") | {"locations": where}
    elif not row.detections:
        yield _notification("note", f"no detector saw it: {'; '.join(row.notes)}") | {"locations": where}


def _notification(level: str, text: str) -> Json:
    return {"level": level, "message": _message(text)}


def _message(text: str) -> Json:
    return {"text": literal(text)}


def literal(text: str) -> str:
    r"""Return untrusted text as a SARIF message that shows it as it is: no placeholder, no link.

    >>> literal("{0} [x](http://y) [1, 2]")
    '{{0}} \\[x](http://y) [1, 2]'
    """
    return _LINK.sub(r"\\[", one_line(text).replace("{", "{{").replace("}", "}}"))


def _location(uri: str, name: str = "") -> Json:
    # The whole file is meant; code scanning shows no result without a line.
    location: Json = {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": 1}}}
    return location | ({"logicalLocations": [{"fullyQualifiedName": one_line(name)}]} if name else {})


PATHS = ("hf", "diffusers", "dir", "jsonl", "table")
"""The kinds of target whose name is a path."""


def _target_uri(target: str) -> str:
    """Return a target as a URI reference: the path of what lies in a file or folder, else its quoted name."""
    scheme, _, path = target.partition(":")
    return _path_uri(os.fsencode(_without_surrogates(path if scheme in PATHS and path else target)))


def _file_uri(row: ScanRow) -> str:
    if row.path_bytes is not None:
        return _path_uri(bytes.fromhex(row.path_bytes))
    return _path_uri(_without_surrogates(row.path).encode())


def _path_uri(path: bytes) -> str:
    """Return a path, or a URL, as a URI reference; one that starts with a slash is a file's."""
    scheme = re.match(rb"[a-z][a-z0-9+-]*://", path)
    if scheme:
        return scheme[0].decode() + quote(path[scheme.end() :], safe="/")
    return ("file://" if path.startswith(b"/") else "") + (quote(path, safe="/") or ".")


def _without_surrogates(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _sha256(*parts: str) -> str:
    return hashlib.sha256("\0".join(map(_without_surrogates, parts)).encode()).hexdigest()
