"""What ends a worker that takes too long, does not get on, or needs too much memory."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

INTERVAL = 0.05
"""Seconds from one look to the next: in these a process touches a few hundred megabytes at most."""
LEAST_MEMORY = 4 << 30
SHARED = 0.75
"""Of the machine's memory, what all workers together may take."""
GROUP = Path("/sys/fs/cgroup/memory.max")


class Patience(NamedTuple):
    """How long one file may take, in seconds.

    Attributes
    ----------
    idle : float
        Without a sign of life: a frame, a block of sound, a detector that is done.
    most : float
        In all.
    """

    idle: float
    most: float


PATIENCE = {"image": Patience(600, 600), "audio": Patience(300, 3600), "video": Patience(300, 3 * 3600)}
"""By what a file holds. A picture is one step of each detector."""


class Watch:
    """Looks at a process while it works, and ends it where a limit is reached.

    Parameters
    ----------
    process : int
        Its id.
    end : callable
        Kills it.
    patience : Patience
    memory : int, optional
        Bytes that it may need beyond what it has now. Watched on Linux alone.

    Attributes
    ----------
    reason : str, optional
        Why it was ended.
    """

    def __init__(self, process: int, end: Callable[[], None], patience: Patience, memory: int | None) -> None:
        self.reason: str | None = None
        self._process, self._end, self._patience, self._memory = process, end, patience, memory
        self._begun = self._last = time.monotonic()
        self._before = anonymous_memory(process) or 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def live(self) -> None:
        """Hear a sign of life."""
        self._last = time.monotonic()

    def _look(self) -> None:
        while not self._over.wait(INTERVAL):
            self.reason = self._reached()
            if self.reason is not None:
                self._end()
                return

    def _reached(self) -> str | None:
        now = time.monotonic()
        if now - self._begun > self._patience.most:
            return f"it took longer than {self._patience.most:,.0f} s"
        if now - self._last > self._patience.idle:
            return f"it did not get on for {self._patience.idle:,.0f} s"
        if self._memory is not None:
            needed = (anonymous_memory(self._process) or 0) - self._before
            if needed > self._memory:
                return f"it needs more memory than the limit of {self._memory / 2**30:.1f} GiB"
        return None


def anonymous_memory(process: int) -> int | None:
    """Return the bytes that a process has for itself, in memory or swapped out; None where the system does not say."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return None
    sizes = [int(line.split()[1]) for line in lines if line.startswith(("RssAnon:", "VmSwap:"))]
    return 1024 * sum(sizes) if sizes else None


def memory_each(workers: int) -> int:
    """Return the bytes that one of so many workers may need for a file: a share of three quarters, or 4 GiB."""
    try:
        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # no such system
        return LEAST_MEMORY
    with suppress(OSError, ValueError):  # no control group, or one without a limit
        whole = min(whole, int(GROUP.read_text()))
    return max(LEAST_MEMORY, int(SHARED * whole / workers))
