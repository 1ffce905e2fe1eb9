"""An audit on a Ray cluster of two nodes: the result of a local one, also when a worker is killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ..assay import audit_plugin

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ray")]


@pytest.fixture(scope="module")
def top(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def seen(top: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what the runs of `audit_plugin.run_on_two_nodes` brought."""
    plugin = audit_plugin.install(tmp_path_factory.mktemp("plugin"))
    path = os.pathsep.join([str(plugin), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path, "OWN_FOLDER": str(top), "OMP_NUM_THREADS": "1"}
    environment["RAY_worker_niceness"] = "0"  # by default whatever else runs on a machine goes before Ray's workers
    command = [sys.executable, "-m", "own_audit"]
    done = subprocess.run(command, env=environment, cwd=top, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr[-3000:]
    outcome: dict[str, Any] = json.loads((top / "seen.json").read_text())
    return outcome


def processes(seen: dict[str, Any], run: str) -> set[str]:
    return {process for process, _ in seen[f"{run} by"]}


def cached(result: dict[str, Any]) -> dict[str, Any]:
    """Return a result as it is where the controls are known from before."""
    (finding,) = result["findings"]
    controls = [control | {"cached": True} for control in finding["controls"]]
    return result | {"findings": [finding | {"controls": controls}]}


def test_a_worker_killed_in_the_middle_changes_nothing(seen: dict[str, Any], top: Path) -> None:
    assert seen["ray"] == seen["local"]
    assert (top / "killed").exists()
    (finding,) = seen["ray"]["findings"]
    assert [c["observed"] for c in finding["controls"]] == ["found", "clear"]
    assert not any(c["cached"] for c in finding["controls"])
    assert finding["measurement"]["n"] == 200
    batches = [batch for _, batch in seen["ray by"]]
    assert len(batches) == len(set(batches)) + 1 == 21  # one was done again
    assert processes(seen, "local") == {str(seen["pid"])}
    assert str(seen["pid"]) not in processes(seen, "ray")
    assert len(processes(seen, "ray")) > 1


def test_what_is_begun_on_a_cluster_is_resumed_here_and_the_other_way_round(seen: dict[str, Any]) -> None:
    assert seen["ray then local"] == seen["local then ray"] == cached(seen["local"])
    assert processes(seen, "ray then local") <= {str(seen["pid"])}  # of the second session
    assert str(seen["pid"]) not in processes(seen, "local then ray")


def test_a_defect_of_a_probe_reads_the_same(seen: dict[str, Any], top: Path) -> None:
    assert seen["broken there"] == seen["broken here"]
    measured = seen["broken there"]["findings"][0]["measurement"]
    assert (measured["n"], measured["errors"]) == (199, 1)
    assert measured["first_error"].startswith("ZeroDivisionError: too many answers")
    for name in ("broken here", "broken there"):
        log = (top / name / "errors.log").read_text()
        assert log.startswith("own.yes|target\n")
        assert log.rstrip().endswith("ZeroDivisionError: too many answers")


def test_a_batch_that_kills_every_worker_is_given_up(seen: dict[str, Any]) -> None:
    (finding,) = seen["given up"]["findings"]
    assert finding["status"] == "not-assessed"
    assert "was given up: the worker died 4 times over it" in finding["reason"]
    assert [c["observed"] for c in finding["controls"]] == ["found", "clear"]


def test_an_error_of_the_disk_ends_the_run_as_it_does_here(seen: dict[str, Any]) -> None:
    assert "No space left on device; what finished is kept; then: guardrails audit own:0.3 --resume" in seen["full"]


def test_data_given_as_objects_are_sent_or_refused(seen: dict[str, Any], top: Path) -> None:
    assert seen["objects there"] == seen["objects here"]
    assert "(50 items)" in seen["objects there"]["targets"][0]["data"]["corpus"]
    assert seen["not sent"].startswith("corpus cannot be sent to other processes (cannot pickle '_thread.lock'")
    assert not (top / "not sent").exists()


def test_a_node_that_is_removed_changes_nothing(seen: dict[str, Any]) -> None:
    assert seen["node removed"] == cached(seen["local"])
    assert len({batch for _, batch in seen["node removed by"]}) == 20


def test_a_node_with_other_code_cannot_take_part(seen: dict[str, Any], top: Path) -> None:
    assert "cannot take part: it has other code or weights of guardrails" in seen["other code"]
    assert seen["other code by"] == []
    assert not (top / "other code").exists()
