"""A writer of given texts, for the tests of symbolic copies."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from guardrails.core.asking import ask
from guardrails.core.probe import Budget
from guardrails.core.targets import Access, Modality


@dataclass
class Writer:
    """Writes the texts given, in turn; the seed says which part of them."""

    texts: list[str]
    name: str = "writer"
    modality = Modality.TEXT
    access = frozenset({Access.OUTPUTS})
    available = None

    def identity(self) -> dict[str, str]:
        return {}

    def sample_texts(self, n: int, *, seed: int, max_new_tokens: int = 64) -> list[str]:
        return [self.texts[(seed * n + i) % len(self.texts)] for i in range(n)]


def rows_of(probe: Any, subject: Any, seed: int = 0) -> list[dict[str, Any]]:
    batches = probe.plan(subject, Budget.CONTROL, seed=seed)
    rows = [row for batch in batches for row in ask(probe, subject, batch, seed=seed + batch.index)]
    return list(json.loads(json.dumps(rows, allow_nan=False)))


def measured(probe: Any, subject: Any) -> dict[str, Any]:
    return {m.metric: m for m in probe.measure(rows_of(probe, subject), subject, seed=0)}
