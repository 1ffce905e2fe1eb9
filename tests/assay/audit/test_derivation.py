"""A stored result is refused where it does not follow from its own measurements, limits and controls."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from guardrails import cli
from guardrails.assay.audit.derivation import check_derivation, contradictions
from guardrails.core.errors import ConfigurationError
from guardrails.core.results import (
    AuditResult,
    KnownFinding,
    PolicyRecord,
    PolicyThreshold,
    Severity,
    SpikeOutcome,
    UsedFile,
    WaiverRecord,
)

sys.path.append(str(Path(__file__).parents[2] / "reports"))
import report_factory as factory

LIMIT = factory.extraction().threshold
PASSED = {"measurement": factory.measurement(0.0, 0.0, 0.004), "status": "pass"}


def audit(*, verdict: str = "fail", exit_code: int = 1, **more: Any) -> AuditResult:
    return factory.audit(findings=(factory.extraction(**more),), verdict=verdict, exit_code=exit_code)


def only(result: AuditResult) -> str:
    (line,) = contradictions(result)
    return line


@pytest.mark.parametrize("result", [factory.audit(), factory.self_check(), factory.self_check(broken=True)])
def test_a_result_that_follows_from_its_findings_is_read(result: AuditResult) -> None:
    assert list(contradictions(result)) == []
    check_derivation(AuditResult.from_json(result.to_json()))


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"status": "inconclusive"}, r"inconclusive, and its interval \[0.0801, 0.1478\] and limit 0.01 say fail"),
        ({"measurement": factory.measurement(0.02, 0.005, 0.04)}, "fail, .* say inconclusive"),
        ({"measurement": factory.measurement(0.001, 0.0, 0.004)}, "fail, .* say pass"),
        ({"measurement": factory.measurement(None, None, None)}, "fail, .* say not-assessed"),
        ({"measurement": factory.measurement(0.1, 0.08, 0.13, errors=60)}, "fail, .* say not-assessed"),
        ({"measurement": factory.measurement(1e308, 0.0, 1.2e308)}, r"cannot be judged: rate must lie in \[0, 1\]"),
        ({"measurement": None}, "is fail without a measurement"),
        ({"controls": factory.controls(good=False)}, "is fail although its control failed"),
    ],
    ids=str,
)
def test_a_finding_that_contradicts_what_it_rests_on_is_named(more: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigurationError, match=f"finding 'memorization.extraction/verbatim_rate' .*{why}"):
        check_derivation(audit(**more))


@pytest.mark.parametrize(
    ("more", "stated"),
    [
        ({}, ("pass", 0)),
        ({}, ("inconclusive", 3)),
        ({}, ("fail", 0)),
        (PASSED, ("fail", 1)),
        (PASSED, ("pass", 1)),
        (PASSED | {"threshold": None, "status": "not-assessed"}, ("pass", 0)),
        ({"status": "not-assessed", "measurement": None, "reason": "no prompts"}, ("pass", 0)),
        ({"status": "not-assessed", "controls": factory.controls(good=False)}, ("not-assessed", 3)),
    ],
    ids=str,
)
def test_a_verdict_that_its_findings_do_not_give_is_refused_with_the_finding(
    more: dict[str, Any], stated: tuple[str, int]
) -> None:
    critical = {"severity": "critical", "threshold": LIMIT.model_copy(update={"severity": Severity.CRITICAL})}
    line = only(audit(verdict=stated[0], exit_code=stated[1], **(critical | more)))
    assert line.startswith(f"its verdict is {stated[0]} (exit code {stated[1]}), and its findings say ")
    assert "'memorization.extraction/verbatim_rate' is " in line


def test_a_severity_below_that_of_the_limit_changes_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardrails.assay.audit.derivation._fail_on", lambda result: [Severity.HIGH])
    assert list(contradictions(audit(severity="info"))) == []
    assert "its findings say fail" in only(audit(severity="info", verdict="pass", exit_code=0))


def test_a_number_that_cannot_be_is_no_defect_of_the_reader() -> None:
    m = factory.measurement(1e308, 0.0, 1.2e308)
    assert list(contradictions(audit(measurement=m, status="not-assessed", verdict="not-assessed", exit_code=3))) == []


def test_a_failure_of_high_severity_fails_where_fail_on_is_stated() -> None:
    passed = audit(verdict="pass", exit_code=0)
    assert list(contradictions(passed.model_copy(update={"fail_on": Severity.CRITICAL}))) == []
    assert "its findings say fail" in only(passed.model_copy(update={"fail_on": Severity.HIGH}))


def test_an_excuse_without_its_file_is_refused() -> None:
    waiver = WaiverRecord(owner="Ada", reason="accepted for the pilot", expires="2027-01-31")
    waived = audit(waiver=waiver, verdict="pass", exit_code=0)
    assert only(waived).endswith("is waived, and the result names no file of waivers")
    file = UsedFile(name="waivers.toml", sha256="ab12")
    assert list(contradictions(waived.model_copy(update={"waivers": file}))) == []
    known = audit(known=KnownFinding(), verdict="pass", exit_code=0)
    assert only(known).endswith("is known, and the result names no baseline")
    assert list(contradictions(known.model_copy(update={"baseline": file}))) == []


def test_a_self_check_that_missed_a_fault_is_no_pass() -> None:
    broken = factory.self_check(broken=True).model_copy(update={"verdict": "pass", "exit_code": 0})
    assert only(broken).startswith("its verdict is pass (exit code 0), and its findings say control-failed (4)")


def test_a_limit_that_the_policy_does_not_have_is_refused() -> None:
    row = PolicyThreshold(probe="memorization.extraction", **LIMIT.model_dump())
    record = PolicyRecord(name="default", thresholds=(row,))
    result = audit().model_copy(update={"policy_record": record, "policy_sha256": record.sha256})
    assert list(contradictions(result)) == []
    looser = record.model_copy(update={"thresholds": (row.model_copy(update={"limit": 0.5}),)})
    changed = result.model_copy(update={"policy_record": looser})
    assert [line.split(" has a ")[0] for line in contradictions(changed)] == [
        "its policy 'default' is not the one of its policy_sha256",
        "finding 'memorization.extraction/verbatim_rate'",
    ]


def test_a_pass_whose_spike_was_not_seen_is_refused_since_results_hold_their_policy() -> None:
    row = PolicyThreshold(probe="memorization.extraction", **LIMIT.model_dump())
    record = PolicyRecord(name="default", thresholds=(row,))
    unseen = audit(verdict="pass", exit_code=0, **PASSED, spike=SpikeOutcome(what="x", planted=1))
    assert list(contradictions(unseen.model_copy(update={"policy_record": None}))) == []
    stated = unseen.model_copy(update={"policy_record": record, "policy_sha256": record.sha256})
    assert only(stated).endswith("is pass although its spike was seen at no dose")


def test_guardrails_report_refuses_an_unsigned_result_that_contradicts_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = json.loads(factory.audit().to_json())
    values["findings"][0]["status"] = "pass"
    values |= {"sha256": None, "verdict": "inconclusive", "exit_code": 3}
    (tmp_path / "result.json").write_text(json.dumps(values), encoding="utf-8")
    for format in ("markdown", "oscal", "json"):
        assert cli.run(["report", str(tmp_path), "--format", format, "--out", str(tmp_path / "out")]) == 2
        error = capsys.readouterr().err
        assert "finding 'memorization.extraction/verbatim_rate' is pass, and its interval" in error
        assert error.count("\n") == 1
        assert not (tmp_path / "out").exists()


def test_many_contradictions_are_counted(tmp_path: Path) -> None:
    wrong = tuple(factory.extraction(id=f"a.b/{i}", status="pass") for i in range(9))
    with pytest.raises(ConfigurationError, match=r"'a.b/2' .*, and 7 more$"):
        check_derivation(factory.audit(findings=wrong))


def test_a_fail_that_is_stated_as_open_is_refused() -> None:
    line = only(audit(status="not-assessed", reason="it was late", verdict="not-assessed", exit_code=3))
    assert "say fail" in line


def test_a_finding_that_lost_its_limit_is_refused() -> None:
    row = PolicyThreshold(probe="memorization.extraction", **LIMIT.model_dump())
    record = PolicyRecord(name="default", thresholds=(row,))
    result = audit(threshold=None, status="not-assessed", severity="info", verdict="not-assessed", exit_code=3)
    stated = result.model_copy(update={"policy_record": record, "policy_sha256": record.sha256})
    assert only(stated).endswith("has no limit, and its policy has one")
