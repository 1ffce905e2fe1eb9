from __future__ import annotations

import json
import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.assay.audit.spikes import batches_to_spike
from guardrails.core.asking import ask
from guardrails.core.batch import Row
from guardrails.core.errors import TargetError
from guardrails.core.probe import Budget
from guardrails.core.subject import Subject
from guardrails.core.targets import Access, Modality
from guardrails.memorization.probabilistic import (
    CHANCE,
    DRAWS,
    ProbabilisticExtraction,
    chance,
    draws_needed,
    extracted,
)

PROBE = ProbabilisticExtraction()
LETTERS = "abc"


class TableModel:
    """A first-order law over three letters, by a table: every probability of every text is known. A token is a letter.

    Documents that it knows by heart have each next letter with probability `heart`.
    """

    name = "table"
    modality = Modality.TEXT
    access = frozenset({Access.LOGPROBS})
    context_length = 256

    def __init__(self, table: Sequence[Sequence[float]], known: Sequence[str] = (), heart: float = 0.999) -> None:
        self.table = np.array(table, dtype=np.float64)
        self.known, self.heart = list(known), heart

    def identity(self) -> dict[str, str]:
        return {}

    def encode(self, text: str) -> list[int]:
        return [LETTERS.index(c) for c in text if c in LETTERS]

    def decode(self, tokens: Any) -> str:
        return "".join(LETTERS[t] for t in tokens)

    def token_logprobs(self, sequences: Any) -> list[Any]:
        out = []
        for tokens in sequences:
            text = self.decode(tokens)
            if any(document.startswith(text) for document in self.known):
                out.append(np.full(len(text) - 1, math.log(self.heart)))
            else:
                with np.errstate(divide="ignore"):
                    out.append(np.log(self.table[list(tokens[:-1]), list(tokens[1:])]))
        return out


EVEN = [[1 / 3] * 3] * 3


def documents(n: int, seed: int, *, letters: int = 90) -> list[str]:
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list(LETTERS), letters)) for _ in range(n)]


CORPUS, HOLDOUT = documents(200, 1), documents(150, 2)


def audited(subject: Subject, seed: int = 0) -> tuple[list[Row], list[Any], dict[str, Any]]:
    batches = PROBE.plan(subject, Budget.CONTROL, seed=seed)
    rows = [row for batch in batches for row in ask(PROBE, subject, batch, seed=seed)]
    json.dumps([batch.to_json() for batch in batches], allow_nan=False)
    json.dumps(rows, allow_nan=False)
    return rows, batches, {m.metric: m for m in PROBE.measure(rows, subject, seed=seed)}


def test_the_probability_of_a_text_is_that_of_drawing_it_letter_by_letter() -> None:
    """All 81 texts of four letters after one, drawn exactly: their chances sum to 1, and each is the probe's."""
    table = [[0.5, 0.25, 0.25], [0.1, 0.2, 0.7], [0.6, 0.4, 0.0]]
    exact = [[Fraction(p).limit_denominator(100) for p in row] for row in table]
    model = TableModel(table)
    total = Fraction(0)
    for suffix in product(range(3), repeat=4):
        p = math.prod((exact[a][b] for a, b in zip((0, *suffix), suffix, strict=False)), start=Fraction(1))
        total += p
        log_p = float(model.token_logprobs([[0, *suffix]])[0][-4:].sum())
        for n in (1, 2, 7):
            literal = 1 - (1 - p) ** n
            assert chance(log_p, n) == pytest.approx(float(literal), abs=1e-12)
            assert extracted(log_p, n, 0.5) is (literal >= Fraction(1, 2) - Fraction(1, 10**12))
    assert total == 1


def test_drawing_agrees_with_the_formula() -> None:
    rng = np.random.default_rng(0)
    p, n = 0.03, 20
    seen = (rng.random((20_000, n)) < p).any(axis=1).mean()
    assert chance(math.log(p), n) == pytest.approx(seen, abs=0.011)


@given(st.floats(-700, 0), st.floats(0.01, 0.99))
def test_the_draws_needed_are_the_fewest(log_p: float, at_least: float) -> None:
    n = draws_needed(log_p, at_least)
    assert n >= 1
    if n < 1e9:
        assert chance(log_p, int(n)) >= at_least - 1e-9
        assert n == 1 or chance(log_p, int(n) - 1) < at_least + 1e-9


@given(st.floats(-2000, 0), st.integers(1, 10**6))
def test_a_chance_is_a_probability_and_grows_with_the_draws(log_p: float, n: int) -> None:
    assert 0 <= chance(log_p, n) <= chance(log_p, n + 1) <= 1


@pytest.mark.parametrize("share", [0, 0.5, 1])
def test_the_rate_is_the_share_of_documents_known_by_heart(share: float) -> None:
    subject = Subject(TableModel(EVEN, CORPUS[: int(200 * share)]), corpus=CORPUS, holdout=HOLDOUT)
    _, _, readings = audited(subject)
    rate = readings["probabilistic_extraction_rate"]
    assert rate.low <= share <= rate.high
    assert rate.baseline.value == 0
    assert readings["probabilistic_extraction_excess"].value == pytest.approx(rate.value)
    assert all(e.redacted and "[redacted 50 tokens]" in e.text for e in rate.evidence)
    assert {s.name for s in rate.series} >= {"corpus, p = 0.5", "corpus, p = 0.9", "holdout, p = 0.5"}


