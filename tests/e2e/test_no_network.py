"""The main job opens no connection: it runs where every socket refuses, and none was tried."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

BLOCK = """
import os, socket

def refuse(*arguments, **options):
    with open(os.environ["CONNECTIONS"], "a") as file:
        file.write(f"{arguments!r}\\n")
    raise OSError("this test has no network")

for name in ("connect", "connect_ex", "sendto", "sendmsg"):
    setattr(socket.socket, name, refuse)
for name in ("create_connection", "getaddrinfo", "gethostbyname", "gethostbyname_ex"):
    setattr(socket, name, refuse)
"""


@pytest.fixture
def offline(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which Python has no network and writes down who asked for it."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(BLOCK)
    return os.environ | {
        "PYTHONPATH": str(tmp_path / "site"),
        "CONNECTIONS": str(tmp_path / "connections"),
        "GUARDRAILS_CACHE": str(tmp_path / "cache"),
    }


def test_the_block_blocks(offline: dict[str, str], tmp_path: Path) -> None:
    program = "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9')"
    done = subprocess.run([sys.executable, "-c", program], env=offline, capture_output=True, text=True, check=False)
    assert "this test has no network" in done.stderr
    assert (tmp_path / "connections").exists()


@pytest.mark.slow
def test_the_self_check_needs_no_network(offline: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "guardrails", "audit", "--budget", "quick", "--probes", "memorization.extraction"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "run")], env=offline, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (tmp_path / "connections").exists(), (tmp_path / "connections").read_text()
    assert (tmp_path / "run" / "report.html").exists()
