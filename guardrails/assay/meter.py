"""Measures what a run uses: requests and tokens of a served model, and the peak memory of this process."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple, Self

from ..core.results.cost import Use

INTERVAL = 0.05
"""Seconds from one look at the memory to the next: a look takes some 20 microseconds."""
STATUS = Path("/proc/self/statm")


class Spent(NamedTuple):
    """What a served model was asked so far."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Meter:
    """Tells what was used since it was last asked, by whatever this process did meanwhile.

    Parameters
    ----------
    spent : callable
        Returns what a served model was asked so far.
    """

    def __init__(self, spent: Callable[[], Spent] = Spent) -> None:
        self._spent, self._before = spent, spent()
        self._peak = resident_memory()
        self._over = Event()
        self._thread = Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def lap(self, seconds: float = 0.0, items: int = 0) -> Use:
        """Return what was used since the last call, with the seconds and items that the caller counted."""
        now, before = self._spent(), self._before
        here = resident_memory()
        peak, self._peak, self._before = _larger(self._peak, here), here, now
        requests, prompt, completion = (a - b for a, b in zip(now, before, strict=True))
        return Use(
            seconds=round(seconds, 6), items=items, requests=requests, prompt_tokens=prompt,
            completion_tokens=completion, peak_memory=peak,
        )  # fmt: skip

    def _look(self) -> None:
        while not self._over.wait(INTERVAL):
            self._peak = _larger(self._peak, resident_memory())


def resident_memory() -> int | None:
    """Return the bytes of this process that are in memory; None where the system does not say."""
    try:
        return int(STATUS.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError, IndexError):  # no such system
        return None


def _larger(a: int | None, b: int | None) -> int | None:
    return max((x for x in (a, b) if x is not None), default=None)
