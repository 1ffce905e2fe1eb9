"""Findings of several audits in the order of time: what became worse from one to the next."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .comparison import Change, ComparedRun, Document, Reading
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


class Trend(Document):
    """Several audits, the oldest first. `level` is the chance that any unchanged finding is called worse or better."""

    schema_version: Literal["1.0"] = "1.0"
    guardrails_version: str
    verdict: Literal["worse", "not-worse", "nothing-compared"] = Field(description="of the last step")
    exit_code: int
    level: float
    runs: tuple[ComparedRun, ...]
    notes: tuple[str, ...] = ()
    findings: tuple[TrendFinding, ...] = ()
