"""The policy of an audit as its result holds it: every threshold and framework control, as before the first sample."""

from __future__ import annotations

import hashlib
import json

from pydantic import Field

from .finding import FrameworkRef, Threshold
from .measurement import Frozen


class PolicyThreshold(Threshold):
    """The limit of one metric of one probe."""

    probe: str


class FrameworkControl(FrameworkRef):
    """A control of a framework, and the probes whose findings give evidence for it.

    `gap` says what those probes do not show of the control; where `testable` is false, why no technical test can
    give evidence for it.
    """

    testable: bool = True
    probes: tuple[str, ...] = Field(default=(), description="ids of the probes that were installed")
    absent: tuple[str, ...] = Field(default=(), description="ids or patterns of probes that were not installed")
    gap: str = ""

    @property
    def reference(self) -> FrameworkRef:
        """The control alone, as a finding cites it."""
        return FrameworkRef(**{name: getattr(self, name) for name in FrameworkRef.model_fields})


class PolicyRecord(Frozen):
    """A policy with everything that it inherits. `sha256` is what the journal holds before the first sample."""

    name: str
    description: str = ""
    extends: tuple[str, ...] = Field(default=(), description="the policies that it builds on, the nearest first")
    thresholds: tuple[PolicyThreshold, ...]
    controls: tuple[FrameworkControl, ...] = ()

    @property
    def sha256(self) -> str:
        """Hash of the canonical JSON without fields that have their default: a later field changes no earlier hash."""
        values = self.model_dump(mode="json", exclude_defaults=True)
        text = json.dumps(values, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
