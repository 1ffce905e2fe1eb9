"""A made-up language model with a known answer: each word is a token, and a rule says what each is worth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guardrails.core.targets import Access, Modality

Rule = Callable[[list[str], int], float]
"""log p of the word at a place, given the words before it."""


class WordScorer:
    """Scores word by word; `starts` begins every text with a start token."""

    name = "scorer"
    modality = Modality.TEXT
    access = frozenset({Access.LOGPROBS})
    context_length = 128
    START = 0

    def __init__(self, rule: Rule, *, start: bool = True) -> None:
        self.rule = rule
        self.starts = {"after its start token": [self.START]} if start else {}
        self.words: list[str] = ["<start>"]
        self.calls = 0

    def identity(self) -> dict[str, str]:
        return {}

    def encode(self, text: str) -> list[int]:
        self.words += [word for word in dict.fromkeys(text.split()) if word not in self.words]
        return [self.words.index(word) for word in text.split()]

    def decode(self, tokens: Any) -> str:
        return " ".join(self.words[token] for token in tokens)

    def token_logprobs(self, sequences: Any) -> list[NDArray[np.float64]]:
        self.calls += 1
        out = []
        for sequence in sequences:
            words = [self.words[token] for token in sequence]
            out.append(np.array([self.rule(words, i) for i in range(1, len(words))]))
        return out


def noise(words: list[str], i: int, scale: float = 1.0) -> float:
    """A number in −scale … 0 that depends on the words up to this one."""
    seed = abs(int.from_bytes(" ".join(words[: i + 1]).encode()[-40:], "big")) % 2**32
    return -scale * float(np.random.default_rng(seed).random())
