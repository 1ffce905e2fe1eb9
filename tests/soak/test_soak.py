"""The soak sees what it is there to see, and a part of it passes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from guardrails.core.errors import ContentError
from guardrails.kit.text.corpus import iter_documents

from . import inputs, jobs, kills
from .child import INTERRUPTED, Child, Ended
from .jobs import Job, Result, Undisturbed, files
from .judge import compared
from .lanes import in_lanes
from .moving import disturb
from .mutate import mutated
from .plan import Task
from .readers import Reader
from .tally import BEGIN, END, Attempt, table, write_between_markers

MINUTES = "0.5"


def result(folder: Path) -> Result:
    return files(folder, "run/result.json")


def alone(code: int, stored: bytes) -> Undisturbed:
    return Undisturbed(Ended(code, 1.0, "", 0, False), {"files": b"run/result.json", "run/result.json": stored}, Path())


@pytest.mark.parametrize(
    ("code", "output", "stored", "fate"),
    [
        (1, "", b'{"verdict": "fail"}', "recovered"),
        (1, "", b'{"verdict": "fail", "n": 3}', "lost"),
        (0, "", b'{"verdict": "pass"}', "false pass"),
        (1, "Traceback (most recent call last):", b'{"verdict": "fail"}', "crash"),
        (-signal.SIGSEGV, "", b'{"verdict": "fail"}', "crash"),
        (5, "the journal is damaged", b'{"verdict": "fail"}', "refused"),
    ],
)
def test_fates(tmp_path: Path, code: int, output: str, stored: bytes, fate: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "result.json").write_bytes(stored)
    job = Job("job", lambda: 0, lambda: 0, result)
    ended = Ended(code, 1.0, output, 0, False)
    attempt = compared(job, "kind", tmp_path, ended, alone(1, b'{"verdict": "fail"}'), may_refuse=True)
    assert attempt.fate == fate
    assert compared(job, "kind", tmp_path, Ended(1, 1.0, "", 0, True), alone(1, b""), may_refuse=True).fate == "hang"


@pytest.mark.slow
def test_a_job_that_does_not_go_on_as_it_began_is_lost(tmp_path: Path) -> None:
    def write(text: str, code: int = 0) -> Callable[[], int]:
        def work() -> int:
            time.sleep(0.2)
            Path("run").mkdir(exist_ok=True)
            (Path("run") / "journal.sqlite").touch()
            time.sleep(0.2)
            (Path("run") / "result.json").write_text(text)
            return code

        return work

    job = Job("job", write('{"verdict": "fail"}'), write('{"verdict": "pass"}'), result)
    undisturbed = jobs.undisturbed([job], tmp_path / "undisturbed")["job"]
    attempts = [a for i in range(8) for a in kills.killed(job, undisturbed, Random(i), tmp_path / f"{i}")]
    assert len(attempts) > 4
    assert {attempt.fate for attempt in attempts} & {"false pass", "crash"}


def test_a_child_that_stays_is_ended_with_those_that_it_started(tmp_path: Path) -> None:
    def stay() -> int:
        subprocess.Popen(["sleep", "60"])
        time.sleep(60)
        return 0

    ended = Child(stay, tmp_path).wait(1.0)
    assert ended.hung
    assert ended.seconds < 30


@pytest.mark.slow
def test_an_interrupt_before_the_command_begins_is_never_an_end_of_the_command(tmp_path: Path) -> None:
    codes = set()
    for _ in range(50):
        child = Child(lambda: time.sleep(60) or 0, tmp_path)
        child.signal_at(0, signal.SIGINT)
        codes.add(child.wait(60.0).code)
    assert codes == {INTERRUPTED}


def test_a_signal_before_the_command_begins_is_no_crash_and_one_that_leaks_out_of_it_is(tmp_path: Path) -> None:
    def before() -> int:
        raise KeyboardInterrupt

    def within() -> int:
        list(iter_documents(broken))  # type: ignore[arg-type]
        return 0

    class Broken:
        def __fspath__(self) -> str:
            raise KeyboardInterrupt

    broken = Broken()
    assert Child(before, tmp_path).wait(60.0).code == INTERRUPTED
    leaked = Child(within, tmp_path).wait(60.0)
    assert leaked.code == 99
    assert "Traceback" in leaked.output


def read(path: Path) -> object:
    match path.name:
        case "refused":
            raise ContentError("no")
        case "broken":
            raise ZeroDivisionError
        case "fatal":
            os.kill(os.getpid(), signal.SIGKILL)
        case "endless":
            time.sleep(60)
        case "large":
            return bytearray(1 << 40)
    return None


@pytest.mark.slow
def test_damaged_inputs_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "SECONDS", 1)
    names = ("fine", "refused", "broken", "fatal", "endless", "large")
    sound = []
    for name in names:
        (tmp_path / name).write_bytes(b"1, 2, 3")
        sound.append(tmp_path / name)
    done = inputs.attempts(Reader("kind", lambda _: sound, read), sound, 40, Random(0), tmp_path / "in")
    assert len(done) == 40
    assert {attempt.fate for attempt in done} == {"recovered", "refused", "crash", "hang"}
    for word in ("ZeroDivisionError", "MemoryError", "fatal: -9"):
        assert any(word in attempt.detail for attempt in done), word


def test_damage_is_the_same_for_the_same_seed_and_differs_from_the_sound_input() -> None:
    data = bytes(range(256)) * 4
    damaged = [mutated(data, [data[::-1]], Random(i)) for i in range(200)]
    assert damaged == [mutated(data, [data[::-1]], Random(i)) for i in range(200)]
    assert sum(one != data for one in damaged) > 190


def test_the_table_stands_between_its_markers(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    lines = table([Attempt("a", "recovered", 2 << 20), Attempt("a", "lost"), Attempt("b", "hang")])
    assert lines[2:] == ["| a | 2 | 1 | 0 | 1 | 0 | 0 | 0 | 2 MB |", "| b | 1 | 0 | 0 | 0 | 0 | 0 | 1 | 0 MB |"]
    write_between_markers(page, lines)
    assert page.read_text() == "\n".join(["before", BEGIN, *lines, END, "after", ""])
    with pytest.raises(ValueError, match="has no"):
        write_between_markers(page, lines, begin="<!-- other -->")


def test_each_task_is_done_once(tmp_path: Path) -> None:
    def task(name: str) -> Task:
        return Task(name, lambda rng, folder: [Attempt(name, "recovered", rng.randrange(100))])

    tasks = [task(f"{i}") for i in range(9)]
    done = in_lanes(tasks, 0, tmp_path, time.monotonic() + 60)
    assert sorted(attempt.kind for attempt in done) == [f"{i}" for i in range(9)]
    assert in_lanes(tasks, 0, tmp_path, time.monotonic() - 1) == []


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the soak forks, and reads /proc")
def test_a_part_of_the_soak_passes(repository: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.soak", "--minutes", MINUTES, "--keep", str(tmp_path)]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "| SIGKILL, " in done.stdout
    assert "| damaged inputs, " in done.stdout


def test_a_file_that_became_a_pipe_is_not_disturbed_again(tmp_path: Path) -> None:
    pipe = tmp_path / "a.png"
    os.mkfifo(pipe)
    for seed in range(40):
        disturb(pipe, Random(seed))
    assert pipe.is_fifo()
