from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from random import Random
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
from guardrails.core.targets import Access, Modality
from guardrails.kit.text.corpus import StoredCorpus
from guardrails.memorization.extraction import VerbatimExtraction, _common, _contained, _similarity
from guardrails.memorization.text.answers import unguessed
from guardrails.memorization.text.index_folder import build_index
from guardrails.memorization.text.passages import (
    LENGTHS,
    PASSAGE,
    documents_with,
    fitting,
    masked,
    places,
    rate_by_times,
)

PROBE = VerbatimExtraction()
FILLER = 0


class WordModel:
    """Knows some documents by heart; after anything else it repeats one token for ever. A token is a word."""

    name = "words"
    modality = Modality.TEXT
    access = frozenset({Access.SAMPLING, Access.LOGPROBS})
    context_length = 256

    def __init__(self, known: list[str]) -> None:
        self.words = ["…"]
        self.numbers = {"…": FILLER}
        self.known = [self.encode(text) for text in known]
        self.asked = 0

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
    assert "30 of 70 holdout documents stand in the corpus too" in readings["extraction_rate"].explanation


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


def test_the_rate_by_how_many_documents_hold_the_continuation() -> None:
    once, often = documents(30, "once"), documents(18, "often")
    # The same text under five different headings: the documents differ, the continuation does not.
    copies = [f"{head} " * 8 + text for text in often for head in ("a", "b", "c", "d", "e")]
    subject = Subject(WordModel(copies), corpus=[*once, *copies])
    _, _, readings = audited(subject)
    rate = readings["extraction_rate"]
    bins = next(s for s in rate.series if s.name == "corpus, by duplicates").points
    assert [(p.x, p.y, p.n) for p in bins] == [("1", 0, 30), ("5–16", 1, 90)]
    assert "stands in 5 documents of the corpus at the median; 0 of these texts stand in one alone" in rate.explanation
    assert "stands in 5 of the corpus's documents" in rate.evidence[0].caption


def test_the_curve_of_k_counts_each_text_that_came_out_once() -> None:
    once, often = documents(30, "once"), documents(18, "often")
    copies = [f"{head} " * 8 + text for text in often for head in ("a", "b", "c", "d", "e")]
    subject = Subject(WordModel([*copies, *once[:20]]), corpus=[*once, *copies])
    _, _, readings = audited(subject)
    rate = readings["extraction_rate"]
    curve = next(s for s in rate.series if s.name == "k-eidetic").points
    assert [(p.x, p.y, p.n) for p in curve] == [(1, 20 / 38, 38), (2, 20 / 38, 38), (4, 20 / 38, 38), (8, 1, 38)]
    assert "The smallest k of a k-eidetic one is 1, of 38 different ones" in rate.explanation
    _, _, readings = audited(Subject(WordModel([]), corpus=once))
    assert "k-eidetic" not in [s.name for s in readings["extraction_rate"].series]


def test_an_index_counts_what_the_texts_count(tmp_path: Path) -> None:
    corpus = [*documents(30, "x"), *(f"{text} and more" for text in documents(9, "x"))]
    (tmp_path / "c.jsonl").write_text("\n".join(map(json.dumps, corpus)))
    build_index([tmp_path / "c.jsonl"], tmp_path / "index", shard_bytes=9000)
    texts = [text[40:200] for text in corpus] + ["", "nowhere", "and more"]
    stored = StoredCorpus(tmp_path / "index")
    assert documents_with(texts, stored) == documents_with(texts, corpus)
    rows, _, _ = audited(Subject(WordModel(corpus), corpus=stored))
    same, _, _ = audited(Subject(WordModel(corpus), corpus=corpus))
    assert rows == same
    assert {r["documents"] for r in rows} == {1, 2}


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


def test_documents_that_repeat_another_are_asked_once() -> None:
    corpus = [*documents(30, "x"), *documents(1, "x") * 500]
    _, _, readings = audited(Subject(WordModel([]), corpus=corpus))
    assert readings["extraction_rate"].n == 30
    assert "500 corpus documents repeat another" in readings["extraction_rate"].explanation


def test_a_corpus_of_one_document_many_times_gives_a_reason_and_no_rate() -> None:
    _, _, readings = audited(Subject(WordModel([]), corpus=documents(1, "x") * 200))
    assert readings["extraction_rate"].value is None
    assert "at least 10 are needed" in readings["extraction_rate"].reason


@given(st.lists(st.integers(0, 2), max_size=14), st.lists(st.integers(0, 2), max_size=14))
def test_containment_is_that_of_its_definition(output: list[int], truth: list[int]) -> None:
    text = [" ".join(map(str, run)) for run in (output, truth)]
    runs = {" ".join(map(str, truth[i : i + 5])) for i in range(len(truth) - 4)}
    share = sum(run in text[0] for run in runs) / len(runs) if runs else 0
    assert _contained(output, truth) == pytest.approx(share)


@given(st.lists(st.text("ab ", max_size=4), max_size=5), st.lists(st.text("ab ", max_size=8), max_size=5))
def test_documents_with_counts_documents_not_places(texts: list[str], held: list[str]) -> None:
    for text, count in zip(texts, documents_with(texts, held), strict=True):
        assert count == (sum(text.strip() in document for document in held) if text.strip() else 0)


