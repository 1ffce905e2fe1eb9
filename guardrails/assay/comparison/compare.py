"""``guardrails compare``: two audits, finding by finding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.results import AuditResult, Finding, Status, fingerprint_of
from ...core.results.comparison import Change, ComparedFinding, ComparedRun, Comparison, Reading
from ...core.statistics import holm
from ..sources import DISTRIBUTION, versions
from ..stored_audit import StoredAudit, read_audit
from .comparable import check_runs, notes_on, other_instruments, why_not
from .differences import Difference, two_sample
from .pairs import Samples, difference_by_item, probes_of, same_data, samples_of

Audit = str | Path | AuditResult | StoredAudit
LEVEL = 0.05
"""The chance that any of the findings that did not change is called worse or better."""
EXIT_CODES = {"worse": 1, "not-worse": 0, "nothing-compared": 3}


@dataclass(frozen=True)
class _Pair:
    """A finding of both audits, or of one."""

    before: Finding | None
    after: Finding | None
    why_not: str | None = None
    difference: Difference | None = None


def compare(before: Audit, after: Audit, *, level: float = LEVEL) -> Comparison:
    """Return what is worse, better, or unchanged within noise.

    The chance that any finding is called worse or better although none changed is at most `level` (Holm's procedure
    over the findings that can be compared).

    Parameters
    ----------
    before, after : str, Path, AuditResult or StoredAudit
        The folder of an audit, its ``result.json``, or its result. With both journals in their folders, audits that
        asked the same items are compared item by item.
    level : float
        0–1.

    Raises
    ------
    ConfigurationError
        Where nothing can be compared: an audit and a self-check, or targets of two modalities; where there is no
        result.
    """
    before, after = stored(before), stored(after)
    first, second = before.result, after.result
    check_runs(first, second)
    pairs = _differences(before, after)
    tested = [i for i, pair in enumerate(pairs) if pair.difference is not None]
    adjusted = dict(zip(tested, holm([d.p for pair in pairs if (d := pair.difference)]), strict=True))
    rejected = sum(p <= level for p in adjusted.values())
    ranks = {i: rank for rank, i in enumerate(sorted(tested, key=lambda i: adjusted[i]))}
    findings = tuple(
        _compared(
            pair,
            (first, second),
            adjusted.get(i),
            _confidence(ranks.get(i, 0), rejected, len(tested), level),
            level,
        )
        for i, pair in enumerate(pairs)
    )
    worse = any(finding.change == "worse" for finding in findings)
    verdict = "worse" if worse else "not-worse" if tested else "nothing-compared"
    return Comparison(
        guardrails_version=versions()[DISTRIBUTION],
        verdict=verdict,  # type: ignore[arg-type]
        exit_code=EXIT_CODES[verdict],
        level=level,
        before=run_of(before),
        after=run_of(after),
        notes=notes_on(first, second),
        findings=findings,
    )


def stored(audit: Audit) -> StoredAudit:
    """Return an audit as it is stored, with the hash of its result."""
    if isinstance(audit, StoredAudit):
        return audit
    return StoredAudit(audit) if isinstance(audit, AuditResult) else read_audit(audit)


def _confidence(rank: int, rejected: int, tested: int, level: float) -> float:
    """Return the confidence at which Holm's procedure tests the finding of a rank: the last step holds for the rest."""
    return 1 - level / max(1, tested - min(rank, rejected))


def _differences(before: StoredAudit, after: StoredAudit) -> list[_Pair]:
    """Return every finding of both audits that applies to one of them, with its difference where there is one."""
    first, second = ({f.id: f for f in result.findings} for result in (before.result, after.result))
    other = other_instruments(before.result, after.result)
    pairs = []
    for name in sorted(first.keys() | second.keys()):
        x, y = first.get(name), second.get(name)
        if {f.status for f in (x, y) if f} == {Status.NOT_APPLICABLE}:
            continue
        pairs.append(_Pair(x, y, None if x is None or y is None else why_not(x, y) or other))
    both = [pair.before is not None and pair.after is not None and pair.why_not is None for pair in pairs]
    paired = same_data(before.result, after.result)
    probes = probes_of([p.after for p, known in zip(pairs, both, strict=True) if known and p.after]) if paired else {}
    samples = (samples_of(before.folder, probes), samples_of(after.folder, probes)) if probes else ({}, {})
    return [_with_difference(p, *samples) if known else p for p, known in zip(pairs, both, strict=True)]


