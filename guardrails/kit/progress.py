"""Signs of life of work that takes long: whoever waits for it can tell work from a standstill."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

_listener: Callable[[], None] | None = None


def step() -> None:
    """Say that a part of the work is done: a frame, a block of sound, a detector."""
    if _listener is not None:
        _listener()


@contextmanager
def listening(to: Callable[[], None]) -> Iterator[None]:
    """Call a function at each `step` of this process until the end of the ``with``."""
    global _listener
    before, _listener = _listener, to
    try:
        yield
    finally:
        _listener = before
