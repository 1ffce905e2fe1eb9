"""Runs the planned batches of a series through an executor; this process alone writes the journal.

An executor does the batches that it is given, in any order and number at a time, and yields what became of each. How a
batch is done is the same for all of them: `collect_batch`.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from ...core.asking import ask, follow_ups
from ...core.batch import Batch, Row
from ...core.errors import STOPS, GuardrailsError, JournalError
from ...core.probe import Budget, Probe
from ...core.results import Measurement
from ...core.results.cost import Use
from ...core.seeding import derive_seed
from ...core.subject import Subject
from ...core.visible import visible
from ..meter import Meter
from .journal import Journal
from .outputs import Outputs, counted

T = TypeVar("T")
LOG = "errors.log"
"""Where a run's folder has the tracebacks of defects."""


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

    def plan(self, budget: Budget) -> list[Batch]:
        """Return the batches of the series."""
        return self.probe.plan(self.subject(), budget, seed=derive_seed(self.seed, self.name, "plan"))

    def measure_seed(self) -> int:
        """Return the seed of the series' statistics."""
        return derive_seed(self.seed, self.name, "measure")


class Collected(NamedTuple):
    """What became of a batch: its rows, or in a reader's words why there are none; a defect's traceback; seconds.

    A defect that cost items and not the batch has a traceback beside the rows. `use` is what the batch used, where
    another process did it. `outputs` counts what a target of text wrote for it.
    """

    batch: Batch
    rows: list[Row] | None
    why: str | None = None
    traceback: str = ""
    seconds: float = 0.0
    use: Use | None = None
    outputs: Use = Use()


class Measured(NamedTuple):
    """What a probe measured of the rows of a series, or why it could not; a defect's traceback; what it used.

    `most` is how many samples there are of what the probe counts, documents of the corpus or outputs, where that has an
    end.
    """

    measurements: list[Measurement] | None
    most: int | None = None
    why: str | None = None
    traceback: str = ""
    use: Use = Use()


Executor = Callable[[Series, Sequence[Batch]], Iterator[Collected]]


def collect_batch(
    probe: Probe, subject: Subject, batch: Batch, seed: int, defects: list[str] | None = None
) -> list[Row]:
    """Return the rows of one batch, in whichever thread or process this is called; those of failed items are errors.

    Tracebacks of defects among these go to `defects`.
    """
    return ask(probe, subject, batch, seed=seed, defects=defects)


def collected(series: Series, batch: Batch) -> Collected:
    """Do one batch of a series. Raises what ends the run: see `attempt`.

    What a target remembers of a batch in a context variable ends with the batch.
    """
    start = time.perf_counter()
    seed = series.sample_seed(batch.index)
    defects: list[str] = []
    outputs = Outputs()

    def collect() -> list[Row]:
        subject = series.subject()
        if series.name.endswith("|target"):  # controls and spikes are not judged by what they leave empty
            subject = counted(subject, outputs)
        return copy_context().run(collect_batch, series.probe, subject, batch, seed, defects)

    rows, why, trace = attempted(collect)
    trace = trace or "".join(defects[:1])
    return Collected(batch, rows, why, trace, time.perf_counter() - start, outputs=outputs.use())


def measured(series: Series, rows: Sequence[Row]) -> Measured:
    """Measure the rows of a series. Raises what ends the run: see `attempt`."""

    def measure() -> tuple[list[Measurement], int | None]:
        subject = series.subject()
        return series.probe.measure(rows, subject, seed=series.measure_seed()), _most(rows, subject)

    done, why, trace = attempted(measure)
    measurements, most = done or (None, None)
    return Measured(measurements, most, why, trace)


def _most(rows: Sequence[Row], subject: Subject) -> int | None:
    if any(row.get("arm") == "corpus" for row in rows):
        return None if subject.corpus is None else len(subject.corpus)
    available: int | None = getattr(subject.target, "available", None)
    return available


