"""Does batches of an audit in another process, which opens the target from its name as the one that began it did."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.batch import Batch
from ...core.errors import ConfigurationError, GuardrailsError
from ..meter import Meter
from ..sources import all_versions, sources_sha256
from .engine import Collected, Series, collected
from .inputs import Inputs, Records, changes
from .plan import DATA, Settings
from .scope import Scope

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


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
    sources, versions, identity, inputs
        What a worker must find as that process did.
    """

    id: str
    settings: Settings
    data: Mapping[str, Any]
    place: Path
    folder: Path
    sources: str
    versions: Mapping[str, str]
    identity: Mapping[str, str]
    inputs: Records


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
        self._check_code(job)
        try:
            os.chdir(job.place)
        except OSError as error:
            raise _differs(f"it has no folder {job.place} ({error.strerror})") from None
        try:
            self._scope = self._opened(job)
        except GuardrailsError as error:
            raise _differs(str(error)) from None
        self._series: dict[str, Series] = {}
        self._meter = Meter()
        self._meter.__enter__()  # until the process ends

    def collect(self, series: str, batch: Batch) -> Collected:
        """Do a batch of the series that has this name in the journal. Raises what ends the run: `engine.attempt`."""
        if series not in self._series:
            self._series[series] = self._scope.series_named(series)
        self._meter.lap()
        done = collected(self._series[series], batch)
        return done._replace(use=self._meter.lap(done.seconds, len(done.rows or ())))

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

    @staticmethod
    def _check_code(job: Job) -> None:
        here = all_versions()
        other = sorted(name for name in job.versions.keys() | here.keys() if job.versions.get(name) != here.get(name))
        if other:
            shown = ", ".join(f"{n} {here.get(n, 'absent')}, not {job.versions.get(n, 'absent')}" for n in other[:3])
            raise _differs(f"it has {shown}{f' and {len(other) - 3} others' if len(other) > 3 else ''}")
        if sources_sha256() != job.sources:
            raise _differs("it has other code or weights of guardrails, or other plug-ins")


def _one_thread() -> None:
    """Have this process compute in one thread: a cluster gives each worker one processor."""
    os.environ.update(dict.fromkeys(THREADS, "1"))
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(1)


def _differs(what: str) -> ConfigurationError:
    return ConfigurationError(
        f"node {platform.node()} cannot take part: {what}; what finished is kept. Every node needs the same code, "
        "libraries and files at the same paths"
    )
