"""Goes on with a command in a child process, which a library may end: Ray ends it with code 1 if its cluster is lost.

Code 1 means that a finding failed. The child tells the parent its exit code, so that no other code is taken for one.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

from ..core.errors import GuardrailsError, JournalError

FORWARDED = ("SIGINT", "SIGTERM", "SIGHUP")
_parent: int | None = None
"""Where a child tells its exit code."""


def continue_in_child(how_to_resume: Callable[[Path], str | None], folder: Path | None) -> int | None:
    """Fork. In the child return None; in the parent wait, and return the exit code that the child told.

    Must be called before anything starts threads. Where the system cannot fork, the command goes on as it is. The child
    has a process group of its own, so that Ctrl-C reaches it once; it is interrupted if the parent is killed.

    Parameters
    ----------
    how_to_resume : callable
        Returns the command that resumes the run in a folder, or None where none has begun there.
    folder : Path, optional
        Of the run.

    Raises
    ------
    JournalError
        In the parent, where the child ended without telling a code.
    """
    if not hasattr(os, "fork"):
        return None
    sys.stdout.flush()
    sys.stderr.flush()
    (told, tell), (ends, lives) = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os.close(told)
        os.close(lives)
        global _parent
        _parent = tell
        Thread(target=_end_with_parent, args=(ends,), daemon=True).start()
        return None
    os.close(tell)
    os.close(ends)

    def forward(number: int, _: Any) -> None:
        os.kill(child, number)

    before = {name: signal.signal(getattr(signal, name), forward) for name in FORWARDED if not _ignored(name)}
    try:
        code = os.read(told, 1)
        _, status = os.waitpid(child, 0)
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)
        os.close(told)
        os.close(lives)
    if code:
        return code[0]
    raise _lost(os.waitstatus_to_exitcode(status), how_to_resume, folder)


def tell_parent(code: int) -> None:
    """Tell the parent, where there is one, the exit code of this process."""
    if _parent is not None:
        with suppress(BrokenPipeError):  # it was killed
            os.write(_parent, bytes([code]))


def _ignored(name: str) -> bool:
    return signal.getsignal(getattr(signal, name)) is signal.SIG_IGN


def _end_with_parent(ends: int) -> None:
    os.read(ends, 1)  # returns when the parent is gone
    os.kill(os.getpid(), signal.SIGTERM)


def _lost(status: int, how_to_resume: Callable[[Path], str | None], folder: Path | None) -> JournalError:
    from ..assay.run_folder import START_AGAIN

    command = None
    with suppress(GuardrailsError):
        command = how_to_resume(folder) if folder is not None else None
    how = f"by {signal.Signals(-status).name}" if status < 0 else f"with code {status}: its cluster may be lost"
    advice = f"what finished is kept; resume with: {command}" if command else START_AGAIN
    return JournalError(f"the process that works with Ray ended {how}; {advice}")
