"""An audit on a Ray cluster: batches are tasks. This process alone plans, writes the journal and measures.

Nothing of a batch depends on where, when or beside what it is done, so that a run begun here can be resumed there.
"""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...core.batch import Batch
from ...core.errors import ConfigurationError, JournalError
from ...targets import CHAT, ENDPOINTS
from ..cluster import connect, imported_ray
from ..sources import all_versions, sources_sha256
from .engine import Collected, Series
from .plan import OBJECT, Settings
from .worker import Code, Job, Worker, differs, other_code, sendable

TRIES = 4
"""How often a batch is begun whose worker dies: it may be what kills it."""

ANSWERS = 120.0
"""Seconds for a node to say which code it has: its first worker may have to start."""
LOOK, GONE = 5.0, 60.0
"""Seconds from one look at the nodes to the next, and without a logical CPU until the cluster counts as lost."""

_worker: dict[str, Worker] = {}
"""The worker of this process, by the id of its run."""


def connected(settings: Settings) -> Any:
    """Return the module ``ray``, connected to a cluster, for a run that can be shared.

    Raises
    ------
    ConfigurationError
        Where the target exists in one process only, or there is no cluster.
    MissingExtraError
        Where Ray is not installed.
    """
    target = settings.target or ""
    scheme = target.removeprefix(CHAT).partition(":")[0]
    why = None
    if target.startswith(OBJECT):
        why = "a Python object exists in this process only; name the target, as in hf:FOLDER"
    elif scheme == "python":
        why = "the code of a callable exists in this process only"
    elif scheme in ENDPOINTS:
        why = "its budget and its answers are counted in this process; --concurrency sends more requests at a time"
    if why:
        raise ConfigurationError(f"the engine 'ray' cannot share {target}: {why}. Use the engine 'local'")
    ray = imported_ray("ray.util.scheduling_strategies")
    if not any(cpus >= 1 for cpus in connect(ray)):
        raise ConfigurationError("no node of the Ray cluster has a logical CPU; start one with --num-cpus 1 or more")
    _check_nodes(ray, Code(sources_sha256(), all_versions()))
    return ray


def _check_nodes(ray: Any, code: Code) -> None:
    """Raise ConfigurationError where a node has other code than this process; one that does not answer is left out."""
    on = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
    task = ray.remote(num_cpus=0, max_retries=0)(_code_of_node())
    nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]
    asked = [
        (n["NodeManagerHostname"], task.options(scheduling_strategy=on(n["NodeID"], soft=False)).remote())
        for n in nodes
    ]
    for name, ref in asked:
        try:
            there = ray.get(ref, timeout=ANSWERS)
        except ray.exceptions.RayError:  # it died, or has no room yet: each worker looks again before its first batch
            continue
        if other := there if isinstance(there, str) else other_code(code, Code(*there)):
            raise differs(name, other)


def _code_of_node() -> Callable[[], tuple[str, dict[str, str]] | str]:
    """Return a function that a node can run without guardrails: a function in a function is sent whole."""
    package = __package__.rpartition(".")[0]

    def code() -> tuple[str, dict[str, str]] | str:
        from importlib import import_module

        try:
            module = import_module(f"{package}.sources")
            return module.sources_sha256(), module.all_versions()
        except Exception as error:
            return f"its guardrails cannot be used ({type(error).__name__}: {error})"

    return code


@dataclass(frozen=True)
class _Task:
    """A batch of a series, and how often it was begun."""

    series: Series
    batch: Batch
    begun: int = 0


