"""Workers that take too long, too much memory, or go on when nobody waits for them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guardrails.assay.scan import pool as scan_pool
from guardrails.assay.scan import watch as scan_watch
from guardrails.assay.scan.pool import Crashed, Pool, Worker
from guardrails.assay.scan.watch import LEAST_MEMORY, Patience, Watch, anonymous_memory, memory_each
from guardrails.kit.progress import listening, step

from ..scan_plugin import picture, rows

pytestmark = [
    pytest.mark.usefixtures("plugin"),
    pytest.mark.skipif(sys.platform != "linux", reason="memory of another process is read from /proc"),
]
SHORT, LONG = Patience(60, 60), Patience(600, 600)


def task(path: Path, modality: str | None = "image") -> dict[str, Any]:
    return {"do": "examine", "path": str(path), "modality": modality, "format": "PNG"}


@pytest.fixture
def black(tmp_path: Path) -> Path:
    path = tmp_path / "black.png"
    path.write_bytes(picture(0))
    return path


@pytest.mark.slow
def test_a_file_that_needs_too_much_memory_is_a_row_and_the_next_one_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from guardrails.assay.scan.run import run_scan

    monkeypatch.setattr(scan_pool, "memory_each", lambda workers: 300 << 20)
    (tmp_path / "in").mkdir()
    for i, value in enumerate([90, 0, 120]):
        (tmp_path / "in" / f"{i}.png").write_bytes(picture(value))
    run = tmp_path / "run"
    run_scan([str(tmp_path / "in")], detectors=["own.greedy"], out=run, workers=1)
    assert [row["error"] for row in rows(run)] == [None, "it needs more memory than the limit of 0.3 GiB", None]


@pytest.mark.slow
def test_what_gets_on_is_not_ended_and_what_does_not_is(tmp_path: Path) -> None:
    path = tmp_path / "grey.png"
    path.write_bytes(picture(90))
    white = tmp_path / "white.png"
    white.write_bytes(picture(255))
    steady, deadly = Worker(["own.steady"]), Worker(["own.deadly"])
    try:
        for worker in (steady, deadly):
            worker.ask(task(path, None), LONG)
        assert steady.ask(task(path), Patience(2.5, 60))["detections"][0]["score"]
        with pytest.raises(Crashed, match="it took longer than 1 s"):
            steady.ask(task(path), Patience(60, 1))
        with pytest.raises(Crashed, match="it did not get on for 1 s"):
            deadly.ask(task(white), Patience(1, 60))
    finally:
        steady.close()
        deadly.close()


@pytest.mark.slow
def test_a_scan_that_is_broken_off_waits_for_no_busy_worker(tmp_path: Path) -> None:
    white = tmp_path / "white.png"
    white.write_bytes(picture(255))
    asked: list[Any] = []

    def broken_off() -> None:
        with Pool(["own.deadly"], 1) as pool:
            pool.ask(task(white, None)).result()
            asked.append(pool.ask(task(white)))
            time.sleep(0.5)
            raise KeyboardInterrupt

    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert time.monotonic() - begun < 50  # the detector sleeps for a minute
    with pytest.raises(Crashed):
        asked[0].result()


@pytest.mark.slow
def test_a_busy_worker_does_not_outlive_the_scan(tmp_path: Path) -> None:
    white = tmp_path / "white.png"
    white.write_bytes(picture(255))
    script = """
import sys
from guardrails.assay.scan.pool import Worker
worker = Worker(["own.deadly"])
worker.ask({"do": "examine", "path": sys.argv[1], "modality": None, "format": "PNG"})
print(worker._process.pid, flush=True)
worker.ask({"do": "examine", "path": sys.argv[1], "modality": "image", "format": "PNG"})
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    scan = subprocess.Popen([sys.executable, "-c", script, str(white)], stdout=subprocess.PIPE, env=environment)
    assert scan.stdout is not None
    with scan.stdout:
        worker = int(scan.stdout.readline())
        time.sleep(0.5)
        os.kill(worker, signal.SIGINT)  # as a terminal sends it to all: the scan decides, not its workers
        time.sleep(0.5)
        assert scan.poll() is None
        scan.kill()
        scan.wait()
    deadline = time.monotonic() + 20
    while Path(f"/proc/{worker}").exists() and "Z" not in Path(f"/proc/{worker}/stat").read_text().split(")")[1]:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_memory_of_its_own_is_seen_and_that_of_files_is_not() -> None:
    before = anonymous_memory(os.getpid())
    taken = np.ones(8_000_000)
    after = anonymous_memory(os.getpid())
    assert before is not None
    assert after is not None
    assert 50e6 < after - before < 80e6
    assert taken[0] == 1
    assert anonymous_memory(2**30) is None


@pytest.mark.parametrize(
    ("workers", "group", "expected"), [(1, "max", None), (4, "40000000000", 7.5e9), (9, "1000", 4)]
)
def test_each_worker_has_its_share_of_the_machine(
    workers: int, group: str, expected: float | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text(group + "\n")
    monkeypatch.setattr(scan_watch, "GROUP", limit)
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 2**24}.__getitem__)
    share = 2**36 * 0.75 if expected is None else expected
    assert memory_each(workers) == (share if expected != 4 else LEAST_MEMORY)


def test_a_watch_ends_what_it_watches_once_and_says_why() -> None:
    ended: list[float] = []
    with Watch(os.getpid(), lambda: ended.append(time.monotonic()), Patience(0.2, 9), None) as watch:
        for _ in range(6):
            time.sleep(0.1)
            watch.live()
        assert not ended
        time.sleep(0.6)
    assert watch.reason == "it did not get on for 0 s"
    assert len(ended) == 1
    assert threading.active_count() < 50


def test_steps_are_heard_while_somebody_listens() -> None:
    heard: list[int] = []
    step()
    with listening(lambda: heard.append(1)):
        step()
        with listening(lambda: heard.append(2)):
            step()
        step()
    step()
    assert heard == [1, 2, 1]
