"""Stored audits made by hand: findings of given counts, journals of given outcomes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from guardrails.assay.audit.journal import Journal
from guardrails.assay.stored_audit import StoredAudit
from guardrails.core.batch import Arm, Item, in_batches
from guardrails.core.results import (
    AuditResult,
    ControlOutcome,
    Finding,
    InputRecord,
    Measurement,
    Severity,
    Status,
    TargetRecord,
    Threshold,
    Timing,
)
from guardrails.core.statistics import wilson

PROBE = "memorization.extraction"
METRIC = "extraction_rate"
CODE = {"python": "3.11", "sources": "b" * 64, "code": "c" * 64}
CLEAR = ControlOutcome(source="reference:gpt-text", expected="clear", observed="clear", value=0.0, low=0.0, high=0.01)


def measured(value: float, low: float, high: float, n: int, **more: Any) -> Measurement:
    fields: dict[str, Any] = {
        "probe": PROBE, "metric": METRIC, "unit": "share", "higher_is_worse": True,
        "method": "greedy continuation of 50 tokens; Wilson interval",
    }  # fmt: skip
    return Measurement(**{**fields, "value": value, "low": low, "high": high, "n": n, **more})


def rate(hits: int, n: int, **more: Any) -> Measurement:
    value, low, high = wilson(hits, n)
    return measured(value, low, high, n, **more)


def finding(m: Measurement | None, **more: Any) -> Finding:
    probe, metric = (m.probe, m.metric) if m else (PROBE, METRIC)
    fields: dict[str, Any] = {
        "id": f"{probe}/{metric}", "probe": probe, "title": f"{probe} {metric}", "status": Status.PASS,
        "severity": Severity.HIGH, "risk": "memorization", "measurement": m, "controls": (CLEAR,),
        "threshold": Threshold(metric=metric, limit=0.05, origin="by hand, for this test", severity=Severity.HIGH),
    }  # fmt: skip
    return Finding(**{**fields, **more})


def audit(*findings: Finding, **more: Any) -> AuditResult:
    record = InputRecord(name="train.jsonl", sha256="d" * 64, files=1, bytes=10)
    target = TargetRecord(name="hf:models/mine", modality="text", access=("sampling",), inputs={"corpus": record})
    fields: dict[str, Any] = {
        "guardrails_version": "0.1.0", "kind": "audit", "verdict": "pass", "exit_code": 0, "targets": (target,),
        "findings": findings, "not_tested": (), "policy": "default", "policy_sha256": "e" * 64, "seed": 0,
        "budget": "quick", "command": "guardrails audit hf:models/mine", "environment": CODE,
        "timing": Timing(started="2026-12-01T00:00:00+00:00", seconds=1.0),
    }  # fmt: skip
    return AuditResult(**{**fields, **more})


def stored(*findings: Finding, **more: Any) -> StoredAudit:
    return StoredAudit(audit(*findings, **more))


def run(
    folder: Path, hits: Sequence[bool], *, per_document: int = 1, fields: Mapping[str, Any] | None = None
) -> StoredAudit:
    """Write the journal and the result of an extraction whose items hit or not; items of one document share it."""
    folder.mkdir()
    items = [
        Item(f"corpus:{i // per_document}:{i}", Arm.CORPUS, {"index": i, **(fields or {})}) for i in range(len(hits))
    ]
    batches = in_batches(items, 50)
    with Journal(folder / "journal.sqlite") as journal:
        journal.add_plan([(f"{PROBE}|target", batches)], {"settings": {}})
        for batch in batches:
            rows = [
                {
                    "item": item.id,
                    "arm": "corpus",
                    "suffix": 50,
                    "matched": 50 if hits[int(item.id.split(":")[2])] else 3,
                }
                for item in batch.items
            ]
            journal.finish(f"{PROBE}|target", batch, rows)
    result = audit(finding(rate(sum(hits), len(hits))))
    (folder / "result.json").write_text(result.to_json(), encoding="utf-8")
    return StoredAudit(result, folder)


def edited(result: AuditResult, **fields: Any) -> str:
    """Return a document with other fields and without its hash, as someone would edit it by hand."""
    return json.dumps({**json.loads(result.to_json()), "sha256": None, **fields})
