"""Where words go: data to stdout, everything meant for people while they wait to stderr."""

from __future__ import annotations

import codecs
import errno
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

import rich.table
from rich.console import Console as RichConsole
from rich.segment import Segment
from rich.text import Text

from ..core.errors import ConfigurationError
from ..core.visible import is_hidden, visible
from ._screen import is_quiet, note, screens

SECONDS_BETWEEN_LINES = 10.0
WIDTH_OF_A_FILE = 120
_UNUSUAL = re.compile(r"[^\n\x20-\x7e]")

Report = Callable[[int, int, str], None]
"""Takes (done, total, label)."""


class Console(RichConsole):
    """Rich's console, without markup and highlighting, whose texts cannot steer a terminal: names may be anyone's."""

    def __init__(self, stream: Any, **options: Any) -> None:
        file = getattr(stream, "rich_proxied_file", stream)
        super().__init__(file=file, markup=False, highlight=False, emoji=False, **options)

    def render(self, *args: Any, **kwargs: Any) -> Iterable[Segment]:
        """Yield the segments of a renderable, with every hidden character of a text written out."""
        for segment in super().render(*args, **kwargs):
            yield segment if segment.control else Segment(visible(segment.text, lines=True), segment.style)


class Table(rich.table.Table):
    """A plain table; each cell is one line of visible text.

    Parameters
    ----------
    *headings : str
        Those of columns that may be folded.
    """

    def __init__(self, *headings: str) -> None:
        super().__init__(box=None, pad_edge=False, header_style="bold", show_edge=False)
        for heading in headings:
            self.add_column(heading, overflow="fold")

    def add_row(self, *cells: Any, **options: Any) -> None:
        """Add a row of str or Text."""
        texts = (Text(visible(str(cell)), cell.style if isinstance(cell, Text) else "") for cell in cells)
        super().add_row(*texts, **options)


def stdout() -> Console:
    """Return a console for data."""
    as_wide_as_the_terminal = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(sys.stdout, width=None if as_wide_as_the_terminal else WIDTH_OF_A_FILE)


def stderr() -> Console:
    """Return a console for progress and messages."""
    return Console(sys.stderr, soft_wrap=True)


def echo_json(value: Any) -> None:
    """Write a value as JSON to stdout."""
    import json

    write_json(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_json(text: str) -> None:
    """Write JSON to stdout.

    Hidden characters, and all beyond ASCII where stdout is not UTF-8, are written as JSON's escapes: the same value.
    """
    _write_json(getattr(sys.stdout, "rich_proxied_file", sys.stdout), text)


def write_report(content: bytes, format: str) -> None:
    """Write a report to stdout; hidden characters are written out, as everywhere on a screen.

    Raises
    ------
    ConfigurationError
        Where it is no text.
    """
    try:
        sys.stdout.write(content.decode())
    except UnicodeDecodeError:
        raise ConfigurationError(f"the format '{format}' is no text; name a file for it: --out FILE") from None


def json_line_writer() -> Callable[[str], None]:
    """Return what writes one line of JSON to this stdout, also while stdout is redirected.

    It raises `BrokenPipeError` where nobody reads any more.
    """
    stream = getattr(sys.stdout, "rich_proxied_file", sys.stdout)

    def write(line: str) -> None:
        _write_json(stream, line)
        stream.flush()
        if getattr(stream, "closed_by_reader", False):
            raise BrokenPipeError(errno.EPIPE, "standard output was closed")

    return write


def _write_json(stream: Any, text: str) -> None:
    unicode = codecs.lookup(stream.encoding or "utf-8").name == "utf-8"
    stream.write(_UNUSUAL.sub(lambda match: _json_escaped(match.group(), unicode), text))


def _json_escaped(character: str, unicode: bool) -> str:
    if unicode and not is_hidden(character):
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


@contextmanager
def only_data_on_stdout() -> Iterator[None]:
    """Send what libraries and audited callables print to stderr."""
    with redirect_stdout(sys.stderr):
        yield


@contextmanager
def progress() -> Iterator[Report]:
    """Show progress on stderr: a bar with the time left on a terminal, elsewhere a line now and then; quiet: nothing.

    Labels may be names of files, which may be anyone's: each stays one line.
    """
    if is_quiet():
        yield lambda done, total, label: None
    elif stderr().is_terminal:
        with _bar() as report:
            yield lambda done, total, label: report(done, total, visible(label))
    else:
        lines = _lines()
        yield lambda done, total, label: lines(done, total, visible(label))


@contextmanager
def _bar() -> Iterator[Report]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr(), transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def report(done: int, total: int, label: str) -> None:
            bar.update(task, completed=done, total=total, description=label)

        with screens():  # Rich put itself between, and would obey the escapes in what others print
            yield report


def _lines() -> Report:
    last = time.monotonic()
    first: tuple[int, float] | None = None  # a resumed run begins with much done, a scan with controls: neither counts

    def report(done: int, total: int, label: str) -> None:
        nonlocal first, last
        now = time.monotonic()
        if first is None or not done:
            first = (done, now)
        if now - last < SECONDS_BETWEEN_LINES:
            return
        last = now
        newly, seconds = done - first[0], now - first[1]
        left = f", about {seconds / newly * (total - done):.0f} s left" if newly else ""
        note(f"{done} of {total}: {label}{left}")

    return report