def _with_difference(pair: _Pair, a: Mapping[str, Samples], b: Mapping[str, Samples]) -> _Pair:
    x, y = pair.before, pair.after
    assert x is not None
    assert y is not None
    assert x.measurement is not None
    assert y.measurement is not None
    if x.measurement.exact or y.measurement.exact:
        return pair  # equal bounds: see `why_not`
    headline = x.id == f"{x.probe}/{x.measurement.metric}"
    by_item = difference_by_item(x, y, a.get(x.probe), b.get(y.probe)) if headline else None
    difference = by_item or two_sample(x.measurement, y.measurement)
    if not difference.usable:
        return _Pair(x, y, "numbers so large, or intervals so narrow, that no difference can be computed")
    return _Pair(x, y, None, difference)


def _compared(
    pair: _Pair, audits: tuple[AuditResult, AuditResult], p: float | None, confidence: float, level: float
) -> ComparedFinding:
    before, after = audits
    shown = pair.after or pair.before
    assert shown is not None
    m = shown.measurement
    fields: dict[str, Any] = {
        "id": shown.id,
        "fingerprint": fingerprint_of(shown, after if pair.after else before),
        "title": shown.title,
        "severity": shown.severity,
        "unit": m.unit if m else "",
        "higher_is_worse": m.higher_is_worse if m else True,
        "before": reading_of(pair.before),
        "after": reading_of(pair.after),
    }
    change, reason = _unpaired(pair, before, after)
    if pair.difference is None or p is None:
        return ComparedFinding(**fields, change=change, reason=reason)
    difference = pair.difference
    low, high = difference.bounds(confidence)
    significant = p <= level and (low > 0 or high < 0)
    if not significant:  # the exact test and the interval may differ by a hair: both must exclude 0
        low, high = min(low, 0.0), max(high, 0.0)
    change = "unchanged"
    if significant:
        change = "worse" if (difference.value > 0) == fields["higher_is_worse"] else "better"
    return ComparedFinding(
        **fields, change=change, difference=difference.value, low=low, high=high, p=p,
        method=f"{difference.method}; interval at {confidence:.2%}", pairs=difference.pairs,
    )  # fmt: skip


def _unpaired(pair: _Pair, before: AuditResult, after: AuditResult) -> tuple[Change, str]:
    """Return the change of a finding that has no difference, and why."""
    if pair.before is None:
        return "new", _absent(pair.after, before, "before")
    if pair.after is None:
        return "gone", _absent(pair.before, after, "after")
    if pair.why_not is not None:
        return "not-comparable", pair.why_not
    return "unchanged", "the same bound"


def _absent(finding: Finding | None, other: AuditResult, side: str) -> str:
    """Say why the other audit does not have a finding."""
    assert finding is not None
    if any(f.probe == finding.probe for f in other.findings):
        return f"its probe reported no such finding {side}"
    return f"its probe did not run {side}"


def reading_of(finding: Finding | None) -> Reading | None:
    """Return what one audit has of a finding."""
    if finding is None:
        return None
    m = finding.measurement
    if m is None:
        return Reading(outcome=finding.outcome)
    return Reading(outcome=finding.outcome, value=m.value, low=m.low, high=m.high, n=m.n)


def run_of(run: StoredAudit) -> ComparedRun:
    """Return what is said of an audit beside others."""
    result = run.result
    return ComparedRun(
        targets=tuple(target.name for target in result.targets),
        verdict=result.verdict,
        policy=result.policy,
        policy_sha256=result.policy_sha256,
        budget=result.budget,
        seed=result.seed,
        started=result.timing.started,
        guardrails_version=result.guardrails_version,
        sha256=run.sha256,
    )
