"""What a stranger's model raises while it is loaded or asked, as errors of the target."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..core.errors import TargetError

OURS = (TargetError, KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError)
"""Errors of the target already, or none of its doing."""


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
