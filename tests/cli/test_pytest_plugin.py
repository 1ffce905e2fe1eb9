"""A finding as a test."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTS = """
import pytest
from guardrails.core.results import Status


class Writer:
    name, modality, access = "writer", "text", ()


@pytest.fixture
def guardrails_target():
    return Writer()


@pytest.mark.guardrails(probe="memorization.extraction", target="fail")
def test_fails():
    raise SystemError("the body does not run")


@pytest.mark.guardrails("memorization.extraction", target="pass")
def test_passes(guardrails_result):
    assert guardrails_result.findings[0].status is Status.PASS


@pytest.mark.guardrails(probe="memorization.extraction", target="inconclusive")
def test_is_open():
    raise SystemError


@pytest.mark.guardrails(probe="memorization.extraction", target="waived")
def test_is_waived():
    raise SystemError


@pytest.mark.guardrails(probe="memorization.extraction", target="control")
def test_has_a_broken_control():
    raise SystemError


@pytest.mark.guardrails(probe="memorization.extraction", target="nothing")
def test_is_empty():
    raise SystemError


@pytest.mark.guardrails(probe="memorization.extraction", target="refused")
def test_is_refused():
    raise SystemError


@pytest.mark.guardrails(probe="memorization.extraction")
def test_of_a_fixture(guardrails_result):
    assert guardrails_result.targets[0].name == "object"


@pytest.mark.guardrails(probe="memorization.extraction")
def test_of_a_fixture_alone():
    pass


@pytest.mark.guardrails(probe="memorization.extraction")
def test_asserts_more(guardrails_result):
    assert not guardrails_result.findings


def test_unmarked():
    pass
"""
CONFTEST = """
import json
import sys
from pathlib import Path

import guardrails.assay.audit.orchestrator as orchestrator
from guardrails.core.errors import ConfigurationError
from guardrails.core.results import AuditResult, Status, WaiverRecord

assert "torch" not in sys.modules
BASE = AuditResult.from_json(Path(__file__).with_name("result.txt").read_text())


def audit(target, **options):
    assert options == {"probes": ["memorization.extraction"], "budget": "quick", "seed": 0}
    name = target if isinstance(target, str) else "object"
    if name == "refused":
        raise ConfigurationError("there is no such corpus")
    (finding,) = BASE.findings
    status = {"fail": "fail", "waived": "fail", "inconclusive": "inconclusive"}.get(name, "pass")
    update = {"status": Status(status)}
    if name == "waived":
        update["waiver"] = WaiverRecord(owner="Ada", reason="public corpus", expires="2027-01-31")
    if name == "control":
        update["controls"] = (finding.controls[0].model_copy(update={"observed": "found"}),)
    verdict = {"fail": "fail", "control": "control-failed", "inconclusive": "inconclusive", "nothing": "not-assessed"}
    findings = () if name == "nothing" else (finding.model_copy(update=update),)
    target = BASE.targets[0].model_copy(update={"name": name})
    return BASE.model_copy(
        update={"findings": findings, "verdict": verdict.get(name, "pass"), "targets": (target,)}
    )


orchestrator.audit = audit
"""


def run(folder: Path) -> str:
    """Run the tests of a folder with the plugin found by its entry point, whatever is installed here."""
    info = folder / "site" / "marked-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: marked\nVersion: 1.0\n")
    points = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]["pytest11"]
    (info / "entry_points.txt").write_text("[pytest11]\n" + "".join(f"{k} = {v}\n" for k, v in points.items()))
    paths = os.pathsep.join([str(info.parent), str(ROOT)])
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", "-q", "test_model.py"]
    environment = {**os.environ, "PYTHONPATH": paths}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> str:
    sys.path.append(str(Path(__file__).parents[1] / "assay" / "comparison"))
    from stored import audit, finding, rate

    folder = tmp_path_factory.mktemp("marked")
    (folder / "result.txt").write_text(audit(finding(rate(0, 100))).to_json())
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_model.py").write_text(TESTS)
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n")
    return run(folder)


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("test_fails", "FAILED"), ("test_passes", "PASSED"), ("test_has_a_broken_control", "FAILED"),
        ("test_of_a_fixture_alone", "PASSED"),
        ("test_is_refused", "FAILED"), ("test_of_a_fixture", "PASSED"), ("test_asserts_more", "FAILED"),
        ("test_unmarked", "PASSED"),
    ],
)  # fmt: skip
def test_a_marked_test_ends_as_its_finding_says(name: str, outcome: str, output: str) -> None:
    assert f"{outcome} test_model.py::{name}" in output, output


def test_what_is_open_or_waived_is_skipped_with_the_reason(output: str) -> None:
    assert "3 skipped" in output, output
    for reason in ("inconclusive: memorization.extraction", "waived: memorization.extraction", "nothing was assessed"):
        assert reason in output


def test_the_reasons_are_lines_and_no_traceback(output: str) -> None:
    assert "fail: memorization.extraction/extraction_rate = 0" in output
    assert "there is no such corpus" in output
    assert "SystemError" not in output
    assert "its control failed: pass" in output
