"""Batches of the self-check in processes of this machine: those of one source of controls are done in one of them.

Nothing of a batch depends on where it is done. The process that began the run alone plans, writes the journal and
measures.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections import defaultdict, deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread

from ...core.batch import Batch
from ...core.errors import JournalError
from .engine import Collected, Series, one_by_one
from .worker import THREADS, Job, Worker, sendable

MOST = 4
"""Processes, each of which holds the libraries: about half a gigabyte."""
WORTH = 60
"""Fewer batches are done in this process: others take some seconds to start."""

Work = deque[tuple[Series, Batch]]


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Processes:
    """The processes of one run.

    Parameters
    ----------
    job : Job
        Without a target: its series are controls, of which any process can open the sources.
    """

    def __init__(self, job: Job) -> None:
        self._job = job

    def one(self, series: Series, batches: Sequence[Batch]) -> Iterator[Collected]:
        """Do the batches of one series in this process; after one that fails no other is begun."""
        return one_by_one(series, batches)

    def several(self, work: Iterable[tuple[Series, Sequence[Batch]]]) -> Generator[tuple[Series, Collected]]:
        """Do the batches of several series, those of one source in one process; of each series in their order.

        Raises
        ------
        JournalError
            Where a process is lost.
        """
        planned = [(series, list(batches)) for series, batches in work]
        number = min(processors(), MOST)
        if number < 2 or sum(len(batches) for _, batches in planned) < WORTH:
            yield from ((series, done) for series, batches in planned for done in one_by_one(series, batches))
        else:
            yield from self._side_by_side(_by_source(planned), number)

    def _side_by_side(self, sources: deque[Work], number: int) -> Generator[tuple[Series, Collected]]:
        ended: SimpleQueue[tuple[Series, Collected] | BaseException | None] = SimpleQueue()
        children = [_Child(self._job) for _ in range(min(number, len(sources)))]

        def drive(child: _Child) -> None:
            failed: set[str] = set()
            try:
                while True:
                    for series, batch in sources.popleft():
                        if series.name not in failed:
                            done = child.collect(series.name, batch)
                            if done.rows is None:
                                failed.add(series.name)
                            ended.put((series, done))
            except IndexError:  # no source is left
                ended.put(None)
            except BaseException as error:  # which ends the run, in the thread of the caller
                ended.put(error)

        try:
            for child in children:
                Thread(target=drive, args=(child,), name="guardrails batches", daemon=True).start()
            left = len(children)
            while left:
                outcome = ended.get()
                if isinstance(outcome, BaseException):
                    raise outcome
                if outcome is None:
                    left -= 1
                else:
                    yield outcome
        finally:
            for child in children:
                child.close()


class _Child:
    """A process that does batches, one at a time: see `main`."""

    def __init__(self, job: Job) -> None:
        environment = os.environ | dict.fromkeys(THREADS, "1")
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
        with suppress(OSError):  # it is dead already, which the first batch says
            self._send(job)

    def collect(self, series: str, batch: Batch) -> Collected:
        """Do a batch of the series that has this name. Raises what ends the run, JournalError where it is lost."""
        assert self._process.stdout is not None
        try:
            self._send((series, batch))
            done: Collected | BaseException = pickle.load(self._process.stdout)
        except (OSError, EOFError, pickle.UnpicklingError):
            code = self._process.wait()
            raise JournalError(
                f"a process of the self-check ended (status {code}); what finished is kept: use --resume"
            ) from None
        if isinstance(done, BaseException):
            raise done
        return done._replace(batch=batch)

    def _send(self, what: object) -> None:
        assert self._process.stdin is not None
        pickle.dump(what, self._process.stdin)
        self._process.stdin.flush()

    def close(self) -> None:
        """End the process, also in the middle of a batch."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()


def _by_source(planned: Iterable[tuple[Series, Sequence[Batch]]]) -> deque[Work]:
    """Return the batches of each source, the source with the most first: it may take longest."""
    sources: dict[str, Work] = defaultdict(deque)
    for series, batches in planned:
        sources[series.name.partition("|")[2]].extend((series, batch) for batch in batches)
    return deque(sorted((work for work in sources.values() if work), key=len, reverse=True))


def main() -> None:
    """Read a job and then series and batches from standard input, until it ends; write what became of each.

    Ctrl-C, which reaches all processes of a terminal, is left to the one that writes the journal. What a library prints
    goes to standard error.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        job, worker = pickle.load(sys.stdin.buffer), None
        while True:
            try:
                series, batch = pickle.load(sys.stdin.buffer)
            except EOFError:
                return
            try:
                worker = worker or Worker(job)
                done: Collected | BaseException = worker.collect(series, batch)
            except BaseException as error:
                done = sendable(error)
            pickle.dump(done, answers)
            answers.flush()


if __name__ == "__main__":
    main()
