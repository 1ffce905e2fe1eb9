"""What an audit would do, without asking the target anything: its size, what it could see, what it cannot settle."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...core.errors import GuardrailsError
from ...core.results import Threshold
from ...core.statistics import simultaneous, smallest_detectable_rate, wilson
from ...core.targets import Modality
from ...kit.lm.document_starts import readings
from ..file_hash import hash_and_size
from ..foreign.load import load_foreign
from .controls import cached_outcome
from .plan import OBJECT, make_settings
from .scope import Assay, Scope, count


@dataclass(frozen=True)
class Forecast:
    """One probe's part of a run that was not made."""

    probe: str
    runs: bool
    samples: int = 0
    n: int = 0
    confidence: float = 0.95
    spiked: int = 0
    controls: int = 0
    cached_controls: int = 0
    limit: float | None = None
    detectable: float | None = None
    note: str = ""


@dataclass(frozen=True)
class DryRun:
    """What `run_audit` would do with the same arguments."""

    command: str
    forecasts: tuple[Forecast, ...]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self)

    def lines(self) -> Iterable[str]:
        """Yield one line of text for each probe, after the command and what was noticed about the data."""
        yield self.command
        yield from self.notes
        for f in self.forecasts:
            if not f.runs:
                yield f"{f.probe}: would not run: {f.note}"
                continue
            sees = (
                f"; the smallest rate that it would call a failure 4 times in 5: {f.detectable:.3g}"
                if f.detectable
                else ""
            )
            n = f" (n = {f.n})" if f.n else ""
            fresh = f.controls - f.cached_controls
            yield (
                f"{f.probe}: {f.samples} samples{n}, {f.spiked} of them again with a spike; "
                f"{fresh} controls to run, {f.cached_controls} known from before{sees}{'; ' + f.note if f.note else ''}"
            )


def dry_run(
    target: Any = None, *, plan: Path | None = None, tell: Callable[[str], None] = lambda _: None, **given: Any
) -> DryRun:
    """Say what `run_audit` would do with these arguments. The target is opened, never asked.

    `tell` is told at once where there is no target: the self-check's data are then made first, which takes a while.

    Raises
    ------
    ConfigurationError, TargetError
        As `run_audit`.
    """
    from .orchestrator import name_of

    objects = {"target": target} | {k: given.get(k) for k in ("corpus", "holdout", "reference", "prompts")}
    settings = make_settings(given | {k: name_of(v) for k, v in objects.items()}, plan)
    for file in settings.imports:
        load_foreign(file)
    if settings.target is None and settings.imports:  # nothing is sampled, and it is not the self-check
        return DryRun(settings.command(), ())
    if settings.target is None:
        tell("no target is named: this is the self-check; its known samples are made, and nothing is run on them")
    scope = Scope(settings, objects)
    assays, closed = scope.assays()
    shut = [Forecast(r.probe.id, runs=False, note=r.not_applicable or r.not_assessed or "") for r in closed]
    forecasts = tuple(shut + [_forecast(scope, assay) for assay in assays])
    return DryRun(settings.command(), forecasts, _shared(scope) if settings.target else ())


def _shared(scope: Scope) -> tuple[str, ...]:
    """Say how much of the holdout stands in the corpus: it is left out, and is no baseline."""
    subject = scope.subject
    if subject.corpus is None or subject.holdout is None:
        return ()
    if subject.modality is Modality.TEXT:
        known = {text.strip() for text in subject.corpus}
        shared, n = sum(text.strip() in known for text in subject.holdout), len(subject.holdout)
    else:
        shared, n = int(_same_place(scope.settings.corpus, scope.settings.holdout)), 1
    if shared == n:
        return ("--holdout equals --corpus: nothing is held out, so there is no baseline",)
    return (f"{shared} of {n} holdout documents also occur in the corpus and will be left out",) if shared else ()


def _same_place(one: str | None, two: str | None) -> bool:
    """Whether two settings name one place, or files of the same bytes."""
    if not one or not two or OBJECT in (one[: len(OBJECT)], two[: len(OBJECT)]):
        return False
    a, b = Path(one), Path(two)
    return a.resolve() == b.resolve() or (a.is_file() and b.is_file() and hash_and_size(a) == hash_and_size(b))


def _forecast(scope: Scope, assay: Assay) -> Forecast:
    probe = assay.probe
    try:
        batches = scope.plan(assay)
    except GuardrailsError as error:  # the run reports it as not assessed, for this reason
        return Forecast(assay.key, runs=False, note=str(error))
    if assay.control is not None:  # what is there to see is known, so that what could be seen is no question
        return Forecast(assay.key, runs=True, samples=count(batches))
    n, confidence = probe.sample_size(batches)
    confidence = simultaneous(confidence, readings(probe, assay.subject(), batches))
    controls = scope.judged_controls(assay)
    threshold = scope.policy.headline(probe)
    unit = probe.measure([], assay.subject(), seed=0)[0].unit
    detectable, note = _sight(n, confidence, threshold, unit=unit)
    return Forecast(
        assay.key,
        runs=True,
        samples=count(batches),
        n=n if unit == "share" else 0,  # other readings count what their attacks make of the items
        confidence=confidence,
        spiked=count(scope.spike_plan(assay)) if scope.spiked(assay) else 0,
        controls=len(controls),
        cached_controls=sum(cached_outcome(probe, c) is not None for c in controls),
        limit=threshold.limit if threshold else None,
        detectable=detectable,
        note=note,
    )


def _sight(n: int, confidence: float, threshold: Threshold | None, *, unit: str) -> tuple[float | None, str]:
    if threshold is None:
        return None, "the policy has no threshold for it"
    if unit != "share" or n == 0:
        return None, "" if n else "nothing to ask: see --corpus, --reference"
    if wilson(0, n, confidence=confidence).high > threshold.limit:
        return None, f"will be inconclusive or fail: {n} samples cannot show that the rate is below {threshold.limit:g}"
    return smallest_detectable_rate(n, baseline=threshold.limit, confidence=confidence), ""
