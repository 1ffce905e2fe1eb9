"""The self-check in several processes: the same result, whose work is whose, and what happens when one is lost."""

from __future__ import annotations

import os
import pickle
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from guardrails.assay.audit import processes
from guardrails.assay.audit.engine import Series
from guardrails.assay.audit.orchestrator import run_audit
from guardrails.assay.audit.plan import make_settings
from guardrails.assay.audit.processes import READY, Sources, _by_source, _Child
from guardrails.assay.audit.worker import Code, Job
from guardrails.core.errors import JournalError
from guardrails.core.registry import load_probe
from guardrails.core.results import AuditResult

PROBES = ["privacy.table-distance", "memorization.levels"]
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


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job("job", make_settings({}), {}, tmp_path, tmp_path / "my run", Code("", {}), {}, {})


def writes(monkeypatch: pytest.MonkeyPatch, what: bytes) -> None:
    """Have a process write some bytes and live on until it is told nothing more."""
    code = f"import sys; sys.stdout.buffer.write({what!r}); sys.stdout.flush(); sys.stdin.buffer.read()"
    monkeypatch.setattr(processes, "command", lambda _: [sys.executable, "-c", code])


@pytest.mark.parametrize("printed", [b"", b"hello\n", b"hello\n\nno line break: "])
def test_what_python_prints_as_it_starts_is_no_answer(
    job: Job, monkeypatch: pytest.MonkeyPatch, printed: bytes
) -> None:
    writes(monkeypatch, printed + READY + pickle.dumps("the plan"))
    child = _Child(job)
    try:
        assert child._answer("plan", "series") == "the plan"
    finally:
        child.close()


def test_a_process_that_cannot_be_understood_is_ended_and_not_waited_for(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes(monkeypatch, READY + b"hello\n")
    child = _Child(job)
    with pytest.raises(JournalError, match=r"ended by signal 9 \(.*--resume '.*my run'"):
        child.plan("series")
    child.close()


def test_a_process_that_ended_itself_is_said_to_have(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "command", lambda _: [sys.executable, "-c", "raise SystemExit(3)"])
    child = _Child(job)
    with pytest.raises(JournalError, match="ended with code 3"):
        child.plan("series")
    child.close()


def test_ctrl_c_does_not_reach_a_process_that_starts(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import signal; signal.raise_signal(signal.SIGINT); raise SystemExit(3)"
    monkeypatch.setattr(processes, "command", lambda _: [sys.executable, "-c", code])
    child = _Child(job)
    with pytest.raises(JournalError, match="ended with code 3"):
        child.plan("series")
    child.close()
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


class Child:
    def __init__(self) -> None:
        self.sources: set[str] = set()


def children() -> tuple[Any, Any]:
    return Child(), Child()


def series(name: str) -> Series:
    return Series(name, load_probe("privacy.linkability"), lambda: pytest.fail("opened"), 0)


def test_a_process_does_sources_of_a_generator_that_it_knows_and_else_the_one_of_most_series() -> None:
    names = ["one|x:a", "one|x:b,dose=1", "one|x:b", "two|x:b", "one|y:a,dose=1", "one|x:c"]
    sources = Sources(_by_source((series(name), i) for i, name in enumerate(names)), {})
    assert len(sources) == 5
    first, second = children()
    assert [what for _, what in sources.next(first) or []] == [2, 3]
    assert [what for _, what in sources.next(second) or []] == [0]
    assert [what for _, what in sources.next(first) or []] == [1]
    assert [what for _, what in sources.next(second) or []] == [4]
    assert [what for _, what in sources.next(second) or []] == [5]
    assert sources.next(first) is None
    assert second.sources == {"x:a", "y:a,dose=1", "x:c"}


def test_a_process_that_knows_none_of_the_generators_takes_one_that_no_other_has() -> None:
    names = ["one|x:b", "two|x:b", "one|x:b,dose=1", "two|x:b,dose=1", "one|x:a"]
    opened: dict[str, set[Any]] = {}
    sources = Sources(_by_source((series(name), name) for name in names), opened)
    first, second = children()
    assert [what for _, what in sources.next(first) or []] == names[:2]
    assert [what for _, what in sources.next(second) or []] == names[4:]
    assert opened == {"b": {first}, "a": {second}}
    assert [what for _, what in sources.next(second) or []] == names[2:4]  # rather than wait


def test_a_source_is_measured_by_the_process_that_has_it_open() -> None:
    first, second = children()
    work = _by_source((series(name), name) for name in ("one|x:a", "one|x:b"))
    sources = Sources(work, {}, {"x:a": second, "x:b": first})
    assert sources.next(first) == work["x:b"]
    assert sources.next(first) is None
    assert sources.next(second) == work["x:a"]
