"""A probe that asks a served model for yes or no, and an audit with it alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from guardrails.assay.audit.orchestrator import run_audit
from guardrails.core.batch import Batch, Row
from guardrails.core.results import AuditResult, Measurement, Requests
from guardrails.core.subject import Subject

from ...targets.endpoint import fault_server
from .. import fakes

KEY = "sk-test-0123456789abcdef"


class Asks(fakes.FakeProbe):
    """Asks the prompts ``0``, ``1``, … and counts the answers that say yes."""

    size = 40
    different, temperature = 40, 1.0

    def collect(self, subject: Subject, batch: Batch, *, seed: int) -> list[Row]:
        if isinstance(subject.target, fakes.FakeTarget):
            return super().collect(subject, batch, seed=seed)
        target: Any = subject.target
        prompts = [str(int(item.id) % self.different) for item in batch.items]
        texts = target.generate(prompts, max_new_tokens=4, temperature=self.temperature, seed=seed)
        return [{"item": item.id, "yes": text == "yes"} for item, text in zip(batch.items, texts, strict=True)]

    def measure(self, rows: Sequence[Row], subject: Subject, *, seed: int) -> list[Measurement]:
        (m,) = super().measure([row for row in rows if "error" not in row], subject, seed=seed)
        return [m.model_copy(update={"errors": sum("error" in row for row in rows)})]

    def spike(self, *_: Any, **__: Any) -> None:  # type: ignore[override]
        return None


def named(server: fault_server.Server) -> str:
    return f"openai:{server.url}#m"


def audited(server: fault_server.Server, **endpoint: Any) -> AuditResult:
    return run_audit(named(server), endpoint=endpoint, out="run")[0]


def requests(result: AuditResult) -> Requests:
    assert result.timing.cost is not None
    assert result.timing.cost.requests is not None
    return result.timing.cost.requests