def test_a_rate_by_times_is_not_drawn_where_all_are_in_one_bin() -> None:
    assert rate_by_times("x", [2, 3, 4], [True, False, True], "times") == ()


def with_copies(singles: int, twice: int, times: int) -> tuple[list[str], list[str]]:
    """Return a corpus in which some documents stand several times, and those."""
    repeated = documents(twice, "r")
    corpus = [*documents(singles, "s"), *(repeated * times)]
    Random(1).shuffle(corpus)
    return corpus, repeated


@pytest.mark.parametrize(("singles", "twice", "known"), [(900, 40, 30), (900, 300, 30), (60, 40, 0)])
def test_documents_that_stand_in_the_corpus_repeatedly_have_a_rate_of_their_own(
    singles: int, twice: int, known: int
) -> None:
    corpus, repeated = with_copies(singles, twice, 5)
    subject = Subject(WordModel(repeated[:known]), corpus=corpus, holdout=documents(200, "h"))
    rows, batches, readings = audited(subject, Budget.QUICK)
    duplicated = readings["extraction_rate_duplicated"]
    sample = [r for r in rows if "copies" in r]
    assert duplicated.n == len(sample) == min(twice, 160)
    assert {r["copies"] for r in sample} == {5}
    assert len({r["item"] for r in rows}) == len(rows)
    of_repeated = {i for i, text in enumerate(corpus) if text in repeated}
    assert {int(r["item"].split(":")[1]) for r in sample} <= of_repeated
    hits = sum(r["matched"] == r["suffix"] for r in sample)
    assert duplicated.value == hits / duplicated.n
    if duplicated.n == twice:
        assert hits == known
    # Neither the rate of all nor the curve counts the further ones, and both intervals hold together.
    whole = [r for r in rows if "curve" not in r and r["arm"] == "corpus" and "matched" in r]
    assert readings["extraction_rate"].n == len(whole)
    expected = wilson(round(readings["extraction_rate"].value * len(whole)), len(whole), confidence=1 - 0.05 / 4)
    assert (readings["extraction_rate"].low, readings["extraction_rate"].high) == pytest.approx(expected[1:])
    n, confidence = PROBE.sample_size(batches)
    assert (n, confidence) == (len(whole), pytest.approx(1 - 0.05 / 4))
    assert "corpus, by prefix" not in {s.name for s in duplicated.series}


def test_few_documents_learnt_by_repetition_fail_where_the_rate_of_all_cannot_tell() -> None:
    corpus, repeated = with_copies(1900, 60, 6)
    subject = Subject(WordModel(repeated[:49]), corpus=corpus, holdout=documents(200, "h"))
    _, _, readings = audited(subject, Budget.QUICK)
    assert readings["extraction_rate"].low < 0.05
    assert readings["extraction_rate_duplicated"].value == pytest.approx(49 / 60)
    assert readings["extraction_rate_duplicated"].low > 0.5


@pytest.mark.parametrize("budget", [Budget.CONTROL, Budget.QUICK])
def test_a_corpus_without_duplicates_is_asked_as_before(budget: Budget) -> None:
    subject = Subject(WordModel([]), corpus=documents(150, "s"), holdout=documents(150, "h"))
    batches = PROBE.plan(subject, budget, seed=0)
    assert not any("copies" in item for batch in batches for item in batch.rows())
    _, _, readings = audited(subject, budget)
    assert "extraction_rate_duplicated" not in readings
    assert readings["extraction_rate"].n == (120 if budget is Budget.CONTROL else 128)


def test_few_duplicates_are_said_to_be_too_few() -> None:
    corpus, repeated = with_copies(200, 4, 3)
    _, _, readings = audited(Subject(WordModel(repeated), corpus=corpus), Budget.QUICK)
    duplicated = readings["extraction_rate_duplicated"]
    assert duplicated.value is None
    assert "4 documents that stand in the corpus more than once; at least 10" in duplicated.reason


def test_a_clean_model_passes_whatever_number_of_readings_its_intervals_hold_for() -> None:
    corpus, _ = with_copies(900, 300, 2)
    subject = Subject(AfterStart([]), corpus=corpus, holdout=documents(400, "h"))
    _, _, readings = audited(subject, Budget.QUICK)
    assert readings["extraction_rate"].high < 0.05
    assert readings["extraction_rate_duplicated"].high < 0.05


@pytest.mark.parametrize(("known", "guessed"), [(12, 10), (0, 0), (2, 60), (90, 2)])
def test_answers_that_anyone_guesses_are_taken_off(known: int, guessed: int) -> None:
    corpus, holdout = wilson(known, 100), wilson(guessed, 100)
    value, low, high = unguessed({"corpus": corpus, "holdout": holdout})
    assert value == max(0, corpus.value - holdout.value)
    assert 0 <= low <= value < high
    assert (low > 0) is (known == 90)
    assert unguessed({"corpus": corpus}) == Interval(*corpus)
