"""``guardrails audit``: what it passes on, prints and returns. The audits themselves are tested in tests/assay."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from guardrails import cli
from guardrails.assay.audit.engine import Progress
from guardrails.assay.audit.journal import Journal
from guardrails.cli._screen import note, say
from guardrails.core.errors import ConfigurationError
from guardrails.core.results import (
    AuditResult,
    ControlOutcome,
    Finding,
    Measurement,
    NotTested,
    Severity,
    Status,
    TargetRecord,
    Threshold,
    Timing,
)

PASSED = {"tell": note, "warn": say, "engine": "local"}
"""What every audit is given."""
OUTCOMES = ("found", "missed", "no alarm", "false alarm", "not-assessed")


def finding(status: Status = Status.FAIL, **fields: Any) -> Finding:
    reading = Measurement(
        probe="memorization.extraction",
        metric="excess",
        value=0.4,
        low=0.3,
        high=0.5,
        n=1200,
        unit="share",
        higher_is_worse=True,
        method="Newcombe",
    )
    limit = Threshold(metric="excess", limit=0.01, origin="a test's own choice")
    controls = (
        ControlOutcome(source="reference:gpt-text,memorize=1", expected="found", observed="found"),
        ControlOutcome(source="reference:gpt-text", expected="clear", observed="clear"),
    )
    given = {"measurement": reading, "threshold": limit, "controls": controls} | fields
    return Finding(
        id="memorization.extraction/excess",
        probe="memorization.extraction",
        title="Verbatim [bold]extraction[/bold]",
        status=status,
        severity=Severity.HIGH,
        risk="memorization",
        **given,
    )


def result(*findings: Finding, **fields: Any) -> AuditResult:
    given: dict[str, Any] = {"kind": "audit", "verdict": "fail", "exit_code": 1} | fields
    return AuditResult(
        guardrails_version="0.1.0",
        targets=(TargetRecord(name="dir:x", modality="image", access=("outputs",)),),
        findings=findings,
        not_tested=(NotTested(what="Bias", why="a picture has no log-probabilities"),),
        policy="default",
        policy_sha256="0" * 64,
        seed=0,
        budget="quick",
        command="guardrails audit dir:x",
        environment={},
        timing=Timing(started="2026-01-01T00:00:00+00:00", seconds=1.0),
        **given,
    )


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Replace the audit by one that records its arguments, chatters on stdout, and returns a failed finding."""
    seen: dict[str, Any] = {}
    monkeypatch.setenv("COLUMNS", "160")

    def run_audit(target: Any, *, progress: Any, **options: Any) -> tuple[AuditResult, Path]:
        print("a library that prints")
        seen.update(options, target=target)
        folder: Path = options["resume"] or options["out"]
        folder.mkdir(parents=True, exist_ok=True)
        progress(Progress(1, 2, "memorization.extraction"))
        if seen.get("begun"):
            with Journal(folder / "journal.sqlite") as journal:
                journal.put("settings", {})
        if error := seen.get("error"):
            raise error
        return seen.get("result", result(finding())), folder

    monkeypatch.setattr("guardrails.assay.audit.orchestrator.run_audit", run_audit)
    return seen


def test_options_that_were_not_given_are_left_to_the_plan(asked: dict[str, Any], tmp_path: Path) -> None:
    cli.run(["audit", "dir:x", "--out", str(tmp_path / "run")])
    assert asked == {"target": "dir:x", "out": tmp_path / "run", "resume": None, **PASSED}


def test_every_option_is_passed_on(asked: dict[str, Any], tmp_path: Path) -> None:
    words = "--corpus c --holdout h --reference r --prompts p --policy strict --plan f.toml --budget quick --seed 7"
    more = ["--probes", "a.*", "--probes", "b", "--fail-on", "high", "--out", str(tmp_path)]
    more += ["--set", "privacy.pii.recognizers=k=1"]
    cli.run(["audit", "hf:m", *words.split(), *more])
    assert asked == {
        "target": "hf:m",
        "corpus": Path("c"),
        "holdout": Path("h"),
        "reference": Path("r"),
        "prompts": Path("p"),
        "policy": "strict",
        "plan": Path("f.toml"),
        "probes": ("a.*", "b"),
        "budget": "quick",
        "seed": 7,
        "fail_on": "high",
        "out": tmp_path,
        "resume": None,
        "options": {"privacy.pii.recognizers": "k=1"},
        **PASSED,
    }


def test_the_table_goes_to_stdout_and_the_rest_to_stderr(
    asked: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["audit", "dir:x", "--out", str(tmp_path)]) == 1
    captured = capsys.readouterr()
    row = next(line for line in captured.out.splitlines() if line.startswith("fail "))
    assert " ".join(row.split()) == "fail Verbatim [bold]extraction[/bold] 0.4 0.3 to 0.5 0.01 1,200 2 of 2"
    assert "failed: at least one reading is on the wrong side" in captured.out
    assert captured.out.endswith(f"report: {tmp_path / 'report.html'}\n")
    assert captured.err == "a library that prints\n"
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")


def test_with_json_stdout_holds_the_result_and_nothing_else(
    asked: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["audit", "dir:x", "--json", "--out", str(tmp_path)]) == 1
    captured = capsys.readouterr()
    assert captured.out == result(finding()).to_json()
    assert f"report: {tmp_path / 'report.html'}" in captured.err


@pytest.mark.parametrize("code", [0, 1, 3, 4])
def test_the_exit_code_is_the_result_s(code: int, asked: dict[str, Any], tmp_path: Path) -> None:
    asked["result"] = result(exit_code=code)
    assert cli.run(["audit", "dir:x", "--out", str(tmp_path)]) == code


