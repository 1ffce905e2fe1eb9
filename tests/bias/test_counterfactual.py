from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from guardrails.bias.counterfactual import (
    FIELDS,
    PLANTED,
    CounterfactualPronouns,
    Table,
    _folded,
    material,
    told,
)
from guardrails.core.asking import ask
from guardrails.core.batch import Row
from guardrails.core.errors import TargetError
from guardrails.core.probe import Budget
from guardrails.core.statistics import Interval
from guardrails.core.subject import Subject
from guardrails.core.targets import Access, Modality

PROBE = CounterfactualPronouns()
SHE = re.compile(r"\b(she|her|herself)\b")


class Scorer:
    """Gives each word one nat; a sentence with *she* gets what `prefers` says of its occupation, and noise."""

    name = "scorer"
    modality = Modality.TEXT
    access = frozenset({Access.LOGPROBS})
    context_length = 128

    def __init__(self, gap: float, *, always: float = 0.0, noise: float = 0.5) -> None:
        self.gap, self.always, self.noise = gap, always, noise
        self.words: list[str] = []

    def identity(self) -> dict[str, str]:
        return {}

    def encode(self, text: str) -> list[int]:
        self.words += [word for word in dict.fromkeys(text.split()) if word not in self.words]
        return [self.words.index(word) for word in text.split()]

    def decode(self, tokens: Any) -> str:
        return " ".join(self.words[token] for token in tokens)

    def token_logprobs(self, sequences: Any) -> list[NDArray[np.float64]]:
        return [self._score(self.decode(s), len(s)) for s in sequences]

    def _score(self, text: str, n: int) -> NDArray[np.float64]:
        out = np.full(n - 1, -20.0 / (n - 1))
        if SHE.search(text):
            female = any(re.search(rf"\b{o}\b", text) for o in material().occupations["she"])
            rng = np.random.default_rng(abs(int.from_bytes(text.encode()[:64], "big")) % 2**32)
            out[0] += self.always + (self.gap / 2 if female else -self.gap / 2) + self.noise * rng.normal()
        return out


def audited(subject: Subject, budget: Budget = Budget.CONTROL) -> tuple[list[Any], list[Row], dict[str, Any]]:
    batches = PROBE.plan(subject, budget, seed=0)
    rows = [row for b in batches for row in ask(PROBE, subject, b, seed=0)]
    json.dumps([b.to_json() for b in batches])
    json.dumps(rows)
    return batches, rows, {m.metric: m for m in PROBE.measure(rows, subject, seed=0)}


@pytest.mark.parametrize("gap", [0.0, 1.0, 3.0, -3.0])
@pytest.mark.parametrize("always", [0.0, -4.0])
def test_the_planted_gap_is_measured_whatever_pronoun_is_preferred_throughout(gap: float, always: float) -> None:
    _, rows, readings = audited(Subject(Scorer(gap, always=always)))
    signed, size = readings["association_gap_signed"], readings["association_gap"]
    assert len(rows) == size.n == 16 * 40
    assert signed.low <= gap <= signed.high
    assert size.low <= abs(gap) <= size.high
    assert (size.high < 1) is (gap == 0)
    assert (size.low > 1) is (abs(gap) == 3)
    assert gap == 0 or size.value > size.baseline.high


def test_a_preference_for_one_pronoun_throughout_is_half_stereotypical() -> None:
    *_, readings = audited(Subject(Scorer(0.0, always=-9.0)))
    share = readings["stereotype_preference"]
    assert share.value == 0.5
    assert share.low < 0.5 < share.high
    assert share.baseline.value == 0.5
    *_, readings = audited(Subject(Scorer(30.0)))
    assert readings["stereotype_preference"].value == 1


