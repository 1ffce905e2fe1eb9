"""The self-check in several processes: the same result, and what happens when one is lost."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from guardrails.assay.audit import processes
from guardrails.assay.audit.orchestrator import run_audit
from guardrails.assay.audit.processes import _by_source
from guardrails.core.errors import JournalError
from guardrails.core.results import AuditResult

PROBES = ["privacy.linkability", "privacy.table-distance", "memorization.levels"]
DIFFERS = {"timing", "command"}


def self_check(out: Path) -> AuditResult:
    return run_audit(probes=PROBES, out=out)[0]


def findings(result: AuditResult) -> dict[str, Any]:
    return result.model_dump(exclude=DIFFERS)


@pytest.fixture
def several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(processes, "WORTH", 1)
    monkeypatch.setattr(processes, "processors", lambda: 2)


@pytest.mark.slow
def test_several_processes_bring_what_one_does(tmp_path: Path, several: None, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = self_check(tmp_path / "several")
    assert shared.verdict == "pass"
    monkeypatch.setattr(processes, "processors", lambda: 1)
    monkeypatch.setattr(processes, "_Child", None)
    assert findings(self_check(tmp_path / "one")) == findings(shared)


@pytest.mark.slow
def test_a_lost_process_keeps_what_is_finished(tmp_path: Path, several: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(progress: Any) -> None:
        for child in Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split():
            if progress.done >= 2 and "guardrails.assay.audit.processes" in Path(f"/proc/{child}/cmdline").read_text():
                os.kill(int(child), signal.SIGKILL)

    with pytest.raises(JournalError, match="a process of the self-check ended") as error:
        run_audit(probes=PROBES, out=tmp_path / "run", progress=killed)
    assert "--resume" in str(error.value)
    resumed, _ = run_audit(resume=tmp_path / "run")
    assert resumed.verdict == "pass"


def test_batches_of_a_source_stay_together_and_the_largest_come_first() -> None:
    from guardrails.assay.audit.engine import Series
    from guardrails.core.batch import Batch
    from guardrails.core.registry import load_probe

    def series(name: str) -> Series:
        return Series(name, load_probe("privacy.linkability"), lambda: pytest.fail("opened"), 0)

    batches = [Batch(i, (), {}) for i in range(3)]
    work = _by_source([(series("a|one"), batches[:1]), (series("a|two"), batches), (series("b|one"), batches[:1])])
    assert [[(s.name, b.index) for s, b in source] for source in work] == [
        [("a|two", 0), ("a|two", 1), ("a|two", 2)],
        [("a|one", 0), ("b|one", 0)],
    ]
    assert not _by_source([(series("a|one"), [])])
