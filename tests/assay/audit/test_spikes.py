"""Doses, what is spiked of a plan, and what becomes of a pass whose spike was not seen."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.assay.audit.orchestrator import run_audit
from guardrails.assay.audit.spikes import batches_to_spike, mix, spike_kind, spike_outcome, unseen
from guardrails.cli._summary import print_summary
from guardrails.core.batch import Arm, Batch, Item
from guardrails.core.errors import TargetError
from guardrails.core.probe import Probe
from guardrails.core.results import Finding, SpikeOutcome, Status
from guardrails.core.subject import Subject

FAKES = Path(__file__).parents[1] / "fakes.py"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("guardrails_test_fakes", FAKES)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    monkeypatch.setenv("GUARDRAILS_CACHE", str(tmp_path / "cache"))
    module.install(monkeypatch)
    return module


def audited(fake: Any, tmp_path: Path, rate: float = 0.0) -> tuple[Finding, int]:
    result, _ = run_audit(fake.FakeTarget(rate), out=tmp_path / "run")
    return result.findings[0], result.exit_code


def spikes_with(fake: Any, monkeypatch: pytest.MonkeyPatch, target: Any) -> None:
    monkeypatch.setattr(fake.FakeProbe, "spike", lambda self, subject, batches, *, seed: Subject(target))


@pytest.mark.parametrize(("kind", "name"), [("spike", "the spike in this target"), (None, "the instrument check")])
def test_a_pass_whose_spike_is_seen_at_no_dose_is_not_assessed(
    fake: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str | None, name: str
) -> None:
    blind = fake.FakeTarget(0.0)
    blind.spike_kind = kind
    spikes_with(fake, monkeypatch, blind)
    finding, code = audited(fake, tmp_path)
    assert (finding.status, code) == (Status.NOT_ASSESSED, 3)
    assert finding.reason is not None
    assert finding.reason.startswith(f"{name} failed (not visible at any dose tried (1%, 2%, 5%")
    assert finding.measurement is not None
    assert finding.measurement.value == 0


@pytest.mark.parametrize("rate", [0.5, 0.1])
def test_a_finding_that_is_no_pass_stands_whatever_the_spike(
    fake: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rate: float
) -> None:
    spikes_with(fake, monkeypatch, fake.FakeTarget(0.0))
    finding, _ = audited(fake, tmp_path, rate)
    assert finding.status in (Status.FAIL, Status.INCONCLUSIVE)


def test_an_instrument_check_has_no_recovery(fake: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(fake.FakeProbe, "spike_kind", "instrument-check")
    finding, code = audited(fake, tmp_path)
    assert (finding.status, code) == (Status.PASS, 0)
    assert finding.spike is not None
    assert (finding.spike.kind, finding.spike.recovery, finding.spike.smallest_dose) == ("instrument-check", None, 0.2)


@pytest.mark.parametrize("error", [TargetError("no room"), ValueError("oops")])
@pytest.mark.parametrize("where", ["spike", "answer"])
def test_a_spike_that_breaks_spoils_the_pass_and_not_the_measurement(
    fake: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception, where: str
) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise error

    if where == "spike":
        monkeypatch.setattr(fake.FakeProbe, "spike", fails)
    else:
        broken = fake.FakeTarget(1.0)
        broken.answer = fails
        spikes_with(fake, monkeypatch, broken)
    finding, code = audited(fake, tmp_path)
    assert (finding.status, code) == (Status.NOT_ASSESSED, 3)
    assert str(error) in (finding.reason or "")
    assert finding.measurement is not None
    assert finding.measurement.n == 200


def test_a_probe_without_a_spike_may_pass(fake: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(fake.FakeProbe, "spike", lambda self, subject, batches, *, seed: None)
    finding, code = audited(fake, tmp_path)
    assert (finding.status, code, finding.spike) == (Status.PASS, 0, None)


def test_larger_doses_are_tried_among_fewer_items_where_not_all_were_spiked(fake: Any) -> None:
    clean = [{"item": f"{i:04}", "yes": False} for i in range(1000)]
    spiked = [{"item": f"{i:04}", "yes": True} for i in range(100)]
    # Of 1,000 items the interval lies above a limit of .5 from 532 on; of 133 with 100 planted, it does too.
    limit = fake.THRESHOLD.model_copy(update={"limit": 0.5})
    out = spike_outcome(fake.FakeProbe(), clean, spiked, Subject(fake.FakeTarget(0.0)), limit, seed=0)
    assert out.planted == 100
    assert out.doses_tried == (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75)
    assert out.smallest_dose == 0.75


ROWS = st.lists(st.sampled_from(["corpus", "holdout", "curve"]), max_size=40)


@given(arms=ROWS, spiked=st.integers(0, 40), m=st.integers(0, 40), among=st.none() | st.integers(0, 40))
def test_a_mixture_holds_what_was_asked_for(arms: list[str], spiked: int, m: int, among: int | None) -> None:
    def row(i: int, arm: str) -> dict[str, Any]:
        return {"item": i, "arm": "corpus", "curve": True} if arm == "curve" else {"item": i, "arm": arm}

    clean = [row(i, arm) for i, arm in enumerate(arms)]
    planted = [r | {"planted": True} for r in clean[:spiked]]
    mixed = mix(clean, planted, m, seed=1, among=among)
    corpus_rows, there = arms.count("corpus"), arms[:spiked].count("corpus")
    chosen = min(m, there)
    assert sum("planted" in r for r in mixed) == chosen
    kept = corpus_rows if among is None else min(corpus_rows, max(chosen, among))
    assert sum(r["arm"] == "corpus" and "curve" not in r for r in mixed) == kept
    assert [r for r in mixed if r["arm"] == "holdout" or "curve" in r] == [
        r for r in clean if r["arm"] == "holdout" or "curve" in r
    ]


def test_what_is_no_item_of_the_targets_own_is_not_spiked() -> None:
    items = tuple(Item(str(i), Arm.CORPUS if i % 2 else Arm.HOLDOUT) for i in range(6))
    batches = [
        Batch(0, items, {"prefix": 8}),
        Batch(1, items[::2]),
        Batch(2, tuple(replace(item, curve=True) for item in items)),
        Batch(3, (Item("model", Arm.MODELS), Item("r", Arm.REFERENCE))),
        Batch(4, tuple(Item(str(i)) for i in range(2 * Probe.spiked_items))),
    ]
    chosen = batches_to_spike(batches)
    assert [b.index for b in chosen] == [0, 4]
    assert [item.id for item in chosen[0].items] == ["1", "3", "5"]
    assert chosen[0].payload["prefix"] == 8
    assert len(chosen[1].items) == Probe.spiked_items - 3


def test_a_probe_says_how_many_items_are_spiked(fake: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(fake.FakeProbe, "spiked_items", 5)
    spikes_with(fake, monkeypatch, fake.FakeTarget(1.0))
    spike = audited(fake, tmp_path)[0].spike
    assert spike is not None
    assert spike.planted == 5


def test_a_target_that_does_not_say_what_it_is_is_an_instrument_check(fake: Any) -> None:
    assert spike_kind(object()) == "instrument-check"
    target = fake.FakeTarget(1.0)
    target.spike_kind = "spike"
    assert spike_kind(target) == "spike"
    assert "no item could be spiked" in unseen(SpikeOutcome(what="x", planted=0, reason="no item could be spiked"))


@pytest.mark.parametrize(
    ("kind", "rate", "line"),
    [
        ("spike", 1.0, "of 1 passed reading, 1 found a fault planted in the target"),
        ("instrument-check", 1.0, "of 1 passed reading, 1 found a fault planted in its outputs"),
        ("spike", 0.0, "Yes: the spike in this target failed"),
    ],
)
def test_the_command_line_says_what_stands_beside_a_pass(
    fake: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    rate: float,
    line: str,
) -> None:
    target = fake.FakeTarget(rate)
    target.spike_kind = kind
    spikes_with(fake, monkeypatch, target)
    result, folder = run_audit(fake.FakeTarget(0.0), out=tmp_path / "run")
    print_summary(result, folder / "report.html")
    assert line in capsys.readouterr().out
