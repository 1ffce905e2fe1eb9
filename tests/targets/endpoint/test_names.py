"""Names, keys, identity, and the forms of requests and answers."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.core.errors import ConfigurationError
from guardrails.targets import load_target
from guardrails.targets.endpoint import Endpoint, EndpointOptions, Reply, Usage
from guardrails.targets.endpoint.openai import ChatCompletions

from .asking import PATIENT, ask, endpoint
from .fault_server import Server, answer, raw, say, says_bytes, status

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
        "upper": [status(403, json.dumps({"error": {"message": f"wrong key {KEY.upper()}"}}))],
        "folded": [status(403, json.dumps({"error": {"message": f"wrong key {KEY[:9]}\n {KEY[9:]}"}}))],
        "unseen": [status(403, json.dumps({"error": {"message": f"wrong key {KEY[:9]}\u200b{KEY[9:]}"}}))],
    }
    server.models = {"data": [{"id": "m", "owned_by": KEY}]}
    model = endpoint(server, api_key_env="MY_KEY")
    replies = ask(model, *server.faults)
    assert {h["Authorization"] for h in server.headers_seen} == {f"Bearer {KEY}"}
    shown = [*map(str, replies), str(model.identity()), model.read_as, repr(model), str(model.options)]
    assert all(KEY[:8] not in text.lower() for text in shown)
    assert replies[0].text == "your key is [api key]."


def test_a_short_key_does_not_change_what_answers_say(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "test")
    server.always = say("a test of the tests")
    assert ask(endpoint(server, api_key_env="MY_KEY"), "a")[0].text == "a test of the tests"


@pytest.mark.parametrize(("key", "shown"), [("hunter2-pass", "wrong key [api key]"), ("test", "wrong key test")])
def test_a_short_key_is_taken_out_of_errors_unless_it_is_a_word(
    server: Server, monkeypatch: pytest.MonkeyPatch, key: str, shown: str
) -> None:
    monkeypatch.setenv("MY_KEY", key)
    server.always = status(403, json.dumps({"error": {"message": f"wrong key {key}"}}))
    (reply,) = ask(endpoint(server, api_key_env="MY_KEY"), "a")
    assert (reply.error or "").endswith(shown)


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
        "openai:http://host/v1%0d%0aX:y#m",
        "openai:http://xn--a.localhost/v1#m",
        "openai:http://host/v1# ",
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


def test_a_path_is_sent_as_it_is_written() -> None:
    form = ChatCompletions("https://host/a%2Fb/v1/#m")
    assert form.url.raw_path == b"/a%2Fb/v1/chat/completions"
    assert form.models_url.raw_path == b"/a%2Fb/v1/models"


def test_a_long_key_is_taken_out_too(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "ab.-" * 1000
    monkeypatch.setenv("MY_KEY", key)
    server.always = status(403, json.dumps({"error": {"message": f"wrong key {key}"}}))
    begun = time.monotonic()
    (reply,) = ask(endpoint(server, api_key_env="MY_KEY"), "a")
    assert (reply.error or "").endswith("wrong key [api key]")
    assert time.monotonic() - begun < 1.5


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
    server.faults["bad"] = [says_bytes(content)] * PATIENT.attempts
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
