"""The probe of CONTRIBUTING.md as what it is for most: another distribution, built and installed beside the library."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ID = "molecules.charged-nitrogen"
POLICY = """
name = "mine"
description = "A limit for a probe of another distribution."
extends = "default"
[[threshold]]
probe = "molecules.charged-nitrogen"
metric = "charged_nitrogen_rate"
limit = 0.9
origin = "a test's own choice"
"""


def block(language: str) -> str:
    """Return the first block of CONTRIBUTING.md in a language."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    found = re.search(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder into which the example is installed."""
    source, target = (tmp_path_factory.mktemp(name) for name in ("source", "site"))
    (source / "nitro_probe.py").write_text(block("python run"), encoding="utf-8")
    (source / "pyproject.toml").write_text(block("toml"), encoding="utf-8")
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--quiet", "--target", str(target)]
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", *options, str(source)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return target


def run(installed: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run guardrails with the installed example on the path."""
    path = os.pathsep.join([str(installed), str(ROOT)])
    command = [sys.executable, "-m", "guardrails", *words]
    return subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)


def finding(folder: Path) -> dict[str, object]:
    (only,) = json.loads((folder / "result.json").read_text(encoding="utf-8"))["findings"]
    return dict(only)


@pytest.mark.slow
def test_the_example_is_found_run_and_judged_by_its_own_threshold(installed: Path, tmp_path: Path) -> None:
    listed = run(installed, "list", "probes", "--json")
    assert ID in {entry["id"] for entry in json.loads(listed.stdout)}
    audited = ["audit", "reference:ar-molecules,hazard=1", "--probes", ID, "--budget", "quick"]
    done = run(installed, *audited, "--out", str(tmp_path / "run"))
    assert done.returncode == 1, done.stdout + done.stderr
    failed = finding(tmp_path / "run")
    assert failed["status"] == "fail"
    assert failed["threshold"]["limit"] == 0.05  # type: ignore[index]
    assert {c["observed"] for c in failed["controls"]} == {"found", "clear"}  # type: ignore[attr-defined]
    (tmp_path / "mine.toml").write_text(POLICY, encoding="utf-8")
    done = run(installed, *audited, "--policy", str(tmp_path / "mine.toml"), "--out", str(tmp_path / "other"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert finding(tmp_path / "other")["threshold"]["limit"] == 0.9  # type: ignore[index]
    checked = run(installed, "policy", "check", str(tmp_path / "mine.toml"))
    assert checked.returncode == 0
    assert f"{ID}/charged_nitrogen_rate: limit 0.9, medium (changed, 0.05 by default)" in checked.stdout
