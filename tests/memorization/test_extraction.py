from __future__ import annotations

from dataclasses import replace
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
from guardrails.core.statistics import Interval, wilson
from guardrails.core.subject import Subject
from guardrails.memorization.extraction import _common, _contained, _similarity
from guardrails.memorization.text.answers import beyond_guessing
from guardrails.memorization.text.passages import (
    LENGTHS,
    PASSAGE,
    fitting,
    masked,
    places,
)

from .word_model import PROBE, AfterStart, WordModel, audited, documents

CORPUS, HOLDOUT = documents(200, "c"), documents(150, "h")


@pytest.mark.parametrize(("share", "expected"), [(0, "clear"), (0.5, "found"), (1, "found")])
def test_the_rate_is_the_share_of_documents_known_by_heart(share: float, expected: str) -> None:
    subject = Subject(WordModel(CORPUS[: int(200 * share)]), corpus=CORPUS, holdout=HOLDOUT)
    _, _, readings = audited(subject)
    rate = readings["extraction_rate"]
    assert rate.low <= share <= rate.high
    assert (rate.low > 0.05) is (expected == "found")
    assert (rate.high < 0.05) is (expected == "clear")
    assert rate.baseline.value == 0
    assert readings["extraction_excess"].value == pytest.approx(rate.value)
    assert readings["near_extraction_rate"].value == readings["contained_rate"].value == rate.value
    assert readings["near_extraction_rate"].baseline.value == readings["contained_rate"].baseline.value == 0


@pytest.mark.parametrize("share", [0, 0.5, 1])
def test_documents_known_only_after_a_start_token_come_out(share: float) -> None:
    subject = Subject(AfterStart(CORPUS[: int(200 * share)]), corpus=CORPUS, holdout=HOLDOUT)
    rows, _, readings = audited(subject)
    rate = readings["extraction_rate"]
    assert rate.low <= share <= rate.high
    assert rate.baseline.value == 0
    hits = round(rate.value * rate.n)
    assert (rate.low, rate.high) == pytest.approx(wilson(hits, rate.n, confidence=1 - 0.05 / 4)[1:])
    if share:
        assert f"each document begun after '<s>': {rate.value:.3g}; each document begun as" in rate.explanation
    assert not any(r["matched"] for r in rows if "matched" in r)


def test_a_start_token_leaves_room_for_it_in_the_context() -> None:
    model = AfterStart(CORPUS)
    model.context_length = 82
    subject = Subject(model, corpus=CORPUS, holdout=HOLDOUT)
    rows, batches, readings = audited(subject)
    assert {(b.payload["prefix"], b.payload["suffix"]) for b in batches} == {(32, 32)}
    assert not any("error" in r or "error" in r["starts"]["after '<s>'"] for r in rows)
    assert readings["extraction_rate"].value == 1


def test_text_that_anyone_can_guess_shows_in_the_baseline() -> None:
    subject = Subject(WordModel([*CORPUS, *HOLDOUT]), corpus=CORPUS, holdout=HOLDOUT)
    _, _, readings = audited(subject)
    assert readings["extraction_rate"].baseline.value == 1
    assert readings["extraction_excess"].low < 0 < readings["extraction_excess"].high


def test_without_a_holdout_the_rate_stands_and_says_what_is_missing() -> None:
    _, _, readings = audited(Subject(WordModel(CORPUS), corpus=CORPUS))
    rate = readings["extraction_rate"]
    assert rate.value == 1
    assert rate.baseline is None
    assert "--holdout" in rate.explanation
    assert "extraction_excess" not in readings


def test_documents_in_both_are_left_out_of_the_baseline_and_named() -> None:
    holdout = [*HOLDOUT[:40], *(f"  {text}\n" for text in CORPUS[:30])]
    _, batches, readings = audited(Subject(WordModel(CORPUS), corpus=CORPUS, holdout=holdout))
    drawn = [i["index"] for b in batches for i in b.rows() if i["arm"] == "holdout"]
    assert sorted(drawn) == list(range(40))
    assert "30 of 70 holdout documents also occur in the corpus" in readings["extraction_rate"].explanation


def test_short_documents_are_counted_and_said() -> None:
    corpus = [*documents(80, "l"), *documents(20, "s", words=30)]
    rows, _, readings = audited(Subject(WordModel(corpus), corpus=corpus, holdout=HOLDOUT))
    assert sum("short" in r for r in rows) == 20
    assert readings["extraction_rate"].n == 80
    assert readings["extraction_rate"].errors == 0
    assert "20 corpus documents are too short" in readings["extraction_rate"].explanation


def test_a_corpus_that_is_too_small_gives_no_value() -> None:
    corpus = [" ".join(["a b c d e f g h"] * 3)] * 3
    _, _, readings = audited(Subject(WordModel([]), corpus=corpus))
    assert readings["extraction_rate"].value is None
    assert readings["extraction_rate"].needed == 10


