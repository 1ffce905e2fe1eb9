"""Folders that commands write into: one command at a time, nothing left over, and a full disk is named."""

from __future__ import annotations

import errno
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

import reports
from guardrails import cli
from guardrails.assay.run_folder import locked, writing
from guardrails.assay.scan.identify import Identified
from guardrails.assay.scan.listing import Found
from guardrails.assay.scan.local import _completed
from guardrails.cli._new_folder import MARKER, new_folder
from guardrails.core.errors import ConfigurationError, JournalError
from guardrails.core.results.scan import ScanRow


def test_only_one_command_fills_a_new_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with new_folder(out):
        with pytest.raises(ConfigurationError, match="not an empty folder"), new_folder(out):
            pass
        (out / MARKER).rename(tmp_path / "aside")  # as if both had looked before either wrote
        (tmp_path / "aside").rename(out / MARKER)
        (out / "result").write_text("a")
    assert [file.name for file in out.iterdir()] == ["result"]


def test_a_new_folder_that_came_to_nothing_is_not_left(tmp_path: Path) -> None:
    for folder, is_left in ((tmp_path / "new", False), (tmp_path, True)):
        with pytest.raises(ZeroDivisionError), new_folder(folder):
            raise ZeroDivisionError
        assert folder.exists() == is_left
    assert list(tmp_path.iterdir()) == []


def test_two_builds_of_an_index_do_not_meet(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "corpus.txt").write_text("some words that are indexed\n" * 20)
    out = tmp_path / "out"
    build = ["index", str(tmp_path / "corpus.txt"), "--out", str(out)]
    out.mkdir()
    lock = locked(out / "index.lock")
    assert cli.run(build) == 2
    assert capsys.readouterr().err == (
        f"error: a run is under way in {out}; wait until it has ended, or give another --out\n"
    )
    lock.close()
    assert cli.run(build) == 0
    assert cli.run(build) == 0


def test_an_index_that_came_to_nothing_leaves_no_folder(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("  \n")
    assert cli.run(["index", str(tmp_path / "empty.txt"), "--out", str(tmp_path / "out")]) == 2
    assert cli.run(["index", str(tmp_path / "none.txt"), "--out", str(tmp_path / "out")]) == 2
    assert [file.name for file in tmp_path.iterdir()] == ["empty.txt"]


def ended_process() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_parts_of_a_killed_writer_are_removed_and_those_of_a_living_one_stay(tmp_path: Path) -> None:
    dead = tmp_path / f".guardrails-report-{ended_process()}-abc.part"
    living = tmp_path / f".guardrails-report-{os.getpid()}-abc.part"
    other = tmp_path / ".guardrails-report-x-abc.part"
    for path in (dead, living, other):
        path.write_text("half")
    reports._write(tmp_path / "report.html", b"whole")
    assert sorted(tmp_path.iterdir()) == sorted([living, other, tmp_path / "report.html"])


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")], ids=repr)
def test_a_report_that_cannot_be_written_leaves_no_part(
    error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise error

    monkeypatch.setattr("os.chmod", broken)
    with pytest.raises((KeyboardInterrupt, ConfigurationError)):
        reports._write(tmp_path / "report.html", b"whole")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
def test_a_report_replaces_no_device(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", tmp_path):
        with pytest.raises(ConfigurationError, match="no regular file"):
            reports._write(place, b"text")
    assert (tmp_path / "pipe").is_fifo()


def test_only_errors_of_the_disk_are_blamed_on_the_folder(tmp_path: Path) -> None:
    expected = {
        BrokenPipeError(errno.EPIPE, "Broken pipe"): "Broken pipe; what finished is kept; then: again",
        OSError(errno.ENOSPC, "No space"): f"{tmp_path}: No space; what finished is kept; then: again",
        FileNotFoundError(
            errno.ENOENT, "No such file", "/a/b"
        ): "/a/b: No such file; what finished is kept; then: again",
    }
    for error, message in expected.items():
        with pytest.raises(JournalError) as caught, writing(tmp_path, "again"):
            raise error
        assert str(caught.value) == message


def test_a_file_that_was_given_up_is_completed_without_noise(caplog: pytest.LogCaptureFixture) -> None:
    answer: Future[dict[str, Any]] = Future()
    row = ScanRow(
        path="a.png", sha256=None, size=None, type="image", format="PNG", duplicate_of=None, detections=(), error=None
    )
    done = _completed(Identified(Found(0, b"a.png", None)), row, answer)
    done.cancel()  # as at Ctrl-C
    answer.set_result({"notes": ["an animation"]})
    assert caplog.text == ""
    assert done.result().notes == ("an animation",)


@pytest.mark.slow
def test_a_scan_whose_reader_left_stops_and_says_how_to_go_on(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(300):
        (folder / f"{number}.txt").write_text(f"text {number}")
    command = [sys.executable, "-m", "guardrails", "scan", str(folder), "--detectors", "deepfake.metadata"]
    line = f"set -o pipefail; {shlex.join([*command, '--out', str(tmp_path / 'run'), '--format', 'jsonl'])} | head -1"
    done = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 5
    assert done.stderr.splitlines()[-1].startswith(
        "standard output was closed; what finished is kept; then: guardrails"
    )
    assert len(done.stdout.splitlines()) == 1


FILLS = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
from guardrails.cli import main
main(sys.argv[2:])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits of file sizes here")
@pytest.mark.parametrize("size", [0, 20_000])
def test_a_disk_that_fills_advises_nothing_that_is_refused(size: int, tmp_path: Path) -> None:
    (tmp_path / "texts.jsonl").write_text('{"text": "some words that a model wrote"}\n' * 50)
    words = ["audit", "jsonl:texts.jsonl", "--probes", "quality.collapse", "--budget", "quick", "--out", "run"]
    done = subprocess.run(
        [sys.executable, "-c", FILLS, str(size), *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    assert done.returncode in (2, 5), done.stderr
    if "--resume" in done.stderr:
        again = subprocess.run(
            [sys.executable, "-m", "guardrails", "audit", "--resume", "run"],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
    else:
        again = subprocess.run(
            [sys.executable, "-m", "guardrails", *words], cwd=tmp_path, capture_output=True, text=True, check=False
        )
    assert again.returncode in (0, 1, 3, 4), again.stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits of file sizes here")
@pytest.mark.parametrize(
    ("size", "command", "again"),
    [
        (100, "generate ar-molecules -n 300", "out is not complete: free some space, and start again with a new --out"),
        (3000, "index texts.jsonl", "free some space, and give the same command again"),
    ],
)
def test_a_disk_that_fills_under_a_new_folder_is_named(size: int, command: str, again: str, tmp_path: Path) -> None:
    (tmp_path / "texts.jsonl").write_text('{"text": "some words that a model wrote"}\n' * 200)
    words = [*command.split(), "--out", "out"]
    done = subprocess.run(
        [sys.executable, "-c", FILLS, str(size), *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 5
    why = "(File too large|not all of a file could be written)"
    assert re.fullmatch(rf"out\S*: {why}; {re.escape(again)}", done.stderr.splitlines()[-1])
    if words[0] == "index":
        second = subprocess.run(
            [sys.executable, "-m", "guardrails", *words], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert second.returncode == 0, second.stderr
