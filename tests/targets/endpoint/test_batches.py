"""A failed request is one error row, and no item of a batch is asked for twice."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.core.asking import ask
from guardrails.core.batch import Batch, Item, Row
from guardrails.targets.endpoint import ChatTexts, Reply

from .asking import endpoint
from .fault_server import Server, say, status


class Probe:
    """Counts an item where it has an answer."""

    def collect(self, target, batch, *, seed):  # type: ignore[no-untyped-def]
        items = batch.rows()
        texts = target.generate([item["prompt"] for item in items], max_new_tokens=8, seed=seed)
        return [{**item, "text": text} for item, text in zip(items, texts, strict=True)]


def batch_of(prompts: list[str]) -> Batch:
    return Batch(0, tuple(Item(str(i), fields={"prompt": prompt}) for i, prompt in enumerate(prompts)))


def asked(target: Any, batch: Batch, *, seed: int) -> list[Row]:
    probe: Any = Probe()
    return ask(probe, target, batch, seed=seed)


MANY = [set(range(0, 32, 3)), set(range(8)), set(range(31))]


@pytest.mark.parametrize("bad", [{0}, {31}, {7, 8}, {0, 9, 10, 20, 31}, *MANY])
def test_a_failed_request_is_one_error_row_and_n_items_are_n_requests(server: Server, bad: set[int]) -> None:
    prompts = [f"prompt {i}" for i in range(32)]
    server.faults = {prompts[i]: [status(400)] * 9 for i in bad}
    rows = asked(ChatTexts(endpoint(server)), batch_of(prompts), seed=1)
    assert {i for i, row in enumerate(rows) if "error" in row} == bad
    assert all(row["text"] == f"you said {prompts[i]}" for i, row in enumerate(rows) if i not in bad)
    assert len(server.asked) == 32


def test_an_answer_that_takes_its_time_is_not_asked_for_again(server: Server) -> None:
    """As on a busy machine, where the tests' own server answers late."""
    server.faults["*"] = [say(wait=0.6)] * 4
    rows = asked(ChatTexts(endpoint(server)), batch_of([f"prompt {i}" for i in range(8)]), seed=1)
    assert all("text" in row for row in rows)
    assert len(server.asked) == 8


def test_equal_prompts_of_a_batch_each_have_an_answer_of_their_own(server: Server) -> None:
    server.faults["same"] = [say("one"), status(400), say("two"), say("three")]
    rows = asked(ChatTexts(endpoint(server, concurrency=1)), batch_of(["same"] * 4), seed=1)
    assert [row.get("text") for row in rows] == ["one", None, "two", "three"]
    assert len(server.asked) == 4


def test_the_next_batch_is_not_given_failures_of_the_one_before(server: Server) -> None:
    prompts = [str(i) for i in range(16)]
    server.faults = {prompt: [status(400)] for prompt in prompts}
    target = ChatTexts(endpoint(server))
    rows = asked(target, batch_of(prompts), seed=1)
    assert all("error" in row for row in rows)
    rows = asked(target, batch_of(prompts), seed=2)
    assert [row["text"] for row in rows] == [f"you said {prompt}" for prompt in prompts]


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=20), st.sets(st.integers(0, 19)), st.integers(0, 9))
def test_a_batch_asks_for_each_item_once_whatever_fails(prompts: list[str], bad: set[int], seed: int) -> None:
    sent: list[str] = []

    class Some:
        name = "some"

        def identity(self) -> dict[str, str]:
            return {}

        def reply(self, conversations, decoding, seed):  # type: ignore[no-untyped-def]
            replies = []
            for conversation in conversations:
                number = len(sent)
                sent.append(conversation[-1]["content"])
                fails = number in bad
                replies.append(Reply(finish="error", error="no") if fails else Reply(f"{sent[-1]}{number}"))
            return replies

    rows = asked(ChatTexts(Some()), batch_of(prompts), seed=seed)
    assert sent == prompts
    assert [row["prompt"] for row in rows] == prompts
    assert {i for i, row in enumerate(rows) if "error" in row} == {i for i in bad if i < len(prompts)}
    written = [row["text"] for row in rows if "text" in row]
    assert len(written) == len(set(written))
    assert all(row["text"].startswith(row["prompt"]) for row in rows if "text" in row)
