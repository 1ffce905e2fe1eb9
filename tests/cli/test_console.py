"""Progress: a bar on a terminal, a line now and then elsewhere, and stdout kept clean."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from rich.console import Console

from guardrails.cli import _console


def test_a_terminal_gets_a_bar_with_the_label_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(_console, "stderr", lambda: Console(file=screen, force_terminal=True, width=100))
    with _console.progress() as report:
        report(3, 12, "probe|[red]target[/red]")
    assert "probe|[red]target[/red]" in screen.getvalue()
    assert "3/12" in screen.getvalue()


def test_elsewhere_a_line_now_and_then_says_what_is_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock: Iterator[float] = iter([0.0, 1.0, 11.0, 12.0, 31.0])
    monkeypatch.setattr(_console.time, "monotonic", lambda: next(clock))
    with _console.progress() as report:
        for done in (100, 102, 103, 106):
            report(done, 110, "a")
    captured = capsys.readouterr()
    assert captured.err == "102 of 110: a, about 40 s left\n106 of 110: a, about 20 s left\n"
    assert captured.out == ""


def test_a_run_that_starts_slowly_promises_no_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock: Iterator[float] = iter([0.0, 20.0])
    monkeypatch.setattr(_console.time, "monotonic", lambda: next(clock))
    with _console.progress() as report:
        report(0, 8, "a")
    assert capsys.readouterr().err == "0 of 8: a\n"


def test_the_name_of_a_file_cannot_steer_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock: Iterator[float] = iter([0.0, 20.0])
    monkeypatch.setattr(_console.time, "monotonic", lambda: next(clock))
    with _console.progress() as report:
        report(0, 8, "\x1b[31mred.png")
    assert capsys.readouterr().err == "0 of 8: ⟨U+001B⟩[31mred.png\n"
    screen = io.StringIO()
    monkeypatch.setattr(_console, "stderr", lambda: Console(file=screen, force_terminal=True, width=100))
    with _console.progress() as report:
        report(3, 12, "\x1b[2Jred.png")
    assert "⟨U+001B⟩[2Jred.png" in screen.getvalue()
