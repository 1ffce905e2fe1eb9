"""What every report format must keep to."""

from __future__ import annotations

from pathlib import Path

import pytest

import reports
from guardrails.core.errors import ConfigurationError
from guardrails.core.results import AuditResult, Finding, Measurement, NotTested, Severity, Status, TargetRecord, Timing
from reports import formats

EVERY = pytest.mark.parametrize("name", formats())
OF_FINDINGS = pytest.mark.parametrize("name", [name for name in formats() if name != "controls"])
"""The control matrix has a row for each control of the policy, and no finding that gives evidence for none."""


def render(result: AuditResult, name: str, path: Path | None = None) -> str:
    return reports.render(result, name, path).decode()


def result(*findings: Finding) -> AuditResult:
    return AuditResult(
        guardrails_version="0.1.0",
        kind="audit",
        verdict="not-assessed",
        exit_code=3,
        targets=(TargetRecord(name="jsonl:x.jsonl", modality="text", access=("outputs",)),),
        findings=findings,
        not_tested=(NotTested(what="Counterfactual bias", why="missing: access 'logprobs' to the target"),),
        policy="default",
        policy_sha256="0" * 64,
        seed=0,
        budget="quick",
        command="guardrails audit jsonl:x.jsonl",
        environment={"python": "3.11"},
        timing=Timing(started="2026-01-01T00:00:00+00:00", seconds=1.0),
    )


def finding(status: Status) -> Finding:
    reading = Measurement(
        probe="privacy.pii",
        metric="pii_leak_rate",
        value=None,
        n=3,
        unit="share",
        higher_is_worse=True,
        method="none",
        reason="3 outputs; at least 40 are needed",
    )
    return Finding(
        id=f"privacy.pii/{status}",
        probe="privacy.pii",
        title="Personal data in outputs",
        status=status,
        severity=Severity.CRITICAL,
        risk="privacy",
        reason="3 outputs; at least 40 are needed",
        measurement=reading if status is not Status.NOT_APPLICABLE else None,
    )


@OF_FINDINGS
def test_an_audit_without_findings_can_be_rendered(name: str) -> None:
    assert "Counterfactual bias" in render(result(), name)


@OF_FINDINGS
def test_every_status_is_shown_with_its_reason(name: str) -> None:
    text = render(result(*map(finding, Status)), name)
    assert "Personal data in outputs" in text
    assert "at least 40 are needed" in text


@EVERY
def test_the_same_result_gives_the_same_report(name: str) -> None:
    assert render(result(finding(Status.FAIL)), name) == render(result(finding(Status.FAIL)), name)


@EVERY
def test_a_report_can_be_made_again_from_stored_json(name: str) -> None:
    first = result(finding(Status.INCONCLUSIVE))
    assert render(AuditResult.from_json(render(first, "json")), name) == render(first, name)


@EVERY
def test_a_file_holds_what_is_returned(name: str, tmp_path: Path) -> None:
    text = render(result(), name, tmp_path / "report")
    assert (tmp_path / "report").read_text(encoding="utf-8") == text
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


@EVERY
def test_a_place_that_cannot_be_written_is_a_mistake(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be written"):
        render(result(), name, tmp_path / "absent" / "report")


def test_an_unknown_format_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="Did you mean 'html'"):
        render(result(), "htm")
