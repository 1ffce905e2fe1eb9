"""What every probe must keep to, whoever wrote it. A new probe is held to this without a line here."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from guardrails.assay.audit.controls import control_subject
from guardrails.assay.policy.policy import load_policy
from guardrails.core.asking import ask
from guardrails.core.batch import Arm, Batch
from guardrails.core.errors import ConfigurationError, NotApplicable
from guardrails.core.probe import Budget, Probe
from guardrails.core.registry import load_probe, probes
from guardrails.core.subject import Subject
from guardrails.core.targets import Access, Modality

EVERY = pytest.mark.parametrize("probe", [load_probe(name) for name in probes()], ids=list(probes()))
DATA = {"corpus", "holdout", "reference", "prompts"}
SEVERAL = 2


def subject(probe_id: str) -> Subject:
    """Return the probe's clean control, with its data."""
    source = next(control.source for control in probes()[probe_id].controls if control.expected == "clear")
    return control_subject(source)


def test_there_are_probes() -> None:
    assert len(probes()) >= SEVERAL


@EVERY
def test_its_id_is_its_place(probe: Probe) -> None:
    assert type(probe).__module__ == "guardrails." + probe.id.replace("-", "_")
    assert re.fullmatch(r"[a-z]+\.[a-z0-9-]+", probe.id)


@EVERY
def test_it_says_what_it_does_and_what_it_cannot_see(probe: Probe) -> None:
    for name in ("title", "question", "limits", "risk", "headline"):
        assert getattr(probe, name).strip(), name
    assert probe.question.endswith("?")
    assert (type(probe).__doc__ or "").strip()
    assert probe.modalities
    assert probe.modalities <= set(Modality)
    assert probe.requires
    assert probe.requires <= set(Access)
    assert probe.needs <= DATA


@EVERY
def test_it_has_a_positive_and_a_negative_control(probe: Probe) -> None:
    assert {control.expected for control in probe.controls} == {"found", "clear"}
    assert len({control.source for control in probe.controls}) == len(probe.controls)


@EVERY
def test_its_controls_exist(probe: Probe) -> None:
    for control in probe.controls:
        assert control_subject(control.source).modality in probe.modalities


@EVERY
def test_the_default_policy_gates_its_headline(probe: Probe) -> None:
    assert load_policy("default").threshold(probe.id, probe.headline) is not None


@EVERY
def test_it_declares_what_a_policy_can_gate(probe: Probe) -> None:
    assert len(set(probe.metrics)) == len(probe.metrics)
    gated = {metric for name, metric in load_policy("default").thresholds if name == probe.id}
    assert {probe.headline, *gated} <= set(probe.metrics)
    assert {m.metric for m in probe.measure([], subject(probe.id), seed=0)} <= set(probe.metrics)


@EVERY
@pytest.mark.slow
def test_it_measures_what_it_declares(probe: Probe) -> None:
    control = subject(probe.id)
    batches = probe.plan(control, Budget.CONTROL, seed=0)
    some = {b.index: b for b in (*batches[:SEVERAL], *batches[-SEVERAL:])}.values()  # of both arms
    rows = [row for batch in some for row in ask(probe, control, batch, seed=0)]
    measured = {m.metric for m in probe.measure(rows, control, seed=0)}
    assert measured
    assert measured <= set(probe.metrics)


@EVERY
def test_its_controls_can_be_read_by_it(probe: Probe) -> None:
    probe.applicable(subject(probe.id))
    assert probe.missing(subject(probe.id)) == []


@EVERY
@pytest.mark.parametrize("budget", [Budget.CONTROL, Budget.QUICK])
def test_its_plan_is_json_and_depends_on_nothing_but_its_arguments(probe: Probe, budget: Budget) -> None:
    batches = probe.plan(subject(probe.id), budget, seed=1)
    assert batches
    assert [batch.index for batch in batches] == list(range(len(batches)))
    assert [Batch.from_json(b.index, json.loads(json.dumps(b.to_json(), allow_nan=False))) for b in batches] == batches
    ids = [item.id for batch in batches for item in batch.items]
    assert len(set(ids)) == len(ids)
    assert {item.arm for batch in batches for item in batch.items} <= {None, *Arm}
    again = load_probe(probe.id).plan(subject(probe.id), budget, seed=1)
    assert again == batches


@EVERY
def test_its_forecast_is_the_n_of_its_readings(probe: Probe, repository: Path) -> None:
    (unit,) = {m.unit for m in probe.measure([], subject(probe.id), seed=0) if m.metric == probe.headline}
    if unit != "share":
        pytest.skip("a dry run forecasts shares alone")
    clean = next(c.source for c in probe.controls if c.expected == "clear")
    readings = json.loads((repository / "evidence" / f"{probe.id}.json").read_text())["readings"]
    n, confidence = probe.sample_size(probe.plan(control_subject(clean), Budget.CONTROL, seed=0))
    measured = max(reading["n"] for reading in readings if reading["source"] == clean)
    assert 0.95 * n < measured <= n  # of molecules, the valid ones count
    assert confidence == (0.975 if probe.shares_coverage else 0.95)


@EVERY
def test_without_rows_it_gives_a_reason_and_no_number(probe: Probe) -> None:
    measurements = probe.measure([], subject(probe.id), seed=0)
    assert measurements[0].metric == probe.headline
    for measurement in measurements:
        assert measurement.probe == probe.id
        assert measurement.value is None
        assert measurement.reason
        assert measurement.n == 0
        assert measurement.unit


@EVERY
def test_it_declines_what_it_cannot_look_at(probe: Probe) -> None:
    class Other:
        name = "other"
        access = frozenset(Access)

        def __init__(self, modality: Modality) -> None:
            self.modality = modality

        def identity(self) -> dict[str, str]:
            return {}

    for modality in set(Modality) - probe.modalities:
        with pytest.raises(NotApplicable, match=probe.id):
            probe.applicable(Subject(Other(modality)))


@EVERY
def test_it_names_what_is_missing(probe: Probe) -> None:
    class Bare:
        name = "bare"
        access: frozenset[Access] = frozenset()
        modality = min(probe.modalities)

        def identity(self) -> dict[str, str]:
            return {}

    missing = " ".join(probe.missing(Subject(Bare())))
    for word in (*probe.requires, *(f"--{name}" for name in probe.needs)):
        assert word in missing


@EVERY
def test_its_section_is_in_the_documents(probe: Probe, repository: Path) -> None:
    assert f"\n## {probe.id}\n" in (repository / "docs" / "probes.md").read_text(encoding="utf-8")


def test_an_unknown_id_is_answered_with_the_nearest() -> None:
    name = next(iter(probes()))
    with pytest.raises(ConfigurationError, match=re.escape(f"Did you mean '{name}'?")):
        load_probe(name[:-1])
