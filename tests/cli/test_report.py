"""``guardrails report`` of audits, scans and benchmarks, ``--quiet`` and ``NO_COLOR``."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from guardrails import cli
from guardrails.core.results import AuditResult
from reports import registry
from reports.renderer import Renderer

sys.path.append(str(Path(__file__).parents[1] / "reports"))
import report_factory as factory
import result_kinds as kinds


@pytest.fixture
def runs(tmp_path: Path) -> dict[str, Path]:
    """Return the folders of an audit, a scan and a benchmark."""
    folders = {name: tmp_path / name for name in ("audit", "scan", "bench", "compare", "trend")}
    for folder in folders.values():
        folder.mkdir()
    (folders["audit"] / "result.json").write_text(factory.audit().to_json(), encoding="utf-8")
    kinds.scan(folders["scan"])
    (folders["bench"] / "bench.json").write_text(kinds.bench().to_json(), encoding="utf-8")
    (folders["compare"] / "comparison.json").write_text(kinds.comparison().to_json(), encoding="utf-8")
    (folders["trend"] / "trend.json").write_text(kinds.trend().to_json(), encoding="utf-8")
    return folders


@pytest.mark.parametrize(("format", "kind"), [(f, k) for f, k in registry.renderers()], ids=str)
def test_every_format_is_written_and_printed(
    format: str, kind: type, runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from reports.renderer import KINDS

    run = runs[KINDS[kind]]
    assert cli.run(["report", str(run), "--format", format, "--out", str(tmp_path / "file")]) == 0
    assert capsys.readouterr().err == f"wrote {tmp_path / 'file'}\n"
    assert cli.run(["report", str(run), "--format", format]) == 0
    written, printed = (tmp_path / "file").read_text(encoding="utf-8"), capsys.readouterr().out
    assert re.sub(r"\\u[0-9a-f]{4}", "", printed) == printed or format == "json" or printed == written
    assert len(printed) >= len(written) > 100


def test_a_file_of_a_run_stands_for_its_folder(runs: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    for name, files in {
        "audit": ["result.json"],
        "scan": ["summary.json", "scan.jsonl"],
        "bench": ["bench.json"],
    }.items():
        printed = []
        for path in [runs[name], *(runs[name] / file for file in files)]:
            assert cli.run(["report", str(path), "--format", "csv"]) == 0
            printed.append(capsys.readouterr().out)
        assert len(set(printed)) == 1


@pytest.mark.parametrize(("run", "format"), [("bench", "sarif"), ("bench", "junit"), ("scan", "markdown")])
def test_a_format_that_a_run_does_not_have(
    run: str, format: str, runs: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["report", str(runs[run]), "--format", format]) == 2
    assert f"not of {run}; use csv" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"{}", b"[" * 100_000, b"\xff", b'{"files": 1e999}', b"null"])
@pytest.mark.parametrize(("run", "name"), [("scan", "summary.json"), ("bench", "bench.json"), ("audit", "result.json")])
def test_a_damaged_result_is_one_message(
    run: str, name: str, content: bytes, runs: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    (runs[run] / name).write_bytes(content)
    assert cli.run(["report", str(runs[run]), "--format", "csv"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1


def test_the_place_of_a_mistake_is_said(runs: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    file = runs["audit"] / "result.json"
    values = json.loads(file.read_text()) | {"sha256": None, "colour": "red"}
    file.write_text(json.dumps(values))
    assert cli.run(["report", str(runs["audit"]), "--format", "csv"]) == 2
    assert "this version of guardrails: colour: Extra inputs are not permitted" in capsys.readouterr().err


@pytest.mark.parametrize("format", ["sarif", "junit", "csv"])
def test_a_row_of_a_detector_that_the_summary_does_not_count(
    format: str, runs: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    file = runs["scan"] / "scan.jsonl"
    file.write_text(file.read_text().replace('"own.a"', '"other.a"'))
    assert cli.run(["report", str(runs["scan"]), "--format", format]) == 2
    assert "does not hold the rows" in capsys.readouterr().err


def test_an_unfinished_scan_says_how_to_finish_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "scan.sqlite").write_bytes(b"")
    assert cli.run(["report", str(tmp_path), "--format", "csv"]) == 2
    assert f"guardrails scan --resume --out {tmp_path}" in capsys.readouterr().err


class Binary(Renderer[AuditResult]):
    """A format that is no text."""

    format = "binary"
    accepts = AuditResult
    title = "bytes"

    def render(self, result: AuditResult, *, run_folder: Path | None = None) -> bytes:
        return b"%PDF\xff\xfe"


class Broken(Renderer[AuditResult]):
    format = "broken"
    accepts = AuditResult
    title = "raises"

    def render(self, result: AuditResult, *, run_folder: Path | None = None) -> bytes:
        raise ZeroDivisionError("by\nzero")


def test_a_plug_in_that_raises_is_named_and_no_defect_of_the_library(
    runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    known: Any = {**registry.renderers(), ("broken", AuditResult): Broken}
    monkeypatch.setattr(registry, "renderers", lambda: known)
    assert cli.run(["report", str(runs["audit"]), "--format", "broken"]) == 2
    error = capsys.readouterr().err
    assert "the renderer of 'broken', a plug-in (" in error
    assert "failed: ZeroDivisionError: by zero" in error
    assert "defect" not in error


def test_a_format_that_is_no_text_goes_to_a_file_only(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    known: Any = {**registry.renderers(), ("binary", AuditResult): Binary}
    monkeypatch.setattr(registry, "renderers", lambda: known)
    command = ["report", str(runs["audit"]), "--format", "binary"]
    assert cli.run(command) == 2
    captured = capsys.readouterr()
    assert (captured.out, "--out FILE" in captured.err) == ("", True)
    assert cli.run([*command, "--out", str(tmp_path / "a.pdf")]) == 0
    assert (tmp_path / "a.pdf").read_bytes() == b"%PDF\xff\xfe"


def test_quiet_leaves_out_notes_and_keeps_errors(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["report", str(runs["audit"]), "--format", "csv", "--out"]
    assert cli.run([*command, str(tmp_path / "a.csv"), "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert cli.run([*command, str(tmp_path / "none" / "a.csv"), "--quiet"]) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert cli.run([*command, str(tmp_path / "a.csv")]) == 0  # the next command is not quiet
    assert capsys.readouterr().err.startswith("wrote ")


def test_quiet_shows_no_progress(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from guardrails.cli import _console, _screen

    clock = iter([0.0, 100.0, 200.0])
    monkeypatch.setattr(_console.time, "monotonic", lambda: next(clock))
    with _screen.screens():
        _screen.be_quiet()
        with _console.progress() as report:
            report(1, 2, "a")
    assert capsys.readouterr() == ("", "")
    assert not _screen.is_quiet()


def on_a_terminal(*words: str, **environment: str) -> str:
    """Return what a command writes to a terminal."""
    import pty

    parent, child = pty.openpty()
    clean = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "CI", "GITHUB_ACTIONS")}
    with subprocess.Popen(
        [sys.executable, "-m", "guardrails", *words],
        env=clean | {"TERM": "xterm-256color", "COLUMNS": "100"} | environment,
        stdin=child, stdout=child, stderr=child,
    ):  # fmt: skip
        os.close(child)
        written = b""
        while True:
            try:
                chunk = os.read(parent, 4096)
            except OSError:  # the terminal was closed
                break
            if not chunk:
                break
            written += chunk
    os.close(parent)
    return written.decode()


COLOUR = re.compile(r"\x1b\[([\d;]*;)?(3[0-8]|4[0-8]|9\d|10\d)(;[\d;]*)?m")


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs a terminal of POSIX")
@pytest.mark.parametrize("words", [("doctor",), ("--help",), ("report", "--help")], ids=str)
def test_no_color_turns_colours_off(words: tuple[str, ...]) -> None:
    assert COLOUR.search(on_a_terminal(*words))
    plain = on_a_terminal(*words, NO_COLOR="1")
    assert plain.strip()
    assert not COLOUR.search(plain)
