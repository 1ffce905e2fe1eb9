"""A served model that answers, fails, lies and hangs."""

from __future__ import annotations

import asyncio
import json
import re
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.core.asking import item_by_item
from guardrails.core.base import Batch, TextOutputs, TextTarget
from guardrails.core.errors import ConfigurationError, EndpointError
from guardrails.targets import load_target
from guardrails.targets.endpoint import Chat, ChatTexts, Decoding, Endpoint, EndpointOptions, Patience, Reply, Usage
from guardrails.targets.endpoint.openai import ChatCompletions

from .fault_server import Server, answer, cut, drip, drip_headers, hang, raw, reset, say, says_bytes, status

QUICK = Patience(connect=1.0, read=0.3, total=0.6, attempts=3, first_wait=0.001, longest_wait=1.0)
DECODING = Decoding(max_new_tokens=8)


def endpoint(server: Server, scheme: str = "openai", patience: Patience = QUICK, **options: object) -> Endpoint:
    return Endpoint(f"{scheme}:{server.url}#m", EndpointOptions.model_validate(options), patience=patience)


def ask(model: Endpoint, *prompts: str, seed: int = 0) -> list[Reply]:
    return model.reply([[{"role": "user", "content": prompt}] for prompt in prompts], DECODING, seed)


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


def test_one_at_a_time_and_sixteen_give_the_same(server: Server) -> None:
    prompts = [f"prompt {i}" for i in range(40)]
    server.faults = {p: [say(f"answer to {p}", wait=0.002 * (i % 7))] * 2 for i, p in enumerate(prompts)}
    replies = [ask(endpoint(server, concurrency=n), *prompts) for n in (1, 16)]
    assert replies[0] == replies[1]
    assert [r.text for r in replies[0]] == [f"answer to {p}" for p in prompts]
    bodies = [sorted(json.dumps(b, sort_keys=True) for b in part) for part in (server.asked[:40], server.asked[40:])]
    assert bodies[0] == bodies[1]


@pytest.mark.parametrize("most", [1, 5])
def test_no_more_requests_are_under_way_than_asked_for(server: Server, most: int) -> None:
    server.always = say("x", wait=0.01)
    ask(endpoint(server, concurrency=most), *map(str, range(12)))
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
    assert [r.text for r in ask(endpoint(server), "a")] == ["you said a"]
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
    said = "7 requests sent (0 of them again), 4 answered (1 refusals, 1 empty), 2 filtered by the server, 1 failed"
    assert model.requests_made().startswith(said)


def test_half_a_surrogate_pair_is_replaced(server: Server) -> None:
    server.faults["a"] = [raw('{"choices": [{"message": {"content": "x\\ud800y"}}]}')]
    assert ask(endpoint(server), "a")[0].text == "x?y"


# Waiting


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


@pytest.mark.parametrize("value", ["3600", "Fri, 31 Dec 9999 23:59:59 GMT"])
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
    assert {r.error for r in replies[5:]} == {"not sent after 5 lost requests in a row"}
    assert len(server.asked) == 3 * QUICK.attempts + 2
    ask(model, "6", "7")
    assert len(server.asked) == 3 * QUICK.attempts + 4
    server.always = None
    assert ask(model, "back")[0].text == "you said back"
    server.faults["again"] = [status(500)]
    assert ask(model, "again")[0].text == "you said again"


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


# The key

KEY = "sk-test-0123456789abcdef"


