"""Findings of several audits in the order of time: what became worse from one to the next."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field

from .audit import _canonical
from .comparison import Change, ComparedRun, Reading
from .finding import Severity
from .measurement import Frozen


class Step(Frozen):
    """What became of a finding from one audit to the next. `p` is adjusted for all findings and steps."""

    change: Change
    reason: str = ""
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None


class TrendFinding(Frozen):
    """One finding over all audits. `readings` and `limits` have an entry for each audit, `steps` one fewer."""

    id: str
    title: str
    severity: Severity = Severity.INFO
    unit: str = ""
    higher_is_worse: bool = True
    readings: tuple[Reading | None, ...]
    limits: tuple[float | None, ...]
    steps: tuple[Step | None, ...] = Field(description="None: neither of the two audits has the finding")


class Trend(Frozen):
    """Several audits, the oldest first. `level` is the chance that any unchanged finding is called worse or better."""

    schema_version: Literal["1.0"] = "1.0"
    guardrails_version: str
    verdict: Literal["worse", "not-worse", "nothing-compared"] = Field(description="of the last step")
    exit_code: int
    level: float
    runs: tuple[ComparedRun, ...]
    notes: tuple[str, ...] = ()
    findings: tuple[TrendFinding, ...] = ()

    def to_json(self) -> str:
        """Return canonical JSON: sorted keys, two-space indent, newline at the end; always encodable as UTF-8."""
        return _canonical(self.model_dump(mode="json"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote.

        Raises
        ------
        pydantic.ValidationError
            Where the text is no trend of this schema.
        """
        return cls.model_validate_json(text)
