"""A command in a child process: its exit code is told, and a code that nobody set is not taken for one."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = """
import os, sys, time
from pathlib import Path
import guardrails.cli as cli
from guardrails.cli import _child

folder = Path(sys.argv[1])

def command(arguments):
    code = _child.continue_in_child(lambda folder: f"guardrails audit --resume {folder}", folder)
    if code is not None:
        return code
    (folder / "child").touch()
    body = {}
    exec("def work():\\n    " + sys.argv[2], globals(), body)
    return body["work"]()

cli._command = command
cli.main([])
"""


def started(folder: Path, body: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, str(folder), body]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def wait_for_child(folder: Path) -> None:
    for _ in range(600):
        if (folder / "child").exists():
            return
        time.sleep(0.1)
    raise AssertionError("no child began")


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ("return 0", 0, ""),
        ("return 1", 1, ""),
        ("raise ValueError('slip')", 5, "ValueError: slip"),
        ("from guardrails.core.errors import JournalError; raise JournalError('full')", 5, "full"),
        ("os._exit(1)", 5, "ended with code 1: its cluster may be lost; what finished is kept; resume with: "),
        ("os.kill(os.getpid(), 9)", 5, "ended by SIGKILL; what finished is kept; resume with: guardrails audit"),
    ],
)
def test_the_exit_code_is_that_of_the_child_or_5_where_it_told_none(
    tmp_path: Path, body: str, code: int, words: str
) -> None:
    process = started(tmp_path, body)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert words in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_reach_the_child_once(tmp_path: Path, number: signal.Signals) -> None:
    process = started(tmp_path, "time.sleep(60)")
    wait_for_child(tmp_path)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 5
    assert err.count("interrupted") == 1


def test_the_child_ends_where_the_parent_is_killed(tmp_path: Path) -> None:
    process = started(tmp_path, "time.sleep(60)")
    wait_for_child(tmp_path)
    process.kill()
    _, err = process.communicate(timeout=60)  # the end of the stream: the child has ended, too
    assert "interrupted by SIGTERM" in err
    assert "Traceback" not in err
