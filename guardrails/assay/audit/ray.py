"""An audit on a Ray cluster: batches are tasks. This process alone plans, writes the journal and measures.

Nothing of a batch depends on where, when or beside what it is done, so that a run begun here can be resumed there.
"""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from ...core.batch import Batch
from ...core.errors import ConfigurationError, JournalError
from ...targets import CHAT, ENDPOINTS
from ..cluster import connect, imported_ray
from ..sources import all_versions, sources_sha256
from .engine import Collected, Series
from .inputs import Records
from .plan import DATA, OBJECT, Settings
from .scope import Scope
from .worker import Job, Worker

TRIES = 4
"""How often a batch is begun whose worker dies: it may be what kills it."""

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
    ray = imported_ray()
    if not any(cpus >= 1 for cpus in connect(ray)):
        raise ConfigurationError("no node of the Ray cluster has a logical CPU; start one with --num-cpus 1 or more")
    return ray


def job_of(scope: Scope, folder: Path, identity: Mapping[str, str], inputs: Records) -> Job:
    """Return a run as a worker is told of it."""
    given = [name for name in DATA if (getattr(scope.settings, name) or "").startswith(OBJECT)]
    return Job(
        id=uuid4().hex,
        settings=scope.settings,
        data={name: scope.objects[name] for name in given},
        place=Path.cwd(),
        folder=folder.resolve(),
        sources=sources_sha256(),
        versions=all_versions(),
        identity=dict(identity),
        inputs=inputs,
    )


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
            names = ", ".join(job.data)
            raise ConfigurationError(
                f"{names} cannot be sent to other processes ({_line(error)}); give a path"
            ) from None

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
                (ref, *_), _ = self._ray.wait(list(under_way), num_returns=1)
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

    def _room(self) -> int:
        """Return how many tasks are handed out at a time: enough that no worker waits."""
        return 2 * max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def _begin(self, task: _Task) -> Any:
        return self._collect.remote(self._id, [self._job], task.series.name, task.batch)

    def _outcome(self, ref: Any, task: _Task) -> Collected | None:
        """Return what became of a task, or None where its worker died and it is to be begun again."""
        errors = self._ray.exceptions
        try:
            done: Collected = self._ray.get(ref)
            return done._replace(batch=task.batch)
        except errors.RayTaskError as error:  # raised in the worker: what would end a run here
            raise error.cause from None
        except errors.RayError as error:
            if task.begun < TRIES:
                return None
            why = f"its batch {task.batch.index} was given up: the worker died {TRIES} times over it ({_line(error)})"
            return Collected(task.batch, None, why)

    def _cancel(self, ref: Any) -> None:
        try:
            self._ray.cancel(ref, force=True)
        except (ConnectionError, RuntimeError, ValueError, self._ray.exceptions.RayError):
            return  # it has ended, or the cluster has


def _collect(id: str, job: Sequence[Any], series: str, batch: Batch) -> Collected:
    """Do a batch in a worker process, which opens the target once a run."""
    if id not in _worker:
        import ray

        _worker.clear()
        _worker[id] = Worker(ray.get(job[0]))
    return _worker[id].collect(series, batch)


def _line(error: BaseException) -> str:
    """Return the first sentence of what Ray says, which is a page."""
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return line.partition(". ")[0].rstrip(".")[:200]
