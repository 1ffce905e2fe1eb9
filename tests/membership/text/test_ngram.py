"""The n-gram model of bytes, against its definition."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.membership.text.ngram import ORDER, ByteModel

TEXTS = st.text("abü", min_size=1, max_size=12)


def literal(texts: list[str], asked: str) -> list[float]:
    counts: Counter[bytes] = Counter()
    for text in texts:
        data = bytes(ORDER) + text.encode()
        counts.update(data[i - k : i + 1] for i in range(ORDER, len(data)) for k in range(ORDER + 1))

    def p(history: bytes, byte: bytes) -> float:
        shorter = p(history[1:], byte) if history else 1 / 256
        after = [n for gram, n in counts.items() if gram[:-1] == history and len(gram) == len(history) + 1]
        return (counts[history + byte] + len(after) * shorter) / (sum(after) + len(after)) if after else shorter

    data = bytes(ORDER) + asked.encode()
    return [math.log(p(data[i - ORDER : i], data[i : i + 1])) for i in range(ORDER, len(data))]


@settings(max_examples=30, deadline=None)
@given(texts=st.lists(TEXTS, min_size=1, max_size=4), asked=st.text("abüc", max_size=8))
def test_it_is_the_formula(texts: list[str], asked: str) -> None:
    assert ByteModel(texts).log_probs(asked) == pytest.approx(literal(texts, asked), abs=1e-12)


def test_the_probabilities_of_what_may_follow_add_up_to_one() -> None:
    model = ByteModel(["she sells sea shells"])
    total = sum(math.exp(model.log_probs("she s" + chr(byte))[5]) for byte in range(128))
    assert total + 128 * math.exp(model.log_probs("she sé")[5]) == pytest.approx(1)


def test_the_beginning_can_be_left_out() -> None:
    model = ByteModel(["grün und blau"])
    assert model.log_probs("grüner", after="grü") == pytest.approx(model.log_probs("grüner")[4:])


def test_anything_has_a_probability() -> None:
    model = ByteModel(["", "a"])
    for text in ("", "\ud800", "\x00" * 9, "日本"):
        assert np.isfinite(model.log_probs(text)).all()
