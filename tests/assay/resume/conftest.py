"""An audit by a probe that reads every kind of target."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from guardrails.assay import resume
from guardrails.assay.audit import orchestrator as audit
from guardrails.core.batch import Row
from guardrails.core.subject import Subject

from .. import fakes


class Reader(fakes.FakeProbe):
    """Counts the outputs that say yes: reads the target whatever it is."""

    size = 20

    def collect(self, subject: Subject, batch: Any, *, seed: int) -> list[Row]:
        if isinstance(subject.target, fakes.FakeTarget):
            return super().collect(subject, batch, seed=seed)
        texts = subject.target.sample_texts(self.size, seed=0)
        return [{"item": item.id, "yes": texts[int(item.id)] == "yes"} for item in batch.items]

    def spike(self, *_: Any, **__: Any) -> None:  # type: ignore[override]
        return None


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fakes.install(monkeypatch)
    from guardrails.assay.audit import plan
    from guardrails.assay.policy import policy
    from guardrails.core import registry

    monkeypatch.setattr(Reader, "requires", frozenset())
    for module in (registry, plan, policy):
        monkeypatch.setattr(module, "probes", lambda: {Reader.id: Reader})
    for module in (audit, resume):
        monkeypatch.setattr(module, "sources_sha256", lambda: "the code")
    monkeypatch.setenv("GUARDRAILS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