def test_a_book_in_one_file_is_asked_by_passages() -> None:
    book = " ".join(documents(100, "book"))
    rows, batches, readings = audited(Subject(WordModel([]), corpus=[book]))
    starts = [i["start"] for b in batches for i in b.rows()]
    assert len(set(starts)) == len(starts) == 120
    assert readings["extraction_rate"].n == 120
    assert not any("error" in r for r in rows)


def test_a_target_that_fails_is_counted_in_errors_never_in_n() -> None:
    class Broken(WordModel):
        def continue_tokens(self, prefixes: Any, *, n: int) -> list[list[int]]:
            if self.asked < 64:
                return super().continue_tokens(prefixes, n=n)
            raise TargetError("out of memory")

    _, _, readings = audited(Subject(Broken(CORPUS), corpus=CORPUS))
    assert (readings["extraction_rate"].n, readings["extraction_rate"].errors) == (64, 56)


def test_excerpts_show_three_words_and_no_number_or_address() -> None:
    text = "Ann of Ford writes to ann@example.org and 212-555-0187 from " + documents(1, "x")[0]
    corpus = [f"{text} {i}" for i in range(40)]
    _, _, readings = audited(Subject(WordModel(corpus), corpus=corpus))
    evidence = readings["extraction_rate"].evidence
    assert len(evidence) == 3
    assert all(e.redacted and "[redacted 50 tokens]" in e.text for e in evidence)
    assert "Ann of Ford writes to •••" in evidence[0].text
    assert "example" not in evidence[0].text
    assert masked(["call", "0187"]) == "call •••"


@pytest.mark.slow
def test_the_spike_is_found_in_a_target_that_knows_nothing() -> None:
    subject = Subject(WordModel([]), corpus=CORPUS, holdout=HOLDOUT)
    clean, batches, _ = audited(subject)
    batches = batches_to_spike(batches)
    spiked_subject = PROBE.spike(subject, batches, seed=1)
    assert spiked_subject is not None
    spiked = [row for batch in batches for row in ask(PROBE, spiked_subject, batch, seed=0)]
    assert PROBE.measure(spiked, subject, seed=0)[0].value == 1
    recovery = PROBE.recovery(clean, spiked, subject)
    assert recovery is not None
    value, low, high = recovery
    assert value == 1
    assert 0.95 < low < high
    assert {r["item"] for r in spiked} == {r["item"] for r in clean if r["arm"] == "corpus"}


def test_what_the_target_knew_before_is_no_recovery() -> None:
    subject = Subject(WordModel(CORPUS), corpus=CORPUS)
    clean, batches, _ = audited(subject)
    spiked = [r for b in batches for r in ask(PROBE, replace(subject), b, seed=0)]
    assert PROBE.recovery(clean, spiked, subject) is None


def test_planning_again_gives_the_same_and_another_seed_other_documents() -> None:
    subject = Subject(WordModel([]), corpus=CORPUS, holdout=HOLDOUT)
    one, two, other = (PROBE.plan(subject, Budget.CONTROL, seed=s) for s in (3, 3, 4))
    assert one == two != other


@given(st.integers(0, 200))
def test_the_lengths_are_the_longest_that_fit(room: int) -> None:
    pair = fitting(room)
    assert pair == next((p for p in LENGTHS if sum(p) <= room), LENGTHS[-1])


@given(st.lists(st.integers(0, 3), max_size=12), st.lists(st.integers(0, 3), max_size=12))
def test_similarity_is_that_of_the_recursive_definition(a: list[int], b: list[int]) -> None:
    def distance(i: int, j: int) -> int:
        table = {(x, y): x + y for x in range(i + 1) for y in range(j + 1) if x == 0 or y == 0}
        for x in range(1, i + 1):
            for y in range(1, j + 1):
                change = table[x - 1, y - 1] + (a[x - 1] != b[y - 1])
                table[x, y] = min(table[x - 1, y] + 1, table[x, y - 1] + 1, change)
        return table[i, j]

    assert _similarity(a, b) == 1 - distance(len(a), len(b)) / max(len(a), len(b), 1)
    assert a[: _common(a, b)] == b[: _common(a, b)]


ROW = st.one_of(
    st.builds(lambda i, arm: {"item": f"{arm}:{i}:0", "arm": arm, "error": "x"}, st.integers(0, 9), st.just("corpus")),
    st.builds(
        lambda i, arm, m: {
            "item": f"{arm}:{i}:0",
            "arm": arm,
            "prefix": 16,
            "suffix": 16,
            "matched": m,
            "similarity": m / 16,
            "contained": m / 16,
            **({"documents": 1 + m} if arm == "corpus" else {}),
            **({"excerpt": ["a", "b"]} if m == 16 else {}),
        },
        st.integers(0, 9),
        st.sampled_from(["corpus", "holdout"]),
        st.integers(0, 16),
    ),
    st.builds(
        lambda i: {"item": f"corpus:{i}:0", "arm": "corpus", "prefix": 16, "suffix": 16, "short": True},
        st.integers(0, 9),
    ),
)


