"""The event loop in which all requests of this process are made, in a thread of its own.

Several threads may ask an endpoint at the same time. What their requests share, as connections, limits and counts, is
read and changed in this one thread only, so that none of it needs a lock.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

_loops: dict[int, asyncio.AbstractEventLoop] = {}
"""By process: a forked one has the loop of its parent, but not the thread."""
_starting = threading.Lock()


def submit(work: Coroutine[Any, Any, T]) -> Future[T]:
    """Start a coroutine in the loop; cancelling the future cancels it."""
    with _starting:
        loop = _loops.get(os.getpid())
        if loop is None:
            loop = _loops[os.getpid()] = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="guardrails requests", daemon=True).start()
    return asyncio.run_coroutine_threadsafe(work, loop)
