"""``RAY_ADDRESS`` names a cluster that other processes started: with a client server, with a token, and then lost."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from ..assay import audit_plugin

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ray")]


class Started:
    """A cluster of one node in processes of its own, and what reaches it."""

    def __init__(self, top: Path, plugin: Path) -> None:
        self.top = top
        path = os.pathsep.join([str(plugin), os.environ.get("PYTHONPATH", "")])
        self.environment = os.environ | {
            "PYTHONPATH": path,
            "OWN_FOLDER": str(top),
            "OMP_NUM_THREADS": "1",
            "RAY_worker_niceness": "0",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
        }
        with ExitStack() as stack:
            sockets = [stack.enter_context(socket.socket()) for _ in range(2)]
            for one in sockets:
                one.bind(("127.0.0.1", 0))
            self.port, self.client_port = (one.getsockname()[1] for one in sockets)
        command = [
            sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--num-cpus", "2",
            "--port", str(self.port), "--ray-client-server-port", str(self.client_port),
            "--include-dashboard", "false", "--disable-usage-stats",
        ]  # fmt: skip
        self.process = subprocess.Popen(
            command, env=self.environment, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip

    def answers(self) -> bool:
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self.client_port)) == 0

    def lose(self) -> None:
        """Kill all processes of the cluster."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def audit(self, *words: str, cache: str, **more: str) -> subprocess.Popen[str]:
        """Begin an audit in the folder `top`."""
        command = [sys.executable, "-m", "guardrails", "audit", *words]
        environment = self.environment | {"GUARDRAILS_CACHE": str(self.top / cache)} | more
        return subprocess.Popen(command, env=environment, cwd=self.top, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    pytest.importorskip("grpc", reason="Ray's client is not installed")
    top = tmp_path_factory.mktemp("runs")
    (top / "corpus.jsonl").write_text("".join(json.dumps({"text": f"text {i}"}) + "\n" for i in range(50)))
    started = Started(top, audit_plugin.install(tmp_path_factory.mktemp("plugin")))
    try:
        for _ in range(600):
            if started.answers():
                break
            time.sleep(0.1)
        yield started
    finally:
        started.lose()


def result(folder: Path) -> dict[str, Any]:
    outcome: dict[str, Any] = json.loads((folder / "result.json").read_text())
    for control in outcome["findings"][0]["controls"]:
        del control["cached"]
    return {name: value for name, value in outcome.items() if name not in ("timing", "cost", "sha256")}


ASKED = ("own:0.3", "--probes", "own.yes", "--corpus", "corpus.jsonl", "--engine", "ray")


def test_a_client_address_and_a_cluster_that_is_lost(cluster: Started) -> None:
    top = cluster.top
    # Ray starts a server for each client, gives it seconds, and may look at one that has just ended: on a busy machine
    # it refuses a client that it takes the next time.
    for _ in range(3):
        there = cluster.audit(
            *ASKED, "--out", "client", cache="a", RAY_ADDRESS=f"ray://127.0.0.1:{cluster.client_port}"
        )
        _, err = there.communicate(timeout=300)
        if "no Ray cluster can be reached" not in err and "Starting Ray client server failed" not in err:
            break
    assert there.returncode == 1, err  # more than a tenth say yes
    workers = {line.split()[0] for line in (top / "done").read_text().splitlines()}
    assert str(there.pid) not in workers

    (top / "done").unlink()
    (top / "slow").touch()
    cut = cluster.audit(*ASKED, "--out", "cut", cache="a", RAY_ADDRESS=f"127.0.0.1:{cluster.port}")
    for _ in range(1200):
        if cut.poll() is not None or ((top / "done").exists() and len((top / "done").read_text().splitlines()) > 5):
            break
        time.sleep(0.1)
    cluster.lose()
    _, err = cut.communicate(timeout=120)
    assert cut.returncode == 5, err
    assert "what finished is kept" in err
    assert "guardrails audit own:0.3 --resume cut" in err
    (top / "slow").unlink()
    (top / "done").unlink()

    here = cluster.audit("own:0.3", "--resume", "cut", cache="b")
    _, err = here.communicate(timeout=120)
    assert here.returncode == 1, err
    assert result(top / "cut") == result(top / "client")
    begun = len((top / "done").read_text().splitlines())
    assert 0 < begun < 20  # the others were done on the cluster