def test_the_key_is_sent_to_the_server_and_shown_nowhere(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    escaped = KEY.replace("s", "\\u0073")
    server.faults = {
        "answer": [say(f"your key is {KEY}.")],
        "refusal": [say(None, refusal=f"no, {KEY}")],
        "error": [status(401, json.dumps({"error": {"message": f"wrong key {KEY}"}}))],
        "escaped": [status(400, '{"error": "' + escaped + '"}')],
        "cut": [status(400, "x" * 190 + KEY)],
        "html": [raw(f"<p>{KEY}</p>", Content_Type=f"text/html; {KEY}")],
    }
    server.models = {"data": [{"id": "m", "owned_by": KEY}]}
    model = endpoint(server, api_key_env="MY_KEY")
    replies = ask(model, *server.faults)
    assert {h["Authorization"] for h in server.headers_seen} == {f"Bearer {KEY}"}
    shown = [*map(str, replies), str(model.identity()), model.read_as, repr(model), str(model.options)]
    assert all(KEY[:8] not in text for text in shown)
    assert replies[0].text == "your key is [api key]."


def test_a_short_key_does_not_change_what_answers_say(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "test")
    server.always = say("a test of the tests")
    assert ask(endpoint(server, api_key_env="MY_KEY"), "a")[0].text == "a test of the tests"


def test_a_key_in_the_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    for name in (f"openai:http://host/{KEY}/v1#m", f"openai:http://host/v1#{KEY}"):
        with pytest.raises(ConfigurationError, match="holds the key") as error:
            Endpoint(name, EndpointOptions(api_key_env="MY_KEY"))
        assert KEY not in str(error.value)


def test_all_wait_where_the_server_asks_one_to_wait(server: Server) -> None:
    server.faults["*"] = [status(429, Retry_After="0.3")]
    ask(endpoint(server, concurrency=2), *"cdefgh")
    assert len(server.asked) == 7
    assert server.times[2] - server.times[1] >= 0.25  # the two that were under way, and then nobody


def test_no_key_is_sent_that_was_not_named(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    ask(endpoint(server), "a")
    assert "Authorization" not in server.headers_seen[0]


@pytest.mark.parametrize("value", [None, "", "  ", "abc", "two\nlines", "schlüssel"])
def test_a_key_that_cannot_be_sent_is_a_mistake(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MY_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("MY_KEY", value)
    with pytest.raises(ConfigurationError, match="--api-key-env MY_KEY") as error:
        Endpoint("openai:http://127.0.0.1:9/v1#m", EndpointOptions(api_key_env="MY_KEY"))
    assert not value or not value.strip() or value not in str(error.value)


# The whole of a batch


class Probe:
    """Counts an item where it has an answer."""

    @item_by_item()
    def collect(self, target, batch, *, seed):  # type: ignore[no-untyped-def]
        items = batch.payload["items"]
        texts = target.generate([item["prompt"] for item in items], max_new_tokens=8, seed=seed)
        return [{**item, "text": text} for item, text in zip(items, texts, strict=True)]


def batch_of(prompts: list[str]) -> Batch:
    return Batch(0, {"items": [{"item": str(i), "prompt": prompt} for i, prompt in enumerate(prompts)]})


@pytest.mark.parametrize("bad", [{0}, {31}, {7, 8}, {0, 9, 10, 20, 31}, set(range(0, 32, 3))])
def test_a_failed_request_is_one_error_row_and_n_items_are_n_requests(server: Server, bad: set[int]) -> None:
    prompts = [f"prompt {i}" for i in range(32)]
    server.faults = {prompts[i]: [status(400)] * 9 for i in bad}
    rows = Probe().collect(ChatTexts(endpoint(server)), batch_of(prompts), seed=1)
    assert {i for i, row in enumerate(rows) if "error" in row} == bad
    assert all(row["text"] == f"you said {prompts[i]}" for i, row in enumerate(rows) if i not in bad)
    assert len(server.asked) == 32


def test_equal_prompts_of_a_batch_each_have_an_answer_of_their_own(server: Server) -> None:
    server.faults["same"] = [say("one"), status(400), say("two"), say("three")]
    rows = Probe().collect(ChatTexts(endpoint(server, concurrency=1)), batch_of(["same"] * 4), seed=1)
    assert [row.get("text") for row in rows] == ["one", None, "two", "three"]
    assert len(server.asked) == 4


def test_the_next_batch_is_not_given_failures_of_the_one_before(server: Server) -> None:
    prompts = [str(i) for i in range(16)]
    server.faults = {prompt: [status(400)] for prompt in prompts}
    target = ChatTexts(endpoint(server))
    rows = Probe().collect(target, batch_of(prompts), seed=1)
    assert all("error" in row for row in rows)
    rows = Probe().collect(target, batch_of(prompts), seed=2)
    assert [row["text"] for row in rows] == [f"you said {prompt}" for prompt in prompts]


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=20), st.sets(st.integers(0, 19)), st.integers(0, 9))
def test_a_batch_asks_for_each_item_once_whatever_fails(prompts: list[str], bad: set[int], seed: int) -> None:
    asked: list[str] = []

    class Some:
        name = "some"

        def identity(self) -> dict[str, str]:
            return {}

        def reply(self, conversations, decoding, seed):  # type: ignore[no-untyped-def]
            replies = []
            for conversation in conversations:
                number = len(asked)
                asked.append(conversation[-1]["content"])
                fails = number in bad
                replies.append(Reply(finish="error", error="no") if fails else Reply(f"{asked[-1]}{number}"))
            return replies

    rows = Probe().collect(ChatTexts(Some()), batch_of(prompts), seed=seed)
    assert asked == prompts
    assert [row["prompt"] for row in rows] == prompts
    written = [row["text"] for row in rows if "text" in row]
    assert len(written) == len(set(written))
    assert all(row["text"].startswith(row["prompt"]) for row in rows if "text" in row)


# Names, identity, form


@pytest.mark.parametrize(
    "name",
    [
        "openai:http://host/v1",
        "openai:http://host/v1#",
        "openai:host#m",
        "openai:ftp://host/v1#m",
        "openai:http:///v1#m",
        "openai:http://host:99999/v1#m",
        "openai:http://host/v1\x00#m",
        "openai:http://host/v1#m\n",
        "openai:http://[::1/v1#m",
        "openai:http://host/v1/chat/completions#m",
        "openai:" + "http://host/" + "a" * 3000 + "#m",
        "openai:#m",
    ],
)
def test_a_name_that_cannot_be_used_is_a_mistake(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"openai: "):
        load_target(name)


@pytest.mark.parametrize(
    "name",
    [
        "openai:http://user:hunter2@host/v1#m",
        "openai:http://hunter2@host/v1#m",
        "openai:http://host/v1?api_key=hunter2#m",
        "openai:http://host/v1?x=1&access_token=hunter2#m",
        "http://user:hunter2@host/v1#m",
        "https://host/v1?sig=hunter2",
    ],
)
def test_a_secret_in_a_url_is_refused_and_not_shown(name: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        load_target(name)
    assert "hunter2" not in str(error.value)


def test_identity_is_the_address_the_model_and_what_the_server_lists(server: Server) -> None:
    model = endpoint(server)
    expected = {"endpoint": f"{server.url}/chat/completions", "model": "m", "owned_by": "tests"}
    assert model.identity() == expected
    assert "which weights answer cannot be known" in model.read_as


@pytest.mark.parametrize("models", [None, [], {"data": 5}, {"data": [5, {"id": "other"}]}, {"data": [{"id": "m"}]}])
def test_any_list_of_models_will_do(server: Server, models: object) -> None:
    server.models = models
    assert endpoint(server).identity() == {"endpoint": f"{server.url}/chat/completions", "model": "m"}


def test_a_query_that_is_no_secret_stays() -> None:
    form = ChatCompletions("https://host/deployments/x?api-version=2024#m")
    assert str(form.url) == "https://host/deployments/x/chat/completions?api-version=2024"


def test_a_long_name_leaves_room_for_the_counts() -> None:
    model = Endpoint("openai:http://127.0.0.1:9/" + "a" * 900 + "#" + "m" * 400)
    assert len(model.read_as) < 330


def test_unencrypted_is_said_of_other_machines_only() -> None:
    assert "unencrypted" in Endpoint("openai:http://host/v1#m").read_as
    assert "unencrypted" not in Endpoint("openai:https://host/v1#m").read_as
    assert "unencrypted" not in Endpoint("openai:http://localhost:1/v1#m").read_as


@pytest.mark.parametrize("field", ["max_tokens", "seed"])
def test_a_server_that_names_another_field_is_asked_its_way(server: Server, field: str) -> None:
    said = {
        "max_tokens": "Unsupported parameter: 'max_tokens' is not supported; use 'max_completion_tokens' instead.",
        "seed": "Extra inputs are not permitted: seed",
    }

    def strict(handler, body):  # type: ignore[no-untyped-def]
        if field in body:
            handler.send(400, json.dumps({"error": {"message": said[field]}}))
        else:
            say()(handler, body)

    server.always = strict
    model = endpoint(server)
    assert [r.text for r in ask(model, *"abcdef")] == [f"you said {x}" for x in "abcdef"]
    assert len(server.asked) <= 6 + model.options.concurrency
    assert (server.asked[-1].get("max_completion_tokens") == 8) is (field == "max_tokens")
    assert ("takes no seed" in model.read_as) is (field == "seed")


def test_a_field_that_cannot_be_changed_fails_once(server: Server) -> None:
    server.always = status(400, '{"error": {"message": "seed and max_completion_tokens are wrong"}}')
    (reply,) = ask(endpoint(server), "a")
    assert reply.finish == "error"
    assert len(server.asked) == 3


def test_a_running_loop_is_no_hindrance(server: Server) -> None:
    async def notebook() -> list[Reply]:
        return ask(endpoint(server), "a")

    assert asyncio.run(notebook())[0].text == "you said a"


def test_a_proxy_is_not_used_for_this_machine(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert ask(endpoint(server), "a")[0].text == "you said a"


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 100,
        b"\x16\x03\x01\x02\0",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        b"HTTP/1.1 099 Low\r\n\r\n",
        b"HTTP/1.1 999 High\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 204 None\r\n\r\n",
        HEAD + b"X: " + b"a" * 200_000 + b"\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n{}",
        HEAD + b"Content-Length: 99999999999999999999\r\n\r\n{}",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
        HEAD + b"Content-Type: k\xc3\xa4se\xe2\x80\xae\r\n\r\nnothing",
    ],
)
def test_bytes_that_are_no_answer_are_one_failed_request(server: Server, content: bytes) -> None:
    server.faults["bad"] = [says_bytes(content)] * QUICK.attempts
    replies = ask(endpoint(server), "good", "bad")
    assert replies[0].text == "you said good"
    assert replies[1].finish == "error"
    assert (replies[1].error or "").isprintable()
    assert len(replies[1].error or "") < 300


def test_half_a_surrogate_pair_in_a_prompt_is_one_failed_request_at_most(server: Server) -> None:
    replies = ask(endpoint(server), "a\ud800", "b")
    assert replies[1].text == "you said b"


def test_a_proxy_that_cannot_be_used_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "nonsense://user:hunter2@host")
    with pytest.raises(ConfigurationError, match="the proxy") as error:
        Endpoint("openai:http://example.invalid/v1#m").identity()
    assert "hunter2" not in str(error.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["message", "content", "text", "x"]), inner),
    max_leaves=8,
)


@given(json_values, json_values, json_values)
def test_any_json_is_a_reply_or_an_error(choice: object, message: object, usage: object) -> None:
    form = ChatCompletions("http://host/v1#m")
    for value in (choice, {"choices": [choice], "usage": usage}, {"choices": [{"message": message}]}):
        reply = form.parse(value)
        assert isinstance(reply.text, str)
        assert (reply.error is None) == (reply.finish in ("stop", "length", "refused"))
        assert reply.usage is None or min(reply.usage.prompt_tokens, reply.usage.completion_tokens) >= 0


def test_token_counts_are_those_of_the_server_and_nothing_else(server: Server) -> None:
    server.faults = {"a": [say("x", usage={"prompt_tokens": -1, "completion_tokens": True})]}
    replies = ask(endpoint(server), "a", "b")
    assert [r.usage for r in replies] == [None, Usage(3, 5)]
    assert answer("x")["usage"] == {"prompt_tokens": 3, "completion_tokens": 5}