def save_media(series: Series, rows: Sequence[Row], measurements: Iterable[Measurement], folder: Path) -> str:
    """Save the media that measurements show below a run's folder; return a defect's traceback. Raises as `measured`."""
    if not any(e.media for m in measurements for e in m.evidence):
        return ""
    (folder / "media").mkdir(exist_ok=True)
    return attempted(lambda: series.probe.save_media(rows, series.subject(), folder))[2]


def one_by_one(series: Series, batches: Sequence[Batch]) -> Iterator[Collected]:
    """Do batches in their order in this thread, up to the first that fails."""
    for batch in batches:
        done = collected(series, batch)
        yield done
        if done.rows is None:
            return


def attempt(label: str, work: Callable[[], T], log: Path) -> tuple[T | None, str | None]:
    """Do a probe's work; return its value, or None and why there is none, in a reader's words.

    A defect in one probe must not take the other findings with it: its traceback goes to `log`. Errors of the disk and
    of memory end the run.
    """
    value, why, trace = attempted(work)
    write_trace(log, label, trace)
    return value, why


def attempted(work: Callable[[], T]) -> tuple[T | None, str | None, str]:
    """Return the value of a probe's work, or None, why there is none, and a defect's traceback."""
    try:
        return work(), None, ""
    except (JournalError, OSError, *STOPS):
        raise
    except GuardrailsError as error:
        return None, str(error), ""
    except BaseException as error:
        why = f"the probe broke ({type(error).__name__}: {error}); the traceback is in {LOG}"
        return None, why, traceback.format_exc()


def write_trace(log: Path, label: str, trace: str) -> None:
    """Append a traceback to the log; nothing where there is none."""
    if trace:
        with log.open("a", encoding="utf-8") as file:
            file.write(visible(f"{label}\n{trace}\n", lines=True))


def run_series(
    series: Series,
    journal: Journal,
    executor: Executor,
    *,
    log: Path,
    meter: Meter,
    progress: Callable[[Progress], None] | None = None,
) -> str | None:
    """Finish every pending batch of a series and its follow-ups; return why it could not be finished, or None.

    Each stage of follow-ups is in the journal before it is asked, so that a resumed run asks the same. Where several
    batches fail, the reason is that of the first in the plan: the one that fails where they are done one by one.

    Raises
    ------
    JournalError
        Where the journal cannot be written: the run ends, to be resumed.
    """
    stage = journal.stage(series.name)
    while True:
        outcomes = ((series, done) for done in executor(series, journal.pending(series.name)))
        why = write_down(outcomes, journal, log=log, meter=meter, progress=progress).get(series.name)
        if why or stage >= series.probe.stages:
            return why
        stage += 1
        rows = journal.rows(series.name)
        batches, why = attempt(series.name, partial(follow_ups, series.probe, rows, stage), log)
        if not batches:
            return why
        journal.add_stage(series.name, stage, batches)


def write_down(
    outcomes: Generator[tuple[Series, Collected]],
    journal: Journal,
    *,
    log: Path,
    meter: Meter,
    progress: Callable[[Progress], None] | None = None,
) -> dict[str, str]:
    """Write batches as they end; return, by name, why a series could not be finished. Errors as `run_series`."""
    failed: dict[str, dict[int, str]] = {}
    traced: set[str] = set()
    with closing(outcomes):  # also where the journal cannot be written: no further batch is begun
        for series, done in outcomes:
            use = (done.use or meter.lap(done.seconds, len(done.rows or ()))) + done.outputs
            if done.traceback and series.name not in traced:  # what further batches fail of is the same, as a rule
                write_trace(log, series.name, done.traceback)
                traced.add(series.name)
            if done.rows is None:
                failed.setdefault(series.name, {})[done.batch.index] = str(done.why)
                journal.add_use(series.name, done.batch, use)
                continue
            journal.finish(series.name, done.batch, done.rows, done.seconds, use)
            if progress is not None:
                progress(Progress(*journal.progress(), series.name))
    return {name: reasons[min(reasons)] for name, reasons in failed.items()}
