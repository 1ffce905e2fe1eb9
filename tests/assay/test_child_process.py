"""A child finds the modules of this process, and none that lie in the current folder by chance."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from guardrails.assay.child_process import command, search_path
from guardrails.assay.scan.pool import Worker


def test_a_module_of_the_current_folder_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "this.py").write_text("print('a stranger')")
    done = subprocess.run(
        command("this"), cwd=tmp_path, env=os.environ | search_path(), capture_output=True, text=True, check=True
    )
    assert "a stranger" not in done.stdout
    assert "Beautiful is better than ugly" in done.stdout


def test_the_current_folder_is_searched_where_this_process_searches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", ["", "elsewhere"])
    assert search_path()["PYTHONPATH"].split(os.pathsep) == [str(Path.cwd()), "elsewhere"]


def test_a_path_that_is_no_text_is_passed_over_as_python_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [Path("src"), "elsewhere"])
    assert search_path()["PYTHONPATH"] == "elsewhere"


def test_a_scan_in_a_strangers_folder_runs_nothing_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cv2", "numpy", "scipy", "json"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'a').write({name!r})")
    monkeypatch.chdir(tmp_path)
    worker = Worker(["deepfake.radial"])
    worker._start()
    assert worker.close() is not None
    assert not (tmp_path / "ran").exists()
