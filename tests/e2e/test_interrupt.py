"""Ctrl-C in the middle of a real audit: one message, exit code 5, and a run that can be resumed to the end."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "guardrails", "audit"]
PATIENCE = 400.0


def finished(journal: Path) -> int:
    """Return how many batches the journal holds, 0 where there is none yet."""
    try:
        with sqlite3.connect(f"file:{journal}?mode=ro", uri=True) as connection:
            return int(connection.execute("SELECT COUNT(*) FROM log WHERE kind = 'rows'").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


@pytest.mark.slow
def test_an_interrupted_audit_says_how_to_go_on_and_does(tmp_path: Path) -> None:
    run = tmp_path / "run"
    options = ["--budget", "quick", "--probes", "memorization.levels", "--out", str(run)]
    process = subprocess.Popen(
        [*COMMAND, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background has Ctrl-C ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + PATIENCE
    while finished(run / "journal.sqlite") == 0:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 5, err
    assert err.splitlines()[-1] == f"interrupted; resume with: guardrails audit --resume {run}"
    assert "Traceback" not in err
    assert out == ""
    assert not (run / "result.json").exists()

    resumed = subprocess.run(
        [*COMMAND, "--resume", str(run), "--json"], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(resumed.stdout)["verdict"] == "pass"
