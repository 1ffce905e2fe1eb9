"""Several batches at a time: the result of one at a time, whatever the order in which they end."""

from __future__ import annotations

import _thread
import random
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from guardrails.assay.audit.journal import Journal
from guardrails.assay.audit.orchestrator import run_audit
from guardrails.assay.audit.threads import concurrent_batches
from guardrails.core.errors import ConfigurationError, JournalError, TargetError
from guardrails.core.results import AuditResult, Status

from .. import fakes

SERIES = "fake.yes|target"


class Several(fakes.FakeTarget):
    """Allows several batches at a time, and notes how many there were."""

    def __init__(self, rate: float, at_once: int) -> None:
        super().__init__(rate)
        self.concurrent_batches = at_once
        self.late: int | None = None
        """An item whose batch ends after others that were begun later."""
        self.now, self.most = 0, 0
        self.lock = threading.Lock()

    def answer(self, item: int, seed: int) -> bool:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(random.random() / 200)
        while item == self.late and len(self.asked) < 100:
            time.sleep(0.001)
        with self.lock:
            self.now -= 1
        return super().answer(item, seed)


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GUARDRAILS_CACHE", str(tmp_path / "cache"))
    fakes.install(monkeypatch)
    monkeypatch.setattr(fakes.FakeProbe, "controls", ())


def comparable(result: AuditResult) -> dict[str, Any]:
    return result.model_dump(mode="json", exclude={"timing", "cost"})


def ended(folder: Path) -> list[int]:
    """Return the numbers of the finished batches of the target, in the order in which they were written."""
    with Journal(folder / "journal.sqlite") as journal:
        written = journal._db.execute("SELECT idx FROM log WHERE kind = 'rows' AND name = ? ORDER BY number", (SERIES,))
        return [number for (number,) in written]


def test_one_at_a_time_and_sixteen_give_the_same_rows_and_the_same_result(tmp_path: Path) -> None:
    rows, results, late = [], [], None
    for at_once in (1, 16):
        target, folder, steps = Several(0.3, at_once), tmp_path / str(at_once), []
        target.late = late
        result, _ = run_audit(target, out=folder, progress=steps.append)
        assert (target.most > 1) == (at_once > 1)
        assert target.most <= at_once
        late = target.asked[10]  # of the second batch
        assert sorted(target.asked) == list(range(200))
        assert [step.done for step in steps] == list(range(1, steps[-1].total + 1))
        with Journal(folder / "journal.sqlite") as journal:  # which checks the chain of its checksums
            rows.append(journal.rows(SERIES))
        results.append(comparable(result))
    assert ended(tmp_path / "1") == list(range(20))
    assert ended(tmp_path / "16") != list(range(20))
    assert rows[0] == rows[1]
    assert results[0] == results[1]


def test_after_a_batch_that_fails_those_under_way_are_kept_and_no_other_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fakes.FakeProbe, "divisible", False)
    target, whole = Several(0.0, 4), Several(0.0, 1)
    expected, _ = run_audit(whole, out=tmp_path / "whole")
    fails = set(whole.asked[50:60])  # the sixth batch of the plan
    begun: set[int] = set()
    answer = target.answer

    def failing(item: int, seed: int) -> bool:
        begun.add(item)
        if item in fails:
            raise TargetError("the model ran out of patience")
        return answer(item, seed)

    target.answer = failing  # type: ignore[method-assign]
    result, _ = run_audit(target, out=tmp_path / "run")
    assert result.findings[0].status is Status.NOT_ASSESSED
    assert result.findings[0].reason == "the model ran out of patience"
    done = ended(tmp_path / "run")
    assert 5 not in done
    assert len(target.asked) == 10 * len(done)  # what was begun was finished
    assert len(begun - fails) == 10 * len(done) < 190
    del target.answer  # type: ignore[method-assign]
    target.asked = [item for item in target.asked if item not in fails]
    resumed, _ = run_audit(target, resume=tmp_path / "run")
    assert sorted(target.asked) == list(range(200))
    assert comparable(resumed) == comparable(expected)


def test_of_two_batches_that_fail_the_first_of_the_plan_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fakes.FakeProbe, "divisible", False)
    order = Several(0.0, 1)
    run_audit(order, out=tmp_path / "order")
    slow, quick = order.asked[10], order.asked[20]  # of the second and the third batch
    target = Several(0.0, 4)

    def failing(item: int, seed: int) -> bool:
        if item == slow:
            time.sleep(0.3)
        if item in (slow, quick):
            raise TargetError("slow" if item == slow else "quick")
        return False

    target.answer = failing  # type: ignore[method-assign]
    (finding,) = run_audit(target, out=tmp_path / "run")[0].findings
    assert finding.reason == "slow"


def test_ctrl_c_keeps_what_has_finished_and_the_run_goes_on(tmp_path: Path) -> None:
    expected, _ = run_audit(Several(0.3, 1), out=tmp_path / "whole")
    target = Several(0.3, 8)
    answer = target.answer

    def interrupting(item: int, seed: int) -> bool:
        if len(target.asked) == 100:
            _thread.interrupt_main()
        return answer(item, seed)

    target.answer = interrupting  # type: ignore[method-assign]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background begins without it
    try:
        with pytest.raises(KeyboardInterrupt):
            run_audit(target, out=tmp_path / "run")
    finally:
        signal.signal(signal.SIGINT, before)
    target.answer = answer  # type: ignore[method-assign]
    kept = len(ended(tmp_path / "run"))
    assert 0 < kept < 20
    others = Several(0.3, 8)
    resumed, _ = run_audit(others, resume=tmp_path / "run")
    assert len(others.asked) == 200 - 10 * kept
    assert comparable(resumed) == comparable(expected)


def test_an_error_of_the_disk_in_one_thread_ends_the_run_and_keeps_the_others(tmp_path: Path) -> None:
    target = Several(0.0, 4)
    answer = target.answer

    def full(item: int, seed: int) -> bool:
        if len(target.asked) == 60:
            raise OSError(28, "No space left on device")
        return answer(item, seed)

    target.answer = full  # type: ignore[method-assign]
    with pytest.raises(JournalError, match="No space left on device"):
        run_audit(target, out=tmp_path / "run")
    assert len(ended(tmp_path / "run")) >= 4


def test_every_finished_batch_is_in_the_journal_where_it_cannot_be_written(tmp_path: Path) -> None:
    class DiskError(Exception):
        pass

    def cut(step: Any) -> None:
        if step.done == 7:
            raise DiskError

    with pytest.raises(DiskError):
        run_audit(Several(0.3, 8), out=tmp_path / "run", progress=cut)
    resumed, _ = run_audit(Several(0.3, 8), resume=tmp_path / "run")
    assert comparable(resumed) == comparable(run_audit(Several(0.3, 1), out=tmp_path / "whole")[0])


@pytest.mark.parametrize("number", [0, -1, 65, 2.0, True, "8", None])
def test_a_number_of_batches_that_is_none_is_refused(number: Any) -> None:
    target = fakes.FakeTarget(0.0)
    target.concurrent_batches = number  # type: ignore[attr-defined]
    with pytest.raises(ConfigurationError, match=r"fake: concurrent_batches is .*; a whole number from 1 to 64"):
        concurrent_batches(target)
    assert concurrent_batches(fakes.FakeTarget(0.0)) == 1
