"""A scan on a Ray cluster: Ray Data streams the listing to a pool of actors, and their rows come back in its order."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from ...core.errors import ConfigurationError, JournalError
from ...core.results.scan import ScanRow
from ..cluster import connect, imported_ray, through_client
from .identify import Identified, identify
from .listing import Found, Listing
from .local import as_duplicate, examined, patience_of, task_of
from .pool import Crashed, Worker
from .watch import memory_each

BATCH = 8
LEAST_CPUS = 2
"""Logical CPUs a node: an actor takes one for as long as it lives, and what reads the listing needs one too."""


class Examiner:
    """An actor: it brings a file to its node, and shows it to a worker process that may die without it.

    Parameters
    ----------
    detectors : sequence of str
    place : str
        The folder in which relative paths begin, and modules of the user's own are found.

    Raises
    ------
    ConfigurationError
        Where this node has no such folder.
    """

    def __init__(self, detectors: Sequence[str], place: str) -> None:
        try:
            os.chdir(place)
        except OSError as error:
            raise ConfigurationError(
                f"node {platform.node()} has no folder {place} ({error.strerror}): every node needs the files of the "
                "scan at the same paths"
            ) from None
        self.worker = Worker(detectors, memory_each(os.cpu_count() or 1))  # a node has an actor a core at most
        self.folder = Path(gettempdir()) / f"guardrails-scan-{os.getpid()}"

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Return the rows of a batch of entries as JSON; the same entry gives the same row, whichever actor does it."""
        entries = zip(batch["number"].tolist(), batch["place"].tolist(), batch["problem"].tolist(), strict=True)
        rows = [self._row(Found(n, bytes.fromhex(place), problem or None)) for n, place, problem in entries]
        return {"row": [row.line() for row in rows]}

    def _row(self, entry: Found) -> ScanRow:
        one: Identified = identify(entry, self.folder)
        try:
            if one.sha256 is None:
                return one.row()
            return examined(one.row(), self.worker.ask(task_of(one), patience_of(one)))
        except Crashed as error:
            return examined(one.row(), error)
        finally:
            one.drop()


def ray_rows(listing: Listing, start: int, names: Sequence[str]) -> Iterator[ScanRow]:
    """Yield the row of each entry from a number on, in order, computed on the cluster that Ray is connected to.

    ``RAY_ADDRESS`` names a running cluster; without it Ray starts one on this machine. Every node has to see the paths
    of the scan. Duplicates are examined where they lie and then left aside: which file is the first is known only here.
    The listing is in the driver's memory: some 200 bytes a file.

    Raises
    ------
    MissingExtraError
        Where Ray is not installed.
    ConfigurationError
        Where a node has fewer than two logical CPUs, or the scan has ``memory://`` paths.
    JournalError
        Where Ray cannot go on, as where a node does not have the current folder.
    """
    import json

    ray = imported_ray("ray.data", "ray.util.client")
    entries = [
        {"number": listed.number, "place": listed.place.hex(), "problem": listed.problem or ""}
        for listed in listing.entries(start)
    ]
    if any(str(entry["place"]).startswith(b"memory://".hex()) for entry in entries):
        raise ConfigurationError("memory:// paths are known to one process only: use the engine 'local'")
    if not entries:
        return
    actors = _actors(ray)
    ray.data.DataContext.get_current().execution_options.preserve_order = True
    blocks = max(1, min(len(entries) // BATCH, 50 * actors))
    data = ray.data.from_items(entries, override_num_blocks=blocks).map_batches(
        _bound(names),
        batch_size=BATCH,
        compute=ray.data.ActorPoolStrategy(size=actors),
        num_cpus=1,
    )
    try:
        for number, record in enumerate(data.iter_rows(), start):
            row = ScanRow.model_validate(json.loads(record["row"]))
            if row.sha256 is not None:
                first = listing.first(row.sha256, number)
                if first != number:
                    row = as_duplicate(row, listing.name(first))
            yield row
    except ray.exceptions.RayError as error:
        raise JournalError(f"Ray gave up the scan ({_last_line(error)}); what finished is kept: use --resume") from None


def _last_line(error: BaseException) -> str:
    """Return the last line of what Ray says, which is a page: the error itself stands below the traceback."""
    return next((line.strip() for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)


def _bound(names: Sequence[str]) -> type[Examiner]:
    """Return the actor with its detectors in it: arguments in the object store could be lost before a restart."""
    known, place = list(names), os.getcwd()

    class Bound(Examiner):
        def __init__(self) -> None:
            super().__init__(known, place)

    return Bound


def _actors(ray: Any) -> int:
    """Connect, and return how many actors there may be: one CPU of each node is left to what reads the listing."""
    if through_client(ray):
        raise ConfigurationError(
            "a scan needs a cluster of which this machine is a node (RAY_ADDRESS=HOST:PORT): Ray Data, which does the "
            "work, cannot be reached through ray://"
        )
    cpus = connect(ray)
    small = [n for n in cpus if n < LEAST_CPUS]
    if small or not cpus:
        raise ConfigurationError(
            f"{len(small)} of the cluster's {len(cpus)} nodes have fewer than {LEAST_CPUS} logical CPUs: the actors "
            "would starve the tasks that feed them, and the scan would hang; start each with --num-cpus 2 or more"
        )
    return int(sum(n - 1 for n in cpus))
