"""What a run used: counted by probe, with controls and spikes apart, over all sessions."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from guardrails.assay import meter as module
from guardrails.assay.audit.cost import cost_of
from guardrails.assay.audit.journal import Journal
from guardrails.assay.audit.orchestrator import run_audit
from guardrails.assay.meter import Meter, Spent, resident_memory
from guardrails.core.results import AuditResult, ProbeCost, Use

FAKES = Path(__file__).parents[1] / "fakes.py"
MiB = 1 << 20


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    monkeypatch.setenv("GUARDRAILS_CACHE", str(tmp_path / "cache"))
    spec = importlib.util.spec_from_file_location("guardrails_test_fakes_of_cost", FAKES)
    assert spec is not None
    assert spec.loader is not None
    fakes = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = fakes
    spec.loader.exec_module(fakes)
    fakes.install(monkeypatch)
    return fakes


def cost(result: AuditResult) -> ProbeCost:
    assert result.timing.cost is not None
    (one,) = result.timing.cost.per_probe.values()
    assert result.timing.cost.total == one
    return one


def test_reading_controls_and_spike_are_counted_apart(fake: Any, tmp_path: Path) -> None:
    result, folder = run_audit(fake.FakeTarget(0.0), out=tmp_path / "run")
    one = cost(result)
    assert one.reading.items == 200
    assert one.controls.items == 400
    assert 0 < one.spike.items <= 256
    assert min(use.seconds for use in (one.reading, one.controls, one.spike)) > 0
    assert (one.reading.requests, one.reading.money) == (0, None)
    assert AuditResult.from_json((folder / "result.json").read_text()) == result
    cached, _ = run_audit(fake.FakeTarget(0.0), out=tmp_path / "again")
    assert cost(cached).controls == Use()  # their outcomes were known
    assert cost(cached).reading.items == 200


def test_a_self_check_has_readings_alone(fake: Any, tmp_path: Path) -> None:
    result, _ = run_audit(out=tmp_path / "run")
    assert result.timing.cost is not None
    assert {use.reading.items for use in result.timing.cost.per_probe.values()} == {200}
    assert result.timing.cost.total.reading.items == 400
    assert result.timing.cost.total.controls == Use()


def test_a_resumed_run_sums_over_its_sessions(fake: Any, tmp_path: Path) -> None:
    run, told = tmp_path / "run", []

    def stop(progress: Any) -> None:
        told.append(progress)
        if progress.label == "fake.yes|target":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_audit(fake.FakeTarget(0.0), out=run, progress=stop)
    with Journal(run / "journal.sqlite") as journal:
        before = journal.used("fake.yes|target")
    assert before.items == 10
    result, _ = run_audit(fake.FakeTarget(0.0), resume=run)
    assert cost(result).reading.items == 200
    assert cost(result).controls.items == 400
    assert cost(result).reading.seconds > before.seconds


def test_what_a_stranger_wrote_of_use_is_one_line(fake: Any, tmp_path: Path) -> None:
    from guardrails.assay.log import Entry
    from guardrails.core.errors import JournalError

    for i, body in enumerate(("3", "{", '{"items": -1}', '{"more": 1}', "[" * 100_000)):
        path = tmp_path / f"{i}.sqlite"
        with pytest.raises(JournalError, match="is nothing that a run writes") as error, Journal(path) as journal:
            journal.append([Entry("use", "fake.yes|target", body)])
        assert len(error.value.lines) == 1


def test_a_meter_tells_what_was_used_since_it_was_last_asked() -> None:
    spent = [Spent(5, 50, 500)]
    with Meter(lambda: spent[0]) as meter:
        spent[0] = Spent(7, 80, 900)
        first = meter.lap(1.5, 3)
        assert (first.requests, first.prompt_tokens, first.completion_tokens) == (2, 30, 400)
        assert (first.seconds, first.items) == (1.5, 3)
        assert meter.lap().requests == 0


def test_the_peak_is_that_of_the_lap_and_not_of_the_whole_process() -> None:
    if resident_memory() is None:
        pytest.skip("this system does not say")
    with Meter() as meter:
        before = meter.lap().peak_memory or 0
        block = bytearray(b"x" * (300 * MiB))
        with_block = meter.lap().peak_memory or 0
        del block
        meter.lap()
        after = meter.lap().peak_memory or 0
    assert with_block - before > 250 * MiB
    assert with_block - after > 250 * MiB


def test_without_a_system_that_says_there_is_no_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "STATUS", tmp_path / "absent")
    with Meter() as meter:
        assert meter.lap().peak_memory is None


def test_money_is_that_of_the_tokens() -> None:
    used = {"a.b|target": Use(requests=1, prompt_tokens=10, completion_tokens=2), "a.b|spike": Use(items=1),
            "a.bc|target": Use(items=4)}  # fmt: skip
    costs = cost_of({"a.b": "a.b|target"}, used, lambda a, b: a + 10.0 * b, self_check=False)
    assert costs.per_probe["a.b"].reading.money == 30
    assert costs.per_probe["a.b"].spike.money is None
    assert costs.total.reading.items == 0  # another probe's name begins alike


def test_uses_add_up() -> None:
    one = Use(seconds=1, items=2, requests=3, prompt_tokens=4, completion_tokens=5, peak_memory=6, money=0.5)
    one = one.model_copy(update={"outputs": 7, "empty": 8, "refused": 9, "repeated": 10})
    assert one + Use() == one
    assert (one + one).model_dump() == {
        "seconds": 2, "items": 4, "requests": 6, "prompt_tokens": 8, "completion_tokens": 10, "peak_memory": 6,
        "outputs": 14, "empty": 16, "refused": 18, "repeated": 20, "money": 1.0,
    }  # fmt: skip
    assert json.loads((Use() + Use()).model_dump_json(exclude_defaults=True)) == {}
