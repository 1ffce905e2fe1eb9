"""What a person sees who made a mistake: one message, the right exit code, never a traceback."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest

from guardrails import cli
from guardrails.core.errors import (
    ConfigurationError,
    ContentError,
    InstallConflictError,
    JournalError,
    MissingExtraError,
    NotApplicable,
    TargetError,
)


def raise_in_schema(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def broken(kind: str) -> None:
        raise error

    monkeypatch.setattr("guardrails.core.results.json_schema", broken)


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ConfigurationError("no such dial"), 2, "error: no such dial\n"),
        (NotApplicable("not for tables"), 2, "error: not for tables\n"),
        (TargetError("no such folder"), 2, "error: no such folder\n"),
        (ContentError("a.png: damaged"), 2, "error: a.png: damaged\n"),
        (InstallConflictError("shadowed"), 2, "error: shadowed\n"),
        (
            MissingExtraError("gguf", "pip install x"),
            2,
            "error: gguf is not available; to get it, type: pip install x\n",
        ),
        (JournalError("disk full; resume with: x"), 5, "disk full; resume with: x\n"),
        (OSError(errno.ENOSPC, "No space left on device", "/runs/a"), 5, "error: No space left on device: /runs/a\n"),
        (KeyboardInterrupt(), 5, "interrupted\n"),
    ],
)
def test_each_error_is_one_message_and_an_exit_code(
    error: BaseException, code: int, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raise_in_schema(monkeypatch, error)
    assert cli.run(["schema"]) == code
    captured = capsys.readouterr()
    assert captured.err == message
    assert captured.out == ""


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("GUARDRAILS_DEBUG", "1")
    raise_in_schema(monkeypatch, TargetError("no such folder"))
    assert cli.run(["schema"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_a_defect_of_ours_does_not_look_like_a_failed_finding(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raise_in_schema(monkeypatch, ZeroDivisionError("oops"))
    assert cli.run(["schema"]) == 5
    assert "defect in guardrails" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["frobnicate"], "No such command 'frobnicate'"),
        (["audit", "--budget", "huge"], "--budget"),
        (["audit", "--seed", "-1"], "--seed"),
        (["audit", "no-such-scheme"], "is not the name of a target"),
        (["audit", "--probes", "nothing.*"], "no probe is called 'nothing.*'"),
        (["audit", "--policy", "nothing"], "policy"),
        (["audit", "--corpus", "/no/such/file", "dir:x"], "there is no '/no/such/file'"),
        (["audit", "--resume", "/no/such/run"], "holds no run to resume"),
        (["audit", "--resume", "/no/such/run", "--seed", "3"], "leave the other options out"),
        (["audit", "--plan", "/no/such/plan.toml"], "/no/such/plan.toml"),
        (["generate", "vae-medical", "-n", "0", "--out", "x"], "-n"),
        (["generate", "no-such-generator", "--out", "x"], "unknown reference generator 'no-such-generator'"),
        (["generate", "vae-medical,memorize", "--out", "x"], "memorize"),
        (["train", "generator", "no-such"], "unknown reference generator 'no-such'"),
        (["train", "detector", "no-such"], "unknown detector 'no-such'"),
        (["list", "animals"], "animals"),
        (["report", "/no/such/run", "--format", "html"], "no result.json in /no/such/run"),
    ],
)
def test_a_wrong_option_is_named_and_exits_2(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.run(arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["reports", "generators"])
def test_a_shadowed_package_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.py").write_text("")
    done = subprocess.run(
        [sys.executable, "-m", "guardrails", "schema"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert f"'import {name}' finds {tmp_path / name}.py" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_the_module_runs_like_the_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "guardrails", "schema"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["title"] == "AuditResult"


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    program = "import sys; from guardrails.cli import run; run(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert loaded.isdisjoint(
        {"numpy", "torch", "cv2", "transformers", "scipy", "sklearn", "pandas", "pydantic", "reports"}
    )
