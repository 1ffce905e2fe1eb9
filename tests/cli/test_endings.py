"""Exit codes: whatever ends a command, only a result's own code says that it passed or that a finding failed."""

from __future__ import annotations

import errno
import io
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from guardrails import cli
from guardrails.assay.audit.engine import attempt
from guardrails.cli._screen import Screen
from guardrails.core.asking import rows_of
from guardrails.core.batch import Batch, Item

GUARDRAILS = [sys.executable, "-m", "guardrails"]


class Panic(BaseException):
    """As pyo3's PanicException: no Exception."""


ENDS: list[BaseException] = [
    Panic("retry-limit-in-match over"),
    SystemExit(0),
    SystemExit("bye"),
    SystemExit(1),
    RecursionError("too deep"),
    GeneratorExit(),
    MemoryError(),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"),
    BrokenPipeError(errno.EPIPE, "Broken pipe"),
    ImportError("no such library"),
]
STAGES = [
    "guardrails.core.install.find_spec",
    "typer.main.get_command",
    "guardrails.assay.audit.orchestrator.make_settings",
    "guardrails.assay.audit.orchestrator.Scope.assays",
    "guardrails.assay.audit.orchestrator.Journal",
    "guardrails.assay.audit.orchestrator.Run.result",
    "guardrails.assay.audit.orchestrator.write_whole",
    "reports.render",
    "guardrails.cli._summary.print_summary",
]


@pytest.fixture
def texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    path = tmp_path / "texts.jsonl"
    path.write_text('{"text": "a"}\n{"text": "b"}\n')
    return path


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("error", ENDS, ids=repr)
def test_whatever_is_raised_at_any_stage_exits_5_with_one_line(
    stage: str, error: BaseException, texts: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise error

    if stage.endswith(("render", "print_summary", "write_whole")):
        monkeypatch.setattr("guardrails.assay.audit.orchestrator.Run.result", lambda self: Result())
        monkeypatch.setattr("reports.render", lambda *_, **__: b"")
    monkeypatch.setattr(stage, broken)
    assert cli.run(["audit", f"jsonl:{texts}", "--probes", "quality.collapse", "--out", str(texts.parent / "run")]) == 5
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert err.startswith("error: ") or "start again" in err or "--resume" in err
    if details := re.search(r"the details are in (\S+)", err):
        assert "Traceback" in Path(details[1]).read_text()
    else:
        assert isinstance(error, MemoryError | OSError)


class Result:
    """Stands for a result that passed."""

    exit_code = 0

    def to_json(self) -> str:
        return "{}"


@pytest.mark.parametrize("error", [e for e in ENDS if not isinstance(e, GeneratorExit | MemoryError)], ids=repr)
def test_one_item_that_raises_it_is_an_error_row(error: BaseException) -> None:
    def rows(batch: Batch, seed: int) -> list[dict[str, Any]]:
        if any(item.id == "2" for item in batch.items):
            raise error
        return batch.rows()

    batch_rows = rows_of(Batch(0, tuple(map(Item, "0123"))), rows, seed=0)
    assert ["error" in row for row in batch_rows] == [False, False, True, False]


@pytest.mark.parametrize("error", [Panic("x"), SystemExit(0), RecursionError()], ids=repr)
def test_a_probe_that_raises_it_is_not_assessed(error: BaseException, tmp_path: Path) -> None:
    def work() -> None:
        raise error

    value, why = attempt("some.probe", work, tmp_path / "errors.log")
    assert value is None
    assert type(error).__name__ in (why or "")
    assert "Traceback" in (tmp_path / "errors.log").read_text()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError()], ids=repr)
def test_ctrl_c_and_memory_end_the_run(error: BaseException, tmp_path: Path) -> None:
    def work(*_: Any, **__: Any) -> Any:
        raise error

    with pytest.raises(type(error)):
        rows_of(Batch(0, (Item("0"),)), work, seed=0)
    with pytest.raises(type(error)):
        attempt("some.probe", work, tmp_path / "errors.log")


def test_an_audited_module_cannot_end_the_audit_as_passed(texts: Path, capsys: Any) -> None:
    (texts.parent / "ends_itself.py").write_text("import sys\nsys.exit(0)\n")
    assert cli.run(["audit", "python:ends_itself:f"]) == 2
    assert "importing it failed with SystemExit: 0" in capsys.readouterr().err


def guardrails(*arguments: str, shell: str = "{}", **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run the program in a shell, where ``{}`` stands for it."""
    import shlex

    line = shell.replace("{}", shlex.join([*GUARDRAILS, *arguments]))
    return subprocess.run(["bash", "-c", line], capture_output=True, check=False, **options)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shell", "code", "message"),
    [
        ("set -o pipefail; {} | head -1", 0, ""),
        ("set -o pipefail; PYTHONUNBUFFERED=1 {} | true", 0, ""),
        ("{} >/dev/full", 5, "error: No space left on device: standard output\n"),
        ("{} >&-", 0, ""),
        ("{} 2>&-", 0, ""),
        ("{} <&- >&- 2>&-", 0, ""),
        ("{} 2>/dev/full", 0, ""),
    ],
)
def test_closed_and_full_streams(shell: str, code: int, message: str, tmp_path: Path) -> None:
    done = guardrails("list", "targets", shell=shell, cwd=tmp_path)
    assert (done.returncode, done.stderr.decode()) == (code, message)


@pytest.mark.slow
def test_an_unexpected_end_before_anything_is_loaded_is_5(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise BaseException('broken')")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run([*GUARDRAILS, "schema"], cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert done.returncode == 5
    assert done.stderr.startswith(b"error: BaseException: broken")


@pytest.mark.parametrize("step", ["os.environ.setdefault", "guardrails.cli.screens", "guardrails.cli._command"])
def test_ctrl_c_at_the_first_steps_is_one_line(step: str, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def interrupt(*_: Any) -> Any:
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(step, interrupt)
    assert cli.run(["--version"]) == 5
    assert capsys.readouterr().err.splitlines() == ["interrupted"]


def test_ctrl_c_while_an_error_is_explained_ends_with_5(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def interrupt(*_: Any) -> Any:
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr("guardrails.cli.explain", interrupt)
    assert cli.run(["no-such-command"]) == 5
    assert capsys.readouterr().err.splitlines() == ["interrupted"]


def test_a_full_disk_is_no_error_for_messages_and_one_for_data() -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    Screen(Full(), must_arrive=False).write("a")
    with pytest.raises(OSError, match="standard output"):
        Screen(Full(), must_arrive=True).write("a")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_ends_a_command_with_5_and_one_line(name: str, tmp_path: Path) -> None:
    program = (
        "import signal, time, guardrails.core.results as r; from guardrails.cli import main\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a job in the background begins without it
        "def wait(): print('ready', flush=True); time.sleep(60)\n"
        "r.json_schema = lambda kind: wait(); main(['schema'])"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(getattr(signal, name))
        _, err = process.communicate(timeout=30)
    assert process.returncode == 5
    assert err.decode() == ("interrupted\n" if name == "SIGINT" else f"interrupted by {name}\n")
