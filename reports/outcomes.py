"""A finding as tools that read test results know it: passed, failed, broken or skipped, with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from guardrails.core.results import Finding, Status
from guardrails.core.results.scan import ScanDetection, ScanResult

from .findings import limit_of, sentence_of, value_of
from .text import clip, number, visible

State = Literal["passed", "failed", "error", "skipped"]
TEXT = 1000
"""Characters of one text: what a CI server shows of a message."""
SYNTHETIC = ("synthetic", "manipulated")


@dataclass(frozen=True)
class Outcome:
    """What came out.

    Attributes
    ----------
    state : str
        ``passed``, ``failed``, ``error`` (an instrument or its items broke) or ``skipped`` (nothing was settled).
    word : str
        What exactly: the status of a finding, ``control-failed``, ``items-failed``, ``missed``, ``false-alarm``; the
        verdict of a detection.
    reason : str
        On one line, visible, at most `TEXT` characters.
    """

    state: State
    word: str
    reason: str


def one_line(text: str) -> str:
    """Return untrusted text on one line, visible and clipped."""
    return clip(visible(clip(text, TEXT)), TEXT)


def outcome_of(finding: Finding) -> Outcome:
    """Return the outcome of a finding; in a self-check, whether the instrument behaved."""
    reason = one_line(sentence_of(finding))
    if finding.control_failed:
        return Outcome("error", "control-failed", reason)
    if finding.expected and not finding.behaved:
        if finding.status in (Status.NOT_ASSESSED, Status.NOT_APPLICABLE):
            return Outcome("error", finding.status.value, reason)
        return Outcome("failed", "missed" if finding.expected == "found" else "false-alarm", reason)
    if finding.expected or finding.status is Status.PASS:
        return Outcome("passed", finding.status.value, reason)
    if finding.status is Status.FAIL:
        return Outcome("skipped" if finding.excused else "failed", finding.outcome, reason)
    m = finding.measurement
    # Some items may fail; where too many did, the policy gives that as the reason.
    if finding.status is Status.NOT_ASSESSED and m is not None and m.errors and m.failed in (finding.reason or ""):
        return Outcome("error", "items-failed", reason)
    return Outcome("skipped", finding.status.value, reason)


def reading_of(finding: Finding) -> str:
    """Return the reading with its interval, n and limit, on one line."""
    m = finding.measurement
    n = "" if m is None else f", n {m.n:,}"
    return one_line(f"{value_of(m)}{n}, limit: {limit_of(finding)}")


def detection_outcome(detection: ScanDetection) -> Outcome:
    """Return the outcome of one detector on one file."""
    reasons = one_line("; ".join(detection.reasons[:12]))
    if detection.verdict in SYNTHETIC:
        return Outcome("failed", detection.verdict, reasons)
    if detection.verdict == "abstain":
        return Outcome("skipped", "abstain", reasons or "the detector abstains")
    return Outcome("passed", detection.verdict, reasons)


def score_of(detection: ScanDetection) -> str:
    """Return the numbers of a detection, on one line."""
    names = {"likelihood ratio": detection.likelihood_ratio, "probability": detection.probability}
    said = [
        f"{name} {number(value)}" for name, value in (names | {"score": detection.score}).items() if value is not None
    ]
    return ", ".join(said) or "no score"


def count_of(result: ScanResult) -> int:
    """Return how many outcomes a scan has: detections, files that could not be read, files that no detector saw."""
    return result.files + sum(n for counts in result.verdicts.values() for n in counts.values())
