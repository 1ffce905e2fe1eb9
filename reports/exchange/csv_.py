"""CSV (RFC 4180, UTF-8): a row for each finding, or for each detector and file. No cell is a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from guardrails.core.results import AuditResult, Finding, fingerprint_of, metric_of, target_of
from guardrails.core.results.scan import ScanResult, ScanRow

from ..outcomes import one_line
from ..renderer import Renderer

FINDING = (
    "target", "probe", "metric", "title", "outcome", "severity", "estimate", "low", "high", "n", "unit", "method",
    "baseline", "baseline_low", "baseline_high", "baseline_what", "limit", "errors", "expected", "reason",
    "waiver_owner", "waiver_reason", "waiver_expires", "known", "fingerprint",
    "probe_seconds", "probe_requests", "probe_prompt_tokens", "probe_completion_tokens", "probe_peak_memory",
)  # fmt: skip
USED = ("seconds", "requests", "prompt_tokens", "completion_tokens", "peak_memory")
DETECTION = (
    "path", "sha256", "type", "format", "detector", "outcome", "score", "probability", "likelihood_ratio", "reason"
)  # fmt: skip
_FORMULA = re.compile(r"(^|;)([\s\"]*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20\t\r])")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)


class AuditCsv(Renderer[AuditResult]):
    """One row for each finding; what was not tested has rows of its own, with the outcome ``not-tested``."""

    format = "csv"
    accepts = AuditResult
    title = "a row for each finding, for spreadsheets and data frames"

    def render(self, result: AuditResult, *, run_folder: Path | None = None) -> bytes:
        rows = [_finding(finding, result) for finding in result.findings]
        rows += [{"title": gap.what, "outcome": "not-tested", "reason": gap.why} for gap in result.not_tested]
        return table(FINDING, rows)


class ScanCsv(Renderer[ScanResult]):
    """One row for each detector and file; a file that no detector saw has one row."""

    format = "csv"
    accepts = ScanResult
    title = "a row for each detector and file, for spreadsheets and data frames"

    def render(self, result: ScanResult, *, run_folder: Path | None = None) -> bytes:
        return table(DETECTION, (cells for row in result.rows() for cells in _detections(row)))


def table(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> bytes:
    """Return rows as CSV, each value as `cell` writes it."""
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: cell(value) for key, value in row.items()} for row in rows)
    return out.getvalue().encode()


def cell(value: Any) -> Any:
    """Return a value as a cell that no spreadsheet runs: what could begin a formula has an apostrophe before it.

    A spreadsheet that separates by semicolons would see cells in the middle of a text: those too.

    Examples
    --------
    >>> cell("=1+1"), cell("a;@x"), cell("-0.5"), cell(-0.5), cell(None)
    ("'=1+1", "a;'@x", '-0.5', -0.5, '')
    """
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return value
    text = one_line(str(value))
    return text if _NUMBER.fullmatch(text) else _FORMULA.sub(r"\1\2'", text)


def _finding(finding: Finding, result: AuditResult) -> dict[str, Any]:
    m, limit = finding.measurement, finding.threshold
    cost = result.timing.cost.per_probe.get(_probe_of(finding)) if result.timing.cost else None
    row: dict[str, Any] = {
        "target": target_of(finding, result), "probe": finding.probe, "metric": metric_of(finding),
        "title": finding.title, "outcome": finding.outcome, "severity": finding.severity.value,
        "limit": limit.limit if limit else None, "expected": finding.expected,
        "reason": finding.reason or (m.reason if m else None),
    }  # fmt: skip
    row["fingerprint"] = fingerprint_of(finding, result)
    if w := finding.waiver:
        row |= {"waiver_owner": w.owner, "waiver_reason": w.reason, "waiver_expires": w.expires}
    if finding.known is not None:
        row["known"] = finding.known.note
    if cost is not None:  # of the probe's reading: it stands beside each of its findings
        use = cost.reading
        row |= {f"probe_{name}": getattr(use, name) for name in USED}
    if m is None:
        return row
    row |= {
        "estimate": m.value, "low": m.low, "high": m.high, "n": m.n, "unit": m.unit, "method": m.method,
        "errors": m.errors,
    }  # fmt: skip
    if m.baseline is not None:
        b = m.baseline
        row |= {"baseline": b.value, "baseline_low": b.low, "baseline_high": b.high, "baseline_what": b.what}
    return row


def _probe_of(finding: Finding) -> str:
    """Return the name under which a finding's probe stands in the cost of the run."""
    target = finding.id.partition("@")[2] if finding.expected else ""
    return f"{finding.probe}@{target}" if target else finding.probe


def _detections(row: ScanRow) -> Iterable[dict[str, Any]]:
    file = {"path": row.path, "sha256": row.sha256, "type": row.type, "format": row.format}
    if row.error is not None:
        yield file | {"outcome": "error", "reason": row.error}
    elif row.duplicate_of is not None:
        yield file | {"outcome": "duplicate", "reason": f"duplicate of {row.duplicate_of}"}
    elif not row.detections:
        yield file | {"outcome": "no-detector", "reason": "; ".join(row.notes)}
    for d in row.detections:
        yield file | {
            "detector": d.detector, "outcome": d.verdict, "score": d.score, "probability": d.probability,
            "likelihood_ratio": d.likelihood_ratio, "reason": "; ".join(d.reasons),
        }  # fmt: skip
