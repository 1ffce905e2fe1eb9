"""Importing, listing and asking for help load nothing heavy, and the public names are what they say."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import guardrails

HEAVY = ("torch", "cv2", "transformers", "sklearn", "skimage", "pandas", "scipy.stats", "fairlearn", "matplotlib")


def loaded_by(program: str) -> set[str]:
    """Return the modules that a program has loaded in a fresh interpreter."""
    program += "\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "program",
    [
        "import guardrails, generators, reports",
        "from guardrails.core.registry import probes, detectors; probes(); detectors()",
        "from generators.base import generators; generators()",
        "import guardrails.targets, guardrails.assay.audit.orchestrator, guardrails.assay.audit.dry_run",
        "import guardrails; guardrails.load_target, guardrails.audit, guardrails.load_probe, guardrails.render",
        "from guardrails.assay.policy.policy import load_policy; load_policy('default')",
    ],
)
def test_nothing_heavy_is_loaded(program: str) -> None:
    assert loaded_by(program).isdisjoint(HEAVY)


def test_importing_guardrails_imports_no_report_and_no_numpy() -> None:
    assert loaded_by("import guardrails").isdisjoint({"reports", "generators", "numpy", "pydantic"})


def test_public_names_are_sorted_and_exist() -> None:
    assert guardrails.__all__ == sorted(guardrails.__all__)
    assert dir(guardrails) == guardrails.__all__
    for name in guardrails.__all__:
        assert getattr(guardrails, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'frobnicate'"):
        guardrails.frobnicate  # noqa: B018


def test_every_error_is_public() -> None:
    errors = importlib.import_module("guardrails.core.errors")
    ours = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
    assert ours <= set(guardrails.__all__)


def test_the_version_is_the_distribution_s(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))
    assert guardrails.__version__ == project["project"]["version"]


@pytest.mark.parametrize(
    ("taken", "name"), [("reports", "render"), ("generators", "load_target"), ("reports", "audit")]
)
def test_a_module_of_the_users_own_in_our_place_is_named(taken: str, name: str, tmp_path: Path) -> None:
    (tmp_path / f"{taken}.py").write_text("mine = 1\n")
    program = f"""
import guardrails
guardrails.Measurement
try:
    guardrails.{name}
except guardrails.InstallConflictError as error:
    print(error)
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(guardrails.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True, env=environment
    )
    assert str(tmp_path / f"{taken}.py") in done.stdout
