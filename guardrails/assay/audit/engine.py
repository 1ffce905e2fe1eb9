"""Runs the planned batches of a series against its subject, through the journal, in this process."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

from ...core.base import Batch, Probe, Row, Subject
from ...core.errors import STOPS, GuardrailsError, JournalError
from ...core.seeding import derive_seed
from ...core.visible import visible
from .journal import Journal

T = TypeVar("T")


class Progress(NamedTuple):
    """How far a run is: finished and planned batches, and what is being done."""

    done: int
    total: int
    label: str


@dataclass(frozen=True)
class Series:
    """One probe on one subject under one seed. `name` is its key in the journal.

    `stream` names the stream of seeds where it is not the series' own: a spiked series draws what the clean one drew.
    """

    name: str
    probe: Probe
    subject: Callable[[], Subject]
    seed: int
    stream: str = ""

    def sample_seed(self, index: int) -> int:
        """Return the seed of a batch: its own, so that the order of work does not matter."""
        return derive_seed(self.seed, self.stream or self.name, index)


def attempt(label: str, work: Callable[[], T], log: Path) -> tuple[T | None, str | None]:
    """Do a probe's work; return its value, or None and why there is none, in a reader's words.

    A defect in one probe must not take the other findings with it: its traceback goes to `log`. Errors of the disk and
    of memory end the run.
    """
    try:
        return work(), None
    except (JournalError, OSError, *STOPS):
        raise
    except GuardrailsError as error:
        return None, str(error)
    except BaseException as error:
        with log.open("a", encoding="utf-8") as file:
            file.write(visible(f"{label}\n{traceback.format_exc()}\n", lines=True))
        return None, f"the probe broke ({type(error).__name__}: {error}); the traceback is in {log.name}"


def run_series(
    series: Series, journal: Journal, *, log: Path, progress: Callable[[Progress], None] | None = None
) -> str | None:
    """Finish every pending batch of a series; return why it could not be finished, or None.

    Raises
    ------
    JournalError
        Where the journal cannot be written: the run ends, to be resumed.
    """
    for batch in journal.pending(series.name):
        start = time.perf_counter()
        seed = series.sample_seed(batch.index)

        def collect(batch: Batch = batch, seed: int = seed) -> list[Row]:
            return series.probe.collect(series.subject(), batch, seed=seed)

        rows, why = attempt(series.name, collect, log)
        if rows is None:
            return why
        journal.finish(series.name, batch, rows, time.perf_counter() - start)
        if progress is not None:
            progress(Progress(*journal.progress(), series.name))
    return None
