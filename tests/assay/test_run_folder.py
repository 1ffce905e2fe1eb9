"""Links and pipes in a run's folder: nothing is written where they lead, and nothing is waited for."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from guardrails.assay.audit.orchestrator import run_audit
from guardrails.assay.scan.run import run_scan
from guardrails.core.errors import ConfigurationError

from . import fakes


@pytest.mark.parametrize("name", ["result.part", "errors.log", "journal.lock", "journal.sqlite.damaged", "media/a.png"])
def test_a_run_does_not_write_where_a_link_leads(cut_off: Path, tmp_path: Path, name: str) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("mine")
    link = cut_off / name
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(precious)
    with pytest.raises(ConfigurationError, match=rf"{name} is a link, and a run would write where it leads"):
        run_audit(fakes.FakeTarget(0.3), resume=cut_off, salvage=True)
    assert precious.read_text() == "mine"


@pytest.mark.parametrize(
    "name", ["journal.sqlite", "errors.log", "journal.lock", "media/a.png", "answers.sqlite-wal", "scan.jsonl"]
)
def test_a_run_does_not_write_into_a_hard_link(cut_off: Path, tmp_path: Path, name: str) -> None:
    precious, link = tmp_path / "precious.txt", cut_off / name
    link.parent.mkdir(exist_ok=True)
    link.touch()
    link.rename(precious)
    content = precious.read_bytes()
    link.hardlink_to(precious)
    with pytest.raises(ConfigurationError, match=rf"{name} is a hard link, and a run would write into the other file"):
        run_audit(fakes.FakeTarget(0.3), resume=cut_off, salvage=True)
    assert precious.read_bytes() == content


@pytest.mark.parametrize("name", ["result.json", "result.part", "report.html"])
def test_a_file_that_is_replaced_may_have_another_name(cut_off: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    (cut_off / name).hardlink_to(tmp_path / "precious.txt")
    run_audit(fakes.FakeTarget(0.3), resume=cut_off)
    assert json.loads((cut_off / "result.json").read_text())["findings"]
    assert (tmp_path / "precious.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["errors.log", "result.part", "journal.lock", "scan.jsonl", "media"])
def test_a_pipe_where_a_run_would_write_is_not_waited_for(cut_off: Path, name: str) -> None:
    (cut_off / name).unlink(missing_ok=True)
    os.mkfifo(cut_off / name)
    with pytest.raises(ConfigurationError, match=f"{name} is no file or folder, and a run would write to it; remove"):
        run_audit(fakes.FakeTarget(0.3), resume=cut_off)


def test_other_links_in_a_runs_folder_are_let_be(cut_off: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name in ("data", "notes.md"):
        (cut_off / name).symlink_to(tmp_path / "data")
    assert run_audit(fakes.FakeTarget(0.3), resume=cut_off)[0].exit_code in (0, 1, 3)


def test_a_scan_does_not_write_where_a_link_leads(finished_scan: Path, tmp_path: Path) -> None:
    run, precious = tmp_path / "run", tmp_path / "precious.txt"
    shutil.copytree(finished_scan, run)
    precious.write_text("mine")
    (run / "summary.part").symlink_to(precious)
    with pytest.raises(ConfigurationError, match=r"summary\.part is a link"):
        run_scan([], out=run, resume=True)
    assert precious.read_text() == "mine"
