"""Where words go: data to stdout, everything meant for people while they wait to stderr."""

from __future__ import annotations

import io
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

from rich.console import Console

SECONDS_BETWEEN_LINES = 10.0
WIDTH_OF_A_FILE = 120
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")

Report = Callable[[int, int, str], None]
"""Takes (done, total, label)."""


def stdout() -> Console:
    """Return a console for data: no markup and no highlighting, since names and texts may be anyone's."""
    own_width = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(markup=False, highlight=False, emoji=False, width=None if own_width else WIDTH_OF_A_FILE)


def stderr() -> Console:
    """Return a console for progress and messages."""
    return Console(stderr=True, markup=False, highlight=False, emoji=False, soft_wrap=True)


def say(message: str) -> None:
    """Write one message for people to stderr."""
    stderr().print(message)


def echo_json(value: Any) -> None:
    """Write JSON to stdout."""
    import json

    write_json(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_json(text: str) -> None:
    """Write JSON to stdout; what the terminal's encoding lacks is written as JSON's own escapes."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(_NOT_ASCII.sub(lambda match: _escaped(match.group(), encoding), text))


def _escaped(character: str, encoding: str) -> str:
    import json

    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return json.dumps(character)[1:-1]
    return character


def replace_unknown_characters() -> None:
    """Let text on stdout and stderr show a ``?`` for a character that the terminal's encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


@contextmanager
def only_data_on_stdout() -> Iterator[None]:
    """Send what libraries and audited callables print to stderr."""
    with redirect_stdout(sys.stderr):
        yield


@contextmanager
def progress() -> Iterator[Report]:
    """Show progress on stderr: a bar with the time left on a terminal, elsewhere a line now and then.

    Labels may be names of files, which may be anyone's: they cannot steer the terminal.
    """
    from reports.text import visible

    if stderr().is_terminal:
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
        say(f"{done} of {total}: {label}{left}")

    return report
