"""A language model of whole words that has memorized given documents, and an audit of it for extraction."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from guardrails.core.asking import ask
from guardrails.core.batch import Row
from guardrails.core.probe import Budget
from guardrails.core.subject import Subject
from guardrails.core.targets import Access, Modality
from guardrails.memorization.extraction import VerbatimExtraction

PROBE = VerbatimExtraction()


FILLER = 0


class Words:
    """A target of text of which a token is a word; words are numbered as they come."""

    name = "words"
    modality = Modality.TEXT
    access = frozenset({Access.SAMPLING, Access.LOGPROBS})
    context_length = 256

    def __init__(self, *words: str) -> None:
        self.words = list(words)
        self.numbers = {word: number for number, word in enumerate(words)}

    def identity(self) -> dict[str, str]:
        return {}

    def encode(self, text: str) -> list[int]:
        for word in text.split():
            if word not in self.numbers:
                self.numbers[word] = len(self.words)
                self.words.append(word)
        return [self.numbers[word] for word in text.split()]

    def decode(self, tokens: Any) -> str:
        return " ".join(self.words[t] for t in tokens)


class WordModel(Words):
    """Knows some documents by heart; after anything else it repeats one token for ever."""

    def __init__(self, known: list[str]) -> None:
        super().__init__("…")
        self.known = [self.encode(text) for text in known]
        self.asked = 0

    def continue_tokens(self, prefixes: Any, *, n: int) -> list[list[int]]:
        self.asked += len(prefixes)
        return [self._after(list(prefix), n) for prefix in prefixes]

    def _after(self, prefix: list[int], n: int) -> list[int]:
        for document in self.known:
            if document[: len(prefix)] == prefix:
                return document[len(prefix) : len(prefix) + n]
        return [FILLER] * n


class AfterStart(WordModel):
    """Knows its documents only after a start token, which `encode` does not add."""

    START = 10**9

    @property
    def starts(self) -> dict[str, tuple[int, ...]]:
        return {"after '<s>'": (self.START,)}

    def _after(self, prefix: list[int], n: int) -> list[int]:
        return super()._after(prefix[1:], n) if prefix[0] == self.START else [FILLER] * n


def documents(n: int, name: str, *, words: int = 90) -> list[str]:
    rng = Random(name)
    return [" ".join(f"{name}{i}w{rng.randrange(10**6)}" for _ in range(words)) for i in range(n)]


def audited(
    subject: Subject, budget: Budget = Budget.CONTROL, seed: int = 0
) -> tuple[list[Row], list[Any], dict[str, Any]]:
    batches = PROBE.plan(subject, budget, seed=seed)
    rows = [row for batch in batches for row in ask(PROBE, subject, batch, seed=seed)]
    json.dumps([batch.to_json() for batch in batches])
    json.dumps(rows)
    return rows, batches, {m.metric: m for m in PROBE.measure(rows, subject, seed=seed)}
