"""The self-check in processes of this machine: what is done with one source of controls is done in one of them.

Nothing depends on where it is done. The process that began the run alone plans and writes the journal.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, Generic, Literal, Self, TypeVar

from ...core.batch import Batch, Row
from ...core.errors import JournalError
from ..child_process import command, search_path
from ..resume import resume_command
from .engine import Collected, Measured, Series, one_by_one
from .worker import THREADS, Job, Planned, Worker, sendable

MOST = 4
"""Processes, each of which holds the libraries: about half a gigabyte."""
WORTH = 8
"""Fewer series are done in this process: others take some seconds to start."""
READY = b"guardrails is ready\n"
"""What a process writes before its first answer. What stands before it was printed as Python started."""

T = TypeVar("T")
Done = TypeVar("Done")


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Processes:
    """The processes of one run, which end with the context.

    Parameters
    ----------
    job : Job
        Without a target: its series are controls, of which any process can open the sources.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._children: list[_Child] = []
        self._done_by: dict[str, _Child] = {}
        self._opened_by: dict[str, set[_Child]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for child in self._children:
            child.close()

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
        planned = [(series, batches) for series, batches in work if batches]
        sources = Sources(_by_source(planned), self._opened_by)
        self._start(len(planned), len(sources))
        if not self._children:
            yield from ((series, done) for series, batches in planned for done in one_by_one(series, batches))
            return

        def collect(child: _Child, series: Series, batches: Sequence[Batch]) -> Iterator[Collected]:
            self._done_by[_source(series)] = child
            for batch in batches:
                yield (done := child.collect(series.name, batch))
                if done.rows is None:
                    return

        yield from self._side_by_side(sources, collect)

    def planned(self, work: Iterable[Series]) -> Generator[tuple[Series, Planned | None]]:
        """Plan several series and say what they are of; nothing where there are too few of them.

        Raises
        ------
        JournalError
            Where a process is lost.
        """
        sources = Sources(_by_source((series, None) for series in work), self._opened_by)
        self._start(sources.series, len(sources))

        def plan(child: _Child, series: Series, _: None) -> Iterator[Planned | None]:
            yield child.plan(series.name)

        yield from self._side_by_side(sources, plan)

    def _start(self, series: int, sources: int) -> None:
        """Start the processes, unless they run or there is too little to do."""
        number = min(processors(), MOST, sources)
        if not self._children and number > 1 and series >= WORTH:
            self._children = [_Child(self._job) for _ in range(number)]

    def measured(self, work: Iterable[tuple[Series, Sequence[Row]]]) -> Generator[tuple[Series, Measured]]:
        """Measure finished series, each in the process that has its source open; leave out those that none has.

        Raises
        ------
        JournalError
            Where a process is lost.
        """
        series_of = _by_source((series, rows) for series, rows in work if _source(series) in self._done_by)

        def measure(child: _Child, series: Series, rows: Sequence[Row]) -> Iterator[Measured]:
            yield child.measure(series.name, rows)

        yield from self._side_by_side(Sources(series_of, self._opened_by, self._done_by), measure)

    def _side_by_side(
        self, sources: Sources[T], work: Callable[[_Child, Series, T], Iterator[Done]]
    ) -> Generator[tuple[Series, Done]]:
        ended: SimpleQueue[tuple[Series, Done] | BaseException | None] = SimpleQueue()

        def drive(child: _Child) -> None:
            try:
                while some := sources.next(child):
                    for series, what in some:
                        for done in work(child, series, what):
                            ended.put((series, done))
                ended.put(None)
            except BaseException as error:  # which ends the run, in the thread of the caller
                ended.put(error)

        for child in self._children:
            Thread(target=drive, args=(child,), name="guardrails batches", daemon=True).start()
        left = len(self._children)
        while left:
            outcome = ended.get()
            if isinstance(outcome, BaseException):
                raise outcome
            if outcome is None:
                left -= 1
            else:
                yield outcome


class Sources(Generic[T]):
    """Sources of controls and what is to be done with them, the one of most series first: it may take longest.

    Parameters
    ----------
    work : mapping
        By source.
    opened_by : dict
        By generator, the processes that have sources of it open. It is kept up to date.
    done_by : mapping, optional
        The processes that have sources open: no other gets these.
    """

    def __init__(
        self,
        work: Mapping[str, list[tuple[Series, T]]],
        opened_by: dict[str, set[_Child]],
        done_by: Mapping[str, _Child] | None = None,
    ) -> None:
        self._work = dict(sorted(work.items(), key=lambda item: len(item[1]), reverse=True))
        self._done_by = done_by or {}
        self._opened_by = opened_by
        self._lock = Lock()

    @property
    def series(self) -> int:
        """How many series there are of all sources."""
        return sum(map(len, self._work.values()))

    def __len__(self) -> int:
        return len(self._work)

    def next(self, child: _Child) -> list[tuple[Series, T]] | None:
        """Return the work of a next source.

        One that the process has open, else of a generator of which it has one, else of one that no other process has:
        two doses of a generator share its corpus, and what probes build of it.
        """
        with self._lock:
            free = [source for source in self._work if self._done_by.get(source, child) is child]
            if not free:
                return None
            source = max(free, key=lambda source: self._nearness(source, child))
            child.sources.add(source)
            self._opened_by.setdefault(generator(source), set()).add(child)
            return self._work.pop(source)

    def _nearness(self, source: str, child: _Child) -> tuple[bool, bool, bool]:
        have = self._opened_by.get(generator(source), set())
        return source in child.sources, child in have, not have


def generator(source: str) -> str:
    """Return the generator that a source of controls is made by.

    >>> generator("canaries:gpt-text,memorize=1")
    'gpt-text'
    """
    return source.partition(":")[2].partition(",")[0]


class _Child:
    """A process that does one thing at a time, and the sources that it has open: see `main`."""

    def __init__(self, job: Job) -> None:
        self.sources: set[str] = set()
        self._job, self._ready = job, False
        environment = os.environ | dict.fromkeys(THREADS, "1") | search_path()
        with _deaf_to_ctrl_c():
            self._process = subprocess.Popen(
                command(__name__), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
            )
        with suppress(OSError):  # it is dead already, which the first batch says
            self._send(job)

    def collect(self, series: str, batch: Batch) -> Collected:
        """Do a batch of the series that has this name. Raises what ends the run, JournalError where it is lost."""
        done: Collected = self._answer("collect", series, batch)
        return done._replace(batch=batch)

    def plan(self, series: str) -> Planned | None:
        """Plan the series of a control that has this name. Raises as `collect`."""
        done: Planned | None = self._answer("plan", series)
        return done

    def measure(self, series: str, rows: Sequence[Row]) -> Measured:
        """Measure the rows of the series that has this name. Raises as `collect`."""
        done: Measured = self._answer("measure", series, rows)
        return done

    def _answer(self, method: Literal["plan", "collect", "measure"], series: str, *arguments: object) -> Any:
        try:
            self._send((method, series, arguments))
            answer = self._received()
        except (OSError, EOFError, pickle.UnpicklingError):
            raise self._lost() from None
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _received(self) -> Any:
        assert self._process.stdout is not None
        while not self._ready:
            line = self._process.stdout.readline()
            if not line:
                raise EOFError
            self._ready = line.endswith(READY)
        return pickle.load(self._process.stdout)

    def _lost(self) -> JournalError:
        self._process.kill()  # one that lives and cannot be understood would be waited for without end
        code = self._process.wait()
        how = f"by signal {-code} ({signal.strsignal(-code)})" if code < 0 else f"with code {code}"
        again = resume_command(self._job.settings, self._job.folder)
        return JournalError(f"a process of the self-check ended {how}; what finished is kept; resume with: {again}")

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


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Block SIGINT in what is started here: it would write a traceback while it imports, before `main` ignores it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _by_source(work: Iterable[tuple[Series, T]]) -> dict[str, list[tuple[Series, T]]]:
    sources: dict[str, list[tuple[Series, T]]] = defaultdict(list)
    for series, what in work:
        sources[_source(series)].append((series, what))
    return sources


def _source(series: Series) -> str:
    return series.name.partition("|")[2]


def main() -> None:
    """Read a job and then batches and rows of series from standard input, until it ends; write what became of each.

    Ctrl-C, which reaches all processes of a terminal, is left to the one that writes the journal. What a library prints
    goes to standard error.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        answers.write(READY)
        answers.flush()
        job, worker = pickle.load(sys.stdin.buffer), None
        while True:
            try:
                method, series, arguments = pickle.load(sys.stdin.buffer)
            except EOFError:
                return
            try:
                worker = worker or Worker(job)
                done = getattr(worker, method)(series, *arguments)
            except BaseException as error:
                done = sendable(error)
            pickle.dump(done, answers)
            answers.flush()


if __name__ == "__main__":
    main()
