"""A result that was altered in a run's folder disagrees with what the journal holds from before the first sample."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from guardrails.assay.audit.findings import with_verdict
from guardrails.assay.audit.orchestrator import run_audit
from guardrails.assay.bundle.verify import verify
from guardrails.assay.bundle.write import bundle
from guardrails.core.errors import ConfigurationError
from guardrails.core.results import (
    AuditResult,
    Finding,
    KnownFinding,
    PolicyRecord,
    Severity,
    Status,
    UsedFile,
    WaiverRecord,
)

from .. import fakes


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an audit that failed."""
    folder = tmp_path_factory.mktemp("audited") / "run"
    with pytest.MonkeyPatch.context() as patch:
        fakes.install(patch)
        result, _ = run_audit(fakes.FakeTarget(0.9), out=folder)
    assert result.verdict == "fail"
    return folder


def changed(result: AuditResult, **fields: Any) -> AuditResult:
    return result.model_copy(update={"findings": (result.findings[0].model_copy(update=fields),)})


def used(result: AuditResult, name: str, **fields: Any) -> AuditResult:
    return changed(result, **fields).model_copy(update={name: UsedFile(name="file", sha256="0" * 64)})


def with_limit(result: AuditResult, limit: float) -> AuditResult:
    record = result.policy_record
    assert record is not None
    rows = tuple(row.model_copy(update={"limit": limit}) for row in record.thresholds)
    looser = PolicyRecord.model_validate(record.model_dump() | {"thresholds": [row.model_dump() for row in rows]})
    threshold = result.findings[0].threshold
    assert threshold is not None
    result = changed(result, status=Status.PASS, threshold=threshold.model_copy(update={"limit": limit}))
    return result.model_copy(update={"policy_record": looser, "policy_sha256": looser.sha256})


def renamed(finding: Finding) -> dict[str, Any]:
    assert finding.measurement is not None
    other = finding.measurement.model_copy(update={"metric": "other"})
    return {"measurement": other, "threshold": None, "status": Status.NOT_ASSESSED, "reason": "no limit"}


WAIVER = WaiverRecord(owner="me", reason="it does not matter", expires="2999-01-01")
UNMEASURED = {"measurement": None, "reason": "nothing to measure"}
ALTERED: dict[str, Callable[[AuditResult], AuditResult]] = {
    "no finding": lambda r: r.model_copy(update={"findings": ()}),
    "not applicable": lambda r: changed(r, status=Status.NOT_APPLICABLE),
    "not applicable without a value": lambda r: changed(r, status=Status.NOT_APPLICABLE, **UNMEASURED),
    "no limit and no value": lambda r: changed(r, status=Status.NOT_ASSESSED, threshold=None, **UNMEASURED),
    "another metric": lambda r: changed(r, **renamed(r.findings[0])),
    "severity that counts": lambda r: r.model_copy(update={"fail_on": Severity.CRITICAL}),
    "policy": lambda r: with_limit(r, 0.99),
    "waiver": lambda r: used(r, "waivers", waiver=WAIVER),
    "baseline": lambda r: used(r, "baseline", known=KnownFinding()),
    "self-check": lambda r: changed(r, expected="found").model_copy(update={"kind": "self-check"}),
}


@pytest.mark.parametrize("name", ALTERED)
def test_a_fail_that_was_altered_away_is_found(name: str, failed: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(failed, run)
    result = AuditResult.from_json((run / "result.json").read_text())
    altered = with_verdict(ALTERED[name](result))
    assert altered.verdict != "fail"
    (run / "result.json").write_text(altered.to_json())
    assert verify(run).problems
    with pytest.raises(ConfigurationError, match=r"not the result of the journal\.sqlite"):
        bundle(run, tmp_path / "b.tar")
    assert not (tmp_path / "b.tar").exists()


def test_what_was_not_altered_agrees(failed: Path) -> None:
    assert verify(failed).problems == []


def emptied(journal: Path) -> None:
    journal.write_bytes(b"")


def without_samples(journal: Path) -> None:
    with closing(sqlite3.connect(journal)) as db, db:
        db.execute("DELETE FROM log WHERE number >= (SELECT min(number) FROM log WHERE kind = 'rows')")


def without_anything(journal: Path) -> None:
    with closing(sqlite3.connect(journal)) as db, db:
        db.execute("DELETE FROM log")


@pytest.mark.parametrize("alter", [emptied, without_samples, without_anything])
def test_a_journal_without_the_run_is_found(alter: Callable[[Path], None], failed: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(failed, run)
    alter(run / "journal.sqlite")
    before = (run / "journal.sqlite").read_bytes()
    assert any("journal" in problem for problem in verify(run).problems)
    assert (run / "journal.sqlite").read_bytes() == before
