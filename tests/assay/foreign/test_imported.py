"""Figures of other tools stand under the policy with their origin; what was not scored is never a pass."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from guardrails import cli
from guardrails.assay.audit.derivation import contradictions
from guardrails.assay.audit.orchestrator import run_audit
from guardrails.assay.audit.rescore import rescore
from guardrails.assay.policy.policy import load_policy
from guardrails.assay.stored_audit import read_audit
from guardrails.core.errors import ConfigurationError
from guardrails.core.results import AuditResult
from reports import render

from .. import fakes
from .test_load import evaluated, garak

POLICY = """
name = "house"
description = "Limits of a test."
[[threshold]]
probe = "garak:dan.Tall / mitigation.Bypass"
metric = "flagged"
limit = {limit}
origin = "a test's own limit"
severity = "high"
"""


def report(folder: Path, name: str = "g.report.jsonl", **counts: Any) -> Path:
    complete = counts.pop("complete", True)
    row = evaluated(**({"passed": 480, "total_evaluated": 500, "fails": 20} | counts))
    file = folder / name
    file.write_text(garak(row, complete=complete))
    return file


def policy(folder: Path, limit: float) -> Path:
    file = folder / f"policy-{limit}.toml"
    file.write_text(POLICY.format(limit=limit))
    return file


def audited(folder: Path, *files: Path, limit: float | None = None, **more: Any) -> AuditResult:
    given = {} if limit is None else {"policy": policy(folder, limit)}
    return run_audit(imports=files, out=folder / "run", **given, **more)[0]


@pytest.mark.parametrize(("limit", "verdict", "code"), [(0.2, "pass", 0), (0.01, "fail", 1), (0.04, "inconclusive", 3)])
def test_a_limit_of_the_policy_gates_a_figure(limit: float, verdict: str, code: int, tmp_path: Path) -> None:
    result = audited(tmp_path, report(tmp_path), limit=limit)
    assert (result.verdict, result.exit_code, result.kind) == (verdict, code, "audit")
    [finding] = result.findings
    assert finding.measurement is not None
    assert (finding.measurement.value, finding.measurement.n) == (0.04, 500)
    assert finding.measured_by is not None
    assert (finding.measured_by.tool, finding.measured_by.corrected) == ("garak", False)
    assert list(contradictions(result)) == []


def test_without_a_limit_there_is_no_verdict(tmp_path: Path) -> None:
    result = audited(tmp_path, report(tmp_path))
    assert (result.verdict, result.exit_code) == ("not-assessed", 3)
    assert [gap.what for gap in result.not_tested][1].startswith("1 figure of garak")


@pytest.mark.parametrize(
    "counts",
    [{"complete": False}, {"passed": 0, "total_evaluated": 0, "fails": 0, "nones": 50}, {"nones": 400}],
    ids=["cut off", "nothing scored", "most not scored"],
)
def test_what_was_not_scored_is_no_pass(counts: dict[str, Any], tmp_path: Path) -> None:
    result = audited(tmp_path, report(tmp_path, **counts), limit=0.9)
    assert (result.verdict, result.findings[0].status) == ("not-assessed", "not-assessed")
    assert list(contradictions(result)) == []


def test_two_files_with_the_same_check_are_two_findings(tmp_path: Path) -> None:
    result = audited(tmp_path, report(tmp_path), report(tmp_path, "second.jsonl", passed=500, fails=0), limit=0.2)
    assert len({f.id for f in result.findings}) == 2


def test_they_stand_beside_our_own_readings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(monkeypatch)
    result, _ = run_audit(fakes.FakeTarget(0.0), imports=[report(tmp_path)], out=tmp_path / "run")
    assert {f.probe for f in result.findings} == {"fake.yes", "garak:dan.Tall / mitigation.Bypass"}
    assert result.verdict == "pass"
    assert "import 1" in result.targets[0].inputs
    assert AuditResult.from_json((tmp_path / "run" / "result.json").read_text()).findings == result.findings


def test_another_policy_judges_them_again(tmp_path: Path) -> None:
    audited(tmp_path, report(tmp_path), limit=0.2)
    again = rescore(read_audit(tmp_path / "run"), load_policy(policy(tmp_path, 0.01)), policy_name="p")
    assert again.verdict == "fail"
    assert rescore(read_audit(tmp_path / "run"), load_policy("default"), policy_name="default").exit_code == 3


def test_reports_name_the_tool_and_its_uncorrected_figure(tmp_path: Path) -> None:
    result = audited(tmp_path, report(tmp_path), limit=0.01)
    page, text = render(result, "html").decode(), render(result, "markdown").decode()
    for words in ("garak 0.17.1", "Not corrected for the error of garak", "No control and no spike"):
        assert words in page
    assert "garak" in text


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = report(tmp_path)
    arguments = ["audit", "--import", str(file), "--policy", str(policy(tmp_path, 0.01)), "--json"]
    assert cli.run([*arguments, "--out", str(tmp_path / "a")]) == 1
    result = json.loads(capsys.readouterr().out)
    assert f"--import {file}" in result["command"]
    assert cli.run([*arguments, "--out", str(tmp_path / "a")]) == 2
    assert "already holds a run" in capsys.readouterr().err
    assert cli.run(["audit", "--import", str(tmp_path / "absent")]) == 2
    assert "there is no" in capsys.readouterr().err


def test_a_file_of_no_tool_is_refused_before_anything_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(monkeypatch)
    other, target = tmp_path / "other.json", fakes.FakeTarget(0.0)
    other.write_text("{}")
    with pytest.raises(ConfigurationError, match="not a result that can be read"):
        run_audit(target, imports=[other], out=tmp_path / "run")
    assert target.asked == []
    assert not (tmp_path / "run").exists()


def test_what_is_exported_as_every_eval_ever_comes_back_with_its_interval(tmp_path: Path) -> None:
    first = audited(tmp_path, report(tmp_path), limit=0.01)
    record = tmp_path / "record.json"
    record.write_bytes(render(first, "every-eval-ever"))
    again, _ = run_audit(imports=[record], out=tmp_path / "again")
    values = [(f.measurement.value, f.measurement.low, f.measurement.high) for f in again.findings if f.measurement]
    assert values == [(f.measurement.value, f.measurement.low, f.measurement.high) for f in first.findings]  # type: ignore[union-attr]
