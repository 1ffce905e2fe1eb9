"""A model that writes given texts, and an audit of it by `memorization.overlap`."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from guardrails.core.asking import ask
from guardrails.core.batch import Row
from guardrails.core.probe import Budget
from guardrails.core.subject import Subject
from guardrails.core.targets import Access, Modality
from guardrails.memorization.overlap import OUTPUTS, Overlap

PROBE = Overlap()


N = OUTPUTS[Budget.CONTROL]


class Writer:
    """Writes each of its texts in turn, whatever it is asked."""

    name = "writer"
    modality = Modality.TEXT
    access = frozenset({Access.OUTPUTS, Access.SAMPLING})
    available = None

    def __init__(self, texts: list[str]) -> None:
        self.texts, self.at = texts, 0

    def identity(self) -> dict[str, str]:
        return {}

    def sample_texts(self, n: int, *, seed: int, max_new_tokens: int = 64) -> list[str]:
        self.at += n
        return [self.texts[i % len(self.texts)] for i in range(self.at - n, self.at)]

    def generate(self, prompts: Any, *, max_new_tokens: int, temperature: float = 1.0, seed: int = 0) -> list[str]:
        return self.sample_texts(len(prompts), seed=seed)


def documents(n: int, name: str, *, words: int = 60) -> list[str]:
    rng = Random(name)
    return [" ".join(f"{name}{i}w{rng.randrange(10**6)}" for _ in range(words)) for i in range(n)]


CORPUS, HOLDOUT, FRESH = documents(100, "c"), documents(400, "h"), documents(N, "f", words=20)


def audited(
    subject: Subject, budget: Budget = Budget.CONTROL, seed: int = 0, probe: Overlap = PROBE
) -> tuple[list[Row], dict[str, Any]]:
    batches = probe.plan(subject, budget, seed=seed)
    rows = [row for batch in batches for row in ask(probe, subject, batch, seed=seed)]
    json.dumps([batch.to_json() for batch in batches])
    json.dumps(rows, allow_nan=False)
    assert len({row["item"] for row in rows}) == len(rows)
    return rows, {m.metric: m for m in probe.measure(rows, subject, seed=seed)}
