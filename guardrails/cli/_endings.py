"""How a command ends: for each kind of error, what is said and the exit code. Exit codes are set here and nowhere else.

An audit's own codes (0, 1, 3, 4) come with its result. Whatever is not foreseen is 5: never 0 (passed), never 1
(a finding failed).
"""

from __future__ import annotations

import errno
import os
import signal
import tempfile
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from ..core.errors import GuardrailsError, JournalError
from ..core.visible import visible
from ._screen import say

PASSED, USAGE, BROKE = 0, 2, 5
MAX_LINE = 1500
OF_A_NAME = frozenset(
    {errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EINVAL}
)
"""Errors of a file that was named and cannot be one, or may not be opened: a mistake, as a name of nothing is."""


class Stopped(KeyboardInterrupt):
    """A signal asked the program to end."""


def let_signals_interrupt() -> None:
    """Let SIGTERM and SIGHUP end a command as Ctrl-C does: files and worker processes are cleaned up."""

    def stop(number: int, frame: Any) -> None:
        raise Stopped(signal.Signals(number).name)

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores it
            signal.signal(number, stop)


def interrupted(error: KeyboardInterrupt, how_to_resume: Callable[[Path], str | None], folder: Path) -> NoReturn:
    """Raise an interruption again, with the command that resumes the run in a folder where one has begun there."""
    command = None
    with suppress(GuardrailsError):  # interrupted while it opened or closed, the folder may still be locked
        command = how_to_resume(folder)
    if command is None:
        raise error
    raise JournalError(f"interrupted; resume with: {command}") from error


def explain(error: BaseException) -> int:
    """Say why a command ended, on stderr, and return the exit code."""
    if os.environ.get("GUARDRAILS_DEBUG"):
        traceback.print_exception(error)
    match error:
        case JournalError():
            say(*error.lines)  # whole: the command that resumes a run is in it
            return BROKE
        case GuardrailsError():
            first, *more = map(clipped, error.lines)
            say(f"error: {first}", *more)
            return USAGE
        case KeyboardInterrupt():
            say(f"interrupted by {error}" if str(error) else "interrupted")
        case OSError():
            where = f": {error.filename}" if error.filename else ""
            say(clipped(f"error: {error.strerror or error}{where}"))
            if error.filename and error.errno in OF_A_NAME:
                return USAGE
        case MemoryError():
            say("error: out of memory; close other programs, or ask for less (--budget quick, fewer --probes)")
        case SystemExit():
            say(
                f"error: a library or a module of yours ended the program (sys.exit({error.code!r})); {_details(error)}"
            )
        case _:
            what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            say(f"error: {clipped(what)}; this is a defect in guardrails, not in your input; {_details(error)}")
    return BROKE


def clipped(line: str) -> str:
    """Return a line of a message, the middle of a very long one left out: names may have any length.

    >>> clipped("there is no 'model'")
    "there is no 'model'"
    """
    left_out = len(line) - MAX_LINE
    return line if left_out <= 0 else f"{line[: MAX_LINE // 2]} … ({left_out:,} characters) … {line[-MAX_LINE // 2 :]}"


def _details(error: BaseException) -> str:
    """Write the traceback to a file of its own, or to stderr where that cannot be; return where it is."""
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="guardrails-error-", suffix=".log", delete=False, encoding="utf-8"
        ) as file:
            file.write(visible("".join(traceback.format_exception(error)), lines=True))
    except OSError:
        traceback.print_exception(error)
        return "the details are above"
    return f"the details are in {file.name}"
