"""``guardrails scan``: what it prints where, its exit codes, and what it says of mistakes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guardrails import cli
from guardrails.assay.scan import run as engine

from ..assay import scan_plugin


@pytest.fixture(scope="module", autouse=True)
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with scan_plugin.installed(tmp_path_factory.mktemp("plugin")):
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bright.png").write_bytes(scan_plugin.picture(200))
    (tmp_path / "in" / "cut.png").write_bytes(scan_plugin.picture(100)[:60])
    (tmp_path / "in" / "na\x1b[31mme.txt").write_text("text")
    return tmp_path / "in"


@pytest.mark.slow
def test_a_table_by_default(folder: Path, tmp_path: Path, capsys: Any) -> None:
    run = str(tmp_path / "run")
    assert cli.run(["scan", str(folder), "--detectors", "own.bright", "--out", run]) == 0
    out = capsys.readouterr().out
    assert "files: 3 (2 image, 1 text); duplicates: 0; errors: 1" in out
    assert "bright.png" in out
    assert "3.64" in out
    assert "not read:" in out
    assert "\x1b" not in out
    assert "a library that prints" not in out


@pytest.mark.slow
def test_rows_on_stdout_and_a_page(folder: Path, tmp_path: Path, capsys: Any) -> None:
    run = tmp_path / "run"
    assert cli.run(["scan", str(folder), "--detectors", "own.*ght", "--out", str(run), "--format", "jsonl"]) == 0
    out = capsys.readouterr().out
    assert [json.loads(line) for line in out.splitlines()] == scan_plugin.rows(run)
    assert cli.run(["scan", "--resume", "--out", str(run), "--format", "html"]) == 0
    page = (run / "gallery.html").read_text()
    assert "data:image/jpeg;base64," in page
    assert f"gallery: {run / 'gallery.html'}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "at least one PATH"),
        (["absent"], "no such file or folder"),
        (["."], "own.brigt"),
        ([".", "--resume"], "--resume needs --out"),
        ([".", "--engine", "spark"], "spark"),
        ([".", "--format", "csv"], "csv"),
    ],
)
def test_mistakes_exit_with_2(arguments: list[str], said: str, capsys: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.run(["scan", *arguments, "--detectors", "own.brigt" if said == "own.brigt" else "own.bright"]) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_says_how_to_go_on(folder: Path, tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "local_rows", stop)
    run = str(tmp_path / "run")
    assert cli.run(["scan", str(folder), "--detectors", "own.bright", "--out", run]) == 5
    assert f"guardrails scan --resume --out {run}" in capsys.readouterr().err
