"""Figures of other tools stand under the policy with their origin; what was not scored is never a pass."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from guardrails import cli
from guardrails.assay.audit import scope
from guardrails.assay.audit.derivation import contradictions
from guardrails.assay.audit.dry_run import dry_run
from guardrails.assay.audit.orchestrator import run_audit
from guardrails.assay.audit.rescore import rescore
from guardrails.assay.policy.check import rows
from guardrails.assay.policy.policy import Policy, load_policy
from guardrails.assay.stored_audit import read_audit
from guardrails.core.errors import ConfigurationError
from guardrails.core.results import AuditResult
from reports import render

from .. import fakes
from .test_load import evaluated, garak, lm_eval

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


@pytest.mark.parametrize(
    ("value", "stderr"),
    [(0.12, -0.1), (0.12, 1e-300), (1e308, 1e308), (10**400, 0.1), (0.12, 10**400)],
)
def test_a_figure_without_a_usable_standard_error_has_no_interval(value: float, stderr: float, tmp_path: Path) -> None:
    results = {"letters": {"f1,none": value, "f1_stderr,none": stderr, "acc,none": 0.25}}
    file = tmp_path / "results.json"
    file.write_text(json.dumps(lm_eval(results=results)))
    figures = [f.measurement for f in audited(tmp_path, file).findings if f.id.endswith("f1")]
    assert all(m is not None and m.value is None and m.low is None for m in figures)


BYPASS = "garak:dan.Tall / mitigation.Bypass"
OTHER = POLICY.replace("dan.Tall", "dan.Short").partition("[[threshold]]")
TWO_LIMITS = POLICY + "".join(OTHER[1:])


def test_a_required_figure_that_no_file_holds_is_no_pass(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(TWO_LIMITS.format(limit=0.2))
    result, folder = run_audit(imports=[report(tmp_path)], policy=str(file), out=tmp_path / "run")
    statuses = {f.id: f.status.value for f in result.findings}
    absent = "garak:dan.Short / mitigation.Bypass/flagged"
    assert statuses == {f"{BYPASS}/flagged": "pass", absent: "not-assessed"}
    assert (result.verdict, result.exit_code) == ("not-assessed", 3)
    assert any("no file that was imported" in gap.why for gap in result.not_tested)
    assert list(contradictions(result)) == []
    again = rescore(read_audit(folder), load_policy(file), policy_name=str(file))
    assert (again.findings, again.verdict) == (result.findings, "not-assessed")
    without = rescore(read_audit(folder), load_policy(policy(tmp_path, 0.2)), policy_name="house")
    assert ([f.id for f in without.findings], without.verdict) == ([f"{BYPASS}/flagged"], "pass")


def test_a_required_figure_is_missed_where_nothing_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figure = load_policy(policy(tmp_path, 0.2)).thresholds
    fakes.install(monkeypatch)
    both = Policy("default", figure | {("fake.yes", "yes_rate"): fakes.THRESHOLD})
    monkeypatch.setattr(scope, "load_policy", lambda name: both)
    result, _ = run_audit(fakes.FakeTarget(0.0), out=tmp_path / "run")
    assert {f.id: f.status.value for f in result.findings} == {
        f"{BYPASS}/flagged": "not-assessed", "fake.yes/yes_rate": "pass",
    }  # fmt: skip
    assert result.verdict == "not-assessed"
    chosen, _ = run_audit(fakes.FakeTarget(0.0), out=tmp_path / "chosen", probes="fake.yes")
    assert chosen.verdict == "pass"


FAKE_LIMIT = """
[[threshold]]
probe = "fake.yes"
metric = "yes_rate"
limit = 0.1
origin = "a test's own limit"
"""


@pytest.mark.parametrize("metric", ["pass@1", "Accuracy on the letters (0 to 1)"])
def test_a_metric_in_the_words_of_the_other_tool_can_be_gated(metric: str, tmp_path: Path) -> None:
    file, rules = tmp_path / "results.json", tmp_path / "policy.toml"
    file.write_text(json.dumps(lm_eval(results={"letters": {f"{metric},none": 0.5, f"{metric}_stderr,none": 0.01}})))
    text = POLICY.format(limit=0.4).replace("garak:dan.Tall / mitigation.Bypass", "lm-evaluation-harness:letters")
    rules.write_text(text.replace('"flagged"', json.dumps(metric)))
    [finding] = run_audit(imports=[file], policy=str(rules), out=tmp_path / "run")[0].findings
    assert finding.status == "pass"
    rules.write_text('name = "x"\ndescription = "y"\n' + FAKE_LIMIT.replace("yes_rate", metric))
    with pytest.raises(ConfigurationError, match="metric"):
        load_policy(rules)


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


def test_a_policy_for_another_tool_is_checked(tmp_path: Path) -> None:
    [row] = [row for row in rows(load_policy(policy(tmp_path, 0.2))) if row["gated"]]
    assert (row["probe"], row["limit"]) == (BYPASS, 0.2)
    assert "of another tool" in row["from"]


def test_a_dry_run_reads_the_files_and_samples_nothing(tmp_path: Path) -> None:
    assert dry_run(imports=[str(report(tmp_path))]).forecasts == ()
    (tmp_path / "empty.json").write_text("")
    with pytest.raises(ConfigurationError, match="empty"):
        dry_run(imports=[str(tmp_path / "empty.json")])
