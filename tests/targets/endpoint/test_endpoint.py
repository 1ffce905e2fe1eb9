"""A served model that answers, fails, lies and hangs."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from guardrails.core.errors import EndpointError
from guardrails.core.targets import TextOutputs, TextTarget
from guardrails.targets import load_target
from guardrails.targets.endpoint import Chat, Endpoint, Patience, Reply

from .asking import PATIENT, QUICK, ask, endpoint
from .fault_server import Server, answer, cut, drip, drip_headers, hang, raw, reset, say, status


def test_an_endpoint_is_a_chat_and_a_target_that_writes_text(server: Server) -> None:
    assert isinstance(endpoint(server), Chat)
    target = load_target(f"openai:{server.url}#m")
    assert isinstance(target, TextTarget)
    assert isinstance(target, TextOutputs)
    assert target.generate(["a", "b"], max_new_tokens=7, temperature=0.5) == ["you said a", "you said b"]
    assert [body["messages"] for body in sorted(server.asked, key=str)] == [
        [{"role": "user", "content": "a"}],
        [{"role": "user", "content": "b"}],
    ]
    assert {(b["model"], b["max_tokens"], b["temperature"]) for b in server.asked} == {("m", 7, 0.5)}
    assert len({b["seed"] for b in server.asked}) == 2
    assert all(0 <= b["seed"] < 2**31 for b in server.asked)


def test_completions_are_asked_by_the_text_alone(server: Server) -> None:
    target = load_target(f"openai-completions:{server.url}#m")
    assert target.sample_texts(1, seed=3) == ["you said "]
    assert server.asked[0]["prompt"] == ""
    assert "messages" not in server.asked[0]


def test_an_object_with_reply_is_a_target() -> None:
    class Parrot:
        name = "parrot"

        def identity(self) -> dict[str, str]:
            return {"parrot": "1"}

        def reply(self, conversations, decoding, seed):  # type: ignore[no-untyped-def]
            return [Reply(c[-1]["content"] * 2) for c in conversations]

    target = load_target(Parrot())
    assert target.generate(["ab"], max_new_tokens=1) == ["abab"]
    assert target.identity() == {"parrot": "1"}


@pytest.mark.slow
def test_one_at_a_time_and_sixteen_give_the_same(server: Server) -> None:
    prompts = [f"prompt {i}" for i in range(40)]
    server.faults = {p: [say(f"answer to {p}", wait=0.002 * (i % 7))] * 2 for i, p in enumerate(prompts)}
    replies = [ask(endpoint(server, patience=Patience(), concurrency=n), *prompts) for n in (1, 16)]
    assert replies[0] == replies[1]
    assert [r.text for r in replies[0]] == [f"answer to {p}" for p in prompts]
    bodies = [sorted(json.dumps(b, sort_keys=True) for b in part) for part in (server.asked[:40], server.asked[40:])]
    assert bodies[0] == bodies[1]


@pytest.mark.parametrize("most", [1, 5])
def test_no_more_requests_are_under_way_than_asked_for(server: Server, most: int) -> None:
    server.always = say("x", wait=0.05)
    ask(endpoint(server, patience=Patience(), concurrency=most), *map(str, range(12)))
    assert server.most_at_once == most


@pytest.mark.parametrize("code", [408, 409, 429, 500, 502, 503, 529])
def test_what_may_pass_is_sent_again(server: Server, code: int) -> None:
    server.faults["a"] = [status(code), status(code)]
    model = endpoint(server)
    assert [r.text for r in ask(model, "a")] == ["you said a"]
    assert (model.ledger.counts.requests, model.ledger.counts.repeated, model.ledger.counts.failed) == (3, 2, 0)


@pytest.mark.parametrize("fault", [reset, cut, hang, drip, drip_headers])
def test_a_lost_or_stuck_connection_is_given_up_and_tried_again(server: Server, fault) -> None:
    server.faults["a"] = [fault]
    begun = time.monotonic()
    assert [r.text for r in ask(endpoint(server, patience=QUICK), "a")] == ["you said a"]
    assert time.monotonic() - begun < 3
    assert server.prompts["a"] == 2


@pytest.mark.parametrize("code", [400, 401, 403, 404, 413, 422])
def test_what_would_be_refused_again_is_sent_once(server: Server, code: int) -> None:
    server.always = status(code, json.dumps({"error": {"message": "the reason \x1b[31m<script>alert(1)</script>"}}))
    (reply,) = ask(endpoint(server), "a")
    assert (reply.finish, reply.text) == ("error", "")
    assert reply.error == f"the server answered {code}: the reason ⟨U+001B⟩[31m<script>alert(1)</script>"
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (raw("<html>busy</html>", Content_Type="text/html"), "not JSON.*text/html"),
        (raw('{"choices": [{"message": {"content": "x'), "not JSON"),
        (raw(b"\xff\xfe\x00"), "not JSON"),
        (raw("[" * 100_000), "nested too deeply"),
        (raw('{"a":' * 60 + "1" + "}" * 60), "nested more than"),
        (raw('{"choices": [' + "9" * 4000 + "]}"), "integer|not JSON"),
        (raw("null"), "no 'choices'"),
        (raw('{"choices": []}'), "no 'choices'"),
        (raw('{"error": {"message": "out of \\u001b memory"}}'), "no 'choices': out of ⟨U\\+001B⟩ memory"),
        (raw('{"choices": {"0": 1}}'), "no 'choices'"),
        (raw('{"choices": [{"message": null}]}'), "no text"),
        (raw('{"choices": [{"message": {"content": 5}}]}'), "no text"),
        (say(None, finish="tool_calls"), "calls a tool"),
        (raw("x" * 5_000_000), "more than 4,000 kB"),
        (say("x" * 600_000), "more than 500,000 characters"),
        (raw(b"\x1f\x8b", Content_Encoding="gzip"), "compressed"),
        (status(302, "", Location="http://127.0.0.1:1/stolen"), "302, a redirect, which is not followed"),
        (status(307, "", Location="/v1/again"), "redirect"),
    ],
)
def test_an_answer_that_cannot_be_used_is_one_failed_request(server: Server, fault, words: str) -> None:
    server.faults["bad"] = [fault]
    model = endpoint(server, api_key_env=None)
    replies = ask(model, "good", "bad", "fine")
    assert [r.text for r in replies] == ["you said good", "", "you said fine"]
    assert replies[1].finish == "error"
    assert re.search(words, replies[1].error or "")
    assert (model.ledger.counts.answered, model.ledger.counts.failed) == (2, 1)
    assert len(server.asked) == 3


def test_refused_filtered_empty_and_failed_are_four_things(server: Server) -> None:
    filtered = json.dumps({"error": {"message": "blocked by policy", "code": "content_filter"}})
    server.faults = {
        "refused": [say(None, refusal="I will not.")],
        "filtered": [say("par", finish="content_filter")],
        "also filtered": [status(400, filtered)],
        "empty": [say("")],
        "thinking": [say(None, finish="length")],
        "long": [say("and so on", finish="length")],
        "parts": [say([{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}])],
    }
    model = endpoint(server)
    replies = dict(zip(server.faults, ask(model, *server.faults), strict=True))
    assert {name: (r.finish, r.text) for name, r in replies.items()} == {
        "refused": ("refused", "I will not."),
        "filtered": ("filtered", ""),
        "also filtered": ("filtered", ""),
        "empty": ("stop", ""),
        "thinking": ("error", ""),
        "long": ("length", "and so on"),
        "parts": ("stop", "ab"),
    }
    assert {name for name, r in replies.items() if r.error} == {"filtered", "also filtered", "thinking"}
    counts = model.ledger.counts
    assert (counts.answered, counts.refused, counts.empty, counts.filtered, counts.failed) == (4, 1, 1, 2, 1)
    made = model.requests_made()
    assert made is not None
    assert (made.sent, made.repeated, made.failed) == (7, 0, {"the answer could not be used": 1})


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (status(400), "the server answered 400"),
        (status(503), "the server answered 503"),
        (hang, "timed out"),
        (drip, "timed out"),
        (reset, "the connection failed"),
        (raw("<html>"), "the answer could not be used"),
        (status(302, ""), "the server answered 302"),
        (say("par", finish="abort"), "the answer could not be used"),
    ],
)
def test_a_failure_is_counted_by_its_reason(server: Server, tmp_path: Path, fault, reason: str) -> None:
    server.always = fault
    model = endpoint(server, patience=replace(QUICK if reason == "timed out" else PATIENT, attempts=1))
    model.keep_answers(tmp_path, resumed=False)
    ask(model, "a", "b")
    model.close()
    again = endpoint(server)
    again.keep_answers(tmp_path, resumed=True)
    for made in (model.requests_made(), again.requests_made()):
        assert made is not None
        assert made.failed == {reason: 2}
    again.close()


def choice(**fields: object) -> object:
    """Answer with one choice, whose message and end are these."""
    message = {name: fields.pop(name) for name in list(fields) if name not in ("finish_reason", "error")}
    return raw(json.dumps({"choices": [{"message": message, **fields}], "usage": {}}))


TOOL = [{"function": {"name": "f", "arguments": "{}"}}]


@pytest.mark.parametrize(
    ("fault", "finish", "words"),
    [
        # An error in an answer that the server calls a success.
        (raw(json.dumps({**answer("par"), "error": {"message": "the worker died"}})), "error", "the worker died"),
        (raw(json.dumps({**answer("par"), "error": "the worker died"})), "error", "the worker died"),
        (choice(content="", error={"code": 502}, finish_reason="error"), "error", "502"),
        (choice(content="par", finish_reason="error"), "error", "ended with 'error'"),
        (choice(content="par", finish_reason="abort"), "error", "ended with 'abort'"),
        (choice(content="par", finish_reason="insufficient_system_resource"), "error", "ended with"),
        # The model wrote something, and it is not the text.
        (choice(content="", tool_calls=TOOL, finish_reason="tool_calls"), "error", "calls a tool"),
        (choice(content="", tool_calls=TOOL, finish_reason="stop"), "error", "calls a tool"),
        (choice(content="", reasoning_content="so", finish_reason="stop"), "error", "reasoning and no text"),
        (choice(content=None, reasoning="so", finish_reason="stop"), "error", "reasoning and no text"),
        (choice(content="", reasoning_content="so", finish_reason="length"), "error", "ran out"),
        (choice(content="", finish_reason="MAX_TOKENS"), "error", "ran out"),
        (choice(content="", finish_reason="load"), "error", "ended with 'load'"),
        # The server withholds what the model wrote.
        (choice(content="", finish_reason="SAFETY"), "filtered", "filtered"),
        (choice(content=None, finish_reason="RECITATION"), "filtered", "filtered"),
        (choice(content="", finish_reason="content_filter: PROHIBITED_CONTENT"), "filtered", "filtered"),
        (choice(content="I cannot.", finish_reason="refusal"), "refused", "I cannot."),
        (choice(content=[{"type": "refusal", "refusal": "No."}]), "refused", "No."),
        # An answer.
        (choice(content="yes", error=None, finish_reason="stop"), "stop", "yes"),
        (choice(content="yes", error={}, reasoning_content="so"), "stop", "yes"),
        (choice(content="yes", tool_calls=TOOL, finish_reason="tool_calls"), "stop", "yes"),
        (choice(content="yes", finish_reason="anything"), "stop", "yes"),
        (choice(content="yes", finish_reason=5), "stop", "yes"),
        (choice(content="yes", finish_reason="max_tokens"), "length", "yes"),
        (choice(content="", finish_reason="eos_token"), "stop", ""),
        (choice(content="", tool_calls=[]), "stop", ""),
        (choice(content=[{"type": "text", "text": "y"}, {"type": "output_text", "text": "es"}]), "stop", "yes"),
    ],
)
def test_an_answer_counts_only_where_it_is_the_model_s_own_and_whole(
    server: Server, fault, finish: str, words: str
) -> None:
    server.always = fault
    (reply,) = ask(endpoint(server), "a")
    assert reply.finish == finish
    assert words in (reply.error or reply.text)
    assert (reply.error is None) == (finish in ("stop", "length", "refused"))
    assert reply.error is None or reply.text == ""


def test_half_a_surrogate_pair_is_replaced(server: Server) -> None:
    server.faults["a"] = [raw('{"choices": [{"message": {"content": "x\\ud800y"}}]}')]
    assert ask(endpoint(server), "a")[0].text == "x?y"


def test_the_server_says_how_long_to_wait(server: Server) -> None:
    server.faults["a"] = [status(429, Retry_After="0.2")]
    begun = time.monotonic()
    assert ask(endpoint(server), "a")[0].text == "you said a"
    assert 0.2 <= time.monotonic() - begun < 2


@pytest.mark.parametrize("ahead", [-3600, 0])
def test_a_date_that_is_past_is_not_waited_for(server: Server, ahead: int) -> None:
    server.faults["a"] = [status(503, Retry_After=format_datetime(datetime.now(UTC) + timedelta(seconds=ahead)))]
    begun = time.monotonic()
    assert ask(endpoint(server), "a")[0].text == "you said a"
    assert time.monotonic() - begun < 1


@pytest.mark.parametrize("value", ["3600", "9" * 20, "99999999999.5", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_server_that_asks_for_an_hour_is_not_waited_for(server: Server, value: str) -> None:
    server.always = status(429, Retry_After=value)
    begun = time.monotonic()
    (reply,) = ask(endpoint(server), "a")
    assert "it asks to wait" in (reply.error or "")
    assert time.monotonic() - begun < 1
    assert len(server.asked) == 1


@pytest.mark.parametrize("value", ["soon", "-5", "1e9", "nan", "٣", "Mon, 99 Foo 2020", "\x00"])
def test_a_wait_that_cannot_be_read_is_ours(server: Server, value: str) -> None:
    server.faults["a"] = [raw(b"{}")] if value == "\x00" else [lambda h, b: h.send(429, "{}", Retry_After=value)]
    if value == "\x00" or not value.isascii():
        from guardrails.targets.endpoint.transport import _seconds

        assert _seconds(value) is None
    else:
        assert ask(endpoint(server), "a")[0].text == "you said a"


def test_a_server_that_is_down_is_not_asked_five_times_for_each_prompt(server: Server) -> None:
    server.always = status(500)
    model = endpoint(server, concurrency=1)
    replies = ask(model, *map(str, range(20)))
    assert all("500" in (r.error or "") for r in replies[:5])
    assert {r.error for r in replies[5:]} == {"not sent after 5 failed requests in a row"}
    assert len(server.asked) == 3 * PATIENT.attempts + 2
    ask(model, "6", "7")
    assert len(server.asked) == 3 * PATIENT.attempts + 4
    server.always = None
    assert ask(model, "back")[0].text == "you said back"
    server.faults["again"] = [status(500)]
    assert ask(model, "again")[0].text == "you said again"


@pytest.mark.slow
@pytest.mark.parametrize(("code", "sent"), [(307, 1), (401, 1), (404, 1), (429, PATIENT.attempts)])
def test_what_is_refused_to_all_is_not_asked_for_each_prompt(server: Server, code: int, sent: int) -> None:
    server.always = status(code)
    model = endpoint(server, concurrency=1)
    replies = ask(model, *map(str, range(20)))
    assert [f"answered {code}" in (r.error or "") for r in replies] == [True] * 5 + [False] * 15
    assert len(server.asked) == 5 * sent
    assert (model.ledger.counts.failed, model.ledger.counts.not_sent) == (5, 15)
    server.faults["4"] = [say("one answer")]
    ask(model, *map(str, range(10)))
    assert model.ledger.counts.not_sent == 15


def test_where_nothing_is_left_to_spend_no_wait_helps(server: Server) -> None:
    server.always = status(429, '{"error": {"message": "your quota is spent", "code": "insufficient_quota"}}')
    (reply,) = ask(endpoint(server), "a")
    assert "your quota is spent" in (reply.error or "")
    assert len(server.asked) == 1


def test_a_server_that_dies_in_the_middle(server: Server) -> None:
    server.faults["2"] = [reset] * 9
    model = endpoint(server, concurrency=2)
    assert [r.error is None for r in ask(model, "1", "2", "3")] == [True, False, True]
    server.shutdown()
    server.server_close()
    (reply,) = ask(model, "4")
    assert "the connection failed" in (reply.error or "")


def test_a_server_that_cannot_be_reached_is_said_before_anything_is_asked() -> None:
    model = Endpoint("openai:http://127.0.0.1:9/v1#m", patience=QUICK)
    with pytest.raises(EndpointError, match=r"127\.0\.0\.1:9: the connection failed: .*is the server running\?"):
        model.identity()
