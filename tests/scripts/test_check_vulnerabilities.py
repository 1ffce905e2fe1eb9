"""A known vulnerability fails the check; a registry that does not answer does not."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SOUND = {"name": "sound", "version": "1.0", "vulns": []}
WEAK = {"name": "weak", "version": "2.0", "vulns": [{"id": "CVE-1", "fix_versions": ["2.1"], "aliases": []}]}
UNKNOWN = {"name": "unknown", "skip_reason": "Dependency not found on PyPI"}


@pytest.fixture
def script(repository: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("check", repository / "scripts" / "check_vulnerabilities.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("packages", "code", "line"),
    [
        ([SOUND, WEAK], 1, "weak 2.0: CVE-1, mended in 2.1"),
        ([UNKNOWN, WEAK], 1, "vulnerabilities: 1 known in 1 of 2 versions"),
        ([SOUND, UNKNOWN], 0, "vulnerabilities: 0 known in 1 of 2 versions"),
        ([UNKNOWN, UNKNOWN], 0, "vulnerabilities: no registry answered; not checked"),
        (None, 0, "vulnerabilities: no registry answered; not checked"),
    ],
)
def test_outcome(script: ModuleType, packages: Any, code: int, line: str) -> None:
    result, lines = script.outcome(packages)
    assert result == code
    assert line in lines


def test_no_answer_is_none(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def failed(command: list[str], **_: Any) -> Any:
        return subprocess.CompletedProcess(command, 1, "", "connection refused")

    monkeypatch.setattr(script.subprocess, "run", failed)
    assert script.audited(["a==1"]) is None


def test_without_pip_audit_it_fails(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(script, "find_spec", lambda name: None)
    assert script.main() == 1
    assert "pip-audit is not installed" in capsys.readouterr().out
