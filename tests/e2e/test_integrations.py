"""The templates for pipelines: the steps of the GitHub Action run as a shell script, from a clean clone."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
GOOD = '[[waiver]]\nfingerprint = "{}"\nowner = "Ada"\nreason = "public corpus"\nexpires = 2999-01-31\n'
POLICY = 'name = "own"\ndescription = ""\nextends = "default"\n'


def action() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "integrations/github/action.yml").read_text(encoding="utf-8"))
    return document


def script(inputs: dict[str, str], action_path: Path) -> str:
    """Return the steps of the action as one shell script, each in a process of its own as a runner has it."""
    known = {f"inputs.{name}": values.get("default", "") for name, values in action()["inputs"].items()}
    known |= {f"inputs.{name}": value for name, value in inputs.items()} | {"github.action_path": str(action_path)}
    out = "set -e\n"
    for step in action()["runs"]["steps"]:
        assert step["shell"] == "bash"
        assert "${{" not in step["run"], "an expression in a script runs what an input holds"
        environment = {
            name: re.sub(r"\$\{\{ *([\w.]+) *\}\}", lambda m: known[m[1]], value) for name, value in step["env"].items()
        }
        words = " ".join(f"{name}={_quoted(value)}" for name, value in environment.items())
        out += f"{words} bash --noprofile --norc -eo pipefail -c {_quoted(step['run'])}\n"
    return out


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


@pytest.mark.slow
def test_the_steps_of_the_action_run_from_a_clean_clone(tmp_path: Path) -> None:
    clone, site = tmp_path / "clone", tmp_path / "site"
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", f"file://{ROOT}", str(clone)], check=True)
    inputs = {
        "target": "reference:tabular", "python": sys.executable, "out": "run of it",
        "arguments": "--probes privacy.table-distance --budget quick --columns 'age, income'",
    }  # fmt: skip
    environment = {
        **os.environ, "GITHUB_OUTPUT": str(tmp_path / "output"), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_TARGET": str(site),
        "PYTHONPATH": str(site),
    }  # fmt: skip
    text = script(inputs, clone / "integrations" / "github")
    done = subprocess.run(
        ["bash", "-c", text], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    values = dict(line.split("=", 1) for line in (tmp_path / "output").read_text().splitlines())
    assert values["exit-code"] == str(done.returncode), done.stderr
    result = json.loads((tmp_path / values["result"]).read_text())
    assert result["exit_code"] == done.returncode, done.stderr
    assert {finding["probe"] for finding in result["findings"]} == {"privacy.table-distance"}
    assert (tmp_path / "summary.md").read_text().startswith("## ")
    assert (tmp_path / values["junit"]).is_file()
    assert (tmp_path / values["sarif"]).is_file()
    assert (site / "guardrails" / "pytest_plugin.py").is_file()


def test_every_input_and_output_of_the_action_is_described_and_used() -> None:
    document, text = action(), (ROOT / "integrations/github/action.yml").read_text(encoding="utf-8")
    for name, values in document["inputs"].items():
        assert values["description"]
        assert f"${{{{ inputs.{name} }}}}" in text
    for name in document["outputs"]:
        assert f"{name}=" in text


def test_the_template_of_gitlab_writes_what_it_keeps() -> None:
    job = yaml.safe_load((ROOT / "integrations/gitlab/guardrails.gitlab-ci.yml").read_text(encoding="utf-8"))[
        ".guardrails"
    ]
    (junit,) = [line for line in job["after_script"] if "--format junit" in line]
    assert job["artifacts"]["reports"]["junit"] == junit.split("--out ")[1]
    assert job["artifacts"]["when"] == "always"


def hook(name: str) -> str:
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    (entry,) = [one["entry"] for one in hooks if one["id"] == name]
    return str(entry).replace("guardrails ", f"{sys.executable} -m guardrails ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("guardrails-waivers", GOOD.format("a" * 64), GOOD.format("a" * 64).replace("2999", "1999")),
        (
            "guardrails-policy",
            POLICY,
            POLICY + '[[threshold]]\nprobe = "none"\nmetric = "x"\nlimit = 1.0\norigin = "by hand, here"\n',
        ),
    ],
)
def test_a_hook_takes_every_file_and_fails_for_a_bad_one(name: str, good: str, bad: str, tmp_path: Path) -> None:
    for file, content in (("a.toml", good), ("b.toml", bad)):
        (tmp_path / file).write_text(content)
    for files, code in (("a.toml", 0), ("a.toml b.toml", 1)):
        done = subprocess.run(f"{hook(name)} {files}", shell=True, cwd=tmp_path, capture_output=True, check=False)
        assert bool(done.returncode) == bool(code), done.stderr
