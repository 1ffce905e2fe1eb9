"""``guardrails bundle`` and ``guardrails verify``: what they print, and their exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from guardrails import cli
from guardrails.assay.audit.orchestrator import run_audit

from ..assay import fakes


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    fakes.install(monkeypatch)
    return run_audit(fakes.FakeTarget(0.5), out=tmp_path / "run")[1]


def test_a_bundle_is_written_verified_and_found_altered(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "audit.tar"
    assert cli.run(["bundle", str(run), "--out", str(file)]) == 0
    out = capsys.readouterr().out
    assert (tmp_path / "audit.tar.sha256").read_text() == f"{out.split()[0]}  audit.tar\n"
    assert cli.run(["verify", str(file), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["altered"], told["problems"], told["verdict"]) == (False, [], "fail")
    content = bytearray(file.read_bytes())
    content[-20000] ^= 1
    file.write_bytes(content)
    assert cli.run(["verify", str(file)]) == 1
    assert "PROBLEM" in capsys.readouterr().out


@pytest.mark.parametrize("command", [["verify", "absent.tar"], ["bundle", "absent", "--out", "x.tar"]])
def test_what_is_not_there_is_a_usage_error(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.run(command) == 2
    assert "absent" in capsys.readouterr().err
