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


def block(language: str, holding: str = "") -> str:
    """Return the first block of CONTRIBUTING.md in a language that holds a text."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return next(block for block in blocks if holding in block)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder into which the example is installed."""
    source, target = (tmp_path_factory.mktemp(name) for name in ("source", "site"))
    both = block("python run") + block("python run", "ProbeOptions")
    entry = 'charged-nitrogen = "nitro_probe:ChargedNitrogen"\n'
    project = block("toml").replace(entry, entry + 'charged-atom = "nitro_probe:ChargedAtom"\n')
    (source / "nitro_probe.py").write_text(both, encoding="utf-8")
    (source / "pyproject.toml").write_text(project, encoding="utf-8")
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


@pytest.mark.slow
def test_the_example_with_an_option_is_set_and_says_so(installed: Path, tmp_path: Path) -> None:
    listed = {entry["id"]: entry for entry in json.loads(run(installed, "list", "probes", "--json").stdout)}
    assert listed["molecules.charged-atom"]["options"]["atom"]["default"] == "[N+]"
    words = ["audit", "reference:ar-molecules,hazard=1", "--probes", "molecules.charged-atom", "--budget", "quick"]
    done = run(installed, *words, "--set", "molecules.charged-atom.atom=[O-]", "--out", str(tmp_path / "run"))
    assert done.returncode == 1, done.stdout + done.stderr
    failed = finding(tmp_path / "run")
    assert failed["options"] == {"atom": "[O-]"}
    assert "--set 'molecules.charged-atom.atom=[O-]'" in str(failed["command"])
    assert {c["observed"] for c in failed["controls"]} == {"found", "clear"}  # type: ignore[attr-defined]
    # Set to what no molecule holds, the instrument misses its known positive, and is not believed.
    done = run(installed, *words, "--set", "molecules.charged-atom.atom=[Xx]", "--out", str(tmp_path / "blind"))
    assert done.returncode == 4, done.stdout + done.stderr
    assert str(finding(tmp_path / "blind")["reason"]).endswith("where found was expected, with atom = [Xx]")
    wrong = run(installed, *words, "--set", "molecules.charged-atom.atoms=[O-]")
    assert wrong.returncode == 2
    assert "molecules.charged-atom has no such option. Did you mean 'atom'?" in wrong.stderr