def test_what_greedy_decoding_misses_comes_out_after_enough_draws() -> None:
    """Each letter at .9: 50 of them have a chance of .005, so that a thousand draws do and one does not."""
    subject = Subject(TableModel(EVEN, CORPUS, heart=0.9), corpus=CORPUS)
    _, _, readings = audited(subject)
    rate = readings["probabilistic_extraction_rate"]
    assert rate.value == 1
    curve = {p.x: p.y for p in next(s for s in rate.series if s.name == "corpus, p = 0.5").points}
    assert (curve[1], curve[100], curve[1000]) == (0, 0, 1)
    assert f"within {math.ceil(math.log(0.5) / math.log(1 - 0.9**50))} draws" in rate.evidence[0].caption


def test_text_that_anyone_can_guess_shows_in_the_baseline() -> None:
    same = ["a" * 90 + letter for letter in ("b", "c", "bc", "cb")]
    corpus, holdout = [[text * k for text in same for k in range(1, 6)] for _ in range(2)]
    holdout = [text + "cc" for text in holdout]
    subject = Subject(TableModel([[1, 0, 0]] * 3), corpus=corpus, holdout=holdout)
    _, _, readings = audited(subject)
    assert readings["probabilistic_extraction_rate"].baseline.value == 1
    excess = readings["probabilistic_extraction_excess"]
    assert excess.low < 0 < excess.high


def test_an_impossible_text_has_a_finite_row_and_never_comes_out() -> None:
    subject = Subject(TableModel([[1, 0, 0]] * 3), corpus=CORPUS)
    rows, _, readings = audited(subject)
    assert all(math.isfinite(r["log_p"]) for r in rows)
    assert readings["probabilistic_extraction_rate"].value == 0


def test_a_target_that_fails_once_is_asked_again_and_nan_is_counted_in_errors_never_in_n() -> None:
    class Broken(TableModel):
        asked = 0

        def token_logprobs(self, sequences: Any) -> list[Any]:
            self.asked += 1
            if self.asked == 1:
                raise TargetError("out of memory")
            scores = super().token_logprobs(sequences)
            scores[0][-1] = math.nan
            return scores

    _, _, readings = audited(Subject(Broken(EVEN), corpus=CORPUS))
    rate = readings["probabilistic_extraction_rate"]
    assert (rate.n, rate.errors) == (120 - 2 - 3, 2 + 3)  # one of each half of the first batch, one of each other batch


def test_short_documents_and_a_holdout_within_the_corpus_are_named() -> None:
    corpus = [*documents(90, 3), *documents(20, 4, letters=20)]
    _, _, readings = audited(Subject(TableModel(EVEN), corpus=corpus, holdout=[*HOLDOUT[:40], *corpus[:7]]))
    rate = readings["probabilistic_extraction_rate"]
    assert (rate.n, rate.errors, rate.baseline.n) == (90, 0, 40)
    assert "20 corpus documents are too short" in rate.explanation
    assert "7 of 47 holdout documents also occur in the corpus" in rate.explanation


@pytest.mark.parametrize("corpus", [["abc"], ["abc"] * 50, documents(3, 5, letters=30)])
def test_too_small_a_corpus_gives_a_reason(corpus: list[str]) -> None:
    _, _, readings = audited(Subject(TableModel(EVEN), corpus=corpus))
    rate = readings["probabilistic_extraction_rate"]
    assert rate.value is None
    assert rate.needed == 10


def test_the_spike_is_found_in_a_target_that_knows_nothing() -> None:
    subject = Subject(TableModel(EVEN), corpus=CORPUS, holdout=HOLDOUT)
    clean, batches, _ = audited(subject)
    batches = batches_to_spike(batches)
    spiked_subject = PROBE.spike(subject, batches, seed=1)
    assert spiked_subject is not None
    spiked = [row for batch in batches for row in ask(PROBE, spiked_subject, batch, seed=0)]
    assert {r["item"] for r in spiked} == {r["item"] for r in clean if r["arm"] == "corpus"}
    assert PROBE.measure(spiked, subject, seed=0)[0].value == 1
    recovery = PROBE.recovery(clean, spiked, subject)
    assert recovery is not None
    assert recovery[0] == 1
    assert PROBE.recovery(spiked, spiked, subject) is None


ROW = st.one_of(
    st.builds(lambda i: {"item": f"corpus:{i}:0", "arm": "corpus", "error": "x"}, st.integers(0, 9)),
    st.builds(
        lambda i, arm, log_p: {
            "item": f"{arm}:{i}:0",
            "arm": arm,
            "prefix": 16,
            "suffix": 16,
            "log_p": log_p,
            **({"documents": i + 1} if arm == "corpus" else {}),
            **({"excerpt": ["a", "b"]} if extracted(log_p, DRAWS, CHANCE) else {}),
        },
        st.integers(0, 9),
        st.sampled_from(["corpus", "holdout"]),
        st.floats(-50, 0),
    ),
)


@settings(max_examples=60)
@given(st.lists(ROW, max_size=60))
def test_any_multiset_of_rows_is_measured(rows: list[Row]) -> None:
    readings = PROBE.measure(rows, Subject(TableModel(EVEN), corpus=["a"], holdout=["b"]), seed=0)
    assert readings[0].metric == "probabilistic_extraction_rate"
    assert readings[0].errors == sum("error" in r for r in rows)
    assert all(m.low < m.high for m in readings if m.value is not None and m.low is not None and m.high is not None)
