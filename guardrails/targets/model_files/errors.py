"""What a stranger's model raises while it is loaded or asked, as errors of the target, and how long that may take."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import TypeVar

from ...core.errors import TargetError

T = TypeVar("T")
OURS = (TargetError, KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError)
"""Errors of the target already, or none of its doing."""
BUSY = 20
"""How many times the seconds a call may take where other programs have the processors."""


@contextmanager
def target_errors(what: str) -> Iterator[None]:
    """Turn whatever is raised into a TargetError that begins with `what`.

    `transformers` raises anything for a damaged folder; `tokenizers`, which is written in Rust, raises PanicException,
    which is no Exception.
    """
    try:
        yield
    except OURS:
        raise
    except BaseException as error:
        raise TargetError(f"{what} ({first_line(error)})") from None


def first_line(error: BaseException) -> str:
    """Return the kind of an error and the first line of what it says."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__


def in_time(call: Callable[[], T], seconds: float) -> T:
    """Return what a call returns, or raise what it raises; it runs in a thread of its own.

    Raises
    ------
    TimeoutError
        After so many seconds, or later where this process had less of a busy machine's processors by then. What runs in
        Python is stopped then; what runs in another language goes on until it returns.
    """
    answers: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(call())
        except BaseException as error:  # raised below, in the thread that asked
            errors.append(error)

    thread = Thread(target=run, daemon=True)
    used, end = time.process_time(), time.monotonic() + BUSY * seconds
    thread.start()
    thread.join(seconds)
    while thread.is_alive() and time.process_time() - used < seconds and time.monotonic() < end:
        thread.join(seconds / 20)
    if errors:
        raise errors[0]
    if not answers:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit))
        raise TimeoutError
    return answers[0]
