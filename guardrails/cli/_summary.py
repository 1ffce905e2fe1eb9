"""The table that an audit ends with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.text import Text

from ._console import Table, stdout, write_json
from ._screen import note, show

if TYPE_CHECKING:
    from ..core.results import AuditResult, Finding

GOOD, BAD, OPEN, DIM = "green", "bold red", "yellow", "dim"
STYLES = {
    "pass": GOOD,
    "fail": BAD,
    "waived": OPEN,
    "known": OPEN,
    "inconclusive": OPEN,
    "not-assessed": OPEN,
    "not-applicable": DIM,
}
VERDICTS = {
    "excused": "passed: nothing fails but what is waived or known",
    "pass": "passed: every required reading is on the right side of its limit",
    "fail": "failed: at least one reading is on the wrong side of its limit",
    "inconclusive": "inconclusive: no failure counts, but the samples do not settle everything that is required",
    "not-assessed": "not assessed: no failure counts, but what is required was not all looked at, or no limit applies",
    "control-failed": "a control failed: an instrument got a known sample wrong, so its readings are not believed",
}


def end_with(result: AuditResult, page: Path, *, as_json: bool) -> None:
    """Print a result, as JSON or as a table, and end the command with its exit code."""
    if as_json:
        write_json(result.to_json())
        note(f"report: {page}")
    else:
        print_summary(result, page)
    raise typer.Exit(result.exit_code)


def print_summary(result: AuditResult, page: Path) -> None:
    """Print a row for each finding, the verdict and where the report is, to stdout."""
    self_check = result.kind == "self-check"
    stdout().print(_self_check_table(result) if self_check else _audit_table(result))
    lines = _self_check_lines(result) if self_check else _audit_lines(result)
    if result.timing.cost is not None:
        from reports.cost import cost_line, requests_line

        if result.timing.cost.requests is not None:
            lines.append(f"asked: {requests_line(result.timing.cost.requests)}")
        lines.append(f"used: {cost_line(result.timing.cost)}")
    show(*lines, f"report: {page}")


def _audit_table(result: AuditResult) -> Table:
    table = _table("status", "finding", numbers=("reading", "interval", "limit", "n"), last="controls")
    for finding in result.by_importance():
        if finding.status == "not-applicable":
            continue
        status = Text(finding.outcome, STYLES[finding.outcome])
        table.add_row(status, finding.title, *_numbers(finding), _controls(finding))
    return table


def _audit_lines(result: AuditResult) -> list[str]:
    lines = [f"{name} read as: {said}" for t in result.targets for name, said in t.read_as.items()]
    lines += _spike_lines(result)
    excused = result.verdict == "pass" and any(finding.excused for finding in result.findings)
    lines.append(VERDICTS["excused" if excused else result.verdict])
    lines += [f"{f.id} fails: {_excuse(f)}" for f in result.findings if f.excused]
    lines += result.remarks
    lesser = sum(finding.status == "fail" and not finding.excused for finding in result.findings)
    if lesser and result.verdict not in ("fail", "control-failed"):
        lines.append(f"failed, but not so severely that the audit fails: {lesser}")
    silent = sum(finding.status == "not-applicable" for finding in result.findings)
    if silent:
        lines.append(f"not applicable to this target: {silent} check{'s' if silent > 1 else ''}")
    if result.not_tested:
        lines.append(f"not tested: {len(result.not_tested)} (the report says what, and why)")
    return lines


def _excuse(finding: Finding) -> str:
    if w := finding.waiver:
        return f"waived until {w.expires} by {w.owner}: {w.reason}"
    return "known from the baseline; " + (finding.known.note if finding.known else "")


def _spike_lines(result: AuditResult) -> list[str]:
    """Say which readings pass because a planted fault was seen, and why others are not assessed."""
    passed = [f.spike.kind if f.spike else "nothing" for f in result.findings if f.status == "pass"]
    words = {
        "spike": "found a fault planted in the target",
        "instrument-check": "found a fault planted in its outputs",
        "nothing": "had nothing planted",
    }
    counts = ", ".join(f"{passed.count(kind)} {word}" for kind, word in words.items() if kind in passed)
    reasons = {f.reason: f.title for f in reversed(result.findings) if f.status == "not-assessed" and f.reason}
    return [f"of {len(passed)} passed reading{'s' * (len(passed) > 1)}, {counts}"] * bool(passed) + [
        f"{title}: {reason}" for reason, title in reversed(reasons.items())
    ]


def _self_check_table(result: AuditResult) -> Table:
    table = _table("probe", "reference generator", numbers=("reading", "interval", "limit", "n"), last="outcome")
    for finding in result.findings:
        source = finding.id.partition("@")[2]
        row = (finding.probe, source.removeprefix("reference:"), *_numbers(finding), _outcome(finding))
        table.add_row(*row)
    return table


def _self_check_lines(result: AuditResult) -> list[str]:
    planted = [finding for finding in result.findings if finding.expected == "found"]
    clean = [finding for finding in result.findings if finding.expected == "clear"]
    detected, quiet = sum(f.behaved for f in planted), sum(f.behaved for f in clean)
    sound = "the instruments behaved" if result.exit_code == 0 else "an instrument got a known sample wrong"
    absent = [f"not checked: {f.probe} ({f.reason})" for f in result.findings if f.expected is None]
    return [
        f"planted faults found: {detected} of {len(planted)}; clean generators without alarm: {quiet} of {len(clean)}",
        *absent,
        sound,
    ]


def _outcome(finding: Finding) -> Text:
    if finding.status in ("not-assessed", "not-applicable"):
        return Text(finding.status, BAD if finding.expected else OPEN)
    words = {"found": ("found", "missed"), "clear": ("no alarm", "false alarm")}[finding.expected or "found"]
    return Text(words[0], GOOD) if finding.behaved else Text(words[1], BAD)


def _table(*words: str, numbers: tuple[str, ...], last: str) -> Table:
    table = Table()
    for place, heading in enumerate(words):
        table.add_column(heading, overflow="fold", no_wrap=place == 0)
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column(last, no_wrap=True)
    return table


def _numbers(finding: Finding) -> tuple[str, str, str, str]:
    reading, limit = finding.measurement, finding.threshold
    limit_text = f"{limit.limit:.3g}" if limit else "–"
    if reading is None or reading.value is None:
        return "–", "–", limit_text, f"{reading.n:,}" if reading else "–"
    interval = "exact" if reading.exact else f"{reading.low:.3g} to {reading.high:.3g}"
    return f"{reading.value:.3g}", interval, limit_text, f"{reading.n:,}"


def _controls(finding: Finding) -> Text:
    if not finding.controls:
        return Text("–")
    good = sum(control.behaved for control in finding.controls)
    return Text(f"{good} of {len(finding.controls)}", "" if good == len(finding.controls) else BAD)