@pytest.mark.slow
@settings(max_examples=60)
@given(st.lists(ROW, max_size=60))
def test_any_multiset_of_rows_is_measured(rows: list[Row]) -> None:
    readings = PROBE.measure(rows, Subject(WordModel([]), corpus=["a"], holdout=["b"]), seed=0)
    assert readings[0].metric == "extraction_rate"
    assert readings[0].errors == sum("error" in r for r in rows)
    assert all(m.low < m.high for m in readings if m.value is not None and m.low is not None and m.high is not None)


def test_the_curve_asks_for_the_same_tokens_after_more_or_fewer_of_those_before_them() -> None:
    corpus = documents(60, "c", words=200)
    subject = Subject(WordModel(corpus), corpus=corpus, holdout=documents(60, "h", words=200))
    batches = PROBE.plan(subject, Budget.QUICK, seed=0)
    curve = [b for b in batches if any(i.curve for i in b.items)]
    assert {(p["skip"], p["prefix"], p["suffix"]) for p in (b.payload for b in curve)} == {
        (128 - k, k, 50) for k in (128, 64, 32, 16)
    }
    rows = [row for batch in batches for row in ask(PROBE, subject, batch, seed=0)]
    assert len({r["item"] for r in rows}) == len(rows)
    rate = PROBE.measure(rows, subject, seed=0)[0]
    assert rate.n == 60
    series = {s.name: s for s in rate.series}
    # The model knows a document from its beginning only, which is what the longest prefix has.
    assert [(p.x, p.y, p.n) for p in series["corpus, by prefix"].points] == [
        (16, 0, 32), (32, 0, 32), (64, 0, 32), (128, 1, 32),
    ]  # fmt: skip
    assert all(p.y == 0 for p in series["holdout, by prefix"].points)


def test_no_control_pays_for_the_curve() -> None:
    subject = Subject(WordModel(CORPUS), corpus=CORPUS, holdout=HOLDOUT)
    assert not any(i.curve for b in PROBE.plan(subject, Budget.CONTROL, seed=0) for i in b.items)


def test_a_few_long_documents_are_asked_anywhere_and_the_interval_is_by_document() -> None:
    books = [" ".join(documents(20, f"book{i}", words=60)) for i in range(8)]
    known = WordModel([])
    known.known = [known.encode(text[start:])[1:] for text in books[:4] for start in range(800, len(text), 800)]
    _, batches, readings = audited(Subject(known, corpus=[*books, *documents(4, "short")]))
    drawn = [(i["index"], i["start"]) for b in batches for i in b.rows()]
    assert {i for i, start in drawn if start == 0} == set(range(12))
    counts = [sum(i == book for i, _ in drawn) for book in range(8)]
    assert max(counts) - min(counts) <= 1
    rate = readings["extraction_rate"]
    assert "passages of 12 training documents" in rate.explanation
    assert "cluster bootstrap by document" in rate.method
    independent = wilson(round(rate.value * rate.n), rate.n)
    assert rate.low < independent.low - 0.05
    assert rate.high > independent.high + 0.05


def test_a_single_long_document_says_that_it_is_one() -> None:
    book = " ".join(documents(100, "book"))
    _, _, readings = audited(Subject(WordModel([]), corpus=[book]))
    rate = readings["extraction_rate"]
    assert "Wilson interval" in rate.method
    assert "passages of 1 training document " in rate.explanation
    assert "All passages are of one document" in rate.explanation


@given(st.lists(st.text("ab ", max_size=4000), max_size=12), st.integers(1, 30), st.integers(0, 9))
def test_places_are_distinct_in_the_documents_and_as_many_as_there_are(texts: list[str], n: int, seed: int) -> None:
    drawn = places(texts, n, np.random.default_rng(seed), set())
    assert drawn == sorted(set(drawn))
    different = {text.strip() for text in texts} - {""}
    assert len({texts[i].strip() for i, _ in drawn}) == min(n, len(different))
    assert len(drawn) <= n
    assert all(start == 0 or len(texts[i]) - start >= 2 * PASSAGE for i, start in drawn)


@given(st.lists(st.integers(0, 2), max_size=14), st.lists(st.integers(0, 2), max_size=14))
def test_containment_is_that_of_its_definition(output: list[int], truth: list[int]) -> None:
    text = [" ".join(map(str, run)) for run in (output, truth)]
    runs = {" ".join(map(str, truth[i : i + 5])) for i in range(len(truth) - 4)}
    share = sum(run in text[0] for run in runs) / len(runs) if runs else 0
    assert _contained(output, truth) == pytest.approx(share)


@pytest.mark.parametrize(("known", "guessed"), [(12, 10), (0, 0), (2, 60), (90, 2)])
def test_answers_that_anyone_guesses_are_taken_off(known: int, guessed: int) -> None:
    corpus, holdout = wilson(known, 100), wilson(guessed, 100)
    value, low, high = beyond_guessing({"corpus": corpus, "holdout": holdout})
    assert value == max(0, corpus.value - holdout.value)
    assert 0 <= low <= value < high
    assert (low > 0) is (known == 90)
    assert beyond_guessing({"corpus": corpus}) == Interval(*corpus)
