"""One endpoint asked from several threads: its limits hold for all of them together."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial

import pytest

from guardrails.targets.endpoint import ChatTexts, Patience
from guardrails.targets.endpoint.endpoint import Endpoint

from .asking import ask, endpoint
from .fault_server import Server, hang, say, status
from .test_batches import asked, batch_of

PATIENT = Patience(connect=10, read=10, total=20, attempts=2, first_wait=0.001)


def at_once(model: Endpoint, batches: int, size: int) -> list[list[str]]:
    with ThreadPoolExecutor(batches) as pool:
        asked = [pool.submit(ask, model, *(f"{b}.{i}" for i in range(size)), seed=b) for b in range(batches)]
        return [[reply.text or str(reply.error) for reply in call.result()] for call in asked]


def test_requests_of_all_batches_together_are_no_more_than_the_concurrency(server: Server) -> None:
    server.always = say("yes", wait=0.01)
    model = endpoint(server, patience=PATIENT, concurrency=3)
    assert model.concurrent_batches == ChatTexts(model).concurrent_batches == 3
    assert at_once(model, 6, 4) == [["yes"] * 4] * 6
    assert server.most_at_once == 3


@pytest.mark.parametrize("limit", [1, 17, 30])
def test_the_budget_of_requests_is_kept_exactly(server: Server, limit: int) -> None:
    model = endpoint(server, patience=PATIENT, concurrency=16, max_requests=limit)
    replies = [text for batch in at_once(model, 8, 5) for text in batch]
    assert len(server.asked) == limit
    assert sum(text.startswith("you said") for text in replies) == limit
    assert model.ledger.counts.requests == model.ledger.counts.answered == limit
    assert model.ledger.counts.not_sent == 40 - limit


def test_every_answer_is_in_the_file_once(server: Server, tmp_path) -> None:  # type: ignore[no-untyped-def]
    model = endpoint(server, patience=PATIENT, concurrency=16)
    model.keep_answers(tmp_path, resumed=False)
    at_once(model, 8, 5)
    model.close()
    again = endpoint(server, patience=PATIENT)
    again.keep_answers(tmp_path, resumed=True)
    assert at_once(again, 8, 5) == [[f"you said {b}.{i}" for i in range(5)] for b in range(8)]
    again.close()
    assert len(server.asked) == again.ledger.counts.requests == 40


def test_all_wait_where_the_server_asks_one_to(server: Server) -> None:
    server.faults["0.0"] = [status(429, Retry_After="1")]
    model = endpoint(server, patience=PATIENT, concurrency=1)
    at_once(model, 4, 2)
    gaps = [later - earlier for earlier, later in zip(server.times, server.times[1:], strict=False)]
    assert max(gaps) >= 1
    assert len(server.asked) == 9


def test_a_batch_that_fails_in_part_does_not_take_the_answers_of_another(server: Server) -> None:
    """Equal prompts, so that an answer kept for one batch would fit any."""
    server.faults["same"] = [say(f"{i}") if i % 3 else status(400) for i in range(60)]
    target = ChatTexts(endpoint(server, patience=PATIENT, concurrency=4))
    with ThreadPoolExecutor(6) as pool:
        calls = [
            pool.submit(copy_context().run, partial(asked, target, batch_of(["same"] * 10), seed=seed))
            for seed in range(6)
        ]
        rows = [row for call in calls for row in call.result()]
    assert len(server.asked) == 60
    assert sorted(int(row["text"]) for row in rows if "text" in row) == [i for i in range(60) if i % 3]


def test_closing_ends_what_is_under_way_and_the_endpoint_can_be_asked_again(server: Server) -> None:
    server.faults["hangs"] = [hang]
    model = endpoint(server, patience=PATIENT)
    ends: list[type[BaseException]] = []

    def asks() -> None:
        try:
            ask(model, "hangs")
        except BaseException as error:
            ends.append(type(error))

    thread = threading.Thread(target=asks)
    thread.start()
    while not server.asked:
        time.sleep(0.01)
    model.close()
    thread.join(5)
    assert ends == [KeyboardInterrupt]
    assert [reply.text for reply in ask(model, "hello")] == ["you said hello"]