class Cluster:
    """The tasks of one run.

    Parameters
    ----------
    ray : module
        From `connected`.
    job : Job

    Raises
    ------
    ConfigurationError
        Where data that were given as Python objects cannot be sent.
    """

    def __init__(self, ray: Any, job: Job) -> None:
        self._ray, self._id = ray, job.id
        self._collect = ray.remote(num_cpus=1, max_retries=0)(_collect)  # retries are counted here
        try:
            self._job = ray.put(job)
        except (TypeError, AttributeError, ValueError, pickle.PicklingError) as error:
            names, why = ", ".join(job.data), _line(error.__cause__ or error)
            raise ConfigurationError(f"{names} cannot be sent to other processes ({why}); give a path") from None

    def one(self, series: Series, batches: Sequence[Batch]) -> Iterator[Collected]:
        """Do the batches of one series; after one that fails no other is begun."""
        return (done for _, done in self.several([(series, batches)]))

    def several(self, work: Iterable[tuple[Series, Sequence[Batch]]]) -> Generator[tuple[Series, Collected]]:
        """Do the batches of several series side by side; of each series they are begun in their order.

        Raises
        ------
        ConfigurationError
            Where a node does not have what the run began with.
        JournalError
            Where the cluster is lost.
        """
        failed: set[str] = set()
        waiting = (_Task(s, batch) for s, batches in work for batch in batches if s.name not in failed)
        again: deque[_Task] = deque()
        under_way: dict[Any, _Task] = {}
        try:
            while True:
                while len(under_way) < self._room() and (task := again.popleft() if again else next(waiting, None)):
                    under_way[self._begin(task)] = replace(task, begun=task.begun + 1)
                if not under_way:
                    return
                ref = self._ended(list(under_way))
                task = under_way.pop(ref)
                done = self._outcome(ref, task)
                if done is None:
                    again.append(task)
                    continue
                if done.rows is None:
                    failed.add(task.series.name)
                yield task.series, done
        except (ConnectionError, self._ray.exceptions.RayError) as error:
            raise JournalError(
                f"the Ray cluster was lost ({_line(error)}); what finished is kept: use --resume"
            ) from None
        finally:
            for ref in under_way:
                self._cancel(ref)

    def _ended(self, refs: list[Any]) -> Any:
        """Wait for one of the tasks. Raises ConnectionError where no node is left that could do them."""
        waited = 0.0
        while True:
            ready, _ = self._ray.wait(refs, num_returns=1, timeout=LOOK)
            if ready:
                return ready[0]
            waited = 0.0 if self._cpus() else waited + LOOK
            if waited >= GONE:
                raise ConnectionError("no node has a logical CPU any more")

    def _cpus(self) -> int:
        return int(self._ray.cluster_resources().get("CPU", 0))

    def _room(self) -> int:
        """Return how many tasks are handed out at a time: enough that no worker waits."""
        return 2 * max(1, self._cpus())

    def _begin(self, task: _Task) -> Any:
        return self._collect.remote(self._id, [self._job], task.series.name, task.batch)

    def _outcome(self, ref: Any, task: _Task) -> Collected | None:
        """Return what became of a task, or None where its worker died and it is to be begun again."""
        errors = self._ray.exceptions
        try:
            done: Collected | BaseException = self._ray.get(ref)
        except errors.RayError as error:
            cause = getattr(error, "cause", None)
            if isinstance(error, errors.RayTaskError) and not isinstance(cause, errors.RayError):
                raise sendable(cause or error) from None
            if task.begun < TRIES:
                return None
            why = f"its batch {task.batch.index} was given up: the worker died {TRIES} times over it ({_line(error)})"
            return Collected(task.batch, None, why)
        if isinstance(done, BaseException):  # what would end a run here
            raise done
        return done._replace(batch=task.batch)

    def _cancel(self, ref: Any) -> None:
        try:
            self._ray.cancel(ref)  # with force=True Ray can abort this process, when the task ends at that moment
        except (ConnectionError, RuntimeError, ValueError, self._ray.exceptions.RayError):
            return  # it has ended, or the cluster has


def _collect(id: str, job: Sequence[Any], series: str, batch: Batch) -> Collected | BaseException:
    """Do a batch in a worker process, which opens the target once a run; return what ends the run."""
    import ray

    try:
        if id not in _worker:
            _worker.clear()
            _worker[id] = Worker(ray.get(job[0]))
        return _worker[id].collect(series, batch)
    except (KeyboardInterrupt, ray.exceptions.RayError):  # cancelled, or the job was on a node that died
        raise
    except BaseException as error:
        return sendable(error)


def _line(error: BaseException) -> str:
    """Return the first sentence of what Ray says, which is a page."""
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return line.partition(". ")[0].rstrip(".")[:200]
