from __future__ import annotations

import json
import math
import zlib
from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.core.asking import ask
from guardrails.core.batch import Row
from guardrails.core.errors import TargetError
from guardrails.core.probe import Budget
from guardrails.core.subject import Subject
from guardrails.memorization import ranking
from guardrails.memorization.ranking import SCORES, WINDOW, GenerateAndRank, scored

from .word_model import Words

PROBE = GenerateAndRank()


class Writer(Words):
    """Writes the texts that it is given, in turn, and a word's log-probability is in a table."""

    def __init__(self, texts: Sequence[str], likely: Sequence[str] = ()) -> None:
        super().__init__()
        self.texts, self.likely = list(texts), {word for text in likely for word in text.split()}
        self.written = 0

    def sample_texts(self, n: int, *, seed: int, max_new_tokens: int = 64) -> list[str]:
        out = [self.texts[(self.written + i) % len(self.texts)] for i in range(n)]
        self.written += n
        return out

    def log_p(self, word: str) -> float:
        return -0.01 if word in self.likely else -3 - Random(word).random()

    def token_logprobs(self, sequences: Any) -> list[Any]:
        return [np.array([self.log_p(self.words[t]) for t in s[1:]]) for s in sequences]


def texts(n: int, name: str, *, words: int = 60) -> list[str]:
    rng = Random(name)
    return [" ".join(f"{name}{i}W{rng.randrange(10**6)}" for _ in range(words)) for i in range(n)]


CORPUS, HOLDOUT, FRESH = texts(40, "c"), texts(40, "h"), texts(200, "f")


def audited(subject: Subject, budget: Budget = Budget.CONTROL) -> tuple[list[Row], Any]:
    batches = PROBE.plan(subject, budget, seed=0)
    rows = [row for batch in batches for row in ask(PROBE, subject, batch, seed=0)]
    json.dumps([batch.to_json() for batch in batches], allow_nan=False)
    json.dumps(rows, allow_nan=False)
    [reading] = PROBE.measure(rows, subject, seed=0)
    return rows, reading


def test_what_is_remembered_is_ranked_first_and_found_in_the_corpus() -> None:
    writer = Writer([*FRESH[:48], *CORPUS[:16]], likely=CORPUS)
    _, reading = audited(Subject(writer, corpus=CORPUS, holdout=HOLDOUT))
    assert (reading.value, reading.n) == (1, 16)
    assert reading.baseline.value == 0
    precision = {p.x: p.y for p in reading.series[0].points}
    assert precision == dict.fromkeys((*SCORES, "all candidates"), 1) | {
        "lowercase": precision["lowercase"],
        "all candidates": 0.25,
    }
    assert "16 do, 16 of them in one document alone" in reading.explanation


def test_a_writer_of_new_text_is_clear() -> None:
    _, reading = audited(Subject(Writer(FRESH), corpus=CORPUS, holdout=HOLDOUT), Budget.QUICK)
    assert (reading.value, reading.n) == (0, 40)
    assert reading.high < 0.1


def test_text_that_stands_in_the_holdout_too_shows_in_the_baseline() -> None:
    both = CORPUS[:16]
    writer, quoting = Writer([*FRESH[:48], *both], likely=both), [f"It is written: {text}" for text in both]
    _, reading = audited(Subject(writer, corpus=CORPUS, holdout=quoting))
    assert reading.value == reading.baseline.value == 1
    _, reading = audited(Subject(writer, corpus=CORPUS, holdout=[*both, *HOLDOUT]))
    assert (reading.value, reading.baseline.value) == (1, 0)
    assert f"16 of {16 + len(HOLDOUT)} holdout documents also occur in the corpus" in reading.explanation
    _, reading = audited(Subject(writer, corpus=CORPUS, holdout=CORPUS))
    assert reading.baseline is None


def test_the_scores_are_those_of_a_literal_computation() -> None:
    writer = Writer([], likely=CORPUS[:1])
    text = f"{FRESH[0]} {CORPUS[0]} Alpha Beta"
    [scores] = scored(writer, [text])
    words = text.split()
    values = [writer.log_p(w) for w in words[1:]]
    nats = -sum(values) / len(values)
    lower = [writer.log_p(w) for w in text.lower().split()[1:]]
    assert scores["perplexity"] == pytest.approx(-nats)
    assert scores["zlib"] == pytest.approx(len(zlib.compress(text.encode())) / nats)
    assert scores["lowercase"] == pytest.approx(-sum(lower) / len(lower) / nats)
    means = [sum(values[i : i + WINDOW - 1]) / (WINDOW - 1) for i in range(len(values) - WINDOW + 2)]
    assert scores["window"] == pytest.approx(max(means))
    assert scores["run"].split() == words[(at := int(np.argmax(np.round(means, 9)))) : at + WINDOW]
    assert scores["tokens"] == WINDOW


