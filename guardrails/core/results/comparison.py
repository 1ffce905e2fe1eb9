"""The comparison of two audits: which findings are worse beyond noise."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field

from .audit import _canonical
from .finding import Severity
from .measurement import Frozen

Change = Literal["worse", "new", "gone", "not-comparable", "better", "unchanged"]
CHANGES: tuple[Change, ...] = ("worse", "new", "not-comparable", "gone", "better", "unchanged")
"""The most important first."""


class Document(Frozen):
    """A result that is stored as a file of its own."""

    def to_json(self) -> str:
        """Return canonical JSON: sorted keys, two-space indent, newline at the end; always encodable as UTF-8."""
        return _canonical(self.model_dump(mode="json"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote.

        Raises
        ------
        pydantic.ValidationError
            Where the text is no such result of this schema.
        """
        return cls.model_validate_json(text)


class ComparedRun(Frozen):
    """One of the two audits."""

    targets: tuple[str, ...]
    verdict: str
    policy: str
    policy_sha256: str
    budget: str
    seed: int
    started: str
    guardrails_version: str
    sha256: str | None = Field(default=None, description="of its result.json; None: it states none")


class Reading(Frozen):
    """What one audit has of a finding."""

    outcome: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0


class ComparedFinding(Frozen):
    """One finding in both audits.

    `difference` is after − before, with the interval [`low`, `high`] at the level at which Holm's procedure tests it;
    `p` is adjusted for all findings compared. None where there is no difference to tell.
    """

    id: str
    fingerprint: str
    title: str
    change: Change
    reason: str = ""
    severity: Severity = Severity.INFO
    unit: str = ""
    higher_is_worse: bool = True
    before: Reading | None = None
    after: Reading | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    method: str = ""
    pairs: int = Field(default=0, ge=0, description="items that both audits asked, where they were compared by item")


class Comparison(Document):
    """Two audits, finding by finding. `level` is the chance that any unchanged finding is called worse or better."""

    schema_version: Literal["1.0"] = "1.0"
    guardrails_version: str
    verdict: Literal["worse", "not-worse", "nothing-compared"]
    exit_code: int
    level: float
    before: ComparedRun
    after: ComparedRun
    notes: tuple[str, ...] = ()
    findings: tuple[ComparedFinding, ...] = ()

    def by_importance(self) -> list[ComparedFinding]:
        """Return the findings, the most important change first."""
        return sorted(self.findings, key=lambda f: (CHANGES.index(f.change), f.id))