def test_the_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Occupations and sentences drawn anew each time, both with effects of their own."""
    rng = np.random.default_rng(1)
    female = np.repeat([True, False], 20)
    held = 0
    runs = 400
    for _ in range(runs):
        occupations, sentences = rng.normal(size=40), rng.normal(scale=0.4, size=(8, 1))
        noise = rng.normal(scale=0.6, size=(8, 40))
        scores = 1.5 * female + occupations + sentences * np.where(female, 1, -1) + rng.normal(size=(8, 1)) + noise
        low, high = Table(scores, tuple(map(str, range(40))), female).gap().interval[1:]
        held += low <= 1.5 <= high
    assert 0.93 <= held / runs <= 1


def test_the_gap_of_a_complete_table_is_the_difference_of_means() -> None:
    rng = np.random.default_rng(0)
    scores, female = rng.normal(size=(8, 12)), np.repeat([True, False], 6)
    gap = Table(scores, tuple("abcdefghijkl"), female).gap()
    assert gap.interval.value == pytest.approx(scores[:, :6].mean() - scores[:, 6:].mean())
    assert gap.detectable > (gap.interval.high - gap.interval.low) / 2


def test_the_baseline_is_what_random_groups_give() -> None:
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(200):
        table = Table(rng.normal(size=(6, 16)), tuple("abcdefghijklmnop"), np.repeat([True, False], 8))
        inside += abs(table.gap().interval.value) <= (table.shuffled(0).high or 0)
    assert 0.9 <= inside / 200 <= 0.99


def test_sentences_differ_in_the_pronoun_alone() -> None:
    for t in range(len(material().templates)):
        she, he = (told(t, "nurse", p).split() for p in FIELDS)
        assert len(she) == len(he)
        assert sum(a != b for a, b in zip(she, he, strict=True)) == 1
        assert "{" not in " ".join(she)


def test_the_material_is_large_enough_and_balanced() -> None:
    occupations = material().occupations
    assert len(material().templates) >= 12
    assert len(occupations["she"]) == len(occupations["he"]) >= 16
    assert not set(occupations["she"]) & set(occupations["he"])
    assert "Bureau of Labor Statistics" in material().source


@pytest.mark.public_data
def test_the_occupations_are_those_of_winobias(test_data: Path) -> None:
    for group, file in (("she", "female"), ("he", "male")):
        listed = (test_data / "bias" / "winobias" / f"{file}_occupations.txt").read_text().split("\n")
        assert sorted(material().occupations[group]) == sorted(filter(None, map(str.strip, listed)))


def test_the_spike_is_recovered_in_full() -> None:
    subject = Subject(Scorer(0.0))
    batches, clean, _ = audited(subject)
    spiked_subject = PROBE.spike(subject, batches, seed=0)
    assert spiked_subject is not None
    spiked = [r for b in batches for r in ask(PROBE, spiked_subject, b, seed=0)]
    recovery = PROBE.recovery(clean, spiked, subject)
    assert recovery is not None
    assert recovery[0] == pytest.approx(1)
    assert recovery[1] <= recovery[0] <= recovery[2]
    signed = {m.metric: m.value for m in PROBE.measure(spiked, subject, seed=0)}["association_gap_signed"]
    assert signed > 2 * PLANTED
    assert all(r["she"] < 0 and r["he"] < 0 for r in spiked)
    assert spiked_subject.target.identity()["spiked"]


def test_items_that_fail_are_counted_in_errors_never_in_n() -> None:
    class Broken(Scorer):
        def token_logprobs(self, sequences: Any) -> list[NDArray[np.float64]]:
            out = super().token_logprobs(sequences)
            if any("nurse" in self.decode(s) for s in sequences):
                out[0][0] = -math.inf
            if any("welder" in self.decode(s) for s in sequences):
                raise TargetError("gone")
            return out

    batches, rows, readings = audited(Subject(Broken(2.0)))
    failed = sum("error" in r for r in rows)
    assert failed > 8
    assert readings["association_gap"].errors == failed
    assert readings["association_gap"].n == len(rows) - failed
    assert len(rows) == sum(len(b.items) for b in batches)


def test_a_larger_budget_asks_more_sentences() -> None:
    sizes = [
        sum(len(b.items) for b in PROBE.plan(Subject(Scorer(0.0)), budget, seed=0))
        for budget in (Budget.QUICK, Budget.STANDARD)
    ]
    assert sizes == sorted(set(sizes))


def test_the_sentences_are_drawn_by_the_seed() -> None:
    one, two, other = (PROBE.plan(Subject(Scorer(0.0)), Budget.CONTROL, seed=s) for s in (3, 3, 4))
    assert one == two != other


@given(st.floats(-9, 9), st.floats(0, 9))
def test_the_folded_interval_bounds_every_size_within(value: float, half: float) -> None:
    size = _folded(Interval(value, value - half, value + half))
    assert 0 <= size.low <= size.value <= size.high
    for inside in np.linspace(value - half, value + half, 7):
        assert size.low - 1e-9 <= abs(inside) <= size.high + 1e-9


NAMES = [(o, g) for g, names in material().occupations.items() for o in names[:8]]
ROW = st.builds(
    lambda t, o, she, he, broken: {
        "item": f"{t}:{o[0]}",
        "template": t,
        "occupation": o[0],
        "group": o[1],
        **({"error": "x"} if broken else {"she": she, "he": he, "tokens": [9, 9]}),
    },
    st.integers(0, 6),
    st.sampled_from(NAMES),
    st.floats(-50, -1),
    st.floats(-50, -1),
    st.integers(0, 9).map(lambda x: x == 0),
)


@settings(max_examples=60)
@given(st.lists(ROW, max_size=120))
def test_any_multiset_of_rows_is_measured(rows: list[Row]) -> None:
    readings = PROBE.measure(rows, Subject(Scorer(0.0)), seed=0)
    assert readings[0].metric == "association_gap"
    assert readings[0].errors == sum("error" in r for r in rows)
    assert readings[0].value is None or len(readings) == 3
