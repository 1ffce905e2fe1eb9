"""A probe and a target that cost nothing, for tests of all around a probe. Also run in a process that is killed."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from guardrails.core.batch import Batch, Item, Row, in_batches
from guardrails.core.control import Control
from guardrails.core.probe import Budget, Probe
from guardrails.core.results import Measurement, Threshold
from guardrails.core.statistics import wilson
from guardrails.core.subject import Subject
from guardrails.core.targets import Access, Modality


class FakeTarget:
    """Says yes with a known rate; each question is remembered in `asked`."""

    modality = Modality.TEXT
    access = frozenset({Access.OUTPUTS, Access.SAMPLING})
    spike_kind: str

    def __init__(self, rate: float, name: str = "fake", pause: float = 0.0) -> None:
        self.rate, self.name, self.pause = rate, name, pause
        self.asked: list[int] = []

    def identity(self) -> dict[str, str]:
        return {"rate": str(self.rate)}

    def answer(self, item: int, seed: int) -> bool:
        time.sleep(self.pause)
        self.asked.append(item)
        return bool(np.random.default_rng([seed, item]).random() < self.rate)


class FakeProbe(Probe):
    """The share of yes."""

    id = "fake.yes"
    title = "Yes"
    question = "How often does it say yes?"
    limits = "Nothing but yes."
    risk = "none"
    modalities = frozenset({Modality.TEXT})
    requires = frozenset({Access.SAMPLING})
    headline = "yes_rate"
    controls = (Control("fake:always", "found"), Control("fake:never", "clear"))
    spike_what = "yes in place of the answer"
    spike_kind = "spike"
    closed_answers = True
    size = 200
    divisible = True

    def plan(self, subject: Subject, budget: Budget, *, seed: int) -> list[Batch]:
        order = np.random.default_rng(seed).permutation(self.size).tolist()
        return in_batches([Item(f"{i:04}", fields={"question": i}) for i in order], 10, divisible=self.divisible)

    def collect(self, subject: Subject, batch: Batch, *, seed: int) -> list[Row]:
        questions = {item.id: item.fields["question"] for item in batch.items}
        return [{"item": name, "yes": subject.target.answer(i, seed)} for name, i in questions.items()]

    def measure(self, rows: Sequence[Row], subject: Subject, *, seed: int) -> list[Measurement]:
        common = {
            "probe": self.id, "metric": self.headline, "unit": "share", "higher_is_worse": True, "method": "Wilson",
        }  # fmt: skip
        good = [row for row in rows if "error" not in row]
        common["errors"] = len(rows) - len(good)
        if not good:
            return [Measurement(**common, value=None, n=0, reason="no rows")]
        value, low, high = wilson(sum(row["yes"] for row in good), len(good))
        return [Measurement(**common, value=value, low=low, high=high, n=len(good))]

    def spike(self, subject: Subject, batches: Sequence[Batch], *, seed: int) -> Subject:
        target = FakeTarget(1.0, "fake, spiked")
        target.spike_kind = self.spike_kind
        return Subject(target)

    def recovery(
        self, clean: Sequence[Row], spiked: Sequence[Row], subject: Subject
    ) -> tuple[float, float, float] | None:
        return tuple(wilson(sum(row["yes"] for row in spiked), len(spiked)))  # type: ignore[return-value]


THRESHOLD = Threshold(metric="yes_rate", limit=0.1, origin="a test's own choice")


def install(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """Make the fake probe the only one, with its own policy and controls."""
    from guardrails.assay.audit import controls, findings, plan, scope
    from guardrails.assay.policy import policy
    from guardrails.core import registry

    subjects = {"fake:always": Subject(FakeTarget(1.0)), "fake:never": Subject(FakeTarget(0.0))}
    rules = policy.Policy("default", {(FakeProbe.id, "yes_rate"): THRESHOLD})
    for module in (registry, plan, policy):
        monkeypatch.setattr(module, "probes", lambda: {FakeProbe.id: FakeProbe})
    for module in (scope, controls):
        monkeypatch.setattr(module, "control_subject", subjects.__getitem__)
    for module in (policy, plan, scope, controls):
        monkeypatch.setattr(module, "load_policy", lambda name: rules)
    monkeypatch.setattr("guardrails.assay.audit.run.control_subject", subjects.__getitem__)
    monkeypatch.setattr(findings, "_powers", dict)


def install_one(monkeypatch, probe: type[FakeProbe], folder: Path) -> None:  # type: ignore[no-untyped-def]
    """As `install`, with a probe in place of the fake one and the code's hash fixed; runs and cache lie in a folder."""
    from guardrails.assay import resume
    from guardrails.assay.audit import orchestrator, plan
    from guardrails.assay.policy import policy
    from guardrails.core import registry

    install(monkeypatch)
    for module in (registry, plan, policy):
        monkeypatch.setattr(module, "probes", lambda: {probe.id: probe})
    for module in (orchestrator, resume):
        monkeypatch.setattr(module, "sources_sha256", lambda: "the code")
    monkeypatch.setenv("GUARDRAILS_CACHE", str(folder / "cache"))
    monkeypatch.chdir(folder)


def main(folder: Path, *, resume: bool, pause: float = 0.002) -> None:
    """Run or resume an audit of a slow fake target in this process: the one that gets killed."""

    class Patch:
        def setattr(self, where, name, value=None) -> None:  # type: ignore[no-untyped-def]
            if isinstance(where, str):
                module, _, attribute = where.rpartition(".")
                setattr(sys.modules[module], attribute, name)
            else:
                setattr(where, name, value)

    from guardrails.assay.audit.orchestrator import run_audit

    install(Patch())
    target = FakeTarget(0.3, pause=pause)
    place = {"resume": folder} if resume else {"out": folder}
    result, _ = run_audit(target, **place)  # type: ignore[arg-type]
    print(json.dumps({"asked": len(target.asked), "exit": result.exit_code}))
