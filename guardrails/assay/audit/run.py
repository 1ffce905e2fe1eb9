"""One run's steps: write the plan, finish its batches, measure, judge."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from ...core.asking import first_error
from ...core.batch import Batch
from ...core.control import Control
from ...core.probe import Probe
from ...core.results import (
    AuditResult,
    ControlOutcome,
    Finding,
    Measurement,
    NotTested,
    SpikeOutcome,
    Status,
    TargetRecord,
    Timing,
)
from ...core.results.cost import Use
from ..foreign.imported import with_imports
from ..meter import Meter
from ..resume import stored_records
from ..served import asked_as, price, requests_made, spent
from ..sources import code_sha256, sources_sha256, versions
from .controls import (
    cached_outcome,
    control_outcome,
    control_subject,
    control_threshold,
    keep_outcome,
    options_sha256,
)
from .cost import cost_of
from .engine import (
    LOG,
    Measured,
    Progress,
    Series,
    attempt,
    measured,
    one_by_one,
    run_series,
    save_media,
    write_down,
    write_trace,
)
from .findings import Reading, findings_of, self_check_verdict, verdict, with_verdict
from .journal import Journal
from .outputs import stated, why_not_assessed
from .plan import selected
from .processes import Processes
from .scope import Assay, Scope
from .spikes import spike_kind, spike_outcome
from .target_record import record
from .threads import in_this_process

if TYPE_CHECKING:
    from .ray import Cluster

T = TypeVar("T")


class Run:
    """One run. `result` does all of it; what is in the journal already is not done again.

    Batches are done by `workers`, a cluster or processes of this machine, where they are given, else in this process.
    """

    def __init__(
        self,
        scope: Scope,
        folder: Path,
        journal: Journal,
        progress: Callable[[Progress], None] | None = None,
        workers: Cluster | Processes | None = None,
    ) -> None:
        self.scope, self.folder, self.journal, self.progress, self.workers = scope, folder, journal, progress, workers
        self.options: dict[str, str] = {}
        """`options_sha256` of each probe, from before anything was asked."""
        self.failed: dict[str, str] = {}
        """Series that the workers could not finish, and why."""
        self.begun = time.perf_counter()
        self.meter = Meter(partial(spent, scope))
        self.measuring: dict[str, Use] = {}
        self.measured_ahead: dict[str, Measured] = {}
        self.sources: dict[str, TargetRecord] = {}
        """Of controls that another process opened."""

    def result(self) -> AuditResult:
        """Finish the run and return its result."""
        with self.meter:
            return self.finished()

    def finished(self) -> AuditResult:
        settings, policy = self.scope.settings, self.scope.policy
        assays, closed = self.scope.assays()
        self.options = {assay.probe.id: options_sha256(assay.probe) for assay in assays}
        if self.journal.get("planned") is None:
            if isinstance(self.workers, Processes):
                self.plan_ahead(self.workers, assays)
            self.write_plan(assays)
        if self.workers is not None:
            self.collect_ahead(self.workers, assays)
        if isinstance(self.workers, Processes):
            self.measure_ahead(self.workers, assays)
        readings = closed + [self.read(assay) for assay in assays]
        findings = [f for reading in readings for f in findings_of(reading, policy, settings)]
        findings.sort(key=lambda f: f.id)
        self_check = settings.target is None
        word, code = self_check_verdict(findings) if self_check else verdict(findings, settings.fail_on)
        result = AuditResult(
            guardrails_version=versions()["guardrails-audit"],
            kind="self-check" if self_check else "audit",
            verdict=word,  # type: ignore[arg-type]
            exit_code=code,
            targets=self.records(assays),
            findings=tuple(findings),
            not_tested=not_tested(findings),
            policy=policy.name,
            policy_sha256=policy.sha256,
            policy_record=policy.record,
            seed=settings.seed,
            budget=settings.budget.value,
            command=settings.command(),
            environment=versions() | {"sources": sources_sha256(), "code": code_sha256()},
            timing=Timing(
                started=str(self.journal.get("started") or ""),
                seconds=round(time.perf_counter() - self.begun, 3),
                per_probe={r.probe.id + r.suffix: round(r.seconds, 3) for r in readings},
                cost=cost_of(
                    {assay.key: self.scope.series(assay).name for assay in assays},
                    self.used(),
                    partial(price, self.scope),
                    self_check=self_check,
                ).model_copy(update={"requests": requests_made(self.scope)}),
            ),
            fail_on=settings.fail_on,
        )
        if self.scope.imported or not (self_check or settings.probes):  # the policy may require figures of other tools
            result = with_verdict(with_imports(result, self.scope.imported, policy))
        return with_verdict(self.scope.excuses.applied(result, self.folder)) if self.scope.excuses else result

    def write_plan(self, assays: Sequence[Assay]) -> None:
        """Write every batch of every series in one transaction, with the controls that need not run again."""
        plan: list[tuple[str, list[Batch]]] = []
        cached, spoiled = {}, {}
        for assay in assays:
            planned, why = self.attempt(assay.key, partial(self.planned, assay))
            if planned is None:
                spoiled[assay.key] = why
                continue
            plan += planned
            for control in self.scope.judged_controls(assay):
                known = self.scope.control_assay(assay.probe, control)
                if outcome := cached_outcome(assay.probe, control):
                    cached[known.key] = outcome.model_dump(mode="json")
                    continue
                batches, why = self.attempt(known.key, partial(self.scope.plan, known))
                if batches is None:
                    spoiled[known.key] = why
                else:
                    plan.append((self.scope.series(known).name, batches))
        self.journal.add_plan(plan, {"cached_controls": cached, "spoiled": spoiled, "planned": True})

    def planned(self, assay: Assay) -> list[tuple[str, list[Batch]]]:
        series = self.scope.series(assay)
        plan = [(series.name, self.scope.plan(assay))]
        # Why there is no spike is said beside the reading, which it must not spoil.
        spiked, _ = self.attempt(series.name, partial(self.scope.spiked, assay))
        if spiked:
            plan.append((spiked.name, self.scope.spike_plan(assay)))
        return plan

    def collect_ahead(self, workers: Cluster | Processes, assays: Sequence[Assay]) -> None:
        """Finish the batches of all series side by side, so that reading a series finds it done."""
        for assay in assays:
            self.learn_reading(assay)
        work = ((series, self.journal.pending(series.name)) for assay in assays for series in self.all_series(assay))
        self.failed |= write_down(
            workers.several(work), self.journal, log=self.folder / LOG, meter=self.meter, progress=self.progress
        )

    def plan_ahead(self, processes: Processes, assays: Sequence[Assay]) -> None:
        """Plan the series of the self-check side by side: each opens a source. What fails is left to this process."""
        for series, done in processes.planned(self.scope.series(assay) for assay in assays):
            if done is not None:
                self.scope.plans[series.name], record = done
                self.sources[record.name] = record

    def measure_ahead(self, processes: Processes, assays: Sequence[Assay]) -> None:
        """Measure series of the self-check side by side, but for those that have follow-ups to ask."""
        spoiled = self.journal.table("spoiled")
        finished = (
            series
            for assay in assays
            if assay.key not in spoiled and not assay.probe.stages
            if (series := self.scope.series(assay)).name not in self.failed
        )
        for series, done in processes.measured((series, self.journal.rows(series.name)) for series in finished):
            self.measured_ahead[series.name] = done
            self.measuring[series.name] = done.use

    def learn_reading(self, assay: Assay) -> None:
        """Ask one batch here where only the rows that a target makes tell how they are read: see `keep_read_as`."""
        if assay.control is not None or self.journal.get("read_as") is not None:
            return
        series = self.scope.series(assay)
        if getattr(series.subject().target, "read_as", None) == "":
            first = self.journal.pending(series.name)[:1]
            outcomes = ((series, done) for done in one_by_one(series, first))
            write_down(outcomes, self.journal, log=self.folder / LOG, meter=self.meter)
            self.keep_read_as()

    def all_series(self, assay: Assay) -> Iterator[Series]:
        """Yield the series that reading an assay will ask for: controls, the target, the spike."""
        spoiled, cached = self.journal.table("spoiled"), self.journal.table("cached_controls")
        if assay.key in spoiled:
            return
        for control in self.scope.judged_controls(assay):
            known = self.scope.control_assay(assay.probe, control)
            if known.key not in spoiled and known.key not in cached:
                yield self.scope.series(known)
        yield self.scope.series(assay)
        if self.scope.policy.headline(assay.probe) is not None:
            spiked, _ = self.attempt(assay.key, partial(self.scope.spiked, assay))
            if spiked is not None:
                yield spiked

    def read(self, assay: Assay) -> Reading:
        """Return all that one probe brings back: controls, measurements, spike."""
        reading = Reading(assay.probe, suffix=assay.suffix, expected=assay.expected)
        reading.not_assessed = self.journal.table("spoiled").get(assay.key)
        if reading.not_assessed:
            return reading
        reading.controls = tuple(self.control(assay.probe, c) for c in self.scope.judged_controls(assay))
        series = self.scope.series(assay)
        reading.not_assessed = self.run(series)
        self.keep_read_as()
        reading.seconds = self.journal.seconds(series.name)
        if reading.not_assessed:
            return reading
        done = self.measure(series)
        reading.measurements, reading.most, reading.not_assessed = done.measurements or [], done.most, done.why
        if reading.not_assessed:
            return reading
        if assay.control is None:
            used, headline = self.journal.used(series.name), assay.probe.headline
            reading.no_pass = why_not_assessed(used, closed_answers=assay.probe.closed_answers)
            reading.measurements = [stated(m, used) if m.metric == headline else m for m in reading.measurements]
            reading.spike = self.spike(assay)
        else:
            self.keep(assay.probe, control_outcome(assay.probe, assay.control, reading.headline, None))
        self.save_media(series, reading.measurements)
        return reading

    def keep_read_as(self) -> None:
        """Store how the first rows were read that a target made: a resumed run may have to make none again."""
        if self.scope.settings.target is None or "target" in self.scope.subject.read_as:
            return
        from ...targets import read_as

        if (reading := read_as(self.scope.subject.target)) and self.journal.get("read_as") is None:
            self.journal.put("read_as", {"target": reading})

    def control(self, probe: Probe, control: Control) -> ControlOutcome:
        """Return what the instrument makes of a control, from the cache or by running it."""
        assay = self.scope.control_assay(probe, control)
        if known := self.journal.table("cached_controls").get(assay.key):
            try:
                return ControlOutcome.model_validate(known)
            except ValidationError:
                raise self.journal.strange("an outcome of a control") from None
        reading = Reading(probe, not_assessed=self.journal.table("spoiled").get(assay.key))
        series = self.scope.series(assay)
        if reading.not_assessed is None:
            reading.not_assessed = self.run(series)
        if reading.not_assessed is None:
            done = self.measure(series)
            reading.measurements, reading.not_assessed = done.measurements or [], done.why
        threshold = control_threshold(probe, self.scope.policy)
        outcome = control_outcome(probe, control, reading.headline, reading.not_assessed, threshold)
        self.keep(probe, outcome)
        return outcome

    def keep(self, probe: Probe, outcome: ControlOutcome) -> None:
        """Keep an outcome of a control for later audits with the same options."""
        keep_outcome(probe, outcome, options=self.options[probe.id])

    def spike(self, assay: Assay) -> SpikeOutcome | None:
        """Return how a known dose of the fault in the user's own target comes out."""
        main, probe = self.scope.series(assay), assay.probe
        threshold = self.scope.policy.headline(probe)
        if threshold is None:
            return None
        series, why = self.attempt(main.name, partial(self.scope.spiked, assay))
        if series is None:
            return SpikeOutcome(what=probe.spike_what, planted=0, reason=why) if why else None
        kind = spike_kind(series.subject().target)
        if why := self.run(series):
            return SpikeOutcome(kind=kind, what=probe.spike_what, planted=0, reason=why)
        clean, spiked = self.journal.rows(main.name), self.journal.rows(series.name)
        seed = main.measure_seed()
        with self.measured(series):
            outcome, why = self.attempt(
                series.name,
                lambda: spike_outcome(probe, clean, spiked, assay.subject(), threshold, seed=seed, kind=kind),
            )
        return outcome or SpikeOutcome(kind=kind, what=probe.spike_what, planted=0, reason=why)

    @contextmanager
    def measured(self, series: Series) -> Iterator[None]:
        """Count what measuring a series uses."""
        self.meter.lap()
        start = time.perf_counter()
        try:
            yield
        finally:
            use = self.meter.lap(time.perf_counter() - start)
            self.measuring[series.name] = self.measuring.get(series.name, Use()) + use

    def used(self) -> dict[str, Use]:
        """Return what each series used: for its samples over all sessions, and for measuring in this one."""
        names = {*self.journal.series(), *self.measuring}
        return {name: self.journal.used(name) + self.measuring.get(name, Use()) for name in sorted(names)}

    def attempt(self, label: str, work: Callable[[], T]) -> tuple[T | None, str | None]:
        return attempt(label, work, self.folder / LOG)

    def run(self, series: Series) -> str | None:
        if series.name in self.failed:
            return self.failed[series.name]
        self.meter.lap()
        executor = in_this_process if self.workers is None else self.workers.one
        log = self.folder / LOG
        return run_series(series, self.journal, executor, log=log, meter=self.meter, progress=self.progress)

    def measure(self, series: Series) -> Measured:
        rows = self.journal.rows(series.name)
        done = self.measured_ahead.get(series.name)
        if done is None:
            with self.measured(series):
                done = measured(series, rows)
        write_trace(self.folder / LOG, series.name, done.traceback)
        said = {"first_error": first_error(rows)}
        return done._replace(
            measurements=[m.model_copy(update=said) if m.errors else m for m in done.measurements or []]
        )

    def save_media(self, series: Series, measurements: Sequence[Measurement]) -> None:
        if series.name not in self.measured_ahead:
            trace = save_media(series, self.journal.rows(series.name), measurements, self.folder)
            write_trace(self.folder / LOG, series.name, trace)

    def records(self, assays: Sequence[Assay]) -> tuple[TargetRecord, ...]:
        if self.scope.settings.target is not None:
            # What was audited is what the run began with: that it is still the same is checked elsewhere.
            identity, inputs = self.journal.table("identity"), stored_records(self.journal)
            made = {name: str(said) for name, said in self.journal.table("read_as").items()}
            read_as = {**self.scope.subject.read_as, **made}
            if asked := asked_as(self.scope):
                read_as["target"] = asked
            subject = replace(self.scope.subject, read_as=read_as)
            return (record(subject, self.scope.settings.target, identity, inputs),)
        sources = sorted({a.control.source for a in assays if a.control})
        return tuple(self.sources.get(source) or record(control_subject(source), source) for source in sources)


def not_tested(findings: Sequence[Finding]) -> tuple[NotTested, ...]:
    """Return what this audit says nothing about, and why."""
    listed = [NotTested(what=f.title, why=f.reason or "") for f in findings if f.status is Status.NOT_ASSESSED]
    inapplicable = sorted({f.probe for f in findings if f.status is Status.NOT_APPLICABLE})
    if inapplicable:
        listed.append(NotTested(what=_checks(inapplicable), why=f"not applicable to it: {', '.join(inapplicable)}"))
    unselected = sorted({p.id for p in selected(())} - {f.probe for f in findings})
    if unselected:
        listed.append(NotTested(what=_checks(unselected), why=f"not selected by --probes: {', '.join(unselected)}"))
    return tuple(listed)


def _checks(probes: Sequence[str]) -> str:
    return f"{len(probes)} check{'' if len(probes) == 1 else 's'}"
