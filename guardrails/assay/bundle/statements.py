"""What is signed: the outcome as a `test-result`, and as an `eval-result` that says how good its instruments are.

Sources: the in-toto predicate ``test-result`` v0.1; the proposal ``eval-result`` (in-toto/attestation #565, #575, not
yet accepted), whose consumers ignore fields that they do not know. The fields ``instruments`` and ``notClaimed`` are
this library's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from ...core.results import AuditResult, Finding, Status
from .envelope import canonical, statement

TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
EVAL_RESULT = "https://in-toto.io/attestation/eval-result/v0.1"
_OUTCOMES = {"pass": "PASSED", "fail": "FAILED", "control-failed": "FAILED"}


def digest_of(content: bytes) -> str:
    """Return the SHA-256 of bytes in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def test_result(result: AuditResult, manifest: bytes) -> dict[str, Any]:
    """Return the Statement about a bundle's manifest: which checks passed, which failed, and which say neither.

    What is inconclusive or was not assessed is *warned*: the predicate knows no other word for it.
    """
    named: dict[Status, list[str]] = {status: [] for status in Status}
    for finding in result.findings:
        named[finding.status].append(finding.id)
    predicate = {
        "result": _OUTCOMES.get(result.verdict, "WARNED"),
        "configuration": [
            {"name": f"policy {result.policy}", "digest": {"sha256": result.policy_sha256}},
            *_inputs(result),
        ],
        "passedTests": named[Status.PASS],
        "warnedTests": [*named[Status.INCONCLUSIVE], *named[Status.NOT_ASSESSED]],
        "failedTests": named[Status.FAIL],
    }
    return statement([_descriptor("manifest.json", digest_of(manifest))], TEST_RESULT, predicate)


def eval_result(result: AuditResult, result_json: bytes, before: str | None) -> dict[str, Any]:
    """Return the Statement about a bundle's result: its claims, and the instruments that they rest on.

    Parameters
    ----------
    result : AuditResult
        Of the audit.
    result_json : bytes
        As it lies in the bundle.
    before : str or None
        The digest of what was settled before the first sample: plan, policy, inputs, settings.
    """
    claimed = [f for f in result.findings if _is_claimed(f)]
    target = result.targets[0] if len(result.targets) == 1 else None
    predicate: dict[str, Any] = {
        "verifier": {"id": "urn:guardrails-audit"},
        "evaluatedAt": result.timing.started,
        "suite": {"name": result.policy, "version": result.policy_sha256},
        "claims": [_claim(finding) for finding in claimed],
        "sampleSize": sum(f.measurement.n for f in claimed if f.measurement),
        "commitments": {
            "model": _commitment({"identity": target.identity} if target else {"targets": len(result.targets)}),
            "dataset": _commitment({name: r.sha256 for t in result.targets for name, r in sorted(t.inputs.items())}),
        },
        "assuranceLevel": "self_attested",
        "subjectProfile": "receipt",
        "harness": {
            "name": "guardrails-audit",
            "version": result.guardrails_version,
            "digest": {"sha256": result.environment.get("sources", "")},
        },
        "instruments": [_instrument(f) for f in result.findings if f.status is not Status.NOT_APPLICABLE],
        "notClaimed": [
            {"finding": f.id, "status": f.status.value, "reason": f.reason}
            for f in result.findings
            if f.status is not Status.NOT_APPLICABLE and not _is_claimed(f)
        ],
    }
    if before:
        predicate["preRegistration"] = {"alg": "sha256", "value": before}
    return statement([_descriptor("result.json", digest_of(result_json))], EVAL_RESULT, predicate)


def _is_claimed(finding: Finding) -> bool:
    """Whether a finding passed or failed; an altered result may hold one that did without a measurement or limit."""
    return finding.status in (Status.PASS, Status.FAIL) and None not in (finding.measurement, finding.threshold)


def _claim(finding: Finding) -> dict[str, Any]:
    m, threshold = finding.measurement, finding.threshold
    assert m is not None and threshold is not None  # noqa: PT018  # a finding passes or fails by both
    return {
        "metric": finding.id,
        "comparator": "<=" if m.higher_is_worse else ">=",
        "threshold": repr(threshold.limit),
        "passed": finding.status is Status.PASS,
        "interval": {"low": repr(m.low), "high": repr(m.high), "confidence": repr(m.confidence)},
        "rule": "passed: the whole interval fits the threshold; not passed: none of it does",
    }


def _instrument(finding: Finding) -> dict[str, Any]:
    """Return how good the instrument of a finding is: its controls, its spike, its measured power and false alarms."""
    m = finding.measurement
    return {
        "finding": finding.id,
        "n": m.n if m else 0,
        "method": m.method if m else None,
        "detectable": m.detectable if m else None,
        "controls": [c.model_dump(mode="json") | {"behaved": c.behaved} for c in finding.controls],
        "spike": finding.spike.model_dump(mode="json") if finding.spike else None,
        "power": finding.power.model_dump(mode="json") if finding.power else None,
    }


def _inputs(result: AuditResult) -> Iterable[dict[str, Any]]:
    for target in result.targets:
        for role, record in sorted(target.inputs.items()):
            yield _descriptor(f"{role} of {target.name}", record.sha256)


def _descriptor(name: str, sha256: str) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": sha256}}


def _commitment(value: dict[str, Any]) -> dict[str, Any]:
    return {"alg": "sha256-of-canonical-json", "value": digest_of(canonical(value)), "salted": False}
