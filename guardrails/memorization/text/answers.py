"""The answers of a chat model's training data, each asked after all that precedes it.

Where training counted only the model's turns, the model never had to write a question: the beginning of a long one
gives nothing away, while the whole of it may give away the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...core.batch import Batch, Row
from ...core.statistics import Interval
from ...core.subject import Subject
from ...core.targets import LanguageModelTarget
from ...kit.lm.chat import Answers
from ...kit.lm.document_starts import after_questions, encode_each
from .passages import PIECE, difference
from .repeated_documents import DUPLICATES

LENGTHS = (50, 32, 16)
"""Tokens of an answer that are compared: the most that three quarters of the answers have; of fewer, anyone's answer
may consist."""
MOST_TOKENS = 4096
"""Tokens of question and answer, where the model's context is longer: reading them costs time and memory."""
MOST_CHARACTERS = 64 * MOST_TOKENS
"""Characters of a question that are tokenized."""


class Asked(NamedTuple):
    """One item: its tokens up to the answer, and those of the answer; neither where it is not asked."""

    question: list[int]
    answer: list[int]
    long: bool = False
    error: str = ""


def asked(subject: Subject[LanguageModelTarget], items: Sequence[Mapping[str, Any]], n: int) -> list[Asked]:
    """Return what each item is asked in a form of `after_questions`, where n tokens of the answer are compared."""
    target = subject.target
    most = min(MOST_TOKENS, target.context_length) - n
    out = []
    for item in items:
        span = _span(subject, item)
        if span is None or "long" in item or span[0] > MOST_CHARACTERS:
            out.append(Asked([], [], long=span is not None))
            continue
        text = getattr(subject, item["arm"])[item["index"]]
        (before, whole), problems = encode_each(target, [text[: span[0]], text[: min(span[1], span[0] + PIECE)]])
        # A token may join the end of the template's words with the answer's first: it is the answer's.
        pairs = zip(before, whole, strict=False)
        same = next((k for k, (a, b) in enumerate(pairs) if a != b), min(len(before), len(whole)))
        error = next(filter(None, problems), "")
        fits = 0 < same <= most and not error
        out.append(Asked(whole[:same], whole[same:]) if fits else Asked([], [], long=same > most, error=error))
    return out


def _span(subject: Subject, item: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return where the answer of an item stands, which asks for the beginning of a document."""
    documents = getattr(subject, item["arm"])
    return documents.spans[item["index"]] if isinstance(documents, Answers) and not item["start"] else None


def planned(subject: Subject[LanguageModelTarget], items: Sequence[dict[str, Any]]) -> tuple[int, list[dict[str, Any]]]:
    """Return how many tokens of answers are compared, 0 where none is asked, and the items, long ones marked."""
    forms = list(after_questions(subject).values())
    if not forms:
        return 0, list(items)
    each = [asked(form, items, LENGTHS[0]) for form in forms]
    lengths = [len(a.answer) for item, a in zip(items, each[0], strict=True) if item["arm"] == "corpus" and a.answer]
    typical = int(np.quantile(lengths, 0.25, method="lower")) if lengths else 0
    n = next((length for length in LENGTHS if length <= typical), LENGTHS[-1])
    long = [any(a.long for a in of_item) for of_item in zip(*each, strict=True)]
    marked = [item | ({"long": True} if is_long else {}) for item, is_long in zip(items, long, strict=True)]
    return n if lengths else 0, marked


def answers(
    subject: Subject[LanguageModelTarget], batch: Batch, compare: Callable[[Sequence[int], Sequence[int]], Row]
) -> tuple[list[Row], list[tuple[str, str]]]:
    """Return a row for each item, with what its greedy answer compares to, and the texts of question and answer."""
    target = subject.target
    items, n = batch.rows(), batch.payload["answer"]
    shared: Row = {"suffix": n, "answer": True}
    given = asked(subject, items, n)
    written = iter(target.continue_tokens([a.question for a in given if len(a.answer) >= n], n=n))
    rows: list[Row] = []
    for item, one in zip(items, given, strict=True):
        row: Row = {"item": item["item"], "arm": item["arm"], "prefix": len(one.question)} | shared
        row |= {key: item[key] for key in ("copies", "long", "curve", DUPLICATES) if key in item}
        if one.error:
            row["error"] = one.error
        elif len(one.answer) >= n:
            row |= compare(next(written), one.answer[:n])
        elif one.answer:
            row["short"] = True
        rows.append(row)
    return rows, [(target.decode(a.question), target.decode(a.answer[:n])) for a in given]


def beyond_guessing(rates: Mapping[str, Interval]) -> Interval:
    """Return the corpus's rate minus that of the holdout: anyone may guess the answer to a question."""
    corpus, holdout = rates["corpus"], rates.get("holdout")
    if holdout is None:
        return corpus
    value, low, high = difference(corpus, holdout)
    return Interval(max(0.0, value), max(0.0, low), max(high, corpus.high - corpus.value))


def long_note(rows: Sequence[Row]) -> str:
    """Say how many documents have a question that is too long to be read."""
    long = sum("long" in row and row["arm"] == "corpus" for row in rows)
    if not long:
        return ""
    return f" {long} corpus documents could not be asked for their answer: the question before it is too long."
