"""No text steers the terminal: each command with a hostile value for each of its texts, and each way to write."""

from __future__ import annotations

import json
import logging
import os
import pty
import re
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from guardrails import cli
from guardrails.cli import _console, _screen
from guardrails.cli._app import app
from guardrails.core.errors import ConfigurationError, JournalError

HOSTILE = "a\x1b]0;x\x07\x1b[31m\x9b31m\x1b]8;;http:x\x1b\\\u202e\u2066\u200b\x7f\udcff\r\nverdict: passed"
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def assert_harmless(text: str) -> None:
    assert not STEERING.search(text), ascii(text)
    assert not re.search(r"^verdict: passed", text, re.MULTILINE), text


def commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield each command of the parser with its path, however deep it stands."""
    left: list[tuple[tuple[str, ...], Any]] = [((), typer.main.get_command(app))]
    while left:
        path, command = left.pop()
        if hasattr(command, "commands"):
            left += [((*path, name), child) for name, child in command.commands.items()]
        else:
            yield path, command


def takes_text(parameter: Any) -> bool:
    return parameter.name != "help" and not getattr(parameter, "is_flag", False)


def arguments(command: Any, values: dict[str, str], otherwise: str) -> list[str]:
    """Return a command line with these values, and the same value for all else that has to be given."""
    line: list[str] = []
    for parameter in command.params:
        value = values.get(parameter.name, otherwise if parameter.required else None)
        if value is not None:
            line += [value] if parameter.param_type_name == "argument" else [parameter.opts[-1], value]
    return line


CASES = [
    pytest.param(path, command, parameter.name, id=" ".join([*path, parameter.name]))
    for path, command in commands()
    for parameter in command.params
    if takes_text(parameter)
]


@pytest.fixture
def nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what takes long say all that it was asked, in place of doing it."""

    def told(*values: Any, **options: Any) -> Any:
        raise ConfigurationError(f"asked for {[*values, *options.values()]!s}", *map(str, [*values, *options.values()]))

    for name in ("audit.orchestrator.run_audit", "audit.dry_run.dry_run", "bench.run.bench", "scan.run.run_scan"):
        monkeypatch.setattr(f"guardrails.assay.{name}", told)
    monkeypatch.setattr("guardrails.training.copy_descriptor.train_shipped", told)


@pytest.mark.parametrize(("path", "command", "name"), CASES)
@pytest.mark.parametrize("there", [False, True], ids=["missing", "there"])
@pytest.mark.usefixtures("nothing_runs")
def test_no_value_of_an_option_steers_the_terminal(
    path: tuple[str, ...],
    command: Any,
    name: str,
    there: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    if there:
        (tmp_path / HOSTILE).mkdir()
        (tmp_path / HOSTILE / HOSTILE).write_text(HOSTILE, encoding="utf-8", errors="replace")
    cli.run([*path, *arguments(command, {name: HOSTILE}, "no-such")])
    captured = capsys.readouterr()
    assert captured.out + captured.err
    assert_harmless(captured.out + captured.err)


def test_all_commands_and_their_texts_are_tried() -> None:
    tried = {(case.values[0], case.values[2]) for case in CASES}
    assert len({path for path, _ in tried}) >= 10
    assert {(("audit",), "target"), (("policy", "check"), "policy"), (("scan",), "paths")} <= tried


@pytest.mark.parametrize(
    "line", [[HOSTILE], ["audit", f"--{HOSTILE}"], ["list", "probes", HOSTILE], ["train", HOSTILE]]
)
def test_no_unknown_command_option_or_argument_steers_the_terminal(
    line: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(line) == 2
    assert_harmless(capsys.readouterr().err)


def written_by_anyone(kind: str = "") -> None:
    print(HOSTILE)
    print(HOSTILE, file=sys.stderr)
    sys.stdout.writelines([HOSTILE])
    for part in HOSTILE:
        sys.stderr.write(part)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(HOSTILE, stacklevel=1)
    logging.getLogger("someone").warning(HOSTILE)
    handler = logging.StreamHandler()
    handler.handle(logging.makeLogRecord({"msg": HOSTILE}))
    table = _console.Table(HOSTILE)
    table.add_row(HOSTILE)
    _console.stdout().print(table)
    _console.stdout().print(HOSTILE)
    _console.stderr().print(HOSTILE)
    _console.echo_json({HOSTILE: HOSTILE})
    _screen.show(HOSTILE)
    _screen.say(HOSTILE)
    with _console.progress() as report:
        report(1, 2, HOSTILE)


def test_whatever_is_written_while_a_command_runs_is_visible(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("guardrails.core.results.json_schema", written_by_anyone)
    assert cli.run(["schema"]) == 0
    captured = capsys.readouterr()
    for text in (captured.out, captured.err):
        assert text.count("⟨U+001B⟩") >= 10
        assert not STEERING.search(text), ascii(text)


ERRORS = (ConfigurationError, JournalError, ValueError, SystemExit, KeyboardInterrupt)


@pytest.mark.parametrize("error", [*(kind(HOSTILE) for kind in ERRORS), OSError(2, HOSTILE, HOSTILE)])
@pytest.mark.parametrize("debug", ["", "1"])
def test_no_error_steers_the_terminal(
    error: BaseException,
    debug: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def broken(kind: str) -> None:
        raise error

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("GUARDRAILS_DEBUG", debug)
    monkeypatch.setattr("guardrails.core.results.json_schema", broken)
    assert cli.run(["schema"]) in (2, 5)
    err = capsys.readouterr().err
    assert not STEERING.search(err), ascii(err)
    assert not any(STEERING.search(file.read_text(encoding="utf-8")) for file in tmp_path.iterdir())
    assert debug or not re.search(r"^verdict: passed", err, re.MULTILINE)


def test_json_keeps_its_values(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    value = HOSTILE + "é€\U000e0041"
    monkeypatch.setattr("guardrails.core.results.json_schema", lambda kind: {"value": value})
    assert cli.run(["schema"]) == 0
    out = capsys.readouterr().out
    assert json.loads(out) == {"value": value}
    assert "é€" in out
    assert not STEERING.search(out)


PROGRAM = """
import sys
sys.path.insert(0, {tests!r})
from guardrails.cli import main
import guardrails.core.results as results
from tests.cli.test_escapes import written_by_anyone
results.json_schema = written_by_anyone
main(["schema"])
"""


@pytest.mark.slow
def test_on_a_terminal_only_our_own_colours_steer_it(repository: Path, tmp_path: Path) -> None:
    parent, child = pty.openpty()
    program = PROGRAM.format(tests=str(repository))
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=tmp_path, stdin=child, stdout=child, stderr=child, close_fds=True,
        env=os.environ | {"TERM": "xterm-256color"},
    )  # fmt: skip
    os.close(child)
    shown = b""
    while True:
        try:
            part = os.read(parent, 65536)
        except OSError:  # the terminal's other side is closed
            break
        if not part:
            break
        shown += part
    assert process.wait(60) == 0, shown
    text = shown.decode()
    assert "\x1b[" in text  # a bar
    assert "\x1b]" not in text
    assert "\x07" not in text
    assert "\x1b[31m" not in text
    assert not re.search("[\x80-\x9f\u202e\u2066]", text)
