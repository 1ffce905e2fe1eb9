"""A scan on this machine: threads identify files, worker processes examine those that are new."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ...core.registry import detectors
from ...core.results.scan import ScanRow
from ...core.targets import Modality
from .identify import Identified, identify
from .listing import Listing
from .pool import Crashed, Pool, ordered
from .watch import PATIENCE, Patience
from .worker import unheard

WITH_FACTS = frozenset({Modality.IMAGE, Modality.VIDEO, Modality.AUDIO})


def local_rows(listing: Listing, start: int, names: Sequence[str], *, folder: Path, workers: int) -> Iterator[ScanRow]:
    """Yield the row of each entry from a number on, in order.

    Parameters
    ----------
    listing : Listing
        What there is to scan; learns the hashes.
    start : int
        The first number.
    names : sequence of str
        The detectors.
    folder : Path
        For temporary copies of remote files: at most six a worker.
    workers : int
        How many processes.
    """
    with Pool(names, workers) as pool, ThreadPoolExecutor(workers) as threads:
        known = ordered(
            lambda entry: threads.submit(identify, entry, folder), listing.entries(start), ahead=2 * workers
        )
        heard = frozenset[Modality | None]().union(*(detectors()[n.partition(":")[0]].modalities for n in names))
        yield from ordered(partial(_begun, pool, listing, heard | WITH_FACTS), known, ahead=4 * workers)


def _begun(pool: Pool, listing: Listing, looked_at: frozenset[Modality | None], one: Identified) -> Future[ScanRow]:
    """Begin what is to be done for a file: nothing for what cannot be read, was seen before or has no detector."""
    row = one.row()
    if one.sha256 is not None:
        first = listing.first(one.sha256, one.entry.number)
        kind = one.content.modality if one.content else None
        if first == one.entry.number and kind in looked_at:
            return _completed(one, row, pool.ask(task_of(one), patience_of(one)))
        new = first == one.entry.number
        if new:
            row = row.model_copy(update={"notes": (*row.notes, unheard(kind))})
        else:
            row = as_duplicate(row, listing.name(first))
        one.drop()
    done: Future[ScanRow] = Future()
    done.set_result(row)
    return done


def task_of(one: Identified) -> dict[str, Any]:
    """Return what a worker is asked to do with a file."""
    assert one.content is not None
    modality = one.content.modality
    return {"do": "examine", "path": one.path, "modality": modality and modality.value, "format": one.content.format}


def patience_of(one: Identified) -> Patience:
    """Return how long a worker may take."""
    assert one.content is not None
    return PATIENCE.get(one.content.modality or "", PATIENCE["image"])


def as_duplicate(row: ScanRow, first: str) -> ScanRow:
    """Return the row of a file whose bytes were seen before: it refers to the first."""
    return row.model_copy(update={"facts": {}, "detections": (), "error": None, "duplicate_of": first})


def examined(row: ScanRow, answer: dict[str, Any] | Crashed) -> ScanRow:
    """Return a row with what a worker said, or with why it said nothing."""
    if isinstance(answer, Crashed):
        return row.model_copy(update={"error": str(answer)})
    try:
        return ScanRow.model_validate(row.model_dump() | answer | {"notes": [*row.notes, *answer["notes"]]})
    except ValidationError as error:  # a detector of another distribution may say anything
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        return row.model_copy(update={"error": f"what a detector says of it is no detection: {where}: {first['msg']}"})


def _completed(one: Identified, row: ScanRow, answer: Future[dict[str, Any]]) -> Future[ScanRow]:
    done: Future[ScanRow] = Future()
    done.set_running_or_notify_cancel()  # a scan that is broken off cannot cancel what it then is told

    def complete(future: Future[dict[str, Any]]) -> None:
        one.drop()
        if future.cancelled():
            done.set_exception(CancelledError())
            return
        error = future.exception()
        if error is not None and not isinstance(error, Crashed):
            done.set_exception(error)
        else:
            done.set_result(examined(row, error if isinstance(error, Crashed) else future.result()))

    answer.add_done_callback(complete)
    return done
