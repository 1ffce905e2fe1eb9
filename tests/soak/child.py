"""A forked copy of this process that runs one piece of work, and can be killed, timed and measured."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import guardrails

INTERRUPTED = 5
INTERRUPT = {signal.SIGINT}

PIPE = 1 << 20
POLL = 0.002
LINGER = 60.0
"""Seconds that worker processes may outlive the process that started them."""


@dataclass(frozen=True)
class Ended:
    """How a child ended.

    Attributes
    ----------
    code : int
        Exit code, or minus the signal.
    seconds : float
    output : str
        What it wrote on stdout and stderr, the first MiB.
    peak : int
        Largest resident memory in bytes.
    hung : bool
        Whether it, or a process that it started, had to be ended.
    """

    code: int
    seconds: float
    output: str
    peak: int
    hung: bool


class Child:
    """Work in a forked process, in a folder and a process group of its own.

    Parameters
    ----------
    work : callable
        Returns an exit code.
    folder : Path
        Where it runs.
    """

    def __init__(self, work: Callable[[], int], folder: Path) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        self._out, write = os.pipe()
        fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, PIPE)
        fcntl.fcntl(self._out, fcntl.F_SETFL, os.O_NONBLOCK)
        self.begun = time.monotonic()
        signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPT)  # until `_run` can tell that the command had not begun
        self.pid = os.fork()
        if self.pid == 0:
            _run(work, folder, write)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPT)
        os.close(write)
        with suppress(OSError):  # it did so itself, or has ended
            os.setpgid(self.pid, self.pid)

    def signal_at(self, seconds: float, number: int) -> bool:
        """Send a signal so many seconds after the start; return whether the child was still running then."""
        while (left := self.begun + seconds - time.monotonic()) > 0:
            if self.has_ended():
                return False
            time.sleep(min(left, POLL))
        if self.has_ended():
            return False
        os.kill(self.pid, number)
        return True

    def has_ended(self) -> bool:
        """Return whether it has ended, without waiting and without taking its status."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def wait(self, patience: float) -> Ended:
        """Wait for the end; after so many seconds, end it."""
        deadline = time.monotonic() + patience
        while not self.has_ended() and time.monotonic() < deadline:
            time.sleep(POLL)
        hung = not self.has_ended()
        if hung:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        _, status, usage = os.wait4(self.pid, 0)
        seconds = time.monotonic() - self.begun
        hung = _end_group(self.pid) or hung
        return Ended(os.waitstatus_to_exitcode(status), seconds, self._output(), usage.ru_maxrss * 1024, hung)

    def _output(self) -> str:
        parts = []
        with suppress(BlockingIOError):
            while part := os.read(self._out, PIPE):
                parts.append(part)
        os.close(self._out)
        return b"".join(parts).decode("utf-8", "replace")


def _run(work: Callable[[], int], folder: Path, write: int) -> None:
    """Be the child: never returns."""
    code = 99
    try:
        os.setpgid(0, 0)
        os.dup2(write, 1)
        os.dup2(write, 2)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", encoding="utf-8") for number in (1, 2))
        os.chdir(folder)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPT)
        code = work()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and not _within_guardrails(error):
            code = INTERRUPTED  # the signal came before the command began
        else:
            traceback.print_exc()
    finally:
        with suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _within_guardrails(error: BaseException) -> bool:
    package = str(Path(guardrails.__file__).parent)
    return any(frame.filename.startswith(package) for frame in traceback.extract_tb(error.__traceback__))


def _end_group(group: int) -> bool:
    """Wait until no process of a group is left; end those that stay, and return whether there were any."""
    deadline = time.monotonic() + LINGER
    while _members(group):
        if time.monotonic() > deadline:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
            return True
        time.sleep(0.01)
    return False


def _members(group: int) -> list[int]:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return []
    members = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with suppress(OSError):
                state, _, pgrp = Path(entry.path, "stat").read_text().rpartition(")")[2].split()[:3]
                if int(pgrp) == group and state != "Z":
                    members.append(int(entry.name))
    return members
