"""Whether a result is that of its journal, which holds what was settled before the first sample."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...core.results import AuditResult, Status
from ..audit.journal import Journal


def disagreements(result: AuditResult, journal: Journal) -> Iterator[str]:
    """Yield what a result and its journal state differently, and each planned finding that is not in the result."""
    if journal.get("planned") is None:
        yield "the journal holds no plan: it is not that of this run"
        return
    stated = _stated(result)
    for name, value in _settled(journal).items():
        if name in stated and value != stated[name]:
            yield f"its {name} is {stated[name]}, and in the journal {value}"
    for series in journal.series():
        probe, _, source = series.partition("|")
        if source == "target":
            yield from _missing(result, probe, measured=bool(journal.rows(series)))


def _stated(result: AuditResult) -> dict[str, Any]:
    same = {"kind": result.kind, "start": result.timing.started, "seed": result.seed, "budget": result.budget}
    if result.rescored is not None:  # by another policy, with waivers and a severity of its own
        return same | {"policy": result.rescored.policy_sha256}
    return same | {
        "policy": result.policy_sha256,
        "fail_on": result.fail_on.value,
        "file of waivers": "given" if result.waivers else "none",
        "baseline": "given" if result.baseline else "none",
    }


def _settled(journal: Journal) -> dict[str, Any]:
    settings = journal.table("settings")
    return {
        "kind": "audit" if settings.get("target") else "self-check",
        "start": journal.get("started"),
        "seed": settings.get("seed"),
        "budget": settings.get("budget"),
        "policy": journal.get("policy"),
        "fail_on": settings.get("fail_on"),
        "file of waivers": "given" if settings.get("waivers") else "none",
        "baseline": "given" if settings.get("baseline") else "none",
    }


def _missing(result: AuditResult, probe: str, *, measured: bool) -> Iterator[str]:
    """Yield what is missing of a probe that the target was planned to be sampled for."""
    findings = [f for f in result.findings if f.probe == probe and f.measured_by is None]
    if not findings:
        yield f"it has no finding of {probe}, which was planned"
    if any(f.status is Status.NOT_APPLICABLE for f in findings):
        yield f"{probe} is not applicable, and was planned"
    with_value = [f for f in findings if f.measurement is not None and f.measurement.n]
    if with_value and not measured:
        yield f"'{with_value[0].id}' has a measurement, and the journal no sample of it"
    thresholds = result.policy_record.thresholds if result.policy_record else ()
    required = {t.metric for t in thresholds if t.probe == probe and t.required}
    gated = {f.threshold.metric for f in findings if f.threshold is not None}
    if any(f.measurement and f.threshold for f in findings) or not gated:
        for metric in sorted(required - gated):
            yield f"it has no finding of {probe}/{metric} with a limit, which its policy requires"