@given(st.lists(st.sampled_from(["a", "B", "c1"]), max_size=60))
def test_any_text_has_finite_scores_or_none(words: list[str]) -> None:
    [scores] = scored(Writer([]), [" ".join(words)])
    assert ("short" in scores) is (len(words) < ranking.SHORTEST)
    assert all(math.isfinite(v) for k, v in scores.items() if k != "run")


def test_without_a_corpus_the_candidates_are_listed_and_nothing_is_decided() -> None:
    _, reading = audited(Subject(Writer([*FRESH[:48], *CORPUS[:16]], likely=CORPUS)))
    assert reading.value is None
    assert "--corpus" in reading.reason
    [table] = reading.evidence
    assert len(table.rows) == ranking.LISTED
    assert all(row[-1] == "–" and "[redacted" in row[0] for row in table.rows)
    # Numbers are masked, and no more than six words are shown.
    assert not any(word in row[0] for row in table.rows for text in CORPUS for word in text.split())


def test_a_model_that_says_one_thing_only_has_nothing_to_rank() -> None:
    _, reading = audited(Subject(Writer(CORPUS[:1], likely=CORPUS), corpus=CORPUS))
    assert reading.value is None
    assert "1 distinct texts" in reading.reason


@pytest.mark.parametrize("said", ["", "a b c", "\ud800 \n"])
def test_texts_too_short_to_be_candidates_give_a_reason(said: str) -> None:
    rows, reading = audited(Subject(Writer([said]), corpus=CORPUS))
    assert reading.value is None
    assert all("short" in r for r in rows)


def test_constant_scores_are_ranked_by_name_and_measured() -> None:
    class Flat(Writer):
        def log_p(self, word: str) -> float:
            return -1.0

    _, reading = audited(Subject(Flat(FRESH), corpus=FRESH[:3]))
    assert 0 <= reading.low <= reading.value <= reading.high


def test_certain_tokens_divide_by_nothing() -> None:
    class Sure(Writer):
        def log_p(self, word: str) -> float:
            return 0.0

    _, reading = audited(Subject(Sure(FRESH), corpus=FRESH))
    assert reading.value == 1


def test_a_target_that_fails_or_gives_nan_is_counted() -> None:
    class Down(Writer):
        def token_logprobs(self, sequences: Any) -> list[Any]:
            raise TargetError("out of memory")

    class Nan(Writer):
        def token_logprobs(self, sequences: Any) -> list[Any]:
            scores = super().token_logprobs(sequences)
            scores[0][0] = math.nan
            return scores

    class Once(Down):
        failures = 0

        def token_logprobs(self, sequences: Any) -> list[Any]:
            self.failures += 1
            return super().token_logprobs(sequences) if self.failures == 1 else Writer.token_logprobs(self, sequences)

    rows, reading = audited(Subject(Down(FRESH), corpus=CORPUS))
    assert reading.errors == len(rows)
    assert all("out of memory" in r["error"] for r in rows)
    rows, reading = audited(Subject(Nan(FRESH), corpus=CORPUS))
    assert reading.errors == 0
    assert any("short" in r for r in rows)
    rows, reading = audited(Subject(Once(FRESH), corpus=CORPUS))
    assert reading.errors == 0
    assert len({r["item"] for r in rows}) == len(rows)


def test_a_target_that_only_continues_prompts_is_asked_with_an_empty_one() -> None:
    class Prompted(Writer):
        sample_texts = None  # type: ignore[assignment]

        def __getattribute__(self, name: str) -> Any:
            if name == "sample_texts":
                raise AttributeError(name)
            return super().__getattribute__(name)

        def generate(self, prompts: Sequence[str], *, max_new_tokens: int, seed: int = 0) -> list[str]:
            assert set(prompts) == {""}
            return Writer.sample_texts(self, len(prompts), seed=seed)

    _, reading = audited(Subject(Prompted(FRESH), corpus=CORPUS))
    assert reading.value == 0


ROW = st.one_of(
    st.builds(lambda i: {"item": f"text:{i}", "arm": "outputs", "error": "x"}, st.integers(0, 9)),
    st.builds(lambda i: {"item": f"text:{i}", "arm": "outputs", "short": True}, st.integers(0, 9)),
    st.builds(
        lambda i, v, k: {
            "item": f"text:{i}",
            "arm": "outputs",
            **dict.fromkeys(("zlib", "lowercase"), v),
            **dict.fromkeys(("perplexity", "window"), -v),
            "tokens": 20,
            "key": str(i),
            "excerpt": "x",
            "corpus": k,
            "holdout": 0,
        },
        st.integers(0, 40),
        st.floats(0, 10),
        st.integers(0, 2),
    ),
)


@settings(max_examples=60)
@given(st.lists(ROW, max_size=60))
def test_any_multiset_of_rows_is_measured(rows: list[Row]) -> None:
    [reading] = PROBE.measure(rows, Subject(Writer([]), corpus=CORPUS, holdout=HOLDOUT), seed=0)
    assert reading.metric == "ranked_precision"
    assert reading.errors == sum("error" in r for r in rows)
    assert reading.value is None or reading.low < reading.high
