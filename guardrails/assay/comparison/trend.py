"""``guardrails trend``: the findings of several audits over time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from ...core.errors import ConfigurationError
from ...core.results import Finding
from ...core.results.comparison import ComparedFinding, Comparison, Reading
from ...core.results.trend import Step, Trend, TrendFinding
from ..stored_audit import StoredAudit
from .compare import EXIT_CODES, LEVEL, Audit, compare, reading_of, run_of, stored

LEAST, MOST = 3, 100
"""How many audits a trend has."""


def trend(runs: Sequence[Audit]) -> Trend:
    """Return the findings of several audits, the oldest audit first, and what changed from each to the next.

    The chance that any finding is called worse or better at any step although none changed is at most 5%: each step is
    a comparison at that level divided by the number of steps. Nothing is interpolated: where an audit does not have a
    finding, there is no reading.

    Parameters
    ----------
    runs : sequence of str, Path, AuditResult or StoredAudit
        As `compare` takes them. They are ordered by the time at which they began; of equal times, as given.

    Raises
    ------
    ConfigurationError
        For fewer than three audits or more than a hundred, one given twice, or two in a row that cannot be compared.
    """
    if not LEAST <= len(runs) <= MOST:
        raise ConfigurationError(f"a trend has {LEAST} to {MOST} audits, and {len(runs)} were given; for two: compare")
    audits = sorted(map(stored, runs), key=lambda run: run.result.timing.started)
    hashes = [run.sha256 for run in audits if run.sha256]
    if twice := next((one for one in hashes if hashes.count(one) > 1), None):
        raise ConfigurationError(f"one audit is given twice: the sha256 of its result.json is {twice[:12]}…")
    level = LEVEL / (len(audits) - 1)
    steps = [compare(before, after, level=level) for before, after in pairwise(audits)]
    verdict = steps[-1].verdict
    return Trend(
        guardrails_version=steps[-1].guardrails_version,
        verdict=verdict,
        exit_code=EXIT_CODES[verdict],
        level=LEVEL,
        runs=tuple(map(run_of, audits)),
        notes=tuple(f"{i} → {i + 1}: {note}" for i, step in enumerate(steps, 1) for note in step.notes),
        findings=_findings(audits, steps),
    )


def _findings(audits: Sequence[StoredAudit], steps: Sequence[Comparison]) -> tuple[TrendFinding, ...]:
    by_run = [{finding.id: finding for finding in audit.result.findings} for audit in audits]
    by_step = [{finding.id: finding for finding in step.findings} for step in steps]
    newest: dict[str, Finding] = {}
    for run in by_run:
        newest |= run
    shown = sorted(newest.keys() & set().union(*by_step))
    return tuple(
        _finding(newest[name], [run.get(name) for run in by_run], [step.get(name) for step in by_step], len(steps))
        for name in shown
    )


def _finding(
    newest: Finding, runs: Sequence[Finding | None], steps: Sequence[ComparedFinding | None], n: int
) -> TrendFinding:
    return TrendFinding(
        id=newest.id,
        title=newest.title,
        severity=newest.severity,
        unit=newest.measurement.unit if newest.measurement else "",
        higher_is_worse=newest.measurement.higher_is_worse if newest.measurement else True,
        readings=tuple(_reading(run, newest) for run in runs),
        limits=tuple(run.threshold.limit if run and run.threshold else None for run in runs),
        steps=tuple(None if step is None else _step(step, n) for step in steps),
    )


def _reading(finding: Finding | None, newest: Finding) -> Reading | None:
    """Return what one audit has of a finding; a value in another unit than the newest cannot stand on its axis."""
    reading = reading_of(finding)
    if reading is None or finding is None or finding.measurement is None or newest.measurement is None:
        return reading
    if finding.measurement.unit != newest.measurement.unit:
        return Reading(outcome=f"{reading.outcome}, in another unit ({finding.measurement.unit})")
    return reading


def _step(compared: ComparedFinding, n: int) -> Step:
    p = None if compared.p is None else min(1.0, compared.p * n)
    return Step(
        change=compared.change, reason=compared.reason, difference=compared.difference, low=compared.low,
        high=compared.high, p=p,
    )  # fmt: skip
