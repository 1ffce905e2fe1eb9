"""Standard output and standard error while a command runs: no text written to them can steer a terminal.

Whoever writes (a command, a library that warns, an audited callable) writes to a `Screen`. Colours and cursor
movements of our own come from Rich, which writes to the stream below it: see `_console`.
"""

from __future__ import annotations

import errno
import io
import os
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from ..core.visible import visible


class Outlet:
    """A text stream whose reader may leave, as ``| head`` does: then the rest is dropped.

    Parameters
    ----------
    stream : TextIO
        The stream below.
    must_arrive : bool
        Whether a full disk is an error. For messages on stderr it is not: there is nowhere to report it.

    Attributes
    ----------
    closed_by_reader : bool
    """

    def __init__(self, stream: TextIO, *, must_arrive: bool) -> None:
        self._stream = stream
        self._must_arrive = must_arrive
        self.closed_by_reader = False

    def write(self, text: str) -> int:
        try:
            self._stream.write(text)
        except OSError as error:
            self._failed(error)
        return len(text)

    def writelines(self, texts: Iterable[str]) -> None:
        for text in texts:
            self.write(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._failed(error)

    def _failed(self, error: OSError) -> None:
        # What is still buffered would fail again when Python ends, and set the exit code to 120.
        with suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)
        if error.errno == errno.EPIPE:
            self.closed_by_reader = True
        elif self._must_arrive:
            raise OSError(error.errno, error.strerror, "standard output") from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Screen(Outlet):
    """An `Outlet` that writes out every hidden character; a lone carriage return becomes a line break."""

    def __init__(self, stream: TextIO, *, must_arrive: bool) -> None:
        super().__init__(stream, must_arrive=must_arrive)
        self.rich_proxied_file = getattr(stream, "rich_proxied_file", None) or Outlet(stream, must_arrive=must_arrive)

    def write(self, text: str) -> int:
        super().write(visible(text.replace("\r\n", "\n").replace("\r", "\n"), lines=True))
        return len(text)


_quiet = False


@contextmanager
def screens() -> Iterator[None]:
    """Put a `Screen` over standard output and standard error, and show each Python warning on one line."""
    global _quiet
    streams, quiet_before = (sys.stdout, sys.stderr), _quiet
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a character that the terminal's encoding lacks
    with warnings.catch_warnings():
        sys.stdout = Screen(streams[0], must_arrive=True)
        sys.stderr = Screen(streams[1], must_arrive=False)
        warnings.showwarning = _show_warning
        try:
            yield
        finally:
            sys.stdout, sys.stderr = streams
            _quiet = quiet_before


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    say(f"warning: {message}")


def show(*lines: str) -> None:
    """Write lines of text to stdout; whatever an argument holds, it stays one line."""
    for line in lines:
        print(_one_line(line))


def say(*lines: str) -> None:
    """Write a message for people to stderr, one line for each argument."""
    for line in lines:
        print(_one_line(line), file=sys.stderr)


def note(*lines: str) -> None:
    """Write a message that ``--quiet`` leaves out."""
    if not _quiet:
        say(*lines)


def is_quiet() -> bool:
    """Return whether the command that runs was given ``--quiet``."""
    return _quiet


def be_quiet() -> None:
    """Leave out notes and progress until the command ends."""
    global _quiet
    _quiet = True


def _one_line(text: str) -> str:
    indent = text[: len(text) - len(text.lstrip(" "))]
    return indent + visible(text)


def occupy_descriptors() -> None:
    """Open the null device where the descriptors 0, 1 or 2 are closed: a database could get their number.

    What a C library then prints would be written into it.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            mode = "r" if number == 0 else "w"
            setattr(sys, name, open(number, mode, encoding="utf-8", errors="replace", closefd=False))  # noqa: SIM115
