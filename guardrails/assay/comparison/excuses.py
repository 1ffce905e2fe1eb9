"""Failed findings that do not fail an audit: those that are waived, and those that a baseline has too."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...core.errors import ConfigurationError
from ...core.results import AuditResult, Finding, KnownFinding, Status, UsedFile
from ...core.results.comparison import ComparedFinding
from ..policy.waivers import Waivers, load_waivers
from ..stored_audit import StoredAudit, read_audit
from .compare import compare


@dataclass(frozen=True)
class Excuses:
    """The waivers and the baseline of an audit."""

    waivers: Waivers | None = None
    baseline: StoredAudit | None = None
    baseline_name: str = ""

    def applied(self, result: AuditResult, folder: Path | None = None) -> AuditResult:
        """Return a result whose failed findings say whether they are waived or known. The verdict is as it was."""
        remarks: tuple[str, ...] = ()
        if self.waivers is not None:
            findings, remarks = self.waivers.applied(result)
            result = result.model_copy(update={"findings": findings, "waivers": self.waivers.file})
        if self.baseline is not None:
            try:
                findings, more = _known(result, folder, self.baseline)
            except ConfigurationError as error:  # a run that is finished is not lost for it
                findings, more = result.findings, (f"the baseline is not used: {error}",)
            file = UsedFile(name=self.baseline_name, sha256=self.baseline.sha256 or "")
            result = result.model_copy(update={"findings": findings, "baseline": file})
            remarks += more
        return result.model_copy(update={"remarks": (*result.remarks, *remarks)})


def load_excuses(waivers: str | Path | None, baseline: str | Path | None) -> Excuses:
    """Read a file of waivers and the result of a baseline.

    Raises
    ------
    ConfigurationError
    """
    stored = None if baseline is None else read_audit(baseline)
    if stored is not None and stored.result.kind != "audit":
        raise ConfigurationError(f"baseline {baseline}: it is the result of a {stored.result.kind}, not of a target")
    return Excuses(None if waivers is None else load_waivers(waivers), stored, str(baseline or ""))


def _known(
    result: AuditResult, folder: Path | None, baseline: StoredAudit
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Return the findings, those that failed in the baseline too with what it had, and remarks."""
    before = {f.id: f for f in baseline.result.findings if f.status is Status.FAIL}
    compared = {f.id: f for f in compare(baseline, StoredAudit(result, folder)).findings}
    findings = tuple(
        f.model_copy(update={"known": _record(before[f.id], compared[f.id])})
        if f.status is Status.FAIL and f.id in before
        else f
        for f in result.findings
    )
    names = [", ".join(t.name for t in r.targets) for r in (baseline.result, result)]
    remarks = () if names[0] == names[1] else (f"the baseline is of another target: {names[0]}",)
    return findings, remarks


def _record(before: Finding, compared: ComparedFinding) -> KnownFinding:
    m = before.measurement
    worse = compared.change == "worse"
    note = {
        "worse": "worse than in the baseline, beyond noise",
        "better": "better than in the baseline, beyond noise",
        "unchanged": "no difference from the baseline beyond noise",
    }.get(compared.change, f"it cannot be compared with the baseline: {compared.reason}")
    if m is None:
        return KnownFinding(worse=worse, note=note)
    return KnownFinding(value=m.value, low=m.low, high=m.high, n=m.n, worse=worse, note=note)
