"""Waivers: failed findings that someone accepted, for a reason and until a date. TOML, one ``[[waiver]]`` for each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from ...core.errors import ConfigurationError
from ...core.results import AuditResult, Finding, Status, UsedFile, WaiverRecord, fingerprint_of, metric_of, target_of
from .policy import Check, Line, Metric, mistakes, read_toml

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]


class Waiver(BaseModel):
    """One accepted failure: a finding by its fingerprint, or by probe, metric and target."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fingerprint: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    probe: Check | None = None
    metric: Metric | None = None
    target: Text | None = None
    owner: Annotated[Line, StringConstraints(strip_whitespace=True, min_length=1)]
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=10, max_length=1000)]
    expires: datetime | date

    @field_validator("expires", mode="before")
    @classmethod
    def _is_a_date(cls, value: Any) -> Any:
        if isinstance(value, datetime) and value.tzinfo is None:
            raise ValueError("a time needs its offset, as in 2027-01-31T12:00:00+01:00; or give a date alone")
        if not isinstance(value, date):  # a datetime is a date
            raise ValueError("a date without quotes, as in expires = 2027-01-31")
        return value

    @model_validator(mode="after")
    def _names_one_finding(self) -> Waiver:
        named = (self.probe, self.metric, self.target)
        if self.fingerprint is not None and named != (None, None, None):
            raise ValueError("give the fingerprint, or probe, metric and target, not both")
        if self.fingerprint is None and None in named:
            raise ValueError("give the fingerprint of a finding, or probe, metric and target, all three")
        return self

    @property
    def end(self) -> datetime:
        """When it expires: a date holds until the end of that day in UTC."""
        if isinstance(self.expires, datetime):
            return self.expires
        day = datetime.combine(self.expires, time(), UTC)
        return day + timedelta(days=1) if self.expires < date.max else datetime.max.replace(tzinfo=UTC)

    def expired(self, now: datetime) -> bool:
        """Return whether it no longer holds."""
        return now >= self.end

    def matches(self, finding: Finding, result: AuditResult) -> bool:
        """Return whether this is the finding that was accepted."""
        if self.fingerprint is not None:
            return fingerprint_of(finding, result) == self.fingerprint
        named = finding.probe, metric_of(finding), target_of(finding, result)
        return named == (self.probe, self.metric, self.target)

    def describe(self) -> str:
        """Return what it names, for a message."""
        if self.fingerprint is not None:
            return f"fingerprint {self.fingerprint[:12]}…"
        return f"{self.probe}/{self.metric} of {self.target}"

    def record(self) -> WaiverRecord:
        """Return what the result states of it."""
        return WaiverRecord(owner=self.owner, reason=self.reason, expires=self.expires.isoformat())


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    waiver: list[Waiver] = Field(min_length=1)


@dataclass(frozen=True)
class Waivers:
    """The waivers of a file. None of them has expired."""

    file: UsedFile
    waivers: tuple[Waiver, ...]

    def applied(self, result: AuditResult) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
        """Return the findings, those that failed and are accepted with their waiver, and remarks on unused waivers."""
        findings = []
        used: set[int] = set()
        matched: dict[int, Finding] = {}
        for finding in result.findings:
            for number, waiver in enumerate(self.waivers):
                if not waiver.matches(finding, result):
                    continue
                matched.setdefault(number, finding)
                if finding.status is Status.FAIL and finding.waiver is None:
                    finding = finding.model_copy(update={"waiver": waiver.record()})
                    used.add(number)
            findings.append(finding)
        remarks = []
        for number, waiver in enumerate(self.waivers):
            what = f"the waiver of {waiver.owner} for {waiver.describe()}"
            if number not in matched:
                remarks.append(f"{what} matches no finding of this audit")
            elif number not in used:
                other = matched[number]
                why = "another waiver covers it" if other.status is Status.FAIL else f"the finding is {other.status}"
                remarks.append(f"{what} is not needed: {why}")
        return tuple(findings), tuple(remarks)


def load_waivers(path: str | Path, *, now: datetime | None = None) -> Waivers:
    """Read a file of waivers.

    Parameters
    ----------
    path : str or Path
        A TOML file.
    now : datetime, optional
        With an offset. Default: the present.

    Raises
    ------
    ConfigurationError
        With every mistake: a waiver without owner, reason or expiry, one that names no finding, one that has expired.
    """
    path = Path(path)
    data, content = read_toml(path, "waivers")
    try:
        file = _File.model_validate(data)
    except ValidationError as error:
        raise ConfigurationError(f"waivers {path}:", *mistakes(error)) from error
    now = now or datetime.now(UTC)
    expired = [
        f"  waiver {number} ({waiver.describe()}, owner {waiver.owner}) expired on {waiver.expires.isoformat()}:"
        " renew it, or remove it"
        for number, waiver in enumerate(file.waiver, 1)
        if waiver.expired(now)
    ]
    if expired:
        raise ConfigurationError(f"waivers {path}:", *expired)
    sha256 = hashlib.sha256(content).hexdigest()
    return Waivers(UsedFile(name=str(path), sha256=sha256), tuple(file.waiver))