def test_a_self_check_counts_faults_found(
    asked: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missed = Measurement(
        probe="bias.loglikelihood",
        metric="gap",
        value=None,
        n=3,
        unit="nats",
        higher_is_worse=True,
        method="bootstrap",
        reason="30 templates would do",
    )
    asked["result"] = result(
        finding(expected="found"),
        finding(Status.PASS, expected="clear"),
        finding(Status.INCONCLUSIVE, expected="found", measurement=missed, controls=()),
        finding(Status.NOT_ASSESSED, expected="found", measurement=None, threshold=None),
        finding(Status.FAIL, expected="clear"),
        kind="self-check",
        verdict="control-failed",
        exit_code=4,
    )
    assert cli.run(["audit", "--out", str(tmp_path)]) == 4
    out = capsys.readouterr().out
    assert "planted faults found: 1 of 3; clean generators without alarm: 1 of 2" in out
    assert "an instrument got a known sample wrong" in out
    words = [" ".join(line.split()[-2:]) for line in out.splitlines()[1:6]]
    assert [next(w for w in OUTCOMES if word.endswith(w)) for word in words] == [
        "found",
        "no alarm",
        "missed",
        "not-assessed",
        "false alarm",
    ]


def test_a_failing_control_is_counted(
    asked: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blind = ControlOutcome(source="reference:gpt-text,memorize=1", expected="found", observed="clear")
    asked["result"] = result(finding(controls=(blind,)))
    cli.run(["audit", "--out", str(tmp_path)])
    assert "0 of 1" in capsys.readouterr().out


def test_ctrl_c_says_how_to_go_on(
    asked: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    asked |= {"error": KeyboardInterrupt(), "begun": True}
    assert cli.run(["audit", "dir:my pictures"]) == 5
    (folder,) = (tmp_path / "guardrails-runs").iterdir()
    message = capsys.readouterr().err.splitlines()[-1]
    assert message == f"interrupted; resume with: guardrails audit --resume guardrails-runs/{folder.name}"
    assert "/" not in folder.name
    assert " " not in folder.name


def test_ctrl_c_while_the_folder_is_still_locked_is_an_interruption(
    asked: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was told as a mistake of the user, with exit code 2: that a run is under way in the folder."""

    def locked(_: Path) -> None:
        raise ConfigurationError("a run is under way")

    monkeypatch.setattr("guardrails.assay.audit.orchestrator.how_to_resume", locked)
    asked["error"] = KeyboardInterrupt()
    assert cli.run(["audit", "dir:x", "--out", str(tmp_path)]) == 5
    assert capsys.readouterr().err.splitlines()[-1] == "interrupted"


def test_resume_takes_the_run_s_folder(asked: dict[str, Any], tmp_path: Path) -> None:
    assert cli.run(["audit", "--resume", str(tmp_path)]) == 1
    assert asked == {"target": None, "out": None, "resume": tmp_path, "salvage": False, **PASSED}


@pytest.mark.parametrize("as_json", [False, True])
def test_a_dry_run_runs_nothing(
    as_json: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Plan:
        def lines(self) -> list[str]:
            return ["would run [all] of it"]

        def to_dict(self) -> dict[str, int]:
            return {"samples": 3}

    monkeypatch.setattr("guardrails.assay.audit.dry_run.dry_run", lambda target, **options: Plan())
    monkeypatch.chdir(tmp_path)
    assert cli.run(["audit", "dir:x", "--dry-run", *(["--json"] if as_json else [])]) == 0
    out = capsys.readouterr().out
    assert json.loads(out) == {"samples": 3} if as_json else out == "would run [all] of it\n"
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_folder_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert cli.run(["audit", "--out", str(tmp_path / "file" / "run")]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) <= 2


def test_ctrl_c_before_the_run_began_offers_no_resume(
    asked: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked["error"] = KeyboardInterrupt()
    assert cli.run(["audit", "dir:x", "--out", str(tmp_path / "run")]) == 5
    assert capsys.readouterr().err.splitlines()[-1] == "interrupted"


def test_checks_of_other_content_are_one_line_and_the_worst_comes_first(
    asked: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = finding(Status.NOT_APPLICABLE, measurement=None, controls=(), reason="looks at image, not text")
    asked["result"] = result(absent, finding(Status.PASS), absent, finding(Status.FAIL), finding(Status.INCONCLUSIVE))
    cli.run(["audit", "--out", str(tmp_path)])
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines()[1:4]] == ["fail", "inconclusive", "pass"]
    assert "not applicable to this target: 2 checks" in out
    assert "not-applicable" not in out


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_any_terminal_gets_json_that_can_be_read_and_text(
    encoding: str, asked: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    title = "naïve – ε ≤ 1 😀"
    asked["result"] = result(finding().model_copy(update={"title": title}))
    for options in (["--json"], []):
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        monkeypatch.setattr("sys.stdout", stream)
        assert cli.run(["audit", "--out", str(tmp_path), *options]) == 1
        stream.flush()
        written = stream.buffer.getvalue()  # type: ignore[attr-defined]
        text = written.decode(encoding)
        if options:
            assert json.loads(written)["findings"][0]["title"] == title  # bytes: JSON in a file is UTF-8
        else:
            assert title.encode(encoding, "replace").decode(encoding).split()[0] in text


def test_why_a_finding_is_not_assessed_is_shown_once(
    asked: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    silent = finding("not-assessed", measurement=None, reason="the holdout is the corpus")
    asked["result"] = result(silent, silent, verdict="not-assessed", exit_code=3)
    cli.run(["audit", "dir:x", "--out", str(tmp_path)])
    captured = capsys.readouterr()
    assert (captured.out + captured.err).count("the holdout is the corpus") == 1
