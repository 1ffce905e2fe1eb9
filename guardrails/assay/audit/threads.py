"""Batches in this process: one after the other, or several at a time in threads where the target allows it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from queue import Empty, SimpleQueue
from threading import Event, Thread

from ...core.batch import Batch
from ...core.errors import ConfigurationError
from .engine import Collected, Series, collected, one_by_one

MOST = 64


def in_this_process(series: Series, batches: Sequence[Batch]) -> Iterator[Collected]:
    """Do batches, as many at a time as the target says in `concurrent_batches`; one where it says nothing."""
    at_once = min(concurrent_batches(series.subject().target), len(batches)) if batches else 0
    return in_threads(series, batches, at_once) if at_once > 1 else one_by_one(series, batches)


def concurrent_batches(target: object) -> int:
    """Return how many batches may be asked of a target at the same time.

    Raises
    ------
    ConfigurationError
        Where what the target says is no number from 1 to 64.
    """
    number = getattr(target, "concurrent_batches", 1)
    if type(number) is not int or not 1 <= number <= MOST:
        raise ConfigurationError(
            f"{getattr(target, 'name', 'the target')}: concurrent_batches is {number!r}; a whole number from 1 to"
            f" {MOST} is needed"
        )
    return number


def in_threads(series: Series, batches: Sequence[Batch], at_once: int) -> Iterator[Collected]:
    """Do batches in threads; after one that fails no other is begun, and those under way are finished.

    The first is done alone, so that what a probe makes once, as an index of the corpus, is there for the others.
    Where the caller is interrupted, it is given what has finished by then. The threads are daemons: a batch under way
    keeps no process from ending.
    """
    first, *others = batches
    done = collected(series, first)
    yield done
    if done.rows is None:
        return
    waiting, ended, stop = deque(others), SimpleQueue[Collected | BaseException | None](), Event()

    def work() -> None:
        while not stop.is_set():
            try:
                batch = waiting.popleft()
            except IndexError:
                break
            try:
                outcome = collected(series, batch)
            except BaseException as error:  # which ends the run, in the thread of the caller
                stop.set()
                ended.put(error)
                break
            if outcome.rows is None:
                stop.set()
            ended.put(outcome)
        ended.put(None)

    threads = [Thread(target=work, name=f"guardrails batches {i}", daemon=True) for i in range(at_once)]
    error: BaseException | None = None
    try:
        for thread in threads:
            thread.start()
        left = len(threads)
        while left:
            outcome = ended.get()
            if isinstance(outcome, BaseException):
                error = error or outcome
            elif outcome is None:
                left -= 1
            else:
                yield outcome
    except KeyboardInterrupt:
        stop.set()
        yield from finished(ended)
        raise
    finally:
        stop.set()
    if error is not None:
        raise error


def finished(ended: SimpleQueue[Collected | BaseException | None]) -> Iterator[Collected]:
    """Yield the batches that have finished, without waiting for others."""
    while True:
        try:
            outcome = ended.get_nowait()
        except Empty:
            return
        if isinstance(outcome, Collected):
            yield outcome
