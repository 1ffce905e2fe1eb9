"""Worker processes that may die: each file's answer, in the order of the files, whatever a decoder does."""

from __future__ import annotations

import json
import os
import subprocess
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Self, TypeVar

from ...core.errors import ConfigurationError, TargetError
from ..child_process import command, search_path
from .watch import PATIENCE, Patience, Watch, memory_each

A = TypeVar("A")
B = TypeVar("B")

QUIET = {"OPENCV_LOG_LEVEL": "SILENT", "OPENCV_FFMPEG_LOGLEVEL": "-8"}
"""Of damaged videos OpenCV and FFmpeg say a line or more each."""
MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(256 << 20), "MALLOC_MMAP_THRESHOLD_": str(32 << 20)}
"""glibc would hand each picture's memory back and ask for it again: a third of the time of a small detector."""
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")


class Crashed(Exception):  # noqa: N818  what became of one file, not a failure of the scan
    """A worker died, or was ended because it hung, over one task."""


class Worker:
    """One process that answers tasks; a new one takes the place of one that died.

    Parameters
    ----------
    detectors : sequence of str
        What it loads.
    memory : int, optional
        Bytes that it may need for one task.
    """

    def __init__(self, detectors: Sequence[str], memory: int | None = None) -> None:
        self.detectors, self.memory = list(detectors), memory
        self._process: subprocess.Popen[str] | None = None

    def ask(
        self,
        task: dict[str, Any],
        patience: Patience = PATIENCE["image"],
        told: Callable[[int], None] | None = None,
    ) -> dict[str, Any]:
        """Return the answer to a task; `told` hears how many items of a control were shown.

        Raises
        ------
        Crashed
            Where the process died over it, or was ended: it did not answer in time, or needed too much memory.
        ConfigurationError
            Where a detector cannot be loaded.
        TargetError
            Where no process can be started.
        """
        process = self._process or self._start()
        with Watch(process.pid, process.kill, patience, self.memory) as watch:
            answer = _exchange(process, json.dumps(task))
            while answer is not None and ("shown" in answer or "live" in answer):
                watch.live()
                if told is not None and "shown" in answer:
                    told(answer["shown"])
                answer = _exchange(process, None)
        if answer is None:
            code = self.close()
            raise Crashed(watch.reason or f"the decoder crashed{_ended(code)}")
        return answer

    def _start(self) -> subprocess.Popen[str]:
        """Start a process that finds what this one finds. Not a fork: nothing of this process can be in its way."""
        environment = os.environ | dict.fromkeys(THREADS, "1") | QUIET | MEMORY | search_path()
        self._process = process = subprocess.Popen(
            command("guardrails.assay.scan.worker", json.dumps(self.detectors)),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="ascii", env=environment,
        )  # fmt: skip
        ready = _exchange(process, None)
        if ready is None:
            raise TargetError(f"a worker process could not start{_ended(self.close())}; its reason is above")
        if "problem" in ready:
            self.close()
            raise ConfigurationError(ready["problem"])
        return process

    def kill(self) -> None:
        """End the process in the middle of its work; the task that it does is `Crashed`."""
        process = self._process
        if process is not None:
            process.kill()

    def close(self) -> int | None:
        """End the process; return its exit status."""
        process, self._process = self._process, None
        if process is None:
            return None
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(OSError):  # it is dead already
            process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        return process.returncode


def _exchange(process: subprocess.Popen[str], line: str | None) -> dict[str, Any] | None:
    """Send a line, where there is one, and return the answer, or None where the process is gone."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if line is not None:
            process.stdin.write(line + "\n")
            process.stdin.flush()
        answer: dict[str, Any] = json.loads(process.stdout.readline())
    except (OSError, ValueError):  # a broken pipe; no line, or half of one
        return None
    return answer


def _ended(code: int | None) -> str:
    if not code:
        return ""
    return f" (signal {-code})" if code < 0 else f" (exit status {code})"


class Pool:
    """Worker processes behind threads.

    Parameters
    ----------
    detectors : sequence of str
    workers : int
    """

    def __init__(self, detectors: Sequence[str], workers: int) -> None:
        self.size = workers
        self._workers = [Worker(detectors, memory_each(workers)) for _ in range(workers)]
        self._free: SimpleQueue[Worker] = SimpleQueue()
        for worker in self._workers:
            self._free.put(worker)
        self._threads = ThreadPoolExecutor(workers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        if kind is not None:  # nobody waits for what they still do
            for worker in self._workers:
                worker.kill()
        self._threads.shutdown()
        for worker in self._workers:
            worker.close()

    def ask(self, task: dict[str, Any], patience: Patience = PATIENCE["image"]) -> Future[dict[str, Any]]:
        """Return the answer to come; its exceptions are those of `Worker.ask`."""
        return self._threads.submit(self._ask, task, patience)

    def _ask(self, task: dict[str, Any], patience: Patience) -> dict[str, Any]:
        worker = self._free.get()
        try:
            return worker.ask(task, patience)
        finally:
            self._free.put(worker)


def ordered(begin: Callable[[A], Future[B]], items: Iterable[A], ahead: int) -> Iterator[B]:
    """Yield results in the order of their items, with at most `ahead` of them begun.

    >>> with ThreadPoolExecutor(2) as pool:
    ...     list(ordered(lambda n: pool.submit(pow, n, 2), range(4), ahead=2))
    [0, 1, 4, 9]
    """
    begun: deque[Future[B]] = deque()
    try:
        for item in items:
            begun.append(begin(item))
            if len(begun) >= ahead:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        for future in begun:
            future.cancel()
