"""Failed findings that do not fail an audit: waived, or known from a baseline."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from stored import CLEAR, audit, finding, rate, stored

import reports
from guardrails.assay.audit.findings import with_verdict
from guardrails.assay.comparison.excuses import Excuses, load_excuses
from guardrails.assay.policy.waivers import load_waivers
from guardrails.assay.stored_audit import StoredAudit
from guardrails.core.errors import ConfigurationError
from guardrails.core.results import AuditResult, Finding, Severity, Status, fingerprint_of

NOW = datetime(2026, 12, 1, tzinfo=UTC)
BY_NAME = 'probe = "memorization.extraction"\nmetric = "extraction_rate"\ntarget = "hf:models/mine"\n'


def failed(hits: int = 40, **more: object) -> Finding:
    return finding(rate(hits, 100), **{"status": Status.FAIL, **more})


def waived(result: AuditResult, folder: Path, names: str = BY_NAME) -> AuditResult:
    path = folder / "waivers.toml"
    path.write_text(f'[[waiver]]\n{names}owner = "Ada"\nreason = "public corpus"\nexpires = 2027-01-31\n')
    return with_verdict(Excuses(load_waivers(path, now=NOW)).applied(result))


def known(result: AuditResult, baseline: StoredAudit) -> AuditResult:
    return with_verdict(Excuses(baseline=baseline, baseline_name="base").applied(result))


def test_a_waived_failure_does_not_fail_the_audit_and_is_no_pass(tmp_path: Path) -> None:
    result = waived(audit(failed()), tmp_path)
    (one,) = result.findings
    assert (result.verdict, result.exit_code) == ("pass", 0)
    assert (one.status, one.outcome) == (Status.FAIL, "waived")
    assert result.waivers is not None
    assert AuditResult.from_json(result.to_json()) == result


def test_a_fingerprint_names_the_finding_too(tmp_path: Path) -> None:
    before = audit(failed())
    print_ = fingerprint_of(before.findings[0], before)
    assert waived(before, tmp_path, f'fingerprint = "{print_}"\n').exit_code == 0
    assert waived(before, tmp_path, f'fingerprint = "{print_[::-1]}"\n').exit_code == 1


@pytest.mark.parametrize(
    ("status", "remark"),
    [
        (Status.PASS, "is not needed: the finding is pass"),
        (Status.INCONCLUSIVE, "is not needed: the finding is inconclusive"),
    ],
)
def test_a_waiver_of_what_did_not_fail_is_remarked(status: Status, remark: str, tmp_path: Path) -> None:
    result = waived(audit(failed(status=status)), tmp_path)
    assert [remark in line for line in result.remarks] == [True]
    assert result.findings[0].waiver is None
    assert result.exit_code == (0 if status is Status.PASS else 3)


def test_a_waiver_that_matches_nothing_is_remarked_and_waives_nothing(tmp_path: Path) -> None:
    result = waived(audit(failed()), tmp_path, BY_NAME.replace("mine", "other"))
    assert "matches no finding of this audit" in result.remarks[0]
    assert result.exit_code == 1


def test_a_failed_control_cannot_be_waived(tmp_path: Path) -> None:
    broken = failed(controls=(CLEAR.model_copy(update={"observed": "found"}),))
    assert waived(audit(broken), tmp_path).exit_code == 4


@pytest.mark.parametrize(
    ("format", "words"),
    [
        ("html", "Waived until 2027-01-31 by Ada: public corpus"), ("csv", "waived"), ("junit", 'type="waived"'),
        ("markdown", "Waived until 2027-01-31 by Ada: public corpus"), ("json", '"owner": "Ada"'),
        ("sarif", '"suppressions"'),
    ],
)  # fmt: skip
def test_every_format_says_that_it_is_waived(format: str, words: str, tmp_path: Path) -> None:
    text = reports.render(waived(audit(failed()), tmp_path), format).decode()
    assert words in text
    assert words not in reports.render(audit(failed()), format).decode()
    assert "No issue found" not in text
    if format == "sarif":
        assert '"kind": "fail"' in text
    if format == "junit":
        assert 'failures="0"' in text
        assert 'skipped="1"' in text


def test_what_failed_in_the_baseline_does_not_fail_unless_it_is_worse() -> None:
    baseline = stored(failed(40))
    same, worse = known(audit(failed(45)), baseline), known(audit(failed(80)), baseline)
    assert (same.exit_code, same.findings[0].outcome) == (0, "known")
    assert (worse.exit_code, worse.findings[0].outcome) == (1, "fail")
    assert worse.findings[0].known is not None
    assert "worse than in the baseline" in worse.findings[0].known.note
    assert '"baselineState": "unchanged"' in reports.render(same, "sarif").decode()
    assert '"baselineState": "updated"' in reports.render(worse, "sarif").decode()


def test_a_new_failure_fails() -> None:
    passed = stored(finding(rate(0, 100)))
    assert known(audit(failed()), passed).exit_code == 1
    assert '"baselineState": "new"' in reports.render(known(audit(failed()), passed), "sarif").decode()
    assert known(audit(failed()), stored()).exit_code == 1


def test_a_baseline_of_another_modality_excuses_nothing() -> None:
    target = audit().targets[0].model_copy(update={"modality": "image"})
    result = known(audit(failed()), stored(failed(), targets=(target,)))
    assert result.exit_code == 1
    assert "the baseline is not used" in result.remarks[0]


def test_a_baseline_of_another_target_is_remarked() -> None:
    target = audit().targets[0].model_copy(update={"name": "hf:models/old"})
    result = known(audit(failed()), stored(failed(), targets=(target,)))
    assert (result.exit_code, result.remarks) == (0, ("the baseline is of another target: hf:models/old",))


def test_fail_on_leaves_lesser_failures_out() -> None:
    lesser = failed(severity=Severity.MEDIUM)
    assert with_verdict(audit(lesser, fail_on=Severity.HIGH)).exit_code == 0
    assert with_verdict(audit(lesser, fail_on=Severity.MEDIUM)).exit_code == 1
    assert with_verdict(audit(failed(), fail_on=Severity.HIGH)).exit_code == 1


def test_a_baseline_is_the_result_of_a_target(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(audit(kind="self-check", verdict="control-failed", exit_code=4).to_json())
    with pytest.raises(ConfigurationError, match="the result of a self-check, not of a target"):
        load_excuses(None, tmp_path)
    with pytest.raises(ConfigurationError, match=r"no result\.json in"):
        load_excuses(None, tmp_path.parent)
    with pytest.raises(ConfigurationError, match="there is no"):
        load_excuses(None, tmp_path / "absent")
