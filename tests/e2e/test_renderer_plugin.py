"""The renderer of CONTRIBUTING.md in a distribution of its own, found by its entry point."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from guardrails.core.results import AuditResult, Timing

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Return a folder that holds the example as pip would have put it there."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text[text.index("## A renderer") :]
    code = re.search(r"^```python run\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    entry = re.search(r'^lines = "(.*)"$', section, re.MULTILINE)
    assert code
    assert entry
    (tmp_path / "my_renderers.py").write_text(code[1], encoding="utf-8")
    info = tmp_path / "my_renderers-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-renderers\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[guardrails.renderers]\nlines = {entry[1]}\n")
    return tmp_path


def run(installed: Path, *words: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(installed), str(ROOT)])
    command = [sys.executable, "-m", "guardrails", *words]
    return subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)


def test_the_example_is_a_format_among_the_others(installed: Path) -> None:
    result = AuditResult(
        guardrails_version="0", kind="audit", verdict="not-assessed", exit_code=3, targets=(), findings=(),
        not_tested=(), policy="default", policy_sha256="0", seed=0, budget="quick", command="", environment={},
        timing=Timing(started="", seconds=0),
    )  # fmt: skip
    (installed / "result.json").write_text(result.to_json(), encoding="utf-8")
    listed = run(installed, "list", "formats", "--json")
    assert {"format": "lines", "of": "guardrails audit", "title": "one line for each finding"} in json.loads(
        listed.stdout
    )
    shown = run(installed, "report", str(installed), "--format", "lines")
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, "not-assessed: 0 findings\n", "")


def test_one_that_cannot_be_loaded_takes_no_other_with_it(installed: Path) -> None:
    (installed / "my_renderers.py").write_text("raise SystemExit(0)\n", encoding="utf-8")
    listed = run(installed, "list", "formats", "--json")
    assert listed.returncode == 0
    assert {entry["format"] for entry in json.loads(listed.stdout)} >= {"html", "junit"}
    assert "plug-in lines (my_renderers:Lines) is left out: SystemExit" in listed.stderr
