"""Conversations of several turns: what is asked next rests on what was answered, and a cut run asks the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from guardrails.assay.audit.dry_run import dry_run
from guardrails.assay.audit.journal import Journal
from guardrails.assay.audit.orchestrator import run_audit
from guardrails.core.asking import STAGE, follow_ups
from guardrails.core.batch import Batch, Item, Row, in_batches
from guardrails.core.errors import JournalError
from guardrails.core.probe import Budget
from guardrails.core.results import AuditResult, Status
from guardrails.core.subject import Subject

from .. import fakes

SERIES = "fake.yes|target"
NEXT = 1000
"""What a question's number grows by in each turn."""


class Insists(fakes.FakeProbe):
    """Asks again, up to twice, where the answer was no; the share of conversations with a yes."""

    size = 40
    stages = 2

    def collect(self, subject: Subject, batch: Batch, *, seed: int) -> list[Row]:
        target: Any = subject.target
        return [row | {"yes": target.answer(row["question"], seed)} for row in batch.rows()]

    def follow_up(self, rows: Sequence[Row], stage: int) -> list[Batch]:
        before = sorted(row["question"] for row in rows if row["question"] // NEXT == stage - 1 and not row["yes"])
        return in_batches([Item(f"{i % NEXT:04}:{stage}", fields={"question": i + NEXT}) for i in before], 10)

    def measure(self, rows: Sequence[Row], subject: Subject, *, seed: int) -> list[Any]:
        won = {row["question"] % NEXT for row in rows if row["yes"]}
        first = [row | {"yes": row["question"] in won} for row in rows if row["question"] < NEXT]
        return super().measure(first, subject, seed=seed)


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GUARDRAILS_CACHE", str(tmp_path / "cache"))
    fakes.install(monkeypatch)
    from guardrails.assay.audit import plan
    from guardrails.assay.policy import policy
    from guardrails.core import registry

    for module in (registry, plan, policy):
        monkeypatch.setattr(module, "probes", lambda: {Insists.id: Insists})
    monkeypatch.setattr(Insists, "controls", ())


def comparable(result: AuditResult) -> dict[str, Any]:
    return result.model_dump(mode="json", exclude={"timing"})


def rows_in(folder: Path, series: str = SERIES) -> list[Row]:
    with Journal(folder / "journal.sqlite") as journal:
        return journal.rows(series)


def turns(asked: Sequence[int]) -> list[int]:
    """Return how many questions of each turn were asked."""
    return [sum(i // NEXT == turn for i in asked) for turn in range(4)]


def test_what_was_answered_no_is_asked_again_in_the_next_stage(tmp_path: Path) -> None:
    target = fakes.FakeTarget(0.3)
    (finding,) = run_audit(target, out=tmp_path / "run")[0].findings
    rows = rows_in(tmp_path / "run")
    first, second, third, none = turns(target.asked)
    assert (first, none) == (40, 0)
    assert first > second > third > 0
    assert len(rows) == len(target.asked) == len(set(target.asked))
    for turn in (1, 2):
        refused = {r["question"] for r in rows if r["question"] // NEXT == turn - 1 and not r["yes"]}
        assert {r["question"] - NEXT for r in rows if r["question"] // NEXT == turn} == refused
    assert finding.measurement is not None
    assert finding.measurement.n == 40
    assert finding.measurement.value == pytest.approx(sum(r["yes"] for r in rows) / 40)


def test_a_stage_is_in_the_journal_before_it_is_asked_and_after_the_one_before_it_is_done(tmp_path: Path) -> None:
    run_audit(fakes.FakeTarget(0.3), out=tmp_path / "run")
    with Journal(tmp_path / "run" / "journal.sqlite") as journal:
        log = journal._db.execute("SELECT number, kind, idx FROM log WHERE name = ? ORDER BY number", (SERIES,))
        entries = [(number, kind, index // STAGE) for number, kind, index in log if kind in ("plan", "rows")]
        assert journal.stage(SERIES) == 2
    order = [(stage, kind) for _, kind, stage in entries]
    assert order == sorted(order)
    assert {stage for _, _, stage in entries} == {0, 1, 2}


def cut_when(reached: Callable[[int], bool]) -> fakes.FakeTarget:
    """Return a target at which the run is cut off once, by the first question that is so."""
    target = fakes.FakeTarget(0.3)
    answer, cuts = target.answer, [True]

    def interrupting(item: int, seed: int) -> bool:
        if cuts and reached(item):
            cuts.clear()
            raise KeyboardInterrupt
        return answer(item, seed)

    target.answer = interrupting  # type: ignore[method-assign]
    return target


@pytest.mark.parametrize("turn", [1, 2])
@pytest.mark.parametrize("after", [0, 12])
def test_a_run_cut_between_stages_or_in_one_goes_on_as_if_it_had_not_been(
    tmp_path: Path, turn: int, after: int
) -> None:
    expected, _ = run_audit(fakes.FakeTarget(0.3), out=tmp_path / "whole")
    target = cut_when(lambda item: item // NEXT == turn and turns(target.asked)[turn] >= after)
    with pytest.raises(KeyboardInterrupt):
        run_audit(target, out=tmp_path / "run")
    before = rows_in(tmp_path / "run")
    assert {row["question"] // NEXT for row in before} == set(range(turn + (after >= 10)))
    resumed, _ = run_audit(target, resume=tmp_path / "run")
    assert comparable(resumed) == comparable(expected)
    assert rows_in(tmp_path / "run") == rows_in(tmp_path / "whole")
    asked = turns(target.asked)[turn]
    again = after % 10  # of the batch that was cut
    assert asked == turns([row["question"] for row in rows_in(tmp_path / "whole")])[turn] + again


def test_a_run_cut_while_a_stage_is_made_up_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected, _ = run_audit(fakes.FakeTarget(0.3), out=tmp_path / "whole")
    target = fakes.FakeTarget(0.3)

    def cut(self: Any, rows: Sequence[Row], stage: int) -> list[Batch]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Insists, "follow_up", cut)
        with pytest.raises(KeyboardInterrupt):
            run_audit(target, out=tmp_path / "run")
    assert turns(target.asked) == [40, 0, 0, 0]
    resumed, _ = run_audit(target, resume=tmp_path / "run")
    assert comparable(resumed) == comparable(expected)
    assert len(target.asked) == len(set(target.asked))


def test_several_at_a_time_ask_the_same(tmp_path: Path) -> None:
    one, many = fakes.FakeTarget(0.3), fakes.FakeTarget(0.3)
    many.concurrent_batches = 4  # type: ignore[attr-defined]
    results = [run_audit(t, out=tmp_path / name)[0] for t, name in ((one, "one"), (many, "many"))]
    assert comparable(results[0]) == comparable(results[1])
    assert sorted(one.asked) == sorted(many.asked)


@pytest.mark.parametrize("stages", [0, 1, 2])
def test_there_are_no_more_stages_than_the_probe_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stages: int
) -> None:
    monkeypatch.setattr(Insists, "stages", stages)
    target = fakes.FakeTarget(0.0)
    run_audit(target, out=tmp_path / "run")
    assert turns(target.asked) == [40 if turn <= stages else 0 for turn in range(4)]


def test_a_stage_without_an_item_is_the_last(tmp_path: Path) -> None:
    target = fakes.FakeTarget(1.0)
    run_audit(target, out=tmp_path / "run")
    assert turns(target.asked) == [40, 0, 0, 0]
    with Journal(tmp_path / "run" / "journal.sqlite") as journal:
        assert journal.stage(SERIES) == 0
        assert journal.pending(SERIES) == []


def test_the_spiked_target_is_asked_its_own_follow_ups(tmp_path: Path) -> None:
    run_audit(fakes.FakeTarget(0.0), out=tmp_path / "run")
    assert len(rows_in(tmp_path / "run")) == 120
    assert len(rows_in(tmp_path / "run", "fake.yes|spike")) == 40  # it says yes at once


def test_a_defect_in_what_comes_next_is_a_reason_with_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Insists, "follow_up", lambda self, rows, stage: [1 / 0])
    result, folder = run_audit(fakes.FakeTarget(0.0), out=tmp_path / "run")
    assert result.findings[0].status is Status.NOT_ASSESSED
    assert "ZeroDivisionError" in (result.findings[0].reason or "")
    assert "follow_up" in (folder / "errors.log").read_text()


def test_a_dry_run_counts_what_is_planned() -> None:
    forecast = dry_run(fakes.FakeTarget(0.0)).forecasts[0]
    assert (forecast.samples, forecast.n) == (40, 40)


def test_follow_ups_are_numbered_by_their_stage() -> None:
    probe = Insists()
    plan = probe.plan(Subject(fakes.FakeTarget(0)), Budget.QUICK, seed=0)
    rows = [row | {"yes": False} for batch in plan for row in batch.rows()]
    assert [b.index for b in follow_ups(probe, rows, 1)] == [STAGE + k for k in range(4)]
    assert follow_ups(probe, rows, 2) == []
    assert follow_ups(probe, rows, 3) == []


def test_a_stage_of_which_batches_are_lost_is_refused(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.sqlite") as journal:
        journal.add_plan([("s", [Batch(0, (Item("a"),))])], {"planned": True})
        assert journal.stage("s") == 0
        journal.add_stage("s", 1, [Batch(STAGE, (Item("b"),))])
        assert journal.stage("s") == 1
        journal.add_plan([("s", [Batch(2 * STAGE, (Item("c"),))])], {})  # what a salvaged journal may end with
        with pytest.raises(JournalError, match="the follow-ups of s are not whole"):
            journal.stage("s")
