"""Does batches of an audit in another process, which opens the target from its name as the one that began it did."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from ...core.batch import Batch, Row
from ...core.errors import STOPS, ConfigurationError, GuardrailsError, JournalError
from ...core.probe import Budget
from ...core.results import TargetRecord
from ..meter import Meter
from ..sources import all_versions, sources_sha256
from .engine import Collected, Measured, Series, attempted, collected, measured, save_media
from .inputs import Inputs, Records, changes
from .plan import DATA, OBJECT, Settings
from .scope import Scope
from .target_record import record

Planned = tuple[list[Batch], TargetRecord]
KEPT = "what finished is kept"
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class Code(NamedTuple):
    """What must be equal on all nodes: the hash of our code and weights, and the versions of all libraries."""

    sources: str
    versions: Mapping[str, str]


@dataclass(frozen=True)
class Job:
    """A run, as a worker is told of it.

    Attributes
    ----------
    id : str
        Of the run: what a worker opened for it serves all its batches.
    settings : Settings
    data : mapping
        Those of `DATA` that were given as Python objects.
    place, folder : Path
        The current folder of the process that began, and that of the run.
    code, identity, inputs
        What a worker must find as that process did.
    """

    id: str
    settings: Settings
    data: Mapping[str, Any]
    place: Path
    folder: Path
    code: Code
    identity: Mapping[str, str]
    inputs: Records


def job_of(scope: Scope, folder: Path, identity: Mapping[str, str], inputs: Records) -> Job:
    """Return a run as a worker is told of it."""
    given = [name for name in DATA if (getattr(scope.settings, name) or "").startswith(OBJECT)]
    return Job(
        id=uuid4().hex,
        settings=scope.settings,
        data={name: scope.objects[name] for name in given},
        place=Path.cwd(),
        folder=folder.resolve(),
        code=Code(sources_sha256(), all_versions()),
        identity=dict(identity),
        inputs=inputs,
    )


class Worker:
    """A process that does batches of one run, one at a time, in one thread.

    Parameters
    ----------
    job : Job

    Raises
    ------
    ConfigurationError
        Where this machine does not have what the run began with.
    """

    def __init__(self, job: Job) -> None:
        _one_thread()
        if other := other_code(job.code, Code(sources_sha256(), all_versions())):
            raise differs(platform.node(), f"{other}; {KEPT}")
        try:
            os.chdir(job.place)
        except OSError as error:
            raise differs(platform.node(), f"it has no folder {job.place} ({error.strerror}); {KEPT}") from None
        try:
            self._scope = self._opened(job)
        except STOPS:
            raise
        except BaseException as error:  # a plug-in may raise anything as it is imported
            why = str(error) if isinstance(error, GuardrailsError) else f"{type(error).__name__}: {error}"
            raise differs(platform.node(), f"{why}; {KEPT}") from None
        self._folder = job.folder
        self._series: dict[str, Series] = {}
        self._meter = Meter()
        self._meter.__enter__()  # until the process ends

    def plan(self, series: str) -> Planned | None:
        """Plan a control's series, and say what it is of; None where that fails. Raises what ends the run."""
        named = self._named(series)
        source = series.partition("|")[2]
        done, *_why = attempted(lambda: (named.plan(Budget.CONTROL), record(named.subject(), source)))
        return done

    def collect(self, series: str, batch: Batch) -> Collected:
        """Do a batch of the series that has this name in the journal. Raises what ends the run: `engine.attempt`."""
        named = self._named(series)
        self._meter.lap()
        done = collected(named, batch)
        return done._replace(use=self._meter.lap(done.seconds, len(done.rows or ())))

    def measure(self, series: str, rows: Sequence[Row]) -> Measured:
        """Measure the rows of the series that has this name, and save what it shows. Raises as `collect`."""
        named = self._named(series)
        self._meter.lap()
        begun = time.perf_counter()
        done = measured(named, rows)
        trace = save_media(named, rows, done.measurements or (), self._folder)
        return done._replace(traceback=done.traceback or trace, use=self._meter.lap(time.perf_counter() - begun))

    def _named(self, series: str) -> Series:
        if series not in self._series:
            self._series[series] = self._scope.series_named(series)
        return self._series[series]

    @staticmethod
    def _opened(job: Job) -> Scope:
        objects = {"target": job.settings.target} | {name: job.data.get(name) for name in DATA}
        inputs = Inputs(job.settings, objects, without=job.folder).records()
        if changed := changes(job.inputs, inputs, "on this node"):
            raise ConfigurationError(changed)
        scope = Scope(job.settings, objects)
        if job.settings.target is not None and scope.subject.target.identity() != job.identity:
            raise ConfigurationError(f"the target {job.settings.target} is another one on this node")
        return scope


def other_code(began: Code, here: Code) -> str | None:
    """Return in which code a node differs from the process that began, in words, or None where it does not."""
    before, now = began.versions, here.versions
    other = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    if other:
        shown = ", ".join(f"{n} {now.get(n, 'absent')}, not {before.get(n, 'absent')}" for n in other[:3])
        return f"it has {shown}{f' and {len(other) - 3} others' if len(other) > 3 else ''}"
    return None if began.sources == here.sources else "it has other code or weights of guardrails, or other plug-ins"


def _one_thread() -> None:
    """Have this process compute in one thread: a cluster gives each worker one processor."""
    os.environ.update(dict.fromkeys(THREADS, "1"))
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(1)


def differs(node: str, what: str) -> ConfigurationError:
    """Return the error of a node that does not have what a run began with."""
    return ConfigurationError(
        f"node {node} cannot take part: {what}. Every node needs the same code, libraries and files at the same paths"
    )


def sendable(error: BaseException) -> BaseException:
    """Return an error of a class that every process has, and that can be sent: that of a library may do neither."""
    if isinstance(error, OSError):
        return OSError(error.errno, error.strerror or str(error), error.filename)
    if isinstance(error, MemoryError):
        return MemoryError(str(error))
    if isinstance(error, GuardrailsError):
        kind = ConfigurationError if isinstance(error, ConfigurationError) else JournalError
        return kind(*error.lines)
    return JournalError(f"a worker broke ({type(error).__name__}: {error}); what finished is kept: use --resume")
