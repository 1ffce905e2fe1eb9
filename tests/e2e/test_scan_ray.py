"""A scan on a Ray cluster of two nodes: the rows of a local one, also when an actor is killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ..assay import scan_plugin

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ray")]

PROGRAM = """
import json, os, sys, time
from pathlib import Path
import ray
from ray.cluster_utils import Cluster
from guardrails.assay.scan.run import run_scan
from guardrails.core.errors import ConfigurationError

folder, run, detector, cpus = sys.argv[1], Path(sys.argv[2]), sys.argv[3], [int(n) for n in sys.argv[4:]]
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": cpus[0], "include_dashboard": False})
for n in cpus[1:]:
    cluster.add_node(num_cpus=n)
ray.init(address=cluster.address, log_to_driver=False)
ray.data.DataContext.get_current().enable_progress_bars = False
os.chdir(Path(folder).parent)  # relative paths begin here, and not where the cluster was started
try:
    result, _ = run_scan([Path(folder).name], detectors=[detector], out=run, engine="ray")
    print("said:", json.dumps(result.files))
except ConfigurationError as error:
    print("said:", json.dumps(str(error)))
ray.shutdown()
cluster.shutdown()
"""


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(scan_plugin.install(tmp_path_factory.mktemp("plugin")))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("in")
    for i in range(60):
        (top / f"{i:03d}.png").write_bytes(scan_plugin.picture(10 + i % 50 * 4))
    (top / "cut.png").write_bytes(scan_plugin.picture(100)[:60])
    (top / "black.png").write_bytes(scan_plugin.picture(0))
    (top / "gone").symlink_to("nowhere")
    return top


def scanned(folder: Path, run: Path, detector: str, plugin: Path, *cpus: int, **more: str) -> Any:
    environment = dict(os.environ) | {"PYTHONPATH": str(plugin)} | more
    command = [sys.executable, "-c", PROGRAM, str(folder), str(run), detector, *map(str, cpus)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    (said,) = [line for line in done.stdout.splitlines() if line.startswith("said: ")]  # Ray says much beside
    return json.loads(said.removeprefix("said: "))


def local(folder: Path, run: Path, detector: str, plugin: Path, **more: str) -> bytes:
    command = [sys.executable, "-m", "guardrails", "scan", folder.name, "--detectors", detector, "--out", str(run)]
    environment = dict(os.environ) | {"PYTHONPATH": str(plugin)} | more
    subprocess.run(command, env=environment, check=True, capture_output=True, cwd=folder.parent)
    return (run / "scan.jsonl").read_bytes()


def test_two_nodes_give_the_rows_of_one_machine(folder: Path, tmp_path: Path, plugin: Path) -> None:
    assert scanned(folder, tmp_path / "ray", "own.deadly", plugin, 2, 2) == 63
    rows = (tmp_path / "ray" / "scan.jsonl").read_bytes()
    assert rows == local(folder, tmp_path / "local", "own.deadly", plugin)
    assert rows.count(b"the decoder crashed") == 1
    assert rows.count(b'"duplicate_of": "') == 10


def test_a_killed_actor_loses_nothing(folder: Path, tmp_path: Path, plugin: Path) -> None:
    mark = tmp_path / "mark"
    assert scanned(folder, tmp_path / "ray", "own.orphan", plugin, 2, 2, ORPHAN_MARK=str(mark)) == 63
    assert mark.exists()  # an actor was killed by the first grey picture
    rows = (tmp_path / "ray" / "scan.jsonl").read_bytes()
    assert rows == local(folder, tmp_path / "local", "own.orphan", plugin, ORPHAN_MARK=str(mark))


def test_a_node_of_one_cpu_is_refused(folder: Path, tmp_path: Path, plugin: Path) -> None:
    said = scanned(folder, tmp_path / "ray", "own.bright", plugin, 2, 1)
    assert "1 of the cluster's 2 nodes have fewer than 2 logical CPUs" in said
