"""The identity of a finding from run to run."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from .finding import Finding

if TYPE_CHECKING:
    from .audit import AuditResult


def target_of(finding: Finding, result: AuditResult) -> str:
    """Return the name of the target that a finding is about."""
    if len(result.targets) == 1:
        return result.targets[0].name
    return finding.id.partition("@")[2]


def metric_of(finding: Finding) -> str:
    """Return the name of the metric of a finding.

    A finding is named ``probe/metric``, in a self-check ``probe/metric@target``.
    """
    return finding.id.removeprefix(f"{finding.probe}/").partition("@")[0]


def fingerprint_of(finding: Finding, result: AuditResult) -> str:
    """Return the SHA-256 of a finding's id and target: the same in every run, whatever was measured.

    SARIF has it as a partial fingerprint; a waiver may name a finding by it.
    """
    parts = (finding.id, target_of(finding, result))
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()
