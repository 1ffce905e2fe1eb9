"""Extraction from a corpus in which texts occur more than once."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.core.probe import Budget
from guardrails.core.statistics import wilson
from guardrails.core.subject import Subject
from guardrails.kit.text.stored_corpus import StoredCorpus
from guardrails.memorization.text.index_folder import build_index
from guardrails.memorization.text.passages import (
    documents_with,
    rate_by_times,
)

from .word_model import PROBE, AfterStart, WordModel, audited, documents


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


def test_documents_that_repeat_another_are_asked_once() -> None:
    corpus = [*documents(30, "x"), *documents(1, "x") * 500]
    _, _, readings = audited(Subject(WordModel([]), corpus=corpus))
    assert readings["extraction_rate"].n == 30
    assert "500 corpus documents repeat another" in readings["extraction_rate"].explanation


def test_a_corpus_of_one_document_many_times_gives_a_reason_and_no_rate() -> None:
    _, _, readings = audited(Subject(WordModel([]), corpus=documents(1, "x") * 200))
    assert readings["extraction_rate"].value is None
    assert "at least 10 are needed" in readings["extraction_rate"].reason


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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_clean_model_passes_whatever_number_of_readings_its_intervals_hold_for() -> None:
    corpus, _ = with_copies(900, 300, 2)
    subject = Subject(AfterStart([]), corpus=corpus, holdout=documents(400, "h"))
    _, _, readings = audited(subject, Budget.QUICK)
    assert readings["extraction_rate"].high < 0.05
    assert readings["extraction_rate_duplicated"].high < 0.05
