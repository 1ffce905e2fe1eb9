"""What the installed probes can give evidence for, control by control, and what they cannot: known before any audit."""

from __future__ import annotations

from typing import Any

from ...core.results import FrameworkControl
from .policy import Policy

PROBES, NO_PROBE, NO_TEST = "probes", "no probe", "not by a test"
"""What there is for a control: at least one installed probe; none; nothing, since no technical test can."""


def coverage(policy: Policy) -> list[dict[str, Any]]:
    """Return a row for each control of a policy: its reference, what there is for it, the probes, and the gaps."""
    return [
        control.reference.model_dump()
        | {"evidence": evidence_for(control), "probes": list(control.probes)}
        | {"absent": list(control.absent), "gap": control.gap}
        for control in policy.controls
    ]


def evidence_for(control: FrameworkControl) -> str:
    """Return what there is for a control."""
    if not control.testable:
        return NO_TEST
    return PROBES if control.probes else NO_PROBE
